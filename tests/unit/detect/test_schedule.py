"""When a CronJob is due."""

from datetime import UTC, datetime

import pytest

from copilot.detect.schedule import due_after, parse_schedule

MONDAY = datetime(2026, 11, 23, 8, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "zone", "due"),
    [
        ("* * * * *", None, "2026-11-23T08:01"),
        ("*/15 * * * *", None, "2026-11-23T08:15"),
        ("0 8 * * *", None, "2026-11-24T08:00"),
        ("5-10/5,50 9 * * *", None, "2026-11-23T09:05"),
        ("10/20 * * * *", None, "2026-11-23T08:10"),
        ("0 0 * * SUN", None, "2026-11-29T00:00"),
        ("0 0 * * 7", None, "2026-11-29T00:00"),
        ("0 0 1 jan *", None, "2027-01-01T00:00"),
        ("0 0 1 * 2", None, "2026-11-24T00:00"),
        ("0 0 1-7 * *", None, "2026-12-01T00:00"),
        ("0 0 29 2 *", None, "2028-02-29T00:00"),
        ("@hourly", None, "2026-11-23T09:00"),
        ("@Daily", None, "2026-11-24T00:00"),
        ("0 10 * * *", "Europe/Berlin", "2026-11-23T09:00"),
    ],
)
def test_the_next_time_is_the_first_that_fits(schedule: str, zone: str | None, due: str) -> None:
    found = due_after(schedule, zone, MONDAY)

    assert found is not None
    assert found.astimezone(UTC).isoformat()[:16] == due


@pytest.mark.parametrize(
    "schedule",
    [
        "@every 5m",
        "* * * *",
        "61 * * * *",
        "*/0 * * * *",
        "a * * * *",
        "0 0 * * 8",
        "5-1 * * * *",
        "",
    ],
)
def test_what_is_no_schedule_is_said_so(schedule: str) -> None:
    with pytest.raises(ValueError, match=r"schedule|within|invalid|not"):
        parse_schedule(schedule, None)


def test_a_time_zone_that_is_none_is_never_due() -> None:
    assert due_after("* * * * *", "Nowhere/At-All", MONDAY) is None


def test_a_day_that_never_comes_is_never_due() -> None:
    assert due_after("0 0 30 2 *", None, MONDAY) is None
