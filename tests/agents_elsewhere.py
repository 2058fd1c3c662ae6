"""Agents behind real HTTP on loopback, each on a port of its own that can be shut and opened."""

from __future__ import annotations

import asyncio
import random
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI

from copilot.ports import Agents, Clock
from copilot.remote import Asker, RemoteAgents
from copilot.roles import problems
from copilot.roles.agent import Agent, agent_routes
from copilot.roles.callers import SharedKey
from copilot.roles.serving import Running, listen, run
from copilot.roles.tls import Certificate
from tests.fakes import FixedClock

KEY = "key-of-all"


@dataclass
class Elsewhere:
    """The agents' processes, but for the processes."""

    agents: Agents
    clock: Clock
    ports: dict[Agent, int] = field(default_factory=dict)
    _serving: dict[Agent, asyncio.Task[None]] = field(default_factory=dict)

    async def open(self, agent: Agent, certificate: Certificate | None = None) -> None:
        """It answers, at the address that it had before where it had one."""
        app = FastAPI(openapi_url=None)
        problems.install(app)
        app.router.routes.extend(agent_routes(agent, self.agents, SharedKey(KEY), self.clock))
        bound = listen("127.0.0.1", self.ports.get(agent, 0))
        self.ports[agent] = bound.getsockname()[1]
        ready = asyncio.Event()
        running = Running(app=app, loops=(), certificate=certificate)
        self._serving[agent] = asyncio.create_task(run(running, bound, ready.set))
        await ready.wait()

    async def shut(self, agent: Agent) -> None:
        """It is gone; nobody listens there any more."""
        task = self._serving.pop(agent)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        for agent in list(self._serving):
            await self.shut(agent)

    def urls(self, scheme: str = "http") -> Mapping[str, str]:
        return {
            agent.removeprefix("agent-"): f"{scheme}://127.0.0.1:{port}"
            for agent, port in self.ports.items()
        }


@asynccontextmanager
async def elsewhere(agents: Agents, clock: Clock) -> AsyncIterator[tuple[Elsewhere, RemoteAgents]]:
    """All five, and who asks them."""
    async with AsyncExitStack() as stack:
        there = Elsewhere(agents=agents, clock=clock)
        stack.push_async_callback(there.close)
        for agent in Agent:
            await there.open(agent)
        asker = an_asker()
        stack.push_async_callback(asker.close)
        yield there, RemoteAgents(urls=there.urls(), asker=asker, local=agents)


def an_asker(trust: ssl.SSLContext | bool = True) -> Asker:
    return Asker(token=lambda: KEY, clock=FixedClock(), chance=random.Random(1), trust=trust)


async def a_certificate(folder: Path, name: str = "served") -> Certificate:
    """Of its own authority, for 127.0.0.1; the chain is what a client trusts."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificate(chain=folder / f"{name}.crt", key=folder / f"{name}.key")
    process = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-out", str(made.chain), "-keyout", str(made.key)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert await process.wait() == 0, "openssl is needed to make a certificate"
    return made


async def in_time(work: Awaitable[object], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        await work
