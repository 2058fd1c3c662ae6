"""What was looked up lately, so that asking again costs nothing for some seconds."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from copilot.ports import Clock

T = TypeVar("T")


class Recent(Generic[T]):
    """At most so many, by hash; the one that was looked up longest ago makes room."""

    def __init__(self, clock: Clock, *, keep_s: float, most: int) -> None:
        self._clock = clock
        self._keep_us = int(keep_s * 1_000_000)
        self._most = most
        self._kept: OrderedDict[bytes, tuple[T, int]] = OrderedDict()

    def get(self, key: bytes) -> T | None:
        """None where it must be looked up again."""
        found = self._kept.get(key)
        if found is None or self._clock.now_us() - found[1] >= self._keep_us:
            return None
        return found[0]

    def has_met(self, key: bytes) -> bool:
        """Whether it was there some time, however long ago."""
        return key in self._kept

    def put(self, key: bytes, value: T) -> None:
        self._kept[key] = (value, self._clock.now_us())
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def drop(self, key: bytes) -> None:
        self._kept.pop(key, None)

    def clear(self) -> None:
        self._kept.clear()
