"""When a CronJob is due: the schedules that its controller takes.

Five fields with names, ranges, lists and steps, and `@hourly` and the like. Where both the day of
the month and the day of the week are given, either will do.
https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_YEARS = 5
"""Further ahead nothing is looked for: the 29th of February comes every four years, mostly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The minutes at which something is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    is_any_day: bool
    is_any_weekday: bool
    zone: tzinfo

    def next_after(self, moment: datetime) -> datetime | None:
        """The first due time after this one, in its own zone; None for none in years."""
        at = moment.astimezone(self.zone).replace(second=0, microsecond=0) + timedelta(minutes=1)
        last = at + timedelta(days=366 * _YEARS)
        while at < last:
            if at.month not in self.months or not self._is_due_on(at):
                at = at.replace(hour=0, minute=0) + timedelta(days=1)
            elif at.hour not in self.hours:
                at = at.replace(minute=0) + timedelta(hours=1)
            elif at.minute not in self.minutes:
                at += timedelta(minutes=1)
            else:
                return at
        return None

    def _is_due_on(self, at: datetime) -> bool:
        is_day = at.day in self.days
        is_weekday = at.isoweekday() % 7 in self.weekdays
        if self.is_any_day or self.is_any_weekday:
            return is_day and is_weekday
        return is_day or is_weekday


@lru_cache(4096)
def due_after(schedule: str, time_zone: str | None, moment: datetime) -> datetime | None:
    """The first due time after this one; None where it is never due, or we cannot tell."""
    try:
        return parse_schedule(schedule, time_zone).next_after(moment)
    except ValueError:
        return None


def parse_schedule(text: str, time_zone: str | None) -> Schedule:
    """The schedule; without a time zone in UTC, as control planes mostly are.

    Raises:
        ValueError: it is none, or of a kind that we do not read (`@every 5m`).
    """
    fields = _MACROS.get(text.strip().lower(), text).split()
    if len(fields) != 5:
        raise ValueError(f"{text[:80]!r} is no schedule of five fields")
    minutes, hours, days, months, weekdays = (
        _numbers(field, low, high, names)
        for field, (low, high), names in zip(
            fields, _BOUNDS, ((), (), (), _MONTHS, _DAYS), strict=True
        )
    )
    return Schedule(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        is_any_day=fields[2][:1] in "*?",
        is_any_weekday=fields[4][:1] in "*?",
        zone=_zone(time_zone),
    )


def _zone(name: str | None) -> tzinfo:
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name[:80]!r} is no time zone") from error


def _numbers(field: str, low: int, high: int, names: tuple[str, ...]) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            start, end = low, high
        else:
            start = _number(first, names, low)
            end = _number(last, names, low) if dash else (high if slash else start)
        every = int(step) if slash else 1
        if every < 1 or not low <= start <= end <= high + (high == 6):
            raise ValueError(f"{field[:80]!r} is not within {low}-{high}")
        found.update(n % 7 if high == 6 else n for n in range(start, end + 1, every))
    return frozenset(found)


def _number(text: str, names: tuple[str, ...], low: int) -> int:
    name = text.lower()[:3]
    return names.index(name) + low if name in names else int(text)
