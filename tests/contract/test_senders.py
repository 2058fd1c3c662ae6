"""Every recorded request of a real sender, posted to the real doors."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from starlette.applications import Starlette
from starlette.requests import Request

from copilot.domain.errors import Busy, Unauthenticated, Unavailable
from copilot.domain.event import Batch
from copilot.ingest.inflate import MAX_BODY_BYTES
from copilot.ports import StoredBatch
from copilot.roles.ingestion import ingestion_routes
from tests.builders_ingest import (
    JSON,
    LINES,
    PROTOBUF,
    RECEIVED_US,
    Recorded,
    a_record,
    all_recorded,
    as_json,
    recorded,
)
from tests.fakes import FixedClock

TOKEN = "sender-token"

Receive = Callable[[Batch], Awaitable[StoredBatch]]


@dataclass
class Keeper:
    """A store of the smallest kind: it keeps each batch once, unless it is told to fail."""

    batches: dict[bytes, Batch] = field(default_factory=dict)
    failure: Exception | None = None

    async def __call__(self, batch: Batch) -> StoredBatch:
        if self.failure:
            raise self.failure
        is_repeat = batch.key in self.batches
        self.batches.setdefault(batch.key, batch)
        n_stored = 0 if is_repeat else batch.n_records
        return StoredBatch(is_repeat=is_repeat, n_stored=n_stored, first_line=None)

    @property
    def last(self) -> Batch:
        return list(self.batches.values())[-1]


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
def receive(keeper: Keeper) -> Receive:
    """What makes a batch durable; a real store's goes here."""
    return keeper


@pytest.fixture
async def client(receive: Receive) -> AsyncIterator[httpx.AsyncClient]:
    async def authenticate(request: Request) -> str:
        headers = request.headers
        if TOKEN in (headers.get("x-api-key"), headers.get("authorization", "")[7:]):
            return "fleet"
        raise Unauthenticated("send the sender token")

    routes = ingestion_routes(
        receive, authenticate=authenticate, clock=FixedClock(RECEIVED_US), default_cluster="home"
    )
    transport = httpx.ASGITransport(app=Starlette(routes=routes))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://copilot", headers={"X-Api-Key": TOKEN}
    ) as client:
        yield client


async def send(client: httpx.AsyncClient, request: Recorded) -> httpx.Response:
    """The recorded request with its headers; where a key was redacted, ours."""
    own = ("host", "content-length", "connection", "x-api-key")
    headers = {k: v for k, v in request.headers.items() if k.lower() not in own}
    return await client.post(request.path, content=request.body, headers=headers)


def is_otlp(request: Recorded) -> bool:
    return request.path.startswith("/v1/")


EXPECTED = {
    "alertmanager/firing_container_restarting_no_annotations": 1,
    "alertmanager/firing_node_oom_kill": 1,
    "alertmanager/firing_pod_memory_near_limit": 1,
    "fluentbit/http_json_lines_kmsg_oom": 81,
    "fluentbit/http_kubernetes_events_list": 54,
    "fluentbit/http_kubernetes_events_watch": 5,
    "fluentbit/otlp_logs_kmsg_oom": 81,
    "fluentbit/otlp_logs_kubernetes_events": 5,
    "fluentbit/otlp_metrics_self": 228,
    "otlp/logs": 1,
    "otlp/metrics": 4,
    "otlp/metrics_with_exemplars": 4,
    "otlp/traces_gzip": 2,
}
"""Records that each holds; 15 lines where nothing is said."""


@pytest.mark.parametrize("name", all_recorded())
async def test_what_a_sender_really_sends_is_stored_whole(
    client: httpx.AsyncClient, keeper: Keeper, name: str
) -> None:
    request = recorded(name)

    answer = await send(client, request)

    assert answer.status_code == 200
    assert keeper.last.n_records == EXPECTED.get(name, 15)
    assert keeper.last.set_aside == []
    if is_otlp(request):
        assert answer.headers["content-type"] == "application/x-protobuf"
        assert answer.content == b""
    else:
        n_stored = EXPECTED.get(name, 15)
        assert answer.json() == {"stored": n_stored, "set_aside": 0, "repeat": False}


@pytest.mark.parametrize("name", all_recorded())
async def test_the_same_body_twice_stores_nothing_new(
    client: httpx.AsyncClient, keeper: Keeper, name: str
) -> None:
    request = recorded(name)

    await send(client, request)
    answer = await send(client, request)

    assert answer.status_code == 200
    assert len(keeper.batches) == 1
    if not is_otlp(request):
        assert answer.json() == {"stored": 0, "set_aside": 0, "repeat": True}


@pytest.mark.parametrize("path", ["/ingest", "/ingest/json", "/ingest/logs/from/here"])
async def test_every_path_under_ingest_is_the_same_door(
    client: httpx.AsyncClient, keeper: Keeper, path: str
) -> None:
    answer = await client.post(path, content=as_json(a_record()), headers=JSON)

    assert answer.status_code == 200
    assert keeper.last.lines.body == ["hello"]
    assert keeper.last.cluster == "home"


async def test_the_good_records_of_a_mixed_body_are_stored_and_the_rest_counted(
    client: httpx.AsyncClient, keeper: Keeper
) -> None:
    body = json.dumps(a_record()).encode() + b"\n{broken\n"

    answer = await client.post("/ingest", content=body, headers=LINES)

    assert answer.json() == {"stored": 1, "set_aside": 1, "repeat": False}
    assert keeper.last.set_aside[0].body == b"{broken"


@pytest.mark.parametrize("headers", [PROTOBUF, JSON], ids=["protobuf", "json"])
async def test_otlp_says_how_many_were_rejected_and_why(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    metric.gauge.data_points.add(as_double=1)
    metric.gauge.data_points.add(as_double=float("nan"))
    document = {
        "resourceMetrics": [
            {
                "scopeMetrics": [
                    {
                        "metrics": [
                            {
                                "name": "m",
                                "gauge": {"dataPoints": [{"asInt": "1"}, {"asDouble": "NaN"}]},
                            }
                        ]
                    }
                ]
            }
        ]
    }
    body = request.SerializeToString() if headers is PROTOBUF else json.dumps(document).encode()

    answer = await client.post("/v1/metrics", content=body, headers=headers)

    assert answer.status_code == 200
    if headers is PROTOBUF:
        reply = ExportMetricsServiceResponse.FromString(answer.content)
        assert reply.partial_success.rejected_data_points == 1
        assert "nan" in reply.partial_success.error_message
    else:
        assert answer.json()["partialSuccess"]["rejectedDataPoints"] == "1"


async def test_an_empty_otlp_request_is_accepted_and_stores_nothing(
    client: httpx.AsyncClient, keeper: Keeper
) -> None:
    answer = await client.post("/v1/logs", content=b"", headers=PROTOBUF)

    assert answer.status_code == 200
    assert ExportLogsServiceResponse.FromString(answer.content) == ExportLogsServiceResponse()
    assert keeper.batches == {}


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        pytest.param("/ingest", b"garbage", JSON, 400, id="garbage"),
        pytest.param("/ingest", b"", JSON, 400, id="empty"),
        pytest.param("/ingest", b"x", {"Content-Type": "image/png"}, 415, id="type"),
        pytest.param("/ingest", b"x", JSON | {"Content-Encoding": "br"}, 415, id="encoding"),
        pytest.param("/v1/logs", b"garbage", PROTOBUF, 400, id="otlp"),
        pytest.param("/v1/traces", b"{", JSON, 400, id="otlp-json"),
        pytest.param("/alertmanager", b"[]", JSON, 400, id="alertmanager"),
        pytest.param("/ingest", bytes(MAX_BODY_BYTES + 1), JSON, 413, id="too-large"),
        pytest.param(
            "/ingest",
            gzip.compress(bytes(129 * 1024 * 1024), compresslevel=1),
            JSON | {"Content-Encoding": "gzip"},
            413,
            id="bomb",
        ),
    ],
)
async def test_what_cannot_be_read_is_refused_with_a_problem_document(
    client: httpx.AsyncClient,
    keeper: Keeper,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    answer = await client.post(path, content=body, headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["detail"]
    assert keeper.batches == {}


async def test_a_body_without_a_declared_length_is_bounded_too(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1 << 20)

    answer = await client.post("/ingest", content=endless(), headers=JSON)

    assert answer.status_code == 413


@pytest.mark.parametrize("failure", [Unavailable("locked"), Busy("full")])
@pytest.mark.parametrize("path", ["/ingest", "/v1/logs", "/alertmanager"])
async def test_while_the_store_cannot_take_it_senders_keep_their_data(
    client: httpx.AsyncClient, keeper: Keeper, failure: Exception, path: str
) -> None:
    keeper.failure = failure
    names = {
        "/ingest": "fluentbit/http_msgpack",
        "/v1/logs": "otlp/logs",
        "/alertmanager": "alertmanager/firing_node_oom_kill",
    }

    answer = await send(client, recorded(names[path]))
    keeper.failure = None
    again = await send(client, recorded(names[path]))

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert again.status_code == 200
    assert len(keeper.batches) == 1


@pytest.mark.parametrize(
    "path", ["/ingest", "/v1/logs", "/v1/traces", "/v1/metrics", "/alertmanager"]
)
async def test_without_a_sender_token_nothing_is_taken(
    client: httpx.AsyncClient, keeper: Keeper, path: str
) -> None:
    answer = await client.post(
        path, content=as_json(a_record()), headers=JSON | {"X-Api-Key": "wrong"}
    )

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert keeper.batches == {}


async def test_a_bearer_token_opens_the_door_too(client: httpx.AsyncClient) -> None:
    headers = JSON | {"X-Api-Key": "", "Authorization": f"Bearer {TOKEN}"}

    answer = await client.post("/ingest", content=as_json(a_record()), headers=headers)

    assert answer.status_code == 200


async def test_a_secret_in_a_line_never_reaches_the_store(
    client: httpx.AsyncClient, keeper: Keeper
) -> None:
    line = "login with password=hunter2 for https://bob:hunter2@example.test/"

    await client.post("/ingest", content=as_json(a_record(line)), headers=JSON)

    assert keeper.last.lines.body == ["login with password=*** for https://bob:***@example.test/"]
    assert "hunter2" not in repr(keeper.last)
