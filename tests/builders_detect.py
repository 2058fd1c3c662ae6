"""What rules look at, in tests: a `Seen` with its owners filled in, alerts and incidents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from copilot.detect.grouping import open_key
from copilot.domain.alert import Alert, Backing, Rule, Seen, Strain
from copilot.domain.event import (
    KernelKill,
    ReceivedAlert,
    Stream,
    TemplateActivity,
    TemplateId,
)
from copilot.domain.incident import Incident, IncidentId, Status
from copilot.domain.objects import (
    Deployment,
    KubeEvent,
    Node,
    ObjectRef,
    Pod,
    controller_of,
    epoch_us,
)
from copilot.domain.surroundings import CronJob, Job, PersistentVolumeClaim, StorageClass
from tests.builders_objects import NOW_US, a_ref, ago_us

FIXTURES = Path(__file__).parent / "fixtures"


class WatchLine(msgspec.Struct):
    type: str
    object: msgspec.Raw


def watched_pods() -> list[Pod]:
    """The recorded watch of one crash-looping pod, without its two bookmarks."""
    text = (FIXTURES / "kubernetes" / "watch_pods.jsonl").read_text()
    lines = [msgspec.json.decode(line, type=WatchLine) for line in text.splitlines()]
    return [msgspec.json.decode(line.object, type=Pod) for line in lines if line.type != "BOOKMARK"]


def a_recorded_pod(path: str) -> Pod:
    return msgspec.json.decode((FIXTURES / path).read_bytes(), type=Pod)


class PodList(msgspec.Struct):
    items: list[Pod]


FAULTS_US = epoch_us(datetime(2026, 11, 23, 18, 40, 26, tzinfo=UTC))
"""Two seconds after the last thing that happened in `recorded_faults`."""


def recorded_faults() -> list[Pod]:
    """One pod for each fault of a real cluster, a finished Job's and a healthy one."""
    body = (FIXTURES / "kubernetes" / "pods_faults.json").read_bytes()
    return msgspec.json.decode(body, type=PodList).items


def seen(
    *pods: Pod,
    now_us: int = NOW_US,
    kernel_kills: Sequence[KernelKill] = (),
    received: Sequence[ReceivedAlert] = (),
    activity: Sequence[TemplateActivity] = (),
    events: Sequence[KubeEvent] = (),
    strains: Sequence[Strain] = (),
    controllers: Sequence[Deployment] = (),
    jobs: Sequence[Job] = (),
    cron_jobs: Sequence[CronJob] = (),
    claims: Sequence[PersistentVolumeClaim] = (),
    storage_classes: Sequence[StorageClass] = (),
    nodes: Sequence[Node] = (),
    backings: Sequence[Backing] = (),
    listed: Iterable[str] = (),
    changed_us: dict[str, int] | None = None,
    suspended_us: dict[str, int] | None = None,
) -> Seen:
    """Pods of a ReplicaSet belong to the Deployment that is named like it, without the hash."""
    owners = {}
    for pod in pods:
        owner = controller_of(pod.metadata)
        if owner and owner.kind == "ReplicaSet":
            name = owner.name.rpartition("-")[0]
            owners[pod.metadata.uid] = a_ref("Deployment", name, pod.metadata.namespace)
        elif owner:
            owners[pod.metadata.uid] = a_ref(owner.kind, owner.name, pod.metadata.namespace)
    for metadata in (*(c.metadata for c in controllers), *(j.metadata for j in jobs)):
        owner = controller_of(metadata)
        if owner:
            owners[metadata.uid] = a_ref(owner.kind, owner.name, metadata.namespace)
    return Seen(
        now_us=now_us,
        cluster="dev",
        events=tuple(events),
        strains=tuple(strains),
        controllers=tuple(controllers),
        jobs=tuple(jobs),
        cron_jobs=tuple(cron_jobs),
        claims=tuple(claims),
        storage_classes=tuple(storage_classes),
        nodes=tuple(nodes),
        backings=tuple(backings),
        listed=frozenset(listed),
        changed_us=changed_us or {},
        suspended_us=suspended_us or {},
        pods=pods,
        owners=owners,
        kernel_kills=tuple(kernel_kills),
        received=tuple(received),
        activity=tuple(activity),
    )


def an_activity(
    pattern: str = "connection to <*> refused",
    *,
    severity: int = 17,
    app: str = "web",
    pod: str = "web-1",
    first_us: int | None = None,
    recent: int = 12,
    earlier: int = 0,
    usual: int = 0,
) -> TemplateActivity:
    """A new error, seen twelve times, unless told otherwise."""
    return TemplateActivity(
        template_id=TemplateId(7),
        pattern=pattern,
        severity=severity,
        stream=Stream(cluster="dev", namespace="shop", app=app, pod=pod, container="app"),
        first_us=ago_us(30) if first_us is None else first_us,
        recent_count=recent,
        earlier_count=earlier,
        last_address="3:14",
        usual_count=usual,
    )


def an_alert(
    rule: Rule = Rule.OOM_KILLED,
    *,
    fingerprint: str = "",
    workload: ObjectRef | None = None,
    pod: str = "oom-demo-5f44895955-jhblt",
    container: str = "app",
    node: str = "dev",
    severity: int = 2,
    title: str = "",
    starts_us: int | None = None,
    last_us: int = NOW_US,
    is_firing: bool = True,
    cluster: str = "dev",
) -> Alert:
    where = workload or a_ref()
    return Alert(
        fingerprint=fingerprint or f"{rule}-{where.key}-{container}",
        rule=rule,
        cluster=cluster,
        workload=where,
        pod=pod,
        container=container,
        node=node,
        severity=severity,
        title=title or f"{where.name} {rule}",
        message="",
        starts_us=ago_us(20) if starts_us is None else starts_us,
        last_us=last_us,
        count=1,
        source="pod status",
        is_firing=is_firing,
    )


def an_incident_about(alert: Alert, *, number: int = 1, resolved_us: int | None = None) -> Incident:
    """The incident that this alert opened."""
    return Incident(
        id=IncidentId(number),
        status=Status.OPEN if resolved_us is None else Status.RESOLVED,
        severity=2,
        title=alert.title,
        summary="",
        cluster=alert.cluster,
        namespace=alert.workload.namespace,
        app=alert.workload.name,
        workload=alert.workload,
        open_key=open_key(alert),
        first_signal_us=alert.starts_us,
        opened_us=alert.starts_us,
        updated_us=alert.starts_us,
        acknowledged_us=None,
        acknowledged_by=None,
        resolved_us=resolved_us,
        resolution=None,
        mttr_seconds=None,
        rev=1,
    )
