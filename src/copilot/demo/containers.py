"""One container on a node: pulled, started, probed, killed, restarted after a back-off.

All times are simulated microseconds. A container says when it wants to be stepped next (`due_us`).
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from copilot.demo.kinds import Obj
from copilot.demo.times import SECOND_US, to_second
from copilot.demo.workloads import NEVER_US, Exit, Registry, Workload
from copilot.domain.quantity import parse_bytes

LOG_LINES = 5_000
"""Lines that a node keeps of one run."""

BACKOFF_S = 10
BACKOFF_MAX_S = 20
"""`crashLoopBackOff.maxContainerRestartPeriod` of the kubelet: short, for the demo's sake."""

PULL_US = 800_000
IMAGE_BACKOFF_MAX_S = 300
SHOW_TERMINATED_US = 3 * SECOND_US
"""How long a dead container shows as terminated before it shows as waiting (1 to 15 s in truth)."""
RESTART_US = 600_000
RESYNC_US = 12 * SECOND_US


class Stage(StrEnum):
    """What the container does next when it is due."""

    CREATE = "create"
    PULL = "pull"
    RUN = "run"
    SHOW_IMAGE_BACKOFF = "show image back-off"
    SHOW_BACKOFF = "show back-off"
    RESTART = "restart"
    STOP = "stop"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    at_us: int
    stream: str
    text: str


@dataclass(slots=True, kw_only=True)
class Run:
    """One life of a container and what it wrote."""

    workload: Workload
    container_id: str
    started_us: int
    lines: deque[LogLine] = field(default_factory=lambda: deque(maxlen=LOG_LINES))


@dataclass(slots=True, kw_only=True)
class ProbeState:
    """One probe of a container; `next_us` is when it asks again."""

    kind: str
    """`readiness` or `liveness`."""
    spec: Obj
    next_us: int = NEVER_US
    n_failed: int = 0
    n_passed: int = 0


@dataclass(slots=True, kw_only=True)
class Place:
    """What a container knows of the pod and the node around it."""

    pod_name: str
    namespace: str
    pod_uid: str
    ip: str
    restart_policy: str
    images: set[str]
    """Images on the node."""
    registry: Registry
    chance: random.Random
    tell: Callable[[str, str, str, str], None]
    """Takes container name, type, reason and message of an event."""
    heard: Callable[[str, Run, LogLine], None]
    """Takes container name, run and each line that it writes."""


class Container:
    """One container of a pod; `state`, `last_state` and the rest are as its status tells."""

    def __init__(self, spec: Obj, place: Place, at_us: int) -> None:
        self.spec = spec
        self.name = str(spec["name"])
        self.limit_bytes = parse_bytes(_amount(spec, "limits", "memory") or "0")
        self.restart_count = 0
        self.is_ready = False
        self.has_started = False
        self.state: Obj = {"waiting": {"reason": "ContainerCreating"}}
        self.last_state: Obj = {}
        self.current: Run | None = None
        self.previous: Run | None = None
        self.peak_bytes = 0
        self.n_limit_hits = 0
        self.due_us = at_us + place.chance.randint(250_000, 600_000)
        self._place = place
        self._stage = Stage.CREATE
        self._probes: list[ProbeState] = []
        self._backoff_s = 0
        self._backoff_us = 0
        self._image_backoff_s = 0

    @property
    def image_id(self) -> str:
        return f"sha256:{hashlib.sha256(str(self.spec['image']).encode()).hexdigest()}"

    @property
    def is_running(self) -> bool:
        return "running" in self.state

    @property
    def memory_bytes(self) -> int:
        """Working set, 0 while it does not run."""
        return self.current.workload.memory_bytes if self.current and self.is_running else 0

    def step(self) -> None:
        """Do what is due at `due_us` and set the next time."""
        at_us = self.due_us
        match self._stage:
            case Stage.CREATE | Stage.RESTART:
                self._create(at_us)
            case Stage.PULL:
                self._finish_pull(at_us)
            case Stage.RUN:
                self._run(at_us)
            case Stage.SHOW_IMAGE_BACKOFF:
                self._show_image_backoff(at_us)
            case Stage.SHOW_BACKOFF:
                self._show_backoff()
            case Stage.STOP:
                self._stop_now(at_us)
            case Stage.ENDED:
                self.due_us = NEVER_US

    def begin_stop(self, at_us: int, grace_s: int) -> None:
        """Take it down for good, as the deletion of its pod does."""
        if not self.is_running or self.current is None:
            self._stage, self.due_us = Stage.ENDED, NEVER_US
            return
        self._tell("Normal", "Killing", f"Stopping container {self.name}")
        quick = self.current.workload.stops_on_sigterm
        self._stage = Stage.STOP
        self.due_us = at_us + (200_000 if quick else grace_s * SECOND_US)

    @property
    def is_gone(self) -> bool:
        """Nothing of it runs or will run."""
        return self._stage is Stage.ENDED

    def skip_to(self, at_us: int) -> None:
        """Let it have run until then without a trace; for a scene that starts in the past."""
        if self._stage is not Stage.RUN or self.current is None:
            return
        workload = self.current.workload
        if workload.next_us < at_us:
            workload.next_us = at_us + self._place.chance.randint(0, 3 * SECOND_US)
        for probe in self._probes:
            probe.next_us = at_us + self._place.chance.randint(0, 5 * SECOND_US)
        self.due_us = self._next_act_us()

    # -------------------------------------------------------------- images

    def _create(self, at_us: int) -> None:
        image, policy = str(self.spec["image"]), self.spec["imagePullPolicy"]
        if image in self._place.images and policy != "Always":
            self._tell("Normal", "Pulled", f'Container image "{image}" already present on machine')
            self._start(at_us)
        elif policy == "Never":
            message = f'Container image "{image}" is not present with pull policy of Never'
            self._wait("ErrImageNeverPull", message)
            self._tell("Warning", "ErrImageNeverPull", message)
            self._tell("Warning", "Failed", "Error: ErrImageNeverPull")
            self._next(Stage.CREATE, at_us + RESYNC_US)
        else:
            self._tell("Normal", "Pulling", f'Pulling image "{image}"')
            self._next(Stage.PULL, at_us + PULL_US)

    def _finish_pull(self, at_us: int) -> None:
        image = str(self.spec["image"])
        if self._place.registry.has(image):
            self._place.images.add(image)
            self._tell(
                "Normal",
                "Pulled",
                f'Successfully pulled image "{image}" in 800ms (800ms including waiting). '
                f"Image size: {41 + len(image)}312768 bytes.",
            )
            self._start(at_us)
            return
        self._wait("ErrImagePull", _pull_error(image))
        self._tell("Warning", "Failed", f'Failed to pull image "{image}": {_pull_error(image)}')
        self._tell("Warning", "Failed", "Error: ErrImagePull")
        self._next(Stage.SHOW_IMAGE_BACKOFF, at_us + SECOND_US)

    def _show_image_backoff(self, at_us: int) -> None:
        image = str(self.spec["image"])
        message = f'Back-off pulling image "{image}"'
        self._wait("ImagePullBackOff", f"{message}: ErrImagePull: {_pull_error(image)}")
        self._tell("Normal", "BackOff", message)
        self._tell("Warning", "Failed", "Error: ImagePullBackOff")
        self._image_backoff_s = min(max(10, self._image_backoff_s * 2), IMAGE_BACKOFF_MAX_S)
        self._next(Stage.CREATE, at_us + self._image_backoff_s * SECOND_US)

    # -------------------------------------------------------------- life

    def _start(self, at_us: int) -> None:
        if self.current is not None:
            self.restart_count += 1
            self.last_state = self.state if "terminated" in self.state else self.last_state
            self._raise_backoff(at_us)
        self.previous = self.current
        workload = self._place.registry.start(self.spec, self._place.chance, at_us)
        marker = f"{self._place.chance.getrandbits(256):064x}"
        self.current = Run(workload=workload, container_id=marker, started_us=at_us)
        self._tell("Normal", "Created", f"Created container: {self.name}")
        if workload.ended is not None:
            self._tell("Warning", "Failed", f"Error: {workload.ended.message}")
            self._end(at_us, workload.ended)
            return
        self._tell("Normal", "Started", f"Started container {self.name}")
        self.state = {"running": {"startedAt": to_second(at_us)}}
        self.has_started = True
        self._set_probes(at_us)
        self.is_ready = not any(probe.kind == "readiness" for probe in self._probes)
        self._next(Stage.RUN, self._next_act_us())

    def _run(self, at_us: int) -> None:
        assert self.current is not None
        workload = self.current.workload
        if workload.next_us <= at_us:
            workload.act(at_us, self._log)
            self.peak_bytes = max(self.peak_bytes, workload.memory_bytes)
            if self.limit_bytes and workload.memory_bytes > self.limit_bytes:
                self.peak_bytes = self.limit_bytes
                self.n_limit_hits += self._place.chance.randint(180, 420)
                self._end(at_us, Exit(code=137, reason="OOMKilled"))
                return
            if workload.ended is not None:
                self._end(at_us, workload.ended)
                return
        for probe in self._probes:
            if probe.next_us <= at_us and self._probe(probe, at_us):
                return
        self.due_us = self._next_act_us()

    def _end(self, at_us: int, end: Exit) -> None:
        """The run is over: restart at once the first time, after a back-off from then on."""
        assert self.current is not None
        self.state = {"terminated": self._terminated(at_us, end)}
        self.is_ready = self.has_started = False
        self._probes = []
        policy = self._place.restart_policy
        if policy == "Never" or (policy == "OnFailure" and end.code == 0):
            self._next(Stage.ENDED, NEVER_US)
        elif not self._is_backed_off(at_us):
            self._next(Stage.RESTART, at_us + RESTART_US)
        else:
            self._tell_backoff()
            self._next(Stage.SHOW_BACKOFF, at_us + SHOW_TERMINATED_US)

    def _show_backoff(self) -> None:
        message = (
            f"back-off {self._backoff_s}s restarting failed container={self.name} "
            f"pod={self._place.pod_name}_{self._place.namespace}({self._place.pod_uid})"
        )
        finished_us = self.due_us - SHOW_TERMINATED_US
        self.last_state = self.state
        self._wait("CrashLoopBackOff", message)
        self._tell_backoff()
        self._next(Stage.RESTART, finished_us + self._backoff_s * SECOND_US + SECOND_US)

    def _stop_now(self, at_us: int) -> None:
        assert self.current is not None
        quick = self.current.workload.stops_on_sigterm
        end = Exit(code=0, reason="Completed") if quick else Exit(code=137, reason="Error")
        self.state = {"terminated": self._terminated(at_us, end)}
        self.is_ready = self.has_started = False
        self._next(Stage.ENDED, NEVER_US)

    # -------------------------------------------------------------- probes

    def _set_probes(self, at_us: int) -> None:
        self._probes = [
            ProbeState(kind=kind, spec=self.spec[f"{kind}Probe"])
            for kind in ("readiness", "liveness")
            if self.spec.get(f"{kind}Probe")
        ]
        for probe in self._probes:
            delay_s = probe.spec.get("initialDelaySeconds") or 0
            probe.next_us = at_us + delay_s * SECOND_US + 300_000

    def _probe(self, probe: ProbeState, at_us: int) -> bool:
        """Ask once; true where the container was restarted for it."""
        probe.next_us = at_us + (probe.spec.get("periodSeconds") or 10) * SECOND_US
        failure = self._probe_failure(probe.spec)
        if not failure:
            probe.n_failed, probe.n_passed = 0, probe.n_passed + 1
            if probe.kind == "readiness" and probe.n_passed >= probe.spec["successThreshold"]:
                self.is_ready = True
            return False
        probe.n_failed, probe.n_passed = probe.n_failed + 1, 0
        self._tell("Warning", "Unhealthy", f"{probe.kind.title()} probe failed: {failure}")
        if probe.n_failed < probe.spec["failureThreshold"]:
            return False
        if probe.kind == "readiness":
            self.is_ready = False
            return False
        told = f"Container {self.name} failed liveness probe, will be restarted"
        self._tell("Normal", "Killing", told)
        self._end(at_us, Exit(code=137, reason="Error"))
        return True

    def _probe_failure(self, spec: Obj) -> str:
        assert self.current is not None
        action = spec.get("httpGet") or spec.get("tcpSocket")
        if not action:
            return ""  # a command inside the container: nothing to simulate
        port, path = self._port_number(action["port"]), action.get("path", "/")
        status = self.current.workload.answers(action["port"], path)
        address = f"{self._place.ip}:{port}"
        if status == 0 and spec.get("tcpSocket"):
            return f"dial tcp {address}: connect: connection refused"
        if status == 0:
            url = f"http://{address}{path}"
            return f'Get "{url}": dial tcp {address}: connect: connection refused'
        if spec.get("tcpSocket") or 200 <= status < 400:
            return ""
        return f"HTTP probe failed with statuscode: {status}"

    def _port_number(self, port: int | str) -> int | str:
        for declared in self.spec.get("ports") or []:
            if declared.get("name") == port:
                return int(declared["containerPort"])
        return port

    # -------------------------------------------------------------- bookkeeping

    def _next_act_us(self) -> int:
        assert self.current is not None
        return min([self.current.workload.next_us, *(probe.next_us for probe in self._probes)])

    def _next(self, stage: Stage, at_us: int) -> None:
        self._stage, self.due_us = stage, at_us

    def _wait(self, reason: str, message: str) -> None:
        self.state = {"waiting": {"reason": reason, "message": message}}

    def _terminated(self, at_us: int, end: Exit) -> Obj:
        assert self.current is not None
        told = {"exitCode": end.code, "reason": end.reason}
        if end.message:
            told["message"] = end.message
        return told | {
            "startedAt": to_second(self.current.started_us),
            "finishedAt": to_second(at_us),
            "containerID": f"containerd://{self.current.container_id}",
        }

    def _is_backed_off(self, finished_us: int) -> bool:
        """Kubelet's rule: the back-off is forgotten after twice its maximum of quiet."""
        expiry_us = 2 * BACKOFF_MAX_S * SECOND_US
        return self._backoff_s > 0 and finished_us - self._backoff_us <= expiry_us

    def _raise_backoff(self, at_us: int) -> None:
        if self._is_backed_off(at_us):
            self._backoff_s = min(self._backoff_s * 2, BACKOFF_MAX_S)
        else:
            self._backoff_s = BACKOFF_S
        self._backoff_us = at_us

    def _tell_backoff(self) -> None:
        place = self._place
        pod = f"{place.pod_name}_{place.namespace}({place.pod_uid})"
        self._tell(
            "Warning",
            "BackOff",
            f"Back-off restarting failed container {self.name} in pod {pod}",
        )

    def _tell(self, type_: str, reason: str, message: str) -> None:
        self._place.tell(self.name, type_, reason, message)

    def _log(self, at_us: int, stream: str, text: str) -> None:
        assert self.current is not None
        line = LogLine(at_us=at_us, stream=stream, text=text)
        self.current.lines.append(line)
        self._place.heard(self.name, self.current, line)


def _amount(spec: Obj, kind: str, name: str) -> str:
    resources = spec.get("resources") or {}
    return str((resources.get(kind) or {}).get(name, ""))


def _pull_error(image: str) -> str:
    return (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": '
        f'failed to resolve reference "{image}": {image}: not found'
    )
