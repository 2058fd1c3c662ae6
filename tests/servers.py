"""What tests do to a server's databases beside the product: make, empty and drop them."""

from __future__ import annotations

from dataclasses import replace

from copilot.store.mysql import Address
from copilot.store.mysql.connections import Answer, Link
from copilot.store.mysql.literals import statement


async def asked(address: Address, *statements: str, database: str = "") -> Answer:
    """What the last statement brought."""
    where = replace(address, database=database) if database else address
    link = await Link.open(where, where.tls(), isolation="READ COMMITTED")
    try:
        for sql in statements:
            answer = await link.run(statement(sql, ()))
    finally:
        await link.end()
    return answer


async def created(address: Address) -> None:
    """The database of this address, fresh."""
    await asked(
        address,
        f"DROP DATABASE IF EXISTS {address.database}",
        f"CREATE DATABASE {address.database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        database="mysql",
    )


async def dropped(address: Address) -> None:
    await asked(address, f"DROP DATABASE IF EXISTS {address.database}", database="mysql")


async def emptied(address: Address) -> None:
    """Its tables hold nothing, but for what tells of migrations; people's numbers count from 1."""
    tables = await asked(
        address,
        "SELECT table_name AS t FROM information_schema.tables WHERE table_schema = DATABASE() "
        "AND table_name NOT IN ('schema_migrations', 'schema_steps', 'schema_lease')",
    )
    names = [str(row["t"]) for row in tables.rows]
    if names:
        await asked(
            address,
            *(f"TRUNCATE TABLE {name}" for name in names if name in NUMBERED),
            *(f"DELETE FROM {name}" for name in names if name not in NUMBERED),
        )


NUMBERED = {"incidents", "proposals", "log_segments"}
