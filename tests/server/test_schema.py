"""The schema on a server: stopped half-way, begun by many, loaded by hand, parted by day."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from copilot.agents.runbook import parse_runbook
from copilot.domain.errors import Unavailable
from copilot.store import SqlStore
from copilot.store.migrations import TIDB, migrations, schema_sql
from copilot.store.mysql import Address, MysqlEngine, open_store
from copilot.store.mysql.schema import DAY_US, DAYS_AHEAD, DAYS_LEFT
from tests.builders_store import NOW_US, a_batch
from tests.fakes import FixedClock
from tests.server.conftest import IS_TIDB, LIMIT_S
from tests.servers import asked

pytestmark = pytest.mark.timeout(LIMIT_S)

NAMES = tuple(migration.name for migration in migrations(TIDB))
ROOT = Path(__file__).parents[2]


async def test_it_is_applied_once_and_then_left_alone(address: Address) -> None:
    store = await open_store(address, clock=FixedClock(NOW_US))

    assert await store.migrate() == NAMES
    assert await store.migrate() == ()
    await store.close()


@pytest.mark.parametrize("after", [3, 17, 33])
async def test_a_migration_that_was_stopped_half_way_goes_on_where_it_stood(
    address: Address, after: int
) -> None:
    with pytest.raises(ConnectionAbortedError):
        await migrated(address, stop_after=after)
    half = await tables(address)

    await migrated(address)

    assert "deliveries" not in half
    assert await tables(address) >= half | {"deliveries", "raw_events"}
    assert await versions(address) == [m.version for m in migrations(TIDB)]


async def test_what_was_done_but_not_noted_is_recognised(address: Address) -> None:
    await migrated(address)
    await asked(address, "DELETE FROM schema_steps", "DELETE FROM schema_migrations")

    await migrated(address)

    assert await versions(address) == [m.version for m in migrations(TIDB)]


async def test_processes_that_start_together_migrate_once(address: Address) -> None:
    stores = [await open_store(address, clock=FixedClock(NOW_US)) for _ in range(4)]

    applied = await asyncio.gather(*(store.migrate() for store in stores))

    assert sorted(applied, reverse=True) == [NAMES, (), (), ()]
    for store in stores:
        await store.close()


async def test_the_lease_of_a_process_that_died_ends(address: Address) -> None:
    await migrated(address)
    await asked(
        address,
        "UPDATE schema_lease SET owner = 'dead', until_us = "
        "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) + 2000000",
    )
    store = await open_store(address, clock=FixedClock(NOW_US + 30 * DAY_US))

    assert await store.make_days()
    await store.close()


async def test_a_database_that_is_not_there_is_said_to_be_missing(address: Address) -> None:
    await asked(address, f"DROP DATABASE {address.database}")

    with pytest.raises(Unavailable, match="no such database"):
        await open_store(address, clock=FixedClock(NOW_US))


# --------------------------------------------------------------------------- loaded by hand


@pytest.mark.skipif(IS_TIDB, reason="loaded by MariaDB's client into MariaDB")
async def test_what_a_client_loads_is_what_the_product_would_have_made(
    address: Address, loaded: list[str]
) -> None:
    store = await open_store(address, clock=FixedClock(NOW_US))

    assert await store.migrate() == ()
    await keeps_lines(store)
    async with store.view() as look:
        runbooks = await look.runbooks.all()
    wanted = [
        parse_runbook(path.stem, path.read_text(), 0)
        for path in sorted((ROOT / "docs/runbooks").glob("*.md"))
    ]
    assert [(r.slug, r.title, r.body) for r in runbooks] == [
        (r.slug, r.title, r.body) for r in wanted
    ]
    assert len(loaded) == 2
    await store.close()


@pytest.fixture
def loaded(address: Address) -> list[str]:
    """The files of the quickstart, each loaded twice: the second time changes nothing."""
    from tests.mariadb import load

    files = [(ROOT / "db" / name).read_text() for name in ("schema.sql", "seed_runbooks.sql")]
    for sql in files * 2:
        load(address, sql)
    assert files[0] == schema_sql(TIDB)
    return files


# --------------------------------------------------------------------------- days


async def test_days_are_made_ahead_and_again_when_few_are_left(address: Address) -> None:
    await migrated(address)
    clock = FixedClock(NOW_US)
    store = await open_store(address, clock=clock)

    again = await store.make_days()
    clock.move((DAYS_AHEAD - DAYS_LEFT) * 86_400)
    while_enough_are_left = await store.make_days()
    clock.move(86_400)
    later = await store.make_days()

    assert again == while_enough_are_left == ()
    made = [day for day in later if day.startswith("raw_events.")]
    assert len(made) == DAYS_AHEAD - DAYS_LEFT + 1
    assert made[0] == "raw_events.p20261203"
    await store.close()


@pytest.mark.parametrize("days", [-4000, -1, DAYS_AHEAD + 1, 4000])
async def test_a_clock_that_is_days_off_loses_nothing(address: Address, days: int) -> None:
    await migrated(address)
    store = await open_store(address, clock=FixedClock(NOW_US))
    ts_us = NOW_US + days * DAY_US

    async with store.transaction() as tx:
        await tx.telemetry.add(a_batch("odd", ts_us=ts_us, severity=17))
    await store.make_days()

    async with store.view() as look:
        assert (await look.telemetry.counts()).events == 1
    await store.close()


async def test_what_waited_beyond_the_last_day_lies_in_its_day_once_that_is_made(
    address: Address,
) -> None:
    await migrated(address)
    clock = FixedClock(NOW_US)
    store = await open_store(address, clock=clock)
    async with store.transaction() as tx:
        await tx.telemetry.add(a_batch("early", ts_us=NOW_US + 20 * DAY_US, severity=17))

    clock.move(20 * 86_400)
    await store.make_days()

    [row] = (
        await asked(address, "SELECT body_text AS t FROM raw_events PARTITION (p20261208)")
    ).rows
    assert row["t"] == "early"
    await store.close()


async def test_what_the_server_can_do_is_asked(address: Address) -> None:
    store = await open_store(address, clock=FixedClock(NOW_US))

    able = await store.capabilities()

    assert able.kind == ("TiDB" if IS_TIDB else "MariaDB")
    assert able.partitions
    assert able.auto_random == IS_TIDB
    assert not [name for name in await tables(address) if "scratch" in name]
    await store.close()


# --------------------------------------------------------------------------- helpers


async def migrated(address: Address, *, stop_after: int = 10_000) -> None:
    """Applies everything; stops before a statement that makes a table, once `stop_after` have."""
    made = 0

    def told(sql: str) -> None:
        nonlocal made
        made += "CREATE TABLE" in sql
        if made > stop_after and "CREATE TABLE" in sql:
            raise ConnectionAbortedError

    engine = await MysqlEngine.open(address, on_statement=told)
    try:
        await engine.migrate(NOW_US)
    finally:
        await engine.close()


async def keeps_lines(store: SqlStore) -> None:
    async with store.transaction() as tx:
        assert (await tx.telemetry.add(a_batch("one", severity=17))).n_stored == 1


async def tables(address: Address) -> set[str]:
    answer = await asked(
        address,
        "SELECT table_name AS t FROM information_schema.tables WHERE table_schema = DATABASE()",
    )
    return {str(row["t"]) for row in answer.rows}


async def versions(address: Address) -> list[int]:
    answer = await asked(address, "SELECT version FROM schema_migrations ORDER BY version")
    return [int(row["version"]) for row in answer.rows]
