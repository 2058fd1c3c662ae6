"""The longer watch: a verified fix that does not last reopens its incident."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from copilot.docket import LONG_WATCH_US, Docket
from copilot.domain.incident import IncidentId, Status
from copilot.domain.proposal import ActionState, Applied, ProposalStatus, Verification
from copilot.journal import Journal
from copilot.ports import Kind
from copilot.remedy import LEASE_US, Remedy
from tests.builders_objects import a_container, a_deployment, an_oom_killed_pod
from tests.flow.test_decide import Scene, scene
from tests.killed import KILLED, a_delta

__all__ = ["scene"]
RAISED = "64Mi"


async def fix(scene: Scene) -> None:
    """Approved, applied and proven: what agent-remediator writes on the way."""
    proposal = await scene.the_open_one()
    await scene.approve(proposal)
    journal = Journal(cluster="home")
    remedy = Remedy(
        clock=scene.clock, journal=journal, docket=Docket(clock=scene.clock, journal=journal)
    )
    now_us = scene.clock.now_us()
    applied = Applied(at_us=now_us, resource_version="2", generation=2)
    held = Verification(held=True, reason="it ran", observed=(), ended_us=now_us)
    await change_limit(scene, RAISED, "420", actor="incident-copilot")
    async with scene.store.transaction() as tx:
        claim = await tx.remediation.claim(
            proposal.id, owner="here", now_us=now_us, lease_us=LEASE_US
        )
        claim = await remedy.applied(tx, claim, applied)
        assert claim.state is ActionState.APPLIED
        await remedy.verified(tx, claim, held)


async def change_limit(scene: Scene, limit: str, version: str, *, actor: str) -> None:
    changed = a_deployment(containers=[a_container(limit=limit)])
    metadata = msgspec.structs.replace(changed.metadata, resource_version=version)
    changed = msgspec.structs.replace(changed, metadata=metadata)
    await scene.flow.observe(a_delta(Kind.DEPLOYMENT, changed, scene.clock.now_us(), actor=actor))


async def kill_again(scene: Scene, after_s: float) -> None:
    """The new pod of the raised limit is killed as the old one was."""
    scene.clock.move(after_s)
    again = an_oom_killed_pod(
        suffix="x2x9c", limit=RAISED, killed=KILLED + timedelta(seconds=after_s + 4)
    )
    await scene.flow.observe(a_delta(Kind.POD, again, scene.clock.now_us()))


async def incidents(scene: Scene) -> dict[IncidentId, Status]:
    async with scene.store.view() as view:
        return {i.id: i.status for i in await view.incidents.page(limit=10)}


async def test_the_same_trouble_under_a_verified_fix_reopens_its_incident(scene: Scene) -> None:
    await fix(scene)

    await kill_again(scene, 600)

    async with scene.store.view() as view:
        incident = await view.incidents.get(scene.incident_id)
        timeline = await view.incidents.timeline(scene.incident_id)
    assert await incidents(scene) == {scene.incident_id: Status.OPEN}
    assert incident.resolved_us is None
    assert incident.mttr_seconds is None
    assert any(entry.title.startswith("Reopened: the fix held for") for entry in timeline)


async def test_what_did_not_last_is_neither_called_verified_nor_remembered_as_held(
    scene: Scene,
) -> None:
    await fix(scene)

    await kill_again(scene, 600)
    case = await scene.flow._agents.context(scene.incident_id)

    assert ProposalStatus.RELAPSED in [p.status for p in await scene.proposals()]
    assert "the same trouble came back" in case.attempts[0].why
    async with scene.store.view() as view:
        (memory,) = await view.memories.find(
            cluster="home", namespace="demo", app="oom-demo", cause=None, now_us=0
        )
    assert not memory.has_held


@pytest.mark.parametrize("is_late", [False, True], ids=["it was changed since", "long after"])
async def test_trouble_of_its_own_is_an_incident_of_its_own(scene: Scene, is_late: bool) -> None:
    await fix(scene)
    if not is_late:
        scene.clock.move(10)
        await change_limit(scene, "24Mi", "421", actor="kubectl-edit")

    await kill_again(scene, LONG_WATCH_US / 1_000_000 + 60 if is_late else 590)

    assert await incidents(scene) == {
        scene.incident_id: Status.RESOLVED,
        IncidentId(2): Status.OPEN,
    }
