"""How hard containers run into their limits: the last minutes of the kubelets' counters. No I/O."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from copilot.domain.alert import Strain
from copilot.domain.attributes import CPU_THROTTLED, MEMORY_KILLS, MEMORY_PEAK, MEMORY_REFUSALS
from copilot.domain.event import Point, Series, Stream

SECOND_US = 1_000_000
STRAIN_US = 60 * SECOND_US
KILLS_US = 300 * SECOND_US
MANY_STRAINS = 5000
READ = (CPU_THROTTLED, MEMORY_KILLS, MEMORY_REFUSALS, MEMORY_PEAK)
"""What is looked at; the peak last, for it matters beside refusals only."""


@dataclass(slots=True)
class _Window:
    """The last minutes of one container's readings, oldest first."""

    throttled: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=12))
    kills: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=24))
    refusals: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=12))
    peak_bytes: float = 0.0


class Readings:
    """Of every container and pod that has run into a limit lately, the oldest forgotten first."""

    def __init__(self) -> None:
        self._windows: OrderedDict[tuple[str, str, str], _Window] = OrderedDict()

    def put(self, points: Iterable[Point]) -> None:
        """Remember what they say about limits; other points are left alone."""
        for point in points:
            if point.name not in READ:
                continue
            stream = point.stream
            key = (stream.namespace, stream.pod, stream.container)
            window = self._windows.get(key)
            if window is None:
                if point.name == MEMORY_PEAK:  # every pod has one; it matters beside refusals
                    continue
                window = self._windows[key] = _Window()
            self._windows.move_to_end(key)
            if point.name == MEMORY_PEAK:
                window.peak_bytes = point.value
            else:
                _series(window, point.name).append((point.ts_us, point.value))
        while len(self._windows) > MANY_STRAINS:
            self._windows.popitem(last=False)

    def put_series(self, series: Iterable[Series]) -> None:
        """The same from what was stored of them."""
        for one in series:
            stream = Stream(namespace=one.namespace, pod=one.pod, container=one.container)
            self.put(
                Point(name=one.name, stream=stream, ts_us=point.ts_us, value=point.value)
                for point in one.points
            )

    def strains(self, now_us: int) -> tuple[Strain, ...]:
        """Of containers that have run into a limit in the last minutes."""
        found = (_strain(key, window, now_us) for key, window in self._windows.items())
        return tuple(s for s in found if s.throttled or s.kills or s.refusals)


def _series(window: _Window, name: str) -> deque[tuple[int, float]]:
    if name == CPU_THROTTLED:
        return window.throttled
    return window.kills if name == MEMORY_KILLS else window.refusals


def _strain(key: tuple[str, str, str], window: _Window, now_us: int) -> Strain:
    ratios = [v for ts, v in window.throttled if ts >= now_us - STRAIN_US]
    known_us = window.throttled[-1][0] - window.throttled[0][0] if window.throttled else 0
    kills = [(ts, v) for ts, v in window.kills if ts >= now_us - KILLS_US and v]
    return Strain(
        namespace=key[0],
        pod=key[1],
        container=key[2],
        throttled=sum(ratios) / len(ratios)
        if len(ratios) > 1 and known_us >= STRAIN_US // 2
        else 0,
        kills=sum(v for _, v in kills),
        killed_us=max((ts for ts, _ in kills), default=0),
        refusals=sum(v for ts, v in window.refusals if ts >= now_us - STRAIN_US),
        peak_bytes=window.peak_bytes,
    )
