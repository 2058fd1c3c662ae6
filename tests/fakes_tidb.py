"""A stand-in for a TiDB: takes every statement, notes it, and answers what it was told to.

It shows what would be sent, never that a TiDB does what is meant: `make test-tidb` does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from asyncmy.errors import OperationalError

from copilot.store.mysql.connections import Answer
from copilot.store.mysql.engine import MysqlDatabase
from copilot.store.mysql.schema import Schema

VERSION = "8.0.11-TiDB-v8.5.7"


class FakeTidb:
    """`rows` are what statements bring, by how they begin; `refused` fail with a number, by what
    they hold; `counts` are how many rows one DELETE after another finds, then none."""

    version = VERSION
    is_tidb = True

    def __init__(
        self,
        rows: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        refused: Mapping[str, int] | None = None,
        counts: Sequence[int] = (),
    ) -> None:
        self.rows = dict(rows or {})
        self.refused = dict(refused or {})
        self.counts = list(counts)
        self.sent: list[str] = []
        self.values: list[bytes] = []

    def note(self, sql: str) -> None:
        self.sent.append(sql)

    async def run(self, sql: bytes) -> Answer:
        text = sql.decode()
        self.values.append(sql)
        for part, code in self.refused.items():
            if part in text:
                raise OperationalError(code, "said the server")
        for start, rows in self.rows.items():
            if text.startswith(start):
                return Answer(rows=[dict(row) for row in rows], count=1, new_id=0)
        if text.startswith("DELETE"):
            return Answer(rows=[], count=self.counts.pop(0) if self.counts else 0, new_id=0)
        return Answer(rows=[], count=1, new_id=0)

    @asynccontextmanager
    async def database(self, near: Any = None) -> AsyncIterator[MysqlDatabase]:
        yield MysqlDatabase(self, self.note, near)  # type: ignore[arg-type]  # all it needs of one

    @asynccontextmanager
    async def schema(self) -> AsyncIterator[Schema]:
        yield Schema(self, self._another, self.note)  # type: ignore[arg-type]  # see above

    async def opened(self) -> Any:
        """As what opens a connection."""
        return self

    def is_older_than(self, age_s: float, now_s: float) -> bool:
        return False

    async def cut(self) -> None:
        """Nothing to cut."""

    async def end(self) -> None:
        """Nothing to end."""

    async def _another(self) -> FakeTidb:
        return self


def as_script(sent: Sequence[str], rename: Callable[[str], str] = str) -> str:
    """One statement after the other, each once."""
    return "".join(f"{rename(sql)};\n" for sql in dict.fromkeys(sent))
