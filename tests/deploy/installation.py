"""A co-pilot inside a cluster: `kubectl` as a person has it, and what was installed by it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from copilot.store.mysql import Address
from tests.deploy.quickstart import ROOT
from tests.e2e.copilot_process import Copilot, wait_for

HOME = "incident-copilot"
ROLES = (
    "gateway",
    "ingestion",
    "watcher",
    "agent-context",
    "agent-detective",
    "agent-runbook",
    "agent-remediator",
    "agent-reporter",
)
OF_THE_CLUSTER_ITSELF = {"events", "events.events.k8s.io", "leases.coordination.k8s.io"}
"""Kinds that come and go by themselves."""


@dataclass(frozen=True)
class Shell:
    """A person's terminal in the project's folder: their tools, their variables."""

    environment: Mapping[str, str]

    def run(self, command: str, *, timeout_s: float = 120) -> str:
        """What a command prints; it must succeed."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    @contextmanager
    def running(self, command: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on until somebody presses Ctrl-C."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    def read(self, what: str) -> dict[str, Any]:
        """`kubectl get WHAT -o json`."""
        found: dict[str, Any] = json.loads(self.run(f"kubectl get {what} -o json"))
        return found


def trust(shell: Shell, database: Address) -> None:
    """As docs/how-to/deploy.md says, for a database with an authority of one's own."""
    more = {"TIDB_DB": database.database}  # not everybody's is called incidentdb
    if database.authority:
        shell.run(
            f"kubectl -n {HOME} create configmap copilot-authority"
            f" --from-file=ca.crt={database.authority}"
        )
        more["TIDB_CA"] = "/etc/incident-copilot/ca.crt"
    if database.port != 4000:
        more["TIDB_PORT"] = str(database.port)
    data = ",".join(f'"{key}":"{value}"' for key, value in more.items())
    shell.run(f"kubectl -n {HOME} patch secret copilot-secrets -p '{{\"stringData\":{{{data}}}}}'")


def pods(shell: Shell, role: str = "") -> list[dict[str, Any]]:
    """Those of ours that are not on their way out."""
    chosen = f"-l app.kubernetes.io/name={role}" if role else ""
    items = shell.read(f"-n {HOME} pods {chosen}")["items"]
    return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def restarts(pod: dict[str, Any]) -> int:
    return sum(int(one["restartCount"]) for one in pod["status"].get("containerStatuses", ()))


def wait_until_ready(shell: Shell, *, count: int, timeout_s: float = 240) -> None:
    """Until so many pods are there and all of them are ready."""

    def look() -> bool:
        found = pods(shell)
        assert not [pod for pod in found if restarts(pod) > 2], "one ends as often as it is started"
        return len(found) == count and all(map(is_ready, found))

    try:
        wait_for(look, f"{count} ready pods", timeout_s)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{told(shell)}") from None


def told(shell: Shell) -> str:
    """What there is to see where something is wrong."""
    seen = [shell.run(f"kubectl -n {HOME} get pods,events -o wide || true")[-6000:]]
    for pod in pods(shell):
        if not is_ready(pod):
            name = pod["metadata"]["name"]
            seen.append(f"--- {name}\n")
            for previous in ("--previous", ""):
                seen.append(
                    shell.run(f"kubectl -n {HOME} logs {name} --tail=30 {previous} 2>&1 || true")
                )
    return "".join(seen)


def inventory(shell: Shell) -> set[str]:
    """Every object in the cluster by kind, namespace and name."""
    kinds = shell.run("kubectl api-resources --verbs=list -o name").split()
    listed = ",".join(kind for kind in kinds if kind not in OF_THE_CLUSTER_ITSELF)
    columns = "KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name"
    printed = shell.run(f"kubectl get {listed} -A --no-headers -o custom-columns={columns}")
    return {" ".join(line.split()) for line in printed.splitlines() if line.strip()}


@dataclass
class Deployed(Copilot):
    """A co-pilot that others started, reached through the port-forward."""

    access: str = ""
    sender_token: str = ""
    forward: subprocess.Popen[str] | None = field(default=None, repr=False)

    @property
    def tokens(self) -> dict[str, str]:
        return {"access": self.access, "sender": self.sender_token}


@contextmanager
def forwarded(shell: Shell, command: str, *, access: str, sender: str = "") -> Iterator[Deployed]:
    """The co-pilot at the local end of a `port-forward`."""
    port = command.split()[-1].partition(":")[0]
    with shell.running(command) as process:
        url = f"http://localhost:{port}"
        wait_for(lambda: _answers(url), f"an answer at {url}", 30)
        yield Deployed(
            url=url, data=Path("/nowhere"), access=access, sender_token=sender, forward=process
        )


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False, timeout=5).status_code == 200
    except httpx.TransportError:
        time.sleep(0.2)
        return False
