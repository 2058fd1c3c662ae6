"""What containers do: memory, log lines and an end, taken from image and command alone.

So the same manifest behaves alike here and on a cluster where the image is real. A workload is a
small state machine: it says when it wants to act next, and `act` is called then.
"""

from __future__ import annotations

import json
import math
import random
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from copilot.demo.kinds import Obj
from copilot.demo.times import SECOND_US, to_second

MIB = 2**20
NEVER_US = 2**62
"""A time that does not come."""

OVERHEAD_BYTES = 600 * 1024
"""What a process needs beside the memory that it asks for."""

Log = Callable[[int, str, str], None]
"""Takes time in microseconds, stream (`stdout`, `stderr`) and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a container ended by itself."""

    code: int
    reason: str
    """`Completed`, `Error` or `StartError`."""
    message: str = ""


class Workload(Protocol):
    """One run of one container."""

    next_us: int
    """When it acts next."""
    memory_bytes: int
    """Its working set now."""
    ended: Exit | None
    stops_on_sigterm: bool

    def act(self, at_us: int, log: Log) -> None:
        """Do what is due at `next_us`."""
        ...

    def answers(self, port: int | str, path: str) -> int:
        """HTTP status of a GET, 0 where nobody listens."""
        ...


class Memhog:
    """`memhog STEP_MIB SLEEP_MS [MAX_MIB]`: touches memory step by step, logs each step, idles."""

    stops_on_sigterm = False  # process 1 without a handler: the kernel drops the signal

    def __init__(self, arguments: list[str], started_us: int) -> None:
        numbers = [_number(text) for text in arguments]
        self._step_mib = numbers[0] if numbers else 1
        self._sleep_us = (numbers[1] if len(numbers) > 1 else 100) * 1000
        self._max_mib = numbers[2] if len(numbers) > 2 else 2**20
        self._allocated_mib = 0
        self._is_touched = False
        self.next_us = started_us if self._max_mib > 0 else NEVER_US
        self.memory_bytes = OVERHEAD_BYTES
        self.ended: Exit | None = None

    def act(self, at_us: int, log: Log) -> None:
        # Two acts a step, since the kernel kills on the touch: that step leaves no line.
        if not self._is_touched:
            self._allocated_mib += self._step_mib
            self.memory_bytes = self._allocated_mib * MIB + OVERHEAD_BYTES
            self._is_touched = True
            return
        self._is_touched = False
        line = {
            "ts": to_second(at_us),
            "level": "warn",
            "msg": "cache grew",
            "allocated_mib": self._allocated_mib,
        }
        log(at_us, "stdout", json.dumps(line, separators=(",", ":")))
        is_full = self._allocated_mib >= self._max_mib
        self.next_us = NEVER_US if is_full else at_us + self._sleep_us

    def answers(self, port: int | str, path: str) -> int:
        return 0


class WebService:
    """A service that answers requests: steady memory, an INFO line now and then."""

    stops_on_sigterm = True

    def __init__(
        self, profile: Profile, ports: list[Obj], chance: random.Random, started_us: int
    ) -> None:
        self._profile = profile
        self._ports = {p for port in ports for p in (port["containerPort"], port.get("name"))}
        self._chance = chance
        self._started_us = started_us
        self._has_started = False
        self.next_us = started_us
        self.memory_bytes = OVERHEAD_BYTES
        self.ended: Exit | None = None

    def act(self, at_us: int, log: Log) -> None:
        wave = math.sin((at_us - self._started_us) / (240 * SECOND_US))
        noise = self._chance.uniform(-0.01, 0.01)
        self.memory_bytes = round(self._profile.memory_mib * MIB * (1 + 0.03 * wave + noise))
        if self._has_started:
            log(at_us, "stdout", self._profile.line(at_us, self._chance))
        else:
            log(at_us, "stdout", self._profile.first_line(at_us))
            self._has_started = True
        self.next_us = at_us + round(self._chance.uniform(0.5, 1.5) * self._profile.pause_s * 1e6)

    def answers(self, port: int | str, path: str) -> int:
        if port not in self._ports:
            return 0
        health = ("/", "/healthz", "/livez", "/readyz", "/health", "/ready", "/metrics")
        return 200 if path in health or path in self._profile.paths else 404


class Script:
    """A shell script of `echo`, `sleep`, `exit` and `httpd`: what manifests for tests use."""

    stops_on_sigterm = False

    def __init__(self, text: str, started_us: int) -> None:
        parts = (part.strip() for part in re.split(r";|&&|\n", text))
        self._steps = [part.removeprefix("exec ").strip() for part in parts if part]
        self._port = 0
        self.next_us = started_us
        self.memory_bytes = OVERHEAD_BYTES + MIB // 2
        self.ended: Exit | None = None

    def act(self, at_us: int, log: Log) -> None:
        if not self._steps:
            self.ended = _exit(0)
            return
        step = self._steps.pop(0)
        words = _words(step)
        match words[:1]:
            case ["echo"]:
                self._echo(words[1:], at_us, log)
            case ["sleep"]:
                self.next_us = at_us + _seconds_us(words[1] if len(words) > 1 else "0")
            case ["exit"]:
                self.ended = _exit(_number(words[1]) if len(words) > 1 else 0)
            case ["false"]:
                self.ended = _exit(1) if not self._steps else None
            case ["httpd"] if "-f" in words:
                self._port = _number(words[words.index("-p") + 1].rpartition(":")[2])
                self.next_us = NEVER_US
            case _:
                pass  # mkdir and the like: nothing to be seen from outside

    def answers(self, port: int | str, path: str) -> int:
        if not self._port or port != self._port:
            return 0
        return 200 if path in ("/", "/index.html") else 404

    def _echo(self, words: list[str], at_us: int, log: Log) -> None:
        if ">" in words:  # into a file
            return
        stream = "stderr" if words[-1:] == [">&2"] else "stdout"
        log(at_us, stream, " ".join(word for word in words if word not in (">&2", "1>&2")))


class Broken:
    """A command that is not in the image: it never starts."""

    stops_on_sigterm = True

    def __init__(self, command: str, started_us: int) -> None:
        self.next_us = started_us
        self.memory_bytes = 0
        self.ended: Exit | None = Exit(
            code=128,
            reason="StartError",
            message="failed to create containerd task: failed to create shim task: OCI runtime "
            "create failed: runc create failed: unable to start container process: exec: "
            f'"{command}": stat {command}: no such file or directory: unknown',
        )

    def act(self, at_us: int, log: Log) -> None:
        self.next_us = NEVER_US

    def answers(self, port: int | str, path: str) -> int:
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a service of the demo registry is like."""

    name: str
    memory_mib: int
    pause_s: float
    """Mean time between two log lines."""
    paths: tuple[str, ...]
    is_json: bool = True

    def first_line(self, at_us: int) -> str:
        return self._told(at_us, "listening", {"service": self.name})

    def line(self, at_us: int, chance: random.Random) -> str:
        path = chance.choice(self.paths)
        filled = path.replace("{id}", str(chance.randint(1000, 9999)))
        method = "POST" if path.endswith(("/orders", "/token", "/charges")) else "GET"
        status = 201 if method == "POST" else 200
        duration_ms = max(2, round(chance.gauss(24, 9)))
        fields = {"method": method, "path": filled, "status": status, "duration_ms": duration_ms}
        return self._told(at_us, "request", fields)

    def _told(self, at_us: int, message: str, fields: Obj) -> str:
        if self.is_json:
            head = {"ts": to_second(at_us), "level": "info", "msg": message}
            return json.dumps(head | fields, separators=(",", ":"))
        told = " ".join(f"{name}={value}" for name, value in fields.items())
        return f"{to_second(at_us)} INFO {self.name} {message} {told}"


class Registry:
    """The images that exist, and what the containers made from them do."""

    def __init__(self) -> None:
        self._profiles: dict[str, Profile] = {}
        self._images = {"docker.io/lab/oom-demo:1", "docker.io/lab/busybox:1.35"}

    def publish(self, repository: str, profile: Profile, *tags: str) -> None:
        """Add a service in these versions."""
        self._profiles[repository] = profile
        self._images |= {f"{repository}:{tag}" for tag in tags}

    def has(self, image: str) -> bool:
        """Is there such an image to pull?"""
        return image in self._images

    def start(self, container: Obj, chance: random.Random, started_us: int) -> Workload:
        """A run of a container whose image is there."""
        repository = str(container["image"]).rpartition(":")[0]
        words = [*(container.get("command") or []), *(container.get("args") or [])]
        profile = self._profiles.get(repository)
        if profile and not container.get("command"):
            return WebService(profile, container.get("ports") or [], chance, started_us)
        program = words[0].rpartition("/")[2] if words else ""
        if program == "memhog" and repository == "docker.io/lab/oom-demo":
            return Memhog(words[1:], started_us)
        if program in ("sh", "ash") and words[1:2] == ["-c"] and len(words) > 2 and not profile:
            return Script(words[2], started_us)
        if program in ("sleep", "true", "false", "echo", "httpd", "") and not profile:
            return Script(shlex.join([program, *words[1:]]) if program else "exit 0", started_us)
        return Broken(words[0], started_us)


def _exit(code: int) -> Exit:
    return Exit(code=code, reason="Error" if code else "Completed")


def _words(step: str) -> list[str]:
    try:
        return shlex.split(step)
    except ValueError:
        return step.split()


def _number(text: str) -> int:
    """As C's `atol`: what is no number is 0."""
    found = re.match(r"-?\d+", text)
    return int(found.group()) if found else 0


def _seconds_us(text: str) -> int:
    if text in ("infinity", "inf"):
        return NEVER_US
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not found:
        return 0
    factor = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found.group(2)]
    return round(float(found.group(1)) * factor * SECOND_US)
