"""What to say of a line's address that leads to no line."""

from __future__ import annotations

from datetime import UTC, datetime

from copilot.domain.errors import Gone, NotFound
from copilot.domain.event import LineAddress
from copilot.store.database import Database

_MANY = 5
"""Places where it is kept that are named, at most."""


async def not_there(database: Database, address: LineAddress) -> NotFound:
    """`Gone` where there was such a line: with when it was retired, and the incidents that keep it
    as evidence."""
    segment = await database.fetch_one(
        "SELECT n_lines, retired_us FROM log_segments WHERE id = ?", (address.segment,)
    )
    if segment is None or segment["retired_us"] is None or address.line >= segment["n_lines"]:
        return NotFound(f"there is no log line {address}")
    kept = await database.fetch_all(
        "SELECT incident_id, seq FROM evidence WHERE source = ? ORDER BY incident_id LIMIT ?",
        (f"log:{address}", _MANY),
    )
    when = datetime.fromtimestamp(segment["retired_us"] // 1_000_000, UTC)
    told = f"log line {address} was retired at {when:%Y-%m-%d %H:%M} UTC"
    if not kept:
        return Gone(f"{told}; no incident cites it")
    places = ", ".join(f"E{row['seq']} of INC-{row['incident_id']}" for row in kept)
    return Gone(f"{told}; it is kept as evidence: {places}")
