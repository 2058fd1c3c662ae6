"""Namespaces of an instance's own, held open by one process.

The holder is PID 1 of a PID namespace, beside a network and a mount namespace. When it dies, the
kernel ends every process in there, and with the last of them go the mounts and the network: a lab
that was killed in the middle of anything leaves no more to clean than control groups and files.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.commands import LabError, output
from lab.instance import Instance

KILLED_WITHIN_S = 15.0

_SET_UP = """
set -e
mount --make-rshared /
for pair in "$@"; do mount --bind "${pair%%:*}" "${pair##*:}"; done
unset pair
exec "$HOLDER"
"""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be mistaken for a later one of the same number."""

    pid: int
    started: str
    """In clock ticks since boot."""

    @classmethod
    def of(cls, pid: int) -> Process:
        return cls(pid, _stat(pid)[19])

    @classmethod
    def recorded(cls, path: Path) -> Process | None:
        try:
            pid, started = path.read_text().split()
        except (OSError, ValueError):
            return None
        return cls(int(pid), started)

    def record(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{self.pid} {self.started}\n")

    @property
    def is_alive(self) -> bool:
        try:
            stat = _stat(self.pid)
        except LabError:
            return False
        return stat[19] == self.started and stat[0] != "Z"

    @property
    def children(self) -> list[Process]:
        try:
            listed = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            return [Process.of(int(child)) for child in listed]
        except (OSError, LabError):
            return []

    def kill(self) -> None:
        """SIGKILL, and back when it is gone.

        An API server with open watches takes a minute to heed SIGTERM, and nothing in a lab is
        worth the wait.
        """
        if self.is_alive:
            os.kill(self.pid, signal.SIGKILL)
        ends = time.monotonic() + KILLED_WITHIN_S
        while self.is_alive:
            if time.monotonic() > ends:
                raise LabError(f"process {self.pid} does not die")
            time.sleep(0.02)


class Sandbox:
    """The namespaces of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._record = instance.run / "holder"

    @property
    def holder(self) -> Process | None:
        """None where there is none alive."""
        found = Process.recorded(self._record)
        return found if found and found.is_alive else None

    def open(self, holder: Path, binds: Sequence[tuple[Path, Path]]) -> None:
        """Start the holder; `binds` are (what, where to show it) inside the mount namespace."""
        self._instance.logs.mkdir(parents=True, exist_ok=True)
        log = self._instance.logs / "holder.log"
        log.unlink(missing_ok=True)
        unshare = _spawn(
            [
                *("unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc"),
                *("--propagation", "slave", "--kill-child"),
                *("sh", "-c", _SET_UP, "sh", *(f"{what}:{where}" for what, where in binds)),
            ],
            log,
            HOLDER=str(holder),
        )
        ends = time.monotonic() + 10
        while not (inside := _running(unshare, holder)):
            if not unshare.is_alive or time.monotonic() > ends:
                said = log.read_text().strip()
                unshare.kill()
                raise LabError(f"no namespaces of our own: {said or 'the holder did not start'}")
            time.sleep(0.02)
        inside.record(self._record)

    def close(self) -> None:
        """End every process in there; nothing happens where there is none."""
        if holder := self.holder:
            holder.kill()
        self._record.unlink(missing_ok=True)

    def entering(self, *namespaces: str) -> list[str]:
        """The beginning of a command that runs in these of `mount`, `net` and `pid`."""
        holder = self.holder
        if holder is None:
            raise LabError(f"the lab {self._instance.name} is not up")
        return ["nsenter", f"--target={holder.pid}", *(f"--{name}" for name in namespaces), "--"]

    def run(self, *command: str) -> str:
        """The output of a command inside; LabError with what it said where it fails."""
        return output([*self.entering("mount", "net", "pid"), *command])

    # ------------------------------------------------------------------ daemons

    def start(self, name: str, command: Sequence[str], *, net: bool = True) -> None:
        """A daemon inside, its output in `logs/NAME.log`; `net=False` leaves it on the host's."""
        namespaces = ("mount", "net", "pid") if net else ("mount", "pid")
        entered = [*self.entering(*namespaces), *command]
        outside = _spawn(entered, self._instance.logs / f"{name}.log")
        outside.record(self._instance.run / "pids" / name)

    def stop(self, name: str) -> None:
        """Kill a daemon; nothing happens where it does not run."""
        if outside := self._daemon(name):
            for inside in outside.children:
                inside.kill()
            outside.kill()
        (self._instance.run / "pids" / name).unlink(missing_ok=True)

    def runs(self, name: str) -> bool:
        return self._daemon(name) is not None

    def dead(self) -> list[str]:
        """Daemons that were started and never stopped, and do not run."""
        names = (path.name for path in sorted((self._instance.run / "pids").glob("*")))
        return [name for name in names if not self.runs(name)]

    def _daemon(self, name: str) -> Process | None:
        found = Process.recorded(self._instance.run / "pids" / name)
        return found if found and found.is_alive else None


def _spawn(command: Sequence[str], log: Path, **environment: str) -> Process:
    """Nobody's child: who starts a lab need not live as long as it does."""
    script = 'setsid "$@" >>"$LOG" 2>&1 </dev/null & echo $!'
    pid = output(["sh", "-c", script, "sh", *command], environment={"LOG": str(log), **environment})
    return Process.of(int(pid))


def _running(parent: Process, program: Path) -> Process | None:
    """The child of a process that has become this program."""
    for child in parent.children:
        try:
            if Path(f"/proc/{child.pid}/exe").readlink() == program.resolve():
                return child
        except OSError:
            continue
    return None


def _stat(pid: int) -> list[str]:
    """From the state on; the command before it may contain anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        raise LabError(f"process {pid} is gone") from None
