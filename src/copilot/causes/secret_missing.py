"""A Secret or a key of one is not there. Secrets are never read: it is known from events and specs,
and where people let one be followed, from which of its keys came and went."""

from __future__ import annotations

from copilot.causes.changed import changed, rolled_out
from copilot.causes.citing import concluded
from copilot.causes.config_missing import absence, title_of, told
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import Part
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict

SAID_BY_THE_KUBELET = 0.95


def secret_missing(case: Case) -> Hypothesis | None:
    """Supported by the kubelet's own words. That nothing says so any more is all that would refute
    it."""
    found = absence(case, "Secret")
    if found is None:
        return None
    return concluded(
        Cause.SECRET_MISSING,
        title=title_of(found),
        verdict=Verdict.SUPPORTED,
        confidence=SAID_BY_THE_KUBELET,
        supporting=(
            *told(case, found),
            *changed(case, "Secret", found.reference.name),
            *rolled_out(case, lambda r: not r.config_map and Part.CODE in r.parts),
        ),
        subject=workload_ref(case),
        detail="key_missing" if found.is_key else "object_missing",
    )
