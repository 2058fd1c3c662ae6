"""Telemetry: one batch in, in one transaction; lines, events, series and counts out."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from copilot.domain.event import (
    Batch,
    Event,
    LineAddress,
    LogLine,
    Series,
    Severity,
    Stream,
    Template,
    TemplateActivity,
    TemplateId,
)
from copilot.domain.retrieval import Near
from copilot.domain.search import Counted, Found, Query
from copilot.ports import Counts as Totals
from copilot.ports import SetAsideRow, StoredBatch
from copilot.store.coding import clip, digest16, pack, unpack
from copilot.store.columns import BUCKET_US, Columns
from copilot.store.counts import COLUMNS, FEW_LINES, KEY, Counts, Waiting, none, together
from copilot.store.database import Database, Row
from copilot.store.events import Events, alert_stream, kube_stream
from copilot.store.families import Families
from copilot.store.lines import LogLines
from copilot.store.matrices import Matrices
from copilot.store.metrics import Metrics
from copilot.store.ranking import Ranking
from copilot.store.search import Search
from copilot.store.streams import Known, Streams, stream_of

BATCH_KEYS_US = 48 * 3600 * 1_000_000
"""How long a batch's key is remembered."""
_TIDY_US = 60_000_000
_KEY_LENGTH = 16
_MOST_ACTIVE = 200
_ACTIVITY = """\
SELECT h.id AS template_id, a.recent, a.earlier, COALESCE(fh.pattern, h.pattern) AS pattern,
  h.first_us, t.severity, l.segment_id, l.line,
  s.cluster, s.namespace, s.app, s.pod, s.container, s.node
FROM (
  SELECT c.template_id, c.stream_id, MAX(c.bucket_us) AS last_bucket_us,
    SUM(CASE WHEN c.bucket_us > ? THEN c.n ELSE 0 END) AS recent,
    SUM(CASE WHEN c.bucket_us > ? THEN 0 ELSE c.n END) AS earlier
  FROM streams alive JOIN template_counts c ON c.stream_id = alive.id
  WHERE alive.last_line_us > ? AND c.bucket_us > ? AND c.bucket_us <= ?
  GROUP BY c.template_id, c.stream_id
) a
JOIN templates t ON t.id = a.template_id
LEFT JOIN template_families f ON f.template_id = a.template_id
LEFT JOIN template_families fh ON fh.template_id = f.family_id
JOIN templates h ON h.id = COALESCE(f.family_id, t.id)
JOIN streams s ON s.id = a.stream_id
JOIN template_counts l ON l.template_id = a.template_id AND l.stream_id = a.stream_id
  AND l.bucket_us = a.last_bucket_us
WHERE a.recent > 0 AND t.severity >= ? AND (? = '' OR s.namespace = ?) AND (? = '' OR s.app = ?)
ORDER BY a.recent DESC, a.template_id, a.stream_id LIMIT ?"""


_MOST_BUCKETS = 10_000
"""A day has 8,640."""
_HISTORY = """\
SELECT c.bucket_us, SUM(c.n) AS n FROM template_counts c JOIN streams s ON s.id = c.stream_id
WHERE c.template_id = ? AND c.bucket_us >= ? AND c.bucket_us < ? AND s.namespace = ? AND s.app = ?
GROUP BY c.bucket_us ORDER BY c.bucket_us LIMIT ?"""


@dataclass(slots=True)
class Process:
    """What sessions of one process share."""

    writer: str = field(default_factory=lambda: secrets.token_hex(8))
    """Names this process as the writer of its log segments."""
    known: Known = field(default_factory=Known)
    waiting: Waiting = field(default_factory=Waiting)


class SqlTelemetry:
    """Meets `copilot.ports.Telemetry`."""

    def __init__(self, database: Database, process: Process, matrices: Matrices) -> None:
        self._db = database
        self._process = process
        self._fresh = Known()
        self._counted = none()
        self._uncounted: list[Counts] = []
        self._streams = Streams(database, self._process.known, self._fresh)
        self._lines = LogLines(database, self._process.writer)
        self._events = Events(database)
        self._metrics = Metrics(database)
        self._search = Search(database, self._lines, Ranking(database, matrices))

    def committed(self) -> None:
        """What this transaction learned and left uncounted is from now on everybody's."""
        self._process.known.take(self._fresh)
        for counts in self._uncounted:
            self._process.waiting.add(counts)

    def rolled_back(self) -> None:
        """What it was to count besides its own waits on."""
        self._process.waiting.put_back(self._counted)

    async def add(self, batch: Batch) -> StoredBatch:
        """See the port."""
        [stored] = await self.add_all([batch])
        return stored

    async def add_all(self, batches: Sequence[Batch]) -> tuple[StoredBatch, ...]:
        """See the port."""
        now_us = max((batch.received_us for batch in batches), default=0)
        await self._forget_keys(batches, now_us)
        fresh = [batch for batch in batches if await self._is_new(batch)]
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
        """Raises: NotFound, Gone."""
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
                *(recent_us - BUCKET_US, recent_us - BUCKET_US),
                *(earlier_us - BUCKET_US, earlier_us - BUCKET_US, now_us),
                *(min_severity, namespace, namespace, app, app, _MOST_ACTIVE),
            ),
        )
        return _together(_activity(row) for row in rows)

    async def template_history(
        self,
        *,
        template_id: TemplateId,
        namespace: str,
        app: str,
        window_us: int,
        since_us: int,
        until_us: int,
    ) -> tuple[int, ...]:
        """See the port."""
        rows = await self._db.fetch_all(
            _HISTORY, (template_id, since_us, until_us, namespace, app, _MOST_BUCKETS)
        )
        windows: dict[int, int] = {}
        for row in rows:
            window = int(row["bucket_us"]) // window_us
            windows[window] = windows.get(window, 0) + int(row["n"])
        return tuple(windows.values())

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

    async def search(self, query: Query, *, after: str = "", near: Near | None = None) -> Found:
        """See the port."""
        return await self._search.find(query, after=after, near=near)

    async def search_counts(
        self, query: Query, *, now_us: int, near: Near | None = None
    ) -> Counted:
        """See the port."""
        return await self._search.count(query, now_us=now_us, near=near)

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

    async def counts(self) -> Totals:
        """Totals; points count once a second and series."""
        row = await self._db.fetch_one(
            "SELECT (SELECT COALESCE(SUM(n_lines - n_retired), 0) FROM log_segments) AS n_lines, "
            "(SELECT COUNT(*) FROM raw_events) AS n_events, "
            "(SELECT COUNT(*) FROM metric_rollups) AS n_points, "
            "(SELECT COUNT(*) FROM spans) AS n_spans, "
            "(SELECT COUNT(*) FROM templates) AS n_templates, "
            "(SELECT COUNT(*) FROM set_aside) AS n_set_aside"
        )
        if row is None:
            return Totals(lines=0, events=0, points=0, spans=0, templates=0, set_aside=0)
        return Totals(
            lines=row["n_lines"],
            events=row["n_events"],
            points=row["n_points"],
            spans=row["n_spans"],
            templates=row["n_templates"],
            set_aside=row["n_set_aside"],
        )

    async def _forget_keys(self, batches: Sequence[Batch], now_us: int) -> None:
        """Of batches that are too old to be sent again; now and then."""
        tidied_us = self._process.known.tidied_us
        for source in sorted({clip(batch.source, 64) for batch in batches}):
            if not 0 <= now_us - tidied_us.get(source, 0) < _TIDY_US:
                await self._db.execute(  # each source its own: no index leads with time alone
                    "DELETE FROM ingest_batches WHERE source = ? AND received_us < ?",
                    (source, now_us - BATCH_KEYS_US),
                )
                self._fresh.tidied_us[source] = now_us

    async def _is_new(self, batch: Batch) -> bool:
        key = batch.key if len(batch.key) == _KEY_LENGTH else digest16(batch.key)
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
        await self._count(columns, streams, templates, first, now_us)
        unseen_ids = await Families(self._db).place(
            {templates[template]: (template, spans[template][0]) for template in new}
        )
        unseen = [i for i, t in enumerate(columns.templates) if templates.get(t) in unseen_ids]
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

    async def settle(self, now_us: int) -> None:
        """Write the counts that wait."""
        taken = self._process.waiting.taken(now_us)
        self._counted = together([self._counted, taken])
        await self._write_counts(taken)

    async def _count(
        self,
        columns: Columns,
        streams: dict[Stream, int],
        templates: dict[Template, int],
        first: LineAddress,
        now_us: int,
    ) -> None:
        template, stream, bucket_us, n, last = columns.counted()
        template_ids = np.array([templates[one] for one in columns.templates])
        stream_ids = np.array([streams[one] for one in columns.streams])
        segment = np.full(len(n), first.segment)
        place = (template_ids[template], stream_ids[stream], bucket_us)
        rows = np.stack((*place, n, segment, first.line + last), axis=1)
        waiting = self._process.waiting
        if columns.n <= FEW_LINES or waiting.is_due(now_us):
            taken = waiting.taken(now_us)
            self._counted = together([self._counted, taken])
            await self._write_counts(together([taken, rows]))
            return
        severity = np.array([one.severity for one in columns.templates])
        is_urgent = severity[template] >= Severity.WARN
        self._uncounted.append(rows[~is_urgent])
        await self._write_counts(rows[is_urgent])

    async def _write_counts(self, counts: Counts) -> None:
        await self._db.executemany(
            self._db.dialect.upsert(
                "template_counts", COLUMNS, COLUMNS[:KEY], add=("n",), replace=COLUMNS[KEY + 1 :]
            ),
            counts.tolist(),
        )


def _seen(batches: Sequence[Batch], newest: dict[Stream, int]) -> dict[Stream, int]:
    """Every stream the batches name, with the latest time it shows a sign of life: when it was
    heard of, or later by its own clock. One that sends what is old is alive all the same."""
    seen: dict[Stream, int] = {}

    def see(stream: Stream, *times: int) -> None:
        seen[stream] = max(seen.get(stream, 0), *times)

    for batch in batches:
        for stream in batch.streams:
            see(stream, batch.received_us, newest.get(stream, 0))
        for point in batch.points:
            see(point.stream, batch.received_us, point.ts_us)
        for span in batch.spans:
            see(span.stream, batch.received_us, span.start_us)
        for event in batch.kube_events:
            see(kube_stream(event, batch.cluster), batch.received_us)
        for alert in batch.alerts:
            see(alert_stream(alert, batch.cluster), batch.received_us)
    return seen


def _together(parts: Iterable[TemplateActivity]) -> tuple[TemplateActivity, ...]:
    """One for each family and stream, busiest first; of several the busiest says where the last
    line is."""
    found: dict[tuple[TemplateId, Stream], TemplateActivity] = {}
    for part in parts:
        key = (part.template_id, part.stream)
        known = found.get(key)
        found[key] = part if known is None else _added(known, part)
    return tuple(sorted(found.values(), key=lambda one: -one.recent_count))


def _added(one: TemplateActivity, other: TemplateActivity) -> TemplateActivity:
    return replace(
        one,
        severity=max(one.severity, other.severity),
        recent_count=one.recent_count + other.recent_count,
        earlier_count=one.earlier_count + other.earlier_count,
    )


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
