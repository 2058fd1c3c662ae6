"""An application logs a new error, or a known one far more often than before.

Counts of one template are taken together over the pods of an application, so a rollout (new pods,
same errors as ever) is no burst.

Where it was not logged just before, its application may have been away, and log it whenever it
runs: then it is held against what it logs usually.

Quiet: below five lines in the window, below severity ERROR, less than ten times what it was; what
is logged by a container that is not ready yet and that its probes still let start; and by an init
container: it waits, or fails, by rules of its own, and once it is done its errors are over. And
what is logged where the co-pilot itself runs: an incident about our own noise would be noise. That
a pod of ours crashes, is not ready or is killed is seen by its state, as with any other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from copilot.detect.placing import (
    SECOND_US,
    clip,
    duration,
    fingerprint_of,
    init_containers,
    main_containers,
    pod_named,
    workload_named,
)
from copilot.detect.probing import is_sidecar, is_starting
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.event import Severity, Stream, TemplateActivity
from copilot.domain.objects import ObjectRef, epoch_us

SEVERITY = 3
WINDOW_US = 120 * SECOND_US
"""The window that `Seen.activity` has to be asked for with."""
LEAST_LINES = 5
FACTOR = 10
USUAL_FROM_US = 24 * 3600 * SECOND_US
"""How far back is looked for what is usual."""
USUAL_WINDOWS = 30
"""An hour's worth: what was logged for less was trouble, and is no measure."""


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each error template and workload that is new or bursting."""
    together: dict[tuple[ObjectRef, str, str], list[TemplateActivity]] = defaultdict(list)
    for activity in seen.activity:
        stream = activity.stream
        if stream.namespace in seen.own_namespaces:
            continue
        if activity.severity >= Severity.ERROR and not _is_of_a_start(seen, stream):
            place = (_workload(seen, stream), stream.container, activity.pattern)
            together[place].append(activity)
    for (workload, container, pattern), parts in together.items():
        recent = sum(a.recent_count for a in parts)
        earlier = max(sum(a.earlier_count for a in parts), *(a.usual_count for a in parts))
        first_us = min(a.first_us for a in parts)
        is_new = earlier == 0 and first_us >= seen.now_us - WINDOW_US
        if recent >= LEAST_LINES and (is_new or recent >= FACTOR * max(1, earlier)):
            yield _alert(seen, workload, container, pattern, parts, is_new=is_new)


def usual_of(history: Sequence[int]) -> int:
    """What is usual, from the counts of the windows in which it was logged; 0 for nothing is."""
    return round(median(history)) if len(history) >= USUAL_WINDOWS else 0


def _is_of_a_start(seen: Seen, stream: Stream) -> bool:
    pod = pod_named(seen, stream.namespace, stream.pod) if stream.pod else None
    if pod is None:
        return False
    starts = (v for v in init_containers(pod) if v.status.name == stream.container)
    if any(not is_sidecar(view) for view in starts):
        return True
    mains = (v for v in main_containers(pod) if v.status.name == stream.container)
    return any(is_starting(view, seen.now_us) for view in mains)


def _alert(
    seen: Seen,
    workload: ObjectRef,
    container: str,
    pattern: str,
    parts: Sequence[TemplateActivity],
    *,
    is_new: bool,
) -> Alert:
    recent = sum(a.recent_count for a in parts)
    busiest = max(parts, key=lambda a: a.recent_count).stream
    what = "a new error" if is_new else "an error in a burst"
    before = "never seen before" if is_new else _before(parts)
    return Alert(
        fingerprint=fingerprint_of(
            cluster=seen.cluster,
            rule=Rule.ERROR_BURST,
            workload=workload,
            container=container,
            detail=pattern,
        ),
        rule=Rule.ERROR_BURST,
        cluster=seen.cluster,
        workload=workload,
        pod=busiest.pod,
        container=container,
        node=busiest.node,
        severity=SEVERITY,
        title=f"{workload.name} logs {what}: {clip(pattern, 100)}",
        message=(
            f"{recent} lines in {duration(WINDOW_US)} ({before}), "
            f"in {len({a.stream.pod for a in parts})} pods: {clip(pattern)}"
        ),
        starts_us=_starts_us(seen, parts, is_new=is_new),
        last_us=seen.now_us,
        count=recent,
        source="logs",
    )


def _before(parts: Sequence[TemplateActivity]) -> str:
    earlier, usual = sum(a.earlier_count for a in parts), max(a.usual_count for a in parts)
    if usual > earlier:
        return f"usually {usual}"
    return f"{earlier} in the {duration(WINDOW_US)} before"


def _starts_us(seen: Seen, parts: Sequence[TemplateActivity], *, is_new: bool) -> int:
    """A template may have been seen elsewhere first; here it cannot be older than its pods."""
    first_us = min(a.first_us for a in parts) if is_new else seen.now_us - WINDOW_US
    pods = [pod_named(seen, a.stream.namespace, a.stream.pod) for a in parts]
    born_us = min((epoch_us(p.metadata.creation_timestamp) if p else 0) for p in pods)
    return max(first_us, born_us)


def _workload(seen: Seen, stream: Stream) -> ObjectRef:
    """By the pod, else by the application's name; what no cluster object stands for is an `App`."""
    pod = pod_named(seen, stream.namespace, stream.pod) if stream.pod else None
    if pod is not None:
        return seen.workload_of(pod)
    known = workload_named(seen, stream.namespace, stream.app) if stream.app else None
    name = stream.app or stream.pod or "unknown"
    return known or ObjectRef(kind="App", namespace=stream.namespace, name=name)
