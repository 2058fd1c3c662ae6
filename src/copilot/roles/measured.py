"""Rate, errors and durations of every request, by route template: never by what was asked for."""

from __future__ import annotations

import time

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copilot.domain.errors import CopilotError
from copilot.roles.agent import ASKING
from copilot.roles.callers import Callers
from copilot.roles.figures import Figures
from copilot.telemetry import NONE, serving

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NOTED = "copilot.noted"
_UNTRACED = ("/ingest", "/v1/", "/alertmanager", "/healthz", "/readyz", "/metrics")
"""Doors of senders and scrapers: spans of them would be sent through such a door themselves."""
NO_ROUTE = "none"
"""Of what was turned away before it came to a route, or led to none."""


class Measured:
    """Around everything: what each request took and how it ended.

    A request goes on with the trace it names only where another role asks. A browser or a sender
    would else say which of our traces are kept, and in whose they lie.
    """

    def __init__(self, app: ASGIApp, figures: Figures, *, callers: Callers) -> None:
        self._app = app
        self._figures = figures
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            self._figures.sockets.add(n=1)
            try:
                await self._app(scope, receive, send)
            finally:
                self._figures.sockets.add(n=-1)
        elif scope["type"] == "http":
            await self._measure(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _measure(self, scope: Scope, receive: Receive, send: Send) -> None:
        noted: dict[str, str] = {}
        status = 500  # of one that ends in a bug before it answers

        async def with_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in _METHODS else "other"
        headers = HTTPConnection(scope).headers
        is_traced = not scope["path"].startswith(_UNTRACED)
        self._figures.in_flight.add(n=1)
        began = time.perf_counter()
        try:
            asker = headers if is_traced and await self._is_role(headers) else NONE
            with serving(method, asker, is_traced=is_traced) as span:
                await self._app({**scope, _NOTED: noted}, receive, with_status)
                span.answered(noted.get("route", NO_ROUTE), status)
        finally:
            took = time.perf_counter() - began
            self._figures.in_flight.add(n=-1)
            route = noted.get("route", NO_ROUTE)
            self._figures.requests.observe(route, method, f"{status // 100}xx", value=took)

    async def _is_role(self, headers: Headers) -> bool:
        """Whether a role of ours says in whose trace this is."""
        if "traceparent" not in headers:
            return False
        try:
            await self._callers.check(headers, ASKING)
        except CopilotError:  # the door says so; here it only is nobody's trace
            return False
        return True


class Routed:
    """Right around the router: notes for `Measured` which route it chose."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._paths: dict[object, str] = {
            one.endpoint: one.path for one in app.router.routes if isinstance(one, Route)
        }
        """Of plain routes; the others say themselves that they were chosen."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            noted = scope.get(_NOTED)
            if noted is not None and (path := self._template(scope)):
                noted["route"] = path

    def _template(self, scope: Scope) -> str:
        """The whole path of the route as it is declared, with the prefix of the router it is in."""
        route = scope.get("route")
        within = scope.get("fastapi", {}).get("effective_route_context")
        if within is not None and within.original_route is route:
            return str(within.path_format)
        if route is None:
            return self._paths.get(scope.get("endpoint"), "")
        return str(getattr(route, "path_format", None) or getattr(route, "path", ""))
