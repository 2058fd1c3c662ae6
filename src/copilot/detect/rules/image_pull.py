"""A container cannot start because its image cannot be had.

Quiet: an image that is still being pulled, a pod being deleted.
"""

from __future__ import annotations

from collections.abc import Iterator

from copilot.causes.image_missing import PULL_REASONS
from copilot.detect.placing import all_containers, clip, live_pods, pod_alert, short_name
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import Pod, epoch_us

SEVERITY = 2


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each container that waits for an image it cannot get."""
    for pod in live_pods(seen):
        for view in all_containers(pod):
            state = view.status.state
            if not (state and state.waiting and state.waiting.reason in PULL_REASONS):
                continue
            image = clip((view.spec.image if view.spec else "") or view.status.image, 160)
            name = short_name(seen.workload_of(pod), view.status.name)
            yield pod_alert(
                seen,
                pod,
                rule=Rule.IMAGE_PULL,
                container=view.status.name,
                severity=SEVERITY,
                title=f"{name} cannot pull its image {image}",
                message=(
                    f"Pod {pod.metadata.name} waits with {state.waiting.reason} for image {image}. "
                    f"{clip(state.waiting.message, 800)}"
                ).rstrip(),
                starts_us=_waiting_since_us(pod),
            )


def _waiting_since_us(pod: Pod) -> int:
    """A waiting state has no time of its own: when the pod ceased to be ready, or began."""
    for condition in pod.status.conditions or ():
        if condition.type == "ContainersReady" and condition.last_transition_time:
            return epoch_us(condition.last_transition_time)
    return epoch_us(pod.status.start_time or pod.metadata.creation_timestamp)
