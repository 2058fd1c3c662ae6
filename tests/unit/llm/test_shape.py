"""The shape check: what passes, and what the model is told where it does not."""

from __future__ import annotations

import pytest

from copilot.agents.investigator import contract
from copilot.llm.shape import misfit

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "tool": {"type": "string", "enum": ["look", "answer"]},
        "sure": {"type": "number", "minimum": 0, "maximum": 1},
        "times": {"type": "integer"},
        "said": {
            "type": "array",
            "maxItems": 2,
            "items": {
                "type": "object",
                "properties": {"text": {"type": "string", "maxLength": 5}},
                "required": ["text"],
                "additionalProperties": False,
            },
        },
        "then": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    },
    "required": ["tool"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"tool": "look"}, id="only-what-is-required"),
        pytest.param({"tool": "look", "sure": 1, "times": 2, "then": None}, id="everything-right"),
        pytest.param({"tool": "look", "then": True}, id="the-other-alternative"),
        pytest.param({"tool": "look", "sure": 1e15}, id="ranges-are-for-who-asked"),
        pytest.param({"tool": "look", "said": [{"text": "lengthy"}] * 3}, id="and-so-are-lengths"),
    ],
)
def test_a_value_of_the_right_shape_passes(value: object) -> None:
    assert misfit(value, SCHEMA) == ""


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param([], "the answer must be of type object", id="another-type"),
        pytest.param({}, "the answer lacks 'tool'", id="missing"),
        pytest.param({"tool": "rm"}, "the answer.tool must be one of look, answer", id="unknown"),
        pytest.param(
            {"tool": "look", "x": 1}, "the answer must not have 'x'", id="unknown-property"
        ),
        pytest.param(
            {"tool": "look", "said": [{"text": "a"}, {"text": 1}]},
            "the answer.said[1].text must be of type string",
            id="in-a-list",
        ),
        pytest.param(
            {"tool": "look", "then": 1},
            "the answer.then must be of type boolean; or the answer.then must be of type null",
            id="no-alternative",
        ),
        pytest.param(
            {"tool": "look", "sure": True},
            "the answer.sure must be of type number",
            id="a-boolean-is-no-number",
        ),
        pytest.param(
            {"tool": "look", "sure": float("nan")},
            "the answer.sure must be of type number",
            id="nan-is-no-number",
        ),
        pytest.param(
            {"tool": "look", "times": 10**400},
            "the answer.times must be of type integer",
            id="a-number-beyond-measure",
        ),
        pytest.param(
            {"tool": "look", "times": 1.5},
            "the answer.times must be of type integer",
            id="a-fraction-is-no-integer",
        ),
    ],
)
def test_a_value_of_another_shape_says_where(value: object, told: str) -> None:
    assert misfit(value, SCHEMA) == told


def test_a_schema_that_says_more_than_is_read_is_refused() -> None:
    with pytest.raises(ValueError, match="oneOf"):
        misfit({}, {"oneOf": []})


def test_the_detectives_contract_is_read_to_its_last_word() -> None:
    claim = {
        "move": "add",
        "cause": "unknown",
        "title": "t",
        "confidence": 0.5,
        "supporting": [{"text": "t", "evidence": ["E1"]}],
        "against": [],
        "next_check": "",
    }
    answer = {"summary": [{"text": "t", "evidence": []}], "hypotheses": [claim]}

    assert misfit({"action": "answer", "argument": "", "answer": answer}, contract()) == ""
