"""The API's JSON, cut and completed without decoding what we do not read."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import msgspec

from copilot.domain.change import ObjectVersion
from copilot.domain.errors import TooLarge, Unavailable
from copilot.domain.objects import ManagedFields, Metadata, ObjectRef, controller_of
from copilot.kube.resources import Query, Resource, Scope, listing
from copilot.kube.server import ApiServer

PAGE = 250
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Fields = dict[str, msgspec.Raw]


class _ListMeta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list. Its items lack `kind` and `apiVersion`."""

    metadata: _ListMeta = _ListMeta()
    items: list[msgspec.Raw] | None = None


async def pages(server: ApiServer, scope: Scope, selector: str = "") -> AsyncGenerator[Page, None]:
    """All pages of a list; smaller ones where a page would exceed what we read at once."""
    limit, token = PAGE, ""
    while True:
        query: Query = (("limit", str(limit)),)
        query += (("labelSelector", selector),) if selector else ()
        query += (("continue", token),) if token else ()
        try:
            body = await server.read(listing(scope, query))
        except TooLarge:
            if limit == 1:
                raise
            limit = max(1, limit // 8)
            continue
        page = _page(body, scope.resource)
        yield page
        token = page.metadata.continue_
        if not token:
            return


def with_kind(item: bytes | msgspec.Raw, resource: Resource) -> bytes:
    """The item of a list as an object that says what it is.

    Raises:
        msgspec.DecodeError: it is no object.
    """
    return msgspec.json.encode(_completed(_fields(item), resource))


def version_of(
    item: bytes | msgspec.Raw,
    resource: Resource,
    *,
    cluster: str,
    seen_us: int,
    is_deleted: bool = False,
) -> ObjectVersion:
    """The object as a version, without its `managedFields`.

    Raises:
        msgspec.DecodeError: it is no object, or its metadata makes no sense.
    """
    fields = _fields(item)
    metadata = fields.get("metadata", msgspec.Raw(b"{}"))
    known = msgspec.json.decode(metadata, type=Metadata)
    kept = {k: v for k, v in _fields(metadata).items() if k != "managedFields"}
    fields["metadata"] = msgspec.Raw(msgspec.json.encode(kept))
    owner = controller_of(known)
    return ObjectVersion(
        cluster=cluster,
        object=ObjectRef(
            kind=resource.kind, namespace=known.namespace, name=known.name, uid=known.uid
        ),
        resource_version=known.resource_version,
        generation=known.generation,
        owner_uid=owner.uid if owner else "",
        actor=_actor(known.managed_fields or []),
        seen_us=seen_us,
        is_deleted=is_deleted,
        json=msgspec.json.encode(_completed(fields, resource)),
    )


def _actor(entries: list[ManagedFields]) -> str:
    """The manager that wrote last, other than to a subresource; of equals the later entry
    (times are whole seconds, and the server sorts by time)."""
    written = [
        (entry.time or _LONG_AGO, position, entry.manager)
        for position, entry in enumerate(entries)
        if not entry.subresource
    ]
    return max(written)[2] if written else ""


def _completed(fields: Fields, resource: Resource) -> Fields:
    return {
        **fields,
        "kind": msgspec.Raw(msgspec.json.encode(str(resource.kind))),
        "apiVersion": msgspec.Raw(msgspec.json.encode(resource.api_version)),
    }


def _fields(item: bytes | msgspec.Raw) -> Fields:
    return msgspec.json.decode(item, type=Fields)


def _page(body: bytes, resource: Resource) -> Page:
    try:
        return msgspec.json.decode(body, type=Page)
    except msgspec.DecodeError as error:
        raise Unavailable(f"the list of {resource.plural} makes no sense: {error}") from error
