"""Tables whose rows have a time, and the ways to their old ones: along an index, never all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from copilot.domain.retention import HOUR_US, Tier
from copilot.store.database import Database, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A table whose rows have a time, and the index that leads to the old ones."""

    tier: Tier
    table: str
    time: str
    owner: str = ""
    """The column before the time in that index; empty where the time leads."""
    where: str = ""
    """What else that index asks for between the two."""
    may_lead: bool = False
    """Where an index may lead with time alone there is one, and no owner is needed."""
    parted_with: tuple[str, ...] = ()
    """Tables that are parted by day like this one, and hold what belongs to its rows."""

    @property
    def is_of_owner(self) -> str:
        """The condition that a statement on one owner's rows begins with."""
        parts = [f"{self.owner} = ?"] if self.owner else []
        return " AND ".join([*parts, *([self.where] if self.where else []), ""])

    def on(self, database: Database) -> Shelf:
        """The same by the indexes that are there."""
        is_led = self.may_lead and database.dialect.time_leads
        return replace(self, owner="") if is_led else self


SHELVES = (
    Shelf(
        tier=Tier.EVENTS,
        table="raw_events",
        owner="stream_id",
        time="ts_us",
        parted_with=("raw_event_terms",),
    ),
    Shelf(
        tier=Tier.COUNTS,
        table="template_counts",
        owner="stream_id",
        time="bucket_us",
        may_lead=True,
    ),
    Shelf(
        tier=Tier.METRICS,
        table="metric_rollups",
        owner="series_id",
        where="res_s = 1",
        time="bucket_us",
    ),
    Shelf(tier=Tier.SPANS, table="spans", owner="stream_id", time="start_us"),
    Shelf(
        tier=Tier.SET_ASIDE,
        table="set_aside",
        owner="source",
        time="received_us",
        may_lead=True,
    ),
    Shelf(tier=Tier.CHANGES, table="k8s_object_versions", owner="cluster", time="ts_us"),
)


async def owners(database: Database, shelf: Shelf) -> AsyncIterator[tuple[Value, ...]]:
    """Each owner there is, by one step down the index for each; one nobody where the time leads."""
    if not shelf.owner:
        yield ()
        return
    row = await database.fetch_one(f"SELECT MIN({shelf.owner}) AS next FROM {shelf.table}")
    while row and row["next"] is not None:
        yield (row["next"],)
        row = await database.fetch_one(
            f"SELECT MIN({shelf.owner}) AS next FROM {shelf.table} WHERE {shelf.owner} > ?",
            (row["next"],),
        )


async def older(database: Database, shelf: Shelf, before_us: int) -> int:
    """How many rows are older."""
    n = 0
    async for owner in owners(database, shelf):
        n += await older_of(database, shelf, owner, before_us)
    return n


async def older_of(
    database: Database, shelf: Shelf, owner: tuple[Value, ...], before_us: int
) -> int:
    """How many of one owner's are."""
    row = await database.fetch_one(
        f"SELECT COUNT(*) AS n FROM {shelf.table} WHERE {shelf.is_of_owner}{shelf.time} < ?",
        (*owner, before_us),
    )
    return int(row["n"]) if row else 0


async def full_before(database: Database, shelf: Shelf, size: int, now_us: int) -> int | None:
    """The hour before which rows must go to leave `size`, None where there is room."""
    counted = await database.fetch_one(f"SELECT COUNT(*) AS n FROM {shelf.table}")
    over = (int(counted["n"]) if counted else 0) - size
    if over <= 0:
        return None
    low, high = await _oldest_us(database, shelf, now_us) // HOUR_US, now_us // HOUR_US
    while low < high:
        middle = (low + high) // 2
        if await older(database, shelf, middle * HOUR_US) >= over:
            high = middle
        else:
            low = middle + 1
    return low * HOUR_US


async def _oldest_us(database: Database, shelf: Shelf, now_us: int) -> int:
    oldest = now_us
    async for owner in owners(database, shelf):
        row = await database.fetch_one(
            f"SELECT MIN({shelf.time}) AS oldest FROM {shelf.table} "
            f"WHERE {shelf.is_of_owner}{shelf.time} < ?",
            (*owner, oldest),
        )
        if row and row["oldest"] is not None:
            oldest = int(row["oldest"])
    return oldest
