"""A whole store into another one, whatever databases they are: ids and addresses stay as they are.

The source is read in one snapshot, table by table along its key; each step's rows and how far it
came are one transaction of the target, so a copy that was cut off goes on exactly where it was.
What was read is counted and hashed as it goes, and the target is read back whole at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from copilot.domain.errors import Conflict
from copilot.domain.retention import DAY_US
from copilot.store.database import Database, Engine, Row, Table, Value, marks
from copilot.store.postings import Postings
from copilot.store.vectors import BESIDE

Progress = Callable[[str, int, int], None]
"""Told the table, its rows so far, and all it has."""

OWN = frozenset({"schema_migrations", "schema_steps", "schema_lease", "leases", "copies"})
"""What tells of the store itself."""
DERIVED = frozenset(
    {
        *("raw_event_terms", "events_embeddings", "runbook_vec", "incident_vec"),
        *("refused_texts", "search_models"),
    }
)
"""What the target makes of the rest, where it wants it: words of events, and vectors, which are
another type on TiDB and are filled in beside the work."""
STEP_BYTES = 1 << 20
_DAYS_BACK = 30
_FEW, _MANY = 8, 1_000
"""Rows of a step: as many as make up `STEP_BYTES`, within these."""
_WORDS = ("body_text", "reason", "object_name")
_TABLE = "copies"
_COPY = ("name", "source", "position", "n", "hash", "is_done")
_WHOLE = ""
"""The row of the copy itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """One table that is the same in both."""

    table: str
    n: int
    hash: str


@dataclass(slots=True)
class _Tally:
    """Rows by number and a hash that does not depend on their order."""

    n: int = 0
    sum: int = 0

    def add(self, row: Sequence[Value]) -> None:
        self.n += 1
        self.sum = (self.sum + _hashed(row)) % (1 << 64)

    @property
    def hash(self) -> str:
        return f"{self.sum:016x}"


async def copy(
    source: Engine, target: Engine, *, name: str, on_step: Progress
) -> tuple[Copied, ...]:
    """Everything of `source`, with counts and hashes that were found equal.

    `name` says which source this is. Both schemas are up to date.

    Raises:
        Conflict: the target holds anything else than the beginning of this very copy, the source
            was written to since it began, or what is in the target is not what was read.
    """
    async with source.view() as reading:
        mark = json.dumps([name, await _mark(reading)])
        tables = [table for table in await source.tables() if not _is_left_out(table.name)]
        await _begin(target, tables, mark)
        done = [await _table(reading, target, table, mark, on_step) for table in tables]
    async with source.view() as reading:
        _refuse_if_moved(mark, json.dumps([name, await _mark(reading)]))
    for one in done:
        await _verify(target, next(t for t in tables if t.name == one.table), one)
    async with target.transaction() as database:
        await _note(database, _WHOLE, mark, None, _Tally(), is_done=True)
    return tuple(done)


def _is_left_out(table: str) -> bool:
    return table in OWN | DERIVED or BESIDE in table


async def prepare(source: Engine, target: Engine, now_us: int) -> None:
    """Bring both schemas up to date; where days are parted, the past gets its own."""
    await source.migrate(now_us)
    async with source.view() as reading:
        row = await reading.fetch_one(
            "SELECT (SELECT MIN(ts_us) FROM raw_events) AS events_us, "
            "(SELECT MIN(start_us) FROM spans) AS spans_us"
        )
    oldest = [int(us) for us in dict(row).values() if us] if row else []
    await target.migrate(max(min([*oldest, now_us]), now_us - _DAYS_BACK * DAY_US))
    await target.make_days(now_us)


# --------------------------------------------------------------------------- the beginning


async def _mark(reading: Database) -> list[int]:
    """Numbers of which one moves with whatever is written to a store."""
    row = await reading.fetch_one(
        "SELECT (SELECT COALESCE(SUM(seq), 0) FROM feed_heads) AS feed, "
        "(SELECT COALESCE(SUM(seq), 0) FROM audit_heads) AS audit, "
        "(SELECT COALESCE(SUM(n_lines + n_retired), 0) FROM log_segments) AS n_lines, "
        "(SELECT COALESCE(MAX(last_seen_us), 0) FROM streams) AS seen_us, "
        "(SELECT COALESCE(MAX(updated_us), 0) FROM k8s_objects) AS objects_us, "
        "(SELECT COALESCE(SUM(attempts), 0) + COUNT(*) FROM jobs) AS jobs"
    )
    return [int(value) for value in dict(row).values()] if row else []


def _refuse_if_moved(mark: str, now: str) -> None:
    if mark != now:
        raise Conflict(
            "the source was written to while it was copied, so the copy is not whole: stop the "
            "co-pilot that uses it, empty the target and start again"
        )


async def _begin(target: Engine, tables: Sequence[Table], mark: str) -> None:
    """Note which copy this is, in a target that is empty or holds its beginning."""
    async with target.transaction() as database:
        noted = await database.fetch_one(f"SELECT source FROM {_TABLE} WHERE name = ?", (_WHOLE,))
        if noted is not None:
            given, before = json.loads(mark), json.loads(noted["source"])
            if given[0] != before[0]:
                raise Conflict(f"the target holds a copy of another store: {before[0]}")
            _refuse_if_moved(mark, noted["source"])
            return
        there = await _missing_in(target, tables)
        if there:
            raise Conflict(f"the target does not know {', '.join(there)}; are both up to date?")
        for table in tables:
            if await database.fetch_one(f"SELECT 1 AS one FROM {table.name} LIMIT 1"):
                raise Conflict(
                    f"the target is not empty, {table.name} has rows: name a database that no "
                    "co-pilot has used"
                )
        await _note(database, _WHOLE, mark, None, _Tally(), is_done=False)


async def _missing_in(target: Engine, tables: Sequence[Table]) -> list[str]:
    known = {table.name: set(table.columns) for table in await target.tables()}
    return [t.name for t in tables if not set(t.columns) <= known.get(t.name, set())]


# --------------------------------------------------------------------------- a table


async def _table(
    reading: Database, target: Engine, table: Table, mark: str, on_step: Progress
) -> Copied:
    """What is still to be copied of one table."""
    tally, after = _Tally(), None
    async with target.view() as look:
        noted = await look.fetch_one(
            f"SELECT position, n, hash FROM {_TABLE} WHERE name = ?", (table.name,)
        )
    if noted is not None:
        tally, after = _Tally(noted["n"], int(noted["hash"], 16)), _key_of(noted["position"])
    counted = await reading.fetch_one(f"SELECT COUNT(*) AS n FROM {table.name}")
    total = int(counted["n"]) if counted else 0
    on_step(table.name, tally.n, total)
    async for rows in _walk(reading, table, after):
        for row in rows:
            tally.add(row)
        async with target.loading() as database:
            await database.executemany(
                f"INSERT INTO {table.name} ({', '.join(table.columns)}) "
                f"VALUES ({marks(table.columns)})",
                rows,
            )
            if table.name == "raw_events":
                await Postings(database).add(_posted(table, row) for row in rows)
            await _note(database, table.name, mark, table.key_of(rows[-1]), tally, is_done=False)
        on_step(table.name, tally.n, total)
    return Copied(table=table.name, n=tally.n, hash=tally.hash)


async def _verify(target: Engine, table: Table, copied: Copied) -> None:
    """Read it back. Raises: Conflict."""
    tally = _Tally()
    async with target.view() as look:
        async for rows in _walk(look, table, None):
            for row in rows:
                tally.add(row)
    if (tally.n, tally.hash) != (copied.n, copied.hash):
        raise Conflict(
            f"{table.name} is not the same in both: {copied.n} rows were read ({copied.hash}), "
            f"the target has {tally.n} ({tally.hash}); empty it and start again"
        )


async def _walk(
    database: Database, table: Table, after: Sequence[Value] | None
) -> AsyncIterator[list[tuple[Value, ...]]]:
    """All rows after a key, in its order, in steps. Each step is one range of the key's index: the
    rest of the innermost group first, then what follows that group, and so on outwards."""
    step = _FEW
    depth = 0 if after is None else len(table.key) - 1
    while True:
        rows = [
            tuple(row[column] for column in table.columns)
            for row in await _range(database, table, after, depth, step)
        ]
        if rows:
            yield rows
            after, step = table.key_of(rows[-1]), _next_step(rows)
            depth = len(table.key) - 1
        elif depth > 0:
            depth -= 1
        else:
            return


async def _range(
    database: Database, table: Table, after: Sequence[Value] | None, depth: int, step: int
) -> list[Row]:
    where, params = "", list[Value]()
    if after is not None:
        equal = [f"{column} = ?" for column in table.key[:depth]]
        where = f"WHERE {' AND '.join([*equal, f'{table.key[depth]} > ?'])} "
        params = list(after[: depth + 1])
    return await database.fetch_all(
        f"SELECT {', '.join(table.columns)} FROM {table.name} {where}"
        f"ORDER BY {', '.join(table.key)} LIMIT ?",
        (*params, step),
    )


def _next_step(rows: Sequence[Sequence[Value]]) -> int:
    size = sum(len(v) if isinstance(v, str | bytes) else 8 for row in rows for v in row)
    return max(_FEW, min(_MANY, STEP_BYTES * len(rows) // max(size, 1)))


def _posted(table: Table, row: Sequence[Value]) -> tuple[int, int, list[str]]:
    at = table.columns.index
    words = [str(row[at(column)]) for column in _WORDS]
    return int(row[at("id")] or 0), int(row[at("ts_us")] or 0), words


async def _note(
    database: Database,
    name: str,
    mark: str,
    key: Sequence[Value] | None,
    tally: _Tally,
    *,
    is_done: bool,
) -> None:
    values = [{"hex": v.hex()} if isinstance(v, bytes) else v for v in key or ()]
    await database.execute(
        database.dialect.upsert(_TABLE, _COPY, ("name",), replace=_COPY[1:]),
        (name, mark, json.dumps(values), tally.n, tally.hash, int(is_done)),
    )


def _key_of(position: str) -> list[Value]:
    return [bytes.fromhex(v["hex"]) if isinstance(v, dict) else v for v in json.loads(position)]


def _hashed(row: Sequence[Value]) -> int:
    """The same for equal rows of any database: numbers by value, texts and bytes by content."""
    parts = "\x1f".join(
        f"x{value.hex()}" if isinstance(value, bytes) else f"{type(value).__name__}{value!r}"
        for value in row
    )
    return int.from_bytes(hashlib.blake2b(parts.encode("utf-8", "replace"), digest_size=8).digest())
