"""What worked, kept for the next incident like it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec

from copilot.domain.action import (
    Action,
    ChaosMemory,
    RollBack,
    Scale,
    SetImage,
    SetMemory,
    encode_action,
)
from copilot.domain.alert import Alert
from copilot.domain.hypothesis import Cause, Findings, Verdict
from copilot.domain.incident import Incident
from copilot.domain.memory import Memory, MemoryId
from copilot.domain.proposal import Proposal, Verification

DAY_US = 86_400 * 1_000_000
HELD_FOR_DAYS = 365
FAILED_FOR_DAYS = 90
"""What did not work is worth knowing for a shorter time: the workload moves on."""


def memory_of(
    incident: Incident,
    *,
    alerts: Sequence[Alert],
    findings: Findings | None,
    proposal: Proposal | None,
    verification: Verification | None,
    now_us: int,
) -> Memory:
    """The memory of an incident: its signature, its cause, what was done and whether that held.

    Without a proposal it was resolved by hand or by itself. Its id is 0 until it is stored.
    """
    has_held = verification is not None and verification.held
    days = HELD_FOR_DAYS if has_held or proposal is None else FAILED_FOR_DAYS
    return Memory(
        id=MemoryId(0),
        incident_id=incident.id,
        cluster=incident.cluster,
        namespace=incident.namespace,
        app=incident.app,
        rules=tuple(sorted({str(alert.rule) for alert in alerts})),
        cause=cause_of(findings, proposal),
        fix=fix_of(proposal) if proposal else "",
        action=encode_action(proposal.action) if proposal else "",
        has_held=has_held,
        mttr_seconds=incident.mttr_seconds or 0,
        created_us=now_us,
        expires_us=now_us + days * DAY_US,
    )


def cause_of(findings: Findings | None, proposal: Proposal | None) -> Cause:
    """The cause that the applied proposal answered, else the best supported one."""
    hypotheses = findings.hypotheses if findings else ()
    supported = [h for h in hypotheses if h.verdict is Verdict.SUPPORTED]
    answered = [h for h in hypotheses if proposal and h.id == proposal.hypothesis]
    return next((h.cause for h in (*answered, *supported)), Cause.UNKNOWN)


def fix_of(proposal: Proposal) -> str:
    """For people, with the value before where the way back knows it: `memory limit of app 32Mi →
    64Mi`."""
    return _described(proposal.action, _Before.read(proposal.rollback))


def _described(action: Action, before: _Before) -> str:
    match action:
        case SetMemory() | ChaosMemory():
            return f"memory limit of {action.container} {before.memory or 'none'} → {action.limit}"
        case SetImage():
            return f"image of {action.container} {before.image or 'unknown'} → {action.image}"
        case RollBack():
            return f"rollback of {action.target.name} to revision {action.to_revision}"
        case Scale():
            return f"replicas of {action.target.name} {before.replicas} → {action.replicas}"
        case _:
            assert_never(action)


class _Resources(msgspec.Struct, frozen=True):
    limits: dict[str, str | None] | None = None


class _Container(msgspec.Struct, frozen=True):
    name: str = ""
    image: str = ""
    resources: _Resources = _Resources()


class _PodSpec(msgspec.Struct, frozen=True):
    containers: tuple[_Container, ...] = ()


class _Template(msgspec.Struct, frozen=True):
    spec: _PodSpec = _PodSpec()


class _Spec(msgspec.Struct, frozen=True):
    replicas: int | None = None
    template: _Template = _Template()


class _Before(msgspec.Struct, frozen=True):
    """The values that a rollback patch would restore."""

    spec: _Spec = _Spec()

    @staticmethod
    def read(rollback: str | None) -> _Before:
        try:
            return msgspec.json.decode(rollback or "{}", type=_Before)
        except msgspec.DecodeError:
            return _Before()

    @property
    def _first(self) -> _Container:
        return next(iter(self.spec.template.spec.containers), _Container())

    @property
    def memory(self) -> str | None:
        return (self._first.resources.limits or {}).get("memory")

    @property
    def image(self) -> str:
        return self._first.image

    @property
    def replicas(self) -> str:
        return "?" if self.spec.replicas is None else str(self.spec.replicas)
