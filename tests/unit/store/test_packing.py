"""Packing while somebody else works on the same segment, or dies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from copilot.store import packing
from copilot.store.database import Database
from copilot.store.packing import Packing
from copilot.store.session import SqlStore
from copilot.store.sqlite import SqliteDatabase, SqliteEngine
from tests.builders_store import NOW_US, a_batch
from tests.fakes import FixedClock

THEN_US = NOW_US - 3600 * 1_000_000


class Interrupted(SqliteEngine):
    """Lets something happen between the reading and the writing of a segment."""

    retire: int | None = None
    """The first line of a block that is retired then."""
    dies_after: int | None = None
    """Statements after which the process dies."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqliteDatabase]:
        if self.retire is not None:
            async with super().transaction() as database:
                sql = "DELETE FROM log_blocks WHERE first_line = ?"
                await database.execute(sql, (self.retire,))
            self.retire = None
        async with super().transaction() as database:
            if self.dies_after is not None:
                yield _Dying(database, self)  # type: ignore[misc]  # hands on all else
            else:
                yield database


class _Died(BaseException):
    pass


class _Dying:
    """A transaction in which the process dies."""

    def __init__(self, database: Database, engine: Interrupted) -> None:
        self._database = database
        self._engine = engine

    def __getattr__(self, name: str) -> object:
        if name in ("execute", "executemany"):
            self._engine.dies_after = (self._engine.dies_after or 0) - 1
            if self._engine.dies_after < 0:
                raise _Died
        return getattr(self._database, name)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Interrupted]:
    """Twenty blocks of two lines in one sealed segment."""
    engine = await Interrupted.open(tmp_path / "store.db")
    assert isinstance(engine, Interrupted)
    store = SqlStore(engine, FixedClock(NOW_US))
    await store.migrate()
    for number in range(20):
        async with store.transaction() as tx:
            batch = a_batch(f"a {number}", f"id-{number}00000", ts_us=THEN_US + number)
            await tx.telemetry.add(batch)
    await Packing(engine).seal(NOW_US)
    yield engine
    await store.close()


async def blocks(engine: SqliteEngine) -> list[tuple[int, int]]:
    """First line and number of lines of each block."""
    async with engine.view() as database:
        rows = await database.fetch_all("SELECT first_line, n FROM log_blocks ORDER BY first_line")
    return [(row["first_line"], row["n"]) for row in rows]


SMALL = [(first, 2) for first in range(0, 40, 2)]


async def test_small_blocks_become_one(engine: Interrupted) -> None:
    assert await blocks(engine) == SMALL

    assert await Packing(engine).pack_one()

    assert await blocks(engine) == [(0, 40)]


async def test_a_segment_is_packed_in_several_transactions_where_one_would_be_large(
    engine: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "WRITE_BYTES", 1)
    monkeypatch.setattr(packing, "MAX_LINES", 10)
    engine.dies_after = 4

    with pytest.raises(_Died):
        await Packing(engine).pack_one()

    assert await blocks(engine) == [(0, 10), *SMALL[5:]]
    engine.dies_after = None
    assert await Packing(engine).pack_one()
    assert await blocks(engine) == [(0, 10), (10, 10), (20, 10), (30, 10)]


async def test_what_is_retired_meanwhile_does_not_come_back(engine: Interrupted) -> None:
    engine.retire = 10
    worker = Packing(engine)

    while await worker.pack_one():
        pass

    assert await blocks(engine) == [(0, 10), (12, 28)]


@pytest.mark.parametrize("statements", range(5))
async def test_who_dies_while_packing_leaves_every_line_where_it_was(
    engine: Interrupted, statements: int
) -> None:
    engine.dies_after = statements
    worker = Packing(engine)

    with pytest.raises(_Died):
        await worker.pack_one()

    assert await blocks(engine) == (SMALL if statements < 3 else [(0, 40)])
    engine.dies_after = None
    assert await worker.pack_one()
    assert not await worker.pack_one()
    assert await blocks(engine) == [(0, 40)]


async def test_the_filter_of_a_segment_goes_with_its_last_block(engine: Interrupted) -> None:
    worker = Packing(engine)
    await worker.pack_one()
    assert await worker.forget() == 0
    async with engine.transaction() as database:
        await database.execute("DELETE FROM log_blocks")

    assert await worker.forget() == 1

    async with engine.view() as database:
        assert await database.fetch_all("SELECT * FROM log_tokens LIMIT 1") == []
