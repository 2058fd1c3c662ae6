"""Rows and lines as hits. Pure."""

from __future__ import annotations

from dataclasses import replace

from copilot.domain.event import Event, LogLine
from copilot.domain.search import Hit, HitKind
from copilot.store.database import Row
from copilot.store.needles import Needles


def hit_of(kind: HitKind, ref: str, row: Row, time: str, snippet: str) -> Hit:
    """The hit in a row with a title, a namespace and an app; `time` is its column of time."""
    return Hit(
        kind=kind,
        ref=ref,
        ts_us=row[time],
        title=row["title"],
        snippet=snippet,
        namespace=row["namespace"],
        app=row["app"],
        level="",
        score=0.0,
    )


def hit_of_event(event: Event, needles: Needles) -> Hit:
    """A row of the row tier: a log line where it has an address."""
    about = str(event.object) if event.object else event.namespace
    return Hit(
        kind=HitKind.LOG if event.address else HitKind.EVENT,
        ref=event.address or str(event.id),
        ts_us=event.ts_us,
        title=f"{event.reason} {about}".strip(),
        snippet=needles.snippet(event.body),
        namespace=event.namespace,
        app=event.app,
        level=event.level,
        score=0.0,
    )


def hit_of_line(line: LogLine, needles: Needles) -> Hit:
    """A line of a block."""
    return Hit(
        kind=HitKind.LOG,
        ref=line.address,
        ts_us=line.ts_us,
        title=f"Pod {line.namespace}/{line.pod}" if line.pod else line.namespace,
        snippet=needles.snippet(line.body),
        namespace=line.namespace,
        app=line.app,
        level=line.level,
        score=0.0,
    )


def scored(hits: list[Hit]) -> list[Hit]:
    """The same with scores by rank: 1, 1/2, 1/3, ..."""
    return [replace(hit, score=1 / rank) for rank, hit in enumerate(hits, start=1)]
