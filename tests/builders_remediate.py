"""Proposals and claims for tests, made by the product's own steps on a `FakeCluster`."""

from __future__ import annotations

from collections.abc import Iterable

from copilot.domain.action import Action, SetMemory
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.incident import IncidentId
from copilot.domain.objects import ObjectRef, epoch_us
from copilot.domain.proposal import ActionState, Applied, Claim, Draft, Proposal, ProposalStatus
from copilot.remediate.policy import Policy
from copilot.remediate.propose import prepare
from tests.builders_objects import a_container, a_deployment, a_node
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster, Json, Lives

TARGET = ObjectRef(kind="Deployment", namespace="demo", name="oom-demo")


def a_cluster(
    clock: FixedClock, *, lives: Lives = lambda template: None, replicas: int = 1
) -> FakeCluster:
    """A demo namespace with `oom-demo` (limit 32Mi) that has run for a minute, and one node."""
    cluster = FakeCluster(clock, lives=lives)
    cluster.put("Namespace", a_namespace(labels={"incident-copilot.io/demo": "true"}))
    cluster.put("Node", a_node(memory="4Gi"))
    cluster.put("Deployment", a_deployment(replicas=replicas, containers=[a_container()]))
    clock.move(60)
    return cluster


def a_namespace(
    name: str = "demo", labels: dict[str, str] | None = None
) -> dict[str, dict[str, object]]:
    return {"metadata": {"name": name, "uid": f"uid-ns-{name}", "labels": labels or {}}}


def to_memory(limit: str = "64Mi") -> SetMemory:
    return SetMemory(target=TARGET, container="app", limit=limit)


def a_draft(action: Action | None = None) -> Draft:
    return Draft(
        action=action or to_memory(),
        title="Set the memory limit of app from 32Mi to 64Mi",
        why="One step up.",
        evidence=("E1",),
        hypothesis="H1",
    )


async def a_proposal(
    cluster: FakeCluster,
    action: Action | None = None,
    *,
    policy: Policy | None = None,
    incident_id: int = 1,
    workload: ObjectRef | None = None,
) -> Proposal:
    """As `prepare` makes it, now."""
    return await prepare(
        a_draft(action),
        incident_id=IncidentId(incident_id),
        cluster=cluster,
        policy=policy or Policy(),
        now_us=cluster.clock.now_us(),
        workload=workload,
    )


def a_claim(
    proposal: Proposal,
    *,
    state: ActionState = ActionState.CLAIMED,
    applied: Applied | None = None,
) -> Claim:
    return Claim(
        proposal=proposal,
        owner="worker-1",
        fence=1,
        state=state,
        applied_us=applied.at_us if applied else 0,
        applied_version=applied.resource_version if applied else "",
    )


def oom_rule(seen: Seen) -> Iterable[Alert]:
    """Fires for every pod whose status tells of a kill, the last one or the present one."""
    for pod in seen.pods:
        for status in pod.status.container_statuses or ():
            for state in (status.state, status.last_state):
                if state and state.terminated and state.terminated.reason == "OOMKilled":
                    ended_us = epoch_us(state.terminated.finished_at)
                    yield an_alert(seen, pod.metadata.name, last_us=ended_us)


def an_alert(seen: Seen, pod: str, *, last_us: int, rule: Rule = Rule.OOM_KILLED) -> Alert:
    return Alert(
        fingerprint="f1",
        rule=rule,
        cluster=seen.cluster,
        workload=TARGET,
        pod=pod,
        container="app",
        node="dev",
        severity=2,
        title=f"{pod} is in trouble",
        message="",
        starts_us=last_us,
        last_us=last_us,
        count=1,
        source="pod status",
    )


def a_cluster_with(*objects: Json) -> FakeCluster:
    cluster = FakeCluster(FixedClock())
    for thing in objects:
        cluster.put(thing["kind"], thing)
    return cluster


async def proposed(
    cluster: FakeCluster, action: Action, workload: ObjectRef | None = None
) -> Proposal:
    proposal = await a_proposal(cluster, action, workload=workload)
    assert proposal.status is ProposalStatus.PROPOSED, proposal.refusal
    return proposal


def again(proposal: Proposal) -> Claim:
    """By a worker that took over after a crash."""
    claim = a_claim(proposal)
    return Claim(proposal=proposal, owner="worker-2", fence=2, state=claim.state)
