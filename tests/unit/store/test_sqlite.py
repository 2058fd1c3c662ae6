"""SQLite's own ways: errors in our words, and what the file survives."""

from __future__ import annotations

import asyncio
import random
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from copilot.domain.errors import Conflict, Invalid, Unavailable
from copilot.store import SqlStore, open_store
from copilot.store.sqlite import SqliteEngine
from tests.builders_store import NOW_US, a_batch
from tests.fakes import FixedClock


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[SqliteEngine]:
    engine = await SqliteEngine.open(tmp_path / "store.db")
    await engine.migrate(NOW_US)
    yield engine
    await engine.close()


async def test_a_commit_is_synced_to_disk(engine: SqliteEngine) -> None:
    async with engine.transaction() as database:
        synchronous = await database.fetch_one("PRAGMA synchronous")
        journal = await database.fetch_one("PRAGMA journal_mode")

    assert synchronous
    assert synchronous["synchronous"] == 2
    assert journal
    assert journal["journal_mode"] == "wal"


async def test_a_full_disk_is_unavailable_and_nothing_is_half_written(
    engine: SqliteEngine,
) -> None:
    store = SqlStore(engine, FixedClock(NOW_US))
    async with engine.transaction() as database:
        await database.execute("PRAGMA max_page_count = 1")  # as many as there are

    with pytest.raises(Unavailable, match="full"):
        await add(store, "".join(map(chr, range(32, 50_000))))  # hard to compress

    async with engine.transaction() as database:
        await database.execute("PRAGMA max_page_count = 1000000")
    await add(store, "fits")
    async with store.view() as look:
        assert (await look.telemetry.counts()).lines == 1


async def test_space_of_removed_rows_is_used_again_and_given_back_on_demand(
    engine: SqliteEngine,
) -> None:
    async with engine.transaction() as database:
        await database.execute("CREATE TABLE heap (body BLOB NOT NULL) STRICT")
        await database.execute("INSERT INTO heap VALUES (randomblob(1000000))")
        await database.execute("DELETE FROM heap")
        pages = await database.fetch_one("PRAGMA freelist_count")
        await database.execute("INSERT INTO heap VALUES (randomblob(500000))")
        left = await database.fetch_one("PRAGMA freelist_count")
    assert pages
    assert left
    assert left["freelist_count"] < pages["freelist_count"]

    await engine.compact()

    async with engine.view() as database:
        after = await database.fetch_one("PRAGMA freelist_count")
        kept = await database.fetch_one("SELECT LENGTH(body) AS size FROM heap")
    assert after
    assert after["freelist_count"] == 0
    assert kept
    assert kept["size"] == 500_000


async def add(store: SqlStore, body: str) -> None:
    async with store.transaction() as tx:
        await tx.telemetry.add(a_batch(body))


async def test_a_locked_file_is_unavailable_when_the_lock_stays(tmp_path: Path) -> None:
    engine = await SqliteEngine.open(tmp_path / "store.db", turn_s=0.1)
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable, match="busy"):
        async with engine.transaction():
            pass

    other.execute("ROLLBACK")
    other.close()
    async with engine.transaction():
        pass
    await engine.close()


async def test_a_transaction_that_never_ends_makes_others_unavailable(tmp_path: Path) -> None:
    engine = await SqliteEngine.open(tmp_path / "store.db", turn_s=0.1)

    async with engine.transaction():
        with pytest.raises(Unavailable, match="busy"):
            async with engine.transaction():
                pass
    await engine.close()


async def test_a_lock_that_goes_away_is_waited_for(engine: SqliteEngine, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.2, other.execute, "ROLLBACK")

    async with engine.transaction() as database:
        await database.execute("DELETE FROM jobs")

    other.close()


async def test_a_taken_key_is_a_conflict(engine: SqliteEngine) -> None:
    sql = "INSERT INTO feed_heads (cluster, seq) VALUES ('lab', 1)"

    with pytest.raises(Conflict):
        await run(engine, sql, sql)


async def test_a_view_cannot_write(engine: SqliteEngine) -> None:
    async with engine.view() as database:
        with pytest.raises(Unavailable, match="readonly"):
            await database.execute("DELETE FROM jobs")


async def test_a_number_beyond_64_bits_is_invalid(engine: SqliteEngine) -> None:
    async with engine.transaction() as database:
        with pytest.raises(Invalid):
            await database.execute("SELECT ?", (2**70,))


async def test_a_mistake_of_ours_stays_an_error_of_sqlite(engine: SqliteEngine) -> None:
    async with engine.transaction() as database:
        with pytest.raises(sqlite3.OperationalError):
            await database.execute("SELEKT 1")


async def test_a_store_without_schema_says_what_to_do(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "store.db", clock=FixedClock())

    async with store.view() as look:
        with pytest.raises(Unavailable, match="migrate"):
            await look.feed.head("lab")
    await store.close()


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"this is not a database" * 100)

    with pytest.raises(Unavailable, match="SQLite"):
        await open_store(path, clock=FixedClock())


async def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="opened"):
        await open_store(tmp_path / "none" / "store.db", clock=FixedClock())


async def test_text_that_is_no_text_is_stored_with_question_marks(engine: SqliteEngine) -> None:
    sql = "INSERT INTO feed_heads (cluster, seq) VALUES (?, ?)"
    async with engine.transaction() as database:
        await database.executemany(sql, [("a", 1), ("b\ud800", 2), ("c", 3), ("d\udfff", 4)])
        rows = await database.fetch_all("SELECT cluster FROM feed_heads ORDER BY seq")

    assert [row["cluster"] for row in rows] == ["a", "b?", "c", "d?"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("UPDATE audit_log SET actor = 'eve' WHERE seq = 2", id="a row changed"),
        pytest.param("DELETE FROM audit_log WHERE seq = 2", id="a row missing"),
        pytest.param("DELETE FROM audit_log WHERE seq = 3", id="the end cut off"),
        pytest.param("DELETE FROM audit_heads", id="the head gone"),
    ],
)
async def test_a_damaged_audit_chain_is_named(engine: SqliteEngine, damage: str) -> None:
    store = SqlStore(engine, FixedClock(NOW_US))
    async with store.transaction() as tx:
        for chain in ("sound", "broken"):
            for _ in range(3):
                await tx.audit.append(
                    chain=chain, ts_us=1, actor="ana", action="a", object="o", detail="d"
                )

    joint = " AND" if "WHERE" in damage else " WHERE"
    await run(engine, f"{damage}{joint} chain = 'broken'")

    async with store.view() as look:
        assert await look.audit.broken() == ("broken",)


async def run(engine: SqliteEngine, *statements: str) -> None:
    async with engine.transaction() as database:
        for statement in statements:
            await database.execute(statement)


async def test_a_memory_store_leaves_no_folder_behind() -> None:
    engine = await SqliteEngine.open(":memory:")
    folder = engine.path.parent
    assert folder.exists()

    await engine.close()

    assert not folder.exists()


async def test_a_full_disk_is_said_clearly_and_loses_nothing_that_was_acknowledged(
    tmp_path: Path,
) -> None:
    store = await open_store(tmp_path / "store.db", clock=FixedClock())
    await store.migrate()
    kept: list[int] = []

    with a_disk_of(2 * 1024 * 1024), pytest.raises(Unavailable, match="the store does not work"):
        await fill(store, kept)

    async with store.transaction() as tx:
        await tx.telemetry.add(a_batch("there is space again"))
    async with store.view() as look:
        assert (await look.telemetry.counts()).lines == sum(kept) + 1
    await store.close()
    assert kept


async def fill(store: SqlStore, kept: list[int]) -> None:
    """Adds lines that cannot be compressed, for ever; `kept` is how many were acknowledged."""
    while True:
        lines = [random.randbytes(20_000).hex() for _ in range(5)]
        async with store.transaction() as tx:
            await tx.telemetry.add(a_batch(*lines))
        kept.append(len(lines))


@contextmanager
def a_disk_of(size: int) -> Iterator[None]:
    """No file of this process may grow beyond."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
