"""What may be offered at all, and what may be applied without a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import get_args

from copilot.domain.action import Action, Restart, TemplateAction
from copilot.domain.errors import Invalid
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Create, Operation, Risk
from copilot.ports import Kind
from copilot.remediate.freezes import Freeze, WeeklyFreeze

KINDS = frozenset(str(kind.__struct_config__.tag) for kind in get_args(Action))
"""The kinds of all actions: `set_memory`, ..."""


class Mode(StrEnum):
    READ_ONLY = "read_only"
    """Nothing may be changed."""
    REVIEW = "review"
    """A person approves each change."""
    AUTONOMOUS = "autonomous"
    """Where a guardrail names both the action and the resource, nobody is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """`set_memory:Deployment/shop/*`: this action on these resources needs no person."""

    action: str
    resource: str
    """A pattern of `Kind/namespace/name`."""

    def __str__(self) -> str:
        return f"{self.action}:{self.resource}"

    def covers(self, action: Action) -> bool:
        return kind_of(action) == self.action and fnmatchcase(action.target.key, self.resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The defaults are what a careful team would start with."""

    mode: Mode = Mode.REVIEW
    allowed: frozenset[str] = KINDS
    """Kinds of actions, as in `Action`'s `kind`."""
    guardrails: tuple[Guardrail, ...] = ()
    """Only in autonomous mode."""
    wants_second_approver: bool = False
    """A high risk takes two people."""
    max_limit_factor: float = 4.0
    """A new limit, request, quota or bound is at most this many times the present one."""
    max_node_share: float = 0.8
    """... and a memory limit at most this share of the smallest node's allocatable memory."""
    max_replicas: int = 10
    """`Scale` may go to this many, or to `max_replica_factor` times the present number."""
    max_replica_factor: float = 2.0
    max_pods_touched: int = 50
    """The blast radius: a change that touches more pods is for people."""
    protected_namespaces: frozenset[str] = frozenset(
        {"kube-system", "kube-public", "kube-node-lease"}
    )
    freezes: tuple[Freeze | WeeklyFreeze, ...] = ()
    lifetime_s: int = 1800
    """How long a proposal may be approved."""


def kind_of(action: Action) -> str:
    """The action's `kind`: `set_memory`, ..."""
    return str(type(action).__struct_config__.tag)


def approvals_needed(policy: Policy, risk: Risk) -> int:
    """How many people must say yes."""
    return 2 if policy.wants_second_approver and risk is Risk.HIGH else 1


def guardrail_for(
    action: Action, risk: Risk, policy: Policy, operations: tuple[Operation, ...] = ()
) -> str:
    """The guardrail that lets it be applied without a person, empty for none. A high risk is
    always for people. What else it touches must be named, too, by a guardrail for `restart`."""
    if policy.mode is not Mode.AUTONOMOUS or risk is Risk.HIGH:
        return ""
    beside = [Restart(target=other, at_us=0) for other in touched_beside(action, operations)]
    if not all(any(rail.covers(one) for rail in policy.guardrails) for one in beside):
        return ""
    return next((str(rail) for rail in policy.guardrails if rail.covers(action)), "")


def touched_beside(action: Action, operations: tuple[Operation, ...]) -> Iterator[ObjectRef]:
    """Other objects that its operations change; the run that a changed CronJob starts is its own."""
    for operation in operations:
        is_own_run = isinstance(action, TemplateAction) and isinstance(operation, Create)
        if operation.target.key != action.target.key and not is_own_run:
            yield operation.target


def parse_guardrail(text: str) -> Guardrail:
    """`ACTION:Kind/namespace/name`, where the three parts of the resource may hold `*`.

    Raises:
        Invalid: no such action, or no such form.
    """
    action, _, resource = text.partition(":")
    if action not in KINDS or resource.count("/") != 2:
        raise Invalid(f"{text!r} is no guardrail: say `set_memory:Deployment/shop/*`")
    if resource.split("/")[0] not in set(Kind):
        raise Invalid(f"the guardrail {text!r} names no kind: say which, `Deployment/shop/*`")
    return Guardrail(action=action, resource=resource)
