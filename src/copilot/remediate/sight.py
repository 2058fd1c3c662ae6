"""One look at a workload: is it as it should be, and which pods show it?

`look` reads through the cluster port; everything else is pure. What a workload is, differs by kind:
a Deployment rolls out, a Job ends, a Service has pods behind it, a claim is bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from copilot.domain.objects import Deployment, ObjectRef, Pod, ReplicaSet, controller_of, epoch_us
from copilot.ports import Cluster, Kind
from copilot.remediate.disruption import pods as pods_word
from copilot.remediate.disruption import wanted_pods
from copilot.remediate.edits.template import REVISION
from copilot.remediate.tree import Fields, decode, fields_at, items_at, number_at, text_at

T = TypeVar("T", Deployment, Pod)

SEEN = frozenset(
    {
        *(Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET, Kind.REPLICA_SET),
        *(Kind.JOB, Kind.CRON_JOB, Kind.POD, Kind.SERVICE, Kind.CLAIM, Kind.NODE),
    }
)
"""Kinds of which `look` tells how they do; of the others only that they are there."""
REVISION_LABEL = "controller-revision-hash"
"""On the pods of StatefulSets and DaemonSets: which template they are of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A workload as it is at one moment."""

    uid: str
    pods: tuple[Pod, ...] = ()
    """Of its newest revision, without those that are being deleted or are done."""
    is_settled: bool = True
    """False while its controller has not seen the newest version: the pods are not of that yet."""
    unfinished: str = ""
    """What its rollout still waits for, for people; empty when it is complete."""
    unavailable: str = ""
    """What is missing for it to serve, its rollout aside."""
    done: str = ""
    """How it ended well: nothing is left to be waited for."""
    failed: str = ""
    """How it ended badly, for good."""

    @property
    def missing(self) -> str:
        return self.unfinished or self.unavailable


async def look(target: ObjectRef, cluster: Cluster, *, since_us: int = 0) -> Sight:
    """The workload with the pods that tell how it does; of a CronJob, what ran since then.

    Raises:
        NotFound: it is gone.
        Unavailable: the cluster does not answer.
    """
    live = decode(await cluster.get(target))
    match target.kind:
        case Kind.DEPLOYMENT:
            return await _deployment(live, target, cluster)
        case Kind.STATEFUL_SET | Kind.DAEMON_SET | Kind.REPLICA_SET:
            return _of_controller(live, target.kind, await _pods_of(live, target, cluster))
        case Kind.JOB:
            pods = await cluster.list_objects(Kind.POD, target.namespace)
            return job_sight(live, _read(pods, Pod))
        case Kind.CRON_JOB:
            return await _cron_job(live, target, cluster, since_us)
        case Kind.POD:
            return _pod(live)
        case Kind.SERVICE:
            pods = await cluster.list_objects(Kind.POD, target.namespace, _selector_text(live))
            return service_sight(live, _read(pods, Pod))
        case Kind.CLAIM:
            phase = text_at(live, "status", "phase") or "unknown"
            missing = "" if phase == "Bound" else f"{target} is {phase}"
            return Sight(uid=_uid(live), unavailable=missing)
        case Kind.NODE:
            return node_sight(live)
        case _:
            return Sight(uid=_uid(live))


def job_sight(live: Fields, pods: Iterable[Pod]) -> Sight:
    """A Job is done or has failed; until then its running pods tell."""
    name = text_at(live, "metadata", "name")
    for condition in items_at(fields_at(live, "status"), "conditions"):
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            why = condition.get("reason") or condition.get("message") or "no reason given"
            if condition["type"] == "Failed":
                return Sight(uid=_uid(live), failed=f"Job {name} failed: {why}")
            return Sight(uid=_uid(live), done=f"Job {name} completed")
    if fields_at(live, "spec").get("suspend") is True:
        return Sight(uid=_uid(live), done=f"Job {name} is suspended")
    own = [p for p in pods if _is_owned_by(p, _uid(live)) and _is_alive(p)]
    active = tuple(p for p in own if p.status.phase != "Succeeded")
    missing = "" if active else f"Job {name} has no running pod"
    return Sight(uid=_uid(live), pods=active, unavailable=missing)


def service_sight(live: Fields, pods: Iterable[Pod]) -> Sight:
    """A Service has at least one ready pod behind each of its ports."""
    name = text_at(live, "metadata", "name")
    selector = fields_at(live, "spec", "selector")
    if not selector:
        return Sight(uid=_uid(live), unavailable=f"Service {name} selects no pods")
    chosen = [p for p in pods if selector.items() <= (p.metadata.labels or {}).items()]
    ready = tuple(p for p in chosen if _is_alive(p) and _is_ready(p))
    missing = (
        "" if ready else f"none of the {len(chosen)} pods that Service {name} selects is ready"
    )
    for port in items_at(fields_at(live, "spec"), "ports"):
        wanted = port.get("targetPort")
        if ready and isinstance(wanted, str) and not any(_names_port(p, wanted) for p in ready):
            missing = f"no pod behind Service {name} has a port named {wanted}"
    return Sight(uid=_uid(live), pods=ready, unavailable=missing)


def node_sight(live: Fields) -> Sight:
    """A node is ready, and lacks nothing."""
    name = text_at(live, "metadata", "name")
    bad = [
        str(condition.get("type"))
        for condition in items_at(fields_at(live, "status"), "conditions")
        if condition.get("status") != ("True" if condition.get("type") == "Ready" else "False")
    ]
    missing = f"node {name}: {', '.join(bad)}" if bad else ""
    return Sight(uid=_uid(live), unavailable=missing)


def deployment_sight(live: Fields, sets: Iterable[ReplicaSet], pods: Iterable[Pod]) -> Sight:
    """The same questions as `kubectl rollout status`, and that no pod of an earlier revision is
    left: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment
    """
    owned = [s for s in sets if _is_owned_by(s, _uid(live))]
    newest = max(owned, key=revision_of, default=None)
    new_uid = newest.metadata.uid if newest else ""
    old_uids = {s.metadata.uid for s in owned} - {new_uid}
    alive = [p for p in pods if _is_alive(p)]
    current = tuple(p for p in alive if newest and _is_owned_by(p, new_uid))
    left = [p for p in alive if not _is_over(p)]
    n_old = sum(1 for p in left if any(_is_owned_by(p, uid) for uid in old_uids))
    updated = number_at(live, "status", "updatedReplicas") or 0
    n_old = max(n_old, (number_at(live, "status", "replicas") or 0) - updated)
    return _rolled_out(live, current, n_updated=updated, n_old=n_old, available="availableReplicas")


def revision_of(replica_set: ReplicaSet) -> int:
    """Its revision number, 0 where it has none."""
    text = (replica_set.metadata.annotations or {}).get(REVISION, "")
    return int(text) if text.isdigit() else 0


async def unready_of(target: ObjectRef, cluster: Cluster) -> tuple[ObjectRef, ...]:
    """The pods of a StatefulSet's earlier revision that are not ready.

    Raises:
        NotFound: it is gone.
        Unavailable: the cluster does not answer.
    """
    live = decode(await cluster.get(target))
    newest = text_at(live, "status", "updateRevision")
    if not _has_begun(live) or not newest:
        return ()
    return tuple(
        ObjectRef(
            kind=Kind.POD,
            namespace=target.namespace,
            name=pod.metadata.name,
            uid=pod.metadata.uid,
        )
        for pod in await _pods_of(live, target, cluster)
        if _is_alive(pod) and not _is_ready(pod) and _revision_label(pod) != newest
    )


async def has_begun(target: ObjectRef, cluster: Cluster) -> bool:
    """Whether its controller has seen the newest version.

    Raises:
        NotFound: it is gone.
        Unavailable: the cluster does not answer.
    """
    return _has_begun(decode(await cluster.get(target)))


async def _deployment(live: Fields, target: ObjectRef, cluster: Cluster) -> Sight:
    selector = _selector_text(live)
    sets = await cluster.list_objects(Kind.REPLICA_SET, target.namespace, selector)
    pods = await cluster.list_objects(Kind.POD, target.namespace, selector)
    return deployment_sight(live, _read(sets, Deployment), _read(pods, Pod))


def _of_controller(live: Fields, kind: str, pods: list[Pod]) -> Sight:
    alive = [p for p in pods if _is_alive(p)]
    if kind == Kind.REPLICA_SET:
        return _rolled_out(live, tuple(alive), len(alive), 0, "availableReplicas")
    revision = text_at(live, "status", "updateRevision") or _newest_revision(alive)
    current = tuple(p for p in alive if _revision_label(p) in (revision, None))
    n_updated = len(current)
    if kind == Kind.DAEMON_SET:
        n_updated = number_at(live, "status", "updatedNumberScheduled") or 0
    available = "numberAvailable" if kind == Kind.DAEMON_SET else "availableReplicas"
    return _rolled_out(live, current, n_updated, len(alive) - len(current), available)


def _newest_revision(pods: Iterable[Pod]) -> str | None:
    """A DaemonSet's status does not name it; its newest pod does."""
    newest = max(pods, key=lambda p: epoch_us(p.metadata.creation_timestamp), default=None)
    return _revision_label(newest) if newest else None


def _revision_label(pod: Pod) -> str | None:
    return (pod.metadata.labels or {}).get(REVISION_LABEL)


def _rolled_out(
    live: Fields, pods: tuple[Pod, ...], n_updated: int, n_old: int, available: str
) -> Sight:
    wanted = wanted_pods(live)
    serving = number_at(live, "status", available) or 0
    unfinished, unavailable = "", ""
    if not _has_begun(live):
        unfinished = "the rollout has not begun"
    elif n_updated < wanted:
        unfinished = f"{n_updated} of {wanted} pods are updated"
    elif n_old > 0:
        unfinished = f"{n_old} old {pods_word(n_old)} not gone yet"
    elif len(pods) < wanted:
        unfinished = f"{len(pods)} of {wanted} new pods can be seen"
    if serving < wanted:
        unavailable = f"{serving} of {wanted} new pods are available"
    return Sight(
        uid=_uid(live),
        pods=pods,
        is_settled=_has_begun(live),
        unfinished=unfinished,
        unavailable=unavailable,
    )


async def _cron_job(live: Fields, target: ObjectRef, cluster: Cluster, since_us: int) -> Sight:
    """What its newest Job does, of those that began since or go on; the others are history."""
    jobs = [
        decode(body)
        for body in await cluster.list_objects(Kind.JOB, target.namespace)
        if _speaks(body, _uid(live), since_us)
    ]
    if not jobs:
        return Sight(uid=_uid(live), unavailable=f"{target} has not run since")
    newest = max(jobs, key=lambda job: text_at(job, "metadata", "creationTimestamp") or "")
    pods = await cluster.list_objects(Kind.POD, target.namespace)
    return job_sight(newest, _read(pods, Pod))


def _speaks(body: bytes, owner_uid: str, since_us: int) -> bool:
    job = msgspec.json.decode(body, type=Deployment)
    is_new = epoch_us(job.metadata.creation_timestamp) >= since_us
    ended = any(
        condition.status == "True" and condition.type in ("Complete", "Failed")
        for condition in job.status.conditions or ()
    )
    return _is_owned_by(job, owner_uid) and (is_new or not ended)


def _pod(live: Fields) -> Sight:
    pod = msgspec.json.decode(msgspec.json.encode(live), type=Pod)
    name = pod.metadata.name
    if pod.status.phase == "Succeeded":
        return Sight(uid=pod.metadata.uid, done=f"pod {name} completed")
    missing = "" if _is_ready(pod) else f"pod {name} is not ready"
    return Sight(uid=pod.metadata.uid, pods=(pod,), unavailable=missing)


async def _pods_of(live: Fields, target: ObjectRef, cluster: Cluster) -> list[Pod]:
    selector = _selector_text(live)
    listed = await cluster.list_objects(Kind.POD, target.namespace, selector)
    return [p for p in _read(listed, Pod) if _is_owned_by(p, _uid(live))]


def _read(items: Iterable[bytes], kind: type[T]) -> list[T]:
    """Those that make sense: whoever may write to the namespace may leave odd ones there."""
    found: list[T] = []
    for item in items:
        with suppress(msgspec.DecodeError):
            found.append(msgspec.json.decode(item, type=kind))
    return found


def _has_begun(live: Fields) -> bool:
    observed = number_at(live, "status", "observedGeneration") or 0
    return observed >= (number_at(live, "metadata", "generation") or 0)


def _selector_text(live: Fields) -> str:
    """For a list call: equalities only, which is what selectors of workloads mostly are."""
    selector = fields_at(live, "spec", "selector")
    labels = fields_at(selector, "matchLabels") if "matchLabels" in selector else selector
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items()) if isinstance(v, str))


def _names_port(pod: Pod, name: str) -> bool:
    return any(port.name == name for c in pod.spec.containers or () for port in c.ports or ())


def _is_alive(pod: Pod) -> bool:
    return pod.metadata.deletion_timestamp is None


def _is_over(pod: Pod) -> bool:
    """Evicted, say: such a pod is left lying until it is collected, and its ReplicaSet no longer
    counts it: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection
    """
    return pod.status.phase in ("Failed", "Succeeded")


def _is_ready(pod: Pod) -> bool:
    if any(c.type == "Ready" for c in pod.status.conditions or ()):
        return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or ())
    statuses = pod.status.container_statuses or ()
    return bool(statuses) and all(status.ready for status in statuses)


def _is_owned_by(thing: Pod | Deployment, uid: str) -> bool:
    owner = controller_of(thing.metadata)
    return owner is not None and owner.uid == uid


def _uid(live: Fields) -> str:
    return text_at(live, "metadata", "uid") or ""
