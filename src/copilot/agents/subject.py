"""What an incident is about: its workload, whatever kind that is, and the pods behind it.

An incident's workload may also be a Service, a claim or a node: then the pods are those that stand
behind it, mount it, or run on it, and the workload is the one that they belong to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from copilot.agents.reading import read
from copilot.causes import failures
from copilot.domain.change import ObjectVersion
from copilot.domain.evidence import Gap
from copilot.domain.incident import Incident
from copilot.domain.objects import (
    Deployment,
    KubeStruct,
    ObjectRef,
    Pod,
    ReplicaSet,
    Service,
    controller_of,
    epoch_us,
)
from copilot.domain.surroundings import CronJob, Job
from copilot.ports import Kind, Session

DELETED_WITHIN_US = 30 * 60 * 1_000_000
MOST_PODS = 60
MOST_REVISIONS = 10
MOST_JOBS = 10
_CONTROLLERS = (Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET)
_TEMPLATED = (*_CONTROLLERS, Kind.REPLICA_SET)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The objects an incident is about."""

    workload: Deployment | None = None
    replica_sets: tuple[ReplicaSet, ...] = ()
    pods: tuple[Pod, ...] = ()
    job: Job | None = None
    cron_job: CronJob | None = None
    jobs: tuple[Job, ...] = ()
    """Of the CronJob, newest first."""
    sees_workload: bool = True
    """False where the incident's own object has not been seen at all."""


class _Bound(KubeStruct, frozen=True):
    node_name: str = ""


class _Where(KubeStruct, frozen=True):
    """As little of a pod as tells where it runs: a cluster has thousands."""

    spec: _Bound = _Bound()


async def about(view: Session, incident: Incident, now_us: int, unread: list[Gap]) -> About:
    """Everything there is of it; what cannot be read becomes a gap."""
    desk = _Desk(view=view, incident=incident, now_us=now_us, unread=unread)
    match incident.workload.kind:
        case Kind.DEPLOYMENT | Kind.STATEFUL_SET | Kind.DAEMON_SET | Kind.REPLICA_SET:
            return await desk.of_controller()
        case Kind.JOB:
            return await desk.of_job()
        case Kind.CRON_JOB:
            return await desk.of_cron_job()
        case Kind.SERVICE:
            return await desk.of_service()
        case Kind.CLAIM:
            return await desk.of_claim()
        case Kind.NODE:
            return await desk.of_node()
        case _:
            return await desk.of_pods([])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    view: Session
    incident: Incident
    now_us: int
    unread: list[Gap]

    async def of_controller(self) -> About:
        stored = await self._own()
        workload = next(iter(read([stored] if stored else [], Deployment, self.unread)), None)
        if workload is None:
            pods = await self._pods_of([self.incident.workload.uid])
            return About(pods=pods, sees_workload=False)
        return await self._of_workload(workload)

    async def of_job(self) -> About:
        stored = await self._own()
        job = next(iter(read([stored] if stored else [], Job, self.unread)), None)
        cron_job = await self._maker(job) if job else None
        uid = job.metadata.uid if job else self.incident.workload.uid
        pods = await self._pods_of([uid])
        return About(pods=pods, job=job, cron_job=cron_job, sees_workload=job is not None)

    async def of_cron_job(self) -> About:
        stored = await self._own()
        cron_job = next(iter(read([stored] if stored else [], CronJob, self.unread)), None)
        uid = cron_job.metadata.uid if cron_job else self.incident.workload.uid
        found = await self.view.objects.find(
            self.incident.cluster, Kind.JOB, self.incident.namespace, owner_uid=uid
        )
        jobs = sorted(
            read(found, Job, self.unread) if uid else (),
            key=lambda j: epoch_us(j.metadata.creation_timestamp),
            reverse=True,
        )[:MOST_JOBS]
        return About(
            pods=await self._pods_of([j.metadata.uid for j in jobs]),
            job=_most_telling(jobs),
            cron_job=cron_job,
            jobs=tuple(jobs),
            sees_workload=cron_job is not None,
        )

    async def of_service(self) -> About:
        """The pods that its selector picks, else those it was most likely meant to pick."""
        stored = await self._own()
        service = next(iter(read([stored] if stored else [], Service, self.unread)), None)
        if service is None:
            return About(sees_workload=False)
        picked = [p for p in await self._all_pods() if selects(service.spec.selector, p)]
        if picked:
            return await self.of_pods(picked)
        meant = meant_by(service, await self._controllers())
        return await self._of_workload(meant) if meant else About()

    async def of_claim(self) -> About:
        name = self.incident.workload.name
        return await self.of_pods([p for p in await self._all_pods() if mounts(p, name)])

    async def of_node(self) -> About:
        """Pods of all namespaces, without the workloads they belong to: those have done nothing."""
        stored = await self.view.objects.find(self.incident.cluster, Kind.POD)
        here = [v for v in stored if _node_of(v) == self.incident.workload.name]
        return About(pods=self._needed(read(here, Pod, self.unread)))

    async def of_pods(self, pods: Sequence[Pod]) -> About:
        """The pods, with the workload where they all belong to the same."""
        named = await self._named({p.metadata.name for p in pods})
        every = (*pods, *read(named, Pod, self.unread))
        owners = {o.uid for p in every if (o := controller_of(p.metadata)) is not None}
        tops = {w.metadata.uid: w for uid in sorted(owners) if (w := await self._top(uid))}
        if len(tops) == 1:
            found = await self._of_workload(next(iter(tops.values())))
            known = {p.metadata.uid for p in found.pods}
            extra = [p for p in every if p.metadata.uid not in known]
            return About(
                workload=found.workload,
                replica_sets=found.replica_sets,
                pods=self._needed((*found.pods, *extra)),
            )
        return About(pods=self._needed(every))

    async def _of_workload(self, workload: Deployment) -> About:
        """A workload with its revisions and pods. Those of StatefulSets are not watched."""
        if workload.kind != Kind.DEPLOYMENT:
            return About(workload=workload, pods=await self._pods_of([workload.metadata.uid]))
        stored = await self.view.objects.find(
            self.incident.cluster,
            Kind.REPLICA_SET,
            workload.metadata.namespace,
            owner_uid=workload.metadata.uid,
        )
        revisions = sorted(
            read(stored, Deployment, self.unread),
            key=lambda r: (failures.revision_of(r), epoch_us(r.metadata.creation_timestamp)),
            reverse=True,
        )[:MOST_REVISIONS]
        owners = [r.metadata.uid for r in revisions] or [workload.metadata.uid]
        return About(
            workload=workload,
            replica_sets=tuple(revisions),
            pods=await self._pods_of(owners),
        )

    async def _own(self) -> ObjectVersion | None:
        """The incident's own object."""
        wanted = self.incident.workload
        stored = (
            await self.view.objects.get(self.incident.cluster, wanted.uid) if wanted.uid else None
        )
        return stored or await self.view.objects.named(
            self.incident.cluster, wanted.kind, wanted.namespace, wanted.name
        )

    async def _maker(self, job: Job) -> CronJob | None:
        owner = controller_of(job.metadata)
        if owner is None or owner.kind != Kind.CRON_JOB:
            return None
        stored = await self.view.objects.get(self.incident.cluster, owner.uid)
        return next(iter(read([stored] if stored else [], CronJob, self.unread)), None)

    async def _top(self, uid: str) -> Deployment | None:
        """The workload above an owner, as far as it has a pod template of our shape."""
        stored = await self.view.objects.get(self.incident.cluster, uid)
        if stored is None or stored.object.kind not in _TEMPLATED:
            return None
        above = await self._top(stored.owner_uid) if stored.owner_uid else None
        return above or next(iter(read([stored], Deployment, self.unread)), None)

    async def _controllers(self) -> tuple[Deployment, ...]:
        found: list[Deployment] = []
        for kind in _CONTROLLERS:
            stored = await self.view.objects.find(
                self.incident.cluster, kind, self.incident.namespace
            )
            found += read(stored, Deployment, self.unread)
        return tuple(found)

    async def _all_pods(self) -> tuple[Pod, ...]:
        stored = await self.view.objects.find(
            self.incident.cluster, Kind.POD, self.incident.namespace
        )
        return read(stored, Pod, self.unread)

    async def _pods_of(self, owners: Sequence[str]) -> tuple[Pod, ...]:
        """Of these owners, also those deleted lately, and those that alerts name."""
        since = min(self.now_us, self.incident.first_signal_us) - DELETED_WITHIN_US
        stored: list[ObjectVersion] = []
        for owner in filter(None, owners):
            stored += await self.view.objects.find(
                self.incident.cluster,
                Kind.POD,
                self.incident.namespace,
                owner_uid=owner,
                deleted_since_us=since,
            )
        stored += await self._named({v.object.name for v in stored})
        return self._needed(read(stored, Pod, self.unread))

    async def _named(self, known: set[str]) -> list[ObjectVersion]:
        """The incident's own pod where it has no workload, and pods that alerts name."""
        alerts = await self.view.incidents.alerts(self.incident.id)
        workload = self.incident.workload
        names = dict.fromkeys(a.pod for a in alerts if a.pod and a.workload.key == workload.key)
        if workload.kind == Kind.POD:
            names[workload.name] = None
        found = [
            await self.view.objects.named(
                self.incident.cluster, Kind.POD, self.incident.namespace, name
            )
            for name in list(names)[:MOST_PODS]
            if name not in known
        ]
        return [version for version in found if version is not None]

    def _needed(self, pods: Iterable[Pod]) -> tuple[Pod, ...]:
        """Failing ones first where there are too many; then by age."""
        started = self.incident.first_signal_us
        by_need = sorted(
            pods,
            key=lambda p: (
                not (any(failures.endings_of(p)) or not failures.is_ready(p)),
                abs(epoch_us(p.metadata.creation_timestamp) - started),
            ),
        )
        return tuple(
            sorted(
                by_need[:MOST_PODS],
                key=lambda p: (epoch_us(p.metadata.creation_timestamp), p.metadata.uid),
            )
        )


def selects(selector: dict[str, str] | None, pod: Pod) -> bool:
    """Whether a Service's selector picks a pod; an empty one picks none."""
    wanted = (selector or {}).items()
    return bool(wanted) and wanted <= (pod.metadata.labels or {}).items()


def mounts(pod: Pod, claim: str) -> bool:
    volumes = pod.spec.volumes or ()
    claims = (v.persistent_volume_claim for v in volumes)
    return any(c is not None and c.claim_name == claim for c in claims)


def meant_by(service: Service, workloads: Sequence[Deployment]) -> Deployment | None:
    """The workload that a Service whose selector picks nothing was meant for: the one whose
    template it would pick, else the one of its name, else the one that shares most of its labels
    and is alone in that."""
    wanted = (service.spec.selector or {}).items()
    shared = {
        w.metadata.uid: len(wanted & (w.spec.template.metadata.labels or {}).items())
        for w in workloads
    }
    whole = [w for w in workloads if wanted and shared[w.metadata.uid] == len(wanted)]
    same_name = [w for w in workloads if w.metadata.name == service.metadata.name]
    most = max(shared.values(), default=0)
    nearest = [w for w in workloads if most and shared[w.metadata.uid] == most]
    for found in (whole, same_name, nearest):
        if len(found) == 1:
            return found[0]
    return None


def ref_of(kind: str, thing: Pod | Deployment | Job) -> ObjectRef:
    """Names an object that was read."""
    meta = thing.metadata
    return ObjectRef(kind=kind, namespace=meta.namespace, name=meta.name, uid=meta.uid)


def _most_telling(jobs: Sequence[Job]) -> Job | None:
    """Of a CronJob: the newest that failed or still runs, else the newest."""
    troubled = [j for j in jobs if j.status.active or j.status.failed]
    return next(iter([*troubled, *jobs]), None)


def _node_of(version: ObjectVersion) -> str:
    try:
        return msgspec.json.decode(version.json, type=_Where).spec.node_name
    except msgspec.DecodeError:
        return ""
