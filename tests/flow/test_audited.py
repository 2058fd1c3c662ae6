"""What the audit page says of the log: never more than what was read, and when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.roles.audited import WHOLE_US, AuditCheck
from copilot.store import SqlStore
from tests.builders_store import NOW_US, a_store
from tests.fakes import FixedClock

HOUR_S = WHOLE_US / 1_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store("sqlite-memory", tmp_path) as store:
        for chain in ("incident-1", "incident-1", "incident-2"):
            await add(store, chain)
        yield store


async def add(store: SqlStore, chain: str) -> None:
    async with store.transaction() as tx:
        await tx.audit.append(
            chain=chain, ts_us=NOW_US, actor="ana", action="noted", object="p-1", detail="{}"
        )


async def tamper(store: SqlStore, sql: str) -> None:
    async with store._engine.transaction() as database:
        await database.execute(sql)


async def test_the_first_look_reads_all_and_later_ones_what_was_added(store: SqlStore) -> None:
    clock = FixedClock(NOW_US)
    check = AuditCheck(store, clock)
    first = await check.look()
    clock.move(60)
    await add(store, "incident-3")

    second = await check.look()

    assert (first.n, first.checked_us, first.whole_us) == (3, NOW_US, NOW_US)
    assert (second.n, second.checked_us, second.whole_us) == (4, NOW_US + 60_000_000, NOW_US)
    assert first.broken == second.broken == ()


async def test_what_is_tampered_with_before_it_is_read_is_found_at_once(store: SqlStore) -> None:
    check = AuditCheck(store, FixedClock(NOW_US))
    await check.look()
    await add(store, "incident-2")
    await tamper(store, "UPDATE audit_log SET actor = 'bob' WHERE chain = 'incident-2' AND seq = 2")

    assert (await check.look()).broken == ("incident-2",)


async def test_what_was_read_and_is_tampered_with_is_found_when_all_is_read_again(
    store: SqlStore,
) -> None:
    clock = FixedClock(NOW_US)
    check = AuditCheck(store, clock)
    await check.look()
    await tamper(store, "UPDATE audit_log SET actor = 'bob' WHERE chain = 'incident-1' AND seq = 1")
    clock.move(HOUR_S - 1)
    early = await check.look()
    clock.move(1)

    late = await check.look()

    assert (early.broken, early.whole_us) == ((), NOW_US)  # and the page says that it is that old
    assert (late.broken, late.whole_us) == (("incident-1",), NOW_US + WHOLE_US)


@pytest.mark.parametrize("table", ["audit_heads", "audit_log"])
async def test_a_chain_that_disappears_is_missed(store: SqlStore, table: str) -> None:
    clock = FixedClock(NOW_US)
    check = AuditCheck(store, clock)
    await check.look()
    await tamper(store, f"DELETE FROM {table} WHERE chain = 'incident-2'")
    clock.move(HOUR_S)

    assert (await check.look()).broken == ("incident-2",)


async def test_a_chain_that_disappears_with_its_head_is_missed_at_once(store: SqlStore) -> None:
    check = AuditCheck(store, FixedClock(NOW_US))
    await check.look()
    await tamper(store, "DELETE FROM audit_log WHERE chain = 'incident-2'")
    await tamper(store, "DELETE FROM audit_heads WHERE chain = 'incident-2'")

    assert (await check.look()).broken == ("incident-2",)


async def test_what_was_once_found_broken_is_said_until_the_process_ends(store: SqlStore) -> None:
    """Who repairs the hashes afterwards has changed what was recorded all the same."""
    check = AuditCheck(store, FixedClock(NOW_US))
    await check.look()
    await tamper(store, "UPDATE audit_heads SET seq = 3 WHERE chain = 'incident-1'")
    await check.look()
    await tamper(store, "UPDATE audit_heads SET seq = 2 WHERE chain = 'incident-1'")

    assert (await check.look()).broken == ("incident-1",)
