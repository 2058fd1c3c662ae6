"""MessagePack values one after the other, read as far as they go.

msgspec decodes one whole value and refuses text that is not UTF-8; a chunk of Fluent Bit's is many
values without an outer array, may be cut anywhere, and carries whatever bytes a program wrote. So
this small reader is the way for damaged chunks; sound ones take the fast way in `fluentbit`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_DEPTH = 64


class BadMessagePack(ValueError):
    """The bytes cannot be MessagePack from here on."""


class Truncated(BadMessagePack):
    """The bytes end within a value."""


@dataclass(frozen=True, slots=True)
class Extension:
    """A value of an application's own type."""

    code: int
    data: bytes


_FIXED: dict[int, tuple[str, int]] = {
    0xCA: (">f", 4),
    0xCB: (">d", 8),
    0xCC: (">B", 1),
    0xCD: (">H", 2),
    0xCE: (">I", 4),
    0xCF: (">Q", 8),
    0xD0: (">b", 1),
    0xD1: (">h", 2),
    0xD2: (">i", 4),
    0xD3: (">q", 8),
}
_CONSTANTS: dict[int, object] = {0xC0: None, 0xC2: False, 0xC3: True}


def values_in(body: bytes) -> Iterator[tuple[int, int, object]]:
    """Each value with where it begins and ends.

    Raises:
        BadMessagePack: after the last good value, where something is left.
    """
    reader = _Reader(body)
    while reader.position < len(body):
        start = reader.position
        value = reader.value(0)
        yield start, reader.position, value


class _Reader:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self.position = 0

    def value(self, depth: int) -> object:
        if depth > MAX_DEPTH:
            raise BadMessagePack(f"nested deeper than {MAX_DEPTH}")
        code = self._number(1)
        if code < 0x80:
            return code
        if code >= 0xE0:
            return code - 256
        if code < 0xC0:
            return self._short(code, depth)
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        if code in _FIXED:
            form, size = _FIXED[code]
            number: object = struct.unpack(form, self._take(size))[0]
            return number
        return self._long(code, depth)

    def _short(self, code: int, depth: int) -> object:
        if code < 0x90:
            return self._map(code & 0x0F, depth)
        if code < 0xA0:
            return self._array(code & 0x0F, depth)
        return self._text(code & 0x1F)

    def _long(self, code: int, depth: int) -> object:
        if 0xC4 <= code <= 0xC6:
            return self._text(self._number(1 << (code - 0xC4)))
        if 0xC7 <= code <= 0xC9:
            return self._extension(self._number(1 << (code - 0xC7)))
        if 0xD4 <= code <= 0xD8:
            return self._extension(1 << (code - 0xD4))
        if 0xD9 <= code <= 0xDB:
            return self._text(self._number(1 << (code - 0xD9)))
        container: dict[int, tuple[int, Callable[[int, int], object]]] = {
            0xDC: (2, self._array),
            0xDD: (4, self._array),
            0xDE: (2, self._map),
            0xDF: (4, self._map),
        }
        if code not in container:
            raise BadMessagePack(f"byte 0x{code:02x} begins no value")
        size, read = container[code]
        return read(self._number(size), depth)

    def _take(self, size: int) -> bytes:
        end = self.position + size
        if end > len(self._body):
            raise Truncated("the chunk ends within a record")
        taken = self._body[self.position : end]
        self.position = end
        return taken

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _text(self, size: int) -> str:
        return self._take(size).decode("utf-8", "replace")

    def _extension(self, size: int) -> Extension:
        code = self._number(1)
        return Extension(code, self._take(size))

    def _array(self, count: int, depth: int) -> list[object]:
        return [self.value(depth + 1) for _ in range(count)]

    def _map(self, count: int, depth: int) -> dict[str, object]:
        fields: dict[str, object] = {}
        for _ in range(count):
            key = self.value(depth + 1)
            fields[key if isinstance(key, str) else str(key)] = self.value(depth + 1)
        return fields
