"""Does a body fit its kind: unknown fields and wrong types, told as a real API server tells them.

The fields and their types are those of the official client's models, so this module keeps no list
of its own that could go stale.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from kubernetes.aio.client import models

from copilot.demo.kinds import Obj, Resource
from copilot.domain.errors import Invalid
from copilot.domain.quantity import parse_bytes

QUANTITY = re.compile(r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")
"""The pattern that the API server itself names in its answer to a bad quantity."""

_QUANTITY_MAPS = frozenset({"limits", "requests", "capacity", "allocatable", "allocatedResources"})
_NO_MODEL = {"Event": "CoreV1Event"}


@dataclass(slots=True)
class Misfit:
    """What does not fit: fields that the kind has not, and the first value of a wrong type."""

    unknown: list[str] = field(default_factory=list)
    strays: list[tuple[Obj, str]] = field(default_factory=list)
    """The same unknown fields: the map that has it and its key in there."""
    wrong_type: str = ""
    """Path of the field."""
    wanted: str = ""
    """Its Go type: `int32`, `string`, `bool`; `quantity` for a text that is none."""
    got: str = ""


def misfit(resource: Resource, body: Obj) -> Misfit:
    """Check a whole object of the kind."""
    found = Misfit()
    name = _NO_MODEL.get(resource.kind, f"{resource.version.upper()}{resource.kind}")
    _check(body, name, "", found)
    return found


def _check(value: Any, declared: str, path: str, found: Misfit) -> None:
    if value is None or declared in ("object", "datetime", "bytes"):
        return
    if declared.startswith("List["):
        _check_list(value, declared[5:-1], path, found)
    elif declared.startswith("Dict["):
        _check_map(value, declared[5:-1].split(", ", 1)[1], path, found)
    elif declared in _SCALARS:
        _check_scalar(value, declared, path, found)
    else:
        _check_model(value, declared, path, found)


def _check_list(value: Any, item_type: str, path: str, found: Misfit) -> None:
    if not isinstance(value, list):
        _wrong(found, path, "slice", value)
        return
    for place, item in enumerate(value):
        _check(item, item_type, f"{path}[{place}]", found)


def _check_map(value: Any, value_type: str, path: str, found: Misfit) -> None:
    if not isinstance(value, dict):
        _wrong(found, path, "map", value)
        return
    is_quantities = path.rpartition(".")[2] in _QUANTITY_MAPS
    for key, item in value.items():
        if is_quantities:
            _check_quantity(item, f"{path}.{key}", found)
        else:
            _check(item, value_type, f"{path}.{key}", found)


def _check_quantity(value: Any, path: str, found: Misfit) -> None:
    is_text_or_number = isinstance(value, str | int | float) and not isinstance(value, bool)
    if not is_text_or_number or not _is_quantity(str(value)):
        _wrong(found, path, "quantity", value)


def _is_quantity(text: str) -> bool:
    try:
        parse_bytes(text)
    except Invalid:
        return False
    return QUANTITY.match(text) is not None


def _check_scalar(value: Any, declared: str, path: str, found: Misfit) -> None:
    types, go_type = _SCALARS[declared]
    is_bool_for_number = isinstance(value, bool) and bool not in types
    if not isinstance(value, types) or is_bool_for_number:
        _wrong(found, path, go_type, value)


def _check_model(value: Any, declared: str, path: str, found: Misfit) -> None:
    model = getattr(models, declared, None)
    if model is None:
        return
    if not isinstance(value, dict):
        _wrong(found, path, declared.removeprefix("V1"), value)
        return
    attributes = {wire: name for name, wire in model.attribute_map.items()}
    for key, item in value.items():
        where = f"{path}.{key}" if path else key
        if key not in attributes:
            found.unknown.append(where)
            found.strays.append((value, key))
        else:
            _check(item, model.openapi_types[attributes[key]], where, found)


def _wrong(found: Misfit, path: str, wanted: str, value: Any) -> None:
    if not found.wrong_type:
        found.wrong_type, found.wanted, found.got = path, wanted, _json_type(value)


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


_SCALARS: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "string"),
    "int": ((int,), "int32"),
    "float": ((int, float), "float64"),
    "bool": ((bool,), "bool"),
}
