"""One field that is wrong, in the API server's words."""

from __future__ import annotations

import json
from typing import Any

from copilot.demo.failures import FieldProblem


def invalid(field: str, value: Any, message: str) -> FieldProblem:
    told = json.dumps(value, separators=(",", ":"))
    return FieldProblem(field=field, message=f"Invalid value: {told}: {message}")


def required(field: str) -> FieldProblem:
    return FieldProblem(field=field, message="Required value", reason="FieldValueRequired")


def unsupported(field: str, value: Any, supported: tuple[str, ...]) -> FieldProblem:
    told = ", ".join(f'"{name}"' for name in supported)
    return FieldProblem(
        field=field,
        message=f"Unsupported value: {json.dumps(value)}: supported values: {told}",
        reason="FieldValueNotSupported",
    )
