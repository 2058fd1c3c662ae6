"""How a component of the cluster writes: under its own name, so that `managedFields` tell it."""

from __future__ import annotations

from copilot.demo.kinds import Obj, Resource
from copilot.demo.ownership import managed
from copilot.demo.times import to_second
from copilot.demo.world import World


class Writer:
    """Writes objects as one manager, past the rules that are for clients."""

    def __init__(self, world: World, manager: str) -> None:
        self._world = world
        self._manager = manager

    def add(self, resource: Resource, obj: Obj) -> Obj:
        """The new object as it is kept."""
        entries = managed(resource, None, obj, manager=self._manager, at=self._now())
        metadata = {**obj["metadata"], "managedFields": entries}
        return self._world.add(resource, {**obj, "metadata": metadata})

    def put(self, resource: Resource, before: Obj, after: Obj, subresource: str = "") -> Obj:
        """The new value as it is kept."""
        entries = managed(
            resource,
            before,
            after,
            manager=self._manager,
            at=self._now(),
            subresource=subresource,
        )
        metadata = {**after["metadata"], "managedFields": entries}
        return self._world.put(resource, {**after, "metadata": metadata})

    def owned(self, resource: Resource, owner: Obj) -> list[Obj]:
        """The objects of that kind that name this owner."""
        uid, namespace = owner["metadata"]["uid"], owner["metadata"]["namespace"]
        return [
            obj
            for obj in self._world.objects(resource, namespace)
            if any(o["uid"] == uid for o in obj["metadata"].get("ownerReferences") or [])
        ]

    def _now(self) -> str:
        return to_second(self._world.now_us())


def owner_reference(resource: Resource, obj: Obj) -> Obj:
    """What an object says of the one that controls it."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
