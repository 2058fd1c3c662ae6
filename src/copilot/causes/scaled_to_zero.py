"""What a Service sends to was scaled to nothing."""

from __future__ import annotations

from copilot.causes.citing import change_key, concluded, object_key, said
from copilot.causes.questioned import Question, first_of, questioned, shown
from copilot.causes.references import reference_to
from copilot.causes.selecting import (
    pods_behind,
    selected_pods,
    selected_workloads,
)
from copilot.causes.wording import clock, one_line, plain
from copilot.domain.case import Case
from copilot.domain.change import Change
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import Deployment

SURE = 0.95
REPLICAS = "spec.replicas"


def scaled_to_zero(case: Case) -> Hypothesis | None:
    """Supported where a Service that somebody calls, or that should have endpoints, has all of its
    workloads at 0 replicas. What nobody asks for may rest at 0: that is no trouble."""
    return first_of(_judged(case, q) for q in questioned(case))


def scaling_of(case: Case, workload: Deployment) -> Change | None:
    """The last change that brought a workload to 0, however long ago it was seen."""
    own = reference_to(workload)
    found = [
        c
        for c in case.changes
        if (c.object.kind, c.object.name) == (own.kind, own.name)
        and any(f.path == REPLICAS and plain(f.after) == "0" for f in c.fields)
    ]
    return found[-1] if found else None


def _judged(case: Case, question: Question) -> Hypothesis | None:
    picked = selected_workloads(case, question.service)
    if not picked or selected_pods(case, question.service):
        return None
    if any(w.spec.replicas != 0 or pods_behind(case, w) for w in picked):
        return None
    workload = picked[0]
    kind, name = workload.kind or "Deployment", one_line(workload.metadata.name, 80)
    return concluded(
        Cause.SCALED_TO_ZERO,
        title=f"{kind} {name} is scaled to 0, so Service {question.name} has no pod to send to",
        verdict=Verdict.SUPPORTED,
        confidence=SURE,
        supporting=(
            *said(
                case,
                f"{kind} {name}, whose pods Service {question.name} selects, asks for 0 replicas.",
                object_key(workload.metadata),
                question.key,
            ),
            *_changed(case, workload),
            *shown(case, question),
        ),
        subject=reference_to(workload),
    )


def _changed(case: Case, workload: Deployment) -> tuple[Statement, ...]:
    change = scaling_of(case, workload)
    if change is None:
        return ()
    before = next((plain(f.before) for f in change.fields if f.path == REPLICAS), "")
    by = f" by {one_line(change.actor, 60)}" if change.actor else ""
    return said(
        case,
        f"It was scaled from {before or 'its default of 1'} to 0{by} at {clock(change.ts_us)}.",
        change_key(change),
        object_key(workload.metadata),
    )
