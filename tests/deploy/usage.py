"""What pods of ours use, as their kubelet counts it, beside what their manifests ask for.

A request stands for what a pod was seen to need: of memory its largest working set, of the processor
its busiest minute. The first minute counts as any other, so a role that idles has the processor that
it needs to start and to answer probes, and no less.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from tests.deploy.installation import HOME, Shell

EVERY_S = 5.0
MIB = 1 << 20
MINUTE_S = 60.0
MEMORY_WITHIN = 1.2
PROCESSOR_WITHIN = 2.0
"""Wider: a second of a processor does less where others are busy, too. Beside the figures that
docs/how-to/sizing.md tells, requests are held to a fifth in either (tests/guards/test_sizing.py)."""


@dataclass(frozen=True)
class Look:
    """When, in seconds since 1970, and the seconds of a processor that were used by then."""

    at_s: float
    used_s: float


@dataclass
class Usage:
    """Looks every few seconds while it is entered."""

    shell: Shell
    names: Collection[str]
    """Of the deployments that are looked at; each has one pod all along."""
    memory: dict[str, int] = field(default_factory=dict)
    """By name: the largest working set, in bytes."""
    processor: dict[str, list[Look]] = field(default_factory=dict)
    """By name, the start first."""
    _over: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        (node,) = self.shell.read("nodes")["items"]
        path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary"
        for pod in json.loads(self.shell.run(f"kubectl get --raw {path}"))["pods"]:
            name = pod["podRef"]["name"].rsplit("-", 2)[0]
            if pod["podRef"]["namespace"] == HOME and name in self.names:
                for container in pod.get("containers") or ():  # none while it goes
                    self._note(name, container)

    def _note(self, name: str, container: Mapping[str, Any]) -> None:
        bytes_now = container["memory"].get("workingSetBytes", 0)
        self.memory[name] = max(self.memory.get(name, 0), bytes_now)
        if "usageCoreNanoSeconds" not in container["cpu"]:
            return
        looks = self.processor.setdefault(name, [Look(seconds(container["startTime"]), 0.0)])
        now = Look(
            seconds(container["cpu"]["time"]), container["cpu"]["usageCoreNanoSeconds"] / 1e9
        )
        if now.at_s > looks[-1].at_s:  # the kubelet counts less often than it is asked
            looks.append(now)

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


def busiest_minute(looks: Sequence[Look]) -> float:
    """Of one processor, in thousandths: the most on average over a minute, or all of a shorter life."""
    averages = [
        average(look, later)
        for look in looks
        if (later := next((one for one in looks if one.at_s - look.at_s >= MINUTE_S), None))
    ]
    return max(averages, default=average(looks[0], looks[-1]))


def average(look: Look, later: Look) -> float:
    """Between two looks, in thousandths of a processor."""
    return 1000 * (later.used_s - look.used_s) / (later.at_s - look.at_s)


def seconds(when: str) -> float:
    return datetime.fromisoformat(when).timestamp()


def requests(shell: Shell) -> dict[str, Mapping[str, float]]:
    """By name of the deployment: thousandths of a processor, and bytes."""
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
    """For people, and for docs/how-to/sizing.md. The last two columns explain the third: what it
    used on average all its life, and by the first look."""
    rows = ["                   memory  asked MiB     CPU  asked m    all along m    start s"]
    for name, looks in usage.processor.items():
        wanted = asked[name]
        rows.append(
            f"{name:<18} {usage.memory[name] / MIB:6.0f} {wanted['memory'] / MIB:10.0f}"
            f" {busiest_minute(looks):7.0f} {wanted['cpu']:8.0f}"
            f" {average(looks[0], looks[-1]):14.0f} {looks[1].used_s:10.1f}"
        )
    return "\n".join(rows)


def far_off(usage: Usage, asked: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """What is asked for by what is used, where the two are further apart than they may be."""
    memory = {name: asked[name]["memory"] / used for name, used in usage.memory.items()}
    processor = {
        name: asked[name]["cpu"] / busiest_minute(looks) for name, looks in usage.processor.items()
    }
    return {
        f"{what} of {name}": ratio
        for what, ratios, within in (
            ("memory", memory, MEMORY_WITHIN),
            ("CPU", processor, PROCESSOR_WITHIN),
        )
        for name, ratio in ratios.items()
        if not 1 / within <= ratio <= within
    }
