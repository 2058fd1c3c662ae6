"""The index catches up with what it is of, and finds it by words and by meaning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from copilot.agents.runbook import parse_runbook, suggest
from copilot.domain.alert import Rule
from copilot.domain.errors import Unavailable
from copilot.domain.hypothesis import Findings
from copilot.domain.retrieval import Corpus, Near, Ranked, Vector
from copilot.domain.runbook import Runbook, runbook_of, section_id
from copilot.local import LocalAgents
from copilot.ports import Store
from copilot.remediate.policy import Policy
from copilot.roles.workers import LEASE_US, Workers
from copilot.search.indexing import catch_up
from copilot.search.meaning import Meaning
from copilot.store import open_store
from tests.builders_detect import an_alert
from tests.builders_store import a_batch
from tests.fakes import FixedClock
from tests.fakes_embedder import FakeEmbedder
from tests.unit.agents.test_runbook import a_case, shipped

RUNBOOK = """---
title: {title}
tags: [{tag}]
---
{text}

## Steps
1. Look: `kubectl -n $NS get pods -o wide --show-labels`
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_store(tmp_path / "copilot.db", clock=FixedClock())
    await store.migrate()
    async with store.transaction() as tx:
        await tx.runbooks.sync(
            [
                a_runbook("disk-full", "A volume is full", "disk", "No space is left."),
                a_runbook("oom-killed", "Killed for memory", "oom", "OOMKilled, exit code 137."),
            ]
        )
        await tx.telemetry.add(a_batch("x", pattern="connection refused"))
        await tx.telemetry.add(a_batch("y", pattern="took 4bf92f3577b34da6a3ce929d0e0e4736 long"))
    yield store
    await store.close()


def a_runbook(slug: str, title: str, tag: str, text: str) -> Runbook:
    return parse_runbook(slug, RUNBOOK.format(title=title, tag=tag, text=text), 0)


async def waiting(store: Store, model: str | None) -> tuple[int, int]:
    """Documents whose words, and whose vectors, are missing."""
    async with store.view() as view:
        behind = await view.index.backlog(model)
    return sum(one.words for one in behind), sum(one.vectors for one in behind)


async def found(store: Store, text: str, near: Near | None = None) -> list[str]:
    """The slugs of the runbooks."""
    async with store.view() as view:
        ranked = await view.index.rank(Corpus.RUNBOOK, text, limit=10, near=near)
        slugs = {one.id: one.slug for one in await view.runbooks.all()}
    return [slugs[runbook_of(one.doc_id)] for one in ranked]


# --------------------------------------------------------------------------- catching up


async def test_a_pass_brings_words_and_vectors_up_to_date_and_another_has_nothing_to_do(
    store: Store,
) -> None:
    embedder = FakeEmbedder()
    assert await waiting(store, embedder.name) == (6, 6)

    await catch_up(store, embedder, FixedClock())

    assert await waiting(store, embedder.name) == (0, 0)
    assert await catch_up(store, embedder, FixedClock()) == 0
    assert len(embedder.asked) == 6


async def test_without_an_embedder_words_are_brought_up_to_date(store: Store) -> None:
    await catch_up(store, FakeEmbedder(name=""), FixedClock())

    assert await waiting(store, None) == (0, 0)
    assert await found(store, "exit code 137") == ["oom-killed"]


async def test_an_embedder_that_is_down_costs_no_words_and_nothing_is_embedded_twice(
    store: Store,
) -> None:
    embedder = FakeEmbedder(failing=1)
    with pytest.raises(Unavailable):
        await catch_up(store, embedder, FixedClock())
    assert await waiting(store, embedder.name) == (0, 6)

    await catch_up(store, embedder, FixedClock())

    assert await waiting(store, embedder.name) == (0, 0)
    assert len(embedder.asked) == 6


async def test_a_crash_between_two_batches_loses_nothing(store: Store) -> None:
    class Dying(FakeEmbedder):
        async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
            if self.asked:
                raise asyncio.CancelledError
            return await super().embed(texts)

    dying, next_one = Dying(), FakeEmbedder()
    with pytest.raises(asyncio.CancelledError):
        await catch_up(store, dying, FixedClock())

    await catch_up(store, next_one, FixedClock())

    assert await waiting(store, "fake") == (0, 0)
    assert sorted([*dying.asked, *next_one.asked]) == sorted({*dying.asked, *next_one.asked})


async def test_another_model_is_filled_in_beside_the_one_before(store: Store) -> None:
    old, new = FakeEmbedder("old"), FakeEmbedder("new", failing=1)
    await catch_up(store, old, FixedClock())
    near = await Meaning(old).of("volume full")
    with pytest.raises(Unavailable):
        await catch_up(store, new, FixedClock())

    assert await waiting(store, "new") == (0, 6)
    assert (await found(store, "volume full", near))[0] == "disk-full"
    assert (await found(store, "volume full", await Meaning(new).of("volume full")))[0] == (
        "disk-full"
    )

    await catch_up(store, new, FixedClock())
    await catch_up(store, old, FixedClock())
    assert len(old.asked) == 7  # six texts and a question: going back costs nothing


async def test_a_text_that_the_model_refuses_is_set_aside_and_stops_no_other(store: Store) -> None:
    embedder = FakeEmbedder(refused="connection refused")

    await catch_up(store, embedder, FixedClock())

    assert await waiting(store, embedder.name) == (0, 0)
    async with store.view() as view:
        refused = {one.corpus: one.refused for one in await view.index.backlog(embedder.name)}
    assert refused == {Corpus.TEMPLATE: 1, Corpus.RUNBOOK: 0, Corpus.INCIDENT: 0}
    asked = len(embedder.asked)
    assert await catch_up(store, embedder, FixedClock()) == 0
    assert len(embedder.asked) == asked


async def test_another_model_is_asked_about_what_the_one_before_refused(store: Store) -> None:
    await catch_up(store, FakeEmbedder("old", refused="connection refused"), FixedClock())
    new = FakeEmbedder("new")

    await catch_up(store, new, FixedClock())

    assert any("connection refused" in text for text in new.asked)
    assert await waiting(store, "new") == (0, 0)


async def test_a_service_that_refuses_every_text_sets_none_aside(store: Store) -> None:
    with pytest.raises(Unavailable, match="refuses every text"):
        await catch_up(store, FakeEmbedder(refused=""), FixedClock())

    assert await waiting(store, "fake") == (0, 6)


async def test_vectors_of_a_model_that_nobody_used_for_a_day_go_once_the_new_ones_are_complete(
    store: Store,
) -> None:
    clock = FixedClock()
    await catch_up(store, FakeEmbedder("old"), clock)
    clock.move(2 * 86_400)
    with pytest.raises(Unavailable):
        await catch_up(store, FakeEmbedder("new", failing=1), clock)
    assert await waiting(store, "old") == (0, 0)

    await catch_up(store, FakeEmbedder("new"), clock)

    assert await waiting(store, "old") == (0, 6)
    assert await waiting(store, "new") == (0, 0)


async def test_a_model_that_is_still_in_use_elsewhere_keeps_its_vectors(store: Store) -> None:
    clock = FixedClock()
    for _ in range(3):
        await catch_up(store, FakeEmbedder("one"), clock)
        await catch_up(store, FakeEmbedder("two"), clock)
        clock.move(80_000)

    assert await waiting(store, "one") == await waiting(store, "two") == (0, 0)


async def test_what_a_name_no_longer_stands_for_is_embedded_anew(store: Store) -> None:
    class Longer(FakeEmbedder):
        async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
            return tuple(Vector(v + bytes(64)) for v in await super().embed(texts))

    await catch_up(store, FakeEmbedder(), FixedClock())
    async with store.transaction() as tx:
        await tx.runbooks.sync([a_runbook("new", "A new page", "new", "Something else.")])
        await tx.telemetry.add(a_batch("z", pattern="something new"))
    longer = Longer()

    await catch_up(store, longer, FixedClock())

    near = await Meaning(longer).of("connection refused")
    async with store.view() as view:
        [first, *_] = await view.index.rank(Corpus.TEMPLATE, "", limit=10, near=near)
    assert first.by_meaning == 1


async def test_ids_and_commands_are_not_given_to_the_embedder(store: Store) -> None:
    embedder = FakeEmbedder()
    await catch_up(store, embedder, FixedClock())

    asked = "\n".join(embedder.asked)
    assert "4bf92f35" not in asked
    assert "--show-labels" not in asked
    assert "exit code 137" in asked


async def test_a_pass_ends_after_a_while_so_that_new_words_need_not_wait(store: Store) -> None:
    clock = FixedClock()

    class Slow(FakeEmbedder):
        async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
            clock.move(30)
            return await super().embed(texts)

    await catch_up(store, Slow(), clock)

    assert await waiting(store, "fake") == (0, 2)


# --------------------------------------------------------------------------- who does it


def workers(store: Store, owner: str, embedder: FakeEmbedder, clock: FixedClock) -> Workers:
    return Workers(
        store=store,
        flow=None,  # type: ignore[arg-type]  # the index needs none
        agents=None,  # type: ignore[arg-type]  # nor these
        clock=clock,
        owner=owner,
        embedder=embedder,
    )


async def run_until_embedded(worker: Workers, store: Store) -> None:
    async with asyncio.timeout(10):
        running = asyncio.create_task(worker.index())
        while await waiting(store, "fake") != (0, 0):
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_worker_that_died_is_followed_by_another_once_its_lease_ran_out(
    store: Store,
) -> None:
    clock = FixedClock()
    async with store.transaction() as tx:
        await tx.jobs.put("index", "", run_us=clock.now_us(), dedupe="index")
        await tx.jobs.take("index", owner="dead", now_us=clock.now_us(), lease_us=LEASE_US)
    clock.move(LEASE_US / 1_000_000 + 1)

    await run_until_embedded(workers(store, "two", FakeEmbedder(), clock), store)

    assert await waiting(store, "fake") == (0, 0)


async def test_an_embedder_that_comes_back_is_used_again(store: Store) -> None:
    embedder, clock = FakeEmbedder(failing=1), FixedClock()
    worker = workers(store, "one", embedder, clock)
    running = asyncio.create_task(worker.index())
    async with asyncio.timeout(10):
        while embedder.failing or await waiting(store, "fake") != (0, 0):
            clock.move(1)  # over the pause
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert len(embedder.asked) == 6


# --------------------------------------------------------------------------- questions


async def test_a_question_is_embedded_once() -> None:
    embedder = FakeEmbedder()
    meaning = Meaning(embedder)

    first, again = await meaning.of("disk full"), await meaning.of("disk full")

    assert first is again
    assert embedder.asked == ["disk full"]


async def test_without_an_embedder_or_a_text_a_question_has_no_meaning() -> None:
    assert await Meaning(FakeEmbedder(name="")).of("disk full") is None
    assert await Meaning(FakeEmbedder()).of("  ") is None


async def test_an_embedder_that_is_down_or_slow_leaves_a_question_to_its_words() -> None:
    class Asleep(FakeEmbedder):
        async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
            await asyncio.sleep(3600)
            raise AssertionError

    down = Meaning(FakeEmbedder(failing=1))

    assert await Meaning(Asleep(), patience_s=0.01).of("disk full") is None
    assert await down.of("disk full") is None
    assert await down.of("disk full") is not None


# --------------------------------------------------------------------------- the runbook agent


def agents(store: Store, embedder: FakeEmbedder) -> LocalAgents:
    return LocalAgents(
        store=store,
        clock=FixedClock(),
        cluster=None,
        policy=Policy(),
        model=None,
        notifiers={},
        meaning=Meaning(embedder),
    )


NOTHING = Findings(summary=(), hypotheses=(), dropped=0, model="", tokens_in=0, tokens_out=0)


async def test_the_runbook_agent_finds_by_meaning_what_shares_no_word(store: Store) -> None:
    class Understands(FakeEmbedder):
        async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
            return await super().embed(
                [t.replace("storage exhausted", "volume full") for t in texts]
            )

    embedder = Understands()
    await catch_up(store, embedder, FixedClock())
    case = a_case(an_alert(Rule.EXTERNAL, title="storage exhausted"))

    first, *_ = await agents(store, embedder).suggest(case, NOTHING)

    assert first.slug == "disk-full"
    assert first.reason == "is about what the alerts and logs say, in other words"


async def test_what_the_index_finds_never_takes_away_what_a_page_is_worth_without_it() -> None:
    store = await open_store(":memory:", clock=FixedClock())
    await store.migrate()
    async with store.transaction() as tx:
        await tx.runbooks.sync(shipped())
    async with store.view() as view:
        runbooks = await view.runbooks.all()
    case = a_case(an_alert(Rule.NOT_READY, title="web is running but not ready"))
    misled = [
        Ranked(doc_id=section_id(one.id, 0), score=0.9, by_words=0, by_meaning=place)
        for place, one in enumerate(reversed(runbooks), start=1)
    ]

    with_index = suggest(case, NOTHING, runbooks, misled)
    without = suggest(case, NOTHING, runbooks)

    assert with_index[0].slug == without[0].slug == "bad-probe"
    assert with_index[0].score == without[0].score
    await store.close()


async def test_the_runbook_agent_finds_by_words_before_the_index_has_read_anything(
    store: Store,
) -> None:
    case = a_case(an_alert(Rule.EXTERNAL, title="pod OOMKilled, exit code 137"))

    first, *_ = await agents(store, FakeEmbedder(name="")).suggest(case, NOTHING)

    assert (first.slug, first.reason) == ("oom-killed", "shares words with the alerts and logs")
