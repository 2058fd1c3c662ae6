"""How long its probes let a container be unready, and which of their answers waiting will not
change."""

from __future__ import annotations

import re
from collections.abc import Mapping

from copilot.detect.placing import SECOND_US, ContainerView, first_us, main_containers
from copilot.domain.alert import Seen
from copilot.domain.objects import KubeEvent, Pod, Probe, epoch_us

LEAST_BUDGET_S = 30
SLACK_S = 10
ANSWERED_S = 10
"""At least; a server may be there before its pages are."""
NOWHERE_S = 15
"""At least, that a port is refused which the container does not declare beside others."""
BLINK_US = 2 * SECOND_US
"""The API's times are whole seconds, and a start shows in two places."""

_FINAL = re.compile(
    r"statuscode: (?:40[0134-7]|41[0-8])\b"
    r"|server gave HTTP response to HTTPS client|malformed HTTP response"
    r'|OCI runtime exec failed|exec: "[^"]*": (?:stat |executable file not found)'
)
"""Answers of somebody who is there and will say the same next time (408, 425, 429 may change), and
a program that the image does not have."""
_REFUSED = re.compile(r"connect: connection refused\Z")

Answers = Mapping[tuple[str, str], KubeEvent]
"""The newest that a readiness probe got, by uid of the pod and container, empty for any of them."""


def answers(seen: Seen) -> Answers:
    """What the readiness probes got of late."""
    found: dict[tuple[str, str], KubeEvent] = {}
    for event in seen.events:
        if event.reason == "Unhealthy" and event.message.startswith("Readiness probe "):
            about = event.involved_object
            key = (about.uid, about.field_path.partition("{")[2].rstrip("}"))
            if key not in found or epoch_us(found[key].occurred) <= epoch_us(event.occurred):
                found[key] = event
    return found


def answer_to(view: ContainerView, told: Answers) -> KubeEvent | None:
    """What this run's readiness probe got last."""
    uid = view.pod.metadata.uid
    answer = told.get((uid, view.status.name)) or told.get((uid, ""))
    is_of_this_run = answer is not None and epoch_us(answer.occurred) >= running_since_us(view)
    return answer if is_of_this_run else None


def is_final(view: ContainerView, answer: KubeEvent | None) -> bool:
    """Whether waiting will not change this answer. While a startup probe is pending nothing asks."""
    if answer is None or not view.status.started:
        return False
    return _FINAL.search(answer.message) is not None or _is_nowhere(view, answer)


def due_us(view: ContainerView, since_us: int, answer: KubeEvent | None) -> int:
    """By when a container that has been unready since then should be ready."""
    allowed_s = _allowed_s(view.spec.readiness_probe if view.spec else None)
    budget_us = (max(LEAST_BUDGET_S, allowed_s) + SLACK_S) * SECOND_US
    if answer is not None and is_final(view, answer):
        if _is_nowhere(view, answer):
            # Restarts by a liveness probe that asks the same port begin nothing anew.
            since_us = max(first_us(answer), unready_condition_us(view.pod))
            return since_us + max(NOWHERE_S, allowed_s) * SECOND_US
        budget_us = max(ANSWERED_S, allowed_s) * SECOND_US
    startup_us = _startup_us(view)
    if not startup_us or _has_been_ready(view):
        return since_us + budget_us
    if not view.status.started:
        return since_us + startup_us + budget_us
    # When the startup probe passed is not said: before the other was first asked, in time at least.
    asked_us = first_us(answer) if answer else 0
    started_us = running_since_us(view)
    judged_us = asked_us if asked_us >= started_us else started_us + startup_us
    return max(since_us, judged_us) + budget_us


def pod_due_us(pod: Pod, since_us: int) -> int:
    """By when the last container of a pod that has been unready since then should be ready."""
    dues = [due_us(view, since_us, None) for view in main_containers(pod)]
    return max(dues, default=since_us + (LEAST_BUDGET_S + SLACK_S) * SECOND_US)


def is_starting(view: ContainerView, now_us: int) -> bool:
    """Whether it has not been ready in this run, and its own probes still allow that."""
    since_us = running_since_us(view)
    if not since_us or view.status.ready or _has_been_ready(view):
        return False
    readiness_s = _allowed_s(view.spec.readiness_probe if view.spec else None)
    return now_us <= since_us + _startup_us(view) + readiness_s * SECOND_US


def is_sidecar(view: ContainerView) -> bool:
    """An init container that stays up beside the others instead of ending before them."""
    return view.spec is not None and view.spec.restart_policy == "Always"


def running_since_us(view: ContainerView) -> int:
    """0 where it does not run."""
    running = view.status.state.running if view.status.state else None
    return epoch_us(running.started_at) if running else 0


def unready_condition_us(pod: Pod) -> int:
    """Since when the pod has not been ready, 0 where it is."""
    for condition in pod.status.conditions or ():
        if condition.type == "Ready" and condition.status == "False":
            return epoch_us(condition.last_transition_time)
    return 0


def _has_been_ready(view: ContainerView) -> bool:
    """In this run: its pod ceased to be ready only after the run had begun."""
    lost_us = unready_condition_us(view.pod)
    return bool(view.status.started) and lost_us > running_since_us(view) + BLINK_US


def _is_nowhere(view: ContainerView, answer: KubeEvent) -> bool:
    """Whether a port refuses that no container of the pod declares, though this one declares some.

    What declares nothing has not said where it listens.
    """
    probe = view.spec.readiness_probe if view.spec else None
    asked = (probe.http_get or probe.tcp_socket or probe.grpc) if probe else None
    if view.spec is None or not view.spec.ports or asked is None:
        return False
    containers = (*(view.pod.spec.containers or ()), *(view.pod.spec.init_containers or ()))
    declared = {port.container_port for c in containers for port in c.ports or ()}
    is_declared = not isinstance(asked.port, int) or asked.port in declared
    return not is_declared and _REFUSED.search(answer.message.strip()) is not None


def _startup_us(view: ContainerView) -> int:
    return _allowed_s(view.spec.startup_probe if view.spec else None) * SECOND_US


def _allowed_s(probe: Probe | None) -> int:
    """Seconds that a probe may fail before it counts, with the API's defaults."""
    if probe is None:
        return 0
    period = probe.period_seconds if probe.period_seconds is not None else 10
    threshold = probe.failure_threshold if probe.failure_threshold is not None else 3
    return (probe.initial_delay_seconds or 0) + period * threshold
