"""Stored objects as what they are; one that cannot be read becomes a gap."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import msgspec

from copilot.domain.change import ObjectVersion
from copilot.domain.evidence import Gap
from copilot.domain.objects import KubeStruct, Metadata


class Named(Protocol):
    """Any decoded object of the API."""

    @property
    def metadata(self) -> Metadata: ...


T = TypeVar("T", bound=KubeStruct)


def read(versions: Iterable[ObjectVersion], type: type[T], unread: list[Gap]) -> tuple[T, ...]:
    """The objects; one that is deleted says so, one whose kind is told by its place alone (items
    of a list carry none) gets it."""
    found = []
    for version in versions:
        try:
            decoded = msgspec.json.decode(version.json, type=type)
        except msgspec.DecodeError as problem:
            unread.append(Gap(what=str(version.object), reason=f"its JSON is odd: {problem}"))
            continue
        found.append(_marked(_of_kind(decoded, version.object.kind), version))
    return tuple(found)


def _of_kind(decoded: T, kind: str) -> T:
    if getattr(decoded, "kind", kind) == kind:
        return decoded
    return msgspec.structs.replace(decoded, kind=kind)


def _marked(decoded: T, version: ObjectVersion) -> T:
    metadata: Metadata = decoded.metadata  # type: ignore[attr-defined]  # every one of ours has it
    if not version.is_deleted or metadata.deletion_timestamp is not None:
        return decoded
    gone = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=version.seen_us)
    marked = msgspec.structs.replace(metadata, deletion_timestamp=gone)
    return msgspec.structs.replace(decoded, metadata=marked)
