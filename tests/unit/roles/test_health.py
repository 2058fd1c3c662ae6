"""The co-pilot says what ails it, from when to when, and says nothing while it is well."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from copilot.roles.figures import Figures
from copilot.roles.health import (
    FAILED_TIMES,
    LATE_S,
    MANY_REFUSALS,
    MANY_TRIES,
    SLOW_LOOKS,
    Ailment,
    Health,
    Watching,
)
from tests.fakes import FixedClock

MINUTE_S = 60


def a_health(clock: FixedClock | None = None) -> Health:
    return Health(clock=clock or FixedClock(), figures=Figures())


def slow(health: Health) -> None:
    health.store_s.extend([2.0] * SLOW_LOOKS)


def away(health: Health) -> None:
    health.store_s.extend([float("inf")] * SLOW_LOOKS)


def failing(health: Health) -> None:
    for _ in range(FAILED_TIMES):
        health.ended("investigate", well=False)


def late(health: Health) -> None:
    health.late_s = {"investigate": LATE_S + 1}


def undelivered(health: Health) -> None:
    health.outbox_tries = MANY_TRIES


def unsent(health: Health) -> None:
    health.outbox_late_s = LATE_S + 1


def behind(health: Health) -> None:
    health.watching = lambda: Watching(lag_s=61.0, troubles=("watch Pod",))


def refusing(health: Health) -> None:
    for _ in range(MANY_REFUSALS):
        health.refused()


TROUBLES = [
    (slow, Ailment.STORE, "slow"),
    (away, Ailment.STORE, "does not answer"),
    (failing, Ailment.LEG, f"investigate {FAILED_TIMES} times"),
    (late, Ailment.WORK, "investigate for 121 s"),
    (undelivered, Ailment.OUTBOX, f"not delivered in {MANY_TRIES} tries"),
    (unsent, Ailment.OUTBOX, "has waited for 121 s"),
    (behind, Ailment.WATCHER, "61 s behind"),
    (refusing, Ailment.INGEST, f"{MANY_REFUSALS} times in a minute"),
]


@pytest.mark.parametrize(("ail", "what", "words"), TROUBLES)
def test_each_trouble_is_told_in_words_and_counted(
    ail: Callable[[Health], None], what: Ailment, words: str
) -> None:
    health = a_health()

    ail(health)

    (trouble,) = health.look()
    assert trouble.what == what
    assert words in trouble.message
    assert {one: health.figures.troubles.value(one) for one in Ailment if one is not what} == {
        one: 0 for one in Ailment if one is not what
    }
    assert health.figures.troubles.value(what) == 1


def test_a_co_pilot_that_is_well_says_nothing() -> None:
    health = a_health()
    health.store_s.extend([0.001] * SLOW_LOOKS)
    health.watching = lambda: Watching(lag_s=0.0, troubles=())

    assert health.look() == ()


def test_a_leg_that_ends_well_once_is_no_trouble_any_more() -> None:
    health = a_health()
    failing(health)
    health.look()

    health.ended("investigate", well=True)

    assert health.look() == ()
    assert health.figures.troubles.value(Ailment.LEG) == 0


def test_a_trouble_keeps_the_time_it_began_while_its_words_change() -> None:
    clock = FixedClock()
    health = a_health(clock)
    failing(health)
    (first,) = health.look()

    clock.move(30)
    health.ended("investigate", well=False)

    (later,) = health.look()
    assert later.since_us == first.since_us
    assert later.message != first.message


def test_refusals_are_forgotten_after_a_minute() -> None:
    clock = FixedClock()
    health = a_health(clock)
    refusing(health)

    clock.move(MINUTE_S + 1)

    assert health.look() == ()
