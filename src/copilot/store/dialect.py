"""SQLite's words for what databases say differently. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from copilot.store.database import Match, Value, marks

MOST_MATCHES = 5_000
"""Rows that full text hands over."""
_WORD = re.compile(r"[^\W_]+")
"""What the full-text tokenizer of `raw_events_fts` takes for a word."""


class SqliteDialect:
    """Meets `copilot.store.database.Dialect`."""

    locking = ""
    keeps_words = False
    time_leads = True

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
        news = [f"{c} = excluded.{c}" for c in replace]
        news += [f"{c} = {table}.{c} + excluded.{c}" for c in add]
        news += [f"{c} = min({table}.{c}, excluded.{c})" for c in least]
        news += [f"{c} = max({table}.{c}, excluded.{c})" for c in greatest]
        return (
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(columns)}) "
            f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {', '.join(news)}"
        )

    def insert_new(self, table: str, columns: Sequence[str]) -> str:
        return (
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(columns)}) "
            "ON CONFLICT DO NOTHING"
        )

    def match_events(
        self,
        words: Sequence[str],
        phrases: Sequence[str],
        excluded: Sequence[str],
        *,
        since_us: int,
        until_us: int,
    ) -> Match:
        wanted = [f"{quoted} *" for quoted in map(_quoted, words) if quoted]
        wanted += [quoted for quoted in map(_quoted, phrases) if quoted]
        unwanted = [quoted for quoted in map(_quoted, excluded) if quoted]
        expression = " AND ".join(wanted)
        if unwanted:
            expression = f"({expression}) NOT ({' OR '.join(unwanted)})"
        sql = (
            "SELECT rowid AS id FROM raw_events_fts WHERE raw_events_fts MATCH ? "
            "ORDER BY rowid DESC LIMIT ?"  # of a word in every row, those that came last
        )
        return Match(sql=sql, params=(expression, MOST_MATCHES))

    def vector_value(self, vector: bytes) -> Value:
        return vector

    def vector_bytes(self, value: Any) -> bytes:
        return bytes(value)

    def nearest(self, table: str, key: str, among: Sequence[int] | None = None) -> str | None:
        return None


def _quoted(text: str) -> str:
    """An FTS5 string, which is a phrase of its words; nothing in it is an operator."""
    words = _WORD.findall(text)
    return f'"{" ".join(words)}"' if words else ""
