"""Leg 3 over a real store: what is approved is done, and proven or taken back, for every kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from copilot.detect.rules import RULES
from copilot.domain.action import (
    Action,
    ChaosMemory,
    RerunJob,
    RestoreConfigMap,
    SetConfigValue,
    SetQuota,
    SetSelector,
)
from copilot.domain.case import Case
from copilot.domain.errors import Conflict, Unavailable
from copilot.domain.hypothesis import Findings
from copilot.domain.incident import IncidentId, Status
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Applied, Draft, Proposal, ProposalStatus, Verification, Way
from copilot.flow import Flow
from copilot.journal import Journal
from copilot.local import LocalAgents
from copilot.ports import Store
from copilot.remediate.freezes import Freeze
from copilot.remediate.policy import Guardrail, Mode, Policy
from tests.builders_objects import a_container, a_deployment
from tests.builders_store import opened
from tests.builders_workloads import (
    Json,
    a_config_map,
    a_failed_job,
    a_quota,
    a_service,
    an_object,
    ref,
)
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster

SERVICE = ref("Service")
JOB = ref("Job", "load")
WEB = ObjectRef(kind="Deployment", namespace="demo", name="oom-demo")
TO_SHOP = SetSelector(target=SERVICE, entries=(("app", "shop"), ("tier", None)))


class Advised(LocalAgents):
    """The agents, but what is suggested is said by the test."""

    action: Action
    approvals_needed: int = 1

    async def recheck(self, proposal: Proposal) -> Proposal:
        fresh = await super().recheck(proposal)
        return msgspec.structs.replace(
            fresh, approvals_needed=max(self.approvals_needed, fresh.approvals_needed)
        )

    async def chaos(self, action: ChaosMemory) -> Applied:
        raise Unavailable("the answer was lost")

    async def propose(self, case: Case, findings: Findings) -> tuple[Proposal, ...]:
        draft = Draft(action=self.action, title="t", why="w", evidence=(), hypothesis="H1")
        return (await self._prepare(draft, case.incident),)


@dataclass
class Scene:
    """An open incident of a workload, on a cluster in memory."""

    flow: Flow
    store: Store
    cluster: FakeCluster
    agents: Advised
    incident_id: IncidentId

    async def proposals(self) -> tuple[Proposal, ...]:
        async with self.store.view() as view:
            return await view.remediation.of_incident(self.incident_id)

    async def proposal(self) -> Proposal:
        return (await self.proposals())[-1]

    async def approve(self, actor: str = "ada") -> None:
        proposal = await self.proposal()
        await self.flow.approve(proposal.id, digest=proposal.digest, reason="", actor=actor)

    async def fixed(self) -> Verification:
        """What comes of approving the newest proposal."""
        await self.approve()
        verification = await self.flow.remediate((await self.proposal()).id)
        assert verification is not None
        return verification

    async def status(self) -> Status:
        async with self.store.view() as view:
            return (await view.incidents.get(self.incident_id)).status

    async def told(self) -> list[str]:
        async with self.store.view() as view:
            return [e.title for e in await view.incidents.timeline(self.incident_id)]

    async def audited(self) -> list[str]:
        async with self.store.view() as view:
            return [row.action for row in reversed(await view.audit.rows(limit=50))]


@asynccontextmanager
async def a_scene(
    folder: Path,
    action: Action,
    workload: ObjectRef,
    *objects: Json,
    policy: Policy | None = None,
    prepared: Callable[[FakeCluster], None] = lambda cluster: None,
) -> AsyncIterator[Scene]:
    clock = FixedClock()
    cluster = FakeCluster(clock)
    for thing in objects:
        cluster.put(thing["kind"], thing)
    prepared(cluster)
    clock.move(60)
    store = await opened(folder / "copilot.db", clock=clock)
    await store.migrate()
    agents = Advised(
        store=store,
        clock=clock,
        cluster=cluster,
        policy=policy or Policy(),
        model=None,
        notifiers={},
    )
    agents.action = action
    journal = Journal(cluster="home")
    flow = Flow(
        store=store,
        agents=agents,
        clock=clock,
        journal=journal,
        rules=RULES,
        cluster=cluster,
        policy=policy,
    )
    incident = await flow.open_by_hand(workload, title="it fails", actor="ada")
    await flow.investigate(incident.id)
    yield Scene(flow=flow, store=store, cluster=cluster, agents=agents, incident_id=incident.id)
    await store.close()


def a_ready_pod(name: str = "web-1", **labels: str) -> Json:
    pod = an_object("Pod", name, labels=labels or {"app": "shop"}, spec={"containers": []})
    status = {"name": "app", "ready": True, "containerID": "c1", "state": {"running": {}}}
    pod["status"] = {"phase": "Running", "containerStatuses": [status]}
    return pod


def a_web() -> Json:
    tree: Json = msgspec.json.decode(msgspec.json.encode(a_deployment(containers=[a_container()])))
    return tree | {"kind": "Deployment"}


def one_port() -> Json:
    return a_service(ports=[{"port": 80, "targetPort": 8080}])


async def test_a_selector_that_finds_its_pods_again_resolves_the_incident(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TO_SHOP, SERVICE, one_port(), a_ready_pod()) as scene:
        verification = await scene.fixed()

        assert verification.held, verification.reason
        assert scene.cluster.the(SERVICE)["spec"]["selector"] == {"app": "shop"}
        assert await scene.status() is Status.RESOLVED
        assert (await scene.proposal()).status is ProposalStatus.VERIFIED


async def test_a_selector_that_finds_nobody_is_taken_back(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TO_SHOP, SERVICE, one_port()) as scene:
        verification = await scene.fixed()

        assert not verification.held
        assert verification.reverted
        assert "none of the 0 pods that Service web selects is ready" in verification.reason
        assert scene.cluster.the(SERVICE)["spec"]["selector"] == {"app": "web", "tier": "x"}
        assert await scene.status() is Status.INVESTIGATING


async def test_every_step_is_told_and_audited(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TO_SHOP, SERVICE, one_port()) as scene:
        await scene.fixed()

        steps = ("proposal.made", "proposal.approved", "action.applied")
        ends = ("action.failed_verification", "action.reverted")
        assert [a for a in await scene.audited() if a in (*steps, *ends)] == [*steps, *ends]
        assert "Reverted: t" in await scene.told()


def without_pods(cluster: FakeCluster) -> None:
    """The quota refuses them; lifting it lets them in."""
    cluster.rolls_out = False
    for key in [key for key in cluster.objects if key.startswith("Pod/")]:
        del cluster.objects[key]

    def let_in(after: Json) -> None:
        if after["kind"] == "ResourceQuota":
            cluster.rolls_out = True
        elif cluster.rolls_out and after["kind"] == "Deployment":
            cluster.after_write.clear()
            cluster.put("Deployment", after)

    cluster.after_write.append(let_in)


async def test_a_quota_that_was_too_small_lets_the_pods_in(tmp_path: Path) -> None:
    quota = a_quota(pods="4")
    quota["metadata"]["namespace"] = "demo"
    target = ref("ResourceQuota", "quota", "demo")
    action = SetQuota(target=target, entries=(("pods", "8"),))
    web = a_web()
    async with a_scene(tmp_path, action, WEB, quota, web, prepared=without_pods) as scene:
        verification = await scene.fixed()

        assert verification.held, verification.reason
        assert verification.reason.startswith("1 of 1 pods ran 15 s")
        assert scene.cluster.the(target)["spec"]["hard"] == {"pods": "8"}


async def test_a_quota_that_helps_nothing_is_taken_back_with_all_it_touched(
    tmp_path: Path,
) -> None:
    quota = a_quota(pods="4")
    quota["metadata"]["namespace"] = "demo"
    target = ref("ResourceQuota", "quota", "demo")
    action = SetQuota(target=target, entries=(("pods", "8"),))
    web = a_web()

    def stays_shut(cluster: FakeCluster) -> None:
        without_pods(cluster)
        cluster.after_write.clear()

    async with a_scene(tmp_path, action, WEB, quota, web, prepared=stays_shut) as scene:
        verification = await scene.fixed()

        assert verification.reverted, verification.reason
        assert scene.cluster.the(target)["spec"]["hard"] == {"pods": "4"}
        touched = scene.cluster.the(WEB)["metadata"].get("annotations", {})
        assert "incident-copilot.io/touched" not in touched


def ends(how: str) -> Callable[[FakeCluster], None]:
    def prepared(cluster: FakeCluster) -> None:
        def end(after: Json) -> None:
            if after["kind"] == "Job":
                after["status"] = {"conditions": [{"type": how, "status": "True", "reason": "X"}]}

        cluster.after_write.append(end)

    return prepared


async def test_a_job_that_completes_when_run_again_resolves_the_incident(tmp_path: Path) -> None:
    job = a_failed_job()
    async with a_scene(
        tmp_path, RerunJob(target=JOB), JOB, job, prepared=ends("Complete")
    ) as scene:
        verification = await scene.fixed()

        assert verification.held
        assert verification.reason == "Job load completed; the rule is silent"
        assert await scene.status() is Status.RESOLVED


async def test_a_job_that_fails_again_stays_and_says_why(tmp_path: Path) -> None:
    job = a_failed_job()
    async with a_scene(tmp_path, RerunJob(target=JOB), JOB, job, prepared=ends("Failed")) as scene:
        verification = await scene.fixed()

        assert not verification.reverted
        assert "Job load failed: X; it stays: what a run has done is done" in verification.reason
        assert (await scene.proposal()).status is ProposalStatus.FAILED


async def test_a_value_that_helps_nothing_is_taken_back_with_its_rollout(tmp_path: Path) -> None:
    config = a_config_map()
    config["metadata"]["namespace"] = "demo"
    target = ref("ConfigMap", "cfg", "demo")
    web = a_web()
    web["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [
        {"configMapRef": {"name": "cfg"}}
    ]
    action = SetConfigValue(target=target, key="k", value="2")

    def dies(cluster: FakeCluster) -> None:
        cluster.lives = lambda template: 2.0

    async with a_scene(tmp_path, action, WEB, config, web, prepared=dies) as scene:
        before = scene.cluster.the(WEB)["spec"]["template"]
        verification = await scene.fixed()

        assert verification.reverted, verification.reason
        assert "was OOMKilled" in verification.reason
        assert scene.cluster.the(target)["data"]["k"] == "1"
        assert scene.cluster.the(WEB)["spec"]["template"] == before


ROUTES = ObjectRef(kind="ConfigMap", namespace="demo", name="routes")
RESTORE = RestoreConfigMap(target=ROUTES, data=(("table", "/"),))


async def test_a_config_map_that_was_deleted_is_made_again_and_proven_by_its_reader(
    tmp_path: Path,
) -> None:
    async with a_scene(tmp_path, RESTORE, WEB, a_web()) as scene:
        verification = await scene.fixed()

        assert verification.held, verification.reason
        assert scene.cluster.the(ROUTES)["data"] == {"table": "/"}
        assert await scene.status() is Status.RESOLVED


async def test_a_config_map_that_does_not_help_is_deleted_again(tmp_path: Path) -> None:
    def dies(cluster: FakeCluster) -> None:
        cluster.lives = lambda template: 2.0

    async with a_scene(tmp_path, RESTORE, WEB, a_web(), prepared=dies) as scene:
        verification = await scene.fixed()

        assert verification.reverted, verification.reason
        assert ROUTES.key not in scene.cluster.objects
        assert (await scene.proposal()).status is ProposalStatus.REVERTED


async def test_a_high_risk_takes_two_people_where_that_is_wanted(tmp_path: Path) -> None:
    policy = Policy(wants_second_approver=True)
    job = a_failed_job()
    async with a_scene(tmp_path, RerunJob(target=JOB), JOB, job, policy=policy) as scene:
        await scene.approve("ada")
        await scene.approve("ada")
        after_one = await scene.status()
        await scene.approve("bob")

        assert after_one is Status.AWAITING_APPROVAL
        assert await scene.status() is Status.REMEDIATING
        assert [t for t in await scene.told() if t.startswith("Approved")] == [
            "Approved: t (1 of 2 approvals)",
            "Approved: t (2 of 2 approvals)",
        ]


async def test_what_was_approved_is_not_done_in_a_freeze_that_began_since(tmp_path: Path) -> None:
    begins_us = FixedClock().now_us() + 120_000_000
    freeze = Freeze(since_us=begins_us, until_us=begins_us + 3_600_000_000, reason="big sale")
    policy = Policy(freezes=(freeze,))
    async with a_scene(tmp_path, TO_SHOP, SERVICE, one_port(), policy=policy) as scene:
        await scene.approve()
        scene.cluster.clock.move(90)

        assert await scene.flow.remediate((await scene.proposal()).id) is None

        assert scene.cluster.patches == []
        async with scene.store.view() as view:
            outcome = await view.remediation.verification((await scene.proposal()).id)
        assert outcome is not None
        assert "big sale" in outcome.reason


async def test_a_yes_does_not_count_where_more_people_are_asked_by_now(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TO_SHOP, SERVICE, one_port()) as scene:
        before = await scene.proposal()

        scene.agents.approvals_needed = 2
        with pytest.raises(Conflict) as refused:
            await scene.approve()

        fresh = await scene.proposal()
        assert refused.value.detail["proposal_id"] == fresh.id != before.id
        assert fresh.approvals_needed == 2
        await scene.approve("ada")
        assert await scene.status() is Status.AWAITING_APPROVAL


RAIL = Policy(
    mode=Mode.AUTONOMOUS,
    guardrails=(Guardrail(action="set_selector", resource="Service/shop/*"),),
)


async def test_what_a_guardrail_names_is_applied_without_a_person_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TO_SHOP, SERVICE, one_port(), policy=RAIL) as scene:
        proposal = await scene.proposal()
        async with scene.store.view() as view:
            (approval,) = await view.remediation.approvals(proposal.id)
            acknowledged = (await view.incidents.get(scene.incident_id)).acknowledged_by
        await scene.flow.remediate(proposal.id)
        await scene.flow.investigate(scene.incident_id)

        assert approval.approver == "guardrail"
        assert approval.reason == "guardrail set_selector:Service/shop/*"
        assert not acknowledged
        assert [p.status for p in await scene.proposals()] == [
            ProposalStatus.REVERTED,
            ProposalStatus.PROPOSED,
        ]
        assert await scene.status() is Status.AWAITING_APPROVAL


async def test_a_guardrail_that_was_taken_away_lets_nothing_go_any_more(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TO_SHOP, SERVICE, one_port()) as scene:
        proposal = await scene.proposal()
        covered = msgspec.structs.replace(proposal, guardrail="set_selector:Service/shop/*")
        async with scene.store.transaction() as tx:
            await tx.remediation.move(
                proposal.id, to=ProposalStatus.SUPERSEDED, expected=ProposalStatus.PROPOSED
            )
            await tx.remediation.add(covered)  # as it was made while the guardrail held
        await scene.flow.investigate(scene.incident_id)

        assert (await scene.proposal()).status is ProposalStatus.PROPOSED
        assert await scene.status() is Status.AWAITING_APPROVAL


async def test_what_no_guardrail_names_waits_for_a_person(tmp_path: Path) -> None:
    policy = Policy(mode=Mode.AUTONOMOUS)
    async with a_scene(tmp_path, TO_SHOP, SERVICE, one_port(), policy=policy) as scene:
        assert await scene.status() is Status.AWAITING_APPROVAL


async def test_what_git_keeps_is_refused_here_and_marked_for_there(tmp_path: Path) -> None:
    service = one_port()
    service["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "apps"}
    async with a_scene(tmp_path, TO_SHOP, SERVICE, service, a_ready_pod()) as scene:
        proposal = await scene.proposal()

        assert proposal.status is ProposalStatus.REFUSED
        assert proposal.way is Way.PULL_REQUEST
        assert proposal.refusal.endswith("change it in Git")
        assert proposal.dry_run is not None
        assert "+    app: shop" in proposal.dry_run.diff


async def test_who_asked_for_chaos_is_known_whatever_came_of_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TO_SHOP, SERVICE, one_port()) as scene:
        with pytest.raises(Unavailable):
            await scene.flow.chaos(WEB, "app", "24Mi", "ada")

        of_chaos = [action for action in await scene.audited() if action.startswith("chaos.")]
        assert of_chaos == ["chaos.asked"]
