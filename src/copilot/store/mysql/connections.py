"""Connections to one server: few, verified, not older than five minutes, kept for the next one."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from asyncmy import connect, converters
from asyncmy.connection import Connection
from asyncmy.cursors import Cursor
from asyncmy.errors import MySQLError, OperationalError

from copilot.domain.errors import Unavailable
from copilot.store.database import Row
from copilot.store.mysql.address import Address
from copilot.store.mysql.errors import is_lost, translated
from copilot.store.waiting import to_the_end

CONNECT_S = 10.0
"""From the first packet to a connection that is of use; some accept and then say nothing."""
ANSWER_S = 60.0
"""A statement that takes longer is given up, and its connection with it."""
LIFETIME_S = 300.0
"""Serverless front doors cut connections after half an hour; ours never get that old."""

MODE = "STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""Nothing is cut short silently, and backslashes escape (`literals.py`)."""
_LOCK_WAIT_S = 10
_GOODBYE_S = 1.0
_UNREACHED = 2003
_DECIMAL_TYPES = (0, 246)
_MATCHED = re.compile(rb"\A.?Rows matched: (\d+)", re.DOTALL)
"""What every server says of an UPDATE (`mysql_info()`); its count alone leaves out the unchanged.
TiDB puts the length of the text before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a statement brought."""

    rows: list[Row]
    count: int
    """Rows changed; of an UPDATE those found, as on SQLite."""
    new_id: int


class _Cursor(Cursor):
    """Does not ask for warnings: every upsert warns on MySQL 8, and they may quote what was sent."""

    async def _show_warnings(self, conn: Connection) -> None:
        return


class Link:
    """One connection, used by one task at a time. Its errors are the driver's."""

    def __init__(self, connection: Connection, now_s: float, answer_s: float) -> None:
        self._connection = connection
        # Kept, because the driver forgets it early; its types do not know of it.
        self._transport: asyncio.Transport = connection._transport  # type: ignore[attr-defined]
        self._born_s = now_s
        self._answer_s = answer_s

    @classmethod
    async def open(
        cls,
        address: Address,
        tls: ssl.SSLContext | None,
        *,
        isolation: str,
        answer_s: float = ANSWER_S,
        connect_s: float = CONNECT_S,
    ) -> Link:
        # Not to be cancelled half-way: the driver may swallow that, and leaves its socket behind.
        opening = asyncio.create_task(cls._opened(address, tls, isolation, answer_s, connect_s))
        try:
            return await to_the_end(opening)
        except asyncio.CancelledError:
            if opening.exception() is None:
                await opening.result().cut()
            raise

    @classmethod
    async def _opened(
        cls,
        address: Address,
        tls: ssl.SSLContext | None,
        isolation: str,
        answer_s: float,
        connect_s: float,
    ) -> Link:
        try:
            async with asyncio.timeout(connect_s):  # the driver's own ends with the first byte
                connection = await connect(
                    host=address.host,
                    port=address.port,
                    user=address.user,
                    password=address.password.encode(),
                    database=address.database,
                    ssl=tls,
                    charset="utf8mb4",
                    autocommit=True,
                    connect_timeout=CONNECT_S,
                    cursor_cls=_Cursor,
                    conv=_conversions(),
                    sql_mode=f"'{MODE}'",
                    program_name="incident-copilot",
                )
        except TimeoutError:
            raise OperationalError(_UNREACHED, f"no answer within {connect_s:.0f} s") from None
        link = cls(connection, asyncio.get_running_loop().time(), answer_s)
        try:
            for wish in (
                "NAMES utf8mb4 COLLATE utf8mb4_bin",
                "SESSION time_zone = '+00:00'",  # elsewhere one hour of the year comes twice
                f"SESSION TRANSACTION ISOLATION LEVEL {isolation}",
                f"SESSION innodb_lock_wait_timeout = {_LOCK_WAIT_S}",
            ):
                await link.run(f"SET {wish}".encode())
        except BaseException:
            await link.cut()
            raise
        return link

    @property
    def version(self) -> str:
        """As the server says it when it greets: `8.0.11-TiDB-v8.5.7`, `10.11.6-MariaDB`."""
        return str(self._connection.get_server_info())

    @property
    def is_tidb(self) -> bool:
        return "TiDB" in self.version

    def is_older_than(self, age_s: float, now_s: float) -> bool:
        return now_s - self._born_s > age_s

    async def run(self, sql: bytes) -> Answer:
        # Not the driver's own limit: on Python 3.11 that may swallow a cancellation.
        async with asyncio.timeout(self._answer_s), self._connection.cursor() as cursor:
            await cursor.execute(sql)
            rows = await cursor.fetchall()
            names = [column[0] for column in cursor.description or ()]
            return Answer(
                rows=[dict(zip(names, row, strict=True)) for row in rows],
                count=_count(cursor),
                new_id=cursor.lastrowid,
            )

    async def cut(self) -> None:
        """Ends it at once: the server rolls back what was open."""
        self._transport.abort()
        self._connection.close()
        await asyncio.sleep(0)  # for the loop to take it off its list

    async def end(self, *, patience_s: float = _GOODBYE_S) -> None:
        """Says good-bye first; who does not hear it, such as one that is gone, is not waited for."""
        try:
            async with asyncio.timeout(patience_s):
                await self._connection.ensure_closed()
        except (MySQLError, OSError):
            await self.cut()


class Pool:
    """At most `limit` links, handed out with a transaction begun on them."""

    def __init__(
        self,
        opening: Callable[[], Awaitable[Link]],
        *,
        limit: int,
        wait_s: float,
        busy: str,
        begin_s: float = CONNECT_S,
    ) -> None:
        """`begin_s`: an idle link that takes longer to begin is one that leads nowhere any more."""
        self._opening = opening
        self._begin_s = begin_s
        self._wait_s = wait_s
        self._busy = busy
        self._turns = asyncio.Semaphore(limit)
        self._idle: list[Link] = []
        self._is_closed = False

    async def take(self, begin: bytes) -> Link:
        """A link in a fresh transaction: to begin one tells whether the other side is still there.

        Raises:
            Unavailable: the server cannot be reached, or no link comes free in time.
        """
        self._refuse_if_closed()
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turns.acquire()
        except TimeoutError:
            raise Unavailable(self._busy) from None
        try:
            self._refuse_if_closed()
            return await self._begun(begin)
        except BaseException:
            self._turns.release()
            raise

    async def give_back(self, link: Link, *, is_clean: bool) -> None:
        """Once the transaction has ended; one that has not, or may not have, is cut off."""
        try:
            if is_clean and not self._is_closed:
                self._idle.append(link)
            else:
                await link.cut()
        finally:
            self._turns.release()

    async def close(self) -> None:
        self._is_closed = True
        idle, self._idle = self._idle, []
        for link in idle:
            await link.end()

    async def _begun(self, begin: bytes) -> Link:
        now_s = asyncio.get_running_loop().time()
        while self._idle:
            link = self._idle.pop()
            if link.is_older_than(LIFETIME_S, now_s):
                await link.end()
                continue
            try:
                async with asyncio.timeout(self._begin_s):
                    await link.run(begin)
            except (MySQLError, OSError) as error:
                await link.cut()
                if not is_lost(error):
                    raise told(error) from error
            except BaseException:
                await link.cut()
                raise
            else:
                return link
        try:
            link = await self._opening()
        except (MySQLError, OSError) as error:
            raise told(error) from error
        try:
            await link.run(begin)
        except BaseException as error:
            await link.cut()
            if isinstance(error, MySQLError | OSError):
                raise told(error) from error
            raise
        return link

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise Unavailable("the store is closed")


def told(error: Exception, *, is_commit: bool = False) -> Exception:
    """The error in the domain's words; a bug of ours stays what it is."""
    return translated(error, is_commit=is_commit) or error


def _count(cursor: Cursor) -> int:
    said: bytes = cursor._result.message  # type: ignore[attr-defined]  # its types leave it out
    n = matched(said)
    return int(str(cursor.rowcount)) if n is None else n


def matched(said: bytes | None) -> int | None:
    """Rows that an UPDATE found, None where a server says nothing of that."""
    found = _MATCHED.match(said or b"")
    return int(found[1]) if found else None


def _conversions() -> dict[object, object]:
    """Sums of whole numbers come as decimals; ours are numbers again."""
    return converters.conversions | dict.fromkeys(_DECIMAL_TYPES, _number)


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)
