"""Who is let in, and what we do not talk to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copilot.domain.errors import Unavailable
from copilot.store.mysql import open_store, parse_address
from tests.builders_store import SERVER
from tests.fakes import FixedClock

ADDRESS = parse_address(SERVER)


@pytest.mark.skipif(ADDRESS.authority is None, reason="the system's authorities know this server")
async def test_a_server_whose_certificate_nobody_we_trust_signed_is_not_talked_to() -> None:
    with pytest.raises(Unavailable, match="certificate"):
        await open_store(replace(ADDRESS, authority=None), clock=FixedClock())


async def test_a_wrong_password_is_said_so_and_not_shown() -> None:
    with pytest.raises(Unavailable, match="user or password is wrong") as refused:
        await open_store(replace(ADDRESS, password="hunter2"), clock=FixedClock())

    assert "hunter2" not in refused.value.message


async def test_a_server_that_is_not_there_is_said_so() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        await open_store(replace(ADDRESS, port=1), clock=FixedClock())
