"""`kill -9` at random moments of the loop: nothing acknowledged is lost, nothing is done twice, and
the loop ends.

`ROUNDS` says how often (3), `SEED` repeats a run: the moments follow from it and the round.
"""

from __future__ import annotations

import os
import random
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.cluster_targets import KubeHttp, Target
from tests.e2e.copilot_process import (
    COMMAND,
    Copilot,
    approve,
    audited,
    break_it,
    demo_cluster,
    environment,
    free_port,
    open_incident,
    proposed,
    room,
    up_on,
    wait_for,
)
from tests.e2e.sender import Sender, numbers_found

pytestmark = [pytest.mark.soak, pytest.mark.timeout(180)]

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SEED = os.environ.get("SEED", secrets.token_hex(4))

MOMENTS = {
    "after the change that breaks it": 5.0,
    "after the incident opened": 0.6,
    "while it is approved": 0.05,
    "after the approval": 0.5,
    "during the proof": 18.0,
}
"""From when on, and up to how many seconds later, the kill may come."""
NAME = "oom-demo"


@dataclass
class House:
    """The cluster, which lives on, and the co-pilot, which is killed."""

    folder: Path
    kubeconfig: Path
    port: int
    copilot: Copilot

    def restart(self) -> None:
        self.copilot = up_on(self.folder, self.kubeconfig, port=self.port)

    def kube(self) -> KubeHttp:
        return KubeHttp(Target(is_demo=True, kubeconfig=self.kubeconfig, context=None), "demo")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder, port = tmp_path_factory.mktemp("soak"), free_port()
    made = subprocess.run(  # makes the tokens, so that the cluster's senders can have one
        [*COMMAND, "token", "sender"],
        env=environment(folder / "data"),
        capture_output=True,
        text=True,
        check=True,
    )
    url, token = f"http://127.0.0.1:{port}", made.stdout.strip()
    with demo_cluster(folder, folder / "data", url, token) as kubeconfig:
        house = House(folder, kubeconfig, port, up_on(folder, kubeconfig, port=port))
        try:
            yield house
        finally:
            house.copilot.stop()


@dataclass
class Round:
    """One way through the loop with one kill in it."""

    house: House
    client: httpx.Client
    moment: str
    delay_s: float
    after: int
    """The newest incident before."""
    _kill: threading.Timer | None = None
    killed_at: float = 0.0

    def reach(self, moment: str) -> None:
        """Sets the kill where this is the moment for it."""
        if moment == self.moment and self._kill is None:
            self._kill = threading.Timer(self.delay_s, self._now)
            self._kill.start()

    def _now(self) -> None:
        self.killed_at = time.monotonic()
        self.house.copilot.kill()

    def has_ended(self) -> dict[str, Any] | None:
        """Do what a person would do next; the room once it is over and the kill has come."""
        if self.house.copilot.processes[0].poll() is not None:
            self.house.restart()
        try:
            return self._next()
        except httpx.TransportError:
            return None  # killed in the middle of it

    def _next(self) -> dict[str, Any] | None:
        rows = self.client.get("/api/incidents").raise_for_status().json()["rows"]
        mine = [row["incident"] for row in rows if row["incident"]["id"] > self.after]
        if not mine:
            return None
        incident_id = mine[0]["id"]
        self.reach("after the incident opened")
        waiting = proposed(self.client, incident_id)
        if waiting is not None:
            self.reach("while it is approved")
            assert approve(self.client, waiting).status_code in (202, 409)
            self.reach("after the approval")
            self.reach("during the proof")
        over = mine[0]["status"] == "resolved" and self.killed_at
        return room(self.client, incident_id) if over else None

    def stop(self) -> None:
        if self._kill is not None:
            self._kill.cancel()


def generation(kube: KubeHttp) -> int:
    return int(kube.read("apps/deployments", NAME)["metadata"]["generation"])


@pytest.mark.parametrize("number", range(1, ROUNDS + 1), ids=lambda n: f"{SEED}-{n}")
def test_a_kill_at_any_moment_loses_nothing_and_doubles_nothing(house: House, number: int) -> None:
    chance = random.Random(f"{SEED}-{number}")
    moment = chance.choice(list(MOMENTS))
    delay_s = chance.uniform(0, MOMENTS[moment])
    marker = f"soak{secrets.token_hex(6)}"
    kube, client = house.kube(), house.copilot.client()
    newest = client.get("/api/incidents").raise_for_status().json()["rows"]
    after = newest[0]["incident"]["id"] if newest else 0
    before = generation(kube)
    this = Round(house, client, moment, delay_s, after)
    began = time.monotonic()

    try:
        with Sender(house.copilot.url, house.copilot.tokens["sender"], marker) as sender:
            break_it(client)
            this.reach("after the change that breaks it")
            ended = wait_for(this.has_ended, f"the end ({moment}, {delay_s:.2f} s)", 150)
        ended_at = time.monotonic()

        told = f"killed {delay_s:.2f} s {moment}, over {ended_at - this.killed_at:.1f} s later"
        assert_done_once(client, kube, ended, before, told)
        found = numbers_found(client, marker)
        assert sender.refused == [], told
        assert len(sender.acknowledged) > 10
        assert [n for n in sender.acknowledged if found[n] != 1] == [], told
        assert open_incident(client) is None, told
        assert ended_at - began < 90, told
    finally:
        this.stop()
        client.close()
        kube.http.close()


def assert_done_once(
    client: httpx.Client, kube: KubeHttp, ended: dict[str, Any], before: int, told: str
) -> None:
    incident_id = ended["incident"]["id"]
    done = audited(client, incident_id)
    assert done.count("incident.opened") == done.count("incident.resolved") == 1, told
    assert done.count("proposal.approved") == done.count("action.applied") == 1, told
    assert done.count("action.verified") == 1, told
    assert client.get("/api/audit").json()["broken"] == [], told
    deployment = kube.read("apps/deployments", NAME)
    assert deployment["metadata"]["generation"] == before + 2, told  # broken once, fixed once
    (fix,) = [p for p in ended["proposals"] if p["status"] == "verified"]
    assert len(fix["approvals"]) == 1, told
    managers = [entry["manager"] for entry in deployment["metadata"]["managedFields"]]
    assert managers.count("incident-copilot") == 1, told
