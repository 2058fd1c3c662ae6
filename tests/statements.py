"""A pytest plugin that writes down every statement that a server is sent while tests run on one.

    COPILOT_TEST_STORE=mariadb://… pytest -p tests.statements --statements-to FILE …

One JSON object a line: `from` is the line of ours that sent it, `sql` what was sent with `?` for
values, `params` those of its first use. Beside it, in FILE.origins, every line of ours that sent
anything: what no test sends is not checked, and `make sqlcheck` names each line that sent nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from copilot.store.database import Value
from copilot.store.mysql.engine import MysqlDatabase, MysqlEngine

PACKAGE = Path(__file__).parents[1] / "src"
CALLS = ("fetch_all", "fetch_one", "execute", "executemany", "insert")
ENGINE = "copilot/store/mysql"
"""Who sends what repositories do not: transactions, schema, questions to the server."""


class Statement(NamedTuple):
    """What was sent, and from where."""

    origin: str
    sql: str
    params: Sequence[Value]


class Record:
    """Every distinct statement, in the order in which they came."""

    def __init__(self) -> None:
        self._found: dict[str, Statement] = {}
        self._origins: set[str] = set()

    def note(self, origin: str, sql: str, params: Sequence[Value] = ()) -> None:
        self._origins.add(origin)
        self._found.setdefault(sql, Statement(origin, sql, params))

    def write(self, path: Path) -> None:
        with path.open("w") as file:
            for one in sorted(self._found.values(), key=lambda one: one[:2]):
                values = [{"hex": v.hex()} if isinstance(v, bytes) else v for v in one.params]
                row = {"from": one.origin, "sql": one.sql, "params": values}
                file.write(json.dumps(row) + "\n")
        origins_beside(path).write_text("\n".join(sorted(self._origins)))


def origins_beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.origins")


_RECORD = pytest.StashKey[Record]()


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


def _listen(record: Record) -> None:
    """Stand in every call, as a coverage tool does: whoever opens a store need not know."""
    for name in CALLS:
        setattr(MysqlDatabase, name, _noted(getattr(MysqlDatabase, name), record))
    open_engine = MysqlEngine.open.__func__  # type: ignore[attr-defined]  # mypy sees it bound

    async def opened(cls: type[MysqlEngine], *args: Any, **kwargs: Any) -> MysqlEngine:
        def sent(sql: str) -> None:
            record.note(ENGINE, sql)

        engine: MysqlEngine = await open_engine(cls, *args, **{**kwargs, "on_statement": sent})
        return engine

    MysqlEngine.open = classmethod(opened)  # type: ignore[method-assign,assignment]  # see above


def _noted(call: Callable[..., Any], record: Record) -> Callable[..., Any]:
    is_many = call.__name__ == "executemany"

    @wraps(call)
    def noted(self: object, sql: str, params: Sequence[Any] = ()) -> Any:
        frame = sys._getframe(1)
        file = Path(frame.f_code.co_filename)
        first = (params[0] if params else None) if is_many else params
        if file.is_relative_to(PACKAGE) and first is not None:
            record.note(f"{file.relative_to(PACKAGE)}:{frame.f_lineno}", sql, first)
        return call(self, sql, params)

    return noted
