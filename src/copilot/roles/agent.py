"""The five agents over HTTP: one POST each, a case in, a value out.

Bodies are the domain's own JSON, so the answer is the same value an agent in process gives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from copilot.domain.action import ChaosMemory
from copilot.domain.case import Case
from copilot.domain.errors import Invalid, TooLarge
from copilot.domain.notification import Notification
from copilot.domain.proposal import Proposal
from copilot.ports import Agents
from copilot.remote import MAX_BYTES, Consulted, ContextRequest, Explained
from copilot.roles.security import Doorkeeper

T = TypeVar("T")


class Agent(StrEnum):
    CONTEXT = "agent-context"
    DETECTIVE = "agent-detective"
    RUNBOOK = "agent-runbook"
    REMEDIATOR = "agent-remediator"
    REPORTER = "agent-reporter"


def agent_routes(agent: Agent, agents: Agents, doorkeeper: Doorkeeper) -> list[Route]:
    """The endpoints of one agent."""

    def route(path: str, question: type[T], answer: Callable[[T], Awaitable[object]]) -> Route:
        async def serve(request: Request) -> Response:
            doorkeeper.agent(request.headers)
            value = await answer(_parse(await _body(request), question))
            return Response(msgspec.json.encode(value), media_type="application/json")

        return Route(path, serve, methods=["POST"])

    match agent:
        case Agent.CONTEXT:
            return [route("/context", ContextRequest, lambda q: agents.context(q.incident_id))]
        case Agent.DETECTIVE:

            async def consult(case: Case) -> Consulted:
                return Consulted(findings=await agents.consult(case))

            return [
                route("/hypothesis", Case, agents.hypothesis),
                route("/consult", Case, consult),
            ]
        case Agent.RUNBOOK:
            return [route("/suggest", Explained, lambda q: agents.suggest(q.case, q.findings))]
        case Agent.REMEDIATOR:
            return [
                route("/propose", Explained, lambda q: agents.propose(q.case, q.findings)),
                route("/recheck", Proposal, agents.recheck),
                route("/chaos", ChaosMemory, agents.chaos),
            ]
        case Agent.REPORTER:
            return [route("/notify", Notification, agents.notify)]


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise TooLarge(f"a question to an agent has at most {MAX_BYTES} bytes")
    return bytes(body)


def _parse(body: bytes, question: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=question)
    except msgspec.MsgspecError as error:
        raise Invalid(f"not a {question.__name__}: {error}") from None
