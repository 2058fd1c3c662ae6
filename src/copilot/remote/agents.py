"""Which question goes to which agent, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

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
from copilot.remote.asking import Asker, NotBegun, Question
from copilot.remote.wire import Consulted, ContextRequest, Explained

T = TypeVar("T")

LIMITS_S = {
    "/context": 15.0,
    "/hypothesis": 15.0,
    "/consult": 180.0,
    "/suggest": 30.0,
    "/propose": 90.0,
    "/recheck": 60.0,
    "/chaos": 60.0,
    "/notify": 30.0,
}
"""How long each is waited for, at most. A model may take its time, and answers twice where its
first answer cannot be read; proposing asks the cluster, and a Git host."""


class RemoteAgents:
    """Asks each agent where it lives; `urls` by agent (`context`, `detective`, ...). One without an
    address is asked in this process."""

    def __init__(self, *, urls: Mapping[str, str], asker: Asker, local: Agents) -> None:
        self._urls = {agent: url.rstrip("/") for agent, url in urls.items() if url}
        self._local = local
        self._asker = asker

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
        return await self._ask("remediator", "/chaos", action, Applied, acts=True)

    async def notify(self, notification: Notification) -> tuple[Delivery, str]:
        if "reporter" not in self._urls:
            return await self._local.notify(notification)
        try:
            return await self._ask(
                "reporter", "/notify", notification, tuple[Delivery, str], acts=True
            )
        except NotBegun as failure:
            return Delivery.NOT_DELIVERED, failure.message

    async def _ask(
        self, agent: str, path: str, question: object, answer: type[T], *, acts: bool = False
    ) -> T:
        """Raises what the agent raised; Away where it cannot be asked."""
        body = await self._asker.ask(
            Question(
                agent=f"agent-{agent}",
                url=f"{self._urls[agent]}{path}",
                body=msgspec.json.encode(question),
                limit_s=LIMITS_S[path],
                acts=acts,
            )
        )
        try:
            return msgspec.json.decode(body, type=answer)
        except msgspec.MsgspecError as error:
            raise errors.Away(
                f"agent-{agent} answered what cannot be read: {error}",
                detail={"agent": f"agent-{agent}"},
            ) from error
