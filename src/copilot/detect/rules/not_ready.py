"""A container does not come up: it cannot be started, or runs and does not become, or stay, ready.

It cannot be started where the kubelet says so (`CreateContainerConfigError`: a ConfigMap, a Secret
or a key of one is missing), or where volumes and network of its pod are not ready for a minute
(`PodReadyToStartContainers`, Kubernetes 1.29 and later).

The budget of one that runs is what its own probe allows (`initialDelaySeconds + periodSeconds *
failureThreshold`), at least half a minute, plus ten seconds; until a startup probe has passed, the
budget of that probe comes on top.

Quiet: within the budget after a start, containers whose image is pulled or that ended (they have
rules of their own), finished pods, a pod being deleted.
https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from copilot.detect.placing import (
    SECOND_US,
    ContainerView,
    all_containers,
    clip,
    clock_time,
    duration,
    live_pods,
    main_containers,
    pod_alert,
    short_name,
)
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import Pod, Probe, epoch_us

SEVERITY = 3
SEVERITY_DOWN = 2
LEAST_BUDGET_S = 30
SLACK_S = 10
CANNOT_START = frozenset({"CreateContainerConfigError", "CreateContainerError"})
PATIENCE_US = 10 * SECOND_US
"""What is missing may be on its way: manifests are applied one after the other."""
_WHERE = re.compile(r" \(pod: .*\)\Z", re.DOTALL)
"""What the kubelet adds to some messages; the alert says itself where it is."""
NOT_PREPARED_US = 60 * SECOND_US


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each container that cannot start, or has been up and unready for longer than
    its budget."""
    for pod in live_pods(seen):
        yield from _cannot_start(seen, pod)
        for view in main_containers(pod):
            since_us = _unready_since_us(view)
            budget_us = _budget_s(view) * SECOND_US
            if since_us is not None and seen.now_us - since_us > budget_us:
                yield _alert(seen, view, since_us, budget_us)


def _cannot_start(seen: Seen, pod: Pod) -> Iterator[Alert]:
    since_us = _unready_condition_us(pod) or epoch_us(pod.metadata.creation_timestamp)
    for view in all_containers(pod):
        waits = view.status.state.waiting if view.status.state else None
        if waits and waits.reason in CANNOT_START and seen.now_us - since_us > PATIENCE_US:
            why = clip(_WHERE.sub("", waits.message) or waits.reason, 160)
            yield _down(seen, pod, view.status.name, since_us, why)
    unprepared_us = _unprepared_since_us(pod)
    if unprepared_us and seen.now_us - unprepared_us > NOT_PREPARED_US:
        yield _down(seen, pod, "", unprepared_us, "its volumes or its network are not ready")


def _unprepared_since_us(pod: Pod) -> int:
    """Since when a pod on a node has been without what its containers need, 0 for not at all."""
    for condition in pod.status.conditions or ():
        if condition.type == "PodReadyToStartContainers" and condition.status == "False":
            has_run = any(s.container_id for s in pod.status.container_statuses or ())
            return 0 if has_run else epoch_us(condition.last_transition_time)
    return 0


def _down(seen: Seen, pod: Pod, container: str, since_us: int, why: str) -> Alert:
    name = short_name(seen.workload_of(pod), container)
    what = f"Container {container} of pod" if container else "Pod"
    return pod_alert(
        seen,
        pod,
        rule=Rule.NOT_READY,
        container=container,
        severity=SEVERITY_DOWN,
        title=f"{name} cannot start: {why}",
        message=(
            f"{what} {pod.metadata.name} has not started since {clock_time(since_us)} "
            f"({duration(seen.now_us - since_us)}): {why}."
        ),
        starts_us=since_us,
    )


def _unready_since_us(view: ContainerView) -> int | None:
    """None where it is ready or not running. The pod's condition has the time; a container that
    started later has been unready since its start."""
    running = view.status.state.running if view.status.state else None
    if running is None or view.status.ready:
        return None
    return max(epoch_us(running.started_at), _unready_condition_us(view.pod))


def _unready_condition_us(pod: Pod) -> int:
    for condition in pod.status.conditions or ():
        if condition.type == "Ready" and condition.status == "False":
            return epoch_us(condition.last_transition_time)
    return 0


def _budget_s(view: ContainerView) -> int:
    readiness = view.spec.readiness_probe if view.spec else None
    startup = view.spec.startup_probe if view.spec else None
    budget = max(LEAST_BUDGET_S, _allowed_s(readiness)) + SLACK_S
    return budget + _allowed_s(startup) if not view.status.started else budget


def _allowed_s(probe: Probe | None) -> int:
    """Seconds that a probe may fail before it counts, with the API's defaults."""
    if probe is None:
        return 0
    period = probe.period_seconds if probe.period_seconds is not None else 10
    threshold = probe.failure_threshold if probe.failure_threshold is not None else 3
    return (probe.initial_delay_seconds or 0) + period * threshold


def _alert(seen: Seen, view: ContainerView, since_us: int, budget_us: int) -> Alert:
    container = view.status.name
    probe = view.spec.readiness_probe if view.spec else None
    return pod_alert(
        seen,
        view.pod,
        rule=Rule.NOT_READY,
        container=container,
        severity=SEVERITY,
        title=f"{short_name(seen.workload_of(view.pod), container)} is running but not ready",
        message=(
            f"Container {container} of pod {view.pod.metadata.name} has not been ready since "
            f"{clock_time(since_us)} ({duration(seen.now_us - since_us)}); its probes allow "
            f"{duration(budget_us)}. {_probe_text(probe)}"
        ),
        starts_us=since_us,
    )


def _probe_text(probe: Probe | None) -> str:
    if probe is None:
        return "It has no readiness probe."
    if probe.http_get:
        path, port = clip(probe.http_get.path, 120), clip(str(probe.http_get.port), 20)
        return f"Readiness probe: GET {path} on port {port}."
    if probe.tcp_socket:
        return f"Readiness probe: TCP port {clip(str(probe.tcp_socket.port), 20)}."
    command = " ".join(probe.exec.command or ()) if probe.exec else ""
    return f"Readiness probe: exec {clip(command, 120)}."
