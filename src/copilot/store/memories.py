"""Memories: what was learned from resolved incidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from copilot.domain.hypothesis import Cause
from copilot.domain.incident import IncidentId
from copilot.domain.memory import Memory, MemoryId
from copilot.store.coding import from_json, to_json
from copilot.store.database import Database, Row, marks

_COLUMNS = (
    "incident_id",
    "cluster",
    "namespace",
    "app",
    "rules",
    "cause",
    "fix",
    "action",
    "has_held",
    "mttr_seconds",
    "created_us",
    "expires_us",
)
_MOST = 20


class SqlMemories:
    """Meets `copilot.ports.Memories`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, memory: Memory) -> Memory:
        """With its id. An incident is remembered once: a repeat replaces what was learned."""
        sql = self._db.dialect.upsert("memories", _COLUMNS, ("incident_id",), replace=_COLUMNS[1:])
        await self._db.execute(
            sql,
            (
                memory.incident_id,
                memory.cluster,
                memory.namespace,
                memory.app,
                to_json(memory.rules),
                memory.cause,
                memory.fix,
                memory.action,
                int(memory.has_held),
                memory.mttr_seconds,
                memory.created_us,
                memory.expires_us,
            ),
        )
        row = await self._db.fetch_one(
            "SELECT id FROM memories WHERE incident_id = ?", (memory.incident_id,)
        )
        return replace(memory, id=MemoryId(row["id"])) if row else memory

    async def find(
        self, *, cluster: str, namespace: str, app: str, cause: Cause | None, now_us: int
    ) -> tuple[Memory, ...]:
        """See the port. An app is the same app in the same namespace of the same cluster."""
        here = "cluster = ? AND namespace = ? AND app = ?"
        rows = await self._db.fetch_all(
            f"SELECT * FROM memories WHERE (expires_us IS NULL OR expires_us > ?) "
            f"AND (({here}) OR cause = ?) "
            f"ORDER BY CASE WHEN {here} THEN 0 ELSE 1 END, created_us DESC, id DESC LIMIT ?",
            (
                now_us,
                *(cluster, namespace, app),
                cause or "",
                *(cluster, namespace, app),
                _MOST,
            ),
        )
        return tuple(_memory(row) for row in rows)

    async def of_incidents(
        self, incidents: Sequence[IncidentId], *, now_us: int
    ) -> tuple[Memory, ...]:
        """See the port."""
        rows = await self._db.fetch_all(
            f"SELECT * FROM memories WHERE incident_id IN ({marks(incidents)}) "
            "AND (expires_us IS NULL OR expires_us > ?) ORDER BY incident_id",
            (*incidents, now_us),
        )
        return tuple(_memory(row) for row in rows)

    async def forget(self, memory_id: MemoryId) -> None:
        """It is gone for good. Harmless the second time."""
        await self._db.execute("DELETE FROM memories WHERE id = ?", (memory_id,))


def _memory(row: Row) -> Memory:
    values = dict(row) | {
        "rules": from_json(row["rules"], tuple[str, ...]),
        "has_held": bool(row["has_held"]),
    }
    return msgspec.convert(values, Memory)
