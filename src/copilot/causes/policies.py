"""Whether network policies let a flow through, judged from their specs alone.

Three answers: it is let through, it is not, or the specs do not tell (labels of other namespaces
are not known, address blocks may have exceptions). Whether the network enforces policies at all is
not in any spec.
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from copilot.causes.listening import named_port
from copilot.domain.objects import LabelSelector, Pod, PodSpec
from copilot.domain.selectors import matches
from copilot.domain.surroundings import IpBlock, NetworkPeer, NetworkPolicy, NetworkPort

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""Every namespace carries its own name under it."""
DNS_PORT = 53


class Way(StrEnum):
    INGRESS = "ingress"
    EGRESS = "egress"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a flow: a pod, or what is known of one. `labels` None is unknown."""

    namespace: str
    labels: dict[str, str] | None
    spec: PodSpec | None = None
    ip: str = ""


OUTSIDE = ""
"""The namespace of what is no pod: only address blocks may let it through."""
KUBE_DNS = End(namespace="kube-system", labels={"k8s-app": "kube-dns"})
"""The cluster's name server, as every distribution labels it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """`is_allowed` None: the specs do not tell. `by` are the policies that apply and do not let it
    through, or may not."""

    is_allowed: bool | None
    way: Way | None
    by: tuple[NetworkPolicy, ...]


ALLOWED = Ruling(is_allowed=True, way=None, by=())


def end_of(pod: Pod) -> End:
    return End(
        namespace=pod.metadata.namespace,
        labels=pod.metadata.labels or {},
        spec=pod.spec,
        ip=pod.status.pod_ip,
    )


def ruling(
    policies: Iterable[NetworkPolicy],
    source: End,
    target: End,
    port: int | None,
    protocol: str = "TCP",
) -> Ruling:
    """Whether `source` may open a connection to `port` of `target`: its own policies must let it
    out and the target's must let it in. `port` None stands for one that is not known."""
    known = tuple(policies)
    rulings = (
        _one_way(known, Way.EGRESS, source, target, target, port, protocol),
        _one_way(known, Way.INGRESS, target, source, target, port, protocol),
    )
    denied = [r for r in rulings if r.is_allowed is False]
    unknown = [r for r in rulings if r.is_allowed is None]
    through = Ruling(is_allowed=True, way=None, by=tuple(p for r in rulings for p in r.by))
    return next(iter((*denied, *unknown)), through)


def dns_ruling(policies: Iterable[NetworkPolicy], source: End) -> Ruling:
    """Whether a pod may ask the cluster's name server, over UDP as resolvers do first."""
    return _one_way(tuple(policies), Way.EGRESS, source, KUBE_DNS, KUBE_DNS, DNS_PORT, "UDP")


def applies(policy: NetworkPolicy, way: Way, end: End) -> bool:
    """Whether a policy isolates this pod that way. To most networks a pod on its node's network is
    the node itself."""
    if end.spec is not None and end.spec.host_network:
        return False
    if policy.metadata.namespace != end.namespace or end.labels is None:
        return False
    return way in _ways(policy) and matches(policy.spec.pod_selector, end.labels)


def _ways(policy: NetworkPolicy) -> frozenset[Way]:
    """Without `policyTypes`, Ingress always and Egress where it has such rules."""
    given = policy.spec.policy_types
    if given:
        return frozenset(w for w in Way if w.value.capitalize() in given)
    return frozenset({Way.INGRESS, *((Way.EGRESS,) if policy.spec.egress else ())})


def _one_way(
    policies: tuple[NetworkPolicy, ...],
    way: Way,
    isolated: End,
    peer: End,
    target: End,
    port: int | None,
    protocol: str,
) -> Ruling:
    mine = tuple(p for p in policies if applies(p, way, isolated))
    if not mine:
        return ALLOWED
    answers = [
        _both(_any(_is_peer(p, each, peer) for each in peers), _fits(ports, target, port, protocol))
        if peers
        else _fits(ports, target, port, protocol)
        for p in mine
        for peers, ports in _rules(p, way)
    ]
    return Ruling(is_allowed=_any(answers), way=way, by=mine)


def _rules(
    policy: NetworkPolicy, way: Way
) -> list[tuple[list[NetworkPeer] | None, list[NetworkPort] | None]]:
    if way is Way.INGRESS:
        return [(rule.from_, rule.ports) for rule in policy.spec.ingress or ()]
    return [(rule.to, rule.ports) for rule in policy.spec.egress or ()]


def _is_peer(policy: NetworkPolicy, allowed: NetworkPeer, peer: End) -> bool | None:
    if allowed.ip_block is not None:
        return _in_block(allowed.ip_block, peer.ip)
    if peer.namespace == OUTSIDE:
        return False
    if allowed.namespace_selector is not None:
        place = _namespace_picked(allowed.namespace_selector, peer.namespace)
    else:
        place = peer.namespace == policy.metadata.namespace
    if allowed.pod_selector is None:
        return place
    if peer.labels is None:
        picked: bool | None = True if allowed.pod_selector == LabelSelector() else None
    else:
        picked = matches(allowed.pod_selector, peer.labels)
    return _both(place, picked)


def _namespace_picked(selector: LabelSelector, namespace: str) -> bool | None:
    """Of a namespace only its name is known."""
    if matches(selector, {NAMESPACE_NAME: namespace}):
        asked = {r.key for r in selector.match_expressions or ()}
        return True if asked <= {NAMESPACE_NAME} else None
    by_name = (selector.match_labels or {}).get(NAMESPACE_NAME)
    if by_name is not None and by_name != namespace:
        return False
    only_name = LabelSelector(
        match_expressions=[r for r in selector.match_expressions or () if r.key == NAMESPACE_NAME]
    )
    return None if matches(only_name, {NAMESPACE_NAME: namespace}) else False


def _in_block(block: IpBlock, ip: str) -> bool | None:
    """Inside a block there may be exceptions, which are not read."""
    try:
        network = ipaddress.ip_network(block.cidr, strict=False)
        if ip:
            return None if ipaddress.ip_address(ip) in network else False
    except ValueError:
        return None
    return None


def _fits(
    ports: list[NetworkPort] | None, target: End, port: int | None, protocol: str
) -> bool | None:
    if not ports:
        return True
    return _any(_fits_one(allowed, target, port, protocol) for allowed in ports)


def _fits_one(allowed: NetworkPort, target: End, port: int | None, protocol: str) -> bool | None:
    if (allowed.protocol or "TCP") != protocol:
        return False
    if allowed.port is None:
        return True
    if port is None:
        return None
    if isinstance(allowed.port, str):
        if target.spec is None:
            return None
        named = named_port(target.spec, allowed.port)
        return named is not None and named.container_port == port
    return allowed.port <= port <= (allowed.end_port or allowed.port)


def _any(answers: Iterable[bool | None]) -> bool | None:
    given = list(answers)
    if True in given:
        return True
    return None if None in given else False


def _both(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True
