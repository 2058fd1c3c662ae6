"""What somebody or something changed in the cluster."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from copilot.domain.objects import ObjectRef


class ObjectVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One object as the watcher saw it. `json` is the API's own JSON without `managedFields`."""

    cluster: str
    object: ObjectRef
    resource_version: str
    generation: int
    owner_uid: str
    """Of its controller, empty for none."""
    actor: str
    """The field manager that wrote last (other than to `status`), empty where unknown."""
    seen_us: int
    is_deleted: bool
    json: bytes


class NamedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key and its last write, as far as the cluster tells: a manager that wrote several keys may
    have changed any of them."""

    name: str
    by: str
    """The field manager."""
    at: str
    """Whole seconds, as the API says it."""


class NamedKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is kept of an object whose values nobody may know, a Secret: no value, no hash of one,
    no annotation (`kubectl apply` writes the values into one). `last_keys` is what its very last
    write may have touched; empty where that was its metadata."""

    kind: str
    api_version: str
    metadata: NamedMetadata
    keys: tuple[NamedKey, ...]
    last_keys: tuple[str, ...]


class NamedMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    namespace: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field: its path (`spec.template.spec.containers[app].image`), before and after.

    `None` is "was not there". Values are JSON text of scalars, or compact JSON.
    """

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One new version of one object, as far as people would call it a change (not status)."""

    object: ObjectRef
    ts_us: int
    actor: str
    """The field manager that did it, empty where unknown."""
    generation: int
    fields: tuple[FieldChange, ...]
    title: str
    """For people: `memory limit 64Mi → 32Mi`."""
