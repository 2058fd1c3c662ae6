"""The check that every sentence must pass: it cites evidence, and that evidence exists. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from copilot.causes.wording import one_line
from copilot.domain.hypothesis import Statement

LONGEST = 400
"""Characters of one sentence; a longer one is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Sentences that may be said, and how many may not."""

    kept: tuple[Statement, ...]
    dropped: int


def checked(statements: Iterable[Statement], known: Iterable[str]) -> Checked:
    """Those that say something and cite evidence that exists, each id once, as plain lines.

    One unknown id makes a whole sentence untrustworthy: it is dropped and counted.
    """
    ids = frozenset(known)
    kept, dropped = [], 0
    for statement in statements:
        text = one_line(statement.text, LONGEST)
        cites = tuple(dict.fromkeys(statement.evidence))
        if text and cites and ids.issuperset(cites):
            kept.append(Statement(text=text, evidence=cites))
        else:
            dropped += 1
    return Checked(kept=tuple(kept), dropped=dropped)


def clamped(confidence: float) -> float:
    """A model's figure as a confidence of 0 to 1; what is no number is 0."""
    if confidence != confidence:  # noqa: PLR0124
        return 0.0
    return round(min(max(confidence, 0.0), 1.0), 2)
