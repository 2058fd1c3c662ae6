"""The demo cluster put together: its scene, its simulation and its API. Read this first."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
import yaml
from starlette.applications import Starlette

from copilot.demo import scene
from copilot.demo.api import Api
from copilot.demo.controllers import Controllers
from copilot.demo.kubelet import Kubelet
from copilot.demo.reporting import Reporter
from copilot.demo.scheduler import Scheduler
from copilot.demo.senders import Senders
from copilot.demo.times import SECOND_US, Clock
from copilot.demo.world import World

TICK_S = 0.1
"""Simulated seconds between two looks at what is due."""

STOP_S = 3
"""How long a stop waits for answers that are under way."""

_STEP_US = round(TICK_S * SECOND_US)
_WARM_UP_US = 120 * SECOND_US
"""How much of the past the logs of the scene reach back."""


class DemoCluster:
    """A cluster that has been running well for days when it is made.

    `app` answers HTTP; `run` lets time pass. A test may call `tick` itself instead, after it has
    moved its clock. The same `seed` gives the same names; none gives new ones each time.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        token: str,
        name: str = "demo",
        senders: Senders | None = None,
        seed: int | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._senders = senders
        self._past_us: int | None = clock.now_us()
        self.world = World(now_us=self._now_us, seed=seed)
        self._reporter = Reporter(self.world)
        self.kubelet = Kubelet(self.world, self._reporter, scene.registry())
        self._controllers = Controllers(self.world, self._reporter)
        self._scheduler = Scheduler(self.world, self._reporter)
        self._set_scene(clock.now_us())
        self._past_us = None
        self.app: Starlette = Api(self.world, self.kubelet, token=token).app

    def tick(self) -> None:
        """Everything that is due by now."""
        self._reporter.sweep()
        self._controllers.step()
        self._scheduler.step()
        self.kubelet.step()

    async def run(self) -> None:
        """Let time pass, and ship logs and metrics if there are senders, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._live())
            if self._senders is not None:
                tasks.create_task(self._senders.run(self.world, self.kubelet))

    def close(self) -> None:
        """End every watch, so that a server can stop."""
        self.world.close()

    async def _live(self) -> None:
        while True:
            self.tick()
            await self._clock.sleep(TICK_S)

    def _now_us(self) -> int:
        return self._clock.now_us() if self._past_us is None else self._past_us

    # -------------------------------------------------------------- how it came to be

    def _set_scene(self, now_us: int) -> None:
        """Build the cluster in the past, oldest things first, so that nothing in it is new."""
        services = sorted(scene.SERVICES, key=scene.age_us, reverse=True)
        self._past_us = now_us - scene.age_us(services[0]) - 10 * 3600 * SECOND_US
        scene.add_nodes(self.world)
        for node in scene.NODES:
            self.kubelet.preload(node, scene.images())
        for service in services:
            self._leap(now_us - scene.age_us(service))
            scene.add_service(self.world, service)
            self._pass(8)
        self._leap(now_us - 26 * 3600 * SECOND_US)
        scene.add_oom_demo(self.world)
        self._pass(12)
        self._leap(now_us - _WARM_UP_US)
        self._pass(_WARM_UP_US / SECOND_US, step_us=SECOND_US)
        self.kubelet.unsent.clear()
        self.world.compact()

    def _leap(self, at_us: int) -> None:
        self._past_us = at_us
        self.kubelet.skip_to(at_us)

    def _pass(self, seconds: float, step_us: int = 2 * _STEP_US) -> None:
        assert self._past_us is not None
        until_us = self._past_us + round(seconds * SECOND_US)
        while self._past_us < until_us:
            self._past_us = min(self._past_us + step_us, until_us)
            self.tick()


def kubeconfig(url: str, token: str, name: str = "demo") -> str:
    """A kubeconfig, YAML, with two contexts for the same API.

    `demo` (current) is for clients that send a bearer token over plain HTTP. kubectl sends none
    without TLS; its context `demo-kubectl` has the token in the address instead, which makes it
    Basic authentication.
    """
    scheme, _, address = url.rstrip("/").partition("://")
    named = f"{name}-kubectl"
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [
                {"name": name, "cluster": {"server": f"{scheme}://{address}"}},
                {"name": named, "cluster": {"server": f"{scheme}://kubectl:{token}@{address}"}},
            ],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [
                {"name": name, "context": {"cluster": name, "user": name}},
                {"name": named, "context": {"cluster": named, "user": name}},
            ],
        },
        sort_keys=False,
    )


async def serve_demo(
    *,
    host: str,
    port: int,
    clock: Clock,
    token: str,
    ingest_url: str = "",
    ingest_token: str = "",
    on_ready: Callable[[str], None],
    name: str = "demo",
) -> None:
    """Run a demo cluster until cancelled; `port` 0 takes a free one.

    `on_ready` gets the URL as soon as connections are taken. Without `ingest_url` nothing is
    shipped anywhere.
    """
    senders = None
    if ingest_url:
        senders = Senders(ingest_url=ingest_url, token=ingest_token, cluster=name, clock=clock)
    with socket.create_server((host, port)) as listener:
        cluster = DemoCluster(clock=clock, token=token, name=name, senders=senders)
        config = uvicorn.Config(
            cluster.app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=STOP_S,
        )
        server = _Server(config)
        on_ready(f"http://{host}:{listener.getsockname()[1]}")
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(_serve(server, listener, cluster))
            living = tasks.create_task(cluster.run())
            serving.add_done_callback(lambda _: living.cancel())


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process it lives in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(server: _Server, listener: socket.socket, cluster: DemoCluster) -> None:
    """Serve; when cancelled end the watches first, since the server waits for its answers."""
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    finally:
        cluster.close()
        server.should_exit = True
        await serving
