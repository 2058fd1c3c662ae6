"""A Service that no ready pod stands behind, or a named port of which none of its pods has.

Four ways to get there, each with what makes it certain:

- Its selector means no pod and no workload's template, though workloads are near that have some of
  its labels, or nearly the same: a selector or a label is wrong. Fires after five seconds where
  somebody wants the Service: it is called, or open to the outside, or worked a while ago, or a
  workload has its very name. (The idle half of a blue-green pair has its labels near, too.) Where
  all that is missing is a label that no template carries, a program of these pods may set it at run
  time, on the leader of a database say: it is given the time that they have to get ready, and a
  minute, as long as the selector was not changed just before. Where
  nothing is near, the Service may be ahead of its workload or left over from one; it fires after a
  minute, and only where something calls it.
- A port it names is named by none of its pods for five seconds. Nothing but a change mends that.
- Its pods are there and none is ready. That is a symptom: it is laid on their workload, and fires
  once the pods have had the time that `not_ready` gives each of them, and ten minutes to get there
  (a large image, an init container that migrates); what keeps them from it has rules of its own.
- Its workloads ask for no pods. Somebody wanted that, so it is trouble only where a running
  workload or an Ingress has its address in its spec, nothing scales the workload by itself, and it
  was this way for ten seconds (a restart by hand, down and up again).

Quiet: Services without a selector, headless ones that publish pods that are not ready, ones that
nothing calls and whose workload is gone or asks for no pods, and all of them until pods and
workloads were listed whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from copilot.detect.placing import (
    SECOND_US,
    alert_about,
    clip,
    clock_time,
    duration,
    live_pods,
)
from copilot.detect.probing import pod_due_us
from copilot.domain.alert import Alert, Backing, Rule, Seen
from copilot.domain.objects import ObjectRef, Pod, epoch_us

SEVERITY = 2
SEVERITY_DOWN = 3
"""Of one that was scaled down, or whose workload is gone."""
MISSED_US = 5 * SECOND_US
ORPHANED_US = 60 * SECOND_US
SCALED_US = 10 * SECOND_US
COMING_US = 600 * SECOND_US
OUTSIDE = frozenset({"LoadBalancer", "NodePort"})
_ON_THE_WAY = frozenset({"ContainerCreating", "PodInitializing"})
NEEDED = frozenset({"Pod", "Service", "Deployment", "StatefulSet", "DaemonSet"})


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each Service that cannot be reached."""
    if not seen.listed >= NEEDED:
        return
    pods: defaultdict[str, list[Pod]] = defaultdict(list)
    for pod in live_pods(seen):
        pods[pod.metadata.namespace].append(pod)
    for backing in seen.backings:
        if backing.service.metadata.deletion_timestamp is not None:
            continue
        if seen.now_us - backing.missing_since_us >= MISSED_US:
            for port in backing.missing_ports:
                yield _port_alert(seen, backing, port)
        if backing.empty_since_us:
            near = pods[backing.service.metadata.namespace]
            yield from _empty(seen, backing, near)


def _empty(seen: Seen, backing: Backing, pods: Sequence[Pod]) -> Iterator[Alert]:
    empty_us = seen.now_us - backing.empty_since_us
    called = f" It is called by {_list(backing.callers)}." if backing.callers else ""
    if backing.n_pods:
        if seen.now_us >= _ready_by_us(backing, pods):
            why = f"none of its {backing.n_pods} pods is ready"
            workload = backing.workloads[0] if backing.workloads else _itself(backing)
            yield _alert(seen, backing, workload, SEVERITY, why, called)
    elif backing.is_scaled_down:
        if empty_us >= SCALED_US and backing.callers and not backing.is_autoscaled:
            why = f"{_list(backing.workloads)} is scaled to 0"
            yield _alert(seen, backing, backing.workloads[0], SEVERITY_DOWN, why, called)
    elif backing.workloads:
        # Templates have its labels and their pods are not there yet: if they are refused, another
        # rule says so, and it is about this workload, too.
        if empty_us >= ORPHANED_US:
            why = f"{_list(backing.workloads)} has no pods"
            yield _alert(seen, backing, backing.workloads[0], SEVERITY, why, called)
    elif backing.near and _is_wanted(backing):
        if seen.now_us >= _selected_by_us(backing, pods):
            why = f"its selector {_selector(backing)} means no pod"
            near = f" Near are the labels of {_list(backing.near)}."
            if backing.run_time_labels:
                names = ", ".join(clip(name, 63) for name in backing.run_time_labels)
                near += f" No template carries {names}: what sets it at run time has not."
            yield _alert(seen, backing, _itself(backing), SEVERITY, why, near + called)
    elif empty_us >= ORPHANED_US and backing.callers:
        why = f"its selector {_selector(backing)} means no pod"
        yield _alert(seen, backing, _itself(backing), SEVERITY_DOWN, why, called)


def _is_wanted(backing: Backing) -> bool:
    """Whether anything shows that this Service is to lead somewhere now."""
    name, is_outside = backing.service.metadata.name, backing.service.spec.type in OUTSIDE
    is_namesake = any(ref.name == name for ref in backing.near)
    return bool(backing.callers) or is_outside or backing.was_ready or is_namesake


def _selected_by_us(backing: Backing, pods: Sequence[Pod]) -> int:
    """When its selector should mean a pod."""
    if not backing.run_time_labels:
        return backing.empty_since_us + MISSED_US
    by_us = _ready_by_us(backing, pods, without=backing.run_time_labels)
    return max(by_us, backing.empty_since_us + ORPHANED_US)


def _ready_by_us(backing: Backing, pods: Sequence[Pod], without: tuple[str, ...] = ()) -> int:
    """When the last of its pods should be ready; of those it would mean without these labels."""
    selector, since_us = backing.service.spec.selector or {}, backing.empty_since_us
    wanted = {pair for pair in selector.items() if pair[0] not in without}
    due = [_due_us(pod, since_us) for pod in pods if wanted <= (pod.metadata.labels or {}).items()]
    return max(due, default=since_us + ORPHANED_US)


def _due_us(pod: Pod, since_us: int) -> int:
    """By when a pod should be ready: from its start on, or from when it should have been there."""
    states = [s.state for s in pod.status.container_statuses or () if s.state]
    waits = {s.waiting.reason for s in states if s.waiting}
    if pod.status.phase == "Pending" and waits <= _ON_THE_WAY:
        return epoch_us(pod.metadata.creation_timestamp) + COMING_US
    restarts = sum(s.restart_count for s in pod.status.container_statuses or ())
    started = [epoch_us(s.running.started_at) for s in states if s.running and not restarts]
    return pod_due_us(pod, max(since_us, *started, 0))


def _port_alert(seen: Seen, backing: Backing, port: str) -> Alert:
    name, port = backing.service.metadata.name, clip(port, 63)
    since_us = backing.missing_since_us
    return alert_about(
        seen,
        _itself(backing),
        rule=Rule.NO_ENDPOINTS,
        severity=SEVERITY,
        title=f"Service {name} leads to port {port}, which none of its pods names",
        message=(
            f"No container of the {backing.n_pods} pods behind Service {name} "
            f"({_list(backing.workloads)}) has a port named {port}, so this port has no endpoints."
        ),
        starts_us=since_us,
        source="Service spec",
        detail=port,
    )


def _alert(
    seen: Seen, backing: Backing, workload: ObjectRef, severity: int, why: str, more: str
) -> Alert:
    name, since_us = backing.service.metadata.name, backing.empty_since_us
    return alert_about(
        seen,
        workload,
        rule=Rule.NO_ENDPOINTS,
        severity=severity,
        title=f"Service {name} has no endpoints: {why}",
        message=(
            f"No ready pod has stood behind Service {name} since {clock_time(since_us)} "
            f"({duration(seen.now_us - since_us)}): {why}.{more}"
        ),
        starts_us=since_us,
        source="Service status",
        detail=name,
    )


def _itself(backing: Backing) -> ObjectRef:
    meta = backing.service.metadata
    return ObjectRef(kind="Service", namespace=meta.namespace, name=meta.name, uid=meta.uid)


def _selector(backing: Backing) -> str:
    pairs = sorted((backing.service.spec.selector or {}).items())
    return clip(",".join(f"{key}={value}" for key, value in pairs), 120)


def _list(refs: tuple[ObjectRef, ...]) -> str:
    names = [f"{ref.kind} {ref.name}" for ref in refs[:3]]
    rest = f" and {len(refs) - 3} more" if len(refs) > 3 else ""
    return ", ".join(names) + rest
