"""A bound of a limit range: back to before, the container within the bound, or another bound.
Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.templates import template_of, undone
from copilot.causes.citing import object_key
from copilot.causes.failures import containers_of
from copilot.causes.limit_range_violated import Violation, limit_range_of, violation_of
from copilot.causes.quota_exceeded import amount_of
from copilot.causes.references import workload_ref
from copilot.domain.action import Bound, Entries, SetLimitRange, SetResources
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import Container, ObjectRef, PodSpec
from copilot.domain.proposal import Draft

MOST_FACTOR = 4
"""A bound is moved by at most this factor: it was set on purpose."""


def limit_range_violated(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """The spec within the bound first: the bound is the namespace's rule."""
    found = violation_of(case)
    if found is None:
        return
    yield from undone(case, hypothesis)
    spec = template_of(case)
    if found.way == "ratio" or found.type != "Container" or not found.given:
        yield "which of its figures should change is for people to say"
        return
    if spec is not None:
        yield from _within(case, hypothesis, found, spec)
    yield from _moved(case, hypothesis, found)


def _within(case: Case, hypothesis: Hypothesis, found: Violation, spec: PodSpec) -> Iterator[Draft]:
    by = limit_range_of(case, found)
    for container in containers_of(spec):
        limits, requests = _fitted(container, found)
        if not limits and not requests:
            continue
        is_max = found.way == "above_max"
        why = f"The namespace allows {'at most' if is_max else 'no less than'} {found.bound}."
        if is_max:
            why += " Whether that is enough for it, its verification will tell."
        yield drafted(
            case,
            SetResources(
                target=workload_ref(case),
                container=container.name,
                limits=limits,
                requests=requests,
            ),
            title=(
                f"{'Lower' if is_max else 'Raise'} {found.resource} of {container.name} to "
                f"{found.bound}"
            ),
            why=why,
            hypothesis=hypothesis,
            keys=(object_key(by.metadata),) if by else (),
        )


def _fitted(container: Container, found: Violation) -> tuple[Entries, Entries]:
    """New limits and requests of a container, empty where it keeps to the bound."""
    name, bound = found.resource, amount_of(found.resource, found.bound)
    resources = container.resources
    limit = ((resources.limits if resources else None) or {}).get(name)
    request = ((resources.requests if resources else None) or {}).get(name)
    entry = ((name, found.bound),)
    if found.way == "above_max":
        return (
            entry if limit and amount_of(name, limit) > bound else (),
            entry if request and amount_of(name, request) > bound else (),
        )
    return (
        entry if limit and amount_of(name, limit) < bound else (),
        entry if request and amount_of(name, request) < bound else (),
    )


def _moved(case: Case, hypothesis: Hypothesis, found: Violation) -> Iterator[Draft | str]:
    by = limit_range_of(case, found)
    if by is None:
        return
    now, wanted = amount_of(found.resource, found.bound), amount_of(found.resource, found.given)
    if not now or not wanted or max(now, wanted) > MOST_FACTOR * min(now, wanted):
        yield f"to move the bound from {found.bound} to {found.given} is for people"
        return
    meta = by.metadata
    yield drafted(
        case,
        SetLimitRange(
            target=ObjectRef(
                kind="LimitRange", namespace=meta.namespace, name=meta.name, uid=meta.uid
            ),
            type=found.type,
            bound=Bound.MAX if found.way == "above_max" else Bound.MIN,
            entries=((found.resource, found.given),),
        ),
        title=f"Move the bound of {meta.name} for {found.resource} to {found.given}",
        why=(
            "That lets these pods in, and every other of the namespace that asks for as much. "
            "Whoever owns the namespace's rules should agree."
        ),
        hypothesis=hypothesis,
        keys=(object_key(meta),),
    )
