"""Streams, their series, and templates to which nothing belongs any more.

They are few beside what points to them, but in a cluster that rolls out all day they only grow. One
goes when it was not seen for longer than anything that cites it is kept; a process that still knows
its id asks for it again by then (`TRUSTED_US`, `LATELY_US`). The newest one stays: SQLite would give
its id to the next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from copilot.store.database import Database, Engine, Row, marks

STEP = 100
"""Rows of a transaction, or a family."""
Write = Callable[[Callable[[Database], Awaitable[int]]], Awaitable[int]]
_OF_STREAM = (
    "SELECT 1 AS one FROM raw_events WHERE stream_id = ? LIMIT 1",
    "SELECT 1 AS one FROM spans WHERE stream_id = ? LIMIT 1",
    """SELECT 1 AS one FROM series s JOIN metric_rollups r ON r.series_id = s.id
    WHERE s.stream_id = ? LIMIT 1""",
)
"""What would still belong to one: kept by a clock that is off, for one. Not asked of counts, which
no index finds by stream: none is later than its stream was seen, and they go before it."""


class _Seen(Exception):
    """A family was seen again, counted or joined meanwhile: all of it stays."""


class Names:
    """What goes of one store; `write` does one step in a transaction of its own."""

    def __init__(self, engine: Engine, write: Write, *, is_dry: bool) -> None:
        self._engine = engine
        self._write = write
        self._is_dry = is_dry

    async def retire(self, before_us: int) -> int:
        """How many streams and templates that were not seen since went, or would."""
        n, after = 0, 0
        while rows := await self._unseen("streams", "last_seen_us", before_us, after):
            after = int(rows[-1]["id"])
            n += await self._streams([int(row["id"]) for row in rows], before_us)
        after = 0
        while rows := await self._unseen("templates", "last_us", before_us, after):
            after = int(rows[-1]["id"])
            n += await self._templates([int(row["id"]) for row in rows], before_us)
        return n

    async def _unseen(self, table: str, time: str, before_us: int, after: int) -> list[Row]:
        """The next ones along the key."""
        async with self._engine.view() as database:
            return await database.fetch_all(
                f"SELECT id FROM {table} WHERE id > ? AND {time} < ? "
                f"AND id < (SELECT MAX(id) FROM {table}) ORDER BY id LIMIT ?",
                (after, before_us, STEP),
            )

    async def _streams(self, ids: Sequence[int], before_us: int) -> int:
        async with self._engine.view() as database:
            bare = [one for one in ids if not await _has_any(database, _OF_STREAM, one)]
        if self._is_dry or not bare:
            return len(bare)

        async def take(database: Database) -> int:
            n = 0
            for one in bare:
                if await database.execute(
                    "DELETE FROM streams WHERE id = ? AND last_seen_us < ?", (one, before_us)
                ):
                    await database.execute("DELETE FROM series WHERE stream_id = ?", (one,))
                    n += 1
            return n

        return await self._write(take)

    async def _templates(self, ids: Sequence[int], before_us: int) -> int:
        """Those whose whole family is over: its oldest stands for all of it."""
        async with self._engine.view() as database:
            rows = await database.fetch_all(
                "SELECT o.family_id, o.template_id, t.last_us FROM template_families o "
                "JOIN templates t ON t.id = o.template_id WHERE o.family_id IN "
                f"(SELECT family_id FROM template_families WHERE template_id IN ({marks(ids)}))",
                list(ids),
            )
            newest = await database.fetch_one("SELECT MAX(id) AS id FROM templates")
            families: dict[int, list[int]] = {}
            seen = {
                int(row["family_id"])
                for row in rows
                if row["last_us"] >= before_us or (newest and row["template_id"] == newest["id"])
            }
            for row in rows:
                families.setdefault(int(row["family_id"]), []).append(int(row["template_id"]))
            over = [
                (family, members)
                for family, members in families.items()
                if family not in seen and not await _is_counted(database, members)
            ]
        if self._is_dry:
            return sum(len(set(members) & set(ids)) for _, members in over)
        return sum([await self._family(*one, before_us) for one in over])

    async def _family(self, family: int, members: Sequence[int], before_us: int) -> int:
        async def take(database: Database) -> int:
            for one in members:
                if not await database.execute(
                    "DELETE FROM templates WHERE id = ? AND last_us < ?", (one, before_us)
                ):
                    raise _Seen
                await database.execute(
                    "DELETE FROM template_families WHERE template_id = ?", (one,)
                )
            # From here on who writes one of them waits; who was before us has committed.
            if await _is_counted(database, members) or await database.fetch_one(
                "SELECT 1 AS one FROM template_families WHERE family_id = ? LIMIT 1", (family,)
            ):
                raise _Seen
            return len(members)

        try:
            return await self._write(take)
        except _Seen:
            return 0


async def _has_any(database: Database, questions: Sequence[str], one: int) -> bool:
    for sql in questions:
        if await database.fetch_one(sql, (one,)):
            return True
    return False


async def _is_counted(database: Database, members: Sequence[int]) -> bool:
    question = "SELECT 1 AS one FROM template_counts WHERE template_id = ? LIMIT 1"
    for one in members:
        if await database.fetch_one(question, (one,)):
            return True
    return False
