"""Search: rows by full text, incidents, runbooks and changes by their words, then lines in blocks.

All words and phrases must be there, none of the excluded. Lines that have no row are found by
looking through blocks, newest first, within a bound; the answer says how far that went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from copilot.domain.event import Event, LogLine, Signal
from copilot.domain.search import Found, Hit, HitKind, Query
from copilot.store.database import Database, Row, Value
from copilot.store.events import SELECT, event_of
from copilot.store.lines import FOREVER, LogLines
from copilot.store.streams import Streams
from copilot.store.words import wanted

SCAN_LINES = 200_000
"""Lines a search looks through in blocks, at most."""
_LOOK_AT = 1_000
"""Incidents and changes it looks at, the newest."""
_RANKED = 500
"""Rows that are ranked by how well they fit, the newest of those that do."""
_SNIPPET = 240
_LEAD = 60
"""Characters of a snippet before what was found."""
_ORDER = (HitKind.INCIDENT, HitKind.RUNBOOK, HitKind.CHANGE, HitKind.EVENT, HitKind.LOG)
"""Of equal rank, the first comes first."""


@dataclass(frozen=True, slots=True)
class _Needles:
    """What to look for, in lower case."""

    wanted: tuple[str, ...]
    excluded: tuple[str, ...]

    @property
    def has_words(self) -> bool:
        """There is something a full-text index can find."""
        return any(c.isalnum() for text in self.wanted for c in text)

    def fit(self, text: str) -> bool:
        low = text.lower()
        return all(w in low for w in self.wanted) and not any(x in low for x in self.excluded)

    def snippet(self, text: str) -> str:
        """The part of the text around the first thing found."""
        low = text.lower()
        found = [at for at in (low.find(word) for word in self.wanted) if at >= 0]
        start = max(0, min(found, default=0) - _LEAD)
        part = text[start : start + _SNIPPET]
        return ("…" if start else "") + part + ("…" if start + _SNIPPET < len(text) else "")


@dataclass(frozen=True, slots=True)
class _Scan:
    """What looking through blocks found; see `Found`."""

    hits: list[Hit]
    looked_back_to_us: int
    n_lines: int


class Search:
    """One search over one snapshot."""

    def __init__(self, database: Database, lines: LogLines) -> None:
        self._db = database
        self._lines = lines
        self._streams = Streams(database)

    async def find(self, query: Query) -> Found:
        """See `Telemetry.search`. `until_us` 0 means no end; a `min_severity` leaves out what has
        none (incidents, runbooks, changes)."""
        query = replace(query, until_us=query.until_us or FOREVER)
        needles = _Needles(
            wanted=tuple(w.lower() for w in (*query.words, *query.phrases) if w),
            excluded=tuple(w.lower() for w in query.excluded if w),
        )
        hits: list[Hit] = []
        if query.min_severity == 0:
            hits += await self._incidents(query, needles)
            hits += await self._runbooks(query, needles)
            hits += await self._changes(query, needles)
        if HitKind.EVENT in query.kinds:
            hits += await self._rows(query, needles, is_log=False)
        scan = _Scan([], 0, 0)
        if HitKind.LOG in query.kinds:
            logs = await self._rows(query, needles, is_log=True)
            scan = await self._scan(query, needles, known=logs)
            hits += _scored([*logs, *scan.hits])
        hits.sort(key=lambda hit: (-hit.score, _ORDER.index(hit.kind)))
        return Found(
            hits=tuple(hits[: query.limit]),
            looked_back_to_us=scan.looked_back_to_us,
            scanned_lines=scan.n_lines,
        )

    async def _rows(self, query: Query, needles: _Needles, *, is_log: bool) -> list[Hit]:
        """Rows of the row tier, best first; without anything to look for the newest."""
        if needles.wanted and not needles.has_words:
            return []
        joined, params = "", tuple[Value, ...]()
        if needles.wanted:
            match = self._db.dialect.match_events(
                query.words,
                query.phrases,
                query.excluded,
                since_us=query.since_us,
                until_us=query.until_us,
            )
            joined, params = f"JOIN ({match.sql}) f ON {match.on} ", match.params
        rows = await self._db.fetch_all(
            f"{SELECT} {joined}WHERE e.type {'=' if is_log else '<>'} ? AND e.ts_us >= ? AND e.ts_us <= ? "
            "AND e.severity >= ? AND (? = '' OR s.namespace = ?) "
            "AND (? = '' OR s.app = ? OR e.object_name = ? OR e.object_name LIKE ?) "
            "ORDER BY e.ts_us DESC, e.line DESC, e.id DESC LIMIT ?",
            (
                *(*params, Signal.LOGS, query.since_us, query.until_us, query.min_severity),
                *(query.namespace, query.namespace),
                *(query.app, query.app, query.app, f"{query.app}-%", max(query.limit, _RANKED)),
            ),
        )
        if needles.wanted:
            rows = _best(query, rows)
        hits = [_event_hit(event_of(row), needles) for row in rows[: query.limit]]
        return hits if is_log else _scored(hits)

    async def _scan(self, query: Query, needles: _Needles, *, known: Sequence[Hit]) -> _Scan:
        """Lines that have no row, newest first, until there are enough or the bound is reached."""
        streams = None
        if query.namespace or query.app:
            streams = await self._streams.of_place(query.namespace, query.app)
        seen = {hit.ref for hit in known}
        looked = await self._lines.find(
            needles.wanted,
            needles.excluded,
            since_us=query.since_us,
            until_us=query.until_us,
            limit=query.limit + len(seen),
            most_lines=SCAN_LINES,
            min_severity=query.min_severity,
            streams=streams,
        )
        lines = await self._lines.read_back(looked.lines)
        fresh = [line for line in lines if line.address not in seen][: query.limit]
        hits = [_line_hit(line, needles) for line in fresh]
        return _Scan(hits, looked.looked_back_to_us, looked.n_lines)

    async def _incidents(self, query: Query, needles: _Needles) -> list[Hit]:
        if HitKind.INCIDENT not in query.kinds:
            return []
        rows = await self._db.fetch_all(
            "SELECT id, title, summary, resolution, created_us, namespace, app FROM incidents "
            "WHERE updated_us >= ? AND created_us <= ? AND (? = '' OR namespace = ?) "
            "AND (? = '' OR app = ?) ORDER BY created_us DESC LIMIT ?",
            _scope(query),
        )
        hits = []
        for row in rows:
            parts = (f"INC-{row['id']}", row["title"], row["summary"], row["resolution"] or "")
            text = " ".join((*parts, row["namespace"], row["app"]))
            if needles.fit(text):
                snippet = needles.snippet(row["summary"] or row["title"])
                hits.append(_hit(HitKind.INCIDENT, str(row["id"]), row, "created_us", snippet))
        return _scored(hits)

    async def _runbooks(self, query: Query, needles: _Needles) -> list[Hit]:
        """Those that name what was looked for in their title or tags before the others."""
        if HitKind.RUNBOOK not in query.kinds or not needles.wanted:
            return []
        rows = await self._db.fetch_all(
            "SELECT slug, service AS app, '' AS namespace, title, body, tags, updated_us "
            "FROM runbooks ORDER BY slug"
        )
        named: list[Hit] = []
        other: list[Hit] = []
        for row in rows:
            heading = f"{row['title']} {row['tags']} {row['slug']} {row['app']}"
            if needles.fit(f"{heading} {row['body']}"):
                snippet = needles.snippet(row["body"])
                hit = _hit(HitKind.RUNBOOK, row["slug"], row, "updated_us", snippet)
                (named if needles.fit(heading) else other).append(hit)
        return _scored(named + other)

    async def _changes(self, query: Query, needles: _Needles) -> list[Hit]:
        if HitKind.CHANGE not in query.kinds:
            return []
        rows = await self._db.fetch_all(
            "SELECT uid, kind, namespace, name, title, actor, changed, ts_us, '' AS app "
            "FROM k8s_object_versions WHERE ts_us >= ? AND ts_us <= ? "
            "AND (? = '' OR namespace = ?) AND (? = '' OR name = ? OR name LIKE ?) "
            "ORDER BY ts_us DESC LIMIT ?",
            (*_scope(query)[:-1], f"{query.app}-%", _LOOK_AT),
        )
        hits = []
        for row in rows:
            place = f"{row['kind']} {row['namespace']}/{row['name']}"
            text = f"{place} {row['title']} {row['actor']} {row['changed']}"
            if needles.fit(text):
                ref = f"{row['uid']}@{row['ts_us']}"
                hits.append(_hit(HitKind.CHANGE, ref, row, "ts_us", place))
        return _scored(hits)


def _scope(query: Query) -> tuple[Value, ...]:
    return (
        *(query.since_us, query.until_us, query.namespace, query.namespace),
        *(query.app, query.app, _LOOK_AT),
    )


def _best(query: Query, rows: list[Row]) -> list[Row]:
    """Those that fit, best first, the newest first among equals."""
    texts = [(row["body_text"], row["reason"], row["object_name"]) for row in rows]
    scores = wanted(query.words, query.phrases, query.excluded).scores(texts)
    fit = [(score, row) for score, row in zip(scores, rows, strict=True) if score is not None]
    return [row for _, row in sorted(fit, key=lambda one: -one[0])]


def _scored(hits: list[Hit]) -> list[Hit]:
    """The same with scores by rank within their kind: 1, 1/2, 1/3, ..."""
    return [replace(hit, score=1 / rank) for rank, hit in enumerate(hits, start=1)]


def _hit(kind: HitKind, ref: str, row: Row, time: str, snippet: str) -> Hit:
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


def _event_hit(event: Event, needles: _Needles) -> Hit:
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


def _line_hit(line: LogLine, needles: _Needles) -> Hit:
    place = f"Pod {line.namespace}/{line.pod}" if line.pod else line.namespace
    return Hit(
        kind=HitKind.LOG,
        ref=line.address,
        ts_us=line.ts_us,
        title=place,
        snippet=needles.snippet(line.body),
        namespace=line.namespace,
        app=line.app,
        level=line.level,
        score=0.0,
    )
