"""What lines have in common: their shapes, and all that follows from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.ingest.fingerprint import template_of
from copilot.ingest.normalise import classify, parse_time, parse_times, told_apart
from copilot.ingest.shapes import MAX_CHARS, shapes_of

WORDS = st.text(st.sampled_from("abcdefxyzE0159 -_.:=/\"'é→\n\\u"), max_size=40)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("user 4711 from 10.0.0.7", "user 0 from 0.0.0.0"),
        ("id=7f9ba920-9eff-41f8-ac8f-da250fd1da7d gone", "id=0-0-0-0-0 gone"),
        ("deadbeef and feed and x1", "deadbeef and feed and x0"),
        ("ABC1 keeps its capitals", "ABC0 keeps its capitals"),
        ("größe 12→13", "größe 0→0"),
        ("", ""),
    ],
)
def test_a_shape_forgets_numbers_and_hashes(text: str, shape: str) -> None:
    assert shapes_of(["before 1", text, "after 2"])[1] == shape.encode()


@pytest.mark.parametrize("text", ["two\nlines 1", "x" * (MAX_CHARS + 1)])
def test_long_lines_and_those_of_several_lines_have_no_shape(text: str) -> None:
    assert shapes_of(["a 1", text, "b 2"]) == [b"a 0", b"", b"b 0"]


@given(st.lists(WORDS, max_size=8))
def test_a_column_has_the_shapes_of_its_lines(texts: list[str]) -> None:
    assert shapes_of(texts) == [shape for text in texts for shape in shapes_of([text])]


@given(WORDS)
def test_the_template_follows_from_the_shape(text: str) -> None:
    [shape] = shapes_of([text])

    assert not shape or template_of(shape.decode(), 9) == template_of(text, 9)


@given(st.lists(WORDS, max_size=8))
def test_a_column_is_classified_like_each_line_alone(texts: list[str]) -> None:
    masked, kinds = told_apart(texts, [0] * len(texts))

    assert [(kind.severity, kind.template) for kind in kinds] == [classify(m, 0) for m in masked]


@pytest.mark.parametrize(
    "bodies",
    [
        pytest.param(
            ['{"level":30,"msg":"a"}', '{"level":50,"msg":"a"}'], id="a level is a number"
        ),
        pytest.param(
            ['{"msg":"\\u0105\\u0107 x"}', '{"msg":"\\u0142\\u0144 x"}'], id="letters are numbers"
        ),
    ],
)
def test_what_a_number_says_is_not_taken_from_a_line_of_the_same_shape(bodies: list[str]) -> None:
    _, [one, other] = told_apart(bodies, [0, 0])

    assert one.template != other.template


def test_the_severity_a_sender_gave_counts_for_its_own_line_only() -> None:
    _, kinds = told_apart(["order 1 failed", "order 2 failed"], [0, 17])

    assert [kind.severity for kind in kinds] == [0, 17]


@pytest.mark.parametrize(
    "values",
    [
        ["2026-11-27T17:53:11.123456789Z", "2026-11-27T17:53:12.000000001Z"],
        ["2026-11-27T17:53:11.12Z", "2026-11-27T17:53:11.99Z"],
        ["2026-11-27T17:53:11.123Z", "2026-11-27T17:53:11.1234Z"],
        ["2026-13-27T17:53:11.123Z", "2026-11-27T17:53:11.123Z"],
        ["2026-11-27T17:53:1x.123Z", "2026-11-27T17:5é:11.12Z"],
        [1_790_000_000.5, "2026-11-27T17:53:11.123Z", None],
        [],
    ],
)
def test_a_column_of_times_is_read_like_each_alone(values: list[object]) -> None:
    assert parse_times(values) == [parse_time(value) for value in values]
