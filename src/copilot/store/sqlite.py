"""SQLite behind the seam: one writer thread and a few reader threads, each with its connection.

Several processes may share the file: writers take turns by `BEGIN IMMEDIATE`, readers never wait
(WAL). A commit is on disk when it returns (`synchronous=FULL`).
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from copilot.domain.errors import Clash, CopilotError, Invalid, TooLarge, Unavailable
from copilot.ports import Capabilities, Clock
from copilot.store.database import Day, Row, Table, Value
from copilot.store.dialect import SqliteDialect
from copilot.store.migrations import SQLITE, Migration, missing
from copilot.store.session import SqlStore
from copilot.store.waiting import to_the_end

P = ParamSpec("P")
T = TypeVar("T")

_TURN_S = 30.0
_IDLE_READERS = 4
_BUSY_READER_MS = 5_000
_BUSY_WRITER_MS = 50
"""The writer's thread waits in small portions, so that a cancelled transaction gives up soon."""


_TABLES = "(SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table') t"
_COLUMNS = f"""\
SELECT t.name AS t, c.name FROM {_TABLES}, pragma_table_info(t.name) c
WHERE t.name NOT LIKE 'sqlite%' ORDER BY t.name, c.name"""
_KEYS = f"""\
SELECT t.name AS t, c.name, c.pk AS at FROM {_TABLES}, pragma_table_info(t.name) c WHERE c.pk > 0
UNION ALL
SELECT t.name, i.name, i.seqno FROM {_TABLES}, pragma_index_info(t.name || '_pk') i
ORDER BY 1, 3"""


async def open_store(path: str | Path, *, clock: Clock) -> SqlStore:
    """The store in this file, made where it is missing; `migrate()` brings its schema up to date.

    `:memory:` is a private file in the temporary folder that nothing is synced to and that goes
    away with the store: the same behaviour, for tests.

    Raises:
        Unavailable: the file cannot be opened.
    """
    return SqlStore(await SqliteEngine.open(path), clock)


class _Lane:
    """One connection and the one thread that uses it: what goes in first is done first."""

    def __init__(self, path: Path, *, is_writer: bool, is_synced: bool) -> None:
        self._path = path
        self._is_writer = is_writer
        self._is_synced = is_synced
        self._thread = ThreadPoolExecutor(1, "store-writer" if is_writer else "store-reader")
        self._connection: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Unavailable("the store is closed")
        return self._connection

    def start(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        def guarded() -> T:
            try:
                return work(*args, **kwargs)
            except (sqlite3.Error, OverflowError) as error:
                expected = _translated(error)
                if expected is None:
                    raise
                raise expected from error

        loop = asyncio.get_running_loop()
        try:
            return loop.run_in_executor(self._thread, guarded)
        except RuntimeError as error:
            raise Unavailable("the store is closed") from error

    def open(self) -> None:
        busy_ms = _BUSY_WRITER_MS if self._is_writer else _BUSY_READER_MS
        self._connection = sqlite3.connect(self._path, timeout=busy_ms / 1000, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        run = self._connection.execute
        if self._is_writer:
            run("PRAGMA journal_mode = WAL")
            run(f"PRAGMA synchronous = {'FULL' if self._is_synced else 'OFF'}")
            run("PRAGMA journal_size_limit = 67108864")
            run("PRAGMA wal_autocheckpoint = 4000")  # 16 MiB: pages change often before they rest
        else:
            run("PRAGMA query_only = ON")
        run("PRAGMA foreign_keys = OFF")
        run("PRAGMA temp_store = MEMORY")
        run("PRAGMA cache_size = -16000")

    def begin(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE" if self._is_writer else "BEGIN")

    def commit(self) -> None:
        self.connection.execute("COMMIT")

    def roll_back(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def compact(self) -> None:
        self.connection.execute("VACUUM")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def end(self) -> None:
        """Closes the connection and ends the thread."""
        await to_the_end(self.start(self.close))
        self._thread.shutdown(wait=True)


class SqliteDatabase:
    """One open transaction on a lane; meets `copilot.store.database.Database`."""

    def __init__(self, lane: _Lane) -> None:
        self._lane = lane
        self._is_over = False
        self.is_kept = False
        self.dialect = SqliteDialect()

    def end(self) -> None:
        """From now on every call is refused: it would run outside any transaction."""
        self._is_over = True

    async def fetch_all(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        return await self._on_lane(_fetch_all, sql, params)

    async def fetch_one(self, sql: str, params: Sequence[Value] = ()) -> Row | None:
        return await self._on_lane(_fetch_one, sql, params)

    async def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        return await self._on_lane(_execute, sql, params)

    async def executemany(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        if rows:
            await self._on_lane(_executemany, sql, rows)

    async def insert(self, sql: str, params: Sequence[Value] = ()) -> int | None:
        return await self._on_lane(_insert, sql, params)

    async def candidates(
        self, vectors: str, key: str, model: str, vector: bytes, limit: int
    ) -> list[int] | None:
        """None: vectors are compared in memory, all of them."""
        return None

    async def forget_candidates(
        self, vectors: str, documents: Sequence[int], model: str = ""
    ) -> None:
        """Nothing: there is no index that would give any."""

    def _on_lane(
        self, work: Callable[[sqlite3.Connection, str, V], T], sql: str, values: V
    ) -> asyncio.Future[T]:
        if self._is_over:
            raise RuntimeError("this transaction has ended")
        return self._lane.start(lambda: work(self._lane.connection, sql, values))


class SqliteEngine:
    """Meets `copilot.store.database.Engine`."""

    def __init__(self, path: Path, *, is_synced: bool, turn_s: float) -> None:
        self.path = path
        self._is_synced = is_synced
        self._turn_s = turn_s
        self._is_closed = False
        self._turn = asyncio.Lock()
        self._idle: list[_Lane] = []
        self._tidy: Callable[[], object] = _nothing
        self._writer = _Lane(path, is_writer=True, is_synced=is_synced)

    @classmethod
    async def open(cls, path: str | Path, *, turn_s: float = _TURN_S) -> SqliteEngine:
        """See `open_store`; `turn_s` is how long a transaction waits for its turn to write."""
        if str(path) == ":memory:":
            folder = tempfile.mkdtemp(prefix="copilot-")
            engine = cls(Path(folder) / "store.db", is_synced=False, turn_s=turn_s)
            engine._tidy = weakref.finalize(engine, shutil.rmtree, folder, ignore_errors=True)
        else:
            engine = cls(Path(path), is_synced=True, turn_s=turn_s)
        await engine._open_lane(engine._writer)
        return engine

    def transaction(self) -> AbstractAsyncContextManager[SqliteDatabase]:
        """Read and write, one at a time. Raises: Unavailable where its turn does not come."""
        return self._transaction()

    def view(self) -> AbstractAsyncContextManager[SqliteDatabase]:
        """Read only, one snapshot."""
        return self._view()

    async def migrate(self, now_us: int) -> tuple[str, ...]:
        """Apply what is missing, all or nothing, and give the names."""
        async with self.transaction() as database:
            for table in SQLITE.ledger:
                await database.execute(table)
            rows = await database.fetch_all("SELECT version, name, checksum FROM schema_migrations")
            todo = missing({row["version"]: (row["name"], row["checksum"]) for row in rows}, SQLITE)
            for migration in todo:
                await _apply(database, migration, now_us)
        return tuple(migration.name for migration in todo)

    def loading(self) -> AbstractAsyncContextManager[SqliteDatabase]:
        """Any transaction takes given ids here."""
        return self._transaction()

    async def tables(self) -> list[Table]:
        """See `Engine`; the key of a table without a primary one is its unique index `.._pk`."""
        async with self.view() as database:
            rows = await database.fetch_all(_COLUMNS)
            keys = await database.fetch_all(_KEYS)
        return [
            Table(
                name=name,
                columns=tuple(sorted(row["name"] for row in rows if row["t"] == name)),
                key=tuple(row["name"] for row in keys if row["t"] == name),
            )
            for name in dict.fromkeys(row["t"] for row in rows)
        ]

    async def days(self, table: str) -> list[Day]:
        """Nothing is parted by day here."""
        return []

    async def drop_days(self, table: str, names: Sequence[str]) -> None:
        """See `days`."""

    async def compact(self) -> int:
        """Write the file anew without its free pages; how many bytes smaller it is.

        Takes as much free disk as the file has, and nobody can write meanwhile. Nothing calls for
        it in daily use: free pages are the first to be written to again.
        """
        before = self.path.stat().st_size
        await self._take_turn()
        try:
            self._refuse_if_closed()
            await _patiently(self._writer, self._writer.compact, self._turn_s)
        finally:
            self._turn.release()
        return before - self.path.stat().st_size

    async def make_days(self, now_us: int) -> tuple[str, ...]:
        """Nothing is parted by day here."""
        return ()

    async def follow(self, vectors: str, key: str, model: str) -> None:
        """There is no index to follow them."""

    async def capabilities(self) -> Capabilities:
        """Vectors and ranking are ours; full text is FTS5."""
        return Capabilities(
            kind="SQLite",
            version=sqlite3.sqlite_version,
            vector_type=False,
            vector_index=False,
            full_text=True,
            partitions=False,
            auto_random=False,
        )

    async def close(self) -> None:
        """Waits for a transaction under way; later ones are refused. Harmless the second time."""
        if self._is_closed:
            return
        self._is_closed = True
        async with self._turn:
            for lane in (*self._idle, self._writer):
                await lane.end()
            self._idle.clear()
        self._tidy()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[SqliteDatabase]:
        self._refuse_if_closed()
        await self._take_turn()
        database = SqliteDatabase(self._writer)
        try:
            self._refuse_if_closed()
            await _patiently(self._writer, self._writer.begin, self._turn_s)
            yield database
            database.end()
            await to_the_end(self._commit(database))
        except BaseException:
            database.end()
            if not self._is_closed:
                await to_the_end(self._writer.start(self._writer.roll_back))
            raise
        finally:
            self._turn.release()

    async def _commit(self, database: SqliteDatabase) -> None:
        await self._writer.start(self._writer.commit)
        database.is_kept = True

    @asynccontextmanager
    async def _view(self) -> AsyncIterator[SqliteDatabase]:
        self._refuse_if_closed()
        lane = await self._reader()
        database = SqliteDatabase(lane)
        try:
            await lane.start(lane.begin)
            yield database
        finally:
            database.end()
            try:
                await to_the_end(lane.start(lane.roll_back))
            finally:
                await self._give_back(lane)

    async def _take_turn(self) -> None:
        try:
            async with asyncio.timeout(self._turn_s):
                await self._turn.acquire()
        except TimeoutError:
            raise _busy() from None

    async def _reader(self) -> _Lane:
        # One reader more costs little; waiting for one could be for ever, where views nest.
        if self._idle:
            return self._idle.pop()
        lane = _Lane(self.path, is_writer=False, is_synced=self._is_synced)
        await self._open_lane(lane)
        return lane

    async def _open_lane(self, lane: _Lane) -> None:
        try:
            await _patiently(lane, lane.open, self._turn_s)
        except BaseException:
            await lane.end()
            raise

    async def _give_back(self, lane: _Lane) -> None:
        if len(self._idle) < _IDLE_READERS and not self._is_closed:
            self._idle.append(lane)
        else:
            await lane.end()

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise Unavailable("the store is closed")


def _nothing() -> None:
    """What there is to tidy up after a store in a file."""


async def _apply(database: SqliteDatabase, migration: Migration, now_us: int) -> None:
    for statement in migration.statements:
        await database.execute(statement)
    await database.execute(
        "INSERT INTO schema_migrations (version, name, checksum, applied_us) VALUES (?, ?, ?, ?)",
        (migration.version, migration.name, migration.checksum, now_us),
    )


async def _patiently(lane: _Lane, work: Callable[[], None], for_s: float) -> None:
    """Try again while another process is writing.

    Raises:
        Unavailable: it did not end in time.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + for_s
    while True:
        try:
            return await lane.start(work)
        except _StoreBusy:
            if loop.time() > until:
                raise
            await asyncio.sleep(0.002)


# --------------------------------------------------------------------------- on the lane's thread

V = TypeVar("V")


def _fetch_all(connection: sqlite3.Connection, sql: str, params: Sequence[Value]) -> list[Row]:
    return list(_cursor(connection, sql, params).fetchall())


def _fetch_one(connection: sqlite3.Connection, sql: str, params: Sequence[Value]) -> Row | None:
    cursor = _cursor(connection, sql, params)
    row: Row | None = cursor.fetchone()
    cursor.close()
    return row


def _execute(connection: sqlite3.Connection, sql: str, params: Sequence[Value]) -> int:
    return _cursor(connection, sql, params).rowcount


def _insert(connection: sqlite3.Connection, sql: str, params: Sequence[Value]) -> int | None:
    cursor = _cursor(connection, sql, params)
    return cursor.lastrowid if cursor.rowcount == 1 else None


def _cursor(connection: sqlite3.Connection, sql: str, params: Sequence[Value]) -> sqlite3.Cursor:
    try:
        return connection.execute(sql, params)
    except UnicodeEncodeError:
        return connection.execute(sql, _encodable(params))


def _executemany(connection: sqlite3.Connection, sql: str, rows: Sequence[Sequence[Value]]) -> None:
    refused: Sequence[Value] = ()

    def offered() -> Iterator[Sequence[Value]]:
        nonlocal refused
        for row in rows:
            refused = row
            yield row

    remaining = offered()
    while True:
        try:
            connection.executemany(sql, remaining)
        except UnicodeEncodeError:
            connection.execute(sql, _encodable(refused))
        else:
            return


def _encodable(params: Sequence[Value]) -> list[Value]:
    """The same with `?` for lone surrogates, which no database can hold."""
    return [p.encode("utf-8", "replace").decode() if isinstance(p, str) else p for p in params]


# --------------------------------------------------------------------------- errors


class _StoreBusy(Unavailable):
    """Another process is writing."""


_OUTAGES = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "reading or writing its file failed",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened",
    sqlite3.SQLITE_READONLY: "its file is read-only",
    sqlite3.SQLITE_CORRUPT: "its file is damaged",
    sqlite3.SQLITE_NOTADB: "its file is no SQLite database",
    sqlite3.SQLITE_NOMEM: "it is out of memory",
    sqlite3.SQLITE_PERM: "its file may not be used",
}
_TAKEN = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
}


def _translated(error: sqlite3.Error | OverflowError) -> CopilotError | None:
    """The error in the domain's words, None for a bug of ours."""
    if isinstance(error, OverflowError):
        return Invalid("a number is out of the store's range")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)  # not set by the module's own
    primary = code & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _busy()
    if primary in _OUTAGES:
        return Unavailable(f"the store does not work: {_OUTAGES[primary]} ({error})")
    if primary == sqlite3.SQLITE_TOOBIG:
        return TooLarge(f"too large for the store: {error}")
    if code in _TAKEN:
        return Clash(f"somebody else was first: {error}")
    if "no such table" in str(error):
        return Unavailable(f"the store's schema is not up to date, migrate it: {error}")
    return None


def _busy() -> _StoreBusy:
    return _StoreBusy("the store is busy: somebody else has been writing for too long")
