"""What stands around a workload: the other kinds that rules and causes hold specs against.

As in `domain.objects`: names follow the Kubernetes API, unknown fields are ignored.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from copilot.domain.objects import (
    Condition,
    Deployment,
    KubeStruct,
    LabelSelector,
    LocalName,
    Metadata,
    ObjectRef,
    Pod,
    PodTemplate,
    Service,
)


class ConfigMap(KubeStruct, frozen=True):
    metadata: Metadata
    data: dict[str, str] | None = None
    binary_data: dict[str, str] | None = None
    immutable: bool | None = None

    @property
    def keys(self) -> frozenset[str]:
        return frozenset((*(self.data or ()), *(self.binary_data or ())))


class DeletedConfigMap(KubeStruct, frozen=True):
    """As it was last seen, whole."""

    seen_us: int
    """When it was seen to be gone."""
    config_map: ConfigMap


class JobSpec(KubeStruct, frozen=True):
    template: PodTemplate = PodTemplate()
    parallelism: int | None = None
    completions: int | None = None
    backoff_limit: int | None = None
    active_deadline_seconds: int | None = None
    suspend: bool = False


class JobStatus(KubeStruct, frozen=True):
    """A condition `Failed` says why (`BackoffLimitExceeded`, `DeadlineExceeded`, ...)."""

    active: int = 0
    succeeded: int = 0
    failed: int = 0
    start_time: datetime | None = None
    completion_time: datetime | None = None
    conditions: list[Condition] | None = None


class Job(KubeStruct, frozen=True):
    metadata: Metadata
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class JobTemplate(KubeStruct, frozen=True):
    metadata: Metadata = Metadata()
    spec: JobSpec = JobSpec()


class CronJobSpec(KubeStruct, frozen=True):
    schedule: str = ""
    time_zone: str | None = None
    suspend: bool = False
    concurrency_policy: str = "Allow"
    starting_deadline_seconds: int | None = None
    job_template: JobTemplate = JobTemplate()


class CronJobStatus(KubeStruct, frozen=True):
    active: list[LocalName] | None = None
    last_schedule_time: datetime | None = None
    last_successful_time: datetime | None = None


class CronJob(KubeStruct, frozen=True):
    metadata: Metadata
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()


class VolumeResources(KubeStruct, frozen=True):
    requests: dict[str, str] | None = None


class ClaimSpec(KubeStruct, frozen=True):
    """`storage_class_name` None asks for the default class, "" for a volume of none."""

    access_modes: list[str] | None = None
    resources: VolumeResources = VolumeResources()
    storage_class_name: str | None = None
    volume_name: str = ""
    selector: LabelSelector | None = None


class ClaimStatus(KubeStruct, frozen=True):
    """`phase` is Pending, Bound or Lost."""

    phase: str = ""
    capacity: dict[str, str] | None = None


class PersistentVolumeClaim(KubeStruct, frozen=True):
    metadata: Metadata
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()


class VolumeSpec(KubeStruct, frozen=True):
    capacity: dict[str, str] | None = None
    access_modes: list[str] | None = None
    storage_class_name: str = ""
    claim_ref: ClaimRef | None = None
    persistent_volume_reclaim_policy: str = ""
    local: LocalVolume | None = None
    csi: CsiVolume | None = None


class LocalVolume(KubeStruct, frozen=True):
    path: str = ""


class CsiVolume(KubeStruct, frozen=True):
    driver: str = ""
    fs_type: str = ""


class ClaimRef(KubeStruct, frozen=True):
    namespace: str = ""
    name: str = ""
    uid: str = ""


class VolumeStatus(KubeStruct, frozen=True):
    """`phase` is Available, Bound, Released or Failed."""

    phase: str = ""


class PersistentVolume(KubeStruct, frozen=True):
    metadata: Metadata
    spec: VolumeSpec = VolumeSpec()
    status: VolumeStatus = VolumeStatus()


class StorageClass(KubeStruct, frozen=True):
    metadata: Metadata
    provisioner: str = ""
    volume_binding_mode: str = "Immediate"


class QuotaSpec(KubeStruct, frozen=True):
    hard: dict[str, str] | None = None


class QuotaStatus(KubeStruct, frozen=True):
    hard: dict[str, str] | None = None
    used: dict[str, str] | None = None


class ResourceQuota(KubeStruct, frozen=True):
    metadata: Metadata
    spec: QuotaSpec = QuotaSpec()
    status: QuotaStatus = QuotaStatus()


class LimitRangeItem(KubeStruct, frozen=True):
    """`type` is Container, Pod or PersistentVolumeClaim."""

    type: str = ""
    max: dict[str, str] | None = None
    min: dict[str, str] | None = None
    default: dict[str, str] | None = None
    default_request: dict[str, str] | None = None
    max_limit_request_ratio: dict[str, str] | None = None


class LimitRangeSpec(KubeStruct, frozen=True):
    limits: list[LimitRangeItem] | None = None


class LimitRange(KubeStruct, frozen=True):
    metadata: Metadata
    spec: LimitRangeSpec = LimitRangeSpec()


class ScaleTarget(KubeStruct, frozen=True):
    kind: str = ""
    name: str = ""


class AutoscalerSpec(KubeStruct, frozen=True):
    scale_target_ref: ScaleTarget = ScaleTarget()
    min_replicas: int | None = None
    max_replicas: int = 0


class AutoscalerStatus(KubeStruct, frozen=True):
    current_replicas: int = 0
    desired_replicas: int = 0
    conditions: list[Condition] | None = None


class HorizontalPodAutoscaler(KubeStruct, frozen=True):
    metadata: Metadata
    spec: AutoscalerSpec = AutoscalerSpec()
    status: AutoscalerStatus = AutoscalerStatus()


class IpBlock(KubeStruct, frozen=True):
    cidr: str = ""


class NetworkPeer(KubeStruct, frozen=True):
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IpBlock | None = None


class NetworkPort(KubeStruct, frozen=True):
    """`port` None means every port."""

    protocol: str = "TCP"
    port: int | str | None = None
    end_port: int | None = None


class IngressRule(KubeStruct, frozen=True):
    from_: list[NetworkPeer] | None = msgspec.field(name="from", default=None)
    ports: list[NetworkPort] | None = None


class EgressRule(KubeStruct, frozen=True):
    to: list[NetworkPeer] | None = None
    ports: list[NetworkPort] | None = None


class NetworkPolicySpec(KubeStruct, frozen=True):
    """No rules under a listed type: nothing is let through that way."""

    pod_selector: LabelSelector = LabelSelector()
    policy_types: list[str] | None = None
    ingress: list[IngressRule] | None = None
    egress: list[EgressRule] | None = None


class NetworkPolicy(KubeStruct, frozen=True):
    metadata: Metadata
    spec: NetworkPolicySpec = NetworkPolicySpec()


class BudgetSpec(KubeStruct, frozen=True):
    selector: LabelSelector | None = None
    min_available: int | str | None = None
    max_unavailable: int | str | None = None


class BudgetStatus(KubeStruct, frozen=True):
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0


class PodDisruptionBudget(KubeStruct, frozen=True):
    metadata: Metadata
    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()


class ServiceAccount(KubeStruct, frozen=True):
    metadata: Metadata
    image_pull_secrets: list[LocalName] | None = None


class PolicyRule(KubeStruct, frozen=True):
    verbs: list[str] | None = None
    api_groups: list[str] | None = None
    resources: list[str] | None = None
    resource_names: list[str] | None = None


class Role(KubeStruct, frozen=True):
    """Also a ClusterRole, whose metadata names no namespace."""

    metadata: Metadata
    rules: list[PolicyRule] | None = None


class RoleRef(KubeStruct, frozen=True):
    kind: str = ""
    name: str = ""


class Subject(KubeStruct, frozen=True):
    kind: str = ""
    name: str = ""
    namespace: str = ""


class RoleBinding(KubeStruct, frozen=True):
    """Also a ClusterRoleBinding, whose metadata names no namespace."""

    metadata: Metadata
    role_ref: RoleRef = RoleRef()
    subjects: list[Subject] | None = None


class WebhookService(KubeStruct, frozen=True):
    namespace: str = ""
    name: str = ""
    port: int | None = None


class WebhookClient(KubeStruct, frozen=True):
    service: WebhookService | None = None
    url: str | None = None


class Webhook(KubeStruct, frozen=True):
    name: str = ""
    client_config: WebhookClient = WebhookClient()
    failure_policy: str = "Fail"


class WebhookConfiguration(KubeStruct, frozen=True):
    """A ValidatingWebhookConfiguration or a mutating one; `kind` tells which."""

    metadata: Metadata
    kind: str = ""
    webhooks: list[Webhook] | None = None


class IngressServicePort(KubeStruct, frozen=True):
    number: int | None = None
    name: str = ""


class IngressService(KubeStruct, frozen=True):
    name: str = ""
    port: IngressServicePort = IngressServicePort()


class IngressBackend(KubeStruct, frozen=True):
    service: IngressService | None = None


class IngressPath(KubeStruct, frozen=True):
    path: str = ""
    path_type: str = ""
    backend: IngressBackend = IngressBackend()


class IngressHttp(KubeStruct, frozen=True):
    paths: list[IngressPath] | None = None


class IngressHost(KubeStruct, frozen=True):
    host: str = ""
    http: IngressHttp | None = None


class IngressTls(KubeStruct, frozen=True):
    hosts: list[str] | None = None
    secret_name: str = ""


class IngressSpec(KubeStruct, frozen=True):
    default_backend: IngressBackend | None = None
    rules: list[IngressHost] | None = None
    tls: list[IngressTls] | None = None


class Ingress(KubeStruct, frozen=True):
    metadata: Metadata
    spec: IngressSpec = IngressSpec()


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """The namespace of a case, and of the cluster what its specs may refer to.

    `listed` names the kinds that were listed whole: only of those does absence mean that there is
    none. Secrets are never read, so they are never among them.
    """

    listed: frozenset[str] = frozenset()
    pods: tuple[Pod, ...] = ()
    """Of the namespace's other workloads, bounded."""
    workloads: tuple[Deployment, ...] = ()
    """Deployments, StatefulSets and DaemonSets of the namespace."""
    services: tuple[Service, ...] = ()
    ingresses: tuple[Ingress, ...] = ()
    config_maps: tuple[ConfigMap, ...] = ()
    """With all their keys; values only of those that the case's pods read."""
    deleted_config_maps: tuple[DeletedConfigMap, ...] = ()
    """Those that the case's pods read and that are gone."""
    claims: tuple[PersistentVolumeClaim, ...] = ()
    volumes: tuple[PersistentVolume, ...] = ()
    storage_classes: tuple[StorageClass, ...] = ()
    quotas: tuple[ResourceQuota, ...] = ()
    limit_ranges: tuple[LimitRange, ...] = ()
    autoscalers: tuple[HorizontalPodAutoscaler, ...] = ()
    network_policies: tuple[NetworkPolicy, ...] = ()
    budgets: tuple[PodDisruptionBudget, ...] = ()
    jobs: tuple[Job, ...] = ()
    cron_jobs: tuple[CronJob, ...] = ()
    service_accounts: tuple[ServiceAccount, ...] = ()
    roles: tuple[Role, ...] = ()
    """With the ClusterRoles that the namespace's accounts are bound to."""
    role_bindings: tuple[RoleBinding, ...] = ()
    """With the ClusterRoleBindings that speak of the namespace's accounts."""
    webhooks: tuple[WebhookConfiguration, ...] = ()
    namespaces: tuple[str, ...] = ()
    """Names of all namespaces."""
    remote_services: tuple[ObjectRef, ...] = ()
    """Services of other namespaces, by name: what an address may mean."""
