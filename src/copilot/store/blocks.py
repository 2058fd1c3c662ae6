"""A block: a few thousand log lines as compressed columns. Pure.

Layout of a body: one version byte, then a zstd frame. Version 1 holds a msgpack array of columns
(`_Columns`); texts lie end to end in one byte string, so that a search looks at a whole block at
once before it looks at lines. A reader knows every version ever written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

import msgspec

from copilot.store.coding import pack, unpack, utf8

MAX_LINES = 5_000
MAX_BYTES = 3 * 1024 * 1024
"""Of text: a block stays under 4 MiB, whatever it holds (a longer line is a block of its own)."""

MAX_SPAN_US = 3_600_000_000
"""From a block's oldest to its newest line: a look at some time need not look much further."""

_VERSION = b"\x01"


class _Columns(msgspec.Struct, array_like=True, frozen=True):
    ts_us: list[int]
    """The first as it is, the others as differences to the one before."""
    streams: list[int]
    """Ids; `stream` indexes into it."""
    stream: list[int]
    templates: list[int]
    template: list[int]
    severity: list[int]
    ends: list[int]
    """Where each text ends in `text`."""
    text: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a block; `number` counts from the block's first."""

    number: int
    ts_us: int
    stream_id: int
    severity: int
    text: str


@dataclass(slots=True, kw_only=True)
class Block:
    """Columns of equal length with lasting ids."""

    ts_us: list[int]
    stream: list[int]
    template: list[int]
    severity: list[int]
    text: list[bytes]

    def __len__(self) -> int:
        return len(self.text)

    def encode(self) -> bytes:
        """The body to store."""
        streams, stream = _indexed(self.stream)
        templates, template = _indexed(self.template)
        columns = _Columns(
            ts_us=[a - b for a, b in zip(self.ts_us, [0, *self.ts_us], strict=False)],
            streams=streams,
            stream=stream,
            templates=templates,
            template=template,
            severity=self.severity,
            ends=list(accumulate(map(len, self.text))),
            text=b"".join(self.text),
        )
        return _VERSION + pack(_ENCODER.encode(columns))


class OpenedBlock:
    """A stored body, read back."""

    def __init__(self, body: bytes) -> None:
        if body[:1] != _VERSION:
            raise ValueError(f"a block of version {body[:1]!r}, which this program cannot read")
        self._columns = _DECODER.decode(unpack(body[1:]))
        self._ts_us = list(accumulate(self._columns.ts_us))

    def __len__(self) -> int:
        return len(self._ts_us)

    def line(self, number: int) -> Line:
        columns = self._columns
        start = columns.ends[number - 1] if number else 0
        return Line(
            number=number,
            ts_us=self._ts_us[number],
            stream_id=columns.streams[columns.stream[number]],
            severity=columns.severity[number],
            text=columns.text[start : columns.ends[number]].decode(),
        )

    def of_streams(self, streams: frozenset[int]) -> Iterator[Line]:
        """Lines of these streams, in order."""
        wanted = {i for i, stream_id in enumerate(self._columns.streams) if stream_id in streams}
        for number, index in enumerate(self._columns.stream):
            if index in wanted:
                yield self.line(number)

    def containing(self, words: list[bytes], excluded: list[bytes]) -> Iterator[Line]:
        """Lines with every word and none of the excluded, in order; words are in lower case
        (ASCII letters match in either case)."""
        whole = self._columns.text.lower()
        if not all(word in whole for word in words):
            return
        start = 0
        for number, end in enumerate(self._columns.ends):
            text = whole[start:end]
            start = end
            if all(word in text for word in words) and not any(word in text for word in excluded):
                yield self.line(number)


def cut(ts_us: list[int], texts: list[bytes]) -> Iterator[tuple[int, int]]:
    """Where to cut lines into blocks by number, bytes and time: from, to (not included)."""
    start, size, first_us, last_us = 0, 0, ts_us[0], ts_us[0]
    for number, (at_us, text) in enumerate(zip(ts_us, texts, strict=True)):
        first_us, last_us = min(first_us, at_us), max(last_us, at_us)
        size += len(text)
        is_over = (
            number - start >= MAX_LINES or size > MAX_BYTES or last_us - first_us > MAX_SPAN_US
        )
        if is_over and number > start:
            yield start, number
            start, size, first_us, last_us = number, len(text), at_us, at_us
    yield start, len(texts)


def encoded(bodies: list[str]) -> list[bytes]:
    """The texts as UTF-8; lone surrogates become `?`."""
    try:
        return [body.encode() for body in bodies]
    except UnicodeEncodeError:
        return [utf8(body) for body in bodies]


def pack_ids(ids: Iterable[int]) -> bytes:
    """A set of ids: sorted, 8 bytes each, little-endian."""
    sorted_ids = sorted(set(ids))
    return struct.pack(f"<{len(sorted_ids)}q", *sorted_ids)


def unpack_ids(data: bytes) -> frozenset[int]:
    """What `pack_ids` was given."""
    return frozenset(struct.unpack(f"<{len(data) // 8}q", data))


def _indexed(ids: list[int]) -> tuple[list[int], list[int]]:
    """The distinct ids, and each id's index among them."""
    index = {one: i for i, one in enumerate(dict.fromkeys(ids))}
    return list(index), [index[one] for one in ids]
