"""What the lab's groups hand down."""

from lab.cgroups import V2_CONTROLLERS

KUBELET_WANTS = {"cpu", "cpuset", "hugetlb", "memory", "pids"}
"""Of those that the root has; one that is missing, and its group does not exist to it
(`getSupportedUnifiedControllers` in its container manager, 1.34)."""


def test_a_group_of_version_two_has_every_controller_that_a_kubelet_looks_for() -> None:
    assert {name.removeprefix("+") for name in V2_CONTROLLERS.split()} >= KUBELET_WANTS
