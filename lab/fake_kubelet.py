"""Nodes without machines: pods that are bound to them run, in the API alone.

The control plane is real, so rollouts, scheduling, patches, dry runs and access rules are too.
Annotations of a pod make its containers fail as they would on a node:

    lab/needs-memory: 48Mi   OOM-killed, again and again, where the memory limit is below this
    lab/exits: "1"           ends with this code soon after each start

One watch for all pods, a bounded number of requests at once, and leases as heartbeats: fifty nodes
and thousands of pods are a few requests a second when nothing happens.
https://kubernetes.io/docs/concepts/architecture/nodes/#heartbeats
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import itertools
import json
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

Json = dict[str, Any]

REQUESTS_AT_ONCE = 32
LEASE_S = 40
RENEW_EVERY_S = 10.0
LIFE_S = 3.0
"""From a container's start to its failure."""
SHOWS_END_S = 0.5
"""From there until the kubelet says that it waits."""
BACK_OFF_S = (2.0, 5.0, 10.0, 20.0)
PAGE = 500
WATCH_S = 240
AGAIN_S = 0.5
MAX_LINE = 2**22
NEEDS_MEMORY, EXITS = "lab/needs-memory", "lab/exits"

_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9}
_CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "500"}


class Gone(Exception):
    """The object is not there any more, or our version of the list is too old."""


class Api:
    """As much of the API server as a kubelet needs."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server
        self._at_once = asyncio.Semaphore(REQUESTS_AT_ONCE)

    async def call(self, method: str, path: str, body: Json | None = None, kind: str = "") -> Json:
        """Tried until the server answers: it may be down, or busy.

        Raises:
            Gone: 404 or 410.
        """
        headers = {"Content-Type": kind or "application/json"}
        while True:
            try:
                async with (
                    self._at_once,
                    self._session.request(
                        method, self._server + path, json=body, headers=headers
                    ) as answer,
                ):
                    text = await answer.text()
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(AGAIN_S)
                continue
            match answer.status:
                case 404 | 410:
                    raise Gone(path)
                case status if status < 300 or status == 409:  # there already, which is as good
                    return dict(json.loads(text))
                case 429 | 500 | 503 | 504:
                    await asyncio.sleep(AGAIN_S)
                case status:
                    raise RuntimeError(f"{method} {path}: {status} {text[:500]}")

    async def merge(self, path: str, patch: Json) -> Json:
        return await self.call("PATCH", path, patch, "application/merge-patch+json")

    async def watch(self, path: str) -> AsyncIterator[Json]:
        """Events until the server ends the watch or goes away."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=WATCH_S + 30)
        try:
            async with self._session.get(self._server + path, timeout=timeout) as answer:
                async for line in answer.content:
                    yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError):
            return


@dataclass(frozen=True, slots=True)
class Fate:
    """How a container ends, again and again."""

    reason: str
    exit_code: int


class FakeKubelet:
    """All the nodes."""

    def __init__(self, api: Api, nodes: int) -> None:
        self._api = api
        self._nodes = [f"fake-{number:02d}" for number in range(nodes)]
        self._lives: dict[str, asyncio.Task[None]] = {}
        """By the pod's uid."""
        self._addresses: Iterator[int] = itertools.count(1)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for node in self._nodes:
                group.create_task(self._node(node))
            group.create_task(self._follow(group))

    # ------------------------------------------------------------------ nodes

    async def _node(self, name: str) -> None:
        node = {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}}
        await self._api.call("POST", "/api/v1/nodes", node)
        await self._api.merge(f"/api/v1/nodes/{name}/status", {"status": _node_status(name)})
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        spec = {"holderIdentity": name, "leaseDurationSeconds": LEASE_S}
        await self._api.call("POST", leases, {"metadata": {"name": name}, "spec": spec})
        while True:
            await self._api.merge(f"{leases}/{name}", {"spec": {"renewTime": _now_micro()}})
            await asyncio.sleep(RENEW_EVERY_S)

    # ------------------------------------------------------------------ pods

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        """List, then watch; again whenever the watch ends, so that nothing is missed."""
        while True:
            try:
                version = await self._list(group)
                query = f"watch=1&resourceVersion={version}&timeoutSeconds={WATCH_S}"
                async for event in self._api.watch(f"/api/v1/pods?{query}"):
                    if event["type"] == "ERROR":
                        break
                    self._look(group, event["object"], is_gone=event["type"] == "DELETED")
            except Gone:
                pass
            await asyncio.sleep(AGAIN_S)

    async def _list(self, group: asyncio.TaskGroup) -> str:
        token, seen = "", set()
        while True:
            page = await self._api.call("GET", f"/api/v1/pods?limit={PAGE}&continue={token}")
            for pod in page["items"]:
                seen.add(pod["metadata"]["uid"])
                self._look(group, pod)
            token = page["metadata"].get("continue", "")
            if not token:
                for uid in self._lives.keys() - seen:
                    self._lives.pop(uid).cancel()
                return str(page["metadata"]["resourceVersion"])

    def _look(self, group: asyncio.TaskGroup, pod: Json, *, is_gone: bool = False) -> None:
        """Begin or end a pod's life. Most events are echoes of what we wrote ourselves."""
        metadata = pod["metadata"]
        uid = metadata["uid"]
        if pod["spec"].get("nodeName") not in self._nodes:
            return
        if is_gone or metadata.get("deletionTimestamp"):
            if life := self._lives.pop(uid, None):
                life.cancel()
                if not is_gone:
                    group.create_task(self._end(pod))
        elif uid not in self._lives:
            self._lives[uid] = group.create_task(self._live(pod))

    async def _end(self, pod: Json) -> None:
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
        try:
            await self._api.call("DELETE", _path(pod), options)
        except Gone:
            return

    async def _live(self, pod: Json) -> None:
        """Until it is deleted, which cancels this."""
        statuses = pod.get("status", {}).get("containerStatuses") or ()
        restarts = max((status["restartCount"] for status in statuses), default=0)
        fates = {c["name"]: fate for c in pod["spec"]["containers"] if (fate := fate_of(pod, c))}
        address = _address(next(self._addresses))
        ended: Json | None = None
        try:
            for restart in itertools.count(restarts):
                started = _now()
                states = {"running": {"startedAt": started}}
                await self._tell(pod, address, restart, fates, states, ended)
                if not fates:
                    return
                await asyncio.sleep(LIFE_S)
                ended = {"startedAt": started, "finishedAt": _now()}
                await self._tell(pod, address, restart, fates, {"terminated": ended}, ended)
                await asyncio.sleep(SHOWS_END_S)
                pause_s = BACK_OFF_S[min(restart, len(BACK_OFF_S) - 1)]
                message = f"back-off {pause_s:.0f}s restarting failed container"
                waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
                await self._tell(pod, address, restart, fates, waiting, ended)
                await self._say_back_off(pod, restart + 1 - restarts)
                await asyncio.sleep(pause_s)
        except Gone:
            return

    async def _tell(
        self,
        pod: Json,
        address: str,
        restarts: int,
        fates: dict[str, Fate],
        state: Json,
        ended: Json | None,
    ) -> None:
        """Write the pod's status: containers with a fate are in this state, all others run."""
        is_ready = "running" in state
        containers = []
        for container in pod["spec"]["containers"]:
            fate = fates.get(container["name"])
            end = {"terminated": _ending(ended, fate)} if fate and ended else {}
            own = end if "terminated" in state and fate else state
            containers.append(
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": f"fake://{container['image']}",
                    "containerID": f"fake://{pod['metadata']['uid']}-{container['name']}-{restarts}",
                    "ready": is_ready or not fate,
                    "started": is_ready or not fate,
                    "restartCount": restarts if fate else 0,
                    "state": own if fate else {"running": {"startedAt": _now()}},
                    "lastState": end if own is not end else {},
                }
            )
        status = {
            "phase": "Running",
            "hostIP": "10.99.0.1",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": _now(),
            "conditions": [_condition(kind, is_ready) for kind in ("Ready", "ContainersReady")]
            + [_condition(kind, True) for kind in ("PodScheduled", "Initialized")],
            "containerStatuses": containers,
        }
        await self._api.merge(f"{_path(pod)}/status", {"status": status})

    async def _say_back_off(self, pod: Json, count: int) -> None:
        """As the kubelet: one Event that counts."""
        metadata = pod["metadata"]
        name = f"{metadata['name']}.{metadata['uid'][:13].replace('-', '')}"
        events = f"/api/v1/namespaces/{metadata['namespace']}/events"
        if count > 1:
            try:
                await self._api.merge(f"{events}/{name}", {"count": count, "lastTimestamp": _now()})
                return
            except Gone:
                pass
        names = ("namespace", "name", "uid", "resourceVersion")
        involved = {"kind": "Pod", "apiVersion": "v1", **{n: metadata[n] for n in names}}
        container = pod["spec"]["containers"][0]["name"]
        event = {
            "metadata": {"name": name},
            "involvedObject": {**involved, "fieldPath": f"spec.containers{{{container}}}"},
            "reason": "BackOff",
            "type": "Warning",
            "message": f"Back-off restarting failed container {container} in pod {metadata['name']}",
            "source": {"component": "kubelet", "host": pod["spec"]["nodeName"]},
            "firstTimestamp": _now(),
            "lastTimestamp": _now(),
            "count": count,
        }
        await self._api.call("POST", events, event)


def fate_of(pod: Json, container: Json) -> Fate | None:
    """How it ends; None for one that runs for ever."""
    annotations = pod["metadata"].get("annotations") or {}
    limit = container.get("resources", {}).get("limits", {}).get("memory")
    needed = annotations.get(NEEDS_MEMORY)
    if needed and limit and _bytes(limit) < _bytes(needed):
        return Fate("OOMKilled", 137)
    if EXITS in annotations:
        code = int(annotations[EXITS])
        return Fate("Error" if code else "Completed", code)
    return None


def _ending(ended: Json, fate: Fate) -> Json:
    return {**ended, "reason": fate.reason, "exitCode": fate.exit_code}


def _bytes(quantity: str) -> float:
    unit = next((unit for unit in _UNITS if quantity.endswith(unit)), "")
    return float(quantity.removesuffix(unit)) * _UNITS.get(unit, 1)


def _condition(kind: str, is_true: bool) -> Json:
    return {"type": kind, "status": str(is_true), "lastTransitionTime": _now()}


def _node_status(name: str) -> Json:
    pressures = [_condition(f"{what}Pressure", False) for what in ("Memory", "Disk", "PID")]
    unknown = ("bootID", "machineID", "systemUUID", "kubeProxyVersion")
    return {
        "capacity": _CAPACITY,
        "allocatable": _CAPACITY,
        "conditions": [*pressures, {**_condition("Ready", True), "reason": "KubeletReady"}],
        "addresses": [{"type": "Hostname", "address": name}],
        "nodeInfo": {
            **dict.fromkeys(unknown, ""),
            "architecture": "amd64",
            "containerRuntimeVersion": "fake://1",
            "kernelVersion": "0",
            "kubeletVersion": "fake",
            "operatingSystem": "linux",
            "osImage": "none",
        },
    }


def _path(pod: Json) -> str:
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


def _address(number: int) -> str:
    return f"10.88.{number // 250 % 250}.{number % 250 + 2}"


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _now_micro() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def serve(kubeconfig: Json, nodes: int) -> None:
    """Be all the nodes of this cluster until cancelled."""
    cluster = kubeconfig["clusters"][0]["cluster"]
    token = kubeconfig["users"][0]["user"]["token"]
    connector = aiohttp.TCPConnector(
        ssl=ssl.create_default_context(cafile=cluster["certificate-authority"]), limit=0
    )
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {token}"},
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=30),
        read_bufsize=MAX_LINE,
    ) as session:
        await FakeKubelet(Api(session, cluster["server"]), nodes).run()


def main() -> int:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kubeconfig", type=Path, help="JSON, with a token")
    parser.add_argument("--nodes", type=int, required=True)
    arguments = parser.parse_args()
    asyncio.run(serve(json.loads(arguments.kubeconfig.read_text()), arguments.nodes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
