"""Counters, gauges and histograms of one process, and their text for Prometheus. No I/O.

Small on purpose: what is scraped is a page of numbers. Every instrument holds at most `MOST_SERIES`
combinations of its labels; further ones are counted together as `other`, so that no stranger can
make a process grow by what he sends.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

MOST_SERIES = 400
OTHER = "other"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of a histogram of times."""

Labels = tuple[str, ...]


class _Instrument:
    kind = ""

    def __init__(self, name: str, about: str, labels: Sequence[str] = ()) -> None:
        self.name, self.about, self.labels = name, about, tuple(labels)

    def text(self) -> Iterator[str]:
        """Its lines, with what it is in front."""
        yield f"# HELP {self.name} {self.about}"
        yield f"# TYPE {self.name} {self.kind}"
        yield from self._samples()

    def _samples(self) -> Iterator[str]:
        raise NotImplementedError

    def _key(self, known: object, given: Labels) -> Labels:
        """The labels under which it is counted."""
        if len(given) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}")
        assert isinstance(known, dict)
        if given in known or len(known) < MOST_SERIES:
            return given
        return (OTHER,) * len(self.labels)

    def _line(self, key: Labels, value: float, *, end: str = "", more: str = "") -> str:
        pairs = [
            f'{name}="{_escaped(given)}"' for name, given in zip(self.labels, key, strict=True)
        ]
        inner = ",".join([*pairs, more] if more else pairs)
        return f"{self.name}{end}{'{' + inner + '}' if inner else ''} {_number(value)}"


class Counter(_Instrument):
    """Only goes up."""

    kind = "counter"

    def __init__(self, name: str, about: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, about, labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, *labels: str, n: float = 1) -> None:
        key = self._key(self._values, labels)
        self._values[key] = self._values.get(key, 0) + n

    def value(self, *labels: str) -> float:
        return self._values.get(labels, 0)

    def total(self) -> float:
        """Of all labels together."""
        return sum(self._values.values())

    def _samples(self) -> Iterator[str]:
        return (self._line(key, value) for key, value in sorted(self._values.items()))


class Gauge(Counter):
    """As it is now."""

    kind = "gauge"

    def set(self, *labels: str, value: float) -> None:
        self._values[self._key(self._values, labels)] = value

    def replace(self, values: dict[Labels, float]) -> None:
        """These series and no others."""
        self._values = dict(list(values.items())[:MOST_SERIES])


class Histogram(_Instrument):
    """How often, how much in all, and how many up to each bound."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        about: str,
        labels: Sequence[str] = (),
        *,
        bounds: Sequence[float] = SECONDS,
    ) -> None:
        super().__init__(name, about, labels)
        self.bounds = tuple(bounds)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, *labels: str, value: float) -> None:
        key = self._key(self._counts, labels)
        counts = self._counts.setdefault(key, [0] * (len(self.bounds) + 1))
        counts[bisect_left(self.bounds, value)] += 1
        self._sums[key] = self._sums.get(key, 0) + value

    def count(self, *labels: str) -> int:
        return sum(self._counts.get(labels, ()))

    def _samples(self) -> Iterator[str]:
        for key, counts in sorted(self._counts.items()):
            so_far = 0
            for bound, n in zip((*map(_number, self.bounds), "+Inf"), counts, strict=True):
                so_far += n
                yield self._line(key, so_far, end="_bucket", more=f'le="{bound}"')
            yield self._line(key, self._sums[key], end="_sum")
            yield self._line(key, so_far, end="_count")


def text_of(instruments: Sequence[_Instrument]) -> str:
    """The page that Prometheus reads (text format 0.0.4)."""
    return "".join(f"{line}\n" for one in instruments for line in one.text())


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
