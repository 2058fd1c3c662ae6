"""A pytest plugin that writes down every statement the product sends while tests run.

    pytest -p tests.statements --statements-to FILE ...

One JSON object a line: `from` is the line of ours that sent it, `sql` is what TiDB is sent, `params`
are those of its first use. Where the suites run on SQLite, `sqlite` is what that was sent, and
`sql` is the same in the words of the other dialect. What no test sends is not checked: a
repository's statement needs a test that runs it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from copilot.store.database import Match, Value
from copilot.store.dialect import SqliteDialect
from copilot.store.mysql.dialect import MysqlDialect
from copilot.store.mysql.engine import MysqlDatabase, MysqlEngine
from copilot.store.sqlite import SqliteDatabase

PACKAGE = Path(__file__).parents[1] / "src"
PORTABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
"""How what repositories send begins; all else is SQLite's engine talking to its own database."""
CALLS = ("fetch_all", "fetch_one", "execute", "executemany", "insert")


class Statement(NamedTuple):
    """What was sent, and from where."""

    origin: str
    sql: str
    sqlite: str
    params: Sequence[Value]


class Record:
    """Every distinct statement."""

    def __init__(self) -> None:
        self._found: dict[str, Statement] = {}
        self._twins: dict[str, str] = {}

    def dialect(self) -> SqliteDialect:
        return _Both(self._twins)

    def on_sqlite(self, origin: str, sql: str, params: Sequence[Value]) -> None:
        if sql not in self._found and sql.lstrip().startswith(PORTABLE):
            self._found[sql] = Statement(origin, self._translated(sql), sql, params)

    def on_server(self, origin: str, sql: str, params: Sequence[Value] = ()) -> None:
        if sql not in self._found:
            self._found[sql] = Statement(origin, sql, "", params)

    def _translated(self, sql: str) -> str:
        """Whatever the dialect was asked for, in the other one's words."""
        if sql in self._twins:
            return self._twins[sql]
        for mine, other in self._twins.items():
            sql = sql.replace(mine, other)
        return sql

    def write(self, path: Path) -> None:
        with path.open("w") as file:
            for one in sorted(self._found.values(), key=lambda one: one[:3]):
                row = {"from": one.origin, "sql": one.sql, "sqlite": one.sqlite}
                values = [{"hex": v.hex()} if isinstance(v, bytes) else v for v in one.params]
                file.write(json.dumps(row | {"params": values}) + "\n")


class _Both(SqliteDialect):
    """SQLite's words, while what TiDB would be told is remembered."""

    def __init__(self, twins: dict[str, str]) -> None:
        self._other = MysqlDialect()
        self._twins = twins

    def __getattribute__(self, name: str) -> Any:
        asked = super().__getattribute__(name)
        if name.startswith("_") or not callable(asked):
            return asked

        def ask(*args: Any, **kwargs: Any) -> Any:
            mine, other = asked(*args, **kwargs), getattr(self._other, name)(*args, **kwargs)
            self._twins.update(zip(_texts(mine), _texts(other), strict=True))
            return mine

        return ask


def _texts(answer: object) -> list[str]:
    if isinstance(answer, Match):
        return [answer.sql, f" ON {answer.on}"]
    return [answer] if isinstance(answer, str) else []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--statements-to", type=Path, help="where to write down every statement")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--statements-to") is not None:
        config.stash[_RECORD] = Record()
        _listen(config.stash[_RECORD])


def pytest_sessionfinish(session: pytest.Session) -> None:
    record = session.config.stash.get(_RECORD, None)
    if record is not None:
        record.write(session.config.getoption("--statements-to"))


_RECORD = pytest.StashKey[Record]()


def _listen(record: Record) -> None:
    """Stand in every call, as a coverage tool does: whoever opens a store need not know."""
    for name in CALLS:
        for database, note in (
            (SqliteDatabase, record.on_sqlite),
            (MysqlDatabase, record.on_server),
        ):
            setattr(database, name, _noted(getattr(database, name), note))
    made = SqliteDatabase.__init__

    @wraps(made)
    def init(self: SqliteDatabase, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        self.dialect = record.dialect()

    SqliteDatabase.__init__ = init  # type: ignore[method-assign]
    open_engine = MysqlEngine.open.__func__  # type: ignore[attr-defined]

    async def opened(cls: type[MysqlEngine], *args: Any, **kwargs: Any) -> MysqlEngine:
        def sent(sql: str) -> None:
            record.on_server("copilot/store/mysql", sql)

        engine: MysqlEngine = await open_engine(cls, *args, **{**kwargs, "on_statement": sent})
        return engine

    MysqlEngine.open = classmethod(opened)  # type: ignore[method-assign,assignment]


def _noted(
    call: Callable[..., Any], note: Callable[[str, str, Sequence[Value]], None]
) -> Callable[..., Any]:
    is_many = call.__name__ == "executemany"

    @wraps(call)
    def noted(self: object, sql: str, params: Sequence[Any] = ()) -> Any:
        frame = sys._getframe(1)
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(PACKAGE) and file.name != "sqlite.py":
            origin = f"{file.relative_to(PACKAGE)}:{frame.f_lineno}"
            first = (params[0] if params else None) if is_many else params
            if first is not None:
                note(origin, sql, first)
        return call(self, sql, params)

    return noted
