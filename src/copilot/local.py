"""The five agents in this process, behind the same port as agents elsewhere (`remote/`)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from copilot.agents import context, detective, remediator, runbook, similar
from copilot.domain.action import ChaosMemory
from copilot.domain.case import Case
from copilot.domain.errors import Refused, Unavailable
from copilot.domain.hypothesis import Findings
from copilot.domain.incident import Incident, IncidentId
from copilot.domain.notification import Channel, Delivery, Notification
from copilot.domain.proposal import (
    ActionState,
    Applied,
    Claim,
    Draft,
    Proposal,
    ProposalId,
    ProposalStatus,
    Way,
)
from copilot.domain.retrieval import Corpus, Near
from copilot.domain.runbook import RunbookMatch
from copilot.ports import Clock, Cluster, GitHost, LanguageModel, Notifier, Store
from copilot.remediate.apply import apply
from copilot.remediate.gitops.pull import open_pull, with_pull, without_pull
from copilot.remediate.policy import Policy
from copilot.remediate.propose import prepare, recheck
from copilot.search.meaning import Meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughGit:
    """That fixes are delivered as pull requests, and where to."""

    host: GitHost
    base: str
    """The branch they are to be merged into; empty takes the host's default."""
    root: str
    """The folder (or file) that makes this cluster; empty takes the whole repository."""
    only_managed: bool
    """Only for objects that a reconciler marks as its own; others are patched."""


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
        git: ThroughGit | None = None,
        meaning: Meaning | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._cluster = cluster
        self._policy = policy
        self._model = model
        self._notifiers = notifiers
        self._git = git
        self._meaning = meaning
        self._reading = asyncio.Lock()  # several proposals read the same files: one asks for them

    async def context(self, incident_id: IncidentId) -> Case:
        near = await self._near(incident_id) if self._meaning else None
        async with self._store.view() as view:
            return await context.context(incident_id, view, now_us=self._clock.now_us(), near=near)

    async def hypothesis(self, case: Case) -> Findings:
        return await detective.hypothesis(case)

    async def consult(self, case: Case) -> Findings | None:
        return await detective.hypothesis(case, self._model) if self._model else None

    async def suggest(self, case: Case, findings: Findings) -> tuple[RunbookMatch, ...]:
        text = runbook.question(case, findings)
        near = await self._meaning.of(text) if self._meaning else None
        async with self._store.view() as view:
            runbooks = await view.runbooks.all()
            found = await view.index.rank(Corpus.RUNBOOK, text, limit=len(runbooks) or 1, near=near)
        return runbook.suggest(case, findings, runbooks, found)

    async def propose(self, case: Case, findings: Findings) -> tuple[Proposal, ...]:
        drafts = remediator.drafts(case, findings)
        return tuple(
            await asyncio.gather(*(self._prepare(draft, case.incident) for draft in drafts))
        )

    async def _near(self, incident_id: IncidentId) -> Near | None:
        async with self._store.view() as view:
            incident = await view.incidents.get(incident_id)
        return await self._meaning.of(similar.told(incident)) if self._meaning else None

    async def recheck(self, proposal: Proposal) -> Proposal:
        now_us = self._clock.now_us()
        fresh = await recheck(without_pull(proposal), self._live, self._policy, now_us=now_us)
        fresh = await self._delivered(fresh)
        if fresh.id and fresh.digest != proposal.digest:  # the files changed, the object did not
            lifetime_us = self._policy.lifetime_s * 1_000_000
            return msgspec.structs.replace(
                fresh, id=ProposalId(0), created_us=now_us, expires_us=now_us + lifetime_us
            )
        return fresh

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
        if proposal.pull is not None and self._git is not None:
            return await self._chaos_in_git(proposal, self._git.host)
        claim = Claim(proposal=proposal, owner="chaos", fence=0, state=ActionState.CLAIMED)
        return await apply(claim, self._live, self._clock)

    async def _chaos_in_git(self, proposal: Proposal, host: GitHost) -> Applied:
        """Somebody merges a bad change, which only the simulation's host lets us be: people are not
        even asked to."""
        if not host.is_simulation:
            raise Refused(f"chaos changes files in the simulation only, not in {host.repository}")
        request = await open_pull(proposal, host)
        await host.merge(request.number)
        return Applied(at_us=self._clock.now_us(), resource_version="", generation=0)

    async def notify(self, notification: Notification) -> tuple[Delivery, str]:
        notifier = self._notifiers.get(notification.channel)
        if notifier is None:
            outcome = Delivery.NOT_DELIVERED if notification.is_sure else Delivery.NOT_SET_UP
            return outcome, f"{notification.channel} is not set up"
        return await notifier.deliver(notification)

    async def _prepare(self, draft: Draft, incident: Incident | None) -> Proposal:
        proposal = await prepare(
            draft,
            incident_id=incident.id if incident else IncidentId(0),
            cluster=self._live,
            policy=self._policy,
            now_us=self._clock.now_us(),
            workload=incident.workload if incident else None,
        )
        return await self._delivered(proposal)

    async def _delivered(self, proposal: Proposal) -> Proposal:
        """The proposal as a pull request, where its object is made from Git."""
        git = self._git
        if git is None or (git.only_managed and proposal.way is not Way.PULL_REQUEST):
            return proposal
        async with self._reading:
            return await with_pull(proposal, git.host, base=git.base, root=git.root)

    @property
    def _live(self) -> Cluster:
        if self._cluster is None:
            raise Unavailable("this process has no cluster; agent-remediator has one")
        return self._cluster
