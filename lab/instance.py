"""Which lab: its name, and the places that belong to it alone."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NODE_IP = "10.99.0.1"
"""Of the node inside its own network namespace: every instance may have the same."""
SILENT_IP = "10.99.0.9"
"""Routed and nobody's: who connects to it waits in vain."""
POD_RANGE = "10.88.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
REGISTRY_PORT = 5000

_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


def cache() -> Path:
    """Outside every checkout, so that all of them share what took ten minutes to build."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "incident-copilot-lab"


@dataclass(frozen=True, slots=True)
class Instance:
    """One lab. Nothing of it lies outside `state`, `run` and `cgroup`."""

    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name for a lab: 1 to 20 of a-z, 0-9 and -")

    @property
    def state(self) -> Path:
        return cache() / "instances" / self.name

    @property
    def run(self) -> Path:
        """Sockets and mounts; short, as the path of a socket has at most 107 bytes."""
        return Path("/run/incident-copilot-lab") / self.name

    @property
    def cgroup(self) -> str:
        return f"incident-copilot-lab/{self.name}"

    @property
    def config(self) -> Path:
        return self.state / "config"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def kubeconfig(self) -> Path:
        """For the host: through the door on loopback."""
        return self.state / "kubeconfig"

    def kubeconfig_of(self, user: str) -> Path:
        """For processes inside the instance's network."""
        return self.config / f"{user}.kubeconfig"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One `up` or `down` at a time, of whichever instance."""
        with locked(cache() / "instances.lock"):
            yield


def own_instance(purpose: str) -> Instance:
    """Of this checkout: two of them do not meet, and the same one finds what it left behind."""
    checkout = hashlib.sha256(str(Path(__file__).parents[1]).encode()).hexdigest()[:6]
    return Instance(f"{purpose}-{checkout}")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
