"""Two of every role, of which pods are deleted and replaced all along: nothing acknowledged is lost, no
action and no incident is made twice, and who was connected goes on where they were.

`SOAK_S` says how long (60), `SEED` repeats a run: who is struck, and how, follows from it.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from copilot.store.mysql import Address
from tests.beside import Beside
from tests.cluster.conftest import limit
from tests.contract.cluster_targets import KubeHttp, limit_patch
from tests.deploy.installation import HOME, ROLES, Shell, pods, trust, wait_until_ready
from tests.e2e.copilot_process import approve, audited, proposed, room, wait_for
from tests.e2e.sender import Sender, numbers_found

SOAK_S = float(os.environ.get("SOAK_S", "60"))
SEED = os.environ.get("SEED", secrets.token_hex(4))

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.lab,
    pytest.mark.timeout(round(SOAK_S) + 540),
]

OVERLAY = "deploy/overlays/lab"
ACCESS, SENDING = "person-of-the-test", "sender-of-the-test"
STRIKE_EVERY_S = 5.0
FOUND = "localhost"
"""The name that requests are addressed to; they go to a Service's address."""


@dataclass(frozen=True)
class Doors:
    """Where the Services are."""

    ui: str
    ingestion: str

    def client(self) -> httpx.Client:
        """A person whose requests go to whichever gateway."""
        return httpx.Client(
            base_url=f"http://{self.ui}:3000",
            headers={"Authorization": f"Bearer {ACCESS}", "Host": FOUND, "Connection": "close"},
            timeout=15,
            trust_env=False,
        )


@pytest.fixture(scope="module")
def doors(shell: Shell, database: Address, demo: KubeHttp) -> Iterator[Doors]:
    """Installed from the overlay of the lab, with the demo, and all of it ready."""
    try:
        shell.run("kubectl apply -f deploy/base/namespace.yaml")
        shell.run(
            f"kubectl -n {HOME} create secret generic copilot-secrets"
            f" --from-literal=COPILOT_ACCESS_TOKEN={ACCESS} --from-literal=COPILOT_SENDER_TOKEN={SENDING}"
            ' --from-literal=TIDB_HOST="$TIDB_HOST" --from-literal=TIDB_USER="$TIDB_USER"'
            ' --from-literal=TIDB_PASSWORD="$TIDB_PASSWORD" --from-literal=TIDB_DB="$TIDB_DB"'
        )
        trust(shell, database)
        shell.run(f"kubectl apply -k {OVERLAY}")
        wait_until_ready(shell, count=2 * len(ROLES))
        shell.run("kubectl apply -f demo/oom-demo.yaml")
        demo.rolled_out("oom-demo")

        def address(name: str) -> str:
            return str(shell.read(f"-n {HOME} service {name}")["spec"]["clusterIP"])

        yield Doors(address("ui"), address("ingestion"))
    finally:
        shell.run(f"kubectl delete --ignore-not-found -k {OVERLAY}", timeout_s=240)


@dataclass
class Follower(Beside):
    """A screen: it follows the feed, and where it is cut off it goes on after what it has."""

    doors: Doors
    seen: list[int] = field(default_factory=list)
    greetings: int = 0

    def run(self) -> None:
        while not self.over.is_set():
            try:
                self._follow()
            except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                self.over.wait(0.3)

    def _follow(self) -> None:
        query = f"?since={self.seen[-1]}" if self.seen else "?since=0"
        way = socket.create_connection((self.doors.ui, 3000), timeout=5)
        with connect(
            f"ws://{FOUND}/ws{query}",
            sock=way,
            additional_headers={"Authorization": f"Bearer {ACCESS}"},
        ) as feed:
            while not self.over.is_set():
                message = json.loads(feed.recv(timeout=15))
                if message["kind"] == "hello":
                    self.greetings += 1
                elif message["kind"] != "ping":
                    self.seen.append(message["seq"])


@dataclass
class Havoc(Beside):
    """Deletes pods, at their leisure or at once, and restarts roles, until it is told to stop."""

    shell: Shell
    chance: random.Random
    done: list[str] = field(default_factory=list)
    trouble: list[BaseException] = field(default_factory=list)

    def run(self) -> None:
        turns: list[str] = []
        while not self.over.wait(STRIKE_EVERY_S):
            turns = turns or self.chance.sample(ROLES, len(ROLES))
            try:
                self._strike(turns.pop())
            except BaseException as error:  # noqa: BLE001  # the test raises it, not the thread
                self.trouble.append(error)
                return

    def _strike(self, role: str) -> None:
        how = self.chance.choice(("restarted", "deleted", "deleted", "killed"))
        if how == "restarted":
            self.shell.run(f"kubectl -n {HOME} rollout restart deployment {role}")
        else:
            name = self.chance.choice(pods(self.shell, role))["metadata"]["name"]
            at_once = " --grace-period=0 --force" if how == "killed" else ""
            self.shell.run(f"kubectl -n {HOME} delete pod {name} --wait=false{at_once} 2>&1")
        self.done.append(f"{role} {how}")


@dataclass
class Person:
    """Breaks the demo, approves what is proposed, and sees it through; again and again."""

    doors: Doors
    demo: KubeHttp
    healed: list[dict[str, Any]] = field(default_factory=list)

    def goes_round(self) -> None:
        """Once: from a change that breaks it to an incident that is resolved."""
        with self.doors.client() as client:
            after = max(self._incidents(client), default=0)
            before = generation(self.demo)
            self.demo.patch(
                "apps/deployments", "oom-demo", limit_patch("32Mi"), fieldManager="havoc"
            )
            ended = wait_for(lambda: self._next(client, after), f"the end ({SEED})", 300)
        self.demo.rolled_out("oom-demo")
        assert generation(self.demo) == before + 2, "broken once, fixed once"
        self.healed.append(ended)

    def _next(self, client: httpx.Client, after: int) -> dict[str, Any] | None:
        """Do what a person would do next; the room once it is resolved."""
        try:
            mine = [one for one in self._incidents(client) if one > after]
            if not mine:
                return None
            if waiting := proposed(client, mine[0]):
                approve(client, waiting)
            seen = room(client, mine[0])
            return seen if seen["incident"]["status"] == "resolved" else None
        except (httpx.TransportError, httpx.HTTPStatusError):
            return None  # a gateway went while it answered

    def _incidents(self, client: httpx.Client) -> list[int]:
        """Of the demo's workload: what becomes of ours is another matter."""

        def look() -> list[int] | None:
            try:
                rows = client.get("/api/incidents").raise_for_status().json()["rows"]
            except (httpx.TransportError, httpx.HTTPStatusError):
                return None
            of_demo = [
                r["incident"] for r in rows if r["incident"]["workload"]["name"] == "oom-demo"
            ]
            return [int(incident["id"]) for incident in of_demo] or [0]

        return [one for one in wait_for(look, "an answer", 60) if one]


def test_pods_come_and_go_and_nothing_is_lost_or_doubled(
    doors: Doors, shell: Shell, demo: KubeHttp, capsys: pytest.CaptureFixture[str]
) -> None:
    marker = f"havoc{secrets.token_hex(6)}"
    sender = Sender(
        f"http://{doors.ingestion}:8080",
        SENDING,
        marker,
        {"Host": "ingestion", "Connection": "close"},
    )
    follower, havoc = Follower(doors), Havoc(shell, random.Random(SEED))
    person = Person(doors, demo)
    ends = time.monotonic() + SOAK_S
    with sender, follower:
        with havoc:
            while time.monotonic() < ends:
                person.goes_round()
        wait_until_ready(shell, count=2 * len(ROLES))
        with doors.client() as client:
            head = wait_for(lambda: feed(client), "the feed")[-1]
            wait_for(lambda: follower.seen and follower.seen[-1] >= head, "what came last", 30)

    with capsys.disabled():
        print(  # noqa: T201  for whoever reads the run
            f"\n{len(havoc.done)} blows (seed {SEED}), {len(sender.acknowledged)} lines taken, "
            f"{len(person.healed)} incidents healed, {follower.greetings} connections of a screen"
        )
    assert havoc.trouble == []
    assert len(havoc.done) >= SOAK_S / STRIKE_EVERY_S / 3
    assert sender.refused == []
    assert follower.seen == sorted(set(follower.seen))
    with doors.client() as client:
        there = {seq for seq in feed(client) if seq <= head}
        assert there - set(follower.seen) == set(), havoc.done
        found = numbers_found(client, marker)
        assert [n for n in sender.acknowledged if found[n] != 1] == [], havoc.done
        for ended in person.healed:
            assert_done_once(client, ended, f"seed {SEED}: {havoc.done}")
        assert client.get("/api/audit").json()["broken"] == []
    assert limit(demo) == "64Mi"


def assert_done_once(client: httpx.Client, ended: dict[str, Any], told: str) -> None:
    done = audited(client, ended["incident"]["id"])
    assert done.count("incident.opened") == done.count("incident.resolved") == 1, told
    assert done.count("proposal.approved") == done.count("action.applied") == 1, told
    assert done.count("action.verified") == 1, told
    (fix,) = [p for p in ended["proposals"] if p["status"] == "verified"]
    assert len(fix["approvals"]) == 1, told


def feed(client: httpx.Client) -> list[int]:
    """All sequence numbers that are kept, oldest first."""
    found: list[int] = []
    while (
        page := client.get("/api/feed", params={"since": found[-1] if found else 0})
        .raise_for_status()
        .json()
    ):
        found += [message["seq"] for message in page]
    return found


def generation(kube: KubeHttp) -> int:
    return int(kube.read("apps/deployments", "oom-demo")["metadata"]["generation"])
