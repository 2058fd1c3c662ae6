"""Blocks: what is cut, packed and read back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.store.blocks import (
    MAX_BYTES,
    MAX_LINES,
    MAX_SPAN_US,
    Block,
    OpenedBlock,
    cut,
    encoded,
    joined,
    pack_ids,
    unpack_ids,
)
from copilot.store.coding import pack

ID = st.integers(min_value=0, max_value=2**53)
LINE = st.tuples(
    st.integers(min_value=-(2**40), max_value=2**60),
    ID,
    ID,
    st.text(st.characters(codec="utf-8"), max_size=40),
)


@given(st.lists(LINE, min_size=1, max_size=50))
def test_a_block_reads_back_as_it_was(lines: list[tuple[int, int, int, str]]) -> None:
    ts_us, streams, templates, texts = zip(*lines, strict=True)

    opened = OpenedBlock(made_of(ts_us, streams, templates, texts).encode())

    read = [opened.line(n) for n in range(len(opened))]
    assert [(line.ts_us, line.stream_id) for line in read] == [line[:2] for line in lines]
    assert [line.text for line in read] == list(texts)
    assert opened.columns.template.tolist() == list(templates)


def made_of(
    ts_us: Sequence[int], streams: Sequence[int], templates: Sequence[int], texts: Sequence[str]
) -> Block:
    text, lengths = encoded(texts)
    return Block(
        ts_us=np.array(ts_us),
        stream=np.array(streams),
        template=np.array(templates),
        severity=np.full(len(ts_us), 9),
        lengths=np.array(lengths),
        text=text,
    )


def a_block(*texts: str) -> OpenedBlock:
    n = len(texts)
    return OpenedBlock(made_of(range(n), [i % 2 for i in range(n)], [0] * n, texts).encode())


def test_words_are_found_within_one_line_and_not_across_two() -> None:
    block = a_block("out of", "memory", "OUT of Memory")

    found = list(block.containing([b"out", b"memory"], []))

    assert [line.text for line in found] == ["OUT of Memory"]


@pytest.mark.parametrize("n_marked", [0, 1, 3, 40])
def test_only_marked_lines_are_found_whether_few_or_many_are(n_marked: int) -> None:
    texts = [f"{'Error' if n % 2 else 'fine'} {'two' if n % 3 else 'three'}" for n in range(80)]
    among = np.zeros(len(texts), np.bool_)
    among[:n_marked] = True

    found = a_block(*texts).numbers_containing([b"error"], [b"three"], among)

    assert list(found) == [n for n in range(n_marked) if n % 2 and n % 3]


def test_lines_with_an_excluded_word_are_left_out() -> None:
    found = list(a_block("error one", "error two").containing([b"error"], [b"two"]))

    assert [line.text for line in found] == ["error one"]


def test_lines_of_a_stream_are_found() -> None:
    found = list(a_block("a", "b", "c").of_streams(frozenset({0})))

    assert [(line.number, line.text) for line in found] == [(0, "a"), (2, "c")]


def test_a_body_of_a_later_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version"):
        OpenedBlock(b"\x03rest")


def test_a_body_of_the_first_version_reads_back() -> None:
    columns = ([5, 2, -1], [7, 9], [0, 1, 0], [3], [0, 0, 0], [9, 13, 9], [1, 1, 4], b"abcd")
    body = b"\x01" + pack(msgspec.msgpack.encode(columns))

    opened = OpenedBlock(body)

    read = [opened.line(number) for number in range(len(opened))]
    assert [(line.ts_us, line.stream_id, line.severity, line.text) for line in read] == [
        (5, 7, 9, "a"),
        (7, 9, 13, ""),
        (6, 7, 9, "bcd"),
    ]


def test_every_line_of_a_block_is_in_one_of_its_parts() -> None:
    texts = [str(number) for number in range(MAX_LINES + 7)]
    n = len(texts)

    parts = list(made_of([0] * n, range(n), [1] * n, texts).parts())

    assert [len(part) for part in parts] == [MAX_LINES, 7]
    assert b"".join(part.text for part in parts) == "".join(texts).encode()
    assert joined(parts).stream.tolist() == list(range(n))


@pytest.mark.parametrize(
    ("ts_us", "texts", "parts"),
    [
        pytest.param([0], [b""], [(0, 1)], id="one empty line is a block"),
        pytest.param([0] * 3, [b"x"] * 3, [(0, 3)], id="few lines are one block"),
        pytest.param(
            [0] * (MAX_LINES + 1),
            [b""] * (MAX_LINES + 1),
            [(0, MAX_LINES), (MAX_LINES, MAX_LINES + 1)],
            id="by lines",
        ),
        pytest.param([0, 0], [b"x" * MAX_BYTES, b"y"], [(0, 1), (1, 2)], id="by bytes"),
        pytest.param([0], [b"x" * (MAX_BYTES + 1)], [(0, 1)], id="a long line stands alone"),
        pytest.param([0, MAX_SPAN_US, MAX_SPAN_US + 1], [b""] * 3, [(0, 2), (2, 3)], id="by time"),
        pytest.param([MAX_SPAN_US + 1, 0], [b"", b""], [(0, 1), (1, 2)], id="by time backwards"),
    ],
)
def test_lines_are_cut(ts_us: list[int], texts: list[bytes], parts: list[tuple[int, int]]) -> None:
    lengths = np.array([len(text) for text in texts])

    assert list(cut(np.array(ts_us), lengths)) == parts


@given(st.frozensets(ID))
def test_a_set_of_ids_reads_back(ids: frozenset[int]) -> None:
    assert unpack_ids(pack_ids(np.array(list(ids), np.int64))) == ids
