"""Migrations: what is applied, what is refused, what is printed, and that both families agree."""

from __future__ import annotations

import re
import sqlite3

import pytest

from copilot.domain.errors import Conflict
from copilot.store.migrations import (
    SQLITE,
    TIDB,
    Family,
    migrations,
    missing,
    schema_sql,
    takes_away,
)
from copilot.store.mysql.schema import rendered

FAMILIES = pytest.mark.parametrize("family", [SQLITE, TIDB], ids=lambda family: family.name)
NOT_ON_SQLITE = {"raw_event_terms", "schema_steps", "schema_lease"}
"""Words of events: SQLite has FTS5. Steps and lease: its migrations are one transaction."""


@FAMILIES
def test_all_are_missing_from_an_empty_store(family: Family) -> None:
    assert [m.name for m in missing({}, family)] == [m.name for m in migrations(family)]


@FAMILIES
def test_nothing_is_missing_where_all_were_applied(family: Family) -> None:
    assert missing(all_of(family), family) == []


@FAMILIES
def test_what_a_newer_program_added_does_not_matter(family: Family) -> None:
    assert missing(all_of(family) | {9999: ("9999_more", b"")}, family) == []


@FAMILIES
def test_a_store_from_which_a_newer_program_took_something_away_is_refused(
    family: Family,
) -> None:
    with pytest.raises(Conflict, match="9999_contract_hits"):
        missing(all_of(family) | {9999: ("9999_contract_hits", b"")}, family)


@FAMILIES
def test_a_migration_between_ours_that_nobody_knows_is_refused(family: Family) -> None:
    with pytest.raises(Conflict, match="0004_gone"):
        missing({4: ("0004_gone", b"")}, family)


_TAKES_AWAY = re.compile(
    r"\b(DROP|RENAME|TRUNCATE|MODIFY|CHANGE)\b|^DELETE\b|ADD COLUMN (?!.*DEFAULT).*NOT NULL"
)
_WERE_BEFORE = 8
"""Nobody ran a program that did not know these."""


@FAMILIES
def test_migrations_only_add_unless_they_say_so(family: Family) -> None:
    later = [m for m in migrations(family) if m.version > _WERE_BEFORE and not takes_away(m.name)]
    statements = [re.sub(r"--.*", "", s) for m in later for s in m.statements]

    assert [s for s in statements if _TAKES_AWAY.search(s)] == []


@pytest.mark.parametrize(
    ("sql", "is_fine"),
    [
        ("ALTER TABLE jobs ADD COLUMN a INT NOT NULL DEFAULT 0;", True),
        ("ALTER TABLE jobs ADD COLUMN a BIGINT;", True),
        ("CREATE TABLE a (b INT NOT NULL);", True),
        ("ALTER TABLE jobs ADD COLUMN a INT NOT NULL;", False),
        ("ALTER TABLE jobs DROP COLUMN a;", False),
        ("DELETE FROM jobs;", False),
    ],
)
def test_what_only_adds_is_told_from_what_does_not(sql: str, is_fine: bool) -> None:
    assert (_TAKES_AWAY.search(sql) is None) is is_fine


@FAMILIES
def test_an_edited_migration_is_refused(family: Family) -> None:
    with pytest.raises(Conflict, match="0001_base"):
        missing({1: ("0001_base", b"another checksum")}, family)


@FAMILIES
def test_no_two_migrations_have_the_same_number(family: Family) -> None:
    versions = [m.version for m in migrations(family)]

    assert versions == sorted(set(versions))


def test_both_families_have_the_same_migrations() -> None:
    assert [m.name for m in migrations(TIDB)] == [m.name for m in migrations(SQLITE)]


@FAMILIES
def test_every_statement_is_found_also_triggers(family: Family) -> None:
    statements = [s for m in migrations(family) for s in m.statements]

    assert all(sqlite3.complete_statement(statement) for statement in statements)
    assert sum("CREATE TRIGGER" in s for s in statements) == (3 if family is SQLITE else 0)


def test_the_printed_schema_of_sqlite_loads_twice_but_for_its_tables() -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(schema_sql(SQLITE))

    tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
    rows = database.execute("SELECT version, name, checksum FROM schema_migrations")
    applied = {version: (name, checksum) for version, name, checksum in rows}

    database.close()
    assert {"raw_events", "runbooks", "incidents", "schema_migrations"} <= tables
    assert missing(applied, SQLITE) == []


def test_both_families_have_the_same_tables_and_columns() -> None:
    ours, theirs = columns_of(schema_sql(SQLITE)), columns_of(schema_sql(TIDB))

    assert theirs.keys() - ours.keys() == NOT_ON_SQLITE
    assert {table: theirs[table] for table in ours} == ours


def test_no_index_on_tidb_leads_with_time() -> None:
    keys = re.findall(r"KEY (\w+) \((\w+)", schema_sql(TIDB))

    assert keys
    assert [name for name, first in keys if first.endswith("_us")] == []


def test_mysql_gets_what_mariadb_reads_and_nothing_of_tidb() -> None:
    sql = "id BIGINT /*!80000 AUTO_RANDOM(5, 54) */ /*M! AUTO_INCREMENT */, PRIMARY KEY (id)"

    assert rendered(sql, "8.0.36") == "id BIGINT  AUTO_INCREMENT, PRIMARY KEY (id)"
    assert rendered(sql, "8.0.11-TiDB-v8.5.7") == rendered(sql, "10.11.6-MariaDB") == sql


def all_of(family: Family) -> dict[int, tuple[str, bytes]]:
    return {m.version: (m.name, m.checksum) for m in migrations(family)}


def columns_of(schema: str) -> dict[str, set[str]]:
    """Tables and what their columns are called; virtual tables left out."""
    plain = re.sub(r"--.*|/\*.*?\*/", "", schema)
    tables = {}
    for table, body in re.findall(
        r"CREATE TABLE (?:IF NOT EXISTS )?(\w+) \((.*?)\)\s*(?:STRICT|DEFAULT|;|PARTITION)",
        plain,
        re.DOTALL,
    ):
        parts = re.sub(r"\([^()]*\)", "", body).split(",")
        names = (part.split()[0] for part in parts if part.split())
        tables[table] = {n for n in names if n not in {"PRIMARY", "UNIQUE", "KEY"}}
    for table, column in re.findall(
        r"ALTER TABLE (\w+) ADD COLUMN (?:IF NOT EXISTS )?(\w+)", plain
    ):
        tables[table].add(column)
    return tables
