"""The five agents over HTTP: one POST each, a case in, a value out.

Bodies are the domain's own JSON, so the answer is the same value an agent in process gives. Who asks
says how long it waits, and nobody works on when that is over; more than `AT_ONCE` questions are
turned away at the door, before anything of them was begun.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from copilot.deadline import within
from copilot.domain.action import ChaosMemory
from copilot.domain.case import Case
from copilot.domain.errors import Invalid, Refused, TooLarge, Unauthenticated
from copilot.domain.notification import Notification
from copilot.domain.proposal import Proposal
from copilot.ports import Agents, Clock
from copilot.remote.wire import (
    KEY,
    MAX_BYTES,
    NOT_BEGUN,
    REMAINING_MS,
    Consulted,
    ContextRequest,
    Explained,
)
from copilot.roles.answered import Answered
from copilot.roles.callers import Callers
from copilot.roles.muffled import Muffled
from copilot.roles.problems import problem

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Agent(StrEnum):
    CONTEXT = "agent-context"
    DETECTIVE = "agent-detective"
    RUNBOOK = "agent-runbook"
    REMEDIATOR = "agent-remediator"
    REPORTER = "agent-reporter"


MAY_ASK: Mapping[Agent, frozenset[str]] = {
    Agent.CONTEXT: frozenset({"gateway"}),
    Agent.DETECTIVE: frozenset({"gateway"}),
    Agent.RUNBOOK: frozenset({"gateway"}),
    Agent.REMEDIATOR: frozenset({"gateway"}),
    Agent.REPORTER: frozenset({"gateway"}),
}
"""Whose question each agent answers: leg 2 and what people do run in the gateway, and nothing else
asks (docs/adr/0005-who-runs-which-leg.md)."""
ASKING = frozenset[str]().union(*MAY_ASK.values())
"""Roles that ask any."""

AT_ONCE = 8
"""Questions that one agent works on side by side, in one process."""
RETRY_AFTER_S = 1
LONGEST_S = 300.0
"""For whoever says nothing of how long it waits."""


def agent_routes(agent: Agent, agents: Agents, callers: Callers, clock: Clock) -> list[Route]:
    """The endpoints of one agent."""
    door = _Door(
        may_ask=MAY_ASK[agent],
        callers=callers,
        answered=Answered(clock),
        muffled=Muffled(clock),
    )

    def route(path: str, question: type[T], answer: Callable[[T], Awaitable[object]]) -> Route:
        async def answered(request: Request) -> bytes:
            value = await answer(_parse(await _body(request), question))
            return msgspec.json.encode(value)

        async def serve(request: Request) -> Response:
            return await door.serve(request, lambda: answered(request))

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


@dataclass(slots=True, kw_only=True)
class _Door:
    """Who may come in, how many at a time, and for how long."""

    may_ask: frozenset[str]
    callers: Callers
    answered: Answered
    muffled: Muffled
    n_inside: int = 0

    async def serve(self, request: Request, answer: Callable[[], Awaitable[bytes]]) -> Response:
        await self._check(request)
        if self.n_inside >= AT_ONCE:
            turned_away = problem(503, "Busy", f"{AT_ONCE} questions are worked on; ask again")
            turned_away.headers.update({"Retry-After": str(RETRY_AFTER_S), NOT_BEGUN: "1"})
            return turned_away
        self.n_inside += 1
        try:
            async with within(_patience_s(request), "the question"):
                key = request.headers.get(KEY, "")
                body = await (self.answered.once(key, answer) if key else answer())
        finally:
            self.n_inside -= 1
        return Response(body, media_type="application/json")

    async def _check(self, request: Request) -> None:
        """Lets in who may ask. Who is turned away is in the log, once a minute for each kind."""
        try:
            await self.callers.check(request.headers, self.may_ask)
        except (Unauthenticated, Refused) as refusal:
            before = self.muffled.left_out(refusal.status)
            if before is not None:
                log.warning(
                    "caller.refused",
                    status=refusal.status,
                    reason=refusal.message,
                    path=request.url.path,
                    address=request.client.host if request.client else "",
                    left_out=before,
                )
            raise


def _patience_s(request: Request) -> float:
    """How long whoever asks still waits."""
    said = request.headers.get(REMAINING_MS, "")
    return min(int(said) / 1000, LONGEST_S) if said.isdecimal() and len(said) < 10 else LONGEST_S


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
