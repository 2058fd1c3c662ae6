"""What the API server refused whom, and what the bindings say about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from copilot.domain.objects import Metadata
from copilot.domain.surroundings import PolicyRule, Role, RoleBinding, Surroundings

MOST_CHARS = 4000
_SYSTEM = "system:"
"""Kubernetes' own roles: every account has some, and none of them is at fault.
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings"""
_FORBIDDEN = re.compile(
    r'User "system:serviceaccount:([a-z0-9.-]{1,63}):([a-z0-9.-]{1,253})" cannot '
    r'([a-z]{1,40}) resource "([a-z0-9./_-]{1,100})" in API group "([a-z0-9.-]{0,253})"'
    r'(?: in the namespace "([a-z0-9.-]{1,63})"| (at the cluster scope))?'
)
_OBJECT = re.compile(r'[a-z0-9.]{1,200} "([A-Za-z0-9._:-]{1,253})" is forbidden: $')


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbidden:
    """One refusal, in the API server's words. `namespace` is empty at the cluster scope."""

    account_namespace: str
    account: str
    verb: str
    resource: str
    """With its subresource: `pods/log`."""
    group: str
    namespace: str
    name: str
    """Of the one object that was asked for, empty for none."""

    @property
    def where(self) -> str:
        return f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"

    @property
    def what(self) -> str:
        """`list secrets`, `get deployments.apps`."""
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"


class Lack(StrEnum):
    """What is missing."""

    NO_BINDING = "no_binding"
    WRONG_SUBJECT_NAMESPACE = "wrong_subject_namespace"
    BOUND_ELSEWHERE = "bound_elsewhere"
    """A role that would do is bound, but in another namespace than the one asked."""
    NO_ROLE = "no_role"
    """A binding names a role that is not there."""
    NO_RULE = "no_rule"
    """It is bound to roles, and none of them allows this."""
    ROLE_UNBOUND = "role_unbound"
    """A Role that would do is there, and nobody is bound to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """What is missing, and the objects that show it."""

    lack: Lack
    bindings: tuple[RoleBinding, ...] = ()
    roles: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """These allow it now."""

    binding: RoleBinding
    role: Role


def forbidden_in(text: str) -> Forbidden | None:
    """The refusal a text quotes, None for none."""
    text = text[:MOST_CHARS].replace('\\"', '"')
    found = _FORBIDDEN.search(text)
    if found is None:
        return None
    named = _OBJECT.search(text[: found.start()][-500:])
    return Forbidden(
        account_namespace=found[1],
        account=found[2],
        verb=found[3],
        resource=found[4],
        group=found[5],
        namespace=found[6] or "",
        name=named[1] if named else "",
    )


def judged(around: Surroundings, asked: Forbidden) -> Granted | Lacking:
    """What the bindings that are known say about a request. Only as good as their list is whole."""
    mine = [b for b in around.role_bindings if _names(b, asked)]
    in_reach = [b for b in mine if _reaches(b, asked)]
    for binding in in_reach:
        role = role_of(around, binding)
        if role is not None and allows(role, asked):
            return Granted(binding=binding, role=role)
    for binding in mine:
        role = role_of(around, binding)
        if binding not in in_reach and role is not None and allows(role, asked):
            return Lacking(lack=Lack.BOUND_ELSEWHERE, bindings=(binding,), roles=(role,))
    astray = [
        b
        for b in around.role_bindings
        if _names_elsewhere(b, asked)
        and _reaches(b, asked)
        and ((r := role_of(around, b)) is None or allows(r, asked))
    ]
    if astray:
        return Lacking(lack=Lack.WRONG_SUBJECT_NAMESPACE, bindings=(astray[0],))
    own = [b for b in in_reach if not b.role_ref.name.startswith(_SYSTEM)]
    unbound = [r for r in around.roles if _is_unbound(around, r, asked) and allows(r, asked)]
    if unbound:
        return Lacking(lack=Lack.ROLE_UNBOUND, bindings=tuple(own), roles=(unbound[0],))
    headless = [b for b in own if role_of(around, b) is None]
    if headless:
        return Lacking(lack=Lack.NO_ROLE, bindings=tuple(headless))
    if own:
        roles = (role_of(around, b) for b in own)
        return Lacking(lack=Lack.NO_RULE, bindings=tuple(own), roles=tuple(r for r in roles if r))
    return Lacking(lack=Lack.NO_BINDING)


def _is_unbound(around: Surroundings, role: Role, asked: Forbidden) -> bool:
    """A Role of the namespace asked that no binding gives to anybody. Not a ClusterRole: some of
    those allow everything, and wait for whoever needs them."""
    meta = role.metadata
    return (
        bool(meta.namespace)
        and meta.namespace == asked.namespace
        and not meta.name.startswith(_SYSTEM)
        and not any(role_of(around, b) is role for b in around.role_bindings)
    )


def role_of(around: Surroundings, binding: RoleBinding) -> Role | None:
    """A Role lies in the namespace of its binding, a ClusterRole in none."""
    is_cluster = binding.role_ref.kind == "ClusterRole"
    namespace = "" if is_cluster else binding.metadata.namespace
    return next(
        (
            r
            for r in around.roles
            if r.metadata.name == binding.role_ref.name and r.metadata.namespace == namespace
        ),
        None,
    )


def kind_of(metadata: Metadata, kind: str) -> str:
    """`Role`, or `ClusterRole` for what has no namespace; likewise a binding."""
    return kind if metadata.namespace else f"Cluster{kind}"


def allows(role: Role, asked: Forbidden) -> bool:
    return any(_allows(rule, asked) for rule in role.rules or ())


def _allows(rule: PolicyRule, asked: Forbidden) -> bool:
    base, _, sub = asked.resource.partition("/")
    resources = {asked.resource, "*", *((f"*/{sub}",) if sub else ())}
    return (
        _has(rule.verbs, {asked.verb, "*"})
        and _has(rule.api_groups, {asked.group, "*"})
        and _has(rule.resources, resources if sub else {base, "*"})
        and (not rule.resource_names or asked.name in rule.resource_names)
    )


def _has(given: list[str] | None, wanted: Iterable[str]) -> bool:
    return not set(given or ()).isdisjoint(wanted)


def _reaches(binding: RoleBinding, asked: Forbidden) -> bool:
    """A ClusterRoleBinding reaches everywhere, a RoleBinding its own namespace only."""
    return binding.metadata.namespace in ("", asked.namespace or None)


def _names(binding: RoleBinding, asked: Forbidden) -> bool:
    account = f"system:serviceaccount:{asked.account_namespace}:{asked.account}"
    groups = {
        "system:serviceaccounts",
        f"system:serviceaccounts:{asked.account_namespace}",
        "system:authenticated",
    }
    named = {"User": {account}, "Group": groups}
    return any(
        (s.namespace, s.name) == (asked.account_namespace, asked.account)
        if s.kind == "ServiceAccount"
        else s.name in named.get(s.kind, ())
        for s in binding.subjects or ()
    )


def _names_elsewhere(binding: RoleBinding, asked: Forbidden) -> bool:
    """It names an account of that name in another namespace."""
    return any(
        s.kind == "ServiceAccount"
        and s.name == asked.account
        and s.namespace != asked.account_namespace
        for s in binding.subjects or ()
    )
