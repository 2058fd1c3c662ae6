"""The schema as numbered SQL files, and how they are read. Applied ones never change."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from importlib.resources import files

from copilot.domain.errors import Conflict

LEDGER = """\
CREATE TABLE IF NOT EXISTS schema_migrations (
  version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL,
  applied_us INTEGER NOT NULL) STRICT"""


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
        """One by one; a trigger's inner semicolons do not end it."""
        found, part = [], ""
        for line in self.sql.splitlines(keepends=True):
            part += line
            if sqlite3.complete_statement(part):
                found.append(part.strip())
                part = ""
        return found


def migrations() -> list[Migration]:
    """All there are, in order."""
    folder = files("copilot.store").joinpath("sql", "sqlite")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [
        Migration(
            version=int(name.split("_")[0]),
            name=name.removesuffix(".sql"),
            sql=folder.joinpath(name).read_text(encoding="utf-8"),
        )
        for name in names
    ]


def missing(applied: dict[int, bytes]) -> list[Migration]:
    """What is still to be applied, given version and checksum of what was.

    Raises:
        Conflict: the store was made by a newer program, or an applied file was edited.
    """
    known = {migration.version: migration for migration in migrations()}
    for version, checksum in applied.items():
        if version not in known:
            raise Conflict(
                f"the store has migration {version}, which this program does not know; "
                "use the newer program that made it"
            )
        if known[version].checksum != checksum:
            raise Conflict(f"migration {known[version].name} was edited after it was applied")
    return [migration for version, migration in known.items() if version not in applied]


def schema_sql() -> str:
    """The whole schema in SQLite's dialect: the migrations one after the other."""
    head = (
        "-- The schema of the store in SQLite's dialect.\n"
        "-- Printed by `incident-copilot schema` from the migrations; do not edit.\n"
    )
    parts = [head, f"\n{LEDGER};\n"]
    parts += [f"\n-- {migration.name}\n{migration.sql}" for migration in migrations()]
    return "".join(parts)
