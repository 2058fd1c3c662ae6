"""Vectors side by side in memory, so that the nearest are found exactly: one product, one partition.

A matrix belongs to a corpus and a model, follows the table by its revision, and only ever grows at
its end, so that a search may read it while rows are added. Memory is bounded.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from copilot.domain.retrieval import Corpus, Near
from copilot.store.coding import clip
from copilot.store.corpora import HOMES, MODEL_CHARS
from copilot.store.database import Database, Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = structlog.get_logger(__name__)

MOST_BYTES = 640 * 2**20
"""Of all matrices: 100,000 vectors of 1,536 numbers fit. Later ones are found by words alone."""
_PAGE = 2_000
_ROOM = 1_024
_GROUP = 64
"""Rows whose greatest cosine is looked at first."""
_AT_ONCE = 16_384
"""Rows that are compared on the loop itself: less than a millisecond."""


@dataclass(slots=True)
class _Matrix:
    """`rows[:n]` are the vectors, `ids[:n]` their documents, -1 where a later row took over."""

    rows: NDArray[np.float32]
    ids: NDArray[np.int64]
    n: int = 0
    rev: int = 0
    is_full: bool = False
    place: dict[int, int] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def n_bytes(self) -> int:
        return self.rows.nbytes + self.ids.nbytes


class Matrices:
    """All of one store, shared by its sessions; the one that was not asked longest goes first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: dict[tuple[Corpus, str], _Matrix] = {}

    async def nearest(
        self, database: Database, corpus: Corpus, near: Near, limit: int
    ) -> dict[int, float]:
        """The cosines of the nearest documents; some may be gone by now, or not be there yet in
        the snapshot that asks."""
        rev = await _revision(database, corpus)
        if rev == 0 or limit < 1:
            return {}
        matrix = self._of(corpus, near)
        async with matrix.turn:
            if matrix.rev < rev:
                await self._follow(matrix, database, corpus, near.model)
        rows, ids = matrix.rows[: matrix.n], matrix.ids[: matrix.n]
        if len(rows) <= _AT_ONCE:
            return top(rows, ids, near.vector, limit)
        return await asyncio.to_thread(top, rows, ids, near.vector, limit)

    def _of(self, corpus: Corpus, near: Near) -> _Matrix:
        key = (corpus, near.model)
        matrix = self._kept.pop(key, None)
        if matrix is None or matrix.rows.shape[1] * 4 != len(near.vector):
            matrix = _empty(_ROOM, len(near.vector) // 4)
        self._kept[key] = matrix  # last in, last to go
        return matrix

    async def _follow(
        self, matrix: _Matrix, database: Database, corpus: Corpus, model: str
    ) -> None:
        """Reads what was written since; a page ends between two revisions."""
        home = HOMES[corpus]
        while True:
            rows = await database.fetch_all(
                f"SELECT {home.key} AS doc_id, embedding, rev FROM {home.vectors} "
                "WHERE model = ? AND rev > ? ORDER BY rev LIMIT ?",
                (clip(model, MODEL_CHARS), matrix.rev, _PAGE),
            )
            if not rows:
                return
            last = int(rows[-1]["rev"])
            whole = rows
            if len(rows) == _PAGE:
                whole = [row for row in rows if row["rev"] < last]
                last = int(whole[-1]["rev"]) if whole else last
            self._add(matrix, database, whole or rows)
            matrix.rev = last

    def _add(self, matrix: _Matrix, database: Database, rows: list[Row]) -> None:
        import numpy as np

        n_dimensions = matrix.rows.shape[1]
        for row in rows:
            vector = database.dialect.vector_bytes(row["embedding"])
            if len(vector) != n_dimensions * 4 or not self._has_room(matrix):
                continue
            doc = int(row["doc_id"])
            if (old := matrix.place.get(doc)) is not None:
                matrix.ids[old] = -1
            matrix.rows[matrix.n] = np.frombuffer(vector, dtype="<f4")
            matrix.ids[matrix.n] = doc
            matrix.place[doc] = matrix.n
            matrix.n += 1

    def _has_room(self, matrix: _Matrix) -> bool:
        """Makes room for one more row where it may; what was not asked lately goes for it."""
        if matrix.n < len(matrix.rows):
            return True
        if matrix.n > 2 * len(matrix.place):
            _compact(matrix)
            return True
        if matrix.is_full:
            return False
        wider = matrix.n_bytes // 2
        for key, other in list(self._kept.items()):
            if self.n_bytes + wider <= self._most_bytes:
                break
            if other is not matrix:
                del self._kept[key]
        if self.n_bytes + wider > self._most_bytes:
            matrix.is_full = True
            log.warning("search.vectors.full", n=matrix.n, limit_bytes=self._most_bytes)
            return False
        _widen(matrix, len(matrix.rows) + len(matrix.rows) // 2)
        return True

    @property
    def n_bytes(self) -> int:
        """What all of them take."""
        return sum(matrix.n_bytes for matrix in self._kept.values())


async def _revision(database: Database, corpus: Corpus) -> int:
    row = await database.fetch_one("SELECT rev FROM search_corpora WHERE corpus = ?", (corpus,))
    return int(row["rev"]) if row else 0


def _empty(n_rows: int, n_dimensions: int) -> _Matrix:
    import numpy as np  # 0.1 s and 20 MB: only who has vectors pays for it

    return _Matrix(
        rows=np.empty((n_rows, n_dimensions), dtype=np.float32),
        ids=np.empty(n_rows, dtype=np.int64),
    )


def _widen(matrix: _Matrix, n_rows: int) -> None:
    wider = _empty(n_rows, matrix.rows.shape[1])
    wider.rows[: matrix.n] = matrix.rows[: matrix.n]
    wider.ids[: matrix.n] = matrix.ids[: matrix.n]
    matrix.rows, matrix.ids = wider.rows, wider.ids


def _compact(matrix: _Matrix) -> None:
    """Leaves out the rows that others took over, in new arrays: somebody may be reading the old."""
    alive = matrix.ids[: matrix.n] >= 0
    rows, ids = matrix.rows[: matrix.n][alive], matrix.ids[: matrix.n][alive]
    fresh = _empty(len(matrix.rows), matrix.rows.shape[1])
    fresh.rows[: len(rows)], fresh.ids[: len(ids)] = rows, ids
    matrix.rows, matrix.ids, matrix.n = fresh.rows, fresh.ids, len(ids)
    matrix.place = {int(doc): place for place, doc in enumerate(ids)}


def top(
    rows: NDArray[np.float32], ids: NDArray[np.int64], vector: bytes, limit: int
) -> dict[int, float]:
    import numpy as np

    cosines = rows @ np.frombuffer(vector, dtype="<f4").astype(np.float32)
    cosines[ids < 0] = -2.0
    chosen = np.arange(len(cosines))
    if len(cosines) > limit:
        is_less = cosines < _least_of_best(cosines, limit)
        chosen = np.flatnonzero(~is_less)  # what is no number is not less than any
        chosen = chosen[np.argpartition(cosines[chosen], -limit)[-limit:]]
    return {int(ids[i]): float(cosines[i]) for i in chosen if ids[i] >= 0}


def _least_of_best(cosines: NDArray[np.float32], limit: int) -> float:
    """What the best `limit` reach at least, and few others: of groups of neighbours, as many
    reach it by their greatest alone."""
    import numpy as np

    n_groups = len(cosines) // _GROUP
    if n_groups < limit:
        return float(cosines.min())
    greatest = cosines[: n_groups * _GROUP].reshape(n_groups, _GROUP).max(axis=1)
    return float(np.partition(greatest, -limit)[-limit])
