"""Serving an application beside its loops, until it is stopped or has drained."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import uvicorn
from starlette.types import ASGIApp

from copilot.domain.errors import Unavailable
from copilot.roles.drain import Drain
from copilot.roles.patience import PatientProtocol
from copilot.roles.tls import Certificate

STOPPING_S = 2
"""For what is being answered when somebody stops it at once (Ctrl-C)."""

Loop = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An application and its loops."""

    app: ASGIApp
    loops: tuple[Loop, ...]
    drain: Drain = field(default_factory=Drain)
    drain_s: float = 0.0
    """For how long it goes on answering once it is asked to stop."""
    certificate: Certificate | None = None
    trusted_proxies: tuple[str, ...] = ()
    """Whose word counts for where a request came from."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        Unavailable: the port is taken, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise Unavailable(
            f"cannot listen on {host}:{port} ({error.strerror}); is another co-pilot running? "
            "Choose another port with --port"
        ) from error
    return bound


class _Server(uvicorn.Server):
    """Leaves signals to the command line, which stops everything in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run(running: Running, bound: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serves until cancelled, or until it has drained after a SIGTERM; then stops in order. Ends
    with the error of a loop that died."""
    config = uvicorn.Config(
        running.app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=STOPPING_S,
        ws_max_size=65_536,
        server_header=False,
        proxy_headers=bool(running.trusted_proxies),
        forwarded_allow_ips=list(running.trusted_proxies),
        http=PatientProtocol,
    )
    beside: list[asyncio.Future[None]] = []
    if running.certificate is not None:
        context = running.certificate.context()
        config.ssl_context_factory = lambda config, default: context
        beside.append(asyncio.ensure_future(running.certificate.keep_fresh(context)))
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    beside += [asyncio.ensure_future(loop()) for loop in running.loops]
    announcing = asyncio.create_task(_announce(server, on_ready))
    going = asyncio.create_task(running.drain.begun())
    with _on_sigterm(running.drain.begin):
        try:
            await asyncio.wait((serving, going, *beside), return_when=asyncio.FIRST_COMPLETED)
            if running.drain.is_on:
                config.timeout_graceful_shutdown = max(STOPPING_S, round(running.drain_s))
                await asyncio.wait((serving,), timeout=running.drain_s)
                server.should_exit = True
                await asyncio.wait((serving,))
        finally:
            server.should_exit = True
            for task in (*beside, announcing, going):
                task.cancel()
            ended = await asyncio.gather(serving, *beside, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome


@contextlib.contextmanager
def _on_sigterm(begin: Callable[[], None]) -> Iterator[None]:
    """In place of the command line, which would stop at once."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, begin)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def _announce(server: uvicorn.Server, on_ready: Callable[[], None]) -> None:
    while not server.started:
        await asyncio.sleep(0.02)
    on_ready()
