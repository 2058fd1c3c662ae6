"""The row tier: what can be evidence by itself, one row each, full-text indexed."""

from __future__ import annotations

from collections.abc import Sequence

from copilot.domain.errors import NotFound
from copilot.domain.event import (
    Batch,
    Event,
    EventId,
    LineAddress,
    ReceivedAlert,
    Severity,
    Signal,
    Stream,
    level_of,
)
from copilot.domain.objects import KubeEvent, ObjectRef, epoch_us
from copilot.store.coding import clip, digest16, to_json
from copilot.store.database import Database, Row, Value, marks
from copilot.store.postings import Postings

COLUMNS = (
    "ts_us",
    "stream_id",
    "template_id",
    "type",
    "severity",
    "reason",
    "uid",
    "count",
    "object_kind",
    "object_namespace",
    "object_name",
    "object_uid",
    "segment_id",
    "line",
    "body_text",
    "body_json",
)
SELECT = (
    f"SELECT e.id, {', '.join(f'e.{name}' for name in COLUMNS)}, "
    "s.cluster, s.namespace, s.app, s.pod FROM raw_events e JOIN streams s ON s.id = e.stream_id"
)
_BODY = 16_000
"""Characters of text in a row; a longer line is whole in its block."""
_KIND, _NAMESPACE, _NAME = 63, 63, 253
"""Characters that Kubernetes allows; others may send more."""
_WORDS = ("body_text", "reason", "object_name")
"""What is searched of a row."""
_INSERT = f"INSERT INTO raw_events ({', '.join(COLUMNS)}) VALUES ({marks(COLUMNS)})"


class Events:
    """Writes and reads rows."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._postings = Postings(database)

    async def add_lines(
        self,
        batch: Batch,
        chosen: Sequence[int],
        stream_ids: Sequence[int],
        template_ids: Sequence[int],
        first: LineAddress,
    ) -> None:
        """A row for each of the batch's lines that `chosen` names by index."""
        lines = batch.lines
        rows: list[tuple[Value, ...]] = []
        for i in chosen:
            stream = batch.streams[lines.stream[i]]
            pod = (clip(stream.namespace, _NAMESPACE), clip(stream.pod, _NAME))
            place = ("Pod", *pod) if stream.pod else ("", "", "")
            rows.append(
                (
                    *(lines.ts_us[i], stream_ids[i], template_ids[i], Signal.LOGS),
                    *(lines.severity[i], "", None, 1, *place, ""),
                    *(first.segment, first.line + i, clip(lines.body[i], _BODY), None),
                )
            )
        await self._db.executemany(_INSERT, rows)
        if self._db.dialect.keeps_words:
            await self._index_lines(first, first.line + len(lines.body))

    async def keep_kube_events(self, batch: Batch, streams: dict[Stream, int]) -> None:
        """One row a uid; a repeat that is not older refreshes it."""
        for event in batch.kube_events:
            await self._keep(
                _kube_row(event, streams[kube_stream(event, batch.cluster)], batch.received_us)
            )

    async def keep_alerts(self, batch: Batch, streams: dict[Stream, int]) -> None:
        """One row for each start of another system's alert; a repeat refreshes it."""
        for alert in batch.alerts:
            await self._keep(
                _alert_row(alert, streams[alert_stream(alert, batch.cluster)], batch.received_us)
            )

    async def get(self, event_id: int) -> Event:
        """Raises: NotFound."""
        row = await self._db.fetch_one(f"{SELECT} WHERE e.id = ?", (event_id,))
        if row is None:
            raise NotFound(f"there is no event {event_id}")
        return event_of(row)

    async def about(
        self, *, namespace: str, names: Sequence[str], since_us: int, limit: int
    ) -> tuple[Event, ...]:
        """The newest `limit`, oldest first."""
        rows = await self._db.fetch_all(
            f"{SELECT} WHERE e.object_name IN ({marks(names)}) AND e.ts_us >= ? "
            "AND s.namespace = ? ORDER BY e.ts_us DESC, e.line DESC, e.id DESC LIMIT ?",
            (*names, since_us, namespace, limit),
        )
        return tuple(event_of(row) for row in reversed(rows))

    async def kube_events(
        self, *, namespace: str, uids: Sequence[str], names: Sequence[str], since_us: int
    ) -> tuple[bytes, ...]:
        """JSON of core/v1 Events about objects of these uids or names, oldest first."""
        rows = await self._db.fetch_all(
            "SELECT e.body_json FROM raw_events e JOIN streams s ON s.id = e.stream_id "
            f"WHERE (e.object_uid IN ({marks(uids)}) OR e.object_name IN ({marks(names)})) "
            "AND e.type = ? AND e.ts_us >= ? AND s.namespace = ? ORDER BY e.ts_us, e.id",
            (*uids, *names, Signal.KUBE_EVENTS, since_us, namespace),
        )
        return tuple(row["body_json"].encode() for row in rows)

    async def _keep(self, values: dict[str, Value]) -> None:
        # Its stream's row was written before: nobody else writes an event of the same uid now.
        stored = await self._db.fetch_one(
            f"SELECT id, ts_us, count, {', '.join(_WORDS)} FROM raw_events WHERE uid = ?",
            (values["uid"],),
        )
        if stored is None:
            new_id = await self._db.insert(_INSERT, tuple(values[name] for name in COLUMNS))
            await self._postings.add([_posted(values, new_id or 0)])
        elif _is_not_older(values, stored):
            await self._postings.remove(stored["id"], stored["ts_us"], [stored[n] for n in _WORDS])
            fresh = ("ts_us", "severity", "reason", "count", "body_text", "body_json")
            await self._db.execute(
                f"UPDATE raw_events SET {', '.join(f'{name} = ?' for name in fresh)} WHERE id = ?",
                (*(values[name] for name in fresh), stored["id"]),
            )
            await self._postings.add([_posted(values, stored["id"])])

    async def _index_lines(self, first: LineAddress, end: int) -> None:
        """Post the rows of a segment's lines: many were written at once, so ask for their ids."""
        rows = await self._db.fetch_all(
            f"SELECT id, ts_us, {', '.join(_WORDS)} FROM raw_events "
            "WHERE segment_id = ? AND line >= ? AND line < ?",
            (first.segment, first.line, end),
        )
        await self._postings.add([(r["id"], r["ts_us"], [r[n] for n in _WORDS]) for r in rows])


def kube_stream(event: KubeEvent, cluster: str) -> Stream:
    """Where a Kubernetes event belongs."""
    about = event.involved_object
    return Stream(
        cluster=cluster,
        namespace=about.namespace or event.metadata.namespace,
        pod=about.name if about.kind == "Pod" else "",
    )


def alert_stream(alert: ReceivedAlert, cluster: str) -> Stream:
    """Where another system's alert belongs, as far as its labels say."""
    label = alert.labels.get
    return Stream(
        cluster=cluster,
        namespace=label("namespace", ""),
        app=label("app", "") or label("deployment", ""),
        pod=label("pod", ""),
        container=label("container", ""),
        node=label("node", ""),
    )


def event_of(row: Row) -> Event:
    """The event in a row of `SELECT`."""
    kind, address = Signal(row["type"]), ""
    if row["segment_id"] is not None:
        address = str(LineAddress(segment=row["segment_id"], line=row["line"]))
    about = ObjectRef(
        kind=row["object_kind"],
        namespace=row["object_namespace"],
        name=row["object_name"],
        uid=row["object_uid"],
    )
    return Event(
        id=EventId(row["id"]),
        ts_us=row["ts_us"],
        signal=kind,
        level=level_of(row["severity"]),
        reason=row["reason"],
        cluster=row["cluster"],
        namespace=row["namespace"],
        app=row["app"],
        pod=row["pod"],
        object=about if about.kind else None,
        uid=row["uid"] or "" if kind is Signal.KUBE_EVENTS else "",
        count=row["count"],
        body=row["body_text"],
        address=address,
    )


def _posted(values: dict[str, Value], event_id: int) -> tuple[int, int, list[str]]:
    return event_id, int(values["ts_us"] or 0), [str(values[name]) for name in _WORDS]


def _is_not_older(values: dict[str, Value], stored: Row) -> bool:
    return (values["ts_us"], values["count"]) >= (stored["ts_us"], stored["count"])


def _kube_row(event: KubeEvent, stream_id: int, received_us: int) -> dict[str, Value]:
    about = event.involved_object
    count = event.count or (event.series.count if event.series else 0) or 1
    name = f"{event.metadata.namespace}/{event.metadata.name}"
    return _row(
        ts_us=epoch_us(event.occurred) or received_us,
        stream_id=stream_id,
        type=Signal.KUBE_EVENTS,
        severity=Severity.WARN if event.type == "Warning" else Severity.INFO,
        reason=clip(event.reason, 128),
        uid=clip(event.metadata.uid or name, 320),
        count=count,
        object_kind=clip(about.kind, _KIND),
        object_namespace=clip(about.namespace, _NAMESPACE),
        object_name=clip(about.name, _NAME),
        object_uid=clip(about.uid, 64),
        body_text=clip(event.message, _BODY),
        body_json=to_json(event),
    )


def _alert_row(alert: ReceivedAlert, stream_id: int, received_us: int) -> dict[str, Value]:
    note = alert.annotations.get
    text = note("description", "") or note("summary", "") or note("message", "") or alert.name
    about = next(
        ((kind, alert.labels[label]) for label, kind in _ABOUT.items() if alert.labels.get(label)),
        ("", ""),
    )
    return _row(
        ts_us=alert.starts_us or received_us,
        stream_id=stream_id,
        type=Signal.ALERTS,
        severity=Severity.ERROR if alert.is_firing else Severity.INFO,
        reason=clip(alert.name, 128),
        uid=digest16(alert.source, alert.fingerprint, alert.starts_us).hex(),
        object_kind=about[0],
        object_namespace=clip(alert.labels.get("namespace", ""), _NAMESPACE),
        object_name=clip(about[1], _NAME),
        body_text=clip(text, _BODY),
        body_json=to_json(alert),
    )


_ABOUT = {"pod": "Pod", "deployment": "Deployment", "node": "Node"}
"""Labels that say what an alert is about, the nearest first."""


def _row(**given: Value) -> dict[str, Value]:
    blank: dict[str, Value] = dict.fromkeys(COLUMNS, "")
    blank |= {"template_id": 0, "count": 1, "segment_id": None, "line": None}
    return blank | given
