"""Who set which field when: `metadata.managedFields`.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import json
from typing import Any

from copilot.demo.kinds import Obj, Resource

_LIST_KEYS: dict[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "podIPs": ("ip",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
_SERVER_SET = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
    }
)
Path = tuple[str, ...]


def managed(
    resource: Resource,
    before: Obj | None,
    after: Obj,
    *,
    manager: str,
    at: str,
    subresource: str = "",
) -> list[Obj]:
    """The entries after `manager` made `before` into `after`; `at` is the time, as text.

    The manager's entry owns what it changed, all others lose that.
    """
    held = [] if before is None else before["metadata"].get("managedFields") or []
    old = {} if before is None else _leaves(before)
    new = _leaves(after)
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    gone = old.keys() - new.keys()
    if not changed and not gone:
        return list(held)
    entries = [_without(entry, changed | gone) for entry in held]
    mine = _entry(resource, manager, at, subresource)
    for place, entry in enumerate(entries):
        if _identity(entry) == _identity(mine):
            mine["fieldsV1"] = _tree(_paths(entry["fieldsV1"]) | changed)
            entries[place] = mine
            break
    else:
        mine["fieldsV1"] = _tree(changed)
        entries.append(mine)
    return [entry for entry in entries if entry["fieldsV1"]]


def _entry(resource: Resource, manager: str, at: str, subresource: str) -> Obj:
    entry: Obj = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": resource.api_version,
        "time": at,
        "fieldsType": "FieldsV1",
        "fieldsV1": {},
    }
    return {**entry, "subresource": subresource} if subresource else entry


def _identity(entry: Obj) -> tuple[str, str, str]:
    return entry["manager"], entry["operation"], entry.get("subresource", "")


def _without(entry: Obj, paths: set[Path]) -> Obj:
    owned = _paths(entry["fieldsV1"])
    if owned.isdisjoint(paths):
        return entry
    return {**entry, "fieldsV1": _tree(owned - paths)}


def _leaves(obj: Obj) -> dict[Path, Any]:
    """Every field that has a value of its own, by its path; lists without a key are one value."""
    found: dict[Path, Any] = {}
    for name, value in obj.items():
        if name == "metadata":
            kept = {k: v for k, v in value.items() if k not in _SERVER_SET}
            _collect(kept, ("f:metadata",), found)
        else:
            _collect({name: value}, (), found)
    return found


def _collect(value: Any, path: Path, found: dict[Path, Any]) -> None:
    if not isinstance(value, dict) or not value:
        found[path] = value
        return
    for name, inner in value.items():
        where = (*path, f"f:{name}")
        keys = _LIST_KEYS.get(name) or (_port_keys(inner) if name == "ports" else ())
        if keys and isinstance(inner, list):
            for item in inner:
                named = {key: item.get(key) for key in keys}
                step = f"k:{json.dumps(named, separators=(',', ':'))}"
                _collect(item, (*where, step), found)
        else:
            _collect(inner, where, found)


def _port_keys(ports: Any) -> tuple[str, ...]:
    is_container = any("containerPort" in port for port in ports or ())
    return ("containerPort" if is_container else "port", "protocol")


def _tree(paths: set[Path]) -> Obj:
    root: Obj = {}
    for path in sorted(paths):
        here = root
        for step in path:
            here = here.setdefault(step, {})
            if step.startswith("k:"):
                here.setdefault(".", {})
    return root


def _paths(tree: Obj, path: Path = ()) -> set[Path]:
    found: set[Path] = set()
    for step, inner in tree.items():
        if step == ".":
            continue
        deeper = _paths(inner, (*path, step))
        found |= deeper or {(*path, step)}
    return found
