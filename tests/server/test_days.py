"""Retention of tables that are parted by day: whole days go, when they are over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from copilot.domain.retention import DAY_US, Keep, Retired, Tier
from copilot.store import SqlStore
from copilot.store.mysql import MysqlEngine, parse_address
from tests.builders_store import NOW_US, SERVER, a_batch
from tests.fakes import FixedClock
from tests.server.conftest import LIMIT_S
from tests.servers import asked, created, dropped

pytestmark = pytest.mark.timeout(LIMIT_S)

OLD_US = NOW_US - 20 * DAY_US
WEEK = Keep(age_us=7 * DAY_US, size=None)


@pytest.fixture
async def store() -> AsyncIterator[SqlStore]:
    """One that has been running for twenty days, in a database of its own."""
    address = parse_address(SERVER)
    address = replace(address, database=f"{address.database}_days")
    await created(address)
    engine = await MysqlEngine.open(address)
    await engine.migrate(OLD_US)
    await engine.make_days(NOW_US)
    store = SqlStore(engine, FixedClock(NOW_US))
    for at_us in (OLD_US, OLD_US + DAY_US, NOW_US):
        async with store.transaction() as tx:
            await tx.telemetry.add(a_batch(f"failed at {at_us}", ts_us=at_us, severity=17))
    # Numbers of rows are the server's estimate, which it makes when it likes and tells when it likes.
    await asked(address, "ANALYZE TABLE raw_events", "ANALYZE TABLE raw_event_terms")
    while sum(day.n for day in await engine.days("raw_events")) != 3:
        await asyncio.sleep(0.2)
    yield store
    await store.close()
    await dropped(address)


async def retired(store: SqlStore, keep: Keep, *, is_dry: bool = False) -> Retired:
    [one] = await store.retire({Tier.EVENTS: keep}, is_dry=is_dry)
    return one


async def events(store: SqlStore) -> int:
    async with store.view() as look:
        return (await look.telemetry.counts()).events


async def test_days_that_are_too_old_go_whole_and_with_their_words(store: SqlStore) -> None:
    dry = await retired(store, WEEK, is_dry=True)
    assert await events(store) == 3

    went = await retired(store, WEEK)

    assert dry == went
    assert (went.n, went.reason) == (2, "age")
    assert went.before_us <= NOW_US - 7 * DAY_US
    assert await events(store) == 1
    assert [day.end_us for day in await store._engine.days("raw_event_terms")] == [
        day.end_us for day in await store._engine.days("raw_events")
    ]


async def test_the_oldest_days_go_where_there_is_more_than_is_kept(store: SqlStore) -> None:
    went = await retired(store, Keep(age_us=None, size=2))

    assert (went.n, went.reason) == (1, "size")
    assert await events(store) == 2


async def test_today_stays_however_much_it_holds(store: SqlStore) -> None:
    await retired(store, Keep(age_us=None, size=0))

    assert await events(store) == 1


async def test_a_day_that_somebody_else_dropped_is_no_error(store: SqlStore) -> None:
    [first, *_] = await store._engine.days("raw_events")

    await store._engine.drop_days("raw_events", [first.name])
    await store._engine.drop_days("raw_events", [first.name])

    assert first not in await store._engine.days("raw_events")
