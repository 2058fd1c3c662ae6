"""What is sent to TiDB holds nothing that TiDB takes and does not do, and makes no hot spot."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from copilot.store.migrations import TIDB, migrations

STORE = Path(__file__).parents[2] / "src/copilot/store"
SQLITE_ONLY = (STORE / "sqlite.py", STORE / "dialect.py")
NOT_OURS = re.compile(r"SKIP LOCKED|GET_LOCK|RETURNING|ON CONFLICT|INSERT OR |/\*T!", re.IGNORECASE)
"""On TiDB the first locks nothing, without a word; the last is lost in clients that strip comments;
the others are SQLite's, or end with a connection."""
LED_BY_TIME = {"audit_log": "what people and the co-pilot do: a few rows a minute, no hot spot"}


def sent_to_tidb() -> dict[str, str]:
    """Everything that is or becomes SQL for TiDB, without comments on how it is written."""
    code = [path for path in STORE.rglob("*.py") if path not in SQLITE_ONLY]
    texts = {str(path.relative_to(STORE)): strings_of(path.read_text()) for path in code}
    return texts | {m.name: without_comments(m.sql) for m in migrations(TIDB)}


def strings_of(code: str) -> str:
    """All of them but those that are statements by themselves: they document."""
    tree = ast.parse(code)
    documents = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    return "\n".join(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in documents
    )


def without_comments(sql: str) -> str:
    return re.sub(r"--.*", "", sql)


def led_by_time(sql: str) -> list[str]:
    """Tables with a secondary index whose first column is a time."""
    plain = without_comments(sql)
    found = re.findall(r"CREATE (?:UNIQUE )?INDEX \w+ ON (\w+) \(\w+_us\b", plain)
    for table, body in re.findall(
        r"CREATE TABLE (?:IF NOT EXISTS )?(\w+) \((.*?);", plain, re.DOTALL
    ):
        if re.search(r"\b(?:KEY|INDEX) \w+ \(\w+_us\b", body):
            found += [table]
    return found + re.findall(r"ALTER TABLE (\w+) ADD (?:INDEX|KEY) \w+ \(\w+_us\b", plain)


@pytest.mark.parametrize("name", sorted(sent_to_tidb()))
def test_nothing_is_sent_that_tidb_takes_and_does_not_do(name: str) -> None:
    assert NOT_OURS.findall(sent_to_tidb()[name]) == []


@pytest.mark.parametrize("migration", migrations(TIDB), ids=lambda migration: migration.name)
def test_no_index_makes_a_hot_spot_at_the_newest_time(migration: object) -> None:
    tables = led_by_time(migration.sql)  # type: ignore[attr-defined]  # what `parametrize` is given

    assert [table for table in tables if table not in LED_BY_TIME] == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM jobs FOR UPDATE SKIP LOCKED",
        "INSERT INTO jobs (id) VALUES (?) returning id",
        "INSERT INTO jobs (id) VALUES (?) ON CONFLICT DO NOTHING",
        "id BIGINT /*T![auto_rand] AUTO_RANDOM(5) */",
    ],
)
def test_the_guard_sees_what_must_not_be_sent(sql: str) -> None:
    assert NOT_OURS.findall(strings_of(f"SQL = {sql!r}"))


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX k_ts ON feed (ts_us, cluster);",
        "CREATE TABLE feed (\n  ts_us BIGINT, -- time\n  KEY k_ts (ts_us)) DEFAULT CHARSET=utf8mb4;",
        "ALTER TABLE feed ADD INDEX k_ts (ts_us);",
    ],
)
def test_the_guard_sees_an_index_that_time_leads(sql: str) -> None:
    assert led_by_time(sql) == ["feed"]
