"""A request, held against what its host publishes of its API.

`tests/fixtures/published/` has the calls that we make, cut out of the hosts' OpenAPI descriptions by
`tools/published.py`, each file with its source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator

from tests.fakes_http import Request

FOLDER = Path(__file__).parent / "fixtures" / "published"

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call as published."""

    method: str
    path: re.Pattern[str]
    parameters: Mapping[tuple[str, str], Json]
    """By place (`path`, `query`) and name."""
    body: Json | None

    def check(self, request: Request, in_path: Mapping[str, str]) -> None:
        """Raises: AssertionError where the request is not as published."""
        given = {("path", name): unquote(text) for name, text in in_path.items()}
        given |= {("query", name): text for name, text in request.query.items()}
        for where in given:
            assert where in self.parameters, f"no such parameter is published: {where}"
        for where, parameter in self.parameters.items():
            if where not in given:
                assert not parameter.get("required"), f"{where} must be given"
                continue
            schema = parameter["schema"]
            conform(_value(given[where], schema), schema, " ".join(where))
        if self.body is None:
            assert not request.body, "no body is published"
        else:
            conform(request.json, self.body, "the body")


@cache
def published(name: str) -> tuple[Call, ...]:
    """The calls of `github`."""
    excerpt = json.loads((FOLDER / f"{name}.json").read_text())
    return tuple(_call(one) for one in excerpt["calls"])


def check(name: str, request: Request) -> None:
    """Raises: AssertionError where the host publishes no such request."""
    for call in published(name):
        found = call.path.fullmatch(request.path)
        if found and call.method == request.method:
            call.check(request, found.groupdict())
            return
    raise AssertionError(f"no such call is published: {request.method} {request.path}")


def conform(value: object, schema: Json, what: str) -> None:
    """Raises: AssertionError with all that is wrong; what is not published is wrong, too."""
    errors = [error.message for error in Draft202012Validator(_strict(schema)).iter_errors(value)]
    assert not errors, f"{what}: {'; '.join(errors)}"


def _call(one: Json) -> Call:
    parameters = {(p["in"], p["name"]): p for p in one["parameters"]}
    pattern = re.sub(
        r"\\\{(\w+)\\\}",
        lambda m: f"(?P<{m[1]}>{_segment(parameters['path', m[1]])})",
        re.escape(one["path"]),
    )
    return Call(one["method"], re.compile(pattern), parameters, one.get("body"))


def _segment(parameter: Json) -> str:
    return ".+" if parameter.get("x-multi-segment") else "[^/]+"


def _strict(schema: Any) -> Any:
    """As OpenAPI 3.0 means it (`nullable`), with nothing beside what is named."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items() if key != "properties"}
    if "properties" in schema:
        strict["properties"] = {k: _strict(v) for k, v in schema["properties"].items()}
        strict.setdefault("additionalProperties", False)
    if strict.pop("nullable", False):
        return {"anyOf": [strict, {"type": "null"}]}
    return strict


def _value(text: str, schema: Json) -> object:
    match schema.get("type"):
        case "integer":
            return int(text) if text.lstrip("-").isdigit() else text
        case "boolean":
            return {"true": True, "false": False}.get(text, text)
        case _:
            return text
