"""The schema as numbered SQL files, and how they are read. Applied ones never change.

They only add, so that the programs of two releases can share a store. What is to go is left unused
for a release and then taken away by a file named `NNNN_contract_..`.

There is a file of each number for each family of databases: `sql/sqlite`, and `sql/tidb` for TiDB,
MariaDB and MySQL. Where those three differ a comment says so: `/*!80000 .. */` is read by TiDB,
`/*M! .. */` by MariaDB; both survive every client.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from copilot.domain.errors import Conflict


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Databases that share their migrations; `ledger` makes the tables that tell what was applied."""

    name: str
    title: str
    ledger: tuple[str, ...]


SQLITE = Family(
    name="sqlite",
    title="SQLite's dialect",
    ledger=(
        """\
CREATE TABLE IF NOT EXISTS schema_migrations (
  version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL,
  applied_us INTEGER NOT NULL) STRICT""",
    ),
)
_TEXT = "DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
TIDB = Family(
    name="tidb",
    title="the dialect of TiDB, which MariaDB reads as well",
    ledger=(
        f"""\
CREATE TABLE IF NOT EXISTS schema_migrations (
  version INT PRIMARY KEY, name VARCHAR(128) NOT NULL, checksum BINARY(32) NOT NULL,
  applied_us BIGINT NOT NULL) {_TEXT}""",
        """\
CREATE TABLE IF NOT EXISTS schema_steps (
  version INT NOT NULL, step INT NOT NULL, PRIMARY KEY (version, step))""",
        f"""\
CREATE TABLE IF NOT EXISTS schema_lease (
  name VARCHAR(16) PRIMARY KEY, owner VARCHAR(64) NOT NULL, until_us BIGINT NOT NULL) {_TEXT}""",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file; `name` is its name without `.sql`, `0001_base`."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> bytes:
        return hashlib.sha256(self.sql.encode()).digest()

    @property
    def statements(self) -> list[str]:
        """One by one; a trigger's inner ones do not end it."""
        found, part = [], ""
        for line in self.sql.splitlines(keepends=True):
            part += line
            if sqlite3.complete_statement(part):
                found.append(part.strip())
                part = ""
        return found


def migrations(family: Family = SQLITE) -> list[Migration]:
    """All there are, in order."""
    folder = files("copilot.store").joinpath("sql", family.name)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [
        Migration(
            version=int(name.split("_")[0]),
            name=name.removesuffix(".sql"),
            sql=folder.joinpath(name).read_text(encoding="utf-8"),
        )
        for name in names
    ]


def missing(applied: Mapping[int, tuple[str, bytes]], family: Family = SQLITE) -> list[Migration]:
    """What is still to be applied, given version, name and checksum of what was.

    A newer program may have added what this one does not know, and does not miss: they work side by
    side, and the newer can be rolled back. One that takes something away says so in its name.

    Raises:
        Conflict: a newer program took something away, or an applied file was edited.
    """
    known = {migration.version: migration for migration in migrations(family)}
    for version, (name, checksum) in applied.items():
        if version not in known:
            if version > max(known) and not takes_away(name):
                continue
            raise Conflict(
                f"the store has migration {name}, which this program does not know; "
                "use the newer program that made it"
            )
        if known[version].checksum != checksum:
            raise Conflict(f"migration {known[version].name} was edited after it was applied")
    return [migration for version, migration in known.items() if version not in applied]


def takes_away(name: str) -> bool:
    """Whether a migration is of those after which older programs do not work any more."""
    return name.partition("_")[2].startswith("contract_")


def schema_sql(family: Family = SQLITE) -> str:
    """The whole schema: the migrations one after the other, and that they were applied.

    It may be loaded by hand, and again after it stopped half-way; what starts on it agrees.
    """
    head = (
        f"-- The schema of the store in {family.title}.\n"
        "-- Printed by `incident-copilot schema` from the migrations; do not edit.\n"
    )
    parts = [head, *(f"\n{table};\n" for table in family.ledger)]
    for migration in migrations(family):
        parts.append(f"\n-- {migration.name}\n{migration.sql}")
        parts.append(
            "INSERT INTO schema_migrations (version, name, checksum, applied_us)\n"
            f"SELECT {migration.version}, '{migration.name}', X'{migration.checksum.hex()}', 0\n"
            "FROM (SELECT 1 AS one) AS here WHERE NOT EXISTS\n"
            f"  (SELECT 1 FROM schema_migrations WHERE version = {migration.version});\n"
        )
    return "".join(parts)
