"""What the demo cluster ships: in the form of the real senders, and not lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

import orjson
import pytest

from copilot.demo.senders import Senders
from copilot.domain.attributes import MEMORY_LIMIT, MEMORY_WORKING_SET
from copilot.domain.event import Batch
from copilot.ingest.doors import Door, decode
from tests.builders_demo import HandMoved, Received, limit_patch, receiving
from tests.builders_ingest import recorded

T = TypeVar("T")


class QuickClock:
    """Stands still, and sleeps for a hundredth of what is asked."""

    def __init__(self, demo: HandMoved) -> None:
        self._demo = demo

    def now_us(self) -> int:
        return self._demo.clock.now_us()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


@pytest.fixture
def demo() -> HandMoved:
    demo = HandMoved()
    demo.patch("oom-demo", limit_patch("48Mi"))
    demo.wait(4)
    return demo


async def test_lines_arrive_with_the_keys_of_the_recorded_ones(demo: HandMoved) -> None:
    sent = await _shipped(demo, "/ingest")

    ours = next(r for r in orjson.loads(sent.body) if r.get("msg") == "cache grew")
    theirs = orjson.loads(recorded("fluentbit/http_json_array_iso8601").body)[0]
    assert ours.keys() == theirs.keys()
    assert theirs["kubernetes"].keys() - ours["kubernetes"].keys() == {"container_hash"}
    assert ours["time"].endswith("000Z")
    assert len(ours["time"]) == len(theirs["time"])


async def test_the_product_places_every_line(demo: HandMoved) -> None:
    sent = await _shipped(demo, "/ingest")

    batch = _taken(sent, Door.INGEST, demo)

    assert batch.set_aside == []
    assert len(batch.lines) == len(orjson.loads(sent.body))
    places = {(s.cluster, s.namespace, s.app) for s in batch.streams}
    assert ("demo", "demo", "oom-demo") in places
    assert ("demo", "payments", "payments-api") in places
    assert all(s.pod and s.container and s.node for s in batch.streams)


async def test_the_product_reads_memory_and_limit(demo: HandMoved) -> None:
    sent = await _shipped(demo, "/v1/metrics")

    batch = _taken(sent, Door.OTLP_METRICS, demo)

    points = [p for p in batch.points if p.stream.app == "oom-demo"]
    assert {p.name for p in points} == {MEMORY_WORKING_SET, MEMORY_LIMIT}
    assert {p.value for p in points if p.name == MEMORY_LIMIT} == {48 * 2**20}
    assert all(p.stream.cluster == "demo" and p.stream.pod for p in points)
    assert {p.ts_us for p in points} == {demo.clock.now_us()}


async def test_what_was_not_taken_is_sent_again_byte_for_byte(demo: HandMoved) -> None:
    async with receiving(503, 429, 200) as receiver:
        requests = await _ship(demo, receiver.url, receiver.got(3))

    assert len({request.body for request in requests[:3]}) == 1
    assert requests[0].headers["authorization"] == "Bearer sender-token"


async def test_what_was_refused_is_dropped_and_counted(demo: HandMoved) -> None:
    async with receiving(400, 200) as receiver:
        senders = _senders(demo, receiver.url)
        requests = await _run(senders, demo, receiver.got(2))

    assert requests[0].body != requests[1].body
    assert senders.n_lost == 1


async def test_a_receiver_that_is_away_costs_the_oldest_chunks_only(demo: HandMoved) -> None:
    senders = _senders(demo, "http://127.0.0.1:9", buffer_chunks=3)

    async def lost() -> None:
        while not senders.n_lost:
            await asyncio.sleep(0.01)

    await _run(senders, demo, lost())

    assert senders.n_waiting == 3


async def _shipped(demo: HandMoved, path: str) -> Received:
    """The first request to the path."""
    async with receiving() as receiver:
        requests = await _ship(demo, receiver.url, receiver.got(2))
    return next(request for request in requests if request.path == path)


async def _ship(demo: HandMoved, url: str, enough: Awaitable[T]) -> T:
    return await _run(_senders(demo, url), demo, enough)


async def _run(senders: Senders, demo: HandMoved, enough: Awaitable[T]) -> T:
    """Let them ship until there is enough."""
    running = asyncio.create_task(senders.run(demo.cluster.world, demo.cluster.kubelet))
    try:
        async with asyncio.timeout(10):
            return await enough
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def _senders(demo: HandMoved, url: str, buffer_chunks: int = 300) -> Senders:
    return Senders(
        ingest_url=url,
        token="sender-token",
        cluster="demo",
        clock=QuickClock(demo),
        buffer_chunks=buffer_chunks,
    )


def _taken(sent: Received, door: Door, demo: HandMoved) -> Batch:
    now_us = demo.clock.now_us()
    return decode(door, sent.body, sent.headers, sender="demo", received_us=now_us)
