"""How it is handled: written procedures and where they fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

RunbookId = NewType("RunbookId", int)

MOST_SECTIONS = 1024
"""What is longer is cut: nobody reads it. A section's id is the runbook's times this, plus `seq`."""

_HEADING = re.compile(r"^##[ \t]+(.*)$", re.MULTILINE)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a runbook; `heading` is empty for what stands before the first."""

    seq: int
    heading: str
    text: str


def sections_of(body: str) -> tuple[Section, ...]:
    """A runbook's body at its headings of the second level; those without a text are left out."""
    heading, *rest = _HEADING.split(f"## \n{body}")[1:]
    parts = [(heading, rest[0]), *zip(rest[1::2], rest[2::2], strict=True)]
    found = [(heading.strip(), text.strip()) for heading, text in parts if text.strip()]
    return tuple(
        Section(seq=seq, heading=heading, text=text)
        for seq, (heading, text) in enumerate(found[:MOST_SECTIONS])
    )


def section_id(runbook_id: RunbookId, seq: int) -> int:
    """Under which a section is indexed."""
    return runbook_id * MOST_SECTIONS + seq


def runbook_of(section: int) -> RunbookId:
    """The runbook of a section's id."""
    return RunbookId(section // MOST_SECTIONS)
