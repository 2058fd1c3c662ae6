"""Counts of templates that wait: nothing is lost, and the latest line is known."""

from __future__ import annotations

import numpy as np

from copilot.store.counts import Counts, Waiting, none, together


def counts(*rows: tuple[int, int, int, int, int, int]) -> Counts:
    return np.array(rows, np.int64)


def test_counts_of_one_key_add_up_and_the_last_says_where_the_line_is() -> None:
    earlier = counts((2, 1, 10, 5, 1, 7), (1, 1, 10, 1, 1, 8))
    later = counts((2, 1, 10, 2, 3, 0), (2, 1, 20, 4, 3, 1))

    both = together([earlier, later])

    assert both.tolist() == [[1, 1, 10, 1, 1, 8], [2, 1, 10, 7, 3, 0], [2, 1, 20, 4, 3, 1]]


def test_nothing_and_nothing_is_nothing() -> None:
    assert together([]).tolist() == together([none(), none()]).tolist() == []


def test_what_could_not_be_written_comes_before_what_came_since() -> None:
    waiting = Waiting()
    waiting.add(counts((1, 1, 10, 1, 1, 1)))
    taken = waiting.taken(now_us=5)
    waiting.add(counts((1, 1, 10, 1, 2, 2)))

    waiting.put_back(taken)

    assert waiting.taken(now_us=6).tolist() == [[1, 1, 10, 2, 2, 2]]
