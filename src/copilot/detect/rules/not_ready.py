"""A container runs but does not become, or stay, ready.

Its budget is what its own probe allows (`initialDelaySeconds + periodSeconds *
failureThreshold`), at least half a minute, plus ten seconds; until a startup probe has passed, the
budget of that probe comes on top.

Quiet: within the budget after a start, containers that do not run (they have rules of their own),
finished pods, a pod being deleted.
https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

from collections.abc import Iterator

from copilot.detect.placing import (
    SECOND_US,
    ContainerView,
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
LEAST_BUDGET_S = 30
SLACK_S = 10


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each container that has been up and unready for longer than its budget."""
    for pod in live_pods(seen):
        for view in main_containers(pod):
            since_us = _unready_since_us(view)
            budget_us = _budget_s(view) * SECOND_US
            if since_us is not None and seen.now_us - since_us > budget_us:
                yield _alert(seen, view, since_us, budget_us)


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
