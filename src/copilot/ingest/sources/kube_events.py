"""Kubernetes Events, recognised in what a sender calls a log record.

Items of a list lack `kind` and `apiVersion`, and the newer `events.k8s.io/v1` names things
differently (`regarding`, `note`, `deprecatedCount`): both come out as core/v1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

import msgspec

from copilot.domain.event import Batch
from copilot.domain.objects import KubeEvent
from copilot.domain.secrets import mask

_NEWER_NAMES = {
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedCount": "count",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedSource": "source",
    "reportingController": "reportingComponent",
}


def is_kube_event(record: Mapping[str, object]) -> bool:
    """Whether a record is an Event: by its kind, or by the fields that only an Event has.

    A line that a container printed never is, whatever it looks like.
    """
    if "kubernetes" in record or "log" in record or not isinstance(record.get("metadata"), dict):
        return False
    if record.get("kind") not in (None, "Event"):
        return False
    about = record.get("involvedObject", record.get("regarding"))
    return isinstance(about, dict) and "reason" in record


def kube_event_of(record: Mapping[str, object]) -> KubeEvent:
    """The record as a core/v1 Event, secrets masked.

    Raises:
        msgspec.ValidationError: a field has the wrong type, or it has no uid.
    """
    fields = {_NEWER_NAMES.get(name, name): value for name, value in record.items()}
    event = msgspec.convert({k: v for k, v in fields.items() if v is not None}, KubeEvent)
    if not event.metadata.uid:
        raise msgspec.ValidationError("the Event has no metadata.uid")
    return _tidied(event)


def batch_of(events: Sequence[KubeEvent], *, cluster: str, received_us: int) -> Batch:
    """A batch of the Events that a watch of the cluster brought.

    Its key covers each Event's uid and version, so the same look twice stores nothing new.
    """
    tidied = [_tidied(event) for event in events]
    return Batch(
        key=_key(cluster, tidied),
        source="kubernetes",
        cluster=cluster,
        received_us=received_us,
        kube_events=tidied,
    )


def _tidied(event: KubeEvent) -> KubeEvent:
    """Without secrets and without the bookkeeping of who set which field."""
    metadata = msgspec.structs.replace(event.metadata, managed_fields=None)
    return msgspec.structs.replace(event, metadata=metadata, message=mask(event.message))


def _key(cluster: str, events: Iterable[KubeEvent]) -> bytes:
    digest = blake2b(f"kube_events\0{cluster}\0".encode(), digest_size=16)
    for event in events:
        metadata = event.metadata
        digest.update(f"{metadata.uid}\0{metadata.resource_version}\0{event.count}\0".encode())
    return digest.digest()
