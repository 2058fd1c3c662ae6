"""A whole cluster for contract suites: the demo one, or, where the environment variable
`COPILOT_TEST_KUBECONFIG` names a kubeconfig of one context, a real one.

What the adapter cannot do (create, delete) is done here over plain HTTP.
"""

import asyncio
import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import yaml

from tests.kubeconfig import access

Json = dict[str, Any]
KUBECONFIG = os.environ.get("COPILOT_TEST_KUBECONFIG", "")


class RealClock:
    def now_us(self) -> int:
        return time.time_ns() // 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class Place:
    """A namespace of our own on a running cluster."""

    kubeconfig: Path
    namespace: str
    is_real: bool
    config: Json
    session: aiohttp.ClientSession

    @property
    def server(self) -> str:
        return str(self.config["clusters"][0]["cluster"]["server"])

    async def create(self, path: str, body: Json) -> Json:
        """`path` within the namespace: `apps/v1/deployments` or `v1/pods`."""
        return await self.call("POST", f"{self.root(path)}", body)

    async def delete(self, path: str) -> None:
        await self.call("DELETE", self.root(path))

    def root(self, path: str) -> str:
        version, _, rest = path.partition("/")
        api = f"/api/{version}" if version == "v1" else f"/apis/{version}/{rest.split('/')[0]}"
        rest = rest if version == "v1" else rest.split("/", 1)[1]
        return f"{api}/namespaces/{self.namespace}/{rest}"

    async def call(self, method: str, path: str, body: Json | None = None) -> Json:
        async with self.session.request(method, self.server + path, json=body) as answer:
            text = await answer.text()
            assert answer.status < 300, f"{method} {path}: {answer.status} {text[:500]}"
            return dict(json.loads(text))

    def kubeconfig_with(self, folder: Path, *, server: str = "", token: str = "") -> Path:
        """The same cluster by another address, or as somebody else."""
        config: Json = json.loads(json.dumps(self.config))
        cluster = config["clusters"][0]["cluster"]
        if server:
            cluster["tls-server-name"] = urlsplit(self.server).hostname
            cluster["server"] = server
        if token:
            config["users"][0]["user"] = {"token": token}
        path = folder / f"kubeconfig-{secrets.token_hex(3)}"
        path.write_text(json.dumps(config))
        return path


@asynccontextmanager
async def a_place(folder: Path) -> AsyncIterator[Place]:
    """With a namespace that is deleted in the end."""
    if KUBECONFIG:
        async with _own_namespace(Path(KUBECONFIG), is_real=True) as place:
            yield place
        return
    async with _demo(folder) as kubeconfig, _own_namespace(kubeconfig, is_real=False) as place:
        yield place


@asynccontextmanager
async def _own_namespace(kubeconfig: Path, *, is_real: bool) -> AsyncIterator[Place]:
    config = yaml.safe_load(kubeconfig.read_text())
    given = access(kubeconfig)
    name = f"adapter-{secrets.token_hex(3)}"
    connector = aiohttp.TCPConnector(ssl=given.tls)
    async with aiohttp.ClientSession(headers=given.headers, connector=connector) as session:
        place = Place(kubeconfig, name, is_real, config, session)
        labels = {"incident-copilot.io/demo": "true"}
        body = {"metadata": {"name": name, "labels": labels}}
        await place.call("POST", "/api/v1/namespaces", body)
        try:
            yield place
        finally:
            await place.call("DELETE", f"/api/v1/namespaces/{name}")


@asynccontextmanager
async def _demo(folder: Path) -> AsyncIterator[Path]:
    from copilot.demo.cluster import kubeconfig, serve_demo

    path, ready = folder / "demo-kubeconfig", asyncio.Event()

    def on_ready(url: str) -> None:
        path.write_text(kubeconfig(url, "demo-token"))
        ready.set()

    task = asyncio.create_task(
        serve_demo(
            host="127.0.0.1",
            port=0,
            clock=RealClock(),
            token="demo-token",
            on_ready=on_ready,
        )
    )
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    try:
        assert ready.is_set(), f"the demo cluster did not start: {task}"
        yield path
    finally:
        waiting.cancel()
        task.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)


class Relay:
    """A TCP relay to the cluster that can be cut and mended: the server's death, from outside."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._scheme = parts.scheme
        self._target = (parts.hostname or "", parts.port or 443)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._port}"

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, near_in: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far_in, far = await asyncio.open_connection(*self._target)
        self._writers |= {near, far}
        await asyncio.gather(_pump(near_in, far), _pump(far_in, near))
        self._writers -= {near, far}
        self._tasks.discard(task)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while chunk := await source.read(65536):
            sink.write(chunk)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()
