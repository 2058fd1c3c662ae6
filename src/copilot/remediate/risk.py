"""How risky a change is, with reasons. Computed by code from the object and the plan. Pure."""

from __future__ import annotations

from typing import assert_never

from copilot.domain.action import Action, ChaosMemory, RollBack, Scale, SetImage, SetMemory
from copilot.domain.objects import Deployment
from copilot.domain.proposal import Risk
from copilot.domain.quantity import parse_bytes
from copilot.remediate.plan import Plan

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ORDER = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)


def risk_of(action: Action, live: Deployment, plan: Plan) -> tuple[Risk, tuple[str, ...]]:
    """The risk class, the worst of its reasons' classes, and the reasons for people."""
    found = [*_of_action(action, live), *_of_plan(plan), *_of_replicas(live), *_of_owner(live)]
    worst = max((risk for risk, _ in found), key=_ORDER.index)
    return worst, tuple(reason for _, reason in found)


def _of_action(action: Action, live: Deployment) -> list[tuple[Risk, str]]:
    match action:
        case SetMemory():
            return [_of_memory(action, live)]
        case SetImage():
            return [(Risk.MEDIUM, "other code will run: the image changes")]
        case RollBack():
            reason = f"the whole pod template goes back to revision {action.to_revision}"
            return [(Risk.MEDIUM, reason)]
        case Scale():
            fewer = action.replicas < (1 if live.spec.replicas is None else live.spec.replicas)
            if fewer:
                return [(Risk.MEDIUM, "less capacity: fewer replicas will serve")]
            return [(Risk.LOW, "more replicas of what runs already")]
        case ChaosMemory():
            return [(Risk.HIGH, "breaks the workload on purpose")]
        case _:
            assert_never(action)


def _of_memory(action: SetMemory, live: Deployment) -> tuple[Risk, str]:
    for container in live.spec.template.spec.containers or ():
        limits = container.resources.limits if container.resources else None
        if container.name == action.container and limits and "memory" in limits:
            if parse_bytes(action.limit) < parse_bytes(limits["memory"]):
                return Risk.MEDIUM, f"the memory limit goes down from {limits['memory']}"
            return Risk.LOW, f"only the memory limit goes up, {limits['memory']} → {action.limit}"
    return Risk.MEDIUM, "the container had no memory limit so far"


def _of_plan(plan: Plan) -> list[tuple[Risk, str]]:
    found = []
    if plan.rollback is None:
        found.append((Risk.HIGH, f"no way back: {plan.no_rollback_reason}"))
    if plan.is_disruptive:
        found.append((Risk.MEDIUM, plan.disruption))
    return found


def _of_owner(live: Deployment) -> list[tuple[Risk, str]]:
    """Who keeps its manifest: their next apply takes the change back."""
    labels, notes = live.metadata.labels or {}, live.metadata.annotations or {}
    keeper = labels.get("app.kubernetes.io/managed-by") or (
        "kubectl apply" if _LAST_APPLIED in notes else ""
    )
    if not keeper:
        return []
    reason = f"its manifest is kept elsewhere ({keeper[:60]}): change it there too, or the next"
    return [(Risk.LOW, f"{reason} apply takes this back")]


def _of_replicas(live: Deployment) -> list[tuple[Risk, str]]:
    replicas = 1 if live.spec.replicas is None else live.spec.replicas
    if replicas >= 10:
        return [(Risk.MEDIUM, f"{replicas} pods are touched")]
    return []
