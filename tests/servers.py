"""What tests do to a server's databases beside the product: make, empty and drop them."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from copilot.store.mysql import Address, MysqlEngine
from copilot.store.mysql.connections import Answer, Link
from copilot.store.mysql.literals import statement

NEUTRAL = "information_schema"
"""A database that everybody may use, on every server."""


@asynccontextmanager
async def a_link(address: Address) -> AsyncIterator[Link]:
    """A connection of the test's own."""
    link = await Link.open(address, address.tls(), isolation="READ COMMITTED")
    try:
        yield link
    finally:
        await link.end()


async def asked(address: Address, *statements: str, database: str = "") -> Answer:
    """What the last statement brought."""
    async with a_link(replace(address, database=database or address.database)) as link:
        for sql in statements:
            answer = await link.run(statement(sql, ()))
    return answer


async def created(address: Address) -> None:
    """The database of this address, fresh."""
    await asked(
        address,
        f"DROP DATABASE IF EXISTS {address.database}",
        f"CREATE DATABASE {address.database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        database=NEUTRAL,
    )


async def migrated(address: Address, *times_us: int) -> None:
    """With the schema, and days around these times, the earliest first."""
    engine = await MysqlEngine.open(address)
    try:
        for now_us in times_us:
            await engine.migrate(now_us)
    finally:
        await engine.close()


async def dropped(address: Address) -> None:
    await asked(address, f"DROP DATABASE IF EXISTS {address.database}", database=NEUTRAL)


async def emptied(address: Address) -> None:
    """Its tables hold nothing, but for what tells of migrations; people's numbers count from 1."""
    async with a_link(address) as link:
        tables = await link.run(
            b"SELECT table_name AS t FROM information_schema.tables "
            b"WHERE table_schema = DATABASE() "
            b"AND table_name NOT IN ('schema_migrations', 'schema_steps', 'schema_lease')"
        )
        names = {str(row["t"]) for row in tables.rows}
        for name in sorted(names & NUMBERED):
            await link.run(f"TRUNCATE TABLE {name}".encode())
        looks = [
            f"SELECT '{name}' AS t FROM DUAL WHERE EXISTS (SELECT 1 FROM {name})"
            for name in sorted(names - NUMBERED)
        ]
        if looks:
            for row in (await link.run(" UNION ALL ".join(looks).encode())).rows:
                await link.run(f"DELETE FROM {row['t']}".encode())


NUMBERED = {"incidents", "proposals", "log_segments"}

_CLIENT_SSL = 0x0800
_GREETING_S = 10.0


def offers_tls(host: str, port: int) -> bool:
    """What a server says of itself before anybody says who they are."""
    with socket.create_connection((host, port), _GREETING_S) as link, link.makefile("rb") as said:
        length = int.from_bytes(said.read(4)[:3], "little")
        greeting = said.read(length)
    version_ends = greeting.index(b"\0", 1)
    capabilities = version_ends + 1 + 4 + 8 + 1  # after a number, half a nonce and a filler
    low = int.from_bytes(greeting[capabilities : capabilities + 2], "little")
    return bool(low & _CLIENT_SSL)
