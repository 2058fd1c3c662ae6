"""What every test starts from."""

from __future__ import annotations

import asyncio

import pytest

from copilot.store.mysql import parse_address
from tests.builders_store import SERVER
from tests.servers import emptied


@pytest.fixture(autouse=True)
def _an_empty_server() -> None:
    """Where the suites run on a server's database, each test finds it empty."""
    if SERVER:
        asyncio.run(emptied(parse_address(SERVER)))
