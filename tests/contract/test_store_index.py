"""What every store promises of the index: it catches up, and it ranks alike on every database."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from copilot.domain.event import LineAddress
from copilot.domain.retrieval import Corpus, Document, Near, Ranked, Vector
from copilot.domain.runbook import Runbook, runbook_of
from copilot.store import SqlStore
from tests.builders_store import (
    NOW_US,
    STORES,
    a_batch,
    a_new_incident,
    a_query,
    a_runbook,
    a_store,
)

DISK = "It fills.\n\n## Symptoms\n- no space left on device\n\n## Steps\n1. Look: `df -h`\n"
MEMORY = "It grows.\n\n## Symptoms\n- OOMKilled, exit code 137\n\n## Steps\n1. Raise the limit.\n"


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store(request.param, tmp_path) as store:
        yield store


async def keep(store: SqlStore, *runbooks: Runbook) -> None:
    async with store.transaction() as tx:
        await tx.runbooks.sync(runbooks)


async def add_lines(store: SqlStore, *patterns: str) -> None:
    async with store.transaction() as tx:
        for pattern in patterns:
            await tx.telemetry.add(a_batch("a line", pattern=pattern))


async def read_all(store: SqlStore, corpus: Corpus) -> tuple[Document, ...]:
    """Brings the words up to date; what was not."""
    async with store.transaction() as tx:
        documents = await tx.index.unread(corpus, 1000)
        await tx.index.keep_words(corpus, documents)
    return documents


async def found(store: SqlStore, corpus: Corpus, text: str, limit: int = 10) -> list[Ranked]:
    async with store.view() as look:
        return list(await look.index.rank(corpus, text, limit=limit))


async def patterns(store: SqlStore, text: str, limit: int = 10) -> list[str]:
    """Those of the templates that are found."""
    async with store.view() as look:
        texts = {one.doc_id: one.text for one in await look.index.unembedded(_T, "none", 1000)}
        return [texts[one.doc_id] for one in await look.index.rank(_T, text, limit=limit)]


_T = Corpus.TEMPLATE


def a_disk(body: str = DISK) -> Runbook:
    return replace(a_runbook("disk"), title="A disk is full", body=body)


def a_leak() -> Runbook:
    return replace(a_runbook("leak"), title="Memory leaks", body=MEMORY)


# --------------------------------------------------------------------------- words


async def test_an_empty_index_finds_nothing(store: SqlStore) -> None:
    assert await found(store, Corpus.RUNBOOK, "disk full") == []


async def test_a_template_is_found_by_any_of_its_words_the_best_first(store: SqlStore) -> None:
    await add_lines(store, "connection refused by peer", "connection accepted", "cache warmed")
    await read_all(store, Corpus.TEMPLATE)

    assert await patterns(store, "connection refused") == [
        "connection refused by peer",
        "connection accepted",
    ]


async def test_the_words_of_operations_are_found_whole_and_by_their_parts(store: SqlStore) -> None:
    await add_lines(
        store, "java.lang.OutOfMemoryError thrown", "Last State: OOMKilled", "exited with code 137"
    )
    await read_all(store, Corpus.TEMPLATE)

    assert await patterns(store, "out of memory error") == ["java.lang.OutOfMemoryError thrown"]
    assert await patterns(store, "oom") == ["Last State: OOMKilled"]
    assert (await patterns(store, "exit code 137"))[0] == "exited with code 137"


async def test_a_text_without_a_word_finds_nothing(store: SqlStore) -> None:
    await add_lines(store, "connection refused")
    await read_all(store, Corpus.TEMPLATE)

    assert await patterns(store, "... --- !!!") == []
    assert await patterns(store, "") == []


async def test_equal_templates_come_in_one_order_whatever_their_ids(
    store: SqlStore, tmp_path: Path
) -> None:
    equal = ["alpha stopped", "beta stopped", "gamma stopped", "delta stopped"]
    await add_lines(store, *equal)
    await read_all(store, Corpus.TEMPLATE)

    async with a_store("sqlite-memory", tmp_path) as other:
        await add_lines(other, *reversed(equal))
        await read_all(other, Corpus.TEMPLATE)

        assert await patterns(store, "stopped") == await patterns(other, "stopped")


async def test_of_a_runbook_only_its_best_section_is_found(store: SqlStore) -> None:
    await keep(store, a_disk(), a_leak())
    await read_all(store, Corpus.RUNBOOK)

    ranked = await found(store, Corpus.RUNBOOK, "the disk is full: no space left on device")

    async with store.view() as look:
        disk = await look.runbooks.get("disk")
        documents = await look.index.unembedded(Corpus.RUNBOOK, "none", 100)
    assert [runbook_of(one.doc_id) for one in ranked if one.by_words == 1] == [disk.id]
    assert len({runbook_of(one.doc_id) for one in ranked}) == len(ranked)
    best = next(one.text for one in documents if one.doc_id == ranked[0].doc_id)
    assert "\nSymptoms\n" in best


async def test_the_first_by_words_alone_scores_one(store: SqlStore) -> None:
    await keep(store, a_disk(), a_leak())
    await read_all(store, Corpus.RUNBOOK)

    first, *_ = await found(store, Corpus.RUNBOOK, "full disk")

    assert (first.score, first.by_words, first.by_meaning) == (1.0, 1, 0)


async def test_common_words_do_not_hide_what_rare_ones_find(store: SqlStore) -> None:
    await add_lines(store, *(f"error number{n:03} while reading block{n:03}" for n in range(100)))
    await read_all(store, Corpus.TEMPLATE)

    assert (await patterns(store, "error while reading number042"))[0] == (
        "error number042 while reading block042"
    )


# --------------------------------------------------------------------------- meaning


def a_vector(*numbers: float) -> Vector:
    """Of length 1 where the numbers are."""
    return Vector(struct.pack(f"<{len(numbers)}f", *numbers))


async def embed(store: SqlStore, meanings: dict[str, Vector], model: str = "m") -> None:
    """Keeps these vectors for the templates that say so."""
    async with store.transaction() as tx:
        documents = await tx.index.unembedded(_T, model, 1000)
        made = [(one, meanings[one.text]) for one in documents if one.text in meanings]
        await tx.index.keep_vectors(_T, model, made)


async def near(store: SqlStore, text: str, *numbers: float, model: str = "m") -> list[str]:
    """The templates that are found by words and by meaning."""
    async with store.view() as look:
        texts = {one.doc_id: one.text for one in await look.index.unembedded(_T, "none", 1000)}
        ranked = await look.index.rank(
            _T, text, limit=10, near=Near(model=model, vector=a_vector(*numbers))
        )
    return [texts[one.doc_id] for one in ranked]


MEANINGS = {
    "disk full": a_vector(1.0, 0.0, 0.0),
    "no space left": a_vector(0.8, 0.6, 0.0),
    "cache warmed": a_vector(0.0, 0.0, 1.0),
}


@pytest.fixture
async def embedded(store: SqlStore) -> SqlStore:
    await add_lines(store, *MEANINGS)
    await read_all(store, _T)
    await embed(store, MEANINGS)
    return store


async def test_what_means_the_same_is_found_without_a_common_word(embedded: SqlStore) -> None:
    assert await near(embedded, "volume exhausted", 0.9, 0.43589, 0.0) == [
        "no space left",
        "disk full",
    ]


async def test_a_search_shows_the_last_line_of_what_means_the_same(embedded: SqlStore) -> None:
    meant = Near(model="m", vector=a_vector(0.9, 0.43589, 0.0))

    async with embedded.view() as look:
        found = await look.telemetry.search(a_query("volume", "exhausted"), near=meant)
        first = await look.telemetry.lines_at(_address(found.hits[0].ref), 0, 0)

    assert [hit.title for hit in found.hits] == ["no space left", "disk full"]
    assert [line.body for line in first] == ["a line"]


def _address(ref: str) -> LineAddress:
    segment, line = ref.split(":")
    return LineAddress(segment=int(segment), line=int(line))


async def test_a_family_of_templates_is_one_document(store: SqlStore) -> None:
    users = ("root", "alice", "bob", "carol")
    await add_lines(store, *(f"login of user {user} failed" for user in users[:3]))
    await read_all(store, _T)
    await add_lines(store, f"login of user {users[3]} failed")

    [document] = await read_all(store, _T)

    async with store.transaction() as tx:
        gone = await tx.index.gone(_T, 10)
        await tx.index.forget(_T, gone)
    assert document.text == "login of user * failed"
    assert len(gone) == 2
    assert await patterns(store, "login failed") == ["login of user * failed"]


async def test_what_is_far_off_is_not_found(embedded: SqlStore) -> None:
    assert await near(embedded, "volume exhausted", 0.0, -1.0, 0.0) == []


async def test_what_both_ways_find_comes_before_what_one_finds(embedded: SqlStore) -> None:
    assert await near(embedded, "disk", 0.8, 0.6, 0.0) == ["disk full", "no space left"]


async def test_what_is_far_is_found_when_all_that_was_nearer_is_gone(store: SqlStore) -> None:
    many = {f"{'x' * n} {'y' * n}": a_vector(1.0, 0.0, n / 1000) for n in range(1, 120)}
    far = {"disk full": a_vector(0.8, 0.6, 0.0)}
    await add_lines(store, *many, *far)
    await read_all(store, _T)
    await embed(store, many | far)
    assert "disk full" not in await near(store, "exhausted", 1.0, 0.0, 0.0)

    async with store._engine.transaction() as database:
        await database.execute("DELETE FROM templates WHERE pattern LIKE 'x%'")
    async with store.transaction() as tx:
        await tx.index.forget(_T, await tx.index.gone(_T, 1000))

    assert await near(store, "exhausted", 1.0, 0.0, 0.0) == ["disk full"]


async def test_vectors_of_another_model_are_not_compared(embedded: SqlStore) -> None:
    assert await near(embedded, "exhausted", 1.0, 0.0, 0.0, model="other") == []


async def test_a_new_model_fills_in_beside_the_old_one(embedded: SqlStore) -> None:
    await embed(embedded, {"disk full": a_vector(0.0, 1.0)}, model="new")

    assert await near(embedded, "exhausted", 0.0, 1.0, model="new") == ["disk full"]
    assert await near(embedded, "exhausted", 1.0, 0.0, 0.0) == ["disk full", "no space left"]
    async with embedded.view() as look:
        behind = {model: (await look.index.backlog(model))[0] for model in ("m", "new")}
    assert (behind["m"].vectors, behind["new"].vectors) == (0, 2)


async def test_a_vector_that_is_made_again_takes_the_place_of_the_old_one(
    embedded: SqlStore,
) -> None:
    assert await near(embedded, "exhausted", 0.0, 0.0, 1.0) == ["cache warmed"]
    async with embedded.transaction() as tx:
        documents = await tx.index.unembedded(_T, "none", 10)
        warmed = next(one for one in documents if one.text == "cache warmed")
        await tx.index.keep_vectors(_T, "m", [(warmed, a_vector(0.0, 1.0, 0.0))])

    assert await near(embedded, "exhausted", 0.0, 0.0, 1.0) == []
    assert "cache warmed" in await near(embedded, "exhausted", 0.0, 1.0, 0.0)


async def test_vectors_of_another_length_under_the_same_name_are_made_again(
    embedded: SqlStore,
) -> None:
    """A server changed what the name of its model stands for; what was made since is found."""
    async with embedded.transaction() as tx:
        documents = await tx.index.unembedded(_T, "none", 10)
        full = next(one for one in documents if one.text == "disk full")
        await tx.index.keep_vectors(_T, "m", [(full, a_vector(0.0, 1.0))])

    assert await near(embedded, "exhausted", 0.0, 1.0) == ["disk full"]
    async with embedded.view() as look:
        behind = await look.index.unembedded(_T, "m", 10)
    assert {one.text for one in behind} == {"no space left", "cache warmed"}


async def test_what_a_document_means_is_known_of_the_model_that_read_it(
    embedded: SqlStore,
) -> None:
    async with embedded.transaction() as tx:
        documents = await tx.index.unembedded(_T, "none", 10)
        full = next(one for one in documents if one.text == "disk full")
        await tx.index.keep_vectors(_T, "other", [(full, a_vector(0.5, -1.0))])

        assert await tx.index.meant(_T, full.doc_id, "other") == Near(
            model="other", vector=a_vector(0.5, -1.0)
        )
        assert await tx.index.meant(_T, full.doc_id, "none") is None
        assert await tx.index.meant(_T, full.doc_id + 99, "other") is None


async def test_vectors_of_another_length_are_left_out_while_they_are_there(
    embedded: SqlStore,
) -> None:
    assert await near(embedded, "exhausted", 0.0, 1.0) == []


async def test_what_a_model_refuses_is_not_asked_for_again_by_that_model(
    embedded: SqlStore,
) -> None:
    async with embedded.transaction() as tx:
        [one, *_] = await tx.index.unembedded(_T, "other", 10)
        await tx.index.refuse(_T, "other", one, "it answered 400")
    async with embedded.view() as look:
        left = await look.index.unembedded(_T, "other", 10)
        third = await look.index.unembedded(_T, "third", 10)
        [behind] = [b for b in await look.index.backlog("other") if b.corpus is _T]

    assert one not in left
    assert one in third
    assert (behind.refused, behind.vectors) == (1, 2)


async def test_only_vectors_of_a_model_that_is_not_used_any_more_are_unused(
    embedded: SqlStore,
) -> None:
    async with embedded.transaction() as tx:
        await tx.index.use("other", NOW_US)  # also notes that "m" is in use until now
        assert await tx.index.unused(_T, "other", since_us=NOW_US) == ""
        assert await tx.index.unused(_T, "m", since_us=NOW_US + 1) == ""  # it has no vectors
        assert await tx.index.unused(_T, "other", since_us=NOW_US + 1) == "m"

        await tx.index.forget_vectors(_T, "m")

        assert await tx.index.unused(_T, "other", since_us=NOW_US + 1) == ""
        assert len(await tx.index.unembedded(_T, "m", 10)) == 3


async def test_vectors_that_come_later_are_found_too(embedded: SqlStore) -> None:
    assert "disk slow" not in await near(embedded, "exhausted", 1.0, 0.0, 0.0)
    await add_lines(embedded, "disk slow")
    await read_all(embedded, _T)

    await embed(embedded, {"disk slow": a_vector(0.9, 0.0, 0.43589)})

    assert "disk slow" in await near(embedded, "exhausted", 1.0, 0.0, 0.0)


async def test_text_that_stays_the_same_is_not_embedded_again(store: SqlStore) -> None:
    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident())
    documents = await read_all(store, Corpus.INCIDENT)
    async with store.transaction() as tx:
        made = [(one, a_vector(1.0, 0.0)) for one in documents]
        await tx.index.keep_vectors(Corpus.INCIDENT, "m", made)

        await tx.incidents.save(incident)  # another revision that says the same

    assert len(await read_all(store, Corpus.INCIDENT)) == 1
    async with store.view() as look:
        assert await look.index.unembedded(Corpus.INCIDENT, "m", 10) == ()


async def test_what_has_changed_is_embedded_once_its_words_are_up_to_date(store: SqlStore) -> None:
    """Before that its vector counts as one of another text, and would be made again and again."""
    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident())
    await read_all(store, Corpus.INCIDENT)
    async with store.transaction() as tx:
        await tx.incidents.save(replace(incident, summary="The certificate has expired."))

    async with store.view() as look:
        assert await look.index.unembedded(Corpus.INCIDENT, "m", 10) == ()

    await read_all(store, Corpus.INCIDENT)
    async with store.view() as look:
        assert len(await look.index.unembedded(Corpus.INCIDENT, "m", 10)) == 1


async def test_what_is_gone_takes_its_vectors_of_every_model_with_it(store: SqlStore) -> None:
    await keep(store, a_disk(), a_leak())
    documents = await read_all(store, Corpus.RUNBOOK)
    async with store.transaction() as tx:
        for model in ("m", "new"):
            made = [(one, a_vector(1.0, 0.0)) for one in documents]
            await tx.index.keep_vectors(Corpus.RUNBOOK, model, made)
    await keep(store, a_leak())
    async with store.transaction() as tx:
        await tx.index.forget(Corpus.RUNBOOK, await tx.index.gone(Corpus.RUNBOOK, 100))

    async with store.view() as look:
        left = await look.index.rank(
            Corpus.RUNBOOK, "", limit=10, near=Near(model="m", vector=a_vector(1.0, 0.0))
        )
        leak = await look.runbooks.get("leak")
    assert [runbook_of(one.doc_id) for one in left] == [leak.id]


# --------------------------------------------------------------------------- catching up


async def test_what_was_read_is_not_read_again(store: SqlStore) -> None:
    await add_lines(store, "connection refused")
    await keep(store, a_disk())

    assert len(await read_all(store, Corpus.TEMPLATE)) == 1
    assert len(await read_all(store, Corpus.RUNBOOK)) == 3
    assert await read_all(store, Corpus.TEMPLATE) == ()
    assert await read_all(store, Corpus.RUNBOOK) == ()


async def test_only_the_section_that_changed_is_read_again(store: SqlStore) -> None:
    await keep(store, a_disk())
    await read_all(store, Corpus.RUNBOOK)

    await keep(store, a_disk(DISK.replace("no space left", "quota exceeded")))

    assert [one.text.split("\n")[1] for one in await read_all(store, Corpus.RUNBOOK)] == [
        "Symptoms"
    ]
    assert await found(store, Corpus.RUNBOOK, "left on") == await found(store, Corpus.RUNBOOK, "on")


async def test_what_is_gone_is_found_no_more(store: SqlStore) -> None:
    await keep(store, a_disk(), a_leak())
    await read_all(store, Corpus.RUNBOOK)
    await keep(store, a_leak())

    async with store.transaction() as tx:
        gone = await tx.index.gone(Corpus.RUNBOOK, 100)
        await tx.index.forget(Corpus.RUNBOOK, gone)
        await tx.index.forget(Corpus.RUNBOOK, gone)
        assert (len(gone), await tx.index.gone(Corpus.RUNBOOK, 100)) == (3, ())

    assert await found(store, Corpus.RUNBOOK, "disk space") == []


async def test_keeping_the_same_words_twice_changes_nothing(store: SqlStore) -> None:
    await keep(store, a_disk(), a_leak())
    documents = await read_all(store, Corpus.RUNBOOK)
    before = await found(store, Corpus.RUNBOOK, "memory limit")

    async with store.transaction() as tx:
        await tx.index.keep_words(Corpus.RUNBOOK, documents)

    assert await found(store, Corpus.RUNBOOK, "memory limit") == before


async def test_an_incident_is_read_again_once_it_says_something_else(store: SqlStore) -> None:
    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident())
    await read_all(store, Corpus.INCIDENT)

    async with store.transaction() as tx:
        await tx.incidents.save(replace(incident, summary="The certificate has expired."))

    assert len(await read_all(store, Corpus.INCIDENT)) == 1
    assert [one.doc_id for one in await found(store, Corpus.INCIDENT, "expired certificate")] == [
        incident.id
    ]


async def test_the_backlog_counts_what_has_not_been_read(store: SqlStore) -> None:
    await add_lines(store, "connection refused", "cache warmed")
    async with store.view() as look:
        behind = {one.corpus: one for one in await look.index.backlog(None)}
    assert (behind[Corpus.TEMPLATE].documents, behind[Corpus.TEMPLATE].words) == (2, 2)

    await read_all(store, Corpus.TEMPLATE)

    async with store.view() as look:
        behind = {one.corpus: one for one in await look.index.backlog(None)}
    assert (behind[Corpus.TEMPLATE].documents, behind[Corpus.TEMPLATE].words) == (2, 0)
