"""A fact with a source anyone can open. A sentence that cites none is dropped by code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EvidenceKind(StrEnum):
    OBJECT = "object"
    EVENT = "event"
    LOG = "log"
    METRIC = "metric"
    CHANGE = "change"
    ALERT = "alert"
    INCIDENT = "incident"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Captured at the time and whole, so that it outlives the pod it speaks of.

    `id` is `E1`, `E2`, ... within its incident. `source` is the address of the stored row:
    `log:<segment>:<line>`, `object:<uid>@<resourceVersion>`, `event:<uid>`,
    `metric:<name>{pod}`, `change:<uid>@<seen_us>`, `incident:<id>`, `alert:<fingerprint>`.
    """

    id: str
    kind: EvidenceKind
    title: str
    """One line for people: what this shows."""
    occurred_us: int
    source: str
    body: str
    """The fact itself: the log line, the object's JSON, the points; at most 64 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What could not be seen, and why."""

    what: str
    reason: str


def is_about_agent(gap: Gap) -> bool:
    """Whether one of our own agents could not be asked, rather than something seen."""
    return gap.what.startswith("agent-")
