"""Which templates become one, and that the order in which they come does not matter."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from copilot.domain.families import ENOUGH, ENOUGH_OF_LITTLE, Member, common_pattern, united

USERS = ("root", "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")


def members(*patterns: str, severity: int = 9) -> list[Member]:
    return [
        Member(template_id=i, family_id=i, severity=severity, pattern=pattern, first_us=1000 - i)
        for i, pattern in enumerate(patterns)
    ]


def families(found: list[Member]) -> set[frozenset[str]]:
    """The patterns that are together."""
    joined = united(found)
    together: dict[int, set[str]] = {}
    for member in found:
        family_id = joined.get(member.family_id, member.family_id)
        together.setdefault(family_id, set()).add(member.pattern)
    return {frozenset(patterns) for patterns in together.values()}


def test_a_word_that_was_seen_in_enough_kinds_is_a_value() -> None:
    logins = [f"session opened for user {user}" for user in USERS[:ENOUGH]]

    assert families(members(*logins)) == {frozenset(logins)}
    assert len(families(members(*logins[1:]))) == ENOUGH - 1


def test_the_less_the_rest_says_the_more_kinds_it_takes() -> None:
    starts = [f"Started unit {user}" for user in USERS[:ENOUGH_OF_LITTLE]]

    assert families(members(*starts)) == {frozenset(starts)}
    assert len(families(members(*starts[1:]))) == ENOUGH_OF_LITTLE - 1


def test_one_word_beside_another_never_makes_a_family() -> None:
    pairs = [f"{user} left" for user in USERS]

    assert len(families(members(*pairs))) == len(USERS)


def test_kinds_of_errors_are_no_values() -> None:
    kinds = ("Type", "Key", "Value", "Index", "Name")

    assert len(families(members(*(f"worker failed with {k}Error now" for k in kinds)))) == len(
        kinds
    )


def test_templates_that_differ_in_two_places_at_once_stay_apart() -> None:
    moves = [f"user {user} went to {USERS[-1 - i]} today" for i, user in enumerate(USERS[:4])]

    assert len(families(members(*moves))) == len(moves)


def test_punctuation_is_no_value() -> None:
    sounds = [f"it says {user}{mark}" for user in USERS[:2] for mark in (",", ":", ";", "|")]

    assert len(families(members(*sounds))) == len(sounds)


def test_levels_stay_apart() -> None:
    logins = members(*(f"session opened for user {user}" for user in USERS[:ENOUGH]))

    assert len(families([*logins[:-1], replace(logins[-1], severity=17)])) == ENOUGH


def test_the_oldest_family_holds() -> None:
    found = members(*(f"session opened for user {user}" for user in USERS[:ENOUGH]))

    assert united(found) == {0: 3, 1: 3, 2: 3}


def test_of_equally_old_families_the_one_that_is_given_first_holds_whatever_its_id() -> None:
    found = [
        replace(member, first_us=1)
        for member in members(*(f"session opened for user {user}" for user in USERS[:ENOUGH]))
    ]

    assert united(reversed(found)) == {0: 3, 1: 3, 2: 3}


WORDS = st.sampled_from(["a", "b", "c", "d", "e", "*", "x=y", "TypeError"])
PATTERNS = st.lists(st.lists(WORDS, min_size=3, max_size=4).map(" ".join), max_size=60, unique=True)


@given(PATTERNS, st.randoms(use_true_random=False))
def test_families_depend_on_what_was_seen_and_not_on_the_order(
    patterns: list[str], chance: Random
) -> None:
    shuffled = chance.sample(patterns, len(patterns))

    assert families(members(*shuffled)) == families(members(*patterns))


@given(PATTERNS, PATTERNS)
def test_a_family_only_grows(some: list[str], more: list[str]) -> None:
    before = families(members(*some))
    after = families(members(*dict.fromkeys([*some, *more])))

    assert all(any(family <= larger for larger in after) for family in before)


def test_what_a_family_shares_reads_as_one_pattern() -> None:
    shared = common_pattern(["user=root, at *", "user=alice, at *", "user=*, at *"])

    assert shared == "user=*, at *"
    assert common_pattern(["a b", "a b"]) == "a b"
