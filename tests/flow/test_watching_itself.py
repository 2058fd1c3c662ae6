"""A running co-pilot watches itself: its page of numbers, and its spans through a real OTLP door."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request

from copilot.embed import NoEmbedder
from copilot.roles.app import compose
from copilot.roles.drain import Drain
from copilot.roles.figures import Figures
from copilot.roles.health import Health
from copilot.roles.health_routes import health_routes
from copilot.roles.security import Doorkeeper, Tokens
from copilot.roles.serving import listen, run
from copilot.settings import EmbedderKind, Settings
from copilot.telemetry import INCIDENT, SERVICE
from copilot.wiring import Parts, traced, wired
from tests.builders_ingest import recorded
from tests.fakes import FixedClock

pytestmark = pytest.mark.timeout(240)

TOKENS = Tokens(access="of-a-person", sender="of-a-sender", agent="of-a-role")
SCRAPER = "of-prometheus"


@dataclass
class Running:
    """A co-pilot on loopback, with its agent-context in an application of its own."""

    url: str
    data: Path

    def client(self, token: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    async def metrics(self) -> str:
        async with self.client(SCRAPER) as client:
            return (await client.get("/metrics")).raise_for_status().text

    def spans(self) -> list[dict[str, Any]]:
        """Of the co-pilot itself, as its own ingestion stored them."""
        with sqlite3.connect(f"file:{self.data}/copilot.db?mode=ro", uri=True) as store:
            rows = store.execute(
                "SELECT trace_id, span_id, parent_id, name, attrs FROM spans WHERE service = ?",
                (SERVICE,),
            ).fetchall()
        return [
            {
                "trace": trace.hex(),
                "id": span.hex(),
                "parent": parent.hex() if parent else "",
                "name": name,
                "attrs": json.loads(attrs or "{}"),
            }
            for trace, span, parent, name, attrs in rows
        ]


@asynccontextmanager
async def served(
    stack: AsyncExitStack, settings: Settings, roles: Iterable[str]
) -> AsyncIterator[str]:
    bound = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    keeper = Doorkeeper(tokens=TOKENS, user="ada", allowed_hosts=frozenset({"127.0.0.1"}))
    parts = await stack.enter_async_context(
        wired(settings, roles=tuple(roles), agent_token=TOKENS.agent, needs_cluster=False)
    )
    is_up = asyncio.Event()
    serving = asyncio.create_task(run(compose(roles, parts, keeper, settings), bound, is_up.set))
    await is_up.wait()
    try:
        yield url
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    given: dict[str, Any] = {
        "data": tmp_path,
        "cluster": "home",
        "store": SecretStr("sqlite:"),  # whatever the others run on: spans are read off the file
        "tidb_host": "",
        "embedder": EmbedderKind.OFF,
        "metrics_token": SecretStr(SCRAPER),
        "openai_api_key": None,
        "openai_base_url": "",
    }
    async with AsyncExitStack() as stack:
        context = await stack.enter_async_context(
            served(stack, Settings(**given), ["agent-context"])
        )
        settings = Settings(**given, context_url=context)
        url = await stack.enter_async_context(served(stack, settings, ["gateway", "ingestion"]))
        spans = Settings(
            **given,
            otlp_endpoint=url,
            otlp_headers=SecretStr(f"authorization=Bearer%20{TOKENS.sender}"),
        )
        await stack.enter_async_context(traced(spans, role="gateway", cluster="home"))
        yield Running(url=url, data=tmp_path)


async def send(running: Running, name: str) -> None:
    request = recorded(name)
    own = ("host", "content-length", "connection", "x-api-key")
    headers = {k: v for k, v in request.headers.items() if k.lower() not in own}
    async with running.client(TOKENS.sender) as sender:
        answer = await sender.post(request.path, content=request.body, headers=headers)
    assert answer.status_code == 200


async def until_traced(running: Running, name: str) -> list[dict[str, Any]]:
    """All spans, once one of this name is among them."""
    while True:
        spans = running.spans()
        if name in {span["name"] for span in spans}:
            return spans
        await asyncio.sleep(0.2)


async def test_one_trace_leads_from_the_leg_through_another_role_with_the_incident(
    running: Running,
) -> None:
    await send(running, "alertmanager/firing_node_oom_kill")

    spans = await until_traced(running, "leg investigate")

    by_id = {span["id"]: span for span in spans}
    leg = next(span for span in spans if span["name"] == "leg investigate")
    asked = [s for s in spans if s["name"] == "POST /context" and s["trace"] == leg["trace"]]
    assert asked, sorted((span["trace"][:6], span["name"]) for span in spans)
    asking = by_id[asked[0]["parent"]]
    assert asking["name"] == "agent context"
    assert asking["parent"] == leg["id"]
    assert {str(span["attrs"][INCIDENT]) for span in (leg, asking)} == {"1"}


async def test_a_request_to_the_api_is_in_no_trace_but_its_own(running: Running) -> None:
    theirs = "0af7651916cd43dd8448eb211c80319c"
    async with running.client(TOKENS.access) as client:
        await client.get("/api/status", headers={"traceparent": f"00-{theirs}-b7ad6b7169203331-01"})

    spans = await until_traced(running, "GET /api/status")

    asked = [span for span in spans if span["name"] == "GET /api/status"]
    assert [(span["trace"] == theirs, span["parent"]) for span in asked] == [(False, "")]


async def test_spans_that_are_sent_make_no_spans(running: Running) -> None:
    await send(running, "alertmanager/firing_node_oom_kill")

    spans = await until_traced(running, "leg investigate")

    assert not [s["name"] for s in spans if "/v1/" in s["name"] or "alertmanager" in s["name"]]


async def test_every_number_is_on_the_page_of_a_running_co_pilot(running: Running) -> None:
    page = await running.metrics()

    told = set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))
    assert told == set(re.findall(r"^# TYPE (\S+)", Figures().text(), re.MULTILINE))


async def test_requests_are_counted_by_route_whatever_is_asked_for(running: Running) -> None:
    async with running.client(TOKENS.access) as client:
        for n in range(30):
            await client.get(f"/api/incidents/{n + 1000}")
            await client.get(f"/nothing/{n}")
            await client.get(f"/api/nothing/{n}")
        await client.get("/api/status")
    async with running.client("") as stranger:
        await stranger.get("/api/status")
        await stranger.request("PROPFIND", "/healthz")

    page = await running.metrics()

    counted = {
        (route, method, status): int(n)
        for route, method, status, n in re.findall(
            r'^copilot_http_request_duration_seconds_count\{route="([^"]*)",method="([^"]*)",'
            r'status="([^"]*)"\} (\d+)$',
            page,
            re.MULTILINE,
        )
    }
    assert counted["/api/incidents/{incident_id}", "GET", "4xx"] == 30
    assert counted["/api/status", "GET", "2xx"] == 1
    assert counted["none", "GET", "4xx"] >= 1
    assert len({route for route, _, _ in counted}) < 10
    assert {route for route, _, _ in counted if "nothing" in route} == set()
    assert "other" in {method for _, method, _ in counted}
    assert {method for _, method, _ in counted} <= {"GET", "POST", "other"}


async def test_people_are_told_what_the_database_is_and_what_it_can_do(running: Running) -> None:
    async with running.client(TOKENS.access) as client:
        told = (await client.get("/api/database")).json()
        asked = (await client.get("/readyz?verbose")).json()["store"]

    assert (told["product"], told["version"]) == (asked["kind"], asked["version"]) != ("", "")
    assert {one["name"]: one["state"] for one in told["abilities"]} == {
        "Vectors": "missing",
        "Vector index": "missing",
        "Full text": "used",
        "Partitions by day": "missing",
        "Scattered keys": "unneeded",
    }


@pytest.mark.parametrize("token", [TOKENS.access, TOKENS.sender, TOKENS.agent, SCRAPER])
async def test_each_token_of_ours_reads_the_numbers(running: Running, token: str) -> None:
    async with running.client(token) as client:
        assert (await client.get("/metrics")).status_code == 200


async def test_the_scrapers_token_opens_nothing_else(running: Running) -> None:
    async with running.client(SCRAPER) as client:
        answers = [
            (await client.get("/api/status")).status_code,
            (await client.post("/ingest", json=[{"log": "x"}])).status_code,
            "troubles" in (await client.get("/readyz?verbose")).json(),
        ]
    async with running.client("") as stranger:
        answers.append((await stranger.get("/metrics")).status_code)

    assert answers == [401, 401, True, 401]


async def test_a_scrape_asks_the_store_nothing() -> None:
    figures = Figures()
    without_a_store = cast(Parts, SimpleNamespace(embedder=NoEmbedder("off"), model=None))

    async def let_in(request: Request) -> None:
        return None

    routes = health_routes(
        without_a_store,
        figures,
        Health(clock=FixedClock(), figures=figures),
        Drain(),
        let_in=let_in,
        metrics_token="",
    )
    transport = httpx.ASGITransport(app=Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://copilot") as client:
        answer = await client.get("/metrics")

    assert answer.status_code == 200
    assert "copilot_lines_stored 0" in answer.text
