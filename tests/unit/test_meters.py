"""What is counted is told in Prometheus' own text, and nothing can make it grow without end."""

from __future__ import annotations

import pytest

from copilot.meters import MOST_SERIES, Counter, Gauge, Histogram, text_of


def test_a_counter_tells_each_label_and_what_it_is() -> None:
    counter = Counter("lines_total", "Lines.", ("source",))

    counter.add("otlp")
    counter.add("fluentbit", n=41)
    counter.add("fluentbit")

    assert text_of([counter]) == (
        "# HELP lines_total Lines.\n# TYPE lines_total counter\n"
        'lines_total{source="fluentbit"} 42\nlines_total{source="otlp"} 1\n'
    )


def test_a_histogram_tells_how_many_up_to_each_bound() -> None:
    times = Histogram("took_seconds", "Time.", ("leg",), bounds=(0.1, 1.0))

    for value in (0.05, 0.1, 0.5, 7.0):
        times.observe("investigate", value=value)

    assert text_of([times]).splitlines()[2:] == [
        'took_seconds_bucket{leg="investigate",le="0.1"} 2',
        'took_seconds_bucket{leg="investigate",le="1"} 3',
        'took_seconds_bucket{leg="investigate",le="+Inf"} 4',
        'took_seconds_sum{leg="investigate"} 7.65',
        'took_seconds_count{leg="investigate"} 4',
    ]


def test_a_gauge_forgets_what_is_no_longer_there() -> None:
    gauge = Gauge("jobs", "Jobs.", ("queue",))
    gauge.set("index", value=3)

    gauge.replace({("consult",): 1})

    assert text_of([gauge]).splitlines()[2:] == ['jobs{queue="consult"} 1']


def test_labels_that_come_without_end_are_counted_together() -> None:
    counter = Counter("requests_total", "Requests.", ("route",))

    for n in range(MOST_SERIES + 50):
        counter.add(f"/{n}")

    assert counter.value("other") == 50
    assert len(text_of([counter]).splitlines()) == 2 + MOST_SERIES + 1


def test_a_label_cannot_break_out_of_its_quotes() -> None:
    counter = Counter("odd_total", "Odd.", ("what",))

    counter.add('a"} 1\nevil_total 9\\')

    (line,) = text_of([counter]).splitlines()[2:]
    assert line == r'odd_total{what="a\"} 1\nevil_total 9\\"} 1'


def test_an_instrument_is_not_counted_under_other_labels_than_its_own() -> None:
    with pytest.raises(ValueError, match="took_total has the labels"):
        Counter("took_total", "Took.", ("leg",)).add("a", "b")
