"""How values become columns: JSON text, compressed bytes, 16-byte keys. Pure."""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec
import zstandard

T = TypeVar("T")

_LEVEL = 1


def to_json(value: object) -> str:
    """Compact JSON; a lone surrogate, which no JSON text may hold, becomes `?`."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(_clean(msgspec.to_builtins(value))).decode()


def from_json(text: str | bytes, kind: type[T]) -> T:
    """What `to_json` wrote."""
    return msgspec.json.decode(text, type=kind)


def canonical_json(value: dict[str, object]) -> bytes:
    """The one JSON of these values: sorted keys, no spaces. For hashing."""
    try:
        return msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError:
        return msgspec.json.encode(_clean(value), order="sorted")


def pack(data: bytes) -> bytes:
    """Compressed."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(data)


def unpack(data: bytes) -> bytes:
    """What `pack` was given."""
    return zstandard.ZstdDecompressor().decompress(data)


def utf8(text: str) -> bytes:
    """UTF-8 of any text; lone surrogates become `?`."""
    return text.encode("utf-8", "replace")


def clip(text: str, length: int) -> str:
    """At most `length` characters: columns have a width on other databases."""
    return text if len(text) <= length else text[: length - 1] + "…"


def digest16(*parts: str | bytes | int) -> bytes:
    """16 bytes that stand for these parts, each kept apart from the next."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = utf8(str(part)) if not isinstance(part, bytes) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.digest()


def _clean(value: object) -> object:
    if isinstance(value, str):
        return utf8(value).decode()
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
