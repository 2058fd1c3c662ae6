"""Is an object allowed: the rules for what stands beside workloads and says what may be.

Policies of networks and of disruptions, ingresses, and who may do what.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from copilot.demo.failures import FieldProblem
from copilot.demo.fields import invalid, required, unsupported
from copilot.demo.kinds import Obj, Resource

_NOT_NEGATIVE = "must be greater than or equal to 0"
_PERCENT = re.compile(r"[0-9]+%")
_BAD_PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "
    "'93%', regex used for validation is '[0-9]+%')"
)
_BAD_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_PEER_FIELDS = ("podSelector", "namespaceSelector", "ipBlock")
_POLICY_TYPES = ("Ingress", "Egress")
_PROTOCOLS = ("TCP", "UDP", "SCTP")


def problems(resource: Resource, obj: Obj, before: Obj | None) -> Iterator[FieldProblem]:
    """Everything wrong with the new value beside its metadata."""
    match resource.kind:
        case "NetworkPolicy":
            yield from _network_policy(obj["spec"])
        case "Ingress":
            yield from _ingress(obj.get("spec") or {})
        case "PodDisruptionBudget":
            yield from _budget(obj.get("spec") or {})
        case "Role" | "ClusterRole":
            yield from _role(obj)
        case "RoleBinding" | "ClusterRoleBinding":
            yield from _binding(resource, obj, before)
        case _:
            pass


def segment(name: str) -> Iterator[FieldProblem]:
    """Names of roles and bindings: whatever can be part of a path (`system:node`)."""
    for sign in ("/", "%"):
        if sign in name:
            yield invalid("metadata.name", name, f"may not contain '{sign}'")
    if name in (".", ".."):
        yield invalid("metadata.name", name, f"may not be '{name}'")


# ------------------------------------------------------------------ networks


def _network_policy(spec: Obj) -> Iterator[FieldProblem]:
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for place, rule in enumerate(spec.get(direction) or []):
            at = f"spec.{direction}[{place}]"
            for n, port in enumerate(rule.get("ports") or []):
                yield from _policy_port(port, f"{at}.ports[{n}]")
            for n, peer in enumerate(rule.get(side) or []):
                yield from _peer(peer, f"{at}.{side}[{n}]")
    for place, named in enumerate(spec.get("policyTypes") or []):
        if named not in _POLICY_TYPES:
            yield unsupported(f"spec.policyTypes[{place}]", named, _POLICY_TYPES)


def _policy_port(port: Obj, at: str) -> Iterator[FieldProblem]:
    if port["protocol"] not in _PROTOCOLS:
        yield unsupported(f"{at}.protocol", port["protocol"], _PROTOCOLS)
    yield from _number(port.get("port"), f"{at}.port")


def _peer(peer: Obj, at: str) -> Iterator[FieldProblem]:
    if not any(peer.get(name) is not None for name in _PEER_FIELDS):
        yield FieldProblem(
            field=at,
            message="Required value: must specify a peer",
            reason="FieldValueRequired",
        )
    block = peer.get("ipBlock")
    if block is not None and not _is_network(block.get("cidr", "")):
        yield invalid(f"{at}.ipBlock.cidr", block.get("cidr", ""), _BAD_CIDR)


def _ingress(spec: Obj) -> Iterator[FieldProblem]:
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield invalid("spec", None, "either `defaultBackend` or `rules` must be specified")
    for place, rule in enumerate(spec.get("rules") or []):
        paths = (rule.get("http") or {}).get("paths") or []
        for n, path in enumerate(paths):
            yield from _ingress_path(path, f"spec.rules[{place}].http.paths[{n}]")


def _ingress_path(path: Obj, at: str) -> Iterator[FieldProblem]:
    kind = path.get("pathType")
    if kind is None:
        yield FieldProblem(
            field=f"{at}.pathType",
            message="Required value: pathType must be specified",
            reason="FieldValueRequired",
        )
        return
    if kind not in _PATH_TYPES:
        yield unsupported(f"{at}.pathType", kind, _PATH_TYPES)
    service = (path.get("backend") or {}).get("service")
    if service is not None:
        yield from _number((service.get("port") or {}).get("number"), f"{at}.backend.port.number")


def _number(port: Any, at: str) -> Iterator[FieldProblem]:
    if isinstance(port, int) and not 1 <= port <= 65535:
        yield invalid(at, port, "must be between 1 and 65535, inclusive")


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


# ------------------------------------------------------------------ disruptions


def _budget(spec: Obj) -> Iterator[FieldProblem]:
    amounts = {name: spec[name] for name in ("minAvailable", "maxUnavailable") if name in spec}
    if len(amounts) == 2:
        yield invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for name, amount in amounts.items():
        if isinstance(amount, int) and amount < 0:
            yield invalid(f"spec.{name}", amount, _NOT_NEGATIVE)
        elif isinstance(amount, str) and not _PERCENT.fullmatch(amount):
            yield invalid(f"spec.{name}", amount, _BAD_PERCENT)


# ------------------------------------------------------------------ access


def _role(obj: Obj) -> Iterator[FieldProblem]:
    for place, rule in enumerate(obj.get("rules") or []):
        at = f"rules[{place}]"
        if not rule.get("verbs"):
            yield _missing(f"{at}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            continue
        if not rule.get("apiGroups"):
            yield _missing(f"{at}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield _missing(f"{at}.resources", "resource rules must supply at least one resource")


def _binding(resource: Resource, obj: Obj, before: Obj | None) -> Iterator[FieldProblem]:
    wanted = obj["roleRef"]
    kinds = ("Role", "ClusterRole") if resource.is_namespaced else ("ClusterRole",)
    if wanted.get("kind") not in kinds:
        yield unsupported("roleRef.kind", wanted.get("kind", ""), kinds)
    if not wanted.get("name"):
        yield required("roleRef.name")
    if before is not None and before["roleRef"] != wanted:
        told = {"APIGroup": wanted.get("apiGroup", ""), "Kind": wanted.get("kind", "")}
        yield invalid("roleRef", {**told, "Name": wanted.get("name", "")}, "cannot change roleRef")


def _missing(field: str, message: str) -> FieldProblem:
    return FieldProblem(
        field=field, message=f"Required value: {message}", reason="FieldValueRequired"
    )
