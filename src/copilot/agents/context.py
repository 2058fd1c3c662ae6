"""The context agent: from an incident to all that is known about it, read and nothing else.

What cannot be seen becomes a gap with its reason; what may be cited is chosen in `evidence.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from copilot.agents.around import surroundings
from copilot.agents.earlier import similar
from copilot.agents.evidence import speaking_pods, telling_pods, with_evidence
from copilot.agents.reading import read
from copilot.agents.referred import referred
from copilot.agents.similar import usual_cause
from copilot.agents.subject import About, about, ref_of, selects
from copilot.causes import failures
from copilot.causes.wording import clock
from copilot.domain import attributes
from copilot.domain.action import encode_action
from copilot.domain.alert import Rule
from copilot.domain.case import Case, FailedAttempt
from copilot.domain.change import Change
from copilot.domain.errors import NotFound
from copilot.domain.event import LineAddress, LogLine, Series, Severity
from copilot.domain.evidence import Gap, is_about_agent
from copilot.domain.incident import Incident, IncidentId
from copilot.domain.memory import SimilarIncident
from copilot.domain.objects import (
    KubeEvent,
    Node,
    ObjectRef,
    Pod,
    Service,
    controller_of,
    epoch_us,
)
from copilot.domain.proposal import ProposalStatus
from copilot.domain.retrieval import Near
from copilot.domain.surroundings import Job
from copilot.ports import Kind, Session

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
MEMORY_FROM_US = 30 * MINUTE_US
CHANGES_FROM_US = 60 * MINUTE_US
ACTIVITY_US = 10 * MINUTE_US
BEFORE_US, AFTER_US = 90 * SECOND_US, 10 * SECOND_US
"""Log lines are read this far around each moment that matters."""
MOST_NODES = 200
MOST_NAMED_NODES = 20
_MEMORY = (attributes.MEMORY_WORKING_SET, attributes.MEMORY_PEAK)
_CPU = (attributes.CPU_USAGE, attributes.CPU_THROTTLED)
ELSEWHERE = "default"
"""Events about what is in no namespace, nodes above all, live there."""
MOST_LINES = 200
MOST_CHANGES = 200
LINES_A_LOOK = 60
LOOKS_A_POD = 4
MOST_ERRORS = 5


async def context(
    incident_id: IncidentId, view: Session, *, now_us: int, near: Near | None = None
) -> Case:
    """The frozen case: what is, what was and what changed, with its evidence numbered. `near` is
    what the incident's own words mean.

    Ids of evidence are those already stored, new ones counted on from there in a stable order:
    storing `case.evidence` right after gives the same ids.

    Raises:
        NotFound: no such incident.
    """
    incident = await view.incidents.get(incident_id)
    bare = await _objects(view, incident, now_us)
    active = await view.telemetry.activity(
        min_severity=Severity.ERROR,
        window_us=ACTIVITY_US,
        now_us=now_us,
        namespace=incident.namespace,
        app=incident.app,
    )
    bare = msgspec.structs.replace(bare, templates=active)
    observed = msgspec.structs.replace(
        bare,
        events=await _events(view, bare),
        lines=await _lines(view, bare, now_us),
        memory=await _series(view, bare, now_us, _MEMORY),
        cpu=await _series(view, bare, now_us, _CPU),
        changes=await _changes(view, incident, now_us),
        similar=await _similar(view, bare, now_us, near),
        attempts=await _attempts(view, incident_id),
    )
    unseen = [g for g in await view.objects.gaps(incident.cluster) if not is_about_agent(g)]
    gaps = (*unseen, *await _gaps(view, observed))
    whole = msgspec.structs.replace(observed, gaps=(*bare.gaps, *gaps))
    return with_evidence(whole, await view.incidents.evidence(incident_id))


# ------------------------------------------------------------------ objects


async def _objects(view: Session, incident: Incident, now_us: int) -> Case:
    """The case with the workload and all around it; everything else still empty."""
    unread: list[Gap] = []
    found = await about(view, incident, now_us, unread)
    services = await view.objects.find(incident.cluster, Kind.SERVICE, incident.namespace)
    nodes = await view.objects.find(incident.cluster, Kind.NODE)
    if not found.sees_workload:
        unread.append(Gap(what=str(incident.workload), reason="the watcher has not seen it"))
    bare = Case(
        taken_us=now_us,
        incident=incident,
        alerts=await view.incidents.alerts(incident.id),
        owner_chain=_owner_chain(incident, found),
        workload=found.workload,
        replica_sets=found.replica_sets,
        pods=found.pods,
        nodes=_nodes(incident, found.pods, read(nodes, Node, unread)),
        services=tuple(
            s
            for s in read(services, Service, unread)
            if any(selects(s.spec.selector, p) for p in found.pods)
        ),
        events=(),
        lines=(),
        templates=(),
        memory=(),
        changes=(),
        similar=(),
        attempts=(),
        evidence=(),
        cited_as={},
        gaps=(),
        job=found.job,
        cron_job=found.cron_job,
    )
    around = await surroundings(view, bare, unread)
    return msgspec.structs.replace(bare, surroundings=around, gaps=tuple(dict.fromkeys(unread)))


def _owner_chain(incident: Incident, found: About) -> tuple[ObjectRef, ...]:
    """Pod, ReplicaSet, Deployment, of the pod that failed last."""
    failing = [p for p in found.pods if failures.endings_of(p) or not failures.is_ready(p)]
    if not failing:
        return (incident.workload,)
    pod = failing[-1]
    own = ref_of("Pod", pod)
    owner = controller_of(pod.metadata)
    sets = [
        ref_of("ReplicaSet", r) for r in found.replica_sets if owner and r.metadata.uid == owner.uid
    ]
    jobs = [ref_of("Job", j) for j in found.jobs if owner and j.metadata.uid == owner.uid]
    chain = (own, *sets, *jobs, incident.workload)
    return tuple({r.key: r for r in chain}.values())


def _nodes(incident: Incident, pods: Sequence[Pod], nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Those the pods run on; all of them where a pod has found none."""
    if any(not p.spec.node_name and not failures.is_gone(p) for p in pods):
        return tuple(nodes[:MOST_NODES])
    names = {p.spec.node_name for p in pods} | {incident.workload.name}
    return tuple(n for n in nodes if n.metadata.name in names)


# ------------------------------------------------------------------ telemetry


async def _events(view: Session, case: Case) -> tuple[KubeEvent, ...]:
    """About the workload, its pods and what makes them, what they refer to, and their nodes."""
    incident = case.incident
    since = incident.first_signal_us - CHANGES_FROM_US
    refs = [
        incident.workload,
        *(ref_of(r.kind or "ReplicaSet", r) for r in case.replica_sets),
        *(ref_of("Pod", p) for p in case.pods),
        *(ref_of("Job", j) for j in _jobs(case)),
        *([ref_of(case.workload.kind, case.workload)] if case.workload else []),
        *(thing.ref for thing in referred(case)),
    ]
    stored = list(
        await view.telemetry.kube_events(
            namespace=incident.namespace or ELSEWHERE,
            uids=sorted({r.uid for r in refs if r.uid}),
            names=sorted({r.name for r in refs}),
            since_us=since,
        )
    )
    nodes = sorted({p.spec.node_name for p in case.pods if p.spec.node_name})
    if nodes:
        stored += await view.telemetry.kube_events(
            namespace=ELSEWHERE, uids=(), names=nodes[:MOST_NAMED_NODES], since_us=since
        )
    events = {e.metadata.uid: e for e in (msgspec.json.decode(b, type=KubeEvent) for b in stored)}
    return tuple(sorted(events.values(), key=lambda e: (epoch_us(e.occurred), e.metadata.uid)))


def _jobs(case: Case) -> list[Job]:
    """Those that made the case's pods."""
    owners = {o.uid for p in case.pods if (o := controller_of(p.metadata))}
    around = [j for j in case.surroundings.jobs if j.metadata.uid in owners]
    return [*around, *([case.job] if case.job else [])]


async def _lines(view: Session, case: Case, now_us: int) -> tuple[LogLine, ...]:
    """Of the failing containers: around the first signal, before each end, and from the start of
    what is up but not well; and the last line of each error that is seen lately."""
    found: dict[str, LogLine] = {}
    for pod in speaking_pods(case):
        failing = {"", *failures.failing_containers(pod)}
        for since, until in _windows(case, pod, now_us):
            lines = await view.telemetry.lines_of(
                namespace=case.incident.namespace,
                pods=[pod.metadata.name],
                since_us=since,
                until_us=until,
                limit=LINES_A_LOOK,
            )
            found |= {line.address: line for line in lines if line.container in failing}
    for template in case.templates[:MOST_ERRORS]:
        found |= {line.address: line for line in await _line_at(view, template.last_address)}
    ordered = sorted(found.values(), key=lambda line: (line.ts_us, _place(line.address)))
    return tuple(ordered[-MOST_LINES:])


async def _line_at(view: Session, address: str) -> tuple[LogLine, ...]:
    place = _place(address)
    if len(place) != 2:
        return ()
    try:
        return await view.telemetry.lines_at(
            LineAddress(segment=place[0], line=place[1]), before=0, after=0
        )
    except NotFound:  # dropped with its segment
        return ()


def _windows(case: Case, pod: Pod, now_us: int) -> list[tuple[int, int]]:
    """Spans to read, the most telling first."""
    ends = [e.finished_us for e in failures.endings_of(pod)]
    started = [
        epoch_us(s.state.running.started_at)
        for s in failures.statuses_of(pod)
        if s.state and s.state.running and not s.ready
    ]
    spans = [
        *((at - BEFORE_US, at + AFTER_US) for at in reversed(ends)),
        *((at, at + BEFORE_US) for at in started),
        (case.incident.first_signal_us - BEFORE_US, case.incident.first_signal_us + AFTER_US),
        (now_us - BEFORE_US, now_us),
    ]
    return spans[:LOOKS_A_POD]


def _place(address: str) -> tuple[int, ...]:
    return tuple(int(part) for part in address.split(":") if part.isdecimal())


async def _series(
    view: Session, case: Case, now_us: int, wanted: Sequence[str]
) -> tuple[Series, ...]:
    names = sorted({p.metadata.name for p in case.pods})
    if not names:
        return ()
    found: list[Series] = []
    for name in wanted:
        found += await view.telemetry.series(
            name=name,
            namespace=case.incident.namespace,
            pods=names,
            since_us=case.incident.first_signal_us - MEMORY_FROM_US,
            until_us=now_us,
        )
    return tuple(found)


# ------------------------------------------------------------------ what was before


async def _changes(view: Session, incident: Incident, now_us: int) -> tuple[Change, ...]:
    """In the namespace, and of what is in none: nodes, webhooks, classes."""
    since = incident.first_signal_us - CHANGES_FROM_US
    mine, every = [
        await view.objects.changes(
            incident.cluster, namespace=place, since_us=since, until_us=now_us, limit=MOST_CHANGES
        )
        for place in (incident.namespace, "")
    ]
    wide = [c for c in every if not c.object.namespace and c not in mine]
    return tuple(sorted((*mine, *wide), key=lambda c: c.ts_us))


async def _similar(
    view: Session, case: Case, now_us: int, near: Near | None
) -> tuple[SimilarIncident, ...]:
    rules = frozenset(a.rule for a in case.alerts)
    return await similar(
        view, case.incident, rules, cause=usual_cause(rules), now_us=now_us, near=near
    )


async def _attempts(view: Session, incident_id: IncidentId) -> tuple[FailedAttempt, ...]:
    """What did not hold, at once or for long. One that was never in, or that somebody else changed
    before it could show what it does, has not been tried."""
    found = []
    for proposal in await view.remediation.of_incident(incident_id):
        if proposal.status not in (ProposalStatus.REVERTED, ProposalStatus.RELAPSED):
            continue
        verification = await view.remediation.verification(proposal.id)
        why = verification.reason if verification else "it did not hold"
        if proposal.status is ProposalStatus.RELAPSED:
            why = "it was verified, and then the same trouble came back"
        found.append(FailedAttempt(action=encode_action(proposal.action), why=why))
    return tuple(found)


# ------------------------------------------------------------------ what is missing


async def _gaps(view: Session, case: Case) -> list[Gap]:
    gaps: list[Gap] = []
    for pod in telling_pods(case):
        for container in failures.failing_containers(pod):
            if failures.is_failing(case, pod) and _has_run(pod, container):
                gaps += await _log_gap(view, case, pod, container)
                gaps += _memory_gap(case, pod, container)
    return gaps


def _has_run(pod: Pod, container: str) -> bool:
    """One that never started has neither log nor memory, which is no gap."""
    ended = any(e.container == container and e.started_us for e in failures.endings_of(pod))
    return ended or any(
        s.name == container and s.state is not None and s.state.running is not None
        for s in failures.statuses_of(pod)
    )


async def _log_gap(view: Session, case: Case, pod: Pod, container: str) -> list[Gap]:
    name = pod.metadata.name
    latest = await view.telemetry.latest_line_us(
        namespace=case.incident.namespace, pod=name, container=container
    )
    what = f"log of {container} in {name}"
    if latest == 0:
        reason = "no line of it was ever received: no sender for it, or it logs nothing"
        return [Gap(what=what, reason=reason)]
    ends = [e for e in failures.endings_of(pod) if e.container == container and e.started_us]
    if ends and latest < ends[-1].started_us - SECOND_US:
        reason = (
            f"the newest stored line is of {clock(latest)}, before the life that ended at "
            f"{clock(ends[-1].finished_us)}: the sender fell silent, or the log was rotated away"
        )
        return [Gap(what=what, reason=reason)]
    return []


def _memory_gap(case: Case, pod: Pod, container: str) -> list[Gap]:
    if not any(a.rule in (Rule.OOM_KILLED, Rule.CRASH_LOOP) for a in case.alerts):
        return []
    name = pod.metadata.name
    if any(s.pod == name and s.container == container and s.points for s in case.memory):
        return []
    return [
        Gap(
            what=f"memory of {container} in {name}",
            reason="no point of it was collected: no source, or it lived shorter than the interval",
        )
    ]
