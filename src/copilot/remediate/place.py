"""Where an action would happen, as far as it could be seen. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from copilot.domain.surroundings import HorizontalPodAutoscaler, PodDisruptionBudget

DEMO_LABEL = "incident-copilot.io/demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What guard and risk hold an action against. What may not be read is left out."""

    is_demo_cluster: bool = False
    namespace_labels: dict[str, str] = field(default_factory=dict)
    smallest_allocatable: int | None = None
    """Bytes of memory of the smallest schedulable node, None where nodes cannot be read."""
    budgets: tuple[PodDisruptionBudget, ...] = ()
    """Of the namespace."""
    pod_labels: dict[str, str] = field(default_factory=dict)
    """Of the pods that would be replaced or deleted."""
    n_unready: int = 0
    """How many of them do not serve now."""
    autoscaler: HorizontalPodAutoscaler | None = None
    """That manages the target's replicas."""
    also: tuple[str, ...] = ()
    """Other workloads that the change reaches, for people."""
    unseen: tuple[str, ...] = ()
    """Kinds that should have been looked at and could not be."""

    @property
    def is_demo(self) -> bool:
        return self.is_demo_cluster or self.namespace_labels.get(DEMO_LABEL) == "true"
