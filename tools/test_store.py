"""Runs pytest on a store that is a server: MariaDB of our own, or the TiDB that is named.

    python tools/test_store.py mariadb tests/contract/test_store.py -q
    TIDB_HOST=.. TIDB_USER=.. TIDB_PASSWORD=.. python tools/test_store.py tidb tests/contract -q

The database is made for this run, with its schema, and dropped after it. It installs nothing.

TiDB: TLS, by the system's authorities or that of TIDB_CA. A server on loopback or a private network
that offers none is talked to without, as is any where TIDB_TLS=off says so: what is sent is made up.
The product goes without TLS on loopback only, so a server elsewhere is reached by a way from there.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[1]))

from copilot.store.mysql import Address
from tests.builders_store import NOW_US
from tests.mariadb import MariaDb, is_installed
from tests.server.proxy import a_line
from tests.servers import created, dropped, migrated, offers_tls

T = TypeVar("T")

LOOPBACK = "127.0.0.1"
_PARTS = ("TIDB_", "COPILOT_TIDB_")
LIMITS = {"tidb": ("--timeout=180",)}
"""A test's own time, where it names none: a cluster may be a network away, and its commits are on
three disks."""


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
        try:
            # Not in the first test's time: TiDB takes up to a second for each change of a schema.
            # Some tests live at their own time, some now.
            asyncio.run(migrated(address, *sorted((NOW_US, time.time_ns() // 1000))))
            return subprocess.run(
                [sys.executable, "-m", "pytest", *arguments, *LIMITS.get(kind, ())],
                env=environment(os.environ, url_of(address, kind)),
                check=False,
            ).returncode
        finally:
            asyncio.run(dropped(address))


def environment(given: Mapping[str, str], url: str) -> dict[str, str]:
    """What the suites see: the database of this run and no other, whatever a test's settings say."""
    kept = {name: value for name, value in given.items() if not name.startswith(_PARTS)}
    return kept | {"COPILOT_TEST_STORE": url, "COPILOT_STORE": url}


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
    address = Address(
        host=given["TIDB_HOST"],
        port=int(given.get("TIDB_PORT") or 4000),
        user=given.get("TIDB_USER") or "root",
        password=given.get("TIDB_PASSWORD", ""),
        database=f"copilot_test_{secrets.token_hex(4)}",
        authority=Path(given["TIDB_CA"]) if given.get("TIDB_CA") else None,
    )
    if not goes_without_tls(address, given.get("TIDB_TLS", "")):
        yield address
        return
    print(f"{address.host}:{address.port} is talked to without TLS", flush=True)
    with _from_loopback(address.host, address.port) as port:
        yield replace(address, host=LOOPBACK, port=port, is_plain=True)


def goes_without_tls(address: Address, wish: str) -> bool:
    """Asked for, or the only way and a short one."""
    if wish or address.authority is not None:
        return wish == "off"
    return _is_near(address.host) and not offers_tls(address.host, address.port)


def _is_near(host: str) -> bool:
    found = {info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    return all(ipaddress.ip_address(str(one).partition("%")[0]).is_private for one in found)


@contextmanager
def _from_loopback(host: str, port: int) -> Iterator[int]:
    """A port of ours that leads there."""
    loop = asyncio.new_event_loop()
    beside = threading.Thread(target=loop.run_forever, daemon=True)
    beside.start()

    def there(work: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    stack = AsyncExitStack()
    try:
        yield there(stack.enter_async_context(a_line(host, port))).port
    finally:
        there(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        beside.join()
        loop.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
