"""What remedies share: whose template may be changed, and whether a change brought the trouble in.
Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from copilot.agents.rollback import roll_back
from copilot.causes.failures import began_us
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import just_before
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import Deployment, PodSpec, ReplicaSet
from copilot.domain.proposal import Draft

CHANGEABLE = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


def template_of(case: Case) -> PodSpec | None:
    """The pod template that may be changed, None where there is none: a Job's cannot be, and a
    ReplicaSet alone does not replace its pods."""
    if case.workload is None or workload_ref(case).kind not in CHANGEABLE:
        return None
    return case.workload.spec.template.spec


def not_changeable(case: Case) -> str:
    """Why nothing of a pod's own spec is suggested."""
    return f"the pod template of {workload_ref(case)} cannot be changed in place"


def undone(
    case: Case,
    hypothesis: Hypothesis,
    wanted: Callable[[ReplicaSet], bool] = lambda _: True,
) -> Iterator[Draft]:
    """The way back, where a rollout just before brought the trouble in, to a revision without it."""
    rollout = just_before(case, began_us(case))
    if rollout is None or rollout.config_map:
        return
    for found in roll_back(case, hypothesis, about=None, wanted=wanted):
        if isinstance(found, Draft):
            yield found


def spec_of(revision: Deployment) -> PodSpec:
    return revision.spec.template.spec
