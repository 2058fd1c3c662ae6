"""What stands around an incident: its namespace, and what of the cluster its specs may refer to.

Bounded. A kind that was cut, or that was not looked for, is not among `listed`: its absence would
then mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from copilot.agents.reading import read
from copilot.causes.rollouts import config_names
from copilot.domain.case import Case
from copilot.domain.change import ObjectVersion
from copilot.domain.evidence import Gap
from copilot.domain.objects import Deployment, KubeStruct, ObjectRef, Pod, Service
from copilot.domain.surroundings import (
    ConfigMap,
    CronJob,
    DeletedConfigMap,
    HorizontalPodAutoscaler,
    Ingress,
    Job,
    LimitRange,
    NetworkPolicy,
    PersistentVolume,
    PersistentVolumeClaim,
    PodDisruptionBudget,
    ResourceQuota,
    Role,
    RoleBinding,
    ServiceAccount,
    StorageClass,
    Subject,
    Surroundings,
    WebhookConfiguration,
)
from copilot.ports import Kind, Session

MOST = 200
"""Of each kind."""
MOST_NAMES = 2000
MOST_DELETED = 10
LONGEST_VALUE = 8 * 1024
"""Of one key of a ConfigMap, in characters."""
_CONTROLLERS = (Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET)
_CLUSTER_WIDE = (
    Kind.NAMESPACE,
    Kind.NODE,
    Kind.VOLUME,
    Kind.STORAGE_CLASS,
    Kind.CLUSTER_ROLE,
    Kind.CLUSTER_ROLE_BINDING,
    Kind.VALIDATING_WEBHOOK,
    Kind.MUTATING_WEBHOOK,
)

T = TypeVar("T", bound=KubeStruct)


async def surroundings(view: Session, case: Case, unread: list[Gap]) -> Surroundings:
    """The neighbourhood of a case that has its pods, its workload and its own object already."""
    look = _Look(view, case.incident.cluster, unread)
    listed = await view.objects.listed(case.incident.cluster)
    place = case.incident.namespace
    if not place:  # of a node: what is in namespaces is not looked at
        found = await _of_cluster(look, case, ())
        seen = listed & frozenset(_CLUSTER_WIDE)
        return msgspec.structs.replace(found, listed=seen - look.cut)
    mine = {p.metadata.uid for p in case.pods}
    config_maps = await look.at(Kind.CONFIG_MAP, place, ConfigMap)
    bindings = await look.at(Kind.ROLE_BINDING, place, RoleBinding)
    around = await _of_cluster(look, case, bindings)
    return msgspec.structs.replace(
        around,
        pods=await look.at(Kind.POD, place, Pod, lambda p: p.metadata.uid not in mine),
        workloads=tuple(
            [w for kind in _CONTROLLERS for w in await look.at(kind, place, Deployment)]
        ),
        services=await look.at(Kind.SERVICE, place, Service),
        ingresses=await look.at(Kind.INGRESS, place, Ingress),
        config_maps=_bounded(case, config_maps),
        deleted_config_maps=await _deleted(look, case, config_maps),
        claims=await look.at(Kind.CLAIM, place, PersistentVolumeClaim),
        quotas=await look.at(Kind.QUOTA, place, ResourceQuota),
        limit_ranges=await look.at(Kind.LIMIT_RANGE, place, LimitRange),
        autoscalers=await look.at(Kind.AUTOSCALER, place, HorizontalPodAutoscaler),
        network_policies=await look.at(Kind.NETWORK_POLICY, place, NetworkPolicy),
        budgets=await look.at(Kind.BUDGET, place, PodDisruptionBudget),
        jobs=await look.at(Kind.JOB, place, Job),
        cron_jobs=await look.at(Kind.CRON_JOB, place, CronJob),
        service_accounts=await look.at(Kind.SERVICE_ACCOUNT, place, ServiceAccount),
        roles=(*await look.at(Kind.ROLE, place, Role), *around.roles),
        remote_services=await _remote_services(look, place),
        listed=listed - look.cut,
    )


class _Look:
    """Reads of one cluster, and which kinds were cut."""

    def __init__(self, view: Session, cluster: str, unread: list[Gap]) -> None:
        self.view, self.cluster, self.unread = view, cluster, unread
        self.cut: set[str] = set()

    async def at(
        self,
        kind: Kind,
        place: str,
        type: type[T],
        wanted: Callable[[T], bool] = lambda _: True,
    ) -> tuple[T, ...]:
        """Those wanted of one kind, `place` empty for what is in no namespace."""
        stored = await self.view.objects.find(self.cluster, kind, place)
        found = [t for t in read(stored, type, self.unread) if wanted(t)]
        if len(found) > MOST:
            self.cut.add(kind)
        return tuple(found[:MOST])

    async def names(self, kind: Kind) -> tuple[ObjectRef, ...]:
        stored: Sequence[ObjectVersion] = await self.view.objects.find(self.cluster, kind)
        return tuple(v.object for v in stored)


async def _of_cluster(look: _Look, case: Case, bindings: Sequence[RoleBinding]) -> Surroundings:
    """What is in no namespace. Of cluster roles only those that something here is bound to."""
    place = case.incident.namespace
    everywhere = await look.at(
        Kind.CLUSTER_ROLE_BINDING, "", RoleBinding, lambda b: _names(b.subjects, place)
    )
    bound = {b.role_ref.name for b in (*bindings, *everywhere) if b.role_ref.kind == "ClusterRole"}
    claims = await look.at(Kind.CLAIM, place, PersistentVolumeClaim) if place else ()
    named = {c.spec.volume_name for c in claims}
    return Surroundings(
        volumes=await look.at(
            Kind.VOLUME, "", PersistentVolume, lambda v: _is_near(v, place, named)
        ),
        storage_classes=await look.at(Kind.STORAGE_CLASS, "", StorageClass),
        role_bindings=(*bindings, *everywhere),
        roles=await look.at(Kind.CLUSTER_ROLE, "", Role, lambda r: r.metadata.name in bound),
        webhooks=(
            *await look.at(Kind.VALIDATING_WEBHOOK, "", WebhookConfiguration),
            *await look.at(Kind.MUTATING_WEBHOOK, "", WebhookConfiguration),
        ),
        namespaces=tuple(r.name for r in (await look.names(Kind.NAMESPACE))[:MOST_NAMES]),
    )


def _names(subjects: Iterable[Subject] | None, place: str) -> bool:
    """Whether a binding speaks of the accounts of a namespace."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{place}", "system:authenticated")
    return any(
        (s.kind == "ServiceAccount" and s.namespace == place)
        or (s.kind == "Group" and s.name in groups)
        or (s.kind == "User" and s.name.startswith(f"system:serviceaccount:{place}:"))
        for s in subjects or ()
    )


def _is_near(volume: PersistentVolume, place: str, named: Iterable[str]) -> bool:
    """Free, or of this namespace; one that another namespace has bound is nobody's here, but one
    that waits for a claim by name may stand in the way of another."""
    owner = volume.spec.claim_ref
    is_bound_elsewhere = (
        owner is not None and owner.namespace != place and volume.status.phase == "Bound"
    )
    return not is_bound_elsewhere or volume.metadata.name in named


def _bounded(case: Case, maps: Sequence[ConfigMap]) -> tuple[ConfigMap, ...]:
    """All keys; values only of those that the case's pods read, and those cut."""
    read_here = _read_here(case)
    return tuple(
        msgspec.structs.replace(
            one,
            data={
                key: value[:LONGEST_VALUE] if one.metadata.name in read_here else ""
                for key, value in (one.data or {}).items()
            },
            binary_data=dict.fromkeys(one.binary_data or (), ""),
        )
        for one in maps
    )


def _read_here(case: Case) -> frozenset[str]:
    """Names of the ConfigMaps that the case's pods ask for."""
    own = case.job.spec.template.spec if case.job else None
    specs = [p.spec for p in case.pods]
    specs += [case.workload.spec.template.spec] if case.workload else []
    specs += [own] if own else []
    return frozenset(name for spec in specs for name in config_names(spec))


async def _deleted(
    look: _Look, case: Case, there: Sequence[ConfigMap]
) -> tuple[DeletedConfigMap, ...]:
    """Of the ConfigMaps that the pods ask for in vain those that were there once."""
    missing = sorted(_read_here(case) - {one.metadata.name for one in there})[:MOST_DELETED]
    place, found = case.incident.namespace, []
    for name in missing:
        stored = await look.view.objects.named(look.cluster, Kind.CONFIG_MAP, place, name)
        if stored is not None and stored.is_deleted:
            found += [
                DeletedConfigMap(seen_us=stored.seen_us, config_map=one)
                for one in read([stored], ConfigMap, look.unread)
            ]
    return tuple(found)


async def _remote_services(look: _Look, place: str) -> tuple[ObjectRef, ...]:
    remote = [r for r in await look.names(Kind.SERVICE) if r.namespace != place]
    if len(remote) > MOST_NAMES:
        look.cut.add(Kind.SERVICE)
    return tuple(remote[:MOST_NAMES])
