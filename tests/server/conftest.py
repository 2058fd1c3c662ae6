"""Servers of the database that tests may break, and what may stand between."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from copilot.store.mysql import Address, parse_address
from tests.builders_store import SERVER
from tests.mariadb import MariaDb, is_installed
from tests.servers import created, dropped

IS_TIDB = SERVER.startswith("tidb")
LIMIT_S = 600 if IS_TIDB else 120
"""TiDB takes up to a second for each of the sixty changes that make a schema, and up to some for
each index that is added."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """These need a server: `make test-mysql` and `make test-tidb` have one."""
    return None if SERVER else True


@pytest.fixture
async def address() -> AsyncIterator[Address]:
    """A database of the test's own, empty."""
    own = replace(parse_address(SERVER), database=f"copilot_test_{secrets.token_hex(4)}")
    await created(own)
    yield own
    await dropped(own)


@pytest.fixture
def mariadb(tmp_path: Path) -> Iterator[MariaDb]:
    """A server of the test's own that may be killed; every commit is on disk."""
    if IS_TIDB or not is_installed():
        pytest.skip("this kills its server, and only MariaDB's is ours to kill")
    server = MariaDb.made(tmp_path / "server")
    server.start()
    yield server
    server.stop()
