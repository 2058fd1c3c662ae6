"""A co-pilot as its user runs it: real processes on loopback, with their tokens and address."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")
COMMAND = (sys.executable, "-m", "copilot")
_OURS = ("COPILOT_", "OPENAI_", "TIDB_")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


def wait_for(look: Callable[[], T | None], what: str, timeout_s: float = 30.0) -> T:
    """The first value that is neither None nor False; fails saying what never came."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        value = look()
        if value is not None and value is not False:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {timeout_s:.0f} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(data: Path, **more: str) -> dict[str, str]:
    """Ours and nothing of the developer's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
    ours = {"COPILOT_DATA": str(data), "COPILOT_USER": "ada", "COPILOT_EMBEDDER": "off"}
    return {**kept, **ours, **more}


@dataclass
class Copilot:
    """A running co-pilot: its address, its tokens, its processes."""

    url: str
    data: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def tokens(self) -> dict[str, str]:
        tokens: dict[str, str] = json.loads((self.data / "tokens.json").read_text())
        return tokens

    def client(self) -> httpx.Client:
        """Signed in as a person."""
        return httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.tokens['access']}"},
            timeout=30,
            trust_env=False,
        )

    def sender(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.tokens['sender']}"},
            timeout=30,
            trust_env=False,
        )

    def stop(self) -> None:
        """Ctrl-C, and no patience for who does not listen."""
        for process in self.processes:
            process.send_signal(signal.SIGINT)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(5)


def start(*args: str, env: dict[str, str], log: Path) -> subprocess.Popen[str]:
    with log.open("a") as file:
        return subprocess.Popen([*COMMAND, *args], env=env, stdout=file, stderr=file, text=True)


def address_in(log: Path, process: subprocess.Popen[str], timeout_s: float = 90.0) -> str:
    """The address a process printed. One that ends is told at once; one that is slow is not what a
    test is about, and nine start at the same time where each role is one."""

    def look() -> str | None:
        assert process.poll() is None, f"it ended: {log.read_text()}"
        found = _ADDRESS.search(log.read_text())
        return found.group() if found else None

    return wait_for(look, f"an address in {log}", timeout_s)


@contextmanager
def up_with_demo(folder: Path, *args: str, **env: str) -> Iterator[Copilot]:
    """`incident-copilot up --demo`, everything in one process."""
    folder.mkdir(parents=True, exist_ok=True)
    data, log = folder / "data", folder / "up.log"
    process = start(
        "up", "--demo", "--port", "0", "--no-open", *args, env=environment(data, **env), log=log
    )
    copilot = Copilot(url="", data=data, processes=[process])
    try:
        copilot.url = address_in(log, process)
        yield copilot
    finally:
        copilot.stop()


@contextmanager
def demo_cluster(folder: Path, data: Path, ingest_url: str, ingest_token: str) -> Iterator[Path]:
    """The demo cluster alone; the path of its kubeconfig."""
    kubeconfig, log = folder / "kubeconfig", folder / "demo.log"
    process = start(
        "demo",
        "--write-kubeconfig",
        str(kubeconfig),
        "--ingest-url",
        ingest_url,
        "--ingest-token",
        ingest_token,
        env=environment(data),
        log=log,
    )
    try:
        address_in(log, process)
        yield kubeconfig
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)


def up_on(
    folder: Path,
    kubeconfig: Path,
    *,
    context: str = "",
    port: int = 0,
    env: Mapping[str, str] = {},
) -> Copilot:
    """`incident-copilot up` on a cluster that is there already. Who starts it stops or kills it;
    again on the same folder goes on with the same data."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"up-{len(list(folder.glob('up-*.log')))}.log"
    there = ("--context", context) if context else ()
    args = ("--kubeconfig", str(kubeconfig), "--cluster", "demo", "--port", str(port), *there)
    process = start("up", "--no-open", *args, env=environment(folder / "data", **env), log=log)
    copilot = Copilot(url="", data=folder / "data", processes=[process])
    try:
        copilot.url = address_in(log, process)
    except BaseException:
        copilot.kill()
        raise
    return copilot


def chaos_target(client: httpx.Client) -> dict[str, Any]:
    """The workload that Chaos Mode may break, once the cluster has been seen and is healthy."""

    def look() -> dict[str, Any] | None:
        targets = client.get("/api/chaos").raise_for_status().json()["targets"]
        ready = [t for t in targets if not t["is_broken"]]
        return ready[0]["object"] if ready else None

    return wait_for(look, "a healthy chaos target", 40)


def break_it(client: httpx.Client) -> float:
    """Start the OOM; when, by the monotonic clock."""
    target = chaos_target(client)
    started = time.monotonic()
    client.post(
        "/api/chaos", json={"namespace": target["namespace"], "name": target["name"]}
    ).raise_for_status()
    return started


def open_incident(client: httpx.Client, after: int = 0) -> dict[str, Any] | None:
    rows = client.get("/api/incidents", params={"status": _OPEN}).raise_for_status().json()["rows"]
    newer = [row["incident"] for row in rows if row["incident"]["id"] > after]
    return newer[0] if newer else None


def open_incident_of(client: httpx.Client, app: str) -> dict[str, Any] | None:
    """The open incident of a workload of this name."""
    rows = client.get("/api/incidents", params={"status": _OPEN}).raise_for_status().json()["rows"]
    return next((row["incident"] for row in rows if row["incident"]["app"] == app), None)


_OPEN = ["open", "investigating", "awaiting_approval", "remediating"]


def room(client: httpx.Client, incident_id: int) -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/api/incidents/{incident_id}").raise_for_status().json()
    return answer


def with_verdict(client: httpx.Client, incident_id: int) -> dict[str, Any] | None:
    """The room once it has a cause and a fix that the cluster accepts."""
    seen = room(client, incident_id)
    proposals = [p for p in seen["proposals"] if p["dry_run_accepted"]]
    return seen if seen["hypotheses"] and proposals else None


def cited(seen: dict[str, Any]) -> set[str]:
    """The evidence that a room's sentences stand on."""
    sentences = [s for h in seen["hypotheses"] for s in (*h["supporting"], *h["against"])]
    return {e for s in (*sentences, *seen["summary"]) for e in s["evidence"]}


def proposed(client: httpx.Client, incident_id: int) -> dict[str, Any] | None:
    """The proposal that waits for a person."""
    for proposal in room(client, incident_id)["proposals"]:
        if proposal["status"] == "proposed":
            found: dict[str, Any] = proposal
            return found
    return None


def approve(client: httpx.Client, proposal: dict[str, Any]) -> httpx.Response:
    """A person's yes to exactly what they saw."""
    return client.post(
        f"/api/proposals/{proposal['id']}/approve", json={"digest": proposal["digest"]}
    )


def the_fix(client: httpx.Client, incident_id: int, *stages: str) -> dict[str, Any] | None:
    """The proposal, once its pull request is at one of these stages."""
    for proposal in room(client, incident_id)["proposals"]:
        pull = proposal["pull_request"]
        if proposal["kind"] == "set_memory" and pull and pull["stage"] in stages:
            found: dict[str, Any] = proposal
            return found
    return None


def resolved(client: httpx.Client, incident_id: int) -> dict[str, Any] | None:
    """The room of an incident that has ended."""
    seen = room(client, incident_id)
    return seen if seen["incident"]["status"] == "resolved" else None


def audited(client: httpx.Client, incident_id: int) -> list[str]:
    """What was done about an incident, oldest first."""
    rows, after = [], 0
    while after is not None:
        query: dict[str, str | int] = {"chain": f"incident-{incident_id}", "after": after}
        page = client.get("/api/audit", params=query).raise_for_status().json()
        rows += page["rows"]
        after = page["next_after"]
    return [row["action"] for row in sorted(rows, key=lambda row: int(row["seq"]))]


AGENTS = ("context", "detective", "runbook", "remediator", "reporter")


@contextmanager
def a_process_a_role(folder: Path, **env: str) -> Iterator[Copilot]:
    """`incident-copilot serve ROLE` for every role, and the demo cluster, each on its own."""
    folder.mkdir(parents=True, exist_ok=True)
    ingestion = f"http://127.0.0.1:{(port := free_port())}"
    with (
        demo_cluster(folder, folder / "data", ingestion, SENDER_TOKEN) as kubeconfig,
        roles_on(folder, lambda role: kubeconfig, {"ingestion": port}, env=env) as copilot,
    ):
        yield copilot


SENDER_TOKEN = "sender-of-the-test"


@contextmanager
def roles_on(
    folder: Path,
    kubeconfig_of: Callable[[str], Path],
    given: dict[str, int] | None = None,
    *,
    in_turn: bool = False,
    env: Mapping[str, str] = {},
) -> Iterator[Copilot]:
    """`incident-copilot serve ROLE` for every role, each with the kubeconfig it is given; one waits
    for the other where they are not to fight for the processor."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data"
    names = ("gateway", "ingestion", "watcher", *AGENTS)
    ports = {name: (given or {}).get(name) or free_port() for name in names}
    urls = {f"COPILOT_{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}" for name in AGENTS}
    settings = environment(
        data, COPILOT_CLUSTER="demo", COPILOT_SENDER_TOKEN=SENDER_TOKEN, **urls, **env
    )
    copilot = Copilot(url=f"http://127.0.0.1:{ports['gateway']}", data=data)
    roles = {f"agent-{name}" if name in AGENTS else name: port for name, port in ports.items()}
    try:
        for role, port in roles.items():
            args = ("serve", role, "--port", str(port), "--kubeconfig", str(kubeconfig_of(role)))
            log = folder / f"{role}.log"
            copilot.processes.append(start(*args, env=settings, log=log))
            if in_turn:
                address_in(log, copilot.processes[-1])
        for process, role in zip(copilot.processes, roles, strict=True):
            address_in(folder / f"{role}.log", process)
        yield copilot
    finally:
        copilot.stop()
