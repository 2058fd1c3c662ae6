"""Two of every role on one store and one cluster: nothing happens twice, and nobody waits for the
one that is gone."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import websocket

from copilot.store import SqlStore, open_store
from copilot.store.mysql import open_store as open_server
from copilot.store.mysql import parse_address
from copilot.wiring import SystemClock
from tests.builders_ingest import JSON, a_record, as_json
from tests.builders_store import SERVER
from tests.contract.cluster_targets import KubeHttp, Target
from tests.e2e.copilot_process import (
    Copilot,
    approve,
    audited,
    break_it,
    demo_cluster,
    open_incident,
    proposed,
    resolved,
    up_on,
    wait_for,
)
from tests.servers import emptied

pytestmark = pytest.mark.timeout(240)

T = TypeVar("T")
N_LINES = 200


@dataclass
class Pair:
    """Two co-pilots with every role each, on one store."""

    folder: Path
    kubeconfig: Path
    two: list[Copilot]

    def start(self) -> None:
        more = {"COPILOT_STORE": SERVER} if SERVER else {}
        self.two.append(up_on(self.folder, self.kubeconfig, env=more))

    def stop(self) -> None:
        for one in self.two:
            one.stop()

    def acting(self) -> Copilot | None:
        """The one that holds the claim of the newest action."""
        owner = asyncio.run(
            self._read("SELECT owner FROM actions ORDER BY claimed_us DESC LIMIT 1")
        )
        pid = int(owner.rpartition(":")[2]) if owner else 0
        return next((one for one in self.two if one.processes[0].pid == pid), None)

    async def _read(self, sql: str) -> str:
        store = await self._store()
        try:
            async with store.view() as view:
                row = await view.remediation._db.fetch_one(sql, ())
        finally:
            await store.close()
        return str(row["owner"]) if row else ""

    async def _store(self) -> SqlStore:
        if SERVER:
            return await open_server(parse_address(SERVER), clock=SystemClock())
        return await open_store(self.folder / "data" / "copilot.db", clock=SystemClock())


@pytest.fixture(autouse=True, scope="module")
def _an_empty_server() -> None:
    """Once, in place of before each test: what runs here goes on from test to test."""
    if SERVER:
        asyncio.run(emptied(parse_address(SERVER)))


@pytest.fixture(scope="module")
def pair(_an_empty_server: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with demo_cluster(folder, folder / "data", "", "") as kubeconfig:
        pair = Pair(folder, kubeconfig, [])
        try:
            pair.start()
            pair.start()
            yield pair
        finally:
            pair.stop()


def at_once(*acts: Callable[[], T]) -> list[T]:
    with ThreadPoolExecutor(len(acts)) as pool:
        return [one.result() for one in [pool.submit(act) for act in acts]]


def at_both(pair: Pair, path: str, body: bytes) -> list[dict[str, Any]]:
    """The same to both at the same time."""
    first, second = pair.two
    return at_once(lambda: post(first, path, body), lambda: post(second, path, body))


def post(copilot: Copilot, path: str, body: bytes) -> dict[str, Any]:
    with copilot.sender() as sender:
        answer = sender.post(path, content=body, headers=JSON).raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def an_alert(app: str) -> bytes:
    labels = {"alertname": "QueueFull", "severity": "critical", "namespace": "shop"}
    alert = {
        "status": "firing",
        "labels": {**labels, "deployment": app},
        "annotations": {"summary": f"the queue of {app} is full"},
        "startsAt": "2026-11-23T07:51:57.085Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": secrets.token_hex(8),
    }
    return json.dumps({"version": "4", "status": "firing", "alerts": [alert]}).encode()


# --------------------------------------------------------------------------- leg 1


def test_the_same_alert_at_both_ingestions_at_once_is_one_incident(pair: Pair) -> None:
    apps = [f"app-{n}-{secrets.token_hex(3)}" for n in range(8)]

    for app in apps:
        at_both(pair, "/alertmanager", an_alert(app))

    with pair.two[0].client() as client:
        rows = client.get("/api/incidents", params={"limit": 100}).raise_for_status().json()["rows"]
        told = Counter(r["incident"]["title"] for r in rows if "queue" in str(r).lower())
        assert told
        assert set(told.values()) == {1}
        for row in rows:
            done = audited(client, row["incident"]["id"])
            assert done.count("incident.opened") == 1


def test_a_retry_at_the_other_ingestion_is_recognised(pair: Pair) -> None:
    marker = f"once{secrets.token_hex(6)}"
    body = as_json(*(a_record(f"{marker} line {n:04d}") for n in range(N_LINES)))

    first = post(pair.two[0], "/ingest", body)
    again = post(pair.two[1], "/ingest", body)

    assert (first["stored"], first["repeat"]) == (N_LINES, False)
    assert again["repeat"]


def test_the_same_lines_at_both_ingestions_at_once_are_stored_once(pair: Pair) -> None:
    bodies = [as_json(a_record(f"twice{secrets.token_hex(6)}")) for _ in range(10)]

    for body in bodies:
        both = at_both(pair, "/ingest", body)
        assert sorted(one["repeat"] for one in both) == [False, True]


# --------------------------------------------------------------------------- the feed


def heard(url: str, token: str, since: int, until: int) -> list[int]:
    """The sequence numbers of what a screen gets after `since`."""
    address = f"{url.replace('http', 'ws')}/ws?since={since}"
    seqs: list[int] = []
    with closing(
        websocket.create_connection(
            address, header=[f"Authorization: Bearer {token}"], timeout=20, http_no_proxy=["*"]
        )
    ) as socket:
        while not seqs or seqs[-1] < until:
            message = json.loads(socket.recv())
            if message["kind"] not in ("hello", "ping"):
                seqs.append(message["seq"])
    return seqs


def head(client: httpx.Client) -> int:
    """The newest entry, as a room says it."""
    rows = client.get("/api/incidents").raise_for_status().json()["rows"]
    answer = client.get(f"/api/incidents/{rows[0]['incident']['id']}").raise_for_status().json()
    return int(answer["feed_head"])


def test_a_screen_goes_on_at_the_other_gateway_without_loss_or_doubling(pair: Pair) -> None:
    first, second = pair.two
    post(first, "/alertmanager", an_alert(f"feed-{secrets.token_hex(3)}"))
    with first.client() as client:
        half = wait_for(lambda: head(client) or None, "a feed")
    begun = heard(first.url, first.tokens["access"], 0, half)

    post(second, "/alertmanager", an_alert(f"feed-{secrets.token_hex(3)}"))
    with second.client() as client:
        whole = wait_for(lambda: found if (found := head(client)) > begun[-1] else None, "more")
    gone_on = heard(second.url, second.tokens["access"], begun[-1], whole)

    seqs = [*begun, *gone_on]
    assert seqs == list(range(1, seqs[-1] + 1))


# --------------------------------------------------------------------------- legs 2 and 3


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked to go"])
def test_a_fix_is_made_once_though_the_one_that_makes_it_goes_in_the_middle(
    pair: Pair, ending: signal.Signals
) -> None:
    kube = KubeHttp(Target(is_demo=True, kubeconfig=pair.kubeconfig, context="demo"), "demo")
    with pair.two[0].client() as client:
        newest = client.get("/api/incidents").raise_for_status().json()["rows"]
        before = int(kube.read("apps/deployments", "oom-demo")["metadata"]["generation"])
        known = len(changes_of_limit(client))
        break_it(client)
        after = max((row["incident"]["id"] for row in newest), default=0)
        incident = wait_for(lambda: open_incident(client, after), "an incident", 60)
        proposal = wait_for(lambda: proposed(client, incident["id"]), "a proposal", 60)
        with pair.two[1].client() as other:
            said = at_once(lambda: approve(client, proposal), lambda: approve(other, proposal))
        assert 202 in {answer.status_code for answer in said} <= {202, 409}

    wait_for(lambda: applied(pair, incident["id"]), "the patch", 60)
    acting = wait_for(pair.acting, "somebody who acts", 30)
    acting.processes[0].send_signal(ending)
    code = acting.processes[0].wait(30)
    pair.two.remove(acting)
    assert code == (0 if ending is signal.SIGTERM else -signal.SIGKILL)

    with pair.two[0].client() as client:
        wait_for(lambda: resolved(client, incident["id"]), "the end", 120)
        done = audited(client, incident["id"])
        limit_changes = changes_of_limit(client)
        broken = client.get("/api/audit").raise_for_status().json()["broken"]
    pair.start()

    for once in ("incident.opened", "proposal.approved", "action.applied", "action.verified"):
        assert done.count(once) == 1, once
    assert broken == []
    assert int(kube.read("apps/deployments", "oom-demo")["metadata"]["generation"]) == before + 2
    assert len(limit_changes) == known + 2  # each seen by one watcher, also across the takeover
    kube.http.close()


def changes_of_limit(client: httpx.Client) -> list[str]:
    changes = client.get("/api/changes", params={"namespace": "demo"}).raise_for_status().json()
    return [c["title"] for c in changes if c["title"].startswith("memory limit of app")]


def applied(pair: Pair, incident_id: int) -> bool:
    with pair.two[0].client() as client:
        return "action.applied" in audited(client, incident_id)


# --------------------------------------------------------------------------- going


def test_who_is_asked_to_go_says_so_first_answers_on_and_refuses_nobody(pair: Pair) -> None:
    leaving = pair.two[-1]
    process = leaving.processes[0]
    statuses: list[int] = []
    with httpx.Client(base_url=leaving.url, trust_env=False, timeout=20) as probe:
        assert probe.get("/readyz").status_code == 200
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: probe.get("/readyz").status_code == 503, "that it says so")

        until = time.monotonic() + 2
        while time.monotonic() < until:
            record = as_json(a_record(f"late{secrets.token_hex(6)}"))
            statuses.append(_status(leaving, record))

    assert process.wait(30) == 0
    assert set(statuses) == {200}
    pair.two.remove(leaving)
    pair.start()


def _status(copilot: Copilot, body: bytes) -> int:
    with copilot.sender() as sender:
        return sender.post("/ingest", content=body, headers=JSON).status_code
