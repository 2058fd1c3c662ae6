"""Lines read from the log API of a pod, each with its RFC 3339 timestamp in front."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from copilot.domain.event import Batch, Stream
from copilot.ingest.normalise import BatchBuilder, parse_time

SOURCE = "pod_logs"
_OWN_TIME_KEYS = ("time", "ts", "timestamp", "@timestamp")
_NOT_A_LOG = ("unable to retrieve container logs for", "failed to try resolving symlinks")
"""What the kubelet says in an ordinary answer where the log is gone."""


def decode(lines: Sequence[str], *, stream: Stream, cluster: str, received_us: int) -> Batch:
    """The lines as a batch; its key is the same for the same lines of the same container.

    A line without a timestamp is dated by itself where it is JSON, else like the one before.
    """
    batch = BatchBuilder(
        source=SOURCE, key=_key(lines, stream, cluster), cluster=cluster, received_us=received_us
    )
    stream = msgspec.structs.replace(stream, cluster=stream.cluster or cluster)
    last_us = 0
    for line in lines:
        if line.startswith(_NOT_A_LOG):
            batch.set_aside("the kubelet says that the log is gone", line.encode())
            continue
        ts_us, body = _split(line)
        last_us = ts_us or _own_time(body) or last_us
        batch.add_line(ts_us=last_us, stream=stream, body=body.removesuffix("\n"))
    return batch.build()


def _split(line: str) -> tuple[int, str]:
    stamp, space, body = line.partition(" ")
    is_stamp = len(stamp) >= 20 and stamp[4:5] == "-" and stamp[10:11] == "T"
    ts_us = parse_time(stamp) if is_stamp else 0
    if not ts_us:
        return 0, line
    return ts_us, body if space else ""


def _own_time(body: str) -> int:
    if body[:1] != "{":
        return 0
    try:
        fields = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.MsgspecError, RecursionError):
        return 0
    return next((ts for key in _OWN_TIME_KEYS if (ts := parse_time(fields.get(key)))), 0)


def _key(lines: Sequence[str], stream: Stream, cluster: str) -> bytes:
    digest = blake2b(f"{SOURCE}\0{cluster}\0".encode(), digest_size=16)
    digest.update(msgspec.json.encode(stream))
    for line in lines:
        digest.update(line.encode("utf-8", "replace") + b"\n")
    return digest.digest()
