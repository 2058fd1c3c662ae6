"""What the roles use, as their kubelet counts it, beside what their manifests ask for."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tests.deploy.installation import HOME, ROLES, Shell

EVERY_S = 5.0
MIB = 1 << 20


@dataclass
class Usage:
    """Looks every few seconds while it is entered."""

    shell: Shell
    memory: dict[str, int] = field(default_factory=dict)
    """By role: the largest working set, in bytes."""
    cpu_s: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """By role: when, and how many seconds of a processor by then."""
    _over: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        (node,) = self.shell.read("nodes")["items"]
        path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary"
        for pod in json.loads(self.shell.run(f"kubectl get --raw {path}"))["pods"]:
            role = pod["podRef"]["name"].rsplit("-", 2)[0]
            if pod["podRef"]["namespace"] != HOME or role not in ROLES:
                continue
            for container in pod["containers"]:
                bytes_now = container["memory"].get("workingSetBytes", 0)
                self.memory[role] = max(self.memory.get(role, 0), bytes_now)
                used_s = container["cpu"].get("usageCoreNanoSeconds", 0) / 1e9
                self.cpu_s.setdefault(role, []).append((time.monotonic(), used_s))

    def milli_cpu(self, role: str) -> float:
        """Of one processor, in thousandths, on average since the first look."""
        (began, before), (ended, after) = self.cpu_s[role][0], self.cpu_s[role][-1]
        return 1000 * (after - before) / (ended - began)

    def started_with_s(self, role: str) -> float:
        """Seconds of a processor until the first look: what a start costs."""
        return self.cpu_s[role][0][1]

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self.look()

    def __enter__(self) -> Self:
        self.look()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)


def requests(shell: Shell) -> dict[str, Mapping[str, float]]:
    """By role: thousandths of a processor, and bytes."""
    found: dict[str, Mapping[str, float]] = {}
    for deployment in shell.read(f"-n {HOME} deployments")["items"]:
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        asked: dict[str, Any] = container["resources"]["requests"]
        found[deployment["metadata"]["name"]] = {
            "cpu": float(asked["cpu"].removesuffix("m")),
            "memory": float(asked["memory"].removesuffix("Mi")) * MIB,
        }
    return found


def table(usage: Usage, asked: Mapping[str, Mapping[str, float]]) -> str:
    """For people."""
    head = "role               start CPU s   CPU m (asked)   memory MiB (asked)"
    rows = [
        f"{role:<18} {usage.started_with_s(role):11.1f} {usage.milli_cpu(role):7.0f}"
        f" ({asked[role]['cpu']:4.0f}) {usage.memory[role] / MIB:10.0f} ({asked[role]['memory'] / MIB:4.0f})"
        for role in ROLES
    ]
    return "\n".join([head, *rows])
