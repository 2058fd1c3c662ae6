"""Proposals in the store, who approved them, and what was done."""

from __future__ import annotations

from typing import Protocol

from copilot.domain.incident import IncidentId
from copilot.domain.proposal import (
    ActionState,
    Applied,
    Approval,
    Claim,
    Proposal,
    ProposalId,
    ProposalStatus,
    Verification,
)
from copilot.domain.pull_request import Delivery as GitDelivery


class Remediation(Protocol):
    async def add(self, proposal: Proposal) -> Proposal:
        """With its id. One with the same incident and digest that is still proposed is given back
        instead; still proposed ones for the same incident, target and kind of action are
        superseded. Other kinds are alternatives and stay."""
        ...

    async def get(self, proposal_id: ProposalId) -> Proposal:
        """Raises: NotFound."""
        ...

    async def of_incident(self, incident_id: IncidentId) -> tuple[Proposal, ...]:
        """Oldest first."""
        ...

    async def move(
        self, proposal_id: ProposalId, *, to: ProposalStatus, expected: ProposalStatus
    ) -> None:
        """Raises: Conflict where it is not (any more) as expected or may not go there."""
        ...

    async def decide(self, approval: Approval) -> bool:
        """Keep the decision, one of each person, and move the proposal once that settles it: a no
        does, a yes where as many as it needs have said so. True where it is settled.

        Raises:
            Conflict: wrong digest, expired, or no longer proposed; nothing is written then.
        """
        ...

    async def approvals(self, proposal_id: ProposalId) -> tuple[Approval, ...]: ...

    async def claim(
        self, proposal_id: ProposalId, *, owner: str, now_us: int, lease_us: int
    ) -> Claim:
        """The right to act, with a new fence; a claim whose lease ran out may be taken over.

        Raises:
            Conflict: somebody else holds it, or it is ended.
        """
        ...

    async def record(
        self,
        claim: Claim,
        *,
        state: ActionState,
        at_us: int,
        applied: Applied | None = None,
        verification: Verification | None = None,
        lease_us: int = 0,
    ) -> Claim:
        """The next state of the action; also renews the lease.

        Raises:
            Conflict: a later claim took over (the fence is stale).
        """
        ...

    async def renew(self, claim: Claim, *, now_us: int, lease_us: int) -> None:
        """Keep the lease alive without changing the state.

        Raises:
            Conflict: a later claim took over.
        """
        ...

    async def verification(self, proposal_id: ProposalId) -> Verification | None: ...

    async def keep_delivery(self, proposal_id: ProposalId, delivery: GitDelivery) -> None:
        """Replaces what was kept."""
        ...

    async def delivery(self, proposal_id: ProposalId) -> GitDelivery | None:
        """Its pull request; None where there is none (yet)."""
        ...
