"""Taken back, once, and never over somebody else's change."""

import copy

import msgspec
import pytest

from copilot.domain.action import (
    Action,
    Bound,
    RestoreConfigMap,
    SetConfigValue,
    SetCordon,
    SetEnv,
    SetLimitRange,
    SetPullSecrets,
    SetQuota,
    SetSelector,
    SetServicePort,
    SetSuspended,
)
from copilot.domain.errors import Refused, Unavailable
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import ActionState, Claim, Verification
from copilot.remediate.apply import apply
from copilot.remediate.merging import is_same
from copilot.remediate.revert import revert
from tests.builders_remediate import TARGET, a_claim, a_cluster, a_proposal, to_memory
from tests.builders_workloads import (
    a_config_map,
    a_limit_range,
    a_quota,
    a_service,
    a_workload,
    an_object,
    ref,
)
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster, Json, Trouble, needs

FAILED = Verification(held=False, reason="it was OOMKilled", observed=("5 looks",), ended_us=1)


async def applied() -> tuple[FakeCluster, FixedClock, Claim]:
    clock = FixedClock()
    cluster = a_cluster(clock, lives=needs("50Mi"))
    proposal = await a_proposal(cluster, to_memory("40Mi"))
    done = await apply(a_claim(proposal), cluster, clock)
    return cluster, clock, a_claim(proposal, state=ActionState.REVERTING, applied=done)


async def reverted(claim: Claim, cluster: FakeCluster, clock: FixedClock) -> Verification:
    async def tell(text: str) -> None:
        assert text

    return await revert(claim, cluster, clock, failed=FAILED, progress=tell)


def spec_of(cluster: FakeCluster) -> Json:
    spec: Json = cluster.the(TARGET)["spec"]
    return spec


async def test_the_object_is_as_it_was_and_the_reason_says_both() -> None:
    clock = FixedClock()
    before = spec_of(a_cluster(clock))
    cluster, clock, claim = await applied()

    verification = await reverted(claim, cluster, clock)

    assert spec_of(cluster) == before
    assert verification.reverted
    assert verification.reason == (
        "it was OOMKilled; taken back to what it was before; the earlier version is rolled out"
    )


async def test_a_crash_in_between_takes_nothing_back_twice() -> None:
    cluster, clock, claim = await applied()
    await reverted(claim, cluster, clock)

    again = await reverted(claim, cluster, clock)

    assert again.reverted
    assert len(cluster.patches) == 2


async def test_a_later_change_by_somebody_else_is_not_overwritten() -> None:
    cluster, clock, claim = await applied()
    cluster.edit(
        TARGET,
        {
            "spec": {
                "template": {
                    "spec": {
                        "containers": [{"name": "app", "resources": {"limits": {"memory": "96Mi"}}}]
                    }
                }
            }
        },
    )

    verification = await reverted(claim, cluster, clock)

    assert not verification.reverted
    assert "somebody else has changed Deployment demo/oom-demo since" in verification.reason
    assert len(cluster.patches) == 1


async def test_it_stays_where_there_is_no_way_back() -> None:
    cluster, clock, claim = await applied()
    proposal = msgspec.structs.replace(
        claim.proposal, rollback=None, no_rollback_reason="the data is gone"
    )

    verification = await reverted(msgspec.structs.replace(claim, proposal=proposal), cluster, clock)

    assert not verification.reverted
    assert "it stays: the data is gone" in verification.reason


async def test_status_writes_in_between_are_read_again() -> None:
    cluster, clock, claim = await applied()
    cluster.before_patch += [lambda: cluster.touch(TARGET)] * 3

    assert (await reverted(claim, cluster, clock)).reverted


@pytest.mark.parametrize("after_all", [False, True], ids=["lost-request", "lost-answer"])
async def test_a_lost_connection_is_settled_by_reading_again(after_all: bool) -> None:
    cluster, clock, claim = await applied()
    cluster.troubles.append(
        Trouble(method="patch", error=Unavailable("reset"), after_all=after_all)
    )

    assert (await reverted(claim, cluster, clock)).reverted
    assert len(cluster.patches) == 2


async def test_a_long_outage_is_said() -> None:
    cluster, clock, claim = await applied()
    cluster.troubles += [Trouble(method="get", error=Unavailable("no answer")) for _ in range(500)]

    verification = await reverted(claim, cluster, clock)

    assert not verification.reverted
    assert "could not be taken back: no answer" in verification.reason


async def test_a_lost_right_is_said() -> None:
    cluster, clock, claim = await applied()
    cluster.troubles.append(Trouble(method="patch", error=Refused("not allowed to patch")))

    assert "not allowed to patch" in (await reverted(claim, cluster, clock)).reason


async def test_a_rollout_that_does_not_end_is_said() -> None:
    cluster, clock, claim = await applied()
    cluster.rolls_out = False

    verification = await reverted(claim, cluster, clock)

    assert verification.reverted
    assert "its rollout is not complete after 60 s" in verification.reason


OTHERS: list[tuple[Action, Json]] = [
    (SetServicePort(target=ref("Service"), port=80, target_port="http"), a_service()),
    (SetSelector(target=ref("Service"), entries=(("app", "shop"), ("tier", None))), a_service()),
    (SetConfigValue(target=ref("ConfigMap", "cfg"), key="new", value="2"), a_config_map()),
    (SetQuota(target=ref("ResourceQuota", "quota"), entries=(("cpu", "8"),)), a_quota()),
    (
        SetLimitRange(
            target=ref("LimitRange", "bounds"),
            type="Pod",
            bound=Bound.MAX,
            entries=(("memory", "4Gi"),),
        ),
        a_limit_range(),
    ),
    (SetCordon(target=ref("Node", "n1"), is_cordoned=True), an_object("Node", "n1", spec={})),
    (SetSuspended(target=ref("CronJob"), is_suspended=True), a_workload("CronJob")),
    (SetPullSecrets(target=ref("StatefulSet"), names=("a",)), a_workload("StatefulSet")),
    (
        SetEnv(target=ref("DaemonSet"), container="app", name="REF", value="2"),
        a_workload("DaemonSet"),
    ),
]


@pytest.mark.parametrize(
    ("action", "live"), OTHERS, ids=lambda v: type(v).__name__ if not isinstance(v, dict) else ""
)
async def test_each_kind_is_as_it_was(action: Action, live: Json) -> None:
    cluster = FakeCluster(FixedClock())
    before = copy.deepcopy(cluster.put(live["kind"], live))
    claim = a_claim(await a_proposal(cluster, action, workload=ref("Deployment", "reader")))
    await apply(claim, cluster, cluster.clock)
    changed = copy.deepcopy(cluster.the(action.target))

    verification = await reverted(claim, cluster, cluster.clock)

    parts = ("spec", "data")
    assert verification.reverted, verification.reason
    assert {p: changed.get(p) for p in parts} != {p: before.get(p) for p in parts}
    after = cluster.the(action.target)
    assert is_same({p: after.get(p) for p in parts}, {p: before.get(p) for p in parts})


async def test_the_run_that_was_started_to_prove_it_goes_with_the_change() -> None:
    cluster = FakeCluster(FixedClock())
    cluster.put("CronJob", a_workload("CronJob"))
    action = SetEnv(target=ref("CronJob"), container="app", name="PLAIN", value="2")
    claim = a_claim(await a_proposal(cluster, action))
    await apply(claim, cluster, cluster.clock)

    verification = await reverted(claim, cluster, cluster.clock)

    assert verification.reverted
    assert cluster.created == cluster.deleted
    assert cluster.created[0].startswith("Job/shop/web-")


async def test_what_was_made_is_deleted_again_unless_somebody_else_made_it() -> None:
    routes = ObjectRef(kind="ConfigMap", namespace="shop", name="routes")
    action = RestoreConfigMap(target=routes, data=(("routes.conf", "/"),))
    cluster = FakeCluster(FixedClock())
    cluster.put("Deployment", a_workload())
    proposal = await a_proposal(cluster, action, workload=ref("Deployment"))
    done = await apply(a_claim(proposal), cluster, cluster.clock)
    claim = a_claim(proposal, state=ActionState.REVERTING, applied=done)

    outcome = await reverted(claim, cluster, cluster.clock)
    cluster.put("ConfigMap", an_object("ConfigMap", "routes"))
    again = await reverted(claim, cluster, cluster.clock)

    assert outcome.reverted
    assert cluster.deleted == [action.target.key]
    assert again.reverted


@pytest.mark.parametrize(
    "change", [{"data": {"routes.conf": "/new"}}, {"data": {"more.conf": "/more"}}]
)
async def test_what_was_made_stays_where_somebody_else_has_changed_it_since(change: Json) -> None:
    routes = ObjectRef(kind="ConfigMap", namespace="shop", name="routes")
    action = RestoreConfigMap(target=routes, data=(("routes.conf", "/"),))
    cluster = FakeCluster(FixedClock())
    cluster.put("Deployment", a_workload())
    proposal = await a_proposal(cluster, action, workload=ref("Deployment"))
    done = await apply(a_claim(proposal), cluster, cluster.clock)
    claim = a_claim(proposal, state=ActionState.REVERTING, applied=done)
    cluster.edit(routes, change)

    outcome = await reverted(claim, cluster, cluster.clock)

    assert not outcome.reverted
    assert "somebody else has changed ConfigMap shop/routes since" in outcome.reason
    assert cluster.deleted == []


async def test_a_workload_that_is_gone_by_then_does_not_unsay_what_was_taken_back() -> None:
    cluster = FakeCluster(FixedClock())
    cluster.put("ConfigMap", a_config_map())
    cluster.put("Deployment", a_workload())
    action = SetConfigValue(target=ref("ConfigMap", "cfg"), key="k", value="2")
    claim = a_claim(await a_proposal(cluster, action, workload=ref("Deployment")))
    await apply(claim, cluster, cluster.clock)
    del cluster.objects[ref("Deployment").key]

    verification = await reverted(claim, cluster, cluster.clock)

    assert cluster.the(action.target)["data"]["k"] == "1"
    assert verification.reverted, verification.reason
    assert "Deployment shop/web does not exist" in verification.reason


async def test_what_was_taken_back_may_be_proposed_anew() -> None:
    cluster = FakeCluster(FixedClock())
    cluster.put("Service", a_service())
    action = SetServicePort(target=ref("Service"), port=80, target_port="http")
    first = await a_proposal(cluster, action)
    await apply(a_claim(first), cluster, cluster.clock)
    await reverted(a_claim(first), cluster, cluster.clock)

    again = await a_proposal(cluster, action)

    assert again.digest != first.digest
    assert not (await apply(a_claim(again), cluster, cluster.clock)).was_there
