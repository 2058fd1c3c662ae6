"""A lab's life: up, down, and what can be done to it between."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import cgroups, credentials, daemons, host
from lab.binaries import program, programs
from lab.commands import LabError
from lab.door import free_port
from lab.images import IMAGES, PRELOADED, Builder
from lab.instance import NODE_IP, SILENT_IP, Instance, cache
from lab.sandbox import Sandbox

READY_WITHIN_S = 120.0
FAKE_NODES = 50

NETWORK = (
    "link set lo up",
    "link add node0 type veth peer name nowhere",  # a dummy would do, but not every kernel has it
    f"addr add {NODE_IP}/24 dev node0",
    "link set node0 up",
    "link set nowhere up",
    "route add default dev node0",
    f"neigh add {SILENT_IP} lladdr 02:00:00:00:00:09 dev node0 nud permanent",
)
FIXED_PLACES = (Path("/run/containerd"), Path("/var/lib/cni"), Path("/var/log/containers"))
"""Where programs of the node keep things whatever they are told: each instance has its own there."""
CONTROL_PLANE = ("etcd", "apiserver", "controller-manager", "scheduler")
NODE = ("containerd", "dns", "registry", "proxy", "kubelet")


class Lab:
    """One instance."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._sandbox = Sandbox(instance)
        self._parts = daemons.Daemons(instance)
        self._tier_file = instance.run / "tier"

    @property
    def tier(self) -> str:
        """`full` or `fake-kubelet`; empty where it is not up, or was interrupted on its way."""
        is_up = self._sandbox.holder is not None and self._tier_file.exists()
        return self._tier_file.read_text() if is_up else ""

    # ------------------------------------------------------------------ up and down

    def up(self, *, fake_nodes: int = 0) -> None:
        """From nothing to a node that is ready. What an earlier one left behind is removed first;
        one that is up already, of the same tier, stays as it is."""
        tier = "fake-kubelet" if fake_nodes else "full"
        host.prepare(with_node=not fake_nodes)
        programs()
        with self.instance.locked():
            if self.tier == tier:
                return
            self._remove()
            try:
                self._start(fake_nodes)
            except BaseException:  # Ctrl-C too: half a lab is of no use to anybody
                self._remove()
                raise
            self._tier_file.write_text(tier)

    def _start(self, fake_nodes: int) -> None:
        started = time.monotonic()
        self._open(with_node=not fake_nodes)
        for name in CONTROL_PLANE[:2]:
            self._sandbox.start(name, self._parts.command(name))
        self._until(self.answers, "the API server")
        for name in CONTROL_PLANE[2:]:
            self._sandbox.start(name, self._parts.command(name))
        if fake_nodes:
            self._sandbox.start("fake-kubelet", self._parts.fake_kubelet(fake_nodes))
        else:
            self._start_node()
        self._until(lambda: self._ready_nodes() >= max(fake_nodes, 1), "every node")
        _say(f"{self.instance.name} is up ({time.monotonic() - started:.0f} s)")

    def down(self) -> None:
        """No process, mount, network or control group of it is left; its logs stay."""
        with self.instance.locked():
            self._remove()

    def _open(self, *, with_node: bool) -> None:
        """Namespaces, network, keys, and the door."""
        state, run = self.instance.state, self.instance.run
        shutil.rmtree(state, ignore_errors=True)
        door = free_port()
        credentials.write(self.instance, door)
        binds: list[tuple[Path, Path]] = []
        if with_node:
            daemons.configure_node(self.instance)
            cgroups.make(self.instance)
            for place in FIXED_PLACES:
                own = run / "own" / place.relative_to("/")
                own.mkdir(parents=True, exist_ok=True)
                place.mkdir(parents=True, exist_ok=True)
                binds.append((own, place))
            binds.append((self.instance.config / "resolv.conf", Path("/etc/resolv.conf").resolve()))
        self._sandbox.open(program("pause"), binds)
        for command in NETWORK:
            self._sandbox.run("ip", *command.split())
        self._sandbox.start("door", self._parts.door(door), net=False)

    def _start_node(self) -> None:
        for name in NODE[:-1]:
            self._sandbox.start(name, self._parts.command(name))
        self._until(self.instance.containerd_socket.exists, "containerd")
        builder, tar = Builder(), self.instance.state / "image.tar"
        for image in IMAGES:
            builder.write(image, f"{PRELOADED}{image.name}", tar)
            self.load(tar)
        tar.unlink()
        self._sandbox.start("kubelet", self._parts.command("kubelet"))

    def _remove(self) -> None:
        self._sandbox.close()
        cgroups.remove(self.instance)
        shutil.rmtree(self.instance.run, ignore_errors=True)
        for path in self.instance.state.glob("*"):
            if path != self.instance.logs:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    # ------------------------------------------------------------------ while it is up

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints, as the administrator."""
        kubeconfig = f"--kubeconfig={self.instance.kubeconfig_of('admin')}"
        return self._sandbox.run(str(program("kubernetes")), "kubectl", kubeconfig, *arguments)

    def load(self, tar: Path) -> None:
        """Import an OCI or docker-save archive, so that the node need not pull it."""
        socket = str(self.instance.containerd_socket)
        self._sandbox.run(
            "ctr", f"--address={socket}", "-n=k8s.io", "images", "import", str(tar.resolve())
        )

    def answers(self) -> bool:
        """Whether the API server is ready."""
        try:
            return self.kubectl("get", "--raw", "/readyz") == "ok"
        except LabError:
            return False

    def stop(self, part: str) -> None:
        """Kill a part: `apiserver`, `kubelet`, ..."""
        self._known(part)
        self._sandbox.stop(part)

    def start(self, part: str) -> None:
        """Start a part again that was stopped; nothing happens where it runs."""
        self._known(part)
        if not self._sandbox.runs(part):
            self._sandbox.start(part, self._parts.command(part))

    def running(self) -> dict[str, bool]:
        """Each part of its tier, and whether it runs."""
        rest = ("fake-kubelet",) if self.tier == "fake-kubelet" else NODE
        return {name: self._sandbox.runs(name) for name in (*CONTROL_PLANE, *rest, "door")}

    def exec(self, command: Sequence[str]) -> None:
        """Become this command, inside the lab's network and with its kubeconfig; does not return."""
        inside = [*self._sandbox.entering("net"), *command]
        kubeconfig = str(self.instance.kubeconfig_of("admin"))
        os.execvpe(inside[0], inside, {**os.environ, "KUBECONFIG": kubeconfig})

    def exec_kubectl(self, arguments: Sequence[str]) -> None:
        """Become kubectl, on the host; does not return."""
        if not self.tier:
            raise LabError(f"the lab {self.instance.name} is not up")
        environment = {**os.environ, "KUBECONFIG": str(self.instance.kubeconfig)}
        os.execve(program("kubernetes"), ["kubectl", *arguments], environment)

    def _known(self, part: str) -> None:
        if part not in (*CONTROL_PLANE, *NODE):
            known = ", ".join((*CONTROL_PLANE, *NODE))
            raise LabError(f"there is no part {part!r}; choose one of {known}")

    def _ready_nodes(self) -> int:
        nodes = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        conditions = [c for node in nodes for c in node["status"].get("conditions", ())]
        return sum(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def _until(self, look: Callable[[], bool], what: str) -> None:
        """Until it is so; LabError with the end of the log where it does not come to be."""
        ends = time.monotonic() + READY_WITHIN_S
        said = ""
        while time.monotonic() < ends and not (dead := self._sandbox.dead()):
            try:
                if look():
                    return
            except LabError as error:
                said = str(error)
            time.sleep(0.2)
        told = (
            f"ended early: {', '.join(dead)}"
            if dead
            else f"not ready within {READY_WITHIN_S:.0f} s"
        )
        logs = [self._tail(self.instance.logs / f"{name}.log") for name in dead]
        raise LabError("\n".join([f"{what}: {told}. {said}", *logs, f"logs: {self.instance.logs}"]))

    def _tail(self, path: Path) -> str:
        lines = path.read_text(errors="replace").splitlines()[-8:]
        return "\n".join([f"--- {path}", *lines])


def save_images(folder: Path) -> list[Path]:
    """Every image as an archive, for clusters of other makes: `kind load image-archive`, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    builder, written = Builder(), []
    for image in IMAGES:
        written.append(folder / f"{image.name.replace(':', '-')}.tar")
        builder.write(image, f"{PRELOADED}{image.name}", written[-1])
    return written


def instances() -> list[Lab]:
    """Those with something on this machine, up or not."""
    folders = sorted((cache() / "instances").glob("*/"))
    return [Lab(Instance(folder.name)) for folder in folders]


def clean() -> None:
    """Every instance down, and all that was ever built or written removed."""
    for lab in instances():
        lab.down()
        shutil.rmtree(lab.instance.state)
    for path in (cache() / "bin", cache() / "instances"):
        shutil.rmtree(path, ignore_errors=True)


def _say(what: str) -> None:
    print(f"==> {what}", flush=True)
