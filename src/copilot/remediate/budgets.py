"""What PodDisruptionBudgets allow, held against what a change takes away. Pure.

Budgets bind evictions only: neither a rollout nor a deletion asks them, so we do.
https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-budgets
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from copilot.domain.selectors import matches
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
        if lost == 0 or not matches(budget.spec.selector, labels):
            continue
        healthy, wanted = budget.status.current_healthy, budget.status.desired_healthy
        if healthy - lost < wanted:
            yield (
                f"PodDisruptionBudget {budget.metadata.name} wants {wanted} healthy pods; "
                f"{healthy} are, and {lost} would go"
            )
