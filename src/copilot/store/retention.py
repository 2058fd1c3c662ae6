"""Retention: what is older or more than is kept goes, in small steps that nobody waits for.

Each step is a transaction of its own, and each can be run again: a run that is cut off leaves less
to do for the next. Whole days go at once where a table is partitioned by day; elsewhere rows go
along an index, owner by owner (`Shelf`), so that no step reads a whole table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from copilot.domain.retention import DAY_US, Keep, Policy, Retired, Tier
from copilot.store.again import again
from copilot.store.database import Database, Day, Engine, Row, Value, marks
from copilot.store.names import Names
from copilot.store.shelves import SHELVES, Shelf, full_before, older, older_of, owners

T = TypeVar("T")

STEP_ROWS = 1_000
STEP_BLOCKS = 32
"""At 3 MiB of text at most that is some 20 MiB on disk."""
_SLACK_US = 2 * DAY_US
PAUSE_S = 0.005
"""Between two steps: other processes that write get their turn."""
_QUEUES_OF_INCIDENTS = ("investigate", "consult")
"""Not `remediate`: what was approved comes to an end that people can see."""


class Retention:
    """What goes from one store."""

    def __init__(self, engine: Engine, policy: Policy, *, now_us: int, is_dry: bool) -> None:
        self._engine = engine
        self._policy = policy
        self._now_us = now_us
        self._is_dry = is_dry

    async def run(self) -> tuple[Retired, ...]:
        """What went of each tier that has a bound; what would, where it is dry."""
        done: list[Retired] = []
        for tier, keep in self._policy.items():
            done.append(await self._of_tier(tier, keep))
        return tuple(done)

    async def _write(self, work: Callable[[Database], Awaitable[T]]) -> T:
        """One step, again where it clashed with somebody's."""

        async def once() -> T:
            async with self._engine.transaction() as database:
                return await work(database)

        return await again(once, asyncio.sleep)

    async def _of_tier(self, tier: Tier, keep: Keep) -> Retired:
        shelves = {shelf.tier: shelf for shelf in SHELVES}
        if tier is Tier.LINES:
            return await self._lines(keep)
        if tier is Tier.FEED:
            return await self._feed(keep)
        if tier is Tier.MESSAGES:
            return await self._messages(keep)
        if tier is Tier.JOBS:
            return await self._jobs(keep)
        if tier is Tier.NAMES:
            return await self._names(keep)
        return await self._shelf(shelves[tier], keep)

    # ---------------------------------------------------------------- rows

    async def _shelf(self, shelf: Shelf, keep: Keep) -> Retired:
        if days := await self._engine.days(shelf.table):
            return await self._days(shelf, keep, days)
        async with self._engine.view() as database:
            shelf = shelf.on(database)
        before_us, reason = await self._bound(shelf, keep)
        n = 0
        if before_us is not None:
            take = self._versions if shelf.tier is Tier.CHANGES else self._rows
            n = await take(shelf, before_us)
        return _retired(shelf.tier, n, before_us, reason)

    async def _days(self, shelf: Shelf, keep: Keep, days: list[Day]) -> Retired:
        """Whole days that are over, the oldest first."""
        by_age = keep.before_us(self._now_us)
        over = 0 if keep.size is None else sum(day.n for day in days) - keep.size
        gone: list[Day] = []
        reason = "age"
        for day in days:
            is_old = by_age is not None and day.end_us <= by_age
            if day.end_us > self._now_us or not (is_old or over > 0):
                break
            reason = "age" if is_old else "size"
            gone.append(day)
            over -= day.n
        if gone and not self._is_dry:
            for table in (shelf.table, *shelf.parted_with):
                until_us = gone[-1].end_us
                names = [
                    day.name for day in await self._engine.days(table) if day.end_us <= until_us
                ]
                await self._engine.drop_days(table, names)
        before_us = gone[-1].end_us if gone else None
        return _retired(shelf.tier, sum(day.n for day in gone), before_us, reason)

    async def _bound(self, shelf: Shelf, keep: Keep) -> tuple[int | None, str]:
        """What is older goes, and which of the two bounds says so."""
        by_age = keep.before_us(self._now_us)
        by_size: int | None = None
        if keep.size is not None:
            async with self._engine.view() as database:
                by_size = await full_before(database, shelf, keep.size, self._now_us)
        if by_size is not None and (by_age is None or by_size > by_age):
            return by_size, "size"
        return by_age, "age"

    async def _rows(self, shelf: Shelf, before_us: int) -> int:
        if self._is_dry:
            async with self._engine.view() as database:
                return await older(database, shelf, before_us)
        n = 0
        async with self._engine.view() as database:
            everybody = [owner async for owner in owners(database, shelf)]
        for owner in everybody:
            while taken := await self._step(shelf, owner, before_us):
                n += taken
                if taken < STEP_ROWS:
                    break
                await asyncio.sleep(PAUSE_S)
        return n

    async def _step(self, shelf: Shelf, owner: tuple[Value, ...], before_us: int) -> int:
        """The oldest rows of one owner; how many went."""
        old = f"FROM {shelf.table} WHERE {shelf.is_of_owner}{shelf.time} < ?"
        async with self._engine.view() as database:
            last = await database.fetch_one(
                f"SELECT {shelf.time} AS at {old} ORDER BY {shelf.time} LIMIT 1 OFFSET ?",
                (*owner, before_us, STEP_ROWS - 1),
            )
            if last is None and not await database.fetch_one(
                f"SELECT {shelf.time} AS at {old} LIMIT 1", (*owner, before_us)
            ):
                return 0  # most owners have nothing old: no need to write for that
        until_us = before_us if last is None else int(last["at"]) + 1
        return await self._write(
            lambda database: database.execute(f"DELETE {old}", (*owner, until_us))
        )

    # ---------------------------------------------------------------- lines

    async def _lines(self, keep: Keep) -> Retired:
        before_us, reason = keep.before_us(self._now_us), "age"
        async with self._engine.view() as database:
            segments = await database.fetch_all(
                "SELECT id, min_us, max_us, bytes, sealed_us FROM log_segments "
                "WHERE n_retired < n_lines ORDER BY max_us, id"
            )
        by_size = _fits_before(segments, keep.size)
        if by_size is not None and (before_us is None or by_size > before_us):
            before_us, reason = by_size, "size"
        n = size = 0
        if before_us is not None:
            for segment in segments:
                if segment["min_us"] < before_us:
                    lines, freed = await self._segment(segment["id"], before_us)
                    n, size = n + lines, size + freed
        return _retired(Tier.LINES, n, before_us, reason, size)

    async def _segment(self, segment: int, before_us: int) -> tuple[int, int]:
        """How many lines went of it, and how many bytes."""
        if self._is_dry:
            async with self._engine.view() as database:
                row = await database.fetch_one(
                    "SELECT COALESCE(SUM(n), 0) AS n, COALESCE(SUM(LENGTH(body_z)), 0) AS size "
                    "FROM log_blocks WHERE segment_id = ? AND max_us < ?",
                    (segment, before_us),
                )
                return (int(row["n"]), int(row["size"])) if row else (0, 0)
        n = size = 0
        while True:
            blocks = await self._blocks(segment, before_us)
            n += sum(block["n"] for block in blocks)
            size += sum(block["size"] for block in blocks)
            if len(blocks) < STEP_BLOCKS:
                return n, size
            await asyncio.sleep(PAUSE_S)

    async def _blocks(self, segment: int, before_us: int) -> list[Row]:
        """The first old blocks of a segment, which went."""

        async def take(database: Database) -> list[Row]:
            blocks = await database.fetch_all(
                "SELECT first_line, n, LENGTH(body_z) AS size FROM log_blocks "
                "WHERE segment_id = ? AND max_us < ? ORDER BY first_line LIMIT ?",
                (segment, before_us, STEP_BLOCKS),
            )
            if not blocks:
                return blocks
            await database.execute(
                "DELETE FROM log_blocks WHERE segment_id = ? AND max_us < ? AND first_line <= ?",
                (segment, before_us, blocks[-1]["first_line"]),
            )
            freed = sum(block["size"] for block in blocks)
            await database.execute(
                "UPDATE log_segments SET n_retired = n_retired + ?, retired_us = ?, "
                "bytes = CASE WHEN bytes > ? THEN bytes - ? ELSE 0 END WHERE id = ?",
                (sum(block["n"] for block in blocks), self._now_us, freed, freed, segment),
            )
            return blocks

        return await self._write(take)

    # ---------------------------------------------------------------- objects

    async def _versions(self, shelf: Shelf, before_us: int) -> int:
        """Old versions, but for the newest of an object that exists; objects long deleted."""
        async with self._engine.view() as database:
            clusters = [str(cluster) async for (cluster,) in owners(database, shelf)]
        n = 0
        for cluster in clusters:
            since_us: int | None = -(1 << 62)
            while since_us is not None:
                taken, since_us = await self._version_step(cluster, since_us, before_us)
                n += taken
                await asyncio.sleep(0 if self._is_dry else PAUSE_S)
            if not self._is_dry:
                await self._objects(cluster, before_us)
        return n

    async def _version_step(
        self, cluster: str, since_us: int, before_us: int
    ) -> tuple[int, int | None]:
        """How many went of the next ones, and where to go on."""
        async with self._engine.view() as database:
            rows = await database.fetch_all(
                "SELECT v.uid, v.resource_version, v.is_deleted, v.ts_us, "
                "(SELECT MAX(n.ts_us) FROM k8s_object_versions n WHERE n.cluster = v.cluster "
                "AND n.uid = v.uid) AS newest_us, "
                "(SELECT COUNT(*) FROM k8s_objects o WHERE o.cluster = v.cluster "
                "AND o.uid = v.uid AND o.deleted_us IS NULL) AS exist "
                "FROM k8s_object_versions v WHERE v.cluster = ? AND v.ts_us >= ? AND v.ts_us < ? "
                "ORDER BY v.ts_us LIMIT ?",
                (cluster, since_us, before_us, STEP_ROWS),
            )
        old = [row for row in rows if not row["exist"] or row["ts_us"] < row["newest_us"]]
        if old and not self._is_dry:
            keys = [
                (cluster, row["uid"], row["resource_version"], row["is_deleted"]) for row in old
            ]
            await self._write(
                lambda database: database.executemany(
                    "DELETE FROM k8s_object_versions WHERE cluster = ? AND uid = ? "
                    "AND resource_version = ? AND is_deleted = ?",
                    keys,
                )
            )
        if len(rows) < STEP_ROWS:
            return len(old), None
        last_us = int(rows[-1]["ts_us"])
        # So many of one microsecond do not come from a cluster; go on all the same.
        return len(old), last_us if last_us > since_us else last_us + 1

    async def _objects(self, cluster: str, before_us: int) -> None:
        shelf = Shelf(tier=Tier.CHANGES, table="k8s_objects", owner="cluster", time="deleted_us")
        while await self._step(shelf, (cluster,), before_us) >= STEP_ROWS:
            await asyncio.sleep(PAUSE_S)

    # ---------------------------------------------------------------- feed, messages, jobs

    async def _feed(self, keep: Keep) -> Retired:
        """The beginning of each cluster's feed; its last entry stays, whatever its age."""
        async with self._engine.view() as database:
            heads = await database.fetch_all("SELECT cluster, seq FROM feed_heads")
        n = 0
        before_us = keep.before_us(self._now_us)
        for head in heads:
            n += await self._feed_of(head["cluster"], head["seq"], before_us, keep.size)
        return _retired(Tier.FEED, n, before_us, "age" if before_us else "size")

    async def _feed_of(
        self, cluster: str, head: int, before_us: int | None, size: int | None
    ) -> int:
        n = after = 0
        full = 0 if size is None else head - size
        while True:
            async with self._engine.view() as database:
                rows = await database.fetch_all(
                    "SELECT seq, ts_us FROM feed WHERE cluster = ? AND seq > ? "
                    "ORDER BY seq LIMIT ?",
                    (cluster, after, STEP_ROWS),
                )
            old = 0
            for row in rows:
                is_old = before_us is not None and row["ts_us"] < before_us
                if row["seq"] == head or not (is_old or row["seq"] <= full):
                    break
                old, after = old + 1, row["seq"]
            if old and not self._is_dry:
                await self._write(_feed_until(cluster, after))
            n += old
            if old < STEP_ROWS:
                return n
            await asyncio.sleep(PAUSE_S)

    async def _messages(self, keep: Keep) -> Retired:
        """Those that are settled; when they last were due is their time."""
        before_us = keep.before_us(self._now_us)
        shelf = Shelf(tier=Tier.MESSAGES, table="notifications", owner="status", time="next_us")
        n = 0
        if before_us is not None:
            for status in ("delivered", "unknown", "failed", "not_set_up"):
                if self._is_dry:
                    async with self._engine.view() as database:
                        n += await older_of(database, shelf, (status,), before_us)
                    continue
                while taken := await self._step(shelf, (status,), before_us):
                    n += taken
        return _retired(Tier.MESSAGES, n, before_us, "age")

    async def _jobs(self, keep: Keep) -> Retired:
        """Those that wait for longer and whose incident is resolved."""
        before_us = keep.before_us(self._now_us)
        n = 0
        for queue in _QUEUES_OF_INCIDENTS if before_us is not None else ():
            async with self._engine.view() as database:
                waiting = await database.fetch_all(
                    "SELECT id, payload FROM jobs WHERE queue = ? AND state = 'ready' "
                    "AND run_us < ? ORDER BY run_us LIMIT ?",
                    (queue, before_us, STEP_ROWS),
                )
                ids = [row["payload"] for row in waiting]
                resolved = await database.fetch_all(
                    "SELECT id FROM incidents WHERE resolved_us IS NOT NULL "
                    f"AND id IN ({marks(ids)})",
                    [int(one) for one in ids],
                )
            over = {str(row["id"]) for row in resolved}
            old = [row["id"] for row in waiting if row["payload"] in over]
            if old and not self._is_dry:
                await self._write(_jobs_of(old))
            n += len(old)
        return _retired(Tier.JOBS, n, before_us, "age")

    async def _names(self, keep: Keep) -> Retired:
        """Some days later than their tiers say: a day goes when it is over, a block with its last
        line."""
        before_us = keep.before_us(self._now_us)
        n = 0
        if before_us is not None:
            before_us -= _SLACK_US
            n = await Names(self._engine, self._write, is_dry=self._is_dry).retire(before_us)
        return _retired(Tier.NAMES, n, before_us, "age")


def _feed_until(cluster: str, seq: int) -> Callable[[Database], Awaitable[int]]:
    return lambda database: database.execute(
        "DELETE FROM feed WHERE cluster = ? AND seq <= ?", (cluster, seq)
    )


def _jobs_of(ids: Sequence[int]) -> Callable[[Database], Awaitable[int]]:
    return lambda database: database.execute(
        f"DELETE FROM jobs WHERE state = 'ready' AND id IN ({marks(ids)})", ids
    )


def _fits_before(segments: list[Row], size: int | None) -> int | None:
    """What is older than this goes until `size` bytes are left, None where there is room.

    Only sealed segments go for their size: of an open one the newest lines would go, too.
    """
    over = 0 if size is None else sum(segment["bytes"] for segment in segments) - size
    before_us: int | None = None
    for segment in segments:
        if over <= 0:
            break
        if segment["sealed_us"] is not None:
            before_us, over = int(segment["max_us"]) + 1, over - segment["bytes"]
    return before_us


def _retired(tier: Tier, n: int, before_us: int | None, reason: str, size: int = 0) -> Retired:
    return Retired(
        tier=tier,
        n=n,
        bytes=size,
        before_us=before_us if n and before_us else 0,
        reason=reason if n else "",
    )
