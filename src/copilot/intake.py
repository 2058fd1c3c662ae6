"""Leg 1's eyes: what the watch and the senders bring, kept, and made into what the rules look at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec
import structlog

from copilot.detect.calling import CALLERS, calls
from copilot.detect.inventory import LATE_US, TYPES, Inventory
from copilot.detect.readings import KILLS_US, READ, Readings
from copilot.detect.rules.error_burst import USUAL_FROM_US, WINDOW_US, usual_of
from copilot.detect.rules.evicted import evicted_places
from copilot.detect.rules.not_ready import hanging_inits
from copilot.domain.alert import Backing, Rule, Seen
from copilot.domain.change import Change, ObjectVersion
from copilot.domain.event import Batch, Series, Severity, TemplateActivity, TemplateId
from copilot.domain.objects import (
    Deployment,
    KubeEvent,
    Metadata,
    ObjectRef,
    Pod,
    controller_of,
    epoch_us,
)
from copilot.ingest.changes import change_between
from copilot.ingest.named_changes import named_change
from copilot.ingest.objects import without_secrets
from copilot.ingest.sources.kube_events import batch_of
from copilot.journal import Journal
from copilot.ports import Clock, Delta, Kind, Named, Session

log = structlog.get_logger(__name__)

_BETWEEN = frozenset({Kind.REPLICA_SET, Kind.JOB})
"""Owners of pods that are mostly owned themselves."""
MOST_STRAINED = 100
"""Pods that are well and looked at all the same, in one tick."""
OWNER_COMES_US = 30_000_000
MOST_ASKED = 20
"""Templates whose usual counts are looked for, in one look."""
MOST_USUAL = 1000
"""Templates and applications whose usual counts are remembered."""
MOST_CALLED = 500
"""Services without pods whose callers are remembered."""

_SHOWN_BY: dict[Rule, tuple[Kind, ...]] = {
    Rule.NOT_CREATED: (Kind.REPLICA_SET, Kind.STATEFUL_SET, Kind.DAEMON_SET, Kind.JOB, Kind.EVENT),
    Rule.VOLUME_PENDING: (Kind.CLAIM, Kind.POD, Kind.EVENT),
    Rule.NO_ENDPOINTS: (Kind.SERVICE, Kind.POD),
    Rule.JOB_FAILED: (Kind.JOB, Kind.POD),
    Rule.CRON_JOB_LATE: (Kind.CRON_JOB,),
    Rule.NODE_UNHEALTHY: (Kind.NODE,),
}
"""The kinds that must be seen for a rule's silence to mean anything; of the others, pods."""


_Logged = tuple[TemplateId, str, str]
"""A template, and the namespace and application that log it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What of a delta matters further on."""

    pods: tuple[Pod, ...]
    """Those that exist."""
    changes: tuple[Change, ...]


class Intake:
    """Keeps versions, changes and events, and remembers which pods are not well.

    What it remembers is of this process and is rebuilt by the first full list.
    """

    def __init__(
        self, *, clock: Clock, journal: Journal, own_namespaces: Collection[str] = ()
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._own = frozenset(own_namespaces)
        self.begin_watch()

    def begin_watch(self) -> None:
        """Nothing was seen yet: the first full list of each kind tells."""
        self._synced: set[Kind] = set()
        self._blind: set[Kind] = set()
        """Kinds that cannot be seen at the moment."""
        self._regained_us: dict[Kind, int] = {}
        """When a kind came back into sight."""
        self._unserved: set[Kind] = set()
        """Kinds that the server does not have: there is nothing of them to see."""
        self._listed: dict[Kind, set[str]] = {}
        """Uids of a kind, until its first full list: what the store knows beside them is gone."""
        self._inventory = Inventory()
        self._named: set[str] = set()
        """Single objects that were looked for once."""
        self._callers: dict[tuple[str, int], tuple[ObjectRef, ...]] = {}
        """By Service and since when nothing is behind it: who calls it."""
        self._usually: dict[_Logged, tuple[int, int]] = {}
        """When it was asked for, and how often it is usual."""

    async def keep(self, tx: Session, delta: Delta) -> Kept:
        """Write what the watch saw; the pods and the changes among it."""
        cluster, now_us = self._journal.cluster, self._clock.now_us()
        kind = delta.kind
        if isinstance(kind, Named):
            return Kept(pods=(), changes=await self._keep_named(tx, delta, now_us))
        is_first = kind not in self._synced
        if is_first:
            listed = self._listed.setdefault(kind, set())
            listed.update(version.object.uid for version in delta.versions)
        await tx.objects.set_gap(cluster, delta.gap, kind)
        if delta.is_synced:
            await tx.objects.set_listed(cluster, kind)
        versions = tuple(version for version in delta.versions if is_readable(version))
        for version in versions:  # doing it again after a commit that failed changes nothing
            self._inventory.put(version)
        changes: list[Change | None] = []
        if kind is Kind.EVENT:
            await self._keep_events(tx, versions, now_us)
        else:
            for version in versions:
                changes.append(await self._keep_version(tx, version, is_new=not is_first))
        if delta.is_synced and is_first:
            await self._keep_deletions(tx, kind, now_us)
        if versions:
            await self._journal.moved(tx, "objects.changed", None, now_us)
        return Kept(
            pods=self._placeable(pod_in(v) for v in versions if not v.is_deleted)
            if kind is Kind.POD
            else (),
            changes=tuple(change for change in changes if change is not None),
        )

    def kept(self, delta: Delta) -> None:
        """What `keep` wrote is committed."""
        if isinstance(delta.kind, Named):
            if delta.is_synced:
                self._named.add(_place_of(delta))
            return
        is_unserved = not (delta.versions or delta.is_synced or delta.gap)
        if delta.kind in self._blind and delta.gap is None:
            self._regained_us[delta.kind] = self._clock.now_us()
        for kinds, is_so in (
            (self._blind, delta.gap is not None),
            (self._unserved, is_unserved),
        ):
            (kinds.add if is_so else kinds.discard)(delta.kind)
        if delta.is_synced:
            self._synced.add(delta.kind)
            self._listed.pop(delta.kind, None)

    def sees(self, rule: Rule) -> bool:
        """Whether its silence means anything: what it looks at was listed whole, and the watch has
        no gap now."""
        known = self._in_sight | self._unserved
        return all(kind in known for kind in _SHOWN_BY.get(rule, (Kind.POD,)))

    @property
    def _in_sight(self) -> set[Kind]:
        return self._synced - self._blind

    async def seen_now(self, view: Session) -> Seen:
        """What time alone may have made wrong: all that is not well, and errors of late."""
        look = self._inventory.look(self._clock.now_us())
        logging, activity = await self._pods_logging(view, await self._activity(view))
        places = strained_places(look) | evicted_places(look.events)
        named = await self._pods_named(view, places)
        pods = self._placeable((logging | named | self._inventory.pods).values())
        refused = {(s.namespace, s.pod) for s in look.strains if s.refusals}
        listened = [p for p in pods if (p.metadata.namespace, p.metadata.name) in refused]
        waiting = await self._activity_of(view, [*listened, *hanging_inits(pods, look.now_us)])
        seen = await self.seen(view, pods)
        owned = [*(c.metadata for c in look.controllers), *(j.metadata for j in look.jobs)]
        owners = {meta.uid: top for meta in owned if (top := self._top_of(meta))}
        return msgspec.structs.replace(
            look,
            cluster=seen.cluster,
            own_namespaces=self._own,
            pods=pods,
            owners=seen.owners | owners,
            activity=(*activity, *(a for a in waiting if a not in activity)),
            listed=frozenset(self._in_sight),
            nodes_regained_us=self._regained_us.get(Kind.NODE, 0),
            backings=tuple([await self._with_callers(view, b) for b in look.backings]),
        )

    async def with_activity(self, view: Session, seen: Seen) -> Seen:
        """The same with what its pods have logged of late, how hard they run into limits, and
        what was said about them: from the store, for the process that verifies need not be the one
        that the watch and the kubelets' readings come to."""
        readings = Readings()
        told: dict[str, KubeEvent] = {}
        for namespace in sorted({pod.metadata.namespace for pod in seen.pods}):
            pods = [pod for pod in seen.pods if pod.metadata.namespace == namespace]
            for series in await self._stored_readings(view, namespace, pods):
                readings.put_series(series)
            told |= await self._stored_events(view, namespace, pods)
        now_us = self._clock.now_us()
        told |= {event.metadata.uid: event for event in self._inventory.events(now_us)}
        return msgspec.structs.replace(
            seen,
            activity=activity_of(seen.pods, await self._activity(view)),
            strains=readings.strains(now_us),
            events=tuple(told.values()),
        )

    async def _stored_readings(
        self, view: Session, namespace: str, pods: list[Pod]
    ) -> list[tuple[Series, ...]]:
        now_us = self._clock.now_us()
        return [
            await view.telemetry.series(
                name=name,
                namespace=namespace,
                pods=[pod.metadata.name for pod in pods],
                since_us=now_us - KILLS_US,
                until_us=now_us,
            )
            for name in READ
        ]

    async def _stored_events(
        self, view: Session, namespace: str, pods: list[Pod]
    ) -> dict[str, KubeEvent]:
        """About the pods and what makes them, by uid."""
        owners = [o.uid for pod in pods for o in pod.metadata.owner_references or ()]
        stored = await view.telemetry.kube_events(
            namespace=namespace,
            uids=sorted({*owners, *(pod.metadata.uid for pod in pods)}),
            names=(),
            since_us=self._clock.now_us() - LATE_US,
        )
        found = (msgspec.json.decode(body, type=KubeEvent) for body in stored)
        return {event.metadata.uid: event for event in found}

    async def seen_in(self, tx: Session, batches: Sequence[Batch]) -> Seen:
        """What batches let the rules see, with the pods their alerts, kills and errors speak of.

        The pods only place what came in: what is wrong with them themselves, the watch tells.
        """
        has_errors = any(max(b.lines.severity, default=0) >= Severity.ERROR for b in batches)
        kills = tuple(kill for batch in batches for kill in batch.kernel_kills)
        received = tuple(alert for batch in batches for alert in batch.alerts)
        logged = await self._activity(tx) if has_errors else ()
        pods, activity = await self._pods_logging(tx, logged)
        if kills or received:
            versions = await tx.objects.find(self._journal.cluster, Kind.POD)
            pods = {version.object.uid: pod_in(version) for version in versions}
        seen = await self.seen(tx, tuple(pods.values()))
        return msgspec.structs.replace(
            seen,
            kernel_kills=kills,
            received=received,
            activity=activity,
        )

    def note_points(self, batch: Batch) -> None:
        """Remember what a batch says about containers at their limits."""
        self._inventory.put_points(batch.points)

    async def seen(self, view: Session, pods: tuple[Pod, ...]) -> Seen:
        """The pods, each with its workload."""
        owners = {pod.metadata.uid: await self.workload(view, pod) for pod in pods}
        now_us = self._clock.now_us()
        return Seen(
            now_us=now_us,
            cluster=self._journal.cluster,
            own_namespaces=self._own,
            pods=pods,
            owners=owners,
            events=self._inventory.events(now_us) if pods else (),
        )

    async def workload(self, view: Session, pod: Pod) -> ObjectRef:
        """The top of the owner chain, as far as it was seen: by this process, else in the store."""
        metadata = pod.metadata
        top, above = self._inventory.top_of(metadata)
        if top is not None and above is None:
            return top
        top = ObjectRef(
            kind="Pod", namespace=metadata.namespace, name=metadata.name, uid=metadata.uid
        )
        while (owner := controller_of(metadata)) is not None:
            top = ObjectRef(
                kind=owner.kind, namespace=top.namespace, name=owner.name, uid=owner.uid
            )
            stored = await view.objects.get(self._journal.cluster, owner.uid)
            if stored is None:
                break
            metadata = msgspec.json.decode(stored.json, type=Pod).metadata
        return top

    def _placeable(self, pods: Iterable[Pod]) -> tuple[Pod, ...]:
        """Those whose workload can be told. Each kind has a watch of its own, so a pod may be known
        before what owns it; the next look finds it again."""
        return tuple(pod for pod in pods if not self._is_ahead_of_its_owner(pod))

    def _is_ahead_of_its_owner(self, pod: Pod) -> bool:
        owner = controller_of(pod.metadata)
        if owner is None or owner.kind not in _BETWEEN or self._inventory.knows(owner.uid):
            return False
        if owner.kind not in self._synced | self._blind | self._unserved:
            return True
        born_us = epoch_us(pod.metadata.creation_timestamp)
        return owner.kind in self._in_sight and self._clock.now_us() - born_us < OWNER_COMES_US

    def _top_of(self, metadata: Metadata) -> ObjectRef | None:
        """None where nothing owns it. What is not known is named by who it owns."""
        top, above = self._inventory.top_of(metadata)
        if above is None:
            return top
        return ObjectRef(
            kind=above.kind, namespace=metadata.namespace, name=above.name, uid=above.uid
        )

    async def _keep_version(
        self, tx: Session, version: ObjectVersion, *, is_new: bool
    ) -> Change | None:
        before = await tx.objects.get(version.cluster, version.object.uid)
        after = without_secrets(version)
        change = change_between(before, after, is_new=is_new)
        await tx.objects.save(after, change)
        if change is not None:
            await self._journal.moved(tx, "change.added", None, version.seen_us)
        return change

    async def _keep_named(self, tx: Session, delta: Delta, now_us: int) -> tuple[Change, ...]:
        """Of one object by name. The kind does not count as listed: of others nothing is known."""
        cluster, place = self._journal.cluster, _place_of(delta)
        is_first = place not in self._named
        await tx.objects.set_gap(cluster, delta.gap, gap_key(place))
        versions = list(delta.versions)
        if is_first and delta.is_synced:
            namespace, _, name = delta.only.partition("/")
            last = await tx.objects.named(cluster, delta.kind, namespace, name)
            there = {version.object.uid for version in versions}
            if last is not None and not last.is_deleted and last.object.uid not in there:
                gone = msgspec.structs.replace(last, is_deleted=True, seen_us=now_us)
                versions.insert(0, gone)
        changes: list[Change] = []
        for version in versions:
            before = await tx.objects.get(cluster, version.object.uid)
            change = named_change(before, version, is_new=not is_first)
            await tx.objects.save(version, change)
            if change is not None:
                changes.append(change)
                await self._journal.moved(tx, "change.added", None, version.seen_us)
        if versions:
            await self._journal.moved(tx, "objects.changed", None, now_us)
        return tuple(changes)

    async def _keep_deletions(self, tx: Session, kind: Kind, now_us: int) -> None:
        """What was deleted while nobody watched: known to the store, not in the first list."""
        for version in await tx.objects.find(self._journal.cluster, kind):
            if version.object.uid not in self._listed[kind]:
                gone = msgspec.structs.replace(version, is_deleted=True, seen_us=now_us)
                await self._keep_version(tx, gone, is_new=True)

    async def _keep_events(
        self, tx: Session, versions: Iterable[ObjectVersion], now_us: int
    ) -> None:
        events = [
            msgspec.json.decode(version.json, type=KubeEvent)
            for version in versions
            if not version.is_deleted
        ]
        for event in events:
            self._inventory.put_event(event, now_us)
        if events:
            await tx.telemetry.add(
                batch_of(events, cluster=self._journal.cluster, received_us=now_us)
            )

    async def _pods_logging(
        self, view: Session, activity: tuple[TemplateActivity, ...]
    ) -> tuple[dict[str, Pod], tuple[TemplateActivity, ...]]:
        """By uid the pods whose logs these templates came from; and the templates without those of
        pods that are deleted: what they logged is over, or their successors log it too."""
        names = {(one.stream.namespace, one.stream.pod) for one in activity if one.stream.pod}
        found = {
            (namespace, name): await view.objects.named(
                self._journal.cluster, Kind.POD, namespace, name
            )
            for namespace, name in sorted(names)
        }
        there = [v for v in found.values() if v is not None and not v.is_deleted]
        gone = {place for place, v in found.items() if v is not None and v.is_deleted}
        left = tuple(a for a in activity if (a.stream.namespace, a.stream.pod) not in gone)
        return {v.object.uid: pod_in(v) for v in there}, left

    async def _pods_named(self, view: Session, names: set[tuple[str, str]]) -> dict[str, Pod]:
        """By uid: those of these namespaces and names that exist."""
        found = [
            await view.objects.named(self._journal.cluster, Kind.POD, namespace, name)
            for namespace, name in sorted(names)
        ]
        return {v.object.uid: pod_in(v) for v in found if v is not None and not v.is_deleted}

    async def _activity(self, view: Session) -> tuple[TemplateActivity, ...]:
        now_us = self._clock.now_us()
        found = await view.telemetry.activity(
            min_severity=Severity.ERROR, window_us=WINDOW_US, now_us=now_us
        )
        before = {_logged(a) for a in found if a.earlier_count}
        held_against = dict.fromkeys(
            place
            for a in found
            if a.first_us < now_us - WINDOW_US and (place := _logged(a)) not in before
        )
        await self._ask_usual(view, held_against, now_us)
        usual = {place: self._usually.get(place) for place in held_against}
        # What could not be asked for in this look may be as usual; the next one tells.
        return tuple(
            replace(a, usual_count=known[1])
            for a in found
            if (known := usual.get(_logged(a), (0, 0))) is not None
        )

    async def _ask_usual(self, view: Session, places: Collection[_Logged], now_us: int) -> None:
        """What an application logs of a template whenever it runs; what was found stays true for
        a while. Of those that are due, the ones that have waited longest."""
        if len(self._usually) > MOST_USUAL:
            self._usually = {p: known for p, known in self._usually.items() if p in places}
        asked_us = {place: self._usually.get(place, (0, 0))[0] for place in places}
        due = [place for place in places if now_us - asked_us[place] >= WINDOW_US]
        for place in sorted(due, key=lambda one: asked_us[one])[:MOST_ASKED]:
            template_id, namespace, app = place
            history = await view.telemetry.template_history(
                template_id=template_id,
                namespace=namespace,
                app=app,
                window_us=WINDOW_US,
                since_us=now_us - USUAL_FROM_US,
                until_us=now_us - WINDOW_US,
            )
            self._usually[place] = (now_us, usual_of(history))

    async def _activity_of(
        self, view: Session, pods: Iterable[Pod]
    ) -> tuple[TemplateActivity, ...]:
        """All that these pods log, however harmless it calls itself."""
        listened = tuple(pods)
        found: list[TemplateActivity] = []
        for namespace in sorted({pod.metadata.namespace for pod in listened}):
            found += await view.telemetry.activity(
                min_severity=0,
                window_us=WINDOW_US,
                now_us=self._clock.now_us(),
                namespace=namespace,
            )
        return activity_of(listened, found)

    async def _with_callers(self, view: Session, backing: Backing) -> Backing:
        """The same with who calls it, where nothing is behind it. Looked for once."""
        if not backing.empty_since_us:
            return backing
        key = (backing.service.metadata.uid, backing.empty_since_us)
        if key not in self._callers:
            if len(self._callers) > MOST_CALLED:
                self._callers.clear()
            self._callers[key] = await self._callers_of(view, backing)
        return msgspec.structs.replace(backing, callers=self._callers[key])

    async def _callers_of(self, view: Session, backing: Backing) -> tuple[ObjectRef, ...]:
        own = {w.key for w in backing.workloads}
        callers: list[ObjectRef] = []
        for kind in CALLERS:
            for version in await view.objects.find(
                self._journal.cluster, kind, backing.service.metadata.namespace
            ):
                if version.object.key not in own and calls(version, backing.service):
                    callers.append(version.object)
        return tuple(callers)


ASIDE = "aside "
"""Before what is no kind that is listed whole; a gap there says nothing of a kind."""


def gap_key(what: str) -> str:
    """Under which the store keeps such a gap; what is too long for a key is cut."""
    return f"{ASIDE}{what}"[:180]


def _place_of(delta: Delta) -> str:
    return f"{delta.kind} {delta.only}"


def _logged(activity: TemplateActivity) -> _Logged:
    return activity.template_id, activity.stream.namespace, activity.stream.app


def strained_places(look: Seen) -> set[tuple[str, str]]:
    """Namespace and name of the pods that a rule may have something to say about because of their
    readings: the worst first, where they are too many. Throttling matters where a probe fails."""
    failing = {
        (e.involved_object.namespace, e.involved_object.name)
        for e in look.events
        if e.reason == "Unhealthy"
    }
    worst = sorted(
        (s for s in look.strains if s.kills or s.refusals or (s.namespace, s.pod) in failing),
        key=lambda s: (-s.kills, -s.refusals, -s.throttled),
    )
    return {(s.namespace, s.pod) for s in worst[:MOST_STRAINED]}


def activity_of(
    pods: Iterable[Pod], activity: Iterable[TemplateActivity]
) -> tuple[TemplateActivity, ...]:
    """What these pods log; pods of two namespaces may have one name."""
    places = {(pod.metadata.namespace, pod.metadata.name) for pod in pods}
    return tuple(a for a in activity if (a.stream.namespace, a.stream.pod) in places)


def is_readable(version: ObjectVersion) -> bool:
    """Whether its JSON is what we take it for. Whoever may write objects may write odd ones, such
    as a time in the year 0; they are said and left out, and nobody stumbles over them later."""
    try:
        msgspec.json.decode(version.json, type=TYPES.get(version.object.kind, Deployment))
    except msgspec.DecodeError as problem:
        log.warning("object.unreadable", object=version.object.key, error=str(problem))
        return False
    return True


def pod_in(version: ObjectVersion) -> Pod:
    """The pod that a version holds."""
    return msgspec.json.decode(version.json, type=Pod)
