"""Watches: what happened since a version, and then what happens, as lines of JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import orjson

from copilot.demo.failures import ApiFailure
from copilot.demo.kinds import NOTHING_COUNTED, Obj, Resource
from copilot.demo.selectors import Test
from copilot.demo.world import Change, World

BOOKMARK_S = 10.0
DEFAULT_TIMEOUT_S = 1800.0

_NO_ROLE: Obj = {"apiGroup": "", "kind": "", "name": ""}
_EMPTY: dict[str, Obj] = {
    "Pod": {"spec": {"containers": None}, "status": {}},
    "Deployment": {
        "spec": {
            "selector": None,
            "template": {"metadata": {}, "spec": {"containers": None}},
            "strategy": {},
        },
        "status": {},
    },
    "ReplicaSet": {"spec": {"selector": None}, "status": {"replicas": 0}},
    "Namespace": {"spec": {}, "status": {}},
    "Node": {"spec": {}, "status": {"nodeInfo": {}}},
    "Service": {"spec": {}, "status": {"loadBalancer": {}}},
    "Ingress": {"spec": {}, "status": {"loadBalancer": {}}},
    "NetworkPolicy": {"spec": {"podSelector": {}}},
    "PodDisruptionBudget": {"spec": {}, "status": NOTHING_COUNTED},
    "Role": {"rules": None},
    "ClusterRole": {"rules": None},
    "RoleBinding": {"roleRef": _NO_ROLE},
    "ClusterRoleBinding": {"roleRef": _NO_ROLE},
    "Event": {"involvedObject": {}, "source": {}},
}
"""A bookmark is an object with nothing in it, and this is how that looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """What a watch asks for; `since` None starts with what there is now."""

    resource: Resource
    namespace: str
    test: Test
    since: int | None
    has_bookmarks: bool
    timeout_s: float


async def stream(
    world: World, options: WatchOptions, shown: Callable[[Obj], Obj]
) -> AsyncIterator[bytes]:
    """Lines of JSON until the timeout or the end of the world; `shown` renders an object.

    A version that is too old gives one ERROR line, in an answer that began with 200.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + options.timeout_s
    # The last bookmark comes shortly before the end, as from a real server.
    marks = loop.time() + min(BOOKMARK_S, max(0.0, options.timeout_s - 2))
    version = world.version if options.since is None else options.since
    changed = world.watcher()
    try:
        if options.since is None:
            for obj in world.objects(options.resource, options.namespace):
                if options.test(obj):
                    yield _line("ADDED", shown(obj))
        while not world.is_closed and loop.time() < ends:
            changed.clear()
            try:
                changes = list(world.changes_since(version))
            except ApiFailure as failure:
                yield _line("ERROR", failure.body)
                return
            for line in _lines(changes, options, shown):
                yield line
            version = max(version, world.version)
            if options.has_bookmarks and loop.time() >= marks:
                marks = loop.time() + BOOKMARK_S
                yield _line("BOOKMARK", _bookmark(options.resource, version))
            next_s = min(ends, marks if options.has_bookmarks else ends) - loop.time()
            await _wait(changed, max(0.0, next_s))
    finally:
        world.leave(changed)


def _lines(
    changes: list[Change], options: WatchOptions, shown: Callable[[Obj], Obj]
) -> Iterator[bytes]:
    for change in changes:
        if change.resource is not options.resource:
            continue
        was = _selected(change.before, options)
        now = _selected(change.after, options)
        if now is not None:
            yield _line("ADDED" if was is None else "MODIFIED", shown(now))
        elif was is not None:
            last = _at_version(was, change.version)
            yield _line("DELETED", shown(last))


def _selected(obj: Obj | None, options: WatchOptions) -> Obj | None:
    if obj is None or options.namespace not in ("", obj["metadata"].get("namespace", "")):
        return None
    return obj if options.test(obj) else None


def _at_version(obj: Obj, version: int) -> Obj:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(version)}}


def _bookmark(resource: Resource, version: int) -> Obj:
    nothing = _EMPTY.get(resource.kind, {})
    return resource.render({"metadata": {"resourceVersion": str(version)}, **nothing})


def _line(type_: str, obj: Obj) -> bytes:
    return orjson.dumps({"type": type_, "object": obj}) + b"\n"


async def _wait(changed: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await changed.wait()
    except TimeoutError:
        pass
