"""OpenTelemetry's protocol: logs, traces and metrics, as protobuf and as JSON.

All three requests have the same frame: a resource (where it comes from), scopes, records. A record
that cannot be read is set aside, the others stay, in bodies that are cut off too.

Fluent Bit sends its whole record in a log's body, with the `kubernetes` map inside and nothing in
the resource: that record takes the way of `records`.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from copilot.domain import attributes as names
from copilot.domain.errors import BadInput
from copilot.domain.event import Point, Span, Stream
from copilot.domain.secrets import mask, mask_value
from copilot.ingest.normalise import BatchBuilder, severity_named, stream_of
from copilot.ingest.sources import jsontext, wire
from copilot.ingest.sources.records import BadRecord, RecordReader

MAX_DEPTH = 32
MAX_ATTRIBUTES = 128
MAX_ATTRIBUTE_CHARS = 4096

Record = TypeVar("Record", bound=Message)
Framed = Iterator[tuple[Resource, Record]]

_HEX = re.compile(r"(?:[0-9a-fA-F]{16}|[0-9a-fA-F]{32})\Z")
_ID_KEYS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
_DATA_KEYS = frozenset({"gauge", "sum", "histogram", "exponentialHistogram", "summary"})
_JSON_RECORD_DEPTH = 6
"""Brackets around a record: `{"resourceLogs":[{"scopeLogs":[{"logRecords":[` ."""
_MALFORMED = (ParseError, TypeError, ValueError, RecursionError, KeyError, AttributeError)


@dataclass(frozen=True, slots=True)
class _Frame(Generic[Record]):
    """What the three requests call their parts."""

    request: type[Message]
    record: type[Record]
    what: str
    """`logs` in `resource_logs` and `scope_logs`."""
    leaf: str
    json_leaf: str

    @property
    def json_what(self) -> str:
        return self.what.capitalize()


_LOGS = _Frame(ExportLogsServiceRequest, LogRecord, "logs", "log_records", "logRecords")
_SPANS = _Frame(ExportTraceServiceRequest, WireSpan, "spans", "spans", "spans")
_METRICS = _Frame(ExportMetricsServiceRequest, Metric, "metrics", "metrics", "metrics")


def decode_logs(body: bytes, batch: BatchBuilder, *, is_json: bool, node: str = "") -> None:
    """Adds the log records of an `ExportLogsServiceRequest`."""
    reader = RecordReader(batch, node=node)
    place = _Places(batch)
    for resource, records in _together(_records(_LOGS, body, batch, is_json=is_json)):
        stream = place.of(resource)
        if _add_texts(records, stream, batch):
            continue
        for record in records:
            try:
                _add_log(record, stream, reader, batch)
            except BadRecord as error:
                batch.set_aside(str(error), record.SerializeToString())
            batch.check_size()
    reader.finish()


def decode_traces(body: bytes, batch: BatchBuilder, *, is_json: bool) -> None:
    """Adds the spans of an `ExportTraceServiceRequest`."""
    place = _Places(batch)
    for resource, span in _records(_SPANS, body, batch, is_json=is_json):
        try:
            batch.spans.append(_span(span, place.of(resource), place.service_of(resource), batch))
        except BadRecord as error:
            batch.set_aside(str(error), span.SerializeToString())
        batch.check_size()


def decode_metrics(body: bytes, batch: BatchBuilder, *, is_json: bool) -> None:
    """Adds the points of an `ExportMetricsServiceRequest`.

    A histogram becomes two series, `NAME.count` and `NAME.sum`.
    """
    place = _Places(batch)
    for resource, metric in _records(_METRICS, body, batch, is_json=is_json):
        for point in _points(metric, place.of(resource), batch):
            if math.isfinite(point.value):
                batch.points.append(point)
            else:
                batch.set_aside(
                    f"metric {point.name[:100]!r}: the value is {point.value}",
                    msgspec.json.encode(point),
                )
        batch.check_size()


# --------------------------------------------------------------------------- the frame


def _records(
    frame: _Frame[Record], body: bytes, batch: BatchBuilder, *, is_json: bool
) -> Framed[Record]:
    if is_json:
        return _from_json(frame, body, batch)
    message = frame.request()
    try:
        message.ParseFromString(body)
    except (DecodeError, RecursionError):
        return _salvaged(frame, body, batch)
    return _from_message(frame, message)


def _from_message(frame: _Frame[Record], message: Message) -> Framed[Record]:
    """Every record with its resource, of a request that is whole."""
    for group in getattr(message, f"resource_{frame.what}"):
        for scope in getattr(group, f"scope_{frame.what}"):
            for record in getattr(scope, frame.leaf):
                yield group.resource, record


def _salvaged(frame: _Frame[Record], body: bytes, batch: BatchBuilder) -> Framed[Record]:
    """The records of a request that is cut off or damaged, as far as they are whole."""
    for resource_bytes, record_bytes, is_whole in wire.framed_records(body):
        if not is_whole:
            batch.set_aside("the body ends early or is damaged", record_bytes)
            continue
        resource = Resource()
        record = frame.record()
        try:
            resource.ParseFromString(resource_bytes)
            record.ParseFromString(record_bytes)
        except (DecodeError, RecursionError):
            batch.set_aside("a record that is not protobuf of its kind", record_bytes)
            continue
        yield resource, record


def _from_json(frame: _Frame[Record], body: bytes, batch: BatchBuilder) -> Framed[Record]:
    document = _json_document(body, batch)
    for group in _maps_in(document, f"resource{frame.json_what}", batch):
        found = group.get("resource")
        resource = _parsed(found if isinstance(found, dict) else {}, Resource, batch)
        if resource is None:
            continue
        for scope in _maps_in(group, f"scope{frame.json_what}", batch):
            for fields in _maps_in(scope, frame.json_leaf, batch):
                record = _parsed(fields, frame.record, batch)
                if record is not None:
                    yield resource, record


def _parsed(fields: dict[str, object], kind: type[Record], batch: BatchBuilder) -> Record | None:
    try:
        return ParseDict(_with_base64_ids(fields), kind(), ignore_unknown_fields=True)
    except _MALFORMED as error:
        batch.set_aside(f"a record that cannot be read: {error}", _written(fields))
        return None


def _json_document(body: bytes, batch: BatchBuilder) -> Mapping[str, object]:
    """The request; of one that is cut off what stands before the cut."""
    body = body.decode("utf-8", "replace").encode()
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.MsgspecError, RecursionError) as error:
        reason = str(error)
    closed = jsontext.closed_after(body, _JSON_RECORD_DEPTH)
    if closed is not None:
        try:
            document = msgspec.json.decode(closed[0], type=dict[str, object])
        except (msgspec.MsgspecError, RecursionError):
            pass
        else:
            batch.set_aside(f"the body ends early: {reason}", closed[1])
            return document
    raise BadInput(f"not OTLP/JSON: {reason}")


def _maps_in(
    holder: Mapping[str, object], key: str, batch: BatchBuilder
) -> Iterator[dict[str, object]]:
    found = holder.get(key)
    for item in found if isinstance(found, list) else ():
        if isinstance(item, dict):
            yield item
        else:
            batch.set_aside(f"an item of {key} is not an object", _written(item))


def _with_base64_ids(value: dict[str, object], depth: int = 0) -> dict[str, object]:
    """OTLP/JSON writes ids in hex, protobuf's own JSON in base64: always the latter."""
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    changed: dict[str, object] = {}
    for key, item in value.items():
        if key in _ID_KEYS and isinstance(item, str) and _HEX.match(item):
            item = base64.b64encode(bytes.fromhex(item)).decode()
        elif key in ("links", "exemplars", "dataPoints") and isinstance(item, list):
            item = [_with_base64_ids(i, depth + 1) if isinstance(i, dict) else i for i in item]
        elif isinstance(item, dict) and key in _DATA_KEYS:
            item = _with_base64_ids(item, depth + 1)
        changed[key] = item
    return changed


# --------------------------------------------------------------------------- logs


def _together(
    records: Framed[LogRecord], most: int = 1000
) -> Iterator[tuple[Resource, list[LogRecord]]]:
    """Records of one resource that follow each other."""
    here, found = Resource(), list[LogRecord]()
    for resource, record in records:
        if found and (resource is not here or len(found) >= most):
            yield here, found
            found = []
        here = resource
        found.append(record)
    if found:
        yield here, found


def _add_texts(records: Sequence[LogRecord], stream: Stream, batch: BatchBuilder) -> bool:
    """Adds all of them, or none where one is more than a line of text; the hot path."""
    bodies = [record.body.string_value for record in records]
    if not all(bodies) or any(
        attribute.key.startswith("exception.")
        for record in records
        for attribute in record.attributes
    ):
        return False
    batch.check_size(len(records))
    times = [record.time_unix_nano or record.observed_time_unix_nano for record in records]
    batch.ts_us += [ts // 1000 for ts in times]
    batch.stream += [batch.stream_index(stream)] * len(records)
    batch.severity += [_severity(record) for record in records]
    batch.body += [body[:-1] if body[-1:] == "\n" else body for body in bodies]
    return True


def _add_log(record: LogRecord, stream: Stream, reader: RecordReader, batch: BatchBuilder) -> None:
    ts_us = (record.time_unix_nano or record.observed_time_unix_nano) // 1000
    kind = record.body.WhichOneof("value")
    if kind == "kvlist_value" and not (stream.pod or stream.app):
        reader.add(_plain_map(record.body.kvlist_value.values), ts_us=ts_us)
        return
    if kind == "string_value":
        body = record.body.string_value
    elif kind is None:
        body = record.event_name
    else:
        body = msgspec.json.encode(_plain(record.body)).decode()
    stack = _exception(record.attributes) if record.attributes else ""
    if not body and not stack:
        raise BadRecord("the record holds no message")
    batch.add_line(
        ts_us=ts_us,
        stream=stream,
        body=body.removesuffix("\n") + (f"\n{stack}" if body and stack else stack),
        severity=_severity(record),
    )


def _severity(record: LogRecord) -> int:
    number = record.severity_number
    return number if 0 < number <= 24 else severity_named(record.severity_text)


def _exception(attributes: Iterable[KeyValue]) -> str:
    """What a record says of an exception in its attributes; it is the best of the message."""
    said = {a.key: a.value.string_value for a in attributes if a.key.startswith("exception.")}
    head = ": ".join(filter(None, (said.get("exception.type"), said.get("exception.message"))))
    return said.get("exception.stacktrace", "").rstrip() or head


# --------------------------------------------------------------------------- spans


def _span(span: WireSpan, stream: Stream, service: str, batch: BatchBuilder) -> Span:
    if len(span.trace_id) != 16 or len(span.span_id) != 8:
        raise BadRecord("a span without a trace id of 16 and a span id of 8 bytes")
    if span.end_time_unix_nano < span.start_time_unix_nano:
        raise BadRecord("a span that ends before it starts")
    return Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_span_id,
        start_us=batch.usable_time(span.start_time_unix_nano // 1000),
        duration_us=(span.end_time_unix_nano - span.start_time_unix_nano) // 1000,
        stream=stream,
        service=service,
        name=mask(span.name[:MAX_ATTRIBUTE_CHARS]),
        is_error=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_span_attributes(span),
    )


_SPAN_KINDS: dict[int, str] = {
    WireSpan.SPAN_KIND_SERVER: "server",
    WireSpan.SPAN_KIND_CLIENT: "client",
    WireSpan.SPAN_KIND_PRODUCER: "producer",
    WireSpan.SPAN_KIND_CONSUMER: "consumer",
}


def _span_attributes(span: WireSpan) -> dict[str, str]:
    """Its own, and what its status and its exception say."""
    found = _texts(span.attributes)
    if kind := _SPAN_KINDS.get(span.kind):
        found["span.kind"] = kind
    if span.status.message:
        found["status.message"] = mask(span.status.message[:MAX_ATTRIBUTE_CHARS])
    for event in span.events:
        if event.name == "exception":
            said = _texts(event.attributes)
            found |= {k: v for k, v in said.items() if k in ("exception.type", "exception.message")}
    return found


# --------------------------------------------------------------------------- metrics

_Distribution = HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint


def _points(metric: Metric, stream: Stream, batch: BatchBuilder) -> Iterator[Point]:
    kind = metric.WhichOneof("data")
    if kind == "gauge":
        for number in metric.gauge.data_points:
            yield from _number(metric.name, number, stream, batch, is_monotonic=False)
    elif kind == "sum":
        for number in metric.sum.data_points:
            yield from _number(
                metric.name, number, stream, batch, is_monotonic=metric.sum.is_monotonic
            )
    elif kind == "histogram":
        for histogram in metric.histogram.data_points:
            yield from _distribution(metric.name, histogram, stream, batch)
    elif kind == "exponential_histogram":
        for exponential in metric.exponential_histogram.data_points:
            yield from _distribution(metric.name, exponential, stream, batch)
    elif kind == "summary":
        for summary in metric.summary.data_points:
            yield from _distribution(metric.name, summary, stream, batch)


_NO_VALUE = 1
"""Data point flag: the series has ended, there is no value."""


def _number(
    name: str, point: NumberDataPoint, stream: Stream, batch: BatchBuilder, *, is_monotonic: bool
) -> Iterator[Point]:
    if point.flags & _NO_VALUE:
        return
    attributes = _texts(point.attributes)
    is_whole = point.WhichOneof("value") == "as_int"
    yield Point(
        name=name,
        stream=_placed(stream, attributes),
        ts_us=batch.usable_time(point.time_unix_nano // 1000),
        value=float(point.as_int if is_whole else point.as_double),
        is_monotonic=is_monotonic,
        start_us=point.start_time_unix_nano // 1000,
        attributes=attributes,
    )


def _distribution(
    name: str, point: _Distribution, stream: Stream, batch: BatchBuilder
) -> Iterator[Point]:
    """How many and how much in all. A delta is cumulative too, since its own start."""
    if point.flags & _NO_VALUE:
        return
    attributes = _texts(point.attributes)
    ts_us = batch.usable_time(point.time_unix_nano // 1000)
    for suffix, value in (("count", float(point.count)), ("sum", point.sum)):
        yield Point(
            name=f"{name}.{suffix}",
            stream=_placed(stream, attributes),
            ts_us=ts_us,
            value=value,
            is_monotonic=True,
            start_us=point.start_time_unix_nano // 1000,
            attributes=attributes,
        )


def _placed(stream: Stream, attributes: Mapping[str, str]) -> Stream:
    """Where the resource names no pod, the point's own labels may (Prometheus receivers)."""
    if stream.pod or not (attributes.get("pod") or attributes.get(names.POD)):
        return stream
    found = {
        names.NAMESPACE: attributes.get("namespace", ""),
        names.POD: attributes.get("pod", ""),
        names.CONTAINER: attributes.get("container", ""),
        names.NODE: attributes.get("node", stream.node),
    } | dict(attributes)
    return stream_of(found, stream.cluster)


# --------------------------------------------------------------------------- values


class _Places:
    """Streams by resource; a request has few resources and many records."""

    def __init__(self, batch: BatchBuilder) -> None:
        self._batch = batch
        self._last: tuple[Resource | None, Stream, str] = (None, Stream(), "")

    def of(self, resource: Resource) -> Stream:
        """The stream that the resource names."""
        return self._look(resource)[1]

    def service_of(self, resource: Resource) -> str:
        """Its service, by name, else its workload."""
        return self._look(resource)[2]

    def _look(self, resource: Resource) -> tuple[Resource | None, Stream, str]:
        if self._last[0] is not resource:
            found = _texts(resource.attributes)
            stream = stream_of(found, self._batch.cluster)
            self._last = resource, stream, found.get(names.SERVICE_NAME) or stream.app
        return self._last


def _texts(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Attributes as text, the first `MAX_ATTRIBUTES`, secrets masked."""
    found: dict[str, str] = {}
    for attribute in attributes:
        if len(found) >= MAX_ATTRIBUTES:
            break
        value = attribute.value
        text = value.string_value
        if not text:
            plain = _plain(value)
            text = plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()
        found[attribute.key[:256]] = mask_value(attribute.key[:256], text[:MAX_ATTRIBUTE_CHARS])
    return found


_SCALARS: dict[str, Callable[[AnyValue], object]] = {
    "string_value": lambda value: value.string_value,
    "bool_value": lambda value: value.bool_value,
    "int_value": lambda value: value.int_value,
    "double_value": lambda value: value.double_value,
    "bytes_value": lambda value: value.bytes_value.decode("utf-8", "replace"),
}


def _plain(value: AnyValue, depth: int = 0) -> object:
    """The value as JSON would have it.

    Raises:
        BadRecord: nested deeper than `MAX_DEPTH`.
    """
    if depth > MAX_DEPTH:
        raise BadRecord(f"nested deeper than {MAX_DEPTH}")
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_plain(item, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _plain_map(value.kvlist_value.values, depth + 1)
    return _SCALARS[kind](value) if kind in _SCALARS else None


def _plain_map(pairs: Iterable[KeyValue], depth: int = 0) -> dict[str, object]:
    return {pair.key: _plain(pair.value, depth) for pair in pairs}


def _written(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return b""
