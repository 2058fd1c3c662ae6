"""From a draft to a proposal: planned, guarded, and shown to the cluster in a dry run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from copilot.domain.action import Action
from copilot.domain.errors import BadInput, Conflict, NotFound, Refused
from copilot.domain.incident import IncidentId
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import (
    Base,
    Create,
    Draft,
    DryRun,
    Proposal,
    ProposalId,
    ProposalStatus,
    Resize,
    Risk,
    Way,
)
from copilot.ports import Cluster, Kind
from copilot.remediate.digest import digest
from copilot.remediate.dry_run import brief, diff_of, dry_run
from copilot.remediate.guard import guard, in_git_instead
from copilot.remediate.marks import field_manager_of, proposal_key
from copilot.remediate.operate import rehearse
from copilot.remediate.plan import NOTHING, Plan, base_of, missing, plan
from copilot.remediate.policy import Policy, approvals_needed, guardrail_for
from copilot.remediate.risk import risk_of
from copilot.remediate.sight import SEEN
from copilot.remediate.surveying import near_of, place_of, watched_of
from copilot.remediate.tree import decode


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    plan: Plan
    risk: Risk
    risk_reasons: tuple[str, ...]
    refusal: str
    dry_run: DryRun | None = None
    watched: ObjectRef | None = None
    way: Way = Way.CLUSTER
    is_blind: bool = False
    """Something that it should have been held against could not be read: that is for people."""


async def prepare(
    draft: Draft,
    *,
    incident_id: IncidentId,
    cluster: Cluster,
    policy: Policy,
    now_us: int,
    workload: ObjectRef | None = None,
) -> Proposal:
    """The proposal for this draft against the object as it is now: `PROPOSED`, or `REFUSED` with
    its reasons. Its id is 0 until it is stored. Chaos belongs to no incident: give it id 0.

    `workload` is the incident's: whichever object is changed, its recovery is what proves it.

    Raises:
        Unavailable, Busy: the cluster does not answer; a retry is harmless.
    """
    action = draft.action
    outcome = await _outcome(action, workload, incident_id, cluster, policy, now_us)
    planned = outcome.plan
    return Proposal(
        id=ProposalId(0),
        incident_id=incident_id,
        action=action,
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
            target=action.target,
            base=planned.base,
            patch=planned.patch,
            rollback=planned.rollback,
            operations=planned.operations,
        ),
        created_us=now_us,
        expires_us=now_us + policy.lifetime_s * 1_000_000,
        operations=planned.operations,
        watched=outcome.watched,
        way=outcome.way,
        approvals_needed=approvals_needed(policy, outcome.risk),
        guardrail=""
        if outcome.refusal or outcome.is_blind
        else guardrail_for(action, outcome.risk, policy, planned.operations),
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
        workload=proposal.watched,
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
    action: Action,
    workload: ObjectRef | None,
    incident_id: IncidentId,
    cluster: Cluster,
    policy: Policy,
    now_us: int,
) -> _Outcome:
    try:
        body = await _read(action, cluster)
    except (BadInput, NotFound, Refused) as error:
        return _not_planned(Base(uid="", generation=0, fields_hash=""), error.message)
    base, live = base_of(action, body), decode(body)
    if action.target.uid and action.target.uid != base.uid:
        return _not_planned(base, f"{action.target} was deleted and made anew since")
    watched = watched_of(action, live, workload)
    if not SEEN & {action.target.kind, watched.kind if watched else ""}:
        return _not_planned(base, "nothing that can be looked at would show whether it helps")
    try:
        planned = plan(
            action,
            body,
            proposal_key=proposal_key(incident_id, action, base),
            near=await near_of(action, live, watched, cluster),
        )
        place = await place_of(action, live, watched, cluster)
        risk, reasons = risk_of(action, live, planned, place)
        against = guard(action, live, place, policy, planned, now_us=now_us)
    except (BadInput, NotFound, Refused) as error:
        return _not_planned(base, error.message)
    outcome = _Outcome(
        plan=planned,
        risk=risk,
        risk_reasons=reasons,
        refusal="; ".join(against),
        watched=watched,
        is_blind=bool(place.unseen),
    )
    if against:
        return outcome
    answer = await _rehearsed(action, planned, body, cluster)
    in_git = in_git_instead(action, live)
    # What keeps a pod in Git cannot resize it: there the pod is made anew, which is for people.
    is_for_git = bool(in_git) and answer.accepted and action.target.kind != Kind.POD
    return replace(
        outcome,
        dry_run=answer,
        refusal=_refusal_of(answer, planned) or in_git,
        way=Way.PULL_REQUEST if is_for_git else Way.CLUSTER,
    )


async def _read(action: Action, cluster: Cluster) -> bytes:
    """The object; for one that is to be made again, what is to be made."""
    try:
        return await cluster.get(action.target)
    except NotFound:
        if (body := missing(action)) is None:
            raise
        return body


async def _rehearsed(action: Action, planned: Plan, body: bytes, cluster: Cluster) -> DryRun:
    """The cluster's answer to the patch and to each operation."""
    answer = DryRun(accepted=True, message="accepted by the cluster", diff="")
    if planned.patch != NOTHING:
        manager = field_manager_of(action)
        answer = await dry_run(action.target, planned.patch, body, cluster, field_manager=manager)
    for operation in planned.operations:
        if not answer.accepted:
            break
        try:
            after = await rehearse(operation, cluster)
        except (BadInput, Refused, Conflict, NotFound) as error:
            return DryRun(accepted=False, message=brief(error.message), diff="")
        if isinstance(operation, Resize) and after is not None:
            answer = msgspec.structs.replace(answer, diff=diff_of(body, after))
        if planned.patch == NOTHING and isinstance(operation, Create):
            before = body if planned.base.uid else NOTHING.encode()
            made = operation.manifest.encode()
            answer = msgspec.structs.replace(answer, diff=diff_of(before, made))
    return answer


def _refusal_of(answer: DryRun, planned: Plan) -> str:
    if not answer.accepted:
        return f"the cluster refuses it: {answer.message}"
    return "" if answer.diff or planned.operations else "it changes nothing"


def _not_planned(base: Base, reason: str) -> _Outcome:
    """For what cannot even be written down as a patch."""
    nothing = Plan(
        patch=NOTHING,
        rollback=None,
        no_rollback_reason="nothing would be changed",
        base=base,
        command="",
        disruption="",
        is_disruptive=False,
        window_s=0,
    )
    return _Outcome(plan=nothing, risk=Risk.HIGH, risk_reasons=(), refusal=brief(reason))
