"""The moves of a proposal: each written with its timeline, audit and feed in one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from copilot.docket import Docket
from copilot.domain.errors import Conflict
from copilot.domain.incident import EntryKind, Incident, Status
from copilot.domain.proposal import (
    ActionState,
    Applied,
    Approval,
    Claim,
    Create,
    Decision,
    Delete,
    DeleteUnbound,
    Operation,
    Patch,
    Proposal,
    ProposalId,
    ProposalStatus,
    ReplaceUnready,
    Resize,
    Verification,
)
from copilot.domain.pull_request import Delivery, PullRequest
from copilot.journal import Journal
from copilot.learn.resolution import memory_of
from copilot.ports import Clock, Session

REMEDIATE = "remediate"
"""The queue of leg 3."""
LEASE_US = 15_000_000
_LET_GO_US = 1
"""A lease that is over at once: whoever looks next takes the claim."""
AGENT = "agent-remediator"
GUARDRAIL = "guardrail"
"""Who approves what no person has to."""


class Remedy:
    """Decided, applied, verified, taken back: what is written at each."""

    def __init__(self, *, clock: Clock, journal: Journal, docket: Docket) -> None:
        self._clock = clock
        self._journal = journal
        self._docket = docket

    async def approved(
        self, tx: Session, proposal: Proposal, *, digest: str, reason: str, actor: str
    ) -> None:
        """A person's yes, or a guardrail's; the last that it needs queues leg 3.

        Raises:
            Conflict: wrong digest, decided already, or expired.
        """
        now_us = self._clock.now_us()
        before = await self._n_yes(tx, proposal.id)
        is_settled = await self._decide(tx, proposal.id, Decision.APPROVE, digest, reason, actor)
        given, needed = await self._n_yes(tx, proposal.id), proposal.approvals_needed
        incident = await tx.incidents.get(proposal.incident_id)
        if is_settled:
            incident = incident.move(to=Status.REMEDIATING, at_us=now_us)
        is_person = actor != GUARDRAIL
        await tx.incidents.save(acknowledged(incident, actor, now_us) if is_person else incident)
        if given > before:
            count = f" ({given} of {needed} approvals)" if needed > 1 else ""
            await self._tell(
                tx,
                proposal,
                EntryKind.APPROVAL,
                f"Approved: {proposal.title}{count}",
                detail=reason or f"digest {digest[:12]}",
                actor=actor,
                audit="proposal.approved",
            )
        if is_settled:
            await self._docket.withdraw(tx, incident.id)  # one at a time; the rest is seen anew
            key = f"{REMEDIATE}:{proposal.id}"
            await tx.jobs.put(REMEDIATE, str(proposal.id), run_us=now_us, dedupe=key)
        await self._journal.moved(tx, "incident.updated", incident.id, now_us)

    async def _n_yes(self, tx: Session, proposal_id: ProposalId) -> int:
        given = await tx.remediation.approvals(proposal_id)
        return sum(approval.decision is Decision.APPROVE for approval in given)

    async def rejected(self, tx: Session, proposal: Proposal, *, reason: str, actor: str) -> None:
        """A person's no.

        Raises:
            Conflict: it is decided already, or expired.
        """
        await self._decide(tx, proposal.id, Decision.REJECT, proposal.digest, reason, actor)
        await self._tell(
            tx,
            proposal,
            EntryKind.APPROVAL,
            f"Rejected: {proposal.title}",
            detail=reason,
            actor=actor,
            audit="proposal.rejected",
        )

    async def superseded(self, tx: Session, proposal: Proposal, fresh: Proposal) -> Proposal:
        """The object moved on: the proposal for it as it is now, stored."""
        incident = await tx.incidents.get(proposal.incident_id)
        if not incident.is_open:
            raise Conflict(f"INC-{incident.id} is resolved; there is nothing to approve any more")
        stored = await tx.remediation.add(fresh)
        if (await tx.remediation.get(proposal.id)).status is ProposalStatus.PROPOSED:
            await tx.remediation.move(
                proposal.id, to=ProposalStatus.SUPERSEDED, expected=ProposalStatus.PROPOSED
            )
        if stored.status is not ProposalStatus.PROPOSED:  # else it is what waits for review
            await self._docket.ask(tx, incident.id, at_us=self._clock.now_us())
        await self._tell(
            tx,
            proposal,
            EntryKind.PROPOSAL,
            f"{proposal.action.target} changed since the proposal was made",
            detail="approval refused; the new diff waits for review",
            audit="proposal.superseded",
        )
        return stored

    async def opened(self, tx: Session, claim: Claim, delivery: Delivery, *, next_us: int) -> None:
        """The pull request is open; people have it now."""
        proposal = claim.proposal
        await tx.remediation.keep_delivery(proposal.id, delivery)
        await tx.remediation.move(
            proposal.id, to=ProposalStatus.OPENED, expected=ProposalStatus.APPROVED
        )
        await self._tell(
            tx,
            proposal,
            EntryKind.ACTION,
            f"Pull request opened: {proposal.title}",
            detail=f"{_shown(delivery.request)}; waiting for its merge",
            audit="pull_request.opened",
        )
        await self._let_go(tx, claim, ActionState.OPENED, next_us)

    async def merged(self, tx: Session, claim: Claim, delivery: Delivery, *, next_us: int) -> None:
        """People merged it; the cluster is to carry it next."""
        await tx.remediation.keep_delivery(claim.proposal.id, delivery)
        await self._tell(
            tx,
            claim.proposal,
            EntryKind.ACTION,
            f"Merged: {claim.proposal.title}",
            detail=f"{_shown(delivery.request)} as {delivery.request.merge_commit[:12]}; "
            "waiting until the cluster carries it",
            audit="pull_request.merged",
        )
        await self._let_go(tx, claim, ActionState.OPENED, next_us)

    async def merged_by(
        self, tx: Session, proposal: Proposal, request: PullRequest, *, actor: str
    ) -> None:
        """A person merged it here, which only the simulation lets them; it is seen at once."""
        await self._tell(
            tx,
            proposal,
            EntryKind.APPROVAL,
            "Merged in the simulation",
            detail=_shown(request),
            actor=actor,
            audit="pull_request.merged_by_hand",
        )

    async def closed(self, tx: Session, claim: Claim, delivery: Delivery) -> None:
        """People closed it without a merge, which is a no."""
        proposal, reason = claim.proposal, f"{_shown(delivery.request)} was closed without a merge"
        await tx.remediation.keep_delivery(proposal.id, delivery)
        outcome = Verification(
            held=False, reason=reason, observed=(), ended_us=self._clock.now_us()
        )
        await self._record(tx, claim, ActionState.FAILED, verification=outcome)
        await tx.remediation.move(
            proposal.id, to=ProposalStatus.REJECTED, expected=ProposalStatus.OPENED
        )
        await self._tell(
            tx,
            proposal,
            EntryKind.APPROVAL,
            f"Rejected: {proposal.title}",
            detail=reason,
            audit="pull_request.closed",
        )
        await self._docket.look_again(tx, proposal.incident_id)

    async def revert_opened(
        self, tx: Session, claim: Claim, delivery: Delivery, *, next_us: int
    ) -> None:
        """It did not hold, and a pull request takes it back."""
        await tx.remediation.keep_delivery(claim.proposal.id, delivery)
        shown = _shown(delivery.revert) if delivery.revert else ""
        await self._tell(
            tx,
            claim.proposal,
            EntryKind.ACTION,
            f"Pull request opened to take back: {claim.proposal.title}",
            detail=f"{shown}; waiting for its merge",
            audit="pull_request.revert_opened",
        )
        await self._let_go(tx, claim, ActionState.REVERTING, next_us)

    async def host_refuses(
        self, tx: Session, claim: Claim, delivery: Delivery, *, before: Delivery, next_us: int
    ) -> None:
        """Its host does not say what became of it; said once, and again where it says otherwise."""
        await tx.remediation.keep_delivery(claim.proposal.id, delivery)
        if delivery.trouble != before.trouble:
            await self._tell(
                tx,
                claim.proposal,
                EntryKind.ACTION,
                f"Cannot be followed: {claim.proposal.title}",
                detail=f"{_shown(delivery.revert or delivery.request)}: {delivery.trouble}; "
                "asked again, ever more rarely, until the proposal has expired, an hour at least",
                audit="pull_request.not_seen",
            )
        await self._let_go(tx, claim, claim.state, next_us)

    async def waits(self, tx: Session, claim: Claim, *, next_us: int) -> None:
        """Nothing has come of it yet: another look later, and nobody holds it until then."""
        await self._let_go(tx, claim, claim.state, next_us)

    async def _let_go(self, tx: Session, claim: Claim, state: ActionState, next_us: int) -> None:
        await tx.remediation.record(
            claim, state=state, at_us=self._clock.now_us(), lease_us=_LET_GO_US
        )
        key = f"{REMEDIATE}:{claim.proposal.id}"
        await tx.jobs.put(REMEDIATE, str(claim.proposal.id), run_us=next_us, dedupe=key)

    async def applied(self, tx: Session, claim: Claim, applied: Applied) -> Claim:
        """The patch is in, or the cluster carries what was merged."""
        proposal = claim.proposal
        recorded = await self._record(tx, claim, ActionState.APPLIED, applied=applied)
        await tx.remediation.move(proposal.id, to=ProposalStatus.APPLIED, expected=proposal.status)
        await self._tell(
            tx,
            proposal,
            EntryKind.ACTION,
            f"Applied: {proposal.title}",
            detail=f"{_what_went_in(proposal, applied)}; watching {proposal.proves_on} for up to "
            f"{proposal.window_s} s",
            happened_us=applied.at_us,
            audit="action.applied",
        )
        return recorded

    async def not_applied(self, tx: Session, claim: Claim, reason: str) -> None:
        """Nothing was done: the object is not any more what was approved, or we may not."""
        proposal = claim.proposal
        outcome = Verification(
            held=False, reason=reason, observed=(), ended_us=self._clock.now_us()
        )
        await self._record(tx, claim, ActionState.FAILED, verification=outcome)
        await tx.remediation.move(proposal.id, to=ProposalStatus.FAILED, expected=proposal.status)
        await self._tell(
            tx,
            proposal,
            EntryKind.ACTION,
            f"Not applied: {proposal.title}",
            detail=reason,
            audit="action.not_applied",
        )
        await self._docket.look_again(tx, proposal.incident_id)

    async def reverting(self, tx: Session, claim: Claim, verification: Verification) -> Claim:
        """It did not hold; taking it back begins."""
        await self._tell(
            tx,
            claim.proposal,
            EntryKind.VERIFICATION,
            f"Did not hold: {verification.reason}",
            detail="; ".join(verification.observed) or "taking the change back",
            audit="action.failed_verification",
        )
        return await self._record(tx, claim, ActionState.REVERTING, verification=verification)

    async def reverted(self, tx: Session, claim: Claim, outcome: Verification) -> None:
        """What became of taking it back."""
        proposal, is_back = claim.proposal, outcome.reverted
        state = ActionState.REVERTED if is_back else ActionState.FAILED
        await self._record(tx, claim, state, verification=outcome)
        await tx.remediation.move(
            proposal.id,
            to=ProposalStatus.REVERTED if is_back else ProposalStatus.FAILED,
            expected=ProposalStatus.APPLIED,
        )
        await self._tell(
            tx,
            proposal,
            EntryKind.ACTION,
            f"Reverted: {proposal.title}" if is_back else "Could not be reverted",
            detail=outcome.reason,
            audit="action.reverted" if is_back else "action.not_reverted",
        )
        await self._docket.look_again(tx, proposal.incident_id)

    async def verified(self, tx: Session, claim: Claim, verification: Verification) -> None:
        """It held: the incident is resolved by itself, and what worked is remembered. Where people
        resolved it while its pull request waited, their word stands."""
        proposal, now_us = claim.proposal, self._clock.now_us()
        await self._record(tx, claim, ActionState.VERIFIED, verification=verification)
        await tx.remediation.move(
            proposal.id, to=ProposalStatus.VERIFIED, expected=ProposalStatus.APPLIED
        )
        await self._tell(
            tx,
            proposal,
            EntryKind.VERIFICATION,
            f"Verified: {verification.reason}",
            detail="; ".join(verification.observed),
            audit="action.verified",
        )
        incident = await tx.incidents.get(proposal.incident_id)
        if incident.is_open:
            incident = await self._docket.end(tx, incident, f"fixed: {proposal.title}")
        found = await tx.incidents.findings(incident.id)
        await tx.memories.add(
            memory_of(
                incident,
                alerts=await tx.incidents.alerts(incident.id),
                findings=found[0] if found else None,
                proposal=proposal,
                verification=verification,
                now_us=now_us,
            )
        )

    async def _decide(
        self,
        tx: Session,
        proposal_id: ProposalId,
        decision: Decision,
        digest: str,
        reason: str,
        actor: str,
    ) -> bool:
        return await tx.remediation.decide(
            Approval(
                proposal_id=proposal_id,
                approver=actor,
                decision=decision,
                digest=digest,
                reason=reason,
                ts_us=self._clock.now_us(),
            )
        )

    async def _record(
        self,
        tx: Session,
        claim: Claim,
        state: ActionState,
        *,
        applied: Applied | None = None,
        verification: Verification | None = None,
    ) -> Claim:
        return await tx.remediation.record(
            claim,
            state=state,
            at_us=self._clock.now_us(),
            applied=applied,
            verification=verification,
            lease_us=LEASE_US,
        )

    async def _tell(
        self,
        tx: Session,
        proposal: Proposal,
        kind: EntryKind,
        title: str,
        *,
        detail: str,
        audit: str,
        actor: str = AGENT,
        happened_us: int = 0,
    ) -> None:
        now_us = self._clock.now_us()
        await self._journal.tell(
            tx,
            proposal.incident_id,
            kind,
            title,
            at_us=now_us,
            happened_us=happened_us,
            actor=actor,
            detail=detail,
            audit=audit,
        )
        await self._journal.moved(tx, "proposal.updated", proposal.incident_id, now_us)


def _shown(request: PullRequest) -> str:
    return f"#{request.number} {request.url or request.branch}"


def _what_went_in(proposal: Proposal, applied: Applied) -> str:
    """For people: the object as it is now, and what was done beside it."""
    target = proposal.action.target
    at = f" at resourceVersion {applied.resource_version}" if applied.resource_version else " gone"
    done = [told_of(operation) for operation in proposal.operations]
    return "; ".join([f"{target} is{at}", *done, *filter(None, [applied.trouble])])


def told_of(operation: Operation) -> str:
    """What an operation does, for people."""
    match operation:
        case Delete():
            return f"{operation.target} deleted"
        case DeleteUnbound():
            return f"{operation.target} deleted, unless it was bound by then"
        case Create():
            return f"{operation.target} created"
        case Patch():
            return f"{operation.target} touched, so that it takes effect"
        case Resize():
            return f"{operation.target} resized in place"
        case ReplaceUnready():
            return f"pods of {operation.target} that are not ready deleted"
        case _:
            assert_never(operation)


def check_open(proposal: Proposal, digest: str) -> None:
    """Raises: Conflict where the digest is another's, or the proposal is decided already."""
    if proposal.digest != digest:
        raise Conflict(f"the digest is not that of proposal {proposal.id}; review it again")
    if proposal.status is not ProposalStatus.PROPOSED:
        raise Conflict(f"proposal {proposal.id} is {proposal.status} already")


def acknowledged(incident: Incident, actor: str, at_us: int) -> Incident:
    """The incident with somebody on it; the first one counts."""
    if incident.acknowledged_us is not None:
        return incident
    return replace(incident, acknowledged_us=at_us, acknowledged_by=actor, updated_us=at_us)
