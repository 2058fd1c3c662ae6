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


def items_at(tree: Tree, field: str) -> list[Fields]:
    """The objects in the list of this name, in order; empty where there is none."""
    listed = tree.get(field) if isinstance(tree, dict) else None
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def annotation_at(live: Fields, name: str) -> str | None:
    """The object's own annotation (or the one a patch sets), None where there is none."""
    return text_at(live, "metadata", "annotations", name)


def template_path(kind: str) -> tuple[str, ...]:
    """Where an object of this kind holds its pod template."""
    if kind == "Pod":
        return ()  # what stands alone is its own template
    path = ("spec", "template")
    return ("spec", "jobTemplate", *path) if kind == "CronJob" else path


def nested(path: tuple[str, ...], fields: Fields) -> Fields:
    """The fields below this path."""
    for key in reversed(path):
        fields = {key: fields}
    return fields


def containers_of(live: Fields) -> list[Fields]:
    """The containers of the pod template (or of its part in a patch), in order."""
    return items_at(fields_at(live, "spec", "template", "spec"), "containers")
