"""How long from a role's start to the first 200 of its `/readyz`.

    bench/ready.py [--rounds 5] [--store mariadb|sqlite] [ROLE ...]

`make bench-ready` starts every role as a process of its own, one at a time, with the settings of
`deploy/base/configmap.yaml`, the embedder as it is by default, an empty data folder, and the demo
cluster for the API server. The store is a MariaDB over TLS made for the run, or an SQLite file; its
schema is there, modules are compiled and files have been read before: the first start of each role
is not counted. What a container needs until it executes the program, and the period of the kubelet's
probe, are not in it. The seconds of a processor say how much of a start was work: on a busy machine it
waits for others as well. Exits with 1 where a median is over the budget.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from copilot.roles.app import ROLES
from tests.e2e.copilot_process import COMMAND, demo_cluster, environment, free_port
from tests.mariadb import MariaDb
from tests.servers import created

BUDGET_S = 3.0
LOOK_S = 0.01
PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Start:
    """Seconds until it was ready, by the clock and of a processor."""

    taken: float
    worked: float


def main() -> int:
    """Measure, print, and say whether the budget holds."""
    given = arguments()
    console = Console()
    with (
        tempfile.TemporaryDirectory() as name,
        demo_cluster(Path(name), Path(name, "demo"), "", "") as kubeconfig,
        the_store(given.store, Path(name)) as store,
    ):
        settings = {**as_deployed(Path(name)), **store}
        starts: dict[str, list[Start]] = {role: [] for role in given.roles}
        for number in range(given.rounds + 1):
            told = f"round {number} of {given.rounds}" if number else "once, not counted"
            console.print(f"{told} ...")
            for role in given.roles:
                start = started(role, settings, kubeconfig)
                starts[role] += [start] if number else []
    table, is_fine = report(starts)
    console.print(table)
    console.print(f"store: {given.store}; {given.rounds} starts of each role")
    return 0 if is_fine else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("roles", nargs="*", metavar="ROLE", help="all of them without one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--store", choices=("mariadb", "sqlite"), default="mariadb")
    given = parser.parse_args()
    given.roles = given.roles or list(ROLES)
    return given


def as_deployed(folder: Path) -> Mapping[str, str]:
    """Those of the base, but for where a pod finds what is its own."""
    (folder / "token").write_text("nobody asks for it here")
    base = yaml.safe_load((ROOT / "deploy/base/configmap.yaml").read_text())["data"]
    here = {
        "COPILOT_HOST": "127.0.0.1",
        "COPILOT_NAMESPACE": "incident-copilot",
        "COPILOT_CALLER_TOKEN_FILE": str(folder / "token"),
        "COPILOT_EMBEDDER": "auto",
        "PYTHONDONTWRITEBYTECODE": "",  # in the image all is compiled; here, by the first round
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
    }
    return {**base, **here}


@contextmanager
def the_store(kind: str, folder: Path) -> Iterator[Mapping[str, str]]:
    """An empty one, as settings."""
    if kind == "sqlite":
        yield {"COPILOT_STORE": f"sqlite:{folder / 'copilot.db'}"}
        return
    server = MariaDb.made(folder / "mariadb")
    server.start()
    try:
        address = server.address("copilot_bench")
        asyncio.run(created(address))
        yield {
            "TIDB_HOST": address.host,
            "TIDB_PORT": str(address.port),
            "TIDB_USER": address.user,
            "TIDB_PASSWORD": address.password,
            "TIDB_DB": address.database,
            "TIDB_CA": str(address.authority),
        }
    finally:
        server.stop()


def started(role: str, settings: Mapping[str, str], kubeconfig: Path) -> Start:
    """Once, until it is ready; then it is ended again."""
    with tempfile.TemporaryDirectory() as data:
        port, log = free_port(), Path(data, "log")
        own = {"COPILOT_DATA": data, "COPILOT_PORT": str(port)}
        command = [*COMMAND, "serve", role, "--kubeconfig", str(kubeconfig)]
        with log.open("wb") as file:
            began = time.monotonic()
            process = subprocess.Popen(
                command,
                env=environment(Path(data), **{**settings, **own}),
                stdout=file,
                stderr=file,
            )
        try:
            while not is_ready(port):
                taken = time.monotonic() - began
                if process.poll() is not None or taken > PATIENCE_S:
                    raise SystemExit(f"{role} is not ready after {taken:.0f} s: {log.read_text()}")
                time.sleep(LOOK_S)
            return Start(taken=time.monotonic() - began, worked=worked_s(process.pid))
        finally:
            process.send_signal(signal.SIGINT)  # SIGTERM would have it drain first
            process.wait(PATIENCE_S)


def is_ready(port: int) -> bool:
    """As the kubelet's probe asks."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def worked_s(pid: int) -> float:
    """By proc(5): what follows the name, the 12th and 13th of it, in ticks."""
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(starts: Mapping[str, list[Start]]) -> tuple[Table, bool]:
    """The table, and whether every median is within the budget."""
    table = Table("start -> ready", "min", "median", "max", "CPU", "budget", "")
    is_fine = True
    for role, all_of_it in starts.items():
        taken = [start.taken for start in all_of_it]
        median = statistics.median(taken)
        worked = statistics.median(start.worked for start in all_of_it)
        is_fine = is_fine and median < BUDGET_S
        shown = (f"{value:.2f} s" for value in (min(taken), median, max(taken), worked))
        told = "within" if median < BUDGET_S else "over"
        table.add_row(role, *shown, f"{BUDGET_S:.0f} s", told)
    return table, is_fine


if __name__ == "__main__":
    sys.exit(main())
