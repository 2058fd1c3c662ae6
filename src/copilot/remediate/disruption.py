"""What a change does to the pods that run now, for people and for the guard. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from copilot.domain.action import (
    Action,
    DeletePod,
    ReplaceClaim,
    RerunJob,
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
)
from copilot.remediate.tree import Fields, Tree, fields_at, number_at, text_at

ROLLED_OUT = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds whose pods follow their template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disruption:
    """`n_pods` are touched, up to `away` of them are gone at a time."""

    text: str
    n_pods: int = 0
    away: int = 0


def disruption_of(action: Action, live: Fields, *, restarted: Fields | None = None) -> Disruption:
    """`restarted` is the workload that is rolled out with a change of another object."""
    match action:
        case Scale():
            count = wanted_pods(live)
            delta = action.replicas - count
            how = "added" if delta > 0 else "removed"
            return Disruption(
                text=f"{abs(delta)} {pods(abs(delta))} {how}",
                n_pods=abs(delta),
                away=max(0, -delta),
            )
        case DeletePod():
            return Disruption(text="1 pod deleted; its controller makes another", n_pods=1, away=1)
        case RerunJob():
            text = "the Job and its pods, with their logs, are deleted, and it runs anew"
            return Disruption(text=text, n_pods=number_at(live, "spec", "parallelism") or 1)
        case SetConfigValue():
            return _of_value(restarted)
        case SetServicePort() | SetSelector():
            return Disruption(text="no pod is replaced; traffic goes elsewhere at once")
        case SetQuota() | SetLimitRange():
            return Disruption(text="no running pod is touched; new pods are let in")
        case ReplaceClaim():
            return Disruption(text="the claim, which holds no data, is deleted and made anew")
        case SetClaimTemplate():
            text = "the StatefulSet, none of whose pods serves, is deleted and made anew"
            return Disruption(text=text, n_pods=wanted_pods(live))
        case RestoreConfigMap():
            return Disruption(text="no running pod is touched; those that wait for it can start")
        case SetCordon():
            how = "kept away" if action.is_cordoned else "let in"
            return Disruption(text=f"no running pod is touched; new ones are {how}")
        case SetSuspended():
            return _of_suspension(action, live)
        case _:
            return rollout_of(live)


def _of_value(restarted: Fields | None) -> Disruption:
    if restarted is None:
        return Disruption(text="no pod is replaced; what is mounted follows within two minutes")
    rollout = rollout_of(restarted)
    text = f"{rollout.text}, because the value is read only at the start"
    return Disruption(text=text, n_pods=rollout.n_pods, away=rollout.away)


def _of_suspension(action: SetSuspended, live: Fields) -> Disruption:
    if action.target.kind == "CronJob":
        return Disruption(text="what runs now is not touched; only the schedule")
    n_active = number_at(live, "status", "active") or 0
    if action.is_suspended and n_active:
        return Disruption(text=f"{n_active} running {pods(n_active)} ended", n_pods=n_active)
    return Disruption(text="its pods are started")


def rollout_of(workload: Fields) -> Disruption:
    """What replacing all pods by its own strategy does; a CronJob replaces none."""
    if text_at(workload, "kind") == "CronJob":
        return Disruption(text="what runs now is not touched; one run is started at once", n_pods=1)
    count = wanted_pods(workload)
    kind = text_at(workload, "kind") or "Deployment"
    if kind == "Deployment" and text_at(workload, "spec", "strategy", "type") == "Recreate":
        text = f"all {count} {pods(count)} stop before new ones start (strategy Recreate)"
        return Disruption(text=text, n_pods=count, away=count)
    away = _away(workload, kind, count)
    how = f"up to {away} away at a time" if away else "each new one is up before an old one goes"
    return Disruption(text=f"{count} {pods(count)} replaced, {how}", n_pods=count, away=away)


def wanted_pods(workload: Fields) -> int:
    """How many pods are wanted; not given means one."""
    if text_at(workload, "kind") == "DaemonSet":
        return number_at(workload, "status", "desiredNumberScheduled") or 0
    replicas = number_at(workload, "spec", "replicas")
    return 1 if replicas is None else replicas


def pods(count: int) -> str:
    """The word for so many."""
    return "pod" if count == 1 else "pods"


def _away(workload: Fields, kind: str, count: int) -> int:
    if kind == "Deployment":
        rolling = fields_at(workload, "spec", "strategy", "rollingUpdate")
        return _share(rolling.get("maxUnavailable"), count, absent="25%")
    rolling = fields_at(workload, "spec", "updateStrategy", "rollingUpdate")
    return min(count, _share(rolling.get("maxUnavailable"), count, absent=1, rounds_up=True))


def _share(value: Tree, count: int, *, absent: int | str, rounds_up: bool = False) -> int:
    """`maxUnavailable` in pods: a Deployment rounds its percentage down, the others up."""
    given = absent if value is None else value
    if isinstance(given, int):
        return given
    digits = given.removesuffix("%") if isinstance(given, str) else ""
    percent = int(digits) if digits.isdigit() else 0
    return -(-count * percent // 100) if rounds_up else count * percent // 100
