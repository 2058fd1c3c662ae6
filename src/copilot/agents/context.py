"""The context agent: from an incident to all that is known about it, read and nothing else.

What cannot be seen becomes a gap with its reason; what may be cited is chosen in `evidence.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from copilot.agents.evidence import speaking_pods, telling_pods, with_evidence
from copilot.agents.similar import ranked, usual_cause
from copilot.causes import failures
from copilot.causes.wording import clock
from copilot.domain import attributes
from copilot.domain.action import encode_action
from copilot.domain.alert import Rule
from copilot.domain.case import Case, FailedAttempt
from copilot.domain.change import ObjectVersion
from copilot.domain.errors import NotFound
from copilot.domain.event import LineAddress, LogLine, Series, Severity
from copilot.domain.evidence import Gap
from copilot.domain.incident import Incident, IncidentId
from copilot.domain.memory import SimilarIncident
from copilot.domain.objects import (
    Deployment,
    KubeEvent,
    Node,
    ObjectRef,
    Pod,
    ReplicaSet,
    Service,
    controller_of,
    epoch_us,
)
from copilot.domain.proposal import ProposalStatus
from copilot.ports import Session

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
DELETED_WITHIN_US = 30 * MINUTE_US
MEMORY_FROM_US = 30 * MINUTE_US
CHANGES_FROM_US = 60 * MINUTE_US
ACTIVITY_US = 10 * MINUTE_US
BEFORE_US, AFTER_US = 90 * SECOND_US, 10 * SECOND_US
"""Log lines are read this far around each moment that matters."""
MOST_PODS = 60
MOST_NODES = 200
MOST_REVISIONS = 10
MOST_LINES = 200
MOST_CHANGES = 200
LINES_A_LOOK = 60
LOOKS_A_POD = 4
MOST_ERRORS = 5

T = TypeVar("T", Deployment, Pod, Node, Service)


async def context(incident_id: IncidentId, view: Session, *, now_us: int) -> Case:
    """The frozen case: what is, what was and what changed, with its evidence numbered.

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
        memory=await _memory(view, bare, now_us),
        changes=await view.objects.changes(
            incident.cluster,
            namespace=incident.namespace,
            since_us=incident.first_signal_us - CHANGES_FROM_US,
            until_us=now_us,
            limit=MOST_CHANGES,
        ),
        similar=await _similar(view, bare, now_us),
        attempts=await _attempts(view, incident_id),
    )
    gaps = (*await view.objects.gaps(incident.cluster), *await _gaps(view, observed))
    whole = msgspec.structs.replace(observed, gaps=(*bare.gaps, *gaps))
    return with_evidence(whole, await view.incidents.evidence(incident_id))


# ------------------------------------------------------------------ objects


async def _objects(view: Session, incident: Incident, now_us: int) -> Case:
    """The case with the workload and all around it; everything else still empty."""
    unread: list[Gap] = []
    workload = await _workload(view, incident, unread)
    revisions = await _revisions(view, incident, workload, unread) if workload else ()
    pods = await _pods(view, incident, revisions, now_us, unread)
    services = await view.objects.find(incident.cluster, "Service", incident.namespace)
    nodes = await view.objects.find(incident.cluster, "Node")
    return Case(
        taken_us=now_us,
        incident=incident,
        alerts=await view.incidents.alerts(incident.id),
        owner_chain=_owner_chain(incident, pods, revisions),
        workload=workload,
        replica_sets=revisions,
        pods=pods,
        nodes=_nodes(incident, pods, _read(nodes, Node, unread)),
        services=tuple(s for s in _read(services, Service, unread) if _selects(s, pods)),
        events=(),
        lines=(),
        templates=(),
        memory=(),
        changes=(),
        similar=(),
        attempts=(),
        evidence=(),
        cited_as={},
        gaps=tuple(unread),
    )


async def _workload(view: Session, incident: Incident, unread: list[Gap]) -> Deployment | None:
    wanted = incident.workload
    if wanted.kind != "Deployment":
        return None
    stored = await view.objects.get(incident.cluster, wanted.uid) if wanted.uid else None
    if stored is None:
        stored = await view.objects.named(
            incident.cluster, wanted.kind, wanted.namespace, wanted.name
        )
    return next(iter(_read([stored] if stored else [], Deployment, unread)), None)


async def _revisions(
    view: Session, incident: Incident, workload: Deployment, unread: list[Gap]
) -> tuple[ReplicaSet, ...]:
    stored = await view.objects.find(
        incident.cluster, "ReplicaSet", incident.namespace, owner_uid=workload.metadata.uid
    )
    return tuple(
        sorted(
            _read(stored, Deployment, unread),
            key=lambda r: (failures.revision_of(r), epoch_us(r.metadata.creation_timestamp)),
            reverse=True,
        )
    )[:MOST_REVISIONS]


async def _pods(
    view: Session,
    incident: Incident,
    revisions: Sequence[ReplicaSet],
    now_us: int,
    unread: list[Gap],
) -> tuple[Pod, ...]:
    """Of the workload, also those deleted lately; failing ones first where there are too many."""
    since = min(now_us, incident.first_signal_us) - DELETED_WITHIN_US
    owners = [r.metadata.uid for r in revisions] or [incident.workload.uid]
    stored: list[ObjectVersion] = []
    for owner in owners if incident.workload.kind != "Pod" else ():
        stored += await view.objects.find(
            incident.cluster,
            "Pod",
            incident.namespace,
            owner_uid=owner,
            deleted_since_us=since,
        )
    stored += await _named_pods(view, incident, {v.object.name for v in stored})
    pods = _read(stored, Pod, unread)
    started = incident.first_signal_us
    by_need = sorted(
        pods,
        key=lambda p: (
            not (any(failures.endings_of(p)) or not failures.is_ready(p)),
            abs(epoch_us(p.metadata.creation_timestamp) - started),
        ),
    )
    kept = by_need[:MOST_PODS]
    return tuple(
        sorted(kept, key=lambda p: (epoch_us(p.metadata.creation_timestamp), p.metadata.uid))
    )


async def _named_pods(view: Session, incident: Incident, known: set[str]) -> list[ObjectVersion]:
    """The incident's own pod where it has no workload, and pods that alerts name."""
    alerts = await view.incidents.alerts(incident.id)
    names = dict.fromkeys(
        a.pod for a in alerts if a.pod and a.workload.key == incident.workload.key
    )
    if incident.workload.kind == "Pod":
        names[incident.workload.name] = None
    found = [
        await view.objects.named(incident.cluster, "Pod", incident.namespace, name)
        for name in list(names)[:MOST_PODS]
        if name not in known
    ]
    return [version for version in found if version is not None]


def _read(versions: Iterable[ObjectVersion], kind: type[T], unread: list[Gap]) -> tuple[T, ...]:
    """The objects; one that is deleted says so. One that cannot be read becomes a gap."""
    found = []
    for version in versions:
        try:
            decoded = msgspec.json.decode(version.json, type=kind)
        except msgspec.DecodeError as problem:
            unread.append(Gap(what=str(version.object), reason=f"its JSON is odd: {problem}"))
            continue
        found.append(_marked(decoded, version))
    return tuple(found)


def _marked(decoded: T, version: ObjectVersion) -> T:
    if not version.is_deleted or decoded.metadata.deletion_timestamp is not None:
        return decoded
    gone = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=version.seen_us)
    metadata = msgspec.structs.replace(decoded.metadata, deletion_timestamp=gone)
    return msgspec.structs.replace(decoded, metadata=metadata)


def _owner_chain(
    incident: Incident, pods: Sequence[Pod], revisions: Sequence[ReplicaSet]
) -> tuple[ObjectRef, ...]:
    """Pod, ReplicaSet, Deployment, of the pod that failed last."""
    failing = [p for p in pods if failures.endings_of(p) or not failures.is_ready(p)]
    if not failing:
        return (incident.workload,)
    pod = failing[-1]
    own = _ref("Pod", pod)
    owner = controller_of(pod.metadata)
    sets = [_ref("ReplicaSet", r) for r in revisions if owner and r.metadata.uid == owner.uid]
    chain = (own, *sets, incident.workload)
    return tuple({r.key: r for r in chain}.values())


def _ref(kind: str, thing: Pod | ReplicaSet) -> ObjectRef:
    meta = thing.metadata
    return ObjectRef(kind=kind, namespace=meta.namespace, name=meta.name, uid=meta.uid)


def _nodes(incident: Incident, pods: Sequence[Pod], nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Those the pods run on; all of them where a pod has found none."""
    if any(not p.spec.node_name and not failures.is_gone(p) for p in pods):
        return tuple(nodes[:MOST_NODES])
    names = {p.spec.node_name for p in pods} | {incident.workload.name}
    return tuple(n for n in nodes if n.metadata.name in names)


def _selects(service: Service, pods: Sequence[Pod]) -> bool:
    wanted = (service.spec.selector or {}).items()
    return bool(wanted) and any(wanted <= (p.metadata.labels or {}).items() for p in pods)


# ------------------------------------------------------------------ telemetry


async def _events(view: Session, case: Case) -> tuple[KubeEvent, ...]:
    owned = (_ref("ReplicaSet", r) for r in case.replica_sets)
    refs = [case.incident.workload, *owned, *(_ref("Pod", p) for p in case.pods)]
    stored = await view.telemetry.kube_events(
        namespace=case.incident.namespace,
        uids=sorted({r.uid for r in refs if r.uid}),
        names=sorted({r.name for r in refs}),
        since_us=case.incident.first_signal_us - CHANGES_FROM_US,
    )
    events = [msgspec.json.decode(body, type=KubeEvent) for body in stored]
    return tuple(sorted(events, key=lambda e: (epoch_us(e.occurred), e.metadata.uid)))


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


async def _memory(view: Session, case: Case, now_us: int) -> tuple[Series, ...]:
    names = sorted({p.metadata.name for p in case.pods})
    if not names:
        return ()
    found: list[Series] = []
    for name in (attributes.MEMORY_WORKING_SET, attributes.MEMORY_PEAK):
        found += await view.telemetry.series(
            name=name,
            namespace=case.incident.namespace,
            pods=names,
            since_us=case.incident.first_signal_us - MEMORY_FROM_US,
            until_us=now_us,
        )
    return tuple(found)


# ------------------------------------------------------------------ what was before


async def _similar(view: Session, case: Case, now_us: int) -> tuple[SimilarIncident, ...]:
    incident = case.incident
    rules = frozenset(a.rule for a in case.alerts)
    memories = await view.memories.find(
        cluster=incident.cluster,
        namespace=incident.namespace,
        app=incident.app,
        cause=usual_cause(rules),
        now_us=now_us,
    )
    titles = {m.incident_id: await _title(view, m.incident_id) for m in memories}
    return ranked(incident, rules, memories, titles)


async def _title(view: Session, incident_id: IncidentId) -> str:
    try:
        return (await view.incidents.get(incident_id)).title
    except NotFound:
        return ""


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
    if case.incident.workload.kind == "Deployment" and case.workload is None:
        gaps.append(Gap(what=str(case.incident.workload), reason="the watcher has not seen it"))
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
