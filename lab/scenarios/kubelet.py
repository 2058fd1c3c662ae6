"""A kubelet that runs nothing: it keeps a node of ours ready and says that its pods run.

For faults of nodes, which the one real node of the lab must not have.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any

from lab.scenarios.api import Api, ApiError

BEAT_S = 3.0
ROOM = {"cpu": "4", "memory": "8Gi", "pods": "20", "ephemeral-storage": "20Gi"}


class StandInKubelet:
    """Of one node, until its task is cancelled."""

    def __init__(self, api: Api, node: str, pressure: str) -> None:
        self._api = api
        self._node = node
        self._pressure = pressure
        self._since = _now()

    async def run(self) -> None:
        """Heartbeats, and the life of its pods."""
        while True:
            with contextlib.suppress(ApiError):
                await self._beat()
                for pod in await self._api.list("Pod", fieldSelector=f"spec.nodeName={self._node}"):
                    await self._tend(pod)
            await asyncio.sleep(BEAT_S / 3)

    async def _beat(self) -> None:
        conditions = [self._condition("Ready", "True", "KubeletReady")]
        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure"):
            has = kind == self._pressure
            conditions.append(
                self._condition(kind, str(has), f"KubeletHas{kind}" if has else "KubeletOk")
            )
        status = {
            "capacity": ROOM,
            "allocatable": ROOM,
            "conditions": conditions,
            "nodeInfo": dict.fromkeys(_INFO, "")
            | {"kubeletVersion": "v1.34.4", "operatingSystem": "linux"},
        }
        await self._api.patch("Node", "", self._node, {"status": status}, sub="status")
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._node},
            "spec": {
                "holderIdentity": self._node,
                "leaseDurationSeconds": 40,
                "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            },
        }
        await self._api.create(lease, "kube-node-lease")

    def _condition(self, kind: str, status: str, reason: str) -> dict[str, str]:
        return {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": reason,
            "lastHeartbeatTime": _now(),
            "lastTransitionTime": self._since,
        }

    async def _tend(self, pod: dict[str, Any]) -> None:
        meta = pod["metadata"]
        if meta.get("deletionTimestamp"):
            await self._api.delete("Pod", meta["namespace"], meta["name"], grace_s=0)
        elif pod["status"].get("phase") == "Pending":
            await self._api.patch(
                "Pod", meta["namespace"], meta["name"], {"status": _running(pod)}, sub="status"
            )


_INFO = (
    "architecture",
    "bootID",
    "containerRuntimeVersion",
    "kernelVersion",
    "kubeProxyVersion",
    "machineID",
    "osImage",
    "systemUUID",
)


def _running(pod: dict[str, Any]) -> dict[str, Any]:
    now = _now()
    kinds = ("Initialized", "ContainersReady", "Ready")
    return {
        "phase": "Running",
        "startTime": now,
        "podIP": "10.99.1.1",
        "podIPs": [{"ip": "10.99.1.1"}],
        "conditions": [{"type": one, "status": "True", "lastTransitionTime": now} for one in kinds],
        "containerStatuses": [
            {
                "name": one["name"],
                "image": one["image"],
                "imageID": "",
                "ready": True,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            }
            for one in pod["spec"]["containers"]
        ],
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
