"""What a server can do: asked, never assumed from a version.

Each question is put to a scratch table that goes away again. A "no" costs nothing but speed: the
store works without any of these.
"""

from __future__ import annotations

import secrets

from asyncmy.errors import MySQLError

from copilot.domain.errors import CopilotError
from copilot.ports import Capabilities
from copilot.store.mysql.near import COLUMNAR
from copilot.store.mysql.schema import Schema

SCRATCH = "copilot_scratch_"
"""What a table to try things on is called; one is left behind where a process is killed."""


async def probe(schema: Schema) -> Capabilities:
    """Ask everything once."""
    version = await schema.version()
    kind = next((name for name in ("TiDB", "MariaDB") if name in version), "MySQL")
    is_tidb = kind == "TiDB"
    asked = _Questions(schema)
    try:
        return Capabilities(
            kind=kind,
            version=version,
            vector_type=await asked.takes("SELECT VEC_DIMS(VEC_FROM_TEXT('[1,2]')) AS n"),
            vector_index=is_tidb and await asked.vector_index(),
            full_text=is_tidb and await asked.full_text(),
            partitions=await asked.partitions(),
            auto_random=is_tidb and await asked.auto_random(),
        )
    finally:
        await asked.clear()


class _Questions:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._table = f"{SCRATCH}{secrets.token_hex(4)}"  # several processes may ask

    async def takes(self, *statements: str) -> bool:
        """Whether it takes them, one after the other."""
        try:
            for sql in statements:
                await self._schema.fetch(sql)
        except (MySQLError, CopilotError):
            return False
        return True

    async def clear(self) -> None:
        # A table refuses to go while it has a full-text index.
        await self.takes(f"ALTER TABLE {self._table} DROP INDEX probed")
        await self.takes(f"DROP TABLE IF EXISTS {self._table}")

    async def vector_index(self) -> bool:
        add = f"ALTER TABLE {self._table} ADD VECTOR INDEX probed ((VEC_COSINE_DISTANCE(v)))"
        replica = f"ALTER TABLE {self._table} SET TIFLASH REPLICA 1"
        await self.clear()
        made = f"CREATE TABLE {self._table} (id BIGINT PRIMARY KEY, v VECTOR(3) NOT NULL)"
        return await self.takes(made) and (
            await self.takes(add + COLUMNAR) or await self.takes(replica, add)
        )

    async def full_text(self) -> bool:
        """An older TiDB takes the statement, warns, and makes no index: so look for it."""
        add = f"ALTER TABLE {self._table} ADD FULLTEXT INDEX probed (t) WITH PARSER MULTILINGUAL"
        await self.clear()
        made = f"CREATE TABLE {self._table} (id BIGINT PRIMARY KEY, t TEXT NOT NULL)"
        if not await self.takes(made):
            return False
        if not (await self.takes(add + COLUMNAR) or await self.takes(add)):
            return False
        rows = await self._schema.fetch(f"SHOW INDEX FROM {self._table}")
        return any(row["Key_name"] == "probed" for row in rows)

    async def partitions(self) -> bool:
        await self.clear()
        return await self.takes(
            f"CREATE TABLE {self._table} (id BIGINT PRIMARY KEY) "
            "PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10))"
        )

    async def auto_random(self) -> bool:
        await self.clear()
        return await self.takes(
            f"CREATE TABLE {self._table} (id BIGINT PRIMARY KEY AUTO_RANDOM(5, 54))"
        )
