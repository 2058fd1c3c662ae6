"""The life of an incident, one method a leg. Read this first: only this module knows the order.

    leg 1  receive, observe, tick    decode > normalise > store > detect > group     -> commit
    leg 2  investigate               context > explain > propose > guard > dry run   -> commit
    leg 3  remediate                 approve -> apply > verify, or revert > learn

Each of legs 1 and 2 is one transaction. Leg 3 is a chain of short ones with the cluster in between;
it may be cut anywhere and run again, and does nothing twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import msgspec
import structlog

from copilot.detect.engine import detect
from copilot.detect.grouping import Skip, open_key, place, severity_of, title_of
from copilot.detect.rules.error_burst import WINDOW_US
from copilot.domain.alert import Alert, Check, Rule, Seen
from copilot.domain.case import Case
from copilot.domain.change import ObjectVersion
from copilot.domain.errors import BadInput, Conflict, NotFound, Refused
from copilot.domain.event import Batch, Severity, TemplateActivity
from copilot.domain.hypothesis import Findings, Hypothesis
from copilot.domain.incident import EntryKind, Incident, IncidentId, Status, TimelineEntry
from copilot.domain.objects import KubeEvent, ObjectRef, Pod, controller_of
from copilot.domain.proposal import (
    ActionState,
    Applied,
    Approval,
    ChaosMemory,
    Claim,
    Decision,
    Proposal,
    ProposalId,
    ProposalStatus,
    Verification,
)
from copilot.domain.runbook import RunbookMatch
from copilot.ingest.changes import change_between
from copilot.ingest.objects import without_secrets
from copilot.ingest.sources.kube_events import batch_of
from copilot.journal import Journal
from copilot.learn.resolution import memory_of
from copilot.ports import (
    Agents,
    Clock,
    Cluster,
    Delta,
    Kind,
    NewIncident,
    Session,
    Store,
    StoredBatch,
)
from copilot.remediate.apply import applied_of, apply
from copilot.remediate.revert import revert
from copilot.remediate.rollout import longest_life_us
from copilot.remediate.verify import verify

log = structlog.get_logger(__name__)

INVESTIGATE = "investigate"
REMEDIATE = "remediate"

REFRESH_US = 5_000_000
"""How often a condition that lasts is written again."""
SETTLE_US = 60_000_000
"""How long every rule must be silent before an incident that nobody touched is over."""
SECOND_LOOK_US = 4_000_000
"""Metrics and logs come in a little after the kill: look once more then."""
LEASE_US = 15_000_000
HISTORY_US = 3_600_000_000
"""How long before an incident its pods still count as having failed in it."""
POD_RULES = (Rule.OOM_KILLED, Rule.CRASH_LOOP, Rule.IMAGE_PULL, Rule.UNSCHEDULABLE, Rule.NOT_READY)


@dataclass(slots=True)
class _Sight:
    """What this process has seen of the cluster; rebuilt by the first full list."""

    synced: set[Kind] = field(default_factory=set)
    listed: dict[Kind, set[str]] = field(default_factory=dict)
    """Uids of a kind, until its first full list: what the store knows beside them is gone."""
    unwell: dict[str, Pod] = field(default_factory=dict)
    """By uid: pods that a rule may have something to say about, now or later."""
    told_us: dict[str, int] = field(default_factory=dict)
    """By fingerprint: when an alert was last written."""
    quiet_since_us: dict[IncidentId, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """What verification watches for."""

    check: Check
    ttf_us: int
    """The longest life a container had before it failed, in microseconds."""


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
    ) -> None:
        self._store = store
        self._agents = agents
        self._clock = clock
        self._journal = journal
        self._rules = rules
        self._cluster = cluster
        self._owner = owner
        self._sight = _Sight()
        self._investigating: dict[IncidentId, asyncio.Lock] = {}

    # ----------------------------------------------------------------- leg 1: to an incident

    async def receive(self, batch: Batch) -> StoredBatch:
        """Keep what a sender sent and raise what is wrong; durable when this returns."""
        async with self._store.transaction() as tx:
            stored = await tx.telemetry.add(batch)
            if not stored.is_repeat:
                await self._raise(tx, detect(await self._seen_in(tx, batch)))
        return stored

    async def observe(self, delta: Delta) -> None:
        """Keep what the watch saw: versions, changes, events; raise what is wrong with pods."""
        cluster, now_us = self._journal.cluster, self._clock.now_us()
        is_first = delta.kind not in self._sight.synced
        if is_first:
            listed = self._sight.listed.setdefault(delta.kind, set())
            listed.update(version.object.uid for version in delta.versions)
        async with self._store.transaction() as tx:
            await tx.objects.set_gap(cluster, delta.gap, delta.kind)
            if delta.kind is Kind.EVENT:
                await self._keep_events(tx, delta.versions, now_us)
            else:
                for version in delta.versions:
                    await self._keep_version(tx, version, is_new=not is_first)
            if delta.kind is Kind.POD:
                pods = tuple(self._pods_of(delta.versions))
                await self._raise(tx, detect(await self._seen(tx, pods=pods)))
            if delta.is_synced and is_first:
                await self._keep_deletions(tx, delta.kind, now_us)
            if delta.versions:
                await self._journal.moved(tx, "objects.changed", None, now_us)
        if delta.is_synced:
            self._sight.synced.add(delta.kind)
            self._sight.listed.pop(delta.kind, None)

    async def tick(self) -> None:
        """Raise what only time makes wrong, and end what went quiet by itself."""
        async with self._store.view() as view:
            activity = await self._activity(view)
            pods = await self._pods_logging(view, activity) | self._sight.unwell
            seen = await self._seen(view, pods=tuple(pods.values()))
            alerts = detect(msgspec.structs.replace(seen, activity=activity))
            opened = await view.incidents.opened(self._journal.cluster)
        due = [alert for alert in alerts if self._is_due(alert)]
        if due:
            async with self._store.transaction() as tx:
                await self._raise(tx, due)
        await self._settle(opened, {alert.fingerprint for alert in alerts})

    async def latest_line_us(self, *, namespace: str, pod: str, container: str) -> int:
        """Time of the newest stored line of a container, 0 for none."""
        async with self._store.view() as view:
            return await view.telemetry.latest_line_us(
                namespace=namespace, pod=pod, container=container
            )

    async def _keep_version(self, tx: Session, version: ObjectVersion, *, is_new: bool) -> None:
        before = await tx.objects.get(version.cluster, version.object.uid)
        after = without_secrets(version)
        change = change_between(before, after, is_new=is_new)
        await tx.objects.save(after, change)
        if change is not None:
            await self._journal.moved(tx, "change.added", None, version.seen_us)

    async def _keep_deletions(self, tx: Session, kind: Kind, now_us: int) -> None:
        """What was deleted while nobody watched: known to the store, not in the first list."""
        for version in await tx.objects.find(self._journal.cluster, kind):
            if version.object.uid not in self._sight.listed[kind]:
                gone = msgspec.structs.replace(version, is_deleted=True, seen_us=now_us)
                await self._keep_version(tx, gone, is_new=True)

    async def _keep_events(
        self, tx: Session, versions: Iterable[ObjectVersion], now_us: int
    ) -> None:
        events = [
            msgspec.json.decode(version.json, type=KubeEvent)
            for version in versions
            if not version.is_deleted
        ]
        if events:
            await tx.telemetry.add(
                batch_of(events, cluster=self._journal.cluster, received_us=now_us)
            )

    def _pods_of(self, versions: Iterable[ObjectVersion]) -> Iterable[Pod]:
        """The pods that exist, and this process's memory of those that are not well."""
        for version in versions:
            uid = version.object.uid
            self._sight.unwell.pop(uid, None)
            if version.is_deleted:
                continue
            pod = _pod(version)
            if not _is_well(pod):
                self._sight.unwell[uid] = pod
            yield pod

    async def _seen_in(self, tx: Session, batch: Batch) -> Seen:
        """What a batch lets the rules see, with the pods its alerts, kills and errors speak of.

        The pods only place what came in: what is wrong with them themselves, the watch tells.
        """
        has_errors = any(severity >= Severity.ERROR for severity in batch.lines.severity)
        activity = await self._activity(tx) if has_errors else ()
        if batch.kernel_kills or batch.alerts:
            versions = await tx.objects.find(self._journal.cluster, Kind.POD)
            pods = {version.object.uid: _pod(version) for version in versions}
        else:
            pods = await self._pods_logging(tx, activity)
        seen = await self._seen(tx, pods=tuple(pods.values()))
        return msgspec.structs.replace(
            seen,
            kernel_kills=tuple(batch.kernel_kills),
            received=tuple(batch.alerts),
            activity=activity,
        )

    async def _pods_logging(
        self, view: Session, activity: Iterable[TemplateActivity]
    ) -> dict[str, Pod]:
        """By uid: the pods whose logs these templates came from."""
        names = {(one.stream.namespace, one.stream.pod) for one in activity if one.stream.pod}
        found = [
            await view.objects.named(self._journal.cluster, Kind.POD, namespace, name)
            for namespace, name in sorted(names)
        ]
        return {v.object.uid: _pod(v) for v in found if v is not None and not v.is_deleted}

    async def _activity(self, view: Session) -> tuple[TemplateActivity, ...]:
        return await view.telemetry.activity(
            min_severity=Severity.ERROR, window_us=WINDOW_US, now_us=self._clock.now_us()
        )

    async def _seen(self, view: Session, *, pods: tuple[Pod, ...]) -> Seen:
        owners = {pod.metadata.uid: await self._workload(view, pod) for pod in pods}
        return Seen(
            now_us=self._clock.now_us(), cluster=self._journal.cluster, pods=pods, owners=owners
        )

    async def _workload(self, view: Session, pod: Pod) -> ObjectRef:
        """The top of the owner chain, as far as it was seen."""
        metadata = pod.metadata
        top = ObjectRef(
            kind="Pod", namespace=metadata.namespace, name=metadata.name, uid=metadata.uid
        )
        while (owner := controller_of(metadata)) is not None:
            top = ObjectRef(
                kind=owner.kind, namespace=top.namespace, name=owner.name, uid=owner.uid
            )
            above = await view.objects.get(self._journal.cluster, owner.uid)
            if above is None:
                break
            metadata = msgspec.json.decode(above.json, type=Pod).metadata
        return top

    # ----------------------------------------------------------------- grouping

    def _is_due(self, alert: Alert) -> bool:
        return self._clock.now_us() - self._sight.told_us.get(alert.fingerprint, 0) >= REFRESH_US

    async def _raise(self, tx: Session, alerts: Iterable[Alert]) -> None:
        """Give each alert its incident, an open one or a new one."""
        for alert in alerts:
            self._sight.told_us[alert.fingerprint] = self._clock.now_us()
            opened = [
                (incident, await tx.incidents.alerts(incident.id))
                for incident in await tx.incidents.opened(self._journal.cluster)
            ]
            before = await tx.incidents.last_resolved(open_key(alert))
            placement = place(alert, opened, before)
            if isinstance(placement, Skip):
                log.debug("alert.skipped", rule=alert.rule, reason=placement.reason)
                continue
            if placement.incident_id is None:
                await self._open(tx, alert, actor=alert.source)
            else:
                await self._join(tx, placement.incident_id, alert, placement.reason)

    async def _open(self, tx: Session, alert: Alert, *, actor: str) -> Incident:
        now_us = self._clock.now_us()
        incident = await tx.incidents.open(
            NewIncident(
                severity=severity_of(alert),
                title=title_of((alert,)),
                cluster=alert.cluster,
                namespace=alert.workload.namespace,
                app=alert.workload.name,
                workload=alert.workload,
                open_key=open_key(alert),
                first_signal_us=min(alert.starts_us, now_us),
                opened_us=now_us,
            )
        )
        await tx.incidents.add_alert(incident.id, alert, "first_alert")
        await self._journal.tell(
            tx,
            incident.id,
            EntryKind.ALERT,
            alert.title,
            at_us=now_us,
            happened_us=alert.starts_us,
            actor=actor,
            detail=alert.message,
        )
        await self._journal.tell(
            tx,
            incident.id,
            EntryKind.OPENED,
            f"Incident opened: {incident.title}",
            at_us=now_us,
            audit="incident.opened",
        )
        await self._journal.moved(tx, "incident.updated", incident.id, now_us)
        await self._journal.notify(
            tx, incident, "opened", f"{alert.title}. {alert.message}", at_us=now_us
        )
        await self._ask(tx, incident.id, at_us=now_us)
        await self._ask(tx, incident.id, at_us=now_us + SECOND_LOOK_US)
        log.info("incident.opened", incident_id=incident.id, rule=alert.rule)
        return incident

    async def _join(self, tx: Session, incident_id: IncidentId, alert: Alert, reason: str) -> None:
        now_us = self._clock.now_us()
        if not await tx.incidents.add_alert(incident_id, alert, reason):
            return
        incident = await tx.incidents.get(incident_id)
        alerts = await tx.incidents.alerts(incident_id)
        await tx.incidents.save(
            replace(
                incident,
                title=title_of(alerts),
                severity=min(severity_of(each) for each in alerts),
                first_signal_us=min(incident.first_signal_us, alert.starts_us),
                updated_us=now_us,
            )
        )
        await self._journal.tell(
            tx,
            incident_id,
            EntryKind.ALERT,
            alert.title,
            at_us=now_us,
            happened_us=alert.starts_us,
            actor=alert.source,
            detail=f"{alert.message} ({reason.replace('_', ' ')})",
        )
        await self._journal.moved(tx, "incident.updated", incident_id, now_us)
        await self._ask(tx, incident_id, at_us=now_us)

    async def _ask(self, tx: Session, incident_id: IncidentId, *, at_us: int) -> None:
        """Queue leg 2; what waits already is not doubled."""
        key = f"{INVESTIGATE}:{incident_id}:{at_us // REFRESH_US}"
        await tx.jobs.put(INVESTIGATE, str(incident_id), run_us=at_us, dedupe=key)

    async def _settle(self, opened: Iterable[Incident], firing: set[str]) -> None:
        """Resolve incidents that nobody is working on once every rule has long been silent."""
        now_us = self._clock.now_us()
        for incident in opened:
            async with self._store.view() as view:
                alerts = await view.incidents.alerts(incident.id)
                is_quiet = all(_is_over(alert, firing) for alert in alerts)
            if not is_quiet or not alerts or incident.status is Status.REMEDIATING:
                self._sight.quiet_since_us.pop(incident.id, None)
                continue
            since_us = self._sight.quiet_since_us.setdefault(incident.id, now_us)
            if now_us - since_us >= SETTLE_US:
                await self._end_quiet(incident)

    async def _end_quiet(self, incident: Incident) -> None:
        seconds = SETTLE_US // 1_000_000
        self._sight.quiet_since_us.pop(incident.id, None)
        async with self._store.transaction() as tx:
            await self._end(
                tx,
                await tx.incidents.get(incident.id),
                f"went quiet without us: no rule has fired for {seconds} s",
                actor="incident-copilot",
            )

    # ----------------------------------------------------------------- leg 2: to a proposal

    async def investigate(self, incident_id: IncidentId, *, asked_by: str = "") -> None:
        """Gather the case, explain it, propose a fix; again for the same case changes nothing."""
        async with self._alone(incident_id):
            case = await self._agents.context(incident_id)
            if not case.incident.is_open:
                return
            findings = await self._agents.hypothesis(case)
            matches = await self._agents.suggest(case, findings)
            proposals = await self._agents.propose(case, findings)
            async with self._store.transaction() as tx:
                await self._keep_case(tx, case, findings, matches)
                await self._keep_proposals(tx, incident_id, proposals, asked_by=asked_by)

    @asynccontextmanager
    async def _alone(self, incident_id: IncidentId) -> AsyncIterator[None]:
        """One investigation of an incident at a time."""
        async with self._investigating.setdefault(incident_id, asyncio.Lock()):
            yield

    async def _keep_case(
        self,
        tx: Session,
        case: Case,
        findings: Findings,
        matches: tuple[RunbookMatch, ...],
    ) -> None:
        now_us, incident_id = self._clock.now_us(), case.incident.id
        kept = await tx.incidents.keep_evidence(incident_id, case.evidence)
        if [item.id for item in kept] != [item.id for item in case.evidence]:
            raise Conflict(f"INC-{incident_id} was looked at by somebody else meanwhile")
        before = await tx.incidents.findings(incident_id)
        await tx.incidents.keep_findings(incident_id, findings, case.gaps, now_us)
        await tx.incidents.keep_runbooks(incident_id, matches)
        await tx.incidents.save(
            replace(
                await tx.incidents.get(incident_id),
                summary=" ".join(sentence.text for sentence in findings.summary),
                updated_us=now_us,
            )
        )
        if before is None:
            await self._tell_changes(tx, case)
        top = _top(findings)
        if top is not None and (before is None or _verdict(_top(before[0])) != _verdict(top)):
            await self._journal.tell(
                tx,
                incident_id,
                EntryKind.FINDING,
                f"{top.title} ({top.verdict}, {top.confidence:.0%})",
                at_us=now_us,
                actor=top.agent,
                evidence=tuple(sorted(top.cited, key=_by_number)),
            )
        if before is None and matches:
            await self._journal.tell(
                tx,
                incident_id,
                EntryKind.RUNBOOK,
                f"Runbook: {matches[0].title}",
                at_us=now_us,
                actor="agent-runbook",
                detail=matches[0].reason,
            )
        await self._journal.moved(tx, "findings.updated", incident_id, now_us)

    async def _tell_changes(self, tx: Session, case: Case) -> None:
        """What changed in the failing workload before or while it failed."""
        for change in case.changes:
            if change.object.key == case.incident.workload.key:
                cited = case.cited_as.get(f"change:{change.object.uid}@{change.ts_us}")
                await self._journal.tell(
                    tx,
                    case.incident.id,
                    EntryKind.CHANGE,
                    f"{change.object.name}: {change.title}",
                    at_us=self._clock.now_us(),
                    happened_us=change.ts_us,
                    actor=change.actor or "unknown",
                    evidence=(cited,) if cited else (),
                )

    async def _keep_proposals(
        self,
        tx: Session,
        incident_id: IncidentId,
        proposals: tuple[Proposal, ...],
        *,
        asked_by: str,
    ) -> None:
        """Store what is new, unless somebody is acting on this incident already."""
        now_us = self._clock.now_us()
        incident = await tx.incidents.get(incident_id)
        if incident.status in (Status.REMEDIATING, Status.RESOLVED):
            return
        known = {(p.digest, p.status) for p in await tx.remediation.of_incident(incident_id)}
        for proposal in proposals:
            stored = await tx.remediation.add(proposal)
            if (stored.digest, stored.status) in known:
                continue
            is_open = stored.status is ProposalStatus.PROPOSED
            await self._journal.tell(
                tx,
                incident_id,
                EntryKind.PROPOSAL,
                f"{'Proposed' if is_open else 'Not possible'}: {stored.title}",
                at_us=now_us,
                actor=asked_by or "agent-remediator",
                detail=f"dry run accepted, risk {stored.risk}" if is_open else stored.refusal,
                evidence=stored.evidence,
                audit="proposal.made" if is_open else "proposal.refused",
            )
        can_be_approved = any(p.status is ProposalStatus.PROPOSED for p in proposals)
        status = Status.AWAITING_APPROVAL if can_be_approved else Status.INVESTIGATING
        if incident.status is not status:
            await tx.incidents.save(incident.move(to=status, at_us=now_us))
        await self._journal.moved(tx, "proposal.updated", incident_id, now_us)
        await self._journal.moved(tx, "incident.updated", incident_id, now_us)

    # ----------------------------------------------------------------- people decide

    async def approve(
        self, proposal_id: ProposalId, *, digest: str, reason: str, actor: str
    ) -> None:
        """A person's yes to exactly this digest; the work is queued when this returns.

        Raises:
            Conflict: wrong digest, decided already, expired, or the object has changed since;
                then `detail["proposal_id"]` names the proposal with the new diff.
        """
        async with self._store.view() as view:
            proposal = await view.remediation.get(proposal_id)
        self._check_open(proposal, digest)
        fresh = await self._agents.recheck(proposal)
        if fresh.digest != proposal.digest:
            await self._supersede(proposal, fresh)
        if fresh.status is not ProposalStatus.PROPOSED:
            raise Refused(f"proposal {proposal_id} would now be refused: {fresh.refusal}")
        now_us = self._clock.now_us()
        async with self._store.transaction() as tx:
            await tx.remediation.decide(
                Approval(
                    proposal_id=proposal_id,
                    approver=actor,
                    decision=Decision.APPROVE,
                    digest=digest,
                    reason=reason,
                    ts_us=now_us,
                )
            )
            incident = await tx.incidents.get(proposal.incident_id)
            moved = incident.move(to=Status.REMEDIATING, at_us=now_us)
            await tx.incidents.save(_acknowledged(moved, actor, now_us))
            await self._journal.tell(
                tx,
                incident.id,
                EntryKind.APPROVAL,
                f"Approved: {proposal.title}",
                at_us=now_us,
                actor=actor,
                detail=reason or f"digest {digest[:12]}",
                audit="proposal.approved",
            )
            await tx.jobs.put(
                REMEDIATE, str(proposal_id), run_us=now_us, dedupe=f"{REMEDIATE}:{proposal_id}"
            )
            await self._journal.moved(tx, "proposal.updated", incident.id, now_us)
            await self._journal.moved(tx, "incident.updated", incident.id, now_us)

    def _check_open(self, proposal: Proposal, digest: str) -> None:
        if proposal.digest != digest:
            raise Conflict(f"the digest is not that of proposal {proposal.id}; review it again")
        if proposal.status is not ProposalStatus.PROPOSED:
            raise Conflict(f"proposal {proposal.id} is {proposal.status} already")

    async def _supersede(self, proposal: Proposal, fresh: Proposal) -> None:
        """The object moved on: keep the proposal made for it as it is now, and say so."""
        now_us = self._clock.now_us()
        async with self._store.transaction() as tx:
            stored = await tx.remediation.add(fresh)
            await self._journal.tell(
                tx,
                proposal.incident_id,
                EntryKind.PROPOSAL,
                f"{proposal.action.target} changed since the proposal was made",
                at_us=now_us,
                actor="agent-remediator",
                detail="approval refused; the new diff waits for review",
                audit="proposal.superseded",
            )
            await self._journal.moved(tx, "proposal.updated", proposal.incident_id, now_us)
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
        now_us = self._clock.now_us()
        async with self._store.transaction() as tx:
            proposal = await tx.remediation.get(proposal_id)
            await tx.remediation.decide(
                Approval(
                    proposal_id=proposal_id,
                    approver=actor,
                    decision=Decision.REJECT,
                    digest=proposal.digest,
                    reason=reason,
                    ts_us=now_us,
                )
            )
            await self._journal.tell(
                tx,
                proposal.incident_id,
                EntryKind.APPROVAL,
                f"Rejected: {proposal.title}",
                at_us=now_us,
                actor=actor,
                detail=reason,
                audit="proposal.rejected",
            )
            await self._journal.moved(tx, "proposal.updated", proposal.incident_id, now_us)

    async def open_by_hand(self, workload: ObjectRef, *, title: str, actor: str) -> Incident:
        """A person's own incident; the open one of the same workload is given back instead."""
        now_us = self._clock.now_us()
        alert = Alert(
            fingerprint=f"hand:{workload.key}",
            rule=Rule.EXTERNAL,
            cluster=self._journal.cluster,
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
        async with self._store.transaction() as tx:
            for incident in await tx.incidents.opened(self._journal.cluster):
                if incident.open_key == open_key(alert):
                    return incident
            return await self._open(tx, alert, actor=actor)

    async def acknowledge(self, incident_id: IncidentId, *, actor: str) -> Incident:
        """Somebody is on it; the first one counts."""
        now_us = self._clock.now_us()
        async with self._store.transaction() as tx:
            incident = await tx.incidents.get(incident_id)
            if incident.acknowledged_us is not None:
                return incident
            saved = await tx.incidents.save(_acknowledged(incident, actor, now_us))
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

    async def note(self, incident_id: IncidentId, *, text: str, actor: str) -> TimelineEntry:
        """A person's note on the timeline."""
        async with self._store.transaction() as tx:
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

    async def resolve(self, incident_id: IncidentId, *, resolution: str, actor: str) -> Incident:
        """End it by hand.

        Raises:
            Conflict: it is resolved already, or a fix is being applied or watched right now.
        """
        async with self._store.transaction() as tx:
            incident = await tx.incidents.get(incident_id)
            if incident.status is Status.REMEDIATING:
                raise Conflict(
                    f"a fix for INC-{incident_id} is being verified; wait for its outcome"
                )
            return await self._end(tx, incident, resolution, actor=actor)

    async def chaos(self, target: ObjectRef, container: str, limit: str, actor: str) -> str:
        """Break a demo workload on purpose; what was done, for people.

        Raises:
            Refused: it is not in a namespace labelled as demo.
        """
        action = ChaosMemory(target=target, container=container, limit=limit)
        await self._agents.chaos(action)
        title = f"memory limit of {container} in {target} set to {limit}"
        async with self._store.transaction() as tx:
            await tx.audit.append(
                chain="chaos",
                ts_us=self._clock.now_us(),
                actor=actor,
                action="chaos.started",
                object=str(target),
                detail=title,
            )
        return title

    # ----------------------------------------------------------------- leg 3: to a proven fix

    async def remediate(self, proposal_id: ProposalId) -> Verification | None:
        """Apply what was approved, to the letter, and watch what comes of it.

        Goes on where an earlier try was cut. None where nothing was done: it is ended already, or
        the object is not any more what was approved.

        Raises:
            Conflict: another worker holds it.
        """
        async with self._store.transaction() as tx:
            if (await tx.remediation.get(proposal_id)).status not in _UNDER_WAY:
                return None
            claim = await tx.remediation.claim(
                proposal_id, owner=self._owner, now_us=self._clock.now_us(), lease_us=LEASE_US
            )
            watch = await self._watch_of(tx, claim.proposal.incident_id)
        async with self._held(claim):
            if claim.state is ActionState.CLAIMED:
                applied_claim = await self._apply(claim)
                if applied_claim is None:
                    return None
                claim = applied_claim
            if claim.state is ActionState.APPLIED:
                verification = await self._verify(claim, watch)
                if verification.held:
                    await self._learn(claim, verification)
                    return verification
                claim = await self._start_revert(claim, verification)
            return await self._revert(claim)

    async def _watch_of(self, tx: Session, incident_id: IncidentId) -> _Watch:
        """What verification watches for: every rule on pods, and the one that opened it."""
        incident = await tx.incidents.get(incident_id)
        versions = await tx.objects.find(
            incident.cluster,
            Kind.POD,
            incident.namespace,
            deleted_since_us=incident.first_signal_us - HISTORY_US,
        )
        pods = [
            pod
            for pod in map(_pod, versions)
            if (await self._workload(tx, pod)).key == incident.workload.key
        ]
        fired = {alert.rule for alert in await tx.incidents.alerts(incident_id)}
        watched = [self._rules[rule] for rule in (*POD_RULES, *(fired & {Rule.ERROR_BURST}))]
        return _Watch(
            check=lambda seen: [alert for rule in watched for alert in rule(seen)],
            ttf_us=longest_life_us(pods),
        )

    async def _with_activity(self, seen: Seen) -> Seen:
        """What the pods that are looked at have logged of late."""
        names = {pod.metadata.name for pod in seen.pods}
        async with self._store.view() as view:
            activity = await self._activity(view)
        own = tuple(one for one in activity if one.stream.pod in names)
        return msgspec.structs.replace(seen, activity=own)

    @asynccontextmanager
    async def _held(self, claim: Claim) -> AsyncIterator[None]:
        """Keeps the lease alive meanwhile; a lost lease cancels the work."""
        async with asyncio.TaskGroup() as group:
            renewal = group.create_task(self._renew(claim))
            try:
                yield
            finally:
                renewal.cancel()

    async def _renew(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(LEASE_US / 3 / 1_000_000)
            async with self._store.transaction() as tx:
                await tx.remediation.renew(claim, now_us=self._clock.now_us(), lease_us=LEASE_US)

    @property
    def _live(self) -> Cluster:
        if self._cluster is None:
            raise Refused("this role may not act on the cluster; agent-remediator does")
        return self._cluster

    async def _apply(self, claim: Claim) -> Claim | None:
        """The claim after the patch is in, None where the object is not any more as approved."""
        try:
            applied = await apply(claim, self._live, self._clock)
        except (BadInput, Conflict, Refused, NotFound) as refusal:
            await self._give_up(claim, refusal.message)
            return None
        return await self._record_applied(claim, applied)

    async def _record_applied(self, claim: Claim, applied: Applied) -> Claim:
        proposal, now_us = claim.proposal, self._clock.now_us()
        async with self._store.transaction() as tx:
            recorded = await tx.remediation.record(
                claim,
                state=ActionState.APPLIED,
                at_us=now_us,
                applied=applied,
                lease_us=LEASE_US,
            )
            await tx.remediation.move(
                proposal.id, to=ProposalStatus.APPLIED, expected=ProposalStatus.APPROVED
            )
            await self._journal.tell(
                tx,
                proposal.incident_id,
                EntryKind.ACTION,
                f"Applied: {proposal.title}",
                at_us=now_us,
                happened_us=applied.at_us,
                actor="agent-remediator",
                detail=f"{proposal.action.target} is at resourceVersion "
                f"{applied.resource_version}; watching for up to {proposal.window_s} s",
                audit="action.applied",
            )
            await self._journal.moved(tx, "proposal.updated", proposal.incident_id, now_us)
        return recorded

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
        )

    def _progress(self, claim: Claim) -> Callable[[str], Awaitable[None]]:
        """Tells the screens how it goes on; the timeline keeps only what came of it."""

        async def tell(text: str) -> None:
            async with self._store.transaction() as tx:
                await tx.feed.append(
                    cluster=self._journal.cluster,
                    ts_us=self._clock.now_us(),
                    kind="action.progress",
                    incident_id=claim.proposal.incident_id,
                    detail=text,
                )

        return tell

    async def _start_revert(self, claim: Claim, verification: Verification) -> Claim:
        proposal, now_us = claim.proposal, self._clock.now_us()
        async with self._store.transaction() as tx:
            await self._journal.tell(
                tx,
                proposal.incident_id,
                EntryKind.VERIFICATION,
                f"Did not hold: {verification.reason}",
                at_us=now_us,
                actor="agent-remediator",
                detail="; ".join(verification.observed) or "taking the change back",
                audit="action.failed_verification",
            )
            return await tx.remediation.record(
                claim,
                state=ActionState.REVERTING,
                at_us=now_us,
                verification=verification,
                lease_us=LEASE_US,
            )

    async def _revert(self, claim: Claim) -> Verification:
        """Take the change back, and say honestly how that went."""
        proposal = claim.proposal
        async with self._store.view() as view:
            failed = await view.remediation.verification(proposal.id)
        outcome = await revert(
            claim,
            self._live,
            self._clock,
            failed=failed or _UNKNOWN_FAILURE,
            progress=self._progress(claim),
        )
        now_us = self._clock.now_us()
        state = ActionState.REVERTED if outcome.reverted else ActionState.FAILED
        status = ProposalStatus.REVERTED if outcome.reverted else ProposalStatus.FAILED
        async with self._store.transaction() as tx:
            await tx.remediation.record(claim, state=state, at_us=now_us, verification=outcome)
            await tx.remediation.move(proposal.id, to=status, expected=ProposalStatus.APPLIED)
            await self._journal.tell(
                tx,
                proposal.incident_id,
                EntryKind.ACTION,
                f"Reverted: {proposal.title}" if outcome.reverted else "Could not be reverted",
                at_us=now_us,
                actor="agent-remediator",
                detail=outcome.reason,
                audit="action.reverted" if outcome.reverted else "action.not_reverted",
            )
            await self._look_again(tx, proposal.incident_id)
        return outcome

    async def _give_up(self, claim: Claim, reason: str) -> None:
        """Nothing was done: the object is not any more what was approved, or we may not."""
        proposal, now_us = claim.proposal, self._clock.now_us()
        outcome = Verification(held=False, reason=reason, observed=(), ended_us=now_us)
        async with self._store.transaction() as tx:
            await tx.remediation.record(
                claim, state=ActionState.FAILED, at_us=now_us, verification=outcome
            )
            await tx.remediation.move(
                proposal.id, to=ProposalStatus.FAILED, expected=ProposalStatus.APPROVED
            )
            await self._journal.tell(
                tx,
                proposal.incident_id,
                EntryKind.ACTION,
                f"Not applied: {proposal.title}",
                at_us=now_us,
                actor="agent-remediator",
                detail=reason,
                audit="action.not_applied",
            )
            await self._look_again(tx, proposal.incident_id)

    async def _look_again(self, tx: Session, incident_id: IncidentId) -> None:
        now_us = self._clock.now_us()
        incident = await tx.incidents.get(incident_id)
        if incident.status is Status.REMEDIATING:
            await tx.incidents.save(incident.move(to=Status.INVESTIGATING, at_us=now_us))
        await self._ask(tx, incident_id, at_us=now_us)
        await self._journal.moved(tx, "proposal.updated", incident_id, now_us)
        await self._journal.moved(tx, "incident.updated", incident_id, now_us)

    async def _learn(self, claim: Claim, verification: Verification) -> None:
        """The fix held: resolve the incident by itself and remember what worked."""
        proposal, now_us = claim.proposal, self._clock.now_us()
        async with self._store.transaction() as tx:
            await tx.remediation.record(
                claim, state=ActionState.VERIFIED, at_us=now_us, verification=verification
            )
            await tx.remediation.move(
                proposal.id, to=ProposalStatus.VERIFIED, expected=ProposalStatus.APPLIED
            )
            await self._journal.tell(
                tx,
                proposal.incident_id,
                EntryKind.VERIFICATION,
                f"Verified: {verification.reason}",
                at_us=now_us,
                actor="agent-remediator",
                detail="; ".join(verification.observed),
                audit="action.verified",
            )
            incident = await tx.incidents.get(proposal.incident_id)
            ended = await self._end(
                tx, incident, f"fixed: {proposal.title}", actor="incident-copilot"
            )
            found = await tx.incidents.findings(incident.id)
            await tx.memories.add(
                memory_of(
                    ended,
                    alerts=await tx.incidents.alerts(incident.id),
                    findings=found[0] if found else None,
                    proposal=proposal,
                    verification=verification,
                    now_us=now_us,
                )
            )
            await self._journal.moved(tx, "proposal.updated", incident.id, now_us)

    async def _end(
        self, tx: Session, incident: Incident, resolution: str, *, actor: str
    ) -> Incident:
        now_us = self._clock.now_us()
        ended = await tx.incidents.save(incident.resolve(resolution=resolution, at_us=now_us))
        await self._journal.tell(
            tx,
            ended.id,
            EntryKind.STATUS,
            f"Resolved after {ended.mttr_seconds} s: {resolution}",
            at_us=now_us,
            actor=actor,
            audit="incident.resolved",
        )
        await self._journal.moved(tx, "incident.updated", ended.id, now_us)
        await self._journal.notify(
            tx, ended, "resolved", f"Resolved after {ended.mttr_seconds} s: {resolution}",
            at_us=now_us,
        )  # fmt: skip
        log.info("incident.resolved", incident_id=ended.id, mttr_seconds=ended.mttr_seconds)
        return ended


_UNDER_WAY = (ProposalStatus.APPROVED, ProposalStatus.APPLIED)
_UNKNOWN_FAILURE = Verification(held=False, reason="it did not hold", observed=(), ended_us=0)


def _acknowledged(incident: Incident, actor: str, at_us: int) -> Incident:
    if incident.acknowledged_us is not None:
        return incident
    return replace(incident, acknowledged_us=at_us, acknowledged_by=actor, updated_us=at_us)


def _pod(version: ObjectVersion) -> Pod:
    return msgspec.json.decode(version.json, type=Pod)


def _is_well(pod: Pod) -> bool:
    """Ready or done, and no container of it has ever been restarted."""
    if pod.status.phase == "Succeeded":
        return True
    statuses = pod.status.container_statuses or ()
    return bool(statuses) and all(status.ready and not status.restart_count for status in statuses)


def _is_over(alert: Alert, firing: set[str]) -> bool:
    """Whether this alert no longer speaks: its rule is silent, or its sender resolved it."""
    if alert.rule is not Rule.EXTERNAL:
        return alert.fingerprint not in firing
    return not alert.is_firing


def _top(findings: Findings) -> Hypothesis | None:
    return findings.hypotheses[0] if findings.hypotheses else None


def _verdict(top: Hypothesis | None) -> tuple[str, str] | None:
    return None if top is None else (top.cause, top.verdict)


def _by_number(evidence_id: str) -> int:
    return int(evidence_id[1:])
