"""A container is held back by its CPU limit, and it shows.

Throttling alone is how a limit works. It is trouble where the container was stopped in most of its
periods for a minute and, meanwhile, was not ready, was restarted by its liveness probe, or did not
answer a probe in time.

Quiet: throttling without any of these, these without throttling, a pod being deleted.
https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#how-pods-with-resource-limits-are-run
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from copilot.detect.placing import (
    SECOND_US,
    ContainerView,
    clip,
    live_pods,
    main_containers,
    pod_alert,
    short_name,
)
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import KubeEvent, epoch_us

SEVERITY = 3
MOST = 0.5
"""Of the periods in a minute."""
CONSEQUENCE_US = 120 * SECOND_US
_TOO_SLOW = re.compile(r"tim(?:ed )?[- ]?out|deadline exceeded|Timeout", re.IGNORECASE)
_OF_CONTAINER = re.compile(r"\{([^{}]+)\}")


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each container that its CPU limit keeps from working."""
    throttled = {
        (s.namespace, s.pod, s.container): s.throttled for s in seen.strains if s.throttled >= MOST
    }
    if not throttled:
        return
    probes: defaultdict[str, list[KubeEvent]] = defaultdict(list)
    for event in seen.events:
        is_late = seen.now_us - epoch_us(event.occurred) <= CONSEQUENCE_US
        if is_late and event.reason in ("Unhealthy", "Killing"):
            probes[event.involved_object.uid].append(event)
    for pod in live_pods(seen):
        views = list(main_containers(pod))
        place = (pod.metadata.namespace, pod.metadata.name)
        for view in views:
            # A container that lives for seconds is missed by its node's looks; its pod is not.
            whole = throttled.get((*place, "")) if len(views) == 1 else None
            share = throttled.get((*place, view.status.name), whole)
            if share is not None:
                consequence = _consequence(view, probes[pod.metadata.uid])
                if consequence:
                    yield _alert(seen, view, share, consequence)


def _consequence(view: ContainerView, events: Sequence[KubeEvent]) -> str:
    """What comes of it, empty for nothing that can be seen."""
    own = [e for e in events if _is_about(e, view.status.name)]
    if slow := next((e for e in own if _TOO_SLOW.search(e.message)), None):
        return f"its probe ran out of time: {clip(slow.message, 160)}"
    state = view.status.state
    has_run = view.status.restart_count or (state and state.running)
    return "it is not ready" if has_run and not view.status.ready else ""


def _is_about(event: KubeEvent, container: str) -> bool:
    named = _OF_CONTAINER.search(event.involved_object.field_path)
    return named is None or named[1] == container


def _alert(seen: Seen, view: ContainerView, share: float, consequence: str) -> Alert:
    container = view.status.name
    resources = view.spec.resources if view.spec else None
    limit = clip(((resources.limits if resources else None) or {}).get("cpu", ""), 20)
    own = f"limit {limit}" if limit else "no CPU limit of its own"
    return pod_alert(
        seen,
        view.pod,
        rule=Rule.CPU_THROTTLED,
        container=container,
        severity=SEVERITY,
        title=f"{short_name(seen.workload_of(view.pod), container)} is held back by its CPU limit "
        f"({share:.0%} of the time, {own})",
        message=(
            f"In the last minute container {container} of pod {view.pod.metadata.name} was "
            f"stopped in {share:.0%} of its CPU periods ({own}), and {consequence}."
        ),
        starts_us=seen.now_us,
        source="kubelet",
    )
