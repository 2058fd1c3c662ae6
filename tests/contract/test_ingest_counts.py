"""What became of every record that a sender sent adds up, whatever was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from copilot.domain.errors import Busy, Unauthenticated, Unavailable
from copilot.domain.event import Batch
from copilot.ports import StoredBatch
from copilot.roles.figures import DUPLICATE, REFUSED, SET_ASIDE, STORED, Figures
from copilot.roles.health import Ailment, Health
from copilot.roles.ingestion import ingestion_routes
from copilot.store import SqlStore
from tests.builders_ingest import (
    JSON,
    LINES,
    RECEIVED_US,
    a_record,
    all_recorded,
    as_json,
    decoded,
    recorded,
)
from tests.builders_store import a_store
from tests.fakes import FixedClock

OUTCOMES = (STORED, DUPLICATE, SET_ASIDE, REFUSED)
GARBAGE = [
    (b"\x00\x01garbage", JSON, "/ingest"),
    (b"", JSON, "/ingest"),
    (b"{}", {"Content-Type": "text/plain"}, "/ingest"),
    (b"\xff" * 40, {"Content-Type": "application/x-protobuf"}, "/v1/logs"),
    (b'{"alerts": 7}', JSON, "/alertmanager"),
]


@dataclass
class Doors:
    """The real doors over a real store, which may be told to be away."""

    store: SqlStore
    figures: Figures = field(default_factory=Figures)
    failure: Exception | None = None
    health: Health = field(init=False)
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        clock = FixedClock(RECEIVED_US)
        self.health = Health(clock=clock, figures=self.figures)
        routes = ingestion_routes(
            self.receive,
            authenticate=self._authenticate,
            clock=clock,
            default_cluster="home",
            figures=self.figures,
            health=self.health,
        )
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=Starlette(routes=routes)), base_url="http://copilot"
        )

    async def receive(self, batch: Batch) -> StoredBatch:
        if self.failure:
            raise self.failure
        return await self.store.run(lambda tx: tx.telemetry.add(batch))

    @staticmethod
    async def _authenticate(request: Request) -> str:
        if request.headers.get("x-wrong"):
            raise Unauthenticated("send the sender token")
        return "fleet"

    async def post(self, name: str) -> httpx.Response:
        request = recorded(name)
        own = ("host", "content-length", "connection")
        headers = {k: v for k, v in request.headers.items() if k.lower() not in own}
        return await self.client.post(request.path, content=request.body, headers=headers)

    @property
    def received(self) -> float:
        return self.figures.received.total()

    def became(self, outcome: str) -> float:
        sources = ("fluentbit", "otlp", "alertmanager")
        return sum(self.figures.kept.value(source, outcome) for source in sources)


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    async with a_store("sqlite-memory", tmp_path) as store:
        doors = Doors(store)
        async with doors.client:
            yield doors


async def test_all_that_was_recorded_twice_and_all_garbage_adds_up(doors: Doors) -> None:
    n_sent = sum(decoded(name).n_records for name in all_recorded())
    for name in (*all_recorded(), *all_recorded()):
        assert (await doors.post(name)).status_code == 200
    good = as_json(a_record("good"))[1:-1]
    mixed = b"\n".join([good, b'{"log": "torn'])
    await doors.client.post("/ingest", content=mixed, headers=LINES)
    for body, headers, path in GARBAGE:
        await doors.client.post(path, content=body, headers=headers)

    assert doors.received == 2 * n_sent + 2 + len(GARBAGE)
    assert doors.became(SET_ASIDE) == 1
    assert doors.became(REFUSED) == len(GARBAGE)
    assert doors.became(DUPLICATE) >= n_sent
    assert sum(doors.became(one) for one in OUTCOMES) == doors.received


async def test_lines_counted_as_stored_are_the_lines_in_the_store(doors: Doors) -> None:
    for name in all_recorded():
        if name.startswith("fluentbit/http_json"):
            await doors.post(name)

    async with doors.store.view() as view:
        assert (
            doors.figures.kept.value("fluentbit", STORED) == (await view.telemetry.counts()).lines
        )


@pytest.mark.parametrize("failure", [Busy("later"), Unavailable("away"), RuntimeError("a bug")])
async def test_what_cannot_be_stored_just_now_is_refused_and_stored_when_it_comes_again(
    doors: Doors, failure: Exception
) -> None:
    doors.failure = failure
    name = "fluentbit/http_json_array_double"
    n = decoded(name).n_records
    with pytest.raises(RuntimeError) if isinstance(failure, RuntimeError) else nullcontext():
        await doors.post(name)
    assert (doors.became(REFUSED), doors.became(STORED)) == (n, 0)

    doors.failure = None
    await doors.post(name)

    assert (doors.received, doors.became(STORED)) == (2 * n, n)


async def test_that_senders_are_told_to_come_again_is_a_trouble_of_ours(doors: Doors) -> None:
    doors.failure = Unavailable("away")
    for _ in range(5):
        await doors.post("fluentbit/http_json_array_double")

    assert [one.what for one in doors.health.look()] == [Ailment.INGEST]


async def test_who_has_no_token_is_counted_as_no_sender(doors: Doors) -> None:
    answer = await doors.client.post(
        "/ingest", content=as_json(a_record()), headers={**JSON, "X-Wrong": "1"}
    )

    assert answer.status_code == 401
    assert doors.received == 0
