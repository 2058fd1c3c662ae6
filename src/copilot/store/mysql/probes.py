"""What a server can do: asked, never assumed from a version.

Each question is put to a scratch table that goes away again. A "no" costs nothing but speed: the
store works without any of these.
"""

from __future__ import annotations

from asyncmy.errors import MySQLError

from copilot.domain.errors import CopilotError
from copilot.ports import Capabilities
from copilot.store.mysql.schema import Schema

_SCRATCH = "copilot_scratch"
_VECTORS = f"CREATE TABLE {_SCRATCH} (id BIGINT PRIMARY KEY, v VECTOR(3) NOT NULL)"
_TEXTS = f"CREATE TABLE {_SCRATCH} (id BIGINT PRIMARY KEY, t TEXT NOT NULL)"
_COLUMNAR = " ADD_COLUMNAR_REPLICA_ON_DEMAND"
"""What TiDB Cloud wants, and self-managed TiDB does not know."""


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
        await self.takes(f"ALTER TABLE {_SCRATCH} DROP INDEX probed")
        await self.takes(f"DROP TABLE IF EXISTS {_SCRATCH}")

    async def vector_index(self) -> bool:
        add = f"ALTER TABLE {_SCRATCH} ADD VECTOR INDEX probed ((VEC_COSINE_DISTANCE(v)))"
        replica = f"ALTER TABLE {_SCRATCH} SET TIFLASH REPLICA 1"
        await self.clear()
        return await self.takes(_VECTORS) and (
            await self.takes(add + _COLUMNAR) or await self.takes(replica, add)
        )

    async def full_text(self) -> bool:
        """An older TiDB takes the statement, warns, and makes no index: so look for it."""
        add = f"ALTER TABLE {_SCRATCH} ADD FULLTEXT INDEX probed (t) WITH PARSER MULTILINGUAL"
        await self.clear()
        if not await self.takes(_TEXTS):
            return False
        if not (await self.takes(add + _COLUMNAR) or await self.takes(add)):
            return False
        rows = await self._schema.fetch(f"SHOW INDEX FROM {_SCRATCH}")
        return any(row["Key_name"] == "probed" for row in rows)

    async def partitions(self) -> bool:
        await self.clear()
        return await self.takes(
            f"CREATE TABLE {_SCRATCH} (id BIGINT PRIMARY KEY) "
            "PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10))"
        )

    async def auto_random(self) -> bool:
        await self.clear()
        return await self.takes(
            f"CREATE TABLE {_SCRATCH} (id BIGINT PRIMARY KEY AUTO_RANDOM(5, 54))"
        )
