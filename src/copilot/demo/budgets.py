"""How many pods a PodDisruptionBudget leaves free to go. Nothing here evicts pods."""

from __future__ import annotations

import math

from copilot.demo.kinds import BUDGET, POD, REPLICA_SET, Obj
from copilot.demo.selectors import selects
from copilot.demo.times import to_second
from copilot.demo.world import World
from copilot.demo.writer import Writer


class Budgets:
    """The disruption controller.

    https://kubernetes.io/docs/tasks/run-application/configure-pdb/
    """

    def __init__(self, world: World, writer: Writer) -> None:
        self._world = world
        self._writer = writer

    def sync(self, budget: Obj) -> None:
        """Count, and write it down where it has changed."""
        namespace, spec = budget["metadata"]["namespace"], budget["spec"]
        pods = [
            pod
            for pod in self._world.objects(POD, namespace)
            if selects(spec.get("selector"), pod["metadata"].get("labels") or {})
        ]
        n_expected, n_desired = self._wanted(spec, pods)
        n_healthy = sum(_is_healthy(pod) for pod in pods)
        n_allowed = max(0, n_healthy - n_desired) if n_expected else 0
        counts = {
            "observedGeneration": budget["metadata"]["generation"],
            "disruptionsAllowed": n_allowed,
            "currentHealthy": n_healthy,
            "desiredHealthy": n_desired,
            "expectedPods": n_expected,
        }
        status = {**counts, "conditions": [self._condition(budget, n_allowed > 0)]}
        if status != budget["status"]:
            self._writer.put(BUDGET, budget, {**budget, "status": status}, "status")

    def _wanted(self, spec: Obj, pods: list[Obj]) -> tuple[int, int]:
        """How many pods there should be, and how many of them well."""
        least, most_lost = spec.get("minAvailable"), spec.get("maxUnavailable")
        if most_lost is not None:
            n_expected = self._scale(pods)
            return n_expected, max(0, n_expected - _part(most_lost, n_expected))
        if isinstance(least, str):
            n_expected = self._scale(pods)
            return n_expected, _part(least, n_expected)
        return len(pods), least or 0

    def _scale(self, pods: list[Obj]) -> int:
        """The replicas of everything that controls one of these pods."""
        owners = {
            owner["uid"]
            for pod in pods
            for owner in pod["metadata"].get("ownerReferences") or []
            if owner.get("controller")
        }
        sets = [s for s in self._world.objects(REPLICA_SET) if s["metadata"]["uid"] in owners]
        return sum(replica_set["spec"]["replicas"] for replica_set in sets)

    def _condition(self, budget: Obj, is_allowed: bool) -> Obj:
        status = "True" if is_allowed else "False"
        held: list[Obj] = budget["status"].get("conditions") or []
        was = next((one for one in held if one["type"] == "DisruptionAllowed"), None)
        is_same = was is not None and was["status"] == status
        now = to_second(self._world.now_us())
        return {
            "type": "DisruptionAllowed",
            "status": status,
            "observedGeneration": budget["metadata"]["generation"],
            "lastTransitionTime": was["lastTransitionTime"] if was and is_same else now,
            "reason": "SufficientPods" if is_allowed else "InsufficientPods",
            "message": "",
        }


def _is_healthy(pod: Obj) -> bool:
    conditions: list[Obj] = pod["status"].get("conditions") or []
    is_ready = ("Ready", "True") in [(c["type"], c["status"]) for c in conditions]
    return is_ready and "deletionTimestamp" not in pod["metadata"]


def _part(amount: int | str, whole: int) -> int:
    """`25%` of the pods, rounded up; a number is itself."""
    if isinstance(amount, int):
        return amount
    return math.ceil(int(amount.rstrip("%")) * whole / 100)
