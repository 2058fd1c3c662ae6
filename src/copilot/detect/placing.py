"""Where trouble is and what tells it apart: what every rule needs to make an alert.

Texts that come from a cluster or from other systems pass `clip` before they reach a title or a
message: one line, no control characters, bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

from copilot.causes.wording import one_line
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import (
    Container,
    ContainerStatus,
    KubeEvent,
    Metadata,
    ObjectRef,
    Pod,
    StateTerminated,
    epoch_us,
)

SECOND_US = 1_000_000

RECENT_US = 600 * SECOND_US
"""A fault that ended longer ago, and is not going on, is history and not an alert."""

STEADY_US = 60 * SECOND_US
"""The least time a container must run and be ready before an earlier fault counts as over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerView:
    """One container of one pod: what was asked for and how it is."""

    pod: Pod
    spec: Container | None
    status: ContainerStatus

    @property
    def memory_limit(self) -> str:
        """As written, empty for none."""
        resources = self.spec.resources if self.spec else None
        return ((resources.limits if resources else None) or {}).get("memory", "")


def live_pods(seen: Seen) -> Iterator[Pod]:
    """Pods that are meant to run: neither being deleted nor finished in good order."""
    for pod in seen.pods:
        if pod.metadata.deletion_timestamp is None and pod.status.phase != "Succeeded":
            yield pod


def main_containers(pod: Pod) -> Iterator[ContainerView]:
    """The pod's containers without those of its start."""
    specs = {c.name: c for c in pod.spec.containers or ()}
    for status in pod.status.container_statuses or ():
        yield ContainerView(pod=pod, spec=specs.get(status.name), status=status)


def init_containers(pod: Pod) -> Iterator[ContainerView]:
    """The containers of the pod's start."""
    specs = {c.name: c for c in pod.spec.init_containers or ()}
    for status in pod.status.init_container_statuses or ():
        yield ContainerView(pod=pod, spec=specs.get(status.name), status=status)


def all_containers(pod: Pod) -> Iterator[ContainerView]:
    """The pod's init containers, then the others."""
    yield from init_containers(pod)
    yield from main_containers(pod)


def last_end(status: ContainerStatus) -> StateTerminated | None:
    """How the container ended last: now (`state`), else the time before (`lastState`)."""
    if status.state and status.state.terminated:
        return status.state.terminated
    return status.last_state.terminated if status.last_state else None


def is_trouble_over(status: ContainerStatus, *, ended_us: int, life_us: int, now_us: int) -> bool:
    """True where the fault at `ended_us` is history for a container that had lived `life_us`.

    A back-off that sleeps is the fault going on. Else what ended longer than `RECENT_US` ago is
    over; before that only a container that runs, is ready and has outlived twice its earlier life
    (a minute at least) has shown that it is.
    """
    state = status.state
    if state and state.waiting and state.waiting.reason == "CrashLoopBackOff":
        return False
    if now_us - ended_us > RECENT_US:
        return True
    if not (state and state.running and status.ready):
        return False
    up_since_us = max(ended_us, epoch_us(state.running.started_at))
    return now_us - up_since_us > max(2 * life_us, STEADY_US)


def fingerprint_of(
    *, cluster: str, rule: Rule, workload: ObjectRef, container: str, detail: str = ""
) -> str:
    """32 hex digits, the same for the same trouble at the same place, whichever pod shows it.

    `detail` tells apart what one rule may say about one container more than once: the name of
    somebody else's alert, the template of an error.
    """
    parts = f"{cluster}\0{rule}\0{workload.key}\0{container}\0{detail}"
    return blake2b(parts.encode(), digest_size=16).hexdigest()


def pod_alert(
    seen: Seen,
    pod: Pod,
    *,
    rule: Rule,
    container: str,
    severity: int,
    title: str,
    message: str,
    starts_us: int,
    count: int = 1,
    source: str = "pod status",
    detail: str = "",
) -> Alert:
    """An alert about a pod as it is now."""
    return alert_about(
        seen,
        seen.workload_of(pod),
        rule=rule,
        pod=pod.metadata.name,
        container=container,
        node=pod.spec.node_name,
        severity=severity,
        title=title,
        message=message,
        starts_us=starts_us,
        count=count,
        source=source,
        detail=detail,
    )


def alert_about(
    seen: Seen,
    workload: ObjectRef,
    *,
    rule: Rule,
    severity: int,
    title: str,
    message: str,
    starts_us: int,
    source: str,
    pod: str = "",
    container: str = "",
    node: str = "",
    count: int = 1,
    detail: str = "",
) -> Alert:
    """An alert about any workload or object, as it is now."""
    return Alert(
        fingerprint=fingerprint_of(
            cluster=seen.cluster, rule=rule, workload=workload, container=container, detail=detail
        ),
        rule=rule,
        cluster=seen.cluster,
        workload=workload,
        pod=pod,
        container=container,
        node=node,
        severity=severity,
        title=title,
        message=message,
        starts_us=min(starts_us, seen.now_us) or seen.now_us,
        last_us=seen.now_us,
        count=max(1, count),
        source=source,
    )


def last_events(seen: Seen, *reasons: str) -> dict[tuple[str, str, str], KubeEvent]:
    """The newest event with one of these reasons, by kind, namespace and name of its object.

    Names, because a kubelet's event about a node has the node's name for a uid.
    """
    found: dict[tuple[str, str, str], KubeEvent] = {}
    for event in seen.events:
        if event.reason not in reasons:
            continue
        about = event.involved_object
        key = (about.kind, about.namespace, about.name)
        if key not in found or epoch_us(found[key].occurred) <= epoch_us(event.occurred):
            found[key] = event
    return found


def first_us(event: KubeEvent) -> int:
    """When what an event tells of began."""
    times = (event.first_timestamp, event.event_time, event.metadata.creation_timestamp)
    return next((epoch_us(t) for t in times if t is not None), epoch_us(event.occurred))


def place_of(kind: str, metadata: Metadata) -> tuple[str, str, str]:
    """The key of `last_events`."""
    return kind, metadata.namespace, metadata.name


def pod_named(seen: Seen, namespace: str, name: str) -> Pod | None:
    return next(
        (
            pod
            for pod in seen.pods
            if pod.metadata.name == name and pod.metadata.namespace == namespace
        ),
        None,
    )


def workload_named(seen: Seen, namespace: str, app: str) -> ObjectRef | None:
    """The workload that is called `app`, or whose pods are labelled so."""
    for ref in seen.owners.values():
        if ref.namespace == namespace and ref.name == app:
            return ref
    for pod in seen.pods:
        labels = pod.metadata.labels or {}
        names = (labels.get("app.kubernetes.io/name"), labels.get("app"))
        if pod.metadata.namespace == namespace and app in names:
            return seen.workload_of(pod)
    return None


def short_name(workload: ObjectRef, container: str) -> str:
    """For titles: `oom-demo/app`."""
    return f"{workload.name}/{container}" if container else workload.name


def clip(text: str, length: int = 300) -> str:
    """One printable line of at most `length` characters."""
    return one_line(text, length)


def duration(us: int) -> str:
    """For people: `3 s`, `4 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    seconds = max(0, us) // SECOND_US
    if seconds < 60:
        return f"{seconds} s"
    steps = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
    big, big_name, small, small_name = next(s for s in steps if seconds >= s[0])
    rest = seconds % big // small
    return f"{seconds // big} {big_name}" + (f" {rest} {small_name}" if rest else "")


def clock_time(us: int) -> str:
    """For people: `07:30:03Z`."""
    return datetime.fromtimestamp(us / SECOND_US, UTC).strftime("%H:%M:%SZ")
