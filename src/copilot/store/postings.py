"""The words of events as rows, where the database has no full-text index of its own."""

from __future__ import annotations

from collections.abc import Iterable

from copilot.store.database import Database, marks
from copilot.store.words import Columns, terms_of

_COLUMNS = ("term", "ts_us", "event_id")


class Postings:
    """Writes `raw_event_terms`; does nothing where the dialect keeps no words."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, events: Iterable[tuple[int, int, Columns]]) -> None:
        """Events by id, time and what is searched of them."""
        if not self._db.dialect.keeps_words:
            return
        rows = [
            (term, ts_us, event_id)
            for event_id, ts_us, columns in events
            for term in sorted(terms_of(columns))
        ]
        rows.sort()  # in the order of their key: rows of one word go to one page
        await self._db.executemany(self._db.dialect.insert_new("raw_event_terms", _COLUMNS), rows)

    async def remove(self, event_id: int, ts_us: int, columns: Columns) -> None:
        """What `add` was given."""
        terms = sorted(terms_of(columns))
        if self._db.dialect.keeps_words:
            await self._db.execute(
                f"DELETE FROM raw_event_terms WHERE term IN ({marks(terms)}) "
                "AND ts_us = ? AND event_id = ?",
                (*terms, ts_us, event_id),
            )
