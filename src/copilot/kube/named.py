"""The keys of a Secret without the Secret: from the `managedFields` of its metadata.

The API server notes there who set which field, by path: a key of the data is `f:password`. So that
a key came, went or was written shows without the data being asked for. What `kubectl apply` notes of
it in an annotation comes along with the metadata, and is not looked at.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from copilot.domain.change import NamedKey, NamedKeys, NamedMetadata, ObjectVersion
from copilot.domain.objects import ObjectRef
from copilot.kube.resources import Resource

_DATA = ("f:data", "f:stringData")
"""Where a Secret's keys may stand: who applies `stringData` owns it under that name."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    manager: str = ""
    time: str = ""
    subresource: str = ""
    fields_v1: dict[str, msgspec.Raw] | None = msgspec.field(name="fieldsV1", default=None)


class _Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    managed_fields: list[_Entry] | None = None


class _Partial(msgspec.Struct, frozen=True, kw_only=True):
    """All that is read of the object, whatever was sent."""

    metadata: _Metadata


def keys_version(
    item: bytes | msgspec.Raw,
    resource: Resource,
    *,
    cluster: str,
    seen_us: int,
    is_deleted: bool = False,
) -> ObjectVersion:
    """The object as `NamedKeys`.

    Raises:
        msgspec.DecodeError: it is no object, or its metadata makes no sense.
    """
    metadata = msgspec.json.decode(item, type=_Partial).metadata
    entries = [e for e in metadata.managed_fields or () if not e.subresource]
    entries.sort(key=lambda entry: entry.time)  # of one format, in UTC; equals keep their order
    last = entries[-1] if entries else _Entry()
    kept = NamedKeys(
        kind=resource.kind,
        api_version=resource.api_version,
        metadata=NamedMetadata(
            name=metadata.name,
            namespace=metadata.namespace,
            uid=metadata.uid,
            resource_version=metadata.resource_version,
        ),
        keys=_keys(entries),
        last_keys=_keys_in(last),
    )
    return ObjectVersion(
        cluster=cluster,
        object=ObjectRef(
            kind=resource.kind,
            namespace=metadata.namespace,
            name=metadata.name,
            uid=metadata.uid,
        ),
        resource_version=metadata.resource_version,
        generation=0,
        owner_uid="",
        actor=last.manager,
        seen_us=seen_us,
        is_deleted=is_deleted,
        json=msgspec.json.encode(kept),
    )


def _keys(entries: Iterable[_Entry]) -> tuple[NamedKey, ...]:
    """By name; of several owners of one key the last that wrote."""
    found = {
        name: NamedKey(name=name, by=entry.manager, at=entry.time)
        for entry in entries
        for name in _keys_in(entry)
    }
    return tuple(found[name] for name in sorted(found))


def _keys_in(entry: _Entry) -> tuple[str, ...]:
    owned = [
        field.removeprefix("f:")
        for part in _DATA
        for field in msgspec.json.decode(
            (entry.fields_v1 or {}).get(part, b"{}"), type=dict[str, msgspec.Raw]
        )
        if field.startswith("f:")
    ]
    return tuple(sorted(set(owned)))
