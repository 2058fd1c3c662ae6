"""Agents in other processes, over HTTP, behind the same port as those in this one (`local.py`).

An agent without an address is asked in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import httpx
import msgspec

from copilot.domain import errors
from copilot.domain.action import ChaosMemory
from copilot.domain.case import Case
from copilot.domain.hypothesis import Findings
from copilot.domain.incident import IncidentId
from copilot.domain.notification import Delivery, Notification
from copilot.domain.proposal import Applied, Proposal
from copilot.domain.runbook import RunbookMatch
from copilot.ports import Agents

T = TypeVar("T")

TIMEOUT_S = 90.0
"""A model may take its time; everything else answers within a second."""
MAX_BYTES = 32 * 2**20

_BY_STATUS: Mapping[int, type[errors.CopilotError]] = {
    kind.status: kind
    for kind in (
        errors.BadInput,
        errors.Invalid,
        errors.Refused,
        errors.NotFound,
        errors.Conflict,
        errors.Busy,
    )
}


class ContextRequest(msgspec.Struct, frozen=True, kw_only=True):
    incident_id: IncidentId


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A case and what the detective says of it."""

    case: Case
    findings: Findings


class Consulted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking a model; no findings where none is set."""

    findings: Findings | None


class RemoteAgents:
    """Asks each agent where it lives; `urls` by agent (`context`, `detective`, ...)."""

    def __init__(
        self,
        *,
        urls: Mapping[str, str],
        token: str,
        local: Agents,
        hand_on: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._hand_on = hand_on  # headers of the trace under way
        self._urls = {agent: url.rstrip("/") for agent, url in urls.items() if url}
        self._local = local
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S, trust_env=False
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def context(self, incident_id: IncidentId) -> Case:
        if "context" not in self._urls:
            return await self._local.context(incident_id)
        return await self._ask("context", "/context", ContextRequest(incident_id=incident_id), Case)

    async def hypothesis(self, case: Case) -> Findings:
        if "detective" not in self._urls:
            return await self._local.hypothesis(case)
        return await self._ask("detective", "/hypothesis", case, Findings)

    async def consult(self, case: Case) -> Findings | None:
        if "detective" not in self._urls:
            return await self._local.consult(case)
        return (await self._ask("detective", "/consult", case, Consulted)).findings

    async def suggest(self, case: Case, findings: Findings) -> tuple[RunbookMatch, ...]:
        if "runbook" not in self._urls:
            return await self._local.suggest(case, findings)
        asked = Explained(case=case, findings=findings)
        return await self._ask("runbook", "/suggest", asked, tuple[RunbookMatch, ...])

    async def propose(self, case: Case, findings: Findings) -> tuple[Proposal, ...]:
        if "remediator" not in self._urls:
            return await self._local.propose(case, findings)
        asked = Explained(case=case, findings=findings)
        return await self._ask("remediator", "/propose", asked, tuple[Proposal, ...])

    async def recheck(self, proposal: Proposal) -> Proposal:
        if "remediator" not in self._urls:
            return await self._local.recheck(proposal)
        return await self._ask("remediator", "/recheck", proposal, Proposal)

    async def chaos(self, action: ChaosMemory) -> Applied:
        if "remediator" not in self._urls:
            return await self._local.chaos(action)
        return await self._ask("remediator", "/chaos", action, Applied)

    async def notify(self, notification: Notification) -> tuple[Delivery, str]:
        if "reporter" not in self._urls:
            return await self._local.notify(notification)
        try:
            return await self._ask("reporter", "/notify", notification, tuple[Delivery, str])
        except errors.Unavailable as failure:
            if isinstance(failure.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
                return Delivery.NOT_DELIVERED, failure.message
            raise

    async def _ask(self, agent: str, path: str, question: object, answer: type[T]) -> T:
        """Raises what the agent raised; Unavailable where it does not answer."""
        try:
            response = await self._http.post(
                f"{self._urls[agent]}{path}",
                content=msgspec.json.encode(question),
                headers={"Content-Type": "application/json", **self._hand_on()},
            )
        except httpx.HTTPError as failure:
            raise errors.Unavailable(
                f"agent-{agent} does not answer ({type(failure).__name__}); it is tried again"
            ) from failure
        if len(response.content) > MAX_BYTES:
            raise errors.Unavailable(f"agent-{agent} answered more than {MAX_BYTES} bytes")
        if response.status_code != httpx.codes.OK:
            raise _error_of(agent, response)
        return msgspec.json.decode(response.content, type=answer)


class _Problem(msgspec.Struct):
    detail: str = ""


def _error_of(agent: str, response: httpx.Response) -> errors.CopilotError:
    try:
        detail = msgspec.json.decode(response.content, type=_Problem).detail
    except msgspec.MsgspecError:
        detail = ""
    kind = _BY_STATUS.get(response.status_code, errors.Unavailable)
    return kind(detail or f"agent-{agent} answered {response.status_code}")
