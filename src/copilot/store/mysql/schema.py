"""The schema on a server: migrations under a lease, each statement by itself, and days ahead.

A change of schema commits by itself there, so a migration may stop half-way. Each statement that
was done is noted; one that was done but not noted is met again and recognised by its error. Times
of the lease are the server's: processes on several machines need one clock.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog
from asyncmy.errors import MySQLError

from copilot.domain.errors import Clash, Unavailable
from copilot.store.database import Row, Value
from copilot.store.migrations import TIDB, Migration, missing
from copilot.store.mysql.connections import Answer, Link, told
from copilot.store.mysql.errors import code_of
from copilot.store.mysql.literals import statement

log = structlog.get_logger(__name__)

DAY_US = 86_400_000_000
DAYS_AHEAD = 14
DAYS_LEFT = 7
"""New ones are made when fewer lie ahead. Until then `pmax` may take what is to be moved, and TiDB
8.5.0 may spoil the index entries of a row that changes while it is moved (pingcap/tidb#58692): so
seldom, and while only clocks that are a week off have rows there."""
_DAYS_BACK = 30
"""After a long pause, days further back share one partition."""
_LEASE_S = 30
_PATIENCE_S = 600.0
"""How long to wait for another process that is migrating."""
_NOW_US = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
_DONE_ALREADY = {1050, 1060, 1061, 1091, 1068}
"""The table, column or key is there (or gone) already: this statement was done before."""

_TIDB_ONLY = re.compile(r"/\*!80000 .*?\*/")
_MARIA_ONLY = re.compile(r"/\*M! (.*?) ?\*/")


class Schema:
    """Works on the schema over connections that commit each statement."""

    def __init__(
        self,
        link: Link,
        another: Callable[[], Awaitable[Link]],
        on_statement: Callable[[str], None],
    ) -> None:
        self._link = link
        self._another = another
        self._on_statement = on_statement
        self._owner = secrets.token_hex(8)

    async def version(self) -> str:
        """As the server says it: `8.0.11-TiDB-v8.5.7`, `10.11.6-MariaDB`, `8.0.36`."""
        return str((await self.fetch("SELECT VERSION() AS version"))[0]["version"])

    async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        return (await self._run(self._link, sql, params)).rows

    async def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        return (await self._run(self._link, sql, params)).count

    async def migrate(self, now_us: int) -> tuple[str, ...]:
        """Apply what is missing; the names of what was.

        Raises:
            Conflict: the store was made by a newer program, or an applied file was edited.
            Unavailable: another process has been migrating for too long.
        """
        if await self._has_ledger() and not await self._missing():
            return ()
        for table in TIDB.ledger:
            await self.execute(table)
        async with self._leased():
            todo = await self._missing()
            for migration in todo:
                await self._apply(migration, now_us)
        return tuple(migration.name for migration in todo)

    async def make_days(self, now_us: int) -> tuple[str, ...]:
        """See `MysqlEngine.make_days`. What lies beyond the last day waits in a partition of its
        own, so nothing is refused where this has not been done for a while."""
        if not await self._without_days(now_us):
            return ()
        async with self._leased():
            made = [
                await self._extend(table, days) for table, days in await self._without_days(now_us)
            ]
        return tuple(name for names in made for name in names)

    async def _without_days(self, now_us: int) -> list[tuple[str, range]]:
        """Tables parted by day, and the days they still lack."""
        today = now_us // DAY_US
        lacking = []
        for table, end_us in await self._partitioned():
            first = max(end_us // DAY_US, today - _DAYS_BACK) if end_us else today
            if first <= today + DAYS_LEFT:
                lacking.append((table, range(first, today + DAYS_AHEAD + 1)))
        return lacking

    async def _partitioned(self) -> list[tuple[str, int]]:
        """Tables with a partition `pmax`, and where their last day ends."""
        rows = await self.fetch(
            "SELECT table_name AS t, MAX(CASE WHEN partition_name = 'pmax' THEN 0 "
            "ELSE CAST(partition_description AS SIGNED) END) AS end_us "
            "FROM information_schema.partitions WHERE table_schema = DATABASE() "
            "AND partition_name IS NOT NULL GROUP BY table_name "
            "HAVING SUM(CASE WHEN partition_name = 'pmax' THEN 1 ELSE 0 END) > 0 "
            "ORDER BY table_name"
        )
        return [(str(row["t"]), int(row["end_us"])) for row in rows]

    async def _extend(self, table: str, days: range) -> list[str]:
        parts = [f"PARTITION {_named(day)} VALUES LESS THAN ({(day + 1) * DAY_US})" for day in days]
        try:
            await self.execute(
                f"ALTER TABLE {table} REORGANIZE PARTITION pmax INTO "
                f"({', '.join(parts)}, PARTITION pmax VALUES LESS THAN (MAXVALUE))"
            )
        except (Clash, MySQLError) as error:
            # Somebody reads for long, or the server does not part tables this way: `pmax` takes all
            # meanwhile, and retention goes row by row. The next time will do, or none.
            log.warning("store.days_not_made", table=table, error=str(error))
            return []
        return [f"{table}.{_named(day)}" for day in days]

    async def _has_ledger(self) -> bool:
        return bool(
            await self.fetch(
                "SELECT table_name AS t FROM information_schema.tables "
                "WHERE table_schema = DATABASE() AND table_name = 'schema_migrations'"
            )
        )

    async def _missing(self) -> list[Migration]:
        rows = await self.fetch("SELECT version, name, checksum FROM schema_migrations")
        return missing({row["version"]: (row["name"], row["checksum"]) for row in rows}, TIDB)

    async def _apply(self, migration: Migration, now_us: int) -> None:
        version = await self.version()
        rows = await self.fetch(
            "SELECT step FROM schema_steps WHERE version = ?", (migration.version,)
        )
        done = {int(row["step"]) for row in rows}
        for step, sql in enumerate(migration.statements):
            if step in done:
                continue
            try:
                await self.execute(rendered(sql, version))
            except MySQLError as error:
                if code_of(error) not in _DONE_ALREADY:
                    raise
            await self.execute(
                "INSERT INTO schema_steps (version, step) VALUES (?, ?) "
                "ON DUPLICATE KEY UPDATE step = step",
                (migration.version, step),
            )
        await self.execute(
            "INSERT INTO schema_migrations (version, name, checksum, applied_us) "
            "VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE version = version",
            (migration.version, migration.name, migration.checksum, now_us),
        )

    @asynccontextmanager
    async def _leased(self) -> AsyncIterator[None]:
        """Alone at the schema, as long as this process lives; the lease of one that died ends."""
        link = await self._another()
        await self._take(link)
        keeping = asyncio.create_task(self._keep(link))
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})
            await self.execute(
                "UPDATE schema_lease SET until_us = 0 WHERE name = 'schema' AND owner = ?",
                (self._owner,),
            )

    async def _take(self, link: Link) -> None:
        await self._run(
            link,
            "INSERT INTO schema_lease (name, owner, until_us) VALUES (?, ?, 0) "
            "ON DUPLICATE KEY UPDATE name = name",
            ("schema", ""),
        )
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + _PATIENCE_S
        while not await self._renewed(link, f"until_us < {_NOW_US}"):
            if loop.time() > give_up_s:
                raise Unavailable("another process has been changing the schema for too long")
            await asyncio.sleep(0.1)

    async def _keep(self, link: Link) -> None:
        while True:
            await asyncio.sleep(_LEASE_S / 3)
            await self._renewed(link, "1 = 0")

    async def _renewed(self, link: Link, condition: str) -> bool:
        answer = await self._run(
            link,
            f"UPDATE schema_lease SET owner = ?, until_us = {_NOW_US} + {_LEASE_S * 1_000_000} "
            f"WHERE name = 'schema' AND (owner = ? OR {condition})",
            (self._owner, self._owner),
        )
        return answer.count == 1

    async def _run(self, link: Link, sql: str, params: Sequence[Value]) -> Answer:
        self._on_statement(sql)
        try:
            return await link.run(statement(sql, params))
        except (MySQLError, OSError) as error:
            if code_of(error) in _DONE_ALREADY:
                raise
            raise told(error) from error


def rendered(sql: str, version: str) -> str:
    """The statement for this server. TiDB and MariaDB read it as it stands; MySQL would take TiDB's
    words for its own, so it gets MariaDB's, and knows no columns and indexes that may be there."""
    if "TiDB" in version or "MariaDB" in version:
        return sql
    plain = _MARIA_ONLY.sub(r"\1", _TIDB_ONLY.sub("", sql))
    return plain if "CREATE TABLE" in plain else plain.replace(" IF NOT EXISTS", "")


def _named(day: int) -> str:
    return f"p{datetime.fromtimestamp(day * 86_400, tz=UTC):%Y%m%d}"
