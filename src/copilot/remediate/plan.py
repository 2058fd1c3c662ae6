"""A typed action as a patch for one object, or as operations, with its way back. Pure.

Patches are strategic merge patches. Only the way forward is written by hand (`edits`); the way back
is computed from the same patch and tried at once: where both together would not give the object as
it was, there is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from copilot.domain.action import (
    Action,
    ChaosMemory,
    DeletePod,
    ReplaceClaim,
    RerunJob,
    Restart,
    RestoreConfigMap,
    Scale,
    SetClaimTemplate,
    SetConfigValue,
    SetCordon,
    SetLimitRange,
    SetQuota,
    SetSelector,
    SetServicePort,
    SetSuspended,
    TemplateAction,
)
from copilot.domain.errors import Invalid
from copilot.domain.proposal import Base, Create, Operation, Patch, ReplaceUnready
from copilot.remediate.commands import command_of
from copilot.remediate.disruption import (
    ROLLED_OUT,
    Disruption,
    disruption_of,
    wanted_pods,
)
from copilot.remediate.edits import OtherAction, other_edit, template_edit
from copilot.remediate.marks import REVERTED, TOUCHED, mark_of
from copilot.remediate.merging import holds as fields_hold
from copilot.remediate.merging import inverse, is_same, merged
from copilot.remediate.operations import (
    Anew,
    AnewAction,
    anew,
    beside,
    config_map_manifest,
    manifest_of,
)
from copilot.remediate.resizing import disruption_of as disruption_of_resize
from copilot.remediate.resizing import refuse as refuse_resize
from copilot.remediate.resizing import resize_in, resize_of
from copilot.remediate.tree import (
    Fields,
    Tree,
    annotation_at,
    decode,
    encode,
    fields_at,
    nested,
    number_at,
    template_path,
    text_at,
)

NOTHING = "{}"
"""The patch of a plan that consists of operations, and the way back where they are undone."""
BACK_OFF_S = 300
"""How long a container that crashed may sleep before it is tried again."""
_NO_ROLLOUT = {
    "Job": "the pod template of a Job is immutable; change what makes the Job",
    "ReplicaSet": "a ReplicaSet does not replace its pods when its template changes",
}
_RERUN_S = 600
_LONGEST_RERUN_S = 1800
"""A run is not watched for longer, whatever its deadline."""
_AFTER_DEADLINE_S = 90
_SETTLED_S = 180


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
    operations: tuple[Operation, ...] = ()
    n_pods: int = 0
    """How many pods are touched."""
    n_away: int = 0
    """How many of them may be gone at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """What a plan depends on beside the object: the ReplicaSet to go back to, and the workload
    whose recovery proves the change, where that is another object."""

    replica_set: bytes | None = None
    watched: bytes | None = None


def base_of(action: Action, live: bytes) -> Base:
    """The version of the object that a plan is computed against.

    `fields_hash` covers what the plan depends on: our own annotations that it writes (so that a
    change that was taken back may be proposed anew), and the part of the object that it changes or
    copies. Status and `resourceVersion` are not in it: they move
    with every crash of a pod.
    """
    tree = decode(live)
    touched: Fields = {
        "annotations": [annotation_at(tree, name) for name in (mark_of(action), REVERTED)],
        "of": _depends_on(action, tree),
    }
    return Base(
        uid=text_at(tree, "metadata", "uid") or "",
        generation=_generation(action, tree),
        fields_hash=hashlib.sha256(encode(touched).encode()).hexdigest(),
    )


def missing(action: Action) -> bytes | None:
    """What stands for an object that is not there, None for an action that needs one."""
    if not isinstance(action, RestoreConfigMap):
        return None
    return encode(config_map_manifest(action)).encode()


def plan(action: Action, live: bytes, *, proposal_key: str, near: Near | None = None) -> Plan:
    """What is to be done to the object as it is now.

    Raises:
        Invalid: the action does not fit the object: no such container, no such revision, or
            nothing would change.
    """
    near = near or Near()
    tree = decode(live)
    watched = decode(near.watched) if near.watched else None
    base = base_of(action, live)
    if isinstance(action, AnewAction):
        return _anew(action, tree, base, anew(action, tree, proposal_key))
    forward = _edit(action, tree, near.replica_set)
    if fields_hold(tree, forward):
        raise Invalid(f"{action.target} is like that already; nothing would change")
    operations = beside(action, tree, forward, watched, proposal_key)
    if action.target.kind == "Pod" and isinstance(action, TemplateAction):
        operations = (resize_of(action, tree, forward),)
        forward = {}  # the subresource takes no annotation: the patch itself only leaves our mark
    mark = mark_of(action)
    patch = _marked(forward, {mark: proposal_key})
    rollback, reason = _way_back(action, tree, patch, proposal_key)
    disruption = _disruption(action, tree, watched, operations)
    return Plan(
        patch=encode(patch),
        rollback=encode(rollback) if rollback else None,
        no_rollback_reason=reason,
        base=base,
        command=command_of(action, patch, operations),
        disruption=disruption.text,
        is_disruptive=disruption.away > 0,
        window_s=_window_s(action, tree, watched, operations),
        operations=operations,
        n_pods=disruption.n_pods,
        n_away=disruption.away,
    )


def with_version(patch: str, resource_version: str) -> str:
    """The patch, tied to exactly this version of the object: a stale one becomes a 409."""
    tree = decode(patch)
    metadata = {**fields_at(tree, "metadata"), "resourceVersion": resource_version}
    return encode({**tree, "metadata": metadata})


def holds(live: Fields, patch: str) -> bool:
    """Whether the object says what the patch made it say, our annotations aside."""
    wanted = {key: value for key, value in decode(patch).items() if key != "metadata"}
    return fields_hold(live, wanted)


def _anew(action: AnewAction, tree: Fields, base: Base, planned: Anew) -> Plan:
    disruption = disruption_of(action, tree)
    return Plan(
        patch=NOTHING,
        rollback=None if planned.no_rollback_reason else NOTHING,
        no_rollback_reason=planned.no_rollback_reason,
        base=base,
        command=command_of(action, {}, planned.operations),
        disruption=disruption.text,
        is_disruptive=False,  # a failed Job, a stuck pod, an unbound claim: nothing of it serves
        window_s=_window_s(action, tree, None, ()),
        operations=planned.operations,
        n_pods=disruption.n_pods,
        n_away=disruption.away,
    )


def _edit(action: TemplateAction | OtherAction, tree: Fields, replica_set: bytes | None) -> Fields:
    if not isinstance(action, TemplateAction):
        return other_edit(action, tree)
    _refuse_kind(action, tree)
    path = template_path(action.target.kind)
    return nested(path, template_edit(action, fields_at(tree, *path), replica_set))


def _refuse_kind(action: TemplateAction, tree: Fields) -> None:
    """Raises: Invalid where nothing would come of another template."""
    target = action.target
    if target.kind == "CronJob":
        return
    if target.kind == "Pod":
        refuse_resize(action, tree)
        return
    if target.kind not in ROLLED_OUT:
        why = _NO_ROLLOUT.get(target.kind, "it has no pod template")
        raise Invalid(f"{target} cannot be changed so: {why}")
    if text_at(tree, "spec", "updateStrategy", "type") == "OnDelete":
        raise Invalid(f"{target} replaces no pod by itself (update strategy OnDelete)")
    rolling = fields_at(tree, "spec", "updateStrategy", "rollingUpdate")
    if number_at(rolling, "partition"):
        raise Invalid(f"{target} is rolled out by parts; people have decided which")


def _way_back(action: Action, tree: Fields, patch: Fields, key: str) -> tuple[Fields | None, str]:
    """The patch that undoes it, or why there is none."""
    if isinstance(action, Restart):
        return None, "the pods are new; the template is the same"
    undone = inverse(tree, patch)
    back = _marked(undone if isinstance(undone, dict) else {}, {REVERTED: key})
    if not is_same(merged(merged(tree, patch), undone), tree):
        return None, "what it was before cannot be put back exactly"
    return back, ""


def _marked(patch: Fields, notes: Fields) -> Fields:
    metadata = fields_at(patch, "metadata")
    annotations = {**fields_at(metadata, "annotations"), **notes}
    return {**patch, "metadata": {**metadata, "annotations": annotations}}


def _depends_on(action: Action, tree: Fields) -> Tree:
    spec = fields_at(tree, "spec")
    match action:
        case Scale():
            return [spec.get("replicas"), fields_at(spec, "template")]
        case SetServicePort() | SetSelector():
            return [spec.get("ports"), spec.get("selector")]
        case SetConfigValue():
            return [fields_at(tree, "data").get(action.key), tree.get("immutable")]
        case SetQuota():
            return spec.get("hard")
        case SetLimitRange():
            return spec.get("limits")
        case SetCordon():
            return spec.get("unschedulable")
        case SetSuspended():
            return spec.get("suspend")
        case ReplaceClaim() | SetClaimTemplate() | RerunJob():
            return _or_none(lambda: manifest_of(action, tree))
        case DeletePod() | RestoreConfigMap():
            return None  # that it is there, or is not, is all that counts
        case _ if action.target.kind == "Pod":
            return [spec.get("containers"), spec.get("initContainers")]
        case _:
            return fields_at(tree, *template_path(action.target.kind))


def _generation(action: Action, tree: Fields) -> int:
    """0 for kinds that have none, and for a pod that is to be deleted whatever its spec says."""
    return 0 if isinstance(action, DeletePod) else number_at(tree, "metadata", "generation") or 0


def _or_none(manifest: Callable[[], Fields]) -> Fields | None:
    try:
        return manifest()
    except Invalid:
        return None


def _disruption(
    action: Action, tree: Fields, watched: Fields | None, operations: tuple[Operation, ...]
) -> Disruption:
    is_restarted = watched is not None and any(_is_restart(o) for o in operations)
    if resize := resize_in(operations):
        return disruption_of_resize(resize, tree)
    found = disruption_of(action, tree, restarted=watched if is_restarted else None)
    if not any(isinstance(operation, ReplaceUnready) for operation in operations):
        return found
    return replace(found, text=f"{found.text}; those that are not ready are deleted first")


def _is_restart(operation: Operation) -> bool:
    return isinstance(operation, Patch) and TOUCHED in fields_at(
        decode(operation.patch), "spec", "template", "metadata", "annotations"
    )


def _window_s(
    action: Action, tree: Fields, watched: Fields | None, operations: tuple[Operation, ...]
) -> int:
    """How long verification may take: room for the rollout, or for what sleeps in back-off to try
    again, and for a quiet stretch after it."""
    if isinstance(action, ChaosMemory):
        return 0
    if isinstance(action, SetServicePort | SetSelector):
        return _SETTLED_S
    if isinstance(action, RerunJob):
        deadline_s = min(action.deadline_s or 0, _LONGEST_RERUN_S)
        return max(_RERUN_S, deadline_s + _AFTER_DEADLINE_S if deadline_s else 0)
    if any(isinstance(operation, Create) for operation in operations):
        return _RERUN_S
    if resize_in(operations):
        return BACK_OFF_S + _SETTLED_S
    rolled_out = tree
    if not isinstance(action, TemplateAction | Scale):
        if watched is None or not any(_is_restart(o) for o in operations):
            return BACK_OFF_S + _SETTLED_S
        rolled_out = watched
    min_ready = number_at(rolled_out, "spec", "minReadySeconds") or 0
    ordered = 20 if text_at(rolled_out, "kind") == "StatefulSet" else 0
    return min(600, 170 + (10 + ordered) * wanted_pods(rolled_out) + min_ready)
