"""How hits are counted over time."""

import pytest

from copilot.domain.event import Severity
from copilot.domain.search import HitKind
from copilot.store.tally import MOST_BARS, MOST_VALUES, WIDTHS_US, Tally, bar_width_us

SECOND_US = 1_000_000
NOW_US = 1_795_000_000 * SECOND_US


def tallied(*times_us: int, since_us: int = 0, severity: int = Severity.INFO) -> Tally:
    tally = Tally(kinds=frozenset({HitKind.LOG}))
    for ts_us in times_us:
        tally.add(HitKind.LOG, ts_us, "shop", "cart", severity)
    return tally


@pytest.mark.parametrize("span_us", [0, 1, 59 * SECOND_US, 3600 * SECOND_US, 10**15])
def test_bars_are_as_narrow_as_their_number_allows(span_us: int) -> None:
    width = bar_width_us(span_us)

    assert span_us / width <= MOST_BARS
    assert all(span_us / narrower > MOST_BARS - 1 for narrower in WIDTHS_US if narrower < width)


def test_bars_have_no_gaps_and_hold_every_hit() -> None:
    times = [NOW_US, NOW_US + 600 * SECOND_US, NOW_US + 601 * SECOND_US]

    counted = tallied(*times, severity=Severity.ERROR).counted(
        since_us=0, until_us=NOW_US * 2, looked_back_to_us=0, scanned_lines=3
    )

    starts = [bar.ts_us for bar in counted.bars]
    assert starts == list(range(starts[0], starts[-1] + 1, counted.bar_us))
    assert sum(bar.n for bar in counted.bars) == sum(bar.n_severe for bar in counted.bars) == 3
    assert len(counted.bars) <= MOST_BARS


def test_bars_reach_over_the_whole_time_that_was_asked_for() -> None:
    counted = tallied(NOW_US).counted(
        since_us=NOW_US - 3600 * SECOND_US,
        until_us=NOW_US + 60 * SECOND_US,
        looked_back_to_us=0,
        scanned_lines=1,
    )

    first, last = counted.bars[0].ts_us, counted.bars[-1].ts_us
    assert first <= NOW_US - 3600 * SECOND_US < first + counted.bar_us
    assert last <= NOW_US + 60 * SECOND_US < last + counted.bar_us


def test_hits_of_other_kinds_count_by_their_kind_only() -> None:
    tally = tallied(NOW_US)
    tally.add(HitKind.EVENT, NOW_US, "other", "thing", Severity.WARN)

    counted = tally.counted(since_us=0, until_us=NOW_US, looked_back_to_us=0, scanned_lines=0)

    assert {facet.value: facet.n for facet in counted.kinds if facet.n} == {"log": 1, "event": 1}
    assert [facet.value for facet in counted.namespaces] == ["shop"]
    assert sum(bar.n for bar in counted.bars) == 1


def test_a_facet_shows_the_most_frequent_values() -> None:
    tally = Tally(kinds=frozenset(HitKind), capped={HitKind.LOG})
    for n in range(20):
        for _ in range(n + 1):
            tally.add(HitKind.LOG, NOW_US, f"ns-{n}", "", 0)

    counted = tally.counted(since_us=0, until_us=NOW_US, looked_back_to_us=1, scanned_lines=0)

    assert [facet.n for facet in counted.namespaces] == list(range(20, 20 - MOST_VALUES, -1))
    assert all(facet.is_least for facet in counted.namespaces)
    assert counted.apps == counted.levels == ()
