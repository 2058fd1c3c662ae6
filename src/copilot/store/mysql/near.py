"""TiDB's vector index (HNSW): candidates for the nearest, where there are too many to compare all.

It wants one length and no condition, so the vectors of a model lie once more, in a table of their
own that follows by their revision; what is removed leaves it in the same transaction. It is
approximate: it only says whom to look at, many more than are asked for, and what it has not seen yet
is looked at beside it; the distances are the exact ones of the corpus's own table, and our code
ranks. Below `LEAST` vectors, without the table, or whenever it answers with an error, all are
compared, as everywhere else.
https://docs.pingcap.com/tidb/stable/vector-search-index
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from hashlib import blake2b

import structlog
from asyncmy.errors import MySQLError

from copilot.domain.errors import CopilotError, Unavailable
from copilot.store.database import Database, Value, marks
from copilot.store.mysql.errors import code_of
from copilot.store.mysql.schema import Schema
from copilot.store.vectors import BESIDE, as_text

log = structlog.get_logger(__name__)

LEAST = 100_000
"""Vectors of a model from which on it is worth it; so many are compared in some tens of ms."""
WIDER = 4
"""Candidates for each that is asked for, so that one that is missed is seldom among the first."""
LEAST_CANDIDATES = 200
MOST_NEWER = 2_000
"""Vectors that the table has not seen yet; with more it is not used."""
STEP = 2_000
"""Vectors that are copied in one transaction: 12 MB of 1,536 numbers."""
REST_S = 600.0
"""How long a table is left alone after an error: it may not be there at all."""
COLUMNAR = " ADD_COLUMNAR_REPLICA_ON_DEMAND"
"""What TiDB Cloud wants, and self-managed TiDB does not know."""
_THERE_ALREADY = 1061
_TABLES = (
    "SELECT table_name AS t FROM information_schema.tables "
    "WHERE table_schema = DATABASE() AND table_name LIKE ?"
)

Opening = Callable[[], AbstractAsyncContextManager[Database]]
OpeningSchema = Callable[[], AbstractAsyncContextManager[Schema]]


class NearTables:
    """Of one server. `view` and `transaction` are not those of who asks: an error of an index must
    not end a search."""

    def __init__(
        self, view: Opening, transaction: Opening, schema: OpeningSchema, *, least: int = LEAST
    ) -> None:
        self._view = view
        self._transaction = transaction
        self._schema = schema
        self._least = least
        self._rests_until_s: dict[str, float] = {}
        self._made: set[str] = set()

    async def candidates(
        self, vectors: str, key: str, model: str, vector: bytes, limit: int
    ) -> list[int] | None:
        """Documents among which the nearest are; None where all are to be compared."""
        table = table_of(vectors, model, len(vector) // 4)
        now_s = asyncio.get_running_loop().time()
        if self._rests_until_s.get(table, 0.0) > now_s:
            return None
        try:
            async with self._view() as database:
                rev = await _followed(database, table)
                newer = await database.fetch_all(*_newer(vectors, key, model, rev))
                if rev == 0 or len(newer) > MOST_NEWER:
                    return None
                found = await database.fetch_all(*_nearest(table, vector, limit))
        except (MySQLError, CopilotError) as error:
            self._rests_until_s[table] = now_s + REST_S
            log.debug("search.index_not_used", table=table, error=str(error))
            return None
        return list(dict.fromkeys(int(row["doc_id"]) for row in (*found, *newer)))

    async def is_worth_it(self, vectors: str, model: str) -> bool:
        """Whether there are so many vectors that the table pays."""
        return await self._length(vectors, model) > 0

    async def forget(
        self, database: Database, vectors: str, documents: Sequence[int], model: str
    ) -> None:
        """Take documents that have no vector any more, of a model or of all, out of their tables."""
        rows = await database.fetch_all(_TABLES, (f"{vectors}{BESIDE}%",))
        beginning = f"{vectors}{BESIDE}{_hash(model)}_" if model else f"{vectors}{BESIDE}"
        for table in sorted(str(row["t"]) for row in rows):
            if table.startswith(beginning):
                await database.execute(
                    f"DELETE FROM {table} WHERE doc_id IN ({marks(documents)})", documents
                )

    async def follow(self, vectors: str, key: str, model: str) -> None:
        """Make the table where it is worth it, and bring it up to date."""
        length = await self._length(vectors, model)
        if not length:
            return
        table = table_of(vectors, model, length)
        try:
            await self._make(table, vectors, key, model, length)
            while await self._step(table, vectors, key, model, length):
                pass
            await self._drop_unused(vectors, table)
        except (MySQLError, CopilotError) as error:
            log.warning("search.index_not_made", table=table, error=str(error))

    async def _length(self, vectors: str, model: str) -> int:
        """How many numbers the newest has, 0 where they are too few."""
        async with self._view() as database:
            size = await database.fetch_one(*_size(vectors, model))
        return int(size["length"]) if size and int(size["n"]) >= self._least else 0

    async def _make(self, table: str, vectors: str, key: str, model: str, length: int) -> None:
        """Once in a process, and without what is gone; each statement may have been done before."""
        if table in self._made:
            return
        async with self._schema() as schema:
            await schema.execute(created(table, length))
            for statements in indexed(table):
                if await _takes(schema, statements):
                    break
            else:
                raise Unavailable("no statement that makes a vector index was taken")
        while await self._sweep(table, vectors, key, model) == STEP:
            pass
        self._made.add(table)

    async def _sweep(self, table: str, vectors: str, key: str, model: str) -> int:
        """What is in no corpus any more: an earlier release left it, or it was copied while it was
        removed."""
        async with self._transaction() as database:
            return await database.execute(
                f"DELETE FROM {table} WHERE doc_id > 0 AND NOT EXISTS (SELECT 1 FROM {vectors} v "
                f"WHERE v.{key} = {table}.doc_id AND v.model = ?) LIMIT ?",
                (model, STEP),
            )

    async def _step(self, table: str, vectors: str, key: str, model: str, length: int) -> bool:
        async with self._transaction() as database:
            after = await _followed(database, table)
            last = await database.fetch_one(
                f"SELECT MAX(rev) AS rev FROM (SELECT rev FROM {vectors} WHERE model = ? "
                "AND rev > ? ORDER BY rev LIMIT ?) t",
                (model, after, STEP),
            )
            if not last or last["rev"] is None:
                return False
            await database.execute(copied(table, vectors, key), (model, after, last["rev"], length))
            # Of the last revision none may be of this length: it is followed all the same.
            await database.execute(
                f"INSERT INTO {table} (doc_id, rev, embedding) VALUES (0, ?, ?) "
                "ON DUPLICATE KEY UPDATE rev = VALUES(rev)",
                (last["rev"], as_text(b"\0\0\x80\x3f" * length)),
            )
        return True

    async def _drop_unused(self, vectors: str, mine: str) -> None:
        """Tables of models that have no vectors any more."""
        async with self._schema() as schema:
            rows = await schema.fetch(_TABLES, (f"{vectors}{BESIDE}%",))
            others = {str(row["t"]) for row in rows} - {mine}
            if not others:
                return
            for row in await schema.fetch("SELECT model FROM search_models ORDER BY model"):
                any_of_it = f"SELECT 1 AS one FROM {vectors} WHERE model = ? LIMIT 1"
                if await schema.fetch(any_of_it, (row["model"],)):
                    beginning = f"{vectors}{BESIDE}{_hash(str(row['model']))}_"
                    others = {name for name in others if not name.startswith(beginning)}
            for name in sorted(others):
                await schema.execute(f"DROP TABLE IF EXISTS {name}")


def table_of(vectors: str, model: str, length: int) -> str:
    """Its name tells model and length apart; a name of a model may hold anything."""
    return f"{vectors}{BESIDE}{_hash(model)}_{length}"


def _hash(model: str) -> str:
    return blake2b(model.encode(), digest_size=4).hexdigest()


def created(table: str, length: int) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {table} (doc_id BIGINT PRIMARY KEY, rev BIGINT NOT NULL, "
        f"embedding VECTOR({length}) NOT NULL, KEY k_rev (rev))"
    )


def indexed(table: str) -> tuple[tuple[str, ...], ...]:
    """TiDB Cloud's way, and the way of a TiDB with TiFlash of its own."""
    index = f"ALTER TABLE {table} ADD VECTOR INDEX near ((VEC_COSINE_DISTANCE(embedding)))"
    return (index + COLUMNAR,), (f"ALTER TABLE {table} SET TIFLASH REPLICA 1", index)


async def _takes(schema: Schema, statements: Sequence[str]) -> bool:
    for sql in statements:
        try:
            await schema.execute(sql)
        except (MySQLError, CopilotError) as error:
            if code_of(error) != _THERE_ALREADY:
                return False
    return True


def copied(table: str, vectors: str, key: str) -> str:
    return (
        f"INSERT INTO {table} (doc_id, rev, embedding) SELECT {key}, rev, embedding FROM {vectors} "
        "WHERE model = ? AND rev > ? AND rev <= ? AND VEC_DIMS(embedding) = ? "
        "ON DUPLICATE KEY UPDATE rev = VALUES(rev), embedding = VALUES(embedding)"
    )


def _size(vectors: str, model: str) -> tuple[str, tuple[Value, ...]]:
    """How many there are, and how long the newest is."""
    newest = f"SELECT VEC_DIMS(embedding) FROM {vectors} WHERE model = ? ORDER BY rev DESC LIMIT 1"
    sql = f"SELECT COUNT(*) AS n, ({newest}) AS length FROM {vectors} WHERE model = ?"
    return sql, (model, model)


async def _followed(database: Database, table: str) -> int:
    """Up to which revision, 0 for none."""
    row = await database.fetch_one(f"SELECT MAX(rev) AS rev FROM {table}")
    return int(row["rev"] or 0) if row else 0


def _newer(vectors: str, key: str, model: str, rev: int) -> tuple[str, tuple[Value, ...]]:
    return (
        f"SELECT {key} AS doc_id FROM {vectors} WHERE model = ? AND rev > ? LIMIT ?",
        (model, rev, MOST_NEWER + 1),
    )


def _nearest(table: str, vector: bytes, limit: int) -> tuple[str, tuple[Value, ...]]:
    """With no condition, in the form that the index serves; the vector itself is never read."""
    return (
        f"SELECT doc_id FROM {table} ORDER BY VEC_COSINE_DISTANCE(embedding, ?) LIMIT ?",
        (as_text(vector), max(LEAST_CANDIDATES, WIDER * limit)),
    )
