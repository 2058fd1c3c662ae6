"""The demo cluster as a server: who gets in, what a watch is told, and a clean end."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
import yaml

from copilot.demo.cluster import kubeconfig, serve_demo
from copilot.demo.failures import ApiFailure
from copilot.demo.kinds import CONFIG_MAP, REFUSED, Resource
from copilot.demo.world import World
from tests.builders_demo import HandMoved
from tests.fakes import FixedClock


class RealishClock(FixedClock):
    """Moves as it sleeps, and lets others run meanwhile."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 10)
        self.move(seconds)


@asynccontextmanager
async def served() -> AsyncIterator[httpx.AsyncClient]:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve_demo(
            host="127.0.0.1",
            port=0,
            clock=RealishClock(),
            token="secret",
            on_ready=ready.set_result,
        )
    )
    first: set[asyncio.Future[Any]] = {serving, ready}
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    assert ready.done(), serving.exception()
    url = ready.result()
    try:
        headers = {"Authorization": "Bearer secret"}
        async with httpx.AsyncClient(base_url=url, headers=headers) as client:
            yield client
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def test_nothing_but_health_is_shown_without_the_token() -> None:
    async with served() as client:
        stranger = {"Authorization": ""}

        assert (await client.get("/healthz", headers=stranger)).text == "ok"
        for path in ("/version", "/api/v1/pods", "/api", "/openapi/v3"):
            assert (await client.get(path, headers=stranger)).status_code == 401


async def test_what_could_not_live_here_is_refused_with_the_reason() -> None:
    async with served() as client:
        for resource in REFUSED:
            for query in ({}, {"dryRun": "All"}):
                body = {"metadata": {"name": "idle"}}
                answer = await client.post(collection(resource), json=body, params=query)
                assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")
                assert answer.json()["message"] == (
                    f'{resource.qualified_plural} "idle" is forbidden: '
                    f"the demo cluster {resource.refusal}"
                )
            assert (await client.get(collection(resource))).json()["items"] == []


def collection(resource: Resource) -> str:
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    place = "/namespaces/demo" if resource.is_namespaced else ""
    return f"{root}{place}/{resource.plural}"


@pytest.mark.parametrize(
    ("password", "status"), [("secret", 200), ("wrong", 401), ("", 401), ("\x00\xff", 401)]
)
async def test_kubectl_gets_in_by_basic_authentication(password: str, status: int) -> None:
    basic = base64.b64encode(b"kubectl:" + password.encode("latin-1")).decode()

    async with served() as client:
        answer = await client.get("/version", headers={"Authorization": f"Basic {basic}"})

    assert answer.status_code == status


def test_the_kubeconfig_has_a_context_for_each_kind_of_client() -> None:
    config = yaml.safe_load(kubeconfig("http://127.0.0.1:8001", "secret"))

    assert config["current-context"] == "demo"
    servers = {entry["name"]: entry["cluster"]["server"] for entry in config["clusters"]}
    assert servers == {
        "demo": "http://127.0.0.1:8001",
        "demo-kubectl": "http://kubectl:secret@127.0.0.1:8001",
    }
    assert config["users"][0]["user"] == {"token": "secret"}


async def test_a_stop_ends_open_watches_and_leaves_no_port() -> None:
    async with served() as client:
        url = str(client.base_url)
        watching = client.stream("GET", "/api/v1/pods", params={"watch": 1})
        watch = await watching.__aenter__()
        lines = watch.aiter_lines()
        assert '"ADDED"' in await anext(lines)

        # Leaving `served` stops the server while this watch is open.
        async def rest() -> int:
            return len([line async for line in lines])

        reading = asyncio.create_task(rest())
        await asyncio.sleep(0.05)
        for task in asyncio.all_tasks():
            if getattr(task.get_coro(), "__qualname__", "") == "serve_demo":
                task.cancel()
        assert await asyncio.wait_for(reading, 5) >= 37
        await watching.__aexit__(None, None, None)

    async with httpx.AsyncClient() as late:
        with pytest.raises(httpx.ConnectError):
            await late.get(f"{url}/healthz")


async def test_kubectl_gets_a_table_when_it_asks_for_one() -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

    async with served() as client:
        path = "/api/v1/namespaces/demo/pods"
        table = (await client.get(path, headers={"Accept": accept})).json()

    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]] == [
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
    ]
    assert {tuple(row["cells"][1:4]) for row in table["rows"]} == {("1/1", "Running", "0")}


async def test_a_body_over_the_limit_is_refused() -> None:
    async with served() as client:
        path = "/api/v1/namespaces/demo/configmaps"

        answer = await client.post(path, content=b" " * (3 * 2**20 + 1))

    assert answer.status_code == 413


def test_versions_of_an_earlier_run_are_too_old_for_the_next() -> None:
    first = HandMoved()
    first.wait(60)
    last = first.cluster.world.version

    first.clock.move(30)
    second = HandMoved(clock=first.clock)

    assert second.cluster.world.oldest > last


def test_a_world_forgets_the_oldest_changes_first() -> None:
    world = World(now_us=FixedClock().now_us, history=3)
    start = world.version
    for number in range(5):
        world.add(CONFIG_MAP, {"metadata": {"name": f"c{number}", "namespace": "demo"}})

    with pytest.raises(ApiFailure) as refused:
        world.changes_since(start)

    assert refused.value.code == 410
    names = [c.after["metadata"]["name"] for c in world.changes_since(start + 2) if c.after]
    assert names == ["c2", "c3", "c4"]
