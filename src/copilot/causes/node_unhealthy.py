"""A node does not work as it should, and its pods go down with it."""

from __future__ import annotations

from copilot.causes.changed import changed
from copilot.causes.citing import concluded, event_key, object_key, said
from copilot.causes.failures import (
    alerts_of,
    began_us,
    events_about,
    failing_pods,
    is_gone,
    is_ready,
)
from copilot.causes.placement import is_wanted, repelling
from copilot.causes.wording import clock, one_line
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import Condition, Node, ObjectRef, epoch_us

ITS_OWN = 0.96
ALL_FAILING_ON_IT = 0.88
SOME_FAIL_ELSEWHERE = 0.4
WELL_SINCE = 0.05
NOTICED_US = 120 * 1_000_000
"""A node that stops is called so 40 s later, by default; what was on it may be missed before."""
OWN_TAINTS = "node.kubernetes.io/"
"""Of taints that Kubernetes itself puts on a node in trouble."""
DETAILS = {
    "Ready": "not_ready",
    "MemoryPressure": "memory_pressure",
    "DiskPressure": "disk_pressure",
    "PIDPressure": "pid_pressure",
    "NetworkUnavailable": "network_unavailable",
}


def node_unhealthy(case: Case) -> Hypothesis | None:
    """Supported where the incident is the node's, or where all pods that fail are on a node that
    went bad before they did; undecided where pods elsewhere fail as well.

    Refuted where the node is well again.
    """
    own = case.incident.workload
    is_own = own.kind == "Node" or bool(alerts_of(case, Rule.NODE_UNHEALTHY))
    for node in case.nodes:
        bad = troubles_of(node)
        if not bad or object_key(node.metadata) not in case.cited_as:
            continue
        condition = bad[0]
        failing = [p for p in failing_pods(case) if p.spec.node_name]
        elsewhere = [p for p in failing if p.spec.node_name != node.metadata.name]
        here = [p for p in failing if p not in elsewhere]
        kept_out = _kept_out(case, node)
        if not is_own and not kept_out and (not here or not _came_first(case, condition)):
            continue
        is_sure = is_own or bool(kept_out) or not elsewhere
        return concluded(
            Cause.NODE_UNHEALTHY,
            title=f"Node {node.metadata.name} {_word(condition)}",
            verdict=Verdict.SUPPORTED if is_sure else Verdict.INCONCLUSIVE,
            confidence=ITS_OWN if is_own else ALL_FAILING_ON_IT if is_sure else SOME_FAIL_ELSEWHERE,
            supporting=(
                *_told(case, node, condition),
                *_pods(case, node),
                *kept_out,
                *changed(case, "Node", node.metadata.name),
            ),
            next_check="Look at the kubelet and the machine itself.",
            subject=_ref(node),
            detail=DETAILS[condition.type],
        )
    return _well_since(case) if own.kind == "Node" else None


def troubles_of(node: Node) -> tuple[Condition, ...]:
    """Conditions that are not as they should be, not being ready first."""
    bad = [
        c
        for c in node.status.conditions or ()
        if c.type in DETAILS
        and (c.status == "True") == (c.type != "Ready")
        or (c.type == "Ready" and c.status == "Unknown")
    ]
    return tuple(sorted(bad, key=lambda c: list(DETAILS).index(c.type)))


def _kept_out(case: Case, node: Node) -> tuple[Statement, ...]:
    """A pod without a node that may go to this one only, which its trouble keeps it off."""
    for pod in failing_pods(case):
        if pod.spec.node_name or is_gone(pod):
            continue
        wanted = [n for n in case.nodes if is_wanted(n, pod.spec)]
        taints = [t.key for t in repelling(node, pod.spec) if t.key.startswith(OWN_TAINTS)]
        if wanted == [node] and taints:
            return said(
                case,
                f"{pod.metadata.name} may go to no other node, and the taint {taints[0]} that "
                "comes with it keeps it off.",
                object_key(pod.metadata),
                object_key(node.metadata),
            )
    return ()


def _came_first(case: Case, condition: Condition) -> bool:
    since = epoch_us(condition.last_transition_time)
    return not since or since <= began_us(case) + NOTICED_US


def _word(condition: Condition) -> str:
    if condition.type == "Ready":
        return "is not ready" if condition.status == "False" else "does not answer any more"
    return f"has {condition.type}"


def _told(case: Case, node: Node, condition: Condition) -> tuple[Statement, ...]:
    since = epoch_us(condition.last_transition_time)
    when = f" since {clock(since)}" if since else ""
    words = f": {one_line(condition.message, 200)}" if condition.message else ""
    about = [e for e in events_about(case, "NodeNotReady", "NodeNotSchedulable", "SystemOOM")]
    named = [e for e in about if e.involved_object.name == node.metadata.name]
    return said(
        case,
        f"Node {node.metadata.name} {_word(condition)}{when} ({condition.reason}){words}.",
        object_key(node.metadata),
        *(event_key(e) for e in named[:1]),
    )


def _pods(case: Case, node: Node) -> tuple[Statement, ...]:
    here = [p for p in case.pods if p.spec.node_name == node.metadata.name]
    unwell = [p for p in here if not is_ready(p) and p.status.phase != "Succeeded"]
    if not here:
        return ()
    return said(
        case,
        f"Of {len(here)} pods on it {len(unwell)} are not ready.",
        object_key(node.metadata),
        *(object_key(p.metadata) for p in unwell[:3]),
    )


def _well_since(case: Case) -> Hypothesis | None:
    own = case.incident.workload
    for node in case.nodes:
        if node.metadata.name == own.name and not troubles_of(node):
            return concluded(
                Cause.NODE_UNHEALTHY,
                title=f"Node {own.name} does not work as it should",
                verdict=Verdict.REFUTED,
                confidence=WELL_SINCE,
                against=said(
                    case, f"Node {own.name} is ready, under no pressure.", object_key(node.metadata)
                ),
                subject=_ref(node),
            )
    return None


def _ref(node: Node) -> ObjectRef:
    return ObjectRef(kind="Node", namespace="", name=node.metadata.name, uid=node.metadata.uid)
