"""How operations' texts become words, and how well a text answers some."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.domain.words import LONGEST, relevance, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("Pod was killed", ["pod", "was", "killed"], id="plain"),
        pytest.param("OOMKilled", ["oomkilled", "oom", "killed"], id="an acronym in a compound"),
        pytest.param(
            "CrashLoopBackOff", ["crashloopbackoff", "crash", "loop", "back", "off"], id="camel"
        ),
        pytest.param(
            "java.lang.OutOfMemoryError:",
            ["java.lang.outofmemoryerror", "java", "lang", "outofmemoryerror", "out", "of"]
            + ["memory", "error"],
            id="a dotted name",
        ),
        pytest.param(
            "/etc/app/config.yaml",
            ["etc/app/config.yaml", "etc", "app", "config", "yaml"],
            id="a path",
        ),
        pytest.param("oom-demo", ["oom-demo", "oom", "demo"], id="a Kubernetes name"),
        pytest.param("5f44895955", ["5f44895955"], id="a hash stays whole"),
        pytest.param("32Mi, 137.", ["32mi", "137"], id="figures"),
        pytest.param("réseau 接続 拒否", ["réseau", "接続", "拒否"], id="other scripts"),
        pytest.param("... -- !!", [], id="nothing"),
    ],
)
def test_a_text_becomes_words_whole_and_in_parts(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "exit code 137",
        "Exit Code: 137",
        "exited with code 137",
        "exit status 137",
        "exit=137",
        "exitCode:137",
        "exit 137",
    ],
)
def test_every_way_to_write_an_exit_code_is_one_word(text: str) -> None:
    assert "exit_137" in words_of(text)


def test_an_exit_on_the_motorway_is_no_exit_code() -> None:
    assert not [w for w in words_of("exiting 137 workers") if w.startswith("exit_")]


def test_words_too_long_to_be_typed_are_left_out_but_their_parts_are_kept() -> None:
    long = "a" * 40 + "." + "b" * 40

    assert words_of(long) == ["a" * 40, "b" * 40]


@given(st.text(max_size=300))
def test_any_text_becomes_bounded_lower_case_words(text: str) -> None:
    for word in words_of(text):
        assert 0 < len(word) <= LONGEST
        assert word == word.lower()


def test_rare_words_weigh_more_than_common_ones() -> None:
    documents = [["pod", "oom"], ["pod", "image"], ["pod", "probe"]]

    scores = relevance(["pod", "oom"], documents)

    assert scores[0] > scores[1] == scores[2] > 0


def test_short_texts_that_say_it_beat_long_ones_that_mention_it() -> None:
    scores = relevance(["oom"], [["oom", "kill"], ["oom", *["filler"] * 50]])

    assert scores[0] > scores[1]


def test_no_documents_and_no_words_are_no_trouble() -> None:
    assert relevance(["oom"], []) == []
    assert relevance([], [["oom"]]) == [0.0]
    assert relevance(["oom"], [[]]) == [0.0]
