"""How it is handled: written procedures and where they fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

RunbookId = NewType("RunbookId", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """`slug` is stable (the file's name); `body` is Markdown."""

    id: RunbookId
    slug: str
    service: str
    title: str
    body: str
    tags: tuple[str, ...]
    source: str
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookMatch:
    """A runbook that fits a case, with why. Guidance is not evidence."""

    runbook_id: RunbookId
    slug: str
    title: str
    score: float
    """0 to 1."""
    reason: str
    steps: tuple[str, ...]
