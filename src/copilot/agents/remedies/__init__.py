"""What may be done about a cause: one pure function a cause, giving typed actions, or, for people,
why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis
from copilot.domain.proposal import Draft

Remedy = Callable[[Case, Hypothesis], Iterator[Draft | str]]
"""Drafts, best first, or a sentence for people that says why something they may expect is not
suggested."""

REMEDIES: dict[Cause, Remedy] = {}
