"""Shapes: what is left of lines when their numbers and hashes are forgotten. Pure.

Lines of one template differ in values, so everything that does not depend on values is worked out
once for a shape and remembered by it. In a shape every run of digits is one `0`, and so is every
run of hexadecimal digits (small letters) around a digit; all else stands as it was. A token with a
digit in it is masked whole anyway, so a shape has the template of each of its lines.

A whole column is reshaped at once: bits say where digits and letters are, and shifting them spreads
"there is a digit" along a run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_CHARS = 1000
"""Longer lines, and those of several lines, have no shape: they are looked at one by one."""

_REACH = (1, 2, 4, 8, 16)
"""Doubling steps: a letter is taken into a run up to 31 places from its nearest digit."""
_DROPPED = 255
"""A byte that no UTF-8 has."""
_AT_ONCE = 2000
"""Lines; more do not fit the processor's cache."""


def shapes_of(texts: Sequence[str]) -> list[bytes]:
    """The shape of each text as UTF-8, empty where it has none."""
    if len(texts) > _AT_ONCE:
        starts = range(0, len(texts), _AT_ONCE)
        return [shape for at in starts for shape in shapes_of(texts[at : at + _AT_ONCE])]
    joined = "\n".join(texts)
    if max(map(len, texts), default=0) > MAX_CHARS or joined.count("\n") != len(texts) - 1:
        joined = "\n".join("" if len(t) > MAX_CHARS or "\n" in t else t for t in texts)
    return _reshaped(joined.encode("utf-8", "surrogatepass")).split(b"\n")[: len(texts)]


def _reshaped(text: bytes) -> bytes:
    size = len(text)
    letters = np.frombuffer(text, np.uint8)
    is_digit = letters - ord("0") < 10  # what is less than a digit becomes more: unsigned
    digits = _bits(is_digit)
    before = after = _bits(is_digit | (letters - ord("a") < 6))
    left = right = digits
    for step in _REACH:
        right |= before & (right << step)
        before &= before << step
        left |= after & (left >> step)
        after &= after >> step
    masked = left | right
    is_masked = -_flags(masked, size)  # 255 for yes: an unsigned byte
    is_repeated = -_flags(masked & (masked << 1), size)
    shape = (letters & ~is_masked) | (is_masked & ord("0")) | is_repeated
    return bytes(shape.tobytes().translate(None, bytes([_DROPPED])))


def _bits(flags: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def _flags(bits: int, size: int) -> NDArray[np.uint8]:
    """One byte a bit, 0 or 1."""
    packed = bits.to_bytes(size // 8 + 2, "little")
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=size, bitorder="little")
