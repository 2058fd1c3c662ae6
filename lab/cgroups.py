"""The control groups of an instance: made before the kubelet asks for them, removed after it."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from lab.commands import LabError
from lab.instance import Instance

V2_CONTROLLERS = "+cpu +cpuset +hugetlb +io +memory +pids"
"""What a kubelet wants in its own group of all that the root has, hugetlb among them: without it,
the group does not exist to it."""
EMPTY_WITHIN_S = 10.0
WEIGHTS = {"cpu.shares": 8 * 1024, "cpu.weight": 8 * 100}
"""By the file of version 1 and of 2: eight times a process outside. With the kernel's default, the
pods of all labs together have the share of one, and on a busy machine hardly ever run."""


def make(instance: Instance) -> None:
    """The kubelet refuses to start below a root that is not there in every hierarchy."""
    for hierarchy, is_v2 in _hierarchies():
        group = hierarchy
        for part in Path(instance.cgroup).parts:
            if is_v2 and (group / "cgroup.controllers").exists():
                _hand_down(group)
            parent, group = group, group / part
            group.mkdir(exist_ok=True)
            for name, weight in WEIGHTS.items():
                if (group / name).exists():
                    (group / name).write_text(str(weight))
            for name in ("cpuset.mems", "cpuset.cpus"):  # v1: a new one is empty and unusable
                if not is_v2 and (group / name).exists():
                    (group / name).write_text((parent / name).read_text())


def remove(instance: Instance) -> None:
    """Its processes must be dead; the kernel needs a moment to believe it."""
    ends = time.monotonic() + EMPTY_WITHIN_S
    for hierarchy, _ in _hierarchies():
        root = hierarchy / instance.cgroup
        while root.exists():
            for group in sorted(root.rglob("*/"), reverse=True):
                with contextlib.suppress(OSError):
                    group.rmdir()
            with contextlib.suppress(OSError):
                root.rmdir()
            if root.exists() and time.monotonic() > ends:
                raise LabError(f"the control group {root} is still in use")
        with contextlib.suppress(OSError):
            root.parent.rmdir()  # where no other instance has one


def _hand_down(group: Path) -> None:
    """v2: what children may limit. A controller that this kernel lacks is none less."""
    for controller in V2_CONTROLLERS.split():
        with contextlib.suppress(OSError):
            (group / "cgroup.subtree_control").write_text(controller)


def _hierarchies() -> list[tuple[Path, bool]]:
    """(where it is mounted, whether it is version 2)"""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [(Path(m[1]), m[2] == "cgroup2") for m in mounts if m[2] in ("cgroup", "cgroup2")]
