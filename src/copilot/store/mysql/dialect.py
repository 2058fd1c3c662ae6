"""What TiDB, MariaDB and MySQL say differently from SQLite. Pure.

`VALUES(column)` in an upsert is the one form that all three take: MySQL's newer alias is unknown to
MariaDB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from copilot.store.database import Match, Value, marks
from copilot.store.vectors import as_bytes, as_text, nearest
from copilot.store.words import MOST_LETTERS, wanted


class MysqlDialect:
    """Meets `copilot.store.database.Dialect`; a view's locks nothing."""

    keeps_words = True
    time_leads = False

    def __init__(self, *, is_locking: bool = True, has_vectors: bool = False) -> None:
        """`has_vectors`: there is a type for them, as on TiDB."""
        self.locking = " FOR UPDATE" if is_locking else ""
        self._has_vectors = has_vectors

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
        news = [f"{c} = VALUES({c})" for c in replace]
        news += [f"{c} = {c} + VALUES({c})" for c in add]
        news += [f"{c} = LEAST({c}, VALUES({c}))" for c in least]
        news += [f"{c} = GREATEST({c}, VALUES({c}))" for c in greatest]
        return f"{_insert(table, columns)} ON DUPLICATE KEY UPDATE {', '.join(news)}"

    def insert_new(self, table: str, columns: Sequence[str]) -> str:
        # Not INSERT IGNORE, which turns every other error into a warning as well.
        return f"{_insert(table, columns)} ON DUPLICATE KEY UPDATE {columns[0]} = {columns[0]}"

    def match_events(
        self,
        words: Sequence[str],
        phrases: Sequence[str],
        excluded: Sequence[str],
        *,
        since_us: int,
        until_us: int,
    ) -> Match:
        query = wanted(words, phrases, excluded)
        terms = [
            _Term(word, needle.is_beginning and at == len(needle.words))
            for needle in query.needles
            for at, word in enumerate(needle.words, start=1)
        ]
        # The longest is likely the rarest. An excluded phrase cannot be told by its words.
        terms.sort(key=lambda term: -len(term.word))
        unwanted = [_Term(n.words[0]) for n in query.unwanted if len(n.words) == 1]
        span = (since_us, until_us)
        params: list[Value] = [terms[0].value, *span]
        sql = f"SELECT DISTINCT event_id AS id, ts_us FROM {_POSTINGS.format(terms[0].test)}"
        for term, is_in in [(t, "IN") for t in terms[1:]] + [(t, "NOT IN") for t in unwanted]:
            sql += f" AND event_id {is_in} (SELECT event_id FROM {_POSTINGS.format(term.test)})"
            params += (term.value, *span)
        return Match(sql=sql, params=tuple(params), on="f.id = e.id AND f.ts_us = e.ts_us")

    def vector_value(self, vector: bytes) -> Value:
        return as_text(vector) if self._has_vectors else vector

    def vector_bytes(self, value: Any) -> bytes:
        return as_bytes(value) if self._has_vectors else bytes(value)

    def nearest(self, table: str, key: str, among: Sequence[int] | None = None) -> str | None:
        return nearest(table, key, among) if self._has_vectors else None


_POSTINGS = "raw_event_terms WHERE {} AND ts_us >= ? AND ts_us <= ?"


class _Term:
    """A word to look up; its letters and digits mean nothing to LIKE."""

    def __init__(self, word: str, is_beginning: bool = False) -> None:
        self.word = word[:MOST_LETTERS]
        is_range = is_beginning and len(word) <= MOST_LETTERS
        self.test = "term LIKE ?" if is_range else "term = ?"
        self.value = f"{self.word}%" if is_range else self.word


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(columns)})"
