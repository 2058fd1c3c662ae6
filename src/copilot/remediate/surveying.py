"""Looks around an object for what its plan, guard and risk depend on, and reads no more than that.

What may not be read is left out; for chaos that counts against it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from copilot.domain.action import (
    Action,
    ChaosMemory,
    DeletePod,
    RollBack,
    Scale,
    SetConfigValue,
    SetMemory,
    SetResources,
    TemplateAction,
)
from copilot.domain.errors import NotFound, Refused
from copilot.domain.objects import Deployment, Node, ObjectRef, Pod, controller_of
from copilot.domain.quantity import parse_bytes
from copilot.domain.surroundings import HorizontalPodAutoscaler, PodDisruptionBudget
from copilot.ports import Cluster, Kind
from copilot.remediate.operations import ref_of
from copilot.remediate.place import Place
from copilot.remediate.plan import Near
from copilot.remediate.readers import reads
from copilot.remediate.tree import Fields, decode, fields_at, template_path, text_at

_READERS = (
    Kind.DEPLOYMENT,
    Kind.STATEFUL_SET,
    Kind.DAEMON_SET,
    Kind.CRON_JOB,
)


async def near_of(
    action: Action, live: Fields, watched: ObjectRef | None, cluster: Cluster
) -> Near:
    """What the plan depends on beside the object."""
    body = None
    if watched is not None and watched.key != action.target.key:
        with suppress(NotFound, Refused):
            body = await cluster.get(watched)
    replica_set = await _replica_set(action, live, cluster)
    return Near(replica_set=replica_set, watched=body)


def watched_of(action: Action, live: Fields, workload: ObjectRef | None) -> ObjectRef | None:
    """The workload whose recovery proves it, None where that is the object itself: a pod that is
    deleted cannot show it, its controller can."""
    if isinstance(action, DeletePod) and (workload is None or workload.kind == Kind.POD):
        owner = controller_of(_typed(live).metadata)
        if owner is None:
            return None
        return ObjectRef(
            kind=owner.kind, namespace=action.target.namespace, name=owner.name, uid=owner.uid
        )
    if workload is None or workload.key == action.target.key:
        return None
    return workload


async def place_of(
    action: Action, live: Fields, watched: ObjectRef | None, cluster: Cluster
) -> Place:
    """What guard and risk hold the action against."""
    is_demo, labels, smallest = False, {}, None
    if isinstance(action, ChaosMemory):
        is_demo = (await cluster.info()).is_demo
        labels = await _labels_of(action.target.namespace, cluster)
    if isinstance(action, SetMemory | SetResources):
        with suppress(Refused):
            smallest = smallest_allocatable(await cluster.list_objects(Kind.NODE))
    pod_labels = _pod_labels(action, live)
    return Place(
        is_demo_cluster=is_demo,
        namespace_labels=labels,
        smallest_allocatable=smallest,
        budgets=await _budgets(action, cluster) if pod_labels else (),
        pod_labels=pod_labels,
        n_unready=await _n_unready(action, live, cluster) if pod_labels else 0,
        autoscaler=await _autoscaler(action, cluster),
        also=tuple([name async for name in _also(action, watched, cluster)]),
    )


def smallest_allocatable(nodes: list[bytes]) -> int | None:
    """Bytes of memory of the smallest node that takes pods, None where there is none."""
    decoded = [msgspec.json.decode(node, type=Node) for node in nodes]
    rooms = [
        parse_bytes(node.status.allocatable["memory"])
        for node in decoded
        if node.status.allocatable
        and "memory" in node.status.allocatable
        and not node.spec.unschedulable
    ]
    return min(rooms, default=None)


async def _replica_set(action: Action, live: Fields, cluster: Cluster) -> bytes | None:
    """The ReplicaSet to go back to; None where the action needs none, or it is gone or foreign."""
    if not isinstance(action, RollBack):
        return None
    try:
        body = await cluster.get(
            ObjectRef(
                kind=Kind.REPLICA_SET, namespace=action.target.namespace, name=action.replica_set
            )
        )
    except NotFound:
        return None
    owner = controller_of(msgspec.json.decode(body, type=Deployment).metadata)
    is_ours = owner is not None and owner.uid == text_at(live, "metadata", "uid")
    return body if is_ours else None


async def _labels_of(namespace: str, cluster: Cluster) -> dict[str, str]:
    try:
        body = await cluster.get(ObjectRef(kind=Kind.NAMESPACE, namespace="", name=namespace))
    except (Refused, NotFound):
        return {}
    return msgspec.json.decode(body, type=Deployment).metadata.labels or {}


def _pod_labels(action: Action, live: Fields) -> dict[str, str]:
    """Of the pods that the action replaces or deletes; empty where it does neither."""
    if isinstance(action, DeletePod):
        return _typed(live).metadata.labels or {}
    if isinstance(action, TemplateAction | Scale):
        labels = fields_at(live, *template_path(action.target.kind), "metadata", "labels")
        return {key: value for key, value in labels.items() if isinstance(value, str)}
    return {}


async def _budgets(action: Action, cluster: Cluster) -> tuple[PodDisruptionBudget, ...]:
    with suppress(Refused):
        listed = await cluster.list_objects(Kind.BUDGET, action.target.namespace)
        return tuple(msgspec.json.decode(body, type=PodDisruptionBudget) for body in listed)
    return ()


async def _n_unready(action: Action, live: Fields, cluster: Cluster) -> int:
    if isinstance(action, DeletePod):
        statuses = msgspec.json.decode(
            await cluster.get(action.target), type=Pod
        ).status.container_statuses
        return 0 if statuses and all(status.ready for status in statuses) else 1
    status = _typed(live).status
    return max(0, status.replicas - status.ready_replicas)


async def _autoscaler(action: Action, cluster: Cluster) -> HorizontalPodAutoscaler | None:
    if not isinstance(action, Scale):
        return None
    with suppress(Refused):
        for body in await cluster.list_objects(Kind.AUTOSCALER, action.target.namespace):
            scaler = msgspec.json.decode(body, type=HorizontalPodAutoscaler)
            named = scaler.spec.scale_target_ref
            if (named.kind, named.name) == (action.target.kind, action.target.name):
                return scaler
    return None


async def _also(action: Action, watched: ObjectRef | None, cluster: Cluster) -> AsyncIterator[str]:
    """Other workloads that the change reaches."""
    if not isinstance(action, SetConfigValue):
        return
    own = watched.key if watched else ""
    for kind in _READERS:
        with suppress(Refused):
            for body in await cluster.list_objects(kind, action.target.namespace):
                other = decode(body)
                if ref_of(other).key != own and reads(other, action.target.name):
                    yield str(ref_of(other))


def _typed(live: Fields) -> Deployment:
    return msgspec.convert(live, type=Deployment)
