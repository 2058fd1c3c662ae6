"""Rare tokens: the ids, addresses and hashes in lines, and small filters that say where one is. Pure.

A rare token is, in small letters,
    a run of 6 to 64 ASCII letters and digits with a digit in it     `7f9ba920`, `user4711`
    an address: digits and dots, 7 to 15 characters, three dots       `10.0.0.7`
Each is hashed to 64 bits. A filter of a segment is cut into 256 buckets by the first byte of the
hash, so that a look into many segments reads one small row of each; in it every block has the next
two bytes of its tokens' hashes, sorted. A token that is not there is said to be in one block of some
thousand; one that is there is never missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

BUCKETS = 256
LIST_OF_BLOCKS = -1
"""The bucket that lists a segment's blocks by their first lines."""
MIN_CHARS, MAX_CHARS = 6, 64
MIN_ADDRESS, MAX_ADDRESS = 7, 15
_DOTS = 3

_DIGIT, _LETTER, _DOT = 1, 2, 4
_CLASS = bytes(
    _DIGIT if 48 <= i < 58 else _LETTER if chr(i).isalpha() and i < 128 else _DOT if i == 46 else 0
    for i in range(256)
)
_SMALL = bytes(range(256)).lower()
_FACTOR = 0x9E3779B97F4A7C15
_POWERS = np.array([pow(_FACTOR, i + 1, 1 << 64) for i in range(MAX_CHARS)], np.uint64)

Hashes = NDArray[np.uint64]


def hashes_in(text: bytes, lengths: Sequence[int] | NDArray[np.int64]) -> Hashes:
    """The hashes of all rare tokens of texts that lie end to end; each once, sorted."""
    if not text:
        return np.empty(0, np.uint64)
    ends = np.cumsum(np.asarray(lengths, np.int64))
    classes = np.frombuffer(text.translate(_CLASS), np.uint8)
    small = np.frombuffer(text.translate(_SMALL), np.uint8)
    is_digit = classes == _DIGIT
    words = _hashes(small, classes & (_DIGIT | _LETTER), ends, is_digit, 1, MIN_CHARS, MAX_CHARS)
    addresses = _hashes(
        small,
        classes & (_DIGIT | _DOT),
        ends,
        classes == _DOT,
        _DOTS,
        MIN_ADDRESS,
        MAX_ADDRESS,
    )
    return np.unique(np.concatenate((words, addresses)))


def hashes_of(text: str) -> list[int]:
    """The hashes of the rare tokens in a word or phrase that is looked for."""
    data = text.encode("utf-8", "replace")
    return [int(one) for one in hashes_in(data, [len(data)])]


def filters(blocks: Sequence[Hashes]) -> Iterator[tuple[int, bytes]]:
    """A segment's filter, bucket by bucket, from the hashes in each of its blocks."""
    parts = [np.searchsorted(hashes >> np.uint64(56), np.arange(BUCKETS + 1)) for hashes in blocks]
    rests = [((hashes >> np.uint64(40)) & np.uint64(0xFFFF)).astype("<u2") for hashes in blocks]
    for bucket in range(BUCKETS):
        found = [
            np.unique(rest[part[bucket] : part[bucket + 1]])
            for part, rest in zip(parts, rests, strict=True)
        ]
        counts = np.array([len(found), *map(len, found)], "<u2")
        yield bucket, counts.tobytes() + b"".join([one.tobytes() for one in found])


def bucket_of(hashed: int) -> int:
    return hashed >> 56


def blocks_with(hashed: int, tokens: bytes) -> set[int]:
    """Which of a segment's blocks may hold a token, by the row of its bucket."""
    numbers = np.frombuffer(tokens, "<u2")
    n_blocks = int(numbers[0])
    ends = np.cumsum(numbers[1 : 1 + n_blocks], dtype=np.int64)
    found = np.flatnonzero(numbers[1 + n_blocks :] == (hashed >> 40 & 0xFFFF))
    return set(np.searchsorted(ends, found, side="right").tolist())


def _hashes(
    small: NDArray[np.uint8],
    members: NDArray[np.signedinteger] | NDArray[np.uint8],
    ends: NDArray[np.int64],
    marks: NDArray[np.bool_],
    n_marks: int,
    least: int,
    most: int,
) -> Hashes:
    """Of the runs of `members` within one text with so many marks and of such a length."""
    is_member = np.zeros(len(members) + 2, np.int8)
    is_member[1:-1] = members != 0
    starts = np.flatnonzero(np.diff(is_member) == 1)
    stops = np.flatnonzero(np.diff(is_member) == -1)
    # A run that goes on from one text into the next is two.
    inner = ends[:-1]
    inner = inner[(inner > 0) & (inner < len(members))]
    split = inner[(members[inner] != 0) & (members[inner - 1] != 0)]
    if len(split):
        starts = np.sort(np.concatenate((starts, np.unique(split))))
        stops = np.sort(np.concatenate((stops, np.unique(split))))
    seen = np.concatenate(([0], np.cumsum(marks, dtype=np.int64)))
    sizes = stops - starts
    n = seen[stops] - seen[starts]
    is_rare = (sizes >= least) & (sizes <= most) & (n >= 1 if n_marks == 1 else n == n_marks)
    starts, sizes = starts[is_rare], sizes[is_rare]
    if not len(starts):
        return np.empty(0, np.uint64)
    firsts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    place = np.arange(int(sizes.sum())) - np.repeat(firsts, sizes)
    letters = small[np.repeat(starts, sizes) + place].astype(np.uint64) + np.uint64(1)
    sums: Hashes = np.add.reduceat(letters * _POWERS[place], firsts)
    return _mixed(sums + sizes.astype(np.uint64))


def _mixed(hashes: Hashes) -> Hashes:
    """Every bit depends on every other (the finish of SplitMix64)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))
