"""A rule's statement that something is wrong, firing or resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from copilot.domain.event import KernelKill, ReceivedAlert, TemplateActivity
from copilot.domain.objects import KubeEvent, ObjectRef, Pod


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


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What rules look at: the present state, and what has just come in.

    A rule is a pure function of this: the same input gives the same alerts, now or in a replay.
    """

    now_us: int
    cluster: str
    pods: tuple[Pod, ...] = ()
    owners: dict[str, ObjectRef] = {}
    """Pod uid to its workload (top owner)."""
    kernel_kills: tuple[KernelKill, ...] = ()
    received: tuple[ReceivedAlert, ...] = ()
    activity: tuple[TemplateActivity, ...] = ()
    events: tuple[KubeEvent, ...] = ()

    def workload_of(self, pod: Pod) -> ObjectRef:
        """The pod's top owner, the pod itself where nothing owns it."""
        itself = ObjectRef(
            kind="Pod",
            namespace=pod.metadata.namespace,
            name=pod.metadata.name,
            uid=pod.metadata.uid,
        )
        return self.owners.get(pod.metadata.uid, itself)


Check = Callable[[Seen], Iterable[Alert]]
"""A rule as a function; the same one opens an incident and verifies its fix."""
