"""The cluster page: health of every pod, recent changes, what Chaos Mode may break."""

from __future__ import annotations

import re

import msgspec

from copilot.domain import attributes
from copilot.domain.change import Change, ObjectVersion
from copilot.domain.errors import NotFound
from copilot.domain.incident import Incident, Status
from copilot.domain.objects import (
    ContainerStatus,
    Deployment,
    Metadata,
    OwnerReference,
    Pod,
    controller_of,
)
from copilot.domain.quantity import format_bytes, parse_bytes
from copilot.ports import Kind, Session
from copilot.roles.views import (
    ChangeView,
    ChaosTarget,
    ChaosView,
    ClusterView,
    Health,
    HealthCounts,
    NamespaceView,
    PodView,
)

DEMO_LABEL = "incident-copilot.io/demo"
MONTH_US = 30 * 24 * 3600 * 1_000_000
RELATED_US = 30 * 60 * 1_000_000
"""How long before an incident a change of the same workload still counts as "just before"."""
USAGE_US = 60_000_000

_FAILING_WAITS = (
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)
_OF_SCHEDULE = re.compile(r"-\d{8,}\Z")
"""What a CronJob adds to its name for the Job of one time."""
_ORDER = list(Health)


async def cluster_view(view: Session, cluster: str, now_us: int) -> ClusterView:
    """Every pod's health by namespace, and the month's figures."""
    versions = await view.objects.find(cluster, Kind.POD)
    namespaces = await view.objects.find(cluster, Kind.NAMESPACE)
    opened = await view.incidents.opened(cluster)
    usage = await _usage(view, versions, now_us)
    by_namespace: dict[str, list[PodView]] = {v.object.name: [] for v in namespaces}
    for version in versions:
        pod = msgspec.json.decode(version.json, type=Pod)
        row = pod_view(pod, opened, usage.get((version.object.namespace, version.object.name)))
        by_namespace.setdefault(version.object.namespace, []).append(row)
    demo = {v.object.name for v in namespaces if _is_demo(v)}
    shown = [_namespace(name, pods, name in demo) for name, pods in by_namespace.items() if pods]
    resolved = await _resolved_lately(view, now_us)
    pods = [pod for pods in by_namespace.values() for pod in pods]
    return ClusterView(
        namespaces=sorted(shown, key=lambda n: (-n.failing, -n.degraded, n.name)),
        counts=HealthCounts(
            **{health.value: sum(p.health is health for p in pods) for health in Health}
        ),
        open_incidents=len(opened),
        resolved_incidents_30d=len(resolved),
        mtta_seconds_30d=_mean(
            [
                (i.acknowledged_us - i.first_signal_us) // 1_000_000
                for i in (*resolved, *opened)
                if i.acknowledged_us
            ]
        ),
        mttr_seconds_30d=_mean([i.mttr_seconds for i in resolved if i.mttr_seconds is not None]),
        is_synced=bool(namespaces),
        updated_us=max((v.seen_us for v in versions), default=0),
    )


def pod_view(pod: Pod, opened: tuple[Incident, ...], memory_bytes: int | None) -> PodView:
    """One cell of the heat map."""
    health, reason = health_of(pod)
    owner = controller_of(pod.metadata)
    workload = _workload_name(pod, owner)
    limits = [
        parse_bytes(c.resources.limits["memory"])
        for c in pod.spec.containers or ()
        if c.resources and c.resources.limits and "memory" in c.resources.limits
    ]
    incident = next(
        (i.id for i in opened if (i.namespace, i.app) == (pod.metadata.namespace, workload)), None
    )
    return PodView(
        name=pod.metadata.name,
        uid=pod.metadata.uid,
        workload=workload,
        node=pod.spec.node_name,
        health=health,
        reason=reason,
        restarts=sum(s.restart_count for s in pod.status.container_statuses or ()),
        memory_limit_bytes=sum(limits) if limits else None,
        memory_bytes=memory_bytes,
        incident_id=incident,
    )


def health_of(pod: Pod) -> tuple[Health, str]:
    """How the pod is doing and why. `phase` alone is not health: it says Running in a crash loop.

    https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
    """
    if pod.status.phase == "Succeeded":
        return Health.COMPLETED, ""
    if pod.status.phase == "Failed":
        return Health.FAILING, pod.status.reason or "Failed"
    statuses = pod.status.container_statuses or []
    for status in (*(pod.status.init_container_statuses or ()), *statuses):
        trouble = _trouble(status)
        if trouble:
            return Health.FAILING, trouble
    if pod.status.phase == "Pending" or not statuses:
        return Health.PENDING, pod.status.reason or _unscheduled(pod)
    if not all(status.ready for status in statuses):
        return Health.DEGRADED, "not ready"
    if any(status.restart_count and _last_reason(status) == "OOMKilled" for status in statuses):
        return Health.DEGRADED, "restarted after OOMKilled"
    return Health.HEALTHY, ""


def _trouble(status: ContainerStatus) -> str:
    state = status.state
    if state and state.waiting and state.waiting.reason in _FAILING_WAITS:
        last = _last_reason(status)
        return f"{state.waiting.reason} after {last}" if last else state.waiting.reason
    if state and state.terminated and state.terminated.exit_code:
        return state.terminated.reason or f"exit {state.terminated.exit_code}"
    return ""


def _last_reason(status: ContainerStatus) -> str:
    last = status.last_state.terminated if status.last_state else None
    return last.reason if last else ""


def _unscheduled(pod: Pod) -> str:
    return next(
        (
            condition.reason or ""
            for condition in pod.status.conditions or ()
            if condition.type == "PodScheduled" and condition.status == "False"
        ),
        "starting",
    )


def _workload_name(pod: Pod, owner: OwnerReference | None) -> str:
    """The top owner's name, as far as the pod tells: the Deployment's where a ReplicaSet owns it,
    the CronJob's where one of its Jobs does."""
    if owner is None:
        return pod.metadata.name
    if owner.kind == "Job":
        return _OF_SCHEDULE.sub("", owner.name)
    template_hash = (pod.metadata.labels or {}).get("pod-template-hash", "")
    return owner.name.removesuffix(f"-{template_hash}") if template_hash else owner.name


def _namespace(name: str, pods: list[PodView], is_demo: bool) -> NamespaceView:
    return NamespaceView(
        name=name,
        is_demo=is_demo,
        pods=sorted(pods, key=lambda pod: (_ORDER.index(pod.health), pod.name)),
        failing=sum(pod.health is Health.FAILING for pod in pods),
        degraded=sum(pod.health is Health.DEGRADED for pod in pods),
    )


async def _usage(
    view: Session, versions: tuple[ObjectVersion, ...], now_us: int
) -> dict[tuple[str, str], int]:
    """The last memory reading of each pod, in bytes, by namespace and pod."""
    names: dict[str, list[str]] = {}
    for version in versions:
        names.setdefault(version.object.namespace, []).append(version.object.name)
    found: dict[tuple[str, str], int] = {}
    for namespace, pods in names.items():
        for series in await view.telemetry.series(
            name=attributes.MEMORY_WORKING_SET,
            namespace=namespace,
            pods=pods,
            since_us=now_us - USAGE_US,
            until_us=now_us,
        ):
            key = (namespace, series.pod)
            found[key] = found.get(key, 0) + round(series.points[-1].value)
    return found


async def _resolved_lately(view: Session, now_us: int) -> list[Incident]:
    page = await view.incidents.page(status=(Status.RESOLVED,), limit=1000)
    return [i for i in page if i.resolved_us and i.resolved_us > now_us - MONTH_US]


def _mean(values: list[int]) -> int | None:
    return round(sum(values) / len(values)) if values else None


async def change_views(
    view: Session, cluster: str, namespace: str, minutes: int, now_us: int
) -> list[ChangeView]:
    """What changed lately, newest first, with the incident it came just before."""
    changes = await view.objects.changes(
        cluster,
        namespace=namespace,
        since_us=now_us - minutes * 60_000_000,
        until_us=now_us,
        limit=100,
    )
    incidents = await view.incidents.page(limit=100)
    return [_change_view(change, incidents) for change in reversed(changes)]


def _change_view(change: Change, incidents: tuple[Incident, ...]) -> ChangeView:
    after = [
        incident
        for incident in incidents
        if incident.workload.key == change.object.key
        and 0 <= incident.first_signal_us - change.ts_us <= RELATED_US
    ]
    nearest = min(after, key=lambda i: i.first_signal_us, default=None)
    return ChangeView(
        object=change.object,
        ts_us=change.ts_us,
        actor=change.actor,
        title=change.title,
        fields=list(change.fields),
        incident_id=nearest.id if nearest else None,
        seconds_before=(nearest.first_signal_us - change.ts_us) // 1_000_000 if nearest else None,
    )


async def chaos_view(view: Session, cluster: str) -> ChaosView:
    """The workloads with a memory limit in namespaces labelled as demo."""
    demo = [v.object.name for v in await view.objects.find(cluster, Kind.NAMESPACE) if _is_demo(v)]
    targets = [
        target
        for namespace in demo
        for version in await view.objects.find(cluster, Kind.DEPLOYMENT, namespace)
        if (target := _target(version)) is not None
    ]
    reason = "" if targets else f"no namespace with a memory-limited workload has {DEMO_LABEL}=true"
    return ChaosView(targets=targets, reason=reason)


async def chaos_target(view: Session, cluster: str, namespace: str, name: str) -> ChaosTarget:
    """One workload that may be broken.

    Raises:
        NotFound: there is no such one in a demo namespace.
    """
    for target in (await chaos_view(view, cluster)).targets:
        if (target.object.namespace, target.object.name) == (namespace, name):
            return target
    raise NotFound(f"{namespace}/{name} is not a workload that Chaos Mode may break")


def _target(version: ObjectVersion) -> ChaosTarget | None:
    """Half of the present limit: below what a workload needs that uses most of it."""
    deployment = msgspec.json.decode(version.json, type=Deployment)
    for container in deployment.spec.template.spec.containers or ():
        limits = (container.resources.limits if container.resources else None) or {}
        if "memory" in limits:
            is_broken = deployment.status.ready_replicas < (deployment.spec.replicas or 1)
            return ChaosTarget(
                object=version.object,
                container=container.name,
                limit=limits["memory"],
                chaos_limit=format_bytes(parse_bytes(limits["memory"]) // 2),
                is_broken=is_broken,
            )
    return None


class _Labelled(msgspec.Struct):
    metadata: Metadata


def _is_demo(version: ObjectVersion) -> bool:
    labels = msgspec.json.decode(version.json, type=_Labelled).metadata.labels or {}
    return labels.get(DEMO_LABEL) == "true"
