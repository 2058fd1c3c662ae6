"""A record as a map: what senders make of a line when its shape is not known beforehand.

Fluent Bit merges the keys of a JSON line into the record, so a map is unavoidable there; MessagePack
and OTLP bodies come the same way. A record may be a log line, a line of the kernel's, one of the
journal's, or a Kubernetes Event.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from copilot.domain.event import Stream
from copilot.ingest.normalise import (
    APP_LABELS,
    LEVEL_KEYS,
    MESSAGE_KEYS,
    YEAR_2000_US,
    BatchBuilder,
    owner_name,
    parse_time,
    pod_prefix,
    severity_named,
)
from copilot.ingest.sources.kernel import is_about_a_kill, kills_in
from copilot.ingest.sources.kube_events import is_kube_event, kube_event_of

Record = Mapping[str, object]

DATE_KEYS = ("date", "@timestamp", "timestamp", "_timestamp", "ts")
_OWN_KEYS = frozenset(
    {"date", "@timestamp", "time", "stream", "_p", "logtag", "kubernetes", "kubernetes_namespace"}
)
"""What Fluent Bit adds to a merged line: all else is the line's own."""
KERNEL_APP = "kernel"
_PRINTK_SEVERITY = (21, 21, 21, 17, 9, 9, 9, 5)
"""By priority. 4 is what the kernel uses where the programmer said nothing, so it says nothing."""


class BadRecord(ValueError):
    """A record that makes no sense; the message says why."""


class RecordReader:
    """Adds records that are maps to a batch, and at the end what they say together."""

    def __init__(self, batch: BatchBuilder, *, node: str = "") -> None:
        self._batch = batch
        self._node = node
        self._kernel: list[tuple[int, str, str]] = []

    def add(self, record: object, *, ts_us: int = 0) -> None:
        """One record; `ts_us` is the envelope's time, used where the record has none of its own.

        Raises:
            BadRecord: it holds no message, or its Event cannot be read.
        """
        if not isinstance(record, dict):
            raise BadRecord("the record is not a map")
        if is_kube_event(record):
            self._add_kube_event(record)
        elif _is_kernel(record):
            self._add_kernel_line(record, ts_us)
        else:
            self._add_line(record, ts_us)

    def finish(self) -> None:
        """Joins the kernel's lines into kills."""
        nodes = dict.fromkeys(node for _, _, node in self._kernel)
        for node in nodes:
            lines = [(ts_us, line) for ts_us, line, where in self._kernel if where == node]
            self._batch.kernel_kills.extend(kills_in(lines, node=node))

    def _add_kube_event(self, record: Record) -> None:
        try:
            self._batch.kube_events.append(kube_event_of(record))
        except msgspec.MsgspecError as error:
            raise BadRecord(f"a Kubernetes Event that cannot be read: {error}") from None

    def _add_kernel_line(self, record: Record, ts_us: int) -> None:
        said = record.get("msg", record.get("MESSAGE"))
        line = said if isinstance(said, str) else ""
        node = _text(record, "_HOSTNAME", "hostname", "host", "node") or self._node
        priority = severity_of_priority(record.get("priority", record.get("PRIORITY")))
        ts_us = self._batch.usable_time(time_of(record, ts_us))
        stream = Stream(cluster=self._batch.cluster, app=KERNEL_APP, node=node)
        self._batch.add_line(ts_us=ts_us, stream=stream, body=line, severity=priority)
        if is_about_a_kill(line):
            self._kernel.append((ts_us, line, node))

    def _add_line(self, record: Record, ts_us: int) -> None:
        kubernetes = record.get("kubernetes")
        place = kubernetes if isinstance(kubernetes, dict) else {}
        self._batch.add_line(
            ts_us=time_of(record, ts_us),
            stream=stream_of_map(place, self._batch.cluster) if place else self._stream(record),
            body=body_of(record),
            severity=severity_of(record),
        )

    def _stream(self, record: Record) -> Stream:
        """Of a line without pod metadata: what the record or its sender says of its node."""
        node = _text(record, "_HOSTNAME", "hostname") or self._node
        unit = _text(record, "_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER").removesuffix(".service")
        return Stream(cluster=self._batch.cluster, app=unit, node=node)


def time_of(record: Record, envelope_us: int = 0) -> int:
    """Epoch microseconds: the line's own `time` (Fluent Bit's `date` may be when it was read).

    Without it the date key counts, then the envelope, then the record's first field: the sender may
    name the date key as it likes, and writes it first. 0 where there is none.
    """
    known = [parse_time(record.get(key)) for key in ("time", *DATE_KEYS)]
    journal = record.get("_SOURCE_REALTIME_TIMESTAMP")
    known.append(parse_time(journal))
    first = parse_time(next(iter(record.values()), None))
    found = [ts for ts in (*known, envelope_us, first) if ts]
    return next((ts for ts in found if ts >= YEAR_2000_US), found[0] if found else 0)


def severity_of(record: Record) -> int:
    """What the record's level field says, 0 for nothing."""
    for key in LEVEL_KEYS:
        if severity := severity_named(record.get(key)):
            return severity
    return severity_of_priority(record.get("PRIORITY"))


def severity_of_priority(priority: object) -> int:
    """By a syslog priority of 0 to 7, also as text; 0 where it is none."""
    if isinstance(priority, str) and priority.isdecimal():
        priority = int(priority[:3])
    if isinstance(priority, int) and not isinstance(priority, bool) and 0 <= priority <= 7:
        return _PRINTK_SEVERITY[priority]
    return 0


def body_of(record: Record) -> str:
    """The message: the line as it was, put together again where only its merged keys are left.

    Raises:
        BadRecord: there is none.
    """
    log = record.get("log", record.get("MESSAGE"))
    if isinstance(log, str):
        return log.removesuffix("\n")
    own = {
        key: value
        for position, (key, value) in enumerate(record.items())
        if key not in _OWN_KEYS and not (position == 0 and key in DATE_KEYS)
    }
    if not own:
        raise BadRecord("the record holds no message")
    if len(own) == 1:
        only = next(iter(own.values()))
        if isinstance(only, dict) and only:
            own = only  # all of the line's keys, merged under one (Merge_Log_Key)
        elif isinstance(only, str) and next(iter(own)) in MESSAGE_KEYS:
            return only.removesuffix("\n")
    try:
        return msgspec.json.encode(own).decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadRecord(f"the record cannot be written as a line: {error}") from None


def stream_of_map(kubernetes: Record, cluster: str) -> Stream:
    """The stream that Fluent Bit's `kubernetes` map names."""
    labels = kubernetes.get("labels")
    owners = kubernetes.get("ownerReferences")
    pod = _text(kubernetes, "pod_name")
    container = _text(kubernetes, "container_name")
    app = _text(labels, *APP_LABELS) if isinstance(labels, dict) else ""
    if not app and isinstance(owners, list) and owners and isinstance(owners[0], dict):
        app = owner_name(_text(owners[0], "kind"), _text(owners[0], "name"))
    return Stream(
        cluster=cluster,
        namespace=_text(kubernetes, "namespace_name"),
        app=app or pod_prefix(pod) or container,
        pod=pod,
        container=container,
        node=_text(kubernetes, "host"),
    )


def _is_kernel(record: Record) -> bool:
    """From the kernel itself: a container that prints such a line is not believed.

    Fluent Bit's kmsg input gives exactly these fields; the journal names its transport.
    """
    if "kubernetes" in record or "log" in record or "stream" in record:
        return False
    return {"priority", "sequence", "sec", "usec", "msg"} <= record.keys() or (
        record.get("_TRANSPORT") == "kernel"
    )


def _text(record: Record, *keys: str) -> str:
    """The first of the fields that holds text."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, str) and value:
            return value
    return ""
