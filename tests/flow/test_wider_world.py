"""Leg 1 on what is no pod: Services, claims, jobs, controllers that are refused, readings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from copilot.domain.alert import Strain
from copilot.domain.attributes import MEMORY_KILLS, MEMORY_PEAK, MEMORY_REFUSALS
from copilot.domain.event import Batch, Point, Stream
from copilot.domain.evidence import Gap
from copilot.domain.incident import Status
from copilot.domain.objects import Condition, Deployment, EnvVar, KubeStruct, ReplicaSet
from copilot.flow import Flow
from copilot.ingest.sources import pod_logs
from copilot.intake import MOST_STRAINED, Intake, strained_places
from copilot.journal import Journal
from copilot.ports import Delta, Kind
from copilot.settings import Settings
from copilot.wiring import Parts, wired
from tests.builders_detect import seen
from tests.builders_objects import (
    NOW_US,
    a_claim,
    a_container,
    a_cron_job,
    a_deployment,
    a_job,
    a_node,
    a_pod,
    a_ref,
    a_replica_set,
    a_service,
    a_status,
    ago,
    an_event,
    condition,
    ref_of,
    running,
    waiting,
)
from tests.fakes import FixedClock
from tests.unit.detect.test_inventory import version_of


@dataclass
class Watched:
    """Leg 1 as the watcher drives it."""

    parts: Parts
    clock: FixedClock

    @property
    def flow(self) -> Flow:
        return self.parts.flow

    async def see(self, kind: Kind, *objects: KubeStruct, is_synced: bool = True) -> None:
        versions = tuple(
            msgspec.structs.replace(
                version_of(kind, each), seen_us=self.clock.now_us(), cluster="c"
            )
            for each in objects
        )
        await self.flow.observe(Delta(kind=kind, versions=versions, is_synced=is_synced))

    async def see_all(self, **objects: list[KubeStruct]) -> None:
        """Every kind listed whole; what is not given has no objects."""
        for kind in Kind:
            await self.see(kind, *objects.get(kind.name, []))

    async def incidents(self) -> list[tuple[str, str, Status]]:
        """Key of the workload, title and status of each, oldest first."""
        async with self.parts.store.view() as view:
            page = await view.incidents.page(limit=50)
        return [(i.workload.key, i.title, i.status) for i in reversed(page)]

    async def tick_after(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        await self.flow.tick()


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    clock = FixedClock(NOW_US)
    settings = Settings(data=tmp_path, cluster="c", openai_api_key=None, openai_base_url="")
    async with wired(settings, roles=(), agent_token="", needs_cluster=False, clock=clock) as parts:
        yield Watched(parts=parts, clock=clock)


def a_caller(address: str = "http://web/api") -> Deployment:
    env = [EnvVar(name="API", value=address)]
    return a_deployment("shop", containers=[msgspec.structs.replace(a_container(), env=env)])


async def test_every_kind_that_was_listed_whole_is_noted(watched: Watched) -> None:
    await watched.see(Kind.QUOTA)
    await watched.see(Kind.CLAIM, is_synced=False)
    await watched.flow.observe(
        Delta(kind=Kind.QUOTA, gap=Gap(what="resourcequotas", reason="forbidden"))
    )
    await watched.see(Kind.SERVICE)

    async with watched.parts.store.view() as view:
        assert await view.objects.listed("c") == {"Service"}


async def test_a_selector_that_means_nothing_opens_an_incident(watched: Watched) -> None:
    await watched.see_all(
        DEPLOYMENT=[a_deployment("web")], SERVICE=[a_service(selector={"app": "wbe"})]
    )

    await watched.tick_after(6)

    ((key, title, _),) = await watched.incidents()
    assert key == "Service/demo/web"
    assert title == "Service web has no endpoints: its selector app=wbe means no pod"


async def test_a_label_that_no_template_carries_is_waited_for_and_then_told(
    watched: Watched,
) -> None:
    """A program may set it on one of its pods; where none does, the Service leads nowhere."""
    await watched.see_all(
        DEPLOYMENT=[a_deployment("web")],
        SERVICE=[a_service(selector={"app": "web", "role": "leader"})],
    )

    await watched.tick_after(6)
    assert await watched.incidents() == []
    await watched.tick_after(60)

    ((key, title, _),) = await watched.incidents()
    assert key == "Service/demo/web"
    assert title == "Service web has no endpoints: its selector app=web,role=leader means no pod"


async def test_scaling_down_what_somebody_calls_is_told_with_the_caller(watched: Watched) -> None:
    await watched.see_all(
        DEPLOYMENT=[a_deployment("web", replicas=0), a_caller()], SERVICE=[a_service()]
    )

    await watched.tick_after(11)

    ((key, title, _),) = await watched.incidents()
    assert key == "Deployment/demo/web"
    assert title == "Service web has no endpoints: Deployment web is scaled to 0"


async def test_scaling_down_what_nobody_calls_is_quiet(watched: Watched) -> None:
    await watched.see_all(
        DEPLOYMENT=[a_deployment("web", replicas=0), a_caller("http://other/api")],
        SERVICE=[a_service()],
    )

    await watched.tick_after(300)

    assert await watched.incidents() == []


async def test_an_empty_service_hangs_under_its_pods_incident(watched: Watched) -> None:
    pod = a_pod("web", statuses=[a_status(state=running(ago(1)), ready=False)])
    await watched.see_all(
        DEPLOYMENT=[a_deployment("web", ready=0)],
        REPLICA_SET=[a_replica_set("web", ready=0)],
        POD=[pod],
        SERVICE=[a_service()],
    )

    await watched.tick_after(60)

    ((key, title, _),) = await watched.incidents()
    assert (key, title) == ("Deployment/demo/web", "web/app is running but not ready")


async def test_it_is_over_once_the_service_has_a_pod_again(watched: Watched) -> None:
    service = a_service(selector={"app": "wbe"})
    await watched.see_all(
        DEPLOYMENT=[a_deployment("web"), a_deployment("wbe-old")],
        REPLICA_SET=[a_replica_set("web")],
        POD=[a_pod("web")],
        SERVICE=[msgspec.structs.replace(service, metadata=a_service("web").metadata)],
    )
    await watched.tick_after(6)
    assert len(await watched.incidents()) == 1

    await watched.see(Kind.SERVICE, a_service(), is_synced=False)
    await watched.tick_after(1)
    await watched.tick_after(61)

    assert [status for *_, status in await watched.incidents()] == [Status.RESOLVED]


async def test_an_incident_does_not_end_while_its_kind_cannot_be_seen(watched: Watched) -> None:
    failed = a_job(conditions=[condition("Failed", True, reason="DeadlineExceeded", since=ago(1))])
    await watched.see_all(JOB=[failed])
    await watched.tick_after(1)
    await watched.see(Kind.JOB, a_job(conditions=[condition("Complete", True)]))
    await watched.flow.observe(Delta(kind=Kind.JOB, gap=Gap(what="jobs", reason="forbidden")))

    await watched.tick_after(1)
    await watched.tick_after(120)

    assert [status for *_, status in await watched.incidents()] == [Status.OPEN]


async def test_a_silent_node_is_told_two_minutes_after_an_outage_of_the_api_server(
    watched: Watched,
) -> None:
    await watched.see_all()
    await watched.flow.observe(Delta(kind=Kind.NODE, gap=Gap(what="nodes", reason="no answer")))
    silent = a_node("n1")
    ready = Condition(type="Ready", status="Unknown", last_transition_time=ago(5))
    silent = msgspec.structs.replace(
        silent, status=msgspec.structs.replace(silent.status, conditions=[ready])
    )
    await watched.see(Kind.NODE, silent)

    await watched.tick_after(110)
    assert await watched.incidents() == []
    await watched.tick_after(15)
    (incident,) = await watched.incidents()
    assert incident[1] == "Node n1 does not answer"


async def test_a_kind_that_the_server_does_not_have_hides_nothing(watched: Watched) -> None:
    for kind in Kind:
        await watched.see(kind, *([a_refused_set("web")] if kind is Kind.REPLICA_SET else []))
    await watched.tick_after(1)
    await watched.flow.observe(Delta(kind=Kind.JOB))
    await watched.see(Kind.REPLICA_SET, a_replica_set("web"))

    await watched.tick_after(1)
    await watched.tick_after(61)

    assert [status for *_, status in await watched.incidents()] == [Status.RESOLVED]


def a_refused_set(app: str) -> ReplicaSet:
    why = f'pods "{app}-" is forbidden: exceeded quota: team, requested: pods=1'
    refused = condition("ReplicaFailure", True, reason="FailedCreate", message=why, since=ago(5))
    made = a_replica_set(app, ready=0)
    return msgspec.structs.replace(
        made, status=msgspec.structs.replace(made.status, conditions=[refused])
    )


async def test_what_one_quota_refuses_to_two_workloads_is_one_incident(watched: Watched) -> None:
    await watched.see_all(
        DEPLOYMENT=[a_deployment("web", ready=0), a_deployment("api", ready=0)],
        REPLICA_SET=[a_refused_set("web"), a_refused_set("api")],
    )

    await watched.tick_after(1)

    assert len(await watched.incidents()) == 1


async def test_a_claim_whose_class_is_missing_is_found_by_its_event(watched: Watched) -> None:
    about = ref_of("PersistentVolumeClaim", a_claim().metadata)
    missing = an_event(about, "ProvisioningFailed", 'storageclass "x" not found')
    await watched.see_all(CLAIM=[a_claim()], EVENT=[missing])

    await watched.tick_after(1)

    ((key, title, _),) = await watched.incidents()
    assert key == "PersistentVolumeClaim/demo/data"
    assert title == 'Claim data has no volume: storageclass "x" not found'


async def test_a_pod_of_a_cron_jobs_job_is_placed_at_the_cron_job(watched: Watched) -> None:
    job = a_job("web-5f44895955", cron_job="nightly", failed=2)
    await watched.see_all(CRON_JOB=[a_cron_job(last_s=0)], JOB=[job])

    await watched.tick_after(1)

    assert [key for key, *_ in await watched.incidents()] == ["CronJob/demo/nightly"]


async def test_a_pod_is_not_placed_before_what_owns_it_can_be_known(watched: Watched) -> None:
    unready = a_status(state=running(ago(900)), ready=False)
    await watched.see(Kind.POD, a_pod("web", statuses=[unready]))
    await watched.tick_after(60)
    assert await watched.incidents() == []

    await watched.see(Kind.DEPLOYMENT, a_deployment("web"))
    await watched.see(Kind.REPLICA_SET, a_replica_set("web"))
    await watched.flow.tick()

    assert [key for key, *_ in await watched.incidents()] == ["Deployment/demo/web"]


async def test_a_new_pod_waits_for_its_new_owner_to_be_seen(watched: Watched) -> None:
    await watched.see_all(DEPLOYMENT=[a_deployment("web")])
    pull = a_status(state=waiting("ErrImagePull"), ready=False)
    await watched.see(Kind.POD, a_pod("web", statuses=[pull], created=ago(5)), is_synced=False)
    await watched.tick_after(1)
    assert await watched.incidents() == []

    await watched.see(Kind.REPLICA_SET, a_replica_set("web"), is_synced=False)
    await watched.flow.tick()

    assert [key for key, *_ in await watched.incidents()] == ["Deployment/demo/web"]


async def test_a_pod_whose_owner_never_shows_is_placed_by_what_it_says(watched: Watched) -> None:
    await watched.see_all()
    pull = a_status(state=waiting("ErrImagePull"), ready=False)
    await watched.see(Kind.POD, a_pod("web", statuses=[pull], created=ago(40)), is_synced=False)

    await watched.flow.tick()

    assert [key for key, *_ in await watched.incidents()] == ["ReplicaSet/demo/web-5f44895955"]


async def test_a_killed_child_is_found_by_the_nodes_count(watched: Watched) -> None:
    pod = a_pod("web", statuses=[a_status(state=running(ago(300)))])
    await watched.see_all(
        DEPLOYMENT=[a_deployment("web")], REPLICA_SET=[a_replica_set("web")], POD=[pod]
    )
    where = Stream(cluster="c", namespace="demo", pod=pod.metadata.name, container="app")
    kill = Point(name=MEMORY_KILLS, stream=where, ts_us=NOW_US, value=1)
    await watched.flow.receive(
        Batch(key=b"k" * 16, source="kubelet", cluster="c", received_us=NOW_US, points=[kill])
    )

    await watched.tick_after(1)

    ((_, title, _),) = await watched.incidents()
    assert title == "web/app had a process OOM-killed and lives on (limit 32Mi)"


async def test_a_full_pod_that_logs_a_kill_is_found_without_the_nodes_count(
    watched: Watched,
) -> None:
    pod = a_pod("web", statuses=[a_status(state=running(ago(300)))])
    await watched.see_all(
        DEPLOYMENT=[a_deployment("web")], REPLICA_SET=[a_replica_set("web")], POD=[pod]
    )
    whole = Stream(cluster="c", namespace="demo", pod=pod.metadata.name)
    points = [
        Point(name=MEMORY_REFUSALS, stream=whole, ts_us=NOW_US, value=222),
        Point(name=MEMORY_PEAK, stream=whole, ts_us=NOW_US, value=32 * 2**20),
    ]
    full = Batch(key=b"f" * 16, source="kubelet", cluster="c", received_us=NOW_US, points=points)
    said = pod_logs.decode(
        ["2026-11-23T07:59:58Z Killed"],
        stream=msgspec.structs.replace(whole, container="app", app="web"),
        cluster="c",
        received_us=NOW_US,
    )
    await watched.flow.receive(full)
    await watched.tick_after(1)
    assert await watched.incidents() == []

    await watched.flow.receive(said)
    await watched.flow.tick()

    ((_, title, _),) = await watched.incidents()
    assert title == "web/app had a process OOM-killed and lives on (limit 32Mi)"


def test_of_many_strained_pods_the_worst_are_looked_at() -> None:
    strains = [
        Strain(namespace="demo", pod=f"full-{n}", refusals=n + 1) for n in range(MOST_STRAINED)
    ]
    killed = Strain(namespace="demo", pod="killed", container="app", kills=1)
    slow = Strain(namespace="demo", pod="slow", container="app", throttled=0.9)
    failing = an_event(a_ref("Pod", "slow"), "Unhealthy")

    many = strained_places(seen(strains=[*strains, killed, slow], events=[failing]))
    few = strained_places(seen(strains=[killed, slow], events=[failing]))

    assert ("demo", "killed") in many
    assert ("demo", "full-0") not in many
    assert few == {("demo", "killed"), ("demo", "slow")}
    assert strained_places(seen(strains=[slow])) == set()


async def test_a_fix_is_judged_by_what_its_own_pods_do_and_not_by_namesakes(
    watched: Watched,
) -> None:
    pod = a_pod("web")
    own = ("demo", pod.metadata.name)
    intake = Intake(clock=watched.clock, journal=Journal(cluster="c"))
    streams = [
        Stream(cluster="c", namespace=namespace, pod=name, container="app")
        for namespace, name in (own, ("demo", "web-2"), ("staging", own[1]))
    ]
    points = [Point(stream=s, name=MEMORY_KILLS, value=1, ts_us=NOW_US) for s in streams]
    await watched.flow.receive(
        Batch(key=b"k" * 16, source="kubelet", cluster="c", received_us=NOW_US, points=points)
    )
    for stream in streams:
        lines = [f"2026-11-23T07:59:{i}Z ERROR it broke" for i in range(10, 59)]
        await watched.flow.receive(
            pod_logs.decode(lines, stream=stream, cluster="c", received_us=NOW_US)
        )

    async with watched.parts.store.view() as view:
        shown = await intake.with_activity(view, seen(pod))

    assert [(s.namespace, s.pod) for s in shown.strains] == [own]
    assert [(a.stream.namespace, a.stream.pod) for a in shown.activity] == [own]
