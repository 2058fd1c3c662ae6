"""Times in which nothing may be changed: once, or every week. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from copilot.domain.errors import Invalid
from copilot.domain.objects import epoch_us

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKLY = re.compile(
    rf"({'|'.join(_DAYS)}) (\d\d):(\d\d)-({'|'.join(_DAYS)}) (\d\d):(\d\d)(?: (.*))?"
)
_ONCE = re.compile(r"(\S+)/(\S+)(?: (.*))?")
_DAY_S = 86_400
_WEEK_S = 7 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A time in which nothing may be changed, `since_us` included, `until_us` not."""

    since_us: int
    until_us: int
    reason: str

    def holds(self, now_us: int) -> bool:
        return self.since_us <= now_us < self.until_us


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyFreeze:
    """The same every week, in seconds since Monday 00:00 UTC; `until_s` may lie before `since_s`
    and is next week's then."""

    since_s: int
    until_s: int
    reason: str

    def holds(self, now_us: int) -> bool:
        now = datetime.fromtimestamp(now_us / 1_000_000, UTC)
        monday = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=now.weekday())
        second = (now - monday).total_seconds()
        return (second - self.since_s) % _WEEK_S < (self.until_s - self.since_s) % _WEEK_S


def parse_freeze(text: str) -> Freeze | WeeklyFreeze:
    """`Fri 16:00-Mon 08:00 weekend` (UTC) or `2026-12-24T00:00Z/2026-12-27T00:00Z holidays`.

    Raises:
        Invalid: it is neither.
    """
    if weekly := _WEEKLY.fullmatch(text):
        day, hour, minute, to_day, to_hour, to_minute, reason = weekly.groups()
        return WeeklyFreeze(
            since_s=_DAYS.index(day) * _DAY_S + int(hour) * 3600 + int(minute) * 60,
            until_s=_DAYS.index(to_day) * _DAY_S + int(to_hour) * 3600 + int(to_minute) * 60,
            reason=reason or text,
        )
    if once := _ONCE.fullmatch(text):
        since, until, reason = once.groups()
        return Freeze(since_us=_us(since, text), until_us=_us(until, text), reason=reason or text)
    raise Invalid(f"{text!r} is no freeze: say `Fri 16:00-Mon 08:00 why` or `START/END why`")


def _us(moment: str, text: str) -> int:
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        raise Invalid(f"{moment!r} in the freeze {text!r} is no time") from None
    return epoch_us(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
