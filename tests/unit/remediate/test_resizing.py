"""A pod that stands alone is given more where it runs: once, proven by what it has, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from copilot.domain.action import Action, SetImage, SetMemory, SetResources
from copilot.domain.errors import Invalid, Refused, Unavailable
from copilot.domain.proposal import (
    ActionState,
    Applied,
    Claim,
    Proposal,
    ProposalStatus,
    Resize,
    Risk,
    Verification,
)
from copilot.remediate.apply import apply
from copilot.remediate.resizing import impossible, outstanding, resized_us
from copilot.remediate.revert import revert
from copilot.remediate.verify import verify
from tests.builders_remediate import a_claim, a_proposal, oom_rule
from tests.builders_workloads import Json, an_object, ref
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster, Trouble

POD = ref("Pod", "worker")
TO_64 = SetMemory(target=POD, container="app", limit="64Mi")
RUNS: Json = {"running": {"startedAt": "2026-11-01T07:00:00Z"}}
SLEEPS: Json = {"waiting": {"reason": "CrashLoopBackOff"}}
OWNED = [{"kind": "ReplicaSet", "name": "web-1", "uid": "u", "controller": True}]


def a_pod(*, policy: str = "", state: Json = RUNS, **metadata: object) -> Json:
    resources = {"limits": {"memory": "32Mi", "cpu": "100m"}, "requests": {"memory": "16Mi"}}
    container: Json = {"name": "app", "image": "shop/worker:1", "resources": resources}
    if policy:
        container["resizePolicy"] = [{"resourceName": "memory", "restartPolicy": policy}]
    status: Json = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {
                "name": "app",
                "ready": state is RUNS,
                "restartCount": 3,
                "containerID": "c3",
                "state": state,
                "resources": resources,
            }
        ],
    }
    pod = an_object(
        "Pod", "worker", generation=1, spec={"containers": [container]}, status=status, **metadata
    )
    pod["metadata"]["creationTimestamp"] = "2026-11-01T07:00:00Z"
    return pod


def kubelet(pod: Json) -> None:
    """Gives a pod at once what it asks for."""
    for status, container in zip(
        pod["status"]["containerStatuses"], pod["spec"]["containers"], strict=True
    ):
        status["resources"] = container["resources"]


class WakingClock(FixedClock):
    """Something happens while somebody sleeps."""

    def __init__(self, *, after_s: float, wakes: Callable[[], None]) -> None:
        super().__init__()
        self.due_us = self.now_us() + round(after_s * 1_000_000)
        self._wakes = wakes

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self.now_us() >= self.due_us:
            self._wakes()


@dataclass
class Stage:
    cluster: FakeCluster
    clock: FixedClock
    claim: Claim
    applied: Applied

    async def verified(self) -> Verification:
        return await verify(
            self.claim,
            self.applied,
            check=oom_rule,
            cluster=self.cluster,
            clock=self.clock,
            cluster_name="lab",
            ttf_us=0,
            progress=silent,
        )


async def silent(text: str) -> None:
    assert text


def a_cluster(pod: Json | None = None, by: Callable[[Json], None] = kubelet) -> FakeCluster:
    cluster = FakeCluster(FixedClock(), after_write=[by])
    cluster.put("Pod", pod or a_pod())
    return cluster


async def proposed(
    action: Action = TO_64, *, cluster: FakeCluster | None = None, pod: Json | None = None
) -> Proposal:
    return await a_proposal(cluster or a_cluster(pod), action)


async def applied_to(cluster: FakeCluster) -> Stage:
    proposal = await proposed(cluster=cluster)
    assert proposal.status is ProposalStatus.PROPOSED, proposal.refusal
    done = await apply(a_claim(proposal), cluster, cluster.clock)
    claim = a_claim(proposal, state=ActionState.APPLIED, applied=done)
    return Stage(cluster, cluster.clock, claim, done)


def memory(cluster: FakeCluster) -> str:
    (container,) = cluster.the(POD)["spec"]["containers"]
    return str(container["resources"]["limits"]["memory"])


# ----------------------------------------------------------------- what is offered


async def test_more_memory_for_a_pod_that_stands_alone_replaces_nothing() -> None:
    cluster = a_cluster()

    proposal = await proposed(cluster=cluster)

    assert proposal.status is ProposalStatus.PROPOSED, proposal.refusal
    assert proposal.risk is Risk.LOW
    assert proposal.disruption == "the pod goes on; it is resized where it runs"
    assert proposal.dry_run is not None
    assert "+        memory: 64Mi" in proposal.dry_run.diff
    assert memory(cluster) == "32Mi"


async def test_the_command_is_one_that_people_can_run() -> None:
    proposal = await proposed()

    assert proposal.command == (
        "kubectl -n shop patch pod worker --subresource resize --type strategic -p "
        '\'{"spec":{"containers":[{"name":"app","resources":{"limits":{"memory":"64Mi"}}}]}}\''
    )


async def test_a_container_that_wants_a_restart_for_it_is_a_disruption() -> None:
    proposal = await proposed(pod=a_pod(policy="RestartContainer"))

    assert proposal.disruption == "app is restarted in its pod, as its resizePolicy says"
    assert proposal.risk is Risk.MEDIUM


async def test_a_server_without_the_subresource_is_not_asked_to_resize() -> None:
    cluster = a_cluster()
    cluster.resizes_pods = False

    proposal = await proposed(cluster=cluster)

    assert proposal.status is ProposalStatus.REFUSED
    assert "no pods/resize in its discovery" in proposal.refusal


@pytest.mark.parametrize(
    ("pod", "action", "why"),
    [
        pytest.param(
            a_pod(ownerReferences=OWNED),
            TO_64,
            "is made by ReplicaSet web-1: what is changed in the pod alone is gone with it",
            id="a pod of a workload",
        ),
        pytest.param(
            a_pod(annotations={"kubernetes.io/config.mirror": "x"}),
            TO_64,
            "is run by its node from a file",
            id="a static pod",
        ),
        pytest.param(
            a_pod() | {"status": {"phase": "Failed"}}, TO_64, "is over", id="a pod that is over"
        ),
        pytest.param(
            a_pod(),
            SetImage(target=POD, container="app", image="shop/worker:2"),
            "is not changed, it is made anew",
            id="another image",
        ),
        pytest.param(
            a_pod(),
            SetResources(target=POD, container="app", limits=(("ephemeral-storage", "1Gi"),)),
            "ephemeral-storage of a running pod cannot be changed",
            id="another resource",
        ),
        pytest.param(
            a_pod(),
            SetResources(target=POD, container="app", requests=(("cpu", "10m"),)),
            "may be changed, not taken away",
            id="a request where there was none",
        ),
    ],
)
async def test_what_would_not_last_or_cannot_be_is_refused(
    pod: Json, action: Action, why: str
) -> None:
    proposal = await proposed(action, pod=pod)

    assert proposal.status is ProposalStatus.REFUSED
    assert why in proposal.refusal


# ----------------------------------------------------------------- done once


async def test_it_is_done_when_the_container_runs() -> None:
    cluster = a_cluster(a_pod(state=SLEEPS))
    proposal = await proposed(cluster=cluster)

    def wakes() -> None:
        cluster.the(POD)["status"]["containerStatuses"][0]["state"] = RUNS

    clock = WakingClock(after_s=20, wakes=wakes)
    cluster.clock = clock

    done = await apply(a_claim(proposal), cluster, clock)

    assert cluster.resized_runs == [RUNS]
    assert done.at_us == clock.now_us() >= clock.due_us
    assert memory(cluster) == "64Mi"


async def test_a_try_that_was_cut_before_the_resize_goes_on_with_it() -> None:
    cluster = a_cluster()
    proposal = await proposed(cluster=cluster)
    cluster.troubles = [Trouble(method="resize", error=Unavailable("cut"))] * 6
    with pytest.raises(Unavailable):
        await apply(a_claim(proposal), cluster, cluster.clock)

    await apply(a_claim(proposal), cluster, cluster.clock)

    assert memory(cluster) == "64Mi"
    assert len(cluster.resized_runs) == 1


async def test_a_lost_answer_leads_to_no_second_resize() -> None:
    cluster = a_cluster()
    proposal = await proposed(cluster=cluster)
    cluster.troubles = [Trouble(method="resize", error=Unavailable("cut"), after_all=True)]

    await apply(a_claim(proposal), cluster, cluster.clock)
    await apply(a_claim(proposal), cluster, cluster.clock)

    assert len(cluster.resized_runs) == 1


# ----------------------------------------------------------------- proven


async def test_it_holds_once_the_pod_has_what_was_asked_for_and_stays_quiet() -> None:
    stage = await applied_to(a_cluster())

    verification = await stage.verified()

    assert verification.held, verification.reason


async def test_a_kubelet_that_has_not_done_it_is_waited_for_to_the_end() -> None:
    stage = await applied_to(a_cluster(by=lambda pod: None))

    verification = await stage.verified()

    assert not verification.held
    assert "its kubelet has not given app a memory limit of 64Mi yet" in verification.reason


async def test_a_node_that_cannot_do_it_ends_it_at_once() -> None:
    def full(pod: Json) -> None:
        condition = {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}
        pod["status"]["conditions"].append({**condition, "message": "Node didn't have enough"})

    stage = await applied_to(a_cluster(by=full))

    verification = await stage.verified()

    assert not verification.held
    assert verification.reason == "its node cannot do it: Node didn't have enough"
    assert stage.clock.now_us() - stage.applied.at_us < 5_000_000


async def test_a_resize_by_somebody_else_ends_it() -> None:
    stage = await applied_to(a_cluster())
    stage.cluster.the(POD)["spec"]["containers"][0]["resources"]["limits"]["memory"] = "48Mi"

    verification = await stage.verified()

    assert not verification.held
    assert "somebody else changed it" in verification.reason


async def test_a_run_that_began_after_the_resize_and_died_is_a_failure() -> None:
    stage = await applied_to(a_cluster())
    status = stage.cluster.the(POD)["status"]["containerStatuses"][0]
    died = {"exitCode": 137, "reason": "OOMKilled", "startedAt": "2030-01-01T00:00:00Z"}
    status["lastState"] = {"terminated": {**died, "finishedAt": "2030-01-01T00:00:04Z"}}

    verification = await stage.verified()

    assert not verification.held
    assert "was OOMKilled" in verification.reason


def test_a_run_of_the_very_second_may_have_begun_without_it() -> None:
    entry = {
        "manager": "incident-copilot",
        "subresource": "resize",
        "time": "2026-11-23T07:00:05Z",
    }
    pod = an_object("Pod") | {"metadata": {"managedFields": [entry]}}

    assert resized_us(pod, 0) == 1_795_417_206_000_000


def test_a_resize_that_is_put_off_says_why() -> None:
    pending = {"type": "PodResizePending", "status": "True", "reason": "Deferred", "message": "m"}
    pod = a_pod() | {"status": {"conditions": [pending]}}
    resize = Resize(target=POD, patch=json.dumps({"spec": {}}), rollback="{}")

    assert outstanding(pod, resize) == "the resize is not done: m"
    assert impossible(pod) == ""


# ----------------------------------------------------------------- and back


async def taken_back(stage: Stage) -> Verification:
    failed = Verification(held=False, reason="it died", observed=(), ended_us=1)
    return await revert(stage.claim, stage.cluster, stage.clock, failed=failed, progress=silent)


async def test_it_is_taken_back_to_what_it_was() -> None:
    stage = await applied_to(a_cluster())

    outcome = await taken_back(stage)
    again = await taken_back(stage)

    assert outcome.reverted
    assert outcome.reason == (
        "it died; taken back to what it was before; nothing had to be rolled out for that"
    )
    assert again.reverted
    assert memory(stage.cluster) == "32Mi"
    assert len(stage.cluster.resized_runs) == 2


async def test_a_resize_that_was_refused_leaves_nothing_to_take_back() -> None:
    cluster = a_cluster()
    proposal = await proposed(cluster=cluster)
    cluster.troubles = [Trouble(method="resize", error=Refused("may not resize"))]
    done = await apply(a_claim(proposal), cluster, cluster.clock)
    failed = Verification(held=False, reason="it died", observed=(), ended_us=1)

    outcome = await revert(
        a_claim(proposal, applied=done), cluster, cluster.clock, failed=failed, progress=silent
    )

    assert outcome.reverted
    assert "somebody else" not in outcome.reason
    assert memory(cluster) == "32Mi"


async def test_a_size_that_somebody_else_has_set_since_stays() -> None:
    stage = await applied_to(a_cluster())
    stage.cluster.the(POD)["spec"]["containers"][0]["resources"]["limits"]["memory"] = "48Mi"

    outcome = await taken_back(stage)

    assert not outcome.reverted
    assert memory(stage.cluster) == "48Mi"


async def test_a_server_that_does_not_let_it_back_down_is_told_of() -> None:
    stage = await applied_to(a_cluster())
    stage.cluster.troubles = [Trouble(method="resize", error=Invalid("may not be decreased"))]

    outcome = await taken_back(stage)

    assert not outcome.reverted
    assert "may not be decreased" in outcome.reason
