"""The three patches of the Kubernetes API: strategic merge, merge (RFC 7386) and JSON (RFC 6902).

All give a new value and leave what they were given as it was.
https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply
"""

from __future__ import annotations

import copy
from typing import Any

from copilot.demo import failures
from copilot.demo.kinds import Obj

MERGE_KEYS = {
    "addresses": "type",
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "hostIPs": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "podIPs": "ip",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Lists whose items are merged, by field name; all others are replaced as a whole."""

PRIMITIVE_LISTS = frozenset({"finalizers", "podCIDRs"})
"""Lists of plain values that are merged as sets."""

_ORDER = "$setElementOrder/"
_DELETE_FROM = "$deleteFromPrimitiveList/"


def merge_key(field: str, inside: str) -> str:
    """The field by which items of the list are the same, empty for a list that is replaced.

    `inside` is the list around it, or else the kind: `ports` means another thing in a container
    than in a Service, and `imagePullSecrets` of a ServiceAccount are no pod's.
    """
    if (inside, field) == ("ServiceAccount", "imagePullSecrets"):
        return ""
    if field == "ports":
        return "containerPort" if inside in ("containers", "initContainers") else "port"
    return MERGE_KEYS.get(field, "")


def strategic_merge(current: Obj, patch: Obj, inside: str = "") -> Obj:
    """`current` with `patch` merged into it, lists by their merge keys.

    Raises:
        ApiFailure: 500 where a list item lacks its merge key, as a real server says.
    """
    if patch.get("$patch") == "replace":
        return {k: copy.deepcopy(v) for k, v in patch.items() if k != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    result = _retained(current, patch.get("$retainKeys"))
    for field, value in patch.items():
        if field.startswith("$"):
            _directive(result, field, value)
        elif value is None:
            result.pop(field, None)
        elif (inside, field) == ("PodDisruptionBudget", "selector"):
            result[field] = copy.deepcopy(value)  # the one map of these kinds that is not merged
        elif isinstance(value, dict):
            held = result.get(field)
            result[field] = strategic_merge(held if isinstance(held, dict) else {}, value, inside)
        elif isinstance(value, list):
            order = patch.get(_ORDER + field)
            result[field] = _merge_list(result.get(field) or [], value, field, inside, order)
        else:
            result[field] = value
    return result


def merge(current: Any, patch: Any) -> Any:
    """RFC 7386: maps are merged, null deletes, all else is replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(current) if isinstance(current, dict) else {}
    for field, value in patch.items():
        if value is None:
            result.pop(field, None)
        else:
            result[field] = merge(result.get(field), value)
    return result


def json_patch(current: Obj, operations: list[Any]) -> Obj:
    """RFC 6902: each operation in turn, all or nothing.

    Raises:
        ApiFailure: 422, an operation does not apply.
    """
    document: Any = copy.deepcopy(current)
    for operation in operations:
        try:
            document = _operate(document, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise failures.rejected_patch() from error
    if not isinstance(document, dict):
        raise failures.rejected_patch()
    return document


# ------------------------------------------------------------------ strategic merge


def _retained(current: Obj, keys: list[str] | None) -> Obj:
    return {k: v for k, v in current.items() if keys is None or k in keys}


def _directive(result: Obj, field: str, value: Any) -> None:
    """`$deleteFromPrimitiveList/x` and an order that stands alone; the rest is done elsewhere."""
    if field.startswith(_DELETE_FROM):
        name = field.removeprefix(_DELETE_FROM)
        result[name] = [item for item in result.get(name) or [] if item not in value]


def _merge_list(
    current: list[Any], patch: list[Any], field: str, inside: str, order: list[Any] | None
) -> list[Any]:
    if field in PRIMITIVE_LISTS:
        return current + [item for item in patch if item not in current]
    key = merge_key(field, inside)
    if not key or not all(isinstance(item, dict) for item in patch):
        return copy.deepcopy(patch)
    if any(item == {"$patch": "replace"} for item in patch):
        return [copy.deepcopy(item) for item in patch if item != {"$patch": "replace"}]
    merged = {_value_of(item, key): item for item in current}
    for item in patch:
        value = _value_of(item, key)
        if item.get("$patch") == "delete":
            merged.pop(value, None)
        else:
            merged[value] = strategic_merge(merged.get(value, {}), item, inside=field)
    return _in_order(merged, current, patch if order is None else order, key)


def _value_of(item: Obj, key: str) -> Any:
    if key not in item:
        told = " ".join(f"{name}:{value}" for name, value in sorted(item.items()))
        raise failures.merge_failed(f"map: map[{told}] does not contain declared merge key: {key}")
    return item[key]


def _in_order(merged: dict[Any, Obj], current: list[Obj], wanted: list[Obj], key: str) -> list[Obj]:
    """Items in the patch's order, the server's own ones between them where they stood before.

    New items of a patch come first, as a real server has it.
    """
    places = {item[key]: place for place, item in enumerate(current)}
    named = [item[key] for item in wanted if item.get(key) in merged]
    left = list(dict.fromkeys(named))
    right = [value for value in merged if value not in left]
    ordered: list[Any] = []
    while left and right:
        both_known = left[0] in places and right[0] in places
        take_right = both_known and places[right[0]] < places[left[0]]
        ordered.append((right if take_right else left).pop(0))
    return [merged[value] for value in ordered + left + right]


# ------------------------------------------------------------------ JSON patch


def _operate(document: Any, operation: Obj) -> Any:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            return _add(document, path, copy.deepcopy(operation["value"]))
        case "replace":
            _resolve(document, path)
            return _add(_remove(document, path), path, copy.deepcopy(operation["value"]))
        case "remove":
            return _remove(document, path)
        case "test":
            if _resolve(document, path) != operation["value"]:
                raise ValueError("test failed")
            return document
        case "copy":
            return _add(document, path, copy.deepcopy(_resolve(document, _from(operation))))
        case "move":
            value = _resolve(document, _from(operation))
            return _add(_remove(document, _from(operation)), path, value)
        case other:
            raise ValueError(f"unknown operation {other}")


def _from(operation: Obj) -> list[str]:
    return _pointer(operation["from"])


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(text)
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _resolve(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[_place(document, part)]
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _resolve(document, path[:-1])
    if isinstance(parent, list):
        place = len(parent) if path[-1] == "-" else int(path[-1])
        if not 0 <= place <= len(parent):
            raise IndexError(place)
        parent.insert(place, value)
    else:
        parent[path[-1]] = value
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    parent = _resolve(document, path[:-1])
    del parent[_place(parent, path[-1])]
    return document


def _place(parent: Any, part: str) -> Any:
    if isinstance(parent, list):
        place = int(part)
        if not 0 <= place < len(parent):
            raise IndexError(place)
        return place
    return part
