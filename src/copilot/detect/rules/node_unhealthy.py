"""A node is not ready, or short of memory, disk or process ids, or without its network.

Quiet: a cordon, a node's first minute, ten seconds of a kubelet that starts anew, a node that does
not answer in the first two minutes after an outage of the API server (it could report to nobody),
and, where somebody cordoned the node before (maintenance, a planned reboot) or it is being taken away (by
an autoscaler), its first ten minutes.
https://kubernetes.io/docs/reference/node/node-status/#condition
"""

from __future__ import annotations

from collections.abc import Iterator

from copilot.detect.placing import SECOND_US, alert_about, clip, clock_time, duration
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import Condition, Node, ObjectRef, epoch_us

SEVERITY = 2
FRESH_US = 60 * SECOND_US
PATIENCE_US = 10 * SECOND_US
"""`Unknown` needs none: the control plane has waited 40 s before it says so. Unless it was down
itself: then it says so of every node, until each has reported again."""
REPORTS_AGAIN_US = 120 * SECOND_US
"""A kubelet reports only once its own watch, which backs off for up to a minute, shows it that it is
called `Unknown`."""
MAINTENANCE_US = 600 * SECOND_US

_TAKEN_AWAY = frozenset(
    {
        "ToBeDeletedByClusterAutoscaler",
        "karpenter.sh/disrupted",
        "karpenter.sh/disruption",
        "karpenter.sh/interruption",
    }
)
"""Keys of the taints by which autoscalers announce it."""

_IN_WORDS = {
    "MemoryPressure": "is short of memory",
    "DiskPressure": "is short of disk space",
    "PIDPressure": "is short of process ids",
    "NetworkUnavailable": "has no network",
}


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each thing that is wrong with a node."""
    for node in seen.nodes:
        if seen.now_us - epoch_us(node.metadata.creation_timestamp) < FRESH_US:
            continue
        for condition in node.status.conditions or ():
            since_us = epoch_us(condition.last_transition_time)
            waited_us = seen.now_us - since_us
            if condition.type == "Ready" and condition.status != "True":
                if condition.status == "Unknown" and _may_report_again(seen, since_us):
                    continue
                if waited_us >= _patience_us(node, condition):
                    yield _alert(seen, node, condition, since_us, _not_ready(condition))
            elif condition.type in _IN_WORDS and condition.status == "True":
                yield _alert(seen, node, condition, since_us, _IN_WORDS[condition.type])


def _may_report_again(seen: Seen, unknown_us: int) -> bool:
    """Whether it was given up because of the outage alone: who did not answer before does not now,
    and its incident is not over."""
    is_recent = seen.now_us - seen.nodes_regained_us < REPORTS_AGAIN_US
    return is_recent and unknown_us >= seen.nodes_regained_us - REPORTS_AGAIN_US


def _patience_us(node: Node, condition: Condition) -> int:
    is_taken = any(taint.key in _TAKEN_AWAY for taint in node.spec.taints or ())
    if node.spec.unschedulable or is_taken or node.metadata.deletion_timestamp is not None:
        return MAINTENANCE_US
    return 0 if condition.status == "Unknown" else PATIENCE_US


def _not_ready(condition: Condition) -> str:
    return "does not answer" if condition.status == "Unknown" else "is not ready"


def _alert(seen: Seen, node: Node, condition: Condition, since_us: int, what: str) -> Alert:
    meta = node.metadata
    why = clip(condition.message or condition.reason or "no reason given")
    return alert_about(
        seen,
        ObjectRef(kind="Node", namespace="", name=meta.name, uid=meta.uid),
        rule=Rule.NODE_UNHEALTHY,
        node=meta.name,
        severity=SEVERITY,
        title=f"Node {meta.name} {what}",
        message=(
            f"Since {clock_time(since_us)} ({duration(seen.now_us - since_us)}): "
            f"{condition.type} is {condition.status}, {clip(condition.reason or '', 60)}: {why}"
        ),
        starts_us=since_us,
        source="Node status",
        detail=condition.type,
    )
