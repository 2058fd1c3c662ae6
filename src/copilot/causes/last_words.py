"""What a container said last before it ended."""

from __future__ import annotations

from copilot.causes.citing import line_key
from copilot.causes.failures import Ending
from copilot.domain.case import Case
from copilot.domain.event import LogLine

AFTER_US = 1_000_000
"""Statuses carry whole seconds."""
_ERRORS = ("error", "fatal")


def last_words(case: Case, ending: Ending) -> LogLine | None:
    """The last error before an end, else the last line, as far as it is evidence."""
    mine = [
        line
        for line in case.lines
        if line.pod == ending.pod.metadata.name
        and line.container in ("", ending.container)
        and line.ts_us <= ending.finished_us + AFTER_US
        and line_key(line) in case.cited_as
    ]
    errors = [line for line in mine if line.level in _ERRORS]
    return next(reversed(errors or mine), None)
