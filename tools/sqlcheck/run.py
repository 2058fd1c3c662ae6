#!/usr/bin/env python3
"""Asks TiDB's own parser, and the databases we have, about every statement of the product.

    tools/sqlcheck/run.py

Runs the store's contract suite on MariaDB by the adapter that TiDB is served by, writes down every
statement, and feeds them, the migrations, `db/*.sql` and what only a TiDB is sent
(`tests/fixtures/tidb`, compared word for word by unit tests) to TiDB's parser. Names the lines of
the store that sent nothing meanwhile (`coverage.py`). Looks also at how SQLite and MariaDB would run each: none may read a whole table of events (`plans.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from copilot.store.mysql import Address
from lab.commands import LabError, output
from lab.instance import cache, locked
from tests.mariadb import MariaDb
from tests.servers import created
from tests.statements import origins_beside
from tools.sqlcheck import coverage, plans
from tools.test_store import url_of

SOURCES = Path(__file__).parent
SUITES = sorted((ROOT / "tests/contract").glob("test_store*.py"))
SCRIPTS = (
    *sorted((ROOT / "src/copilot/store/sql/tidb").glob("*.sql")),
    *(ROOT / "db/schema.sql", ROOT / "db/seed_runbooks.sql"),
    *sorted((ROOT / "tests/fixtures/tidb").glob("*.sql")),  # what only a TiDB is sent
)
MIN_GO = (1, 26)


def parser() -> Path:
    """The program over TiDB's parser, built where these sources were not built yet.

    Raises:
        LabError: there is no Go that could, or it cannot be built.
    """
    digest = hashlib.sha256()
    for path in sorted(SOURCES.glob("*")):
        if path.suffix in (".go", ".mod", ".sum"):
            digest.update(path.read_bytes())
    built = cache() / "bin" / digest.hexdigest()[:12] / "sqlcheck"
    if not built.exists():
        with locked(cache() / "sqlcheck.lock"):
            if not built.exists():  # somebody else may have built it while we waited
                _build(built)
    return built


def _build(to: Path) -> None:
    """All or nothing: who finds the program at its place may run it."""
    _check_go()
    print("==> building TiDB's parser (a minute the first time)", flush=True)
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        made = Path(folder) / to.name
        output(
            ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", str(made), "."],
            cwd=SOURCES,
            environment={"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"},
        )
        made.rename(to)


def _check_go() -> None:
    wanted = ".".join(map(str, MIN_GO))
    if not shutil.which("go"):
        raise LabError(f"NOTHING CHECKED: Go {wanted} or newer is missing, it builds TiDB's parser")
    said = output(["go", "env", "GOVERSION"]).strip()
    numbers = said.removeprefix("go").split(".")[:2]
    if tuple(int(n) for n in numbers if n.isdigit()) < MIN_GO:
        raise LabError(f"NOTHING CHECKED: Go {wanted} or newer is needed; this is {said}")


def main() -> int:
    """0 where all was well."""
    with tempfile.TemporaryDirectory(prefix="copilot-sqlcheck-") as name:
        folder = Path(name)
        try:
            check = parser()
        except LabError as error:
            print(error, file=sys.stderr)
            return 1
        statements = folder / "statements.jsonl"
        code = _write_down(statements, folder)
        if code:
            print("tests failed: what they would have sent is missing below", file=sys.stderr)
        code = subprocess.run([check, statements, *SCRIPTS], check=False).returncode or code
        coverage.report(ROOT / "src", origins_beside(statements))
        return _planned(folder, statements) or code


def _write_down(statements: Path, folder: Path) -> int:
    """What a server is sent while the contract suite runs on it; pytest's exit code."""
    with _mariadb(folder / "suite") as address:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.statements"]
        return subprocess.run(
            [*command, f"--statements-to={statements}", *SUITES],
            cwd=ROOT,
            env={**os.environ, "COPILOT_TEST_STORE": url_of(address, "mariadb")},
            check=False,
        ).returncode


def _planned(folder: Path, statements: Path) -> int:
    """How both databases would run them."""
    sent = [json.loads(line) for line in statements.read_text().splitlines()]
    code = plans.report("SQLite", plans.on_sqlite(sent))
    with _mariadb(folder / "plans") as address:
        return plans.report("MariaDB", asyncio.run(plans.on_server(address, sent))) | code


@contextmanager
def _mariadb(folder: Path) -> Iterator[Address]:
    """An empty database on a server of our own."""
    server = MariaDb.made(folder, is_synced=False)
    server.start()
    try:
        address = server.address("copilot_test")
        asyncio.run(created(address))
        yield address
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
