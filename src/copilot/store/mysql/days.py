"""Days of a table that is parted by day: what there are, and away with the old ones."""

from __future__ import annotations

from collections.abc import Sequence

from asyncmy.errors import MySQLError

from copilot.store.database import Day
from copilot.store.mysql.errors import code_of
from copilot.store.mysql.schema import Schema

_NO_SUCH_DAY = 1507


async def days(schema: Schema, table: str) -> list[Day]:
    """The oldest first, without `pmax`; their numbers of rows are the server's estimate."""
    rows = await schema.fetch(
        "SELECT partition_name AS name, CAST(partition_description AS SIGNED) AS end_us, "
        "table_rows AS n FROM information_schema.partitions WHERE table_schema = DATABASE() "
        "AND table_name = ? AND partition_name IS NOT NULL AND partition_name <> 'pmax' "
        "ORDER BY partition_ordinal_position",
        (table,),
    )
    return [Day(name=row["name"], end_us=int(row["end_us"]), n=int(row["n"] or 0)) for row in rows]


async def drop(schema: Schema, table: str, names: Sequence[str]) -> None:
    """Drop these days. Harmless where somebody else just did."""
    for name in names:
        try:
            await schema.execute(f"ALTER TABLE {table} DROP PARTITION {name}")
        except MySQLError as error:
            if code_of(error) != _NO_SUCH_DAY:
                raise
