"""Takes a change back that did not hold, unless somebody else has changed it since."""

from __future__ import annotations

import msgspec

from copilot.domain.action import Scale, TemplateAction
from copilot.domain.errors import BadInput, Busy, Conflict, NotFound, Refused, Unavailable
from copilot.domain.proposal import Claim, Proposal, Resize, Verification
from copilot.ports import Clock, Cluster, Kind
from copilot.remediate.marks import REVERTED, field_manager_of, key_of, mark_of
from copilot.remediate.operate import PAUSE_S, TRIES, undo
from copilot.remediate.plan import NOTHING, holds, with_version
from copilot.remediate.resizing import resize_in
from copilot.remediate.sight import look
from copilot.remediate.tree import Fields, annotation_at, decode, text_at
from copilot.remediate.verify import POLL_S, Progress

ROLLOUT_S = 60.0
OUTAGE_S = 120.0
"""How long an API server that does not answer is waited for."""


async def revert(
    claim: Claim,
    cluster: Cluster,
    clock: Clock,
    *,
    failed: Verification,
    progress: Progress,
) -> Verification:
    """The failed verification, now with what became of taking the change back; `reverted` is true
    where the object is as it was. Called again after a crash it takes nothing back twice.

    What was there before may itself be broken, so its rollout need not become available; it is
    waited for, a minute at most. A cluster that does not answer is waited for, two minutes.
    """
    outcome, is_back = await _take_back(claim.proposal, cluster, clock)
    await progress(outcome)
    if is_back:
        outcome = f"{outcome}; {await _rolled_out(claim.proposal, cluster, clock)}"
    return msgspec.structs.replace(
        failed,
        held=False,
        reason=f"{failed.reason}; {outcome}",
        observed=(*failed.observed, outcome),
        ended_us=clock.now_us(),
        reverted=is_back,
    )


async def _take_back(proposal: Proposal, cluster: Cluster, clock: Clock) -> tuple[str, bool]:
    """What happened, and whether the object is as it was."""
    if proposal.rollback is None:
        return f"it stays: {proposal.no_rollback_reason}", False
    until_us = clock.now_us() + round(OUTAGE_S * 1_000_000)
    conflicts = 0
    while True:
        try:
            return await _try_once(proposal, proposal.rollback, cluster, clock)
        except Conflict:
            conflicts += 1
            if conflicts >= TRIES:
                return f"could not be taken back: {proposal.action.target} keeps changing", False
            await clock.sleep(PAUSE_S * conflicts)
        except (Unavailable, Busy) as error:
            if clock.now_us() >= until_us:
                return f"could not be taken back: {error.message[:160]}", False
            await clock.sleep(POLL_S)
        except (BadInput, NotFound, Refused) as error:
            return f"could not be taken back: {error.message[:300]}", False


async def _try_once(
    proposal: Proposal, rollback: str, cluster: Cluster, clock: Clock
) -> tuple[str, bool]:
    target = proposal.action.target
    if proposal.patch == NOTHING:
        beside = await _undone(proposal, cluster, clock)
        return (f"not taken back whole{beside}", False) if beside else ("taken back", True)
    live = decode(await cluster.get(target))
    key = key_of(proposal)
    is_first = annotation_at(live, REVERTED) != key
    if is_first:
        resize = resize_in(proposal.operations)
        is_as_left = holds(live, proposal.patch) and (not resize or _is_known(live, resize))
        if annotation_at(live, mark_of(proposal.action)) != key or not is_as_left:
            return f"not taken back: somebody else has changed {target} since", False
        version = text_at(live, "metadata", "resourceVersion") or ""
        result = await cluster.patch(
            target,
            with_version(rollback, version),
            dry_run=False,
            field_manager=field_manager_of(proposal.action),
        )
        live = decode(result)
    beside = await _undone(proposal, cluster, clock)
    if beside and resize_in(proposal.operations):
        return f"could not be taken back{beside}", False
    if holds(live, rollback):
        return f"taken back to what it was before{beside}", True
    if is_first:
        return f"could not be taken back: {target} is not what it was before", False
    return f"taken back, and changed by somebody else since{beside}", True


def _is_known(pod: Fields, resize: Resize) -> bool:
    """Whether it is asked to be of the size that we have asked for, or of its old one still."""
    return holds(pod, resize.patch) or holds(pod, resize.rollback)


async def _undone(proposal: Proposal, cluster: Cluster, clock: Clock) -> str:
    """What of the operations beside the patch could not be taken back, for people."""
    troubles: list[str] = []
    for operation in reversed(proposal.operations):
        try:
            await undo(operation, cluster, clock)
        except (BadInput, NotFound, Refused) as error:
            troubles.append(f"; beside it: {error.message[:300]}")
    return "".join(troubles)


async def _rolled_out(proposal: Proposal, cluster: Cluster, clock: Clock) -> str:
    """Whether the pods are those of before, where the change had replaced any."""
    if not _has_replaced_pods(proposal):
        return "nothing had to be rolled out for that"
    until_us = clock.now_us() + round(ROLLOUT_S * 1_000_000)
    missing = "the cluster has not answered"
    while clock.now_us() < until_us:
        try:
            missing = (await look(proposal.proves_on, cluster)).unfinished
        except (Unavailable, Busy, Refused) as error:
            missing = error.message[:160]
        except NotFound:
            return f"{proposal.proves_on} was deleted meanwhile"
        if not missing:
            return "the earlier version is rolled out"
        await clock.sleep(POLL_S)
    return f"its rollout is not complete after {ROLLOUT_S:.0f} s: {missing}"


def _has_replaced_pods(proposal: Proposal) -> bool:
    if proposal.action.target.kind in (Kind.CRON_JOB, Kind.POD):
        return False
    if proposal.patch == NOTHING:
        return False
    return isinstance(proposal.action, TemplateAction | Scale) or bool(proposal.operations)
