"""What TiDB is sent for its vector index, word for word, and what is done when it does not want.

The statements are files in `tests/fixtures/tidb`, which `make sqlcheck` gives to TiDB's own parser.
"""

from __future__ import annotations

import asyncio
import re
from array import array
from pathlib import Path

import pytest

from copilot.domain.retrieval import Corpus, Near, Vector
from copilot.store.index import SqlIndex
from copilot.store.matrices import Matrices
from copilot.store.mysql import Address
from copilot.store.mysql.connections import Answer
from copilot.store.mysql.engine import MysqlEngine
from copilot.store.mysql.near import MOST_NEWER, STEP, NearTables, table_of
from copilot.store.mysql.probes import probe
from copilot.store.ranking import Ranking
from copilot.store.vectors import BESIDE
from tests.fakes_tidb import FakeTidb, as_script

GOLDEN = Path(__file__).parents[3] / "fixtures/tidb"
VECTORS, KEY = "events_embeddings", "template_id"
ADDRESS = Address(host="127.0.0.1", port=1, user="u", password="", database="d", is_plain=True)
VECTOR = array("f", [0.5, -1.0, 0.25]).tobytes()
FOLLOWED = {"SELECT MAX(rev) AS rev FROM events_embeddings_near": [{"rev": 7}]}
BIG = {"SELECT COUNT(*) AS n": [{"n": 100_000, "length": 384}]}


def near_tables(tidb: FakeTidb) -> NearTables:
    return NearTables(tidb.database, tidb.database, tidb.schema)


async def candidates(tidb: FakeTidb) -> list[int] | None:
    return await near_tables(tidb).candidates(VECTORS, KEY, "minilm", VECTOR, 10)


def is_golden(name: str, script: str) -> None:
    assert script == (GOLDEN / f"{name}.sql").read_text()


# --------------------------------------------------------------------------- word for word


async def test_the_index_is_made_and_follows_as_tidb_cloud_wants_it() -> None:
    tidb = FakeTidb(BIG)

    await near_tables(tidb).follow(VECTORS, KEY, "minilm")

    is_golden("index_on_tidb_cloud", as_script(tidb.sent))


async def test_a_tidb_with_tiflash_of_its_own_is_asked_in_its_way() -> None:
    step = {"SELECT MAX(rev) AS rev FROM (": [{"rev": 9}]}
    tidb = FakeTidb(BIG | FOLLOWED | step, {"ADD_COLUMNAR": 1064, "VALUES (0, 9": 8175})

    await near_tables(tidb).follow(VECTORS, KEY, "minilm")

    is_golden("index_on_tiflash", as_script(tidb.sent))


async def test_candidates_come_from_the_index_and_are_compared_exactly() -> None:
    tidb = FakeTidb(
        FOLLOWED
        | {
            "SELECT template_id AS doc_id FROM": [{"doc_id": 4}, {"doc_id": 3}],
            "SELECT doc_id FROM events_embeddings_near": [{"doc_id": 3}, {"doc_id": 2}],
            "SELECT template_id AS doc_id, VEC": [{"doc_id": 2, "distance": 0.25}],
            "SELECT doc_id, text_hash": [{"doc_id": 2, "text_hash": b"h"}],
        }
    )
    async with tidb.database(near_tables(tidb)) as database:
        near = Near(model="minilm", vector=Vector(VECTOR))
        found = await Ranking(database, Matrices()).rank(Corpus.TEMPLATE, "", limit=10, near=near)

    assert [one.doc_id for one in found] == [2]
    assert any(b"AND template_id IN (3, 2, 4) ORDER BY distance" in sql for sql in tidb.values)
    is_golden("candidates", as_script(tidb.sent))


async def test_a_vector_that_is_near_to_nothing_is_not_found() -> None:
    """TiDB says NULL of the distance of zeros, and sorts it before all others."""
    tidb = FakeTidb(
        {
            "SELECT template_id AS doc_id, VEC": [
                {"doc_id": 9, "distance": None},
                {"doc_id": 2, "distance": 0.25},
            ],
            "SELECT doc_id, text_hash": [{"doc_id": 2, "text_hash": b"h"}],
        }
    )
    async with tidb.database(near_tables(tidb)) as database:
        near = Near(model="minilm", vector=Vector(VECTOR))
        found = await Ranking(database, Matrices()).rank(Corpus.TEMPLATE, "", limit=10, near=near)

    assert [one.doc_id for one in found] == [2]


async def test_the_server_is_asked_what_it_can_do() -> None:
    tidb = FakeTidb({"SELECT VERSION()": [{"version": FakeTidb.version}]})
    async with tidb.schema() as schema:
        able = await probe(schema)

    assert able.kind == "TiDB"
    assert able.vector_index
    assert not able.full_text  # it took the statement, and no index is there
    scratch = re.compile(r"copilot_scratch_\w+")
    is_golden("probes", as_script(tidb.sent, lambda sql: scratch.sub("copilot_scratch", sql)))


# --------------------------------------------------------------------------- what is gone


async def test_documents_that_go_leave_the_tables_of_all_models_in_the_same_transaction() -> None:
    tables = [table_of(VECTORS, model, 384) for model in ("minilm", "old")]
    tidb = FakeTidb(
        {
            "SELECT COUNT(*) AS n": [{"n": 2, "words": 9}],
            "SELECT table_name AS t": [{"t": one} for one in tables],
        }
    )
    async with tidb.database(near_tables(tidb)) as database:
        await SqlIndex(database, Matrices()).forget(Corpus.TEMPLATE, [4, 5])

    gone = [f"DELETE FROM {one} WHERE doc_id IN (4, 5)".encode() for one in tables]
    assert [sql for sql in tidb.values if BESIDE.encode() in sql][-2:] == gone
    is_golden("documents_that_go", as_script(tidb.sent))


async def test_vectors_of_a_model_that_go_leave_its_own_tables_only() -> None:
    mine, other = table_of(VECTORS, "old", 384), table_of(VECTORS, "minilm", 384)
    tidb = FakeTidb(
        {
            "SELECT template_id AS doc_id": [{"doc_id": 4}, {"doc_id": 5}],
            "SELECT table_name AS t": [{"t": mine}, {"t": other}],
        }
    )
    async with tidb.database(near_tables(tidb)) as database:
        await SqlIndex(database, Matrices()).forget_vectors(Corpus.TEMPLATE, "old")

    assert [sql for sql in tidb.sent if sql.startswith("DELETE")] == [
        "DELETE FROM events_embeddings WHERE model = ? AND template_id IN (?, ?)",
        f"DELETE FROM {mine} WHERE doc_id IN (?, ?)",
    ]
    is_golden("vectors_that_go", as_script(tidb.sent))


async def test_where_there_is_no_index_nothing_is_taken_out_of_one() -> None:
    tidb = FakeTidb({"SELECT COUNT(*) AS n": [{"n": 1, "words": 3}]})
    async with tidb.database(near_tables(tidb)) as database:
        await SqlIndex(database, Matrices()).forget(Corpus.TEMPLATE, [4])

    assert not any(sql.startswith("DELETE") and BESIDE in sql for sql in tidb.sent)


async def test_what_was_left_behind_goes_once_in_a_process_a_step_at_a_time() -> None:
    tidb = FakeTidb(BIG, counts=[STEP, STEP, 7])
    tables = near_tables(tidb)

    await tables.follow(VECTORS, KEY, "minilm")
    await tables.follow(VECTORS, KEY, "minilm")

    assert len([sql for sql in tidb.sent if sql.startswith("DELETE")]) == 3


# --------------------------------------------------------------------------- where it does not want


@pytest.mark.parametrize("code", [1146, 9014, 1105, 8200, 2013])
async def test_an_error_of_the_index_leaves_all_to_be_compared_and_is_not_asked_for_again(
    code: int,
) -> None:
    tidb = FakeTidb(FOLLOWED, {"VEC_COSINE_DISTANCE(embedding, '": code})
    tables = near_tables(tidb)

    first = await tables.candidates(VECTORS, KEY, "minilm", VECTOR, 10)
    n = len(tidb.sent)
    second = await tables.candidates(VECTORS, KEY, "minilm", VECTOR, 10)

    assert first is second is None
    assert len(tidb.sent) == n


async def test_a_table_that_is_empty_or_far_behind_is_not_used() -> None:
    behind = [{"doc_id": n} for n in range(MOST_NEWER + 1)]

    assert await candidates(FakeTidb()) is None
    assert await candidates(FakeTidb(FOLLOWED | {"SELECT template_id": behind})) is None


async def test_few_vectors_need_no_index() -> None:
    tidb = FakeTidb({"SELECT COUNT(*) AS n": [{"n": 99_999, "length": 384}]})

    await near_tables(tidb).follow(VECTORS, KEY, "minilm")

    assert len(tidb.sent) == 1


async def test_an_index_that_cannot_be_made_is_no_error() -> None:
    tidb = FakeTidb(BIG, {"ADD VECTOR INDEX": 8200})

    await near_tables(tidb).follow(VECTORS, KEY, "minilm")

    assert not any(sql.startswith("INSERT") for sql in tidb.sent)


async def test_an_index_that_is_there_is_followed() -> None:
    step = {"SELECT MAX(rev) AS rev FROM (": [{"rev": 9}]}
    tidb = FakeTidb(BIG | step, {"ADD VECTOR INDEX": 1061, "ON DUPLICATE KEY UPDATE rev": 9002})

    await near_tables(tidb).follow(VECTORS, KEY, "minilm")

    assert any(sql.startswith("INSERT") for sql in tidb.sent)


async def test_the_table_of_a_model_that_has_no_vectors_any_more_goes() -> None:
    old, kept = table_of(VECTORS, "old", 384), table_of(VECTORS, "minilm", 384)
    tidb = FakeTidb(
        BIG
        | {
            "SELECT table_name AS t": [{"t": old}, {"t": kept}],
            "SELECT model FROM search_models": [{"model": "minilm"}],
        }
    )

    await near_tables(tidb).follow(VECTORS, KEY, "minilm")

    assert [sql for sql in tidb.sent if sql.startswith("DROP")] == [f"DROP TABLE IF EXISTS {old}"]
    is_golden("index_that_goes", as_script(tidb.sent))


async def test_the_table_of_another_model_stays_while_it_has_vectors() -> None:
    old = table_of(VECTORS, "old", 384)
    tidb = FakeTidb(
        BIG
        | {
            "SELECT table_name AS t": [{"t": old}],
            "SELECT model FROM search_models": [{"model": "minilm"}, {"model": "old"}],
            "SELECT 1 AS one": [{"one": 1}],
        }
    )

    await near_tables(tidb).follow(VECTORS, KEY, "minilm")

    assert not any(sql.startswith("DROP") for sql in tidb.sent)


async def test_a_transaction_on_tidb_says_that_it_locks_what_it_reads() -> None:
    """Whatever mode the cluster has for its default."""
    sent: list[str] = []
    engine = MysqlEngine(ADDRESS, None, turn_s=1, on_statement=sent.append)
    tidb = FakeTidb()
    for pool in (engine._writers, engine._readers):
        pool._opening = tidb.opened

    await engine.greet()
    async with engine.transaction():
        pass

    assert [sql for sql in sent if sql.startswith("BEGIN")] == ["BEGIN PESSIMISTIC"]


@pytest.mark.parametrize("n", [99_999, 100_000])
async def test_what_tidb_can_do_is_asked_only_where_there_is_something_to_index(n: int) -> None:
    size = [{"n": n, "length": 384}]
    version = [{"version": FakeTidb.version}]
    tidb = FakeTidb(
        {"SELECT COUNT(*) AS n": size, "SELECT VERSION()": version}, {"ADD VECTOR INDEX": 8200}
    )
    engine = MysqlEngine(ADDRESS, None, turn_s=1, on_statement=tidb.note)
    for pool in (engine._readers, engine._lookers):
        pool._opening = tidb.opened
    engine._schema = tidb.schema  # type: ignore[method-assign]  # its connections are not pooled

    await engine.greet()
    await engine.follow(VECTORS, KEY, "minilm")
    asked = [sql for sql in tidb.sent if "copilot_scratch" in sql]
    await engine.follow(VECTORS, KEY, "minilm")

    assert bool(asked) == (n == 100_000)
    assert [sql for sql in tidb.sent if "copilot_scratch" in sql] == asked


async def test_two_that_want_to_know_at_once_ask_once() -> None:
    class Slow(FakeTidb):
        async def run(self, sql: bytes) -> Answer:
            await asyncio.sleep(0)
            return await super().run(sql)

    tidb = Slow({"SELECT VERSION()": [{"version": FakeTidb.version}]})
    engine = MysqlEngine(ADDRESS, None, turn_s=1, on_statement=tidb.note)
    engine._schema = tidb.schema  # type: ignore[method-assign]  # its connections are not pooled

    one, other = await asyncio.gather(engine.capabilities(), engine.capabilities())

    assert one == other
    assert len([sql for sql in tidb.sent if sql.startswith("SELECT VERSION()")]) == 1
