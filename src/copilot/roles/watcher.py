"""The watcher: follows the cluster and hands what it sees to leg 1.

Objects and events by list-and-watch, use of memory and CPU from the kubelets, and, where no log
sender is installed, the log of a container at the moment its run ended badly (the kubelet removes
it soon after), and of one that is up and does not become ready, for as long as it does not. A line
that is stored is not handed over again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import msgspec
import structlog

from copilot.domain.attributes import MEMORY_REFUSALS
from copilot.domain.change import ObjectVersion
from copilot.domain.errors import Busy, Conflict, CopilotError, NotFound, Refused, Unavailable
from copilot.domain.event import Batch, Point, Stream
from copilot.domain.evidence import Gap
from copilot.domain.objects import ObjectRef, Pod
from copilot.ingest.normalise import parse_time
from copilot.ingest.sources import pod_logs
from copilot.ports import Clock, Cluster, Delta, Kind
from copilot.roles.figures import Figures
from copilot.roles.runs import Run, Waited, failed_runs, running_containers, waited_containers

TICK_S = 1.0
USAGE_EVERY_S = 5.0
USAGE_AGAIN_US = 60_000_000
"""Until a node is asked again whose kubelet we may not read, or that has none."""
NODES_AT_ONCE = 4
LOGS_AT_ONCE = 4
MAX_LOG_BYTES = 256 * 2**10
MAX_WAITING_LOGS = 1000
LIVE_LOGS_EVERY_S = 5.0
MAX_LIVE_LOG_BYTES = 64 * 2**10
MAX_LIVE_LOGS = 40
"""Containers whose log is read in one round; the others have their turn in the next."""
LIVE_AFTER_US = 8_000_000
"""Most containers are ready by then, and nobody wants their logs."""
STRAINED_US = 60_000_000
LOG_TRIES = 5
SENDER_IS_ALIVE_US = 30_000_000
OLDEST_RUN_US = 3_600_000_000
"""At our start, runs that ended longer ago are history."""
MAX_PAUSE_S = 5.0

_USAGE, _LOGS = "use of memory and CPU", "logs of containers"
"""As gaps call them."""

_log = structlog.get_logger(__name__)


class Flow(Protocol):
    """As much of leg 1 as the watcher needs."""

    async def observe(self, delta: Delta) -> object:
        """Take in the next versions of a kind; a repeat changes nothing."""
        ...

    async def receive(self, batch: Batch) -> object:
        """Keep a batch; one with a known key stores nothing."""
        ...

    async def tick(self) -> object:
        """Look at what depends on time alone."""
        ...

    async def latest_line_us(self, *, namespace: str, pod: str, container: str) -> int:
        """Time of the newest stored line of a container, 0 for none."""
        ...

    async def note_gap(self, what: str, gap: Gap | None) -> object:
        """Note (or clear, with None) that something beside the kinds cannot be seen."""
        ...

    async def begin_watch(self) -> object:
        """Forget what an earlier watch saw: this one finds out anew."""
        ...


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What we know of a pod."""

    node: str
    runs: frozenset[str]
    waited: tuple[Waited, ...] = ()
    running: tuple[Waited, ...] = ()
    own_line_us: dict[str, int] = field(default_factory=dict)
    """By container: the newest line that we ourselves read and handed over."""


class Watcher:
    """Watches one cluster. `run` goes on until it is cancelled."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        flow: Flow,
        clock: Clock,
        cluster_name: str,
        secrets: Sequence[ObjectRef] = (),
        figures: Figures | None = None,
    ) -> None:
        self._figures = figures or Figures()
        # `secrets` are those of which it is told that they changed; only their metadata is read.
        self._secrets = tuple(dict.fromkeys(secrets))
        self._cluster = cluster
        self._flow = flow
        self._clock = clock
        self._cluster_name = cluster_name
        self._pods: dict[str, _Seen] = {}
        self._ended: asyncio.Queue[Run] = asyncio.Queue(MAX_WAITING_LOGS)
        self._usage_due_us: dict[str, int] = {}
        self._last_us: dict[str, dict[tuple[str, Stream], int]] = {}
        """By node: the time of the newest point of each series that was handed over."""
        self._strained_us: dict[tuple[str, str], int] = {}
        """By namespace and pod: when it was last at its memory limit."""
        self._turn = 0
        self._troubles: set[str] = set()
        self._under_way: dict[str, int] = {}
        """By kind: since when what it brought waits to be taken."""
        self._unseen: dict[str, set[str]] = {}
        """What beside the kinds may not be seen, and in which places."""

    @property
    def lag_s(self) -> float:
        """Age of the oldest change that was seen and is not stored yet."""
        oldest_us = min(self._under_way.values(), default=self._clock.now_us())
        return max(0, self._clock.now_us() - oldest_us) / 1_000_000

    @property
    def troubles(self) -> tuple[str, ...]:
        """What cannot be followed at the moment."""
        return tuple(sorted(self._troubles))

    async def run(self) -> None:
        await self._insist("begin", self._flow.begin_watch)
        async with asyncio.TaskGroup() as group:
            for kind in Kind:
                watch = partial(self._cluster.watch, kind)
                group.create_task(self._follow(f"{kind}", watch), name=f"watch-{kind}")
            for ref in self._secrets:
                watch = partial(self._cluster.watch_named, ref)
                group.create_task(self._follow(f"{ref}", watch), name=f"watch-{ref.key}")
            group.create_task(self._tick(), name="tick")
            group.create_task(self._poll_usage(), name="usage")
            group.create_task(self._follow_live_logs(), name="live-logs")
            for n in range(LOGS_AT_ONCE):
                group.create_task(self._capture_logs(), name=f"logs-{n}")

    # ------------------------------------------------------------------ objects and time

    async def _follow(self, what: str, watch: Callable[[], AsyncIterator[Delta]]) -> None:
        """Every delta is handed over until it is taken: the watch will not repeat it."""
        while True:
            deltas = watch()
            try:
                async for delta in deltas:
                    if delta.kind is Kind.POD:
                        self._look_at_pods(delta)
                    self._under_way[what] = self._clock.now_us()
                    await self._insist(f"observe {what}", partial(self._observe, delta))
                    del self._under_way[what]
            except CopilotError as error:
                self._trouble(f"watch {what}", error)
            finally:
                if isinstance(deltas, AsyncGenerator):
                    await deltas.aclose()
            await self._clock.sleep(MAX_PAUSE_S)

    async def _observe(self, delta: Delta) -> None:
        with self._figures.leg("observe"):
            await self._flow.observe(delta)

    async def _tick(self) -> None:
        while True:
            try:
                await self._flow.tick()
                self._well("tick")
            except CopilotError as error:
                self._trouble("tick", error)
                await self._clock.sleep(MAX_PAUSE_S)
            await self._clock.sleep(TICK_S)

    # ------------------------------------------------------------------ use of memory and CPU

    async def _poll_usage(self) -> None:
        while True:
            nodes = {seen.node for seen in self._pods.values() if seen.node}
            for gone in (self._last_us.keys() | self._usage_due_us.keys()) - nodes:
                self._last_us.pop(gone, None)
                self._usage_due_us.pop(gone, None)
            at_once = asyncio.Semaphore(NODES_AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for node in sorted(nodes):
                    group.create_task(self._read_usage(node, at_once))
            await self._clock.sleep(USAGE_EVERY_S)

    async def _read_usage(self, node: str, at_once: asyncio.Semaphore) -> None:
        """One try: what is missed now is replaced by the next look."""
        if self._clock.now_us() < self._usage_due_us.get(node, 0):
            return
        try:
            async with at_once:
                points = self._newer(node, await self._cluster.usage(node))
            self._note_strain(points)
            if points:
                await self._flow.receive(self._batch_of(points))
                latest = self._last_us.setdefault(node, {})
                latest.update({(p.name, p.stream): p.ts_us for p in points})
            self._well(f"usage {node}")
            await self._see(_USAGE, node)
        except CopilotError as error:
            self._trouble(f"usage {node}", error)
            await self._miss(_USAGE, node, error)
            if isinstance(error, Refused | NotFound):
                self._usage_due_us[node] = self._clock.now_us() + USAGE_AGAIN_US

    def _note_strain(self, points: list[Point]) -> None:
        """A child that is killed for memory shows nowhere but in the log, on some nodes."""
        now_us = self._clock.now_us()
        for point in points:
            if point.name == MEMORY_REFUSALS:
                self._strained_us[point.stream.namespace, point.stream.pod] = now_us
        for place, at_us in list(self._strained_us.items()):
            if now_us - at_us > STRAINED_US:
                del self._strained_us[place]

    def _newer(self, node: str, points: list[Point]) -> list[Point]:
        """Kubelets look less often than we do and repeat themselves meanwhile."""
        known = self._last_us.get(node, {})
        return [p for p in points if p.ts_us > known.get((p.name, p.stream), 0)]

    def _batch_of(self, points: list[Point]) -> Batch:
        key = hashlib.blake2b(msgspec.json.encode(points), digest_size=16, person=b"usage")
        return Batch(
            key=key.digest(),
            source="kubelet",
            cluster=self._cluster_name,
            received_us=self._clock.now_us(),
            points=points,
        )

    # ------------------------------------------------------------------ logs of what failed

    def _look_at_pods(self, delta: Delta) -> None:
        for version in delta.versions:
            uid = version.object.uid
            if version.is_deleted:
                self._pods.pop(uid, None)
                continue
            pod = _pod(version)
            if pod is None:
                continue
            runs = failed_runs(pod)
            seen = self._pods.get(uid) or _Seen(node="", runs=frozenset())
            is_over = pod.status.phase in ("Succeeded", "Failed")
            self._remember([run for run in runs if run.id not in seen.runs])
            seen.node = "" if is_over else pod.spec.node_name
            seen.runs = frozenset(run.id for run in runs)
            seen.waited = () if is_over else tuple(waited_containers(pod))
            seen.running = () if is_over else tuple(running_containers(pod))
            self._pods[uid] = seen

    def _remember(self, runs: list[Run]) -> None:
        oldest_us = self._clock.now_us() - OLDEST_RUN_US
        for run in runs:
            if run.finished_us < oldest_us:
                continue
            try:
                self._ended.put_nowait(run)
            except asyncio.QueueFull:
                self._trouble("log queue", Busy(f"{MAX_WAITING_LOGS} logs wait to be read"))

    async def _capture_logs(self) -> None:
        while True:
            run = await self._ended.get()
            what = f"logs in {run.pod.namespace}"
            for attempt in range(LOG_TRIES):
                try:
                    await self._capture(run)
                    self._well(what)
                    await self._see(_LOGS, run.pod.namespace)
                    break
                except NotFound as error:
                    _log.debug("watcher.log_gone", pod=run.pod.key, error=error.message)
                    break
                except Refused as error:
                    self._trouble(what, error)
                    await self._miss(_LOGS, run.pod.namespace, error)
                    break
                except CopilotError as error:
                    self._trouble(what, error)
                    await self._clock.sleep(min(0.5 * 2**attempt, MAX_PAUSE_S))

    async def _capture(self, run: Run) -> None:
        newest_us = await self._newest_line_us(run.pod, run.container)
        if not self._has_a_sender(run.pod, run.container, newest_us):
            where = Waited(
                pod=run.pod, container=run.container, node=run.node, app=run.app, since_us=0
            )
            await self._hand_over(where, await self._lines_of(run), newest_us)

    async def _hand_over(self, where: Waited, lines: Sequence[str], newest_us: int) -> None:
        """Give these lines to leg 1, without those that it has."""
        seen = self._pods.get(where.pod.uid)
        known_us = max(newest_us, seen.own_line_us.get(where.container, 0) if seen else 0)
        fresh = [line for line in lines if not 0 < parse_time(line.partition(" ")[0]) <= known_us]
        if not fresh:
            return
        stream = Stream(
            cluster=self._cluster_name,
            namespace=where.pod.namespace,
            app=where.app,
            pod=where.pod.name,
            container=where.container,
            node=where.node,
        )
        batch = pod_logs.decode(
            fresh, stream=stream, cluster=self._cluster_name, received_us=self._clock.now_us()
        )
        await self._insist("receive logs", partial(self._flow.receive, batch))
        if seen is not None:
            seen.own_line_us[where.container] = max(batch.lines.ts_us, default=0)

    async def _newest_line_us(self, pod: ObjectRef, container: str) -> int:
        return await self._flow.latest_line_us(
            namespace=pod.namespace, pod=pod.name, container=container
        )

    def _has_a_sender(self, pod: ObjectRef, container: str, newest_us: int) -> bool:
        """True where somebody else delivered lines of this container lately."""
        seen = self._pods.get(pod.uid)
        own_us = seen.own_line_us.get(container, 0) if seen else 0
        return newest_us > own_us and self._clock.now_us() - newest_us < SENDER_IS_ALIVE_US

    # ------------------------------------------------------------------ logs of what is waited for

    async def _follow_live_logs(self) -> None:
        while True:
            for where in self._live_turn():
                what = f"live logs in {where.pod.namespace}"
                try:
                    newest_us = await self._newest_line_us(where.pod, where.container)
                    if self._has_a_sender(where.pod, where.container, newest_us):
                        continue
                    lines = await self._cluster.logs(
                        where.pod, where.container, previous=False, max_bytes=MAX_LIVE_LOG_BYTES
                    )
                    await self._hand_over(where, lines, newest_us)
                    self._well(what)
                except NotFound as error:
                    _log.debug("watcher.log_gone", pod=where.pod.key, error=error.message)
                except CopilotError as error:
                    self._trouble(what, error)
            await self._clock.sleep(LIVE_LOGS_EVERY_S)

    def _live_turn(self) -> list[Waited]:
        """The containers to read now; where they are many, they take turns."""
        oldest_us = self._clock.now_us() - LIVE_AFTER_US
        due = [
            where
            for seen in self._pods.values()
            for where in (*seen.waited, *self._strained(seen))
            if where.since_us <= oldest_us
        ]
        start = self._turn % max(len(due), 1)
        self._turn = start + MAX_LIVE_LOGS if len(due) > MAX_LIVE_LOGS else 0
        return [*due[start:], *due[:start]][:MAX_LIVE_LOGS]

    def _strained(self, seen: _Seen) -> list[Waited]:
        return [
            where
            for where in seen.running
            if where not in seen.waited
            and (where.pod.namespace, where.pod.name) in self._strained_us
        ]

    async def _lines_of(self, run: Run) -> tuple[str, ...]:
        """The log of exactly this run, whole, so that reading it again gives the same batch.

        The container may start again while we read; "current" is another run's log then.
        """
        if run.is_current:
            lines = await self._log(run, previous=False)
            if await self._is_still_current(run):
                return lines
        return await self._log(run, previous=True)

    async def _log(self, run: Run, *, previous: bool) -> tuple[str, ...]:
        return await self._cluster.logs(
            run.pod, run.container, previous=previous, max_bytes=MAX_LOG_BYTES
        )

    async def _is_still_current(self, run: Run) -> bool:
        try:
            pod = msgspec.json.decode(await self._cluster.get(run.pod), type=Pod)
        except (NotFound, msgspec.DecodeError):
            # Deleted meanwhile: nothing else can have run in it.
            return True
        return any(now.id == run.id and now.is_current for now in failed_runs(pod))

    # ------------------------------------------------------------------ surviving

    async def _insist(self, what: str, act: Callable[[], Awaitable[object]]) -> None:
        """Until it is done; only what would fail every time is given up."""
        pause_s = 0.2
        while True:
            try:
                await act()
                self._well(what)
                return
            except (Unavailable, Busy, Conflict) as error:
                self._trouble(what, error)
                await self._clock.sleep(pause_s)
                pause_s = min(pause_s * 2, MAX_PAUSE_S)
            except CopilotError as error:
                _log.error("watcher.given_up", what=what, error=error.message)
                return

    async def _miss(self, what: str, where: str, error: CopilotError) -> None:
        """Where a right is missing it is a gap that people are told of, once for all places."""
        if not isinstance(error, Refused):
            return
        places = self._unseen.setdefault(what, set())
        if not places:
            gap = Gap(what=what, reason=error.message)
            await self._insist(f"note {what}", partial(self._flow.note_gap, what, gap))
        places.add(where)

    async def _see(self, what: str, where: str) -> None:
        places = self._unseen.get(what, set())
        if where in places:
            places.discard(where)
            if not places:
                await self._insist(f"note {what}", partial(self._flow.note_gap, what, None))

    def _trouble(self, what: str, error: CopilotError) -> None:
        """Said once for each stretch of trouble."""
        if what not in self._troubles:
            _log.warning("watcher.trouble", what=what, error=error.message)
        self._troubles.add(what)

    def _well(self, what: str) -> None:
        if what in self._troubles:
            self._troubles.discard(what)
            _log.info("watcher.well_again", what=what)


def _pod(version: ObjectVersion) -> Pod | None:
    try:
        return msgspec.json.decode(version.json, type=Pod)
    except msgspec.DecodeError as error:
        _log.warning("watcher.pod_unreadable", pod=version.object.key, error=str(error))
        return None
