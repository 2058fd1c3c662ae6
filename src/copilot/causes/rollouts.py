"""What changed about a workload: from the recorded changes, else from its two last revisions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from copilot.causes.citing import change_key, object_key
from copilot.causes.failures import containers_of, quantity_of, revision_of
from copilot.causes.references import workload_ref
from copilot.causes.wording import CLOSE_US, plain
from copilot.domain.case import Case
from copilot.domain.change import Change, FieldChange
from copilot.domain.objects import Container, PodSpec, ReplicaSet, epoch_us
from copilot.domain.quantity import humanise_bytes

JUST_BEFORE_US = 30 * 60 * 1_000_000
"""A change this long before the first failure may have caused it."""
SLACK_US = CLOSE_US
"""Statuses carry whole seconds, changes microseconds: an order within this says nothing."""

REUSED = "deployment.kubernetes.io/revision-history"
"""On a ReplicaSet whose template was rolled out more than once: the revisions it had before.
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-back-a-deployment"""
_VARIABLE = re.compile(r"\.env\[([^\]]+)\]")
_CONTAINER_FIELDS = (
    "image",
    "command",
    "args",
    "env_from",
    "ports",
    "volume_mounts",
    "security_context",
)
_POD_FIELDS = (
    "node_selector",
    "tolerations",
    "affinity",
    "topology_spread_constraints",
    "volumes",
    "service_account_name",
    "security_context",
)
NEAR_US = 10_000_000
"""A change and the ReplicaSet it makes are this close."""


class Part(StrEnum):
    """What a changed field is about."""

    CODE = "code"
    """Image, command, arguments, environment, volumes, configuration."""
    MEMORY = "memory"
    PROBE = "probe"
    PLACE = "place"
    """Where it may run, and how much it asks for."""
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One change of what runs, whoever made it."""

    at_us: int
    actor: str
    """Empty where unknown."""
    title: str
    fields: tuple[FieldChange, ...]
    keys: tuple[str, ...]
    """Where `Case.cited_as` finds it."""
    config_map: str = ""
    """The name of the ConfigMap that changed, empty where the workload itself did."""

    @property
    def parts(self) -> frozenset[Part]:
        return frozenset(part_of(f.path) for f in self.fields)

    @property
    def by(self) -> str:
        """` by alice`, or nothing."""
        return f" by {self.actor}" if self.actor else ""


def part_of(path: str) -> Part:
    """What a field path such as `spec.template.spec.containers[app].image` is about."""
    if path.startswith(("data", "binaryData")):
        return Part.CODE
    tail = path.rpartition("].")[2]
    head = tail.removeprefix("spec.template.spec.").partition(".")[0].partition("[")[0]
    if "Probe" in path:
        return Part.PROBE
    if "resources" in path:
        is_request = "requests" in path or "cpu" in path
        return Part.PLACE if is_request else Part.MEMORY
    if head in ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "nodeName"):
        return Part.PLACE
    is_code = head in ("image", "command", "args", "env", "envFrom", "volumes", "volumeMounts")
    is_inside = any(part in path for part in (".env[", ".env.", ".volumes[", ".volumeMounts["))
    return Part.CODE if is_code or is_inside else Part.OTHER


def variable_of(path: str) -> str:
    """The name of the environment variable that a field is about, empty for none."""
    found = _VARIABLE.search(path)
    return found[1] if found else ""


def rollouts(case: Case) -> tuple[Rollout, ...]:
    """All changes of what the workload runs, oldest first.

    A change that was noticed late (the watcher was away) is dated by the ReplicaSet it made.
    """
    recorded = [_recorded(c) for c in case.changes if is_of_workload(case, c)]
    noted = [r for r in recorded if r.fields]
    derived = _from_revisions(case)
    if derived is not None:
        same = [r for r in noted if _is_same_story(r, derived)]
        noted = [_dated(r, derived) if r in same else r for r in noted]
        noted += [] if same else [derived]
    return tuple(sorted(noted, key=lambda r: r.at_us))


def just_before(case: Case, at_us: int) -> Rollout | None:
    """The last rollout in the half hour before a moment."""
    near = [r for r in rollouts(case) if at_us - JUST_BEFORE_US <= r.at_us <= at_us + SLACK_US]
    return near[-1] if near else None


def is_of_workload(case: Case, change: Change) -> bool:
    """It is about the workload itself or about a ConfigMap that its pods use."""
    if change.object.kind == "ConfigMap":
        return change.object.name in config_maps_of(case)
    return change.object.key in (case.incident.workload.key, workload_ref(case).key)


def config_maps_of(case: Case) -> frozenset[str]:
    """Names of the ConfigMaps that the workload's pods read."""
    specs = [p.spec for p in case.pods]
    if case.workload is not None:
        specs.append(case.workload.spec.template.spec)
    return frozenset(name for spec in specs for name in config_names(spec))


def memory_limits_changed(
    case: Case, container: str
) -> tuple[tuple[Rollout, int | None, int | None], ...]:
    """Each rollout that changed a container's memory limit, with bytes before and after."""
    found = []
    for rollout in rollouts(case):
        for field in rollout.fields:
            if f"[{container}]" in field.path and _is_limit(field.path):
                found.append((rollout, _limit(field.before), _limit(field.after)))
    return tuple(found)


def _recorded(change: Change) -> Rollout:
    is_config = change.object.kind == "ConfigMap"
    fields = tuple(f for f in change.fields if is_config or _matters(f.path))
    return Rollout(
        at_us=change.ts_us,
        actor=change.actor,
        title=change.title,
        fields=fields,
        keys=(change_key(change),),
        config_map=change.object.name if is_config else "",
    )


def _matters(path: str) -> bool:
    """A field of the pod template, not its bookkeeping."""
    return path.startswith("spec.template.spec.")


def _is_same_story(recorded: Rollout, derived: Rollout) -> bool:
    paths = {f.path for f in derived.fields}
    is_near = abs(recorded.at_us - derived.at_us) <= NEAR_US
    return is_near or (
        recorded.at_us > derived.at_us and any(f.path in paths for f in recorded.fields)
    )


def _dated(recorded: Rollout, derived: Rollout) -> Rollout:
    if recorded.at_us - derived.at_us <= NEAR_US:
        return recorded
    return replace(recorded, at_us=derived.at_us, keys=(*recorded.keys, *derived.keys))


def _from_revisions(case: Case) -> Rollout | None:
    """The difference of the two newest revisions, at the moment the newest was made."""
    if len(case.replica_sets) < 2:
        return None
    newest, older = case.replica_sets[0], case.replica_sets[1]
    if REUSED in (newest.metadata.annotations or {}):
        return None  # an old ReplicaSet was taken up again; its age says nothing
    created = epoch_us(newest.metadata.creation_timestamp)
    if created < epoch_us(older.metadata.creation_timestamp):
        return None  # the same, where the annotation is not kept
    fields = template_changes(older, newest)
    if not fields:
        return None
    what = ", ".join(_short(f) for f in fields[:3])
    return Rollout(
        at_us=created,
        actor="",
        title=f"revision {revision_of(newest)}: {what}",
        fields=fields,
        keys=(object_key(newest.metadata), object_key(older.metadata)),
    )


def template_changes(older: ReplicaSet, newer: ReplicaSet) -> tuple[FieldChange, ...]:
    """Where two revisions' pod templates differ, field by field."""
    before, after = older.spec.template.spec, newer.spec.template.spec
    old = {c.name: c for c in containers_of(before)}
    new = {c.name: c for c in containers_of(after)}
    changes = [
        change
        for name in (*new, *(n for n in old if n not in new))
        for change in _container_changes(name, old.get(name), new.get(name))
    ]
    for name in _POD_FIELDS:
        changes += _change(
            "spec.template.spec." + _camel(name),
            getattr(before, name) or None,
            getattr(after, name) or None,
        )
    return tuple(changes)


def _container_changes(
    name: str, old: Container | None, new: Container | None
) -> Iterator[FieldChange]:
    """Field by field; of a container that came or went its image stands for all."""
    whole = f"spec.template.spec.containers[{name}]"
    if old is None or new is None:
        yield from _change(whole, old.image if old else None, new.image if new else None)
        return
    path = f"{whole}."
    for field in _CONTAINER_FIELDS:
        yield from _change(path + _camel(field), getattr(old, field), getattr(new, field))
    yield from _env_changes(path, old, new)
    for probe in ("readiness_probe", "liveness_probe", "startup_probe"):
        before, after = getattr(old, probe), getattr(new, probe)
        yield from _deep(
            path + _camel(probe), msgspec.to_builtins(before), msgspec.to_builtins(after)
        )
    for kind in ("limits", "requests"):
        a = (getattr(old.resources, kind) if old.resources else None) or {}
        b = (getattr(new.resources, kind) if new.resources else None) or {}
        for key in sorted(a.keys() | b.keys()):
            yield from _change(f"{path}resources.{kind}.{key}", a.get(key), b.get(key))


def _env_changes(path: str, old: Container, new: Container) -> Iterator[FieldChange]:
    """Each variable for itself."""
    before, after = ({v.name: v for v in c.env or ()} for c in (old, new))
    for name in (*after, *(n for n in before if n not in after)):
        yield from _change(f"{path}env[{name}]", before.get(name), after.get(name))


def _deep(path: str, before: object, after: object) -> Iterator[FieldChange]:
    """Where two values differ; what came or went as a whole is one change."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in (*after, *(k for k in before if k not in after)):
            yield from _deep(f"{path}.{key}", before.get(key), after.get(key))
    else:
        yield from _change(path, before, after)


def _change(path: str, before: object, after: object) -> list[FieldChange]:
    if before == after:
        return []
    return [FieldChange(path=path, before=_json(before), after=_json(after))]


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _short(field: FieldChange) -> str:
    name = field.path.rpartition("].")[2].removeprefix("spec.template.spec.")
    if part_of(field.path) is Part.CODE and name != "image":
        return variable_of(field.path) or name  # an environment's values may be secret
    if len(plain(field.before)) + len(plain(field.after)) > 120:
        return name
    return f"{name} {plain(field.before) or 'none'} → {plain(field.after) or 'none'}"


def _is_limit(path: str) -> bool:
    tail = path.rpartition("].")[2]
    return tail in ("resources.limits.memory", "resources.limits", "resources")


def _limit(value: str | None) -> int | None:
    """Bytes of a changed limit, whether the change was noted as a scalar or as an object."""
    if value is None:
        return None
    text = plain(value)
    if not text.startswith("{"):
        return quantity_of({"memory": text}, "memory")
    try:
        parsed = msgspec.json.decode(text, type=dict[str, str | dict[str, str]])
    except msgspec.ValidationError:
        return None
    inner = parsed.get("limits", parsed)
    memory = inner.get("memory") if isinstance(inner, dict) else None
    return quantity_of({"memory": memory}, "memory") if isinstance(memory, str) else None


def config_names(spec: PodSpec) -> Iterator[str]:
    """Names of the ConfigMaps that a pod reads."""
    for volume in spec.volumes or ():
        yield from (one.name for one in volume.config_maps)
    for container in containers_of(spec):
        for source in container.env_from or ():
            if source.config_map_ref:
                yield source.config_map_ref.name
        for variable in container.env or ():
            reference = variable.value_from.config_map_key_ref if variable.value_from else None
            if reference:
                yield reference.name


def limit_words(before: int | None, after: int | None) -> str:
    """`64Mi → 32Mi`; `none` where there was no limit."""
    names = [humanise_bytes(v) if v is not None else "none" for v in (before, after)]
    return " → ".join(names)
