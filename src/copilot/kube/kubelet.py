"""What containers use, from the kubelet, through the API server's node proxy.

No metrics-server is needed. A container that lives a few seconds is often missed by a look at its
working set; the pod's cgroup keeps the peak (cgroup v1), so both are read.

cAdvisor also counts how hard containers run into their limits: CPU periods in which they were
stopped, processes that were killed for memory, memory that was asked for at the limit. Its counts
go up for ever, so what is told is the difference to the look before, and only where there is any.
https://kubernetes.io/docs/reference/instrumentation/node-metrics/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from datetime import datetime

import msgspec

from copilot.domain.attributes import (
    CPU_THROTTLED,
    CPU_USAGE,
    MEMORY_KILLS,
    MEMORY_PEAK,
    MEMORY_REFUSALS,
    MEMORY_WORKING_SET,
)
from copilot.domain.errors import BadInput, NotFound, Refused, Unavailable
from copilot.domain.event import Point, Stream
from copilot.domain.objects import epoch_us
from copilot.kube.resources import asking_kubelet
from copilot.kube.server import ApiServer
from copilot.ports import Clock

MAX_SUMMARY = 32 * 2**20
SCRAPE_TIMEOUT_S = 10.0
PEAKS_EVERY_US = 10_000_000
"""cAdvisor itself looks about this often, and its page is long."""

_WORKING_SET = b"container_memory_working_set_bytes"
_PEAK = b"container_memory_max_usage_bytes{"
_PERIODS = b"container_cpu_cfs_periods_total{"
_STOPPED = b"container_cpu_cfs_throttled_periods_total{"
_KILLS = b"container_oom_events_total{"
_REFUSALS = b"container_memory_failcnt{"
_MEMORY = (_KILLS, _REFUSALS)
_COUNTERS = (_PERIODS, _STOPPED, _KILLS, _REFUSALS)
_SAMPLE = re.compile(r"\w+\{(?P<labels>.*)\} (?P<value>\S+)(?: (?P<ms>\d+))?")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


Counters = dict[tuple[bytes, str, str, str, str], tuple[int, float]]
"""When and at what each counter stood, by metric, namespace, pod, container and cgroup."""


class _PodRef(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    namespace: str = ""


class _Cpu(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    time: datetime | None = None
    usage_nano_cores: int | None = None


class _Memory(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    time: datetime | None = None
    working_set_bytes: int | None = None


class _Container(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    cpu: _Cpu | None = None
    memory: _Memory | None = None


class _Pod(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pod_ref: _PodRef = _PodRef()
    containers: list[_Container] | None = None


class _Summary(msgspec.Struct, frozen=True, kw_only=True):
    pods: list[_Pod] | None = None


class Kubelet:
    """Reads the kubelets of one cluster's nodes."""

    def __init__(self, server: ApiServer, *, cluster: str, clock: Clock) -> None:
        self._server = server
        self._cluster = cluster
        self._clock = clock
        self._peaks_due_us: dict[str, int] = {}
        self._counters: dict[str, Counters] = {}
        """By node."""

    async def usage(self, node: str) -> list[Point]:
        """Working sets and CPU of the containers that run now, and every 10 s the pods' peaks and
        what ran into a limit, where the node keeps them."""
        where = Stream(cluster=self._cluster, node=node)
        try:
            points = await self._summary(where)
        except (NotFound, BadInput):
            points = await self._resource_metrics(where)
        return points + await self._cadvisor(where)

    async def _summary(self, where: Stream) -> list[Point]:
        call = asking_kubelet(where.node, "/stats/summary", (("only_cpu_and_memory", "true"),))
        body = await self._server.read(call, max_bytes=MAX_SUMMARY, timeout_s=SCRAPE_TIMEOUT_S)
        return points_of_summary(body, where, self._clock.now_us())

    async def _resource_metrics(self, where: Stream) -> list[Point]:
        """Memory only: this page counts CPU seconds, not cores."""
        lines = await self._lines(where.node, "/metrics/resource", (_WORKING_SET,))
        return list(points_of_metrics(lines, MEMORY_WORKING_SET, where, self._clock.now_us()))

    async def _cadvisor(self, where: Stream) -> list[Point]:
        now_us = self._clock.now_us()
        if now_us < self._peaks_due_us.get(where.node, 0):
            return []
        self._peaks_due_us[where.node] = now_us + PEAKS_EVERY_US
        try:
            lines = await self._lines(where.node, "/metrics/cadvisor", (_PEAK, *_COUNTERS))
        except (NotFound, BadInput, Refused, Unavailable):
            # Working sets alone are worth having; a node without the page is a usual one.
            return []
        peaks = [line for line in lines if line.startswith(_PEAK)]
        before = self._counters.get(where.node, {})
        self._counters[where.node] = counts = counters_in(lines, now_us)
        return [
            *points_of_counters(before, counts, where),
            *points_of_metrics(peaks, MEMORY_PEAK, where, now_us),
        ]

    async def _lines(self, node: str, path: str, metrics: tuple[bytes, ...]) -> list[bytes]:
        call = asking_kubelet(node, path)
        found: list[bytes] = []
        lines = self._server.lines(call, idle_s=SCRAPE_TIMEOUT_S, total_s=SCRAPE_TIMEOUT_S)
        async with aclosing(lines) as batches:
            async for batch in batches:
                found += [line for line in batch if line.startswith(metrics)]
        return found


def points_of_summary(body: bytes, where: Stream, now_us: int) -> list[Point]:
    """Points of a `/stats/summary` body, each at the kubelet's own time.

    Raises:
        Unavailable: the body makes no sense.
    """
    try:
        summary = msgspec.json.decode(body, type=_Summary)
    except msgspec.DecodeError as error:
        raise Unavailable(f"the summary of node {where.node} makes no sense: {error}") from error
    return [
        point
        for pod in summary.pods or ()
        for container in pod.containers or ()
        for point in _points_of(container, _stream(where, pod.pod_ref, container.name), now_us)
    ]


def points_of_metrics(
    lines: Iterable[bytes], name: str, where: Stream, now_us: int
) -> Iterator[Point]:
    """Points of Prometheus text lines of one metric; lines that are none of a pod are left out.

    Of the peaks only those of a whole pod count: rows with neither container nor cgroup name.
    """
    for line in lines:
        sample = _SAMPLE.fullmatch(line.decode(errors="replace").strip())
        if sample is None:
            continue
        labels = dict(_LABEL.findall(sample["labels"]))
        is_whole_pod = not labels.get("container") and not labels.get("name")
        if not labels.get("pod") or is_whole_pod != (name == MEMORY_PEAK):
            continue
        pod = _PodRef(name=labels["pod"], namespace=labels.get("namespace", ""))
        value = _number(sample["value"])
        if value is not None:
            yield Point(
                name=name,
                stream=_stream(where, pod, labels.get("container", "")),
                ts_us=int(sample["ms"]) * 1000 if sample["ms"] else now_us,
                value=value,
            )


def counters_in(lines: Iterable[bytes], now_us: int) -> Counters:
    """What the page's counters stand at: kills of containers, refusals of pods, CPU of both: a
    container that lives for seconds is missed, its pod is not."""
    found: Counters = {}
    for line in lines:
        metric = line[: line.find(b"{") + 1]
        sample = _SAMPLE.fullmatch(line.decode(errors="replace").strip())
        if metric not in _COUNTERS or sample is None:
            continue
        labels = dict(_LABEL.findall(sample["labels"]))
        container, pod = labels.get("container", ""), labels.get("pod", "")
        is_whole_pod = not container and not labels.get("name")
        value = _number(sample["value"])
        is_wanted = is_whole_pod == (metric == _REFUSALS) if metric in _MEMORY else True
        if pod and value is not None and is_wanted and (container or is_whole_pod):
            ts_us = int(sample["ms"]) * 1000 if sample["ms"] else now_us
            key = (metric, labels.get("namespace", ""), pod, container, labels.get("id", ""))
            found[key] = (ts_us, value)
    return found


def points_of_counters(before: Counters, after: Counters, where: Stream) -> Iterator[Point]:
    """What was added since the look before: nothing at the first look, all that a container counts
    which was not there then. What stands still says nothing."""
    for (metric, *place), (ts_us, value) in after.items():
        namespace, pod, container, cgroup = place
        start = (0, 0.0) if before else (0, value)
        added = value - before.get((metric, namespace, pod, container, cgroup), start)[1]
        if metric == _STOPPED or added <= 0:
            continue
        stream = _stream(where, _PodRef(name=pod, namespace=namespace), container)
        if metric == _PERIODS:
            key = (_STOPPED, namespace, pod, container, cgroup)
            stopped = after.get(key, (0, 0.0))[1] - before.get(key, (0, 0.0))[1]
            share = min(1.0, max(0.0, stopped) / added)
            yield Point(name=CPU_THROTTLED, stream=stream, ts_us=ts_us, value=share)
        else:
            name = MEMORY_KILLS if metric == _KILLS else MEMORY_REFUSALS
            yield Point(name=name, stream=stream, ts_us=ts_us, value=added)


def _points_of(container: _Container, stream: Stream, now_us: int) -> Iterator[Point]:
    memory, cpu = container.memory, container.cpu
    if memory and memory.working_set_bytes is not None:
        ts_us = epoch_us(memory.time) or now_us
        value = float(memory.working_set_bytes)
        yield Point(name=MEMORY_WORKING_SET, stream=stream, ts_us=ts_us, value=value)
    if cpu and cpu.usage_nano_cores is not None:
        ts_us = epoch_us(cpu.time) or now_us
        yield Point(name=CPU_USAGE, stream=stream, ts_us=ts_us, value=cpu.usage_nano_cores / 1e9)


def _stream(where: Stream, pod: _PodRef, container: str) -> Stream:
    return msgspec.structs.replace(
        where, namespace=pod.namespace, pod=pod.name, container=container
    )


def _number(text: str) -> float | None:
    """None for NaN and what is no number: there is nothing to draw."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
