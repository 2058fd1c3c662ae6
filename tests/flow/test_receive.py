"""Leg 1 over a real store: what senders and the watch tell becomes incidents, whole or not at all,
once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from copilot.detect.rules import RULES
from copilot.domain.alert import Alert
from copilot.domain.attributes import MEMORY_KILLS
from copilot.domain.change import ObjectVersion
from copilot.domain.errors import Clash, Unavailable
from copilot.domain.event import Point, Stream
from copilot.domain.incident import EntryKind, Incident, IncidentId, Status, TimelineEntry
from copilot.domain.objects import Deployment, ObjectRef, Pod, ReplicaSet, controller_of, epoch_us
from copilot.flow import SETTLE_US, Flow
from copilot.journal import Journal
from copilot.ports import Delta, Kind, Session
from copilot.settings import Settings
from copilot.wiring import Parts, wired
from tests.builders_ingest import (
    JSON,
    a_record,
    as_json,
    decoded,
    recorded,
    take,
)
from tests.builders_objects import (
    a_deployment,
    a_pod,
    a_replica_set,
    a_status,
    an_oom_killed_pod,
    running,
)
from tests.fakes import FixedClock

KMSG = "fluentbit/http_json_lines_kmsg_oom"
KILLED_UID = "1a48abbe-0e8a-4cdc-9d5e-2f293c2b6261"
"""The pod that the recorded kernel lines name."""
KILLED = datetime(2026, 11, 23, 7, 35, 13, tzinfo=UTC)
KILLED_US = epoch_us(KILLED)
"""When they say that its process was killed."""


@dataclass
class Leg1:
    """Leg 1, and a look at what came of it."""

    parts: Parts
    clock: FixedClock

    @property
    def flow(self) -> Flow:
        return self.parts.flow

    async def see(self, kind: Kind, *objects: Pod | ReplicaSet | Deployment) -> None:
        """What a first full list of the watch shows."""
        versions = tuple(version_of(kind, each) for each in objects)
        await self.flow.observe(Delta(kind=kind, versions=versions, is_synced=True))

    async def incidents(self) -> Sequence[Incident]:
        async with self.parts.store.view() as view:
            return list(await view.incidents.page(limit=50))

    async def alerts(self, incident_id: IncidentId) -> Sequence[Alert]:
        async with self.parts.store.view() as view:
            return await view.incidents.alerts(incident_id)

    async def timeline(self, incident_id: IncidentId) -> Sequence[TimelineEntry]:
        async with self.parts.store.view() as view:
            return await view.incidents.timeline(incident_id, 0)

    async def n_lines(self) -> int:
        async with self.parts.store.view() as view:
            return (await view.telemetry.counts()).lines


@pytest.fixture
async def leg1(tmp_path: Path) -> AsyncIterator[Leg1]:
    clock = FixedClock(KILLED_US + 2_000_000)
    settings = Settings(data=tmp_path, cluster="home", openai_api_key=None, openai_base_url="")
    async with wired(settings, roles=(), agent_token="", needs_cluster=False, clock=clock) as parts:
        yield Leg1(parts=parts, clock=clock)


def version_of(kind: Kind, thing: Pod | ReplicaSet | Deployment) -> ObjectVersion:
    meta, owner = thing.metadata, controller_of(thing.metadata)
    return ObjectVersion(
        cluster="home",
        object=ObjectRef(kind=kind, namespace=meta.namespace, name=meta.name, uid=meta.uid),
        resource_version=meta.resource_version,
        generation=meta.generation,
        owner_uid=owner.uid if owner else "",
        actor="kubectl",
        seen_us=KILLED_US,
        is_deleted=False,
        json=msgspec.json.encode(thing),
    )


async def sees_the_workload(leg1: Leg1, *pods: Pod) -> None:
    await leg1.see(Kind.DEPLOYMENT, a_deployment())
    await leg1.see(Kind.REPLICA_SET, a_replica_set())
    await leg1.see(Kind.POD, *pods)


def a_parent() -> Pod:
    """A pod whose container lives on while the kernel kills a child of it."""
    since = KILLED - timedelta(seconds=300)
    return a_pod(uid=KILLED_UID, created=since, statuses=[a_status(state=running(since))])


def error_lines(count: int, *, level: str = "error", app: str = "web") -> bytes:
    lines = [f"cannot reach the ledger: attempt {n} timed out" for n in range(count)]
    place = {"pod_name": f"{app}-5f44895955-cd2ks", "namespace_name": "demo", "host": "dev"}
    place |= {"container_name": app}
    at = "2026-11-23T07:35:10.000000000Z"
    return as_json(
        *(
            a_record(line, level=level, time=at, kubernetes={**place, "labels": {"app": app}})
            for line in lines
        )
    )


async def test_a_kill_that_the_kernel_tells_opens_an_incident_at_the_pods_workload(
    leg1: Leg1,
) -> None:
    await sees_the_workload(leg1, a_parent())

    await leg1.flow.receive(decoded(KMSG))

    (incident,) = await leg1.incidents()
    assert incident.open_key == "home/Deployment/demo/oom-demo"
    assert "OOM-killed" in incident.title
    assert incident.first_signal_us < incident.opened_us == leg1.clock.now_us()
    told = [entry.kind for entry in await leg1.timeline(incident.id)]
    assert told == [EntryKind.ALERT, EntryKind.OPENED]


async def test_the_same_body_again_changes_nothing(leg1: Leg1) -> None:
    await sees_the_workload(leg1, a_parent())
    first = await leg1.flow.receive(decoded(KMSG))
    before, n_lines = await leg1.incidents(), await leg1.n_lines()

    leg1.clock.move(30)
    again = await leg1.flow.receive(decoded(KMSG))

    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert (first.n_stored, again.n_stored) == (81, 0)
    assert await leg1.incidents() == before
    assert await leg1.n_lines() == n_lines


async def test_a_body_that_arrives_eight_times_at_once_counts_once(leg1: Leg1) -> None:
    await sees_the_workload(leg1, a_parent())

    outcomes = await asyncio.gather(*(leg1.flow.receive(decoded(KMSG)) for _ in range(8)))

    assert sorted(outcome.is_repeat for outcome in outcomes) == [False] + [True] * 7
    assert len(await leg1.incidents()) == 1
    assert await leg1.n_lines() == 81


async def test_one_kill_told_by_its_status_and_by_two_alerts_is_one_incident(leg1: Leg1) -> None:
    killed = datetime(2026, 11, 23, 7, 51, 50, tzinfo=UTC)
    leg1.clock.move((epoch_us(killed) - leg1.clock.now_us()) / 1_000_000 + 20)
    await sees_the_workload(
        leg1, an_oom_killed_pod(template_hash="64fdd9cd94", suffix="wsdxp", killed=killed)
    )

    await leg1.flow.receive(decoded("alertmanager/firing_container_restarting_no_annotations"))
    await leg1.flow.receive(decoded("alertmanager/firing_node_oom_kill"))

    (incident,) = await leg1.incidents()
    sources = [alert.source for alert in await leg1.alerts(incident.id)]
    assert sources.count("alertmanager") == 2
    assert len(sources) > 2
    assert "was OOM-killed (exit 137, limit 32Mi)" in incident.title


class FailingJournal(Journal):
    """A store that fails when the incident is written, after the batch was."""

    async def moved(
        self, tx: Session, kind: str, incident_id: IncidentId | None, at_us: int
    ) -> None:
        raise Unavailable("the disk is full")


async def test_a_batch_whose_incident_cannot_be_written_is_not_kept_and_may_come_again(
    leg1: Leg1,
) -> None:
    parts = leg1.parts
    failing = Flow(
        store=parts.store,
        agents=parts.agents,
        clock=parts.clock,
        journal=FailingJournal(cluster="home"),
        rules=RULES,
    )
    batch = decoded("alertmanager/firing_node_oom_kill")

    with pytest.raises(Unavailable):
        await failing.receive(batch)
    kept_nothing = await leg1.incidents()
    again = await leg1.flow.receive(batch)

    assert kept_nothing == []
    assert not again.is_repeat
    assert len(await leg1.incidents()) == 1


def clashing_journal() -> Journal:
    """Of a store that clashes once, after the batch was written."""
    clashes = iter([True])

    class Clashing(Journal):
        async def moved(
            self, tx: Session, kind: str, incident_id: IncidentId | None, at_us: int
        ) -> None:
            if next(clashes, False):
                raise Clash("a deadlock")
            await Journal.moved(self, tx, kind, incident_id, at_us)

    return Clashing(cluster="home")


async def test_readings_of_a_batch_count_once_however_often_it_is_written(leg1: Leg1) -> None:
    parts = leg1.parts
    clashing = Flow(
        store=parts.store,
        agents=parts.agents,
        clock=parts.clock,
        journal=clashing_journal(),
        rules=RULES,
    )
    batch = decoded("alertmanager/firing_node_oom_kill")
    stream = Stream(namespace="demo", pod="api-1", container="app")
    kill = Point(name=MEMORY_KILLS, stream=stream, ts_us=leg1.clock.now_us(), value=1.0)
    batch.points.append(kill)

    await clashing.receive(batch)
    await clashing.receive(batch)

    async with parts.store.view() as view:
        (strain,) = (await clashing._intake.seen_now(view)).strains
    assert strain.kills == 1.0


@pytest.mark.parametrize(
    ("body", "is_wrong"),
    [
        pytest.param(error_lines(5), True, id="five lines of a new error"),
        pytest.param(error_lines(4), False, id="four"),
        pytest.param(error_lines(50, level="info"), False, id="many lines that are no errors"),
    ],
)
async def test_a_burst_of_a_new_error_opens_an_incident(
    leg1: Leg1, body: bytes, is_wrong: bool
) -> None:
    await leg1.flow.receive(take(body, JSON))

    incidents = await leg1.incidents()
    assert [incident.app for incident in incidents] == (["web"] if is_wrong else [])


async def test_errors_that_come_in_small_batches_add_up(leg1: Leg1) -> None:
    for n in range(5):
        record = a_record(f"cannot reach the ledger: attempt {n} timed out", level="error")
        record["time"] = "2026-11-23T07:35:10.000000000Z"
        await leg1.flow.receive(take(as_json(record), JSON))

    assert len(await leg1.incidents()) == 1


async def test_what_a_pod_logged_that_is_deleted_by_now_opens_nothing(leg1: Leg1) -> None:
    pod = version_of(Kind.POD, a_pod("web", suffix="cd2ks"))
    gone = msgspec.structs.replace(pod, is_deleted=True)
    await leg1.flow.observe(Delta(kind=Kind.POD, versions=(pod, gone), is_synced=True))

    await leg1.flow.receive(take(error_lines(5), JSON))
    await leg1.flow.tick()

    assert pod.object.name == "web-5f44895955-cd2ks"
    assert await leg1.incidents() == []


async def test_an_alert_that_its_sender_resolves_ends_its_incident_after_a_quiet_while(
    leg1: Leg1,
) -> None:
    firing = recorded("alertmanager/firing_node_oom_kill")
    resolved = firing.body.replace(b'"status":"firing"', b'"status":"resolved"')
    assert resolved != firing.body
    await leg1.flow.receive(take(firing.body, firing.headers, firing.door))
    await leg1.flow.receive(take(resolved, firing.headers, firing.door))

    await leg1.flow.tick()
    (at_once,) = await leg1.incidents()
    leg1.clock.move(SETTLE_US / 1_000_000 + 1)
    await leg1.flow.tick()

    (ended,) = await leg1.incidents()
    assert at_once.status is Status.OPEN
    assert ended.status is Status.RESOLVED
    assert "went quiet" in (ended.resolution or "")


async def test_an_alert_that_comes_resolved_opens_nothing(leg1: Leg1) -> None:
    firing = recorded("alertmanager/firing_node_oom_kill")
    resolved = firing.body.replace(b'"status":"firing"', b'"status":"resolved"')

    await leg1.flow.receive(take(resolved, firing.headers, firing.door))

    assert await leg1.incidents() == []


async def test_a_healthy_cluster_and_healthy_logs_open_nothing(leg1: Leg1) -> None:
    await sees_the_workload(leg1, a_pod())
    await leg1.flow.receive(decoded("fluentbit/http_json_array_iso8601"))
    await leg1.flow.receive(decoded("otlp/traces_gzip"))

    for _ in range(20):
        leg1.clock.move(30)
        await leg1.flow.tick()

    assert await leg1.incidents() == []


async def test_a_crash_that_another_process_has_seen_is_not_opened_again_after_a_restart(
    leg1: Leg1, tmp_path: Path
) -> None:
    await sees_the_workload(leg1, an_oom_killed_pod(killed=KILLED))
    before = await leg1.incidents()

    settings = Settings(data=tmp_path, cluster="home", openai_api_key=None, openai_base_url="")
    async with wired(
        settings, roles=(), agent_token="", needs_cluster=False, clock=leg1.clock
    ) as parts:
        await sees_the_workload(
            Leg1(parts=parts, clock=leg1.clock), an_oom_killed_pod(killed=KILLED)
        )
        await parts.flow.tick()

    after = await leg1.incidents()
    assert len(before) == 1
    assert [incident.id for incident in after] == [before[0].id]
