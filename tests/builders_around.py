"""Objects around a workload for tests: what a real API server gave, without what nobody reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from copilot.agents.evidence import with_evidence
from copilot.domain.case import Case
from copilot.domain.objects import (
    Condition,
    Container,
    Deployment,
    DeploymentSpec,
    InvolvedObject,
    KubeEvent,
    LabelSelector,
    LocalName,
    Metadata,
    ObjectRef,
    OwnerReference,
    Pod,
    PodSpec,
    PodTemplate,
    Service,
    ServicePort,
    ServiceSpec,
    Volume,
)
from copilot.domain.surroundings import (
    ClaimRef,
    ClaimSpec,
    ClaimStatus,
    ConfigMap,
    CronJob,
    CronJobSpec,
    CronJobStatus,
    Job,
    JobSpec,
    JobStatus,
    JobTemplate,
    LimitRange,
    LimitRangeItem,
    LimitRangeSpec,
    PersistentVolume,
    PersistentVolumeClaim,
    QuotaSpec,
    QuotaStatus,
    ResourceQuota,
    ServiceAccount,
    StorageClass,
    Surroundings,
    VolumeResources,
    VolumeSpec,
    VolumeStatus,
    Webhook,
    WebhookClient,
    WebhookConfiguration,
    WebhookService,
)
from tests.builders_objects import ago

T = TypeVar("T", Pod, Deployment)
EVERY_KIND = frozenset(
    {
        "Pod",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ConfigMap",
        "Service",
        "PersistentVolumeClaim",
        "PersistentVolume",
        "StorageClass",
        "ResourceQuota",
        "LimitRange",
        "ServiceAccount",
        "Job",
        "CronJob",
        "Node",
        "Namespace",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
    }
)


def meta(name: str, *, kind: str = "thing", namespace: str = "demo") -> Metadata:
    return Metadata(
        name=name,
        namespace=namespace,
        uid=f"{kind}-{name}-uid",
        resource_version="1",
        creation_timestamp=ago(3600),
    )


def with_surroundings(case: Case, around: Surroundings) -> Case:
    """The case in its neighbourhood, with the evidence that is there then; every kind was listed
    unless told otherwise."""
    seen = around if around.listed else msgspec.structs.replace(around, listed=EVERY_KIND)
    return with_evidence(msgspec.structs.replace(case, surroundings=seen))


def with_spec(
    pod: Pod, *, container: Container | None = None, volumes: Sequence[Volume] = ()
) -> Pod:
    """A pod whose one container and volumes are these."""
    spec = msgspec.structs.replace(
        pod.spec,
        containers=[container] if container else pod.spec.containers,
        volumes=list(volumes) or pod.spec.volumes,
    )
    return msgspec.structs.replace(pod, spec=spec)


def a_config_map(name: str = "settings", **data: str) -> ConfigMap:
    return ConfigMap(metadata=meta(name, kind="configmap"), data=data or None)


def a_claim(
    name: str = "data",
    *,
    phase: str = "Pending",
    storage_class: str | None = "fast",
    modes: Sequence[str] = ("ReadWriteOnce",),
    storage: str = "1Gi",
    selector: LabelSelector | None = None,
) -> PersistentVolumeClaim:
    return PersistentVolumeClaim(
        metadata=meta(name, kind="claim"),
        spec=ClaimSpec(
            access_modes=list(modes),
            resources=VolumeResources(requests={"storage": storage}),
            storage_class_name=storage_class,
            selector=selector,
        ),
        status=ClaimStatus(phase=phase),
    )


def a_volume(
    name: str = "disk",
    *,
    phase: str = "Available",
    storage_class: str = "fast",
    modes: Sequence[str] = ("ReadWriteOnce",),
    storage: str = "1Gi",
    labels: dict[str, str] | None = None,
    claim: str = "",
) -> PersistentVolume:
    own = msgspec.structs.replace(meta(name, kind="volume", namespace=""), labels=labels)
    return PersistentVolume(
        metadata=own,
        spec=VolumeSpec(
            capacity={"storage": storage},
            access_modes=list(modes),
            storage_class_name=storage_class,
            claim_ref=ClaimRef(namespace="demo", name=claim) if claim else None,
        ),
        status=VolumeStatus(phase=phase),
    )


def a_class(
    name: str = "fast", *, provisioner: str = "kubernetes.io/no-provisioner", waits: bool = False
) -> StorageClass:
    return StorageClass(
        metadata=meta(name, kind="class", namespace=""),
        provisioner=provisioner,
        volume_binding_mode="WaitForFirstConsumer" if waits else "Immediate",
    )


def a_quota(
    name: str = "team", *, hard: dict[str, str], used: dict[str, str] | None = None
) -> ResourceQuota:
    return ResourceQuota(
        metadata=meta(name, kind="quota"),
        spec=QuotaSpec(hard=hard),
        status=QuotaStatus(hard=hard, used=used),
    )


def a_limit_range(
    name: str = "bounds",
    *,
    type: str = "Container",
    max: dict[str, str] | None = None,
    min: dict[str, str] | None = None,
    ratio: dict[str, str] | None = None,
) -> LimitRange:
    item = LimitRangeItem(type=type, max=max, min=min, max_limit_request_ratio=ratio)
    return LimitRange(metadata=meta(name, kind="limitrange"), spec=LimitRangeSpec(limits=[item]))


def an_account(name: str) -> ServiceAccount:
    return ServiceAccount(metadata=meta(name, kind="account"))


def a_webhook(
    name: str = "policy",
    *,
    webhook: str = "pods.policy.example",
    service: tuple[str, str] | None = ("policy", "policy-server"),
    failure_policy: str = "Fail",
) -> WebhookConfiguration:
    at = WebhookService(namespace=service[0], name=service[1], port=443) if service else None
    return WebhookConfiguration(
        metadata=meta(name, kind="webhook", namespace=""),
        kind="ValidatingWebhookConfiguration",
        webhooks=[
            Webhook(
                name=webhook,
                client_config=WebhookClient(service=at),
                failure_policy=failure_policy,
            )
        ],
    )


def a_service(
    name: str, *, selector: dict[str, str] | None = None, port: int = 80, namespace: str = "demo"
) -> Service:
    return Service(
        metadata=meta(name, kind="service", namespace=namespace),
        spec=ServiceSpec(
            selector={"app": name} if selector is None else selector,
            ports=[ServicePort(port=port)],
            cluster_ip="10.96.0.77",
        ),
    )


def a_workload(
    name: str,
    *,
    kind: str = "Deployment",
    spec: PodSpec | None = None,
    replicas: int = 1,
    conditions: Sequence[Condition] = (),
) -> Deployment:
    """A Deployment, StatefulSet or DaemonSet."""
    bare = Deployment(
        metadata=meta(name, kind=kind.lower()),
        kind=kind,
        spec=DeploymentSpec(
            replicas=replicas,
            selector=LabelSelector(match_labels={"app": name}),
            template=PodTemplate(metadata=Metadata(labels={"app": name}), spec=spec or PodSpec()),
        ),
    )
    status = msgspec.structs.replace(bare.status, conditions=list(conditions))
    return msgspec.structs.replace(bare, status=status)


def a_job(
    name: str = "nightly",
    *,
    active: int = 0,
    failed: int = 0,
    succeeded: int = 0,
    conditions: Sequence[Condition] = (),
    spec: JobSpec | None = None,
    cron_job: CronJob | None = None,
) -> Job:
    own = meta(name, kind="job")
    if cron_job is not None:
        own = msgspec.structs.replace(own, owner_references=[_owned("CronJob", cron_job.metadata)])
    return Job(
        metadata=own,
        spec=spec or JobSpec(),
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
    suspend: bool = False,
    policy: str = "Allow",
    active: Sequence[str] = (),
    deadline_s: int | None = None,
    spec: PodSpec | None = None,
) -> CronJob:
    return CronJob(
        metadata=meta(name, kind="cronjob"),
        spec=CronJobSpec(
            schedule="*/5 * * * *",
            suspend=suspend,
            concurrency_policy=policy,
            starting_deadline_seconds=deadline_s,
            job_template=JobTemplate(spec=JobSpec(template=PodTemplate(spec=spec or PodSpec()))),
        ),
        status=CronJobStatus(
            active=[LocalName(name=n) for n in active] or None, last_schedule_time=ago(3600)
        ),
    )


def an_event_about(reason: str, message: str, kind: str, about: Metadata) -> KubeEvent:
    """A warning about any object, as controllers write them, 20 s ago."""
    return KubeEvent(
        metadata=Metadata(
            name=f"{about.name}.{reason}",
            namespace=about.namespace or "default",
            uid=f"event-{about.name}-{reason}",
        ),
        involved_object=InvolvedObject(
            kind=kind, namespace=about.namespace, name=about.name, uid=about.uid
        ),
        type="Warning",
        reason=reason,
        message=message,
        count=4,
        first_timestamp=ago(38),
        last_timestamp=ago(20),
    )


def ref(kind: str, thing: Metadata) -> ObjectRef:
    return ObjectRef(kind=kind, namespace=thing.namespace, name=thing.name, uid=thing.uid)


def owned_by(child: T, kind: str, parent: Metadata) -> T:
    """A pod or ReplicaSet as made by this parent."""
    metadata = msgspec.structs.replace(child.metadata, owner_references=[_owned(kind, parent)])
    return msgspec.structs.replace(child, metadata=metadata)


def _owned(kind: str, parent: Metadata) -> OwnerReference:
    return OwnerReference(kind=kind, name=parent.name, uid=parent.uid, controller=True)
