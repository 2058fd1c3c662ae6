"""What every store promises about counts that lag behind their lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.domain.event import Severity
from copilot.store import SqlStore
from copilot.store.counts import FEW_LINES
from tests.builders_store import NOW_US, SECOND_US, STORES, a_batch, a_store

MANY = FEW_LINES + 1


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store(request.param, tmp_path) as store:
        yield store


async def add(store: SqlStore, n: int, *, severity: int = Severity.INFO) -> None:
    async with store.transaction() as tx:
        batch = a_batch(*["done"] * n, severity=severity, pattern=f"done {severity}")
        await tx.telemetry.add(batch)


async def add_and_fail(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.telemetry.add(a_batch("done"))
        raise ZeroDivisionError


async def add_and_be_cancelled(store: SqlStore, n: int) -> None:
    """While it is committed, which goes on to its end."""
    task = asyncio.current_task()
    assert task
    async with store.transaction() as tx:
        await tx.telemetry.add(a_batch(*["done"] * n))
        asyncio.get_running_loop().call_soon(task.cancel)


async def counted(store: SqlStore) -> int:
    """How many lines the counts know of."""
    async with store.view() as look:
        found = await look.telemetry.activity(
            min_severity=0, window_us=60 * SECOND_US, now_us=NOW_US + SECOND_US
        )
    return sum(one.recent_count for one in found)


async def test_the_first_of_many_lines_are_counted_at_once(store: SqlStore) -> None:
    await add(store, MANY)

    assert await counted(store) == MANY


async def test_what_follows_closely_is_counted_when_it_is_settled(store: SqlStore) -> None:
    for _ in range(3):
        await add(store, MANY)
    assert await counted(store) == MANY

    await store.settle()

    assert await counted(store) == 3 * MANY


async def test_settling_again_counts_nothing_twice(store: SqlStore) -> None:
    for _ in range(2):
        await add(store, MANY)

    await store.settle()
    await store.settle()

    assert await counted(store) == 2 * MANY


async def test_few_lines_take_along_what_waits(store: SqlStore) -> None:
    for _ in range(2):
        await add(store, MANY)

    await add(store, 1)

    assert await counted(store) == 2 * MANY + 1


async def test_warnings_are_counted_with_their_lines(store: SqlStore) -> None:
    await add(store, MANY)

    await add(store, MANY, severity=Severity.WARN)

    assert await counted(store) == 2 * MANY


async def test_what_was_not_written_is_not_counted_and_what_waited_waits_on(
    store: SqlStore,
) -> None:
    for _ in range(2):
        await add(store, MANY)

    with pytest.raises(ZeroDivisionError):
        await add_and_fail(store)

    assert await counted(store) == MANY
    await store.settle()
    assert await counted(store) == 2 * MANY


@pytest.mark.parametrize("n", [1, MANY])
async def test_who_is_cancelled_while_its_lines_are_committed_counts_them_once(
    store: SqlStore, n: int
) -> None:
    for _ in range(2):
        await add(store, MANY)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(add_and_be_cancelled(store, n))

    await store.settle()
    async with store.view() as look:
        lines = (await look.telemetry.counts()).lines
    assert await counted(store) == lines == 2 * MANY + n
