"""The door of every process: who asks, by which host, and what a browser may do with the answer."""

from __future__ import annotations

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copilot.domain.errors import CopilotError, Refused
from copilot.roles import permissions, problems
from copilot.roles.patience import patient
from copilot.roles.people import People, Person
from copilot.roles.security import Doorkeeper

log = structlog.get_logger(__name__)


class Front:
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
            send = _guarded(send, is_https=is_https)
            receive = patient(receive)
            try:
                self._check_host(connection)
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

    def _check_host(self, connection: HTTPConnection) -> None:
        """Raises: Refused where the request is addressed to a name that is not ours."""
        host, path = connection.headers.get("host", ""), connection.scope["path"]
        try:
            self._doorkeeper.check_host(host, path)
        except Refused as refusal:
            self._people.turned_away(connection, refusal)
            raise


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


def _guarded(send: Send, *, is_https: bool) -> Send:
    """Answers that a browser takes for nothing but what they say they are, and that nobody keeps
    where they do not say so themselves, as the screens do."""

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
