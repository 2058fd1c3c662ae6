"""Chooses what of a case may be cited: the decisive facts, captured whole, each with its source.

Pure. An item that is stored already keeps its id and its body; new ones are numbered after.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace

import msgspec

from copilot.agents.referred import Thing, referred
from copilot.agents.showing import bare, title_of
from copilot.causes import failures
from copilot.causes.certificate_invalid import flaw_of
from copilot.causes.citing import (
    alert_key,
    change_key,
    event_key,
    incident_key,
    line_key,
    object_key,
    series_key,
)
from copilot.causes.connecting import how_of
from copilot.causes.cpu_limit_too_low import own_series
from copilot.causes.listening import port_announced
from copilot.causes.memory_series import Run, highest_peak, level, runs, same_program
from copilot.causes.permissions import forbidden_in
from copilot.causes.placement import is_wanted
from copilot.causes.references import references_of, specs_of
from copilot.causes.rollouts import JUST_BEFORE_US, is_of_workload, rollouts
from copilot.causes.wording import clock, one_line
from copilot.domain import attributes
from copilot.domain.alert import Alert, Rule
from copilot.domain.case import Case
from copilot.domain.change import Change
from copilot.domain.event import LogLine, Series, Severity
from copilot.domain.evidence import Evidence, EvidenceKind
from copilot.domain.memory import SimilarIncident
from copilot.domain.objects import (
    Container,
    KubeEvent,
    KubeStruct,
    Node,
    Pod,
    ReplicaSet,
    epoch_us,
)
from copilot.domain.quantity import humanise_bytes

MOST_BYTES = 64 * 1024
MOST_STORED = 60
MOST_PODS = 3
MOST_LINES = 6
LAST_LINES = 3
MOST_POINTS = 300
MOST_SERIES = 4
MOST_EVENTS = 5
_TELLING = frozenset(
    {
        "BackOff",
        "BackoffLimitExceeded",
        "DeadlineExceeded",
        "Evicted",
        "EvictionThresholdMet",
        "ExternalProvisioning",
        "Failed",
        "FailedAttachVolume",
        "FailedBinding",
        "FailedCreate",
        "FailedCreatePodSandBox",
        "FailedMapVolume",
        "FailedMount",
        "FailedScheduling",
        "FailedToRetrieveImagePullSecret",
        "FailedNeedsStart",
        "JobAlreadyActive",
        "MissSchedule",
        "ErrImageNeverPull",
        "InspectFailed",
        "NodeNotReady",
        "NodeNotSchedulable",
        "OOMKilling",
        "ProbeError",
        "ProvisioningFailed",
        "SystemOOM",
        "TooManyMissedTimes",
        "UnknownTimeZone",
        "Unhealthy",
    }
)


def with_evidence(case: Case, stored: Sequence[Evidence] = ()) -> Case:
    """The case with all that may be cited, and where to find each source's id."""
    known = {_identity(item): item for item in stored} | {_content(i): i for i in stored}
    number = max((int(i.id.removeprefix("E")) for i in stored), default=0)
    chosen: list[Evidence] = []
    for item in {_identity(i): i for i in _decisive(case)}.values():
        before = known.get(_content(item)) or known.get(_identity(item))
        if before is not None:
            chosen.append(before)
        else:
            number += 1
            chosen.append(replace(item, id=f"E{number}"))
    ids = {item.id for item in chosen}
    earlier = [item for item in stored if item.id not in ids][-MOST_STORED:]
    cited_as = {_key(item.source): item.id for item in (*earlier, *chosen)}
    ordered = sorted((*earlier, *chosen), key=lambda item: int(item.id.removeprefix("E")))
    return msgspec.structs.replace(case, evidence=tuple(ordered), cited_as=cited_as)


def _identity(item: Evidence) -> tuple[str, str]:
    """The same statement of the same source is the same evidence, whatever moved beside it."""
    return _key(item.source), item.body if item.kind is EvidenceKind.LOG else item.title


def _content(item: Evidence) -> tuple[str, str, str]:
    """What the store knows an item by: whatever we call it, it stays the same."""
    return ("content", item.source, item.body)


def _key(source: str) -> str:
    """How `Case.cited_as` names a source: an object without its version."""
    return source.partition("@")[0] if source.startswith("object:") else source


def _decisive(case: Case) -> Iterator[Evidence]:
    """The most telling first."""
    pods = telling_pods(case)
    yield from (_of_pod(case, pod) for pod in pods)
    yield from (_of_change(change) for change in _telling_changes(case))
    yield from _of_memory(case, pods)
    yield from _of_cpu(case, pods)
    yield from (_of_line(line) for line in _telling_lines(case))
    yield from (_of_event(event) for event in _telling_events(case, pods))
    yield from (_of_revision(owned) for owned in _telling_revisions(case))
    yield from (_of_node(node) for node in _telling_nodes(case, pods))
    yield from (_of_thing(thing) for thing in referred(case))
    yield from (_of_alert(alert) for alert in case.alerts[:MOST_PODS])
    yield from (_of_similar(similar) for similar in case.similar[:2])


# ------------------------------------------------------------------ pods


def telling_pods(case: Case) -> tuple[Pod, ...]:
    """One failing pod for each way to fail, newest first; after a rollout also one that was fine
    before it. Where none fails, the one that an alert names: what ails it shows in no status."""
    ways: dict[tuple[object, ...], Pod] = {}
    for pod in failures.failing_pods(case):
        ways.setdefault(_way(pod), pod)
    named = {a.pod for a in case.alerts}
    quiet = [] if ways else [p for p in case.pods if p.metadata.name in named][:1]
    return (*list(ways.values())[:MOST_PODS], *quiet, *_fine_before(case))


def _way(pod: Pod) -> tuple[object, ...]:
    """How a pod fails, and as which revision."""
    owner = [o.uid for o in pod.metadata.owner_references or () if o.controller]
    waits = [
        (s.name, s.state.waiting.reason)
        for s in failures.statuses_of(pod)
        if s.state and s.state.waiting and s.state.waiting.reason != "CrashLoopBackOff"
    ]
    ended = [
        (e.container, e.reason, failures.limit_of(pod.spec, e.container))
        for e in failures.endings_of(pod)[-1:]
    ]
    return (*owner, bool(pod.spec.node_name), *waits, *ended)


def _fine_before(case: Case) -> tuple[Pod, ...]:
    fine = [
        pod
        for pod in case.pods
        if failures.is_of_older_revision(case, pod) and failures.was_fine(case, pod)
    ]
    recent = any(r.at_us >= failures.began_us(case) - JUST_BEFORE_US for r in rollouts(case))
    return (min(fine, key=failures.restarts_of),) if fine and recent else ()


def _of_pod(case: Case, pod: Pod) -> Evidence:
    ended = failures.endings_of(pod)
    moment = ended[-1].finished_us if ended else epoch_us(pod.metadata.creation_timestamp)
    return _evidence(
        EvidenceKind.OBJECT,
        title=f"{pod.metadata.name}: {_state_of(case, pod)}",
        at_us=moment,
        source=f"{object_key(pod.metadata)}@{pod.metadata.resource_version}",
        body=_pretty(bare(pod)),
    )


def _state_of(case: Case, pod: Pod) -> str:
    """With the moment, so that each kill is evidence of its own."""
    ended = failures.endings_of(pod)
    if not ended:
        is_fine = failures.was_fine(case, pod)
        return "ran without failing" if is_fine else failures.state_words(pod)
    last = max(ended, key=lambda e: e.finished_us)
    limit = failures.limit_of(pod.spec, last.container)
    under = f", memory limit {humanise_bytes(limit)}" if limit and last.is_oom else ""
    return f"{failures.state_words(pod)} at {clock(last.finished_us)}{under}"


# ------------------------------------------------------------------ changes and revisions


def _telling_changes(case: Case) -> list[Change]:
    """Of the workload and its configuration: the last three before, the first two after. Of what
    it refers to (a Service, a policy, whom it calls) the last two before."""
    began = failures.began_us(case)
    mine = [c for c in case.changes if is_of_workload(case, c)]
    before = [c for c in mine if c.ts_us <= began + 2_000_000]
    around = {(t.ref.kind, t.ref.name) for t in referred(case)} | _secrets_named(case)
    theirs = [
        c
        for c in case.changes
        if (c.object.kind, c.object.name) in around and c not in mine and c.ts_us <= began
    ]
    return before[-3:] + [c for c in mine if c not in before][:2] + theirs[-2:]


def _secrets_named(case: Case) -> set[tuple[str, str]]:
    """Secrets that pods refer to: of those that are followed, changes are known."""
    references = (r for spec in specs_of(case) for r in references_of(spec))
    return {(r.kind, r.name) for r in references if r.kind == "Secret"}


def _of_change(change: Change) -> Evidence:
    by = f" by {change.actor}" if change.actor else ""
    return _evidence(
        EvidenceKind.CHANGE,
        title=f"{change.title}{by}",
        at_us=change.ts_us,
        source=change_key(change),
        body=_pretty(asdict(change)),
    )


def _telling_revisions(case: Case) -> tuple[ReplicaSet, ...]:
    waits = failures.alerts_of(case, Rule.IMAGE_PULL)
    return case.replica_sets[: 2 if rollouts(case) or waits else 1]


def _of_revision(owned: ReplicaSet) -> Evidence:
    containers = owned.spec.template.spec.containers or ()
    each = [f"{c.name} {c.image}{_limit_words(c)}" for c in containers]
    created = epoch_us(owned.metadata.creation_timestamp)
    return _evidence(
        EvidenceKind.OBJECT,
        title=(
            f"{owned.metadata.name}: revision {failures.revision_of(owned)}, created "
            f"{clock(created)}: {', '.join(each)}"
        ),
        at_us=created,
        source=f"{object_key(owned.metadata)}@{owned.metadata.resource_version}",
        body=_pretty(bare(owned)),
    )


def _limit_words(container: Container) -> str:
    limits = container.resources.limits if container.resources else None
    limit = failures.quantity_of(limits, "memory")
    return f", memory limit {humanise_bytes(limit)}" if limit else ""


# ------------------------------------------------------------------ memory


def _of_memory(case: Case, pods: Iterable[Pod]) -> Iterator[Evidence]:
    """For each way a life ended the highest one; the peak counter of a pod that was killed."""
    containers = dict.fromkeys(e.container for p in pods for e in failures.endings_of(p))
    if not containers:
        containers = dict.fromkeys(s.container for s in case.memory if s.container)
    chosen: dict[str, Run] = {}
    for container in list(containers)[:2]:
        for run in _one_of_each(case, runs(case, container)):
            chosen.setdefault(series_key(run.series), run)
    yield from (_of_run(run) for run in list(chosen.values())[:MOST_SERIES])
    killed = next((p for p in pods if any(e.is_oom for e in failures.endings_of(p))), None)
    counter = highest_peak(case, killed) if killed else None
    if counter is not None:
        peak = max(p.high for p in counter.points)
        yield _of_series(counter, f"{counter.pod}: peak counter at {humanise_bytes(peak)}", None)


def _one_of_each(case: Case, lives: Sequence[Run]) -> list[Run]:
    """The highest of each limit, ending and program: killed ones first, then the older programs."""
    now = next(iter(failures.failing_pods(case)), None)
    best: dict[tuple[object, ...], Run] = {}
    for run in lives:
        is_same = run.pod is None or now is None or same_program(run.pod, now, run.series.container)
        way = (run.limit, run.was_killed, is_same)
        if way not in best or run.peak > best[way].peak:
            best[way] = run
    return sorted(best.values(), key=lambda r: (not r.was_killed, -r.peak))


def _of_run(run: Run) -> Evidence:
    rest = level(run.points)
    under = f" under a limit of {humanise_bytes(run.limit)}" if run.limit else ""
    how = "to a kill" if run.was_killed else "level" if rest is not None else "seen"
    return _of_series(
        run.series,
        f"{run.series.container} in {run.series.pod}: memory {how} at "
        f"{humanise_bytes(run.peak)}{under}",
        run.limit,
    )


def _of_cpu(case: Case, pods: Iterable[Pod]) -> Iterator[Evidence]:
    """How a container with a CPU limit fares under it; nothing of one that has none."""
    limited = {
        (pod.metadata.name, name): c.name
        for pod in pods
        for c in pod.spec.containers or ()
        if c.resources and "cpu" in (c.resources.limits or {})
        for name in own_series(pod, c.name)
    }
    mine = [s for s in case.cpu if (s.pod, s.container) in limited and s.points]
    for series in mine[:MOST_SERIES]:
        peak = max(p.high for p in series.points)
        is_share = series.name == attributes.CPU_THROTTLED
        said = f"CPU throttled {peak:.0%} at most" if is_share else f"CPU {peak:.3g} cores at most"
        container = limited[series.pod, series.container]
        yield _of_series(series, f"{container} in {series.pod}: {said}", None)


def _of_series(series: Series, title: str, limit: int | None) -> Evidence:
    step = -(-len(series.points) // MOST_POINTS) or 1
    kept = series.points[::-step][::-1]  # the end matters most
    body = {
        "name": series.name,
        "unit": series.unit,
        "pod": series.pod,
        "container": series.container,
        "limit_bytes": limit,
        "columns": ["ts_us", "value", "low", "high"],
        "points": [[p.ts_us, p.value, p.low, p.high] for p in kept],
    }
    return _evidence(
        EvidenceKind.METRIC,
        title=title,
        at_us=max(series.points, key=lambda p: p.high).ts_us,
        source=series_key(series),
        body=msgspec.json.encode(body).decode(),
    )


# ------------------------------------------------------------------ lines and events


def speaking_pods(case: Case) -> tuple[Pod, ...]:
    """Whose log to read: those that fail; where all look well, those that are there."""
    failing = [p for p in telling_pods(case) if failures.is_failing(case, p)]
    there = [p for p in case.pods if not failures.is_gone(p)]
    return tuple(failing or there[-MOST_PODS:])


def _telling_lines(case: Case) -> list[LogLine]:
    """The last words before an end, new errors, and where a program that is up listens."""
    pods = speaking_pods(case)
    names = {p.metadata.name for p in pods}
    words = next((w for p in pods if (w := _last_words(case, p))), [])
    fresh = {t.last_address for t in case.templates if t.severity >= Severity.ERROR}
    errors = [
        line
        for line in case.lines
        if line.address in fresh or (line.level in ("error", "fatal") and line.pod in names)
    ]
    distinct = {_shape(line.body): line for line in errors}
    listens = [x for x in case.lines if x.pod in names and port_announced(x.body) is not None]
    complaints = {_complaint(x.body): x for x in case.lines if x.pod in names}
    complaints.pop("", None)
    picked = {
        x.address: x
        for x in (
            *words,
            *list(distinct.values())[-2:],
            *listens[-1:],
            *list(complaints.values())[-2:],
        )
    }
    ordered = sorted(picked.values(), key=lambda x: (x.ts_us, _place(x.address)))
    return ordered[-MOST_LINES:]


def _complaint(body: str) -> str:
    """What a line complains about in whatever level: others that it cannot reach, or that refuse
    it; empty for nothing of that."""
    if forbidden_in(body):
        return "forbidden"
    return flaw_of(body) or how_of(body) or ""


def _last_words(case: Case, pod: Pod) -> list[LogLine]:
    mine = [line for line in case.lines if line.pod == pod.metadata.name]
    for ended in reversed(failures.endings_of(pod)):
        said = [
            line
            for line in mine
            if line.container in ("", ended.container)
            and ended.started_us - 1_000_000 <= line.ts_us <= ended.finished_us + 1_000_000
        ]
        if said:
            return said[-LAST_LINES:]
    return [] if failures.endings_of(pod) else mine[-LAST_LINES:]


def _place(address: str) -> tuple[int, ...]:
    return tuple(int(part) for part in address.split(":") if part.isdecimal())


def _shape(body: str) -> str:
    """Lines that differ in figures only are one."""
    return re.sub(r"[0-9a-f]*\d[0-9a-f]*", "#", body[:400])


def _of_line(line: LogLine) -> Evidence:
    return _evidence(
        EvidenceKind.LOG,
        title=f"{line.container or line.pod}: {line.body}",
        at_us=line.ts_us,
        source=line_key(line),
        body=line.body,
    )


def _telling_events(case: Case, pods: Iterable[Pod]) -> list[KubeEvent]:
    """The newest of each kind, of the chosen pods where there is one."""
    chosen = {p.metadata.uid for p in pods}
    best: dict[tuple[str, ...], KubeEvent] = {}
    newest = sorted(case.events, key=lambda e: epoch_us(e.occurred), reverse=True)
    for event in sorted(newest, key=lambda e: e.involved_object.uid not in chosen):
        if _is_telling(event):
            container = failures.container_named_by(event)
            best.setdefault((event.reason, container, event.message[:24]), event)
    return list(best.values())[:MOST_EVENTS]


def _is_telling(event: KubeEvent) -> bool:
    if event.reason == "Killing":
        return "probe" in event.message
    return event.reason in _TELLING and not event.message.startswith(("Error: Err", "Error: Image"))


def _of_event(event: KubeEvent) -> Evidence:
    about = event.involved_object
    return _evidence(
        EvidenceKind.EVENT,
        title=f"{event.reason} of {about.kind} {about.name}: {event.message}",
        at_us=epoch_us(event.occurred),
        source=event_key(event),
        body=_pretty(event),
    )


# ------------------------------------------------------------------ nodes, alerts, memories


def _telling_nodes(case: Case, pods: Iterable[Pod]) -> list[Node]:
    """Those that a homeless pod was held against, what it asks for first; else the incident's own
    node and those under pressure."""
    homeless = [p for p in pods if not p.spec.node_name and failures.is_failing(case, p)]
    if homeless:
        near = sorted(case.nodes, key=lambda n: not is_wanted(n, homeless[0].spec))
        return near[:MOST_PODS]
    own = case.incident.workload
    return [
        n
        for n in case.nodes
        if _troubles(n) or (own.kind == "Node" and n.metadata.name == own.name)
    ][:MOST_PODS]


def _troubles(node: Node) -> list[str]:
    return [
        c.type
        for c in node.status.conditions or ()
        if (c.type == "Ready") != (c.status == "True") and c.type != "Unknown"
    ]


def _of_node(node: Node) -> Evidence:
    room = node.status.allocatable or {}
    memory = failures.quantity_of(room, "memory")
    has = f"{room.get('cpu', '?')} cores, {humanise_bytes(memory) if memory else '?'} allocatable"
    troubles = _troubles(node)
    return _evidence(
        EvidenceKind.OBJECT,
        title=f"Node {node.metadata.name}: {', '.join(troubles) or has}",
        at_us=epoch_us(node.metadata.creation_timestamp),
        source=f"{object_key(node.metadata)}@{node.metadata.resource_version}",
        body=_pretty(bare(node)),
    )


def _of_thing(thing: Thing) -> Evidence:
    meta = thing.metadata
    return _evidence(
        EvidenceKind.OBJECT,
        title=title_of(thing.kind, thing.body),
        at_us=epoch_us(meta.creation_timestamp),
        source=f"{object_key(meta)}@{meta.resource_version}",
        body=_pretty(bare(thing.body)),
    )


def _of_alert(alert: Alert) -> Evidence:
    return _evidence(
        EvidenceKind.ALERT,
        title=f"{alert.title} ({alert.source})",
        at_us=alert.starts_us,
        source=alert_key(alert),
        body=_pretty(asdict(alert)),
    )


def _of_similar(similar: SimilarIncident) -> Evidence:
    memory = similar.memory
    held = "held" if memory.has_held else "did not hold"
    fix = f"; {memory.fix} {held}" if memory.fix else ""
    return _evidence(
        EvidenceKind.INCIDENT,
        title=f"INC-{memory.incident_id} {similar.title}{fix}",
        at_us=memory.created_us,
        source=incident_key(memory.incident_id),
        body=_pretty(asdict(similar)),
    )


# ------------------------------------------------------------------ shapes


def _evidence(kind: EvidenceKind, *, title: str, at_us: int, source: str, body: str) -> Evidence:
    return Evidence(
        id="",
        kind=kind,
        title=one_line(title),
        occurred_us=at_us,
        source=source,
        body=body.encode()[:MOST_BYTES].decode(errors="ignore"),
    )


def _pretty(value: KubeStruct | dict[str, object]) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
