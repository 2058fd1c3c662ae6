"""One look at a Deployment, its ReplicaSets and pods: is the rollout done, do new pods live? Pure.

But for `look`, which reads the three through the cluster port.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from copilot.domain.objects import (
    ContainerStatus,
    Deployment,
    ObjectRef,
    Pod,
    ReplicaSet,
    StateTerminated,
    controller_of,
    ended_runs,
    epoch_us,
    lived_us,
)
from copilot.ports import Cluster, Kind
from copilot.remediate.guard import replicas_of
from copilot.remediate.plan import REVISION
from copilot.remediate.tree import Fields, decode

T = TypeVar("T", Deployment, Pod)

_HOPELESS = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "CreateContainerConfigError",
    }
)
"""Waiting for one of these, a new pod has failed; waiting itself is what a new pod does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A Deployment as it is at one moment."""

    fields: Fields
    deployment: Deployment
    replica_set: ReplicaSet | None
    """The newest revision's."""
    pods: tuple[Pod, ...]
    """The newest revision's, without those being deleted."""
    n_old_pods: int
    """Of earlier revisions, without those being deleted."""


async def look(target: ObjectRef, cluster: Cluster) -> Sight:
    """The Deployment with its newest ReplicaSet and that one's pods.

    Raises:
        NotFound: the Deployment is gone.
        Unavailable: the cluster does not answer.
    """
    body = await cluster.get(target)
    deployment = msgspec.json.decode(body, type=Deployment)
    selector = _selector(deployment)
    sets = _read(
        await cluster.list_objects(Kind.REPLICA_SET, target.namespace, selector), Deployment
    )
    pods = _read(await cluster.list_objects(Kind.POD, target.namespace, selector), Pod)
    owned = [s for s in sets if _is_owned_by(s, deployment.metadata.uid)]
    newest = max(owned, key=revision_of, default=None)
    return _sight(decode(body), deployment, newest, owned, pods)


def _read(items: Iterable[bytes], kind: type[T]) -> list[T]:
    """Those that make sense: whoever may write to the namespace may leave odd ones there."""
    found: list[T] = []
    for item in items:
        with suppress(msgspec.DecodeError):
            found.append(msgspec.json.decode(item, type=kind))
    return found


def _sight(
    fields: Fields,
    deployment: Deployment,
    newest: ReplicaSet | None,
    owned: list[ReplicaSet],
    pods: list[Pod],
) -> Sight:
    alive = [p for p in pods if p.metadata.deletion_timestamp is None]
    new_uid = newest.metadata.uid if newest else ""
    old_uids = {s.metadata.uid for s in owned} - {new_uid}
    return Sight(
        fields=fields,
        deployment=deployment,
        replica_set=newest,
        pods=tuple(p for p in alive if newest and _is_owned_by(p, new_uid)),
        n_old_pods=sum(1 for p in alive if any(_is_owned_by(p, uid) for uid in old_uids)),
    )


def revision_of(replica_set: ReplicaSet) -> int:
    """Its revision number, 0 where it has none."""
    text = (replica_set.metadata.annotations or {}).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def missing_for_rollout(sight: Sight, *, needs_available: bool = True) -> str:
    """What the rollout still waits for, for people; empty when it is complete.

    The same questions as `kubectl rollout status`, and that no pod of an earlier revision is left:
    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment
    """
    wanted, status = replicas_of(sight.deployment), sight.deployment.status
    if status.observed_generation < sight.deployment.metadata.generation:
        return "the rollout has not begun"
    if status.updated_replicas < wanted:
        return f"{status.updated_replicas} of {wanted} pods are updated"
    if status.replicas > status.updated_replicas or sight.n_old_pods:
        left = max(status.replicas - status.updated_replicas, sight.n_old_pods)
        return f"{left} old {_pods(left)} not gone yet"
    if needs_available and status.available_replicas < wanted:
        return f"{status.available_replicas} of {wanted} new pods are available"
    if len(sight.pods) < wanted:
        return f"{len(sight.pods)} of {wanted} new pods can be seen"
    return ""


def patched_us(deployment: Deployment, field_manager: str, fallback_us: int) -> int:
    """When our patch went in by the API server's clock (whole seconds), so that it compares with
    the pods' own times whatever our clock says."""
    times = [
        epoch_us(entry.time)
        for entry in deployment.metadata.managed_fields or ()
        if entry.manager == field_manager and not entry.subresource and entry.time
    ]
    return max(times, default=fallback_us // 1_000_000 * 1_000_000)


def is_new(pod: Pod, since_us: int) -> bool:
    """Whether the pod was made by our change; going back may keep pods that are older."""
    created = epoch_us(pod.metadata.creation_timestamp)
    return not created or created >= since_us


def death_of(pod: Pod, since_us: int) -> str:
    """How a container of this pod failed since then, for people; empty for not at all."""
    if is_new(pod, since_us) and pod.status.phase == "Failed":
        return f"pod {pod.metadata.name} failed: {pod.status.reason or 'no reason given'}"
    for status in pod.status.container_statuses or ():
        death = _death(pod, status, since_us)
        if death:
            return death
    return ""


def _death(pod: Pod, status: ContainerStatus, since_us: int) -> str:
    who = f"container {status.name} of pod {pod.metadata.name}"
    for state in (status.state, status.last_state):
        ended = state.terminated if state else None
        if ended and (is_new(pod, since_us) or epoch_us(ended.finished_at) >= since_us):
            return f"{who} {_ending(ended)}"
    if not is_new(pod, since_us):
        return ""
    if status.restart_count:
        return f"{who} was restarted {status.restart_count} times"
    waiting = status.state.waiting if status.state else None
    return f"{who} waits: {waiting.reason}" if waiting and waiting.reason in _HOPELESS else ""


def _ending(ended: StateTerminated) -> str:
    lived = f" after {lived_us(ended) / 1_000_000:.0f} s" if epoch_us(ended.started_at) else ""
    how = "was OOMKilled" if ended.reason == "OOMKilled" else f"ended ({ended.reason or 'unknown'})"
    return f"{how} with exit code {ended.exit_code}{lived}"


def longest_life_us(pods: Iterable[Pod]) -> int:
    """The longest that a container lived before it failed, in microseconds; 0 for none failed.

    A container that was stopped with its pod did not fail, however long it had lived.
    """
    lives = [0]
    for pod in pods:
        for status in pod.status.container_statuses or ():
            for ended in ended_runs(pod, status):
                if ended.exit_code or ended.reason == "OOMKilled":
                    lives.append(lived_us(ended))
    return max(lives)


def running_now(pods: tuple[Pod, ...]) -> dict[tuple[str, str], str] | None:
    """(pod uid, container) to the identity of its present life; None where any does not run or is
    not ready."""
    lives: dict[tuple[str, str], str] = {}
    for pod in pods:
        statuses = pod.status.container_statuses or []
        if not statuses:
            return None
        for status in statuses:
            if not (status.state and status.state.running and status.ready):
                return None
            life = f"{status.container_id}#{status.restart_count}"
            lives[pod.metadata.uid, status.name] = life
    return lives


def _selector(deployment: Deployment) -> str:
    labels = (deployment.spec.selector.match_labels if deployment.spec.selector else None) or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _is_owned_by(thing: Pod | ReplicaSet, uid: str) -> bool:
    owner = controller_of(thing.metadata)
    return owner is not None and owner.uid == uid


def _pods(count: int) -> str:
    return "pod" if count == 1 else "pods"
