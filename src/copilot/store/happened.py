"""What happened and has a row (warnings, events, changes), the newest first, from any place on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from copilot.domain.event import Signal
from copilot.domain.search import Hit, HitKind, Query
from copilot.store.database import Database, Row, Value
from copilot.store.events import SELECT, event_of
from copilot.store.hits import hit_of, hit_of_event
from copilot.store.lines import FOREVER
from copilot.store.needles import Needles
from copilot.store.words import wanted

LOOK_AT = 1_000
"""Rows that are looked at for one page or one count, at most."""

_FEW = 20
"""Candidates that are looked at beyond those asked for, at first."""

Place = tuple[int, int, int, str]
"""Time, line, id and version: the order of rows. What a kind does not have is 0 or empty."""
TOP: Place = (FOREVER, FOREVER, FOREVER, "")
BOTTOM: Place = (0, 0, 0, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Hits that fit, newest first, each with its place; all of those after `looked_to`."""

    hits: list[tuple[Place, Hit]]
    looked_to: Place | None
    """None: there are no more."""

    @property
    def is_all(self) -> bool:
        return self.looked_to is None


class Happened:
    """Over one snapshot."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def rows(
        self, query: Query, needles: Needles, *, is_log: bool, before: Place, limit: int
    ) -> Rows:
        """Rows of the row tier: log lines, or everything else. Severities are those asked for."""
        if needles.wanted and not needles.has_words:
            return Rows(hits=[], looked_to=None)
        hits: list[tuple[Place, Hit]] = []
        n_looked, at_once = 0, limit + _FEW
        while True:
            rows = await self._candidates(query, needles, is_log, before, at_once)
            n_looked += len(rows)
            for row in _fitting(query, needles, rows):
                if len(hits) == limit:
                    return Rows(hits=hits, looked_to=hits[-1][0])
                hits.append((_place_of_event(row), hit_of_event(event_of(row), needles)))
            if len(rows) < at_once:
                return Rows(hits=hits, looked_to=None)
            before = _place_of_event(rows[-1])
            if n_looked >= max(LOOK_AT, limit):
                return Rows(hits=hits, looked_to=before)

    async def _candidates(
        self, query: Query, needles: Needles, is_log: bool, before: Place, limit: int
    ) -> list[Row]:
        """The newest before a place that may fit."""
        until_us = min(query.until_us, before[0])
        joined, params = "", tuple[Value, ...]()
        if needles.wanted:
            match = self._db.dialect.match_events(
                query.words,
                query.phrases,
                query.excluded,
                since_us=query.since_us,
                until_us=until_us,
            )
            joined, params = f"JOIN ({match.sql}) f ON {match.on} ", match.params
        return await self._db.fetch_all(
            f"{SELECT} {joined}WHERE e.type {'=' if is_log else '<>'} ? "
            f"AND e.uid IS {'NULL' if is_log else 'NOT NULL'} AND e.ts_us >= ? AND e.ts_us <= ? "
            "AND (e.ts_us, COALESCE(e.line, 0), e.id) < (?, ?, ?) "
            "AND e.severity >= ? AND (? = '' OR s.namespace = ?) "
            "AND (? = '' OR s.app = ? OR e.object_name = ? OR e.object_name LIKE ?) "
            "ORDER BY e.ts_us DESC, COALESCE(e.line, 0) DESC, e.id DESC LIMIT ?",
            (
                *(*params, Signal.LOGS, query.since_us, until_us, *before[:3]),
                *(query.min_severity, query.namespace, query.namespace),
                *(query.app, query.app, query.app, f"{query.app}-%", limit),
            ),
        )

    async def changes(self, query: Query, needles: Needles, *, before: Place, limit: int) -> Rows:
        """Changes of the cluster's objects."""
        rows = await self._db.fetch_all(
            "SELECT uid, kind, namespace, name, title, actor, changed, ts_us, resource_version, "
            "'' AS app FROM k8s_object_versions WHERE ts_us >= ? AND ts_us <= ? "
            "AND (ts_us, resource_version) < (?, ?) "
            "AND (? = '' OR namespace = ?) AND (? = '' OR name = ? OR name LIKE ?) "
            "ORDER BY ts_us DESC, resource_version DESC LIMIT ?",
            (
                *(query.since_us, min(query.until_us, before[0]), before[0], before[3]),
                *(query.namespace, query.namespace),
                *(query.app, query.app, f"{query.app}-%", LOOK_AT),
            ),
        )
        hits = []
        for row in rows:
            place = f"{row['kind']} {row['namespace']}/{row['name']}"
            if needles.fit(f"{place} {row['title']} {row['actor']} {row['changed']}"):
                hit = hit_of(HitKind.CHANGE, f"{row['uid']}@{row['ts_us']}", row, "ts_us", place)
                hits.append((_place_of_change(row), replace(hit, app=row["name"])))
        return _cut(hits, rows, limit, _place_of_change)


def _fitting(query: Query, needles: Needles, rows: Sequence[Row]) -> list[Row]:
    """Candidates of a database may be a few too many."""
    if not needles.wanted:
        return list(rows)
    texts = [(row["body_text"], row["reason"], row["object_name"]) for row in rows]
    scores = wanted(query.words, query.phrases, query.excluded).scores(texts)
    return [row for row, score in zip(rows, scores, strict=True) if score is not None]


def _cut(
    hits: list[tuple[Place, Hit]], rows: Sequence[Row], limit: int, place: Callable[[Row], Place]
) -> Rows:
    if len(hits) > limit:
        return Rows(hits=hits[:limit], looked_to=hits[limit - 1][0])
    return Rows(hits=hits, looked_to=place(rows[-1]) if len(rows) == LOOK_AT else None)


def _place_of_event(row: Row) -> Place:
    return int(row["ts_us"]), int(row["line"] or 0), int(row["id"]), ""


def _place_of_change(row: Row) -> Place:
    return int(row["ts_us"]), 0, 0, str(row["resource_version"])
