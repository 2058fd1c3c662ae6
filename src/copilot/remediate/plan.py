"""A typed action as a patch for one object, with its way back. Pure.

Patches are strategic merge patches. A rollback to an earlier template replaces the template whole
(`"$patch": "replace"`), because merging lists by name would keep what the later template added.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from typing import assert_never

from copilot.domain.action import Action, ChaosMemory, RollBack, Scale, SetImage, SetMemory
from copilot.domain.errors import Invalid
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Base
from copilot.domain.quantity import parse_bytes
from copilot.remediate.marks import REVERTED, annotation, mark_of
from copilot.remediate.tree import (
    Fields,
    Tree,
    containers_of,
    decode,
    encode,
    fields_at,
    number_at,
    text_at,
)

REVISION = "deployment.kubernetes.io/revision"
POD_TEMPLATE_HASH = "pod-template-hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be sent, and what undoes it. Both patches are canonical JSON."""

    patch: str
    rollback: str | None
    no_rollback_reason: str
    base: Base
    command: str
    """The `kubectl` line that does the same."""
    disruption: str
    is_disruptive: bool
    """Fewer pods serve while it goes on."""
    window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """The `spec` part of a patch and of its inverse."""

    forward: Fields
    back: Fields


def base_of(action: Action, live: bytes) -> Base:
    """The version of the object that a patch is computed against.

    `fields_hash` covers what the patch depends on: name, image and resources of every container of
    the template, our own annotation that the patch writes, and beside them the replicas for a
    `Scale` and the whole template for a `RollBack`. Status and `resourceVersion` are not in it:
    they move with every crash of a pod.
    """
    tree = decode(live)
    touched: Fields = {
        "annotation": annotation(tree, mark_of(action)),
        "containers": [
            {key: container.get(key) for key in ("name", "image", "resources")}
            for container in containers_of(tree)
        ],
    }
    if isinstance(action, Scale):
        touched["replicas"] = number_at(tree, "spec", "replicas")
    if isinstance(action, RollBack):
        touched["template"] = fields_at(tree, "spec", "template")
    return Base(
        uid=text_at(tree, "metadata", "uid") or "",
        generation=number_at(tree, "metadata", "generation") or 0,
        fields_hash=hashlib.sha256(encode(touched).encode()).hexdigest(),
    )


def plan(
    action: Action, live: bytes, *, proposal_key: str, replica_set: bytes | None = None
) -> Plan:
    """The patch for the object as it is now; a `RollBack` needs its ReplicaSet's JSON too.

    Raises:
        Invalid: the action does not fit the object: no such container, no such revision, or
            nothing would change.
    """
    tree = decode(live)
    edit = _edit_of(action, tree, replica_set)
    if encode(edit.forward) == encode(edit.back):
        raise Invalid(f"{action.target} is like that already; nothing would change")
    mark = mark_of(action)
    patch: Fields = {
        "metadata": {"annotations": {mark: proposal_key}},
        "spec": edit.forward,
    }
    rollback: Fields = {
        "metadata": {"annotations": {mark: annotation(tree, mark), REVERTED: proposal_key}},
        "spec": edit.back,
    }
    disruption, is_disruptive = _disruption(action, tree)
    return Plan(
        patch=encode(patch),
        rollback=encode(rollback),
        no_rollback_reason="",
        base=base_of(action, live),
        command=_command(action, encode(patch)),
        disruption=disruption,
        is_disruptive=is_disruptive,
        window_s=_window_s(action, tree),
    )


def with_version(patch: str, resource_version: str) -> str:
    """The patch, tied to exactly this version of the object: a stale one becomes a 409."""
    tree = decode(patch)
    metadata = {**fields_at(tree, "metadata"), "resourceVersion": resource_version}
    return encode({**tree, "metadata": metadata})


def holds(live: Fields, patch: str) -> bool:
    """Whether the object's `spec` says what the patch made it say."""
    return _contains(live.get("spec"), decode(patch).get("spec"))


def _edit_of(action: Action, tree: Fields, replica_set: bytes | None) -> _Edit:
    match action:
        case SetMemory() | ChaosMemory():
            return _memory(action, tree)
        case SetImage():
            container = _container(tree, action.container, action.target)
            return _containers_edit(
                {"name": action.container, "image": action.image},
                {"name": action.container, "image": container.get("image")},
            )
        case RollBack():
            return _template(action, tree, replica_set)
        case Scale():
            before = number_at(tree, "spec", "replicas")
            return _Edit(
                forward={"replicas": action.replicas},
                back={"replicas": 1 if before is None else before},
            )
        case _:
            assert_never(action)


def _memory(action: SetMemory | ChaosMemory, tree: Fields) -> _Edit:
    container = _container(tree, action.container, action.target)
    limit = text_at(container, "resources", "limits", "memory")
    request = text_at(container, "resources", "requests", "memory")
    wanted = action.request if isinstance(action, SetMemory) else None
    if wanted is None and request is not None and parse_bytes(request) > parse_bytes(action.limit):
        wanted = action.limit  # a request over its limit is refused by the API server
    forward: Fields = {"limits": {"memory": action.limit}}
    back: Fields = {"limits": {"memory": limit}}
    if wanted is not None and wanted != request:
        forward["requests"] = {"memory": wanted}
        back["requests"] = {"memory": request}
    return _containers_edit(
        {"name": action.container, "resources": forward},
        {"name": action.container, "resources": back},
    )


def _template(action: RollBack, tree: Fields, replica_set: bytes | None) -> _Edit:
    if replica_set is None:
        raise Invalid(f"ReplicaSet {action.replica_set} of {action.target} is not there any more")
    earlier = decode(replica_set)
    if annotation(earlier, REVISION) != str(action.to_revision):
        raise Invalid(f"ReplicaSet {action.replica_set} is not revision {action.to_revision}")
    template = _without_hash(fields_at(earlier, "spec", "template"))
    current = _without_hash(fields_at(tree, "spec", "template"))
    return _Edit(
        forward={"template": {"$patch": "replace", **template}},
        back={"template": {"$patch": "replace", **current}},
    )


def _without_hash(template: Fields) -> Fields:
    """The template as its Deployment has it: the hash label is the controller's own."""
    metadata = dict(fields_at(template, "metadata"))
    labels = fields_at(metadata, "labels")
    metadata["labels"] = {k: v for k, v in labels.items() if k != POD_TEMPLATE_HASH}
    metadata.pop("creationTimestamp", None)  # always null in a template
    return {**template, "metadata": metadata}


def _containers_edit(forward: Fields, back: Fields) -> _Edit:
    def wrapped(container: Fields) -> Fields:
        return {"template": {"spec": {"containers": [container]}}}

    return _Edit(forward=wrapped(forward), back=wrapped(back))


def _container(tree: Fields, name: str, target: ObjectRef) -> Fields:
    for container in containers_of(tree):
        if container.get("name") == name:
            return container
    names = ", ".join(str(c.get("name")) for c in containers_of(tree)) or "none"
    raise Invalid(f"{target} has no container {name!r}; it has: {names}")


def _command(action: Action, patch: str) -> str:
    target = action.target
    where = f"kubectl -n {shlex.quote(target.namespace)}"
    kind = target.kind.lower()
    if isinstance(action, RollBack):
        name = shlex.quote(f"{kind}/{target.name}")
        return f"{where} rollout undo {name} --to-revision={action.to_revision}"
    name = shlex.quote(target.name)
    return f"{where} patch {kind} {name} --type strategic -p {shlex.quote(patch)}"


def _disruption(action: Action, tree: Fields) -> tuple[str, bool]:
    """For people: what the change does to the pods that run now; and whether fewer serve then."""
    replicas = number_at(tree, "spec", "replicas")
    count = 1 if replicas is None else replicas
    if isinstance(action, Scale):
        delta = action.replicas - count
        return f"{abs(delta)} {_pods(abs(delta))} {'added' if delta > 0 else 'removed'}", delta < 0
    if text_at(tree, "spec", "strategy", "type") == "Recreate":
        return f"all {count} {_pods(count)} stop before new ones start (strategy Recreate)", True
    away = _share(fields_at(tree, "spec", "strategy", "rollingUpdate").get("maxUnavailable"), count)
    how = f"up to {away} away at a time" if away else "each new one is up before an old one goes"
    return f"{count} {_pods(count)} replaced, {how}", away > 0


def _share(value: Tree, count: int) -> int:
    """`maxUnavailable` in pods: a percentage is rounded down, absent is 25 %."""
    if isinstance(value, int):
        return value
    percent = value if isinstance(value, str) else "25%"
    digits = percent.removesuffix("%")
    return count * int(digits) // 100 if digits.isdigit() else 0


def _pods(count: int) -> str:
    return "pod" if count == 1 else "pods"


def _window_s(action: Action, tree: Fields) -> int:
    """How long verification may take: room for the rollout and for a quiet stretch after it."""
    if isinstance(action, ChaosMemory):
        return 0
    replicas = number_at(tree, "spec", "replicas") or 1
    min_ready = number_at(tree, "spec", "minReadySeconds") or 0
    return min(600, 170 + 10 * replicas + min_ready)


def _contains(live: Tree, wanted: Tree) -> bool:
    """Whether `live` has all that a strategic merge patch with `wanted` would set."""
    if isinstance(wanted, dict):
        if wanted.get("$patch") == "replace":
            rest = {k: v for k, v in wanted.items() if k != "$patch"}
            return isinstance(live, dict) and encode(_without_hash(live)) == encode(rest)
        given = live if isinstance(live, dict) else {}
        return all(_contains(given.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return all(_contains(_named(live, item), item) for item in wanted)
    return live == wanted or _same_quantity(live, wanted)


def _named(live: Tree, item: Tree) -> Tree:
    """The list's item of the same name."""
    name = item.get("name") if isinstance(item, dict) else None
    listed = live if isinstance(live, list) else []
    return next((i for i in listed if isinstance(i, dict) and i.get("name") == name), None)


def _same_quantity(live: Tree, wanted: Tree) -> bool:
    """The API server rewrites quantities: `1024Mi` comes back as `1Gi`."""
    if not isinstance(live, str) or not isinstance(wanted, str):
        return False
    try:
        return parse_bytes(live) == parse_bytes(wanted)
    except Invalid:
        return False
