"""One process: the ASGI application of its roles, and the loops that run beside it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import copilot
from copilot import __version__
from copilot.domain.errors import CopilotError, Unauthenticated, Unavailable
from copilot.domain.retention import Tier
from copilot.roles import problems
from copilot.roles.agent import Agent, agent_routes
from copilot.roles.callers import Callers, Nobody, ServiceAccounts, SharedKey
from copilot.roles.drain import Drain
from copilot.roles.gateway import Gateway, founding_router, gateway_router
from copilot.roles.index_view import index_view
from copilot.roles.ingestion import ingestion_routes
from copilot.roles.live import live_route
from copilot.roles.screens import screen_routes
from copilot.roles.security import Doorkeeper
from copilot.roles.tls import Certificate, certificate_in
from copilot.roles.together import Together
from copilot.roles.watcher import Watcher
from copilot.roles.workers import Workers
from copilot.settings import CallersKind, Settings
from copilot.wiring import Parts, retention_of

GATEWAY = "gateway"
INGESTION = "ingestion"
WATCHER = "watcher"
ROLES = (GATEWAY, INGESTION, WATCHER, *(agent.value for agent in Agent))
ACTING_ROLES = frozenset({GATEWAY, WATCHER, Agent.REMEDIATOR.value})
"""Those that talk to the cluster; the gateway only asks for its version."""

AT_ONCE = 4
"""Incidents that are looked at, and fixes that are watched, side by side: each may take minutes."""

STOPPING_S = 2
"""For what is being answered when somebody stops it at once (Ctrl-C)."""

MAX_BODY_BYTES = 1024 * 1024
"""What a person may send at once. Senders have limits of their own."""

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


def compose(
    roles: Iterable[str], parts: Parts, doorkeeper: Doorkeeper, settings: Settings
) -> Running:
    """The application that plays these roles, in one process."""
    chosen = set(roles)
    app = FastAPI(title="Incident Co-Pilot", version=__version__, openapi_url=None)
    problems.install(app)
    for_people: BaseRoute | None = None
    drain = Drain()
    workers = Workers(
        store=parts.store,
        flow=parts.flow,
        agents=parts.agents,
        clock=parts.clock,
        owner=parts.owner,
        embedder=parts.embedder,
        keep=retention_of(settings),
        retention_s=settings.retention_every,
        drain=drain,
    )
    loops: list[Loop] = []
    callers = _callers(parts, settings)
    app.router.routes.extend(_health_routes(parts, doorkeeper, callers, workers))
    if INGESTION in chosen:
        app.router.routes.extend(
            ingestion_routes(
                Together(parts.flow.receive_all).receive,
                authenticate=doorkeeper.sender,
                clock=parts.clock,
                default_cluster=parts.cluster_name,
            )
        )
    for agent in Agent:
        if agent in chosen:
            app.router.routes.extend(agent_routes(agent, parts.agents, callers, parts.clock))
    if WATCHER in chosen and parts.cluster is not None:
        from copilot.kube.manifests import secret_named  # only who has a cluster pays for its room

        cluster = parts.cluster

        async def watch() -> None:
            await Watcher(
                cluster=cluster,
                flow=parts.flow,
                clock=parts.clock,
                cluster_name=parts.cluster_name,
                secrets=[secret_named(one) for one in settings.watch_secrets],
            ).run()

        loops.append(lambda: workers.watch(parts.cluster_name, watch))
    if chosen & {INGESTION, WATCHER}:
        loops.append(workers.tidy)
    if Agent.REMEDIATOR in chosen:
        loops.extend([workers.remediate] * AT_ONCE)
    if Agent.REPORTER in chosen:
        loops.append(workers.report)
    if GATEWAY in chosen:
        loops.extend([workers.investigate] * AT_ONCE)
        loops.append(workers.consult)
        loops.append(workers.index)
        loops.append(workers.retain)
        for_people = _add_gateway(app, parts, doorkeeper, settings)
    return Running(
        app=_Front(app, doorkeeper, for_people),
        loops=tuple(loops),
        drain=drain,
        drain_s=settings.drain,
        certificate=certificate_in(settings.tls_cert, settings.tls_key),
    )


def _callers(parts: Parts, settings: Settings) -> Callers:
    """How the agents of this process know who asks them."""
    if settings.callers is CallersKind.SHARED_KEY:
        return SharedKey(parts.agent_token)
    if parts.accounts is None:
        return Nobody()
    return ServiceAccounts(parts.accounts, parts.clock, namespace=parts.namespace)


def _add_gateway(
    app: FastAPI, parts: Parts, doorkeeper: Doorkeeper, settings: Settings
) -> BaseRoute:
    """The REST API as one route, which only a signed-in person may pass; and the screens."""
    gateway = Gateway(
        flow=parts.flow,
        store=parts.store,
        clock=parts.clock,
        cluster=parts.cluster_name,
        mode=settings.mode.value,
        model=parts.model.name if parts.model else None,
        whoami=doorkeeper.person,
        cluster_info=_cluster_info(parts),
        embedder=parts.embedder,
        meaning=parts.meaning,
    )
    rest = APIRouter()
    rest.include_router(gateway_router(gateway), prefix="/api")
    rest.include_router(founding_router(gateway))
    rest.include_router(_no_such_api())
    app.include_router(rest, max_body_size=MAX_BODY_BYTES)
    for_people = app.router.routes[-1]
    app.router.routes.append(
        live_route(parts.store, parts.clock, cluster=parts.cluster_name, doorkeeper=doorkeeper)
    )
    app.router.routes.extend(screen_routes(ui_folder(), doorkeeper))
    return for_people


def ui_folder() -> Path:
    """The built screens inside the package."""
    return Path(copilot.__file__).parent / "ui_dist"


def _no_such_api() -> APIRouter:
    router = APIRouter()

    @router.api_route("/api/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def nothing(path: str) -> Response:
        return problems.problem(404, "NotFound", f"there is no /api/{path}")

    return router


def _cluster_info(parts: Parts) -> Callable[[], Awaitable[tuple[str, bool]]]:
    """Version and demo mark of the cluster, asked once."""
    known: list[tuple[str, bool]] = []

    async def info() -> tuple[str, bool]:
        if not known and parts.cluster is not None:
            try:
                answer = await parts.cluster.info()
            except CopilotError:
                return "", False
            known.append((answer.version, answer.is_demo))
        return known[0] if known else ("", False)

    return info


def _health_routes(
    parts: Parts, doorkeeper: Doorkeeper, callers: Callers, workers: Workers
) -> list[BaseRoute]:
    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        if workers.drain.is_on:
            return JSONResponse({"status": "going"}, status_code=503)
        try:
            await _let_in(request, doorkeeper, callers)
        except Unauthenticated:
            return await _is_ready(parts)
        async with parts.store.view() as view:
            gaps = await view.objects.gaps(parts.cluster_name)
            is_verbose = "verbose" in request.query_params
            index = await index_view(view, parts.embedder) if is_verbose else None
        answer: dict[str, object] = {
            "status": "ok",
            "cluster": parts.cluster_name,
            "gaps": [{"what": gap.what, "reason": gap.reason} for gap in gaps],
        }
        if index is not None:
            answer["index"] = asdict(index)
            answer["store"] = asdict(await parts.store.capabilities())
        return JSONResponse(answer)

    async def metrics(request: Request) -> Response:
        await _let_in(request, doorkeeper, callers)
        async with parts.store.view() as view:
            counts = await view.telemetry.counts()
            opened = await view.incidents.opened(parts.cluster_name)
            index = await index_view(view, parts.embedder)
        use = parts.embedder.use
        figures = {
            "copilot_lines_stored": counts.lines,
            "copilot_events_stored": counts.events,
            "copilot_metric_points_stored": counts.points,
            "copilot_spans_stored": counts.spans,
            "copilot_templates": counts.templates,
            "copilot_records_set_aside": counts.set_aside,
            "copilot_incidents_open": len(opened),
            "copilot_index_documents": index.documents,
            "copilot_index_words_waiting": index.words_waiting,
            "copilot_index_vectors_waiting": index.vectors_waiting,
            "copilot_embedder_texts": use.texts,
            "copilot_embedder_tokens": use.tokens,
            "copilot_embedder_cost_usd": use.cost_usd,
            "copilot_embedder_failures": use.failures,
        }
        text = "".join(f"# TYPE {name} gauge\n{name} {value}\n" for name, value in figures.items())
        text += "# TYPE copilot_retired_total counter\n"
        text += "".join(
            f'copilot_retired_total{{tier="{tier}"}} {workers.retired[tier]}\n' for tier in Tier
        )
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]


async def _is_ready(parts: Parts) -> Response:
    """All that a stranger is told, which a probe of Kubernetes is: whether the store answers."""
    try:
        async with parts.store.view() as view:
            await view.objects.gaps(parts.cluster_name)
    except CopilotError:
        return JSONResponse({"status": "unavailable"}, status_code=503)
    return JSONResponse({"status": "ok"})


async def _let_in(request: HTTPConnection, doorkeeper: Doorkeeper, callers: Callers) -> None:
    """Any of our tokens will do: a person's, a sender's or a role's."""
    with contextlib.suppress(CopilotError):
        await callers.check(request.headers, ROLES)
        return
    with contextlib.suppress(Unauthenticated):
        doorkeeper.sender(request.headers)
        return
    doorkeeper.person(request)


class _Front:
    """Checks the host and who asks before anything else is read, and sends a browser that asks for
    a page to the page."""

    def __init__(self, app: FastAPI, doorkeeper: Doorkeeper, for_people: BaseRoute | None) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._for_people = for_people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            connection = HTTPConnection(scope)
            if _wants_page(connection):
                scope = {**scope, "path": _page_path(scope["path"])}
            is_for_people = (
                self._for_people is not None
                and self._for_people.matches(scope)[0] is not Match.NONE
            )
            send = _guarded(send, is_private=is_for_people)
            try:
                self._doorkeeper.check_host(connection.headers.get("host", ""))
                if is_for_people:
                    self._doorkeeper.person(connection)
            except CopilotError as refusal:
                title = type(refusal).__name__
                answer = problems.problem(refusal.status, title, refusal.message)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _guarded(send: Send, *, is_private: bool) -> Send:
    """Answers that a browser takes for nothing but what they say they are, and that nobody keeps
    where they are one person's."""

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            if is_private:
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return with_headers


def _wants_page(connection: HTTPConnection) -> bool:
    """A browser's navigation to a path that is an API path for everyone else."""
    return (
        connection.scope["method"] == "GET"
        and "text/html" in connection.headers.get("accept", "")
        and connection.scope["path"] in ("/search", "/incidents")
    )


def _page_path(path: str) -> str:
    return f"{path}/"


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
