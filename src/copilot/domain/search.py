"""What was found, and how far the search looked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HitKind(StrEnum):
    LOG = "log"
    EVENT = "event"
    INCIDENT = "incident"
    RUNBOOK = "runbook"
    CHANGE = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """`ref` opens it: a line address, an event id, an incident id, a runbook's slug."""

    kind: HitKind
    ref: str
    ts_us: int
    title: str
    snippet: str
    namespace: str
    app: str
    level: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parsed search: free words beside the operators `ns:`, `app:`, `level:`, `since:`."""

    words: tuple[str, ...]
    phrases: tuple[str, ...]
    excluded: tuple[str, ...]
    kinds: frozenset[HitKind]
    namespace: str
    app: str
    min_severity: int
    since_us: int
    until_us: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Hits, best first. `looked_back_to_us` is how far a bounded scan of lines reached, 0: all."""

    hits: tuple[Hit, ...]
    looked_back_to_us: int
    scanned_lines: int
