"""Sealing and packing: what is done with segments once they take no more lines.

A segment is sealed when it is full, or old enough. Packing merges its small blocks, some MiB in a
transaction (TiDB has a bound, on TiDB Cloud a low one), and writes the filter of its rare tokens
with the last. Each changes nothing if its blocks have changed meanwhile: who crashes leaves a
segment that is packed again, who packs what somebody else packs has done nothing. Lines keep their
numbers, so addresses lead where they led before.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from copilot.store.blocks import MAX_BYTES, MAX_LINES, MAX_SPAN_US, Block, OpenedBlock, joined
from copilot.store.database import Database, Engine, Row, Value, marks
from copilot.store.lines import INSERT_BLOCK, block_row
from copilot.store.tokens import BUCKETS, LIST_OF_BLOCKS, Hashes, filters, hashes_in

SEAL_AFTER_US = 15 * 60 * 1_000_000
"""How long a segment takes lines at most: what comes in little by little is merged, too."""
_READ_AT_ONCE = 8
WRITE_BYTES = 4 * 1024 * 1024
"""Of merged blocks in one transaction, and one block more."""
_ROWS_AT_ONCE = 64
"""Rows of a filter; some 3 KiB each."""
_FORGET_AT_ONCE = 16


class _Changed(Exception):
    """Of a segment some was retired or merged meanwhile: it is packed again, as it is then."""


class Packing:
    """Works on one segment at a time, the oldest first."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def seal(self, now_us: int) -> int:
        """Seal what has been open for long, whoever writes to it or did once; how many."""
        before_us = now_us - SEAL_AFTER_US
        async with self._engine.view() as database:
            old = await database.fetch_one(
                "SELECT id FROM log_segments WHERE sealed_us IS NULL AND opened_us < ? LIMIT 1",
                (before_us,),
            )
        if old is None:
            return 0
        async with self._engine.transaction() as database:
            return await database.execute(
                "UPDATE log_segments SET sealed_us = ? WHERE sealed_us IS NULL AND opened_us < ?",
                (now_us, before_us),
            )

    async def pack_one(self) -> bool:
        """Pack the next sealed segment; whether there was one."""
        async with self._engine.view() as database:
            segment = await database.fetch_one(
                "SELECT id FROM log_segments WHERE is_packed = 0 AND sealed_us IS NOT NULL "
                "ORDER BY sealed_us LIMIT 1"
            )
            if segment is None:
                return False
            packed = await _packed(database, segment["id"])
        with suppress(_Changed):
            for part in _parts(packed):
                async with self._engine.transaction() as database:
                    await _replace(database, segment["id"], part)
            async with self._engine.transaction() as database:
                await _finish(database, segment["id"], packed)
        return True

    async def forget(self) -> int:
        """Remove the filters of segments whose blocks are all retired; how many."""
        async with self._engine.view() as database:
            rows = await database.fetch_all(
                "SELECT t.segment_id FROM log_tokens t WHERE t.bucket = ? AND NOT EXISTS "
                "(SELECT 1 FROM log_blocks b WHERE b.segment_id = t.segment_id) LIMIT ?",
                (LIST_OF_BLOCKS, _FORGET_AT_ONCE),
            )
        for row in rows:
            async with self._engine.transaction() as database:
                buckets = range(LIST_OF_BLOCKS, BUCKETS)
                await database.executemany(
                    "DELETE FROM log_tokens WHERE bucket = ? AND segment_id = ?",
                    [(bucket, row["segment_id"]) for bucket in buckets],
                )
        return len(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A stored block, opened."""

    first_line: int
    size: int
    """Bytes on disk."""
    block: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class _Merged:
    """A block of the packed segment."""

    old: tuple[int, ...]
    """First lines of what it is made of."""
    row: tuple[Value, ...] | None
    """None where it stays as it is."""
    hashes: Hashes
    gain: int
    """Bytes that are saved."""
    size: int = 0
    """Bytes that are written."""


async def _packed(database: Database, segment: int) -> list[_Merged]:
    """What a segment is to be; its lines pass by a few blocks at a time."""
    merged: list[_Merged] = []
    pending: list[_Piece] = []
    after, is_last = -1, False
    while not is_last:
        rows = await database.fetch_all(
            "SELECT first_line, body_z FROM log_blocks WHERE segment_id = ? AND first_line > ? "
            "ORDER BY first_line LIMIT ?",
            (segment, after, _READ_AT_ONCE),
        )
        is_last = len(rows) < _READ_AT_ONCE
        done, pending = await asyncio.to_thread(_merge_more, segment, pending, rows, is_last)
        merged += done
        after = rows[-1]["first_line"] if rows else after
    return merged


def _merge_more(
    segment: int, pending: list[_Piece], rows: list[Row], is_last: bool
) -> tuple[list[_Merged], list[_Piece]]:
    """Blocks that are finished, and what waits for more."""
    done: list[_Merged] = []
    for row in rows:
        body = row["body_z"]
        piece = _Piece(
            first_line=row["first_line"], size=len(body), block=OpenedBlock(body).columns
        )
        if pending and not _fit([*pending, piece]):
            done.append(_merge(segment, pending))
            pending = []
        pending.append(piece)
    if is_last and pending:
        return [*done, _merge(segment, pending)], []
    return done, pending


def _fit(pieces: list[_Piece]) -> bool:
    """Whether these make one block of a good size."""
    *_, before, last = pieces
    blocks = [piece.block for piece in pieces]
    span_us = max(int(b.ts_us.max()) for b in blocks) - min(int(b.ts_us.min()) for b in blocks)
    return (
        before.first_line + len(before.block) == last.first_line
        and sum(map(len, blocks)) <= MAX_LINES
        and sum(len(block.text) for block in blocks) <= MAX_BYTES
        and span_us <= MAX_SPAN_US
    )


def _merge(segment: int, pieces: list[_Piece]) -> _Merged:
    old = tuple(piece.first_line for piece in pieces)
    if len(pieces) == 1:
        [piece] = pieces
        hashes = hashes_in(piece.block.text, piece.block.lengths)
        return _Merged(old=old, row=None, hashes=hashes, gain=0)
    whole = joined([piece.block for piece in pieces])
    body = whole.encode()
    return _Merged(
        old=old,
        row=block_row(segment, old[0], whole, body),
        hashes=hashes_in(whole.text, whole.lengths),
        gain=sum(piece.size for piece in pieces) - len(body),
        size=len(body),
    )


def _parts(merged: list[_Merged]) -> list[list[_Merged]]:
    """Those with something to write, by transactions."""
    parts: list[list[_Merged]] = []
    size = WRITE_BYTES
    for one in merged:
        if one.row is None:
            continue
        if size >= WRITE_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(one)
        size += one.size
    return parts


async def _replace(database: Database, segment: int, merged: list[_Merged]) -> None:
    """Put what was merged in place of what it was made of, unless anything has changed."""
    won = await database.execute(
        "UPDATE log_segments SET bytes = bytes - ? WHERE id = ? AND is_packed = 0",
        (sum(one.gain for one in merged), segment),
    )
    if won != 1:
        raise _Changed
    for one in merged:
        assert one.row is not None
        removed = await database.execute(
            f"DELETE FROM log_blocks WHERE segment_id = ? AND first_line IN ({marks(one.old)})",
            (segment, *one.old),
        )
        if removed == len(one.old):
            await database.execute(INSERT_BLOCK, one.row)
        elif removed:
            raise _Changed


async def _finish(database: Database, segment: int, merged: list[_Merged]) -> None:
    """What is in its blocks is findable from now on."""
    won = await database.execute(
        "UPDATE log_segments SET is_packed = 1 WHERE id = ? AND is_packed = 0", (segment,)
    )
    if won == 1:
        await _write_filters(database, segment, merged)


async def _write_filters(database: Database, segment: int, merged: list[_Merged]) -> None:
    blocks = [one for one in merged if len(one.hashes)]
    if not blocks:
        return
    first_lines = np.array([one.old[0] for one in blocks], "<u4").tobytes()
    rows: list[tuple[Value, ...]] = [(LIST_OF_BLOCKS, segment, first_lines)]
    rows += [(bucket, segment, data) for bucket, data in filters([b.hashes for b in blocks])]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        await database.executemany(
            "INSERT INTO log_tokens (bucket, segment_id, tokens) VALUES (?, ?, ?)",
            rows[start : start + _ROWS_AT_ONCE],
        )
