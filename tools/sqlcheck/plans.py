"""How databases would run the product's statements: none may read a whole table of events.

On SQLite by `EXPLAIN QUERY PLAN`, on a server by `EXPLAIN` over some thousand rows.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypedDict

from copilot.store.migrations import SQLITE, migrations
from copilot.store.mysql import Address, open_store
from copilot.store.mysql.connections import Link
from copilot.store.mysql.literals import statement
from tests.builders_history import a_history
from tests.builders_store import NOW_US
from tests.fakes import FixedClock
from tests.statements import ENGINE

Sent = TypedDict("Sent", {"from": str, "sql": str, "params": list[Any]})
"""A line of what `tests.statements` writes down."""

EVENTS = frozenset(
    {
        *("raw_events", "raw_event_terms", "log_blocks", "template_counts", "metric_rollups"),
        *("spans", "k8s_object_versions", "feed", "audit_log", "ingest_batches", "set_aside"),
        *("incident_events", "evidence", "notifications", "search_terms"),
    }
)
"""Tables that grow with what is sent and with time."""

ALLOWED = (
    ("store/shelves.py", "SELECT COUNT(*)", "a bound by size needs the size: once an hour"),
    ("store/copying.py", "SELECT", "a copy reads every table once, in steps along its key"),
    ("store/happened.py", "SELECT uid, kind", "changes are few: what people did, not what ran"),
    ("store/packing.py", "DELETE FROM log_blocks WHERE segment_id", "one segment, by its key"),
    ("store/audit.py", "SELECT DISTINCT chain", "verifying the audit log reads all of it"),
    ("store/outbox.py", "SELECT COUNT(*) AS n", "by its index but where most of the table waits"),
    ("store/telemetry.py", "SELECT (SELECT COALESCE(SUM", "the totals on the status page"),
    ("store/telemetry.py", "SELECT * FROM set_aside", "pages; retention keeps it under 20,000"),
)
"""Where it may be so: the module, how the statement begins, and why."""

SERVER_ONLY = (
    "raw_event_terms",
    "SELECT id, ts_us, body_text, reason, object_name FROM raw_events WHERE segment_id",
)
"""What is sent only where the words of events are rows."""

_NAMED = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+(?:AS\s+)?(\w+))?")
_SCAN = re.compile(r"SCAN (\w+)(?! VIRTUAL)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A statement that reads all of a table."""

    origin: str
    sql: str
    table: str
    plan: str

    @property
    def is_allowed(self) -> bool:
        return any(
            self.origin.startswith(f"copilot/{module}:") and self.sql.startswith(start)
            for module, start, _ in ALLOWED
        )


def report(database: str, found: Iterable[Reading]) -> int:
    """Prints what is not allowed; 0 where nothing is."""
    found = list(found)
    bad = [one for one in found if not one.is_allowed]
    for one in bad:
        print(f"{database}: {one.origin} reads all of {one.table} ({one.plan})\n    {one.sql}")
    allowed = len(found) - len(bad)
    print(f"{database}: {len(bad)} statements read a whole table of events; {allowed} others may")
    return 1 if bad else 0


# --------------------------------------------------------------------------- SQLite


def on_sqlite(statements: Iterable[Sent]) -> Iterator[Reading]:
    """By its planner, which knows no numbers of rows: it takes an index wherever one fits."""
    database = sqlite3.connect(":memory:")
    for sql in [*SQLITE.ledger, *(s for m in migrations(SQLITE) for s in m.statements)]:
        database.execute(sql)
    for one in filter(_is_of_both, statements):
        sql = one["sql"].removesuffix(" FOR UPDATE")
        plan = database.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * len(one["params"]))
        for *_, detail in plan.fetchall():
            found = _SCAN.match(detail)
            table = _table_of(sql, found[1]) if found else ""
            if table in EVENTS and not ("USING" in detail and _ends_early(sql)):
                yield Reading(origin=one["from"], sql=sql, table=table, plan=detail)
    database.close()


def _is_of_both(one: Sent) -> bool:
    """Sent by a repository, and SQLite is sent the same."""
    return _is_planned(one) and not any(part in one["sql"] for part in SERVER_ONLY)


def _is_planned(one: Sent) -> bool:
    return one["from"] != ENGINE and one["sql"].startswith(("SELECT", "UPDATE", "DELETE", "WITH"))


# --------------------------------------------------------------------------- a server


async def on_server(address: Address, statements: Iterable[Sent]) -> list[Reading]:
    """By its planner over some thousand rows; the database of this address is filled for it."""
    store = await open_store(address, clock=FixedClock(NOW_US))
    try:
        await store.migrate()
        await a_history(store)
    finally:
        await store.close()
    link = await Link.open(address, address.tls(), isolation="READ COMMITTED")
    found: list[Reading] = []
    try:
        await link.run(f"ANALYZE TABLE {', '.join(sorted(EVENTS - {'search_terms'}))}".encode())
        for one in filter(_is_planned, statements):
            found += await _explained(link, one)
    finally:
        await link.end()
    return found


async def _explained(link: Link, one: Sent) -> list[Reading]:
    params = [bytes.fromhex(v["hex"]) if isinstance(v, dict) else v for v in one["params"]]
    sql = one["sql"]
    answer = await link.run(b"EXPLAIN " + statement(sql, params))
    found = []
    for row in answer.rows:
        table = _table_of(sql, str(row["table"]))
        reads_all = row["type"] == "ALL" or (row["type"] == "index" and not _ends_early(sql))
        if table in EVENTS and reads_all:
            plan = f"{row['type']} {row['key'] or ''} {row['rows']} rows {row['Extra'] or ''}"
            found.append(Reading(origin=one["from"], sql=sql, table=table, plan=plan))
    return found


def _ends_early(sql: str) -> bool:
    """In the order of an index and without a condition, a LIMIT is reached at once."""
    return "LIMIT" in sql and "WHERE" not in sql


def _table_of(sql: str, name: str) -> str:
    """The table that a plan calls by its alias."""
    tables: dict[str, str] = {alias: table for table, alias in _NAMED.findall(sql)}
    return tables.get(name, name)
