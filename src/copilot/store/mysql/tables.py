"""What tables there are, for who reads them all."""

from __future__ import annotations

from copilot.store.database import Table
from copilot.store.mysql.probes import SCRATCH
from copilot.store.mysql.schema import Schema


async def tables(schema: Schema) -> list[Table]:
    """By name; columns by name, those of the key in its order. Of what was only tried, none."""
    columns = await schema.fetch(
        "SELECT c.table_name AS t, c.column_name AS c FROM information_schema.columns c "
        "JOIN information_schema.tables b ON b.table_schema = c.table_schema "
        "AND b.table_name = c.table_name WHERE c.table_schema = DATABASE() "
        "AND b.table_type = 'BASE TABLE' ORDER BY c.table_name, c.column_name"
    )
    keys = await schema.fetch(
        "SELECT table_name AS t, column_name AS c FROM information_schema.statistics "
        "WHERE table_schema = DATABASE() AND index_name = 'PRIMARY' "
        "ORDER BY table_name, seq_in_index"
    )
    return [
        Table(
            name=name,
            columns=tuple(sorted(row["c"] for row in columns if row["t"] == name)),
            key=tuple(row["c"] for row in keys if row["t"] == name),
        )
        for name in dict.fromkeys(str(row["t"]) for row in columns)
        if not name.startswith(SCRATCH)
    ]
