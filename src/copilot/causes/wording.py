"""How figures and moments read in sentences."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

CLOSE_US = 2_000_000


def clock(at_us: int) -> str:
    """Epoch microseconds as `12:00:08 UTC`."""
    return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at_us)).strftime("%H:%M:%S UTC")


def lasting(span_us: int) -> str:
    """A span in its largest fitting unit: `8 s`, `3 min`, `2 h`, `4 d`; never negative."""
    seconds = max(0, span_us) / 1_000_000
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"


def time_before(span_us: int) -> str:
    """`8 s before`; statuses carry whole seconds, so what lies closer is `Right before`."""
    return f"{lasting(span_us)} before" if span_us > CLOSE_US else "Right before"


def times(count: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def one_line(text: str, limit: int = 160) -> str:
    """Strangers' text as one line without control characters, cut to `limit` characters."""
    printable = "".join(c if c.isprintable() else " " for c in text[: limit * 4])
    flat = " ".join(printable.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def plain(value: str | None) -> str:
    """A change's JSON value for people: text without its quotes, anything else as it is."""
    if value is None:
        return ""
    try:
        parsed = json.loads(value)
    except ValueError:
        return value
    return parsed if isinstance(parsed, str) else value
