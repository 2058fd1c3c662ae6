"""The scheduler: gives each pod a node that has room for it, or says why there is none."""

from __future__ import annotations

from collections import Counter

from copilot.demo.kinds import NODE, POD, Obj
from copilot.demo.reporting import Reporter
from copilot.demo.times import to_second
from copilot.demo.world import World
from copilot.demo.writer import Writer
from copilot.domain.quantity import parse_bytes, parse_millicores


class Scheduler:
    """One look at all pods without a node a step, where anything has changed."""

    def __init__(self, world: World, reporter: Reporter) -> None:
        self._world = world
        self._reporter = reporter
        self._writer = Writer(world, "kube-scheduler")
        self._seen_version = -1

    def step(self) -> None:
        if self._world.version == self._seen_version:
            return
        for pod in self._world.objects(POD):
            is_waiting = not pod["spec"].get("nodeName")
            if is_waiting and "deletionTimestamp" not in pod["metadata"]:
                self._place(pod)
        self._seen_version = self._world.version

    def _place(self, pod: Obj) -> None:
        nodes = self._world.objects(NODE)
        placed = [p for p in self._world.objects(POD) if p["spec"].get("nodeName")]
        reasons: Counter[str] = Counter()
        fitting: list[tuple[int, str]] = []
        for node in nodes:
            here = [p for p in placed if p["spec"]["nodeName"] == node["metadata"]["name"]]
            against = _against(pod, node, here)
            reasons.update(against)
            if not against:
                fitting.append((_requested(here, "memory"), node["metadata"]["name"]))
        if fitting:
            self._bind(pod, min(fitting)[1])
        else:
            self._refuse(pod, len(nodes), reasons)

    def _bind(self, pod: Obj, node: str) -> None:
        metadata = pod["metadata"]
        condition = {"status": "True"}
        bound = {**pod, "spec": {**pod["spec"], "nodeName": node}}
        placed = self._put(pod, bound, condition)
        message = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {node}"
        self._reporter.report_scheduling(POD, placed, "Normal", "Scheduled", message, "Binding")

    def _refuse(self, pod: Obj, n_nodes: int, reasons: Counter[str]) -> None:
        told = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
        message = (
            f"0/{n_nodes} nodes are available: {told}. no new claims to deallocate, preemption: "
            f"0/{n_nodes} nodes are available: {n_nodes} Preemption is not helpful for scheduling."
        )
        held: Obj = next(
            (c for c in pod["status"].get("conditions") or [] if c["type"] == "PodScheduled"), {}
        )
        if held.get("message") == message:
            return
        condition = {"status": "False", "reason": "Unschedulable", "message": message}
        waiting = self._put(pod, pod, condition)
        self._reporter.report_scheduling(
            POD, waiting, "Warning", "FailedScheduling", message, "Scheduling"
        )

    def _put(self, before: Obj, after: Obj, condition: Obj) -> Obj:
        now = to_second(self._world.now_us())
        told = {
            "type": "PodScheduled",
            "observedGeneration": before["metadata"]["generation"],
            "lastProbeTime": None,
            "lastTransitionTime": now,
            **condition,
        }
        placed = {**after, "status": {**before["status"], "conditions": [told]}}
        return self._writer.put(POD, before, placed, "status")


def _against(pod: Obj, node: Obj, here: list[Obj]) -> list[str]:
    """What speaks against the node, in the scheduler's words; empty where it fits."""
    labels = node["metadata"].get("labels") or {}
    wanted = pod["spec"].get("nodeSelector") or {}
    if node["spec"].get("unschedulable"):
        return ["node(s) were unschedulable"]
    if wanted.items() - labels.items():
        return ["node(s) didn't match Pod's node affinity/selector"]
    if _untolerated(pod, node):
        return ["node(s) had untolerated taint(s)"]
    room = node["status"]["allocatable"]
    against = []
    if len(here) >= int(room.get("pods", "110")):
        against.append("Too many pods")
    if _requested([*here, pod], "cpu") > parse_millicores(room["cpu"]):
        against.append("Insufficient cpu")
    if _requested([*here, pod], "memory") > parse_bytes(room["memory"]):
        against.append("Insufficient memory")
    return against


def _untolerated(pod: Obj, node: Obj) -> bool:
    tolerations = pod["spec"].get("tolerations") or []
    for taint in node["spec"].get("taints") or []:
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not any(
            _tolerates(toleration, taint) for toleration in tolerations
        ):
            return True
    return False


def _tolerates(toleration: Obj, taint: Obj) -> bool:
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    is_any = toleration.get("operator") == "Exists"
    return is_any or toleration.get("value", "") == taint.get("value", "")


def _requested(pods: list[Obj], name: str) -> int:
    """Bytes or millicores."""
    parse = parse_millicores if name == "cpu" else parse_bytes
    return sum(
        parse(str(((container.get("resources") or {}).get("requests") or {}).get(name, "0")))
        for pod in pods
        for container in pod["spec"]["containers"]
    )
