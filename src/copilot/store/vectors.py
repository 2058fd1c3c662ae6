"""Vectors as databases take them: bytes, or TiDB's text; and who compares them. Pure.

Only TiDB has a type for them. It compares exactly by itself (`ORDER BY` a distance, pushed down to
where the rows lie). Where it also has a vector index, which only serves a query with no condition,
on vectors of one length and model, candidates come from a table of their own beside
(`mysql/near.py`), and are compared exactly all the same.
https://docs.pingcap.com/tidb/stable/vector-search-overview
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from sys import byteorder
from typing import Any

import orjson

from copilot.store.database import marks

BESIDE = "_near_"
"""In the name of a table that lies beside one of vectors, for an index."""


def as_text(vector: bytes) -> str:
    """`[0.5,-1.0]`; what it reads back as is the same float32."""
    return orjson.dumps(_numbers(vector).tolist()).decode()


def as_bytes(value: Any) -> bytes:
    """What `as_text` was given."""
    numbers = array("f", orjson.loads(value))
    if byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def nearest(table: str, key: str, among: Sequence[int] | None = None) -> str:
    """See `Dialect.nearest`: exact, among the vectors of one model.

    Those of another length are left out first: a server may have changed what a name stands for,
    and to compare them fails the whole statement.
    """
    some = "" if among is None else f"AND {key} IN ({marks(among)}) "
    return (
        f"SELECT {key} AS doc_id, VEC_COSINE_DISTANCE(embedding, VEC_FROM_TEXT(?)) AS distance "
        f"FROM {table} WHERE model = ? AND VEC_DIMS(embedding) = ? {some}ORDER BY distance LIMIT ?"
    )


def _numbers(vector: bytes) -> array[float]:
    numbers = array("f")
    numbers.frombytes(vector)
    if byteorder == "big":
        numbers.byteswap()
    return numbers
