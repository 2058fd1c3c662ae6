"""What PodDisruptionBudgets allow, held against what a change takes away. Pure.

Budgets bind evictions only: neither a rollout nor a deletion asks them, so we do.
https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-budgets
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from copilot.domain.objects import LabelSelector, SelectorRequirement
from copilot.domain.surroundings import PodDisruptionBudget


def overdrawn(
    budgets: Iterable[PodDisruptionBudget],
    labels: Mapping[str, str],
    *,
    away: int,
    n_unready: int,
) -> Iterator[str]:
    """Each budget of these pods that would be broken, with the figures.

    Of those that go `n_unready` do not serve anyway: they go first.
    """
    lost = max(0, away - n_unready)
    for budget in budgets:
        if lost == 0 or not selects(budget.spec.selector, labels):
            continue
        healthy, wanted = budget.status.current_healthy, budget.status.desired_healthy
        if healthy - lost < wanted:
            yield (
                f"PodDisruptionBudget {budget.metadata.name} wants {wanted} healthy pods; "
                f"{healthy} are, and {lost} would go"
            )


def selects(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Whether a policy/v1 selector matches; none at all matches nothing, an empty one all."""
    if selector is None:
        return False
    wanted = selector.match_labels or {}
    return wanted.items() <= labels.items() and all(
        _meets(requirement, labels) for requirement in selector.match_expressions or ()
    )


def _meets(requirement: SelectorRequirement, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(requirement.key), requirement.values or []
    match requirement.operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False
