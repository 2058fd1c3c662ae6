"""What the co-pilot itself says opens no incident and does not come back to it again and again; what
befalls its pods is an incident as any other."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request

from copilot.domain.incident import Incident
from copilot.domain.objects import epoch_us
from copilot.ports import Delta, Kind
from copilot.roles.ingestion import ingestion_routes
from copilot.settings import Settings
from copilot.wiring import Parts, wired
from tests.builders_ingest import JSON, LINES, as_json
from tests.builders_objects import a_deployment, a_replica_set, an_oom_killed_pod
from tests.fakes import FixedClock
from tests.flow.test_receive import version_of

NOW_US = epoch_us(datetime(2026, 11, 23, 7, 35, 30, tzinfo=UTC))
OURS = "incident-copilot"


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """What the co-pilot logs, as its pod would."""
    text = io.StringIO()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(text),
        cache_logger_on_first_use=False,
    )
    yield text
    structlog.reset_defaults()


@dataclass
class Watched:
    """The doors and leg 1 of a co-pilot whose own log is sent to it."""

    parts: Parts
    clock: FixedClock
    client: httpx.AsyncClient

    async def send(self, lines: Sequence[str], namespace: str) -> httpx.Response:
        return await self.client.post(
            "/ingest",
            content=as_json(*(a_line(line, namespace, n) for n, line in enumerate(lines))),
            headers=JSON,
        )

    async def incidents(self) -> Sequence[Incident]:
        async with self.parts.store.view() as view:
            return list(await view.incidents.page(limit=50))


async def known(request: Request) -> str:
    return "fluent-bit"


@pytest.fixture
async def watched(tmp_path: Path, said: io.StringIO) -> AsyncIterator[Watched]:
    clock = FixedClock(NOW_US)
    settings = Settings(data=tmp_path, cluster="home", openai_api_key=None, openai_base_url="")
    async with wired(settings, roles=(), agent_token="", needs_cluster=False, clock=clock) as parts:
        routes = ingestion_routes(
            parts.flow.receive,
            authenticate=known,
            clock=clock,
            default_cluster="home",
        )
        transport = httpx.ASGITransport(app=Starlette(routes=routes))
        async with httpx.AsyncClient(transport=transport, base_url="http://copilot") as client:
            yield Watched(parts, clock, client)


def a_line(line: str, namespace: str, n: int) -> dict[str, object]:
    """A container's line as Fluent Bit sends it with `merge_log`: the keys of JSON beside `log`."""
    try:
        merged = json.loads(line)
    except ValueError:
        merged = {}
    return {
        **merged,
        "time": f"2026-11-23T07:35:{n % 30:02d}.{n:09d}Z",
        "stream": "stderr",
        "log": line,
        "kubernetes": {
            "pod_name": "ingestion-5f44895955-cd2ks",
            "namespace_name": namespace,
            "container_name": "ingestion",
            "host": "dev",
            "labels": {"app": "ingestion"},
        },
    }


def errors_of_ours(said: io.StringIO, n: int) -> list[str]:
    """What a bad hour of the co-pilot looks like in its log."""
    log = structlog.get_logger("copilot.roles.workers")
    for attempt in range(n):
        try:
            raise OSError("database is away")
        except OSError as error:
            log.error("tidying.broke", attempt=attempt, exc_info=error)
    return said.getvalue().splitlines()


async def test_its_own_errors_open_no_incident_and_those_of_others_do(
    watched: Watched, said: io.StringIO
) -> None:
    lines = errors_of_ours(said, 50)

    assert (await watched.send(lines, OURS)).status_code == 200
    await watched.parts.flow.tick()
    about_ours = await watched.incidents()
    await watched.send(lines, "shop")
    await watched.parts.flow.tick()

    assert about_ours == []
    assert [one.namespace for one in await watched.incidents()] == ["shop"]


async def test_its_own_lines_are_stored_all_the_same(watched: Watched, said: io.StringIO) -> None:
    await watched.send(errors_of_ours(said, 20), OURS)

    async with watched.parts.store.view() as view:
        assert (await view.telemetry.counts()).lines == 20


async def test_what_ingesting_makes_it_log_does_not_feed_itself(
    watched: Watched, said: io.StringIO
) -> None:
    torn = b'{"log": "torn'
    good = as_json(a_line("hello", "shop", 1))[1:-1]
    for n in range(40):  # each with a record that is set aside, each a warning if nobody stopped it
        body = b"\n".join([good.replace(b"hello", f"hello {n}".encode()), torn])
        await watched.client.post("/ingest", content=body, headers=LINES)
        await watched.client.post("/ingest", content=b"\x00%d" % n, headers=JSON)

    rounds = []
    for _ in range(6):
        new = said.getvalue().splitlines()
        rounds.append(len(new))
        said.seek(0)
        said.truncate()
        if new:
            await watched.send(new, OURS)
        watched.clock.move(10)

    assert 1 <= rounds[0] <= 5
    assert rounds[2:] == [0, 0, 0, 0]
    assert await watched.incidents() == []


async def test_its_senders_that_cannot_send_open_no_incident(watched: Watched) -> None:
    lines = [f"[error] [engine] chunk '{n}' cannot be retried: it is away" for n in range(60)]

    await watched.send(lines, "incident-copilot-telemetry")
    await watched.parts.flow.tick()

    assert await watched.incidents() == []


@pytest.mark.parametrize(("part_of", "opened"), [(OURS, 0), ("shop", 1)])
async def test_an_alert_about_the_co_pilot_opens_no_incident(
    watched: Watched, part_of: str, opened: int
) -> None:
    alert = {
        "status": "firing",
        "labels": {"alertname": "CopilotOutboxStuck", "severity": "warning", "part_of": part_of},
        "annotations": {"summary": "Messages to people are not delivered"},
        "startsAt": "2026-11-23T07:35:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "0123456789abcdef",
    }
    body = {"version": "4", "groupKey": "{}", "status": "firing", "alerts": [alert]}

    answer = await watched.client.post("/alertmanager", json=body)

    assert answer.status_code == 200
    assert len(await watched.incidents()) == opened


async def test_a_pod_of_its_own_that_is_killed_again_and_again_is_an_incident(
    watched: Watched,
) -> None:
    deployment = a_deployment("gateway", namespace=OURS)
    replica_set = a_replica_set("gateway", namespace=OURS)
    pod = an_oom_killed_pod("gateway", namespace=OURS)
    for kind, thing in (
        (Kind.DEPLOYMENT, deployment),
        (Kind.REPLICA_SET, replica_set),
        (Kind.POD, pod),
    ):
        await watched.parts.flow.observe(
            Delta(kind=kind, versions=(version_of(kind, thing),), is_synced=True)
        )

    (incident,) = await watched.incidents()
    assert incident.namespace == OURS
    assert incident.workload.name == "gateway"
