"""Search: what is known, ranked by how well it fits; then what happened, the newest first.

What happened is found in three ways, each from a place on: lines by looking through blocks within
a bound, rows of the row tier by full text, changes by their words. A page takes the newest of them
and notes where each goes on. So a warning of last week shows at once, because it has a row, while
the next page looks further through the blocks.

All words and phrases must be there, none of the excluded; ranking may find any of the words and
other words for the same.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace

import msgspec

from copilot.domain.errors import Invalid
from copilot.domain.event import Stream, level_of
from copilot.domain.retrieval import Near
from copilot.domain.search import Counted, Found, Hit, HitKind, Query
from copilot.store.database import Database
from copilot.store.happened import BOTTOM, LOOK_AT, TOP, Happened, Place, Rows
from copilot.store.hits import hit_of_line
from copilot.store.lines import FOREVER, LogLines, Position
from copilot.store.needles import Needles
from copilot.store.ranked import Asked, RankedHits
from copilot.store.ranking import Ranking
from copilot.store.scanning import Scanned, Scanning
from copilot.store.streams import Streams
from copilot.store.tally import Tally

SCAN_LINES = 200_000
"""Lines that one page looks through in blocks."""
COUNT_LINES = 300_000
"""Lines that are looked through to count hits."""
COUNT_HITS = 20_000
"""Hits among them, beyond which counting stops."""
_LEVELS = {level_of(severity): severity for severity in range(24, 0, -1)}
"""The least severity of each level."""


class _Places(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """Where each source goes on: what stands at a place, or after it in time, was given already."""

    lines: Position = (FOREVER, FOREVER, FOREVER)
    rows: Place = TOP
    """Log lines that have a row; without words they are found as lines soon enough."""
    events: Place = TOP
    changes: Place = TOP

    @property
    def is_end(self) -> bool:
        return self.lines == _NO_LINES and self.rows == self.events == self.changes == BOTTOM


_NO_LINES: Position = (0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What one source has for a page, newest first."""

    name: str
    """The field of `_Places` that it moves."""
    hits: list[tuple[Position | Place, Hit]]
    after: Position | Place
    """Where it goes on when all were taken."""


class Search:
    """One search over one snapshot."""

    def __init__(self, database: Database, lines: LogLines, ranking: Ranking) -> None:
        self._lines = lines
        self._streams = Streams(database)
        self._scanning = Scanning(database, lines)
        self._happened = Happened(database)
        self._ranked = RankedHits(database, ranking)

    async def find(self, query: Query, *, after: str = "", near: Near | None = None) -> Found:
        """See `Telemetry.search`. `until_us` 0 means no end.

        Raises:
            Invalid: `after` is not the `next` of a page.
        """
        query = replace(query, until_us=query.until_us or FOREVER)
        needles = Needles.of(query)
        ranked: list[Hit] = []
        if not after:
            ranked = await self._ranked.all(Asked(query=query, needles=needles, near=near))
        places = _decoded(after) if after else _beginning(query)
        limit = query.limit - len(ranked)
        if limit <= 0:
            ranked, limit = ranked[: query.limit], 0
        sources: list[_Source] = []
        as_rows = await self._rows_given(query, needles, places)
        if limit and places.rows != BOTTOM:
            rows = await self._happened.rows(
                query, needles, is_log=True, before=places.rows, limit=limit
            )
            as_rows |= {hit.ref for _, hit in rows.hits}
            sources.append(_source("rows", rows))
        scanned = Scanned(lines=[], back_to_us=0, n_lines=0)
        if limit and places.lines != _NO_LINES:
            scanned = await self._scanning.newest(
                query,
                needles,
                before=places.lines,
                limit=limit,
                most_lines=SCAN_LINES,
                without=as_rows,
            )
            sources.append(await self._line_source(needles, scanned, limit))
        if limit and places.events != BOTTOM:
            found = await self._happened.rows(
                query, needles, is_log=False, before=places.events, limit=limit
            )
            sources.append(_source("events", found))
        if limit and places.changes != BOTTOM:
            changes = await self._happened.changes(
                query, needles, before=places.changes, limit=limit
            )
            sources.append(_source("changes", changes))
        hits, places = _newest(sources, places, limit)
        return Found(
            hits=(*ranked, *hits),
            next="" if places.is_end else _encoded(places),
            looked_back_to_us=_looked_back_to(places),
            scanned_lines=scanned.n_lines,
        )

    async def count(self, query: Query, *, near: Near | None = None, now_us: int = 0) -> Counted:
        """See `Telemetry.search_counts`."""
        query = replace(query, until_us=query.until_us or FOREVER)
        needles = Needles.of(query)
        everything = replace(query, kinds=frozenset(HitKind))
        tally = Tally(kinds=query.kinds)
        scanned = await self._scanning.newest(
            everything,
            needles,
            before=_Places().lines,
            limit=COUNT_HITS,
            most_lines=COUNT_LINES,
        )
        streams = await self._streams.named({line.stream_id for _, line in scanned.lines})
        for _, line in scanned.lines:
            place = streams.get(line.stream_id, Stream())
            tally.add(HitKind.LOG, line.ts_us, place.namespace, place.app, line.severity)
        if scanned.back_to_us:
            tally.capped.add(HitKind.LOG)
        events = await self._happened.rows(
            everything, needles, is_log=False, before=TOP, limit=LOOK_AT
        )
        _count(tally, HitKind.EVENT, [hit for _, hit in events.hits], is_all=events.is_all)
        if not query.min_severity:
            changes = await self._happened.changes(everything, needles, before=TOP, limit=LOOK_AT)
            _count(tally, HitKind.CHANGE, [hit for _, hit in changes.hits], is_all=changes.is_all)
            for kind, ranked in (
                (HitKind.INCIDENT, self._ranked.incidents),
                (HitKind.RUNBOOK, self._ranked.runbooks),
            ):
                alone = replace(query, kinds=frozenset({kind}))
                hits = await ranked(Asked(query=alone, needles=needles, near=near))
                _count(tally, kind, hits, is_all=len(hits) < query.limit)
        return tally.counted(
            since_us=query.since_us,
            until_us=min(query.until_us, now_us or FOREVER),
            looked_back_to_us=scanned.back_to_us,
            scanned_lines=scanned.n_lines,
        )

    async def _line_source(self, needles: Needles, scanned: Scanned, limit: int) -> _Source:
        after = _NO_LINES
        if len(scanned.lines) == limit:
            after = scanned.lines[-1][0]
        elif scanned.back_to_us:
            after = (scanned.back_to_us + 1, 0, 0)
        read = await self._lines.read_back(scanned.lines)
        hits: list[tuple[Position | Place, Hit]] = [
            (position, hit_of_line(line, needles))
            for (position, _), line in zip(scanned.lines, read, strict=True)
        ]
        return _Source(name="lines", hits=hits, after=after)

    async def _rows_given(self, query: Query, needles: Needles, places: _Places) -> set[str]:
        """Addresses of lines still to be looked at that earlier pages gave as rows."""
        if places.rows == TOP or places.lines == _NO_LINES or not needles.wanted:
            return set()
        newer = replace(query, since_us=max(query.since_us, places.rows[0]))
        before = (places.lines[0] + 1, 0, 0, "")
        found = await self._happened.rows(newer, needles, is_log=True, before=before, limit=LOOK_AT)
        return {hit.ref for place, hit in found.hits if place >= places.rows}


def _beginning(query: Query) -> _Places:
    """From the newest on; what was not asked for is at its end."""
    has_changes = HitKind.CHANGE in query.kinds and not query.min_severity
    places = _Places()
    return _Places(
        lines=places.lines if HitKind.LOG in query.kinds else _NO_LINES,
        rows=TOP if HitKind.LOG in query.kinds and query.text else BOTTOM,
        events=TOP if HitKind.EVENT in query.kinds else BOTTOM,
        changes=TOP if has_changes else BOTTOM,
    )


def _newest(sources: list[_Source], places: _Places, limit: int) -> tuple[list[Hit], _Places]:
    """The newest hits of all sources, of equal time those of the first; where each goes on."""
    waiting = [(hit, source.name, place) for source in sources for place, hit in source.hits]
    waiting.sort(key=lambda one: -one[0].ts_us)
    taken, left = waiting[:limit], waiting[limit:]
    moved: dict[str, Position | Place] = {source.name: source.after for source in sources}
    for _, name, place in reversed(left):  # the first of those left: all there was is older
        moved[name] = (place[0] + 1, *place[1:])
    still = {name for _, name, _ in left}
    moved |= {name: place for _, name, place in taken if name in still}
    return [hit for hit, _, _ in taken], msgspec.structs.replace(places, **moved)


def _source(name: str, rows: Rows) -> _Source:
    return _Source(name=name, hits=list(rows.hits), after=rows.looked_to or BOTTOM)


def _count(tally: Tally, kind: HitKind, hits: list[Hit], *, is_all: bool) -> None:
    for hit in hits:
        severity = _LEVELS.get(hit.level, 0)
        tally.add(kind, hit.ts_us, hit.namespace, hit.app, severity)
    if not is_all:
        tally.capped.add(kind)


def _looked_back_to(places: _Places) -> int:
    ts_us = places.lines[0]
    return 0 if ts_us >= FOREVER else ts_us


def _encoded(places: _Places) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(places)).decode().rstrip("=")


def _decoded(after: str) -> _Places:
    try:
        data = base64.urlsafe_b64decode(after.encode() + b"=" * (-len(after) % 4))
        return msgspec.msgpack.decode(data, type=_Places)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise Invalid("this is not where a page ended; search again from the start") from None
