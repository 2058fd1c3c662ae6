"""Telemetry: one batch in, in one transaction; lines, events, series and counts out."""

from __future__ import annotations

from collections.abc import Sequence

from copilot.domain.event import (
    Batch,
    Event,
    LineAddress,
    LogLine,
    Series,
    Stream,
    TemplateActivity,
    TemplateId,
)
from copilot.domain.search import Found, Query
from copilot.ports import Counts, SetAsideRow, StoredBatch
from copilot.store.blocks import Block
from copilot.store.coding import clip, digest16, pack, unpack
from copilot.store.columns import BUCKET_US, Columns, counted
from copilot.store.database import Database, Row
from copilot.store.events import Events, alert_stream, kube_stream
from copilot.store.lines import LogLines
from copilot.store.metrics import Metrics
from copilot.store.search import Search
from copilot.store.streams import Known, Streams, stream_of

BATCH_KEYS_US = 48 * 3600 * 1_000_000
"""How long a batch's key is remembered."""
_KEY_LENGTH = 16
_MOST_ACTIVE = 200
_ACTIVITY = """\
SELECT a.template_id, a.recent, a.earlier, t.pattern, t.severity, t.first_us, l.segment_id, l.line,
  s.cluster, s.namespace, s.app, s.pod, s.container, s.node
FROM (
  SELECT template_id, stream_id, MAX(bucket_us) AS last_bucket_us,
    SUM(CASE WHEN bucket_us > ? THEN n ELSE 0 END) AS recent,
    SUM(CASE WHEN bucket_us > ? THEN 0 ELSE n END) AS earlier
  FROM template_counts WHERE bucket_us > ? AND bucket_us <= ? GROUP BY template_id, stream_id
) a
JOIN templates t ON t.id = a.template_id
JOIN streams s ON s.id = a.stream_id
JOIN template_counts l ON l.template_id = a.template_id AND l.stream_id = a.stream_id
  AND l.bucket_us = a.last_bucket_us
WHERE a.recent > 0 AND t.severity >= ? AND (? = '' OR s.namespace = ?) AND (? = '' OR s.app = ?)
ORDER BY a.recent DESC, a.template_id, a.stream_id LIMIT ?"""


class SqlTelemetry:
    """Meets `copilot.ports.Telemetry`."""

    def __init__(
        self,
        database: Database,
        writer: str,
        known: Known | None = None,
        fresh: Known | None = None,
    ) -> None:
        self._db = database
        self._streams = Streams(database, known, fresh)
        self._lines = LogLines(database, writer)
        self._events = Events(database)
        self._metrics = Metrics(database)

    async def add(self, batch: Batch) -> StoredBatch:
        """See the port."""
        [stored] = await self.add_all([batch])
        return stored

    async def add_all(self, batches: Sequence[Batch]) -> tuple[StoredBatch, ...]:
        """See the port."""
        fresh = [batch for batch in batches if await self._is_new(batch)]
        now_us = max((batch.received_us for batch in batches), default=0)
        columns = Columns(fresh)
        newest = columns.newest()
        streams = await self._streams.keep(_seen(fresh, newest), newest, now_us=now_us)
        first = await self._add_lines(columns, streams, now_us) if columns.n else None
        for batch in fresh:
            await self._events.keep_kube_events(batch, streams)
            await self._events.keep_alerts(batch, streams)
            if batch.points:
                await self._metrics.add(batch.points, streams)
            await self._metrics.add_spans(batch.spans, streams)
        await self._db.executemany(
            "INSERT INTO set_aside (received_us, source, reason, body_z) VALUES (?, ?, ?, ?)",
            [
                (batch.received_us, clip(one.source, 64), clip(one.reason, 255), pack(one.body))
                for batch in fresh
                for one in batch.set_aside
            ],
        )
        stored = dict(zip(map(id, fresh), columns.addresses(first), strict=True))
        return tuple(
            StoredBatch(
                is_repeat=id(batch) not in stored,
                n_stored=batch.n_records if id(batch) in stored else 0,
                first_line=stored.get(id(batch)),
            )
            for batch in batches
        )

    async def lines_at(self, address: LineAddress, before: int, after: int) -> tuple[LogLine, ...]:
        """Raises: NotFound."""
        return await self._lines.at(address, before, after)

    async def lines_of(
        self, *, namespace: str, pods: Sequence[str], since_us: int, until_us: int, limit: int
    ) -> tuple[LogLine, ...]:
        """See the port; the range's ends are in it."""
        streams = await self._streams.of_pods(namespace, pods)
        if not streams:
            return ()
        return await self._lines.of(streams, since_us=since_us, until_us=until_us, limit=limit)

    async def latest_line_us(self, *, namespace: str, pod: str, container: str) -> int:
        """Time of the newest stored line, 0 for none."""
        return await self._streams.last_line_us(namespace, pod, container)

    async def activity(
        self, *, min_severity: int, window_us: int, now_us: int, namespace: str = "", app: str = ""
    ) -> tuple[TemplateActivity, ...]:
        """See the port. Counts lie in buckets of 10 s; one that reaches into the window counts
        whole."""
        recent_us, earlier_us = now_us - window_us, now_us - 2 * window_us
        rows = await self._db.fetch_all(
            _ACTIVITY,
            (
                *(recent_us - BUCKET_US, recent_us - BUCKET_US, earlier_us - BUCKET_US, now_us),
                *(min_severity, namespace, namespace, app, app, _MOST_ACTIVE),
            ),
        )
        return tuple(_activity(row) for row in rows)

    async def series(
        self, *, name: str, namespace: str, pods: Sequence[str], since_us: int, until_us: int
    ) -> tuple[Series, ...]:
        """See the port."""
        return await self._metrics.series(
            name=name, namespace=namespace, pods=pods, since_us=since_us, until_us=until_us
        )

    async def events(
        self, *, namespace: str, names: Sequence[str], since_us: int, limit: int
    ) -> tuple[Event, ...]:
        """The newest `limit`, oldest first."""
        return await self._events.about(
            namespace=namespace, names=names, since_us=since_us, limit=limit
        )

    async def kube_events(
        self, *, namespace: str, uids: Sequence[str], names: Sequence[str], since_us: int
    ) -> tuple[bytes, ...]:
        """Oldest first."""
        return await self._events.kube_events(
            namespace=namespace, uids=uids, names=names, since_us=since_us
        )

    async def event(self, event_id: int) -> Event:
        """Raises: NotFound."""
        return await self._events.get(event_id)

    async def search(self, query: Query) -> Found:
        """See the port."""
        return await Search(self._db, self._lines).find(query)

    async def set_aside(self, *, limit: int, before_id: int = 0) -> tuple[SetAsideRow, ...]:
        """Newest first; `before_id` pages on."""
        at = "(SELECT received_us FROM set_aside WHERE id = ?)"
        rows = await self._db.fetch_all(
            "SELECT * FROM set_aside WHERE ? = 0 "
            f"OR received_us < {at} OR (received_us = {at} AND id < ?) "
            "ORDER BY received_us DESC, id DESC LIMIT ?",
            (before_id, before_id, before_id, before_id, limit),
        )
        return tuple(
            SetAsideRow(
                id=row["id"],
                received_us=row["received_us"],
                source=row["source"],
                reason=row["reason"],
                body=unpack(row["body_z"]),
            )
            for row in rows
        )

    async def counts(self) -> Counts:
        """Totals; points count once a second and series."""
        row = await self._db.fetch_one(
            "SELECT (SELECT COALESCE(SUM(n_lines), 0) FROM log_segments) AS n_lines, "
            "(SELECT COUNT(*) FROM raw_events) AS n_events, "
            "(SELECT COUNT(*) FROM metric_rollups) AS n_points, "
            "(SELECT COUNT(*) FROM spans) AS n_spans, "
            "(SELECT COUNT(*) FROM templates) AS n_templates, "
            "(SELECT COUNT(*) FROM set_aside) AS n_set_aside"
        )
        if row is None:
            return Counts(lines=0, events=0, points=0, spans=0, templates=0, set_aside=0)
        return Counts(
            lines=row["n_lines"],
            events=row["n_events"],
            points=row["n_points"],
            spans=row["n_spans"],
            templates=row["n_templates"],
            set_aside=row["n_set_aside"],
        )

    async def _is_new(self, batch: Batch) -> bool:
        key = batch.key if len(batch.key) == _KEY_LENGTH else digest16(batch.key)
        await self._db.execute(
            "DELETE FROM ingest_batches WHERE received_us < ?", (batch.received_us - BATCH_KEYS_US,)
        )
        columns = ("batch_key", "source", "n", "received_us")
        added = await self._db.execute(
            self._db.dialect.insert_new("ingest_batches", columns),
            (key, clip(batch.source, 64), batch.n_records, batch.received_us),
        )
        return added == 1

    async def _add_lines(
        self, columns: Columns, streams: dict[Stream, int], now_us: int
    ) -> LineAddress:
        spans = columns.spans()
        templates, new = await self._streams.keep_templates(spans, now_us=now_us)
        lines = columns.block(streams, templates)
        first = await self._lines.append(lines, now_us=now_us)
        await self._count(lines, first)
        unseen = [i for i, template in enumerate(columns.templates) if template in new]
        chosen = columns.worth_a_row(unseen)
        for batch, start, end in columns.parts():
            own = [i - start for i in chosen if start <= i < end]
            if own:
                here = slice(start, end)
                await self._events.add_lines(
                    batch,
                    own,
                    lines.stream[here].tolist(),
                    lines.template[here].tolist(),
                    LineAddress(segment=first.segment, line=first.line + start),
                )
        return first

    async def _count(self, lines: Block, first: LineAddress) -> None:
        columns = ("template_id", "stream_id", "bucket_us", "n", "segment_id", "line")
        await self._db.executemany(
            self._db.dialect.upsert(
                "template_counts", columns, columns[:3], add=("n",), replace=columns[4:]
            ),
            [(*key, first.segment, first.line + last) for *key, last in counted(lines)],
        )


def _seen(batches: Sequence[Batch], newest: dict[Stream, int]) -> dict[Stream, int]:
    """Every stream the batches name, with the latest time it shows a sign of life."""
    seen: dict[Stream, int] = {}
    for batch in batches:
        seen |= dict.fromkeys(batch.streams, batch.received_us)
    seen |= newest
    for batch in batches:
        for point in batch.points:
            seen[point.stream] = max(seen.get(point.stream, 0), point.ts_us)
        for span in batch.spans:
            seen[span.stream] = max(seen.get(span.stream, 0), span.start_us)
        for event in batch.kube_events:
            seen.setdefault(kube_stream(event, batch.cluster), batch.received_us)
        for alert in batch.alerts:
            seen.setdefault(alert_stream(alert, batch.cluster), batch.received_us)
    return seen


def _activity(row: Row) -> TemplateActivity:
    return TemplateActivity(
        template_id=TemplateId(row["template_id"]),
        pattern=row["pattern"],
        severity=row["severity"],
        stream=stream_of(row),
        first_us=row["first_us"],
        recent_count=row["recent"],
        earlier_count=row["earlier"],
        last_address=str(LineAddress(segment=row["segment_id"], line=row["line"])),
    )
