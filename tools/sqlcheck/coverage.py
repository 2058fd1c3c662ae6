"""Which lines of the store send statements, and which of them no test made send one.

By the calls in its source: `fetch_all`, `fetch_one`, `execute`, `executemany` and `insert` are what
a repository sends by, and nothing else is called so there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.statements import CALLS

STORE = "copilot/store"
OTHERS = {
    f"{STORE}/sqlite.py": "SQLite's own",
    f"{STORE}/dialect.py": "SQLite's own",
}
"""Modules that send nothing to a server, and why."""
BY_OTHERS = f"{STORE}/mysql/"
"""The adapter's own statements go over `Schema`, and are in `tests/fixtures/tidb` where only TiDB is
sent them."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A call that sends something."""

    module: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.module}:{self.first}"

    def is_at(self, origin: str) -> bool:
        module, _, line = origin.rpartition(":")
        return module == self.module and self.first <= int(line) <= self.last


def places(source: Path) -> Iterator[Place]:
    """All there are in the store, below the folder of the sources."""
    for path in sorted((source / STORE).rglob("*.py")):
        module = str(path.relative_to(source))
        if module not in OTHERS and not module.startswith(BY_OTHERS):
            yield from places_in(module, path.read_text())


def places_in(module: str, code: str) -> Iterator[Place]:
    for node in ast.walk(ast.parse(code)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CALLS
        ):
            yield Place(module, node.lineno, node.end_lineno or node.lineno)


def unseen(found: Iterable[Place], origins: Iterable[str]) -> list[Place]:
    """Those that sent nothing."""
    lines = [origin for origin in origins if origin.startswith(STORE) and ":" in origin]
    return [place for place in sorted(found) if not any(place.is_at(line) for line in lines)]


def report(source: Path, origins: Path) -> None:
    """Prints how many sent something, and names those that did not."""
    found = list(places(source))
    missing = unseen(found, origins.read_text().splitlines())
    for place in missing:
        print(f"{place} sent nothing while the tests ran: no parser has seen what it sends")
    print(f"{len(found) - len(missing)} of {len(found)} places in the store sent a statement")
