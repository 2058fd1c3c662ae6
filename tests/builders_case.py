"""Cases for tests: objects, lines, series and changes around one incident, with the evidence that
the context agent itself would choose."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zlib import crc32

import msgspec

from copilot.agents.evidence import with_evidence
from copilot.domain import attributes
from copilot.domain.alert import Alert, Rule
from copilot.domain.case import Case
from copilot.domain.change import Change, FieldChange
from copilot.domain.event import LogLine, Series, SeriesPoint
from copilot.domain.hypothesis import Cause
from copilot.domain.incident import Incident, IncidentId, Status
from copilot.domain.memory import Memory, MemoryId, SimilarIncident
from copilot.domain.objects import (
    Container,
    ContainerPort,
    Deployment,
    EventSource,
    HttpGet,
    InvolvedObject,
    KubeEvent,
    Metadata,
    Node,
    ObjectRef,
    Pod,
    Probe,
    ReplicaSet,
    epoch_us,
)
from tests.builders_objects import NOW_US, a_container, a_node, a_ref, ago, ago_us

MI = 2**20
OLD, NEW = "5f44895955", "64fdd9cd94"
"""Template hashes of the revision before and of the one that runs now."""


def a_case(
    *,
    app: str = "billing",
    pods: Sequence[Pod] = (),
    replica_sets: Sequence[ReplicaSet] = (),
    workload: Deployment | None = None,
    nodes: Sequence[Node] | None = None,
    events: Sequence[KubeEvent] = (),
    lines: Sequence[LogLine] = (),
    memory: Sequence[Series] = (),
    changes: Sequence[Change] = (),
    similar: Sequence[SimilarIncident] = (),
    alerts: Sequence[Alert] | None = None,
    rule: Rule = Rule.OOM_KILLED,
    began: datetime | None = None,
) -> Case:
    """The trouble began 40 s ago and is one OOM alert unless told otherwise."""
    first = epoch_us(began or ago(40))
    bare = Case(
        taken_us=NOW_US,
        incident=an_incident(app, first_signal_us=first),
        alerts=tuple(alerts if alerts is not None else [an_alert(rule, app, starts_us=first)]),
        owner_chain=(),
        workload=workload,
        replica_sets=tuple(replica_sets),
        pods=tuple(pods),
        nodes=tuple(nodes if nodes is not None else [a_node()]),
        services=(),
        events=tuple(events),
        lines=tuple(lines),
        templates=(),
        memory=tuple(memory),
        changes=tuple(changes),
        similar=tuple(similar),
        attempts=(),
        evidence=(),
        cited_as={},
        gaps=(),
    )
    return with_evidence(bare)


def an_incident(app: str = "billing", *, id: int = 7, first_signal_us: int = 0) -> Incident:
    return Incident(
        id=IncidentId(id),
        status=Status.OPEN,
        severity=2,
        title=f"{app} is not well",
        summary="",
        cluster="dev",
        namespace="demo",
        app=app,
        workload=a_ref("Deployment", app),
        open_key=f"Deployment/demo/{app}",
        first_signal_us=first_signal_us or ago_us(40),
        opened_us=ago_us(30),
        updated_us=ago_us(30),
        acknowledged_us=None,
        acknowledged_by=None,
        resolved_us=None,
        resolution=None,
        mttr_seconds=None,
        rev=1,
    )


def an_alert(
    rule: Rule = Rule.OOM_KILLED, app: str = "billing", *, starts_us: int = 0, pod: str = ""
) -> Alert:
    return Alert(
        fingerprint=f"{rule}-{app}",
        rule=rule,
        cluster="dev",
        workload=a_ref("Deployment", app),
        pod=pod,
        container="app",
        node="dev",
        severity=2,
        title=f"{app}: {rule}",
        message="",
        starts_us=starts_us or ago_us(40),
        last_us=ago_us(20),
        count=3,
        source="pod status",
    )


def a_change(
    path: str,
    before: str | None,
    after: str | None,
    *,
    at: datetime,
    app: str = "billing",
    actor: str = "kubectl-edit",
    title: str = "",
    object: ObjectRef | None = None,
) -> Change:
    """A change of the pod template; `path` begins at the container: `image`, `env[X].value`."""
    full = path if object else f"spec.template.spec.containers[app].{path}"
    quoted = [None if v is None else msgspec.json.encode(v).decode() for v in (before, after)]
    return Change(
        object=object or a_ref("Deployment", app),
        ts_us=epoch_us(at),
        actor=actor,
        generation=2,
        fields=(FieldChange(path=full, before=quoted[0], after=quoted[1]),),
        title=title or f"{path} {before} → {after}",
    )


def a_limit_change(before: str, after: str, *, at: datetime, app: str = "billing") -> Change:
    return a_change(
        "resources.limits.memory",
        before,
        after,
        at=at,
        app=app,
        title=f"memory limit {before} → {after}",
    )


def a_series(
    pod: Pod,
    mebibytes: Sequence[float],
    *,
    since: datetime,
    every_s: float = 5,
    container: str = "app",
    name: str = attributes.MEMORY_WORKING_SET,
) -> Series:
    points = (
        SeriesPoint(
            ts_us=epoch_us(since + timedelta(seconds=i * every_s)),
            value=m * MI,
            low=m * MI,
            high=m * MI,
        )
        for i, m in enumerate(mebibytes)
    )
    return Series(
        name=name,
        unit="By",
        namespace="demo",
        pod=pod.metadata.name,
        container=container,
        points=tuple(points),
    )


def an_event(
    reason: str,
    message: str,
    pod: Pod,
    *,
    at: datetime,
    container: str = "",
    kind: str = "Warning",
) -> KubeEvent:
    """As the kubelet writes them."""
    meta = pod.metadata
    return KubeEvent(
        metadata=Metadata(
            name=f"{meta.name}.{reason}",
            namespace=meta.namespace,
            uid=f"event-{meta.name}-{reason}-{crc32(message.encode())}",
        ),
        involved_object=InvolvedObject(
            kind="Pod",
            namespace=meta.namespace,
            name=meta.name,
            uid=meta.uid,
            field_path=f"spec.containers{{{container}}}" if container else "",
        ),
        type=kind,
        reason=reason,
        message=message,
        count=3,
        first_timestamp=at,
        last_timestamp=at,
        source=EventSource(component="kubelet", host="dev"),
    )


def a_line(
    body: str, pod: Pod, *, at: datetime, address: str = "3:1", level: str = "info"
) -> LogLine:
    return LogLine(
        address=address,
        ts_us=epoch_us(at),
        level=level,
        namespace="demo",
        app="billing",
        pod=pod.metadata.name,
        container="app",
        body=body,
    )


def a_similar(*, app: str = "billing", held: bool = True, score: float = 0.95) -> SimilarIncident:
    return SimilarIncident(
        memory=a_memory(app=app, held=held),
        title=f"{app} ran out of memory",
        score=score,
        reason=f"same app {app}, same signs (oom_killed)",
    )


def a_memory(
    *,
    app: str = "billing",
    namespace: str = "demo",
    incident_id: int = 3,
    rules: tuple[str, ...] = ("oom_killed",),
    held: bool = True,
) -> Memory:
    return Memory(
        id=MemoryId(incident_id),
        incident_id=IncidentId(incident_id),
        cluster="dev",
        namespace=namespace,
        app=app,
        rules=rules,
        cause=Cause.MEMORY_LIMIT_TOO_LOW,
        fix="memory limit of app 32Mi → 64Mi",
        action="",
        has_held=held,
        mttr_seconds=41,
        created_us=ago_us(86_400),
        expires_us=None,
    )


def an_http_probe(
    path: str = "/healthz", port: int | str = 8080, *, timeout_s: int | None = None
) -> Probe:
    return Probe(http_get=HttpGet(path=path, port=port), timeout_seconds=timeout_s)


def a_server(
    *,
    readiness: Probe | None = None,
    liveness: Probe | None = None,
    port: int = 8080,
    image: str = "registry.local/shop/billing:1",
) -> Container:
    """A container that names the port it serves on."""
    bare = a_container(image=image, readiness=readiness, liveness=liveness)
    return msgspec.structs.replace(bare, ports=[ContainerPort(container_port=port, name="http")])
