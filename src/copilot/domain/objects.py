"""Kubernetes objects, as much of them as the rules and causes read.

Field names follow the Kubernetes API (camel case on the wire, snake case here); unknown fields are
ignored, `null` and absent are the same. Decode with `msgspec.json.decode(body, type=Pod)`.
Quantities ("32Mi", "100m") stay text; `domain.quantity` reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec


class KubeStruct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of all decoded Kubernetes structures."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectRef:
    """Names one object. `uid` is empty where only the name is known."""

    kind: str
    namespace: str
    name: str
    uid: str = ""

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"

    @property
    def key(self) -> str:
        """The same for the same name, whatever the uid: `Deployment/demo/oom-demo`."""
        return f"{self.kind}/{self.namespace}/{self.name}"


class OwnerReference(KubeStruct, frozen=True):
    kind: str
    name: str
    uid: str = ""
    controller: bool = False


class ManagedFields(KubeStruct, frozen=True):
    manager: str = ""
    operation: str = ""
    time: datetime | None = None
    subresource: str = ""


class Metadata(KubeStruct, frozen=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None
    owner_references: list[OwnerReference] | None = None
    managed_fields: list[ManagedFields] | None = None


class ResourceRequirements(KubeStruct, frozen=True):
    limits: dict[str, str] | None = None
    requests: dict[str, str] | None = None


class HttpGet(KubeStruct, frozen=True):
    port: int | str = 0
    path: str = "/"
    scheme: str = "HTTP"


class TcpSocket(KubeStruct, frozen=True):
    port: int | str = 0


class Grpc(KubeStruct, frozen=True):
    port: int = 0


class ExecAction(KubeStruct, frozen=True):
    command: list[str] | None = None


class Probe(KubeStruct, frozen=True):
    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    exec: ExecAction | None = None
    grpc: Grpc | None = None
    initial_delay_seconds: int | None = None
    period_seconds: int | None = None
    timeout_seconds: int | None = None
    failure_threshold: int | None = None
    success_threshold: int | None = None


class ContainerPort(KubeStruct, frozen=True):
    container_port: int
    name: str = ""
    protocol: str = "TCP"
    host_port: int | None = None


class SourceName(KubeStruct, frozen=True):
    """A ConfigMap or Secret taken whole."""

    name: str = ""
    optional: bool = False


class SourceKey(KubeStruct, frozen=True):
    """One key of a ConfigMap or Secret."""

    name: str = ""
    key: str = ""
    optional: bool = False


class EnvVarSource(KubeStruct, frozen=True):
    config_map_key_ref: SourceKey | None = None
    secret_key_ref: SourceKey | None = None


class EnvVar(KubeStruct, frozen=True):
    name: str
    value: str | None = None
    value_from: EnvVarSource | None = None


class EnvFromSource(KubeStruct, frozen=True):
    config_map_ref: SourceName | None = None
    secret_ref: SourceName | None = None


class KeyToPath(KubeStruct, frozen=True):
    key: str = ""
    path: str = ""


class ConfigMapVolume(KubeStruct, frozen=True):
    name: str = ""
    items: list[KeyToPath] | None = None
    optional: bool = False


class SecretVolume(KubeStruct, frozen=True):
    secret_name: str = ""
    items: list[KeyToPath] | None = None
    optional: bool = False


class ClaimVolume(KubeStruct, frozen=True):
    claim_name: str = ""
    read_only: bool = False


class EmptyDir(KubeStruct, frozen=True):
    medium: str = ""
    size_limit: str | None = None


class HostPath(KubeStruct, frozen=True):
    path: str = ""
    type: str = ""


class ProjectedSecret(KubeStruct, frozen=True):
    name: str = ""
    items: list[KeyToPath] | None = None
    optional: bool = False


class ProjectedSource(KubeStruct, frozen=True):
    config_map: ConfigMapVolume | None = None
    secret: ProjectedSecret | None = None


class ProjectedVolume(KubeStruct, frozen=True):
    sources: list[ProjectedSource] | None = None


ROOT_CA = "kube-root-ca.crt"
"""The ConfigMap that every namespace is given, and every pod beside its token."""


class Volume(KubeStruct, frozen=True):
    name: str = ""
    projected: ProjectedVolume | None = None
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    empty_dir: EmptyDir | None = None
    host_path: HostPath | None = None

    @property
    def config_maps(self) -> tuple[ConfigMapVolume, ...]:
        """Those it is made of, without what every pod is given."""
        parts = (self.projected.sources if self.projected else None) or ()
        each = (self.config_map, *(part.config_map for part in parts))
        return tuple(one for one in each if one is not None and one.name != ROOT_CA)


class VolumeMount(KubeStruct, frozen=True):
    name: str = ""
    mount_path: str = ""
    sub_path: str = ""
    read_only: bool = False


class SecurityContext(KubeStruct, frozen=True):
    """Of a pod or of a container, as far as both have the fields."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    fs_group: int | None = None
    privileged: bool | None = None
    read_only_root_filesystem: bool | None = None


class Container(KubeStruct, frozen=True):
    name: str
    image: str = ""
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[EnvVar] | None = None
    env_from: list[EnvFromSource] | None = None
    ports: list[ContainerPort] | None = None
    volume_mounts: list[VolumeMount] | None = None
    security_context: SecurityContext | None = None
    resources: ResourceRequirements | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    image_pull_policy: str = ""
    restart_policy: str = ""
    """Of an init container: `Always` makes it a sidecar, which the others do not wait for."""


class Toleration(KubeStruct, frozen=True):
    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


class SelectorRequirement(KubeStruct, frozen=True):
    """`operator` is In, NotIn, Exists, DoesNotExist; for nodes also Gt and Lt."""

    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class LabelSelector(KubeStruct, frozen=True):
    match_labels: dict[str, str] | None = None
    match_expressions: list[SelectorRequirement] | None = None


class NodeSelectorTerm(KubeStruct, frozen=True):
    match_expressions: list[SelectorRequirement] | None = None
    match_fields: list[SelectorRequirement] | None = None


class NodeSelector(KubeStruct, frozen=True):
    """Any one of the terms will do; within a term all must hold."""

    node_selector_terms: list[NodeSelectorTerm] | None = None


class NodeAffinity(KubeStruct, frozen=True):
    """What is merely preferred is left out here and below."""

    required: NodeSelector | None = msgspec.field(
        name="requiredDuringSchedulingIgnoredDuringExecution", default=None
    )


class PodAffinityTerm(KubeStruct, frozen=True):
    label_selector: LabelSelector | None = None
    topology_key: str = ""
    namespaces: list[str] | None = None


class PodAffinity(KubeStruct, frozen=True):
    """Affinity or anti-affinity to other pods: all terms must hold."""

    required: list[PodAffinityTerm] | None = msgspec.field(
        name="requiredDuringSchedulingIgnoredDuringExecution", default=None
    )


class Affinity(KubeStruct, frozen=True):
    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class TopologySpread(KubeStruct, frozen=True):
    max_skew: int = 1
    topology_key: str = ""
    when_unsatisfiable: str = "DoNotSchedule"
    label_selector: LabelSelector | None = None


class DnsOption(KubeStruct, frozen=True):
    name: str = ""
    value: str | None = None


class DnsConfig(KubeStruct, frozen=True):
    nameservers: list[str] | None = None
    searches: list[str] | None = None
    options: list[DnsOption] | None = None


class LocalName(KubeStruct, frozen=True):
    """Names an object of the same namespace."""

    name: str = ""


class PodSpec(KubeStruct, frozen=True):
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    node_name: str = ""
    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None
    topology_spread_constraints: list[TopologySpread] | None = None
    tolerations: list[Toleration] | None = None
    volumes: list[Volume] | None = None
    image_pull_secrets: list[LocalName] | None = None
    service_account_name: str = ""
    security_context: SecurityContext | None = None
    dns_policy: str = ""
    dns_config: DnsConfig | None = None
    host_network: bool = False
    scheduler_name: str = ""
    priority_class_name: str = ""
    active_deadline_seconds: int | None = None
    restart_policy: str = "Always"
    termination_grace_period_seconds: int | None = None


class StateRunning(KubeStruct, frozen=True):
    started_at: datetime | None = None


class StateWaiting(KubeStruct, frozen=True):
    reason: str = ""
    message: str = ""


class StateTerminated(KubeStruct, frozen=True):
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    signal: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    container_id: str = msgspec.field(name="containerID", default="")


class ContainerState(KubeStruct, frozen=True):
    running: StateRunning | None = None
    waiting: StateWaiting | None = None
    terminated: StateTerminated | None = None


class ContainerStatus(KubeStruct, frozen=True):
    name: str
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    image: str = ""
    container_id: str = msgspec.field(name="containerID", default="")
    state: ContainerState | None = None
    last_state: ContainerState | None = None


class Condition(KubeStruct, frozen=True):
    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    last_transition_time: datetime | None = None


class PodStatus(KubeStruct, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    start_time: datetime | None = None
    nominated_node_name: str = ""
    """Where it will go once pods of lower priority have left."""
    pod_ip: str = msgspec.field(name="podIP", default="")


class Pod(KubeStruct, frozen=True):
    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class PodTemplate(KubeStruct, frozen=True):
    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()


class DeploymentSpec(KubeStruct, frozen=True):
    replicas: int | None = None
    selector: LabelSelector | None = None
    template: PodTemplate = PodTemplate()
    paused: bool = False


class DeploymentStatus(KubeStruct, frozen=True):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    conditions: list[Condition] | None = None
    desired_number_scheduled: int = 0
    """Of a DaemonSet: how many nodes should run it."""
    current_number_scheduled: int = 0
    """Of a DaemonSet: how many nodes that should run it have a pod of it."""
    number_ready: int = 0
    """Of a DaemonSet."""


class Deployment(KubeStruct, frozen=True):
    """Also decodes a ReplicaSet, StatefulSet or DaemonSet as far as these fields go; `kind` tells
    which it is."""

    metadata: Metadata
    kind: str = ""
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


ReplicaSet = Deployment


class Taint(KubeStruct, frozen=True):
    key: str
    effect: str = ""
    value: str = ""


class NodeSpec(KubeStruct, frozen=True):
    taints: list[Taint] | None = None
    unschedulable: bool = False


class NodeStatus(KubeStruct, frozen=True):
    allocatable: dict[str, str] | None = None
    capacity: dict[str, str] | None = None
    conditions: list[Condition] | None = None


class Node(KubeStruct, frozen=True):
    metadata: Metadata
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class ServicePort(KubeStruct, frozen=True):
    port: int
    name: str = ""
    target_port: int | str | None = None
    protocol: str = "TCP"


class ServiceSpec(KubeStruct, frozen=True):
    selector: dict[str, str] | None = None
    ports: list[ServicePort] | None = None
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    external_name: str = ""
    publish_not_ready_addresses: bool = False


class Service(KubeStruct, frozen=True):
    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()


class InvolvedObject(KubeStruct, frozen=True):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    field_path: str = ""


class EventSource(KubeStruct, frozen=True):
    component: str = ""
    host: str = ""


class EventSeries(KubeStruct, frozen=True):
    count: int = 0
    last_observed_time: datetime | None = None


class KubeEvent(KubeStruct, frozen=True):
    """A core/v1 Event. One story may be told by several of these; never trust one `count`."""

    metadata: Metadata
    involved_object: InvolvedObject = InvolvedObject()
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    source: EventSource | None = None
    reporting_component: str = ""
    series: EventSeries | None = None

    @property
    def occurred(self) -> datetime | None:
        """The first time that is set: series, last, event time, creation."""
        series = self.series.last_observed_time if self.series else None
        return series or self.last_timestamp or self.event_time or self.metadata.creation_timestamp


def epoch_us(moment: datetime | None) -> int:
    """Epoch microseconds, 0 for none."""
    return 0 if moment is None else round(moment.timestamp() * 1_000_000)


def lived_us(ended: StateTerminated) -> int:
    """How long a run lasted, 0 where unknown: one that never started has 1970 as its start."""
    started = epoch_us(ended.started_at)
    return max(0, epoch_us(ended.finished_at) - started) if started else 0


def controller_of(metadata: Metadata) -> OwnerReference | None:
    """The owner that controls this object, if it says so."""
    return next((o for o in metadata.owner_references or () if o.controller), None)


def ended_runs(pod: Pod, status: ContainerStatus) -> Iterator[StateTerminated]:
    """The ended runs that a container's status remembers, the older one first.

    A container that was stopped because its pod was deleted has not failed, whatever its exit code:
    137 is what a program gets that does not listen to SIGTERM. An evicted one has, also where its
    controller has deleted the pod since.
    https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
    """
    if status.last_state and status.last_state.terminated:
        yield status.last_state.terminated
    ended = status.state.terminated if status.state else None
    is_stopped = pod.metadata.deletion_timestamp is not None and pod.status.reason != "Evicted"
    if ended and (not is_stopped or ended.reason == "OOMKilled"):
        yield ended
