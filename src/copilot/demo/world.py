"""What the demo cluster knows: objects by kind, one counter of versions, the last changes.

An object is never changed in place: whoever changes one puts a new value. So a watcher may keep
what it was given, and the log of changes needs no copies.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from copilot.demo import failures
from copilot.demo.kinds import RESOURCES, Obj, Resource
from copilot.demo.times import to_second

HISTORY = 4_000
"""Changes that are kept for watches; who asks for older ones gets 410."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object became another: `before` is None for a new one, `after` for a deleted one.

    A deleted object is told of as it was, with the version at which it went.
    """

    version: int
    resource: Resource
    before: Obj | None
    after: Obj | None


class World:
    """The store of an API server, in memory and single-threaded.

    `now_us` gives the simulated time, `seed` makes names and uids come out the same. Versions
    start at the time, so that those of an earlier run are too old and never in the future.
    """

    def __init__(
        self, *, now_us: Callable[[], int], seed: int | None = None, history: int = HISTORY
    ) -> None:
        self.now_us = now_us
        self.chance = random.Random(seed)
        self.version = now_us() // 100_000
        self.oldest = self.version
        self.is_closed = False
        self._history = history
        self._objects: dict[str, dict[tuple[str, str], Obj]] = {r.kind: {} for r in RESOURCES}
        self._changes: deque[Change] = deque()
        self._watchers: set[asyncio.Event] = set()

    def find(self, resource: Resource, namespace: str, name: str) -> Obj | None:
        return self._objects[resource.kind].get((namespace, name))

    def get(self, resource: Resource, namespace: str, name: str) -> Obj:
        """Raises: ApiFailure 404."""
        found = self.find(resource, namespace, name)
        if found is None:
            raise failures.not_found(resource, name)
        return found

    def objects(self, resource: Resource, namespace: str = "") -> list[Obj]:
        """Those of the kind, by namespace and name as etcd has its keys."""
        kept = self._objects[resource.kind]
        return [kept[key] for key in sorted(kept) if namespace in ("", key[0])]

    def new_uid(self) -> str:
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def add(self, resource: Resource, obj: Obj) -> Obj:
        """Keep a new object, with uid, creation time and version.

        Raises:
            ApiFailure: 409, there is one of that name.
        """
        metadata = obj["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        if key in self._objects[resource.kind]:
            raise failures.exists(resource, metadata["name"])
        return self._put(resource, key, None, self.born(resource, obj))

    def born(self, resource: Resource, obj: Obj) -> Obj:
        """The object with what the server gives it at birth, but not yet kept."""
        metadata = {
            **obj["metadata"],
            "uid": self.new_uid(),
            "creationTimestamp": to_second(self.now_us()),
        }
        if resource.has_generation:
            metadata["generation"] = 1
        return {**obj, "metadata": metadata}

    def put(self, resource: Resource, obj: Obj) -> Obj:
        """Keep a new value of an object that exists; the value with its version."""
        metadata = obj["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        return self._put(resource, key, self._objects[resource.kind][key], obj)

    def remove(self, resource: Resource, obj: Obj) -> None:
        """Forget it; harmless when it is gone already."""
        key = (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        last = self._objects[resource.kind].pop(key, None)
        if last is None:
            return
        self.version += 1
        told = {**last, "metadata": {**last["metadata"], "resourceVersion": str(self.version)}}
        self._log(Change(version=self.version, resource=resource, before=told, after=None))

    def changes_since(self, version: int) -> Iterator[Change]:
        """Newer changes of every kind, oldest first.

        Raises:
            ApiFailure: 410, some of them are forgotten.
        """
        if version < self.oldest:
            raise failures.expired(version, self.oldest)
        if version >= self.version:
            return iter(())
        newer = []
        for change in reversed(self._changes):
            if change.version <= version:
                break
            newer.append(change)
        return reversed(newer)

    def compact(self) -> None:
        """Forget all changes so far: watches from before now are answered with 410."""
        self._changes.clear()
        self.oldest = self.version

    def close(self) -> None:
        """End every watch."""
        self.is_closed = True
        self._wake()

    def watcher(self) -> asyncio.Event:
        """An event that is set at every change; give it back with `leave`."""
        event = asyncio.Event()
        self._watchers.add(event)
        return event

    def leave(self, watcher: asyncio.Event) -> None:
        self._watchers.discard(watcher)

    def _put(self, resource: Resource, key: tuple[str, str], before: Obj | None, after: Obj) -> Obj:
        self.version += 1
        kept = {**after, "metadata": {**after["metadata"], "resourceVersion": str(self.version)}}
        self._objects[resource.kind][key] = kept
        self._log(Change(version=self.version, resource=resource, before=before, after=kept))
        return kept

    def _log(self, change: Change) -> None:
        self._changes.append(change)
        while len(self._changes) > self._history:
            self.oldest = self._changes.popleft().version
        self._wake()

    def _wake(self) -> None:
        for watcher in self._watchers:
            watcher.set()
