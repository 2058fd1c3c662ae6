"""What Fluent Bit's `http` output sends: JSON in three forms and MessagePack.

    json         one array
    json_stream  objects with nothing in between, although it says application/json
    json_lines   an object a line
    msgpack      `[[time, {metadata}], {record}]` in a row, without an outer array

Its containers' lines take the typed way: no map per record. Where a record lacks `log` (Keep_Log
Off), or is something else than a line (Events, the kernel's), its keys are not known beforehand and
the batch takes the way of `records`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from copilot.domain.errors import BadInput
from copilot.domain.event import Stream
from copilot.ingest.normalise import (
    YEAR_2000_US,
    BatchBuilder,
    owner_name,
    parse_time,
    parse_times,
    pod_prefix,
    severity_named,
)
from copilot.ingest.sources import jsontext
from copilot.ingest.sources.msgpack import BadMessagePack, Extension, values_in
from copilot.ingest.sources.records import BadRecord, RecordReader

MAX_AT_ONCE_BYTES = 16 * 1024 * 1024
"""A larger body is decoded record by record, which bounds what it can take."""

Scalar = str | int | float | bool | None


class _Labels(msgspec.Struct, gc=False):
    name: str | None = msgspec.field(default=None, name="app.kubernetes.io/name")
    app: str | None = None
    k8s_app: str | None = msgspec.field(default=None, name="k8s-app")


class _Owner(msgspec.Struct, gc=False):
    kind: str = ""
    name: str = ""


class _Kubernetes(msgspec.Struct, gc=False):
    namespace_name: str = ""
    pod_name: str = ""
    container_name: str = ""
    host: str = ""
    labels: _Labels | None = None
    owners: list[_Owner] | None = msgspec.field(default=None, name="ownerReferences")


class _Record(msgspec.Struct, gc=False):
    log: str | None = None
    time: Scalar = None
    date: Scalar = None
    at_timestamp: Scalar = msgspec.field(default=None, name="@timestamp")
    level: Scalar = None
    severity: Scalar = None
    lvl: Scalar = None
    kubernetes: _Kubernetes | None = None


_Chunk = tuple[tuple[msgspec.msgpack.Ext, msgspec.Raw], _Record]

_records = msgspec.json.Decoder(list[_Record]).decode
_record_lines = msgspec.json.Decoder(_Record).decode_lines
_maps = msgspec.json.Decoder(list[dict[str, object]]).decode
_map_lines = msgspec.json.Decoder(dict[str, object]).decode_lines
_map = msgspec.json.Decoder(dict[str, object]).decode
_chunks = msgspec.msgpack.Decoder(list[_Chunk]).decode

_UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decode_json(body: bytes, batch: BatchBuilder, *, node: str = "") -> None:
    """Adds a body of `json` or `json_stream`, told apart by its first byte.

    Raises:
        BadInput: it ends before its first record.
    """
    if body.strip() == b"[":
        raise BadInput("the body is an array that was cut off before its first record")
    if body.lstrip()[:1] == b"[":
        _decode_together(body, batch, node, _records, _maps, jsontext.array_items)
    else:
        pieces = list(jsontext.glued_values(body))
        joined = b"[" + b",".join(pieces) + b"]"
        _decode_together(joined, batch, node, _records, _maps, lambda _: pieces)


def decode_json_lines(body: bytes, batch: BatchBuilder, *, node: str = "") -> None:
    """Adds a body of `json_lines`."""
    _decode_together(body, batch, node, _record_lines, _map_lines, bytes.splitlines)


def decode_msgpack(body: bytes, batch: BatchBuilder, *, node: str = "") -> None:
    """Adds a body of `msgpack`.

    An array header in front makes the row of values one value that msgspec decodes at once; how
    many there are is guessed by the mark each begins with. A wrong guess is an error, never a wrong
    result, and costs only the slower way.
    """
    n_chunks = body.count(b"\x92\x92\xd7\x00")
    if len(body) <= MAX_AT_ONCE_BYTES:
        try:
            chunks = _chunks(b"\xdd" + n_chunks.to_bytes(4, "big") + body)
        except _UNDECODABLE:
            chunks = []
        if chunks and _add_typed([record for _, record in chunks], batch):
            return
    _decode_chunks(body, batch, node)


def event_time_us(data: bytes) -> int:
    """Epoch microseconds of Fluentd's EventTime (seconds, nanoseconds), 0 where it is none."""
    if len(data) != 8:
        return 0
    seconds, nanoseconds = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big")
    return seconds * 1_000_000 + nanoseconds // 1000 if nanoseconds < 1_000_000_000 else 0


def _decode_together(
    body: bytes,
    batch: BatchBuilder,
    node: str,
    typed: Callable[[bytes], list[_Record]],
    untyped: Callable[[bytes], list[dict[str, object]]],
    split: Callable[[bytes], Iterable[bytes]],
) -> None:
    """All records at once where they are all sound, else one by one."""
    if len(body) <= MAX_AT_ONCE_BYTES:
        try:
            if _add_typed(typed(body), batch):
                return
        except _UNDECODABLE:
            body = body.decode("utf-8", "replace").encode()
        try:
            maps = untyped(body)
        except _UNDECODABLE:
            pass
        else:
            _add_maps(((record, b"") for record in maps), batch, node)
            return
    _add_maps(_parsed(split(body), batch), batch, node)


def _parsed(
    texts: Iterable[bytes], batch: BatchBuilder
) -> Iterator[tuple[dict[str, object], bytes]]:
    for text in texts:
        if not text.strip():
            continue
        try:
            yield _map(text), text
        except _UNDECODABLE as error:
            batch.set_aside(f"a record that cannot be read: {error}", text)
            batch.check_size()


def _add_maps(
    records: Iterable[tuple[dict[str, object], bytes]], batch: BatchBuilder, node: str
) -> None:
    reader = RecordReader(batch, node=node)
    for record, text in records:
        _add_map(reader, record, text, batch)
    reader.finish()


def _add_map(
    reader: RecordReader, record: object, text: bytes, batch: BatchBuilder, ts_us: int = 0
) -> None:
    try:
        reader.add(record, ts_us=ts_us)
    except BadRecord as error:
        batch.set_aside(str(error), text or _written(record))
    batch.check_size()


def _decode_chunks(body: bytes, batch: BatchBuilder, node: str) -> None:
    reader = RecordReader(batch, node=node)
    good_until = 0
    try:
        for start, end, value in values_in(body):
            good_until = end
            entry = _entry(value)
            if entry is None:
                batch.set_aside("not `[time, record]`", body[start:end])
                continue
            ts_us, record = entry
            _add_map(reader, record, b"", batch, ts_us)
    except (BadMessagePack, RecursionError) as error:
        batch.set_aside(f"MessagePack: {error}", body[good_until:])
    reader.finish()


def _entry(value: object) -> tuple[int, object] | None:
    """Time and record of `[[time, metadata], record]`, or of the older `[time, record]`."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    head, record = value
    moment = head[0] if isinstance(head, list) and head else head
    if isinstance(moment, Extension):
        return (event_time_us(moment.data) if moment.code == 0 else 0), record
    return parse_time(moment), record


def _add_typed(records: Sequence[_Record], batch: BatchBuilder) -> bool:
    """Adds all of them, or none where one is not a container's line; the hot path."""
    logs = [record.log for record in records if record.log is not None]
    places = [record.kubernetes for record in records if record.kubernetes is not None]
    said = [record.time for record in records]
    if not len(logs) == len(places) == len(records) or None in said:
        return False
    batch.check_size(len(records))
    batch.ts_us += _times(records, said)
    batch.stream += _stream_indexes(places, batch)
    levels = [record.level or record.severity or record.lvl for record in records]
    batch.severity += map(severity_named, levels) if any(levels) else [0] * len(levels)
    batch.body += [log[:-1] if log[-1:] == "\n" else log for log in logs]
    return True


def _times(records: Sequence[_Record], said: Sequence[Scalar]) -> list[int]:
    """The lines' own times, the envelope's where a line's cannot be."""
    times = parse_times(said)
    if min(times, default=YEAR_2000_US) >= YEAR_2000_US:
        return times
    return [
        ts_us if ts_us >= YEAR_2000_US else parse_time(record.date or record.at_timestamp) or ts_us
        for ts_us, record in zip(times, records, strict=True)
    ]


def _stream_indexes(places: Sequence[_Kubernetes], batch: BatchBuilder) -> list[int]:
    """Each line's stream. All of a container's lines name the same one: it is made once."""
    keys = [(place.pod_name, place.container_name, place.namespace_name) for place in places]
    first = dict(zip(reversed(keys), reversed(places), strict=True))
    index = {key: batch.stream_index(_stream(first[key], batch.cluster)) for key in reversed(first)}
    return [index[key] for key in keys]


def _stream(place: _Kubernetes, cluster: str) -> Stream:
    labels = place.labels or _Labels()
    app = labels.name or labels.app or labels.k8s_app
    if not app and place.owners:
        app = owner_name(place.owners[0].kind, place.owners[0].name)
    return Stream(
        cluster=cluster,
        namespace=place.namespace_name,
        app=app or pod_prefix(place.pod_name) or place.container_name,
        pod=place.pod_name,
        container=place.container_name,
        node=place.host,
    )


def _written(record: object) -> bytes:
    try:
        return msgspec.json.encode(record)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return repr(type(record)).encode()
