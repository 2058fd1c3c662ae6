"""Growth, level, peak and what a kill cut off, from points alone."""

import pytest

from copilot.causes.memory_series import (
    growth,
    is_growing,
    level,
    peak_seen_whole,
    runs,
    time_to_failure_us,
)
from copilot.domain.event import SeriesPoint
from tests.builders_case import MI, a_case, a_series
from tests.builders_objects import a_container, a_pod, ago, an_oom_killed_pod


def points(*mebibytes: float, every_s: float = 5) -> tuple[SeriesPoint, ...]:
    return a_series(a_pod(), mebibytes, since=ago(3000), every_s=every_s).points


def test_growth_is_bytes_a_second_with_its_fit() -> None:
    line = growth(points(10, 20, 30, 40))

    assert line is not None
    assert line.bytes_per_s == pytest.approx(2 * MI)
    assert line.fit == pytest.approx(1.0)
    assert line.span_us == 15_000_000


@pytest.mark.parametrize("few", [(), (5.0,), (5.0, 6.0)])
def test_fewer_than_three_points_are_no_growth(few: tuple[float, ...]) -> None:
    assert growth(points(*few)) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param((10, 30, 48, 48, 48, 48, 48), 48, id="it came to rest"),
        pytest.param((10, 30, 48, 47, 48.5, 48, 47.6), 48.5, id="a level may move a little"),
        pytest.param((10, 20, 30, 40, 50), None, id="it still climbs"),
        pytest.param((48, 48, 48), None, id="too few points"),
        pytest.param((10, 20, 30, 40, 48, 48), None, id="it stopped only just now"),
        pytest.param((100, 100.8, 101.6, 102.4, 103.2, 104), None, id="it creeps"),
    ],
)
def test_a_level_is_rest_for_a_while(values: tuple[float, ...], expected: float | None) -> None:
    found = level(points(*values))

    assert found == (None if expected is None else round(expected * MI))


def test_climbing_to_the_end_is_growing_and_coming_to_rest_is_not() -> None:
    assert is_growing(points(10, 20, 30, 40, 50))
    assert not is_growing(points(10, 30, 48, 48, 48, 48, 48))
    assert not is_growing(points(50, 30, 45, 28, 51, 33))


def test_a_restart_ends_a_run_and_the_kill_cuts_it_off() -> None:
    pod = an_oom_killed_pod("web", limit="32Mi", killed=ago(20), lived_s=15)
    series = a_series(pod, [10, 20, 31, 9, 19, 30], since=ago(50))

    found = runs(a_case(app="web", pods=[pod], memory=[series]), "app")

    assert [r.was_killed for r in found] == [True, True]
    assert [r.peak / MI for r in found] == [31, 30]


def test_a_peak_that_the_kill_cut_off_is_not_seen_whole() -> None:
    pod = an_oom_killed_pod("web", limit="32Mi", killed=ago(20), lived_s=60)
    series = a_series(pod, [10, 31, 31, 31, 31, 31, 31, 31], since=ago(80))

    assert peak_seen_whole(a_case(app="web", pods=[pod], memory=[series]), "app") is None


def test_a_peak_below_a_limit_it_died_at_is_not_the_whole_need() -> None:
    calm = a_pod("web", suffix="calm", containers=[a_container(limit="32Mi")])
    busy = an_oom_killed_pod("web", suffix="busy", limit="32Mi")
    series = a_series(calm, [20.0] * 12, since=ago(300))

    assert peak_seen_whole(a_case(app="web", pods=[calm, busy], memory=[series]), "app") is None


def test_memory_of_a_pod_nobody_knows_proves_no_peak() -> None:
    pod = an_oom_killed_pod("web", limit="32Mi")
    stranger = a_pod("other")
    series = a_series(stranger, [48.0] * 12, since=ago(300))

    assert peak_seen_whole(a_case(app="web", pods=[pod], memory=[series]), "app") is None


def test_time_to_failure_is_the_longest_life_that_failed() -> None:
    short = an_oom_killed_pod("web", suffix="a", lived_s=3)
    long = an_oom_killed_pod("web", suffix="b", lived_s=17)

    assert time_to_failure_us(a_case(app="web", pods=[long, short])) == 17_000_000
    assert time_to_failure_us(a_case(app="web", pods=[a_pod("web")])) == 0
