"""Memory of the co-pilot on a cluster of 5,000 pods, and how soon it finds a new fault there.

`make bench-watcher` makes a lab without containers (real API server, fake kubelets), fills it, runs
`incident-copilot up` on it and breaks deployments one after the other. A fault is found when its
incident is open; the clock starts when the API first shows the container as killed. Exits with 1
where a figure is over its budget.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.cluster import Lab
from lab.instance import own_instance
from tests.contract.cluster_targets import (
    KubeHttp,
    Target,
    a_deployment,
    container_status,
    limit_patch,
)
from tests.e2e.copilot_process import Copilot, open_incident_of, up_on, wait_for

NODES, DEPLOYMENTS, REPLICAS = 50, 500, 10
FAULTS = 5
MAX_MEMORY_MB = 400
FOUND_WITHIN_S = 2.0
SETTLES_S = 30.0
"""After everything was seen, until memory is read."""
AT_ONCE = 8


def main() -> int:
    """Measure, print, and say whether the budgets hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=DEPLOYMENTS)
    parser.add_argument("--replicas", type=int, default=REPLICAS)
    arguments = parser.parse_args()
    n_pods = arguments.deployments * arguments.replicas
    console = Console()
    with a_lab() as target, tempfile.TemporaryDirectory() as folder:
        kube = KubeHttp(target, "default")
        console.print(f"{arguments.deployments} deployments, {n_pods} pods ...")
        fill(kube, arguments.deployments, arguments.replicas)
        copilot = up_on(Path(folder), target.kubeconfig)
        try:
            with copilot.client() as client:
                started = time.monotonic()
                wait_for(lambda: has_seen(client, n_pods), "a sight of every pod", 120)
                console.print(f"seen within {time.monotonic() - started:.1f} s")
                time.sleep(SETTLES_S)
                idle_mb = memory_mb(copilot)
                found_s = [found_after(kube, client, number) for number in range(FAULTS)]
            peak_mb = memory_mb(copilot, peak=True)
        finally:
            copilot.stop()
    table, is_fine = report(idle_mb, peak_mb, found_s)
    console.print(table)
    return 0 if is_fine else 1


@contextmanager
def a_lab() -> Iterator[Target]:
    """A cluster of fifty fake nodes, for this run."""
    lab = Lab(own_instance("bench"))
    lab.down()  # of a run that was killed
    try:
        lab.up(fake_nodes=NODES)
        yield Target(is_demo=False, kubeconfig=lab.instance.kubeconfig, context=None)
    finally:
        lab.down()


def fill(kube: KubeHttp, deployments: int, replicas: int) -> None:
    """Until every pod runs."""

    def create(number: int) -> None:
        resources = {"requests": {"memory": "16Mi", "cpu": "10m"}, "limits": {"memory": "32Mi"}}
        body = a_deployment(f"app-{number}", resources=resources)
        body["spec"]["replicas"] = replicas
        assert kube.create("apps/deployments", body).status_code == 201

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(create, range(deployments)))

    def all_run() -> bool:
        listed = kube.items("apps/deployments")
        ready: int = sum(d["status"].get("readyReplicas", 0) for d in listed)
        return ready == deployments * replicas

    kube.until(all_run, "every pod", 600)


def has_seen(client: httpx.Client, n_pods: int) -> bool:
    """Whether the co-pilot counts as many pods as there are."""
    counts: dict[str, int] = client.get("/api/cluster").raise_for_status().json()["counts"]
    return sum(counts.values()) >= n_pods


def found_after(kube: KubeHttp, client: httpx.Client, number: int) -> float:
    """Seconds from the API's first sign of a new fault, as a watch gives it, to the incident."""
    name = f"app-{number}"
    annotated = {"metadata": {"annotations": {"lab/needs-memory": "48Mi"}}}
    with ThreadPoolExecutor(1) as beside:
        shown = beside.submit(first_kill, kube, name)
        kube.patch("apps/deployments", name, {"spec": {"template": annotated}})
        shown_s = shown.result()
    incident = wait_for(lambda: open_incident_of(client, name), f"an incident of {name}", 60)
    kube.patch("apps/deployments", name, limit_patch("64Mi"))
    return float(incident["opened_us"]) / 1e6 - shown_s


def first_kill(kube: KubeHttp, name: str) -> float:
    """When a watch of its pods first shows a container as killed for memory."""
    query: dict[str, str | int] = {
        "watch": 1,
        "timeoutSeconds": 120,
        "labelSelector": f"app={name}",
    }
    with kube.http.stream("GET", kube.path("pods"), params=query) as answer:
        for line in answer.iter_lines():
            state = container_status(json.loads(line)["object"]).get("state", {})
            if state.get("terminated", {}).get("reason") == "OOMKilled":
                return time.time()
    raise AssertionError(f"no container of {name} was killed")


def memory_mb(copilot: Copilot, *, peak: bool = False) -> float:
    """Resident memory of the process, now or at its highest."""
    (process,) = copilot.processes
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = (row for row in status.splitlines() if row.startswith("VmHWM" if peak else "VmRSS"))
    return int(line.split()[1]) / 1024


def report(idle_mb: float, peak_mb: float, found_s: list[float]) -> tuple[Table, bool]:
    """The table, and whether every figure is within its budget."""
    median_s = statistics.median(found_s)
    rows = [
        (
            "memory of `up`, settled",
            f"{idle_mb:.0f} MB",
            f"{MAX_MEMORY_MB} MB",
            idle_mb < MAX_MEMORY_MB,
        ),
        (
            "memory of `up`, highest",
            f"{peak_mb:.0f} MB",
            f"{MAX_MEMORY_MB} MB",
            peak_mb < MAX_MEMORY_MB,
        ),
        (
            "new fault -> incident, median",
            f"{median_s:.2f} s",
            f"{FOUND_WITHIN_S:.0f} s",
            median_s < FOUND_WITHIN_S,
        ),
        (
            "new fault -> incident, slowest",
            f"{max(found_s):.2f} s",
            f"{FOUND_WITHIN_S:.0f} s",
            max(found_s) < FOUND_WITHIN_S,
        ),
    ]
    table = Table("what", "measured", "budget", "")
    for what, measured, budget, is_within in rows:
        table.add_row(what, measured, budget, "within" if is_within else "over")
    return table, all(row[3] for row in rows)


if __name__ == "__main__":
    sys.exit(main())
