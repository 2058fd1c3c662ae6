"""Applies what was approved, to the letter, once."""

from __future__ import annotations

from copilot.domain.errors import Conflict, Refused, Unavailable
from copilot.domain.proposal import Applied, Claim, Proposal
from copilot.ports import Clock, Cluster
from copilot.remediate.marks import REVERTED, annotation, field_manager_of, key_in, mark_of
from copilot.remediate.plan import base_of, with_version
from copilot.remediate.tree import Fields, decode, number_at, text_at

TRIES = 6
PAUSE_S = 0.2
GRACE_US = 600_000_000
"""How long after a proposal has expired its approval may still be acted on."""


async def apply(claim: Claim, cluster: Cluster, clock: Clock, *, against: str = "") -> Applied:
    """The approved patch is in; called again after a crash it finds that and patches nothing.

    A lost answer is no harm: the patch carries the version it was computed for, so of two that are
    under way only one can go in, and reading again shows which.

    Raises:
        Conflict: what the patch depends on has changed since; nothing was written.
        NotFound, Refused, BadInput: the cluster says so; nothing was written.
        Unavailable: the cluster does not answer; whether the patch is in shows the next try.
    """
    proposal = claim.proposal
    for attempt in range(TRIES):
        if attempt:
            await clock.sleep(PAUSE_S * attempt)
        live = await _read(claim, cluster, may_be_in=attempt > 0)
        if was_applied(proposal, decode(live)):
            return _applied(decode(live), claim.applied_us or clock.now_us(), was_there=True)
        if not attempt and (reason := against or _too_late(proposal, clock.now_us())):
            raise Refused(reason)
        if base_of(proposal.action, live) != proposal.base:
            raise Conflict(
                f"{proposal.action.target} changed since the proposal was made; review it again"
            )
        patch = with_version(proposal.patch, _version(decode(live)))
        try:
            result = await cluster.patch(
                proposal.action.target,
                patch,
                dry_run=False,
                field_manager=field_manager_of(proposal.action),
            )
        except (Conflict, Unavailable):
            continue  # a status moved its version, or the answer was lost: reading again tells
        return _applied(decode(result), clock.now_us(), was_there=False)
    raise Unavailable(f"{proposal.action.target} could not be patched in {TRIES} tries")


def _too_late(proposal: Proposal, now_us: int) -> str:
    """A yes is for now, not for whenever a worker comes back."""
    is_late = now_us > proposal.expires_us + GRACE_US
    return "it was approved too long ago; review it again" if is_late else ""


async def _read(claim: Claim, cluster: Cluster, *, may_be_in: bool) -> bytes:
    """The object as it is. Once a patch may be in, not being let in to look settles nothing."""
    try:
        return await cluster.get(claim.proposal.action.target)
    except Refused as refused:
        if may_be_in or claim.fence > 1:
            raise Unavailable(
                f"whether the patch is in cannot be seen: {refused.message}"
            ) from refused
        raise


def was_applied(proposal: Proposal, live: Fields) -> bool:
    """Whether the object carries this proposal's patch.

    Raises:
        Conflict: it was applied and taken back already.
    """
    key = key_in(proposal.action, proposal.patch)
    if annotation(live, REVERTED) == key:
        raise Conflict(f"this change of {proposal.action.target} was taken back already")
    return annotation(live, mark_of(proposal.action)) == key


def applied_of(claim: Claim, generation: int = 0) -> Applied:
    """What `apply` gave, from the claim that recorded it: for going on after a crash."""
    return Applied(
        at_us=claim.applied_us,
        resource_version=claim.applied_version,
        generation=generation,
        was_there=True,
    )


def _applied(live: Fields, at_us: int, *, was_there: bool) -> Applied:
    return Applied(
        at_us=at_us,
        resource_version=_version(live),
        generation=number_at(live, "metadata", "generation") or 0,
        was_there=was_there,
    )


def _version(live: Fields) -> str:
    return text_at(live, "metadata", "resourceVersion") or ""
