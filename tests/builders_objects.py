"""Kubernetes objects for tests, in the shapes a real API server gave (fixtures/kubernetes).

Times hang on `NOW`, the moment at which the tests look: `ago(20)` is 20 seconds before it. Every
builder gives a healthy object; say what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from copilot.domain.objects import (
    Condition,
    Container,
    ContainerState,
    ContainerStatus,
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    InvolvedObject,
    KubeEvent,
    LabelSelector,
    LocalName,
    Metadata,
    Node,
    NodeSpec,
    NodeStatus,
    ObjectRef,
    OwnerReference,
    Pod,
    PodSpec,
    PodStatus,
    PodTemplate,
    Probe,
    ReplicaSet,
    ResourceRequirements,
    Service,
    ServicePort,
    ServiceSpec,
    StateRunning,
    StateTerminated,
    StateWaiting,
    Taint,
    epoch_us,
)
from copilot.domain.surroundings import (
    ClaimSpec,
    ClaimStatus,
    CronJob,
    CronJobSpec,
    CronJobStatus,
    Job,
    JobSpec,
    JobStatus,
    PersistentVolumeClaim,
)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
NOW_US = epoch_us(NOW)

HASH = "5f44895955"
"""The pod-template-hash of the recorded ReplicaSet."""


def ago(seconds: float) -> datetime:
    """That many seconds before `NOW`."""
    return NOW - timedelta(seconds=seconds)


def ago_us(seconds: float) -> int:
    return epoch_us(ago(seconds))


# ------------------------------------------------------------------ containers and their states


def a_container(
    name: str = "app",
    *,
    image: str = "docker.io/dev/oom-demo:1",
    limit: str | None = "32Mi",
    request: str | None = "16Mi",
    readiness: Probe | None = None,
    liveness: Probe | None = None,
    startup: Probe | None = None,
) -> Container:
    return Container(
        name=name,
        image=image,
        resources=ResourceRequirements(
            limits={"memory": limit} if limit else None,
            requests={"cpu": "10m", "memory": request} if request else None,
        ),
        readiness_probe=readiness,
        liveness_probe=liveness,
        startup_probe=startup,
        image_pull_policy="IfNotPresent",
    )


def running(since: datetime) -> ContainerState:
    return ContainerState(running=StateRunning(started_at=since))


def waiting(reason: str, message: str = "") -> ContainerState:
    return ContainerState(waiting=StateWaiting(reason=reason, message=message))


NEVER = datetime.fromtimestamp(0, UTC)
"""Kubernetes' start of a run that did not get to start."""


def terminated(
    *,
    started: datetime,
    finished: datetime,
    reason: str = "OOMKilled",
    exit_code: int = 137,
    container_id: str = "containerd://268e4101773955a4c5dba9ca9befb678",
) -> ContainerState:
    return ContainerState(
        terminated=StateTerminated(
            reason=reason,
            exit_code=exit_code,
            started_at=started,
            finished_at=finished,
            container_id=container_id,
        )
    )


def a_status(
    name: str = "app",
    *,
    state: ContainerState | None = None,
    last_state: ContainerState | None = None,
    ready: bool = True,
    restart_count: int = 0,
) -> ContainerStatus:
    """Running and ready for ten minutes unless told otherwise."""
    now_state = state or running(ago(600))
    return ContainerStatus(
        name=name,
        ready=ready,
        started=now_state.running is not None,
        restart_count=restart_count,
        image="docker.io/dev/oom-demo:1",
        container_id="containerd://268e4101773955a4c5dba9ca9befb678",
        state=now_state,
        last_state=last_state,
    )


def condition(
    kind: str, status: bool, *, reason: str = "", message: str = "", since: datetime | None = None
) -> Condition:
    return Condition(
        type=kind,
        status="True" if status else "False",
        reason=reason or None,
        message=message or None,
        last_transition_time=since or ago(600),
    )


# ------------------------------------------------------------------ pods


def a_pod(
    app: str = "oom-demo",
    *,
    namespace: str = "demo",
    suffix: str = "jhblt",
    template_hash: str = HASH,
    uid: str = "",
    node: str = "dev",
    containers: Sequence[Container] | None = None,
    statuses: Sequence[ContainerStatus] | None = None,
    init_statuses: Sequence[ContainerStatus] | None = None,
    conditions: Sequence[Condition] | None = None,
    phase: str = "Running",
    reason: str = "",
    created: datetime | None = None,
    deleted: datetime | None = None,
    owner_kind: Literal["ReplicaSet", "Job", "StatefulSet", "DaemonSet"] | None = "ReplicaSet",
    restart_policy: str = "Always",
) -> Pod:
    """A pod of the Deployment `app`, running and ready for ten minutes unless told otherwise."""
    set_name = f"{app}-{template_hash}"
    name = f"{set_name}-{suffix}" if owner_kind else app
    born = created or ago(600)
    shown = tuple(statuses) if statuses is not None else (a_status(),)
    is_ready = bool(shown) and all(s.ready for s in shown)
    owner = OwnerReference(
        kind=owner_kind or "", name=set_name, uid=f"uid-{set_name}", controller=True
    )
    return Pod(
        metadata=Metadata(
            name=name,
            namespace=namespace,
            uid=uid or f"uid-{name}",
            resource_version="424",
            creation_timestamp=born,
            deletion_timestamp=deleted,
            labels={"app": app, "pod-template-hash": template_hash},
            owner_references=[owner] if owner_kind else None,
        ),
        spec=PodSpec(
            containers=list(containers) if containers is not None else [a_container()],
            node_name=node,
            restart_policy=restart_policy,
            termination_grace_period_seconds=30,
        ),
        status=PodStatus(
            phase=phase,
            reason=reason,
            conditions=list(conditions)
            if conditions is not None
            else [
                condition("PodScheduled", True, since=born),
                condition(
                    "Ready",
                    is_ready,
                    reason="" if is_ready else "ContainersNotReady",
                    since=ago(599) if is_ready else ago(20),
                ),
            ],
            container_statuses=list(shown),
            init_container_statuses=list(init_statuses) if init_statuses else None,
            start_time=born,
        ),
    )


def an_oom_killed_pod(
    app: str = "oom-demo",
    *,
    namespace: str = "demo",
    suffix: str = "jhblt",
    template_hash: str = HASH,
    uid: str = "",
    node: str = "dev",
    limit: str = "32Mi",
    killed: datetime | None = None,
    lived_s: float = 3,
    restart_count: int = 3,
    now_is: Literal["waiting", "terminated", "running"] = "waiting",
    running_since: datetime | None = None,
    containers: Sequence[Container] | None = None,
) -> Pod:
    """The recorded pod: killed 20 s ago after 3 s of life, now backing off unless told otherwise.

    `terminated` shows the kill in `state`; `running` is the time between two kills, when the pod
    says it is ready and only `lastState` tells.
    """
    at = killed or ago(20)
    kill = terminated(started=at - timedelta(seconds=lived_s), finished=at)
    states = {
        "waiting": waiting(
            "CrashLoopBackOff", f"back-off 20s restarting failed container=app pod={app}"
        ),
        "terminated": kill,
        "running": running(running_since or at + timedelta(seconds=1)),
    }
    return a_pod(
        app,
        namespace=namespace,
        suffix=suffix,
        template_hash=template_hash,
        uid=uid,
        node=node,
        containers=containers or [a_container(limit=limit)],
        statuses=[
            a_status(
                state=states[now_is],
                last_state=None if now_is == "terminated" and restart_count == 0 else kill,
                ready=now_is == "running",
                restart_count=restart_count,
            )
        ],
    )


def owner_of(pod: Pod) -> dict[str, ObjectRef]:
    """The entry of `Seen.owners` for a pod of `a_pod`: its Deployment."""
    app = (pod.metadata.labels or {})["app"]
    return {pod.metadata.uid: a_ref("Deployment", app, pod.metadata.namespace)}


def a_ref(kind: str = "Deployment", name: str = "oom-demo", namespace: str = "demo") -> ObjectRef:
    return ObjectRef(kind=kind, namespace=namespace, name=name, uid=f"uid-{name}")


# ------------------------------------------------------------------ workloads and nodes


def a_deployment(
    name: str = "oom-demo",
    *,
    namespace: str = "demo",
    uid: str = "",
    replicas: int = 1,
    ready: int | None = None,
    containers: Sequence[Container] | None = None,
    generation: int = 1,
    revision: int = 1,
    annotations: dict[str, str] | None = None,
    conditions: Sequence[Condition] | None = None,
) -> Deployment:
    """Complete and available unless `ready` says otherwise."""
    n_ready = replicas if ready is None else ready
    labels = {"app": name}
    return Deployment(
        metadata=Metadata(
            name=name,
            namespace=namespace,
            uid=uid or f"uid-{name}",
            resource_version="419",
            generation=generation,
            creation_timestamp=ago(3600),
            labels=labels,
            annotations={"deployment.kubernetes.io/revision": str(revision)} | (annotations or {}),
        ),
        spec=DeploymentSpec(
            replicas=replicas,
            selector=LabelSelector(match_labels=labels),
            template=PodTemplate(
                metadata=Metadata(labels=labels),
                spec=PodSpec(containers=list(containers or [a_container()])),
            ),
        ),
        status=DeploymentStatus(
            observed_generation=generation,
            replicas=replicas,
            updated_replicas=replicas,
            ready_replicas=n_ready,
            available_replicas=n_ready,
            unavailable_replicas=replicas - n_ready,
            conditions=list(conditions) if conditions is not None else None,
        ),
    )


def a_replica_set(
    app: str = "oom-demo",
    *,
    namespace: str = "demo",
    template_hash: str = HASH,
    replicas: int = 1,
    ready: int | None = None,
    revision: int = 1,
    containers: Sequence[Container] | None = None,
    created: datetime | None = None,
) -> ReplicaSet:
    """One revision of the Deployment `app`; its uid is the owner uid of the pods of `a_pod`."""
    name = f"{app}-{template_hash}"
    labels = {"app": app, "pod-template-hash": template_hash}
    n_ready = replicas if ready is None else ready
    return ReplicaSet(
        metadata=Metadata(
            name=name,
            namespace=namespace,
            uid=f"uid-{name}",
            resource_version="418",
            generation=1,
            creation_timestamp=created or ago(3600),
            labels=labels,
            annotations={"deployment.kubernetes.io/revision": str(revision)},
            owner_references=[
                OwnerReference(kind="Deployment", name=app, uid=f"uid-{app}", controller=True)
            ],
        ),
        spec=DeploymentSpec(
            replicas=replicas,
            selector=LabelSelector(match_labels=labels),
            template=PodTemplate(
                metadata=Metadata(labels=labels),
                spec=PodSpec(containers=list(containers or [a_container()])),
            ),
        ),
        status=DeploymentStatus(
            observed_generation=1,
            replicas=replicas,
            ready_replicas=n_ready,
            available_replicas=n_ready,
        ),
    )


def a_node(
    name: str = "dev",
    *,
    memory: str = "24581692Ki",
    cpu: str = "2",
    ready: bool = True,
    taints: Sequence[Taint] | None = None,
    unschedulable: bool = False,
) -> Node:
    room = {"cpu": cpu, "memory": memory, "pods": "110"}
    return Node(
        metadata=Metadata(
            name=name,
            uid=f"uid-node-{name}",
            resource_version="429",
            creation_timestamp=ago(3600),
            labels={"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        ),
        spec=NodeSpec(taints=list(taints) if taints else None, unschedulable=unschedulable),
        status=NodeStatus(
            allocatable=room,
            capacity=room,
            conditions=[
                condition("MemoryPressure", False, reason="KubeletHasSufficientMemory"),
                condition("DiskPressure", False, reason="KubeletHasNoDiskPressure"),
                condition("Ready", ready, reason="KubeletReady" if ready else "NodeStatusUnknown"),
            ],
        ),
    )


# ------------------------------------------------------------------ what stands around workloads


def an_event(
    about: ObjectRef,
    reason: str,
    message: str = "",
    *,
    first_s: float = 30,
    last_s: float = 1,
    type: str = "Warning",
    container: str = "",
) -> KubeEvent:
    """A controller's or kubelet's event: first so long ago, last so long ago."""
    return KubeEvent(
        metadata=Metadata(
            name=f"{about.name}.17", namespace=about.namespace, uid=f"{reason}-{about.name}"
        ),
        involved_object=InvolvedObject(
            kind=about.kind,
            namespace=about.namespace,
            name=about.name,
            uid=about.uid,
            field_path=f"spec.containers{{{container}}}" if container else "",
        ),
        type=type,
        reason=reason,
        message=message,
        count=3,
        first_timestamp=ago(first_s),
        last_timestamp=ago(last_s),
    )


def ref_of(kind: str, metadata: Metadata) -> ObjectRef:
    return ObjectRef(kind=kind, namespace=metadata.namespace, name=metadata.name, uid=metadata.uid)


def a_job(
    name: str = "export",
    *,
    failed: int = 0,
    active: int = 0,
    succeeded: int = 0,
    conditions: Sequence[Condition] = (),
    cron_job: str = "",
    suspend: bool = False,
) -> Job:
    owner = OwnerReference(kind="CronJob", name=cron_job, uid=f"uid-{cron_job}", controller=True)
    return Job(
        metadata=Metadata(
            name=name,
            namespace="demo",
            uid=f"uid-{name}",
            creation_timestamp=ago(120),
            owner_references=[owner] if cron_job else None,
        ),
        spec=JobSpec(suspend=suspend),
        status=JobStatus(
            active=active,
            failed=failed,
            succeeded=succeeded,
            start_time=ago(120),
            conditions=list(conditions),
        ),
    )


def a_cron_job(
    name: str = "nightly",
    *,
    schedule: str = "*/5 * * * *",
    last_s: float | None = 300,
    created_s: float = 7200,
    suspend: bool = False,
    policy: str = "Allow",
    active: Sequence[str] = (),
    successful_s: float | None = None,
) -> CronJob:
    return CronJob(
        metadata=Metadata(
            name=name, namespace="demo", uid=f"uid-{name}", creation_timestamp=ago(created_s)
        ),
        spec=CronJobSpec(schedule=schedule, suspend=suspend, concurrency_policy=policy),
        status=CronJobStatus(
            active=[LocalName(name=each) for each in active],
            last_schedule_time=None if last_s is None else ago(last_s),
            last_successful_time=None if successful_s is None else ago(successful_s),
        ),
    )


def a_claim(
    name: str = "data",
    *,
    phase: str = "Pending",
    age_s: float = 30,
    storage_class: str | None = None,
) -> PersistentVolumeClaim:
    return PersistentVolumeClaim(
        metadata=Metadata(
            name=name, namespace="demo", uid=f"uid-{name}", creation_timestamp=ago(age_s)
        ),
        spec=ClaimSpec(storage_class_name=storage_class),
        status=ClaimStatus(phase=phase),
    )


def a_service(
    name: str = "web",
    *,
    selector: dict[str, str] | None = None,
    target_port: int | str = 8080,
    namespace: str = "demo",
    type: str = "ClusterIP",
    publish_not_ready: bool = False,
) -> Service:
    return Service(
        metadata=Metadata(
            name=name, namespace=namespace, uid=f"uid-svc-{name}", creation_timestamp=ago(600)
        ),
        spec=ServiceSpec(
            selector={"app": name} if selector is None else selector,
            ports=[ServicePort(port=80, target_port=target_port)],
            type=type,
            publish_not_ready_addresses=publish_not_ready,
        ),
    )
