"""What is looked for, what was found, and how far the search looked."""

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
    """How well it fits, 0 to 1; 0 for what is ordered by time."""


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

    @property
    def text(self) -> str:
        """What is asked for, without operators: for ranking by words and by meaning."""
        return " ".join((*self.words, *self.phrases))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page. First what is ranked by how well it fits (incidents, runbooks, lines that say the
    same in other words), then what happened (lines, events, changes), the newest first.

    `next` continues where this page ended, empty where there is nothing more. Lines were looked
    through back to `looked_back_to_us`, 0 for all; older hits among them are rows of the row tier
    and there may be more between.
    """

    hits: tuple[Hit, ...]
    next: str
    looked_back_to_us: int
    scanned_lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """How many hits have a value; `is_least`: there may be more that were not looked at."""

    value: str
    n: int
    is_least: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Hits from a time on, for the width of a bar; `n_severe` of them are errors or worse."""

    ts_us: int
    n: int
    n_severe: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How the hits of a query spread. Facets are most frequent first.

    Kinds count whatever kinds were asked for, so that they can be changed; all else only those.
    """

    kinds: tuple[Facet, ...]
    namespaces: tuple[Facet, ...]
    apps: tuple[Facet, ...]
    levels: tuple[Facet, ...]
    bars: tuple[Bar, ...]
    """Without gaps, oldest first."""
    bar_us: int
    """How wide a bar is, 0 where there are none."""
    looked_back_to_us: int
    """Lines older than that were not counted; 0: all were."""
    scanned_lines: int
