"""A leak goes on across limits; an appetite stops; a kill within seconds decides nothing."""

from dataclasses import replace

import msgspec
import pytest

from copilot.causes.memory_leak import memory_leak
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis, Verdict
from tests.builders_case import NEW, OLD, a_case, a_series
from tests.builders_objects import a_container, a_pod, ago, an_oom_killed_pod


def looked_at(case: Case) -> Hypothesis:
    found = memory_leak(case)
    assert found is not None
    return found


def two_limits(*, low: list[float], high: list[float]) -> Case:
    a = an_oom_killed_pod("cart", template_hash=OLD, suffix="a", limit="64Mi", killed=ago(200))
    b = an_oom_killed_pod("cart", template_hash=NEW, suffix="b", limit="128Mi", killed=ago(20))
    return a_case(
        app="cart",
        pods=[a, b],
        memory=[
            a_series(a, low, since=ago(200 + 5 * len(low))),
            a_series(b, high, since=ago(20 + 5 * len(high))),
        ],
        began=ago(200),
    )


def test_the_same_growth_to_a_kill_under_two_limits_is_a_leak() -> None:
    case = two_limits(low=[5.0 * i for i in range(1, 13)], high=[5.0 * i for i in range(1, 25)])

    found = looked_at(case)

    assert found.verdict is Verdict.SUPPORTED
    assert len(found.supporting[0].evidence) == 2
    assert "64Mi" in found.supporting[0].text
    assert "128Mi" in found.supporting[0].text


def test_a_level_under_a_higher_limit_refutes_it_by_the_metric() -> None:
    old = a_pod(
        "cart",
        template_hash=OLD,
        suffix="a",
        containers=[a_container(limit="64Mi")],
        deleted=ago(60),
    )
    now = an_oom_killed_pod("cart", template_hash=NEW, limit="32Mi")
    series = a_series(old, [10, 30, *[48.0] * 10], since=ago(300))

    case = a_case(app="cart", pods=[old, now], memory=[series])
    found = looked_at(case)

    assert found.verdict is Verdict.REFUTED
    assert found.against[0].evidence == (
        case.cited_as[f"metric:{series.name}{{{series.pod}/app}}"],
    )


@pytest.mark.parametrize(
    "points",
    [
        pytest.param([], id="no series at all"),
        pytest.param([8.0, 20.0, 31.0], id="growth cut off within seconds"),
    ],
)
def test_a_kill_within_seconds_under_one_limit_is_undecided(points: list[float]) -> None:
    pod = an_oom_killed_pod("cart", limit="32Mi")

    found = looked_at(
        a_case(app="cart", pods=[pod], memory=[a_series(pod, points, since=ago(23), every_s=1)])
    )

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.next_check
    assert found.confidence < 0.5


def test_a_climb_of_half_an_hour_without_a_level_is_a_leak() -> None:
    pod = an_oom_killed_pod("cart", limit="512Mi", lived_s=1800, killed=ago(20))
    climb = [100 + 400 * i / 60 for i in range(60)]

    found = looked_at(
        a_case(app="cart", pods=[pod], memory=[a_series(pod, climb, since=ago(1820), every_s=30)])
    )

    assert found.verdict is Verdict.SUPPORTED
    assert found.confidence >= 0.75
    assert "without a level for 30 min" in found.supporting[0].text


def test_a_quick_start_that_settles_is_not_a_climb() -> None:
    pod = a_pod("cart")
    settles = [10.0, 60.0, 120.0, *[130.0] * 60]

    case = a_case(
        app="cart",
        pods=[pod],
        memory=[a_series(pod, settles, since=ago(1890), every_s=30)],
        alerts=[],
    )

    assert memory_leak(case) is None


def test_a_limit_only_a_little_higher_decides_nothing() -> None:
    a = an_oom_killed_pod("cart", template_hash=OLD, suffix="a", limit="32Mi", killed=ago(100))
    b = an_oom_killed_pod("cart", template_hash=NEW, suffix="b", limit="40Mi", killed=ago(20))
    memory = [
        a_series(a, [5.0 * i for i in range(1, 7)], since=ago(130)),
        a_series(b, [5.0 * i for i in range(1, 9)], since=ago(60)),
    ]

    found = looked_at(a_case(app="cart", pods=[a, b], memory=memory, began=ago(100)))

    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("lived_s", "verdict"),
    [
        pytest.param(50, Verdict.SUPPORTED, id="twice the memory, twice the life"),
        pytest.param(27, Verdict.INCONCLUSIVE, id="twice the memory, the same life"),
        pytest.param(400, Verdict.INCONCLUSIVE, id="twice the memory, a far longer life"),
    ],
)
def test_lives_that_grow_with_the_limit_tell_a_leak_without_any_series(
    lived_s: float, verdict: Verdict
) -> None:
    first = an_oom_killed_pod("cart", uid="uid-1", limit="64Mi", lived_s=25, killed=ago(500))
    again = an_oom_killed_pod("cart", uid="uid-2", limit="128Mi", lived_s=lived_s, killed=ago(20))

    case = a_case(app="cart", pods=[first, again], memory=[], began=ago(500))

    assert looked_at(case).verdict is verdict


def test_a_pod_that_comes_again_under_its_name_is_known_by_its_time() -> None:
    first = an_oom_killed_pod("cart", uid="uid-1", limit="64Mi", lived_s=60, killed=ago(200))
    again = an_oom_killed_pod("cart", uid="uid-2", limit="128Mi", lived_s=120, killed=ago(20))
    made = (ago(261), ago(145))
    pods = [
        msgspec.structs.replace(
            pod, metadata=msgspec.structs.replace(pod.metadata, creation_timestamp=at)
        )
        for pod, at in zip((first, again), made, strict=True)
    ]
    low, high = [5.0 * i for i in range(1, 12)], [5.0 * i for i in range(1, 24)]
    series = a_series(first, low, since=ago(258))
    later = a_series(again, high, since=ago(138))
    whole = replace(series, points=(*series.points, *later.points))

    found = looked_at(a_case(app="cart", pods=pods, memory=[whole], began=ago(200)))

    assert found.verdict is Verdict.SUPPORTED
    assert "under 64Mi" in found.supporting[0].text
    assert "under 128Mi" in found.supporting[0].text
    assert "It grew at" in found.supporting[0].text
