"""The kubelets: they run the pods bound to their nodes and report each pod's status.

One object serves all nodes. `step` does everything that is due by now, in the order of time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from copilot.demo.containers import Container, LogLine, Place, Run
from copilot.demo.kinds import NODE, POD, Obj
from copilot.demo.reporting import Reporter, Source
from copilot.demo.times import SECOND_US, to_second
from copilot.demo.workloads import NEVER_US, Registry
from copilot.demo.world import World
from copilot.demo.writer import Writer

HEARTBEAT_US = 300 * SECOND_US
UNSENT_LINES = 20_000
"""Lines that wait for the log sender; older ones are lost to it, not to `kubectl logs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A line as the log sender finds it: with where it came from."""

    namespace: str
    pod: str
    container: str
    run: Run
    line: LogLine


@dataclass(slots=True, kw_only=True)
class PodRun:
    """A pod on its node."""

    namespace: str
    name: str
    uid: str
    node: str
    ip: str
    started_us: int
    containers: list[Container] = field(default_factory=list)
    due_us: int = 0
    is_stopping: bool = False

    @property
    def peak_bytes(self) -> int:
        """What the pod's cgroup remembers across restarts."""
        return sum(container.peak_bytes for container in self.containers)


class Kubelet:
    """Runs pods. Who wants their memory or their logs asks `pods`."""

    def __init__(self, world: World, reporter: Reporter, registry: Registry) -> None:
        self.pods: dict[str, PodRun] = {}
        self.unsent: deque[Heard] = deque(maxlen=UNSENT_LINES)
        self._world = world
        self._reporter = reporter
        self._writer = Writer(world, "kubelet")
        self._registry = registry
        self._images: dict[str, set[str]] = {}
        self._seen_version = -1
        self._n_addresses = 0
        self._beat_us = 0

    def preload(self, node: str, images: set[str]) -> None:
        """Images that are on the node without a pull."""
        self._images.setdefault(node, set()).update(images)

    def step(self) -> None:
        """Everything that is due by now."""
        now_us = self._world.now_us()
        if self._world.version != self._seen_version:
            self._sync(now_us)
        for pod in list(self.pods.values()):
            while pod.due_us <= now_us:
                self._advance(pod)
        self._heartbeat(now_us)
        self._seen_version = self._world.version

    def find(self, namespace: str, name: str) -> PodRun | None:
        return next(
            (p for p in self.pods.values() if (p.namespace, p.name) == (namespace, name)), None
        )

    def skip_to(self, at_us: int) -> None:
        """Let every pod have run quietly until then."""
        for pod in self.pods.values():
            for container in pod.containers:
                container.skip_to(at_us)
            self._settle(pod)

    # -------------------------------------------------------------- pods

    def _sync(self, now_us: int) -> None:
        """Take up new pods, take down those that are to go."""
        seen = set()
        for pod in self._world.objects(POD):
            uid = pod["metadata"]["uid"]
            seen.add(uid)
            if not pod["spec"].get("nodeName"):
                continue
            if uid not in self.pods:
                self._adopt(pod, now_us)
            if "deletionTimestamp" in pod["metadata"] and not self.pods[uid].is_stopping:
                self._begin_stop(pod, now_us)
        for uid in self.pods.keys() - seen:
            del self.pods[uid]  # deleted with no grace

    def _adopt(self, pod: Obj, now_us: int) -> None:
        metadata, node = pod["metadata"], pod["spec"]["nodeName"]
        self._n_addresses += 1
        run = PodRun(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            node=node,
            ip=f"10.244.{self._n_addresses // 250}.{self._n_addresses % 250 + 2}",
            started_us=now_us,
        )
        place = Place(
            pod_name=run.name,
            namespace=run.namespace,
            pod_uid=run.uid,
            ip=run.ip,
            restart_policy=pod["spec"]["restartPolicy"],
            images=self._images.setdefault(node, set()),
            registry=self._registry,
            chance=self._world.chance,
            tell=lambda name, type_, reason, message: self._tell(run, name, type_, reason, message),
            heard=lambda name, life, line: self._hear(run, name, life, line),
        )
        run.containers = [Container(spec, place, now_us) for spec in pod["spec"]["containers"]]
        self.pods[run.uid] = run
        self._settle(run)
        self._report(run, now_us)

    def _begin_stop(self, pod: Obj, now_us: int) -> None:
        run = self.pods[pod["metadata"]["uid"]]
        run.is_stopping = True
        for container in run.containers:
            container.begin_stop(now_us, pod["metadata"]["deletionGracePeriodSeconds"])
        self._settle(run)

    def _advance(self, run: PodRun) -> None:
        """One step of the container that is due first; report where something shows."""
        container = min(run.containers, key=lambda c: c.due_us)
        before = _shown(container)
        at_us = container.due_us
        if not container.is_gone:
            container.step()
        if _shown(container) != before:
            self._report(run, at_us)
        self._settle(run)
        if run.is_stopping and all(c.is_gone for c in run.containers):
            self._remove(run)

    def _settle(self, run: PodRun) -> None:
        due_us = min(container.due_us for container in run.containers)
        is_over = run.is_stopping and all(c.is_gone for c in run.containers)
        run.due_us = 0 if is_over else due_us

    def _remove(self, run: PodRun) -> None:
        run.due_us = NEVER_US
        self.pods.pop(run.uid, None)
        pod = self._world.find(POD, run.namespace, run.name)
        if pod is None or pod["metadata"]["uid"] != run.uid:
            return
        metadata = {**pod["metadata"], "deletionGracePeriodSeconds": 0}
        self._world.put(POD, {**pod, "metadata": metadata})
        self._world.remove(POD, pod)

    # -------------------------------------------------------------- reports

    def _report(self, run: PodRun, at_us: int) -> None:
        pod = self._world.find(POD, run.namespace, run.name)
        if pod is None or pod["metadata"]["uid"] != run.uid:
            return
        status = {**pod["status"], **self._status(run, pod, at_us)}
        if status == pod["status"]:
            return
        after = {**pod, "status": status}
        self._writer.put(POD, pod, after, "status")

    def _status(self, run: PodRun, pod: Obj, at_us: int) -> Obj:
        unready = [c.name for c in run.containers if not c.is_ready]
        has_run = any(c.current is not None for c in run.containers)
        status: Obj = {
            "observedGeneration": pod["metadata"]["generation"],
            "phase": _phase(run),
            "conditions": _conditions(pod, has_run, unready, to_second(at_us)),
            "hostIP": self._host_ip(run.node),
            "hostIPs": [{"ip": self._host_ip(run.node)}],
            "startTime": to_second(run.started_us),
            "containerStatuses": [_container_status(c) for c in run.containers],
            "qosClass": _qos(pod["spec"]),
        }
        if has_run:
            status |= {"podIP": run.ip, "podIPs": [{"ip": run.ip}]}
        return status

    def _host_ip(self, node: str) -> str:
        held = self._world.find(NODE, "", node) or {}
        addresses = (held.get("status") or {}).get("addresses") or []
        return next((a["address"] for a in addresses if a["type"] == "InternalIP"), "")

    def _heartbeat(self, now_us: int) -> None:
        if now_us < self._beat_us:
            return
        self._beat_us = now_us + HEARTBEAT_US
        for node in self._world.objects(NODE):
            at = to_second(now_us)
            conditions = [{**c, "lastHeartbeatTime": at} for c in node["status"]["conditions"]]
            self._world.put(NODE, {**node, "status": {**node["status"], "conditions": conditions}})

    def _tell(self, run: PodRun, container: str, type_: str, reason: str, message: str) -> None:
        pod = self._world.find(POD, run.namespace, run.name)
        if pod is not None:
            source = Source(component="kubelet", host=run.node)
            path = f"spec.containers{{{container}}}"
            self._reporter.report(source, POD, pod, type_, reason, message, path)

    def _hear(self, run: PodRun, container: str, life: Run, line: LogLine) -> None:
        self.unsent.append(
            Heard(namespace=run.namespace, pod=run.name, container=container, run=life, line=line)
        )


def _shown(container: Container) -> tuple[object, ...]:
    """What of a container its status shows."""
    return (
        container.state,
        container.last_state,
        container.is_ready,
        container.has_started,
        container.restart_count,
    )


def _phase(run: PodRun) -> str:
    if any(c.current is None for c in run.containers):
        return "Pending"
    ended = [c.state.get("terminated") for c in run.containers if c.is_gone]
    if len(ended) < len(run.containers):
        return "Running"
    return "Failed" if any(end and end["exitCode"] for end in ended) else "Succeeded"


def _conditions(pod: Obj, has_run: bool, unready: list[str], at: str) -> list[Obj]:
    """The five conditions; the time of each that keeps its status stays."""
    held = {c["type"]: c for c in pod["status"].get("conditions") or []}
    not_ready = (
        {
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{' '.join(unready)}]",
        }
        if unready
        else {}
    )
    wanted: list[tuple[str, bool, Obj]] = [
        ("PodReadyToStartContainers", has_run, {}),
        ("Initialized", True, {}),
        ("Ready", not unready, not_ready),
        ("ContainersReady", not unready, not_ready),
        ("PodScheduled", True, {}),
    ]
    return [
        _condition(held.get(type_), type_, is_true, told, at, pod)
        for type_, is_true, told in wanted
    ]


def _condition(held: Obj | None, type_: str, is_true: bool, told: Obj, at: str, pod: Obj) -> Obj:
    status = "True" if is_true else "False"
    since = held["lastTransitionTime"] if held and held["status"] == status else at
    return {
        "type": type_,
        "observedGeneration": pod["metadata"]["generation"],
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": since,
        **told,
    }


def _container_status(container: Container) -> Obj:
    status: Obj = {
        "name": container.name,
        "state": container.state,
        "lastState": container.last_state,
        "ready": container.is_ready,
        "restartCount": container.restart_count,
        "image": container.spec["image"],
        "imageID": container.image_id if container.current else "",
    }
    if container.current:
        status["containerID"] = f"containerd://{container.current.container_id}"
    status["started"] = container.has_started
    resources = container.spec.get("resources") or {}
    if container.current:
        if resources.get("requests"):
            status["allocatedResources"] = resources["requests"]
        status["resources"] = resources
    return status


def _qos(spec: Obj) -> str:
    resources = [c.get("resources") or {} for c in spec["containers"]]
    if not any(r.get("limits") or r.get("requests") for r in resources):
        return "BestEffort"
    is_bound = all(
        r.get("limits") == r.get("requests") and {"cpu", "memory"} <= (r.get("limits") or {}).keys()
        for r in resources
    )
    return "Guaranteed" if is_bound else "Burstable"
