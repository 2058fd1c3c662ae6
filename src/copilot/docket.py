"""The moves of an incident: each written with its timeline, audit and feed in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from copilot.agents.remediator import refrained
from copilot.detect.grouping import Skip, open_key, place, severity_of, title_of
from copilot.domain.alert import Alert, Rule
from copilot.domain.case import Case
from copilot.domain.change import Change
from copilot.domain.errors import Away, Conflict, CopilotError
from copilot.domain.evidence import Gap, is_about_agent
from copilot.domain.hypothesis import Findings, Hypothesis
from copilot.domain.incident import EntryKind, Grouping, Incident, IncidentId, Status
from copilot.domain.memory import Memory
from copilot.domain.proposal import Proposal, ProposalId, ProposalStatus
from copilot.domain.runbook import RunbookMatch
from copilot.journal import SYSTEM, Journal
from copilot.ports import Clock, NewIncident, Session
from copilot.remediate.marks import MANAGER

log = structlog.get_logger(__name__)

INVESTIGATE = "investigate"
"""The queue of leg 2."""
REFRESH_US = 5_000_000
"""How often a condition that lasts is written again."""
CONSULT = "consult"
"""The queue of what a language model may add."""
MOST_CHANGES = 200
MOST_ALERTS = 20
"""Of one rule whose alerts are told apart by what a program writes, in one incident."""
LONG_WATCH_US = 1_800_000_000
"""How long a verified fix is watched on: the same trouble within it reopens its incident."""
SECOND_LOOK_US = 4_000_000
"""Metrics and logs come in a little after the kill: look once more then."""


class Docket:
    """Opens, joins, informs and ends incidents."""

    def __init__(self, *, clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._told_us: dict[str, int] = {}
        """By fingerprint: when an alert was last written."""

    def is_due(self, alert: Alert) -> bool:
        """Whether a condition that lasts should be written again."""
        return self._clock.now_us() - self._told_us.get(alert.fingerprint, 0) >= REFRESH_US

    async def raise_alerts(self, tx: Session, alerts: Iterable[Alert]) -> None:
        """Give each alert its incident, an open one or a new one."""
        alerts = tuple(alerts)
        if not alerts:
            return
        known = {
            incident.id: (incident, await tx.incidents.alerts(incident.id))
            for incident in await tx.incidents.opened(self._journal.cluster)
        }
        for alert in alerts:
            self._told_us[alert.fingerprint] = self._clock.now_us()
            opened = tuple(known.values())
            before = await tx.incidents.last_resolved(open_key(alert))
            placement = place(alert, opened, before)
            if isinstance(placement, Skip):
                log.debug("alert.skipped", rule=alert.rule, reason=placement.reason)
                continue
            if placement.incident_id is None:
                relapse = await self._relapsed(tx, alert, before)
                incident = (
                    await self._reopen(tx, relapse, alert)
                    if relapse
                    else await self.open(tx, alert, actor=alert.source)
                )
                known = {incident.id: (incident, (alert,)), **known}
            elif _is_one_too_many(alert, known[placement.incident_id][1]):
                log.debug("alert.skipped", rule=alert.rule, reason="too many of its kind")
            elif await self._join(tx, placement.incident_id, alert, placement.reason):
                incident, others = known[placement.incident_id]
                known[incident.id] = (incident, (*others, alert))

    async def open(self, tx: Session, alert: Alert, *, actor: str) -> Incident:
        """A new incident of its own, with leg 2 queued."""
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
        await self.ask(tx, incident.id, at_us=now_us)
        await self.ask(tx, incident.id, at_us=now_us + SECOND_LOOK_US)
        log.info("incident.opened", incident_id=incident.id, rule=alert.rule)
        return incident

    async def _relapsed(
        self, tx: Session, alert: Alert, before: Incident | None
    ) -> Incident | None:
        """The incident whose verified fix is still in and did not last; None where this trouble is
        another one, or something new: then somebody has changed the workload since."""
        now_us = self._clock.now_us()
        if before is None or before.resolved_us is None:
            return None
        if now_us - before.resolved_us > LONG_WATCH_US:
            return None
        proposals = await tx.remediation.of_incident(before.id)
        if not any(p.status is ProposalStatus.VERIFIED for p in proposals):
            return None
        known = {other.fingerprint for other in await tx.incidents.alerts(before.id)}
        changes = await tx.objects.changes(
            before.cluster,
            namespace=before.namespace,
            since_us=before.resolved_us + 1,
            until_us=now_us,
            limit=MOST_CHANGES,
        )
        is_changed = any(
            change.object.key == before.workload.key and change.actor != MANAGER
            for change in changes
        )
        return before if alert.fingerprint in known and not is_changed else None

    async def _reopen(self, tx: Session, before: Incident, alert: Alert) -> Incident:
        """A relapse: the fix is no longer called verified, and leg 2 looks anew, knowing that."""
        now_us = self._clock.now_us()
        incident = await tx.incidents.save(before.reopen(at_us=now_us))
        for proposal in await tx.remediation.of_incident(incident.id):
            if proposal.status is ProposalStatus.VERIFIED:
                await tx.remediation.move(
                    proposal.id, to=ProposalStatus.RELAPSED, expected=ProposalStatus.VERIFIED
                )
        for memory in await self._memories_of(tx, incident):
            await tx.memories.add(replace(memory, has_held=False))
        await tx.incidents.add_alert(incident.id, alert, Grouping.RELAPSE)
        lasted_s = (now_us - (before.resolved_us or now_us)) // 1_000_000
        await self._journal.tell(
            tx,
            incident.id,
            EntryKind.STATUS,
            f"Reopened: the fix held for {lasted_s} s, then: {alert.title}",
            at_us=now_us,
            actor=alert.source,
            detail=alert.message,
            audit="incident.reopened",
        )
        await self._journal.moved(tx, "incident.updated", incident.id, now_us)
        await self._journal.moved(tx, "proposal.updated", incident.id, now_us)
        await self._journal.notify(
            tx, incident, f"reopened-{incident.rev}", f"Reopened: {alert.title}", at_us=now_us
        )
        await self.ask(tx, incident.id, at_us=now_us)
        log.warning("incident.reopened", incident_id=incident.id, rule=alert.rule)
        return incident

    async def _memories_of(self, tx: Session, incident: Incident) -> tuple[Memory, ...]:
        found = await tx.memories.find(
            cluster=incident.cluster,
            namespace=incident.namespace,
            app=incident.app,
            cause=None,
            now_us=self._clock.now_us(),
        )
        return tuple(memory for memory in found if memory.incident_id == incident.id)

    async def _join(self, tx: Session, incident_id: IncidentId, alert: Alert, reason: str) -> bool:
        """True where the alert is new to the incident."""
        now_us = self._clock.now_us()
        if not await tx.incidents.add_alert(incident_id, alert, reason):
            return False
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
        await self.ask(tx, incident_id, at_us=now_us)
        return True

    async def ask(self, tx: Session, incident_id: IncidentId, *, at_us: int) -> None:
        """Queue leg 2; what waits already is not doubled."""
        key = f"{INVESTIGATE}:{incident_id}:{at_us // REFRESH_US}"
        await tx.jobs.put(INVESTIGATE, str(incident_id), run_us=at_us, dedupe=key)

    async def asked(self, tx: Session, incident_id: IncidentId, *, by: str) -> None:
        """A person has it looked at again, whatever comes of it.

        Raises:
            NotFound: there is no such incident.
        """
        await tx.incidents.get(incident_id)
        await self._journal.prove(
            tx,
            incident_id,
            "incident.looked_at_again",
            "what is wrong, and what to do",
            at_us=self._clock.now_us(),
            actor=by,
        )

    async def ask_model(self, tx: Session, incident_id: IncidentId) -> None:
        """Queue a language model's look, once the second look has been taken."""
        run_us = self._clock.now_us() + SECOND_LOOK_US
        await tx.jobs.put(
            CONSULT, str(incident_id), run_us=run_us, dedupe=f"{CONSULT}:{incident_id}"
        )

    async def keep_evidence(self, tx: Session, case: Case) -> None:
        """What may be cited, under the ids that the case gave it.

        Raises:
            Conflict: somebody else looked at it meanwhile and gave them other ids.
        """
        kept = await tx.incidents.keep_evidence(case.incident.id, case.evidence)
        if [item.id for item in kept] != [item.id for item in case.evidence]:
            raise Conflict(f"INC-{case.incident.id} was looked at by somebody else meanwhile")

    async def note_agents(
        self,
        tx: Session,
        incident_id: IncidentId,
        *,
        asked: Collection[str],
        failed: Iterable[CopilotError] = (),
    ) -> None:
        """Which of the agents could not be asked, and since when; what the others say stands."""
        away = {str(e.detail.get("agent")): e.message for e in failed if isinstance(e, Away)}
        cluster, now_us = self._journal.cluster, self._clock.now_us()
        known = {gap.what for gap in await tx.objects.gaps(cluster) if is_about_agent(gap)}
        for agent in sorted(away.keys() - known):
            reason = f"could not be asked since {_utc(now_us)}: {away[agent]}"
            await tx.objects.set_gap(cluster, Gap(what=agent, reason=reason), agent)
            log.warning("agent.away", agent=agent, incident_id=incident_id, error=away[agent])
        for agent in sorted((known & set(asked)) - away.keys()):
            await tx.objects.set_gap(cluster, None, agent)
            log.info("agent.back", agent=agent)
        if away.keys() - known or (known & set(asked)) - away.keys():
            await self._journal.moved(tx, "findings.updated", incident_id, now_us)

    async def keep_findings(self, tx: Session, case: Case, findings: Findings) -> None:
        """What is known about the cause by now, and where nothing can be done about it, why."""
        now_us, incident_id = self._clock.now_us(), case.incident.id
        if case.incident.status is not Status.REMEDIATING:
            findings = replace(findings, summary=(*findings.summary, *refrained(case, findings)))
        before = await tx.incidents.findings(incident_id)
        await tx.incidents.keep_findings(incident_id, findings, case.gaps, now_us)
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
        await self._journal.moved(tx, "findings.updated", incident_id, now_us)

    async def keep_runbooks(
        self, tx: Session, case: Case, matches: tuple[RunbookMatch, ...]
    ) -> None:
        """The procedures that fit; the first time the best one goes on the timeline."""
        incident_id = case.incident.id
        if matches and not await tx.incidents.runbooks(incident_id):
            await self._journal.tell(
                tx,
                incident_id,
                EntryKind.RUNBOOK,
                f"Runbook: {matches[0].title}",
                at_us=self._clock.now_us(),
                actor="agent-runbook",
                detail=matches[0].reason,
            )
        await tx.incidents.keep_runbooks(incident_id, matches)

    async def note_changes(self, tx: Session, changes: Iterable[Change]) -> None:
        """What somebody changed about a workload whose incident is open: it goes on the timeline,
        and what was proposed for the workload as it was is looked at again."""
        for change in changes:
            for incident in await tx.incidents.opened(self._journal.cluster):
                is_ours = incident.status is Status.REMEDIATING or change.actor == MANAGER
                if is_ours or incident.workload.key != change.object.key:
                    continue
                if (
                    await tx.incidents.findings(incident.id) is not None
                ):  # else the first look tells
                    await self._tell_change(tx, incident.id, change)
                await self.ask(tx, incident.id, at_us=self._clock.now_us() + REFRESH_US)

    async def _tell_changes(self, tx: Session, case: Case) -> None:
        """What changed in the failing workload before or while it failed."""
        for change in case.changes:
            if change.object.key == case.incident.workload.key:
                cited = case.cited_as.get(f"change:{change.object.uid}@{change.ts_us}")
                await self._tell_change(tx, case.incident.id, change, cited)

    async def _tell_change(
        self, tx: Session, incident_id: IncidentId, change: Change, cited: str | None = None
    ) -> None:
        await self._journal.tell(
            tx,
            incident_id,
            EntryKind.CHANGE,
            f"{change.object.name}: {change.title}",
            at_us=self._clock.now_us(),
            happened_us=change.ts_us,
            actor=change.actor or "unknown",
            evidence=(cited,) if cited else (),
        )

    async def keep_proposals(
        self,
        tx: Session,
        incident_id: IncidentId,
        proposals: tuple[Proposal, ...],
        *,
        asked_by: str,
    ) -> None:
        """Store what is new, unless somebody is acting on this incident already. What a person
        has rejected comes again only where one asks for it."""
        now_us = self._clock.now_us()
        incident = await tx.incidents.get(incident_id)
        if incident.status in (Status.REMEDIATING, Status.RESOLVED):
            return
        await self._expire(tx, incident_id, now_us)
        known = {(p.digest, p.status) for p in await tx.remediation.of_incident(incident_id)}
        kept: set[ProposalId] = set()
        if not asked_by:
            proposals = tuple(
                p for p in proposals if (p.digest, ProposalStatus.REJECTED) not in known
            )
        for proposal in proposals:
            stored = await tx.remediation.add(proposal)
            kept.add(stored.id)
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
        await self.withdraw(tx, incident_id, but=kept)
        can_be_approved = any(p.status is ProposalStatus.PROPOSED for p in proposals)
        status = Status.AWAITING_APPROVAL if can_be_approved else Status.INVESTIGATING
        if incident.status is not status:
            await tx.incidents.save(incident.move(to=status, at_us=now_us))
        await self._journal.moved(tx, "proposal.updated", incident_id, now_us)
        await self._journal.moved(tx, "incident.updated", incident_id, now_us)

    async def _expire(self, tx: Session, incident_id: IncidentId, now_us: int) -> None:
        """Close what nobody decided in time, so that the same can be proposed anew."""
        for proposal in await tx.remediation.of_incident(incident_id):
            if proposal.status is ProposalStatus.PROPOSED and proposal.expires_us <= now_us:
                await tx.remediation.move(
                    proposal.id, to=ProposalStatus.EXPIRED, expected=ProposalStatus.PROPOSED
                )

    async def withdraw(
        self, tx: Session, incident_id: IncidentId, *, but: Collection[ProposalId] = ()
    ) -> None:
        """What is still proposed is so no longer: there is better, or no more need."""
        for proposal in await tx.remediation.of_incident(incident_id):
            if proposal.status is ProposalStatus.PROPOSED and proposal.id not in but:
                await tx.remediation.move(
                    proposal.id, to=ProposalStatus.SUPERSEDED, expected=ProposalStatus.PROPOSED
                )

    async def look_again(self, tx: Session, incident_id: IncidentId) -> None:
        """A fix came to nothing: back to investigating."""
        now_us = self._clock.now_us()
        incident = await tx.incidents.get(incident_id)
        if incident.status is Status.REMEDIATING:
            await tx.incidents.save(incident.move(to=Status.INVESTIGATING, at_us=now_us))
        await self.ask(tx, incident_id, at_us=now_us)
        await self._journal.moved(tx, "proposal.updated", incident_id, now_us)
        await self._journal.moved(tx, "incident.updated", incident_id, now_us)

    async def end(
        self, tx: Session, incident: Incident, resolution: str, *, actor: str = SYSTEM
    ) -> Incident:
        """Resolved, and said so everywhere.

        Raises:
            Conflict: it is resolved already.
        """
        now_us = self._clock.now_us()
        ended = await tx.incidents.save(incident.resolve(resolution=resolution, at_us=now_us))
        await self.withdraw(tx, ended.id)
        for alert in await tx.incidents.alerts(ended.id):
            await tx.incidents.add_alert(ended.id, replace(alert, is_firing=False), "resolved")
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


def _is_one_too_many(alert: Alert, others: Sequence[Alert]) -> bool:
    """Whatever prints enough different errors could fill an incident without end."""
    if alert.rule not in (Rule.ERROR_BURST, Rule.EXTERNAL):
        return False
    if any(other.fingerprint == alert.fingerprint for other in others):
        return False
    return sum(other.rule is alert.rule for other in others) >= MOST_ALERTS


def _top(findings: Findings) -> Hypothesis | None:
    return findings.hypotheses[0] if findings.hypotheses else None


def _verdict(top: Hypothesis | None) -> tuple[str, str] | None:
    return None if top is None else (top.cause, top.verdict)


def _by_number(evidence_id: str) -> int:
    return int(evidence_id[1:])


def _utc(us: int) -> str:
    return f"{datetime.fromtimestamp(us / 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
