"""The search language: what narrows, what is words, and what is an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.domain.errors import Invalid
from copilot.domain.search import HitKind, Query
from copilot.search.query import LONGEST_TEXT, MOST_HITS, MOST_TERMS, parse
from tests.builders_objects import NOW_US

HOUR_US = 3_600_000_000


def parsed(text: str, *, limit: int = 50) -> Query:
    return parse(text, now_us=NOW_US, limit=limit)


def test_words_phrases_and_exclusions_are_told_apart() -> None:
    query = parsed('oom "connection  refused" -healthz -"GET /ready" OOMKilled')

    assert query.words == ("oom", "OOMKilled")
    assert query.phrases == ("connection refused",)
    assert query.excluded == ("healthz", "GET /ready")


def test_operators_narrow_and_are_no_words() -> None:
    query = parsed('ns:payments app:"web shop" level:error kind:log,events boom')

    assert (query.namespace, query.app, query.min_severity) == ("payments", "web shop", 17)
    assert query.kinds == {HitKind.LOG, HitKind.EVENT}
    assert query.words == ("boom",)


def test_an_empty_search_asks_for_everything() -> None:
    query = parsed("   ")

    assert query.kinds == set(HitKind)
    assert (query.words, query.since_us, query.min_severity) == ((), 0, 0)
    assert query.until_us > NOW_US


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("level:warn", 13),
        ("level:>=warn", 13),
        ("level:>warn", 17),
        ("level:WARNING", 13),
        ("level:err", 17),
        ("level:critical", 21),
        ("LEVEL:info", 9),
    ],
)
def test_levels_are_the_least_that_counts(text: str, severity: int) -> None:
    assert parsed(text).min_severity == severity


@pytest.mark.parametrize(
    ("text", "expected_us"),
    [
        ("since:90s", NOW_US - 90_000_000),
        ("since:15m", NOW_US - HOUR_US // 4),
        ("since:2h", NOW_US - 2 * HOUR_US),
        ("since:3d", NOW_US - 72 * HOUR_US),
        ("since:1W", NOW_US - 168 * HOUR_US),
        ("since:2026-11-23", NOW_US - 8 * HOUR_US),
        ("since:2026-11-23T07:30Z", NOW_US - HOUR_US // 2),
        ("since:2026-11-23T08:30:00+01:00", NOW_US - HOUR_US // 2),
    ],
)
def test_times_are_so_long_ago_or_a_moment(text: str, expected_us: int) -> None:
    assert parsed(text).since_us == expected_us


def test_until_ends_the_range() -> None:
    query = parsed("since:2h until:1h")

    assert query.until_us - query.since_us == HOUR_US


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("since:yesterday", "since:2h"),
        ("until:25:00", "until:2h"),
        ("since:-2h", "since:2h"),
        ("level:loud", "trace, debug, info, warn, error, fatal"),
        ("since:2026-13-01", "2026-11-23T07:30Z"),
    ],
)
def test_a_time_or_level_that_makes_no_sense_says_what_would(text: str, hint: str) -> None:
    with pytest.raises(Invalid, match=text) as raised:
        parsed(text)

    assert hint in raised.value.message


@pytest.mark.parametrize(
    "word",
    [
        "http://web.shop/health",
        "pod:web-1",
        "java.lang.OutOfMemoryError:",
        "kind:nonsense",
        "12:30:45",
        "C:/temp",
        "key=value",
    ],
)
def test_what_is_no_operator_is_a_word(word: str) -> None:
    assert parsed(word).words == (word,)


def test_a_quote_that_never_ends_is_a_phrase_to_the_end() -> None:
    assert parsed('ns:demo "out of memory').phrases == ("out of memory",)


def test_punctuation_alone_asks_for_nothing_and_a_dash_inside_a_word_excludes_nothing() -> None:
    query = parsed('oom-demo - -- "" | ns: -"!"')

    assert query.words == ("oom-demo",)
    assert (query.phrases, query.excluded, query.namespace) == ((), (), "")


def test_the_last_of_two_equal_operators_holds() -> None:
    assert parsed("ns:a ns:b").namespace == "b"


@pytest.mark.parametrize(("asked", "given_"), [(0, 1), (-5, 1), (50, 50), (10**9, MOST_HITS)])
def test_the_limit_is_kept_within_bounds(asked: int, given_: int) -> None:
    assert parsed("x", limit=asked).limit == given_


def test_a_very_long_search_is_cut() -> None:
    query = parsed("word " * LONGEST_TEXT)

    assert len(query.words) == MOST_TERMS


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_whatever_is_typed_without_an_operator_is_no_error(text: str) -> None:
    query = parsed(text.replace(":", ";"))

    terms = (*query.words, *query.phrases, *query.excluded)
    assert all(any(c.isalnum() for c in term) for term in terms)
