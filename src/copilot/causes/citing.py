"""Sentences that rest on evidence: what cites nothing that exists is never said."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from copilot.domain.alert import Alert
from copilot.domain.case import Case
from copilot.domain.change import Change
from copilot.domain.event import LogLine, Series
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import KubeEvent, Metadata, ObjectRef

T = TypeVar("T")


def object_key(metadata: Metadata) -> str:
    """Where `Case.cited_as` finds an object."""
    return f"object:{metadata.uid}"


def event_key(event: KubeEvent) -> str:
    """Where `Case.cited_as` finds a Kubernetes event."""
    return f"event:{event.metadata.uid}"


def line_key(line: LogLine) -> str:
    """Where `Case.cited_as` finds a log line."""
    return f"log:{line.address}"


def change_key(change: Change) -> str:
    """Where `Case.cited_as` finds a change."""
    return f"change:{change.object.uid}@{change.ts_us}"


def series_key(series: Series) -> str:
    """Where `Case.cited_as` finds a series; a pod's own series has an empty container."""
    return f"metric:{series.name}{{{series.pod}/{series.container}}}"


def alert_key(alert: Alert) -> str:
    """Where `Case.cited_as` finds an alert."""
    return f"alert:{alert.fingerprint}"


def incident_key(incident_id: int) -> str:
    """Where `Case.cited_as` finds an earlier incident."""
    return f"incident:{incident_id}"


def cited(case: Case, keys: Iterable[str]) -> tuple[str, ...]:
    """The ids of those sources that are evidence, in the order given, each once."""
    found = (case.cited_as.get(key) for key in keys)
    return tuple(dict.fromkeys(id for id in found if id))


def backed(case: Case, items: Iterable[T], key: Callable[[T], str]) -> tuple[T, ...]:
    """Those items that are evidence, so that a sentence speaks of what it cites; all of them
    where none is."""
    given = tuple(items)
    return tuple(item for item in given if key(item) in case.cited_as) or given


def said(case: Case, text: str, *keys: str) -> tuple[Statement, ...]:
    """One sentence with the evidence behind it; none where no source of it is evidence."""
    ids = cited(case, keys)
    return (Statement(text=text, evidence=ids),) if ids else ()


def concluded(
    cause: Cause,
    *,
    title: str,
    verdict: Verdict,
    confidence: float,
    supporting: tuple[Statement, ...] = (),
    against: tuple[Statement, ...] = (),
    next_check: str = "",
    subject: ObjectRef | None = None,
    detail: str = "",
) -> Hypothesis | None:
    """A hypothesis still without its rank; None where no sentence carries its verdict."""
    carrying = against if verdict is Verdict.REFUTED else supporting
    if not carrying:
        return None
    return Hypothesis(
        id="",
        cause=cause,
        subject=subject,
        detail=detail,
        title=title,
        verdict=verdict,
        confidence=round(min(max(confidence, 0.0), 1.0), 2),
        supporting=supporting,
        against=against,
        next_check=next_check,
        agent="detective",
    )
