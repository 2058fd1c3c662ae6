"""What changes the pod template of a workload. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import assert_never

from copilot.domain.action import (
    AddToleration,
    AffinityKind,
    ChaosMemory,
    Entries,
    PreferAffinity,
    ProbeCheck,
    ProbeKind,
    Restart,
    RollBack,
    SetDnsPolicy,
    SetEnv,
    SetEnvSource,
    SetFsGroup,
    SetImage,
    SetMemory,
    SetNodeSelector,
    SetProbe,
    SetPullSecrets,
    SetResources,
    SetServiceAccount,
    SetVolumeSize,
    SetVolumeSource,
    SourceKind,
    TemplateAction,
)
from copilot.domain.errors import Invalid
from copilot.domain.objects import ObjectRef
from copilot.domain.quantity import parse_bytes
from copilot.remediate.merging import removed, whole
from copilot.remediate.tree import Fields, Tree, annotation_at, decode, fields_at, items_at, text_at

REVISION = "deployment.kubernetes.io/revision"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
POD_TEMPLATE_HASH = "pod-template-hash"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_WEIGHT = 100
"""The most a preference may weigh: it stays as close to a must as it can."""
_SOURCE_FIELDS = {
    SourceKind.CONFIG_MAP: ("configMap", "name"),
    SourceKind.SECRET: ("secret", "secretName"),
    SourceKind.CLAIM: ("persistentVolumeClaim", "claimName"),
}
_KEY_REFS = {SourceKind.CONFIG_MAP: "configMapKeyRef", SourceKind.SECRET: "secretKeyRef"}
_WHOLE_REFS = {SourceKind.CONFIG_MAP: "configMapRef", SourceKind.SECRET: "secretRef"}


def template_edit(action: TemplateAction, template: Fields, earlier: bytes | None) -> Fields:
    """The patch of this pod template; a `RollBack` needs its ReplicaSet's JSON too.

    Raises:
        Invalid: the action does not fit: no such container, volume, revision, ...
    """
    match action:
        case RollBack():
            return _roll_back(action, earlier)
        case Restart():
            at = datetime.fromtimestamp(action.at_us // 1_000_000, UTC)
            stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
            return {"metadata": {"annotations": {RESTARTED: stamp}}}
        case (
            SetMemory() | ChaosMemory() | SetResources() | SetImage() | SetProbe() | SetEnv()
            | SetEnvSource()
        ):  # fmt: skip
            field, container = _container(template, action.container, action.target)
            edit = _container_edit(action, container)
            return {"spec": {field: [{"name": action.container, **edit}]}}
        case _:
            return {"spec": _pod_edit(action, fields_at(template, "spec"))}


def _container_edit(
    action: SetMemory | ChaosMemory | SetResources | SetImage | SetProbe | SetEnv | SetEnvSource,
    container: Fields,
) -> Fields:
    match action:
        case SetMemory() | ChaosMemory():
            return {"resources": _memory(action, container)}
        case SetResources():
            asked = {"requests": action.requests, "limits": action.limits}
            return {"resources": {name: entries(e) for name, e in asked.items() if e}}
        case SetImage():
            return {"image": action.image}
        case SetProbe():
            return {kind: _probe(action, kind, container) for kind in (action.probe, *action.also)}
        case SetEnv():
            return {"env": [_plain_variable(action, container)]}
        case SetEnvSource():
            return _env_source(action, container)
        case _:
            assert_never(action)


def _pod_edit(
    action: SetVolumeSource
    | SetVolumeSize
    | SetPullSecrets
    | SetServiceAccount
    | SetFsGroup
    | SetNodeSelector
    | PreferAffinity
    | AddToleration
    | SetDnsPolicy,
    spec: Fields,
) -> Fields:
    match action:
        case SetVolumeSource():
            return {"volumes": [_volume(action, spec)]}
        case SetVolumeSize():
            return {"volumes": [_sized(action, spec)]}
        case SetPullSecrets():
            return {"imagePullSecrets": _pull_secrets(action, spec)}
        case SetServiceAccount():
            # The API keeps an older field of the same meaning beside it.
            return {"serviceAccountName": action.name, "serviceAccount": action.name}
        case SetFsGroup():
            return {"securityContext": {"fsGroup": action.group}}
        case SetNodeSelector():
            return {"nodeSelector": entries(action.entries)}
        case PreferAffinity():
            return {"affinity": {action.affinity: _preferred(action, spec)}}
        case AddToleration():
            there, wanted = items_at(spec, "tolerations"), _toleration(action)
            return {"tolerations": [*there] if wanted in there else [*there, wanted]}
        case SetDnsPolicy():
            edit: Fields = {"dnsPolicy": action.policy}
            return {**edit, "dnsConfig": None} if "dnsConfig" in spec else edit
        case _:
            assert_never(action)


def entries(given: Entries) -> Fields:
    """As the entries of a map; None takes one away."""
    return dict(given)


def containers_in(template: Fields) -> list[Fields]:
    """The containers, then the init containers."""
    spec = fields_at(template, "spec")
    return [*items_at(spec, "containers"), *items_at(spec, "initContainers")]


def without_hash(template: Fields) -> Fields:
    """The template as its Deployment has it: the hash label is the controller's own."""
    metadata = dict(fields_at(template, "metadata"))
    labels = fields_at(metadata, "labels")
    metadata["labels"] = {k: v for k, v in labels.items() if k != POD_TEMPLATE_HASH}
    metadata.pop("creationTimestamp", None)  # always null in a template
    return {**template, "metadata": metadata}


def _container(template: Fields, name: str, target: ObjectRef) -> tuple[str, Fields]:
    """The list that holds the container, and the container."""
    for field in ("containers", "initContainers"):
        for candidate in items_at(fields_at(template, "spec"), field):
            if candidate.get("name") == name:
                return field, candidate
    names = ", ".join(str(c.get("name")) for c in containers_in(template)) or "none"
    raise Invalid(f"{target} has no container {name!r}; it has: {names}")


def _memory(action: SetMemory | ChaosMemory, container: Fields) -> Fields:
    request = text_at(container, "resources", "requests", "memory")
    wanted = action.request if isinstance(action, SetMemory) else None
    if wanted is None and request is not None and parse_bytes(request) > parse_bytes(action.limit):
        wanted = action.limit  # a request over its limit is refused by the API server
    edit: Fields = {"limits": {"memory": action.limit}}
    if wanted is not None and wanted != request:
        edit["requests"] = {"memory": wanted}
    return edit


def _roll_back(action: RollBack, replica_set: bytes | None) -> Fields:
    if action.target.kind != "Deployment":
        raise Invalid(
            f"only a Deployment keeps ReplicaSets to go back to, {action.target} does not"
        )
    if replica_set is None:
        raise Invalid(f"ReplicaSet {action.replica_set} of {action.target} is not there any more")
    earlier = decode(replica_set)
    if annotation_at(earlier, REVISION) != str(action.to_revision):
        raise Invalid(f"ReplicaSet {action.replica_set} is not revision {action.to_revision}")
    return whole(without_hash(fields_at(earlier, "spec", "template")))


def _probe(action: SetProbe, kind: ProbeKind, container: Fields) -> Fields:
    probe = fields_at(container, kind)
    if not probe:
        raise Invalid(f"container {action.container} has no {kind}")
    edit: Fields = {
        key: value
        for key, value in (
            ("initialDelaySeconds", action.initial_delay_s),
            ("periodSeconds", action.period_s),
            ("timeoutSeconds", action.timeout_s),
            ("failureThreshold", action.failure_threshold),
        )
        if value is not None
    }
    check: Fields = {
        key: value
        for key, value in (("port", action.port), ("path", action.path), ("scheme", action.scheme))
        if value is not None
    }
    if not check and action.check is None:
        return edit
    now = next((h for h in (*ProbeCheck, "exec") if h in probe), "")
    handler = action.check or now
    if handler not in set(ProbeCheck) or (handler != ProbeCheck.HTTP and check.keys() - {"port"}):
        raise Invalid(f"the {kind} of {action.container} asks nothing of that kind")
    if handler == now:
        return {**edit, handler: check}
    if action.port is None:
        raise Invalid(f"which port the {kind} of {action.container} should ask is not said")
    return {**edit, handler: check, now: None}


def _plain_variable(action: SetEnv, container: Fields) -> Fields:
    edit: Fields = {"name": action.name, "value": action.value}
    before = _named(items_at(container, "env"), action.name)
    return {**edit, "valueFrom": None} if "valueFrom" in before else edit


def _env_source(action: SetEnvSource, container: Fields) -> Fields:
    ref = _KEY_REFS.get(action.source)
    if ref is None:
        raise Invalid(f"no variable comes from a {action.source}")
    if not action.variable:
        return {"envFrom": _env_from(action, container)}
    before = _named(items_at(container, "env"), action.variable)
    if not before:
        raise Invalid(f"container {action.container} has no variable {action.variable!r}")
    others: Fields = {name: None for name in fields_at(before, "valueFrom") if name != ref}
    key = action.key or text_at(before, "valueFrom", ref, "key")
    if not key:
        raise Invalid(f"which key of {action.name} variable {action.variable} takes is not said")
    edit: Fields = {
        "name": action.variable,
        "valueFrom": {ref: {"name": action.name, "key": key}, **others},
    }
    return {"env": [{**edit, "value": None} if "value" in before else edit]}


def _env_from(action: SetEnvSource, container: Fields) -> list[Tree]:
    """The whole list: the API merges it by nothing."""
    found = False
    items: list[Tree] = []
    for item in items_at(container, "envFrom"):
        names = {text_at(item, ref, "name") for ref in _WHOLE_REFS.values()}
        if action.before not in names:
            items.append(item)
            continue
        found = True
        kept = {k: v for k, v in item.items() if k not in _WHOLE_REFS.values()}
        items.append({**kept, _WHOLE_REFS[action.source]: {"name": action.name}})
    if not found:
        raise Invalid(f"container {action.container} takes nothing from {action.before!r}")
    return items


def _volume(action: SetVolumeSource, spec: Fields) -> Fields:
    before = _named(items_at(spec, "volumes"), action.volume)
    if not before:
        raise Invalid(f"{action.target} has no volume {action.volume!r}")
    field, name = _SOURCE_FIELDS[action.source]
    if "projected" in before:
        sources = _projected(action, items_at(fields_at(before, "projected"), "sources"), field)
        return {"name": action.volume, "projected": {"sources": sources}}
    others: Fields = {key: None for key in before if key not in ("name", field)}
    if not others.keys() <= {known for known, _ in _SOURCE_FIELDS.values()}:
        raise Invalid(f"volume {action.volume!r} of {action.target} is of another kind")
    return {"name": action.volume, field: {name: action.name, **_carried(before, field)}, **others}


def _sized(action: SetVolumeSize, spec: Fields) -> Fields:
    before = _named(items_at(spec, "volumes"), action.volume)
    if text_at(before, "emptyDir", "sizeLimit") is None:
        raise Invalid(f"{action.target} has no volume {action.volume!r} of a limited size")
    return {"name": action.volume, "emptyDir": {"sizeLimit": action.limit}}


def _carried(before: Fields, field: str) -> Fields:
    """Which keys become which files, where a ConfigMap gives way to a Secret or the other way."""
    if field in before or field == "persistentVolumeClaim":
        return {}
    source = {**fields_at(before, "configMap"), **fields_at(before, "secret")}
    return {key: source[key] for key in ("items", "defaultMode", "optional") if key in source}


def _projected(action: SetVolumeSource, sources: list[Fields], field: str) -> list[Tree]:
    """The whole list: the API merges it by nothing. In here all are named by `name`."""
    if sum(field in source for source in sources) != 1:
        raise Invalid(
            f"which part of volume {action.volume!r} comes from {action.source} {action.name} "
            "cannot be said"
        )
    return [
        {**s, field: {**fields_at(s, field), "name": action.name}} if field in s else s
        for s in sources
    ]


def _pull_secrets(action: SetPullSecrets, spec: Fields) -> list[Tree]:
    there = [str(item.get("name")) for item in items_at(spec, "imagePullSecrets")]
    added: list[Tree] = [{"name": name} for name in action.names if name not in there]
    return [*added, *(removed("name", name) for name in there if name not in action.names)]


def _preferred(action: PreferAffinity, spec: Fields) -> Fields:
    before = fields_at(spec, "affinity", action.affinity)
    if action.affinity is AffinityKind.NODE:
        terms: Sequence[Fields] = items_at(fields_at(before, _REQUIRED), "nodeSelectorTerms")
        name = "preference"
    else:
        terms, name = items_at(before, _REQUIRED), "podAffinityTerm"
    if not terms:
        raise Invalid(f"{action.target} requires nothing by its {action.affinity}")
    wishes: list[Tree] = [{"weight": _WEIGHT, name: term} for term in terms]
    return {_REQUIRED: None, _PREFERRED: [*items_at(before, _PREFERRED), *wishes]}


def _toleration(action: AddToleration) -> Fields:
    wanted: Fields = {"key": action.key, "effect": action.effect}
    if not action.value:
        return {**wanted, "operator": "Exists"}
    return {**wanted, "operator": "Equal", "value": action.value}


def _named(items: Sequence[Fields], name: str) -> Fields:
    return next((item for item in items if item.get("name") == name), {})
