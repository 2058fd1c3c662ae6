"""What is made of a server's schema where it does not take what others do."""

from __future__ import annotations

import pytest

from copilot.store.mysql import Address, MysqlEngine
from copilot.store.mysql.schema import DAYS_AHEAD
from copilot.store.mysql.tables import tables
from tests.builders_store import NOW_US
from tests.fakes_tidb import FakeTidb

UNPARTED = {"SELECT table_name AS t, MAX(CASE": [{"t": "raw_events", "end_us": 0}]}


async def test_days_ahead_are_made_of_what_waits_beyond_the_last() -> None:
    tidb = FakeTidb(UNPARTED)

    async with tidb.schema() as schema:
        made = await schema.make_days(NOW_US)

    assert len(made) == DAYS_AHEAD + 1


@pytest.mark.parametrize("code", [1105, 1235, 1493, 8200, 9007])
async def test_a_server_that_does_not_part_a_table_anew_is_worked_with_all_the_same(
    code: int,
) -> None:
    tidb = FakeTidb(UNPARTED, {"REORGANIZE": code})

    async with tidb.schema() as schema:
        assert await schema.make_days(NOW_US) == ()


async def test_rows_with_ids_of_their_own_are_loaded_without_asking_all_a_server_can() -> None:
    tidb = FakeTidb()
    engine = MysqlEngine(
        Address(host="h", port=4000, user="u", password="", database="d"),
        None,
        turn_s=1,
        on_statement=tidb.note,
    )
    engine._writers._opening = tidb.opened

    async with engine.loading() as database:
        await database.execute("INSERT INTO jobs (id) VALUES (?)", (7,))

    assert tidb.sent == [
        "BEGIN",
        "SET SESSION allow_auto_random_explicit_insert = 1",
        "INSERT INTO jobs (id) VALUES (?)",
        "SET SESSION allow_auto_random_explicit_insert = 0",
        "COMMIT",
    ]


async def test_a_table_that_was_only_tried_is_none_to_copy() -> None:
    columns = [{"t": "copilot_scratch_0a1b2c3d", "c": "id"}, {"t": "jobs", "c": "id"}]
    tidb = FakeTidb({"SELECT c.table_name": columns})

    async with tidb.schema() as schema:
        assert [table.name for table in await tables(schema)] == ["jobs"]
