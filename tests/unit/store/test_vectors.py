"""Vectors on the servers: what is sent to one that compares them itself, and what comes back."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from copilot.domain.retrieval import Corpus, Near, Vector
from copilot.store.database import Value
from copilot.store.matrices import Matrices
from copilot.store.mysql.dialect import MysqlDialect
from copilot.store.ranking import Ranking
from copilot.store.vectors import as_bytes, as_text

NEAREST = (
    "SELECT template_id AS doc_id, "
    "VEC_COSINE_DISTANCE(embedding, VEC_FROM_TEXT(?)) AS distance "
    "FROM events_embeddings WHERE model = ? AND VEC_DIMS(embedding) = ? ORDER BY distance LIMIT ?"
)


class ServerWithVectors:
    """As much of `Database` as a ranking by meaning asks; notes what it was sent."""

    def __init__(self, distances: Mapping[int, float]) -> None:
        self.dialect = MysqlDialect(has_vectors=True)
        self.sent: list[tuple[str, Sequence[Value]]] = []
        self._distances = distances

    async def candidates(self, *asked: object) -> None:
        """There is no index."""

    async def fetch_one(self, sql: str, params: Sequence[Value] = ()) -> dict[str, Any] | None:
        self.sent.append((sql, params))
        return None

    async def fetch_all(self, sql: str, params: Sequence[Value] = ()) -> list[dict[str, Any]]:
        self.sent.append((sql, params))
        if "VEC_COSINE_DISTANCE" in sql:
            return [{"doc_id": doc, "distance": far} for doc, far in self._distances.items()]
        return [{"doc_id": doc, "text_hash": bytes([9 - doc])} for doc in (1, 2, 3)]


def a_vector(*numbers: float) -> Vector:
    return Vector(struct.pack(f"<{len(numbers)}f", *numbers))


@pytest.mark.parametrize(
    "numbers", [(0.5, -1.0), (1e-38, 3.4e38), (0.1, 1 / 3), (0.0,), tuple(x / 7 for x in range(99))]
)
def test_a_vector_as_text_reads_back_the_same_to_the_last_bit(numbers: tuple[float, ...]) -> None:
    vector = a_vector(*numbers)

    assert as_bytes(as_text(vector)) == vector


def test_text_is_what_tidb_reads() -> None:
    assert as_text(a_vector(0.5, -1.0)) == "[0.5,-1.0]"


def test_a_server_without_the_type_keeps_bytes_and_compares_nothing() -> None:
    plain, vector = MysqlDialect(has_vectors=False), a_vector(0.5)

    assert plain.vector_value(vector) == vector
    assert plain.vector_bytes(bytearray(vector)) == vector
    assert plain.nearest("events_embeddings", "template_id") is None


async def test_a_server_with_the_type_is_asked_for_the_nearest_and_we_order_them() -> None:
    server = ServerWithVectors({1: 0.2, 2: 0.2000001, 3: 0.9, 4: 0.1})
    ranking = Ranking(server, Matrices())  # type: ignore[arg-type]  # all that is asked of it

    found = await ranking.rank(
        Corpus.TEMPLATE, "", limit=10, near=Near(model="m", vector=a_vector(0.5, -1.0))
    )

    asked = [(sql, params) for sql, params in server.sent if "VEC_" in sql]
    assert asked == [(NEAREST, ("[0.5,-1.0]", "m", 2, 50))]
    # 4 is gone from the index, 3 is too far, and 1 and 2 are as near: their texts decide
    assert [(one.doc_id, one.by_meaning) for one in found] == [(2, 1), (1, 2)]
