"""Legs 1 and 2 over a real store: an approval holds for what was seen, and not for ever."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from copilot.detect.rules import RULES
from copilot.domain.action import Scale
from copilot.domain.errors import Conflict
from copilot.domain.incident import EntryKind, IncidentId, Status
from copilot.domain.proposal import Proposal, ProposalId, ProposalStatus
from copilot.flow import Flow
from copilot.journal import Journal
from copilot.local import LocalAgents
from copilot.ports import Delta, Kind, Store
from copilot.remediate.policy import Policy
from tests.builders_objects import (
    a_container,
    a_deployment,
    a_pod,
)
from tests.builders_store import opened
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster
from tests.killed import a_delta, a_tight_deployment, sees_it_killed, soon_after


@dataclass
class Scene:
    """An incident with its fix, on a cluster in memory."""

    flow: Flow
    store: Store
    clock: FixedClock
    cluster: FakeCluster
    incident_id: IncidentId

    async def proposals(self) -> Sequence[Proposal]:
        async with self.store.view() as view:
            return await view.remediation.of_incident(self.incident_id)

    async def the_open_one(self) -> Proposal:
        (found,) = [p for p in await self.proposals() if p.status is ProposalStatus.PROPOSED]
        return found

    async def status(self) -> Status:
        async with self.store.view() as view:
            return (await view.incidents.get(self.incident_id)).status

    async def approve(self, proposal: Proposal) -> None:
        await self.flow.approve(proposal.id, digest=proposal.digest, reason="", actor="ada")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    clock = soon_after()
    store = await opened(tmp_path / "copilot.db", clock=clock)
    await store.migrate()
    cluster = FakeCluster(clock)
    deployment = a_tight_deployment()
    cluster.put(Kind.DEPLOYMENT, deployment)
    agents = LocalAgents(
        store=store, clock=clock, cluster=cluster, policy=Policy(), model=None, notifiers={}
    )
    flow = Flow(
        store=store, agents=agents, clock=clock, journal=Journal(cluster="home"), rules=RULES
    )
    await sees_it_killed(flow, clock)
    incident_id = IncidentId(1)
    await flow.investigate(incident_id)
    yield Scene(flow=flow, store=store, clock=clock, cluster=cluster, incident_id=incident_id)
    await store.close()


async def test_looking_again_at_the_same_case_changes_nothing(scene: Scene) -> None:
    before = await scene.proposals()

    scene.clock.move(60)
    await scene.flow.investigate(scene.incident_id)

    assert await scene.proposals() == before
    assert await scene.status() is Status.AWAITING_APPROVAL


async def test_an_expired_proposal_cannot_be_approved_and_is_made_anew_on_asking(
    scene: Scene,
) -> None:
    stale = await scene.the_open_one()
    scene.clock.move(Policy().lifetime_s)

    with pytest.raises(Conflict, match="expired"):
        await scene.approve(stale)
    assert await scene.status() is Status.AWAITING_APPROVAL
    await scene.flow.investigate(scene.incident_id, asked_by="ada")
    fresh = await scene.the_open_one()
    await scene.approve(fresh)

    assert fresh.id != stale.id
    assert fresh.digest == stale.digest
    assert await scene.status() is Status.REMEDIATING
    assert {p.id: p.status for p in await scene.proposals()}[stale.id] is ProposalStatus.EXPIRED
    assert scene.cluster.patches == []


async def test_a_rejected_idea_is_not_approved_any_more_and_comes_again_on_asking_only(
    scene: Scene,
) -> None:
    proposal = await scene.the_open_one()
    await scene.flow.reject(proposal.id, reason="not at night", actor="ada")

    with pytest.raises(Conflict, match="rejected"):
        await scene.approve(proposal)
    await scene.flow.investigate(scene.incident_id)
    assert [p.status for p in await scene.proposals()] == [ProposalStatus.REJECTED]
    assert await scene.status() is Status.INVESTIGATING

    await scene.flow.investigate(scene.incident_id, asked_by="ada")
    assert (await scene.the_open_one()).digest == proposal.digest
    assert await scene.status() is Status.AWAITING_APPROVAL


async def test_who_has_it_looked_at_again_is_recorded_whatever_comes_of_it(scene: Scene) -> None:
    await scene.flow.investigate(scene.incident_id)
    await scene.flow.investigate(scene.incident_id, asked_by="ada")
    await scene.flow.investigate(scene.incident_id, asked_by="bob")

    async with scene.store.view() as view:
        rows = await view.audit.rows(chain=f"incident-{scene.incident_id}", limit=50)
    asked = [row.actor for row in rows if row.action == "incident.looked_at_again"]
    assert asked == ["bob", "ada"]


async def test_what_was_approved_is_not_taken_back_by_a_no(scene: Scene) -> None:
    proposal = await scene.the_open_one()
    await scene.approve(proposal)

    with pytest.raises(Conflict):
        await scene.flow.reject(proposal.id, reason="too late", actor="eve")

    assert await scene.status() is Status.REMEDIATING


async def test_what_was_decided_leaves_no_other_idea_to_decide(scene: Scene) -> None:
    chosen = await scene.the_open_one()
    idea = msgspec.structs.replace(
        chosen,
        id=ProposalId(0),
        digest="0" * 64,
        action=Scale(target=chosen.action.target, replicas=2),
    )
    async with scene.store.transaction() as tx:
        other = await tx.remediation.add(idea)

    await scene.approve(chosen)

    assert {p.id: p.status for p in await scene.proposals()} == {
        chosen.id: ProposalStatus.APPROVED,
        other.id: ProposalStatus.SUPERSEDED,
    }


async def changed_by(scene: Scene, actor: str) -> list[str]:
    """What the timeline tells of changes once somebody has given the workload more memory."""
    roomy = a_deployment(containers=[a_container(limit="256Mi")])
    scene.cluster.put(Kind.DEPLOYMENT, roomy)
    scene.clock.move(20)
    await scene.flow.observe(a_delta(Kind.DEPLOYMENT, roomy, scene.clock.now_us(), actor=actor))
    async with scene.store.view() as view:
        timeline = await view.incidents.timeline(scene.incident_id)
    return [f"{e.actor}: {e.title}" for e in timeline if e.kind is EntryKind.CHANGE]


async def test_what_people_change_meanwhile_is_told_and_withdraws_what_was_proposed(
    scene: Scene,
) -> None:
    told = await changed_by(scene, "kubectl-edit")
    await scene.flow.investigate(scene.incident_id)

    async with scene.store.view() as view:
        summary = (await view.incidents.get(scene.incident_id)).summary
    assert told == ["kubectl-edit: oom-demo: memory limit of app 32Mi → 256Mi"]
    assert [p.status for p in await scene.proposals()] == [ProposalStatus.SUPERSEDED]
    assert "No fix is proposed: its memory limit is 256Mi since the last kill" in summary


async def test_our_own_changes_are_told_as_actions_and_not_twice(scene: Scene) -> None:
    assert await changed_by(scene, "incident-copilot") == []


async def test_an_object_with_an_odd_time_is_left_out_and_stops_nothing(scene: Scene) -> None:
    (version,) = a_delta(Kind.POD, a_pod("odd"), scene.clock.now_us()).versions
    odd = re.sub(
        rb'"creationTimestamp":"[^"]*"', b'"creationTimestamp":"0000-01-01T00:00:00Z"', version.json
    )

    for kind in (Kind.POD, Kind.EVENT, Kind.DEPLOYMENT):
        named = replace(version.object, kind=kind, uid=f"uid-{kind}")
        thing = msgspec.structs.replace(version, object=named, json=odd)
        await scene.flow.observe(Delta(kind=kind, versions=(thing,), is_synced=False))

    async with scene.store.view() as view:
        assert await view.objects.get("home", f"uid-{Kind.POD}") is None
