"""Strategic merge on trees, and the difference of two trees as edits. Pure.

https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from copilot.domain.errors import Invalid
from copilot.domain.quantity import parse_bytes, parse_millicores
from copilot.remediate import merging
from copilot.remediate.tree import Fields, Tree

_TOOLS = frozenset({"$patch", "$retainKeys"})


@dataclass(frozen=True, slots=True)
class Item:
    """A step to the item of a list whose `key` is `value`."""

    key: str
    value: str | int


Step: TypeAlias = str | int | Item
"""A key, a place in a list, or an item of it."""
Path: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One place and what is to stand there; a removal takes it away."""

    path: Path
    value: Tree
    is_removal: bool = False


def in_words(path: Path) -> str:
    """`spec.template.spec.containers[app].image`, for people."""
    text = ""
    for step in path:
        if isinstance(step, str):
            text += f".{step}"
        else:
            text += f"[{step.value if isinstance(step, Item) else step}]"
    return text.removeprefix(".")


def merge_key(path: Path, items: Iterable[Tree]) -> str | None:
    """By which key the items of the list at this path are told apart, None for an atomic list."""
    name = path[-1] if path else ""
    return merging.merge_key(name, items) or None if isinstance(name, str) else None


def merged(base: Tree, patch: Tree, path: Path = ()) -> Tree:
    """`base` after a strategic merge patch.

    Raises:
        Invalid: the patch uses a directive that is not known here.
    """
    if isinstance(patch, dict):
        return _merged_fields(base if isinstance(base, dict) else {}, patch, path)
    if isinstance(patch, list) and merge_key(path, patch) and not _is_atomic(patch):
        return _merged_items(base if isinstance(base, list) else [], patch, path)
    return patch


def _merged_fields(base: Fields, patch: Fields, path: Path) -> Tree:
    directives = {k for k in patch if str(k).startswith("$")}  # YAML's `on:` and `80:` are no text
    plain = {key: value for key, value in patch.items() if key not in directives}
    unknown = sorted(k for k in directives if not _is_known(k))
    if unknown or patch.get("$patch") not in (None, "merge", "replace"):
        raise Invalid(f"a patch with {unknown or patch.get('$patch')!r} is not understood")
    if patch.get("$patch") == "replace":
        return {key: value for key, value in plain.items() if value is not None}
    kept = patch.get("$retainKeys")
    after: Fields = {k: v for k, v in base.items() if not isinstance(kept, list) or k in kept}
    for key, value in plain.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = merged(after.get(key), value, (*path, key))
    return after


def _merged_items(base: list[Tree], patch: list[Tree], path: Path) -> Tree:
    key = merge_key(path, patch)
    if {"$patch": "replace"} in patch:
        return [item for item in patch if item != {"$patch": "replace"}]
    after = list(base)
    for item in patch:
        if not isinstance(item, dict) or key is None or key not in item:
            raise Invalid(f"an item of {in_words(path)} has no {key}")
        place = next((i for i, b in enumerate(after) if _named(b, key) == item[key]), None)
        if item.get("$patch") == "delete":
            after = [b for i, b in enumerate(after) if i != place]
        elif place is None:
            after.append(merged({}, item, path))
        else:
            after[place] = merged(after[place], item, path)
    return after


def _is_atomic(items: list[Tree]) -> bool:
    return any(not isinstance(item, dict) for item in items)


def _is_known(directive: str) -> bool:
    return directive in _TOOLS or directive.startswith("$setElementOrder/")


def _named(item: Tree, key: str) -> Tree:
    return item.get(key) if isinstance(item, dict) else None


def difference(before: Tree, after: Tree, path: Path = ()) -> Iterator[Edit]:
    """What leads from one tree to the other, least first, and always in the same order; where an
    item stands is no difference."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys(), key=str):
            here = (*path, key)
            if key not in after:
                yield Edit(path=here, value=None, is_removal=True)
            elif key not in before:
                yield Edit(path=here, value=after[key])
            else:
                yield from difference(before[key], after[key], here)
    elif isinstance(before, list) and isinstance(after, list) and _keyed(before, after, path):
        yield from _item_difference(before, after, path)
    elif not same(before, after):
        yield Edit(path=path, value=after)


def _keyed(before: list[Tree], after: list[Tree], path: Path) -> bool:
    key = merge_key(path, (*before, *after))
    return key is not None and all(_named(item, key) is not None for item in (*before, *after))


def _item_difference(before: list[Tree], after: list[Tree], path: Path) -> Iterator[Edit]:
    key = merge_key(path, (*before, *after)) or ""
    old = {_named(item, key): item for item in before}
    new = {_named(item, key): item for item in after}
    for name in sorted(old.keys() | new.keys(), key=str):
        if not isinstance(name, str | int):
            raise Invalid(f"an item of {in_words(path)} has a {key} that is no name")
        here = (*path, Item(key, name))
        if name not in new:
            yield Edit(path=here, value=None, is_removal=True)
        elif name not in old:
            yield Edit(path=here, value=new[name])
        else:
            yield from difference(old[name], new[name], here)


def at(tree: Tree, path: Path) -> Tree:
    """What stands at the path, None where there is nothing."""
    for step in path:
        if isinstance(step, Item):
            items = tree if isinstance(tree, list) else []
            tree = next((i for i in items if _named(i, step.key) == step.value), None)
        elif isinstance(step, int):
            tree = tree[step] if isinstance(tree, list) and 0 <= step < len(tree) else None
        else:
            tree = tree.get(step) if isinstance(tree, dict) else None
    return tree


def applied(tree: Tree, edits: tuple[Edit, ...]) -> Tree:
    """The tree with the edits made; what leads to a new place is made too."""
    for edit in edits:
        tree = _with(tree, edit.path, edit)
    return tree


def _with(tree: Tree, path: Path, edit: Edit) -> Tree:
    if not path:
        return edit.value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        items = list(tree) if isinstance(tree, list) else []
        changed = [] if edit.is_removal and not rest else [_with(items[step], rest, edit)]
        return [*items[:step], *changed, *items[step + 1 :]]
    if isinstance(step, Item):
        items = list(tree) if isinstance(tree, list) else []
        place = next((i for i, b in enumerate(items) if _named(b, step.key) == step.value), None)
        if edit.is_removal and not rest:
            return [item for i, item in enumerate(items) if i != place]
        if place is None:
            return [*items, _with({step.key: step.value}, rest, edit)]
        return [_with(b, rest, edit) if i == place else b for i, b in enumerate(items)]
    fields = tree if isinstance(tree, dict) else {}
    if edit.is_removal and not rest:
        return {key: value for key, value in fields.items() if key != step}
    if edit.is_removal and step not in fields:
        return fields
    return {**fields, step: _with(fields.get(step), rest, edit)}


def same(one: Tree, other: Tree) -> bool:
    """Equal in value and type: 1 is neither true nor "1"."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def same_quantity(one: str, other: str) -> bool:
    """Equal as the API server sees it where a quantity stands: `1Gi` is `1024Mi`."""
    for parse in (parse_bytes, parse_millicores):
        with suppress(Invalid):
            if parse(one) == parse(other):
                return True
    return one == other
