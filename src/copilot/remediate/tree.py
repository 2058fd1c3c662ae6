"""An object's JSON as it came, for code that must keep every field it does not know. Pure."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | int | float | bool | None"
Fields: TypeAlias = dict[str, Tree]


def decode(body: bytes | str) -> Fields:
    """The object's fields.

    Raises:
        msgspec.DecodeError: it is no JSON object.
    """
    fields: Fields = msgspec.json.decode(body, type=dict[str, object])
    return fields


def encode(tree: Tree) -> str:
    """Canonical JSON: keys sorted, no spaces; equal trees give equal text."""
    return msgspec.json.encode(tree, order="sorted").decode()


def fields_at(tree: Tree, *path: str) -> Fields:
    """The object at the path, empty where there is none."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}


def text_at(tree: Tree, *path: str) -> str | None:
    """The text at the path, None where there is none."""
    value = fields_at(tree, *path[:-1]).get(path[-1])
    return value if isinstance(value, str) else None


def number_at(tree: Tree, *path: str) -> int | None:
    """The whole number at the path, None where there is none."""
    value = fields_at(tree, *path[:-1]).get(path[-1])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def containers_of(live: Fields) -> list[Fields]:
    """The containers of the pod template, in order."""
    listed = fields_at(live, "spec", "template", "spec").get("containers")
    return [c for c in listed if isinstance(c, dict)] if isinstance(listed, list) else []
