"""Whether a node would take a pod, as far as specs tell: labels, taints, other pods, host ports."""

from __future__ import annotations

from copilot.domain.objects import Node, Pod, PodAffinity, PodSpec, Taint, Toleration
from copilot.domain.selectors import matches, meets

REPELS = ("NoSchedule", "NoExecute")


def is_wanted(node: Node, spec: PodSpec) -> bool:
    """Whether a node is one that the node selector and the required node affinity ask for."""
    labels = node.metadata.labels or {}
    return (spec.node_selector or {}).items() <= labels.items() and meets_affinity(node, spec)


def meets_affinity(node: Node, spec: PodSpec) -> bool:
    """Any term of the required node affinity will do; within a term all must hold."""
    affinity = spec.affinity.node_affinity if spec.affinity else None
    if affinity is None or affinity.required is None:
        return True
    labels = node.metadata.labels or {}
    fields = {"metadata.name": node.metadata.name}
    return any(
        all(meets(r, labels) for r in term.match_expressions or ())
        and all(meets(r, fields) for r in term.match_fields or ())
        for term in affinity.required.node_selector_terms or ()
    )


def repelling(node: Node, spec: PodSpec) -> tuple[Taint, ...]:
    """The node's taints that the pod does not tolerate."""
    return tuple(t for t in node.spec.taints or () if t.effect in REPELS and not tolerates(spec, t))


def tolerates(spec: PodSpec, taint: Taint) -> bool:
    return any(_covers(t, taint) for t in spec.tolerations or ())


def _covers(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect not in ("", taint.effect):
        return False
    if toleration.operator == "Exists":
        return toleration.key in ("", taint.key)
    return toleration.key == taint.key and toleration.value == taint.value


def is_repelled_by(homeless: Pod, placed: Pod) -> bool:
    """Whether a pod's own required anti-affinity speaks of another pod."""
    affinity = homeless.spec.affinity
    return _speaks_of(affinity.pod_anti_affinity if affinity else None, homeless, placed)


def _speaks_of(affinity: PodAffinity | None, pod: Pod, other: Pod) -> bool:
    return any(
        matches(term.label_selector, other.metadata.labels)
        and other.metadata.namespace in (term.namespaces or [pod.metadata.namespace])
        for term in (affinity.required if affinity else None) or ()
    )


def blocks(placed: Pod, homeless: Pod) -> bool:
    """Whether a pod keeps another off its node, by anti-affinity or by a host port."""
    return is_repelled_by(homeless, placed) or bool(
        host_ports(homeless.spec) & host_ports(placed.spec)
    )


def host_ports(spec: PodSpec) -> frozenset[tuple[int, str]]:
    """The ports a pod takes of its node, with their protocols."""
    return frozenset(
        (port.host_port, port.protocol)
        for container in spec.containers or ()
        for port in container.ports or ()
        if port.host_port
    )
