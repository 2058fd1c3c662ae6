"""Warnings about what strangers send, said once a minute for each kind.

A sender decides how often it sends. Where our own log comes back through a sender, a warning for
every request would be a line for every line.
"""

from __future__ import annotations

from collections.abc import Hashable

from copilot.ports import Clock

EVERY_US = 60_000_000
MOST_KINDS = 200


class Muffled:
    """Says whether something may be said again, and how often it was left out since."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said: dict[Hashable, tuple[int, int]] = {}
        """When it was said last, and how often it was left out since."""

    def left_out(self, *kind: Hashable) -> int | None:
        """How often it was left out before; None where it is left out now."""
        now_us = self._clock.now_us()
        if kind not in self._said and len(self._said) >= MOST_KINDS:
            kind = ("other",)
        said_us, n = self._said.get(kind, (0, 0))
        if kind in self._said and now_us - said_us < EVERY_US:
            self._said[kind] = (said_us, n + 1)
            return None
        self._said[kind] = (now_us, 0)
        return n
