"""A workload that is needed stands at 0: up to what it was."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.causes.citing import change_key, object_key
from copilot.causes.references import reference_to
from copilot.causes.scaled_to_zero import REPLICAS, scaling_of
from copilot.causes.selecting import workloads_of
from copilot.causes.wording import one_line, plain
from copilot.domain.action import Scale
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import Deployment
from copilot.domain.proposal import Draft


def scaled_to_zero(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """To the number before; where that is not known, to what an autoscaler asks for, else to 1."""
    found = (w for w in workloads_of(case) if reference_to(w) == hypothesis.subject)
    workload = next(found, None)
    if workload is None:
        yield "the workload is not there any more"
        return
    replicas, why, keys = _wanted(case, workload)
    target = reference_to(workload)
    yield drafted(
        case,
        Scale(target=target, replicas=replicas),
        title=f"Scale {one_line(target.name, 80)} to {replicas}",
        why=why,
        hypothesis=hypothesis,
        keys=(*keys, object_key(workload.metadata)),
    )


def _wanted(case: Case, workload: Deployment) -> tuple[int, str, tuple[str, ...]]:
    change = scaling_of(case, workload)
    for field in change.fields if change else ():
        before = plain(field.before)
        if change and field.path == REPLICAS and before.isdecimal() and int(before):
            why = f"It had {before} before it was scaled to 0, and it is called."
            return int(before), why, (change_key(change),)
    for scaler in case.surroundings.autoscalers:
        if scaler.spec.scale_target_ref.name == workload.metadata.name:
            least = scaler.spec.min_replicas or 1
            return (
                max(least, 1),
                f"Its autoscaler asks for {least} at least, but lets it rest while it is at 0.",
                (object_key(scaler.metadata),),
            )
    return 1, "It is called. How many there were before is not known: one is enough to serve.", ()
