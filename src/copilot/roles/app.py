"""One process: the ASGI application of its roles, and the loops that run beside it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import copilot
from copilot import __version__
from copilot.domain.errors import CopilotError, Invalid, Refused, Unavailable
from copilot.domain.people import Role
from copilot.roles import permissions, problems
from copilot.roles.agent import Agent, agent_routes
from copilot.roles.browsers import Cookies
from copilot.roles.callers import Callers, Nobody, ServiceAccounts, SharedKey
from copilot.roles.drain import Drain
from copilot.roles.figures import Figures
from copilot.roles.gateway import Gateway, founding_router, gateway_router
from copilot.roles.health import Health, Standing, Watching
from copilot.roles.health_routes import health_routes
from copilot.roles.ingestion import ingestion_routes
from copilot.roles.live import live_route
from copilot.roles.measured import Measured, Routed
from copilot.roles.patience import PatientProtocol, patient
from copilot.roles.people import People, Person
from copilot.roles.screens import screen_routes
from copilot.roles.security import Doorkeeper
from copilot.roles.signing_in import SignInPage, session_routes
from copilot.roles.tls import Certificate, certificate_in
from copilot.roles.together import Together
from copilot.roles.watcher import Watcher
from copilot.roles.workers import Workers
from copilot.settings import CallersKind, Settings
from copilot.wiring import Parts, embedded_file, retention_of

if TYPE_CHECKING:
    from copilot.roles.oidc import Agreement

log = structlog.get_logger(__name__)

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
    trusted_proxies: tuple[str, ...] = ()
    """Whose word counts for where a request came from."""


def compose(
    roles: Iterable[str], parts: Parts, doorkeeper: Doorkeeper, settings: Settings
) -> Running:
    """The application that plays these roles, in one process."""
    chosen = set(roles)
    app = FastAPI(title="Incident Co-Pilot", version=__version__, openapi_url=None)
    problems.install(app)
    for_people: BaseRoute | None = None
    figures = Figures(roles=_named(chosen))
    health = Health(clock=parts.clock, figures=figures, folder=_own_disk(settings))
    drain = Drain()
    people = People(
        store=parts.store,
        clock=parts.clock,
        tokens=doorkeeper.tokens,
        user=doorkeeper.user,
        cookies=Cookies(public_url=settings.public_url),
        idle_s=settings.session_idle,
        lifetime_s=settings.session_lifetime,
    )
    workers = Workers(
        store=parts.store,
        flow=parts.flow,
        agents=parts.agents,
        clock=parts.clock,
        owner=parts.owner,
        embedder=parts.embedder,
        keep=retention_of(settings),
        retention_s=settings.retention_every,
        figures=figures,
        health=health,
        drain=drain,
    )
    standing = Standing(
        store=parts.store,
        clock=parts.clock,
        cluster=parts.cluster_name,
        embedder=parts.embedder,
        figures=figures,
        health=health,
        counts_all=GATEWAY in chosen,
    )
    loops: list[Loop] = [standing.watch]
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else ""
    callers = _callers(parts, settings)
    app.router.routes.extend(
        health_routes(
            parts,
            figures,
            health,
            drain,
            let_in=lambda request: _let_in(request, people, callers),
            metrics_token=token,
        )
    )
    if INGESTION in chosen:
        app.router.routes.extend(
            ingestion_routes(
                Together(parts.flow.receive_all).receive,
                authenticate=people.sender,
                clock=parts.clock,
                default_cluster=parts.cluster_name,
                figures=figures,
                health=health,
            )
        )
    for agent in Agent:
        if agent in chosen:
            app.router.routes.extend(agent_routes(agent, parts.agents, callers, parts.clock))
    if WATCHER in chosen and parts.cluster is not None:
        from copilot.kube.manifests import secret_named  # only who has a cluster pays for its room

        cluster = parts.cluster

        async def watch() -> None:
            watcher = Watcher(
                cluster=cluster,
                flow=parts.flow,
                clock=parts.clock,
                cluster_name=parts.cluster_name,
                secrets=[secret_named(one) for one in settings.watch_secrets],
                figures=figures,
            )
            health.watching = lambda: Watching(lag_s=watcher.lag_s, troubles=watcher.troubles)
            await watcher.run()

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
        for_people = _add_gateway(app, parts, doorkeeper, people, settings, health)
    front = _Front(Routed(app), doorkeeper, people, for_people)
    return Running(
        app=Measured(front, figures, callers=callers),
        loops=tuple(loops),
        drain=drain,
        drain_s=settings.drain,
        certificate=certificate_in(settings.tls_cert, settings.tls_key),
        trusted_proxies=_proxies(settings),
    )


def _proxies(settings: Settings) -> tuple[str, ...]:
    """Raises: Invalid for what is no address or network; `*` would believe what anybody says."""
    for one in settings.trusted_proxies:
        try:
            ipaddress.ip_network(one)
        except ValueError as error:
            raise Invalid(f"COPILOT_TRUSTED_PROXIES: {one!r} is no address or network") from error
    return settings.trusted_proxies


def _named(roles: set[str]) -> str:
    return "all" if roles >= set(ROLES) else ",".join(sorted(roles))


def _own_disk(settings: Settings) -> Path | None:
    """Where the store lies, if it lies on a disk of this machine."""
    file = embedded_file(settings)
    return file.parent if file else None


def _callers(parts: Parts, settings: Settings) -> Callers:
    """How the agents of this process know who asks them."""
    if settings.callers is CallersKind.SHARED_KEY:
        return SharedKey(parts.agent_token)
    if parts.reviews is None:
        return Nobody()
    return ServiceAccounts(parts.reviews, parts.clock, namespace=parts.namespace)


def _add_gateway(
    app: FastAPI,
    parts: Parts,
    doorkeeper: Doorkeeper,
    people: People,
    settings: Settings,
    health: Health,
) -> BaseRoute:
    """The REST API as one route, which only a signed-in person may pass; and the screens."""
    gateway = Gateway(
        flow=parts.flow,
        store=parts.store,
        clock=parts.clock,
        cluster=parts.cluster_name,
        mode=settings.mode.value,
        model=parts.model.name if parts.model else None,
        whoami=_let_in_already,
        cluster_info=_cluster_info(parts),
        embedder=parts.embedder,
        meaning=parts.meaning,
        troubles=health.look,
    )
    rest = APIRouter()
    rest.include_router(gateway_router(gateway), prefix="/api")
    rest.include_router(founding_router(gateway))
    rest.include_router(_no_such_api())
    app.include_router(rest, max_body_size=MAX_BODY_BYTES)
    for_people = app.router.routes[-1]
    app.router.routes.append(
        live_route(
            parts.store,
            parts.clock,
            cluster=parts.cluster_name,
            doorkeeper=doorkeeper,
            people=people,
        )
    )
    agreement = _agreement(settings)
    page = SignInPage(people, issuer=agreement.host if agreement else "")
    app.router.routes.extend(session_routes(people, page))
    if agreement is not None:
        from copilot.roles.logins import login_routes  # only who has a provider pays for its client
        from copilot.roles.oidc import Provider

        app.router.routes.extend(
            login_routes(
                Provider(agreement, parts.clock),
                people,
                page,
                parts.store,
                parts.clock,
                public_url=settings.public_url,
            )
        )
    app.router.routes.extend(screen_routes(ui_folder(), people, page))
    return for_people


def _agreement(settings: Settings) -> Agreement | None:
    """With the provider that people sign in with, where there is one.

    Raises:
        Invalid: the settings make none, or let nobody in.
    """
    if not settings.oidc_issuer:
        return None
    from copilot.roles.oidc import Agreement, check_issuer

    check_issuer(settings.oidc_issuer)
    groups = {
        Role.ADMIN: frozenset(settings.oidc_admin_groups),
        Role.RESPONDER: frozenset(settings.oidc_responder_groups),
        Role.VIEWER: frozenset(settings.oidc_viewer_groups),
    }
    if not settings.oidc_client_id or not any(groups.values()):
        raise Invalid("COPILOT_OIDC_ISSUER needs COPILOT_OIDC_CLIENT_ID and at least one group")
    secret = settings.oidc_client_secret
    return Agreement(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=secret.get_secret_value() if secret else "",
        groups_claim=settings.oidc_groups_claim,
        groups=groups,
        scopes=settings.oidc_scopes,
    )


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


async def _let_in(request: HTTPConnection, people: People, callers: Callers) -> None:
    """Any of our tokens will do: a role's, a sender's or a person's."""
    with contextlib.suppress(CopilotError):
        await callers.check(request.headers, ROLES)
        return
    await people.anybody(request)


def _let_in_already(request: Request) -> Person:
    """Who passed `_Front`."""
    person: Person = request.state.person
    return person


class _Front:
    """Checks the host and who asks before anything else is read, and sends a browser that asks for
    a page to the page."""

    def __init__(
        self, app: ASGIApp, doorkeeper: Doorkeeper, people: People, for_people: BaseRoute | None
    ) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._people = people
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
            is_https = self._people.cookies.is_https(connection)
            send = _guarded(send, is_private=is_for_people, is_https=is_https)
            receive = patient(receive)
            try:
                self._doorkeeper.check_host(connection.headers.get("host", ""), scope["path"])
                if is_for_people:
                    person = await self._people.person(connection)
                    _check_role(person, scope)
                    scope.setdefault("state", {})["person"] = person
            except CopilotError as refusal:
                title = type(refusal).__name__
                answer = problems.problem(refusal.status, title, refusal.message)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _check_role(person: Person, scope: Scope) -> None:
    """Raises: Refused where the request takes another role than the person has."""
    try:
        permissions.check(person.role, scope["method"], scope["path"])
    except Refused:
        log.warning(
            "person.refused",
            person=person.name,
            role=person.role.value,
            method=scope["method"],
            path=scope["path"],
        )
        raise


_BARE_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Of what is no page: nothing in it is run or shown."""


def _guarded(send: Send, *, is_private: bool, is_https: bool) -> Send:
    """Answers that a browser takes for nothing but what they say they are, and that nobody keeps
    where they are one person's."""

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Content-Security-Policy", _BARE_POLICY)
            headers.setdefault("Referrer-Policy", "same-origin")
            headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
            headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
            if is_https:
                headers.setdefault("Strict-Transport-Security", "max-age=31536000")
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
