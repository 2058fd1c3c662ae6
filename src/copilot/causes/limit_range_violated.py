"""A limit range refuses what a container asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from copilot.causes.changed import changed, rolled_out
from copilot.causes.citing import concluded, object_key, said
from copilot.causes.references import workload_ref
from copilot.causes.refusals import Refusal, refused_creations
from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict
from copilot.domain.surroundings import LimitRange, LimitRangeItem

SAID = 0.95
SHOWN = 0.98
_BOUND = re.compile(
    r"(maximum|minimum) (\S+) usage per (\w+) is (\S+?)[,.]\s+"
    r"(?:but (limit|request) is (\S+?)(?:[,\]\s.]|$)|No (limit|request) is specified)"
)
_RATIO = re.compile(
    r"(?<!\S)(\S{1,100}) max limit to request ratio per (\w+) is (\S+?), but provided ratio is (\S+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Which bound is crossed, and by what."""

    refusal: Refusal
    way: str
    """`above_max`, `below_min`, `ratio`."""
    resource: str
    type: str
    bound: str
    given: str
    """Empty where nothing is given."""


def limit_range_violated(case: Case) -> Hypothesis | None:
    """Supported by the refusal's own words, surer where the limit range that says so is seen."""
    found = violation_of(case)
    if found is None:
        return None
    by = limit_range_of(case, found)
    name = f"Limit range {by.metadata.name}" if by else "A limit range"
    is_max = found.way == "above_max"
    given = found.given or "none"
    shown = (
        said(
            case,
            f"{name} sets {'at most' if is_max else 'at least'} {found.bound} of {found.resource} "
            f"for a {found.type}; asked for is {given}.",
            object_key(by.metadata),
        )
        if by and found.way != "ratio"
        else ()
    )
    return concluded(
        Cause.LIMIT_RANGE_VIOLATED,
        title=f"{name} does not allow {found.resource} {given}"
        + (f" (at most {found.bound})" if is_max else f" (bound {found.bound})"),
        verdict=Verdict.SUPPORTED,
        confidence=SHOWN if shown else SAID,
        supporting=(
            *said(
                case, f"It was refused: {one_line(found.refusal.text, 300)}.", *found.refusal.keys
            ),
            *shown,
            *(changed(case, "LimitRange", by.metadata.name) if by else ()),
            *rolled_out(case),
        ),
        subject=workload_ref(case),
        detail=found.way,
    )


def violation_of(case: Case) -> Violation | None:
    """The newest refusal that speaks of such a bound."""
    for refusal in refused_creations(case):
        if found := _BOUND.search(refusal.text):
            return Violation(
                refusal=refusal,
                way="above_max" if found[1] == "maximum" else "below_min",
                resource=found[2],
                type=found[3],
                bound=found[4],
                given=found[6] or "",
            )
        if found := _RATIO.search(refusal.text):
            return Violation(
                refusal=refusal,
                way="ratio",
                resource=found[1],
                type=found[2],
                bound=found[3],
                given=found[4],
            )
    return None


def limit_range_of(case: Case, found: Violation) -> LimitRange | None:
    """The limit range that sets this very bound."""
    for one in case.surroundings.limit_ranges:
        for item in one.spec.limits or ():
            if (
                item.type == found.type
                and bounds_of(item, found.way).get(found.resource) == found.bound
            ):
                return one
    return None


def bounds_of(item: LimitRangeItem, way: str) -> dict[str, str]:
    """The bounds of a limit range that one way of crossing them is about."""
    by_way = {"above_max": item.max, "below_min": item.min, "ratio": item.max_limit_request_ratio}
    return by_way[way] or {}
