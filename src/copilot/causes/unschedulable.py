"""No node takes the pod: it asks for more than there is, or for a node that does not exist."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from copilot.causes.changed import changed
from copilot.causes.citing import backed, concluded, event_key, object_key, said
from copilot.causes.failures import (
    alerts_of,
    began_us,
    containers_of,
    events_about,
    is_gone,
    quantity_of,
)
from copilot.causes.placement import (
    host_ports,
    is_repelled_by,
    is_wanted,
    meets_affinity,
    repelling,
)
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import Part, just_before
from copilot.causes.wording import clock, one_line, time_before
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.errors import Invalid
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import (
    Condition,
    KubeEvent,
    Node,
    ObjectRef,
    Pod,
    PodSpec,
    epoch_us,
)
from copilot.domain.quantity import humanise_bytes, parse_millicores
from copilot.domain.scheduling import Obstacle, obstacles_in

SAID_BY_THE_SCHEDULER = 0.92
SHOWN_BY_THE_NODES = 0.97
BOUND_SINCE = 0.05


def unschedulable(case: Case) -> Hypothesis | None:
    """Supported by the scheduler's own words, surer where specs and nodes show the same.

    Refuted where the pod has found a node since.
    """
    homeless = [p for p in case.pods if not is_gone(p) and _is_pending(p)]
    if not homeless:
        return _bound_since(case)
    pending = backed(case, homeless, lambda p: object_key(p.metadata))[0]
    event = _last_failure(case, pending)
    message = event.message if event else _condition(pending).message or ""
    obstacles = obstacles_in(message)
    found = obstacles_shown(case, pending)
    shown = tuple(s for _, statements in found for s in statements)
    keys = (*((event_key(event),) if event else ()), object_key(pending.metadata))
    return concluded(
        Cause.UNSCHEDULABLE,
        title=_title(pending, obstacles, _detail(found, obstacles)),
        verdict=Verdict.SUPPORTED,
        confidence=SHOWN_BY_THE_NODES if shown else SAID_BY_THE_SCHEDULER,
        supporting=(
            *said(case, f"{pending.metadata.name} has no node: {_words(obstacles)}.", *keys),
            *shown,
            *_changed(case),
        ),
        next_check="" if shown else "Compare the pod's requests with what is free on each node.",
        subject=_subject(case, detail := _detail(found, obstacles)),
        detail=detail,
    )


_SIGNS = (
    (
        "volume",
        re.compile(r"PersistentVolumeClaim|persistent volume|volume node affinity", re.IGNORECASE),
    ),
    ("cordon", re.compile(r"were unschedulable")),
    ("taint", re.compile(r"untolerated taint|had taint")),
    ("host_port", re.compile(r"free ports for the requested pod ports")),
    ("pod_anti_affinity", re.compile(r"anti-affinity rules")),
    ("pod_affinity", re.compile(r"pod affinity rules")),
    ("topology_spread", re.compile(r"topology spread constraints")),
    ("node_affinity", re.compile(r"node affinity|node selector")),
    ("memory_capacity", re.compile(r"Insufficient memory")),
    ("cpu_capacity", re.compile(r"Insufficient cpu")),
    ("pods_capacity", re.compile(r"Too many pods")),
)
"""What the scheduler says about one node, and what it is about."""
_CORDON = "node.kubernetes.io/unschedulable"


def way_of(reason: str) -> str:
    """`Insufficient memory` is about `memory_capacity`; empty for what we do not know."""
    if _CORDON in reason:
        return "cordon"
    return next((way for way, sign in _SIGNS if sign.search(reason)), "")


def _detail(found: Sequence[_Shown], obstacles: tuple[Obstacle, ...]) -> str:
    """What specs show first, then what the scheduler says of most nodes."""
    if found:
        return found[0][0]
    most = max(obstacles, key=lambda o: o.nodes, default=None)
    return way_of(most.reason) if most else ""


def _subject(case: Case, detail: str) -> ObjectRef:
    """The workload that asks; the node where one is cordoned."""
    cordoned = [n for n in case.nodes if n.spec.unschedulable]
    if detail == "cordon" and len(cordoned) == 1:
        meta = cordoned[0].metadata
        return ObjectRef(kind="Node", namespace="", name=meta.name, uid=meta.uid)
    return workload_ref(case)


def _title(pod: Pod, obstacles: tuple[Obstacle, ...], detail: str) -> str:
    """With the obstacle that the specs show, else with the one of most nodes."""
    shown = [o for o in obstacles if detail and way_of(o.reason) == detail]
    most = max(shown or obstacles, key=lambda o: o.nodes, default=None)
    return f"No node can take {pod.metadata.name}" + (f": {most.plain}" if most else "")


def _words(obstacles: tuple[Obstacle, ...]) -> str:
    if not obstacles:
        return "the scheduler has not said why"
    return ", ".join(f"{o.nodes} × {o.reason}" if o.nodes else o.reason for o in obstacles)


def _is_pending(pod: Pod) -> bool:
    condition = _condition(pod)
    is_refused = condition.status == "False" and condition.reason != "SchedulingGated"
    return not pod.spec.node_name and is_refused


def _condition(pod: Pod) -> Condition:
    none = Condition(type="PodScheduled", status="Unknown")
    return next((c for c in pod.status.conditions or () if c.type == "PodScheduled"), none)


def _last_failure(case: Case, pod: Pod) -> KubeEvent | None:
    failures = events_about(case, "FailedScheduling")
    return next((e for e in failures if e.involved_object.uid == pod.metadata.uid), None)


_Shown = tuple[str, tuple[Statement, ...]]


def obstacles_shown(case: Case, pod: Pod) -> tuple[_Shown, ...]:
    """What the specs say when they are held against the nodes and the pods on them: each way with
    its sentences, the surest first."""
    if not case.nodes:
        return ()
    wanted = [n for n in case.nodes if is_wanted(n, pod.spec)]
    each = (
        ("memory_capacity", _too_large(case, pod, "memory")),
        ("cpu_capacity", _too_large(case, pod, "cpu")),
        ("node_selector", _no_such_label(case, pod)),
        ("node_affinity", _no_such_node(case, pod)),
        ("cordon", _cordoned(case, wanted)),
        ("taint", _tainted(case, pod, wanted)),
        ("pod_anti_affinity", _kept_apart(case, pod, wanted)),
        ("host_port", _port_taken(case, pod, wanted)),
        ("topology_spread", _not_spread(case, pod)),
    )
    return tuple((way, statements) for way, statements in each if statements)


def _too_large(case: Case, pod: Pod, resource: str) -> tuple[Statement, ...]:
    wanted = requested(pod.spec, resource)
    largest = max(case.nodes, key=lambda n: _amount(n.status.allocatable, resource))
    most = _amount(largest.status.allocatable, resource)
    if wanted <= most or not most:
        return ()
    words = humanise_bytes if resource == "memory" else _cores
    return said(
        case,
        f"It asks for {words(wanted)} of {resource}; the largest node, {largest.metadata.name}, "
        f"has {words(most)} in all. At most that would ever fit.",
        object_key(pod.metadata),
        object_key(largest.metadata),
    )


def requested(spec: PodSpec, resource: str) -> int:
    """What a pod asks for: bytes of memory or thousandths of a core, limits where no request is.

    Init containers run one after the other before the rest, so the largest of them counts.
    """
    each = {
        c.name: _amount(
            {
                **((c.resources.limits if c.resources else None) or {}),
                **((c.resources.requests if c.resources else None) or {}),
            },
            resource,
        )
        for c in containers_of(spec)
    }
    main = sum(each[c.name] for c in spec.containers or ())
    return max([main, *(each[c.name] for c in spec.init_containers or ())])


def _amount(amounts: dict[str, str] | None, resource: str) -> int:
    if resource == "memory":
        return quantity_of(amounts, resource) or 0
    try:
        return parse_millicores((amounts or {}).get(resource, "0"))
    except Invalid:
        return 0


def _cores(millicores: int) -> str:
    return f"{millicores / 1000:g} cores"


def _no_such_label(case: Case, pod: Pod) -> tuple[Statement, ...]:
    found: tuple[Statement, ...] = ()
    for key, value in sorted((pod.spec.node_selector or {}).items()):
        labels = [n.metadata.labels or {} for n in case.nodes]
        if any(have.get(key) == value for have in labels):
            continue
        others = sorted({have[key] for have in labels if key in have})
        there = f"; there are {', '.join(others[:5])}" if others else ""
        found += said(
            case,
            f"It wants a node labelled {key}={value}; no node is{there}.",
            object_key(pod.metadata),
            *_nodes(case.nodes),
        )
    return found


def _no_such_node(case: Case, pod: Pod) -> tuple[Statement, ...]:
    """Required node affinity that no node meets."""
    if any(meets_affinity(n, pod.spec) for n in case.nodes):
        return ()
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    terms = (
        affinity.required.node_selector_terms if affinity and affinity.required else None
    ) or ()
    asked = [r for term in terms for r in term.match_expressions or ()]
    words = "; or ".join(
        f"{r.key} {r.operator} {', '.join(r.values or ())}".strip() for r in asked[:3]
    )
    keys = {r.key for r in asked}
    there = sorted(
        {f"{k}={v}" for n in case.nodes for k, v in (n.metadata.labels or {}).items() if k in keys}
    )
    others = f"; there is {', '.join(there[:5])}" if there else ""
    return said(
        case,
        f"Its affinity requires a node with {one_line(words)}; no node is one{others}.",
        object_key(pod.metadata),
        *_nodes(case.nodes),
    )


def _tainted(case: Case, pod: Pod, wanted: Sequence[Node]) -> tuple[Statement, ...]:
    """Only where every node that it may go to repels it: otherwise another one would do."""
    repelled = {n.metadata.name: t for n in wanted for t in repelling(n, pod.spec)[:1]}
    if not wanted or len(repelled) < len(wanted):
        return ()
    taints = sorted({f"{t.key}={t.value}" if t.value else t.key for t in repelled.values()})
    which = "Every node" if len(wanted) == len(case.nodes) else "Every node it may go to"
    return said(
        case,
        f"{which} has a taint that it does not tolerate: {', '.join(taints[:5])}.",
        object_key(pod.metadata),
        *_nodes(wanted),
    )


def _cordoned(case: Case, wanted: Sequence[Node]) -> tuple[Statement, ...]:
    if not wanted or not all(n.spec.unschedulable for n in wanted):
        return ()
    if len(wanted) == len(case.nodes):
        text = "Every node is cordoned (kubectl cordon or drain)."
    else:
        names = ", ".join(n.metadata.name for n in wanted[:3])
        text = f"It may go to {names} only, and that is cordoned (kubectl cordon or drain)."
    return (
        *said(case, text, *_nodes(wanted)),
        *(s for n in wanted[:3] for s in changed(case, "Node", n.metadata.name)),
    )


def _kept_apart(case: Case, pod: Pod, wanted: Sequence[Node]) -> tuple[Statement, ...]:
    """Its own anti-affinity, and a pod of that kind on every node it may go to."""
    return _occupied(
        case,
        pod,
        wanted,
        is_repelled_by,
        "Its anti-affinity requires a node without {}, and every node it may go to has one",
    )


def _port_taken(case: Case, pod: Pod, wanted: Sequence[Node]) -> tuple[Statement, ...]:
    ports = ", ".join(str(port) for port, _ in sorted(host_ports(pod.spec)))
    return _occupied(
        case,
        pod,
        wanted,
        lambda homeless, placed: bool(host_ports(homeless.spec) & host_ports(placed.spec)),
        f"It takes port {ports} of its node, and {{}} has that on every node it may go to",
    )


def _occupied(
    case: Case,
    pod: Pod,
    wanted: Sequence[Node],
    is_against: Callable[[Pod, Pod], bool],
    words: str,
) -> tuple[Statement, ...]:
    there = [
        p
        for p in (*case.pods, *case.surroundings.pods)
        if p.spec.node_name and not is_gone(p) and is_against(pod, p)
    ]
    taken = {p.spec.node_name for p in there}
    free = [
        n
        for n in wanted
        if n.metadata.name not in taken and not n.spec.unschedulable and not repelling(n, pod.spec)
    ]
    if not there or not wanted or free:
        return ()
    return said(
        case,
        words.format(there[0].metadata.name) + ".",
        object_key(pod.metadata),
        *(object_key(p.metadata) for p in there[:3]),
    )


def _not_spread(case: Case, pod: Pod) -> tuple[Statement, ...]:
    """A spread that counts by a label that no node has: then no node counts."""
    labels = {key for n in case.nodes for key in n.metadata.labels or ()}
    missing = [
        c.topology_key
        for c in pod.spec.topology_spread_constraints or ()
        if c.when_unsatisfiable == "DoNotSchedule" and c.topology_key not in labels
    ]
    if not missing:
        return ()
    return said(
        case,
        f"It must be spread over nodes by the label {missing[0]}, which no node has.",
        object_key(pod.metadata),
        *_nodes(case.nodes),
    )


def _nodes(nodes: Iterable[Node]) -> list[str]:
    return [object_key(n.metadata) for n in nodes]


def _changed(case: Case) -> tuple[Statement, ...]:
    rollout = just_before(case, began_us(case))
    if rollout is None or Part.PLACE not in rollout.parts:
        return ()
    return said(
        case,
        f"{time_before(began_us(case) - rollout.at_us)}, its requests or placement were changed"
        f"{rollout.by}: {rollout.title}.",
        *rollout.keys,
    )


def _bound_since(case: Case) -> Hypothesis | None:
    """It waited for a node, and got one."""
    waited = {e.involved_object.uid: e for e in events_about(case, "FailedScheduling")}
    named = {a.pod for a in alerts_of(case, Rule.UNSCHEDULABLE)}
    for pod in case.pods:
        event = waited.get(pod.metadata.uid)
        if not pod.spec.node_name or (event is None and pod.metadata.name not in named):
            continue
        since = epoch_us(_condition(pod).last_transition_time)
        when = f" since {clock(since)}" if since else ""
        return concluded(
            Cause.UNSCHEDULABLE,
            title=f"No node can take {pod.metadata.name}",
            verdict=Verdict.REFUTED,
            confidence=BOUND_SINCE,
            against=said(
                case,
                f"{pod.metadata.name} runs on node {pod.spec.node_name}{when}.",
                object_key(pod.metadata),
                *((event_key(event),) if event else ()),
            ),
        )
    return None
