"""The watcher hands over all it sees, reads what failed, and survives both sides failing."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal

import msgspec
import pytest
import structlog

from copilot.domain.attributes import MEMORY_REFUSALS, MEMORY_WORKING_SET
from copilot.domain.change import ObjectVersion
from copilot.domain.errors import CopilotError, Invalid, NotFound, Refused, Unavailable
from copilot.domain.event import Batch, Point, Stream
from copilot.domain.evidence import Gap
from copilot.domain.objects import ObjectRef, Pod, epoch_us
from copilot.ports import ClusterInfo, Delta, Kind, Named
from copilot.roles.runs import failed_runs
from copilot.roles.watcher import LOGS_AT_ONCE, MAX_LIVE_LOGS, Watcher
from tests.builders_kube import watch_fixture
from tests.builders_objects import (
    a_container,
    a_pod,
    a_status,
    ago,
    an_oom_killed_pod,
    running,
    terminated,
    waiting,
)

NowIs = Literal["waiting", "terminated", "running"]
LOG = ("2026-11-23T07:59:39.5Z cache grew to 28 MiB", "2026-11-23T07:59:40Z cache grew to 30 MiB")


class HandClock:
    """Stands still until `move` is awaited, which wakes sleepers in their order."""

    def __init__(self, now: datetime) -> None:
        self._now_us = epoch_us(now)
        self._sleepers: list[tuple[int, asyncio.Event]] = []

    def now_us(self) -> int:
        return self._now_us

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self._now_us + round(seconds * 1_000_000), woken))
        await woken.wait()

    async def move(self, seconds: float) -> None:
        end_us = self._now_us + round(seconds * 1_000_000)
        await settled()
        while due := [s for s in self._sleepers if s[0] <= end_us]:
            first = min(due, key=lambda sleeper: sleeper[0])
            self._sleepers.remove(first)
            self._now_us = max(self._now_us, first[0])
            first[1].set()
            await settled()
        self._now_us = end_us


class WatchedCluster:
    """As much of a cluster as is watched: deltas are put into it, logs and points are given."""

    def __init__(self) -> None:
        self.deltas: dict[Kind, asyncio.Queue[Delta | CopilotError]] = {
            kind: asyncio.Queue() for kind in Kind
        }
        self.named: asyncio.Queue[Delta] = asyncio.Queue()
        self.named_calls: list[ObjectRef] = []
        self.n_open = 0
        self.log_answers: dict[bool, tuple[str, ...] | CopilotError] = {}
        self.log_calls: list[tuple[str, str, bool]] = []
        self.log_gate: asyncio.Event | None = None
        self.n_reading = self.most_reading = 0
        self.points: dict[str, list[Point] | CopilotError] = {}
        self.usage_calls: list[str] = []
        self.present: Pod | None = None

    def show(self, *pods: Pod, is_deleted: bool = False) -> None:
        versions = tuple(version_of(pod, is_deleted) for pod in pods)
        self.deltas[Kind.POD].put_nowait(Delta(kind=Kind.POD, versions=versions))
        if pods:
            self.present = pods[-1]

    async def info(self) -> ClusterInfo:
        return ClusterInfo(name="c1", version="v1.34.4", is_demo=False)

    async def get(self, ref: ObjectRef) -> bytes:
        if self.present is None:
            raise NotFound(f"{ref} does not exist")
        return msgspec.json.encode(self.present)

    async def list_objects(
        self, kind: Kind, namespace: str = "", selector: str = ""
    ) -> list[bytes]:
        raise NotImplementedError

    async def patch(
        self, ref: ObjectRef, patch: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        raise NotImplementedError

    async def serves(self, resource: str) -> bool:
        raise NotImplementedError

    async def resize(
        self, pod: ObjectRef, patch: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        raise NotImplementedError

    async def create(
        self, ref: ObjectRef, manifest: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        raise NotImplementedError

    async def delete(self, ref: ObjectRef, *, resource_version: str = "", dry_run: bool) -> None:
        raise NotImplementedError

    async def watch(self, kind: Kind) -> AsyncGenerator[Delta, None]:
        self.n_open += 1
        try:
            while True:
                item = await self.deltas[kind].get()
                if isinstance(item, CopilotError):
                    raise item
                yield item
        finally:
            self.n_open -= 1

    async def watch_named(self, ref: ObjectRef) -> AsyncGenerator[Delta, None]:
        self.named_calls.append(ref)
        while True:
            yield await self.named.get()

    async def logs(
        self, pod: ObjectRef, container: str, *, previous: bool, max_bytes: int
    ) -> tuple[str, ...]:
        self.log_calls.append((pod.name, container, previous))
        self.n_reading += 1
        self.most_reading = max(self.most_reading, self.n_reading)
        if self.log_gate is not None:
            await self.log_gate.wait()
        self.n_reading -= 1
        answer = self.log_answers.get(previous, LOG)
        if isinstance(answer, CopilotError):
            raise answer
        return answer

    async def usage(self, node: str) -> list[Point]:
        self.usage_calls.append(node)
        answer = self.points.get(node, [])
        if isinstance(answer, CopilotError):
            raise answer
        return answer


class RecordingFlow:
    """Takes everything, or fails first as `troubles` says, by method."""

    def __init__(self) -> None:
        self.observed: list[Delta] = []
        self.received: list[Batch] = []
        self.n_ticks = 0
        self.newest_line_us = 0
        self.gaps: dict[str, Gap | None] = {}
        self.troubles: dict[str, list[CopilotError]] = {}

    async def observe(self, delta: Delta) -> None:
        self._fail("observe")
        self.observed.append(delta)

    async def receive(self, batch: Batch) -> None:
        self._fail("receive")
        self.received.append(batch)

    async def tick(self) -> None:
        self._fail("tick")
        self.n_ticks += 1

    async def latest_line_us(self, *, namespace: str, pod: str, container: str) -> int:
        self._fail("latest_line_us")
        return self.newest_line_us

    async def note_gap(self, what: str, gap: Gap | None) -> None:
        self._fail("note_gap")
        self.gaps[what] = gap

    async def begin_watch(self) -> None:
        self._fail("begin_watch")
        self.gaps.clear()

    def _fail(self, method: str) -> None:
        if errors := self.troubles.get(method):
            raise errors.pop(0)


class Scene:
    """A watcher at work on a cluster, with time in our hands."""

    def __init__(self) -> None:
        self.cluster = WatchedCluster()
        self.flow = RecordingFlow()
        self.clock = HandClock(ago(0))


async def settled() -> None:
    """Everything that can go on without time or news has gone on."""
    for _ in range(60):
        await asyncio.sleep(0)


@asynccontextmanager
async def watching(scene: Scene, *secrets: ObjectRef) -> AsyncIterator[None]:
    watcher = Watcher(
        cluster=scene.cluster,
        flow=scene.flow,
        clock=scene.clock,
        cluster_name="c1",
        secrets=secrets,
    )
    task = asyncio.create_task(watcher.run())
    try:
        await settled()
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def version_of(pod: Pod, is_deleted: bool = False) -> ObjectVersion:
    meta = pod.metadata
    return ObjectVersion(
        cluster="c1",
        object=ObjectRef(kind="Pod", namespace=meta.namespace, name=meta.name, uid=meta.uid),
        resource_version=meta.resource_version,
        generation=0,
        owner_uid="",
        actor="",
        seen_us=1,
        is_deleted=is_deleted,
        json=msgspec.json.encode(pod),
    )


def a_point(node: str = "dev", ts_us: int = 1, value: float = 1.0) -> Point:
    stream = Stream(cluster="c1", namespace="demo", pod="p", container="app", node=node)
    return Point(name=MEMORY_WORKING_SET, stream=stream, ts_us=ts_us, value=value)


def a_killed_pod(
    now_is: NowIs = "waiting",
    killed_s: float = 2,
    suffix: str = "jhblt",
) -> Pod:
    return an_oom_killed_pod(
        now_is=now_is,
        killed=ago(killed_s),
        restart_count=0,
        suffix=suffix,
    )


# ------------------------------------------------------------------ objects and time


async def test_every_kind_is_watched_and_every_delta_handed_over_in_order(scene: Scene) -> None:
    deltas = [Delta(kind=kind, is_synced=n == 1) for kind in Kind for n in range(3)]
    for delta in deltas:
        scene.cluster.deltas[Kind(delta.kind)].put_nowait(delta)

    async with watching(scene):
        await settled()

    by_kind = sorted(scene.flow.observed, key=lambda delta: list(Kind).index(Kind(delta.kind)))
    assert by_kind == deltas


async def test_a_delta_that_cannot_be_stored_is_offered_until_it_is(scene: Scene) -> None:
    scene.flow.troubles["observe"] = [Unavailable("disk full")] * 5
    first, second = Delta(kind=Kind.POD), Delta(kind=Kind.POD, is_synced=True)

    with structlog.testing.capture_logs() as logged:
        async with watching(scene):
            scene.cluster.deltas[Kind.POD].put_nowait(first)
            scene.cluster.deltas[Kind.POD].put_nowait(second)
            await scene.clock.move(30)

    assert scene.flow.observed == [first, second]
    troubles = [entry["event"] for entry in logged if "observe Pod" in str(entry.get("what"))]
    assert troubles == ["watcher.trouble", "watcher.well_again"]


async def test_a_delta_that_would_fail_every_time_does_not_stop_the_next(scene: Scene) -> None:
    scene.flow.troubles["observe"] = [Invalid("makes no sense")]
    second = Delta(kind=Kind.POD, is_synced=True)

    async with watching(scene):
        scene.cluster.deltas[Kind.POD].put_nowait(Delta(kind=Kind.POD))
        scene.cluster.deltas[Kind.POD].put_nowait(second)
        await settled()

    assert scene.flow.observed == [second]


async def test_a_watch_that_breaks_is_opened_again(scene: Scene) -> None:
    async with watching(scene):
        scene.cluster.deltas[Kind.NODE].put_nowait(Unavailable("gone"))
        await settled()
        scene.cluster.deltas[Kind.NODE].put_nowait(Delta(kind=Kind.NODE))
        await scene.clock.move(6)

    assert scene.flow.observed == [Delta(kind=Kind.NODE)]


async def test_the_flow_ticks_each_second_and_after_trouble_again(scene: Scene) -> None:
    async with watching(scene):
        await scene.clock.move(10.5)
        before = scene.flow.n_ticks
        scene.flow.troubles["tick"] = [Unavailable("locked")]
        await scene.clock.move(10)

    assert before == 11
    assert 12 <= scene.flow.n_ticks <= 16


async def test_it_stops_at_once_and_leaves_no_watch_open(scene: Scene) -> None:
    scene.cluster.log_gate = asyncio.Event()

    async with watching(scene):
        scene.cluster.show(a_killed_pod())
        await settled()
        assert scene.cluster.n_open == len(Kind)

    assert scene.cluster.n_open == 0


# ------------------------------------------------------------------ use of memory and CPU


async def test_usage_of_nodes_with_pods_is_read_every_five_seconds(scene: Scene) -> None:
    scene.cluster.points["dev"] = [a_point()]

    async with watching(scene):
        scene.cluster.show(a_pod(), a_pod(suffix="other"), a_pod(suffix="third", node="b"))
        await scene.clock.move(16)

    assert sorted(scene.cluster.usage_calls) == ["b"] * 3 + ["dev"] * 3
    (batch,) = scene.flow.received
    assert (batch.source, batch.cluster, batch.points) == ("kubelet", "c1", [a_point()])
    assert len(batch.key) == 16


async def test_only_points_that_are_newer_are_handed_over(scene: Scene) -> None:
    scene.cluster.show(a_pod())
    scene.cluster.points["dev"] = [a_point(ts_us=1)]

    async with watching(scene):
        await scene.clock.move(6)
        scene.cluster.points["dev"] = [a_point(ts_us=1), a_point(ts_us=2)]
        await scene.clock.move(5)

    assert [[p.ts_us for p in batch.points] for batch in scene.flow.received] == [[1], [2]]
    assert scene.flow.received[0].key != scene.flow.received[1].key


async def test_nobody_asks_a_node_whose_pods_are_over_or_gone(scene: Scene) -> None:
    async with watching(scene):
        scene.cluster.show(a_pod(suffix="over", phase="Succeeded"), a_pod(suffix="gone"))
        scene.cluster.show(a_pod(suffix="gone"), is_deleted=True)
        await scene.clock.move(16)

    assert scene.cluster.usage_calls == []


async def test_a_kubelet_that_cannot_be_read_is_asked_less_often_and_delays_no_other(
    scene: Scene,
) -> None:
    scene.cluster.points["dev"] = Refused("not allowed to get nodes/proxy")
    scene.cluster.show(a_pod(), a_pod(suffix="other", node="b"))

    with structlog.testing.capture_logs() as logged:
        async with watching(scene):
            await scene.clock.move(130)

    assert scene.cluster.usage_calls.count("b") >= 26
    assert scene.cluster.usage_calls.count("dev") == 3
    assert [e["what"] for e in logged if e["event"] == "watcher.trouble"] == ["usage dev"]


async def test_a_right_that_is_missing_beside_the_kinds_is_a_gap_until_it_is_given(
    scene: Scene,
) -> None:
    scene.cluster.points["dev"] = Refused("not allowed to get nodes/proxy")
    scene.cluster.show(a_pod(), a_pod(suffix="other", node="b"))

    async with watching(scene):
        await scene.clock.move(30)
        before = dict(scene.flow.gaps)
        scene.cluster.points["dev"] = [a_point()]
        await scene.clock.move(61)

    what = "use of memory and CPU"
    assert before == {what: Gap(what=what, reason="not allowed to get nodes/proxy")}
    assert scene.flow.gaps == {what: None}


async def test_a_secret_that_was_named_is_followed_beside_the_kinds(scene: Scene) -> None:
    db = ObjectRef(kind="Secret", namespace="shop", name="db")
    delta = Delta(kind=Named.SECRET, only="shop/db", is_synced=True)
    scene.cluster.named.put_nowait(delta)

    async with watching(scene, db, db):
        await scene.clock.move(1)

    assert scene.cluster.named_calls == [db]
    assert scene.flow.observed == [delta]


async def test_points_that_could_not_be_stored_come_again(scene: Scene) -> None:
    scene.cluster.show(a_pod())
    scene.cluster.points["dev"] = [a_point()]
    scene.flow.troubles["receive"] = [Unavailable("disk full")]

    async with watching(scene):
        await scene.clock.move(70)

    assert [batch.points for batch in scene.flow.received] == [[a_point()]]


# ------------------------------------------------------------------ logs of what failed


@pytest.mark.parametrize(
    ("now_is", "previous"), [("terminated", False), ("waiting", True), ("running", True)]
)
async def test_the_log_of_a_killed_run_is_read_where_it_is(
    now_is: NowIs, previous: bool, scene: Scene
) -> None:
    pod = a_killed_pod(now_is)

    async with watching(scene):
        scene.cluster.show(pod)
        await settled()

    assert scene.cluster.log_calls == [(pod.metadata.name, "app", previous)]
    (batch,) = scene.flow.received
    assert [body.partition(" to ")[0] for body in batch.lines.body] == ["cache grew"] * 2
    assert batch.streams == [
        Stream(
            cluster="c1",
            namespace="demo",
            app="oom-demo",
            pod=pod.metadata.name,
            container="app",
            node="dev",
        )
    ]


async def test_a_run_is_read_once_while_its_pod_goes_through_its_states(scene: Scene) -> None:
    recorded = [
        json.loads(line)["object"] for line in watch_fixture("watch_pods.jsonl").splitlines()
    ]
    pods = [msgspec.convert(o, Pod) for o in recorded if o["spec"]["containers"]]
    scene.clock = HandClock(datetime.fromisoformat("2026-11-23T07:55:30Z"))
    kills = {run.id for pod in pods for run in failed_runs(pod)}

    async with watching(scene):
        for pod in pods:
            scene.cluster.show(pod)
            await settled()

    assert len(scene.cluster.log_calls) == len(kills) == 3


async def test_a_container_that_started_again_meanwhile_is_read_as_previous(scene: Scene) -> None:
    scene.cluster.log_answers = {False: ("2026-11-23T08:00:00Z hello again",), True: LOG}

    async with watching(scene):
        scene.cluster.show(a_killed_pod("terminated"))
        scene.cluster.present = a_killed_pod("running")
        await settled()

    assert [previous for *_, previous in scene.cluster.log_calls] == [False, True]
    assert len(scene.flow.received[0].lines) == 2


async def test_reading_the_same_run_again_after_a_restart_gives_the_same_batch() -> None:
    first, second = Scene(), Scene()

    shown: tuple[tuple[Scene, NowIs], ...] = ((first, "terminated"), (second, "running"))
    for scene, now_is in shown:
        async with watching(scene):
            scene.cluster.show(a_killed_pod(now_is))
            await settled()

    assert first.flow.received[0].key == second.flow.received[0].key


async def test_a_container_whose_log_a_sender_delivers_is_not_read(scene: Scene) -> None:
    scene.flow.newest_line_us = scene.clock.now_us() - 29_000_000

    async with watching(scene):
        scene.cluster.show(a_killed_pod())
        await settled()

    assert scene.cluster.log_calls == []


async def test_a_sender_that_went_silent_is_no_sender(scene: Scene) -> None:
    scene.flow.newest_line_us = scene.clock.now_us() - 31_000_000

    async with watching(scene):
        scene.cluster.show(a_killed_pod())
        await settled()

    assert len(scene.flow.received) == 1


async def test_lines_that_we_read_ourselves_are_no_sign_of_a_sender(scene: Scene) -> None:
    async with watching(scene):
        scene.cluster.show(a_killed_pod("terminated"))
        await settled()
        scene.flow.newest_line_us = max(scene.flow.received[0].lines.ts_us)
        again = terminated(started=ago(1), finished=ago(0), container_id="containerd://next")
        scene.cluster.log_answers[False] = ("2026-11-23T07:59:59.5Z cache grew again",)
        scene.cluster.show(a_pod(statuses=[a_status(state=again)]))
        await settled()

    assert len(scene.flow.received) == 2


def a_waiting_pod(up_s: float = 20, *, ready: bool = False) -> Pod:
    return a_pod("web", statuses=[a_status(state=running(ago(up_s)), ready=ready)])


async def test_the_log_of_what_is_not_ready_is_followed_without_doubles(scene: Scene) -> None:
    scene.cluster.log_answers[False] = LOG

    async with watching(scene):
        scene.cluster.show(a_waiting_pod())
        await scene.clock.move(6)
        scene.cluster.log_answers[False] = (*LOG, "2026-11-23T08:00:04Z database refused me")
        await scene.clock.move(6)

    told = [body for batch in scene.flow.received for body in batch.lines.body]
    assert told == ["cache grew to 28 MiB", "cache grew to 30 MiB", "database refused me"]


async def test_an_init_container_that_goes_on_and_on_is_listened_to(scene: Scene) -> None:
    pod = a_pod(statuses=[a_status(state=waiting("PodInitializing"), ready=False)])
    starting = msgspec.structs.replace(
        pod,
        spec=msgspec.structs.replace(pod.spec, init_containers=[a_container("wait")]),
        status=msgspec.structs.replace(
            pod.status,
            init_container_statuses=[a_status("wait", state=running(ago(20)), ready=False)],
        ),
    )

    async with watching(scene):
        scene.cluster.show(starting)
        await scene.clock.move(6)

    assert {call[1:] for call in scene.cluster.log_calls} == {("wait", False)}


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_waiting_pod(ready=True), id="ready"),
        pytest.param(a_waiting_pod(up_s=1), id="up for a moment"),
    ],
)
async def test_what_starts_as_it_should_is_not_listened_to(scene: Scene, pod: Pod) -> None:
    async with watching(scene):
        scene.cluster.show(pod)
        await scene.clock.move(6)

    assert scene.cluster.log_calls == []


async def test_of_many_that_are_not_ready_all_have_their_turn(scene: Scene) -> None:
    pods = [
        a_pod(f"web{n}", statuses=[a_status(state=running(ago(60)), ready=False)])
        for n in range(MAX_LIVE_LOGS + 5)
    ]

    async with watching(scene):
        scene.cluster.show(*pods)
        await scene.clock.move(4)
        assert len(scene.cluster.log_calls) == 0
        await scene.clock.move(2)
        assert len(scene.cluster.log_calls) == MAX_LIVE_LOGS
        await scene.clock.move(5)

    assert {call[0] for call in scene.cluster.log_calls} == {p.metadata.name for p in pods}


async def test_a_pod_that_was_at_its_memory_limit_is_listened_to_though_it_is_ready(
    scene: Scene,
) -> None:
    pod = a_waiting_pod(ready=True)
    at_its_limit = msgspec.structs.replace(
        a_point(value=12),
        name=MEMORY_REFUSALS,
        stream=Stream(cluster="c1", namespace="demo", pod=pod.metadata.name, node="dev"),
    )
    scene.cluster.points["dev"] = [at_its_limit]

    async with watching(scene):
        scene.cluster.show(pod)
        await scene.clock.move(11)

    assert (pod.metadata.name, "app", False) in scene.cluster.log_calls


async def test_a_log_that_cannot_be_read_now_is_tried_again(scene: Scene) -> None:
    scene.cluster.log_answers[True] = Unavailable("kubelet is away")

    async with watching(scene):
        scene.cluster.show(a_killed_pod())
        await settled()
        scene.cluster.log_answers[True] = LOG
        await scene.clock.move(1)

    assert len(scene.cluster.log_calls) == 2
    assert len(scene.flow.received) == 1


@pytest.mark.parametrize("error", [NotFound("removed"), Refused("not allowed to get pods/log")])
async def test_a_log_that_is_gone_or_forbidden_is_let_go(error: CopilotError, scene: Scene) -> None:
    scene.cluster.log_answers[True] = error

    async with watching(scene):
        scene.cluster.show(a_killed_pod())
        await scene.clock.move(30)

    assert len(scene.cluster.log_calls) == 1
    assert scene.flow.received == []


async def test_a_log_that_was_read_is_offered_until_it_is_stored(scene: Scene) -> None:
    scene.flow.troubles["receive"] = [Unavailable("disk full")] * 8

    async with watching(scene):
        scene.cluster.show(a_killed_pod())
        await scene.clock.move(60)

    assert len(scene.cluster.log_calls) == 1
    assert len(scene.flow.received) == 1


async def test_only_a_few_logs_are_read_at_once(scene: Scene) -> None:
    scene.cluster.log_gate = asyncio.Event()

    async with watching(scene):
        scene.cluster.show(*(a_killed_pod(suffix=f"p{n}") for n in range(10)))
        await settled()
        scene.cluster.log_gate.set()
        await settled()

    assert scene.cluster.most_reading == LOGS_AT_ONCE
    assert len(scene.flow.received) == 10


async def test_what_ended_long_ago_is_history(scene: Scene) -> None:
    async with watching(scene):
        scene.cluster.show(a_killed_pod("running", killed_s=3700))
        await settled()

    assert scene.cluster.log_calls == []


DONE = terminated(started=ago(9), finished=ago(2), exit_code=0, reason="Completed")
FAILED = terminated(started=ago(9), finished=ago(2), exit_code=1, reason="Error")


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(a_pod(), [], id="a-healthy-pod"),
        pytest.param(a_pod(statuses=[a_status(state=DONE)]), [], id="a-job-that-is-done"),
        pytest.param(a_pod(statuses=[a_status(last_state=DONE)]), [], id="ended-well-runs-again"),
        pytest.param(
            a_pod(statuses=[a_status(state=waiting("CrashLoopBackOff"), last_state=DONE)]),
            [("app", False)],
            id="a-loop-of-runs-that-end-well",
        ),
        pytest.param(
            a_pod(statuses=[a_status(state=FAILED, last_state=FAILED)]),
            [("app", True), ("app", False)],
            id="two-runs-in-one-status",
        ),
        pytest.param(
            a_pod(init_statuses=[a_status("setup", state=FAILED)]),
            [("setup", True)],
            id="an-init-container",
        ),
        pytest.param(
            a_pod(statuses=[a_status(state=waiting("ImagePullBackOff"))]), [], id="never-ran"
        ),
        pytest.param(a_pod(statuses=[]), [], id="no-status-yet"),
    ],
)
def test_a_run_failed_where_it_ended_badly_or_loops(
    pod: Pod, expected: list[tuple[str, bool]]
) -> None:
    assert [(run.container, run.is_current) for run in failed_runs(pod)] == expected
