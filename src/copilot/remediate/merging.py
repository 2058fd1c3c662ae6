"""Strategic merge patches: what one makes of an object, and what undoes it. Pure.

Lists are merged by the keys that the API's types name; all other lists are replaced whole.
https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
"""

from __future__ import annotations

from collections.abc import Iterable

from copilot.domain.errors import Invalid
from copilot.domain.quantity import parse_bytes, parse_millicores
from copilot.remediate.tree import Fields, Tree, encode

DIRECTIVE = "$patch"
_REPLACE, _DELETE = "replace", "delete"
_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "topologySpreadConstraints": "topologyKey",
    "hostAliases": "ip",
    "ownerReferences": "uid",
}
_PORTS = ("containerPort", "port")
"""`ports` of a container, and of a Service."""
_QUANTITIES = frozenset({"limits", "requests", "hard", "max", "min", "default", "defaultRequest"})
_MAPS = _QUANTITIES | {"annotations", "labels", "nodeSelector", "selector", "data"}
"""Maps of entries that are each somebody's own."""


def merged(live: Tree, patch: Tree, field: str = "") -> Tree:
    """The object after the patch."""
    if isinstance(patch, dict):
        if patch.get(DIRECTIVE) == _REPLACE:
            return _plain(patch)
        out = dict(live) if isinstance(live, dict) else {}
        for key, value in patch.items():
            if value is None:
                out.pop(key, None)
            else:
                out[key] = merged(out.get(key), value, key)
        return out
    if isinstance(patch, list):
        return _merged_list(_items(live), patch, field)
    return patch


def patched(live: Fields, patch: Fields) -> Fields:
    """The whole object after the patch."""
    after = merged(live, patch)
    return after if isinstance(after, dict) else {}


def inverse(live: Tree, patch: Tree, field: str = "") -> Tree:
    """The patch that makes `live` again of what `patch` makes of it.

    Raises:
        Invalid: a list names the same key twice, so that merging by it is ambiguous.
    """
    if isinstance(patch, dict):
        return _inverse_fields(live, patch)
    if isinstance(patch, list):
        return _inverse_list(_items(live), patch, field, is_absent=live is None)
    return live


def is_same(one: Tree, other: Tree, field: str = "") -> bool:
    """Whether both say the same to Kubernetes: `1024Mi` is `1Gi`, empty is absent, and the order
    of items that have a key says nothing."""
    if _is_empty(one) and _is_empty(other):
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        same = _is_same_quantity if field in _QUANTITIES else is_same
        return all(same(one.get(k), other.get(k), k) for k in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return False
        key = merge_key(field, one)
        if key:
            one, other = (sorted(items, key=lambda i: _key_of(i, key)) for items in (one, other))
        return all(is_same(a, b) for a, b in zip(one, other, strict=True))
    return one == other


def holds(live: Fields, patch: Fields) -> bool:
    """Whether the object says already what the patch would make it say."""
    return is_same(merged(live, patch), live)


def replaced(items: Iterable[Tree]) -> list[Tree]:
    """A list that replaces the live one whole, also where lists of its name are merged."""
    return [{DIRECTIVE: _REPLACE}, *items]


def removed(key: str, value: str | int) -> Fields:
    """The item of a merged list that takes the one with this key away."""
    return {DIRECTIVE: _DELETE, key: value}


def whole(fields: Fields) -> Fields:
    """Fields that replace the live ones whole."""
    return {DIRECTIVE: _REPLACE, **fields}


def merge_key(field: str, items: Iterable[Tree]) -> str:
    """The key by which items of this list are merged, empty for a list that is replaced."""
    if field == "ports":
        keys = {key for item in items if isinstance(item, dict) for key in _PORTS if key in item}
        return next((key for key in _PORTS if key in keys), "")
    return _MERGE_KEYS.get(field, "")


def _merged_list(live: list[Tree], patch: list[Tree], field: str) -> list[Tree]:
    if _is_replacing(patch):
        return [item for item in patch if not _has_directive(item, _REPLACE)]
    key = merge_key(field, patch)
    if not key:
        return patch
    asked = {_key_of(item, key): item for item in patch}
    kept: list[Tree] = []
    for item in live:
        change = asked.pop(_key_of(item, key), {})
        if not _has_directive(change, _DELETE):
            kept.append(merged(item, change))
    return kept + [merged({}, i) for i in asked.values() if not _has_directive(i, _DELETE)]


def _inverse_fields(live: Tree, patch: Fields) -> Fields:
    before = live if isinstance(live, dict) else {}
    if patch.get(DIRECTIVE) == _REPLACE:
        return whole(_without_nulls(before))
    back: Fields = {}
    for key, value in patch.items():
        is_new = before.get(key) is None
        # Of a map only our own entries are taken away: meanwhile others may have added theirs.
        if is_new and isinstance(value, dict) and key not in _MAPS:
            back[key] = None
        else:
            back[key] = inverse(before.get(key), value, key)
    return back


def _inverse_list(live: list[Tree], patch: list[Tree], field: str, *, is_absent: bool) -> Tree:
    if _is_replacing(patch):
        return replaced(live)
    key = merge_key(field, patch)
    if not key:
        return None if is_absent else live
    _refuse_twins(live, field, key)
    there = {_key_of(item, key): item for item in live}
    back: list[Tree] = []
    for item in patch:
        name = _key_of(item, key)
        before = there.get(name)
        if before is None:
            back.append(removed(key, name))
        elif _has_directive(item, _DELETE):
            back.append(before)
        else:
            undone = inverse(before, item)
            back.append({**(undone if isinstance(undone, dict) else {}), key: name})
    return back


def _refuse_twins(live: list[Tree], field: str, key: str) -> None:
    names = [_key_of(item, key) for item in live]
    twins = sorted({str(name) for name in names if names.count(name) > 1})
    if twins:
        raise Invalid(f"{field} names {', '.join(twins)} twice; which one is meant cannot be said")


def _plain(patch: Fields) -> Fields:
    return {key: value for key, value in patch.items() if key != DIRECTIVE}


def _without_nulls(fields: Fields) -> Fields:
    """A `creationTimestamp` that is always null, for one: sent back it would mean something."""
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in fields.items()
        if value is not None
    }


def _items(tree: Tree) -> list[Tree]:
    return tree if isinstance(tree, list) else []


def _is_replacing(patch: list[Tree]) -> bool:
    return any(_has_directive(item, _REPLACE) for item in patch)


def _has_directive(item: Tree, directive: str) -> bool:
    return isinstance(item, dict) and item.get(DIRECTIVE) == directive


def _key_of(item: Tree, key: str) -> str | int:
    value = item.get(key) if isinstance(item, dict) else None
    return value if isinstance(value, str | int) else encode(item)


def _is_empty(tree: Tree) -> bool:
    if isinstance(tree, dict):
        return all(_is_empty(value) for value in tree.values())
    return tree is None or tree == []


def _is_same_quantity(one: Tree, other: Tree, field: str) -> bool:
    if not isinstance(one, str) or not isinstance(other, str):
        return is_same(one, other, field)
    try:
        return _thousandths(one) == _thousandths(other)
    except Invalid:
        return one == other


def _thousandths(quantity: str) -> int:
    try:
        return parse_millicores(quantity)
    except Invalid:
        return parse_bytes(quantity) * 1000
