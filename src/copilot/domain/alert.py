"""A rule's statement that something is wrong, firing or resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from copilot.domain.event import KernelKill, ReceivedAlert, TemplateActivity
from copilot.domain.objects import (
    Deployment,
    KubeEvent,
    Metadata,
    Node,
    ObjectRef,
    Pod,
    Service,
)
from copilot.domain.surroundings import CronJob, Job, PersistentVolumeClaim, StorageClass


class Rule(StrEnum):
    """Every rule there is; `detect/rules/` holds one module for each."""

    OOM_KILLED = "oom_killed"
    CRASH_LOOP = "crash_loop"
    IMAGE_PULL = "image_pull"
    UNSCHEDULABLE = "unschedulable"
    NOT_READY = "not_ready"
    ERROR_BURST = "error_burst"
    EXTERNAL = "external"
    NOT_CREATED = "not_created"
    """A controller's pods are refused before they exist: quota, admission, service account."""
    VOLUME_PENDING = "volume_pending"
    NO_ENDPOINTS = "no_endpoints"
    """A Service that no ready pod stands behind."""
    JOB_FAILED = "job_failed"
    CRON_JOB_LATE = "cron_job_late"
    NODE_UNHEALTHY = "node_unhealthy"
    EVICTED = "evicted"
    CPU_THROTTLED = "cpu_throttled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What a rule says about one place.

    `fingerprint` is the same for the same trouble at the same place (rule, workload, container),
    whichever pod shows it; a repeat refreshes `last_us` and adds to `count`.
    """

    fingerprint: str
    rule: Rule
    cluster: str
    workload: ObjectRef
    """The top owner, or the pod or node itself where nothing owns it."""
    pod: str
    """The pod that shows it, empty for none."""
    container: str
    node: str
    severity: int
    title: str
    message: str
    starts_us: int
    """When the trouble began, by the cluster's own clock."""
    last_us: int
    count: int
    """How often it has happened as far as the source says, at least 1."""
    source: str
    """Where it was read: `pod status`, `kernel`, `alertmanager`, `logs`, `event`."""
    is_firing: bool = True


class Backing(msgspec.Struct, frozen=True, kw_only=True):
    """A Service that picks its pods, and what stands behind it.

    Only live pods count: neither finished nor being deleted.
    """

    service: Service
    n_pods: int
    """That its selector means."""
    n_ready: int
    empty_since_us: int
    """Since when none has been ready, as far as this process saw; 0 while one is."""
    workloads: tuple[ObjectRef, ...] = ()
    """Whose pods it means, by the pods or else by the templates."""
    is_scaled_down: bool = False
    """Templates have its labels, and all of their workloads ask for no pods."""
    is_autoscaled: bool = False
    """Something scales one of these workloads."""
    near: tuple[ObjectRef, ...] = ()
    """Where nothing has its labels: workloads with pods that have some of them, or nearly the same
    ones, or its name."""
    run_time_labels: tuple[str, ...] = ()
    """Keys of its selector that no template carries, where a workload has all of its others: a
    program sets such a label on one of its pods, the leader of a database say. Empty where the
    selector was changed before our eyes, and nothing has been ready since."""
    was_ready: bool = False
    """A ready pod has stood behind it since this process watches."""
    missing_ports: tuple[str, ...] = ()
    """Target ports it names that no container of its pods names."""
    missing_since_us: int = 0
    """Since when, as far as this process saw; 0 where none is missing."""
    callers: tuple[ObjectRef, ...] = ()
    """What runs elsewhere and names it as an address, and Ingresses that lead to it. Looked for
    only where nothing is ready."""


class Strain(msgspec.Struct, frozen=True, kw_only=True):
    """How hard a container runs into its limits, by the kubelet's counters over the last minute."""

    namespace: str
    pod: str
    container: str = ""
    """Empty for the pod as a whole."""
    throttled: float = 0.0
    """Share of the CPU periods in which it was stopped, 0 to 1; 0 until a minute is known."""
    kills: float = 0.0
    """Processes in it that the kernel killed for memory, in the last minutes."""
    killed_us: int = 0
    """When the last of these was noticed."""
    refusals: float = 0.0
    """How often memory was asked for at the limit (cgroup v1), in the last minute."""
    peak_bytes: float = 0.0
    """The most memory it ever held, 0 where unknown."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What rules look at: the present state, and what has just come in.

    A rule is a pure function of this: the same input gives the same alerts, now or in a replay.
    """

    now_us: int
    cluster: str
    pods: tuple[Pod, ...] = ()
    owners: dict[str, ObjectRef] = {}
    """Uid to the workload (top owner) of what is owned: pods, controllers, jobs."""
    kernel_kills: tuple[KernelKill, ...] = ()
    received: tuple[ReceivedAlert, ...] = ()
    own_namespaces: frozenset[str] = frozenset()
    """Where the co-pilot itself and its senders run: what is logged there is about our own work."""
    activity: tuple[TemplateActivity, ...] = ()
    """Errors of late, and whatever the containers log that are waited for."""
    events: tuple[KubeEvent, ...] = ()
    """Of late: warnings, and what ends them."""
    listed: frozenset[str] = frozenset()
    """Kinds of which all are known: only of those does absence mean that there is none."""
    controllers: tuple[Deployment, ...] = ()
    """Deployments, ReplicaSets, StatefulSets and DaemonSets that lack pods; `kind` is set."""
    jobs: tuple[Job, ...] = ()
    """That are not done, or failed."""
    cron_jobs: tuple[CronJob, ...] = ()
    changed_us: dict[str, int] = {}
    """By uid of a CronJob: when its spec was seen to change last."""
    suspended_us: dict[str, int] = {}
    """By uid of a CronJob: when it was seen to be suspended."""
    claims: tuple[PersistentVolumeClaim, ...] = ()
    """That are not bound."""
    storage_classes: tuple[StorageClass, ...] = ()
    nodes: tuple[Node, ...] = ()
    """That are not well."""
    nodes_regained_us: int = 0
    """When nodes came back into sight after an outage of the API server, 0: they never left it."""
    backings: tuple[Backing, ...] = ()
    """Services behind which something is wrong."""
    strains: tuple[Strain, ...] = ()

    def workload_of(self, pod: Pod) -> ObjectRef:
        """The pod's top owner, the pod itself where nothing owns it."""
        return self.top_of("Pod", pod.metadata)

    def top_of(self, kind: str, metadata: Metadata) -> ObjectRef:
        """The top owner of any object, itself where nothing owns it."""
        itself = ObjectRef(
            kind=kind, namespace=metadata.namespace, name=metadata.name, uid=metadata.uid
        )
        return self.owners.get(metadata.uid, itself)


Check = Callable[[Seen], Iterable[Alert]]
"""A rule as a function; the same one opens an incident and verifies its fix."""
