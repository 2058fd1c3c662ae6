"""JSON values one after the other, found in text that as a whole is not valid JSON.

For bodies that are glued together without separators, cut off, or broken in one place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)
_CLOSING = {ord("{"): b"}", ord("["): b"]"}
_OPENING = frozenset(b"{[")
_scan = json.JSONDecoder().raw_decode


def glued_values(body: bytes) -> Iterator[bytes]:
    """The JSON text of each value in a row, whether separated by nothing, spaces or commas.

    From the first broken one on, what is left comes by `split_objects`.
    """
    text = body.decode("utf-8", "replace")
    position = _skip(text, 0)
    while position < len(text):
        try:
            _, end = _scan(text, position)
        except (ValueError, RecursionError):
            yield from split_objects(text[position:].encode())
            return
        yield text[position:end].encode()
        position = _skip(text, end)


def split_objects(body: bytes) -> Iterator[bytes]:
    """The text of each outermost object or array, sound or not, by its brackets alone.

    What lies between two of them, and what is left at the end, comes too.
    """
    depth = start = 0
    for token in _TOKEN.finditer(body):
        char = token[0][0]
        if char in _OPENING:
            if depth == 0 and (between := _trimmed(body[start : token.start()])):
                yield between
            start = token.start() if depth == 0 else start
            depth += 1
        elif char in b"}]" and depth:
            depth -= 1
            if depth == 0:
                yield body[start : token.end()]
                start = token.end()
    if rest := _trimmed(body[start:]):
        yield rest


def array_items(body: bytes) -> Iterator[bytes]:
    """The text of each item of one array that may be cut off or broken."""
    inner = body.strip().removeprefix(b"[")
    return split_objects(inner.removesuffix(b"]") if body.rstrip().endswith(b"]") else inner)


def closed_after(body: bytes, depth: int) -> tuple[bytes, bytes] | None:
    """A cut-off document, closed after the last whole value at a depth, and what was cut off.

    `depth` counts the brackets around the value. None where no such value is whole.
    """
    stack: list[int] = []
    best: tuple[int, list[int]] | None = None
    for token in _TOKEN.finditer(body):
        char = token[0][0]
        if char in _OPENING:
            stack.append(char)
        elif char in b"}]" and stack:
            stack.pop()
            if len(stack) == depth:
                best = token.end(), list(stack)
    if best is None:
        return None
    end, opened = best
    closing = b"".join(_CLOSING[char] for char in reversed(opened))
    return body[:end] + closing, body[end:]


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n,":
        position += 1
    return position


def _trimmed(between: bytes) -> bytes:
    return between.strip(b" \t\r\n,")
