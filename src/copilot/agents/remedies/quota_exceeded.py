"""A quota that is full: back to before, a larger quota within bounds, or as many pods as fit.
Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.templates import template_of, undone
from copilot.causes.citing import object_key
from copilot.causes.failures import is_gone, is_ready
from copilot.causes.quota_exceeded import Breach, amount_of, breach_of, group_of, quota_of
from copilot.causes.references import workload_ref
from copilot.domain.action import Entries, Scale, SetQuota, SetResources
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Draft
from copilot.domain.quantity import format_bytes
from copilot.domain.surroundings import ResourceQuota

MOST_FACTOR = 4
"""A quota is raised to at most this many times what it is: it was set on purpose."""
FIRST_CPU, FIRST_MEMORY = "50m", "64Mi"
"""Figures for a container that names none, to be measured and mended."""


def quota_exceeded(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Whose the namespace's bounds are, is for people: each draft says what it gives away."""
    breach = breach_of(case)
    if breach is None:
        return
    yield from undone(case, hypothesis)
    if breach.unsaid:
        yield from _figures(case, hypothesis, breach)
        return
    quota = quota_of(case, breach)
    if quota is None:
        yield f"quota {breach.quota} has not been seen, so it is not changed"
        return
    yield from _smaller(case, hypothesis, breach, quota)
    yield from _raised(case, hypothesis, breach, quota)
    yield from _fewer(case, hypothesis, quota)


def _smaller(
    case: Case, hypothesis: Hypothesis, breach: Breach, quota: ResourceQuota
) -> Iterator[Draft]:
    """A request within what is left, where one pod asks for more than the whole quota."""
    spec = template_of(case)
    excess = breach.over[0]
    kind = excess.resource.removeprefix("requests.")
    if spec is None or len(breach.over) > 1 or kind not in ("cpu", "memory"):
        return
    hard = (quota.status.hard or quota.spec.hard or {}).get(excess.resource, "0")
    used = (quota.status.used or {}).get(excess.resource, excess.used)
    left = amount_of(excess.resource, hard) - amount_of(excess.resource, used)
    each = left // _missing(case)
    own = spec.containers or []
    if amount_of(excess.resource, excess.requested) <= amount_of(excess.resource, hard):
        return
    if each <= 0 or len(own) != 1:
        return
    after = _quantity(excess.resource, each)
    yield drafted(
        case,
        SetResources(target=workload_ref(case), container=own[0].name, requests=((kind, after),)),
        title=f"Ask for {after} of {kind} for {own[0].name}, which the quota has left",
        why=(
            f"One pod asks for {excess.requested}, more than the whole quota of {hard}, so it can "
            "never be let in. Whether it gets by with less, its verification will tell."
        ),
        hypothesis=hypothesis,
        keys=(object_key(quota.metadata),),
    )


def _raised(
    case: Case, hypothesis: Hypothesis, breach: Breach, quota: ResourceQuota
) -> Iterator[Draft | str]:
    entries, words = [], []
    hard = quota.status.hard or quota.spec.hard or {}
    used = quota.status.used or {}
    for excess in breach.over:
        name, bound = excess.resource, hard.get(excess.resource)
        if bound is None:
            continue
        now = amount_of(name, bound)
        each = amount_of(name, excess.requested)
        needed = amount_of(name, used.get(name, excess.used)) + each * _missing(case)
        if not now or needed > MOST_FACTOR * now:
            yield (
                f"{name} of quota {breach.quota} would have to be more than {MOST_FACTOR} times its "
                f"{bound}: that is for people"
            )
            return
        entries.append((name, _quantity(name, needed)))
        words.append(f"{name} {bound} → {_quantity(name, needed)}")
    if entries:
        meta = quota.metadata
        target = ObjectRef(
            kind="ResourceQuota", namespace=meta.namespace, name=meta.name, uid=meta.uid
        )
        yield drafted(
            case,
            SetQuota(target=target, entries=tuple(entries)),
            title=f"Raise quota {breach.quota}: {', '.join(words)}",
            why=(
                "That is what is in use and what the missing pods ask for, no more. The quota was "
                "set on purpose: whoever owns the namespace's share should agree."
            ),
            hypothesis=hypothesis,
            keys=(object_key(meta),),
        )


def _missing(case: Case) -> int:
    """How many pods are not there that should be, one at least."""
    if case.workload is None:
        return 1
    wanted = 1 if case.workload.spec.replicas is None else case.workload.spec.replicas
    return max(1, wanted - case.workload.status.replicas)


def _quantity(resource: str, amount: int) -> str:
    group = group_of(resource)
    if group == "cpu":
        return f"{amount}m" if amount % 1000 else str(amount // 1000)
    is_bytes = group == "memory" or resource.endswith(("storage", "memory"))
    return format_bytes(amount) if is_bytes else str(amount)


def _fewer(case: Case, hypothesis: Hypothesis, quota: ResourceQuota) -> Iterator[Draft]:
    """As many pods as were let in: the rest then stops being asked for."""
    there = [p for p in case.pods if is_ready(p) and not is_gone(p)]
    workload = case.workload
    wanted = (workload.spec.replicas if workload else None) or 1
    if workload_ref(case).kind == "DaemonSet" or not 0 < len(there) < wanted:
        return
    yield drafted(
        case,
        Scale(target=workload_ref(case), replicas=len(there)),
        title=f"Scale {workload_ref(case).name} to the {len(there)} that the quota lets in",
        why=f"{len(there)} of {wanted} pods are there; this ends the refusals only.",
        hypothesis=hypothesis,
        keys=(object_key(quota.metadata), *(object_key(p.metadata) for p in there[:3])),
        is_stopgap=True,
    )


def _figures(case: Case, hypothesis: Hypothesis, breach: Breach) -> Iterator[Draft | str]:
    """Figures for the containers that name none, as the quota demands."""
    if template_of(case) is None:
        yield "the figures that the quota demands are for people to set"
        return
    demands: dict[str, list[str]] = {}
    for part in breach.unsaid.split(";"):
        resource, _, names = part.strip().partition(" for: ")
        for name in names.split(","):
            demands.setdefault(name.strip(), []).append(resource.strip())
    for container, resources in demands.items():
        if not container:
            continue
        yield drafted(
            case,
            SetResources(
                target=workload_ref(case),
                container=container,
                requests=_first(resources, "requests."),
                limits=_first(resources, "limits."),
            ),
            title=f"Say what {container} asks for: {', '.join(resources)}",
            why=(
                "The quota counts what is asked for and refuses what does not say. These are small "
                "figures to begin with: measure what it uses, and mend them."
            ),
            hypothesis=hypothesis,
            is_stopgap=True,
        )


def _first(resources: list[str], prefix: str) -> Entries:
    kinds = [r.removeprefix(prefix) for r in resources if r.startswith(prefix)]
    if prefix == "requests.":
        kinds += [r for r in resources if r in ("cpu", "memory")]
    first = {"cpu": FIRST_CPU, "memory": FIRST_MEMORY}
    return tuple((kind, first[kind]) for kind in kinds if kind in first)
