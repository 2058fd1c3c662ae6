"""Several processes write at once: each through a store of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import pytest

from copilot.domain.errors import Clash, Conflict
from copilot.domain.incident import IncidentId
from copilot.domain.people import Role
from copilot.domain.proposal import Proposal
from copilot.domain.retrieval import Corpus, Document
from copilot.ports import Session
from copilot.roles import handing_out
from copilot.roles.people import CHAIN
from copilot.store import SqlStore
from copilot.store.mysql import MysqlEngine, parse_address
from tests.builders_store import (
    NOW_US,
    SECOND_US,
    SERVER,
    a_batch,
    a_new_incident,
    a_proposal,
    a_store,
    an_approval,
    an_entry,
)
from tests.fakes import FixedClock
from tests.server.conftest import IS_TIDB, LIMIT_S
from tests.servers import asked

pytestmark = pytest.mark.timeout(LIMIT_S)

WRITERS = 8
EACH = 12
ROUNDS = 200 if IS_TIDB else 1000
"""Three commits each, which are on disk there, and on three of them."""


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[list[SqlStore]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(a_store("server", tmp_path)) for _ in range(WRITERS)]


async def test_eight_writers_of_the_same_rows_lose_and_double_nothing(
    stores: list[SqlStore],
) -> None:
    incident = await stores[0].run(lambda tx: tx.incidents.open(a_new_incident()))

    async def write(store: SqlStore, name: int) -> None:
        for n in range(EACH):
            await store.run(partial(all_at_once, incident_id=incident.id, name=f"{name}/{n}"))

    await asyncio.gather(*(write(store, name) for name, store in enumerate(stores)))

    total = WRITERS * EACH
    async with stores[0].view() as look:
        feed = await look.feed.since("lab", 0, 10_000)
        timeline = await look.incidents.timeline(incident.id)
        counts = await look.telemetry.counts()
        assert [entry.seq for entry in feed] == list(range(1, total + 1))
        assert [entry.seq for entry in timeline] == list(range(1, total + 1))
        assert set(Counter(entry.title for entry in timeline).values()) == {1}
        assert len(await look.audit.rows(limit=10_000)) == total
        assert await look.audit.broken() == ()
        assert (counts.lines, counts.events) == (total, total)
        assert (await look.incidents.get(incident.id)).rev == total + 1


async def test_of_several_who_make_a_token_of_the_same_name_at_once_one_does(
    stores: list[SqlStore],
) -> None:
    async def make(store: SqlStore) -> str:
        try:
            made = handing_out.create(
                store, FixedClock(NOW_US), name="ada", role=Role.VIEWER, expires="", actor="root"
            )
            return (await made)[0].id
        except Conflict:
            return ""

    made = await asyncio.gather(*(make(store) for store in stores))

    async with stores[0].view() as look:
        kept = [token.id for token in await look.accounts.tokens()]
        acts = await look.audit.rows(chain=CHAIN, limit=100)
    assert [one for one in made if one] == kept
    assert (len(kept), len(acts)) == (1, 1)


async def all_at_once(tx: Session, incident_id: IncidentId, name: str) -> None:
    """What a leg writes, on rows that all others write as well."""
    incident = await tx.incidents.get(incident_id)
    await tx.incidents.save(incident)
    await tx.telemetry.add(a_batch(name, severity=17))
    await tx.incidents.add_entry(incident_id, an_entry(name))
    await tx.feed.append(cluster="lab", ts_us=NOW_US, kind="test", incident_id=incident_id)
    await tx.audit.append(chain="c", ts_us=NOW_US, actor=name, action="a", object="o", detail="d")


async def test_of_two_that_lock_in_opposite_order_both_get_through_once(
    stores: list[SqlStore],
) -> None:
    one, other, *_ = stores
    tries: Counter[str] = Counter()
    both_hold_one = asyncio.Barrier(2)

    async def both(store: SqlStore, first: str, second: str) -> None:
        async def work(tx: Session) -> None:
            tries[first] += 1
            await tx.feed.append(cluster=first, ts_us=1, kind="test", incident_id=None)
            if tries[first] == 1:
                await both_hold_one.wait()
            await tx.feed.append(cluster=second, ts_us=1, kind="test", incident_id=None)

        await store.run(work)

    await asyncio.gather(both(one, "a", "b"), both(other, "b", "a"))

    assert sum(tries.values()) == 3
    async with one.view() as look:
        assert [await look.feed.head(cluster) for cluster in ("a", "b")] == [2, 2]


async def test_after_a_deadlock_nothing_of_the_transaction_can_be_kept() -> None:
    engines = [await MysqlEngine.open(parse_address(SERVER)) for _ in range(2)]
    both_hold_one = asyncio.Barrier(2)
    bump = "UPDATE feed_heads SET seq = seq + 1 WHERE cluster = ?"
    async with engines[0].transaction() as database:
        for name in ("a", "b"):
            await database.execute("INSERT INTO feed_heads VALUES (?, 0)", (name,))

    async def stubborn(engine: MysqlEngine, first: str, second: str) -> bool:
        """Whether it was told, although it does not listen the first time."""
        try:
            async with engine.transaction() as database:
                await database.execute(bump, (first,))
                await both_hold_one.wait()
                with suppress(Clash):
                    await database.execute(bump, (second,))
        except Clash:
            return True
        return False

    clashed = await asyncio.gather(stubborn(engines[0], "a", "b"), stubborn(engines[1], "b", "a"))

    async with engines[0].view() as look:
        rows = await look.fetch_all("SELECT seq FROM feed_heads")
    for engine in engines:
        await engine.close()
    assert sorted(clashed) == [False, True]
    assert [row["seq"] for row in rows] == [1, 1]


async def test_two_that_read_the_same_documents_at_once_count_them_once(
    stores: list[SqlStore],
) -> None:
    """Also where one comes when the other has written, and not committed yet."""
    first = stores[0]
    has_begun = asyncio.Event()

    def heard(sql: str) -> None:
        if "search_corpora" in sql:
            has_begun.set()

    engine = await MysqlEngine.open(parse_address(SERVER), on_statement=heard)
    second = SqlStore(engine, FixedClock(NOW_US))
    incident = await first.run(lambda tx: tx.incidents.open(a_new_incident()))
    await first.run(keep_unread)
    await first.run(
        lambda tx: tx.incidents.save(replace(incident, summary="The certificate has expired."))
    )
    try:
        async with first.transaction() as tx:
            documents = await keep_unread(tx)
            other = asyncio.create_task(
                second.run(lambda tx: tx.index.keep_words(Corpus.INCIDENT, documents))
            )
            await has_begun.wait()
        await other
    finally:
        await engine.close()

    totals = await asked(
        parse_address(SERVER),
        "SELECT c.n_docs, c.n_words, d.n, d.words FROM search_corpora c JOIN (SELECT corpus, "
        "COUNT(*) AS n, SUM(len) AS words FROM search_docs GROUP BY corpus) d "
        "ON d.corpus = c.corpus",
    )
    (row,) = totals.rows
    assert (row["n_docs"], row["n_words"]) == (row["n"], row["words"])


async def keep_unread(tx: Session) -> tuple[Document, ...]:
    documents = await tx.index.unread(Corpus.INCIDENT, 10)
    await tx.index.keep_words(Corpus.INCIDENT, documents)
    return documents


async def test_two_workers_never_hold_one_lease(stores: list[SqlStore]) -> None:
    one, other, *_ = stores

    async def put(n: int) -> None:
        await one.run(lambda tx: tx.jobs.put("leg2", f"{n}", run_us=NOW_US))

    async def take(store: SqlStore, owner: str) -> str | None:
        job = await store.run(
            lambda tx: tx.jobs.take("leg2", owner=owner, now_us=NOW_US, lease_us=SECOND_US)
        )
        return job.payload if job else None

    for n in range(ROUNDS):
        await put(n)
        taken = await asyncio.gather(take(one, "a"), take(other, "b"))
        assert sorted(taken, key=str) == sorted([f"{n}", None], key=str)


async def test_of_many_that_open_an_incident_one_does(stores: list[SqlStore]) -> None:
    async def open_it(store: SqlStore) -> bool:
        try:
            async with store.transaction() as tx:
                await tx.incidents.open(a_new_incident())
        except Conflict:
            return False
        return True

    opened = await asyncio.gather(*map(open_it, stores))

    assert sorted(opened) == [False] * (WRITERS - 1) + [True]


async def test_two_approvals_at_once_are_both_counted(stores: list[SqlStore]) -> None:
    one, other, *_ = stores
    risky = a_proposal()
    proposal = await one.run(lambda tx: tx.remediation.add(_needs_two(risky)))

    await asyncio.gather(
        one.run(lambda tx: tx.remediation.decide(an_approval(proposal, by="ana"))),
        other.run(lambda tx: tx.remediation.decide(an_approval(proposal, by="bob"))),
    )

    async with one.view() as look:
        assert (await look.remediation.get(proposal.id)).status == "approved"


def _needs_two(proposal: Proposal) -> Proposal:
    return msgspec.structs.replace(proposal, approvals_needed=2)
