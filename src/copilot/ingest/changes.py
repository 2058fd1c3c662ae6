"""What changed between two versions of an object, as far as people would call it a change.

Not a change: status, heartbeats, leader election, where the scheduler put a pod, and the marks that
controllers, `kubectl apply` and we ourselves leave in annotations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from copilot.domain.change import Change, FieldChange, ObjectVersion
from copilot.domain.secrets import MASK, mask, mask_value

Fields = Mapping[str, object]
Difference = tuple[tuple[str, ...], object, object]
"""Path, before, after; a list item stands in the path as `[name]`. None is "not there"."""

MAX_VALUE_CHARS = 2000
MAX_FIELDS = 100

_SPEC = ("spec", "metadata")
_ROOTS: dict[str, tuple[str, ...]] = {
    "Deployment": _SPEC,
    "StatefulSet": _SPEC,
    "DaemonSet": _SPEC,
    "Job": _SPEC,
    "CronJob": _SPEC,
    "ConfigMap": ("data", "binaryData", "immutable", "metadata"),
    "Service": _SPEC,
    "Ingress": _SPEC,
    "NetworkPolicy": _SPEC,
    "PersistentVolumeClaim": _SPEC,
    "PersistentVolume": _SPEC,
    "StorageClass": ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode", "metadata"),
    "ResourceQuota": _SPEC,
    "LimitRange": _SPEC,
    "HorizontalPodAutoscaler": _SPEC,
    "PodDisruptionBudget": _SPEC,
    "ServiceAccount": ("imagePullSecrets", "secrets", "metadata"),
    "Role": ("rules", "metadata"),
    "ClusterRole": ("rules", "aggregationRule", "metadata"),
    "RoleBinding": ("roleRef", "subjects", "metadata"),
    "ClusterRoleBinding": ("roleRef", "subjects", "metadata"),
    "ValidatingWebhookConfiguration": ("webhooks", "metadata"),
    "MutatingWebhookConfiguration": ("webhooks", "metadata"),
    "Namespace": ("metadata",),
    "Node": _SPEC,
    "Pod": ("spec",),
}
"""The parts that are compared, by kind; other kinds have no changes of their own."""
_CREATED = _ROOTS.keys() - {"Namespace", "Node", "Pod"}
"""Kinds whose making is a change, unless a controller made them: a CronJob makes Jobs all day."""
_DELETED = _CREATED | {"Namespace", "Node"}

_IGNORED_ANNOTATIONS = re.compile(
    r"(?:deployment\.kubernetes\.io|incident-copilot\.io|control-plane\.alpha\.kubernetes\.io"
    r"|batch\.kubernetes\.io|pv\.kubernetes\.io|volume(?:\.beta)?\.kubernetes\.io)/"
    r"|kubectl\.kubernetes\.io/last-applied-configuration\Z"
    r"|kubernetes\.io/change-cause\Z"
)
_IGNORED_PATHS = re.compile(
    r"spec\.(?:nodeName|finalizers|podCIDRs?|providerID|clusterIPs?|healthCheckNodePort"
    r"|volumeName|claimRef)\b"
    r"|spec\.taints\[node\.kubernetes\.io/"
)
_NAMED_ITEM = re.compile(r"\[([^\[\]]+)\](?:\.value)?\Z")
_VARIABLE = re.compile(r'\{"name":"[^"]*","value":"((?:[^"\\]|\\.)*)"\}')
_IDENTITIES = ("name", "containerPort", "mountPath", "port", "key", "ip", "type")


def change_between(
    before: ObjectVersion | None, after: ObjectVersion, *, is_new: bool = False
) -> Change | None:
    """What people would call the change from one version to the next; None where there is none.

    `is_new` says that an object without an earlier version was just made (and not just first
    looked at): only then its creation is a change. Secrets in values are masked.
    """
    kind, name = after.object.kind, after.object.name
    if kind not in _ROOTS:
        return None
    if after.is_deleted:
        was_deleted = before is not None and before.is_deleted
        if kind not in _DELETED or was_deleted or after.owner_uid:
            return None
        return change_of(after, (), f"{kind} {name} deleted")
    if before is None:
        is_made = is_new and kind in _CREATED and not after.owner_uid
        return change_of(after, (), f"{kind} {name} created") if is_made else None
    return _updated(before, after)


def _updated(before: ObjectVersion, after: ObjectVersion) -> Change | None:
    older, newer = _decoded(before.json), _decoded(after.json)
    differences = [
        difference
        for root in _ROOTS[after.object.kind]
        for difference in _differences((root,), older.get(root), newer.get(root))
        if _counts(difference[0], after.object.kind)
    ]
    if not differences:
        return None
    fields = tuple(_field(difference) for difference in differences[:MAX_FIELDS])
    return change_of(after, fields, _title(differences, fields, after))


def change_of(after: ObjectVersion, fields: tuple[FieldChange, ...], title: str) -> Change:
    """The change that led to this version."""
    return Change(
        object=after.object,
        ts_us=after.seen_us,
        # who wrote an object last need not be who deleted it
        actor="" if after.is_deleted else after.actor,
        generation=after.generation,
        fields=fields,
        title=title,
    )


def _decoded(body: bytes) -> Fields:
    return msgspec.json.decode(body, type=dict[str, object])


# --------------------------------------------------------------------------- differences


def _differences(path: tuple[str, ...], before: object, after: object) -> Iterator[Difference]:
    """Field by field in the order of the newer version, what is gone last."""
    if before == after or (_is_nothing(before) and _is_nothing(after)):
        return
    is_whole = path[-1].endswith("Probe") and (before is None or after is None)
    if isinstance(before, dict | None) and isinstance(after, dict | None) and not is_whole:
        older, newer = before or {}, after or {}
        for key in (*newer, *(key for key in older if key not in newer)):
            yield from _differences((*path, key), older.get(key), newer.get(key))
        return
    identity = _shared_identity(before, after)
    if identity:
        old_items, new_items = _by(identity, before), _by(identity, after)
        for key in (*new_items, *(key for key in old_items if key not in new_items)):
            yield from _item(path, key, old_items.get(key), new_items.get(key))
        return
    yield path, before, after


def _item(path: tuple[str, ...], key: str, before: object, after: object) -> Iterator[Difference]:
    """A list item that came or went is one difference; one that is in both is looked into."""
    path = (*path, f"[{key}]")
    if before is None or after is None:
        yield path, before, after
    else:
        yield from _differences(path, before, after)


def _shared_identity(before: object, after: object) -> str:
    """The field that names the items of both lists; empty where they are no such lists."""
    lists = [value for value in (before, after) if value is not None]
    for identity in _IDENTITIES if lists else ():
        if all(_is_named_by(identity, value) for value in lists):
            return identity
    return ""


def _is_named_by(identity: str, value: object) -> bool:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return False
    keys = [item.get(identity) for item in value]
    return all(isinstance(key, str | int) for key in keys) and len(set(keys)) == len(keys)


def _by(identity: str, value: object) -> dict[str, object]:
    return {str(item[identity]): item for item in value} if isinstance(value, list) else {}


def _is_nothing(value: object) -> bool:
    """Absent, null and empty are the same to the API."""
    return value is None or value in ({}, [], "")


def _counts(path: tuple[str, ...], kind: str) -> bool:
    if path[0] == "metadata":
        if path[1:2] == ("labels",):
            return True
        is_annotation = path[1:2] == ("annotations",) and len(path) > 2 and kind != "Node"
        return is_annotation and not _IGNORED_ANNOTATIONS.match(path[2])
    if "metadata" in path and path[-1] == "creationTimestamp":
        return False
    if path[-2:-1] == ("annotations",) and _IGNORED_ANNOTATIONS.match(path[-1]):
        return False
    return not _IGNORED_PATHS.match(_written(path))


# --------------------------------------------------------------------------- fields


def _field(difference: Difference) -> FieldChange:
    path, before, after = difference
    if isinstance(before, str) and isinstance(after, str):
        before, after = _narrowed(before, after)
    return FieldChange(path=_written(path), before=_text(path, before), after=_text(path, after))


def _written(path: Sequence[str]) -> str:
    return "".join(part if part.startswith("[") else f".{part}" for part in path).lstrip(".")


def _text(path: tuple[str, ...], value: object) -> str | None:
    """JSON text without secrets: a value is one where its name or its item's name says so."""
    if value is None:
        return None
    text = msgspec.json.encode(_masked(path, value)).decode()
    return text if len(text) <= 2 * MAX_VALUE_CHARS else f"{text[: 2 * MAX_VALUE_CHARS]}…"


def _masked(path: tuple[str, ...], value: object) -> object:
    if isinstance(value, str):
        names = [part.strip("[]") for part in path[-2:]]
        if any(mask_value(name, value) == MASK for name in names):
            return MASK
        return mask(value)[:MAX_VALUE_CHARS]
    if isinstance(value, list):
        before = [item if isinstance(item, str) and item[:1] == "-" else "" for item in value]
        # an argument's name may stand in the item before: ["--password", "..."]
        return [_masked((*path, name), item) for name, item in zip(["", *before], value)]
    if isinstance(value, dict):
        own = value.get("name")
        where = (f"[{own}]",) if isinstance(own, str) else path[-1:]
        return {k: _masked((*(where if k == "value" else ()), k), v) for k, v in value.items()}
    return value


def _narrowed(before: str, after: str) -> tuple[str, str]:
    """Of long texts the lines in which they differ."""
    if max(len(before), len(after)) <= MAX_VALUE_CHARS // 2:
        return before, after
    old, new = before.splitlines(), after.splitlines()
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return "\n".join(old[start : len(old) - end]), "\n".join(new[start : len(new) - end])


# --------------------------------------------------------------------------- titles


def _title(
    differences: Sequence[Difference], fields: Sequence[FieldChange], after: ObjectVersion
) -> str:
    """For people: up to two changes in words, the weightiest first, else how many."""
    kind, name = after.object.kind, after.object.name
    if kind == "ConfigMap":
        if len(differences) == 1:
            return f"{differences[0][0][-1]} of ConfigMap {name}"
        return f"{len(differences)} fields of ConfigMap {name}"
    phrases = sorted(
        (_phrase(difference[0], field, after) for difference, field in zip(differences, fields)),
        key=lambda phrase: phrase[0],
    )
    told = ", ".join(text for _, text in phrases[:2])
    n_more = len(differences) - 2
    return f"{told} and {n_more} more" if n_more > 0 else told


def _phrase(path: tuple[str, ...], field: FieldChange, after: ObjectVersion) -> tuple[int, str]:
    """(weight, words) of one difference; the smaller weight is told first."""
    owner = _container(path) or after.object.name
    values = _arrow(field)
    if "resources" in path and path[-2] in ("limits", "requests"):
        return 0, f"{path[-1]} {path[-2].removesuffix('s')} of {owner} {values}"
    if path[-1] == "image":
        return 1, f"image of {owner} {values}"
    if path[-1] == "replicas":
        return 2, f"replicas {values}"
    if path[-1] == "unschedulable":
        return 2, f"{owner} {'cordoned' if field.after == 'true' else 'uncordoned'}"
    if path == ("spec", "suspend"):
        return 2, f"{owner} {'suspended' if field.after == 'true' else 'resumed'}"
    if path[-1] == "kubectl.kubernetes.io/restartedAt":
        return 3, f"restart of {after.object.name}"
    weight = 9 if path[0] == "metadata" else 4
    return weight, f"{_short_name(path, after)} {values}"


def _short_name(path: tuple[str, ...], after: ObjectVersion) -> str:
    """The path from the container or the spec on, and whose it is."""
    container = _container(path)
    own = path[path.index(f"[{container}]") + 1 :] if container else path
    short = _written(own).removeprefix("spec.").removeprefix("jobTemplate.spec.")
    short = short.removeprefix("template.spec.")
    short = short.replace("metadata.labels.", "label ")
    short = short.replace("metadata.annotations.", "annotation ")
    short = _NAMED_ITEM.sub(r" \1", short)
    return f"{short or 'container'} of {container or after.object.name}"


def _container(path: Sequence[str]) -> str:
    for before, part in pairwise(path):
        if before in ("containers", "initContainers", "ephemeralContainers"):
            return part.strip("[]")
    return ""


def _arrow(field: FieldChange) -> str:
    before, after = _plain(field.before), _plain(field.after)
    if before == after == MASK or len(before) + len(after) > 120:
        return "changed"
    if field.before is None:
        return f"set to {after}"
    return f"{before} → {after}" if field.after is not None else f"removed (was {before})"


def _plain(value: str | None) -> str:
    """A JSON scalar without its quotes; of a variable its value."""
    variable = _VARIABLE.fullmatch(value or "")
    if variable:
        return variable[1]
    return value[1:-1] if value and value[:1] == '"' else value or "none"
