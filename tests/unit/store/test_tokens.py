"""Rare tokens: which they are, and that a filter never misses one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.store.tokens import blocks_with, bucket_of, filters, hashes_in, hashes_of

WORDS = st.text(st.sampled_from("abcF0123456789.:-= é"), max_size=60)


def tokens(*texts: str) -> set[int]:
    data = [text.encode() for text in texts]
    return {int(one) for one in hashes_in(b"".join(data), [len(one) for one in data])}


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("request_id=7f9ba920 done", "7f9ba920"),
        ("user4711 logged in", "user4711"),
        ("peer 10.0.0.7:8080 is gone", "10.0.0.7"),
        ("id 7f9ba920-9eff-41f8-ac8f-da250fd1da7d", "da250fd1da7d"),
        ("ID 7F9BA920", "7f9ba920"),
        ("größe=1234567", "1234567"),
    ],
)
def test_ids_addresses_and_hashes_are_rare_tokens(text: str, token: str) -> None:
    [wanted] = hashes_of(token)

    assert wanted in tokens("other words", text, "and more")


@pytest.mark.parametrize(
    "text", ["", "deadline", "took 12345 ms", "v1.24.3", "a1b2c", "1.2.3.4.5.6"]
)
def test_words_and_small_numbers_are_not(text: str) -> None:
    assert not hashes_of(text)


def test_a_token_is_looked_for_as_a_whole() -> None:
    assert not tokens("7f9ba920") & {*hashes_of("7f9ba9201")}


def test_a_token_ends_where_its_line_ends() -> None:
    assert tokens("id 7f9ba920", "4711aa x") == {*hashes_of("7f9ba920"), *hashes_of("4711aa")}


@given(st.lists(WORDS, max_size=12))
def test_lines_end_to_end_have_the_tokens_of_each_alone(texts: list[str]) -> None:
    assert tokens(*texts) == {one for text in texts for one in hashes_of(text)}


@given(st.lists(st.lists(WORDS, min_size=1, max_size=5), min_size=1, max_size=4))
def test_a_filter_names_every_block_that_has_a_token(blocks: list[list[str]]) -> None:
    found = [tokens(*texts) for texts in blocks]
    data = [[text.encode() for text in texts] for texts in blocks]

    rows = dict(filters([hashes_in(b"".join(d), [len(one) for one in d]) for d in data]))

    for number, hashes in enumerate(found):
        for hashed in hashes:
            assert number in blocks_with(hashed, rows[bucket_of(hashed)])


def test_a_filter_hardly_ever_names_a_block_without_the_token() -> None:
    ids = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(20_000)]
    rows = dict(filters([hashes_in("".join(ids[:10_000]).encode(), [16] * 10_000)]))

    wrong = sum(
        bool(blocks_with(one, rows[bucket_of(one)]))
        for id_ in ids[10_000:]
        for one in hashes_of(id_)
    )

    assert wrong < 40
