"""What the machine must have: root, the programs of Debian, Go to build the rest."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from lab.commands import LabError, output

CNI = Path("/usr/lib/cni")

CONTROL_PLANE = {"ip": "iproute2", "nsenter": "util-linux", "openssl": "openssl"}
NODE = {
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "mount": "mount",
    str(CNI / "bridge"): "containernetworking-plugins",
}
"""Program to Debian package."""


def prepare(*, with_node: bool) -> None:
    """Install what is missing; without a node, its fake needs one package of Python.

    Raises:
        LabError: not root, or not on a machine with apt-get; the message names the packages.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise LabError("the lab needs Linux and root: it makes namespaces, mounts and cgroups")
    if not with_node and not find_spec("aiohttp"):
        raise LabError("the fake kubelet needs aiohttp: use .venv/bin/python (`make install`)")
    needed = CONTROL_PLANE | NODE if with_node else CONTROL_PLANE
    missing = _missing(needed)
    if with_node and not _is_static(shutil.which("busybox")):
        missing.append("busybox-static")
    _install(missing)


def install(needed: Mapping[str, str]) -> None:
    """Install what is missing of these programs, each with its Debian package.

    Raises:
        LabError: that is not for us to do here; the message names the packages.
    """
    _install(_missing(needed))


def _missing(needed: Mapping[str, str]) -> list[str]:
    return [package for program, package in needed.items() if not shutil.which(program)]


def _install(missing: Sequence[str]) -> None:
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(f"missing: {' '.join(missing)} (Debian's names); please install them")
    print(f"==> Debian packages: {' '.join(missing)}", flush=True)
    output(["apt-get", "update", "-qq"])
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    output(install, environment={"DEBIAN_FRONTEND": "noninteractive"})


def busybox() -> bytes:
    """The static one: an image from scratch has no libraries."""
    path = shutil.which("busybox")
    if path is None or not _is_static(path):
        raise LabError("a static busybox is missing: apt-get install busybox-static")
    return Path(path).read_bytes()


def _is_static(path: str | None) -> bool:
    """A dynamic program names its loader near its beginning."""
    return path is not None and b"/ld-linux" not in Path(path).read_bytes()[:4096]
