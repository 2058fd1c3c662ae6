"""How long what was recorded is kept, and what is kept for good.

Incidents with all that belongs to them (evidence, timeline, proposals, actions), the audit log,
memories and runbooks are never retired: what an incident cites was captured whole when it was
cited, so a room reads the same after its lines are gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from copilot.domain.errors import Invalid

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


class Tier(StrEnum):
    """What is kept for some time, each for its own."""

    LINES = "lines"
    """Log lines, in their blocks."""
    EVENTS = "events"
    """Rows: warnings and errors, Kubernetes events, alerts."""
    COUNTS = "counts"
    """How often each template was seen."""
    METRICS = "metrics"
    SPANS = "spans"
    CHANGES = "changes"
    """Versions of objects, but for the one that is current; objects that are deleted."""
    SET_ASIDE = "set_aside"
    """Records that could not be decoded."""
    FEED = "feed"
    """What screens replay after they were away."""
    MESSAGES = "messages"
    """Messages to people that are delivered or given up."""
    JOBS = "jobs"
    """Work for incidents that are resolved, which nobody took."""
    NAMES = "names"
    """Streams with their series, and templates, that were not seen for longer than anything that
    cites one is kept."""


CITING = (Tier.LINES, Tier.EVENTS, Tier.COUNTS, Tier.METRICS, Tier.SPANS)
"""What cites streams, series and templates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How much of a tier is kept; None stands for no bound."""

    age_us: int | None
    size: int | None
    """Bytes of lines; rows of everything else."""

    def before_us(self, now_us: int) -> int | None:
        """What is older than that goes."""
        return None if self.age_us is None else now_us - self.age_us


def names_of(given: Mapping[Tier, Keep]) -> Keep:
    """As long as the longest of what cites them; for ever where one of those has no age."""
    ages = [given[tier].age_us for tier in CITING]
    known = [age for age in ages if age is not None]
    return Keep(age_us=max(known) if len(known) == len(ages) else None, size=None)


Policy = Mapping[Tier, Keep]
"""Of a tier that is not in it everything is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """What went of a tier, or would go."""

    tier: Tier
    n: int
    """Rows; lines of the tier of lines."""
    bytes: int
    """Of lines; 0 elsewhere."""
    before_us: int
    """What was older than this went; 0 where nothing did."""
    reason: str
    """`age`, `size` or empty."""


_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]+)?")
_AGES = {"h": HOUR_US, "d": DAY_US}
_BYTES = {"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_ROWS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
FOREVER = "forever"


def parse_keep(tier: Tier, text: str) -> Keep:
    """`14d 20GiB` for lines, `30d 5M` (rows) for the others; either part may be left out, and
    `forever` leaves out both.

    Raises:
        Invalid: it is neither, with what was meant.
    """
    age_us: int | None = None
    size: int | None = None
    units = _BYTES if tier is Tier.LINES else _ROWS
    if text.strip() == FOREVER:
        return Keep(age_us=None, size=None)
    for part in text.split():
        found = _PART.fullmatch(part)
        number, unit = (float(found[1]), found[2] or "") if found else (0.0, "")
        if number > 0 and unit in _AGES and age_us is None:
            age_us = int(number * _AGES[unit])
        elif number > 0 and unit in units and size is None:
            size = int(number * units[unit])
        else:
            raise _not_understood(tier, text)
    if age_us is None and size is None:
        raise _not_understood(tier, text)
    return Keep(age_us=age_us, size=size)


def _not_understood(tier: Tier, text: str) -> Invalid:
    example = "14d 20GiB" if tier is Tier.LINES else "14d 5M"
    return Invalid(
        f"COPILOT_RETENTION_{tier.upper()} {text!r} is no age and size; write it like {example!r} "
        f"(hours h or days d; {', '.join(filter(None, _units(tier)))}), or {FOREVER!r}"
    )


def _units(tier: Tier) -> tuple[str, ...]:
    return tuple(_BYTES) if tier is Tier.LINES else ("rows, or " + ", ".join(filter(None, _ROWS)),)
