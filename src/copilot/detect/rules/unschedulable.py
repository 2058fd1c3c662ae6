"""The scheduler finds no node for a pod.

Quiet: for the first three seconds (a node may be joining, a pod leaving), for a minute where pods of
lower priority are being moved out of its way, one of its own workload is leaving, its volume is
being made or a node is not ready yet, for five minutes where an autoscaler makes a node for it, pods held back on purpose
(`SchedulingGated`), a pod being deleted.
"""

from __future__ import annotations

from collections.abc import Iterator

from copilot.detect.placing import (
    SECOND_US,
    clip,
    duration,
    last_events,
    live_pods,
    place_of,
    pod_alert,
)
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import Condition, Pod, epoch_us
from copilot.domain.scheduling import in_words, obstacles_in

SEVERITY = 2
PATIENCE_US = 3 * SECOND_US
UNDER_WAY_US = 60 * SECOND_US
NEW_NODE_US = 300 * SECOND_US
_UNDER_WAY = (
    "unbound immediate PersistentVolumeClaims",
    "node.kubernetes.io/not-ready",
    "node.cloudprovider.kubernetes.io/uninitialized",
    "agent-not-ready",
)
"""What the scheduler says of volumes that are being made, and of nodes that are joining."""


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each workload with a pod that has found no node for a while."""
    leaving = {seen.workload_of(p) for p in seen.pods if p.metadata.deletion_timestamp}
    nodes = last_events(seen, "TriggeredScaleUp", "Nominated")
    for pod in live_pods(seen):
        condition = _refusal(pod)
        if condition is None:
            continue
        since_us = epoch_us(condition.last_transition_time or pod.metadata.creation_timestamp)
        waited_us = seen.now_us - since_us
        node = nodes.get(place_of("Pod", pod.metadata))
        if node is not None and node.involved_object.uid == pod.metadata.uid:
            patience_us = NEW_NODE_US
        elif _is_under_way(pod, condition) or seen.workload_of(pod) in leaving:
            patience_us = UNDER_WAY_US
        else:
            patience_us = PATIENCE_US
        if waited_us <= patience_us:
            continue
        why = clip(condition.message or "no reason given")
        yield pod_alert(
            seen,
            pod,
            rule=Rule.UNSCHEDULABLE,
            container="",
            severity=SEVERITY,
            title=f"{seen.workload_of(pod).name} finds no node: {_short(why)}",
            message=f"Pod {pod.metadata.name} has waited {duration(waited_us)} for a node: {why}",
            starts_us=since_us,
        )


def _refusal(pod: Pod) -> Condition | None:
    return next(
        (
            c
            for c in pod.status.conditions or ()
            if c.type == "PodScheduled" and c.status == "False" and c.reason == "Unschedulable"
        ),
        None,
    )


def _is_under_way(pod: Pod, condition: Condition) -> bool:
    """Whether somebody is already making room for it, as far as can be seen. A claim that stays
    unbound, and a node that stays unready, have rules of their own."""
    message = condition.message or ""
    return bool(pod.status.nominated_node_name) or any(words in message for words in _UNDER_WAY)


def _short(why: str) -> str:
    """The scheduler's reasons without its afterthoughts."""
    return clip(in_words(obstacles_in(why)) or why, 120)
