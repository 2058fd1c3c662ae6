"""Looks around an object for what its plan, guard and risk depend on, and reads no more than that.

What may not be read is left out; for chaos that counts against it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TypeVar

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
    SetSelector,
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

T = TypeVar("T", Node, PodDisruptionBudget, HorizontalPodAutoscaler)

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
    is_known = workload is not None and workload.kind in set(Kind)
    if workload is None or not is_known or workload.key == action.target.key:
        return None
    return workload


async def place_of(
    action: Action, live: Fields, watched: ObjectRef | None, cluster: Cluster
) -> Place:
    """What guard and risk hold the action against."""
    eyes = _Eyes(cluster)
    is_demo, labels, smallest = False, {}, None
    if isinstance(action, ChaosMemory):
        is_demo = (await cluster.info()).is_demo
        labels = await _labels_of(action.target.namespace, cluster)
    if isinstance(action, SetMemory | SetResources):
        smallest = smallest_allocatable(await eyes.all_of(Kind.NODE, "", Node))
    pod_labels = _pod_labels(action, live)
    namespace = action.target.namespace
    budgets: list[PodDisruptionBudget] = []
    if pod_labels:
        budgets = await eyes.all_of(Kind.BUDGET, namespace, PodDisruptionBudget)
    return Place(
        is_demo_cluster=is_demo,
        namespace_labels=labels,
        smallest_allocatable=smallest,
        budgets=tuple(budgets),
        pod_labels=pod_labels,
        n_unready=_n_unready(action, live) if pod_labels else 0,
        autoscaler=await _autoscaler(action, eyes),
        also=await _also(action, live, watched, eyes),
        unseen=tuple(eyes.unseen),
    )


class _Eyes:
    """Lists what may be listed and makes sense, and remembers what may not."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.unseen: list[str] = []

    async def all_of(self, kind: Kind, namespace: str, shape: type[T]) -> list[T]:
        found: list[T] = []
        for body in await self.bodies(kind, namespace):
            with suppress(msgspec.DecodeError):  # whoever may write there may leave odd ones
                found.append(msgspec.json.decode(body, type=shape))
        return found

    async def bodies(self, kind: Kind, namespace: str) -> list[bytes]:
        try:
            return await self._cluster.list_objects(kind, namespace)
        except (Refused, NotFound):  # also a server that does not know the kind
            self.unseen.append(f"{kind}s")
            return []


def smallest_allocatable(nodes: Iterable[Node]) -> int | None:
    """Bytes of memory of the smallest node that takes pods, None where there is none."""
    rooms = [
        parse_bytes(node.status.allocatable["memory"])
        for node in nodes
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


def _n_unready(action: Action, live: Fields) -> int:
    if isinstance(action, DeletePod):
        statuses = msgspec.convert(live, type=Pod).status.container_statuses
        return 0 if statuses and all(status.ready for status in statuses) else 1
    status = _typed(live).status
    wanted = status.desired_number_scheduled or status.replicas
    return max(0, wanted - (status.number_ready or status.ready_replicas))


async def _autoscaler(action: Action, eyes: _Eyes) -> HorizontalPodAutoscaler | None:
    if not isinstance(action, Scale):
        return None
    wanted = (action.target.kind, action.target.name)
    for scaler in await eyes.all_of(
        Kind.AUTOSCALER, action.target.namespace, HorizontalPodAutoscaler
    ):
        named = scaler.spec.scale_target_ref
        if (named.kind, named.name) == wanted:
            return scaler
    return None


async def _also(
    action: Action, live: Fields, watched: ObjectRef | None, eyes: _Eyes
) -> tuple[str, ...]:
    """Other workloads that the change reaches: who else reads a value, who else gets traffic."""
    if not isinstance(action, SetConfigValue | SetSelector):
        return ()
    own, namespace = watched.key if watched else "", action.target.namespace
    others = [decode(body) for kind in _READERS for body in await eyes.bodies(kind, namespace)]
    reached = [o for o in others if ref_of(o).key != own and _is_reached(action, live, o)]
    is_shared = isinstance(action, SetConfigValue) or watched is not None or len(reached) > 1
    return tuple(str(ref_of(o)) for o in reached) if is_shared else ()


def _is_reached(action: SetConfigValue | SetSelector, live: Fields, workload: Fields) -> bool:
    if isinstance(action, SetConfigValue):
        return reads(workload, action.target.name)
    if text_at(workload, "kind") == Kind.CRON_JOB:
        return False
    selector = {**fields_at(live, "spec", "selector"), **dict(action.entries)}
    wanted = {key: value for key, value in selector.items() if value is not None}
    return wanted.items() <= fields_at(workload, "spec", "template", "metadata", "labels").items()


def _typed(live: Fields) -> Deployment:
    return msgspec.convert(live, type=Deployment)
