"""An agent that is away degrades the incident and never blocks it; over real HTTP on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from copilot.detect.rules import RULES
from copilot.domain.errors import Away, Unavailable
from copilot.domain.incident import IncidentId
from copilot.domain.notification import Channel, Delivery, Notification, NotificationId
from copilot.domain.proposal import ProposalId, ProposalStatus
from copilot.flow import Flow
from copilot.journal import Journal
from copilot.local import LocalAgents
from copilot.ports import Kind, Store
from copilot.remediate.policy import Policy
from copilot.remote import RemoteAgents
from copilot.roles.agent import Agent
from copilot.roles.room import room_view
from copilot.roles.views import RoomView
from copilot.wiring import sync_runbooks
from tests.agents_elsewhere import Elsewhere, elsewhere
from tests.builders_store import a_store
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster
from tests.killed import a_tight_deployment, sees_it_killed, soon_after

INCIDENT = IncidentId(1)
SINCE = f"{datetime(2026, 11, 23, 8, 0, 5, tzinfo=UTC):%Y-%m-%d %H:%M:%S} UTC"


@dataclass
class House:
    """An incident that nobody has looked at yet, and the agents on their ports."""

    flow: Flow
    store: Store
    there: Elsewhere
    agents: RemoteAgents
    clock: FixedClock

    async def room(self) -> RoomView:
        async with self.store.view() as view:
            return await room_view(view, INCIDENT, model="")

    async def unasked(self) -> dict[str, str]:
        gaps = (await self.room()).gaps
        return {gap.what: gap.reason for gap in gaps if gap.what.startswith("agent-")}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = soon_after()
    async with a_store("sqlite-file", tmp_path) as store:
        await sync_runbooks(store, clock)
        cluster = FakeCluster(clock)
        deployment = a_tight_deployment()
        cluster.put(Kind.DEPLOYMENT, deployment)
        local = LocalAgents(
            store=store, clock=clock, cluster=cluster, policy=Policy(), model=None, notifiers={}
        )
        async with elsewhere(local, clock) as (there, agents):
            flow = Flow(
                store=store,
                agents=agents,
                clock=clock,
                journal=Journal(cluster="home"),
                rules=RULES,
            )
            await sees_it_killed(flow, clock)
            yield House(flow=flow, store=store, there=there, agents=agents, clock=clock)


async def test_with_all_there_the_room_has_no_gap(house: House) -> None:
    await house.flow.investigate(INCIDENT)

    room = await house.room()
    assert room.hypotheses
    assert room.runbooks
    assert [p.status for p in room.proposals] == [ProposalStatus.PROPOSED]
    assert await house.unasked() == {}


KEPT = {
    Agent.CONTEXT: (False, False, False),
    Agent.DETECTIVE: (False, False, False),
    Agent.RUNBOOK: (True, False, True),
    Agent.REMEDIATOR: (True, True, False),
    Agent.REPORTER: (True, True, True),
}
"""Whether there are hypotheses, runbooks and proposals all the same."""


@pytest.mark.parametrize("agent", Agent)
async def test_what_the_others_say_is_kept_and_who_is_away_is_said_until_it_is_back(
    house: House, agent: Agent
) -> None:
    await house.there.shut(agent)

    is_asked = agent is not Agent.REPORTER
    if is_asked:
        with pytest.raises(Away, match=f"{agent} does not answer"):
            await house.flow.investigate(INCIDENT)
    else:
        await house.flow.investigate(INCIDENT)

    room = await house.room()
    said = (bool(room.hypotheses), bool(room.runbooks), bool(room.proposals))
    assert said == KEPT[agent]
    unasked = await house.unasked()
    assert [*unasked] == ([agent] if is_asked else [])
    assert all(r.startswith(f"could not be asked since {SINCE}: ") for r in unasked.values())

    await house.there.open(agent)
    house.clock.move(2)
    await house.flow.investigate(INCIDENT)

    room = await house.room()
    assert room.hypotheses
    assert room.runbooks
    assert room.proposals
    assert await house.unasked() == {}


async def test_since_when_it_is_away_stays_what_it_was(house: House) -> None:
    await house.there.shut(Agent.RUNBOOK)

    for _ in range(3):
        with pytest.raises(Away):
            await house.flow.investigate(INCIDENT)
        house.clock.move(30)

    assert SINCE in (await house.unasked())["agent-runbook"]


async def test_an_agent_that_is_away_is_no_fact_of_the_case(house: House) -> None:
    await house.there.shut(Agent.RUNBOOK)
    for _ in range(2):
        with pytest.raises(Away):
            await house.flow.investigate(INCIDENT)

    case = await house.agents.context(INCIDENT)

    assert [gap.what for gap in case.gaps if gap.what.startswith("agent-")] == []


async def test_a_person_who_approves_is_told_who_is_away_and_nothing_is_decided(
    house: House,
) -> None:
    await house.flow.investigate(INCIDENT)
    (proposal,) = (await house.room()).proposals
    shown = ProposalId(proposal.id)
    await house.there.shut(Agent.REMEDIATOR)

    with pytest.raises(Unavailable, match="agent-remediator does not answer"):
        await house.flow.approve(shown, digest=proposal.digest, reason="", actor="ada")

    (same,) = (await house.room()).proposals
    assert same.status is ProposalStatus.PROPOSED


async def test_a_message_that_the_reporter_never_got_is_known_not_to_have_arrived(
    house: House,
) -> None:
    await house.there.shut(Agent.REPORTER)
    message = Notification(
        id=NotificationId(1),
        incident_id=INCIDENT,
        channel=Channel.SLACK,
        dedupe_key="k",
        title="INC-1",
        text="opened",
        link="",
        attempts=1,
    )

    delivery, why = await house.agents.notify(message)

    assert delivery is Delivery.NOT_DELIVERED
    assert "agent-reporter does not answer" in why
