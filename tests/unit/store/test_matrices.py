"""Vectors in memory: bounded, and right whatever comes and goes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from copilot.domain.retrieval import Corpus, Near, Vector
from copilot.store.database import Value
from copilot.store.dialect import SqliteDialect
from copilot.store.matrices import Matrices, top

T, R = Corpus.TEMPLATE, Corpus.RUNBOOK
N_NUMBERS = 4


class Table:
    """The vectors' table as matrices read it, at some revision."""

    def __init__(self) -> None:
        self.dialect = SqliteDialect()
        self.rows: list[dict[str, Any]] = []
        self.rev = 0
        self.n_read = 0

    def write(self, *documents: int, numbers: Sequence[float] = (1, 0, 0, 0)) -> None:
        self.rev += 1
        kept = [row for row in self.rows if row["doc_id"] not in documents]
        packed = struct.pack(f"<{len(numbers)}f", *numbers)
        new = [{"doc_id": doc, "embedding": packed, "rev": self.rev} for doc in documents]
        self.rows = kept + new

    async def fetch_one(self, sql: str, params: Sequence[Value] = ()) -> dict[str, int]:
        return {"rev": self.rev}

    async def fetch_all(self, sql: str, params: Sequence[Value]) -> list[dict[str, Any]]:
        _, rev, limit = params
        assert isinstance(rev, int)
        assert isinstance(limit, int)
        page = [row for row in self.rows if row["rev"] > rev][:limit]
        self.n_read += len(page)
        return page


def near(*numbers: float, model: str = "m") -> Near:
    return Near(model=model, vector=Vector(struct.pack(f"<{len(numbers)}f", *numbers)))


async def found(
    matrices: Matrices, table: Table, corpus: Corpus = T, limit: int = 10, model: str = "m"
) -> list[int]:
    """Documents that lie in the direction of the first number."""
    cosines = await matrices.nearest(
        table,  # type: ignore[arg-type]  # all that is asked of it
        corpus,
        near(1, 0, 0, 0, model=model),
        limit,
    )
    return sorted(doc for doc, cosine in cosines.items() if cosine > 0.5)


async def test_only_what_is_new_is_read() -> None:
    matrices, table = Matrices(), Table()
    table.write(1, 2)
    assert await found(matrices, table) == [1, 2]
    table.write(3)

    assert await found(matrices, table) == [1, 2, 3]
    assert await found(matrices, table) == [1, 2, 3]
    assert table.n_read == 3


async def test_many_pages_are_read_to_the_end() -> None:
    matrices, table = Matrices(), Table()
    for start in range(0, 9_000, 500):
        table.write(*range(start, start + 500), numbers=(0, 1, 0, 0))
    table.write(10_000)

    assert await found(matrices, table) == [10_000]
    assert len({row["doc_id"] for row in table.rows}) == 9_001


async def test_a_vector_that_changes_again_and_again_takes_no_more_room() -> None:
    matrices, table = Matrices(), Table()
    table.write(1)
    for _ in range(3_000):
        table.write(2, numbers=(0, 1, 0, 0))
        await found(matrices, table)

    assert await found(matrices, table) == [1]
    assert matrices.n_bytes < 2 * 1_024 * (4 * N_NUMBERS + 8)


async def test_memory_is_bounded_and_what_was_asked_longest_ago_goes_first() -> None:
    room = 1_024 * (4 * N_NUMBERS + 8)
    matrices, table = Matrices(most_bytes=3 * room), Table()
    table.write(*range(1_000))
    await found(matrices, table, T)
    await found(matrices, table, R)
    table.write(*range(1_000, 2_000))
    await found(matrices, table, R, limit=3_000)

    assert matrices.n_bytes <= 3 * room
    assert len(await found(matrices, table, R, limit=3_000)) == 2_000
    assert len(await found(matrices, table, T, limit=3_000)) >= 1_000
    assert matrices.n_bytes <= 3 * room


async def test_what_has_no_room_is_left_out_and_the_rest_is_found() -> None:
    room = 1_024 * (4 * N_NUMBERS + 8)
    matrices, table = Matrices(most_bytes=room), Table()
    table.write(*range(2_000))

    assert len(await found(matrices, table, limit=3_000)) == 1_024
    assert matrices.n_bytes <= room


async def test_vectors_of_another_length_are_not_compared() -> None:
    matrices, table = Matrices(), Table()
    table.write(1)
    table.write(2, numbers=(1, 0))

    assert await found(matrices, table) == [1]


def test_the_nearest_of_many_are_those_of_a_full_sort() -> None:
    rows = np.random.default_rng(3).standard_normal((5_000, N_NUMBERS), dtype=np.float32)
    ids = np.arange(len(rows), dtype=np.int64)
    ids[::7] = -1  # taken over by later rows

    nearest = top(rows, ids, rows[8].tobytes(), 10)

    cosines = {int(doc): float(cosine) for doc, cosine in zip(ids, rows @ rows[8], strict=True)}
    there = [doc for doc in cosines if doc >= 0]
    assert set(nearest) == set(sorted(there, key=lambda doc: -cosines[doc])[:10])


def test_a_vector_that_is_no_number_does_not_hide_the_others() -> None:
    rows = np.eye(1_000, N_NUMBERS, dtype=np.float32)
    rows[500] = np.nan

    nearest = top(rows, np.arange(1_000, dtype=np.int64), rows[0].tobytes(), 10)

    assert nearest[0] == 1.0
