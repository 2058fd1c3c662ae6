"""Migrations: what is applied, what is refused, what is printed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from copilot.domain.errors import Conflict
from copilot.store.migrations import migrations, missing, schema_sql

PRINTED = Path(__file__).parents[3] / "db" / "schema.sql"


def test_all_are_missing_from_an_empty_store() -> None:
    assert [m.name for m in missing({})] == [m.name for m in migrations()]


def test_nothing_is_missing_where_all_were_applied() -> None:
    assert missing({m.version: m.checksum for m in migrations()}) == []


def test_a_store_of_a_newer_program_is_refused() -> None:
    with pytest.raises(Conflict, match="9999"):
        missing({9999: b""})


def test_an_edited_migration_is_refused() -> None:
    with pytest.raises(Conflict, match="0001_base"):
        missing({1: b"another checksum"})


def test_versions_count_up_from_one() -> None:
    assert [m.version for m in migrations()] == list(range(1, len(migrations()) + 1))


def test_every_statement_is_found_also_triggers() -> None:
    statements = [s for m in migrations() for s in m.statements]

    assert all(sqlite3.complete_statement(statement) for statement in statements)
    assert sum("CREATE TRIGGER" in statement for statement in statements) == 3


def test_the_printed_schema_loads_into_an_empty_database() -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(schema_sql())

    tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}

    database.close()
    assert {"raw_events", "runbooks", "incidents", "schema_migrations"} <= tables


def test_the_printed_schema_is_current() -> None:
    assert PRINTED.read_text(encoding="utf-8") == schema_sql()
