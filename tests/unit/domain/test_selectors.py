"""What a selector matches is said in one place."""

from __future__ import annotations

import pytest

from copilot.domain.objects import LabelSelector, SelectorRequirement
from copilot.domain.selectors import matches


def test_no_selector_matches_nothing_and_an_empty_one_all() -> None:
    assert not matches(None, {"app": "web"})
    assert matches(LabelSelector(), {"app": "web"})
    assert matches(LabelSelector(), None)


@pytest.mark.parametrize(
    ("operator", "values", "labels", "expected"),
    [
        pytest.param("In", ["a", "b"], {"k": "a"}, True, id="one of the values"),
        pytest.param("In", ["a"], {}, False, id="a missing label is none of the values"),
        pytest.param("NotIn", ["a"], {}, True, id="a missing label is not the value"),
        pytest.param("NotIn", ["a"], {"k": "a"}, False, id="the value that is ruled out"),
        pytest.param("Exists", None, {"k": ""}, True, id="an empty label exists"),
        pytest.param("DoesNotExist", None, {"k": ""}, False, id="an empty label does exist"),
        pytest.param("Gt", ["4"], {"k": "8"}, True, id="a greater number"),
        pytest.param("Lt", ["4"], {"k": "8"}, False, id="a number that is not smaller"),
        pytest.param("Gt", ["4"], {"k": "many"}, False, id="no number"),
        pytest.param("Near", ["a"], {"k": "a"}, False, id="an operator nobody knows"),
    ],
)
def test_a_requirement_is_read_as_the_api_server_reads_it(
    operator: str, values: list[str] | None, labels: dict[str, str], expected: bool
) -> None:
    requirement = SelectorRequirement(key="k", operator=operator, values=values)

    assert matches(LabelSelector(match_expressions=[requirement]), labels) is expected
