"""Metric points as series with rollups, and spans."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from copilot.domain.event import Point, Series, SeriesPoint, Span, Stream
from copilot.store.coding import clip, digest16, to_json
from copilot.store.database import Database, marks

SECOND_US = 1_000_000
_ROLLUP = ("series_id", "res_s", "bucket_us", "n", "vsum", "vmin", "vmax", "vlast")
_SPAN = (
    "trace_id",
    "span_id",
    "start_us",
    "dur_us",
    "parent_id",
    "stream_id",
    "service",
    "name",
    "status",
    "attrs",
)
_STATUS_ERROR = 2
"""OpenTelemetry's status code."""
_MANY = 500


@dataclass(slots=True)
class _Bucket:
    n: int
    total: float
    low: float
    high: float
    last: float
    last_us: int


class Metrics:
    """Writes and reads points and spans."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, points: Sequence[Point], streams: dict[Stream, int]) -> None:
        """Points that are no number (staleness marks) are left out."""
        real = [point for point in points if math.isfinite(point.value)]
        idents = {_key(point): digest16(*_key(point)) for point in real}
        await self._db.executemany(
            self._db.dialect.insert_new("series", ("ident", "name", "stream_id", "labels")),
            list(
                {
                    idents[_key(p)]: (
                        idents[_key(p)],
                        clip(p.name, 128),
                        streams[p.stream],
                        to_json(p.attributes),
                    )
                    for p in real
                }.values()
            ),
        )
        ids = await self._ids(list(idents.values()))
        buckets: dict[tuple[int, int], _Bucket] = {}
        for point in real:
            _count(buckets, ids[idents[_key(point)]], point)
        await self._db.executemany(
            self._db.dialect.upsert(
                "metric_rollups",
                _ROLLUP,
                _ROLLUP[:3],
                add=("n", "vsum"),
                least=("vmin",),
                greatest=("vmax",),
                replace=("vlast",),
            ),
            [
                (series_id, 1, bucket_us, b.n, b.total, b.low, b.high, b.last)
                for (series_id, bucket_us), b in buckets.items()
            ],
        )

    async def add_spans(self, spans: Sequence[Span], streams: dict[Stream, int]) -> None:
        """A span is kept once."""
        await self._db.executemany(
            self._db.dialect.insert_new("spans", _SPAN),
            [
                (
                    *(span.trace_id, span.span_id, span.start_us, span.duration_us),
                    *(span.parent_id or None, streams[span.stream], clip(span.service, 128)),
                    *(clip(span.name, 255), _STATUS_ERROR if span.is_error else 0),
                    to_json(span.attributes) if span.attributes else None,
                )
                for span in spans
            ],
        )

    async def series(
        self, *, name: str, namespace: str, pods: Sequence[str], since_us: int, until_us: int
    ) -> tuple[Series, ...]:
        """See the port; by pod and container. The range's ends are in it, to the second."""
        rows = await self._db.fetch_all(
            "SELECT s.pod, s.container, r.bucket_us, r.vlast, r.vmin, r.vmax "
            "FROM streams s JOIN series m ON m.stream_id = s.id "
            "JOIN metric_rollups r ON r.series_id = m.id AND r.res_s = 1 "
            f"WHERE s.namespace = ? AND s.pod IN ({marks(pods)}) AND m.name = ? "
            "AND r.bucket_us >= ? AND r.bucket_us <= ? "
            "ORDER BY s.pod, s.container, r.bucket_us, m.id",
            (namespace, *pods, name, since_us - since_us % SECOND_US, until_us),
        )
        points: dict[tuple[str, str], dict[int, SeriesPoint]] = {}
        for row in rows:
            of_container = points.setdefault((row["pod"], row["container"]), {})
            point = SeriesPoint(
                ts_us=row["bucket_us"], value=row["vlast"], low=row["vmin"], high=row["vmax"]
            )
            of_container[point.ts_us] = _merged(of_container.get(point.ts_us), point)
        return tuple(
            Series(
                name=name,
                unit=_unit(name),
                namespace=namespace,
                pod=pod,
                container=container,
                points=tuple(found.values()),
            )
            for (pod, container), found in points.items()
        )

    async def _ids(self, idents: list[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for start in range(0, len(idents), _MANY):
            part = idents[start : start + _MANY]
            for row in await self._db.fetch_all(
                f"SELECT id, ident FROM series WHERE ident IN ({marks(part)})", part
            ):
                found[bytes(row["ident"])] = int(row["id"])
        return found


def _key(point: Point) -> tuple[str, ...]:
    return (
        point.name,
        *msgspec.structs.astuple(point.stream),
        *(part for item in sorted(point.attributes.items()) for part in item),
    )


def _count(buckets: dict[tuple[int, int], _Bucket], series_id: int, point: Point) -> None:
    at = (series_id, point.ts_us - point.ts_us % SECOND_US)
    value = point.value
    bucket = buckets.get(at)
    if bucket is None:
        buckets[at] = _Bucket(1, value, value, value, value, point.ts_us)
        return
    bucket.n += 1
    bucket.total += value
    bucket.low = min(bucket.low, value)
    bucket.high = max(bucket.high, value)
    if point.ts_us >= bucket.last_us:
        bucket.last, bucket.last_us = value, point.ts_us


def _merged(one: SeriesPoint | None, other: SeriesPoint) -> SeriesPoint:
    """Two senders' points of the same second: the greater one counts."""
    if one is None:
        return other
    return SeriesPoint(
        ts_us=one.ts_us,
        value=max(one.value, other.value),
        low=min(one.low, other.low),
        high=max(one.high, other.high),
    )


def _unit(name: str) -> str:
    """OpenTelemetry's unit, as far as the name tells it; empty for unknown."""
    if ".memory." in name or name.endswith(("_bytes", ".bytes")):
        return "By"
    return "{cpu}" if name.endswith("cpu.usage") else ""
