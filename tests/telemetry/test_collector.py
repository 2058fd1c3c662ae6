"""A real OpenTelemetry Collector with our configuration, between an SDK and our ingestion.

`make test-telemetry` builds the Collector; without it these tests cannot be run.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from starlette.applications import Starlette
from starlette.requests import Request

from copilot.domain.errors import Unauthenticated, Unavailable
from copilot.domain.event import Batch
from copilot.ports import StoredBatch
from copilot.roles.ingestion import ingestion_routes
from copilot.roles.serving import Running, listen, run
from copilot.wiring import SystemClock
from tools.collector.build import built

pytestmark = [pytest.mark.collector, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
TOKEN = "of-the-collector"


class Ingestion:
    """Our doors on loopback, over a store of the smallest kind that may be told to be away."""

    def __init__(self) -> None:
        self.batches: dict[bytes, Batch] = {}
        self.is_away = False
        self.n_refused = 0

    async def receive(self, batch: Batch) -> StoredBatch:
        if self.is_away:
            self.n_refused += 1
            raise Unavailable("away")
        is_repeat = batch.key in self.batches
        self.batches.setdefault(batch.key, batch)
        return StoredBatch(
            is_repeat=is_repeat, n_stored=0 if is_repeat else batch.n_records, first_line=None
        )

    @property
    def spans(self) -> list[str]:
        return sorted(span.name for batch in self.batches.values() for span in batch.spans)

    @property
    def clusters(self) -> set[str]:
        return {span.stream.cluster for batch in self.batches.values() for span in batch.spans}


async def of_the_collector(request: Request) -> str:
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        raise Unauthenticated("send the sender token")
    return "otel"


@pytest.fixture
def ingestion() -> Ingestion:
    return Ingestion()


@pytest.fixture
async def url(ingestion: Ingestion) -> AsyncIterator[str]:
    routes = ingestion_routes(
        ingestion.receive,
        authenticate=of_the_collector,
        clock=SystemClock(),
        default_cluster="home",
    )
    bound, is_up = listen("127.0.0.1", 0), asyncio.Event()
    app = Running(app=Starlette(routes=routes), loops=())
    serving = asyncio.create_task(run(app, bound, is_up.set))
    await is_up.wait()
    yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def collector(url: str, folder: Path, *, token: str = TOKEN) -> Iterator[str]:
    """`otel/collector.yaml` as it is, but for ports that are free here."""
    http, grpc = free_port(), free_port()
    config = folder / "collector.yaml"
    text = (ROOT / "otel/collector.yaml").read_text()
    config.write_text(text.replace(":4318", f":{http}").replace(":4317", f":{grpc}"))
    settings = {
        "LISTEN_HOST": "127.0.0.1",
        "INGEST_URL": url,
        "SENDER_TOKEN": token,
        "CLUSTER_NAME": "fleet-7",
    }
    with (folder / "collector.log").open("w") as log:
        process = subprocess.Popen(
            [built(), f"--config={config}"],
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
        )
        try:
            yield f"http://127.0.0.1:{http}"
        finally:
            process.terminate()
            process.wait(20)


async def send_spans(address: str, *names: str) -> None:
    """By a real SDK, once the Collector listens."""
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                await client.post(f"{address}/v1/traces", json={})
                break
            except httpx.TransportError:
                await asyncio.sleep(0.1)

    def send() -> None:
        provider = TracerProvider(
            resource=Resource.create({"service.name": "checkout", "k8s.namespace.name": "shop"})
        )
        provider.add_span_processor(
            SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"{address}/v1/traces"))
        )
        for name in names:
            with provider.get_tracer("shop").start_as_current_span(name):
                pass
        provider.shutdown()

    await asyncio.to_thread(send)


async def test_what_an_sdk_sends_comes_through_the_collector_with_token_and_cluster(
    ingestion: Ingestion, url: str, tmp_path: Path
) -> None:
    with collector(url, tmp_path) as address:
        await send_spans(address, "GET /cart", "POST /checkout")
        while len(ingestion.spans) < 2:
            await asyncio.sleep(0.1)

    assert ingestion.spans == ["GET /cart", "POST /checkout"]
    assert ingestion.clusters == {"fleet-7"}


async def test_what_ingestion_cannot_take_just_now_comes_again(
    ingestion: Ingestion, url: str, tmp_path: Path
) -> None:
    ingestion.is_away = True
    with collector(url, tmp_path) as address:
        await send_spans(address, "GET /cart")
        while not ingestion.n_refused:
            await asyncio.sleep(0.1)
        ingestion.is_away = False
        while not ingestion.spans:
            await asyncio.sleep(0.1)

    assert ingestion.spans == ["GET /cart"]


async def test_with_another_token_nothing_comes_through(
    ingestion: Ingestion, url: str, tmp_path: Path
) -> None:
    with collector(url, tmp_path, token="another") as address:
        await send_spans(address, "GET /cart")
        while "401" not in (tmp_path / "collector.log").read_text():
            await asyncio.sleep(0.1)

    assert ingestion.batches == {}
