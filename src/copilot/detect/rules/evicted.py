"""A kubelet put a pod off its node, and its place is not filled, or it happens again.

Where the pod itself used more than it may (its own limit of ephemeral storage, the size of an
emptyDir) the next one will, too: that fires at once. Where the node was short of something, the
controller makes a new pod elsewhere, and that is how it should be: it fires where this has not
worked half a minute later, where it has happened twice, and for a pod that nothing makes again.

A StatefulSet removes an evicted pod at once and makes another of the same name: of the first only
the kubelet's event is left, and the other says whose it was.

Quiet: an eviction of more than ten minutes ago, one whose successor is ready.
https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from copilot.detect.placing import (
    RECENT_US,
    SECOND_US,
    all_containers,
    clip,
    clock_time,
    live_pods,
    pod_alert,
)
from copilot.detect.wellness import has
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import KubeEvent, ObjectRef, Pod, controller_of, epoch_us

SEVERITY = 3
PATIENCE_US = 30 * SECOND_US
OFTEN = 2
MANY = 100
REASON = "Evicted"
"""Of the pod's status, and of the kubelet's event."""
_ITS_OWN = re.compile(r"exceed(?:s|ed) (?:the|its) (?:total |local )?(?:[\w-]+ )*limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Eviction:
    pod: Pod
    """That was evicted, or has its name now."""
    uid: str
    """Of the evicted one."""
    at_us: int
    message: str


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each workload whose pods are evicted, by its newest one."""
    evicted: defaultdict[ObjectRef, dict[str, _Eviction]] = defaultdict(dict)
    lacking = {seen.top_of(c.kind, c.metadata) for c in seen.controllers}
    for found in (*_replaced(seen), *_left_behind(seen)):  # what the pod says is the better known
        if seen.now_us - found.at_us > RECENT_US:
            continue
        workload = seen.workload_of(found.pod)
        evicted[workload][found.uid] = found
        if found.uid != found.pod.metadata.uid and not _is_ready(found.pod):
            lacking.add(workload)
    for workload, evictions in evicted.items():
        last = max(evictions.values(), key=lambda e: e.at_us)
        is_waiting = seen.now_us - last.at_us < PATIENCE_US
        is_gone_for_good = controller_of(last.pod.metadata) is None
        is_unfilled = workload in lacking and not is_waiting
        goes_on = len(evictions) >= OFTEN and (workload in lacking or is_waiting)
        # Its own fault by the kubelet's words; once its successor is ready it has to show again.
        is_own_fault = workload in lacking and _ITS_OWN.search(last.message) is not None
        if is_gone_for_good or is_own_fault or is_unfilled or goes_on:
            yield _alert(seen, last, len(evictions))


def evicted_places(events: Iterable[KubeEvent]) -> set[tuple[str, str]]:
    """Namespace and name of the pods of which an event says that they were evicted, the latest."""
    told = [e for e in events if e.reason == REASON and e.involved_object.kind == "Pod"]
    latest = sorted(told, key=lambda e: epoch_us(e.occurred), reverse=True)[:MANY]
    return {(e.involved_object.namespace, e.involved_object.name) for e in latest}


def _left_behind(seen: Seen) -> Iterator[_Eviction]:
    for pod in live_pods(seen):
        if pod.status.phase == "Failed" and pod.status.reason == REASON:
            yield _Eviction(
                pod=pod,
                uid=pod.metadata.uid,
                at_us=_evicted_us(pod),
                message=pod.status.message,
            )


def _replaced(seen: Seen) -> Iterator[_Eviction]:
    """Of which only the event is left, and a controller's next pod of the same name."""
    named = {(p.metadata.namespace, p.metadata.name): p for p in live_pods(seen)}
    for event in seen.events:
        about = event.involved_object
        pod = named.get((about.namespace, about.name))
        if event.reason != REASON or pod is None or controller_of(pod.metadata) is None:
            continue
        if about.kind == "Pod" and about.uid != pod.metadata.uid:
            yield _Eviction(
                pod=pod, uid=about.uid, at_us=epoch_us(event.occurred), message=event.message
            )


def _is_ready(pod: Pod) -> bool:
    return has(pod.status.conditions, "Ready")


def _evicted_us(pod: Pod) -> int:
    """When the pod was seen to have failed; its containers' ends, where no condition says."""
    for condition in pod.status.conditions or ():
        if condition.type == "Ready" and condition.reason == "PodFailed":
            return epoch_us(condition.last_transition_time)
    ends = [v.status.state.terminated for v in all_containers(pod) if v.status.state]
    times = [epoch_us(end.finished_at) for end in ends if end]
    return max(times, default=epoch_us(pod.status.start_time or pod.metadata.creation_timestamp))


def _alert(seen: Seen, last: _Eviction, n_evictions: int) -> Alert:
    pod, why = last.pod, clip(last.message or "no reason given")
    name = seen.workload_of(pod).name
    return pod_alert(
        seen,
        pod,
        rule=Rule.EVICTED,
        container="",
        severity=SEVERITY,
        title=f"{name} was evicted: {clip(why, 140)}",
        message=(
            f"Pod {pod.metadata.name} was evicted at {clock_time(last.at_us)} "
            f"({n_evictions} in ten minutes): {why}"
        ),
        starts_us=last.at_us,
        count=n_evictions,
    )
