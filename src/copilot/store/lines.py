"""Log lines: appended as blocks to this process's open segment, read back by address and time."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from copilot.domain.errors import Busy
from copilot.domain.event import LineAddress, LogLine, Stream, level_of
from copilot.store.blocks import (
    Block,
    Line,
    OpenedBlock,
    pack_ids,
    unpack_ids,
)
from copilot.store.database import Database, Row, Value, marks
from copilot.store.retired import not_there
from copilot.store.streams import Streams
from copilot.store.tokens import LIST_OF_BLOCKS, blocks_with, bucket_of

SEGMENT_LINES = 200_000
SEGMENT_BYTES = 64 * 1024 * 1024
"""A segment that has reached either is sealed; the next block opens another."""

_CLAIMS = 5
"""Tries: each is lost to somebody who got on."""
_INLINE_BYTES = 256 * 1024
"""More text than this is compressed on a thread, so that nothing else waits for it."""
_MOST_BLOCKS = 100_000
_MOST_SEGMENTS = 20_000
"""A walk goes over so many at most."""
_GROUP = 16
"""Bodies read at once, at most; a walk starts with one."""
_HEADS = "SELECT segment_id, first_line, n, min_us, max_us, max_severity, streams FROM log_blocks"
FOREVER = 2**62
"""Microseconds no line reaches."""

Position = tuple[int, int, int]
"""Time, segment, line: the order of lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A block's place and what it holds, without its body."""

    segment: int
    first_line: int
    n: int
    min_us: int
    max_us: int
    max_severity: int
    streams: frozenset[int]

    @property
    def order(self) -> Position:
        return self.max_us, self.segment, self.first_line

    def position(self, line: Line) -> Position:
        return line.ts_us, self.segment, self.first_line + line.number


class LogLines:
    """Writes and reads lines."""

    def __init__(self, database: Database, writer: str) -> None:
        self._db = database
        self._writer = writer
        self._streams = Streams(database)

    async def append(self, lines: Block, *, now_us: int) -> LineAddress:
        """Store lines with lasting stream and template ids; the address of the first (the others
        follow one by one)."""
        blocks, bodies = await _encoded(lines)
        size = sum(map(len, bodies))
        segment, first_line = await self._claim(lines, size, now_us)
        rows: list[tuple[Value, ...]] = []
        line = first_line
        for block, body in zip(blocks, bodies, strict=True):
            rows.append(block_row(segment, line, block, body))
            line += len(block)
        await self._db.executemany(INSERT_BLOCK, rows)
        return LineAddress(segment=segment, line=first_line)

    async def at(self, address: LineAddress, before: int, after: int) -> tuple[LogLine, ...]:
        """See `Telemetry.lines_at`."""
        head, line = await self._find(address)
        here = head.position(line)
        streams = await self._streams.of_container(line.stream_id)
        earlier = await self._nearest(streams, here, before, is_before=True)
        later = await self._nearest(streams, here, after, is_before=False)
        return await self.read_back([*reversed(earlier), (here, line), *later])

    async def of(
        self, streams: frozenset[int], *, since_us: int, until_us: int, limit: int
    ) -> tuple[LogLine, ...]:
        """The newest `limit` lines of these streams in the range (ends included), oldest first."""
        found: list[tuple[Position, Line]] = []
        heads = self.newest_first(since_us=since_us, until_us=until_us)
        async for head, block in self.opened(heads, streams):
            if len(found) == limit and head.max_us < found[-1][0][0]:
                break
            found += [
                (head.position(line), line)
                for line in block.of_streams(streams)
                if since_us <= line.ts_us <= until_us
            ]
            found.sort(key=_position, reverse=True)
            del found[limit:]
        return await self.read_back(list(reversed(found)))

    async def newest_first(
        self, *, since_us: int, until_us: int, segments: Collection[int] | None = None
    ) -> AsyncIterator[Head]:
        """Blocks that may hold lines of the range, by their newest line; with `segments` only of
        these."""
        async for head in self._walk(since_us, until_us, segments, is_newest_first=True):
            yield head

    async def oldest_first(self, *, since_us: int) -> AsyncIterator[Head]:
        """Blocks that may hold lines from then on, by their oldest line."""
        async for head in self._walk(since_us, FOREVER, None, is_newest_first=False):
            yield head

    async def _walk(
        self,
        since_us: int,
        until_us: int,
        segments: Collection[int] | None,
        *,
        is_newest_first: bool,
    ) -> AsyncIterator[Head]:
        """Segment by segment, so that no index need lead with the time: what was read waits until
        no segment that is left can hold anything before it."""
        edge, order = ("max_us", "DESC") if is_newest_first else ("min_us", "ASC")
        sign = -1 if is_newest_first else 1
        rows = await self._db.fetch_all(
            f"SELECT id, {edge} AS edge FROM log_segments WHERE max_us >= ? AND min_us <= ? "
            f"ORDER BY {edge} {order}, id {order} LIMIT ?",
            (since_us, until_us, _MOST_SEGMENTS),
        )
        waiting: list[tuple[Position, Head]] = []
        left = _MOST_BLOCKS
        for row in rows:
            if segments is not None and row["id"] not in segments:
                continue
            while waiting and waiting[0][0][0] < sign * row["edge"]:
                yield heappop(waiting)[1]
            for found in await self._db.fetch_all(
                f"{_HEADS} WHERE segment_id = ? AND max_us >= ? AND min_us <= ? LIMIT ?",
                (row["id"], since_us, until_us, left),
            ):
                head = _head(found)
                at_us = head.max_us if is_newest_first else head.min_us
                place = sign * at_us, sign * head.segment, sign * head.first_line
                heappush(waiting, (place, head))
                left -= 1
            if left <= 0:
                break
        while waiting:
            yield heappop(waiting)[1]

    async def holding(
        self, hashes: Sequence[int], *, since_us: int, until_us: int
    ) -> AsyncIterator[Head]:
        """Blocks that may hold lines of the range with all of these rare tokens (see
        `copilot.store.tokens`), by their newest line.

        Of packed segments those that their filters name; of all others every block.
        """
        segments = await self._db.fetch_all(
            "SELECT id, is_packed FROM log_segments WHERE max_us >= ? AND min_us <= ?",
            (since_us, until_us),
        )
        packed = {row["id"] for row in segments if row["is_packed"]}
        named = await self._named_by_filters(hashes, packed)
        named = [head for head in named if head.max_us >= since_us and head.min_us <= until_us]
        others = {row["id"] for row in segments if not row["is_packed"]}
        waiting = self.newest_first(since_us=since_us, until_us=until_us, segments=others)
        async for head in waiting:
            while named and named[0].order > head.order:
                yield named.pop(0)
            yield head
        for head in named:
            yield head

    async def _named_by_filters(self, hashes: Sequence[int], packed: set[int]) -> list[Head]:
        found: dict[int, set[int]] | None = None
        for hashed in hashes:
            rows = await self._db.fetch_all(
                "SELECT segment_id, tokens FROM log_tokens WHERE bucket = ?", (bucket_of(hashed),)
            )
            here = {
                row["segment_id"]: blocks
                for row in rows
                if row["segment_id"] in packed and (blocks := blocks_with(hashed, row["tokens"]))
            }
            if found is not None:
                here = {s: both for s, b in here.items() if (both := b & found.get(s, set()))}
            found = here
        return await self._heads_of(found or {})

    async def _heads_of(self, numbers: Mapping[int, set[int]]) -> list[Head]:
        """By the numbers of blocks in their packed segments; newest first."""
        heads: list[Head] = []
        for segment, wanted in numbers.items():
            row = await self._db.fetch_one(
                "SELECT tokens FROM log_tokens WHERE bucket = ? AND segment_id = ?",
                (LIST_OF_BLOCKS, segment),
            )
            first_lines = (
                struct.unpack(f"<{len(row['tokens']) // 4}I", row["tokens"]) if row else ()
            )
            places = [first_lines[number] for number in sorted(wanted)]
            rows = await self._db.fetch_all(
                f"{_HEADS} WHERE segment_id = ? AND first_line IN ({marks(places)})",
                (segment, *places),
            )
            heads += map(_head, rows)
        return sorted(heads, key=lambda head: head.order, reverse=True)

    async def groups(
        self, heads: AsyncIterator[Head], streams: frozenset[int] | None, min_severity: int
    ) -> AsyncIterator[list[Head]]:
        """Heads that may hold what is looked for, a few more at a time."""
        group: list[Head] = []
        size = 1
        async for head in heads:
            is_other = streams is not None and head.streams.isdisjoint(streams)
            if is_other or head.max_severity < min_severity:
                continue
            group.append(head)
            if len(group) == size:
                yield group
                group, size = [], min(size * 2, _GROUP)
        if group:
            yield group

    async def opened(
        self, heads: AsyncIterator[Head], streams: frozenset[int] | None = None
    ) -> AsyncIterator[tuple[Head, OpenedBlock]]:
        """The blocks of these heads in the same order; with `streams` only those that hold any."""
        group: list[Head] = []
        size = 1
        async for head in heads:
            if streams is not None and head.streams.isdisjoint(streams):
                continue
            group.append(head)
            if len(group) == size:
                for one in await self.bodies(group):
                    yield one
                group, size = [], min(size * 2, _GROUP)
        for one in await self.bodies(group):
            yield one

    async def bodies(self, heads: list[Head]) -> list[tuple[Head, OpenedBlock]]:
        """The blocks of these heads."""
        if not heads:
            return []
        rows = await self._db.fetch_all(
            "SELECT segment_id, first_line, body_z FROM log_blocks WHERE "
            + " OR ".join(["(segment_id = ? AND first_line = ?)"] * len(heads)),
            [number for head in heads for number in (head.segment, head.first_line)],
        )
        bodies = {(row["segment_id"], row["first_line"]): row["body_z"] for row in rows}
        return [(head, OpenedBlock(bodies[head.segment, head.first_line])) for head in heads]

    async def _nearest(
        self, streams: frozenset[int], here: Position, count: int, *, is_before: bool
    ) -> list[tuple[Position, Line]]:
        """The `count` lines nearest to a place on one side of it, nearest first."""
        found: list[tuple[Position, Line]] = []
        if count <= 0:
            return found
        heads = (
            self.newest_first(since_us=-FOREVER, until_us=here[0])
            if is_before
            else self.oldest_first(since_us=here[0])
        )
        async for head, block in self.opened(heads, streams):
            if len(found) == count:
                farthest = found[-1][0][0]
                if head.max_us < farthest if is_before else head.min_us > farthest:
                    break
            for line in block.of_streams(streams):
                position = head.position(line)
                if position < here if is_before else position > here:
                    found.append((position, line))
            found.sort(key=_position, reverse=is_before)
            del found[count:]
        return found

    async def _find(self, address: LineAddress) -> tuple[Head, Line]:
        row = await self._db.fetch_one(
            f"{_HEADS} WHERE segment_id = ? AND first_line <= ? ORDER BY first_line DESC LIMIT 1",
            (address.segment, address.line),
        )
        if row is None or not 0 <= address.line < row["first_line"] + row["n"]:
            raise await not_there(self._db, address)
        head = _head(row)
        [(_, block)] = await self.bodies([head])
        return head, block.line(address.line - head.first_line)

    async def read_back(self, lines: list[tuple[Position, Line]]) -> tuple[LogLine, ...]:
        """The domain's lines, in the same order."""
        streams = await self._streams.named(line.stream_id for _, line in lines)
        return tuple(
            log_line(position, line, streams.get(line.stream_id, Stream()))
            for position, line in lines
        )

    async def _claim(self, lines: Block, size: int, now_us: int) -> tuple[int, int]:
        """Numbers for these lines: a segment, and the first of them in it.

        By compare-and-set: whoever seals a segment meanwhile makes the next one begin, and no
        number is given twice.
        """
        first_us, last_us = int(lines.ts_us.min()), int(lines.ts_us.max())
        for _ in range(_CLAIMS):
            row = await self._db.fetch_one(
                "SELECT id, n_lines, bytes FROM log_segments "
                "WHERE writer = ? AND sealed_us IS NULL ORDER BY opened_us DESC LIMIT 1",
                (self._writer,),
            )
            if row is None:
                new_id = await self._db.insert(
                    "INSERT INTO log_segments (writer, min_us, max_us, n_lines, bytes, opened_us, "
                    "sealed_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(self._writer, first_us, last_us, len(lines), size, now_us),
                        now_us if _is_full(len(lines), size) else None,
                    ),
                )
                return new_id or 0, 0
            n_lines, n_bytes = row["n_lines"] + len(lines), row["bytes"] + size
            claimed = await self._db.execute(
                "UPDATE log_segments SET n_lines = ?, bytes = ?, sealed_us = ?, "
                "min_us = CASE WHEN min_us < ? THEN min_us ELSE ? END, "
                "max_us = CASE WHEN max_us > ? THEN max_us ELSE ? END "
                "WHERE id = ? AND n_lines = ? AND sealed_us IS NULL",
                (
                    *(n_lines, n_bytes, now_us if _is_full(n_lines, n_bytes) else None),
                    *(first_us, first_us, last_us, last_us, row["id"], row["n_lines"]),
                ),
            )
            if claimed == 1:
                return row["id"], row["n_lines"]
        raise Busy("many write to one segment at once; send it again")


def _is_full(n_lines: int, size: int) -> bool:
    return n_lines >= SEGMENT_LINES or size >= SEGMENT_BYTES


INSERT_BLOCK = (
    "INSERT INTO log_blocks (segment_id, first_line, n, min_us, max_us, max_severity, "
    "streams, templates, body_z) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def block_row(segment: int, first_line: int, block: Block, body: bytes) -> tuple[Value, ...]:
    """What `INSERT_BLOCK` takes."""
    return (
        *(segment, first_line, len(block), int(block.ts_us.min()), int(block.ts_us.max())),
        *(int(block.severity.max()), pack_ids(block.stream), pack_ids(block.template), body),
    )


def log_line(position: Position, line: Line, stream: Stream) -> LogLine:
    """The domain's line."""
    ts_us, segment, number = position
    return LogLine(
        address=str(LineAddress(segment=segment, line=number)),
        ts_us=ts_us,
        level=level_of(line.severity),
        namespace=stream.namespace,
        app=stream.app,
        pod=stream.pod,
        container=stream.container,
        body=line.text,
    )


async def _encoded(lines: Block) -> tuple[list[Block], list[bytes]]:
    def work() -> tuple[list[Block], list[bytes]]:
        blocks = list(lines.parts())
        return blocks, [block.encode() for block in blocks]

    return await asyncio.to_thread(work) if len(lines.text) > _INLINE_BYTES else work()


def _position(one: tuple[Position, Line]) -> Position:
    return one[0]


def _head(row: Row) -> Head:
    return Head(
        segment=row["segment_id"],
        first_line=row["first_line"],
        n=row["n"],
        min_us=row["min_us"],
        max_us=row["max_us"],
        max_severity=row["max_severity"],
        streams=unpack_ids(row["streams"]),
    )
