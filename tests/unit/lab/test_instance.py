"""What belongs to an instance is its own."""

from __future__ import annotations

import pytest

from lab.instance import Instance


@pytest.mark.parametrize("name", ["", "Lab", "../x", "a/b", "1st", "a" * 21])
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name for a lab"):
        Instance(name)


def test_two_instances_share_no_place() -> None:
    one, two = Instance("one"), Instance("two")

    assert not {one.state, one.run, one.cgroup} & {two.state, two.run, two.cgroup}


def test_the_longest_socket_fits_the_kernel() -> None:
    assert len(f"{Instance('a' * 20).containerd_socket}.ttrpc") < 108
