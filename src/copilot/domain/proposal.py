"""What we suggest: one typed change, its way back, its risk, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

import msgspec

from copilot.domain.action import Action
from copilot.domain.incident import IncidentId
from copilot.domain.objects import ObjectRef
from copilot.domain.pull_request import PullDraft

ProposalId = NewType("ProposalId", int)


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ProposalStatus(StrEnum):
    PROPOSED = "proposed"
    """Guarded and accepted by the cluster's dry run; a person may decide."""
    REFUSED = "refused"
    """By a guard or by the dry run; `refusal` says why."""
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    APPROVED = "approved"
    OPENED = "opened"
    """As a pull request; people merge it or close it."""
    APPLIED = "applied"
    VERIFIED = "verified"
    RELAPSED = "relapsed"
    """Verified, and then the same trouble came back while it was still in."""
    REVERTED = "reverted"
    FAILED = "failed"
    EXPIRED = "expired"


PROPOSAL_MOVES: dict[ProposalStatus, frozenset[ProposalStatus]] = {
    ProposalStatus.PROPOSED: frozenset(
        {
            ProposalStatus.APPROVED,
            ProposalStatus.REJECTED,
            ProposalStatus.SUPERSEDED,
            ProposalStatus.EXPIRED,
        }
    ),
    ProposalStatus.APPROVED: frozenset(
        {ProposalStatus.APPLIED, ProposalStatus.OPENED, ProposalStatus.FAILED}
    ),
    ProposalStatus.OPENED: frozenset(
        {ProposalStatus.APPLIED, ProposalStatus.REJECTED, ProposalStatus.FAILED}
    ),
    ProposalStatus.APPLIED: frozenset(
        {ProposalStatus.VERIFIED, ProposalStatus.REVERTED, ProposalStatus.FAILED}
    ),
    ProposalStatus.REFUSED: frozenset({ProposalStatus.SUPERSEDED}),
    ProposalStatus.SUPERSEDED: frozenset(),
    ProposalStatus.REJECTED: frozenset(),
    ProposalStatus.VERIFIED: frozenset({ProposalStatus.RELAPSED}),
    ProposalStatus.RELAPSED: frozenset(),
    ProposalStatus.REVERTED: frozenset(),
    ProposalStatus.FAILED: frozenset(),
    ProposalStatus.EXPIRED: frozenset(),
}


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """The object version a proposal was computed against.

    `fields_hash` covers the fields and annotations the patch depends on, not `resourceVersion`,
    which moves with every status change of a crashing pod.
    """

    uid: str
    generation: int
    fields_hash: str


class _Operation(msgspec.Struct, frozen=True, kw_only=True, tag_field="verb"):
    target: ObjectRef


class Delete(_Operation, frozen=True, kw_only=True, tag="delete"):
    """Delete exactly this object: its uid travels as a precondition."""


class DeleteUnbound(_Operation, frozen=True, kw_only=True, tag="delete_unbound"):
    """Delete exactly this claim, unless it is bound by then: what it holds stays, and whoever asks
    for it by its name gets it."""


class Create(_Operation, frozen=True, kw_only=True, tag="create"):
    """Make an object; `manifest` is canonical JSON."""

    manifest: str


class Patch(_Operation, frozen=True, kw_only=True, tag="patch"):
    """Change another object than the action's own, and take that back with it."""

    patch: str
    rollback: str


class ReplaceUnready(_Operation, frozen=True, kw_only=True, tag="replace_unready"):
    """Delete the pods of a StatefulSet's earlier revision that are not ready: until they are, an
    ordered one does not replace them by itself, nor when the change is taken back.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
    """


class Resize(_Operation, frozen=True, kw_only=True, tag="resize"):
    """Give containers of a running pod other CPU and memory, without replacing it; `patch` and
    `rollback` are of its `resize` subresource.

    https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
    """

    patch: str
    rollback: str


Operation = Delete | DeleteUnbound | Create | Patch | ReplaceUnready | Resize
"""What is done beside or instead of the patch, one after the other; each may be done again."""


class Way(StrEnum):
    """How a change gets into the cluster."""

    CLUSTER = "cluster"
    """We apply it."""
    PULL_REQUEST = "pull_request"
    """Its manifest is kept in Git, which would undo what we apply: it is changed there."""


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What the cluster answered to the very patch with `dryRun=All`."""

    accepted: bool
    message: str
    diff: str
    """Unified diff of the object's YAML before and after, without managed fields and status."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What the remediator suggests before guards and dry run."""

    action: Action
    title: str
    why: str
    evidence: tuple[str, ...]
    hypothesis: str
    """The id of the hypothesis it answers, `H1`."""
    is_stopgap: bool = False


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One change, pinned to the object it was computed against.

    `digest` (64 hex characters) covers target, base, patch, rollback and operations: what is
    approved is exactly that.
    """

    id: ProposalId
    incident_id: IncidentId
    action: Action
    title: str
    why: str
    evidence: tuple[str, ...]
    hypothesis: str
    base: Base
    patch: str
    """Strategic merge patch, canonical JSON; `{}` where the operations are all there is."""
    rollback: str | None
    """The patch that undoes it, canonical JSON; None where there is no way back."""
    no_rollback_reason: str
    command: str
    """The `kubectl` line that does the same."""
    risk: Risk
    risk_reasons: tuple[str, ...]
    disruption: str
    window_s: int
    """How long verification may take."""
    dry_run: DryRun | None
    status: ProposalStatus
    refusal: str
    digest: str
    created_us: int
    expires_us: int
    operations: tuple[Operation, ...] = ()
    watched: ObjectRef | None = None
    """Whose recovery proves it, where that is not the object that is changed."""
    way: Way = Way.CLUSTER
    """`PULL_REQUEST` on a refused one: it is right, but to be made in Git."""
    pull: PullDraft | None = None
    """The same change as a pull request, where it is to be delivered so; None for a patch."""
    approvals_needed: int = 1
    """How many people must say yes."""
    guardrail: str = ""
    """Which guardrail lets it be applied without a person; empty for none."""

    @property
    def proves_on(self) -> ObjectRef:
        """The workload whose recovery proves it."""
        return self.watched or self.action.target


class Decision(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's decision on one digest."""

    proposal_id: ProposalId
    approver: str
    decision: Decision
    digest: str
    reason: str
    ts_us: int


class ActionState(StrEnum):
    CLAIMED = "claimed"
    OPENED = "opened"
    """Its pull request is open, or merged and not yet in the cluster; nobody holds the claim."""
    APPLIED = "applied"
    VERIFIED = "verified"
    REVERTING = "reverting"
    REVERTED = "reverted"
    FAILED = "failed"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The right to act on one approved proposal. A later claim has a greater `fence`, and only
    the greatest may write."""

    proposal: Proposal
    owner: str
    fence: int
    state: ActionState
    applied_us: int = 0
    """When the patch went in, 0 for not yet."""
    applied_version: str = ""
    """resourceVersion right after."""
    verify_until_us: int = 0


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The patch is in."""

    at_us: int
    resource_version: str
    generation: int
    was_there: bool = False
    """True where an earlier try of ours had already applied it."""
    trouble: str = ""
    """What of the operations beside the patch could not be done, for people."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What was observed after applying."""

    held: bool
    reason: str
    """For people, with figures."""
    observed: tuple[str, ...]
    """What was looked at, one line each."""
    ended_us: int
    reverted: bool = False
