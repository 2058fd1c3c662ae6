"""One process: the application of its roles, put together."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute

import copilot
from copilot import __version__
from copilot.domain.errors import CopilotError, Invalid
from copilot.domain.people import Role
from copilot.ports import Cluster
from copilot.roles import problems
from copilot.roles.agent import Agent, agent_routes
from copilot.roles.browsers import Cookies
from copilot.roles.callers import Callers, Nobody, ServiceAccounts, SharedKey
from copilot.roles.drain import Drain
from copilot.roles.figures import Figures
from copilot.roles.front import Front
from copilot.roles.gateway import Gateway, founding_router, gateway_router
from copilot.roles.health import Health, Standing, Watching
from copilot.roles.health_routes import health_routes
from copilot.roles.ingestion import ingestion_routes
from copilot.roles.live import live_route
from copilot.roles.measured import Measured, Routed
from copilot.roles.people import People, Person
from copilot.roles.screens import screen_routes
from copilot.roles.security import Doorkeeper
from copilot.roles.serving import Loop, Running
from copilot.roles.signing_in import SignInPage, session_routes
from copilot.roles.tls import certificate_in
from copilot.roles.together import Together
from copilot.roles.watcher import Watcher
from copilot.roles.workers import Workers
from copilot.settings import CallersKind, Settings
from copilot.wiring import Parts, embedded_file, retention_of

if TYPE_CHECKING:
    from copilot.roles.oidc import Agreement

GATEWAY = "gateway"
INGESTION = "ingestion"
WATCHER = "watcher"
ROLES = (GATEWAY, INGESTION, WATCHER, *(agent.value for agent in Agent))
ACTING_ROLES = frozenset({GATEWAY, WATCHER, Agent.REMEDIATOR.value})
"""Those that talk to the cluster; the gateway only asks for its version."""

AT_ONCE = 4
"""Incidents that are looked at, and fixes that are watched, side by side: each may take minutes."""

MAX_BODY_BYTES = 1024 * 1024
"""What a person may send at once. Senders have limits of their own."""


def compose(
    roles: Iterable[str], parts: Parts, doorkeeper: Doorkeeper, settings: Settings
) -> Running:
    """The application that plays these roles, in one process."""
    process = _Process(frozenset(roles), parts, doorkeeper, settings)
    app = FastAPI(title="Incident Co-Pilot", version=__version__, openapi_url=None)
    problems.install(app)
    for_people = process.add_routes(app)
    front = Front(Routed(app), doorkeeper, process.people, for_people)
    return Running(
        app=Measured(front, process.figures, callers=process.callers),
        loops=tuple(process.loops()),
        drain=process.drain,
        drain_s=settings.drain,
        certificate=certificate_in(settings.tls_cert, settings.tls_key),
        trusted_proxies=_proxies(settings),
    )


class _Process:
    """What the routes and the loops of one process share."""

    def __init__(
        self, roles: frozenset[str], parts: Parts, doorkeeper: Doorkeeper, settings: Settings
    ) -> None:
        self._roles = roles
        self._parts = parts
        self._doorkeeper = doorkeeper
        self._settings = settings
        self.figures = Figures(roles=_named(roles))
        self.drain = Drain()
        self.callers = _callers(parts, settings)
        self.people = People(
            store=parts.store,
            clock=parts.clock,
            tokens=doorkeeper.tokens,
            user=doorkeeper.user,
            cookies=Cookies(public_url=settings.public_url),
            idle_s=settings.session_idle,
            lifetime_s=settings.session_lifetime,
        )
        self._health = Health(clock=parts.clock, figures=self.figures, folder=_own_disk(settings))

    def add_routes(self, app: FastAPI) -> BaseRoute | None:
        """What it answers; the one route that only people may pass, where it has that."""
        parts, settings, people = self._parts, self._settings, self.people
        token = settings.metrics_token.get_secret_value() if settings.metrics_token else ""
        app.router.routes.extend(
            health_routes(
                parts,
                self.figures,
                self._health,
                self.drain,
                let_in=lambda request: _let_in(request, people, self.callers),
                metrics_token=token,
            )
        )
        if INGESTION in self._roles:
            app.router.routes.extend(
                ingestion_routes(
                    Together(parts.flow.receive_all).receive,
                    authenticate=people.sender,
                    clock=parts.clock,
                    default_cluster=parts.cluster_name,
                    figures=self.figures,
                    health=self._health,
                )
            )
        for agent in Agent:
            if agent in self._roles:
                app.router.routes.extend(
                    agent_routes(agent, parts.agents, self.callers, parts.clock)
                )
        if GATEWAY not in self._roles:
            return None
        return _add_gateway(app, parts, self._doorkeeper, people, settings, self._health)

    def loops(self) -> Iterator[Loop]:
        """What it works at beside its answers."""
        parts = self._parts
        workers, standing = self._workers(), self._standing()
        yield standing.watch
        if WATCHER in self._roles and parts.cluster is not None:
            watch = self._watch(parts.cluster)
            yield lambda: workers.watch(parts.cluster_name, watch)
        if self._roles & {INGESTION, WATCHER}:
            yield workers.tidy
        if Agent.REMEDIATOR in self._roles:
            yield from repeat(workers.remediate, AT_ONCE)
        if Agent.REPORTER in self._roles:
            yield workers.report
        if GATEWAY in self._roles:
            yield from repeat(workers.investigate, AT_ONCE)
            yield from (workers.consult, workers.index, workers.retain)

    def _workers(self) -> Workers:
        return Workers(
            store=self._parts.store,
            flow=self._parts.flow,
            agents=self._parts.agents,
            clock=self._parts.clock,
            owner=self._parts.owner,
            embedder=self._parts.embedder,
            keep=retention_of(self._settings),
            retention_s=self._settings.retention_every,
            figures=self.figures,
            health=self._health,
            drain=self.drain,
        )

    def _standing(self) -> Standing:
        return Standing(
            store=self._parts.store,
            clock=self._parts.clock,
            cluster=self._parts.cluster_name,
            embedder=self._parts.embedder,
            figures=self.figures,
            health=self._health,
            counts_all=GATEWAY in self._roles,
        )

    def _watch(self, cluster: Cluster) -> Loop:
        """The watch of the cluster, made anew each time that its lease comes to this process."""
        from copilot.kube.manifests import secret_named  # only who has a cluster pays for its room

        async def watch() -> None:
            watcher = Watcher(
                cluster=cluster,
                flow=self._parts.flow,
                clock=self._parts.clock,
                cluster_name=self._parts.cluster_name,
                secrets=[secret_named(one) for one in self._settings.watch_secrets],
                figures=self.figures,
            )
            self._health.watching = lambda: Watching(lag_s=watcher.lag_s, troubles=watcher.troubles)
            await watcher.run()

        return watch


def _proxies(settings: Settings) -> tuple[str, ...]:
    """Raises: Invalid for what is no address or network; `*` would believe what anybody says."""
    for one in settings.trusted_proxies:
        try:
            ipaddress.ip_network(one)
        except ValueError as error:
            raise Invalid(f"COPILOT_TRUSTED_PROXIES: {one!r} is no address or network") from error
    return settings.trusted_proxies


def _named(roles: AbstractSet[str]) -> str:
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
    """Who passed `Front`."""
    person: Person = request.state.person
    return person
