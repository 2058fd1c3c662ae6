"""What the scheduler says where no node takes a pod. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_AVAILABLE = re.compile(r"(?<!\d)(\d+)/(\d+) nodes are available: (.*?)(?:\.(?:\s|$)|$)", re.DOTALL)
_REASON = re.compile(r"(?<!\d)(\d+) ((?:[^,{]|\{[^{}]*\})+)")
_PLAIN = (
    ("node(s) didn't match Pod's node affinity/selector", "node selector or affinity not met"),
    ("node(s) had untolerated taint ", "taint not tolerated: "),
    ("node(s) were unschedulable", "cordoned"),
    ("Insufficient ", "not enough "),
    ("node(s) ", ""),
)
MOST_CHARS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One reason of the scheduler and how many nodes it rules out, 0 where it does not say."""

    nodes: int
    reason: str

    @property
    def plain(self) -> str:
        """The reason in fewer words; as it is where we know none."""
        for said, meant in _PLAIN:
            if self.reason.startswith(said):
                return meant + self.reason.removeprefix(said)
        return self.reason


def obstacles_in(message: str) -> tuple[Obstacle, ...]:
    """The reasons in `0/2 nodes are available: 1 Insufficient memory, 1 Too many pods. ...`.

    What the scheduler says about claims and preemption after that is no reason of its own.
    """
    found = _AVAILABLE.search(message)
    if found is None:
        return (Obstacle(nodes=0, reason=_line(message)),) if message else ()
    each = tuple(Obstacle(nodes=int(r[1]), reason=_line(r[2])) for r in _REASON.finditer(found[3]))
    return each or (Obstacle(nodes=0, reason=_line(found[3])),)


def in_words(obstacles: Sequence[Obstacle]) -> str:
    """For titles: `not enough memory`, or `not enough memory (1 node), Too many pods (2 nodes)`."""
    if len(obstacles) == 1:
        return obstacles[0].plain
    return ", ".join(f"{o.plain} ({_nodes(o.nodes)})" for o in obstacles)


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _line(text: str) -> str:
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= MOST_CHARS else flat[: MOST_CHARS - 1] + "…"
