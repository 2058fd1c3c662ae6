"""The feed: what every screen replays, one gapless sequence a cluster."""

from __future__ import annotations

from copilot.domain.incident import FeedEntry, IncidentId
from copilot.store.database import Database, Row


class SqlFeed:
    """Meets `copilot.ports.Feed`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def append(
        self,
        *,
        cluster: str,
        ts_us: int,
        kind: str,
        incident_id: IncidentId | None,
        detail: str = "",
    ) -> FeedEntry:
        """The entry with its number; it becomes visible, in order, when the transaction commits."""
        seq = await self._next(cluster)
        await self._db.execute(
            "INSERT INTO feed (cluster, seq, ts_us, kind, incident_id, payload) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (cluster, seq, ts_us, kind, incident_id, detail),
        )
        return FeedEntry(
            cluster=cluster,
            seq=seq,
            ts_us=ts_us,
            kind=kind,
            incident_id=incident_id,
            detail=detail,
        )

    async def since(self, cluster: str, seq: int, limit: int) -> tuple[FeedEntry, ...]:
        """Those after `seq`, in order."""
        rows = await self._db.fetch_all(
            "SELECT * FROM feed WHERE cluster = ? AND seq > ? ORDER BY seq LIMIT ?",
            (cluster, seq, limit),
        )
        return tuple(_entry(row) for row in rows)

    async def head(self, cluster: str) -> int:
        """The greatest number, 0 for none."""
        row = await self._db.fetch_one("SELECT seq FROM feed_heads WHERE cluster = ?", (cluster,))
        return int(row["seq"]) if row else 0

    async def oldest(self, cluster: str) -> int:
        """The smallest number that is still kept, 0 for none."""
        row = await self._db.fetch_one(
            "SELECT MIN(seq) AS seq FROM feed WHERE cluster = ?", (cluster,)
        )
        return int(row["seq"] or 0) if row else 0

    async def _next(self, cluster: str) -> int:
        # Moved first, read after: until this transaction ends nobody else moves or reads it, so no
        # number is given twice and none is left out.
        await self._db.execute(
            self._db.dialect.insert_new("feed_heads", ("cluster", "seq")), (cluster, 0)
        )
        await self._db.execute("UPDATE feed_heads SET seq = seq + 1 WHERE cluster = ?", (cluster,))
        return await self.head(cluster)


def _entry(row: Row) -> FeedEntry:
    incident_id = row["incident_id"]
    return FeedEntry(
        cluster=row["cluster"],
        seq=row["seq"],
        ts_us=row["ts_us"],
        kind=row["kind"],
        incident_id=None if incident_id is None else IncidentId(incident_id),
        detail=row["payload"],
    )
