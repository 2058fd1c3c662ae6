"""Applies what was approved, to the letter, once."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from copilot.domain.action import RerunJob
from copilot.domain.errors import BadInput, Conflict, NotFound, Refused, Unavailable
from copilot.domain.proposal import Applied, Claim, Create, Delete, DeleteUnbound, Proposal
from copilot.ports import Clock, Cluster
from copilot.remediate.marks import REVERTED, field_manager_of, key_of, mark_of
from copilot.remediate.operate import PAUSE_S, TRIES, operate, rehearse, wait_ended, wait_gone
from copilot.remediate.plan import NOTHING, base_of, with_version
from copilot.remediate.resizing import resize_in
from copilot.remediate.tree import Fields, annotation_at, decode, encode, number_at, text_at

GRACE_US = 600_000_000
"""How long after a proposal has expired its approval may still be acted on."""


async def apply(claim: Claim, cluster: Cluster, clock: Clock, *, against: str = "") -> Applied:
    """What was approved is in; called again after a crash it finds that and does nothing twice.

    A lost answer is no harm: the patch carries the version it was computed for, so of two that are
    under way only one can go in, and reading again shows which.

    Raises:
        Conflict: what the patch depends on has changed since; nothing was written.
        NotFound, Refused, BadInput: the cluster says so; nothing was written, or the message says
            what was.
        Unavailable: the cluster does not answer; whether the patch is in shows the next try.
    """
    if claim.proposal.patch == NOTHING:
        return await _made_anew(claim, cluster, clock, against)
    applied = await _patched(claim, cluster, clock, against)
    trouble = await _beside(claim.proposal, cluster, clock)
    if resize_in(claim.proposal.operations) and not claim.applied_us:
        applied = msgspec.structs.replace(applied, at_us=clock.now_us())  # it was waited for to run
    return msgspec.structs.replace(applied, trouble=trouble)


async def _patched(claim: Claim, cluster: Cluster, clock: Clock, against: str) -> Applied:
    proposal = claim.proposal
    for attempt in range(TRIES):
        if attempt:
            await clock.sleep(PAUSE_S * attempt)
        live = await _read(claim, cluster, may_be_in=attempt > 0)
        if was_applied(proposal, decode(live)):
            return _applied(decode(live), claim.applied_us or clock.now_us(), was_there=True)
        if not attempt:
            _refuse_late(proposal, against, clock.now_us())
        _refuse_changed(proposal, live)
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


async def _beside(proposal: Proposal, cluster: Cluster, clock: Clock) -> str:
    """What of the operations beside the patch could not be done, for people: the patch is in all
    the same, and verification tells whether it holds without them."""
    for operation in proposal.operations:
        try:
            await operate(operation, cluster, clock)
        except (BadInput, Conflict, Refused, NotFound) as error:
            return f"beside it: {error.message[:300]}"
    return ""


async def _made_anew(claim: Claim, cluster: Cluster, clock: Clock, against: str) -> Applied:
    """The operations that stand in for a patch."""
    proposal, target = claim.proposal, claim.proposal.action.target
    creates = [o for o in proposal.operations if isinstance(o, Create)]
    live = await _read_or_none(claim, cluster)
    if live is not None and creates and was_applied(proposal, decode(live)):
        return _applied(decode(live), claim.applied_us or clock.now_us(), was_there=True)
    if live is not None and claim.fence > 1 and _uid(live) == proposal.base.uid and _is_going(live):
        pass  # a finalizer holds what we have deleted: now it must be made anew, however late
    elif live is not None and _uid(live) == proposal.base.uid:
        _refuse_late(proposal, against, clock.now_us())
        _refuse_changed(proposal, live)
        await _rehearse_again(proposal, cluster)
        if isinstance(proposal.action, RerunJob):
            await wait_ended(proposal.operations[0].target, cluster, clock)
    elif live is None and not proposal.base.uid:
        _refuse_late(proposal, against, clock.now_us())  # it was gone when that was approved
    elif claim.fence <= 1 or (live is not None and creates):
        raise Conflict(f"{target} is gone or was made anew since; review it again")
    trouble = await _operated(proposal, cluster, clock)
    after = await _read_or_none(claim, cluster)
    if after is None or not creates:
        return Applied(at_us=clock.now_us(), resource_version="", generation=0, trouble=trouble)
    made = _applied(decode(after), clock.now_us(), was_there=False)
    return msgspec.structs.replace(made, trouble=trouble)


async def _rehearse_again(proposal: Proposal, cluster: Cluster) -> None:
    """What would not be accepted now must not be found out half-way."""
    for operation in proposal.operations:
        if isinstance(operation, Create):
            await rehearse(operation, cluster)
        elif isinstance(operation, DeleteUnbound):
            with suppress(NotFound):  # somebody has made room already
                await rehearse(operation, cluster)


async def _operated(proposal: Proposal, cluster: Cluster, clock: Clock) -> str:
    """All of the operations; what could be done without is said, for people."""
    trouble, target = "", proposal.action.target
    makes = any(isinstance(operation, Create) for operation in proposal.operations)
    for operation in proposal.operations:
        try:
            await operate(
                operation, cluster, clock, unless=lambda live: _has_changed(proposal, live)
            )
        except (BadInput, Refused) as error:
            if isinstance(operation, DeleteUnbound):  # better with an old claim than not at all
                trouble = f"beside it: {error.message[:300]}"
                continue
            if not isinstance(operation, Create) or not proposal.base.uid:
                raise
            raise Refused(
                f"{target} was deleted and could not be made anew: {error.message[:300]}; "
                "the proposal's command holds its manifest"
            ) from error
        if isinstance(operation, Delete) and makes:
            await wait_gone(operation.target, cluster, clock)
    return trouble


def _has_changed(proposal: Proposal, live: Fields) -> bool:
    return base_of(proposal.action, encode(live).encode()) != proposal.base


def _refuse_late(proposal: Proposal, against: str, now_us: int) -> None:
    if reason := against or _too_late(proposal, now_us):
        raise Refused(reason)


def _refuse_changed(proposal: Proposal, live: bytes) -> None:
    if base_of(proposal.action, live) != proposal.base:
        raise Conflict(
            f"{proposal.action.target} changed since the proposal was made; review it again"
        )


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


async def _read_or_none(claim: Claim, cluster: Cluster) -> bytes | None:
    try:
        return await _read(claim, cluster, may_be_in=False)
    except NotFound:
        return None


def was_applied(proposal: Proposal, live: Fields) -> bool:
    """Whether the object carries this proposal's patch.

    Raises:
        Conflict: it was applied and taken back already.
    """
    key = key_of(proposal)
    if annotation_at(live, REVERTED) == key:
        raise Conflict(f"this change of {proposal.action.target} was taken back already")
    return annotation_at(live, mark_of(proposal.action)) == key


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


def _uid(live: bytes) -> str:
    return text_at(decode(live), "metadata", "uid") or ""


def _is_going(live: bytes) -> bool:
    return text_at(decode(live), "metadata", "deletionTimestamp") is not None
