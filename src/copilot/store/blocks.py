"""A block: a few thousand log lines as compressed columns. Pure.

Layout of a body: one version byte, then
    version 2   the length of the first frame (4 bytes, little-endian), a zstd frame with a msgpack
                array of columns (`_Columns`), a zstd frame with the texts end to end
    version 1   one zstd frame with a msgpack array of columns and the texts (`_FirstColumns`)
Texts lie end to end, so that a search looks at a whole block at once before it looks at lines. A
reader knows every version ever written.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

import msgspec
import numpy as np
from numpy.typing import NDArray

from copilot.store.coding import pack, unpack, utf8

MAX_LINES = 5_000
MAX_BYTES = 3 * 1024 * 1024
"""Of text: a block stays under 4 MiB, whatever it holds (a longer line is a block of its own)."""

MAX_SPAN_US = 3_600_000_000
"""From a block's oldest to its newest line: a look at some time need not look much further."""

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
_FEW = 16
"""Of so many lines one at most: those are looked at, not the text of all."""
_VERSION = b"\x02"
_FIRST_VERSION = b"\x01"


class _Columns(msgspec.Struct, array_like=True, frozen=True):
    """Numbers little-endian, as narrow as the greatest allows, all first bytes before all second
    ones (zstd finds more alike then)."""

    n: int
    first_us: int
    ts_us: bytes
    """Differences to the line before, signed."""
    streams: bytes
    """Ids; `stream` indexes into it."""
    stream: bytes
    templates: bytes
    template: bytes
    severity: bytes
    lengths: bytes
    """Of the texts, in bytes."""


class _FirstColumns(msgspec.Struct, array_like=True, frozen=True):
    ts_us: list[int]
    streams: list[int]
    stream: list[int]
    templates: list[int]
    template: list[int]
    severity: list[int]
    ends: list[int]
    text: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Columns)
_FIRST_DECODER = msgspec.msgpack.Decoder(_FirstColumns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a block; `number` counts from the block's first."""

    number: int
    ts_us: int
    stream_id: int
    severity: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Columns of equal length with lasting ids; the texts lie end to end."""

    ts_us: Ints
    stream: Ints
    template: Ints
    severity: Ints
    lengths: Ints
    text: bytes

    def __len__(self) -> int:
        return len(self.ts_us)

    def parts(self) -> Iterator[Block]:
        """The same in blocks of a good size, at least one line each."""
        ends = np.concatenate(([0], np.cumsum(self.lengths)))
        for start, end in cut(self.ts_us, self.lengths):
            here = slice(start, end)
            yield Block(
                ts_us=self.ts_us[here],
                stream=self.stream[here],
                template=self.template[here],
                severity=self.severity[here],
                lengths=self.lengths[here],
                text=self.text[ends[start] : ends[end]],
            )

    def encode(self) -> bytes:
        """The body to store."""
        streams, stream = np.unique(self.stream, return_inverse=True)
        templates, template = np.unique(self.template, return_inverse=True)
        columns = _Columns(
            n=len(self),
            first_us=int(self.ts_us[0]),
            ts_us=_packed(np.diff(self.ts_us, prepend=self.ts_us[0])),
            streams=_packed(streams),
            stream=_packed(stream),
            templates=_packed(templates),
            template=_packed(template),
            severity=_packed(self.severity),
            lengths=_packed(self.lengths),
        )
        head = pack(_ENCODER.encode(columns))
        return b"".join((_VERSION, len(head).to_bytes(4, "little"), head, pack(self.text)))


def joined(blocks: Sequence[Block]) -> Block:
    """One block, of any size, of the lines of several."""
    return Block(
        ts_us=np.concatenate([block.ts_us for block in blocks]),
        stream=np.concatenate([block.stream for block in blocks]),
        template=np.concatenate([block.template for block in blocks]),
        severity=np.concatenate([block.severity for block in blocks]),
        lengths=np.concatenate([block.lengths for block in blocks]),
        text=b"".join([block.text for block in blocks]),
    )


class OpenedBlock:
    """A stored body, read back."""

    def __init__(self, body: bytes) -> None:
        if body[:1] == _VERSION:
            size = int.from_bytes(body[1:5], "little")
            self._head, self._text = body[5 : 5 + size], body[5 + size :]
            self._first: _FirstColumns | None = None
        elif body[:1] == _FIRST_VERSION:
            self._first = _FIRST_DECODER.decode(unpack(body[1:]))
        else:
            raise ValueError(f"a block of version {body[:1]!r}, which this program cannot read")

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def text(self) -> bytes:
        """All texts end to end."""
        return self._first.text if self._first is not None else unpack(self._text)

    @cached_property
    def columns(self) -> Block:
        """All of it."""
        return replace(self.numbers, text=self.text)

    @cached_property
    def numbers(self) -> Block:
        """All but the texts, which need not be read for it."""
        if self._first is not None:
            return _of_first(self._first)
        columns = _DECODER.decode(unpack(self._head))
        n = columns.n
        streams, templates = (_unpacked(ids) for ids in (columns.streams, columns.templates))
        return Block(
            ts_us=np.cumsum(_unpacked(columns.ts_us, n)) + columns.first_us,
            stream=streams[_unpacked(columns.stream, n)],
            template=templates[_unpacked(columns.template, n)],
            severity=_unpacked(columns.severity, n),
            lengths=_unpacked(columns.lengths, n),
            text=b"",
        )

    @cached_property
    def _ends(self) -> Ints:
        return np.cumsum(self.numbers.lengths)

    def line(self, number: int) -> Line:
        columns = self.numbers
        end = int(self._ends[number])
        return Line(
            number=number,
            ts_us=int(columns.ts_us[number]),
            stream_id=int(columns.stream[number]),
            severity=int(columns.severity[number]),
            text=self.text[end - int(columns.lengths[number]) : end].decode(),
        )

    def of_streams(self, streams: frozenset[int]) -> Iterator[Line]:
        """Lines of these streams, in order."""
        wanted = np.isin(self.numbers.stream, list(streams))
        for number in np.flatnonzero(wanted).tolist():
            yield self.line(number)

    def containing(
        self, words: Sequence[bytes], excluded: Sequence[bytes], among: Flags | None = None
    ) -> Iterator[Line]:
        """Lines with every word and none of the excluded, in order; words are in lower case
        (ASCII letters match in either case). With `among` only those that it marks."""
        for number in self.numbers_containing(words, excluded, among):
            yield self.line(number)

    def numbers_containing(
        self, words: Sequence[bytes], excluded: Sequence[bytes] = (), among: Flags | None = None
    ) -> Iterator[int]:
        """The numbers of those lines."""

        def is_fit(text: bytes) -> bool:
            return all(word in text for word in words) and not any(x in text for x in excluded)

        if among is not None and int(among.sum()) * _FEW < len(among):
            ends, lengths = self._ends, self.numbers.lengths
            for number in np.flatnonzero(among).tolist():
                if is_fit(self.text[ends[number] - lengths[number] : ends[number]].lower()):
                    yield number
            return
        whole = self.text.lower()
        if not all(word in whole for word in words):
            return
        ends_of = self._ends.tolist()
        rarest = max(words, key=len, default=b"")
        number = 0
        while number < len(ends_of):
            if rarest:
                at = whole.find(rarest, ends_of[number - 1] if number else 0)
                if at < 0:
                    return
                number = bisect_right(ends_of, at)
            is_marked = among is None or among[number]
            if is_marked and is_fit(whole[ends_of[number - 1] if number else 0 : ends_of[number]]):
                yield number
            number += 1


def cut(ts_us: Ints, lengths: Ints) -> Iterator[tuple[int, int]]:
    """Where to cut lines into blocks by number, bytes and time: from, to (not included)."""
    start, n = 0, len(ts_us)
    while start < n:
        end = min(start + MAX_LINES, n)
        size = np.cumsum(lengths[start:end])
        times = ts_us[start:end]
        span = np.maximum.accumulate(times) - np.minimum.accumulate(times)
        too_much = (size > MAX_BYTES) | (span > MAX_SPAN_US)
        if too_much.any():
            end = start + max(int(too_much.argmax()), 1)
        yield start, end
        start = end


def encoded(bodies: Sequence[str]) -> tuple[bytes, list[int]]:
    """The texts end to end as UTF-8, and their lengths; lone surrogates become `?`."""
    whole = "".join(bodies)
    if whole.isascii():
        return whole.encode(), list(map(len, bodies))
    texts = [utf8(body) for body in bodies]
    return b"".join(texts), list(map(len, texts))


def pack_ids(ids: Ints) -> bytes:
    """A set of ids: sorted, 8 bytes each, little-endian."""
    return np.unique(ids).astype("<i8").tobytes()


def unpack_ids(data: bytes) -> frozenset[int]:
    """What `pack_ids` was given."""
    return frozenset(struct.unpack(f"<{len(data) // 8}q", data))


_WIDTHS = (np.dtype("<i1"), np.dtype("<i2"), np.dtype("<i4"), np.dtype("<i8"))


def _packed(numbers: Ints) -> bytes:
    """As narrow as the numbers allow; the width shows in the length."""
    low, high = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, 0)
    narrow = next(t for t in _WIDTHS if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
    data = numbers.astype(narrow)
    planes = data.view(np.uint8).reshape(-1, narrow.itemsize).T
    return bytes([narrow.itemsize]) + planes.tobytes()


def _unpacked(data: bytes, n: int = -1) -> Ints:
    """What `_packed` was given; `n` of them where it is known.

    Raises:
        ValueError: there are more or fewer.
    """
    width = data[0]
    planes = np.frombuffer(data, np.uint8, offset=1).reshape(width, n)
    numbers = np.ascontiguousarray(planes.T).reshape(-1).view(f"<i{width}")
    return numbers.astype(np.int64)


def _of_first(first: _FirstColumns) -> Block:
    return Block(
        ts_us=np.array(list(accumulate(first.ts_us)), np.int64),
        stream=np.array(first.streams, np.int64)[first.stream],
        template=np.array(first.templates, np.int64)[first.template],
        severity=np.array(first.severity, np.int64),
        lengths=np.array(
            [b - a for a, b in zip([0, *first.ends], first.ends, strict=False)], np.int64
        ),
        text=b"",
    )
