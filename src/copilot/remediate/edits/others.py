"""What changes another object than a pod template. Pure."""

from __future__ import annotations

from typing import assert_never

from copilot.domain.action import (
    Scale,
    SetConfigValue,
    SetCordon,
    SetLimitRange,
    SetQuota,
    SetSelector,
    SetServicePort,
    SetSuspended,
)
from copilot.domain.errors import Invalid
from copilot.remediate.edits.template import entries
from copilot.remediate.merging import replaced
from copilot.remediate.tree import Fields, Tree, fields_at, items_at

OtherAction = (
    Scale
    | SetServicePort
    | SetSelector
    | SetConfigValue
    | SetQuota
    | SetLimitRange
    | SetCordon
    | SetSuspended
)
KINDS: dict[type, tuple[str, ...]] = {
    Scale: ("Deployment", "StatefulSet"),
    SetServicePort: ("Service",),
    SetSelector: ("Service",),
    SetConfigValue: ("ConfigMap",),
    SetQuota: ("ResourceQuota",),
    SetLimitRange: ("LimitRange",),
    SetCordon: ("Node",),
    SetSuspended: ("CronJob", "Job"),
}
"""What each is an action of."""


def other_edit(action: OtherAction, live: Fields) -> Fields:
    """The patch of this object.

    Raises:
        Invalid: the action does not fit the object.
    """
    if action.target.kind not in KINDS[type(action)]:
        kinds = " or ".join(KINDS[type(action)])
        raise Invalid(f"that can be done to a {kinds} only, not to {action.target}")
    match action:
        case Scale():
            return {"spec": {"replicas": action.replicas}}
        case SetServicePort():
            return {"spec": {"ports": _ports(action, live)}}
        case SetSelector():
            return {"spec": {"selector": entries(action.entries)}}
        case SetConfigValue():
            return _value(action, live)
        case SetQuota():
            return {"spec": {"hard": entries(action.entries)}}
        case SetLimitRange():
            return {"spec": {"limits": _limits(action, live)}}
        case SetCordon():
            return {"spec": {"unschedulable": True if action.is_cordoned else None}}
        case SetSuspended():
            return {"spec": {"suspend": action.is_suspended}}
        case _:
            assert_never(action)


def _ports(action: SetServicePort, live: Fields) -> list[Tree]:
    ports = items_at(fields_at(live, "spec"), "ports")
    numbers = [port.get("port") for port in ports]
    if action.port not in numbers:
        shown = ", ".join(map(str, numbers)) or "none"
        raise Invalid(f"{action.target} has no port {action.port}; it has: {shown}")
    if len(set(numbers)) == len(numbers):
        return [{"port": action.port, "targetPort": action.target_port}]
    # The same number for TCP and UDP: merging by it would mix the two up.
    return replaced(
        {**port, "targetPort": action.target_port} if port.get("port") == action.port else port
        for port in ports
    )


def _value(action: SetConfigValue, live: Fields) -> Fields:
    if live.get("immutable") is True:
        raise Invalid(
            f"{action.target} is immutable: make another one and let the workload refer to it"
        )
    if action.key in fields_at(live, "binaryData"):
        raise Invalid(f"{action.key!r} of {action.target} is binary")
    return {"data": {action.key: action.value}}


def _limits(action: SetLimitRange, live: Fields) -> list[Tree]:
    """The whole list: the API merges it by nothing."""
    found = False
    items: list[Tree] = []
    for item in items_at(fields_at(live, "spec"), "limits"):
        if item.get("type") != action.type:
            items.append(item)
            continue
        found = True
        bound = dict(fields_at(item, action.bound))
        for resource, value in action.entries:
            if value is None:
                bound.pop(resource, None)
            else:
                bound[resource] = value
        kept = {key: value for key, value in item.items() if key != action.bound}
        items.append({**kept, action.bound: bound} if bound else kept)
    if not found:
        raise Invalid(f"{action.target} says nothing of type {action.type!r}")
    return items
