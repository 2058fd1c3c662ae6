"""The audit log is checked entry by entry, on every database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.ports import CheckedChain, Held
from copilot.store import SqlStore
from tests.builders_store import NOW_US, STORES, a_store


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    """Three chains: incident-1 of five entries, incident-2 of one, incident-3 of two."""
    async with a_store(request.param, tmp_path) as store:
        async with store.transaction() as tx:
            for chain, n in (("incident-1", 5), ("incident-2", 1), ("incident-3", 2)):
                for at in range(n):
                    await tx.audit.append(
                        chain=chain,
                        ts_us=NOW_US + at,
                        actor="ana",
                        action="proposal.approved",
                        object=f"p-{at}",
                        detail="{}",
                    )
        yield store


async def checked(store: SqlStore, limit: int = 10) -> list[CheckedChain]:
    """All chains, asked for in pages."""
    found: list[CheckedChain] = []
    async with store.view() as look:
        while page := await look.audit.check(after=found[-1].chain if found else "", limit=limit):
            found += page
    return found


@pytest.mark.parametrize("limit", [1, 2, 10])
async def test_every_chain_is_checked_once_in_pages_of_any_size(
    store: SqlStore, limit: int
) -> None:
    found = await checked(store, limit)

    assert [(one.chain, one.n, one.fault) for one in found] == [
        ("incident-1", 5, ""),
        ("incident-2", 1, ""),
        ("incident-3", 2, ""),
    ]


@pytest.mark.parametrize(
    ("tampering", "at", "told"),
    [
        ("UPDATE audit_log SET actor = 'bob' WHERE chain = 'incident-1' AND seq = 3", 3, "changed"),
        ("DELETE FROM audit_log WHERE chain = 'incident-1' AND seq = 2", 2, "missing"),
        ("DELETE FROM audit_log WHERE chain = 'incident-1' AND seq > 3", 4, "missing, with all"),
        ("DELETE FROM audit_log WHERE chain = 'incident-1'", 1, "missing, with all"),
        ("DELETE FROM audit_heads WHERE chain = 'incident-1'", 1, "no head"),
        ("UPDATE audit_heads SET seq = 4 WHERE chain = 'incident-1'", 5, "added"),
        ("UPDATE audit_heads SET hash = 'x' WHERE chain = 'incident-1'", 5, "another hash"),
        (
            "UPDATE audit_log SET prev_hash = 'x' WHERE chain = 'incident-1' AND seq = 4",
            4,
            "does not follow",
        ),
    ],
)
async def test_the_first_entry_that_does_not_hold_is_named(
    store: SqlStore, tampering: str, at: int, told: str
) -> None:
    async with store._engine.transaction() as database:
        await database.execute(tampering)

    first, *others = await checked(store)

    assert (first.chain, first.broken_at, first.n) == ("incident-1", at, at - 1)
    assert told in first.fault
    assert [one.fault for one in others] == ["", ""]
    async with store.view() as look:
        assert await look.audit.broken() == ("incident-1",)


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_entries_are_read_chain_by_chain_from_where_a_page_ended(
    store: SqlStore, limit: int
) -> None:
    found: list[tuple[str, int]] = []
    async with store.view() as look:
        while page := await look.audit.entries(after=found[-1] if found else ("", 0), limit=limit):
            found += [(row.chain, row.seq) for row in page]

    assert found == [
        *(("incident-1", seq) for seq in range(1, 6)),
        *(("incident-2", 1), ("incident-3", 1), ("incident-3", 2)),
    ]


# --------------------------------------------------------------------------- from where it held


async def held(store: SqlStore) -> dict[str, Held]:
    return {one.chain: Held(seq=one.n, hash=one.hash) for one in await checked(store)}


async def test_only_what_was_added_is_read_after_what_was_found_to_hold(store: SqlStore) -> None:
    before = await held(store)
    async with store._engine.transaction() as database:
        await database.execute("UPDATE audit_log SET actor = 'bob' WHERE seq = 1")
    await add(store, "incident-3")

    async with store.view() as look:
        found = await look.audit.check(held=before, limit=10)

    assert [(one.chain, one.n, one.fault) for one in found] == [
        ("incident-1", 5, ""),
        ("incident-2", 1, ""),
        ("incident-3", 3, ""),
    ]


@pytest.mark.parametrize(
    ("tampering", "at", "told"),
    [
        ("UPDATE audit_log SET actor = 'bob' WHERE chain = 'incident-1' AND seq = 6", 6, "changed"),
        ("DELETE FROM audit_log WHERE chain = 'incident-1' AND seq = 6", 6, "missing, with all"),
        ("UPDATE audit_heads SET seq = 3 WHERE chain = 'incident-1'", 4, "missing, with all"),
        ("UPDATE audit_heads SET hash = 'x' WHERE chain = 'incident-1'", 6, "another hash"),
        (
            "UPDATE audit_log SET prev_hash = 'x' WHERE chain = 'incident-1' AND seq = 6",
            6,
            "does not follow",
        ),
    ],
)
async def test_what_was_added_is_held_against_what_held_before(
    store: SqlStore, tampering: str, at: int, told: str
) -> None:
    before = await held(store)
    await add(store, "incident-1")
    async with store._engine.transaction() as database:
        await database.execute(tampering)

    async with store.view() as look:
        first, *others = await look.audit.check(held=before, limit=10)

    assert (first.chain, first.broken_at) == ("incident-1", at)
    assert told in first.fault
    assert [one.fault for one in others] == ["", ""]


async def test_a_chain_that_was_written_anew_is_not_the_one_that_held(store: SqlStore) -> None:
    """Its hashes add up; only who remembers one of them notices."""
    before = await held(store)
    async with store._engine.transaction() as database:
        await database.execute("DELETE FROM audit_log WHERE chain = 'incident-2'")
        await database.execute("DELETE FROM audit_heads WHERE chain = 'incident-2'")
    for _ in range(2):
        await add(store, "incident-2")

    async with store.view() as look:
        added = await look.audit.check(held=before, limit=10)
        whole = await look.audit.check(held=before, limit=10, is_whole=True)

    for found in (added, whole):
        assert [one.chain for one in found if one.fault] == ["incident-2"]


async def add(store: SqlStore, chain: str) -> None:
    async with store.transaction() as tx:
        await tx.audit.append(
            chain=chain, ts_us=NOW_US + 9, actor="eve", action="noted", object="p-9", detail="{}"
        )
