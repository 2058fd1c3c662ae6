"""What a label selector matches.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

from collections.abc import Mapping

from copilot.domain.objects import LabelSelector, SelectorRequirement


def matches(selector: LabelSelector | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a label selector picks these labels; an empty one picks all, none picks nothing."""
    if selector is None:
        return False
    have = labels or {}
    return (selector.match_labels or {}).items() <= have.items() and all(
        meets(requirement, have) for requirement in selector.match_expressions or ()
    )


def meets(requirement: SelectorRequirement, labels: Mapping[str, str]) -> bool:
    """One requirement of a selector, those of node affinity included.
    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"""
    value, values = labels.get(requirement.key), requirement.values or []
    match requirement.operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return _compared(requirement.operator, value, values)
        case _:
            return False


def _compared(operator: str, value: str | None, values: list[str]) -> bool:
    try:
        have, bound = int(value or ""), int(values[0] if values else "")
    except ValueError:
        return False
    return have > bound if operator == "Gt" else have < bound
