"""Leg 3 through Git: approved, opened, merged, carried, verified; and every way it may end else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from copilot.detect.rules import RULES
from copilot.domain.errors import Busy, Conflict, CopilotError, NotFound, Refused, Unavailable
from copilot.domain.incident import IncidentId, Status
from copilot.domain.proposal import Proposal, ProposalStatus
from copilot.domain.pull_request import FileEdit, PullRequest, PullState
from copilot.flow import REMEDIATE, Flow
from copilot.githost.local import LocalGitHost
from copilot.gitops import CARRY_US
from copilot.journal import Journal
from copilot.local import LocalAgents, ThroughGit
from copilot.ports import Kind, Store
from copilot.remediate.gitops.pull import digest_of
from copilot.remediate.policy import Policy
from tests.builders_remediate import TARGET
from tests.builders_store import opened
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster, needs
from tests.killed import a_tight_deployment, sees_it_killed, soon_after

MANIFEST = """\
# the demo
apiVersion: apps/v1
kind: Deployment
metadata: {name: oom-demo, namespace: demo}
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: app
          resources:
            limits:
              memory: 32Mi # by hand
"""
PATH = "apps/oom-demo.yaml"


class LossyHost(LocalGitHost):
    """One whose answer to opening is lost at times, the work being done, or that is busy."""

    loses = 0
    is_busy = False
    refuses: CopilotError | None = None

    async def open_change(self, **wanted: Any) -> PullRequest:
        request = await super().open_change(**wanted)
        if self.loses:
            self.loses -= 1
            raise Unavailable("the answer was lost")
        return request

    async def state(self, number: int) -> PullRequest:
        if self.is_busy:
            raise Busy("slow down")
        if self.refuses:
            raise self.refuses
        return await super().state(number)


@dataclass
class Scene:
    """An incident with its fix, on a cluster in memory that is made from a repository."""

    flow: Flow
    store: Store
    clock: FixedClock
    cluster: FakeCluster
    host: LossyHost
    incident_id: IncidentId

    async def proposals(self) -> Sequence[Proposal]:
        async with self.store.view() as view:
            return await view.remediation.of_incident(self.incident_id)

    async def proposal(self) -> Proposal:
        return next(iter(await self.proposals()))

    async def incident_status(self) -> Status:
        async with self.store.view() as view:
            return (await view.incidents.get(self.incident_id)).status

    async def approve(self) -> Proposal:
        proposal = await self.proposal()
        await self.flow.approve(proposal.id, digest=proposal.digest, reason="", actor="ada")
        return proposal

    async def look(self) -> ProposalStatus:
        """One job of leg 3, as its worker does it, once it is due."""
        self.clock.move(20)
        proposal = await self.proposal()
        async with self.store.transaction() as tx:
            job = await tx.jobs.take(REMEDIATE, owner="w", now_us=self.clock.now_us(), lease_us=1)
        assert job is not None
        await self.flow.remediate(proposal.id)
        async with self.store.transaction() as tx:
            await tx.jobs.done(job)
        return (await self.proposal()).status

    async def is_waiting(self) -> bool:
        async with self.store.transaction() as tx:
            far_us = self.clock.now_us() + 10**12
            job = await tx.jobs.take(REMEDIATE, owner="w", now_us=far_us, lease_us=1)
            if job is not None:
                await tx.jobs.again(job, run_us=self.clock.now_us(), error="")
        return job is not None

    async def reconcile(self) -> None:
        """What a reconciler does: the cluster gets what the branch says."""
        text = await self.host.read(PATH, await self.host.head("main"))
        self.cluster.edit(TARGET, {"spec": {"template": yaml.safe_load(text)["spec"]["template"]}})

    async def trouble(self) -> str:
        async with self.store.view() as view:
            delivery = await view.remediation.delivery((await self.proposal()).id)
        assert delivery is not None
        return delivery.trouble

    async def last_detail(self) -> str:
        async with self.store.view() as view:
            return (await view.incidents.timeline(self.incident_id))[-1].detail

    async def pause_s(self) -> float:
        """Until the job is due that waits."""
        now_us = self.clock.now_us()
        async with self.store.transaction() as tx:
            for seconds in (1.0, 2.0, 4.0, 8.0, 16.0):
                at_us = now_us + round(seconds * 1_000_000)
                job = await tx.jobs.take(REMEDIATE, owner="w", now_us=at_us, lease_us=1)
                if job is not None:
                    await tx.jobs.again(job, run_us=at_us, error="")
                    return seconds
        raise AssertionError("nothing waits")

    async def titles(self) -> list[str]:
        async with self.store.view() as view:
            return [entry.title for entry in await view.incidents.timeline(self.incident_id)]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    clock = soon_after()
    store = await opened(tmp_path / "copilot.db", clock=clock)
    await store.migrate()
    cluster = FakeCluster(clock, lives=needs("48Mi"))
    deployment = a_tight_deployment()
    cluster.put(Kind.DEPLOYMENT, deployment)
    host = LossyHost(tmp_path / "cluster.git")
    await host.seed({PATH: MANIFEST, "README.md": "ours"})
    agents = LocalAgents(
        store=store,
        clock=clock,
        cluster=cluster,
        policy=Policy(),
        model=None,
        notifiers={},
        git=ThroughGit(host=host, base="", root="apps", only_managed=False),
    )
    flow = Flow(
        store=store,
        agents=agents,
        clock=clock,
        journal=Journal(cluster="home"),
        rules=RULES,
        cluster=cluster,
        git=host,
    )
    await sees_it_killed(flow, clock)
    await flow.investigate(IncidentId(1))
    yield Scene(
        flow=flow,
        store=store,
        clock=clock,
        cluster=cluster,
        host=host,
        incident_id=IncidentId(1),
    )
    await store.close()


async def test_a_proposal_shows_the_lines_of_the_file_that_it_changes(scene: Scene) -> None:
    proposal = await scene.proposal()

    assert proposal.pull is not None
    assert [edit.path for edit in proposal.pull.edits] == [PATH]
    assert "+              memory: 64Mi # by hand" in proposal.pull.diff.splitlines()
    assert proposal.status is ProposalStatus.PROPOSED


async def test_approved_opened_merged_carried_and_verified_as_after_a_patch(scene: Scene) -> None:
    await scene.approve()

    assert await scene.look() is ProposalStatus.OPENED
    assert await scene.look() is ProposalStatus.OPENED  # nobody has merged it yet
    await scene.flow.merge((await scene.proposal()).id, actor="ada")
    assert await scene.look() is ProposalStatus.OPENED  # merged, and not in the cluster yet
    assert await scene.look() is ProposalStatus.OPENED
    await scene.reconcile()
    assert await scene.look() is ProposalStatus.VERIFIED

    assert await scene.incident_status() is Status.RESOLVED
    assert scene.cluster.patches == []  # we never wrote to the cluster
    titles = await scene.titles()
    wanted = ["Approved", "Pull request opened", "Merged in", "Merged:", "Applied", "Verified"]
    assert [w for w in wanted if not any(t.startswith(w) for t in titles)] == []


async def test_a_crash_between_opening_and_recording_opens_no_second_one(scene: Scene) -> None:
    proposal = await scene.approve()
    scene.host.loses = 1

    with pytest.raises(ExceptionGroup):
        await scene.flow.remediate(proposal.id)
    scene.clock.move(60)  # whoever held it is gone
    await scene.flow.remediate(proposal.id)

    assert (await scene.proposal()).status is ProposalStatus.OPENED
    async with scene.store.view() as view:
        delivery = await view.remediation.delivery(proposal.id)
    assert delivery is not None
    assert delivery.request.number == 1
    assert len(list((scene.host.folder / "pulls").iterdir())) == 1


async def test_what_was_opened_before_a_crash_is_found_also_where_the_cluster_moved_on(
    scene: Scene,
) -> None:
    proposal = await scene.approve()
    scene.host.loses = 1
    with pytest.raises(ExceptionGroup):
        await scene.flow.remediate(proposal.id)

    scene.cluster.edit(TARGET, {"spec": {"replicas": 3}})
    scene.clock.move(60)
    await scene.flow.remediate(proposal.id)

    assert (await scene.proposal()).status is ProposalStatus.OPENED


async def test_an_object_that_changed_since_the_approval_opens_nothing(scene: Scene) -> None:
    proposal = await scene.approve()
    smaller = {"containers": [{"name": "app", "resources": {"limits": {"memory": "16Mi"}}}]}
    scene.cluster.edit(TARGET, {"spec": {"template": {"spec": smaller}}})

    await scene.flow.remediate(proposal.id)

    assert (await scene.proposal()).status is ProposalStatus.FAILED
    assert not (scene.host.folder / "pulls").exists()


async def test_closed_without_a_merge_is_a_no(scene: Scene) -> None:
    await scene.approve()
    await scene.look()

    await scene.host.close(1)

    assert await scene.look() is ProposalStatus.REJECTED
    assert await scene.incident_status() is not Status.REMEDIATING
    assert not await scene.is_waiting()
    async with scene.store.view() as view:
        outcome = await view.remediation.verification((await scene.proposal()).id)
    assert outcome is not None
    assert "closed without a merge" in outcome.reason


async def test_what_does_not_hold_is_taken_back_by_another_pull_request(scene: Scene) -> None:
    scene.cluster.lives = needs("512Mi")
    await scene.approve()
    await scene.look()
    await scene.host.merge(1)
    await scene.look()
    await scene.reconcile()

    assert await scene.look() is ProposalStatus.APPLIED  # it failed; its revert is open
    revert = await scene.host.state(2)
    assert revert.state is PullState.OPEN
    assert await scene.look() is ProposalStatus.APPLIED
    await scene.flow.merge((await scene.proposal()).id, actor="ada")
    assert await scene.look() is ProposalStatus.APPLIED  # merged, and not in the cluster yet
    await scene.reconcile()
    assert await scene.look() is ProposalStatus.REVERTED

    assert await scene.host.read(PATH, await scene.host.head("main")) == MANIFEST


async def a_revert_that_waits(scene: Scene) -> None:
    """Merged, carried, not held; what takes it back is open."""
    scene.cluster.lives = needs("512Mi")
    await scene.approve()
    await scene.look()
    await scene.host.merge(1)
    await scene.look()
    await scene.reconcile()
    assert await scene.look() is ProposalStatus.APPLIED


async def test_a_revert_that_the_cluster_never_carries_ends_with_a_reason(scene: Scene) -> None:
    await a_revert_that_waits(scene)
    await scene.host.merge(2)
    assert await scene.look() is ProposalStatus.APPLIED

    scene.clock.move(CARRY_US / 1_000_000)

    assert await scene.look() is ProposalStatus.FAILED
    assert not await scene.is_waiting()
    async with scene.store.view() as view:
        outcome = await view.remediation.verification((await scene.proposal()).id)
    assert outcome is not None
    assert "reconciler" in outcome.reason


async def test_an_incident_may_be_resolved_by_hand_while_people_look_at_the_revert(
    scene: Scene,
) -> None:
    await a_revert_that_waits(scene)

    await scene.flow.resolve(scene.incident_id, resolution="else", actor="ada")
    await scene.host.merge(2)
    await scene.look()
    await scene.reconcile()

    assert await scene.look() is ProposalStatus.REVERTED
    assert await scene.incident_status() is Status.RESOLVED


async def test_a_revert_that_people_close_leaves_the_change_and_says_so(scene: Scene) -> None:
    scene.cluster.lives = needs("512Mi")
    await scene.approve()
    await scene.look()
    await scene.host.merge(1)
    await scene.look()
    await scene.reconcile()
    await scene.look()

    await scene.host.close(2)

    assert await scene.look() is ProposalStatus.FAILED
    assert "Could not be reverted" in await scene.titles()


async def test_a_file_that_changed_since_the_proposal_gets_a_new_diff_to_review(
    scene: Scene,
) -> None:
    proposal = await scene.proposal()
    other = FileEdit(path=PATH, before=MANIFEST, after=MANIFEST.replace("# the demo", "# ours"))
    request = await scene.host.open_change(
        branch="other", base="main", edits=[other], title="", body=""
    )
    await scene.host.merge(request.number)

    with pytest.raises(Conflict, match="review the new diff"):
        await scene.approve()

    fresh = (await scene.proposals())[-1]
    assert fresh.digest != proposal.digest
    assert fresh.status is ProposalStatus.PROPOSED


async def test_a_merge_that_the_cluster_never_carries_ends_with_a_reason(scene: Scene) -> None:
    await scene.approve()
    await scene.look()
    await scene.host.merge(1)
    await scene.look()

    scene.clock.move(CARRY_US / 1_000_000)

    assert await scene.look() is ProposalStatus.FAILED
    async with scene.store.view() as view:
        outcome = await view.remediation.verification((await scene.proposal()).id)
    assert outcome is not None
    assert "reconciler" in outcome.reason


async def test_an_incident_may_be_resolved_by_hand_while_people_look_at_the_request(
    scene: Scene,
) -> None:
    await scene.approve()
    await scene.look()

    await scene.flow.resolve(scene.incident_id, resolution="else", actor="ada")

    assert await scene.look() is ProposalStatus.FAILED
    assert not await scene.is_waiting()
    assert (await scene.host.state(1)).state is PullState.OPEN


async def test_a_digest_holds_for_the_very_files(scene: Scene) -> None:
    proposal = await scene.proposal()
    assert proposal.pull is not None
    edit = msgspec.structs.replace(proposal.pull.edits[0], after="kind: Nothing\n")
    forged = msgspec.structs.replace(
        proposal, pull=msgspec.structs.replace(proposal.pull, edits=(edit,))
    )

    assert digest_of(proposal, proposal.pull) == proposal.digest
    assert digest_of(forged, forged.pull) != proposal.digest


async def test_a_revert_leaves_what_others_committed_to_the_file_since(scene: Scene) -> None:
    scene.cluster.lives = needs("512Mi")
    await scene.approve()
    await scene.look()
    await scene.host.merge(1)
    await scene.look()
    await scene.reconcile()
    merged = await scene.host.read(PATH, await scene.host.head("main"))
    theirs = FileEdit(path=PATH, before=merged, after=merged.replace("# the demo", "# ours now"))
    other = await scene.host.open_change(
        branch="other", base="main", edits=[theirs], title="", body=""
    )
    await scene.host.merge(other.number)

    await scene.look()
    revert = await scene.host.state(3)
    text = await scene.host.read(PATH, await scene.host.head(revert.branch))

    assert text == MANIFEST.replace("# the demo", "# ours now")


@pytest.mark.parametrize("takes_back", [False, True])
async def test_a_host_that_has_had_enough_of_us_is_left_alone_for_a_while(
    scene: Scene, takes_back: bool
) -> None:
    if takes_back:
        await a_revert_that_waits(scene)
    else:
        await scene.approve()
        await scene.look()
    status = (await scene.proposal()).status

    scene.host.is_busy = True

    assert await scene.look() is status
    scene.clock.move(60)
    async with scene.store.transaction() as tx:
        due = await tx.jobs.take(REMEDIATE, owner="w", now_us=scene.clock.now_us(), lease_us=1)
    assert due is None
    assert await scene.is_waiting()


async def test_what_is_merged_after_the_incident_was_resolved_is_verified_all_the_same(
    scene: Scene,
) -> None:
    await scene.approve()
    await scene.look()
    await scene.host.merge(1)
    await scene.look()

    await scene.flow.resolve(scene.incident_id, resolution="else", actor="ada")
    await scene.reconcile()

    assert await scene.look() is ProposalStatus.VERIFIED
    assert not await scene.is_waiting()
    async with scene.store.view() as view:
        assert (await view.incidents.get(scene.incident_id)).resolution == "else"


async def test_only_a_request_that_waits_for_its_merge_is_merged_here(scene: Scene) -> None:
    proposal = await scene.approve()
    await scene.look()
    await scene.flow.resolve(scene.incident_id, resolution="else", actor="ada")
    await scene.look()

    with pytest.raises(Conflict, match="failed"):
        await scene.flow.merge(proposal.id, actor="ada")

    assert (await scene.host.state(1)).state is PullState.OPEN


# ----------------------------------------------------------------- a host that turns us away

AWAY = [
    pytest.param(Refused("GitHub answered 401: Bad credentials"), id="a token that expired"),
    pytest.param(NotFound("GitHub answered 404"), id="a repository that was moved"),
]


@pytest.mark.parametrize("error", AWAY)
@pytest.mark.parametrize("takes_back", [False, True])
async def test_a_host_that_turns_us_away_is_said_once_and_asked_ever_more_rarely(
    scene: Scene, error: CopilotError, takes_back: bool
) -> None:
    if takes_back:
        await a_revert_that_waits(scene)
    else:
        await scene.approve()
        await scene.look()
    status = (await scene.proposal()).status
    scene.host.refuses = error

    assert await scene.look() is status
    assert await scene.look() is status
    pauses = [await scene.pause_s() for _ in range(2) if await scene.look() is status]

    said = [title for title in await scene.titles() if title.startswith("Cannot be followed")]
    assert len(said) == 1
    assert pauses == [4.0, 8.0]
    assert error.message in await scene.trouble()


@pytest.mark.parametrize("error", AWAY)
async def test_a_host_that_turns_us_away_for_good_ends_with_a_reason(
    scene: Scene, error: CopilotError
) -> None:
    proposal = await scene.approve()
    await scene.look()
    scene.host.refuses = error
    await scene.look()

    scene.clock.move((proposal.expires_us - scene.clock.now_us()) / 1_000_000 + 3600)

    assert await scene.look() is ProposalStatus.FAILED
    assert not await scene.is_waiting()
    assert "what became of pull request 1 cannot be seen" in await scene.last_detail()


async def test_a_revert_that_cannot_be_seen_any_more_is_not_said_to_be_back(scene: Scene) -> None:
    await a_revert_that_waits(scene)
    scene.host.refuses = Refused("GitHub answered 401")
    await scene.look()

    scene.clock.move(2 * 86_400)

    assert await scene.look() is ProposalStatus.FAILED
    assert not await scene.is_waiting()


async def test_a_host_that_lets_us_in_again_is_followed_as_before(scene: Scene) -> None:
    await scene.approve()
    await scene.look()
    scene.host.refuses = Refused("GitHub answered 401")
    await scene.look()
    scene.host.refuses = None

    assert await scene.look() is ProposalStatus.OPENED

    assert await scene.trouble() == ""


async def test_a_branch_that_people_delete_once_it_is_merged_is_no_trouble(scene: Scene) -> None:
    proposal = await scene.approve()
    await scene.look()
    request = await scene.host.state(1)
    await scene.flow.merge(proposal.id, actor="ada")
    await scene.host._git("update-ref", "-d", f"refs/heads/{request.branch}")
    await scene.reconcile()

    await scene.look()

    assert await scene.look() is ProposalStatus.VERIFIED
