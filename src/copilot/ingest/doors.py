"""The way in: what came through a door, with its headers, to one batch."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import assert_never

from copilot.domain.errors import BadInput, UnknownFormat
from copilot.domain.event import Batch
from copilot.ingest.inflate import inflate
from copilot.ingest.normalise import BatchBuilder
from copilot.ingest.sources import alertmanager, fluentbit, otlp


class Door(StrEnum):
    """Where a body was posted to."""

    INGEST = "ingest"
    OTLP_LOGS = "otlp_logs"
    OTLP_TRACES = "otlp_traces"
    OTLP_METRICS = "otlp_metrics"
    ALERTMANAGER = "alertmanager"


_JSON = frozenset({"application/json", "text/json", "application/stream+json"})
_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_MSGPACK = frozenset({"application/msgpack", "application/x-msgpack", "application/vnd.msgpack"})
_PROTOBUF = frozenset({"application/x-protobuf", "application/protobuf"})


def decode(
    door: Door,
    body: bytes,
    headers: Mapping[str, str],
    *,
    sender: str,
    received_us: int,
    default_cluster: str = "",
) -> Batch:
    """What the body holds, masked and normalised; what cannot be read of it is set aside.

    The cluster is the record's own where it names one, else the `X-Cluster` header's, else the
    default. The same body from the same sender through the same door has the same key.

    Raises:
        TooLarge: over a limit, before or after inflating.
        UnknownFormat: no decoder for the content type or encoding.
        BadInput: nothing in the body could be read.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    plain, fault = inflate(body, lowered.get("content-encoding", ""))
    batch = BatchBuilder(
        source=source_of(door),
        key=key_of(door, body, sender),
        cluster=lowered.get("x-cluster", "").strip()[:100] or default_cluster,
        received_us=received_us,
    )
    _decode_into(batch, door, plain, lowered)
    if fault:
        batch.set_aside(f"the rest of the body is lost: {fault}", b"")
    if not batch.n_good and batch.set_asides:
        raise BadInput(f"nothing in this body could be read: {batch.first_failure}")
    return batch.build()


def key_of(door: Door, body: bytes, sender: str) -> bytes:
    """The idempotency key (16 bytes) of a body as it was sent."""
    digest = sha256(f"{len(sender)}\0{sender}\0{door}\0".encode())  # in the processor: the fastest
    digest.update(body)
    return digest.digest()[:16]


def source_of(door: Door) -> str:
    """The format's name, as it stands beside what is stored."""
    if door is Door.ALERTMANAGER:
        return "alertmanager"
    return "fluentbit" if door is Door.INGEST else "otlp"


def _decode_into(batch: BatchBuilder, door: Door, body: bytes, headers: Mapping[str, str]) -> None:
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    node = headers.get("x-node", "").strip()[:100]
    match door:
        case Door.INGEST:
            _decode_records(batch, body, content_type, node)
        case Door.OTLP_LOGS:
            otlp.decode_logs(body, batch, is_json=_is_json(content_type), node=node)
        case Door.OTLP_TRACES:
            otlp.decode_traces(body, batch, is_json=_is_json(content_type))
        case Door.OTLP_METRICS:
            otlp.decode_metrics(body, batch, is_json=_is_json(content_type))
        case Door.ALERTMANAGER:
            alertmanager.decode(body, batch)
        case _:
            assert_never(door)


def _decode_records(batch: BatchBuilder, body: bytes, content_type: str, node: str) -> None:
    if not body.strip():
        raise BadInput("the body is empty")
    if content_type in _LINES:
        fluentbit.decode_json_lines(body, batch, node=node)
    elif content_type in _MSGPACK:
        fluentbit.decode_msgpack(body, batch, node=node)
    elif content_type in _JSON or (not content_type and body.lstrip()[:1] in (b"[", b"{")):
        fluentbit.decode_json(body, batch, node=node)
    else:
        raise UnknownFormat(
            f"Content-Type {content_type[:80]!r}; send application/json, application/x-ndjson "
            "or application/msgpack"
        )


def _is_json(content_type: str) -> bool:
    if content_type in _JSON:
        return True
    if content_type in _PROTOBUF:
        return False
    raise UnknownFormat(
        f"Content-Type {content_type[:80]!r}; send application/x-protobuf or application/json"
    )
