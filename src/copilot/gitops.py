"""The part of leg 3 that goes through Git: opened, waited for, merged, carried by the cluster.

People may take days over a pull request, so nothing is held meanwhile: each look is a job of its
own, and what is waited for stands in the store.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from copilot.domain.errors import BadInput, Busy, Conflict, NotFound, Refused, Unavailable
from copilot.domain.proposal import ActionState, Applied, Claim, Proposal, Verification
from copilot.domain.pull_request import Delivery, PullRequest, PullState
from copilot.ports import Clock, Cluster, GitHost, Store
from copilot.remediate.apply import GRACE_US
from copilot.remediate.gitops.pull import open_pull, open_revert
from copilot.remediate.plan import base_of, holds
from copilot.remediate.rollout import patched_us
from copilot.remediate.tree import decode, number_at, text_at
from copilot.remedy import Remedy

CARRY_US = 3_600_000_000
"""How long after a merge the cluster may take to carry it."""
BUSY_US = 120_000_000
"""How long a host that has had enough of us is left alone."""
REFUSED_US = 3_600_000_000
"""How long a host that turns us away, or does not know the request, is asked on: less than the
proposal lives, a token that is being replaced, or a repository that is being moved, is no end."""
MOST_PAUSE_US = 600_000_000
"""Between two looks at such a host, in the end."""
ROLLOUT_POLL_S = 2.0
"""Between two looks at the cluster once it is merged; that costs the Git host nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitOps:
    """One repository that makes the cluster."""

    host: GitHost
    store: Store
    cluster: Cluster
    clock: Clock
    remedy: Remedy

    async def deliver(self, claim: Claim, *, against: str = "") -> Claim | None:
        """The claim once the cluster carries the change; None while it waits, or where it is over.

        Called again it opens no second pull request, whenever it was cut.

        Raises:
            Unavailable, Busy: the host or the cluster does not answer; a retry is harmless.
        """
        delivery = await self._delivery(claim.proposal)
        if claim.state is ActionState.CLAIMED or delivery is None:
            await self._open(claim, against)
            return None
        if not delivery.merged_us:
            await self._look_at_request(claim, delivery)
            return None
        return await self._look_at_cluster(claim, delivery)

    async def _open(self, claim: Claim, against: str) -> None:
        proposal, now_us = claim.proposal, self.clock.now_us()
        try:
            if against:
                raise Refused(against)
            if claim.fence <= 1:  # else a try that was cut may have opened it: it must be found
                await self._refuse_stale(proposal)
            request = await open_pull(proposal, self.host)
        except (BadInput, Conflict, Refused, NotFound) as refusal:
            async with self.store.transaction() as tx:
                await self.remedy.not_applied(tx, claim, refusal.message)
            return
        async with self.store.transaction() as tx:
            delivery = Delivery(request=request, opened_us=now_us)
            await self.remedy.opened(tx, claim, delivery, next_us=self._next_us())

    async def _refuse_stale(self, proposal: Proposal) -> None:
        if self.clock.now_us() > proposal.expires_us + GRACE_US:
            raise Refused("it was approved too long ago; review it again")
        live = await self.cluster.get(proposal.action.target)
        if base_of(proposal.action, live) != proposal.base:
            raise Conflict(f"{proposal.action.target} changed since the proposal was made")

    async def _look_at_request(self, claim: Claim, delivery: Delivery) -> None:
        request = await self._request(claim, delivery, delivery.request.number)
        if isinstance(request, str):
            async with self.store.transaction() as tx:
                await self.remedy.not_applied(tx, claim, request)
            return
        if request is None:
            return
        now_us = self.clock.now_us()
        seen = msgspec.structs.replace(_answered(delivery), request=request)
        async with self.store.transaction() as tx:
            incident = await tx.incidents.get(claim.proposal.incident_id)
            if request.state is PullState.CLOSED:
                await self.remedy.closed(tx, claim, seen)
            elif request.state is PullState.MERGED:
                merged = msgspec.structs.replace(seen, merged_us=now_us)
                await self.remedy.merged(tx, claim, merged, next_us=now_us)
            elif not incident.is_open:
                await self.remedy.not_applied(
                    tx, claim, "the incident was resolved meanwhile; the pull request stays open"
                )
            else:
                if seen != delivery:
                    await tx.remediation.keep_delivery(claim.proposal.id, seen)
                await self.remedy.waits(tx, claim, next_us=self._next_us())

    async def _request(
        self, claim: Claim, delivery: Delivery, number: int
    ) -> PullRequest | str | None:
        """The request as it is; None where the host does not say and it waits, or the reason why
        that is over."""
        try:
            return await self.host.state(number)
        except Busy:  # a rate limit is for longer than our retries are apart
            async with self.store.transaction() as tx:
                await self.remedy.waits(tx, claim, next_us=self.clock.now_us() + BUSY_US)
        except (BadInput, NotFound, Refused) as refusal:
            return await self._turned_away(claim, delivery, number, refusal.message)
        return None

    async def _turned_away(
        self, claim: Claim, delivery: Delivery, number: int, message: str
    ) -> str | None:
        """None while it is asked on, ever more rarely; then why that ends."""
        now_us = self.clock.now_us()
        since_us = delivery.trouble_us or now_us
        until_us = max(claim.proposal.expires_us + GRACE_US, since_us + REFUSED_US)
        if now_us >= until_us:
            return f"what became of pull request {number} cannot be seen: {message}"
        kept = msgspec.structs.replace(
            delivery, trouble=message, trouble_us=since_us, n_refused=delivery.n_refused + 1
        )
        pause_us = round(self.host.poll_s * 1_000_000) * 2 ** min(delivery.n_refused, 10)
        next_us = min(now_us + min(pause_us, MOST_PAUSE_US), until_us)
        async with self.store.transaction() as tx:
            await self.remedy.host_refuses(tx, claim, kept, before=delivery, next_us=next_us)
        return None

    async def _look_at_cluster(self, claim: Claim, delivery: Delivery) -> Claim | None:
        proposal = claim.proposal
        live = await self._live(proposal)
        now_us = self.clock.now_us()
        if live is not None and holds(decode(live), proposal.patch):
            async with self.store.transaction() as tx:
                return await self.remedy.applied(tx, claim, _carried(live, now_us))
        async with self.store.transaction() as tx:
            if now_us >= delivery.merged_us + CARRY_US:
                reason = f"it was merged, but {_not_carried(proposal)}"
                await self.remedy.not_applied(tx, claim, reason)
            else:
                await self.remedy.waits(tx, claim, next_us=self._soon_us())
        return None

    async def take_back(self, claim: Claim, failed: Verification) -> Verification | None:
        """What came of a pull request that takes the change back; None while it waits.

        Raises:
            Unavailable, Busy: the host or the cluster does not answer; a retry is harmless.
        """
        delivery = await self._delivery(claim.proposal)
        if delivery is None or delivery.revert is None:
            return await self._open_revert(claim, delivery, failed)
        request = await self._request(claim, delivery, delivery.revert.number)
        if isinstance(request, str):
            return await self._ended(claim, failed, request, is_back=False)
        if request is None:
            return None
        if request.state is PullState.CLOSED:
            outcome = "the pull request that takes it back was closed, so it stays"
            return await self._ended(claim, failed, outcome, is_back=False)
        kept, next_us = (
            msgspec.structs.replace(_answered(delivery), revert=request),
            self._next_us(),
        )
        if request.state is PullState.MERGED:
            now_us = self.clock.now_us()
            merged_us, next_us = delivery.revert_merged_us or now_us, self._soon_us()
            kept = msgspec.structs.replace(kept, revert_merged_us=merged_us)
            live = await self._live(claim.proposal)
            if live is None or not holds(decode(live), claim.proposal.patch):
                return await self._ended(claim, failed, "taken back in Git", is_back=True)
            if now_us >= merged_us + CARRY_US:
                outcome = f"it was taken back in Git, but {_not_carried(claim.proposal)}"
                return await self._ended(claim, failed, outcome, is_back=False)
        async with self.store.transaction() as tx:
            if kept != delivery:
                await tx.remediation.keep_delivery(claim.proposal.id, kept)
            await self.remedy.waits(tx, claim, next_us=next_us)
        return None

    async def _open_revert(
        self, claim: Claim, delivery: Delivery | None, failed: Verification
    ) -> Verification | None:
        if delivery is None:
            return await self._ended(claim, failed, "its pull request is not known", is_back=False)
        try:
            request = await open_revert(claim.proposal, self.host, reason=failed.reason)
        except (BadInput, Conflict, Refused, NotFound) as refusal:
            outcome = f"no pull request could take it back: {refusal.message}"
            return await self._ended(claim, failed, outcome, is_back=False)
        kept = msgspec.structs.replace(delivery, revert=request)
        async with self.store.transaction() as tx:
            await self.remedy.revert_opened(tx, claim, kept, next_us=self._next_us())
        return None

    async def _ended(
        self, claim: Claim, failed: Verification, outcome: str, *, is_back: bool
    ) -> Verification:
        ended = msgspec.structs.replace(
            failed,
            held=False,
            reason=f"{failed.reason}; {outcome}",
            observed=(*failed.observed, outcome),
            ended_us=self.clock.now_us(),
            reverted=is_back,
        )
        async with self.store.transaction() as tx:
            await self.remedy.reverted(tx, claim, ended)
        return ended

    async def _delivery(self, proposal: Proposal) -> Delivery | None:
        async with self.store.view() as view:
            return await view.remediation.delivery(proposal.id)

    async def _live(self, proposal: Proposal) -> bytes | None:
        """The object as it is; None where it is gone."""
        try:
            return await self.cluster.get(proposal.action.target)
        except NotFound:
            return None
        except (BadInput, Refused) as error:
            raise Unavailable(error.message) from error

    def _next_us(self) -> int:
        return self.clock.now_us() + round(self.host.poll_s * 1_000_000)

    def _soon_us(self) -> int:
        pause_s = min(self.host.poll_s, ROLLOUT_POLL_S)
        return self.clock.now_us() + round(pause_s * 1_000_000)


def _answered(delivery: Delivery) -> Delivery:
    """Its host tells of it again."""
    return msgspec.structs.replace(delivery, trouble="", trouble_us=0, n_refused=0)


def _not_carried(proposal: Proposal) -> str:
    minutes = CARRY_US // 60_000_000
    return f"{proposal.action.target} does not say so after {minutes} min; look at the reconciler"


def _carried(live: bytes, now_us: int) -> Applied:
    """As if we had applied it, at the time the API server gave the latest change: so it compares
    with the times of the pods that came of it, whatever our clock says."""
    fields = decode(live)
    return Applied(
        at_us=patched_us(fields, "", now_us),
        resource_version=text_at(fields, "metadata", "resourceVersion") or "",
        generation=number_at(fields, "metadata", "generation") or 0,
        was_there=True,
    )
