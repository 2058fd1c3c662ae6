"""The cluster's log shipper and metrics collector: what they would send, through the same doors.

Logs go to `/ingest` in Fluent Bit's form (one JSON array with a `kubernetes` map), memory to
`/v1/metrics` as OTLP protobuf. A chunk that was not taken (429, 5xx, no answer) is sent again with
the same bytes; any other 4xx drops it, as Fluent Bit does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import orjson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as OtlpResource

from copilot.demo.containers import Container
from copilot.demo.kinds import POD, REPLICA_SET, Obj
from copilot.demo.kubelet import Heard, Kubelet, PodRun
from copilot.demo.times import Clock, to_microsecond, to_nanosecond
from copilot.demo.world import World
from copilot.domain import attributes as names

BUFFER_CHUNKS = 300
"""Chunks that wait for a receiver which does not answer; then the oldest is lost."""

RETRY_S = (1.0, 2.0, 5.0)
TIMEOUT_S = 10.0
EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One request, kept byte for byte until it is taken."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Senders:
    """Ships logs and metrics every second to one receiver.

    `ingest_url` is its root (`http://127.0.0.1:3000`), `token` one of a sender.
    """

    def __init__(
        self,
        *,
        ingest_url: str,
        token: str,
        cluster: str,
        clock: Clock,
        buffer_chunks: int = BUFFER_CHUNKS,
    ) -> None:
        self.n_lost = 0
        """Chunks that were refused, or pushed out of a full buffer."""
        self._url = ingest_url.rstrip("/")
        self._cluster = cluster
        self._clock = clock
        self._auth = {"Authorization": f"Bearer {token}"}
        self._buffer_chunks = buffer_chunks
        self._waiting: deque[Chunk] = deque()
        self._filled = asyncio.Event()

    @property
    def n_waiting(self) -> int:
        """Chunks that are still to be sent, without the one that is on its way."""
        return len(self._waiting)

    async def run(self, world: World, kubelet: Kubelet) -> None:
        """Collect and send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._collect(world, kubelet))
            tasks.create_task(self._send())

    async def _collect(self, world: World, kubelet: Kubelet) -> None:
        while True:
            await self._clock.sleep(EVERY_S)
            heard = list(kubelet.unsent)
            kubelet.unsent.clear()
            if heard:
                self._keep(self._log_chunk(world, heard))
            self._keep(self._metrics_chunk(world, kubelet))

    def _keep(self, chunk: Chunk) -> None:
        self._waiting.append(chunk)
        if len(self._waiting) > self._buffer_chunks:
            self._waiting.popleft()
            self.n_lost += 1
        self._filled.set()

    async def _send(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=TIMEOUT_S) as client:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._waiting:
                    await self._deliver(client, self._waiting.popleft())

    async def _deliver(self, client: httpx.AsyncClient, chunk: Chunk) -> None:
        """Until it is taken or refused; meanwhile new chunks wait in the buffer."""
        n_tries = 0
        while True:
            status = await _post(client, chunk)
            if status in (408, 429) or status >= 500:
                await self._clock.sleep(RETRY_S[min(n_tries, len(RETRY_S) - 1)])
                n_tries += 1
                continue
            self.n_lost += status >= 400
            return

    # -------------------------------------------------------------- logs

    def _log_chunk(self, world: World, heard: list[Heard]) -> Chunk:
        records = [_record(world, line) for line in heard]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Fluent-Bit",
            "X-Cluster": self._cluster,
            "X-Fluent-Tag": "kube",
            **self._auth,
        }
        return Chunk(path="/ingest", headers=headers, body=orjson.dumps(records))

    # -------------------------------------------------------------- metrics

    def _metrics_chunk(self, world: World, kubelet: Kubelet) -> Chunk:
        request = ExportMetricsServiceRequest(
            resource_metrics=[
                _resource_metrics(self._cluster, pod, container, world)
                for pod in kubelet.pods.values()
                for container in pod.containers
                if container.is_running
            ]
        )
        headers = {
            "Content-Type": "application/x-protobuf",
            "User-Agent": "otelcol-demo",
            **self._auth,
        }
        return Chunk(path="/v1/metrics", headers=headers, body=request.SerializeToString())


async def _post(client: httpx.AsyncClient, chunk: Chunk) -> int:
    """The status of the answer, 503 for none."""
    try:
        answer = await client.post(chunk.path, content=chunk.body, headers=chunk.headers)
    except httpx.TransportError:
        return 503
    return answer.status_code


def _record(world: World, heard: Heard) -> Obj:
    """A line as Fluent Bit's tail input and kubernetes filter (`Merge_Log`, `Keep_Log`) have it."""
    line = heard.line
    record: Obj = {
        "date": to_microsecond(world.now_us()),
        "time": to_nanosecond(line.at_us),
        "stream": line.stream,
        "_p": "F",
        "log": line.text,
    }
    return record | _merged(line.text) | {"kubernetes": _metadata(world, heard)}


def _merged(text: str) -> Obj:
    if not text.startswith("{"):
        return {}
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _metadata(world: World, heard: Heard) -> Obj:
    told: Obj = {"pod_name": heard.pod, "namespace_name": heard.namespace}
    pod = world.find(POD, heard.namespace, heard.pod)
    if pod is not None:
        metadata, status = pod["metadata"], pod["status"]
        told |= {
            "pod_id": metadata["uid"],
            "labels": metadata.get("labels") or {},
            "annotations": metadata.get("annotations") or {},
            "ownerReferences": metadata.get("ownerReferences") or [],
            "host": pod["spec"].get("nodeName", ""),
            "pod_ip": status.get("podIP", ""),
        }
        spec = next(c for c in pod["spec"]["containers"] if c["name"] == heard.container)
        told["container_image"] = spec["image"]
    return told | {"container_name": heard.container, "docker_id": heard.run.container_id}


def _resource_metrics(
    cluster: str, pod: PodRun, container: Container, world: World
) -> ResourceMetrics:
    attributes = {
        names.CLUSTER: cluster,
        names.NAMESPACE: pod.namespace,
        names.POD: pod.name,
        names.POD_UID: pod.uid,
        names.CONTAINER: container.name,
        names.NODE: pod.node,
        names.DEPLOYMENT: _deployment(world, pod),
    }
    at_ns = world.now_us() * 1000
    metrics = [_gauge(names.MEMORY_WORKING_SET, container.memory_bytes, at_ns)]
    if container.limit_bytes:
        metrics.append(_gauge(names.MEMORY_LIMIT, container.limit_bytes, at_ns))
    scope = InstrumentationScope(name="kubeletstats")
    return ResourceMetrics(
        resource=OtlpResource(
            attributes=[
                KeyValue(key=name, value=AnyValue(string_value=value))
                for name, value in attributes.items()
                if value
            ]
        ),
        scope_metrics=[ScopeMetrics(scope=scope, metrics=metrics)],
    )


def _gauge(name: str, value: int, at_ns: int) -> Metric:
    point = NumberDataPoint(as_int=value, time_unix_nano=at_ns)
    return Metric(name=name, unit="By", gauge=Gauge(data_points=[point]))


def _deployment(world: World, pod: PodRun) -> str:
    """The name of the Deployment above the pod's ReplicaSet, empty for none."""
    held = world.find(POD, pod.namespace, pod.name)
    owner = _owner_name(held)
    return _owner_name(world.find(REPLICA_SET, pod.namespace, owner)) if owner else ""


def _owner_name(obj: Obj | None) -> str:
    owners = (obj or {}).get("metadata", {}).get("ownerReferences") or []
    return str(owners[0]["name"]) if owners else ""
