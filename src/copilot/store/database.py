"""The seam between repositories and databases: a handful of calls and a few words of dialect.

Repositories write portable SQL with `?` for parameters. What differs between databases beyond
that is here, in `Dialect`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from copilot.ports import Capabilities

Value = int | float | str | bytes | None


class Row(Protocol):
    """One row, by column name. `dict(row)` works."""

    def __getitem__(self, column: str, /) -> Any: ...
    def keys(self) -> Iterable[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A query for the events that may fit some words: all that do, and perhaps a few more."""

    sql: str
    params: tuple[Value, ...]
    on: str = "f.id = e.id"
    """How its rows `f` join the events `e`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One part of a table that is parted by day."""

    name: str
    end_us: int
    """Its rows are older than that, and not as old as the end of the day before."""
    n: int
    """About how many rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it is."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    """The columns that tell its rows apart, in the order of an index."""

    def key_of(self, row: Sequence[Value]) -> tuple[Value, ...]:
        """Of a row that has all columns."""
        return tuple(row[self.columns.index(column)] for column in self.key)


class Dialect(Protocol):
    """Where databases differ."""

    @property
    def time_leads(self) -> bool:
        """Whether an index may lead with time alone: where one writes at a time, its end is not
        hot."""
        ...

    @property
    def locking(self) -> str:
        """Ends a SELECT of rows that nobody else may change until this transaction ends; empty in
        a view, and where transactions take turns anyway."""
        ...

    @property
    def keeps_words(self) -> bool:
        """Whether the words of events are kept in `raw_event_terms`: without a full-text index."""
        ...

    def upsert(
        self,
        table: str,
        columns: Sequence[str],
        key: Sequence[str],
        *,
        replace: Sequence[str] = (),
        add: Sequence[str] = (),
        least: Sequence[str] = (),
        greatest: Sequence[str] = (),
    ) -> str:
        """INSERT of one row; where the key exists, its named columns are brought up to date."""
        ...

    def insert_new(self, table: str, columns: Sequence[str]) -> str:
        """INSERT of one row that does nothing (row count 0) where a key exists already."""
        ...

    def match_events(
        self,
        words: Sequence[str],
        phrases: Sequence[str],
        excluded: Sequence[str],
        *,
        since_us: int,
        until_us: int,
    ) -> Match:
        """Rows of `raw_events` with all words (also as beginnings) and phrases, none excluded, for
        `copilot.store.words` to tell which of them fit. It may look at the times only.

        At least one word or phrase must hold a letter or digit.
        """
        ...

    def vector_value(self, vector: bytes) -> Value:
        """Float32, little-endian, as what a vector's column takes."""
        ...

    def vector_bytes(self, value: Any) -> bytes:
        """The same back from a column."""
        ...

    def nearest(self, table: str, key: str, among: Sequence[int] | None = None) -> str | None:
        """A query for `doc_id` and `distance` (of the cosine, 0 to 2), the nearest first, given a
        vector's value, the model, how many numbers, the documents if only `among` some, and a
        limit; None where we compare vectors ourselves."""
        ...


class Database(Protocol):
    """One open transaction. Expected failures come as `Unavailable`, a taken key as `Clash`."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def is_kept(self) -> bool:
        """Whether it has been committed: it may have been, and its task cancelled meanwhile."""
        ...

    async def fetch_all(self, sql: str, params: Sequence[Value] = ()) -> list[Row]: ...

    async def fetch_one(self, sql: str, params: Sequence[Value] = ()) -> Row | None: ...

    async def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """How many rows it was about: of an UPDATE those found, whether or not they changed."""
        ...

    async def executemany(self, sql: str, rows: Sequence[Sequence[Value]]) -> None: ...

    async def insert(self, sql: str, params: Sequence[Value] = ()) -> int | None:
        """The new row's id; None where `insert_new` found the key taken."""
        ...

    async def candidates(
        self, vectors: str, key: str, model: str, vector: bytes, limit: int
    ) -> list[int] | None:
        """Documents among which the nearest `limit` are, by an index of the database; None where
        all are to be compared."""
        ...

    async def forget_candidates(
        self, vectors: str, documents: Sequence[int], model: str = ""
    ) -> None:
        """Documents whose vectors (of a model, or all) were removed in this transaction: no index
        of the database is to give them any more."""
        ...


class Engine(Protocol):
    """A database to open transactions on."""

    def transaction(self) -> AbstractAsyncContextManager[Database]: ...

    def view(self) -> AbstractAsyncContextManager[Database]: ...

    async def migrate(self, now_us: int) -> tuple[str, ...]: ...

    def loading(self) -> AbstractAsyncContextManager[Database]:
        """A transaction that takes rows with the ids that they have elsewhere."""
        ...

    async def tables(self) -> list[Table]:
        """All there are, by name; columns in the same order in all databases."""
        ...

    async def days(self, table: str) -> list[Day]:
        """Of a table that is parted by day, the oldest first; none of any other."""
        ...

    async def drop_days(self, table: str, names: Sequence[str]) -> None:
        """Remove whole days at once. Harmless the second time."""
        ...

    async def compact(self) -> int:
        """Give the space of what was removed back to the system; how many bytes."""
        ...

    async def make_days(self, now_us: int) -> tuple[str, ...]: ...

    async def follow(self, vectors: str, key: str, model: str) -> None:
        """Let an index of the database, where it has one and it is worth it, follow the vectors of
        this model."""
        ...

    async def capabilities(self) -> Capabilities: ...

    async def close(self) -> None: ...


def marks(values: Sequence[object]) -> str:
    """Placeholders for an `IN (..)` list; an empty one matches nothing."""
    return ", ".join("?" * len(values)) if values else "NULL"
