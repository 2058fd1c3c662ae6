"""Counts of templates, gathered while much comes in.

Counting every batch by itself would cost more than storing its lines. So counts of lines below a
warning wait up to `LAG_US` in the process, for the next transaction that writes counts; those of
few lines, and of warnings and worse, are written with their lines. A process that is killed takes
with it what waited: up to a second of these counts, never a line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

LAG_US = 1_000_000
FEW_LINES = 500

Key = tuple[int, int, int]
"""Template, stream, bucket."""
Count = tuple[int, int, int]
"""How many, and the address of the last one."""
Counts = dict[Key, Count]


@dataclass(slots=True)
class Waiting:
    """What has been stored and not been counted."""

    counts: Counts = field(default_factory=dict)
    written_us: int = 0

    def is_due(self, now_us: int) -> bool:
        return not 0 <= now_us - self.written_us < LAG_US

    def taken(self, now_us: int) -> Counts:
        """All of it, to be written now; `put_back` where that fails."""
        found, self.counts, self.written_us = self.counts, {}, now_us
        return found

    def put_back(self, counts: Counts) -> None:
        self.counts = added(counts, self.counts.items())


def added(counts: Counts, more: Iterable[tuple[Key, Count]]) -> Counts:
    """Both together; what is given second is the later one."""
    for key, (n, segment, line) in more:
        known = counts.get(key)
        counts[key] = (n + known[0] if known else n, segment, line)
    return counts
