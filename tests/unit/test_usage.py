"""How what a pod uses is counted (tests/deploy/usage.py)."""

from __future__ import annotations

from tests.deploy.usage import Look, busiest_minute


def test_the_start_is_a_minute_like_any_other() -> None:
    idle = [Look(0, 0.0), Look(10, 1.5), Look(60, 1.6), Look(120, 1.7), Look(180, 1.8)]

    assert round(busiest_minute(idle)) == 27


def test_the_busiest_minute_is_found_wherever_it_begins() -> None:
    late = [Look(0, 0.0), Look(60, 1.0), Look(100, 1.0), Look(130, 7.0), Look(160, 7.0)]

    assert round(busiest_minute(late)) == 100


def test_a_life_of_less_than_a_minute_is_taken_as_a_whole() -> None:
    assert round(busiest_minute([Look(0, 0.0), Look(20, 1.0)])) == 50
