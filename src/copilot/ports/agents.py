"""The five agents."""

from __future__ import annotations

from typing import Protocol

from copilot.domain.action import ChaosMemory
from copilot.domain.case import Case
from copilot.domain.hypothesis import Findings
from copilot.domain.incident import IncidentId
from copilot.domain.notification import Delivery, Notification
from copilot.domain.proposal import Applied, Proposal
from copilot.domain.runbook import RunbookMatch


class Agents(Protocol):
    """The five agents, in this process or elsewhere over HTTP."""

    async def context(self, incident_id: IncidentId) -> Case:
        """Raises: NotFound."""
        ...

    async def hypothesis(self, case: Case) -> Findings:
        """What code alone concludes; at once."""
        ...

    async def consult(self, case: Case) -> Findings | None:
        """The same with a language model's part; takes its time. None where no model is set."""
        ...

    async def suggest(self, case: Case, findings: Findings) -> tuple[RunbookMatch, ...]: ...

    async def propose(self, case: Case, findings: Findings) -> tuple[Proposal, ...]:
        """Best first, each guarded and dry-run; refused ones carry their reason. Not stored."""
        ...

    async def recheck(self, proposal: Proposal) -> Proposal:
        """The same proposal against the object as it is now: equal digest where nothing that
        matters has changed."""
        ...

    async def chaos(self, action: ChaosMemory) -> Applied:
        """Break a demo workload on purpose.

        Raises:
            Refused: it is not in a namespace labelled as demo.
        """
        ...

    async def notify(self, notification: Notification) -> tuple[Delivery, str]:
        """What became of it, with the reason where it was not delivered."""
        ...
