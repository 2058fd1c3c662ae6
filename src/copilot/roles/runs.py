"""Which logs of a pod are worth reading, by its status: of runs that ended badly, of what is waited
for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from copilot.domain.objects import (
    ContainerStatus,
    ObjectRef,
    Pod,
    StateTerminated,
    epoch_us,
)
from copilot.ingest.normalise import APP_LABELS, pod_prefix
from copilot.ports import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a container that ended badly. `id` is the container's at its runtime."""

    pod: ObjectRef
    container: str
    id: str
    node: str
    app: str
    finished_us: int
    is_current: bool
    """It is the container's present state, so its log is the current one; else the previous."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """A container that runs, and that its pod waits for."""

    pod: ObjectRef
    container: str
    node: str
    app: str
    since_us: int


def waited_containers(pod: Pod) -> Iterator[Waited]:
    """Those that run and are not ready, and an init container that the others wait for."""
    specs = {c.name: c for c in pod.spec.init_containers or ()}
    for status in pod.status.init_container_statuses or ():
        spec = specs.get(status.name)
        if spec is not None and spec.restart_policy != "Always":
            yield from _waited(pod, status)
    for status in pod.status.container_statuses or ():
        if not status.ready:
            yield from _waited(pod, status)


def running_containers(pod: Pod) -> Iterator[Waited]:
    """All that run, without those of the pod's start."""
    for status in pod.status.container_statuses or ():
        yield from _waited(pod, status)


def _waited(pod: Pod, status: ContainerStatus) -> Iterator[Waited]:
    meta = pod.metadata
    running = status.state.running if status.state else None
    if running is not None:
        yield Waited(
            pod=ObjectRef(kind=Kind.POD, namespace=meta.namespace, name=meta.name, uid=meta.uid),
            container=status.name,
            node=pod.spec.node_name,
            app=_app(pod),
            since_us=epoch_us(running.started_at),
        )


def failed_runs(pod: Pod) -> list[Run]:
    """The runs that the pod's status still shows and that ended badly.

    An exit with 0 is bad only where the container is in a crash loop. Between two kills a pod is
    running and ready: its last state alone tells.
    """
    statuses = (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ()))
    return [run for status in statuses for run in _failed_runs_of(pod, status)]


def _failed_runs_of(pod: Pod, status: ContainerStatus) -> list[Run]:
    state, last = status.state, status.last_state
    is_looping = bool(state and state.waiting and state.waiting.reason == "CrashLoopBackOff")
    runs: list[Run] = []
    if state and state.terminated and state.terminated.exit_code:
        runs.append(_run(pod, status, state.terminated, is_current=True))
    if last and last.terminated and (last.terminated.exit_code or is_looping):
        runs.append(_run(pod, status, last.terminated, is_current=False))
    return runs


def _run(pod: Pod, status: ContainerStatus, ended: StateTerminated, *, is_current: bool) -> Run:
    meta = pod.metadata
    finished_us = epoch_us(ended.finished_at)
    return Run(
        pod=ObjectRef(kind=Kind.POD, namespace=meta.namespace, name=meta.name, uid=meta.uid),
        container=status.name,
        id=ended.container_id or f"{status.name}@{finished_us}",
        node=pod.spec.node_name,
        app=_app(pod),
        finished_us=finished_us,
        is_current=is_current,
    )


def _app(pod: Pod) -> str:
    labels = pod.metadata.labels or {}
    named = next(filter(None, (labels.get(label) for label in APP_LABELS)), "")
    return named or pod_prefix(pod.metadata.name)
