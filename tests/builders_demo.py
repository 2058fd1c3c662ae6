"""A demo cluster whose time is moved by hand, and a receiver for what it ships."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from copilot.demo.cluster import DemoCluster
from copilot.demo.kinds import DEPLOYMENT, EVENT, NAMESPACE, POD, Obj
from copilot.demo.writing import STRATEGIC, Terms, apply_patch, create
from tests.fakes import FixedClock

TERMS = Terms(manager="tests")


@dataclass(slots=True)
class HandMoved:
    """The cluster and its clock; `wait` lets time pass in steps of 100 ms."""

    clock: FixedClock = field(default_factory=FixedClock)
    seed: int = 7
    cluster: DemoCluster = field(init=False)

    def __post_init__(self) -> None:
        self.cluster = DemoCluster(clock=self.clock, token="t", seed=self.seed)

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.move(0.1)
            self.cluster.tick()

    def until(self, reached: Callable[[], bool], seconds: float = 120) -> float:
        """Wait for it; how many simulated seconds it took."""
        for passed in range(round(seconds * 10)):
            if reached():
                return passed / 10
            self.wait(0.1)
        raise AssertionError(f"not within {seconds} simulated seconds")

    def create(self, kind: Obj, namespace: str = "demo") -> Obj:
        return create(self.cluster.world, DEPLOYMENT, namespace, kind, TERMS)

    def patch(self, name: str, patch: bytes, namespace: str = "demo") -> Obj:
        before = self.deployment(name, namespace)
        world = self.cluster.world
        return apply_patch(world, DEPLOYMENT, before, STRATEGIC, patch, TERMS)

    def deployment(self, name: str, namespace: str = "demo") -> Obj:
        return self.cluster.world.get(DEPLOYMENT, namespace, name)

    def pods(self, app: str) -> list[Obj]:
        pods = self.cluster.world.objects(POD)
        return [p for p in pods if p["metadata"]["labels"].get("app") == app]

    def events(self, reason: str = "") -> list[Obj]:
        events = self.cluster.world.objects(EVENT)
        return [e for e in events if reason in ("", e["reason"])]

    def add_namespace(self, name: str) -> None:
        create(self.cluster.world, NAMESPACE, "", {"metadata": {"name": name}}, TERMS)


def limit_patch(limit: str) -> bytes:
    container = {"name": "app", "resources": {"limits": {"memory": limit}}}
    return template_patch(containers=[container])


def image_patch(image: str) -> bytes:
    return template_patch(containers=[{"name": "app", "image": image}])


def template_patch(**spec: object) -> bytes:
    return json.dumps({"spec": {"template": {"spec": spec}}}).encode()


@dataclass(slots=True)
class Received:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """Takes requests on loopback and answers with the next status given, then 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)

    async def got(self, count: int) -> list[Received]:
        async with asyncio.timeout(10):
            while len(self.requests) < count:
                await asyncio.sleep(0.01)
        return self.requests


@asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(statuses=list(statuses))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                receiver.requests.append(Received(first.split()[1], headers, body))
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.close()
