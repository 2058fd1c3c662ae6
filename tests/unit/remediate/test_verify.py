"""A change holds, or it does not and why."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from copilot.domain.action import Action, RerunJob, RestoreConfigMap, RollBack, Scale, SetVolumeSize
from copilot.domain.alert import Alert, Check, Rule, Seen
from copilot.domain.errors import Unavailable
from copilot.domain.objects import Metadata, ObjectRef
from copilot.domain.proposal import Applied, Claim, Verification
from copilot.remediate.apply import apply
from copilot.remediate.verify import QUIET_S, READINGS_S, Enrich, lives_to_outlive, verify
from tests.builders_around import owned_by
from tests.builders_objects import a_pod, a_status, running
from tests.builders_remediate import (
    TARGET,
    a_claim,
    a_cluster,
    a_proposal,
    an_alert,
    oom_rule,
    to_memory,
)
from tests.builders_workloads import a_failed_job, a_workload, ref
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster, Lives, Trouble, needs

SECOND_US = 1_000_000


@dataclass
class Stage:
    """An applied change on a cluster, about to be verified."""

    cluster: FakeCluster
    clock: FixedClock
    claim: Claim
    applied: Applied
    told: list[str] = field(default_factory=list)

    async def verified(
        self,
        *,
        check: Check = oom_rule,
        ttf_us: int = 0,
        enrich: Enrich | None = None,
        quiet_s: float = QUIET_S,
    ) -> Verification:
        return await verify(
            self.claim,
            self.applied,
            check=check,
            cluster=self.cluster,
            clock=self.clock,
            cluster_name="lab",
            ttf_us=ttf_us,
            progress=self.tell,
            enrich=enrich,
            quiet_s=quiet_s,
        )

    async def tell(self, text: str) -> None:
        self.told.append(text)

    @property
    def took_s(self) -> float:
        return (self.clock.now_us() - self.applied.at_us) / SECOND_US


async def applied_to(
    action: Action | None = None,
    *,
    lives: Lives | None = None,
    replicas: int = 1,
    rolls_out: bool = True,
) -> Stage:
    clock = FixedClock()
    cluster = a_cluster(clock, lives=lives or needs("50Mi"), replicas=replicas)
    cluster.rolls_out = rolls_out
    claim = a_claim(await a_proposal(cluster, action))
    return Stage(cluster, clock, claim, await apply(claim, cluster, clock))


async def test_enough_memory_holds_after_fifteen_quiet_seconds() -> None:
    stage = await applied_to(replicas=2)

    verification = await stage.verified(ttf_us=5_800_000)

    assert verification.held
    assert verification.reason == (
        "2 of 2 pods ran 15 s without a restart; longest earlier life 5.8 s; the rule is silent"
    )
    assert 15 <= stage.took_s <= 17


async def test_what_was_made_and_changed_by_somebody_else_proves_nothing_of_ours() -> None:
    cluster = FakeCluster(FixedClock())
    cluster.put("Deployment", a_workload())
    routes = ObjectRef(kind="ConfigMap", namespace="shop", name="routes")
    action = RestoreConfigMap(target=routes, data=(("routes.conf", "/"),))
    claim = a_claim(await a_proposal(cluster, action, workload=ref("Deployment")))
    stage = Stage(cluster, cluster.clock, claim, await apply(claim, cluster, cluster.clock))
    cluster.edit(routes, {"data": {"routes.conf": "/new"}})

    verification = await stage.verified()

    assert not verification.held
    assert "somebody else changed ConfigMap shop/routes" in verification.reason


async def test_a_rule_that_needs_a_minute_of_readings_is_given_them() -> None:
    stage = await applied_to(to_memory("64Mi"))
    speaks_us = stage.applied.at_us + 65 * SECOND_US

    def kills_that_only_counters_know(seen: Seen) -> Iterable[Alert]:
        if seen.now_us >= speaks_us:
            yield an_alert(seen, seen.pods[0].metadata.name, last_us=seen.now_us)

    verification = await stage.verified(check=kills_that_only_counters_know, quiet_s=READINGS_S)

    assert not verification.held
    assert "still fires" in verification.reason


async def test_too_little_memory_fails_at_the_first_kill() -> None:
    stage = await applied_to(to_memory("40Mi"))

    verification = await stage.verified()

    assert not verification.held
    assert "was OOMKilled with exit code 137 after 4 s" in verification.reason
    assert stage.took_s <= 6


async def test_pods_must_outlive_twice_the_longest_earlier_life() -> None:
    stage = await applied_to(lives=needs("100Mi", lives_s=30))

    verification = await stage.verified(ttf_us=20 * SECOND_US)

    assert not verification.held
    assert "after 30 s" in verification.reason


@pytest.mark.parametrize(
    ("after_s", "reason"), [(60, "BackoffLimitExceeded"), (603, "DeadlineExceeded")]
)
async def test_a_job_with_more_time_is_proven_by_its_end_alone(after_s: int, reason: str) -> None:
    cluster = FakeCluster(FixedClock())
    job = a_failed_job()
    cluster.put("Job", {**job, "spec": {**job["spec"], "activeDeadlineSeconds": 8}})
    action = RerunJob(target=ref("Job", "load"), deadline_s=600)
    claim = a_claim(await a_proposal(cluster, action))
    stage = Stage(cluster, cluster.clock, claim, await apply(claim, cluster, cluster.clock))
    made = Metadata(name="load", uid=cluster.the(action.target)["metadata"]["uid"])
    at = datetime.fromtimestamp(cluster.clock.now_us() // SECOND_US, UTC)
    status = a_status(state=running(at), ready=True)
    pod = a_pod("load", namespace="shop", statuses=[status], created=at)
    cluster.put("Pod", owned_by(pod, "Job", made))

    def ends_badly(seen: Seen) -> Iterable[Alert]:
        if stage.took_s >= after_s:
            failed = {"type": "Failed", "status": "True", "reason": reason}
            cluster.the(action.target)["status"] = {"conditions": [failed]}
        return ()

    verification = await stage.verified(check=ends_badly, ttf_us=8 * SECOND_US)

    assert not verification.held
    assert reason in verification.reason


@pytest.mark.parametrize(
    ("action", "lives"),
    [
        pytest.param(to_memory("64Mi"), 2.5, id="twice the memory"),
        pytest.param(to_memory("128Mi"), 5.0, id="four times the memory"),
        pytest.param(to_memory("40Mi"), 2.0, id="little more memory"),
        pytest.param(Scale(target=TARGET, replicas=2), 2.0, id="no memory"),
    ],
)
async def test_a_leak_must_be_outlived_by_more_than_the_memory_that_was_added(
    action: Action, lives: float
) -> None:
    cluster = a_cluster(FixedClock())

    assert lives_to_outlive(await a_proposal(cluster, action)) == lives


async def test_a_volume_that_fills_must_be_outlived_by_more_than_what_was_added() -> None:
    cluster = FakeCluster(FixedClock())
    cluster.put("Deployment", a_workload())
    action = SetVolumeSize(target=ref("Deployment"), volume="spool", limit="32Mi")

    assert lives_to_outlive(await a_proposal(cluster, action)) == 5.0


async def test_a_leak_that_lives_twice_as_long_with_twice_the_memory_does_not_hold() -> None:
    stage = await applied_to(lives=needs("100Mi", lives_s=58))

    verification = await stage.verified(ttf_us=28 * SECOND_US)

    assert not verification.held
    assert "after 58 s" in verification.reason


async def test_a_life_longer_than_the_window_is_said_not_to_be_outwaited() -> None:
    stage = await applied_to()

    verification = await stage.verified(ttf_us=3600 * SECOND_US)

    assert verification.held
    assert "more than the window allows" in verification.reason
    assert stage.took_s <= stage.claim.proposal.window_s


async def test_a_back_off_that_sleeps_is_not_quiet() -> None:
    stage = await applied_to(to_memory("40Mi"), lives=needs("50Mi", lives_s=1))
    stage.clock.move(5)  # nobody looked while it died; now it merely waits

    verification = await stage.verified(check=silent)

    assert not verification.held
    assert "OOMKilled" in verification.reason


async def test_a_rollout_that_does_not_come_fails_with_the_window() -> None:
    stage = await applied_to(rolls_out=False)

    verification = await stage.verified()

    assert not verification.held
    assert "not proven within 180 s: the rollout has not begun" in verification.reason


async def test_a_rule_that_still_fires_for_the_new_pods_fails_with_the_window() -> None:
    stage = await applied_to()

    verification = await stage.verified(check=never_silent)

    assert not verification.held
    assert "the rule error_burst still fires" in verification.reason


async def test_a_rule_that_falls_silent_starts_the_quiet_stretch() -> None:
    stage = await applied_to()
    until_us = stage.clock.now_us() + 20 * SECOND_US

    def early(seen: Seen) -> Iterable[Alert]:
        return never_silent(seen) if seen.now_us < until_us else ()

    assert (await stage.verified(check=early)).held
    assert stage.took_s >= 35


async def test_the_rule_sees_the_new_pods_only_and_what_is_added_to_them() -> None:
    stage = await applied_to()
    seen_pods: set[str] = set()

    async def add(seen: Seen) -> Seen:
        seen_pods.update(p.metadata.name for p in seen.pods)
        return seen

    await stage.verified(enrich=add)
    now = {o["metadata"]["name"] for o in stage.cluster.objects.values() if o["kind"] == "Pod"}

    assert seen_pods == now


async def test_outages_of_the_api_are_survived() -> None:
    stage = await applied_to()
    stage.cluster.troubles += [
        Trouble(method="list_objects", error=Unavailable("gone")) for _ in range(8)
    ]

    verification = await stage.verified()

    assert verification.held
    assert "the API server did not answer 8 times" in verification.observed


async def test_an_outage_to_the_end_proves_nothing() -> None:
    stage = await applied_to()
    stage.cluster.troubles += [Trouble(method="get", error=Unavailable("gone")) for _ in range(500)]

    verification = await stage.verified()

    assert not verification.held
    assert "the API server does not answer" in verification.reason


async def test_a_change_by_somebody_else_ends_it() -> None:
    stage = await applied_to()
    stage.cluster.edit(
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

    verification = await stage.verified()

    assert not verification.held
    assert "somebody else changed" in verification.reason


async def test_scaling_by_somebody_else_does_not() -> None:
    stage = await applied_to()
    stage.cluster.edit(TARGET, {"spec": {"replicas": 2}})

    assert (await stage.verified()).held


async def test_a_deployment_that_is_deleted_ends_it() -> None:
    stage = await applied_to()
    del stage.cluster.objects[TARGET.key]

    assert "was deleted" in (await stage.verified()).reason


async def test_a_verifier_that_comes_late_still_looks_for_a_whole_quiet_stretch() -> None:
    stage = await applied_to()
    stage.clock.move(600)

    assert (await stage.verified()).held


async def test_people_are_told_what_goes_on_but_not_every_second() -> None:
    stage = await applied_to()

    await stage.verified()

    assert stage.told == [
        "quiet for 0 of 15 s",
        "quiet for 5 of 15 s",
        "quiet for 10 of 15 s",
    ]


async def rolled_back_to_first(cluster: FakeCluster, clock: FixedClock) -> Stage:
    first = next(o for o in cluster.objects.values() if o["kind"] == "ReplicaSet")
    cluster.edit(
        TARGET,
        {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "broken"}]}}}},
    )
    clock.move(30)
    back = RollBack(target=TARGET, to_revision=1, replica_set=first["metadata"]["name"])
    claim = a_claim(await a_proposal(cluster, back))
    return Stage(cluster, clock, claim, await apply(claim, cluster, clock))


def silent(seen: Seen) -> Iterable[Alert]:
    return ()


def never_silent(seen: Seen) -> Iterable[Alert]:
    return [
        an_alert(seen, p.metadata.name, last_us=seen.now_us, rule=Rule.ERROR_BURST)
        for p in seen.pods
    ]


@pytest.mark.parametrize("replicas", [1, 3])
async def test_a_rollback_holds_when_the_earlier_template_lives(replicas: int) -> None:
    clock = FixedClock()
    cluster = a_cluster(clock, replicas=replicas)
    stage = await rolled_back_to_first(cluster, clock)

    assert (await stage.verified()).held
