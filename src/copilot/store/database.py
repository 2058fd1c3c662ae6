"""The seam between repositories and databases: a handful of calls and a few words of dialect.

Repositories write portable SQL with `?` for parameters. What differs between databases beyond
that is here, in `Dialect`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

Value = int | float | str | bytes | None


class Row(Protocol):
    """One row, by column name. `dict(row)` works."""

    def __getitem__(self, column: str, /) -> Any: ...
    def keys(self) -> Iterable[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A query for `id` and `score` (greater fits better) of the events that match some words."""

    sql: str
    params: tuple[Value, ...]


class Dialect(Protocol):
    """Where databases differ."""

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
        self, words: Sequence[str], phrases: Sequence[str], excluded: Sequence[str]
    ) -> Match:
        """Rows of `raw_events` with all words (also as beginnings) and phrases, none excluded.

        At least one word or phrase must hold a letter or digit.
        """
        ...


class Database(Protocol):
    """One open transaction. Expected failures come as `Unavailable`, a taken key as `Conflict`."""

    @property
    def dialect(self) -> Dialect: ...

    async def fetch_all(self, sql: str, params: Sequence[Value] = ()) -> list[Row]: ...

    async def fetch_one(self, sql: str, params: Sequence[Value] = ()) -> Row | None: ...

    async def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """How many rows changed."""
        ...

    async def executemany(self, sql: str, rows: Sequence[Sequence[Value]]) -> None: ...

    async def insert(self, sql: str, params: Sequence[Value] = ()) -> int | None:
        """The new row's id; None where `insert_new` found the key taken."""
        ...


class Engine(Protocol):
    """A database to open transactions on."""

    def transaction(self) -> AbstractAsyncContextManager[Database]: ...

    def view(self) -> AbstractAsyncContextManager[Database]: ...

    async def migrate(self, now_us: int) -> tuple[str, ...]: ...

    async def compact(self) -> int:
        """Give the space of what was removed back to the system; how many bytes."""
        ...

    async def close(self) -> None: ...


def marks(values: Sequence[object]) -> str:
    """Placeholders for an `IN (..)` list; an empty one matches nothing."""
    return ", ".join("?" * len(values)) if values else "NULL"
