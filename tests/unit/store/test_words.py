"""Words of events: what fits a query, and what fits better."""

from __future__ import annotations

import pytest

from copilot.store.words import MOST_LETTERS, terms_of, wanted, words_in


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("oom-demo", ["oom", "demo"]),
        ("OOMKilled, exit code 137!", ["oomkilled", "exit", "code", "137"]),
        ("snake_case", ["snake", "case"]),
        ("Déjà vu", ["deja", "vu"]),
        ("ＦＵＬＬ 日本", ["ｆｕｌｌ", "日本"]),
        ("한국어", ["한국어"]),
        ("--- !!", []),
    ],
)
def test_a_text_has_words(text: str, words: list[str]) -> None:
    assert words_in(text) == words


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({"words": ["kill"]}, True),
        ({"words": ["killed"]}, True),
        ({"words": ["illed"]}, False),
        ({"words": ["oom-ki"]}, True),
        ({"words": ["ki-oom"]}, False),
        ({"phrases": ["exit code 137"]}, True),
        ({"phrases": ["exit code 13"]}, False),
        ({"phrases": ["code exit"]}, False),
        ({"words": ["exit"], "excluded": ["code"]}, False),
        ({"words": ["exit"], "excluded": ["cod"]}, True),
        ({"words": ["exit"], "excluded": ["code exit"]}, True),
        ({"phrases": ["137 backoff"]}, False),
        ({"words": ["backoff"]}, True),
    ],
    ids=str,
)
def test_a_row_fits_what_it_says(query: dict[str, list[str]], fits: bool) -> None:
    row = ("oom killed: exit-code=137", "BackOff")
    asked = wanted(query.get("words", ()), query.get("phrases", ()), query.get("excluded", ()))

    [score] = asked.scores([row])

    assert (score is not None) is fits


def test_more_often_and_shorter_fits_better() -> None:
    rows = [("timeout of a rather long and winding tale",), ("timeout",), ("timeout timeout",)]

    scores = wanted(["timeout"], (), ()).scores(rows)

    assert sorted(range(3), key=lambda i: scores[i] or 0, reverse=True) == [2, 1, 0]


def test_a_long_word_is_posted_by_its_beginning_and_found_whole() -> None:
    token = "a" * MOST_LETTERS

    assert terms_of([token + "b"]) == {token}
    assert wanted([token + "c"], (), ()).scores([(token + "b",)]) == [None]
