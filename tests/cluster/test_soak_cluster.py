"""The API server dies in the middle of each leg, and the co-pilot in the middle of apply and of
verify, on a real cluster: the loop ends, nothing is done twice, and what was done is either proven or
taken back and says so.

`ROUNDS` says how often (1), `OUTAGES` for how many seconds the API server is gone ("10"; "10 60"),
`ABREAST` how many loops in as many namespaces one blow strikes (1): each is a round of its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.cluster import Lab
from lab.instance import Instance
from tests.cluster.conftest import a_demo
from tests.contract.cluster_targets import KubeHttp, Target, limit_patch
from tests.e2e.copilot_process import (
    Copilot,
    approve,
    audited,
    free_port,
    proposed,
    room,
    up_on,
    wait_for,
)

pytestmark = [pytest.mark.cluster, pytest.mark.lab, pytest.mark.soak, pytest.mark.timeout(600)]

ROUNDS = range(1, int(os.environ.get("ROUNDS", "1")) + 1)
OUTAGES = [float(seconds) for seconds in os.environ.get("OUTAGES", "10").split()]
ABREAST = int(os.environ.get("ABREAST", "1"))
ENDS_WITHIN_S = 300
IN_STEP_S = 60.0
"""How long one loop waits for the others before it approves."""

LEGS = {
    "leg-1": "broken",
    "leg-2": "opened",
    "apply": "approved",
    "verify": "applied",
}
"""What is struck: the moment that it begins with."""
DELAYS_S = {"broken": 1.0, "opened": 0.05, "approved": 0.02, "applied": 4.0}
OVER = {"verified", "reverted", "failed", "superseded", "rejected", "refused", "expired"}


@dataclass
class House:
    """The co-pilot, which may be killed, and the lab, of which parts may be."""

    folder: Path
    kubeconfig: Path
    port: int
    lab: Lab
    copilot: Copilot = field(init=False)

    def start(self) -> None:
        self.copilot = up_on(self.folder, self.kubeconfig, port=self.port)

    def kill_copilot(self) -> None:
        self.copilot.kill()
        self.start()

    def outage(self, seconds: float) -> None:
        self.lab.stop("apiserver")
        time.sleep(seconds)
        self.lab.start("apiserver")


@pytest.fixture(scope="module")
def demos(cluster: Target) -> Iterator[list[KubeHttp]]:
    """Namespaces with a healthy demo each."""
    with ExitStack() as stack:
        names = ["demo", *(f"demo-{number}" for number in range(2, ABREAST + 1))]
        yield [stack.enter_context(a_demo(cluster, name)) for name in names]


@pytest.fixture(scope="module")
def house(
    cluster: Target, demos: list[KubeHttp], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    lab = Lab(Instance(os.environ["COPILOT_TEST_LAB"]))
    house = House(tmp_path_factory.mktemp("soak"), cluster.kubeconfig, free_port(), lab)
    house.start()
    yield house
    house.copilot.stop()


@dataclass
class Strike:
    """One blow, at its moment and never again: when the first loop reaches it."""

    moment: str
    blow: Callable[[], None]
    in_step: threading.Barrier
    """Where loops side by side wait for one another before they approve."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def reach(self, moment: str) -> None:
        with self._lock:
            if moment == self.moment and self._thread is None:
                self._thread = threading.Thread(target=self._fall)
                self._thread.start()

    def get_in_step(self) -> None:
        """Wait for the others, where the blow is to find all of them in a fix."""
        if self.moment in ("approved", "applied") and self._thread is None:
            with suppress(threading.BrokenBarrierError):
                self.in_step.wait(IN_STEP_S)

    def _fall(self) -> None:
        time.sleep(DELAYS_S[self.moment])
        self.blow()

    @property
    def is_over(self) -> bool:
        return self._thread is not None and not self._thread.is_alive()


@pytest.mark.parametrize("number", ROUNDS)
@pytest.mark.parametrize("seconds", OUTAGES)
@pytest.mark.parametrize("leg", LEGS)
def test_an_outage_of_the_api_server_loses_nothing_and_doubles_nothing(
    house: House, demos: list[KubeHttp], leg: str, seconds: float, number: int
) -> None:
    all_go_well(house, demos, LEGS[leg], lambda: house.outage(seconds))


@pytest.mark.parametrize("number", ROUNDS)
@pytest.mark.parametrize("leg", ["apply", "verify"])
def test_a_death_of_the_copilot_loses_nothing_and_doubles_nothing(
    house: House, demos: list[KubeHttp], leg: str, number: int
) -> None:
    all_go_well(house, demos, LEGS[leg], house.kill_copilot)


def all_go_well(
    house: House, demos: Sequence[KubeHttp], moment: str, blow: Callable[[], None]
) -> None:
    """A way through the loop in each namespace at once, with one blow in them."""
    with house.copilot.client() as client:
        wait_for(lambda: are_healthy(client, len(demos)), "healthy demos", 40)
        after = max((incident["id"] for incident in incidents(client)), default=0)
    strike = Strike(moment, blow, threading.Barrier(len(demos)))
    with ThreadPoolExecutor(len(demos)) as side_by_side:
        ways = [side_by_side.submit(goes_well, house, demo, strike, after) for demo in demos]
    for way in ways:
        way.result()


def goes_well(house: House, demo: KubeHttp, strike: Strike, after: int) -> None:
    """One way through the loop."""
    with house.copilot.client() as client:
        demo.patch("apps/deployments", "oom-demo", limit_patch("32Mi"), fieldManager="soak")
        before = generation(demo)
        strike.reach("broken")

        ended = wait_for(
            lambda: next_step(client, demo.namespace, strike, after), "the end", ENDS_WITHIN_S
        )

        demo.rolled_out("oom-demo")
        done = audited(client, ended["incident"]["id"])
        writes = done.count("action.applied") + done.count("action.reverted")
        assert generation(demo) - before == writes, done
        assert done.count("action.verified") == 1, done
        assert {p["status"] for p in ended["proposals"]} <= OVER
        assert client.get("/api/audit").json()["broken"] == []


def next_step(
    client: httpx.Client, namespace: str, strike: Strike, after: int
) -> dict[str, Any] | None:
    """Do what a person would do next; the room once the blow has fallen and it is resolved."""
    try:
        mine = [i for i in incidents(client, namespace) if i["id"] > after]
        if not mine:
            return None
        strike.reach("opened")
        incident = mine[-1]
        seen = room(client, incident["id"])
        under_way = {p["status"] for p in seen["proposals"]} & {"approved", "applied", "verified"}
        waiting = None if under_way else proposed(client, incident["id"])
        if waiting:
            strike.get_in_step()
            if approve(client, waiting).status_code == 202:
                strike.reach("approved")
        if under_way & {"applied", "verified"}:
            strike.reach("applied")
        return seen if incident["status"] == "resolved" and strike.is_over else None
    except (httpx.TransportError, httpx.HTTPStatusError):
        return None  # it was killed, or cannot reach its cluster


def incidents(client: httpx.Client, namespace: str = "") -> list[dict[str, Any]]:
    """Of the demos' workloads; what an outage does to nodes is another trouble."""
    rows = client.get("/api/incidents").raise_for_status().json()["rows"]
    found = [row["incident"] for row in rows if row["incident"]["workload"]["name"] == "oom-demo"]
    return [i for i in found if namespace in ("", i["workload"]["namespace"])]


def are_healthy(client: httpx.Client, n_demos: int) -> bool:
    """Whether the co-pilot has seen all of them whole."""
    targets = client.get("/api/chaos").raise_for_status().json()["targets"]
    return sum(not target["is_broken"] for target in targets) >= n_demos


def generation(kube: KubeHttp) -> int:
    return int(kube.read("apps/deployments", "oom-demo")["metadata"]["generation"])
