"""Runs pytest on a store that is a server: MariaDB of our own, or the TiDB that is named.

    python tools/test_store.py mariadb tests/contract/test_store.py -q
    TIDB_HOST=.. TIDB_USER=.. TIDB_PASSWORD=.. python tools/test_store.py tidb tests/contract -q

The database is made for this run and dropped after it. It installs nothing.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[1]))

from copilot.store.mysql import Address
from tests.mariadb import MariaDb, is_installed
from tests.servers import created, dropped


def main(kind: str, arguments: list[str]) -> int:
    """The exit code of pytest; 3 where there is no server to run on."""
    if kind == "tidb" and not os.environ.get("TIDB_HOST"):
        print("TiDB itself was NOT run: set TIDB_HOST, TIDB_PORT, TIDB_USER, TIDB_PASSWORD (and")
        print("TIDB_CA for an authority of your own) to run the suites on a real one.")
        return 3
    if kind == "mariadb" and not is_installed():
        print("MariaDB is missing: make mariadb, or apt-get install mariadb-server (as root)")
        return 3
    with (_tidb if kind == "tidb" else _mariadb)() as address:
        asyncio.run(created(address))
        url = url_of(address, kind)
        try:
            return subprocess.run(
                [sys.executable, "-m", "pytest", *arguments],
                env=os.environ | {"COPILOT_TEST_STORE": url, "COPILOT_STORE": url},
                check=False,
            ).returncode
        finally:
            asyncio.run(dropped(address))


def url_of(address: Address, kind: str) -> str:
    """As a person would set it."""
    options = f"?ssl_ca={quote(str(address.authority))}" if address.authority else ""
    options = "?ssl=off" if address.is_plain else options
    who = f"{quote(address.user, safe='')}:{quote(address.password, safe='')}"
    return f"{kind}://{who}@{address.host}:{address.port}/{address.database}{options}"


@contextmanager
def _mariadb() -> Iterator[Address]:
    with tempfile.TemporaryDirectory(prefix="copilot-mariadb-") as folder:
        server = MariaDb.made(Path(folder), is_synced=False)
        server.start()
        try:
            yield server.address("copilot_test")
        finally:
            server.stop()


@contextmanager
def _tidb() -> Iterator[Address]:
    given = os.environ
    yield Address(
        host=given["TIDB_HOST"],
        port=int(given.get("TIDB_PORT", "4000")),
        user=given.get("TIDB_USER", "root"),
        password=given.get("TIDB_PASSWORD", ""),
        database=f"copilot_test_{secrets.token_hex(4)}",
        authority=Path(given["TIDB_CA"]) if given.get("TIDB_CA") else None,
        is_plain=given.get("TIDB_TLS", "") == "off",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
