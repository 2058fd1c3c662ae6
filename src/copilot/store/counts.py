"""Counts of templates, gathered while much comes in.

Counting every batch by itself would cost more than storing its lines. So counts of lines below a
warning wait up to `LAG_US` in the process, for the next transaction that writes counts; those of
few lines, and of warnings and worse, are written with their lines. A process that is killed takes
with it what waited: up to a second of these counts, never a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from copilot.store.blocks import Ints

LAG_US = 1_000_000
FEW_LINES = 500

COLUMNS = ("template_id", "stream_id", "bucket_us", "n", "segment_id", "line")
"""Of counts: a key, how many, and the address of the last one."""
KEY = 3
"""Columns of the key."""
Counts = Ints
"""A row for each."""


@dataclass(slots=True)
class Waiting:
    """What has been stored and not been counted."""

    parts: list[Counts] = field(default_factory=list)
    written_us: int = 0

    def is_due(self, now_us: int) -> bool:
        return not 0 <= now_us - self.written_us < LAG_US

    def add(self, counts: Counts) -> None:
        """Later ones than all that wait."""
        if len(counts):
            self.parts.append(counts)

    def taken(self, now_us: int) -> Counts:
        """All of it, to be written now; `put_back` where that fails."""
        parts, self.parts, self.written_us = self.parts, [], now_us
        return together(parts)

    def put_back(self, counts: Counts) -> None:
        """Earlier ones than all that wait."""
        if len(counts):
            self.parts.insert(0, counts)


def none() -> Counts:
    return np.empty((0, len(COLUMNS)), np.int64)


def together(parts: Sequence[Counts]) -> Counts:
    """One row a key, by their keys; what is given last is the latest."""
    rows = np.concatenate([none(), *parts])
    if not len(rows):
        return rows
    rows = rows[np.lexsort(rows[:, KEY - 1 :: -1].T)]  # equal keys stay in order
    is_last = np.append((rows[1:, :KEY] != rows[:-1, :KEY]).any(axis=1), True)
    starts = np.flatnonzero(np.roll(is_last, 1))
    found: Counts = rows[is_last]
    found[:, KEY] = np.add.reduceat(rows[:, KEY], starts)
    return found
