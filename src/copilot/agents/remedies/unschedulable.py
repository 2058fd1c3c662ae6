"""Pods that no node takes: back to before, or the one wish less that keeps them out. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.templates import template_of
from copilot.agents.rollback import roll_back
from copilot.causes.citing import object_key
from copilot.causes.failures import containers_of, is_failing, is_gone, quantity_of
from copilot.causes.nearness import nearest
from copilot.causes.placement import is_wanted, repelling
from copilot.causes.quota_exceeded import amount_of
from copilot.causes.references import workload_ref
from copilot.causes.unschedulable import requested
from copilot.causes.wording import one_line
from copilot.domain.action import (
    AddToleration,
    AffinityKind,
    Entries,
    PreferAffinity,
    Scale,
    SetCordon,
    SetNodeSelector,
    SetResources,
)
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import Container, Node, ObjectRef, PodSpec
from copilot.domain.proposal import Draft
from copilot.domain.quantity import format_bytes

MI = 2**20
NODE_SHARE = 0.5
"""A request that no node can meet is lowered to this share of what is free: pods of other
namespaces are not all seen, and what comes next needs room as well."""
_OWN_TAINTS = ("node.kubernetes.io/", "node-role.kubernetes.io/")
"""Kubernetes' own: a node in trouble, or one that is kept for the control plane."""
_AFFINITIES = {
    "node_affinity": AffinityKind.NODE,
    "pod_affinity": AffinityKind.POD,
    "pod_anti_affinity": AffinityKind.ANTI,
}
_SAYS = {
    AffinityKind.NODE: "it then runs on another node than was asked for, if there is no such one",
    AffinityKind.POD: "it then may run away from the pods it wants to be near",
    AffinityKind.ANTI: "two of them may then share a node, and go down with it together",
}


def unschedulable(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """The node let in again where it was cordoned; else back, then by the way of it, then fewer."""
    if hypothesis.detail == "cordon":
        yield from _uncordoned(case, hypothesis)
    yield from roll_back(case, hypothesis)
    spec = template_of(case)
    fewer = tuple(_fewer(case, hypothesis))
    if hypothesis.detail == "pod_anti_affinity":
        # A pod that runs by the old rule keeps the new ones off, whatever they prefer.
        yield from fewer
    if spec is not None:
        yield from _by_way(case, hypothesis, spec)
    yield from fewer


def _by_way(case: Case, hypothesis: Hypothesis, spec: PodSpec) -> Iterator[Draft | str]:
    match hypothesis.detail:
        case "node_selector":
            yield from _selector(case, hypothesis, spec)
        case "taint":
            yield from _tolerated(case, hypothesis, spec)
        case "memory_capacity":
            yield from _smaller(case, hypothesis, spec, "memory")
        case "cpu_capacity":
            yield from _smaller(case, hypothesis, spec, "cpu")
        case "node_affinity" | "pod_affinity" | "pod_anti_affinity":
            kind = _AFFINITIES[hypothesis.detail]
            yield drafted(
                case,
                PreferAffinity(target=workload_ref(case), affinity=kind),
                title=f"Make the {kind} of {workload_ref(case).name} a preference",
                why=f"No node meets it. As a preference it is kept where it can be; {_SAYS[kind]}.",
                hypothesis=hypothesis,
            )
        case "topology_spread":
            yield "how its pods should be spread, or a label on the nodes, is for people"
        case _:
            return


def _uncordoned(case: Case, hypothesis: Hypothesis) -> Iterator[Draft]:
    spec = template_of(case) or next((p.spec for p in case.pods if not p.spec.node_name), None)
    cordoned = [
        n for n in case.nodes if n.spec.unschedulable and (spec is None or is_wanted(n, spec))
    ]
    for node in cordoned[:1]:
        meta = node.metadata
        yield drafted(
            case,
            SetCordon(
                target=ObjectRef(kind="Node", namespace="", name=meta.name, uid=meta.uid),
                is_cordoned=False,
            ),
            title=f"Let new pods on node {meta.name} again",
            why=(
                "It was cordoned, and no other node takes these pods. If it is being drained or "
                "mended, ask who does that before approving."
            ),
            hypothesis=hypothesis,
            keys=(object_key(meta),),
        )


def _selector(case: Case, hypothesis: Hypothesis, spec: PodSpec) -> Iterator[Draft]:
    """Each label that no node has: over to the value that is there, else given up."""
    entries: list[tuple[str, str | None]] = []
    for key, value in sorted((spec.node_selector or {}).items()):
        have = {(n.metadata.labels or {}).get(key) for n in case.nodes} - {None}
        if value in have:
            continue
        near = nearest(value, [h for h in have if h])
        entries.append((key, near or None))
    if not entries:
        return
    words = ", ".join(f"{k}={v}" if v else f"{k} given up" for k, v in entries)
    why = "No node has what it asks for."
    if any(v is None for _, v in entries):
        why += " Without it any node may take it: see that it needs nothing of that one."
    yield drafted(
        case,
        SetNodeSelector(target=workload_ref(case), entries=tuple(entries)),
        title=f"Change the node selector of {workload_ref(case).name}: {one_line(words, 80)}",
        why=why,
        hypothesis=hypothesis,
    )


def _tolerated(case: Case, hypothesis: Hypothesis, spec: PodSpec) -> Iterator[Draft | str]:
    wanted = [n for n in case.nodes if is_wanted(n, spec)]
    for node in wanted:
        taints = repelling(node, spec)
        if len(taints) != 1 or node.spec.unschedulable:
            continue
        taint = taints[0]
        if taint.key.startswith(_OWN_TAINTS):
            continue
        named = f"{taint.key}={taint.value}" if taint.value else taint.key
        yield drafted(
            case,
            AddToleration(
                target=workload_ref(case), key=taint.key, value=taint.value, effect=taint.effect
            ),
            title=f"Let {workload_ref(case).name} onto nodes with the taint {one_line(named, 60)}",
            why=(
                f"Node {node.metadata.name} keeps off what does not say that it may run there. It "
                "was set apart on purpose: whoever did that should agree."
            ),
            hypothesis=hypothesis,
            keys=(object_key(node.metadata),),
        )
        return
    yield "the taints are Kubernetes' own, of nodes in trouble or kept for the control plane"


def _smaller(
    case: Case, hypothesis: Hypothesis, spec: PodSpec, resource: str
) -> Iterator[Draft | str]:
    """Where it asks for more than any node has, half of the largest; else others must give way."""
    takers = [
        n
        for n in case.nodes
        if is_wanted(n, spec) and not n.spec.unschedulable and not repelling(n, spec)
    ]
    most = max((_room(n, resource) for n in takers), default=0)
    if not most or requested(spec, resource) <= most:
        yield f"a node would be large enough for its {resource}, and others have taken that"
        return
    container = max(containers_of(spec), key=lambda c: _asked(c, resource))
    others = requested(spec, resource) - _asked(container, resource)
    free = max(_room(n, resource) - _taken(case, n, resource) for n in takers)
    amount = int(free * NODE_SHARE) - others
    if amount <= 0:
        yield f"what runs there leaves no node with enough {resource} for its other containers"
        return
    after = _quantity(amount, resource)
    entry: Entries = ((resource, after),)
    yield drafted(
        case,
        SetResources(
            target=workload_ref(case),
            container=container.name,
            requests=entry,
            limits=_limit(container, resource, amount, entry),
        ),
        title=f"Ask for {after} of {resource} for {container.name}, which a node has",
        why=(
            "It asks for more than any node has in all, so it can never run. This is half of what "
            "the pods that are seen leave free on a node; what it needs is for its measured use to "
            "tell."
        ),
        hypothesis=hypothesis,
        keys=tuple(object_key(n.metadata) for n in case.nodes[:1]),
        is_stopgap=True,
    )


def _room(node: Node, resource: str) -> int:
    allocatable = node.status.allocatable
    if resource == "memory":
        return quantity_of(allocatable, resource) or 0
    return amount_of(resource, (allocatable or {}).get(resource, "0"))


def _taken(case: Case, node: Node, resource: str) -> int:
    """What the pods that are seen on a node ask for."""
    seen = {p.metadata.uid: p for p in (*case.pods, *case.surroundings.pods)}.values()
    there = [p for p in seen if p.spec.node_name == node.metadata.name and not is_gone(p)]
    return sum(requested(p.spec, resource) for p in there)


def _asked(container: Container, resource: str) -> int:
    one = PodSpec(containers=[container])
    return requested(one, resource)


def _limit(container: Container, resource: str, amount: int, entry: Entries) -> Entries:
    """A limit that stands in for the request, or lies beyond every node, goes down with it."""
    resources = container.resources
    limit = ((resources.limits if resources else None) or {}).get(resource)
    request = ((resources.requests if resources else None) or {}).get(resource)
    if limit is None:
        return ()
    return (
        entry if request is None or request == limit or amount_of(resource, limit) < amount else ()
    )


def _quantity(amount: int, resource: str) -> str:
    if resource == "memory":
        return format_bytes(max(1, amount // MI) * MI)
    return f"{amount}m" if amount % 1000 else str(amount // 1000)


def _fewer(case: Case, hypothesis: Hypothesis) -> Iterator[Draft]:
    """As many replicas as have found a place: the rest then stops waiting for one."""
    workload, target = case.workload, workload_ref(case)
    if workload is None or target.kind not in ("Deployment", "StatefulSet"):
        return
    wanted = 1 if workload.spec.replicas is None else workload.spec.replicas
    placed = [
        p for p in case.pods if p.spec.node_name and not is_gone(p) and not is_failing(case, p)
    ]
    if not 0 < len(placed) < wanted:
        return
    yield drafted(
        case,
        Scale(target=target, replicas=len(placed)),
        title=f"Scale {target.name} to the {len(placed)} that fit",
        why=f"{len(placed)} of {wanted} pods have found a node; this ends the waiting only.",
        hypothesis=hypothesis,
        keys=tuple(object_key(p.metadata) for p in placed[:3]),
        is_stopgap=True,
    )
