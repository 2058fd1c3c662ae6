"""The five agents in this process, behind the same port as agents elsewhere (`remote.py`)."""

from __future__ import annotations

import asyncio

from copilot.agents import context, detective, remediator, runbook
from copilot.domain.action import ChaosMemory
from copilot.domain.case import Case
from copilot.domain.errors import Refused, Unavailable
from copilot.domain.hypothesis import Findings
from copilot.domain.incident import Incident, IncidentId
from copilot.domain.notification import Channel, Delivery, Notification
from copilot.domain.proposal import ActionState, Applied, Claim, Draft, Proposal, ProposalStatus
from copilot.domain.runbook import RunbookMatch
from copilot.ports import Clock, Cluster, LanguageModel, Notifier, Store
from copilot.remediate.apply import apply
from copilot.remediate.policy import Policy
from copilot.remediate.propose import prepare, recheck


class LocalAgents:
    """Binds each agent to what it may use; `cluster` is None in roles that may not touch one."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        cluster: Cluster | None,
        policy: Policy,
        model: LanguageModel | None,
        notifiers: dict[Channel, Notifier],
    ) -> None:
        self._store = store
        self._clock = clock
        self._cluster = cluster
        self._policy = policy
        self._model = model
        self._notifiers = notifiers

    async def context(self, incident_id: IncidentId) -> Case:
        async with self._store.view() as view:
            return await context.context(incident_id, view, now_us=self._clock.now_us())

    async def hypothesis(self, case: Case) -> Findings:
        return await detective.hypothesis(case)

    async def consult(self, case: Case) -> Findings | None:
        return await detective.hypothesis(case, self._model) if self._model else None

    async def suggest(self, case: Case, findings: Findings) -> tuple[RunbookMatch, ...]:
        async with self._store.view() as view:
            runbooks = await view.runbooks.all()
        return runbook.suggest(case, findings, runbooks)

    async def propose(self, case: Case, findings: Findings) -> tuple[Proposal, ...]:
        drafts = remediator.drafts(case, findings)
        return tuple(
            await asyncio.gather(*(self._prepare(draft, case.incident) for draft in drafts))
        )

    async def recheck(self, proposal: Proposal) -> Proposal:
        return await recheck(proposal, self._live, self._policy, now_us=self._clock.now_us())

    async def chaos(self, action: ChaosMemory) -> Applied:
        draft = Draft(
            action=action,
            title=f"chaos: memory limit {action.limit}",
            why="",
            evidence=(),
            hypothesis="",
        )
        proposal = await self._prepare(draft, None)
        if proposal.status is not ProposalStatus.PROPOSED:
            raise Refused(proposal.refusal)
        claim = Claim(proposal=proposal, owner="chaos", fence=0, state=ActionState.CLAIMED)
        return await apply(claim, self._live, self._clock)

    async def notify(self, notification: Notification) -> tuple[Delivery, str]:
        notifier = self._notifiers.get(notification.channel)
        if notifier is None:
            return Delivery.NOT_DELIVERED, f"{notification.channel} is not set up"
        return await notifier.deliver(notification)

    async def _prepare(self, draft: Draft, incident: Incident | None) -> Proposal:
        return await prepare(
            draft,
            incident_id=incident.id if incident else IncidentId(0),
            cluster=self._live,
            policy=self._policy,
            now_us=self._clock.now_us(),
            workload=incident.workload if incident else None,
        )

    @property
    def _live(self) -> Cluster:
        if self._cluster is None:
            raise Unavailable("this process has no cluster; agent-remediator has one")
        return self._cluster
