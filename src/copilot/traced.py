"""The five agents, each call a span with its incident, and its incident on every log line."""

from __future__ import annotations

from copilot.domain.action import ChaosMemory
from copilot.domain.case import Case
from copilot.domain.hypothesis import Findings
from copilot.domain.incident import IncidentId
from copilot.domain.notification import Delivery, Notification
from copilot.domain.proposal import Applied, Proposal
from copilot.domain.runbook import RunbookMatch
from copilot.ports import Agents
from copilot.telemetry import doing

AGENT = "gen_ai.agent.name"


class TracedAgents:
    """Meets `ports.Agents` by asking others that do."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def context(self, incident_id: IncidentId) -> Case:
        with doing("agent context", {AGENT: "context"}, incident_id=incident_id):
            return await self._agents.context(incident_id)

    async def hypothesis(self, case: Case) -> Findings:
        with doing("agent hypothesis", {AGENT: "detective"}, incident_id=case.incident.id):
            return await self._agents.hypothesis(case)

    async def consult(self, case: Case) -> Findings | None:
        with doing("agent consult", {AGENT: "detective"}, incident_id=case.incident.id):
            return await self._agents.consult(case)

    async def suggest(self, case: Case, findings: Findings) -> tuple[RunbookMatch, ...]:
        with doing("agent suggest", {AGENT: "runbook"}, incident_id=case.incident.id):
            return await self._agents.suggest(case, findings)

    async def propose(self, case: Case, findings: Findings) -> tuple[Proposal, ...]:
        with doing("agent propose", {AGENT: "remediator"}, incident_id=case.incident.id):
            return await self._agents.propose(case, findings)

    async def recheck(self, proposal: Proposal) -> Proposal:
        with doing("agent recheck", {AGENT: "remediator"}, incident_id=proposal.incident_id):
            return await self._agents.recheck(proposal)

    async def chaos(self, action: ChaosMemory) -> Applied:
        with doing("agent chaos", {AGENT: "remediator"}):
            return await self._agents.chaos(action)

    async def notify(self, notification: Notification) -> tuple[Delivery, str]:
        with doing("agent notify", {AGENT: "reporter"}, incident_id=notification.incident_id):
            return await self._agents.notify(notification)
