"""What worked, kept for the next incident like it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec

from copilot.domain.action import (
    Action,
    AddToleration,
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


def _described(action: Action, before: _Before) -> str:  # noqa: C901  one line an action
    name = action.target.name
    match action:
        case SetMemory() | ChaosMemory():
            return f"memory limit of {action.container} {before.memory or 'none'} → {action.limit}"
        case SetResources():
            asked = (("request", action.requests), ("limit", action.limits))
            told = [f"{r} {what} {v or 'none'}" for what, given in asked for r, v in given]
            return f"{', '.join(told)} for {action.container}"
        case SetImage():
            return f"image of {action.container} {before.image or 'unknown'} → {action.image}"
        case RollBack():
            return f"rollback of {name} to revision {action.to_revision}"
        case Scale():
            return f"replicas of {name} {before.replicas} → {action.replicas}"
        case Restart():
            return f"restart of {name}"
        case SetProbe():
            return f"{', '.join((action.probe, *action.also))} of {action.container} changed"
        case SetEnv():
            return f"variable {action.name} of {action.container} set"
        case SetEnvSource():
            what = f"variable {action.variable}" if action.variable else "environment"
            return f"{what} of {action.container} from {action.source} {action.name}"
        case SetVolumeSource():
            return f"volume {action.volume} of {name} from {action.source} {action.name}"
        case SetVolumeSize():
            return f"volume {action.volume} of {name} may hold {action.limit}"
        case SetPullSecrets():
            return f"image pull secrets of {name}: {', '.join(action.names) or 'none'}"
        case SetServiceAccount():
            return f"service account of {name} set to {action.name}"
        case SetFsGroup():
            return f"volumes of {name} given to group {action.group}"
        case SetNodeSelector():
            return f"node selector of {name}: {_entries(action.entries)}"
        case PreferAffinity():
            return f"{action.affinity} of {name} preferred instead of required"
        case AddToleration():
            return f"{name} tolerates {action.key}"
        case SetDnsPolicy():
            return f"DNS policy of {name} set to {action.policy}"
        case _:
            return _of_other(action)


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
) -> str:
    name = action.target.name
    match action:
        case SetServicePort():
            return f"port {action.port} of Service {name} → {action.target_port}"
        case SetSelector():
            return f"selector of Service {name}: {_entries(action.entries)}"
        case SetConfigValue():
            return f"value {action.key} of ConfigMap {name} set"
        case SetClaimTemplate():
            return f"StatefulSet {name} made anew with another claim template {action.template}"
        case RestoreConfigMap():
            return f"ConfigMap {name} made again"
        case SetQuota():
            return f"quota {name}: {_entries(action.entries)}"
        case SetLimitRange():
            return f"{action.bound} of LimitRange {name}: {_entries(action.entries)}"
        case ReplaceClaim():
            return f"claim {name} made anew"
        case SetCordon():
            return f"node {name} {'cordoned' if action.is_cordoned else 'uncordoned'}"
        case SetSuspended():
            return (
                f"{action.target.kind} {name} {'suspended' if action.is_suspended else 'resumed'}"
            )
        case RerunJob():
            return f"Job {name} run again"
        case DeletePod():
            return f"pod {name} deleted"
        case _:
            assert_never(action)


def _entries(entries: Entries) -> str:
    return ", ".join(f"{key} {value or 'removed'}" for key, value in entries)


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
