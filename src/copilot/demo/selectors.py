"""Label and field selectors: text to a test on objects."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from copilot.demo import failures
from copilot.demo.kinds import Obj, Resource

Test = Callable[[Obj], bool]

_SET = re.compile(r"^(\S+?)\s+(in|notin)\s*\(([^)]*)\)$")
_EQUAL = re.compile(r"^([^=!<>\s]+)\s*(==|=|!=)\s*(\S*)$")
_KEY = re.compile(r"^!?\s*[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$")
_FIELDS = {
    "Pod": (
        "metadata.name",
        "metadata.namespace",
        "spec.nodeName",
        "spec.restartPolicy",
        "status.phase",
        "status.podIP",
    ),
    "Event": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
        "metadata.name",
        "metadata.namespace",
    ),
    "Namespace": ("metadata.name", "status.phase"),
    "Node": ("metadata.name", "spec.unschedulable"),
}
_ANY_FIELDS = ("metadata.name", "metadata.namespace")


def label_test(selector: str) -> Test:
    """Raises: ApiFailure 400 where it cannot be read."""
    tests = [_label_term(term) for term in _split(selector)]
    return lambda obj: all(test(obj["metadata"].get("labels") or {}) for test in tests)


def field_test(resource: Resource, selector: str) -> Test:
    """Raises: ApiFailure 400 for a field that the kind does not offer."""
    known = _FIELDS.get(resource.kind, _ANY_FIELDS)
    tests = [_field_term(term, known) for term in _split(selector)]
    return lambda obj: all(test(obj) for test in tests)


def matches_labels(selector: Obj, labels: Obj) -> bool:
    """Does a workload's or Service's selector (`matchLabels`) select these labels?"""
    wanted = selector.get("matchLabels") or {}
    return bool(wanted) and not (wanted.items() - labels.items())


def selects(selector: Obj | None, labels: Obj) -> bool:
    """Does a policy's selector select these labels? None selects nothing, an empty one all."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    return not (wanted.items() - labels.items()) and all(_holds(e, labels) for e in expressions)


def _holds(expression: Obj, labels: Obj) -> bool:
    key, values = str(expression["key"]), expression.get("values") or []
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _split(selector: str) -> list[str]:
    """Terms of a selector; commas inside brackets do not count."""
    terms = re.split(r",(?![^(]*\))", selector)
    return [term.strip() for term in terms if term.strip()]


def _label_term(term: str) -> Callable[[Obj], bool]:
    if found := _SET.match(term):
        key, operator, values = found.groups()
        wanted = {value.strip() for value in values.split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in wanted
        return lambda labels: labels.get(key) not in wanted
    if found := _EQUAL.match(term):
        key, operator, value = found.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if not _KEY.match(term):
        word = term.split()[1] if len(term.split()) > 1 else term
        raise failures.bad_request(
            f"unable to parse requirement: found '{word}', expected: in, notin, =, ==, !=, gt, lt"
        )
    if term.startswith("!"):
        missing = term[1:].strip()
        return lambda labels: missing not in labels
    return lambda labels: term in labels


def _field_term(term: str, known: tuple[str, ...]) -> Test:
    found = _EQUAL.match(term)
    if not found:
        raise failures.bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    field, operator, wanted = found.groups()
    if field not in known:
        told = ", ".join(f'"{name}"' for name in known)
        raise failures.bad_request(f'"{field}" is not a known field selector: only {told}')
    is_equal = operator != "!="
    return lambda obj: (_field(obj, field) == wanted) == is_equal


def _field(obj: Obj, path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if path == "source":
        value = (value or {}).get("component")
    return str(value).lower() if isinstance(value, bool) else str(value or "")
