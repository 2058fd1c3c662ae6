"""A namespace's quota does not allow another pod or claim."""

from __future__ import annotations

import re
from dataclasses import dataclass

from copilot.causes.changed import changed, rolled_out
from copilot.causes.citing import concluded, object_key, said
from copilot.causes.references import workload_ref
from copilot.causes.refusals import Refusal, refused_creations
from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.errors import Invalid
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import ObjectRef
from copilot.domain.quantity import parse_bytes, parse_millicores
from copilot.domain.surroundings import ResourceQuota

SAID = 0.95
SHOWN = 0.98
ROOM_SINCE = 0.1
_EXCEEDED = re.compile(
    r"exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: (\S+?)(?:[\s;]|$)"
)
_UNSAID = re.compile(r"failed quota: (\S+): must specify (.+)")
_GROUPS = (
    ("cpu", ("cpu", "requests.cpu", "limits.cpu")),
    ("memory", ("memory", "requests.memory", "limits.memory")),
    ("pods", ("pods", "count/pods")),
    ("services", ("services", "services.loadbalancers", "services.nodeports", "count/services")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """One resource of a quota: what was asked for, what is taken, and the bound."""

    resource: str
    requested: str
    used: str
    limited: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """What a quota refused."""

    refusal: Refusal
    quota: str
    over: tuple[Excess, ...]
    """Empty where the quota demands figures that the pod does not give."""
    unsaid: str = ""


def quota_exceeded(case: Case) -> Hypothesis | None:
    """Supported by the refusal's own words, surer where the quota is seen; undecided where the
    quota has room by now."""
    breach = breach_of(case)
    if breach is None:
        return None
    quota = quota_of(case, breach)
    if breach.unsaid:
        return _unsaid(case, breach, quota)
    has_room = quota is not None and all(_fits(quota, e) for e in breach.over)
    excess = breach.over[0]
    return concluded(
        Cause.QUOTA_EXCEEDED,
        title=f"Quota {one_line(breach.quota, 60)} allows no more {_word(excess.resource)}",
        verdict=Verdict.INCONCLUSIVE if has_room else Verdict.SUPPORTED,
        confidence=ROOM_SINCE if has_room else SHOWN if quota else SAID,
        supporting=(
            *said(
                case, f"It was refused: {one_line(breach.refusal.text, 300)}.", *breach.refusal.keys
            ),
            *_shown(case, breach, quota),
            *changed(case, "ResourceQuota", breach.quota),
            *rolled_out(case),
        ),
        next_check="See whether the controller gets its pods now." if has_room else "",
        subject=_ref(case, breach, quota),
        detail=group_of(excess.resource),
    )


def breach_of(case: Case) -> Breach | None:
    """The newest refusal that speaks of a quota."""
    for refusal in refused_creations(case):
        if found := _EXCEEDED.search(refusal.text):
            over = _over(found[2], found[3], found[4])
            if over:
                return Breach(refusal=refusal, quota=found[1], over=over)
        if found := _UNSAID.search(refusal.text):
            return Breach(refusal=refusal, quota=found[1], over=(), unsaid=found[2])
    return None


def quota_of(case: Case, breach: Breach) -> ResourceQuota | None:
    found = case.surroundings.quotas
    return next((q for q in found if q.metadata.name == breach.quota), None)


def _over(requested: str, used: str, limited: str) -> tuple[Excess, ...]:
    """Those of the resources named that do not fit."""
    taken, bounds = _amounts(used), _amounts(limited)
    each = [
        Excess(
            resource=name, requested=amount, used=taken.get(name, "0"), limited=bounds.get(name, "")
        )
        for name, amount in _amounts(requested).items()
    ]
    beyond = [e for e in each if _exceeds(e)]
    return tuple(beyond or each)


def _amounts(text: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in text.split(","))
    return {name: value for name, _, value in pairs if value}


def _exceeds(excess: Excess) -> bool:
    name = excess.resource
    return amount_of(name, excess.requested) + amount_of(name, excess.used) > amount_of(
        name, excess.limited
    )


def _fits(quota: ResourceQuota, excess: Excess) -> bool:
    """Whether the quota as it is now would let it through."""
    hard = quota.status.hard or quota.spec.hard or {}
    used = (quota.status.used or {}).get(excess.resource, "0")
    if excess.resource not in hard:
        return True
    name = excess.resource
    wanted = amount_of(name, excess.requested) + amount_of(name, used)
    return wanted <= amount_of(name, hard[name])


def amount_of(resource: str, quantity: str) -> int:
    """Thousandths of a core for CPU, else units or bytes; 0 for what cannot be read."""
    try:
        is_cpu = resource.endswith("cpu")
        return parse_millicores(quantity) if is_cpu else parse_bytes(quantity)
    except Invalid:
        return 0


def group_of(resource: str) -> str:
    """`cpu`, `memory`, `pods`, `services`, `storage`; any other resource is its own."""
    for group, members in _GROUPS:
        if resource in members:
            return group
    if "storage" in resource or resource.endswith("persistentvolumeclaims"):
        return "storage"
    return re.sub(r"\W+", "_", resource)


def _word(resource: str) -> str:
    return {"cpu": "CPU"}.get(group_of(resource), group_of(resource).replace("_", " "))


def _shown(case: Case, breach: Breach, quota: ResourceQuota | None) -> tuple[Statement, ...]:
    if quota is None:
        return ()
    hard = quota.status.hard or quota.spec.hard or {}
    used = quota.status.used or {}
    each = [
        f"{used.get(e.resource, '0')} of {hard[e.resource]} {e.resource}"
        for e in breach.over
        if e.resource in hard
    ]
    if not each:
        return ()
    return said(
        case,
        f"Of quota {breach.quota} is in use: {', '.join(each)}.",
        object_key(quota.metadata),
    )


def _unsaid(case: Case, breach: Breach, quota: ResourceQuota | None) -> Hypothesis | None:
    demand = one_line(breach.unsaid.rstrip("."), 120)
    keys = (object_key(quota.metadata),) if quota else ()
    return concluded(
        Cause.QUOTA_EXCEEDED,
        title=f"Quota {one_line(breach.quota, 60)} demands figures that the pod does not give",
        verdict=Verdict.SUPPORTED,
        confidence=SHOWN if quota else SAID,
        supporting=(
            *said(
                case,
                f"It was refused, for the quota counts what is not said: {demand}.",
                *breach.refusal.keys,
                *keys,
            ),
            *changed(case, "ResourceQuota", breach.quota),
            *rolled_out(case),
        ),
        subject=workload_ref(case),
        detail="not_specified",
    )


def _ref(case: Case, breach: Breach, quota: ResourceQuota | None) -> ObjectRef:
    place = case.incident.namespace
    uid = quota.metadata.uid if quota else ""
    return ObjectRef(kind="ResourceQuota", namespace=place, name=breach.quota, uid=uid)
