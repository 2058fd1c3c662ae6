"""A cluster where nothing is wrong makes no incident: the whole product beside the demo cluster,
over real HTTP, for ten minutes of simulated time."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from copilot.demo.cluster import kubeconfig, serve_demo
from copilot.roles.app import ROLES, compose
from copilot.roles.security import Doorkeeper, Tokens
from copilot.roles.serving import listen, run
from copilot.settings import EmbedderKind, Settings
from copilot.wiring import wired
from tests.contract.cluster_targets import limit_patch
from tests.fakes import ScaledClock

pytestmark = pytest.mark.timeout(120)

SPEED = 24
TOKENS = Tokens(access="access-of-the-test", sender="sender-of-the-test", agent="agent-of-the-test")


@pytest.fixture
def clock() -> ScaledClock:
    return ScaledClock(SPEED)


@pytest.fixture
async def people(tmp_path: Path, clock: ScaledClock) -> AsyncIterator[httpx.AsyncClient]:
    """A signed-in person at a co-pilot that watches the demo cluster; `kube` is for the latter."""
    bound = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    settings = Settings(
        data=tmp_path,
        kubeconfig=str(tmp_path / "kubeconfig"),
        context="demo",
        cluster="demo",
        openai_api_key=None,
        openai_base_url="",
        embedder=EmbedderKind.OFF,  # it takes real time, of which there is a twentieth here
    )
    doorkeeper = Doorkeeper(tokens=TOKENS, user="ada", allowed_hosts=frozenset({"127.0.0.1"}))
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(a_demo(tmp_path / "kubeconfig", url, clock))
        parts = await stack.enter_async_context(
            wired(settings, roles=ROLES, agent_token="", needs_cluster=True, clock=clock)
        )
        ready = asyncio.Event()
        running = compose(ROLES, parts, doorkeeper, settings)
        await stack.enter_async_context(in_background(run(running, bound, ready.set)))
        await ready.wait()
        yield await stack.enter_async_context(client_of(url, TOKENS.access))


@pytest.fixture
async def kube(people: httpx.AsyncClient, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever else works on the cluster."""
    text = (tmp_path / "kubeconfig").read_text()
    url = next(line.split()[-1] for line in text.splitlines() if "server: http" in line)
    token = next(line.split()[-1] for line in text.splitlines() if "token: " in line)
    async with client_of(url, token) as client:
        yield client


@contextlib.asynccontextmanager
async def a_demo(path: Path, ingest_url: str, clock: ScaledClock) -> AsyncIterator[None]:
    """The demo cluster, with its senders on the co-pilot."""
    ready, token = asyncio.Event(), secrets.token_hex(8)

    def on_ready(url: str) -> None:
        path.write_text(kubeconfig(url, token))
        ready.set()

    demo = serve_demo(
        host="127.0.0.1",
        port=0,
        clock=clock,
        token=token,
        ingest_url=ingest_url,
        ingest_token=TOKENS.sender,
        on_ready=on_ready,
    )
    async with in_background(demo):
        await ready.wait()
        yield


@contextlib.asynccontextmanager
async def in_background(work: Any) -> AsyncIterator[None]:
    """Runs until the block ends; fails with it where it ended before."""
    task = asyncio.create_task(work)
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def client_of(url: str, token: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=20, trust_env=False)


async def read(people: httpx.AsyncClient, path: str) -> Any:
    return (await people.get(path)).raise_for_status().json()


async def patch(kube: httpx.AsyncClient, namespace: str, name: str, change: Any) -> None:
    answer = await kube.patch(
        f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
        json=change,
        headers={"Content-Type": "application/strategic-merge-patch+json"},
    )
    answer.raise_for_status()


def image(name: str) -> Any:
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": name}]}}}}


async def delete_a_pod(kube: httpx.AsyncClient, namespace: str) -> None:
    pods = (await kube.get(f"/api/v1/namespaces/{namespace}/pods")).json()["items"]
    name = pods[0]["metadata"]["name"]
    (await kube.delete(f"/api/v1/namespaces/{namespace}/pods/{name}")).raise_for_status()


async def test_ten_healthy_minutes_with_ordinary_work_make_no_incident_and_a_kill_makes_one(
    people: httpx.AsyncClient, kube: httpx.AsyncClient, clock: ScaledClock
) -> None:
    began_us = clock.now_us()
    await clock.sleep(120)
    await patch(kube, "payments", "payments-api", image("docker.io/demo/payments-api:2.14.1"))
    await clock.sleep(90)
    await patch(kube, "observability", "dashboards", {"spec": {"replicas": 0}})
    await clock.sleep(60)
    await patch(kube, "observability", "dashboards", {"spec": {"replicas": 1}})
    await delete_a_pod(kube, "identity")
    await clock.sleep(60)
    await patch(kube, "demo", "oom-demo", limit_patch("96Mi"))
    await clock.sleep(max(0, 600 - (clock.now_us() - began_us) / 1e6))

    assert (await read(people, "/api/incidents"))["rows"] == []
    seen = await read(people, "/api/cluster")
    assert seen["counts"]["failing"] == seen["counts"]["degraded"] == 0
    assert seen["counts"]["healthy"] > 30
    status = await read(people, "/api/status")
    assert status["is_demo"]
    assert status["gaps"] == []
    assert status["lines"] > 2_000
    titles = {change["title"] for change in await read(people, "/api/changes?minutes=20")}
    assert any("2.14.1" in title for title in titles)
    assert any("96Mi" in title for title in titles)

    await patch(kube, "demo", "oom-demo", limit_patch("32Mi"))
    async with asyncio.timeout(10):
        while not (rows := (await read(people, "/api/incidents"))["rows"]):
            await asyncio.sleep(0.1)
    assert rows[0]["incident"]["app"] == "oom-demo"
