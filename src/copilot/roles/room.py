"""The incident room: everything about one incident, read in one consistent look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import msgspec

from copilot.agents.earlier import similar
from copilot.agents.similar import usual_cause
from copilot.domain import attributes
from copilot.domain.change import ObjectVersion
from copilot.domain.errors import NotFound
from copilot.domain.evidence import Evidence, is_about_agent
from copilot.domain.hypothesis import Cause, Findings
from copilot.domain.incident import (
    MOVES,
    EntryKind,
    Incident,
    IncidentId,
    Status,
    TimelineEntry,
)
from copilot.domain.objects import Container, Deployment, Pod
from copilot.domain.proposal import (
    Create,
    Delete,
    DeleteUnbound,
    Operation,
    Patch,
    Proposal,
    ProposalId,
    ProposalStatus,
    ReplaceUnready,
    Resize,
    Verification,
)
from copilot.domain.pull_request import Delivery, PullState
from copilot.domain.quantity import parse_bytes
from copilot.domain.retrieval import Corpus
from copilot.domain.runbook import Runbook
from copilot.domain.surroundings import CronJob
from copilot.ports import Kind, Session
from copilot.remediate.dry_run import as_yaml
from copilot.roles.views import (
    ChartLine,
    ChartMark,
    ChartPoint,
    MemoryChart,
    OperationView,
    ProposalView,
    PullRequestView,
    PullStage,
    RoomView,
    RunbookView,
    SimilarView,
    VerificationView,
)

BEFORE_US = 5 * 60_000_000
AFTER_US = 2 * 60_000_000

_FIRST = (
    ProposalStatus.APPLIED,
    ProposalStatus.OPENED,
    ProposalStatus.APPROVED,
    ProposalStatus.PROPOSED,
    ProposalStatus.VERIFIED,
    ProposalStatus.REVERTED,
    ProposalStatus.FAILED,
    ProposalStatus.REFUSED,
    ProposalStatus.REJECTED,
    ProposalStatus.EXPIRED,
    ProposalStatus.SUPERSEDED,
)


async def room_view(view: Session, incident_id: IncidentId, *, model: str) -> RoomView:
    """`model` is what search finds by meaning with; empty where it finds by words alone.

    Raises: NotFound.
    """
    incident = await view.incidents.get(incident_id)
    found = await view.incidents.findings(incident_id)
    findings, gaps = found or (_NOTHING, ())
    if incident.is_open:
        unasked = [g for g in await view.objects.gaps(incident.cluster) if is_about_agent(g)]
        gaps = (*unasked, *gaps)
    timeline = await view.incidents.timeline(incident_id)
    proposals = await proposal_views(view, incident_id)
    cited = _cited(findings, timeline, proposals)
    return RoomView(
        incident=incident,
        stage=await stage_of(view, incident),
        alerts=list(await view.incidents.alerts(incident_id)),
        timeline=sorted(timeline, key=lambda entry: (entry.ts_us, entry.seq)),
        summary=list(findings.summary),
        hypotheses=list(findings.hypotheses),
        dropped=findings.dropped,
        model=findings.model,
        evidence=[e for e in await view.incidents.evidence(incident_id) if e.id in cited],
        gaps=list(gaps),
        proposals=proposals,
        runbooks=list(await view.incidents.runbooks(incident_id)),
        similar=await similar_views(view, incident, model),
        moves=sorted(MOVES[incident.status]),
        feed_head=await view.feed.head(incident.cluster),
    )


def _cited(
    findings: Findings, timeline: Sequence[TimelineEntry], proposals: Sequence[ProposalView]
) -> set[str]:
    """The evidence that something on the screen rests on; each look at a case keeps more."""
    ids = {e for sentence in findings.summary for e in sentence.evidence}
    ids.update(*(hypothesis.cited for hypothesis in findings.hypotheses))
    ids.update(*(entry.evidence for entry in timeline), *(p.evidence for p in proposals))
    return ids


async def stage_of(view: Session, incident: Incident) -> str:
    """Where it stands, for people."""
    if incident.status is Status.RESOLVED:
        return f"Resolved in {incident.mttr_seconds} s"
    proposals = await view.remediation.of_incident(incident.id)
    statuses = {proposal.status for proposal in proposals}
    if incident.status is Status.REMEDIATING:
        if ProposalStatus.OPENED in statuses:
            return "Pull request open"
        return "Verifying the fix" if ProposalStatus.APPLIED in statuses else "Applying the fix"
    if ProposalStatus.PROPOSED in statuses:
        return "Fix proposed"
    if statuses & {ProposalStatus.REVERTED, ProposalStatus.FAILED}:
        return "Fix did not hold"
    return "Investigating"


async def one_evidence(view: Session, incident_id: IncidentId, evidence_id: str) -> Evidence:
    """Raises: NotFound."""
    for item in await view.incidents.evidence(incident_id):
        if item.id == evidence_id:
            return item
    raise NotFound(f"INC-{incident_id} has no evidence {evidence_id}")


async def proposal_views(view: Session, incident_id: IncidentId) -> list[ProposalView]:
    """The one to look at first comes first; superseded ones are left out."""
    await view.incidents.get(incident_id)
    proposals = [
        proposal
        for proposal in await view.remediation.of_incident(incident_id)
        if proposal.status is not ProposalStatus.SUPERSEDED
    ]
    proposals.sort(key=lambda p: (_FIRST.index(p.status), p.id))
    return [await _view_of(view, proposal) for proposal in proposals]


async def proposal_view(view: Session, proposal_id: ProposalId) -> ProposalView:
    """Raises: NotFound."""
    return await _view_of(view, await view.remediation.get(proposal_id))


async def _view_of(view: Session, proposal: Proposal) -> ProposalView:
    verification = await view.remediation.verification(proposal.id)
    dry_run = proposal.dry_run
    return ProposalView(
        id=proposal.id,
        incident_id=proposal.incident_id,
        kind=str(type(proposal.action).__struct_config__.tag),
        target=proposal.action.target,
        title=proposal.title,
        why=proposal.why,
        evidence=list(proposal.evidence),
        hypothesis=proposal.hypothesis,
        diff=dry_run.diff if dry_run else "",
        operations=[_operation_view(operation) for operation in proposal.operations],
        dry_run_accepted=bool(dry_run and dry_run.accepted),
        dry_run_message=dry_run.message if dry_run else "",
        patch=proposal.patch,
        rollback=proposal.rollback,
        no_rollback_reason=proposal.no_rollback_reason,
        command=proposal.command,
        risk=proposal.risk,
        risk_reasons=list(proposal.risk_reasons),
        disruption=proposal.disruption,
        window_s=proposal.window_s,
        status=proposal.status,
        refusal=proposal.refusal,
        digest=proposal.digest,
        created_us=proposal.created_us,
        expires_us=proposal.expires_us,
        approvals=list(await view.remediation.approvals(proposal.id)),
        approvals_needed=proposal.approvals_needed,
        watched=proposal.proves_on,
        way=proposal.way,
        verification=_verification_view(verification) if verification else None,
        pull_request=await _pull_view(view, proposal) if proposal.pull else None,
    )


async def _pull_view(view: Session, proposal: Proposal) -> PullRequestView | None:
    pull, delivery = proposal.pull, await view.remediation.delivery(proposal.id)
    if pull is None:
        return None
    shown = (delivery.revert or delivery.request) if delivery else None
    return PullRequestView(
        repository=pull.repository,
        base=pull.base,
        files=[edit.path for edit in pull.edits],
        diff=pull.diff,
        notes=[*_not_seen(delivery), *pull.notes],
        stage=_pull_stage(proposal.status, delivery),
        number=shown.number if shown else None,
        url=shown.url if shown else "",
        branch=shown.branch if shown else "",
        can_merge=bool(
            shown and pull.is_simulation and shown.state is PullState.OPEN and _waits(proposal)
        ),
    )


def _not_seen(delivery: Delivery | None) -> list[str]:
    if delivery is None or not delivery.trouble:
        return []
    return [f"What became of it cannot be seen: {delivery.trouble}"]


def _waits(proposal: Proposal) -> bool:
    return proposal.status in (ProposalStatus.OPENED, ProposalStatus.APPLIED)


def _pull_stage(status: ProposalStatus, delivery: Delivery | None) -> PullStage:
    if delivery is None:
        return PullStage.PLANNED
    match status:
        case ProposalStatus.OPENED:
            return PullStage.MERGED if delivery.merged_us else PullStage.OPEN
        case ProposalStatus.APPLIED:
            return PullStage.REVERT_OPEN if delivery.revert else PullStage.ROLLING_OUT
        case ProposalStatus.VERIFIED:
            return PullStage.VERIFIED
        case ProposalStatus.REVERTED:
            return PullStage.REVERTED
        case ProposalStatus.REJECTED:
            return PullStage.CLOSED
        case _:
            return PullStage.FAILED


def _operation_view(operation: Operation) -> OperationView:
    match operation:
        case Delete():
            text, body = f"Delete {operation.target}", ""
        case DeleteUnbound():
            text, body = f"Delete {operation.target}, unless it is bound by then", ""
        case Create():
            text, body = f"Create {operation.target}", as_yaml(operation.manifest)
        case Patch():
            text, body = f"Change {operation.target}", operation.patch
        case Resize():
            text, body = f"Resize {operation.target} in place", operation.patch
        case ReplaceUnready():
            text, body = f"Delete the pods of {operation.target} that are not ready", ""
        case _:
            assert_never(operation)
    return OperationView(text=text, target=operation.target, body=body)


def _verification_view(verification: Verification) -> VerificationView:
    return VerificationView(
        held=verification.held,
        reason=verification.reason,
        observed=list(verification.observed),
        ended_us=verification.ended_us,
        reverted=verification.reverted,
    )


async def similar_views(view: Session, incident: Incident, model: str) -> list[SimilarView]:
    """Earlier incidents that resemble it, with what fixed them: what the context agent finds, as far
    as it was known when this one was opened."""
    found = await view.incidents.findings(incident.id)
    top = found[0].hypotheses[0] if found and found[0].hypotheses else None
    rules = frozenset(alert.rule for alert in await view.incidents.alerts(incident.id))
    cause = top.cause if top and top.cause is not Cause.UNKNOWN else usual_cause(rules)
    near = await view.index.meant(Corpus.INCIDENT, incident.id, model) if model else None
    return [
        SimilarView(
            incident_id=one.memory.incident_id,
            title=one.title,
            fix=one.memory.fix,
            has_held=one.memory.has_held,
            mttr_seconds=one.memory.mttr_seconds,
            score=one.score,
            reason=one.reason,
        )
        for one in await similar(
            view,
            incident,
            rules,
            cause=cause,
            now_us=incident.opened_us,
            near=near,
        )
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a postmortem is written from."""

    incident: Incident
    timeline: tuple[TimelineEntry, ...]
    findings: Findings
    evidence: tuple[Evidence, ...]
    proposals: tuple[Proposal, ...]


async def record_of(view: Session, incident_id: IncidentId) -> Record:
    """Raises: NotFound."""
    incident = await view.incidents.get(incident_id)
    found = await view.incidents.findings(incident_id)
    return Record(
        incident=incident,
        timeline=await view.incidents.timeline(incident_id),
        findings=found[0] if found else _NOTHING,
        evidence=await view.incidents.evidence(incident_id),
        proposals=await view.remediation.of_incident(incident_id),
    )


_NOTHING = Findings(summary=(), hypotheses=(), dropped=0, model="", tokens_in=0, tokens_out=0)


async def memory_chart(view: Session, incident_id: IncidentId, now_us: int) -> MemoryChart:
    """Working set of the workload's pods around the incident; its limit, changes and alerts."""
    incident = await view.incidents.get(incident_id)
    since_us = incident.first_signal_us - BEFORE_US
    until_us = min(now_us, (incident.resolved_us or now_us) + AFTER_US)
    pods = await _pod_names(view, incident, since_us)
    series = await view.telemetry.series(
        name=attributes.MEMORY_WORKING_SET,
        namespace=incident.namespace,
        pods=pods,
        since_us=since_us,
        until_us=until_us,
    )
    lines = [
        ChartLine(
            label=f"{one.pod}/{one.container}" if one.container else one.pod,
            points=[ChartPoint(ts_us=p.ts_us, value=p.high) for p in one.points],
        )
        for one in series
    ]
    first_us = min((line.points[0].ts_us for line in lines if line.points), default=since_us)
    since_us = max(since_us, first_us)
    limit, changes = await _limits(view, incident, since_us, until_us)
    return MemoryChart(
        title=f"Memory · {incident.app}",
        lines=lines,
        limit=limit,
        marks=sorted([*changes, *await _marks(view, incident_id)], key=lambda mark: mark.ts_us),
        since_us=since_us,
        until_us=until_us,
        gap="" if lines else "no memory readings of this workload were received in this time",
    )


async def _pod_names(view: Session, incident: Incident, since_us: int) -> list[str]:
    versions = await view.objects.find(
        incident.cluster, Kind.POD, incident.namespace, deleted_since_us=since_us
    )
    prefix = f"{incident.workload.name}-"
    return [
        version.object.name
        for version in versions
        if version.object.name == incident.workload.name or version.object.name.startswith(prefix)
    ]


async def _limits(
    view: Session, incident: Incident, since_us: int, until_us: int
) -> tuple[list[ChartPoint], list[ChartMark]]:
    """The memory limit in steps over time, and the workload's changes as marks."""
    changes = await view.objects.changes(
        incident.cluster,
        namespace=incident.namespace,
        since_us=since_us,
        until_us=until_us,
        limit=100,
    )
    own = [change for change in changes if change.object.key == incident.workload.key]
    marks = [ChartMark(ts_us=c.ts_us, label=c.title, kind="change") for c in own]
    steps: list[ChartPoint] = []
    for change in own:
        for fields in change.fields:
            if fields.path.endswith("limits.memory"):
                if not steps and fields.before:
                    steps.append(ChartPoint(ts_us=since_us, value=_bytes(fields.before)))
                if fields.after:
                    steps.append(ChartPoint(ts_us=change.ts_us, value=_bytes(fields.after)))
    return steps or await _present_limit(view, incident, since_us), marks


async def _present_limit(view: Session, incident: Incident, since_us: int) -> list[ChartPoint]:
    workload = incident.workload
    version = await view.objects.named(
        incident.cluster, workload.kind, workload.namespace, workload.name
    )
    if version is None:
        return []
    for container in _containers(version):
        limits = (container.resources.limits if container.resources else None) or {}
        if "memory" in limits:
            return [ChartPoint(ts_us=since_us, value=parse_bytes(limits["memory"]))]
    return []


def _containers(version: ObjectVersion) -> Sequence[Container]:
    """Of a workload as it stands; a Service, a claim or a node has none."""
    match version.object.kind:
        case "Pod":
            pods = msgspec.json.decode(version.json, type=Pod).spec
        case "CronJob":
            pods = msgspec.json.decode(
                version.json, type=CronJob
            ).spec.job_template.spec.template.spec
        case "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job":
            pods = msgspec.json.decode(version.json, type=Deployment).spec.template.spec
        case _:
            return ()
    return pods.containers or ()


def _bytes(text: str) -> int:
    return parse_bytes(text.strip('"'))


async def _marks(view: Session, incident_id: IncidentId) -> list[ChartMark]:
    kinds = {
        EntryKind.ALERT: "alert",
        EntryKind.ACTION: "action",
        EntryKind.VERIFICATION: "verified",
    }
    return [
        ChartMark(ts_us=entry.ts_us, label=entry.title, kind=kinds[entry.kind])
        for entry in await view.incidents.timeline(incident_id)
        if entry.kind in kinds
    ]


def runbook_view(runbook: Runbook) -> RunbookView:
    """A runbook as the API shows it."""
    return RunbookView(
        slug=runbook.slug,
        title=runbook.title,
        service=runbook.service,
        tags=list(runbook.tags),
        body=runbook.body,
        updated_us=runbook.updated_us,
    )
