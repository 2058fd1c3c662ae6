"""How risky a change is, with reasons. Computed by code from the object and the plan. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from copilot.domain.action import (
    Action,
    AddToleration,
    Bound,
    ChaosMemory,
    DeletePod,
    Entries,
    PreferAffinity,
    ReplaceClaim,
    RerunJob,
    Restart,
    RestoreConfigMap,
    RollBack,
    Scale,
    SetClaimTemplate,
    SetConfigValue,
    SetCordon,
    SetDnsPolicy,
    SetEnv,
    SetEnvSource,
    SetFsGroup,
    SetImage,
    SetLimitRange,
    SetMemory,
    SetNodeSelector,
    SetProbe,
    SetPullSecrets,
    SetQuota,
    SetResources,
    SetSelector,
    SetServiceAccount,
    SetServicePort,
    SetSuspended,
    SetVolumeSize,
    SetVolumeSource,
    SourceKind,
)
from copilot.domain.proposal import Create, Risk
from copilot.domain.quantity import parse_bytes
from copilot.remediate.bounds import memory_limit
from copilot.remediate.budgets import overdrawn
from copilot.remediate.disruption import wanted_pods
from copilot.remediate.edits.template import containers_in
from copilot.remediate.keepers import keeper_of
from copilot.remediate.place import Place
from copilot.remediate.plan import NOTHING, Plan
from copilot.remediate.resizing import lowers_memory_back, resize_in
from copilot.remediate.tree import Fields, fields_at, template_path, text_at

_ORDER = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)
_MANY_PODS = 10
_SHOWN = 3

Reason = tuple[Risk, str]


def risk_of(
    action: Action, live: Fields, plan: Plan, place: Place | None = None
) -> tuple[Risk, tuple[str, ...]]:
    """The risk class, the worst of its reasons' classes, and the reasons for people."""
    found = [
        _of_action(action, live),
        *_of_plan(plan),
        *_of_place(place or Place(), plan),
        *_of_pods(plan),
        *_of_keeper(live),
    ]
    worst = max((risk for risk, _ in found), key=_ORDER.index)
    return worst, tuple(reason for _, reason in found)


def _of_action(action: Action, live: Fields) -> Reason:  # noqa: C901  one line an action
    match action:
        case SetMemory():
            return _of_memory(action, live)
        case SetResources():
            return _of_resources(action)
        case SetImage():
            return Risk.MEDIUM, "other code will run: the image changes"
        case RollBack():
            return Risk.MEDIUM, f"the whole pod template goes back to revision {action.to_revision}"
        case Restart():
            return Risk.LOW, "the same template again, by new pods"
        case SetProbe():
            return Risk.MEDIUM, "what counts as healthy changes"
        case SetEnv():
            return Risk.MEDIUM, f"variable {action.name} changes what the program does"
        case SetEnvSource():
            return Risk.MEDIUM, f"the program is configured by {action.source} {action.name}"
        case SetVolumeSource():
            is_data = action.source is SourceKind.CLAIM
            what = "other data are mounted" if is_data else "other files are mounted"
            return (Risk.HIGH if is_data else Risk.MEDIUM), what
        case SetVolumeSize():
            return Risk.MEDIUM, f"volume {action.volume} may take more of its node's disk"
        case SetPullSecrets():
            return Risk.LOW, "only how images are fetched changes"
        case SetServiceAccount():
            return Risk.HIGH, f"the pods get the rights of service account {action.name}"
        case SetFsGroup():
            return Risk.HIGH, f"what is on its volumes gets group {action.group}, and keeps it"
        case SetNodeSelector():
            return Risk.MEDIUM, "the pods may run on other nodes"
        case PreferAffinity():
            return Risk.MEDIUM, f"its {action.affinity} becomes a wish: pods may stand elsewhere"
        case AddToleration():
            return Risk.MEDIUM, f"the pods may run on nodes tainted {action.key}"
        case SetDnsPolicy():
            return Risk.MEDIUM, "names are resolved elsewhere"
        case Scale():
            if action.replicas < wanted_pods(live):
                return Risk.MEDIUM, "less capacity: fewer replicas will serve"
            return Risk.LOW, "more replicas of what runs already"
        case ChaosMemory():
            return Risk.HIGH, "breaks the workload on purpose"
        case _:
            return _of_other(action, live)


def _of_other(  # noqa: C901  one line an action
    action: SetServicePort
    | SetSelector
    | SetConfigValue
    | RestoreConfigMap
    | SetClaimTemplate
    | SetQuota
    | SetLimitRange
    | ReplaceClaim
    | SetCordon
    | SetSuspended
    | RerunJob
    | DeletePod,
    live: Fields,
) -> Reason:
    match action:
        case SetServicePort():
            return Risk.MEDIUM, f"traffic of port {action.port} goes to another port"
        case SetSelector():
            return Risk.MEDIUM, "traffic goes to other pods"
        case SetConfigValue():
            return Risk.MEDIUM, f"{action.key} changes for everyone who reads it"
        case SetClaimTemplate():
            return Risk.HIGH, "a StatefulSet is deleted and made anew, for what it cannot change"
        case RestoreConfigMap():
            return Risk.MEDIUM, "somebody or something had deleted it"
        case SetQuota():
            return _of_bounds(action.entries, "the namespace may use more")
        case SetLimitRange():
            what = "larger" if action.bound is Bound.MAX else "smaller"
            return _of_bounds(action.entries, f"{what} ones are let into the namespace")
        case ReplaceClaim():
            owner = text_at(live, "metadata", "labels", "app.kubernetes.io/instance")
            also = f"; what made it ({owner}) still says otherwise" if owner else ""
            return Risk.MEDIUM, f"a claim that never held data is made anew{also}"
        case SetCordon():
            if action.is_cordoned:
                return Risk.MEDIUM, "one node less takes new pods"
            return Risk.MEDIUM, "somebody had kept new pods from this node"
        case SetSuspended():
            return Risk.MEDIUM, "runs stop" if action.is_suspended else "runs go on"
        case RerunJob(image=image) if image:
            return Risk.MEDIUM, "a Job that never ran is made anew with an image of another name"
        case RerunJob():
            return Risk.HIGH, "what the failed run did already is done a second time"
        case DeletePod():
            return Risk.MEDIUM, "what this pod has in memory or on local disk is lost"
        case _:
            assert_never(action)


def _of_memory(action: SetMemory, live: Fields) -> Reason:
    now = memory_limit(live, action.container, action.target.kind)
    if now is None:
        return Risk.MEDIUM, "the container had no memory limit so far"
    before = _limit_text(action, live)
    if parse_bytes(action.limit) < now:
        return Risk.MEDIUM, f"the memory limit goes down from {before}"
    return Risk.LOW, f"only the memory limit goes up, {before} → {action.limit}"


def _limit_text(action: SetMemory, live: Fields) -> str:
    template = fields_at(live, *template_path(action.target.kind))
    for container in containers_in(template):
        if container.get("name") == action.container:
            return text_at(container, "resources", "limits", "memory") or ""
    return ""


def _of_resources(action: SetResources) -> Reason:
    gone = [name for name, value in action.limits if value is None]
    if gone:
        return Risk.MEDIUM, f"without a limit of {', '.join(gone)} it may take what others need"
    return Risk.LOW, "only what the container asks for changes"


def _of_bounds(entries: Entries, what: str) -> Reason:
    gone = [name for name, value in entries if value is None]
    if gone:
        return Risk.HIGH, f"the bound on {', '.join(gone)} is taken away"
    return Risk.MEDIUM, f"{what}: {', '.join(f'{name} {value}' for name, value in entries)}"


def _of_plan(plan: Plan) -> Iterator[Reason]:
    if plan.rollback is None:
        yield Risk.MEDIUM, f"no way back: {plan.no_rollback_reason}"
    if plan.patch != NOTHING and any(isinstance(o, Create) for o in plan.operations):
        yield Risk.MEDIUM, "a run beside the schedule is started to prove it"
    resize = resize_in(plan.operations)
    if resize and lowers_memory_back(resize):
        yield Risk.LOW, "to take it back, less must be used by then than was allowed before"
    if plan.is_disruptive:
        yield Risk.MEDIUM, plan.disruption


def _of_place(place: Place, plan: Plan) -> Iterator[Reason]:
    for overdraft in overdrawn(
        place.budgets, place.pod_labels, away=plan.n_away, n_unready=place.n_unready
    ):
        yield Risk.MEDIUM, overdraft
    if place.unseen:
        yield Risk.LOW, f"not held against {', '.join(place.unseen)}, which cannot be read"
    if place.also:
        more = f" and {len(place.also) - _SHOWN} more" if len(place.also) > _SHOWN else ""
        yield Risk.MEDIUM, f"it reaches others, too: {', '.join(place.also[:_SHOWN])}{more}"


def _of_pods(plan: Plan) -> Iterator[Reason]:
    if plan.n_pods >= _MANY_PODS:
        yield Risk.MEDIUM, f"{plan.n_pods} pods are touched"


def _of_keeper(live: Fields) -> Iterator[Reason]:
    """Who keeps its manifest: their next apply takes the change back."""
    if keeper := keeper_of(live):
        reason = f"its manifest is kept elsewhere ({keeper.name}): change it there too, or the next"
        yield Risk.LOW, f"{reason} apply takes this back"
