"""Whether a JSON value has the shape that a schema asks for. Pure.

Shape is types, required and unknown properties, enums and alternatives. Lengths and ranges are left
to who asked: strict servers strip them from a schema, and a clamp is kinder than a second bill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from sys import float_info


def _is_number(value: object) -> bool:
    """Neither a boolean nor NaN, nor more than a float can hold."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return -float_info.max <= value <= float_info.max


_IS_OF: Mapping[object, Callable[[object], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "number": _is_number,
    "integer": lambda v: isinstance(v, int) and _is_number(v),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}
_LEFT_TO_WHO_ASKED = frozenset(
    {"title", "description", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"}
)
_READ = frozenset(
    {"type", "enum", "anyOf", "properties", "required", "additionalProperties", "items"}
)


def misfit(value: object, schema: Mapping[str, object], at: str = "the answer") -> str:
    """Where and how the value differs from the schema, for the model to read; empty where it fits.

    Raises:
        ValueError: the schema says something that is not read here.
    """
    if unread := schema.keys() - _READ - _LEFT_TO_WHO_ASKED:
        raise ValueError(f"this part of a JSON schema is not read: {', '.join(sorted(unread))}")
    if "anyOf" in schema:
        tries = [misfit(value, _schema(one), at) for one in _list(schema["anyOf"])]
        return "" if "" in tries else "; or ".join(tries)
    if "enum" in schema and value not in (allowed := _list(schema["enum"])):
        return f"{at} must be one of {', '.join(map(str, allowed))}"
    wanted = schema.get("type")
    if wanted is not None and not _IS_OF[wanted](value):
        return f"{at} must be of type {wanted}"
    if isinstance(value, dict):
        return _object_misfit(value, schema, at)
    if isinstance(value, list) and "items" in schema:
        items = _schema(schema["items"])
        return next((m for i, v in enumerate(value) if (m := misfit(v, items, f"{at}[{i}]"))), "")
    return ""


def _object_misfit(value: dict[str, object], schema: Mapping[str, object], at: str) -> str:
    for name in _list(schema.get("required", [])):
        if name not in value:
            return f"{at} lacks {name!r}"
    properties = _schema(schema.get("properties", {}))
    for name, inner in value.items():
        if name in properties:
            if found := misfit(inner, _schema(properties[name]), f"{at}.{name}"):
                return found
        elif schema.get("additionalProperties") is False:
            return f"{at} must not have {name[:40]!r}"
    return ""


def _schema(value: object) -> Mapping[str, object]:
    assert isinstance(value, dict), "a JSON schema is an object"
    return value


def _list(value: object) -> list[object]:
    assert isinstance(value, list), "a list of a JSON schema"
    return value
