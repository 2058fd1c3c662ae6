"""What one process knows of its cluster now, kept up one version at a time: memory, no I/O.

Rules look at little: what is not well, and what stands behind Services. So that is what is kept
whole; of all else only what the others need of it (labels, readiness, owners). Thousands of pods
then cost a few megabytes and a look costs what is wrong, not what there is.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from typing import TypeVar

import msgspec

from copilot.detect.readings import Readings
from copilot.detect.wellness import (
    has,
    is_claim_well,
    is_controller_well,
    is_job_well,
    is_node_well,
    is_well,
)
from copilot.domain.alert import Backing, Seen, Strain
from copilot.domain.change import ObjectVersion
from copilot.domain.event import Point
from copilot.domain.objects import (
    Deployment,
    KubeEvent,
    KubeStruct,
    Metadata,
    Node,
    ObjectRef,
    OwnerReference,
    Pod,
    PodSpec,
    Service,
    controller_of,
    epoch_us,
)
from copilot.domain.surroundings import (
    ConfigMap,
    CronJob,
    HorizontalPodAutoscaler,
    Ingress,
    Job,
    JobTemplate,
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
    WebhookConfiguration,
)

SECOND_US = 1_000_000
LATE_US = 1200 * SECOND_US
"""Events older than this are history; controllers that are refused try at least as often."""
MANY_EVENTS = 2000

TYPES: Mapping[str, type[KubeStruct]] = {
    "Pod": Pod,
    "Event": KubeEvent,
    "Node": Node,
    "Service": Service,
    "ConfigMap": ConfigMap,
    "Job": Job,
    "CronJob": CronJob,
    "Ingress": Ingress,
    "NetworkPolicy": NetworkPolicy,
    "PersistentVolumeClaim": PersistentVolumeClaim,
    "PersistentVolume": PersistentVolume,
    "StorageClass": StorageClass,
    "ResourceQuota": ResourceQuota,
    "LimitRange": LimitRange,
    "HorizontalPodAutoscaler": HorizontalPodAutoscaler,
    "PodDisruptionBudget": PodDisruptionBudget,
    "ServiceAccount": ServiceAccount,
    "Role": Role,
    "ClusterRole": Role,
    "RoleBinding": RoleBinding,
    "ClusterRoleBinding": RoleBinding,
    "ValidatingWebhookConfiguration": WebhookConfiguration,
    "MutatingWebhookConfiguration": WebhookConfiguration,
}
"""As what a kind is read; all others as far as a Deployment has their fields."""

_CONTROLLERS = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"})
_TEMPLATED = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_OF_USE = frozenset(
    {
        "SuccessfulCreate",
        "FailedBinding",
        "WaitForFirstConsumer",
        "ExternalProvisioning",
        "TriggeredScaleUp",
        "Nominated",
    }
)
"""Reasons of normal events that rules read."""

Pairs = frozenset[tuple[str, str]]
_V = TypeVar("_V")
MANY_SHARED = 50_000
LIKE = 0.65
"""As much of two words must be the same for one to be the other mistyped: `wbe` and `web`."""


class _Glance(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a pod as others need to know."""

    namespace: str
    name: str
    labels: Pairs
    ports: frozenset[str]
    """Names of its containers' ports."""
    owner: OwnerReference | None
    is_live: bool
    is_ready: bool


class _Template(msgspec.Struct, frozen=True, kw_only=True):
    """A workload as a maker of pods."""

    ref: ObjectRef
    labels: Pairs
    wanting_us: int
    """Since when it has been asking for pods, as far as this process saw; 0 while it asks for
    none."""

    @property
    def wants_pods(self) -> bool:
        return self.wanting_us > 0


@dataclass(slots=True, kw_only=True)
class _Backed:
    """A Service with a selector, and the live pods that it means."""

    service: Service
    selector: Pairs
    named_ports: tuple[str, ...]
    pods: set[str] = field(default_factory=set)
    ready: set[str] = field(default_factory=set)
    ports: Counter[frozenset[str]] = field(default_factory=Counter)
    """How many of the pods have containers with ports of these names."""
    empty_since_us: int = 0
    missing_since_us: int = 0
    was_ready: bool = False
    is_reselected: bool = False
    """Its selector was changed, and nothing has been ready since."""

    def count(self, uid: str, glance: _Glance, *, is_meant: bool) -> None:
        """Count this pod in or out."""
        if is_meant != (uid in self.pods):
            self.ports[glance.ports] += 1 if is_meant else -1
            self.ports = +self.ports
        (self.pods.add if is_meant else self.pods.discard)(uid)
        (self.ready.add if is_meant and glance.is_ready else self.ready.discard)(uid)

    @property
    def missing_ports(self) -> tuple[str, ...]:
        """Named target ports that none of the pods names. One that has it makes it no fault: the
        others are left out of the endpoints of this port."""
        if not self.named_ports or not self.pods:
            return ()
        there = frozenset[str]().union(*self.ports)
        return tuple(port for port in self.named_ports if port not in there)


class Inventory:
    """The cluster as the rules need it. `put` and `drop` keep it up, the rest looks."""

    def __init__(self) -> None:
        self._shared: dict[object, object] = {}
        """Values that thousands of pods have in common, once each."""
        self._glances: dict[str, _Glance] = {}
        self._pods_in: defaultdict[str, set[str]] = defaultdict(set)
        self._owned: dict[str, tuple[ObjectRef, OwnerReference | None]] = {}
        """By uid: controllers and jobs, each with who controls it."""
        self._templates: defaultdict[str, dict[str, _Template]] = defaultdict(dict)
        """By namespace and uid."""
        self._backed: dict[str, _Backed] = {}
        self._backed_in: defaultdict[str, set[str]] = defaultdict(set)
        self._troubled: set[str] = set()
        """Uids of Services that a rule may have something to say about."""
        self._scaled: dict[str, tuple[str, str, str]] = {}
        """By uid of an autoscaler: namespace, kind and name of what it scales."""
        # By uid, here and below: what a rule may have something to say about, now or later.
        self._pods: dict[str, Pod] = {}
        self._controllers: dict[str, Deployment] = {}
        self._jobs: dict[str, Job] = {}
        self._cron_jobs: dict[str, CronJob] = {}
        self._claims: dict[str, PersistentVolumeClaim] = {}
        self._classes: dict[str, StorageClass] = {}
        self._nodes: dict[str, Node] = {}
        self._suspended_us: dict[str, int] = {}
        self._changed_us: dict[str, int] = {}
        self._events: OrderedDict[str, KubeEvent] = OrderedDict()
        self._readings = Readings()

    # ------------------------------------------------------------------ keeping up

    def put(self, version: ObjectVersion) -> None:
        """Take in a version. It must be readable as what `TYPES` says."""
        kind, uid = version.object.kind, version.object.uid
        if version.is_deleted:
            self._drop(version)
        elif kind == "Pod":
            self._put_pod(uid, msgspec.json.decode(version.json, type=Pod), version.seen_us)
        elif kind in _CONTROLLERS:
            self._put_controller(version)
        elif kind == "Job":
            job = msgspec.json.decode(version.json, type=Job)
            self._own(version.object, job.metadata)
            _keep(self._jobs, uid, job, is_well=is_job_well(job))
        elif kind == "CronJob":
            self._put_cron_job(version)
        elif kind == "PersistentVolumeClaim":
            claim = msgspec.json.decode(version.json, type=PersistentVolumeClaim)
            _keep(self._claims, uid, claim, is_well=is_claim_well(claim))
        elif kind == "StorageClass":
            self._classes[uid] = msgspec.json.decode(version.json, type=StorageClass)
        elif kind == "Node":
            node = msgspec.json.decode(version.json, type=Node)
            _keep(self._nodes, uid, node, is_well=is_node_well(node))
        elif kind == "Service":
            self._put_service(uid, msgspec.json.decode(version.json, type=Service), version.seen_us)
        elif kind == "HorizontalPodAutoscaler":
            scaler = msgspec.json.decode(version.json, type=HorizontalPodAutoscaler)
            target = scaler.spec.scale_target_ref
            self._scaled[uid] = (version.object.namespace, target.kind, target.name)

    def put_event(self, event: KubeEvent, now_us: int) -> None:
        """Remember a late warning, or what ends one. A repeat refreshes."""
        if event.type != "Warning" and event.reason not in _OF_USE:
            return
        self._events.pop(event.metadata.uid, None)
        if epoch_us(event.occurred) >= now_us - LATE_US:
            self._events[event.metadata.uid] = event
        while len(self._events) > MANY_EVENTS:
            self._events.popitem(last=False)

    def put_points(self, points: Iterable[Point]) -> None:
        """Remember readings of how hard containers run into their limits."""
        self._readings.put(points)

    # ------------------------------------------------------------------ looking

    @property
    def pods(self) -> dict[str, Pod]:
        """By uid: those that are not well."""
        return self._pods

    def look(self, now_us: int) -> Seen:
        """All that is not well, without what must be read from a store."""
        return Seen(
            now_us=now_us,
            cluster="",
            pods=tuple(self._pods.values()),
            events=self.events(now_us),
            controllers=tuple(self._controllers.values()),
            jobs=tuple(self._jobs.values()),
            cron_jobs=tuple(self._cron_jobs.values()),
            changed_us=dict(self._changed_us),
            suspended_us=dict(self._suspended_us),
            claims=tuple(self._claims.values()),
            storage_classes=tuple(self._classes.values()),
            nodes=tuple(self._nodes.values()),
            backings=tuple(self.backings()),
            strains=self.strains(now_us),
        )

    def strains(self, now_us: int) -> tuple[Strain, ...]:
        """How hard containers run into their limits of late."""
        return self._readings.strains(now_us)

    def events(self, now_us: int) -> tuple[KubeEvent, ...]:
        return tuple(e for e in self._events.values() if epoch_us(e.occurred) >= now_us - LATE_US)

    def top_of(self, metadata: Metadata) -> tuple[ObjectRef | None, OwnerReference | None]:
        """The highest owner that is known, None where nothing owns it; and, where the chain leaves
        what is known here, the owner that it goes on with."""
        top: ObjectRef | None = None
        owner = controller_of(metadata)
        for _ in range(8):  # a chain has three links; one that is a circle must end, too
            if owner is None:
                break
            known = self._owned.get(owner.uid)
            if known is None:
                return top, owner
            top, owner = known
        return top, None

    def knows(self, uid: str) -> bool:
        """Whether this controller or Job was seen."""
        return uid in self._owned

    def backings(self) -> Iterator[Backing]:
        """Services behind which nothing is ready, or a port is missing."""
        scaled = frozenset(self._scaled.values())
        for uid in sorted(self._troubled):
            yield self._backing(self._backed[uid], scaled)

    # ------------------------------------------------------------------ pods

    def _put_pod(self, uid: str, pod: Pod, seen_us: int) -> None:
        status, meta = pod.status, pod.metadata
        owner = controller_of(meta)
        is_live = meta.deletion_timestamp is None and status.phase not in ("Succeeded", "Failed")
        glance = _Glance(
            namespace=meta.namespace,
            name=meta.name,
            labels=self._share(frozenset((meta.labels or {}).items())),
            ports=self._share(_port_names(pod.spec)),
            owner=self._share(owner) if owner else None,
            is_live=is_live,
            is_ready=is_live and has(status.conditions, "Ready"),
        )
        _keep(self._pods, uid, pod, is_well=is_well(pod))
        before = self._glances.get(uid)
        self._glances[uid] = glance
        self._pods_in[meta.namespace].add(uid)
        if before != glance:
            for service_uid in self._backed_in.get(meta.namespace, ()):
                self._weigh(service_uid, uid, glance, seen_us)

    def _weigh(self, service_uid: str, uid: str, glance: _Glance, seen_us: int) -> None:
        """Count a pod in or out of what stands behind a Service."""
        backed = self._backed[service_uid]
        is_meant = glance.is_live and backed.selector <= glance.labels
        if is_meant or uid in backed.pods:
            backed.count(uid, glance, is_meant=is_meant)
            self._judge(service_uid, backed, seen_us)

    def _judge(self, service_uid: str, backed: _Backed, seen_us: int) -> None:
        if backed.ready:
            backed.empty_since_us = 0
            backed.was_ready = True
            backed.is_reselected = False
        elif not backed.empty_since_us:
            backed.empty_since_us = seen_us
        if not backed.missing_ports:
            backed.missing_since_us = 0
        elif not backed.missing_since_us:
            backed.missing_since_us = seen_us
        if backed.empty_since_us or backed.missing_since_us:
            self._troubled.add(service_uid)
        else:
            self._troubled.discard(service_uid)

    # ------------------------------------------------------------------ other kinds

    def _put_controller(self, version: ObjectVersion) -> None:
        ref = version.object
        made = msgspec.structs.replace(
            msgspec.json.decode(version.json, type=Deployment), kind=ref.kind
        )
        self._own(ref, made.metadata)
        if ref.kind in _TEMPLATED:
            labels = made.spec.template.metadata.labels or {}
            before = self._templates[ref.namespace].get(ref.uid)
            since_us = before.wanting_us if before and before.wants_pods else version.seen_us
            wants_pods = ref.kind == "DaemonSet" or made.spec.replicas != 0
            self._templates[ref.namespace][ref.uid] = _Template(
                ref=ref,
                labels=self._share(frozenset(labels.items())),
                wanting_us=since_us if wants_pods else 0,
            )
        _keep(self._controllers, ref.uid, made, is_well=is_controller_well(made))

    def _put_cron_job(self, version: ObjectVersion) -> None:
        """Kept without its template: there may be many, and the schedule is what matters."""
        uid = version.object.uid
        read = msgspec.json.decode(version.json, type=CronJob)
        self._own(version.object, read.metadata)
        before = self._cron_jobs.get(uid)
        if before is not None and before.metadata.generation != read.metadata.generation:
            self._changed_us[uid] = version.seen_us
        if not read.spec.suspend:
            self._suspended_us.pop(uid, None)
        elif before is not None and not before.spec.suspend:
            self._suspended_us[uid] = version.seen_us
        spec = msgspec.structs.replace(read.spec, job_template=JobTemplate())
        self._cron_jobs[uid] = msgspec.structs.replace(read, spec=spec)

    def _put_service(self, uid: str, service: Service, seen_us: int) -> None:
        namespace = service.metadata.namespace
        known = self._backed.pop(uid, None)
        self._backed_in[namespace].discard(uid)
        self._troubled.discard(uid)
        spec = service.spec
        if not spec.selector or spec.type == "ExternalName" or spec.publish_not_ready_addresses:
            return
        backed = _Backed(
            service=service,
            selector=frozenset(spec.selector.items()),
            named_ports=tuple(
                p.target_port for p in spec.ports or () if isinstance(p.target_port, str)
            ),
            empty_since_us=known.empty_since_us if known else 0,
            missing_since_us=known.missing_since_us if known else 0,
            was_ready=known.was_ready if known else False,
        )
        if known is not None:
            backed.is_reselected = known.is_reselected or known.selector != backed.selector
        for pod_uid in self._pods_in.get(namespace, ()):
            glance = self._glances[pod_uid]
            if glance.is_live and backed.selector <= glance.labels:
                backed.count(pod_uid, glance, is_meant=True)
        self._backed[uid] = backed
        self._backed_in[namespace].add(uid)
        self._judge(uid, backed, seen_us)

    def _drop(self, version: ObjectVersion) -> None:
        uid, namespace = version.object.uid, version.object.namespace
        for kept in (
            *(self._pods, self._controllers, self._jobs, self._cron_jobs, self._claims),
            *(self._classes, self._nodes, self._owned, self._templates[namespace], self._scaled),
            *(self._suspended_us, self._changed_us),
        ):
            kept.pop(uid, None)
        glance = self._glances.pop(uid, None)
        if glance is not None:
            self._pods_in[namespace].discard(uid)
            gone = msgspec.structs.replace(glance, is_live=False, is_ready=False)
            for service_uid in self._backed_in.get(namespace, ()):
                self._weigh(service_uid, uid, gone, version.seen_us)
        if self._backed.pop(uid, None) is not None:
            self._backed_in[namespace].discard(uid)
            self._troubled.discard(uid)

    def _own(self, ref: ObjectRef, metadata: Metadata) -> None:
        self._owned[ref.uid] = (ref, controller_of(metadata))

    def _share(self, value: _V) -> _V:
        """The one object that stands for all that are equal to it."""
        if len(self._shared) > MANY_SHARED:  # of pods long gone, mostly
            self._shared.clear()
        return self._shared.setdefault(value, value)  # type: ignore[return-value]

    # ------------------------------------------------------------------ Services

    def _backing(self, backed: _Backed, scaled: frozenset[tuple[str, str, str]]) -> Backing:
        templates = self._templates.get(backed.service.metadata.namespace, {})
        makers = [t for t in templates.values() if backed.selector <= t.labels]
        by_pods = {
            top: None
            for uid in sorted(backed.pods)
            if (top := self._top(self._glances[uid])) is not None
        }
        workloads = tuple(by_pods) or tuple(t.ref for t in makers)
        # Scaled up again, a workload has its time anew.
        wanting_us = [t.wanting_us for t in makers if t.wants_pods and not backed.pods]
        since_us = backed.empty_since_us
        return Backing(
            service=backed.service,
            n_pods=len(backed.pods),
            n_ready=len(backed.ready),
            empty_since_us=max(since_us, min(wanting_us, default=0)) if since_us else 0,
            workloads=workloads,
            is_scaled_down=bool(makers)
            and not backed.pods
            and not any(t.wants_pods for t in makers),
            is_autoscaled=any((w.namespace, w.kind, w.name) in scaled for w in workloads),
            near=() if workloads else self._near(backed),
            run_time_labels=() if workloads else _run_time_labels(backed, templates.values()),
            was_ready=backed.was_ready,
            missing_ports=backed.missing_ports,
            missing_since_us=backed.missing_since_us,
        )

    def _top(self, glance: _Glance) -> ObjectRef | None:
        if glance.owner is None:
            return ObjectRef(kind="Pod", namespace=glance.namespace, name=glance.name)
        top, rest = self.top_of(Metadata(owner_references=[glance.owner]))
        if top is None and rest is not None:
            return ObjectRef(
                kind=rest.kind, namespace=glance.namespace, name=rest.name, uid=rest.uid
            )
        return top

    def _near(self, backed: _Backed) -> tuple[ObjectRef, ...]:
        """Whose pods have some of the labels, or nearly the same ones, or the Service's name; the
        nearest first."""
        meta = backed.service.metadata
        candidates = [
            (_likeness(backed.selector, t.labels), t.ref.name == meta.name, t)
            for t in self._templates.get(meta.namespace, {}).values()
            if t.wants_pods
        ]
        found = [c for c in candidates if c[0] or c[1]]
        found.sort(key=lambda c: (-c[0], not c[1], c[2].ref))
        return tuple(template.ref for _, _, template in found[:3])


def _run_time_labels(backed: _Backed, templates: Collection[_Template]) -> tuple[str, ...]:
    """See `Backing.run_time_labels`."""
    if backed.is_reselected:
        return ()
    carried = {key for template in templates for key, _ in template.labels}
    rest = frozenset(pair for pair in backed.selector if pair[0] in carried)
    missing = tuple(sorted(key for key, _ in backed.selector if key not in carried))
    if any(_is_like(key, other) for key in missing for other in carried):
        return ()  # mistyped, rather
    has_rest = any(rest <= t.labels for t in templates if t.wants_pods)
    return missing if rest and has_rest else ()


def _keep(kept: dict[str, _V], uid: str, made: _V, *, is_well: bool) -> None:
    if is_well:
        kept.pop(uid, None)
    else:
        kept[uid] = made


def _likeness(wanted: Pairs, labels: Pairs) -> int:
    """How many of the labels are the same, or were mistyped."""
    values = dict(labels)
    return sum(key in values and _is_like(value, values[key]) for key, value in wanted)


@lru_cache(4096)
def _is_like(one: str, other: str) -> bool:
    return one == other or bool(get_close_matches(one, [other], 1, LIKE))


def _port_names(spec: PodSpec) -> frozenset[str]:
    containers = (*(spec.containers or ()), *(spec.init_containers or ()))
    return frozenset(p.name for c in containers for p in c.ports or () if p.name)
