"""The workload's service account may not do what the program needs."""

from __future__ import annotations

from dataclasses import dataclass

from copilot.causes.addresses import spec_of
from copilot.causes.citing import concluded, event_key, line_key, object_key, said
from copilot.causes.connecting import may_be_others
from copilot.causes.failures import began_us
from copilot.causes.permissions import (
    Forbidden,
    Granted,
    Lack,
    Lacking,
    forbidden_in,
    judged,
    kind_of,
)
from copilot.causes.wording import clock, one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import ObjectRef, epoch_us
from copilot.domain.surroundings import RoleBinding

SURE = 0.93
BY_ITS_WORDS = 0.85
"""The API server's own refusal, where the bindings cannot be seen."""
REFUTED = 0.08
LONG_BEFORE_US = 10 * 60 * 1_000_000
MOST = 500
_OF_A_ROLE = frozenset({Lack.NO_RULE, Lack.ROLE_UNBOUND})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One refusal, in whose words, and when."""

    asked: Forbidden
    text: str
    key: str
    at_us: int


def permission_missing(case: Case) -> Hypothesis | None:
    """Supported where the API server says that it refused the workload's own service account; the
    bindings tell what is missing, as far as they can be seen.

    Refuted where a binding allows it by now.
    """
    found = refusals(case) if may_be_others(case) else ()
    if not found:
        return None
    refusal = found[0]
    if not _sees_bindings(case, refusal.asked):
        return _supported(case, refusal, None)
    answer = judged(case.surroundings, refusal.asked)
    if isinstance(answer, Granted):
        return _granted(case, refusal, answer)
    return _supported(case, refusal, answer)


def refusals(case: Case) -> tuple[Refusal, ...]:
    """Of the workload's own account, each request once, newest first, evidence before the rest."""
    spec = spec_of(case)
    account = (spec.service_account_name if spec else "") or "default"
    texts = [
        *((x.ts_us, x.body, line_key(x)) for x in case.lines[-MOST:]),
        *((epoch_us(e.occurred), e.message, event_key(e)) for e in case.events[-MOST:]),
    ]
    found: dict[Forbidden, Refusal] = {}
    since = began_us(case) - LONG_BEFORE_US
    for at_us, text, key in sorted(
        texts, key=lambda t: (t[2] in case.cited_as, t[0]), reverse=True
    ):
        asked = forbidden_in(text) if at_us >= since else None
        if asked is None or asked.account_namespace != case.incident.namespace:
            continue
        if spec is None or asked.account == account:
            found.setdefault(asked, Refusal(asked=asked, text=text, key=key, at_us=at_us))
    return tuple(found.values())


def _sees_bindings(case: Case, asked: Forbidden) -> bool:
    """Whether all bindings that could allow it are known: those of the namespace, and for the whole
    cluster those too. Bindings of other namespaces are not looked at."""
    needed = {"ClusterRoleBinding", "ClusterRole"}
    if asked.namespace:
        needed |= {"RoleBinding", "Role"}
    is_near = asked.namespace in ("", case.incident.namespace)
    return is_near and needed <= case.surroundings.listed


def _supported(case: Case, refusal: Refusal, lacking: Lacking | None) -> Hypothesis | None:
    asked = refusal.asked
    account = f"{one_line(asked.account_namespace, 63)}/{one_line(asked.account, 80)}"
    return concluded(
        Cause.PERMISSION_MISSING,
        title=f"ServiceAccount {account} may not {one_line(asked.what, 120)} {asked.where}",
        verdict=Verdict.SUPPORTED,
        confidence=SURE if lacking else BY_ITS_WORDS,
        supporting=(
            *said(
                case,
                f"The API server refused it at {clock(refusal.at_us)}: "
                f"“{one_line(refusal.text, 220)}”.",
                refusal.key,
            ),
            *(_why(case, asked, lacking, refusal.key) if lacking else ()),
        ),
        next_check=""
        if lacking
        else f"kubectl auth can-i {asked.what} "
        f"--as=system:serviceaccount:{asked.account_namespace}:{asked.account}"
        + (f" -n {asked.namespace}" if asked.namespace else " --all-namespaces"),
        subject=_subject(asked, lacking),
        detail=lacking.lack.value if lacking else "",
    )


def _why(case: Case, asked: Forbidden, lacking: Lacking, key: str) -> tuple[Statement, ...]:
    objects = [object_key(b.metadata) for b in lacking.bindings[:3]]
    objects += [object_key(r.metadata) for r in lacking.roles[:3]]
    account = one_line(asked.account, 80)
    match lacking.lack:
        case Lack.NO_BINDING:
            text = f"No binding {asked.where} names ServiceAccount {account}."
        case Lack.WRONG_SUBJECT_NAMESPACE:
            there = ", ".join(
                one_line(s.namespace, 63) or "none"
                for s in lacking.bindings[0].subjects or ()
                if s.name == asked.account
            )
            text = (
                f"{_name(lacking.bindings[0])} names ServiceAccount {account} of namespace "
                f"{there}, but it lives in {one_line(asked.account_namespace, 63)}."
            )
        case Lack.BOUND_ELSEWHERE:
            place = one_line(lacking.bindings[0].metadata.namespace, 63)
            text = f"{_name(lacking.bindings[0])} would allow it, but in namespace {place} only."
        case Lack.NO_ROLE:
            role = lacking.bindings[0].role_ref
            text = (
                f"{_name(lacking.bindings[0])} refers to {one_line(role.kind, 40)} "
                f"{one_line(role.name, 80)}, which is not there."
            )
        case Lack.ROLE_UNBOUND:
            text = (
                f"Role {one_line(lacking.roles[0].metadata.name, 80)} would allow it, and no binding "
                f"gives it to ServiceAccount {account} or anybody else."
            )
        case Lack.NO_RULE:
            names = ", ".join(
                f"{kind_of(r.metadata, 'Role')} {one_line(r.metadata.name, 80)}"
                for r in lacking.roles[:3]
            )
            text = (
                f"It is bound to {names or 'roles'}, and none of their rules allows to "
                f"{one_line(asked.what, 120)}."
            )
    return said(case, text, *([k for k in objects if k in case.cited_as] or [key]))


def _granted(case: Case, refusal: Refusal, granted: Granted) -> Hypothesis | None:
    return concluded(
        Cause.PERMISSION_MISSING,
        title=f"The service account may not {one_line(refusal.asked.what, 120)}",
        verdict=Verdict.REFUTED,
        confidence=REFUTED,
        against=said(
            case,
            f"{_name(granted.binding)} allows it now, through "
            f"{kind_of(granted.role.metadata, 'Role')} {one_line(granted.role.metadata.name, 80)}.",
            object_key(granted.binding.metadata),
            object_key(granted.role.metadata),
        ),
    )


def _subject(asked: Forbidden, lacking: Lacking | None) -> ObjectRef:
    """The binding or the role at fault, else the account that lacks one."""
    if lacking is not None and lacking.lack in _OF_A_ROLE and lacking.roles:
        role = lacking.roles[0].metadata
        return ObjectRef(
            kind=kind_of(role, "Role"), namespace=role.namespace, name=role.name, uid=role.uid
        )
    if lacking is not None and lacking.bindings:
        meta = lacking.bindings[0].metadata
        return ObjectRef(
            kind=kind_of(meta, "RoleBinding"),
            namespace=meta.namespace,
            name=meta.name,
            uid=meta.uid,
        )
    return ObjectRef(kind="ServiceAccount", namespace=asked.account_namespace, name=asked.account)


def _name(binding: RoleBinding) -> str:
    kind = kind_of(binding.metadata, "RoleBinding")
    return f"{kind} {one_line(binding.metadata.name, 80)}"
