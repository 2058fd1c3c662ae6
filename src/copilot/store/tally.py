"""Counting hits: by kind, place and level, and over time. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from copilot.domain.event import Severity, level_of
from copilot.domain.search import Bar, Counted, Facet, HitKind

MOST_BARS = 60
MOST_VALUES = 12
"""Of a facet."""

_SECOND_US = 1_000_000
_WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)
_WIDTHS_H = (1, 2, 3, 6, 12, 24, 7 * 24, 30 * 24, 365 * 24)
WIDTHS_US = tuple(
    seconds * _SECOND_US for seconds in (*_WIDTHS_S, *(hours * 3600 for hours in _WIDTHS_H))
)


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts under way; hits of other kinds than those asked for count by their kind only."""

    kinds: frozenset[HitKind]
    capped: set[HitKind] = field(default_factory=set)
    """Kinds of which there may be more."""
    _by_kind: Counter[HitKind] = field(default_factory=Counter)
    _by_place: Counter[tuple[str, str]] = field(default_factory=Counter)
    _by_level: Counter[str] = field(default_factory=Counter)
    _times: list[tuple[int, bool]] = field(default_factory=list)

    def add(self, kind: HitKind, ts_us: int, namespace: str, app: str, severity: int) -> None:
        """One hit; `ts_us` 0 where it has no time, `severity` 0 where it has none."""
        self._by_kind[kind] += 1
        if kind in self.kinds:
            self._by_place[namespace, app] += 1
            self._by_level[level_of(severity)] += 1
            if ts_us:
                self._times.append((ts_us, severity >= Severity.ERROR))

    def counted(
        self, *, since_us: int, until_us: int, looked_back_to_us: int, scanned_lines: int
    ) -> Counted:
        """All of it. Bars reach from `since_us` (0: from the oldest hit) to `until_us`."""
        is_least = bool(self.capped & self.kinds)
        namespaces: Counter[str] = Counter()
        apps: Counter[str] = Counter()
        for (namespace, app), n in self._by_place.items():
            namespaces[namespace] += n
            apps[app] += n
        bars, bar_us = _bars(self._times, since_us, until_us)
        return Counted(
            kinds=tuple(
                Facet(value=kind, n=self._by_kind[kind], is_least=kind in self.capped)
                for kind in HitKind
            ),
            namespaces=_facets(namespaces, is_least=is_least),
            apps=_facets(apps, is_least=is_least),
            levels=_facets(self._by_level, is_least=is_least),
            bars=bars,
            bar_us=bar_us,
            looked_back_to_us=looked_back_to_us,
            scanned_lines=scanned_lines,
        )


def bar_width_us(span_us: int) -> int:
    """The narrowest round width that covers the span in `MOST_BARS` bars."""
    return next((w for w in WIDTHS_US if span_us <= w * (MOST_BARS - 1)), WIDTHS_US[-1])


def _bars(
    times: Sequence[tuple[int, bool]], since_us: int, until_us: int
) -> tuple[tuple[Bar, ...], int]:
    if not times:
        return (), 0
    latest = max(min(until_us, max(ts_us for ts_us, _ in times)), since_us)
    first = since_us or min(ts_us for ts_us, _ in times)
    last = until_us if since_us else latest
    width = bar_width_us(last - first)
    first = max(first - first % width, last - last % width - width * (MOST_BARS - 1))
    n: Counter[int] = Counter()
    severe: Counter[int] = Counter()
    for ts_us, is_severe in times:
        start = ts_us - ts_us % width
        n[start] += 1
        severe[start] += is_severe
    starts = range(first, last + 1, width)
    return tuple(Bar(ts_us=at, n=n[at], n_severe=severe[at]) for at in starts), width


def _facets(counts: Counter[str], *, is_least: bool) -> tuple[Facet, ...]:
    found = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    named = [(value, n) for value, n in found if value and value != "*"]
    return tuple(Facet(value=value, n=n, is_least=is_least) for value, n in named[:MOST_VALUES])
