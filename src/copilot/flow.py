"""The life of an incident, one method a leg. Read this first: only this module knows the order.

    leg 1  receive, observe, tick    decode > normalise > store > detect > group     -> commit
    leg 2  investigate, consult      context > explain > propose > guard > dry run   -> commit
    leg 3  remediate                 approve -> apply > verify, or revert > learn

Each of legs 1 and 2 is one transaction. Leg 3 is a chain of short ones with the cluster in between;
it may be cut anywhere and run again, and does nothing twice. What each move writes stands in
`intake.py`, `docket.py` (incidents) and `remedy.py` (proposals).
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from copilot.detect.engine import detect
from copilot.detect.grouping import open_key
from copilot.docket import CONSULT, INVESTIGATE, Docket
from copilot.domain.action import ChaosMemory
from copilot.domain.alert import Alert, Check, Rule, Seen
from copilot.domain.errors import (
    BadInput,
    Busy,
    Conflict,
    CopilotError,
    NotFound,
    Refused,
    Unavailable,
)
from copilot.domain.event import Batch, Severity
from copilot.domain.evidence import Gap
from copilot.domain.incident import EntryKind, Incident, IncidentId, Status, TimelineEntry
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import (
    ActionState,
    Claim,
    Proposal,
    ProposalId,
    ProposalStatus,
    Verification,
)
from copilot.domain.pull_request import PullState
from copilot.domain.runbook import RunbookMatch
from copilot.gitops import GitOps
from copilot.intake import ASIDE, Intake, gap_key, pod_in
from copilot.journal import Journal
from copilot.ports import Agents, Clock, Cluster, Delta, GitHost, Kind, Session, Store, StoredBatch
from copilot.remediate.apply import applied_of, apply
from copilot.remediate.guard import of_policy
from copilot.remediate.policy import Policy
from copilot.remediate.revert import revert
from copilot.remediate.rollout import longest_life_us
from copilot.remediate.verify import QUIET_S, READINGS_S, verify
from copilot.remedy import GUARDRAIL, LEASE_US, REMEDIATE, Remedy, acknowledged, check_open

T = TypeVar("T")

__all__ = ["CONSULT", "INVESTIGATE", "REMEDIATE", "Flow"]

SETTLE_US = 60_000_000
"""How long every rule must be silent before an incident that nobody touched is over."""
LET_GO_S = 2.0
HISTORY_US = 3_600_000_000
"""How long before an incident its pods still count as having failed in it."""
AGENTS = ("agent-context", "agent-detective", "agent-runbook", "agent-remediator")
"""Whom leg 2 asks, in this order."""
POD_RULES = (Rule.OOM_KILLED, Rule.CRASH_LOOP, Rule.IMAGE_PULL, Rule.UNSCHEDULABLE, Rule.NOT_READY)

_TRIED = frozenset(ProposalStatus) - {
    ProposalStatus.PROPOSED,
    ProposalStatus.REFUSED,
    ProposalStatus.SUPERSEDED,
    ProposalStatus.EXPIRED,
}
_UNDER_WAY = (ProposalStatus.APPROVED, ProposalStatus.OPENED, ProposalStatus.APPLIED)
_UNKNOWN_FAILURE = Verification(held=False, reason="it did not hold", observed=(), ended_us=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """What verification watches for."""

    check: Check
    ttf_us: int
    """The longest life a container had before it failed, in microseconds."""
    quiet_s: float
    """How long it must be quiet at least, so that the rules can have seen it."""


class Flow:
    """The path of an incident through the steps, over a store, the agents and a cluster."""

    def __init__(
        self,
        *,
        store: Store,
        agents: Agents,
        clock: Clock,
        journal: Journal,
        rules: Mapping[Rule, Check],
        cluster: Cluster | None = None,
        owner: str = "copilot",
        policy: Policy | None = None,
        git: GitHost | None = None,
        own_namespaces: Collection[str] = (),
    ) -> None:
        # `policy` is asked once more before what was approved is done; `git` is the repository
        # that makes the cluster, where there is one.
        self._policy = policy or Policy()
        self._store = store
        self._agents = agents
        self._clock = clock
        self._journal = journal
        self._rules = rules
        self._cluster = cluster
        self._owner = owner
        self._intake = Intake(clock=clock, journal=journal, own_namespaces=own_namespaces)
        self._docket = Docket(clock=clock, journal=journal)
        self._remedy = Remedy(clock=clock, journal=journal, docket=self._docket)
        self._git = git
        self._investigating: dict[IncidentId, asyncio.Lock] = {}
        self._quiet_since_us: dict[IncidentId, int] = {}

    # ----------------------------------------------------------------- leg 1: to an incident

    async def receive(self, batch: Batch) -> StoredBatch:
        """Keep what a sender sent and raise what is wrong; durable when this returns."""
        [stored] = await self.receive_all([batch])
        return stored

    async def receive_all(self, batches: Sequence[Batch]) -> tuple[StoredBatch, ...]:
        """The same for what several senders sent, in one transaction."""

        async def keep(tx: Session) -> tuple[StoredBatch, ...]:
            stored = await tx.telemetry.add_all(batches)
            news = [
                batch
                for batch, one in zip(batches, stored, strict=True)
                if not one.is_repeat or batch.alerts  # that it still fires is news each time
            ]
            if news:
                seen = await self._intake.seen_in(tx, news)
                await self._docket.raise_alerts(tx, detect(seen))
            return stored

        stored = await self._store.run(keep)
        for batch, one in zip(batches, stored, strict=True):
            if not one.is_repeat:  # what is remembered adds up
                self._intake.note_points(batch)
        return stored

    async def observe(self, delta: Delta) -> None:
        """Keep what the watch saw: versions, changes, events; raise what is wrong with pods."""

        async def keep(tx: Session) -> None:
            kept = await self._intake.keep(tx, delta)
            await self._docket.note_changes(tx, kept.changes)
            await self._docket.raise_alerts(tx, detect(await self._intake.seen(tx, kept.pods)))

        await self._store.run(keep)
        self._intake.kept(delta)

    async def tick(self) -> None:
        """Raise what only time makes wrong, and end what went quiet by itself."""
        async with self._store.view() as view:
            alerts = detect(await self._intake.seen_now(view))
            opened = await view.incidents.opened(self._journal.cluster)
        due = [alert for alert in alerts if self._docket.is_due(alert)]
        if due:
            await self._store.run(lambda tx: self._docket.raise_alerts(tx, due))
        await self._settle(opened, {alert.fingerprint for alert in alerts})

    async def note_gap(self, what: str, gap: Gap | None) -> None:
        """Note (or clear, with None) that something beside the kinds cannot be seen."""
        cluster, key = self._journal.cluster, gap_key(what)
        await self._store.run(lambda tx: tx.objects.set_gap(cluster, gap, key))

    async def begin_watch(self) -> None:
        """Forget what an earlier watch of this process saw, and clear what `note_gap` noted and gaps
        of single objects: a watcher that starts finds out anew, and may look at less than the one
        before. Another process may have watched meanwhile."""
        self._intake.begin_watch()
        self._quiet_since_us.clear()
        cluster = self._journal.cluster
        await self._store.run(lambda tx: tx.objects.forget_gaps(cluster, ASIDE))

    async def latest_line_us(self, *, namespace: str, pod: str, container: str) -> int:
        """Time of the newest stored line of a container, 0 for none."""
        async with self._store.view() as view:
            return await view.telemetry.latest_line_us(
                namespace=namespace, pod=pod, container=container
            )

    async def _settle(self, opened: Iterable[Incident], firing: set[str]) -> None:
        """Resolve incidents that nobody is working on once every rule has long been silent."""
        now_us = self._clock.now_us()
        for incident in opened:
            async with self._store.view() as view:
                alerts = await view.incidents.alerts(incident.id)
            is_quiet = bool(alerts) and all(
                _is_over(alert, firing, sees=self._intake.sees(alert.rule)) for alert in alerts
            )
            if not is_quiet or incident.status is Status.REMEDIATING:
                self._quiet_since_us.pop(incident.id, None)
            elif now_us - self._quiet_since_us.setdefault(incident.id, now_us) >= SETTLE_US:
                del self._quiet_since_us[incident.id]
                await self._end_quiet(incident)

    async def _end_quiet(self, incident: Incident) -> None:
        seconds = SETTLE_US // 1_000_000

        async def end(tx: Session) -> None:
            current = await tx.incidents.get(incident.id)
            if current.status not in (Status.REMEDIATING, Status.RESOLVED):
                why = f"went quiet without us: no rule has fired for {seconds} s"
                await self._docket.end(tx, current, why)

        await self._store.run(end)

    # ----------------------------------------------------------------- leg 2: to a proposal

    async def investigate(self, incident_id: IncidentId, *, asked_by: str = "") -> None:
        """Gather the case, explain it, propose a fix; again for the same case changes nothing but
        the audit log, where a person asked.

        An agent that cannot be asked leaves a gap that people see; what the others say is kept.

        Raises:
            NotFound: there is no such incident.
            Unavailable, Busy: the cluster or an agent does not answer; ask again.
        """
        if asked_by:
            await self._store.run(lambda tx: self._docket.asked(tx, incident_id, by=asked_by))
        async with self._alone(incident_id):
            failed: list[CopilotError] = []
            case = await _answer(self._agents.context(incident_id), failed)
            if case is None or not case.incident.is_open:
                # One that is over takes everybody for well: an incident that goes on says so again.
                asked = AGENTS[:1] if case is None else AGENTS
                await self._store.run(
                    lambda tx: self._docket.note_agents(tx, incident_id, asked=asked, failed=failed)
                )
                _raise_first(failed)
                return
            proposals: tuple[Proposal, ...] | None = None
            matches: tuple[RunbookMatch, ...] | None = None
            findings = await _answer(self._agents.hypothesis(case), failed)
            if findings is not None:
                matches = await _answer(self._agents.suggest(case, findings), failed)
                proposals = await _answer(self._agents.propose(case, findings), failed)

            async def keep(tx: Session) -> None:
                await self._docket.keep_evidence(tx, case)
                if findings is not None:
                    await self._docket.keep_findings(tx, case, findings)
                    await self._docket.ask_model(tx, incident_id)
                if matches is not None:
                    await self._docket.keep_runbooks(tx, case, matches)
                if proposals is not None:
                    await self._docket.keep_proposals(tx, incident_id, proposals, asked_by=asked_by)
                    await self._approve_by_guardrail(tx, incident_id, proposals)

                asked = AGENTS[:2] if findings is None else AGENTS
                await self._docket.note_agents(tx, incident_id, asked=asked, failed=failed)

            await self._store.run(keep)
            _raise_first(failed)

    async def _approve_by_guardrail(
        self, tx: Session, incident_id: IncidentId, fresh: tuple[Proposal, ...]
    ) -> None:
        """In autonomous mode: the first proposal that a guardrail covers by now, unless something
        has been tried in this incident already; after a try that came to nothing people decide."""
        stored = await tx.remediation.of_incident(incident_id)
        if any(p.status in _TRIED for p in stored):
            return
        covered = {p.digest: p.guardrail for p in fresh if p.guardrail}
        for proposal in stored:
            is_open = proposal.status is ProposalStatus.PROPOSED and proposal.digest in covered
            if is_open and proposal.approvals_needed == 1:
                reason = f"guardrail {covered[proposal.digest]}"
                await self._remedy.approved(
                    tx, proposal, digest=proposal.digest, reason=reason, actor=GUARDRAIL
                )
                return

    async def consult(self, incident_id: IncidentId) -> None:
        """Let the language model, where there is one, add to what is known; nobody waits for it.

        Raises:
            NotFound: there is no such incident.
        """
        case = await self._agents.context(incident_id)
        if not case.incident.is_open:
            return
        await self._store.run(lambda tx: self._docket.keep_evidence(tx, case))
        findings = await self._agents.consult(case)
        if findings is not None:
            kept = findings
            await self._store.run(lambda tx: self._docket.keep_findings(tx, case, kept))

    @asynccontextmanager
    async def _alone(self, incident_id: IncidentId) -> AsyncIterator[None]:
        """One investigation of an incident at a time."""
        async with self._investigating.setdefault(incident_id, asyncio.Lock()):
            yield

    # ----------------------------------------------------------------- people decide

    async def approve(
        self, proposal_id: ProposalId, *, digest: str, reason: str, actor: str
    ) -> None:
        """A person's yes to exactly this digest; the work is queued when this returns.

        Raises:
            Conflict: wrong digest, decided already, expired, or the object has changed since, or
                it takes more people; then `detail["proposal_id"]` names what takes its place.
            Refused: a guard refuses it by now.
        """
        async with self._store.view() as view:
            proposal = await view.remediation.get(proposal_id)
        check_open(proposal, digest)
        fresh = await self._agents.recheck(proposal)
        takes_more = fresh.approvals_needed > proposal.approvals_needed
        if takes_more or fresh.digest != proposal.digest:
            await self._supersede(proposal, fresh)
        if fresh.status is not ProposalStatus.PROPOSED:
            raise Refused(f"proposal {proposal_id} would now be refused: {fresh.refusal}")
        await self._store.run(
            lambda tx: self._remedy.approved(
                tx, proposal, digest=digest, reason=reason, actor=actor
            )
        )

    async def _supersede(self, proposal: Proposal, fresh: Proposal) -> None:
        stored = await self._store.run(lambda tx: self._remedy.superseded(tx, proposal, fresh))
        raise Conflict(
            f"{proposal.action.target} changed since proposal {proposal.id} was made; "
            "review the new diff",
            detail={"proposal_id": stored.id},
        )

    async def reject(self, proposal_id: ProposalId, *, reason: str, actor: str) -> None:
        """A person's no.

        Raises:
            Conflict: it is decided already.
        """

        async def decide(tx: Session) -> None:
            proposal = await tx.remediation.get(proposal_id)
            await self._remedy.rejected(tx, proposal, reason=reason, actor=actor)

        await self._store.run(decide)

    async def open_by_hand(self, workload: ObjectRef, *, title: str, actor: str) -> Incident:
        """A person's own incident; the open one of the same workload is given back instead."""
        alert = _alert_by_hand(workload, title, actor, self._journal.cluster, self._clock.now_us())

        async def open_one(tx: Session) -> Incident:
            for incident in await tx.incidents.opened(self._journal.cluster):
                if incident.open_key == open_key(alert):
                    return incident
            return await self._docket.open(tx, alert, actor=actor)

        return await self._store.run(open_one)

    async def acknowledge(self, incident_id: IncidentId, *, actor: str) -> Incident:
        """Somebody is on it; the first one counts."""
        now_us = self._clock.now_us()

        async def keep(tx: Session) -> Incident:
            incident = await tx.incidents.get(incident_id)
            if incident.acknowledged_us is not None:
                return incident
            saved = await tx.incidents.save(acknowledged(incident, actor, now_us))
            await self._journal.tell(
                tx,
                incident_id,
                EntryKind.STATUS,
                f"Acknowledged by {actor}",
                at_us=now_us,
                actor=actor,
                audit="incident.acknowledged",
            )
            await self._journal.moved(tx, "incident.updated", incident_id, now_us)
            return saved

        return await self._store.run(keep)

    async def note(self, incident_id: IncidentId, *, text: str, actor: str) -> TimelineEntry:
        """A person's note on the timeline."""

        async def keep(tx: Session) -> TimelineEntry:
            await tx.incidents.get(incident_id)
            return await self._journal.tell(
                tx,
                incident_id,
                EntryKind.NOTE,
                text,
                at_us=self._clock.now_us(),
                actor=actor,
                audit="incident.noted",
            )

        return await self._store.run(keep)

    async def resolve(self, incident_id: IncidentId, *, resolution: str, actor: str) -> Incident:
        """End it by hand.

        Raises:
            Conflict: it is resolved already, or a fix is being applied or watched right now.
        """

        async def end(tx: Session) -> Incident:
            incident = await tx.incidents.get(incident_id)
            proposals = await tx.remediation.of_incident(incident_id)
            under_way = [p for p in proposals if p.status in _UNDER_WAY]
            waits = [await _waits_for_people(tx, proposal) for proposal in under_way]
            if incident.status is Status.REMEDIATING and not (waits and all(waits)):
                raise Conflict(
                    f"a fix for INC-{incident_id} is being verified; wait for its outcome"
                )
            return await self._docket.end(tx, incident, resolution, actor=actor)

        return await self._store.run(end)

    async def chaos(self, target: ObjectRef, container: str, limit: str, actor: str) -> str:
        """Break a demo workload on purpose; what was done, for people.

        Raises:
            Refused: it is not in a namespace labelled as demo.
        """
        title = f"memory limit of {container} in {target} set to {limit}"
        await self._audit_chaos("chaos.asked", target, title, actor)
        await self._agents.chaos(ChaosMemory(target=target, container=container, limit=limit))
        await self._audit_chaos("chaos.started", target, title, actor)
        return title

    async def _audit_chaos(self, action: str, target: ObjectRef, title: str, actor: str) -> None:
        await self._store.run(
            lambda tx: tx.audit.append(
                chain="chaos",
                ts_us=self._clock.now_us(),
                actor=actor,
                action=action,
                object=str(target),
                detail=title,
            )
        )

    # ----------------------------------------------------------------- leg 3: to a proven fix

    async def remediate(self, proposal_id: ProposalId) -> Verification | None:
        """Apply what was approved, to the letter, and watch what comes of it.

        Goes on where an earlier try was cut. None where nothing was done: it is ended already, or
        the object is not any more what was approved.

        Raises:
            Conflict: another worker holds it.
        """

        async def take(tx: Session) -> tuple[Claim, _Watch] | None:
            if (await tx.remediation.get(proposal_id)).status not in _UNDER_WAY:
                return None
            claim = await tx.remediation.claim(
                proposal_id, owner=self._owner, now_us=self._clock.now_us(), lease_us=LEASE_US
            )
            return claim, await self._watch_of(tx, claim.proposal.incident_id)

        taken = await self._store.run(take)
        if taken is None:
            return None
        claim, watch = taken
        async with self._held(claim):
            if claim.state in (ActionState.CLAIMED, ActionState.OPENED):
                applied = await self._applied(claim)
                if applied is None:
                    return None
                claim = applied
            if claim.state is ActionState.APPLIED:
                verification = await self._verify(claim, watch)
                return await self._concluded(claim, verification)
            return await self._taken_back(claim)

    async def _concluded(self, claim: Claim, verification: Verification) -> Verification | None:
        if verification.held:
            await self._store.run(lambda tx: self._remedy.verified(tx, claim, verification))
            return verification
        reverting = await self._store.run(
            lambda tx: self._remedy.reverting(tx, claim, verification)
        )
        return await self._taken_back(reverting)

    async def _applied(self, claim: Claim) -> Claim | None:
        """The claim once the change is in the cluster, by a patch or by a pull request."""
        if claim.proposal.pull is None:
            return await self._apply(claim)
        return await self._gitops.deliver(claim, against=self._against(claim.proposal))

    async def _taken_back(self, claim: Claim) -> Verification | None:
        if claim.proposal.pull is None:
            return await self._revert(claim)
        async with self._store.view() as view:
            failed = await view.remediation.verification(claim.proposal.id)
        return await self._gitops.take_back(claim, failed or _UNKNOWN_FAILURE)

    @property
    def _gitops(self) -> GitOps:
        if self._git is None:
            raise Refused("this role has no repository; agent-remediator has one")
        return GitOps(
            host=self._git,
            store=self._store,
            cluster=self._live,
            clock=self._clock,
            remedy=self._remedy,
        )

    async def merge(self, proposal_id: ProposalId, *, actor: str) -> None:
        """Merge the proposal's pull request, in the simulation only: elsewhere people do.

        Raises:
            Conflict: it has none, or nobody would watch any more what comes of it.
            Refused: the host is one of people's.
        """
        async with self._store.view() as view:
            proposal = await view.remediation.get(proposal_id)
            delivery = await view.remediation.delivery(proposal_id)
        if self._git is None:
            raise Refused("this role has no repository")
        if delivery is None:
            raise Conflict(f"proposal {proposal_id} has no pull request")
        request = delivery.revert or delivery.request
        if (await self._git.state(request.number)).state is PullState.MERGED:
            return
        if proposal.status not in _UNDER_WAY:
            raise Conflict(f"proposal {proposal_id} is {proposal.status}; merge it by hand")
        await self._git.merge(request.number)
        await self._store.run(lambda tx: self._remedy.merged_by(tx, proposal, request, actor=actor))

    async def _watch_of(self, tx: Session, incident_id: IncidentId) -> _Watch:
        """What verification watches for: every rule on pods, and all that fired."""
        incident = await tx.incidents.get(incident_id)
        versions = await tx.objects.find(
            incident.cluster,
            Kind.POD,
            incident.namespace,
            deleted_since_us=incident.first_signal_us - HISTORY_US,
        )
        pods = [
            pod
            for pod in map(pod_in, versions)
            if (await self._intake.workload(tx, pod)).key == incident.workload.key
        ]
        alerts = await tx.incidents.alerts(incident_id)
        fired = {alert.rule for alert in alerts}
        watched = [
            self._rules[rule]
            for rule in (*POD_RULES, *sorted(fired - {*POD_RULES, Rule.EXTERNAL}))
            if rule in self._rules
        ]
        return _Watch(
            check=lambda seen: [alert for rule in watched for alert in rule(seen)],
            ttf_us=longest_life_us(pods),
            quiet_s=READINGS_S if any(a.source == "kubelet" for a in alerts) else QUIET_S,
        )

    @asynccontextmanager
    async def _held(self, claim: Claim) -> AsyncIterator[None]:
        """Keeps the lease alive meanwhile; a lost lease cancels the work. Work that is cut off, as
        this process stops, may be taken over at once: whoever does goes on where it stands."""
        async with asyncio.TaskGroup() as group:
            renewal = group.create_task(self._renew(claim))
            try:
                yield
            except asyncio.CancelledError:
                renewal.cancel()
                with suppress(CopilotError, TimeoutError):
                    async with asyncio.timeout(LET_GO_S):
                        await self._renew_once(claim, lease_us=0)
                raise
            finally:
                renewal.cancel()

    async def _renew(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(LEASE_US / 3 / 1_000_000)
            await self._renew_once(claim, lease_us=LEASE_US)

    async def _renew_once(self, claim: Claim, *, lease_us: int) -> None:
        now_us = self._clock.now_us()
        await self._store.run(
            lambda tx: tx.remediation.renew(claim, now_us=now_us, lease_us=lease_us)
        )

    def _against(self, proposal: Proposal) -> str:
        """Why what was approved may not be done by now, empty for it may."""
        now_us = self._clock.now_us()
        reasons = of_policy(proposal.action, proposal.operations, self._policy, now_us=now_us)
        return "; ".join(reasons)

    @property
    def _live(self) -> Cluster:
        if self._cluster is None:
            raise Refused("this role may not act on the cluster; agent-remediator does")
        return self._cluster

    async def _apply(self, claim: Claim) -> Claim | None:
        """The claim after the patch is in, None where the object is not any more as approved."""
        try:
            against = self._against(claim.proposal)
            applied = await apply(claim, self._live, self._clock, against=against)
        except (BadInput, Conflict, Refused, NotFound) as refusal:
            why = refusal.message
            await self._store.run(lambda tx: self._remedy.not_applied(tx, claim, why))
            return None
        return await self._store.run(lambda tx: self._remedy.applied(tx, claim, applied))

    async def _verify(self, claim: Claim, watch: _Watch) -> Verification:
        return await verify(
            claim,
            applied_of(claim),
            check=watch.check,
            cluster=self._live,
            clock=self._clock,
            cluster_name=self._journal.cluster,
            ttf_us=watch.ttf_us,
            progress=self._progress(claim),
            enrich=self._with_activity,
            quiet_s=watch.quiet_s,
        )

    async def _with_activity(self, seen: Seen) -> Seen:
        async with self._store.view() as view:
            return await self._intake.with_activity(view, seen)

    def _progress(self, claim: Claim) -> Callable[[str], Awaitable[None]]:
        """Tells the screens how it goes on; the timeline keeps only what came of it."""

        async def tell(text: str) -> None:
            await self._store.run(
                lambda tx: tx.feed.append(
                    cluster=self._journal.cluster,
                    ts_us=self._clock.now_us(),
                    kind="action.progress",
                    incident_id=claim.proposal.incident_id,
                    detail=text,
                )
            )

        return tell

    async def _revert(self, claim: Claim) -> Verification:
        """Take the change back, and say honestly how that went."""
        async with self._store.view() as view:
            failed = await view.remediation.verification(claim.proposal.id)
        outcome = await revert(
            claim,
            self._live,
            self._clock,
            failed=failed or _UNKNOWN_FAILURE,
            progress=self._progress(claim),
        )
        await self._store.run(lambda tx: self._remedy.reverted(tx, claim, outcome))
        return outcome


async def _answer(answer: Awaitable[T], failed: list[CopilotError]) -> T | None:
    """None where there is none now; then it is among what failed."""
    try:
        return await answer
    except (Busy, Unavailable) as error:
        failed.append(error)
        return None


def _raise_first(failed: Sequence[CopilotError]) -> None:
    """What failed is tried again."""
    if failed:
        raise failed[0]


async def _waits_for_people(tx: Session, proposal: Proposal) -> bool:
    """Whether its pull request, or the one that takes it back, is theirs to decide: for days."""
    if proposal.status is ProposalStatus.OPENED:
        return True
    delivery = await tx.remediation.delivery(proposal.id)
    return delivery is not None and delivery.revert is not None


def _is_over(alert: Alert, firing: set[str], *, sees: bool) -> bool:
    """Whether this alert no longer speaks: its rule is silent, or its sender resolved it.

    A rule that cannot see is silent too; that counts for nothing.
    """
    if alert.rule is Rule.EXTERNAL or alert.source == "alertmanager":
        return not alert.is_firing and alert.fingerprint not in firing
    return sees and alert.fingerprint not in firing


def _alert_by_hand(workload: ObjectRef, title: str, actor: str, cluster: str, now_us: int) -> Alert:
    return Alert(
        fingerprint=f"hand:{workload.key}",
        rule=Rule.EXTERNAL,
        cluster=cluster,
        workload=workload,
        pod="",
        container="",
        node="",
        severity=Severity.WARN,
        title=title,
        message=f"opened by {actor}",
        starts_us=now_us,
        last_us=now_us,
        count=1,
        source=actor,
    )
