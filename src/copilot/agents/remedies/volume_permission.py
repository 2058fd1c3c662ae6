"""A program that may not write: back to before, else for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.remedies.templates import undone
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.proposal import Draft

_FOR_PEOPLE = {
    "read_only_mount": "whether the volume may be mounted writable is for people to say",
    "read_only_root": "a writable volume at that path is for people to add: an emptyDir will do",
}


def volume_permission(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Security settings are not ours to loosen."""
    found = tuple(undone(case, hypothesis))
    yield from found
    if not found:
        yield _FOR_PEOPLE.get(
            hypothesis.detail, "whom the files should belong to (fsGroup, runAsUser) is for people"
        )
