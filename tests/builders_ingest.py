"""Recorded requests of real senders, and bodies made from them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from copilot.domain.event import Batch
from copilot.ingest.doors import Door, decode

FIXTURES = Path(__file__).parent / "fixtures"
RECEIVED_US = 1_795_421_000_000_000
"""2026-11-23T08:03:20Z, a little after everything that was recorded."""

JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}
MSGPACK = {"Content-Type": "application/msgpack"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One request as it was sent, and the door of ours that it belongs to."""

    name: str
    door: Door
    path: str
    headers: dict[str, str]
    body: bytes


def recorded(name: str) -> Recorded:
    """The request recorded as `fluentbit/http_msgpack`."""
    lines = (FIXTURES / f"{name}.headers.txt").read_text().splitlines()
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    door, path = _door(name)
    return Recorded(
        name=name,
        door=door,
        path=path,
        headers=headers,
        body=(FIXTURES / f"{name}.body").read_bytes(),
    )


def all_recorded() -> list[str]:
    """Names of every recorded request."""
    folders = ("fluentbit", "otlp", "alertmanager")
    return sorted(
        f"{folder}/{path.stem}" for folder in folders for path in (FIXTURES / folder).glob("*.body")
    )


def decoded(name: str, **given: str) -> Batch:
    """What a recorded request becomes."""
    request = recorded(name)
    return take(request.body, request.headers | given, request.door)


def take(body: bytes, headers: dict[str, str], door: Door = Door.INGEST) -> Batch:
    """What a body becomes, received in the scene's cluster."""
    return decode(
        door, body, headers, sender="tests", received_us=RECEIVED_US, default_cluster="home"
    )


def a_record(log: str = "hello", **fields: object) -> dict[str, object]:
    """A container's line as Fluent Bit sends it."""
    return {
        "date": 1795419301.5,
        "time": "2026-11-23T07:34:43.173795611Z",
        "stream": "stdout",
        "log": log,
        "kubernetes": {
            "pod_name": "web-5f44895955-cd2ks",
            "namespace_name": "demo",
            "container_name": "web",
            "host": "dev",
            "labels": {"app": "web"},
        },
    } | fields


def as_json(*records: object) -> bytes:
    """A JSON array of the records."""
    return json.dumps(records, separators=(",", ":")).encode()


def kubernetes_text(name: str) -> str:
    """A recorded text or JSON document of the cluster."""
    return (FIXTURES / "kubernetes" / name).read_text()


def _door(name: str) -> tuple[Door, str]:
    if name.startswith("alertmanager/"):
        return Door.ALERTMANAGER, "/alertmanager"
    stem = name.removeprefix("fluentbit/").removeprefix("otlp/").removeprefix("otlp_")
    if "/http_" in name:
        return Door.INGEST, "/ingest"
    for word, door in (
        ("logs", Door.OTLP_LOGS),
        ("metrics", Door.OTLP_METRICS),
        ("traces", Door.OTLP_TRACES),
    ):
        if stem.startswith(word):
            return door, f"/v1/{word}"
    raise ValueError(name)
