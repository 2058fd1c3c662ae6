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
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_FIRST_BYTES = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)
"""Masks that leave so many bytes of a number."""

Hashes = NDArray[np.uint64]


def hashes_in(text: bytes, lengths: Sequence[int] | NDArray[np.int64]) -> Hashes:
    """The hashes of all rare tokens of texts that lie end to end; each once, sorted."""
    if not text:
        return np.empty(0, np.uint64)
    ends = np.cumsum(np.asarray(lengths, np.int64))
    classes = np.frombuffer(text.translate(_CLASS), np.uint8)
    small = text.translate(_SMALL)
    starts, stops = _runs(classes & (_DIGIT | _LETTER) != 0, ends, MIN_CHARS, MAX_CHARS)
    is_rare = _counted(classes == _DIGIT, starts, stops) > 0
    words = _hashes(small, starts[is_rare], stops[is_rare])
    starts, stops = _runs(classes & (_DIGIT | _DOT) != 0, ends, MIN_ADDRESS, MAX_ADDRESS)
    is_rare = _counted(classes == _DOT, starts, stops) == _DOTS
    hashes: Hashes = np.sort(
        np.concatenate((words, _hashes(small, starts[is_rare], stops[is_rare])))
    )
    is_first = np.ones(len(hashes), np.bool_)
    is_first[1:] = hashes[1:] != hashes[:-1]
    return hashes[is_first]


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


def _runs(
    is_member: NDArray[np.bool_], ends: NDArray[np.int64], least: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where runs of such a length begin and end; one that goes on into the next text is two."""
    here, before = np.append(is_member, False), np.insert(is_member, 0, False)
    is_border = np.zeros(len(here), np.bool_)
    is_border[ends] = True
    starts = np.flatnonzero(here & (is_border | ~before))
    stops = np.flatnonzero(before & (is_border | ~here))
    sizes = stops - starts
    is_fit = (sizes >= least) & (sizes <= most)
    return starts[is_fit], stops[is_fit]


def _counted(
    marks: NDArray[np.bool_], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """How many marks there are in each run; runs are short."""
    if not len(starts):
        return np.empty(0, np.uint8)
    between = np.stack((starts, stops), axis=1).reshape(-1)
    padded = np.append(marks.view(np.uint8), np.uint8(0))
    counts: NDArray[np.uint8] = np.add.reduceat(padded, between, dtype=np.uint8)[::2]
    return counts


def _hashes(small: bytes, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> Hashes:
    """Of the texts between: eight letters at a time, all texts at once."""
    sizes = stops - starts
    hashes = sizes.astype(np.uint64) * _FACTOR
    padded = small + bytes(MAX_CHARS)
    # Eight bytes from every place on, read as one number.
    words = np.ndarray((len(small) + 8,), "<u8", padded, strides=(1,))
    for offset in range(0, MAX_CHARS, 8):
        left = np.flatnonzero(sizes > offset)
        if not len(left):
            break
        word = words[starts[left] + offset] & _FIRST_BYTES[np.minimum(sizes[left] - offset, 8)]
        mixed = (hashes[left] ^ word) * _FACTOR
        hashes[left] = mixed ^ (mixed >> np.uint64(29))
    return _mixed(hashes)


def _mixed(hashes: Hashes) -> Hashes:
    """Every bit depends on every other (the finish of SplitMix64)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))
