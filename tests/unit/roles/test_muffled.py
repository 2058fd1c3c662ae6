"""A warning that comes with every request is said once a minute, with how often it was left out."""

from __future__ import annotations

from copilot.roles.muffled import MOST_KINDS, Muffled
from tests.fakes import FixedClock


def test_it_is_said_once_a_minute_and_then_with_how_often_it_was_not() -> None:
    clock = FixedClock()
    muffled = Muffled(clock)

    said = [muffled.left_out("refused", "otlp") for _ in range(5)]
    clock.move(61)

    assert said == [0, None, None, None, None]
    assert muffled.left_out("refused", "otlp") == 4


def test_another_kind_is_said_at_once() -> None:
    muffled = Muffled(FixedClock())
    muffled.left_out("refused", "otlp")

    assert muffled.left_out("refused", "fluentbit") == 0


def test_kinds_without_end_are_taken_together() -> None:
    muffled = Muffled(FixedClock())

    said = [muffled.left_out(n) for n in range(MOST_KINDS + 100)]

    assert sum(1 for one in said if one is not None) == MOST_KINDS + 1
