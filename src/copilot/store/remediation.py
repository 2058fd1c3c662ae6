"""Proposals, the decisions about them, and the fenced right to act on one."""

from __future__ import annotations

import hmac

import msgspec

from copilot.domain.action import SetEnv, SetServicePort
from copilot.domain.errors import Conflict, NotFound
from copilot.domain.incident import IncidentId
from copilot.domain.proposal import (
    PROPOSAL_MOVES,
    ActionState,
    Applied,
    Approval,
    Claim,
    Decision,
    Proposal,
    ProposalId,
    ProposalStatus,
    Verification,
)
from copilot.domain.pull_request import Delivery
from copilot.store.coding import from_json, to_json, utf8
from copilot.store.database import Database, Row

_PLACES = ("container", "variable", "before", "volume", "key", "probe", "affinity", "type", "bound")
"""Fields of actions that say where, not what."""


class SqlRemediation:
    """Meets `copilot.ports.Remediation`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, proposal: Proposal) -> Proposal:
        """See the port. A refused one supersedes nothing; the same refusal again is given back."""
        await self._db.fetch_one(  # two that look at the same incident must see each other's
            f"SELECT id FROM incidents WHERE id = ?{self._db.dialect.locking}",
            (proposal.incident_id,),
        )
        others = await self.of_incident(proposal.incident_id)
        same = next((other for other in others if _is_same(proposal, other)), None)
        if same is not None:
            return same
        for other in others:
            if _replaces(proposal, other):
                await self.move(other.id, to=ProposalStatus.SUPERSEDED, expected=other.status)
        return await self._insert(proposal)

    async def get(self, proposal_id: ProposalId) -> Proposal:
        """Raises: NotFound."""
        return await self._read(proposal_id, "")

    async def _locked(self, proposal_id: ProposalId) -> Proposal:
        return await self._read(proposal_id, self._db.dialect.locking)

    async def _read(self, proposal_id: ProposalId, locking: str) -> Proposal:
        row = await self._db.fetch_one(
            f"SELECT id, status, body FROM proposals WHERE id = ?{locking}", (proposal_id,)
        )
        if row is None:
            raise NotFound(f"there is no proposal p-{proposal_id}")
        return _proposal(row)

    async def of_incident(self, incident_id: IncidentId) -> tuple[Proposal, ...]:
        """Oldest first."""
        rows = await self._db.fetch_all(
            "SELECT id, status, body FROM proposals WHERE incident_id = ? ORDER BY created_us, id",
            (incident_id,),
        )
        return tuple(_proposal(row) for row in rows)

    async def move(
        self, proposal_id: ProposalId, *, to: ProposalStatus, expected: ProposalStatus
    ) -> None:
        """Raises: Conflict where it is not as expected or may not go there; NotFound."""
        if to not in PROPOSAL_MOVES[expected]:
            raise Conflict(f"a proposal that is {expected} cannot become {to}")
        moved = await self._db.execute(
            "UPDATE proposals SET status = ? WHERE id = ? AND status = ?",
            (to, proposal_id, expected),
        )
        if moved != 1:
            proposal = await self.get(proposal_id)
            raise Conflict(f"proposal p-{proposal_id} is {proposal.status}, not {expected}")

    async def decide(self, approval: Approval) -> bool:
        """See the port. It is expired at `expires_us` and after."""
        proposal = await self._locked(approval.proposal_id)  # two at once must see each other
        _refuse_unless_open_for(approval, proposal)
        columns = ("proposal_id", "approver", "decision", "digest", "reason", "ts_us")
        await self._db.execute(
            self._db.dialect.upsert(
                "approvals",
                columns,
                ("proposal_id", "approver"),
                replace=("decision", "digest", "reason", "ts_us"),
            ),
            (
                approval.proposal_id,
                approval.approver,
                approval.decision,
                approval.digest,
                approval.reason,
                approval.ts_us,
            ),
        )
        is_approved = approval.decision is Decision.APPROVE
        if is_approved and await self._n_yes(proposal.id) < proposal.approvals_needed:
            return False
        await self.move(
            proposal.id,
            to=ProposalStatus.APPROVED if is_approved else ProposalStatus.REJECTED,
            expected=ProposalStatus.PROPOSED,
        )
        return True

    async def _n_yes(self, proposal_id: ProposalId) -> int:
        given = await self.approvals(proposal_id)
        return sum(approval.decision is Decision.APPROVE for approval in given)

    async def approvals(self, proposal_id: ProposalId) -> tuple[Approval, ...]:
        """Oldest first."""
        rows = await self._db.fetch_all(
            "SELECT * FROM approvals WHERE proposal_id = ? ORDER BY ts_us, approver",
            (proposal_id,),
        )
        return tuple(msgspec.convert(dict(row), Approval) for row in rows)

    async def claim(
        self, proposal_id: ProposalId, *, owner: str, now_us: int, lease_us: int
    ) -> Claim:
        """See the port; `lease_us` is how long the lease lasts."""
        proposal = await self.get(proposal_id)
        if await self._db.fetch_one(
            "SELECT fence FROM actions WHERE proposal_id = ?", (proposal_id,)
        ):
            await self._take_over(proposal_id, owner=owner, now_us=now_us, lease_us=lease_us)
        else:
            await self._claim_first(proposal, owner=owner, now_us=now_us, lease_us=lease_us)
        return await self._claim(proposal_id)

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
        """See the port. Without `lease_us` the lease stays as it is. The proposal's status is
        moved by `move`.

        Raises:
            Conflict: a later claim took over, or the action has ended.
        """
        proposal = claim.proposal
        recorded = await self._db.execute(
            "UPDATE actions SET state = ?, updated_us = ?, "
            "lease_us = CASE WHEN ? > 0 THEN ? ELSE lease_us END, "
            "applied_us = COALESCE(?, applied_us), "
            "applied_version = COALESCE(?, applied_version), "
            "verify_until_us = COALESCE(?, verify_until_us), outcome = COALESCE(?, outcome) "
            "WHERE proposal_id = ? AND fence = ? AND owner = ? "
            "AND state NOT IN ('verified', 'reverted', 'failed')",
            (
                *(state, at_us),
                *(lease_us, at_us + lease_us),
                applied.at_us if applied else None,
                applied.resource_version if applied else None,
                applied.at_us + proposal.window_s * 1_000_000 if applied else None,
                to_json(verification) if verification else None,
                *(proposal.id, claim.fence, claim.owner),
            ),
        )
        if recorded != 1:
            raise Conflict(f"the claim on proposal p-{proposal.id} is no longer ours")
        return await self._claim(proposal.id)

    async def renew(self, claim: Claim, *, now_us: int, lease_us: int) -> None:
        """See the port."""
        renewed = await self._db.execute(
            "UPDATE actions SET updated_us = ?, lease_us = ? "
            "WHERE proposal_id = ? AND fence = ? AND owner = ?",
            (now_us, now_us + lease_us, claim.proposal.id, claim.fence, claim.owner),
        )
        if renewed != 1:
            raise Conflict(f"the claim on proposal p-{claim.proposal.id} is no longer ours")

    async def verification(self, proposal_id: ProposalId) -> Verification | None:
        """What was observed after applying, None so far."""
        row = await self._db.fetch_one(
            "SELECT outcome FROM actions WHERE proposal_id = ?", (proposal_id,)
        )
        return from_json(row["outcome"], Verification) if row and row["outcome"] else None

    async def keep_delivery(self, proposal_id: ProposalId, delivery: Delivery) -> None:
        """See the port."""
        columns = ("proposal_id", "body")
        if not await self._db.execute(
            self._db.dialect.insert_new("deliveries", columns), (proposal_id, to_json(delivery))
        ):
            await self._db.execute(
                "UPDATE deliveries SET body = ? WHERE proposal_id = ?",
                (to_json(delivery), proposal_id),
            )

    async def delivery(self, proposal_id: ProposalId) -> Delivery | None:
        """See the port."""
        row = await self._db.fetch_one(
            "SELECT body FROM deliveries WHERE proposal_id = ?", (proposal_id,)
        )
        return from_json(row["body"], Delivery) if row else None

    async def _insert(self, proposal: Proposal) -> Proposal:
        target = proposal.action.target.key
        new_id = await self._db.insert(
            "INSERT INTO proposals (incident_id, action, target, status, digest, created_us, "
            "expires_us, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                proposal.incident_id,
                type(proposal.action).__struct_config__.tag,
                target,
                proposal.status,
                proposal.digest,
                proposal.created_us,
                proposal.expires_us,
                to_json(proposal),
            ),
        )
        return msgspec.structs.replace(proposal, id=ProposalId(new_id or 0))

    async def _claim_first(
        self, proposal: Proposal, *, owner: str, now_us: int, lease_us: int
    ) -> None:
        if proposal.status is not ProposalStatus.APPROVED:
            raise Conflict(f"proposal p-{proposal.id} is {proposal.status}, not approved")
        columns = ("proposal_id", "state", "owner", "fence", "lease_us", "claimed_us", "updated_us")
        won = await self._db.execute(
            self._db.dialect.insert_new("actions", columns),
            (proposal.id, ActionState.CLAIMED, owner, 1, now_us + lease_us, now_us, now_us),
        )
        if won != 1:
            raise Conflict(f"somebody else is acting on proposal p-{proposal.id}")

    async def _take_over(
        self, proposal_id: ProposalId, *, owner: str, now_us: int, lease_us: int
    ) -> None:
        won = await self._db.execute(
            "UPDATE actions SET owner = ?, fence = fence + 1, lease_us = ?, claimed_us = ?, "
            "updated_us = ? WHERE proposal_id = ? AND lease_us < ? "
            "AND state NOT IN ('verified', 'reverted', 'failed')",
            (owner, now_us + lease_us, now_us, now_us, proposal_id, now_us),
        )
        if won != 1:
            raise Conflict(f"somebody else is acting on proposal p-{proposal_id}, or has ended it")

    async def _claim(self, proposal_id: ProposalId) -> Claim:
        row = await self._db.fetch_one(
            "SELECT owner, fence, state, applied_us, applied_version, verify_until_us "
            "FROM actions WHERE proposal_id = ?",
            (proposal_id,),
        )
        if row is None:
            raise NotFound(f"nobody has claimed proposal p-{proposal_id}")
        return Claim(
            proposal=await self.get(proposal_id),
            owner=row["owner"],
            fence=row["fence"],
            state=ActionState(row["state"]),
            applied_us=row["applied_us"],
            applied_version=row["applied_version"],
            verify_until_us=row["verify_until_us"],
        )


def _is_same(proposal: Proposal, other: Proposal) -> bool:
    if other.status is not proposal.status or other.digest != proposal.digest:
        return False
    if other.status is ProposalStatus.REFUSED:
        return other.action == proposal.action and other.refusal == proposal.refusal
    is_open = other.status is ProposalStatus.PROPOSED
    return is_open and other.approvals_needed == proposal.approvals_needed


def _replaces(proposal: Proposal, other: Proposal) -> bool:
    """Whether it is the same idea made anew. Another idea for the same object is an alternative
    and stays: applying either voids the other, whose base has then changed."""
    both_open = proposal.status is other.status is ProposalStatus.PROPOSED
    return both_open and _idea(proposal) == _idea(other)


def _idea(proposal: Proposal) -> tuple[object, ...]:
    """What is changed, not to what: another value for the same place is the same idea anew."""
    action = proposal.action
    places = [getattr(action, field, "") for field in _PLACES]
    if isinstance(action, SetEnv):
        places.append(action.name)
    if isinstance(action, SetServicePort):
        places.append(action.port)
    return type(action), action.target.key, *places


def _refuse_unless_open_for(approval: Approval, proposal: Proposal) -> None:
    if not hmac.compare_digest(utf8(approval.digest), utf8(proposal.digest)):
        raise Conflict(f"the digest is not that of proposal p-{proposal.id}; review what it is now")
    if proposal.status is not ProposalStatus.PROPOSED:
        raise Conflict(f"proposal p-{proposal.id} is {proposal.status}; it was decided already")
    if approval.ts_us >= proposal.expires_us:
        raise Conflict(f"proposal p-{proposal.id} has expired; ask for a fresh one")


def _proposal(row: Row) -> Proposal:
    # Id and status move after the body was written, so the columns hold the truth.
    return msgspec.structs.replace(
        from_json(row["body"], Proposal),
        id=ProposalId(row["id"]),
        status=ProposalStatus(row["status"]),
    )
