"""The search language: words, and operators that narrow.

    oom "connection refused" -healthz ns:payments app:web level:warn kind:log,event since:2h

| operator | means |
|---|---|
| `word`, `"a phrase"` | must occur |
| `-word`, `-"a phrase"` | must not occur |
| `ns:` `namespace:` | of this namespace |
| `app:` | of this application |
| `level:warn` `level:>=warn` `level:>warn` | at least (above) this level |
| `kind:log,event` | logs, events, incidents, runbooks, changes |
| `since:` `until:` | `90s` `15m` `2h` `3d` `1w` ago, a day or a time such as `2026-11-23T07:30Z` |

What is no operator is words: nothing anybody types is an error but a time or a level that makes
no sense.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from copilot.domain.errors import Invalid
from copilot.domain.event import Severity
from copilot.domain.search import HitKind, Query

LONGEST_TEXT = 2000
MOST_TERMS = 32
MOST_HITS = 500

_DAY_US = 86_400_000_000
_UNITS_US = {
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": _DAY_US,
    "w": 7 * _DAY_US,
}
_LEVELS = {
    "trace": Severity.TRACE,
    "debug": Severity.DEBUG,
    "info": Severity.INFO,
    "warn": Severity.WARN,
    "warning": Severity.WARN,
    "error": Severity.ERROR,
    "err": Severity.ERROR,
    "fatal": Severity.FATAL,
    "critical": Severity.FATAL,
}
_STEP = 4
"""From one level's number to the next."""

_UNFINISHED = frozenset({"ns:", "namespace:", "app:", "level:", "kind:", "since:", "until:"})

_TERM = re.compile(r'(?P<minus>-?)(?:(?P<key>[A-Za-z]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<bare>\S+))')
_AGO = re.compile(r"(\d{1,6})([smhdw])")


def parse(text: str, *, now_us: int, limit: int) -> Query:
    """The query that `text` asks for; at most `MOST_TERMS` words and as many phrases count.

    With no `until:` it reaches a day beyond now, so that clocks running ahead hide nothing.

    Raises:
        Invalid: a `since:`, `until:` or `level:` that cannot be read, with what would be.
    """
    parts = _Parts(until_us=now_us + _DAY_US)
    for match in _TERM.finditer(text[:LONGEST_TEXT]):
        value = match["quoted"] if match["bare"] is None else match["bare"]
        if not any(c.isalnum() for c in value) or value.lower() in _UNFINISHED:
            continue  # a lone dash, an empty pair of quotes, an operator that lacks its value yet
        if match["minus"]:
            parts.exclude(match, value)
        elif not parts.narrow((match["key"] or "").lower(), value, now_us):
            parts.require(match, value)
    return Query(
        words=tuple(parts.words[:MOST_TERMS]),
        phrases=tuple(parts.phrases[:MOST_TERMS]),
        excluded=tuple(parts.excluded[:MOST_TERMS]),
        kinds=frozenset(parts.kinds or HitKind),
        namespace=parts.namespace,
        app=parts.app,
        min_severity=parts.min_severity,
        since_us=parts.since_us,
        until_us=parts.until_us,
        limit=min(max(1, limit), MOST_HITS),
    )


@dataclass(slots=True, kw_only=True)
class _Parts:
    """What has been read so far; of an operator that is given twice the last one holds."""

    until_us: int
    since_us: int = 0
    namespace: str = ""
    app: str = ""
    min_severity: int = 0
    words: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    kinds: set[HitKind] = field(default_factory=set)

    def narrow(self, key: str, value: str, now_us: int) -> bool:
        """True where this was an operator."""
        match key:
            case "ns" | "namespace":
                self.namespace = value
            case "app":
                self.app = value
            case "level":
                self.min_severity = _severity(value)
            case "since":
                self.since_us = _moment_us(key, value, now_us)
            case "until":
                self.until_us = _moment_us(key, value, now_us)
            case "kind":
                return self._narrow_kinds(value)
            case _:
                return False
        return True

    def _narrow_kinds(self, value: str) -> bool:
        known = {kind.value: kind for kind in HitKind}
        names = [name.strip().lower().removesuffix("s") for name in value.split(",")]
        kinds = {known[name] for name in names if name in known}
        self.kinds |= kinds
        return bool(kinds)

    def require(self, match: re.Match[str], value: str) -> None:
        if match["key"]:
            self.words.append(match.group().replace('"', ""))
        elif match["quoted"] is not None:
            self.phrases.append(" ".join(value.split()))
        else:
            self.words.append(value)

    def exclude(self, match: re.Match[str], value: str) -> None:
        key = f"{match['key']}:" if match["key"] else ""
        self.excluded.append(" ".join((key + value).split()))


def _severity(value: str) -> int:
    name = value.lower().lstrip(">=")
    if name not in _LEVELS:
        names = "trace, debug, info, warn, error, fatal"
        raise Invalid(f"level:{value} is no level; one of {names}, such as level:>=warn")
    is_above = value.startswith(">") and not value.startswith(">=")
    return _LEVELS[name] + (_STEP if is_above else 0)


def _moment_us(key: str, value: str, now_us: int) -> int:
    """So long before now, or a day or time (UTC where it names no zone)."""
    if ago := _AGO.fullmatch(value.lower()):
        return now_us - int(ago[1]) * _UNITS_US[ago[2]]
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Invalid(
            f"{key}:{value} is no time; write {key}:2h (s, m, h, d or w) or {key}:2026-11-23T07:30Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)
