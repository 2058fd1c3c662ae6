"""How a process that serves keeps its memory."""

from __future__ import annotations

import ctypes
import gc

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""glibc's numbers in `mallopt(3)`."""
LARGE_BYTES = 32 * 1024 * 1024
SPARE_BYTES = 64 * 1024 * 1024
ARENAS = 4
YOUNG_OBJECTS = 20_000
"""Made since the last look for cycles: a few bodies' worth. Python's own is 700."""


def reuse_large_buffers() -> bool:
    """Keep the pages of bodies and columns for the next ones; whether that could be said.

    glibc takes what is larger than 128 KiB from the system and gives it back at once, so every
    request would fault in all its pages again. Elsewhere (musl, macOS) nothing is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    asked = (
        (_M_MMAP_THRESHOLD, LARGE_BYTES),
        (_M_TRIM_THRESHOLD, SPARE_BYTES),
        (_M_ARENA_MAX, ARENAS),
    )
    outcomes = [mallopt(what, value) for what, value in asked]  # each, whatever the others say
    return all(outcomes)


def look_less_for_cycles() -> None:
    """Bodies bring thousands of objects at once that go with their batch: no sign of cycles.

    What was made until now (modules, settings) is never looked through again.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
