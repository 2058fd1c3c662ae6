"""A kubelet put a pod off its node, and its place is not filled, or it happens again.

Where the pod itself used more than it may (its own limit of ephemeral storage, the size of an
emptyDir) the next one will, too: that fires at once. Where the node was short of something, the
controller makes a new pod elsewhere, and that is how it should be: it fires where this has not
worked half a minute later, where it has happened twice, and for a pod that nothing makes again.

Quiet: an eviction of more than ten minutes ago, one whose successor is ready.
https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from copilot.detect.placing import (
    RECENT_US,
    SECOND_US,
    all_containers,
    clip,
    clock_time,
    live_pods,
    pod_alert,
)
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import ObjectRef, Pod, controller_of, epoch_us

SEVERITY = 3
PATIENCE_US = 30 * SECOND_US
OFTEN = 2
_ITS_OWN = re.compile(r"exceed(?:s|ed) (?:the|its) (?:total |local )?(?:[\w-]+ )*limit")


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each workload whose pods are evicted, by its newest one."""
    evicted: defaultdict[ObjectRef, list[Pod]] = defaultdict(list)
    for pod in live_pods(seen):
        is_late = seen.now_us - _evicted_us(pod) <= RECENT_US
        if pod.status.phase == "Failed" and pod.status.reason == "Evicted" and is_late:
            evicted[seen.workload_of(pod)].append(pod)
    lacking = {seen.top_of(c.kind, c.metadata) for c in seen.controllers}
    for workload, pods in evicted.items():
        last = max(pods, key=_evicted_us)
        is_waiting = seen.now_us - _evicted_us(last) < PATIENCE_US
        is_gone_for_good = controller_of(last.metadata) is None
        is_unfilled = workload in lacking and not is_waiting
        goes_on = len(pods) >= OFTEN and (workload in lacking or is_waiting)
        if is_gone_for_good or _is_own_fault(last, workload in lacking) or is_unfilled or goes_on:
            yield _alert(seen, last, len(pods))


def _is_own_fault(pod: Pod, is_lacking: bool) -> bool:
    """By the kubelet's words; once its successor is ready it has to show again."""
    return is_lacking and _ITS_OWN.search(pod.status.message) is not None


def _evicted_us(pod: Pod) -> int:
    """When the pod was seen to have failed; its containers' ends, where no condition says."""
    for condition in pod.status.conditions or ():
        if condition.type == "Ready" and condition.reason == "PodFailed":
            return epoch_us(condition.last_transition_time)
    ends = [v.status.state.terminated for v in all_containers(pod) if v.status.state]
    times = [epoch_us(end.finished_at) for end in ends if end]
    return max(times, default=epoch_us(pod.status.start_time or pod.metadata.creation_timestamp))


def _alert(seen: Seen, pod: Pod, n_pods: int) -> Alert:
    at_us = _evicted_us(pod)
    why = clip(pod.status.message or "no reason given")
    name = seen.workload_of(pod).name
    return pod_alert(
        seen,
        pod,
        rule=Rule.EVICTED,
        container="",
        severity=SEVERITY,
        title=f"{name} was evicted: {clip(why, 140)}",
        message=(
            f"Pod {pod.metadata.name} was evicted from {clip(pod.spec.node_name, 80)} at "
            f"{clock_time(at_us)} ({n_pods} in ten minutes): {why}"
        ),
        starts_us=at_us,
        count=n_pods,
    )
