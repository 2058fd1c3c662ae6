"""What the pods' states say about how and when containers failed."""

from __future__ import annotations

from dataclasses import dataclass

from copilot.domain.alert import Alert, Rule
from copilot.domain.case import Case
from copilot.domain.errors import Invalid
from copilot.domain.objects import (
    Container,
    ContainerStatus,
    Deployment,
    KubeEvent,
    Pod,
    PodSpec,
    ReplicaSet,
    controller_of,
    ended_runs,
    epoch_us,
)
from copilot.domain.quantity import parse_bytes

OOM_KILLED = "OOMKilled"
STARVED_AT_START = "memory limit too low"
"""What the runtime says when even the container's init did not fit."""
LONG_AGO_US = 10 * 60 * 1_000_000
"""An ending this long before the first sign belongs to another story."""
GONE_BEFORE_US = 60 * 1_000_000
"""So does one of a pod that is gone, this long before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """One container that stopped, as its pod's status tells it. Times have whole seconds."""

    pod: Pod
    container: str
    reason: str
    exit_code: int
    message: str
    started_us: int
    finished_us: int

    @property
    def lived_us(self) -> int:
        """From start to end, 0 where the status does not say."""
        return max(0, self.finished_us - self.started_us) if self.started_us else 0

    @property
    def is_oom(self) -> bool:
        return self.reason == OOM_KILLED or STARVED_AT_START in self.message


def containers_of(spec: PodSpec) -> tuple[Container, ...]:
    """All of a pod's containers, init containers last."""
    return (*(spec.containers or ()), *(spec.init_containers or ()))


def container_of(spec: PodSpec, name: str) -> Container | None:
    return next((c for c in containers_of(spec) if c.name == name), None)


def statuses_of(pod: Pod) -> tuple[ContainerStatus, ...]:
    """The states of all containers, init containers last."""
    status = pod.status
    return (*(status.container_statuses or ()), *(status.init_container_statuses or ()))


def limit_of(spec: PodSpec, name: str) -> int | None:
    """A container's memory limit in bytes, None for none."""
    container = container_of(spec, name)
    limits = container.resources.limits if container and container.resources else None
    return quantity_of(limits, "memory")


def quantity_of(amounts: dict[str, str] | None, resource: str) -> int | None:
    """Bytes of one entry, None where it is missing or unreadable."""
    if not amounts or resource not in amounts:
        return None
    try:
        return parse_bytes(amounts[resource])
    except Invalid:
        return None


def revision_of(owned: Deployment) -> int:
    """The rollout number a Deployment or ReplicaSet carries, 0 for none."""
    text = (owned.metadata.annotations or {}).get("deployment.kubernetes.io/revision", "")
    return int(text) if text.isdecimal() else 0


def replica_set_of(case: Case, pod: Pod) -> ReplicaSet | None:
    """The revision a pod belongs to."""
    owner = controller_of(pod.metadata)
    uid = owner.uid if owner else ""
    return next((r for r in case.replica_sets if uid and r.metadata.uid == uid), None)


def is_gone(pod: Pod) -> bool:
    """Deleted, or about to be."""
    return pod.metadata.deletion_timestamp is not None


def is_ready(pod: Pod) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or ())


def restarts_of(pod: Pod) -> int:
    return sum(s.restart_count for s in statuses_of(pod))


def endings(case: Case) -> tuple[Ending, ...]:
    """The failed endings that belong to this incident, oldest first.

    A status keeps two endings of a container at most, so this is a part of the story only.
    """
    found = [e for pod in case.pods for e in endings_of(pod) if _is_of_this(case, e)]
    return tuple(sorted(found, key=lambda e: (e.finished_us, e.pod.metadata.uid)))


def endings_of(pod: Pod) -> tuple[Ending, ...]:
    """Of one pod: those that did not end well, older ones first."""
    return tuple(
        Ending(
            pod=pod,
            container=status.name,
            reason=ended.reason,
            exit_code=ended.exit_code,
            message=ended.message,
            started_us=epoch_us(ended.started_at),
            finished_us=epoch_us(ended.finished_at),
        )
        for status in statuses_of(pod)
        for ended in ended_runs(pod, status)
        if ended.exit_code != 0 or ended.reason == OOM_KILLED
    )


def oom_kills(case: Case) -> tuple[Ending, ...]:
    """Containers ended for want of memory, oldest first."""
    return tuple(e for e in endings(case) if e.is_oom)


def alerts_of(case: Case, *rules: Rule) -> tuple[Alert, ...]:
    return tuple(a for a in case.alerts if a.rule in rules)


def began_us(case: Case) -> int:
    """The first sign of this trouble, by the cluster's own clock."""
    starts = [a.starts_us for a in case.alerts if a.starts_us > 0]
    return min([case.incident.first_signal_us, *starts])


def is_failing(case: Case, pod: Pod) -> bool:
    """It fails now, or has failed in this incident."""
    if any(_is_of_this(case, e) for e in endings_of(pod)):
        return True
    return not is_gone(pod) and not is_ready(pod) and pod.status.phase != "Succeeded"


def was_fine(case: Case, pod: Pod) -> bool:
    """Nothing of it ever failed, as far as its status remembers."""
    return not endings_of(pod) and not is_failing(case, pod)


def failing_pods(case: Case) -> tuple[Pod, ...]:
    """The newest first."""
    failing = [p for p in case.pods if is_failing(case, p)]
    return tuple(
        sorted(failing, key=lambda p: epoch_us(p.metadata.creation_timestamp), reverse=True)
    )


def failing_revision(case: Case) -> ReplicaSet | None:
    """The revision whose pods fail, of several the one that was made last; the present one where
    no pod of a known revision fails.

    The present one may be another: somebody has gone back meanwhile. A revision that was gone back
    to has a new number and its old age.
    """
    owners = [r for p in failing_pods(case) if (r := replica_set_of(case, p)) is not None]
    return max(owners, key=_made, default=next(iter(case.replica_sets), None))


def is_of_older_revision(case: Case, pod: Pod) -> bool:
    """It runs what was there before the revision that fails."""
    owner, failing = replica_set_of(case, pod), failing_revision(case)
    return owner is not None and failing is not None and _made(owner) < _made(failing)


def _made(revision: ReplicaSet) -> tuple[int, int]:
    return epoch_us(revision.metadata.creation_timestamp), revision_of(revision)


def failing_containers(pod: Pod) -> tuple[str, ...]:
    """Those that ended badly, wait with a reason, or are not ready, and an init container that runs
    and lets nobody past; all where none stands out."""
    ended = {e.container for e in endings_of(pod)}
    unwell = {s.name for s in statuses_of(pod) if not s.ready and not _is_done(s)}
    main = {c.name for c in pod.spec.containers or ()}
    first = pod.status.init_container_statuses or ()
    running = {s.name for s in first if s.state and s.state.running}
    named = [c.name for c in containers_of(pod.spec)]
    return tuple(n for n in named if n in ended or n in (unwell & (main | running))) or tuple(
        n for n in named if n in main
    )


def state_words(pod: Pod) -> str:
    """How it is with a pod, in a few words: `app ended with OOMKilled (exit 137)`."""
    ended = endings_of(pod)
    if ended:
        last = max(ended, key=lambda e: e.finished_us)
        return f"{last.container} ended with {last.reason or 'an error'} (exit {last.exit_code})"
    for status in statuses_of(pod):
        if status.state and status.state.waiting and status.state.waiting.reason:
            return f"{status.name} waits ({status.state.waiting.reason})"
    if pod.status.reason:
        return f"{pod.status.reason} {pod.status.message}".strip()
    if not pod.spec.node_name:
        return "no node was found for it"
    return "ready" if is_ready(pod) else "not ready"


def events_about(case: Case, *reasons: str) -> tuple[KubeEvent, ...]:
    """Events with one of these reasons, newest first."""
    picked = [e for e in case.events if e.reason in reasons]
    return tuple(sorted(picked, key=lambda e: epoch_us(e.occurred), reverse=True))


def container_named_by(event: KubeEvent) -> str:
    """`app` of an event about `spec.containers{app}`, empty where it names none."""
    path = event.involved_object.field_path
    return path.partition("{")[2].rstrip("}")


def _is_of_this(case: Case, ending: Ending) -> bool:
    early = GONE_BEFORE_US if is_gone(ending.pod) else LONG_AGO_US
    return ending.finished_us >= began_us(case) - early


def _is_done(status: ContainerStatus) -> bool:
    ended = status.state.terminated if status.state else None
    return ended is not None and ended.exit_code == 0
