"""TiDB, MariaDB or MySQL behind the seam.

Transactions of one process take turns, as on SQLite; between processes the database decides. They
read what is committed (READ COMMITTED): what is read and then written is locked, moved first, or
compared when it is set. Views are one snapshot (REPEATABLE READ), and a few may be open at once.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from asyncmy.errors import MySQLError

from copilot.ports import Capabilities, Clock
from copilot.store.database import Day, Row, Table, Value
from copilot.store.mysql.address import Address
from copilot.store.mysql.connections import Answer, Link, Pool, told
from copilot.store.mysql.days import days, drop
from copilot.store.mysql.dialect import MysqlDialect
from copilot.store.mysql.errors import TAKEN, code_of, is_lost
from copilot.store.mysql.literals import statement, statements
from copilot.store.mysql.near import NearTables
from copilot.store.mysql.probes import probe
from copilot.store.mysql.schema import Schema
from copilot.store.mysql.tables import tables
from copilot.store.session import SqlStore
from copilot.store.waiting import to_the_end

_TURN_S = 30.0
_VIEWS = 8
"""Views open at once in one process; each has its connection."""
_LOOKERS = 2
_LOOKER_S = 1.0
"""To compare all vectors takes no longer."""
_BEGIN = "BEGIN"
_PESSIMISTIC = "BEGIN PESSIMISTIC"
"""A cluster of TiDB may have another mode for its default, in which nothing that is read is locked
and READ COMMITTED is not heard."""
_SNAPSHOT = b"START TRANSACTION WITH CONSISTENT SNAPSHOT"
_EXPLICIT = "SET SESSION allow_auto_random_explicit_insert = {}"
_DDL_S = 3600.0
"""A change of schema may take long."""


async def open_store(
    address: Address, *, clock: Clock, on_statement: Callable[[str], None] | None = None
) -> SqlStore:
    """The store on this server; `migrate()` brings its schema up to date. `on_statement` is told
    every statement before it goes, with `?` in it for values.

    Raises:
        Unavailable: the server cannot be reached, or its certificate is not to be trusted.
        Invalid: the authority's certificate cannot be read.
    """
    return SqlStore(await MysqlEngine.open(address, on_statement=on_statement), clock)


class MysqlDatabase:
    """One open transaction on a link; meets `copilot.store.database.Database`."""

    def __init__(
        self,
        link: Link,
        on_statement: Callable[[str], None],
        near: NearTables | None = None,
        *,
        is_view: bool = False,
    ) -> None:
        self._link = link
        self._near = near
        self._on_statement = on_statement
        self._is_over = False
        self.is_kept = False
        self._is_lost = False
        self._failure: Exception | None = None
        self.dialect = MysqlDialect(is_locking=not is_view, has_vectors=link.is_tidb)

    @property
    def is_tidb(self) -> bool:
        return self._link.is_tidb

    @property
    def is_usable(self) -> bool:
        """The link has answered every statement to its end."""
        return not self._is_lost

    def close(self) -> None:
        """From now on every call is refused: it would run outside any transaction."""
        self._is_over = True

    def end(self) -> None:
        """Before a commit. Raises what a statement failed with: a deadlock has undone the others."""
        self.close()
        if self._failure is not None:
            raise self._failure

    async def fetch_all(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        return (await self._run(sql, params)).rows

    async def fetch_one(self, sql: str, params: Sequence[Value] = ()) -> Row | None:
        rows = (await self._run(sql, params)).rows
        return rows[0] if rows else None

    async def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        return (await self._run(sql, params)).count

    async def executemany(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        self._refuse_if_over()
        if rows:
            self._on_statement(sql)
        for one in statements(sql, rows):
            await self._send(one)

    async def insert(self, sql: str, params: Sequence[Value] = ()) -> int | None:
        answer = await self._run(sql, params)
        return answer.new_id if answer.count == 1 else None

    async def candidates(
        self, vectors: str, key: str, model: str, vector: bytes, limit: int
    ) -> list[int] | None:
        """See `Database`; asked for on a connection of its own."""
        if self._near is None or not self.is_tidb:
            return None
        return await self._near.candidates(vectors, key, model, vector, limit)

    async def forget_candidates(
        self, vectors: str, documents: Sequence[int], model: str = ""
    ) -> None:
        """See `Database`; in this transaction."""
        if self._near is not None and self.is_tidb:
            await self._near.forget(self, vectors, documents, model)

    async def _run(self, sql: str, params: Sequence[Value]) -> Answer:
        self._refuse_if_over()
        self._on_statement(sql)
        return await self._send(statement(sql, params))

    async def _send(self, sql: bytes) -> Answer:
        self._is_lost = True  # until it has answered: a cancelled one never will
        try:
            answer = await self._link.run(sql)
        except (MySQLError, OSError) as error:
            expected = told(error)
            self._is_lost = is_lost(error)
            if code_of(error) not in TAKEN:
                self._failure = expected
            raise expected from error
        self._is_lost = False
        return answer

    def _refuse_if_over(self) -> None:
        if self._is_over:
            raise RuntimeError("this transaction has ended")
        if self._failure is not None:
            raise self._failure


class MysqlEngine:
    """Meets `copilot.store.database.Engine`."""

    def __init__(
        self,
        address: Address,
        tls: ssl.SSLContext | None,
        *,
        turn_s: float,
        on_statement: Callable[[str], None],
    ) -> None:
        self._address = address
        self._tls = tls
        self._on_statement = on_statement
        self._writers = Pool(
            lambda: Link.open(address, tls, isolation="READ COMMITTED"),
            limit=1,
            wait_s=turn_s,
            busy="the store is busy: somebody else has been writing for too long",
        )
        self._readers = Pool(
            lambda: Link.open(address, tls, isolation="REPEATABLE READ"),
            limit=_VIEWS,
            wait_s=turn_s,
            busy="the store is busy: too much is being read at once",
        )
        # Of its own: who searches holds a reader while it waits for candidates.
        self._lookers = Pool(
            lambda: Link.open(address, tls, isolation="REPEATABLE READ"),
            limit=_LOOKERS,
            wait_s=_LOOKER_S,
            busy="the store is busy: too many look for what is near",
        )
        self._near = NearTables(lambda: self._view(self._lookers), self._transaction, self._schema)
        self._capabilities: Capabilities | None = None
        self._asking = asyncio.Lock()
        self._begin = _BEGIN
        self._is_tidb = False

    @classmethod
    async def open(
        cls,
        address: Address,
        *,
        turn_s: float = _TURN_S,
        on_statement: Callable[[str], None] | None = None,
    ) -> MysqlEngine:
        """See `open_store`; `turn_s` is how long a transaction waits for its turn to write."""
        engine = cls(address, address.tls(), turn_s=turn_s, on_statement=on_statement or _nothing)
        await engine.greet()
        return engine

    async def greet(self) -> None:
        """See that the server is there, and who it is."""
        async with self._view(self._readers) as database:
            await database.fetch_one("SELECT 1 AS one")
            self._is_tidb = database.is_tidb
            self._begin = _PESSIMISTIC if database.is_tidb else _BEGIN

    def transaction(self) -> AbstractAsyncContextManager[MysqlDatabase]:
        """Read and write. Raises: Unavailable where its turn does not come; Clash."""
        return self._transaction()

    def view(self) -> AbstractAsyncContextManager[MysqlDatabase]:
        """Read only, one snapshot; what is written in it is rolled back."""
        return self._view(self._readers)

    async def migrate(self, now_us: int) -> tuple[str, ...]:
        """Apply what is missing under a lease, and give the names. One that was stopped half-way
        goes on where it stood."""
        async with self._schema() as schema:
            applied = await schema.migrate(now_us)
            await schema.make_days(now_us)
            return applied

    async def make_days(self, now_us: int) -> tuple[str, ...]:
        """Partitions for today and the coming days, made where they are missing. For once a day."""
        async with self._schema() as schema:
            return await schema.make_days(now_us)

    def loading(self) -> AbstractAsyncContextManager[MysqlDatabase]:
        """See `Engine`; TiDB has to be asked for it."""
        return self._loading()

    async def tables(self) -> list[Table]:
        """See `Engine`."""
        async with self._schema() as schema:
            return await tables(schema)

    async def days(self, table: str) -> list[Day]:
        """See `Engine`."""
        async with self._schema() as schema:
            return await days(schema, table)

    async def drop_days(self, table: str, names: Sequence[str]) -> None:
        """See `Engine`."""
        async with self._schema() as schema:
            await drop(schema, table, names)

    async def compact(self) -> int:
        """Nothing: the server sees to its own space."""
        return 0

    async def follow(self, vectors: str, key: str, model: str) -> None:
        """See `Engine`. What the server can do is asked where it matters only: to find out makes an
        index, for which TiFlash takes its time."""
        able = self._capabilities
        if not self._is_tidb or (able is not None and not able.vector_index):
            return
        if (
            await self._near.is_worth_it(vectors, model)
            and (await self.capabilities()).vector_index
        ):
            await self._near.follow(vectors, key, model)

    async def capabilities(self) -> Capabilities:
        """What this server can do; asked once, whoever else wants to know meanwhile."""
        async with self._asking:
            if self._capabilities is None:
                async with self._schema() as schema:
                    self._capabilities = await probe(schema)
            return self._capabilities

    async def close(self) -> None:
        """Later transactions are refused. Harmless the second time."""
        await self._writers.close()
        await self._readers.close()
        await self._lookers.close()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[MysqlDatabase]:
        self._on_statement(self._begin)
        link = await self._writers.take(self._begin.encode())
        database = MysqlDatabase(link, self._on_statement, self._near)
        is_clean = False
        try:
            yield database
            database.end()
            await to_the_end(self._commit(link, database))
            is_clean = True
        finally:
            database.close()
            if not is_clean:
                is_clean = database.is_usable and await to_the_end(_rolled_back(link))
            await self._writers.give_back(link, is_clean=is_clean)

    @asynccontextmanager
    async def _loading(self) -> AsyncIterator[MysqlDatabase]:
        async with self._transaction() as database:
            if database.is_tidb:
                await database.execute(_EXPLICIT.format(1))
            yield database
            # Where that raised it stays on: nothing else of ours names an id of that kind.
            if database.is_tidb:
                await database.execute(_EXPLICIT.format(0))

    @asynccontextmanager
    async def _view(self, pool: Pool) -> AsyncIterator[MysqlDatabase]:
        self._on_statement(_SNAPSHOT.decode())
        link = await pool.take(_SNAPSHOT)
        database = MysqlDatabase(link, self._on_statement, self._near, is_view=True)
        is_clean = False
        try:
            yield database
        finally:
            database.close()
            is_clean = database.is_usable and await to_the_end(_rolled_back(link))
            await pool.give_back(link, is_clean=is_clean)

    async def _commit(self, link: Link, database: MysqlDatabase) -> None:
        self._on_statement("COMMIT")
        try:
            await link.run(b"COMMIT")
        except (MySQLError, OSError) as error:
            raise told(error, is_commit=True) from error
        database.is_kept = True

    @asynccontextmanager
    async def _schema(self) -> AsyncIterator[Schema]:
        """Connections of their own: they have more time, and each statement commits by itself."""
        opened: list[Link] = []

        async def another() -> Link:
            try:
                link = await Link.open(
                    self._address, self._tls, isolation="READ COMMITTED", answer_s=_DDL_S
                )
            except (MySQLError, OSError) as error:
                raise told(error) from error
            opened.append(link)
            return link

        try:
            yield Schema(await another(), another, self._on_statement)
        finally:
            for link in opened:
                await link.end()


def _nothing(sql: str) -> None:
    """Nobody wants to know the statements."""


async def _rolled_back(link: Link) -> bool:
    """Whether the link is fit for the next one."""
    try:
        await link.run(b"ROLLBACK")
    except (MySQLError, OSError):
        return False
    return True
