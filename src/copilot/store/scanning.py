"""Looking through blocks for lines, newest first and within a bound, from any place on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Container
from dataclasses import dataclass

import numpy as np

from copilot.domain.search import Query
from copilot.store.blocks import Flags, Line, OpenedBlock
from copilot.store.database import Database
from copilot.store.lines import FOREVER, Head, LogLines, Position
from copilot.store.needles import Needles
from copilot.store.streams import Streams
from copilot.store.tokens import hashes_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """Lines that fit, newest first: all of those newer than `back_to_us` (0: all there are)."""

    lines: list[tuple[Position, Line]]
    back_to_us: int
    n_lines: int
    """How many were looked at."""


class Scanning:
    """Walks over one snapshot."""

    def __init__(self, database: Database, lines: LogLines) -> None:
        self._lines = lines
        self._streams = Streams(database)

    async def newest(
        self,
        query: Query,
        needles: Needles,
        *,
        before: Position,
        limit: int,
        most_lines: int,
        without: Container[str] = (),
    ) -> Scanned:
        """The newest `limit` that fit, of those before a place and not at these addresses; looks
        at about `most_lines`."""
        words, excluded = needles.as_bytes
        streams = await self._wanted_streams(query)
        until_us = min(query.until_us, before[0])
        stream_ids = None if streams is None else np.array(sorted(streams), np.int64)

        def among(head: Head, block: OpenedBlock) -> Flags | None:
            # Before any text is read, where only some lines can fit: of most blocks few do.
            is_whole = query.since_us <= head.min_us and head.max_us <= until_us
            if is_whole and stream_ids is None and not query.min_severity:
                return None
            lines = block.numbers
            is_fit = (lines.ts_us >= query.since_us) & (lines.ts_us <= until_us)
            is_fit &= lines.severity >= query.min_severity
            return is_fit if stream_ids is None else is_fit & np.isin(lines.stream, stream_ids)

        def fitting(blocks: list[tuple[Head, OpenedBlock]]) -> list[tuple[Position, Line]]:
            return [
                (head.position(line), line)
                for head, block in blocks
                for line in block.containing(words, excluded, among(head, block))
                if head.position(line) < before
                and f"{head.segment}:{head.first_line + line.number}" not in without
            ]

        found: list[tuple[Position, Line]] = []
        n_lines, reached_us = 0, FOREVER
        heads = self._heads(query, needles, before)
        async for group in self._lines.groups(heads, streams, query.min_severity):
            newest_us = group[0].max_us
            is_further = newest_us < min(reached_us, before[0])
            if is_further and (n_lines >= most_lines or _is_enough(found, limit, newest_us)):
                newer = [one for one in found if one[0][0] > newest_us]
                lines = sorted(newer, key=_position, reverse=True)[:limit]
                return Scanned(lines=lines, back_to_us=newest_us, n_lines=n_lines)
            reached_us = group[-1].max_us
            n_lines += sum(head.n for head in group)
            found += await asyncio.to_thread(fitting, await self._lines.bodies(group))
        lines = sorted(found, key=_position, reverse=True)
        last_us = lines[limit - 1][0][0] if len(lines) > limit else 0
        return Scanned(lines=lines[:limit], back_to_us=last_us, n_lines=n_lines)

    def _heads(self, query: Query, needles: Needles, before: Position) -> AsyncIterator[Head]:
        """Rare tokens (ids, addresses, hashes) are looked up where segments are packed."""
        until_us = min(query.until_us, before[0])
        hashes = sorted({one for text in needles.wanted for one in hashes_of(text)})
        if hashes:
            return self._lines.holding(hashes, since_us=query.since_us, until_us=until_us)
        return self._lines.newest_first(since_us=query.since_us, until_us=until_us)

    async def _wanted_streams(self, query: Query) -> frozenset[int] | None:
        if not (query.namespace or query.app):
            return None
        return await self._streams.of_place(query.namespace, query.app)


def _is_enough(found: list[tuple[Position, Line]], limit: int, newest_us: int) -> bool:
    """What is still to come, no newer than this, is older than the newest `limit`."""
    return sum(position[0] > newest_us for position, _ in found) >= limit


def _position(one: tuple[Position, Line]) -> Position:
    return one[0]
