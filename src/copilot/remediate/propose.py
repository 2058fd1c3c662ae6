"""From a draft to a proposal: planned, guarded, and shown to the cluster in a dry run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import msgspec

from copilot.domain.action import Action, ChaosMemory, RollBack, SetMemory
from copilot.domain.errors import BadInput, NotFound, Refused
from copilot.domain.incident import IncidentId
from copilot.domain.objects import Deployment, Node, ObjectRef, controller_of
from copilot.domain.proposal import Base, Draft, DryRun, Proposal, ProposalId, ProposalStatus, Risk
from copilot.domain.quantity import parse_bytes
from copilot.ports import Cluster, Kind
from copilot.remediate.digest import digest
from copilot.remediate.dry_run import brief, dry_run
from copilot.remediate.guard import Place, Policy, guard
from copilot.remediate.marks import field_manager_of, proposal_key
from copilot.remediate.plan import Plan, base_of, plan
from copilot.remediate.risk import risk_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    plan: Plan
    risk: Risk
    risk_reasons: tuple[str, ...]
    dry_run: DryRun | None
    refusal: str


async def prepare(
    draft: Draft,
    *,
    incident_id: IncidentId,
    cluster: Cluster,
    policy: Policy,
    now_us: int,
) -> Proposal:
    """The proposal for this draft against the object as it is now: `PROPOSED`, or `REFUSED` with
    its reasons. Its id is 0 until it is stored. Chaos belongs to no incident: give it id 0.

    Raises:
        Unavailable, Busy: the cluster does not answer; a retry is harmless.
    """
    outcome = await _outcome(draft.action, incident_id, cluster, policy, now_us)
    planned = outcome.plan
    return Proposal(
        id=ProposalId(0),
        incident_id=incident_id,
        action=draft.action,
        title=draft.title,
        why=draft.why,
        evidence=draft.evidence,
        hypothesis=draft.hypothesis,
        base=planned.base,
        patch=planned.patch,
        rollback=planned.rollback,
        no_rollback_reason=planned.no_rollback_reason,
        command=planned.command,
        risk=outcome.risk,
        risk_reasons=(*outcome.risk_reasons, *_stopgap(draft)),
        disruption=planned.disruption,
        window_s=planned.window_s,
        dry_run=outcome.dry_run,
        status=ProposalStatus.REFUSED if outcome.refusal else ProposalStatus.PROPOSED,
        refusal=outcome.refusal,
        digest=digest(
            target=draft.action.target,
            base=planned.base,
            patch=planned.patch,
            rollback=planned.rollback,
        ),
        created_us=now_us,
        expires_us=now_us + policy.lifetime_s * 1_000_000,
    )


async def recheck(proposal: Proposal, cluster: Cluster, policy: Policy, *, now_us: int) -> Proposal:
    """The same proposal against the object as it is now.

    Nothing that matters has changed: equal digest, and id and expiry stay. Else it is a new
    proposal with id 0 and a new diff. Look at `status` too: a guard may refuse it by now.

    Raises:
        Unavailable, Busy: the cluster does not answer; a retry is harmless.
    """
    draft = Draft(
        action=proposal.action,
        title=proposal.title,
        why=proposal.why,
        evidence=proposal.evidence,
        hypothesis=proposal.hypothesis,
        is_stopgap=_STOPGAP in proposal.risk_reasons,
    )
    fresh = await prepare(
        draft,
        incident_id=proposal.incident_id,
        cluster=cluster,
        policy=policy,
        now_us=now_us,
    )
    if fresh.digest != proposal.digest:
        return fresh
    return msgspec.structs.replace(
        fresh, id=proposal.id, created_us=proposal.created_us, expires_us=proposal.expires_us
    )


_STOPGAP = "a stopgap: it buys time and does not remove the cause"


def _stopgap(draft: Draft) -> tuple[str, ...]:
    return (_STOPGAP,) if draft.is_stopgap else ()


async def _outcome(
    action: Action, incident_id: IncidentId, cluster: Cluster, policy: Policy, now_us: int
) -> _Outcome:
    try:
        body = await cluster.get(action.target)
    except (BadInput, NotFound, Refused) as error:
        return _not_planned(Base(uid="", generation=0, fields_hash=""), error.message)
    base = base_of(action, body)
    live = msgspec.json.decode(body, type=Deployment)
    if action.target.uid and action.target.uid != base.uid:
        return _not_planned(base, f"{action.target} was deleted and made anew since")
    try:
        planned = plan(
            action,
            body,
            proposal_key=proposal_key(incident_id, action, base),
            replica_set=await _replica_set(action, base, cluster),
        )
        risk, reasons = risk_of(action, live, planned)
        place = await _place(action, cluster)
        against = guard(action, live, place, policy, now_us=now_us)
    except BadInput as error:
        return _not_planned(base, error.message)
    if against:
        refusal = "; ".join(against)
        return _Outcome(
            plan=planned, risk=risk, risk_reasons=reasons, dry_run=None, refusal=refusal
        )
    answer = await dry_run(
        action.target, planned.patch, body, cluster, field_manager=field_manager_of(action)
    )
    return _Outcome(
        plan=planned,
        risk=risk,
        risk_reasons=reasons,
        dry_run=answer,
        refusal=_refusal_of(answer),
    )


def _refusal_of(answer: DryRun) -> str:
    if not answer.accepted:
        return f"the cluster refuses it: {answer.message}"
    return "" if answer.diff else "it changes nothing"


def _not_planned(base: Base, reason: str) -> _Outcome:
    """For what cannot even be written down as a patch."""
    nothing = Plan(
        patch="{}",
        rollback=None,
        no_rollback_reason="nothing would be changed",
        base=base,
        command="",
        disruption="",
        is_disruptive=False,
        window_s=0,
    )
    return _Outcome(
        plan=nothing, risk=Risk.HIGH, risk_reasons=(), dry_run=None, refusal=brief(reason)
    )


async def _replica_set(action: Action, base: Base, cluster: Cluster) -> bytes | None:
    """The ReplicaSet to go back to; None where the action needs none, or it is gone or foreign."""
    if not isinstance(action, RollBack):
        return None
    namespace = action.target.namespace
    try:
        body = await cluster.get(
            ObjectRef(kind="ReplicaSet", namespace=namespace, name=action.replica_set)
        )
    except NotFound:
        return None
    owner = controller_of(msgspec.json.decode(body, type=Deployment).metadata)
    return body if owner is not None and owner.uid == base.uid else None


async def _place(action: Action, cluster: Cluster) -> Place:
    """What the guard needs to know for this action, and no more is read. What may not be read is
    left out; for chaos that counts against it."""
    is_demo, labels, smallest = False, {}, None
    if isinstance(action, ChaosMemory):
        is_demo = (await cluster.info()).is_demo
        labels = await _labels_of(action.target.namespace, cluster)
    if isinstance(action, SetMemory):
        with suppress(Refused):
            smallest = smallest_allocatable(await cluster.list_objects(Kind.NODE))
    return Place(is_demo_cluster=is_demo, namespace_labels=labels, smallest_allocatable=smallest)


async def _labels_of(namespace: str, cluster: Cluster) -> dict[str, str]:
    try:
        body = await cluster.get(ObjectRef(kind="Namespace", namespace="", name=namespace))
    except (Refused, NotFound):
        return {}
    return msgspec.json.decode(body, type=Deployment).metadata.labels or {}


def smallest_allocatable(nodes: list[bytes]) -> int | None:
    """Bytes of memory of the smallest node that takes pods, None where there is none."""
    decoded = [msgspec.json.decode(node, type=Node) for node in nodes]
    rooms = [
        parse_bytes(node.status.allocatable["memory"])
        for node in decoded
        if node.status.allocatable
        and "memory" in node.status.allocatable
        and not node.spec.unschedulable
    ]
    return min(rooms, default=None)
