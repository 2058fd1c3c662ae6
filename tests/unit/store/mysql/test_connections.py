"""What a connection makes of what servers say, and of servers that say nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from asyncmy.errors import OperationalError

from copilot.store.mysql import Address
from copilot.store.mysql.connections import Link, Pool, matched


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"Rows matched: 3  Changed: 1  Warnings: 0", id="text alone"),
        pytest.param(b"\x28Rows matched: 3  Changed: 1  Warnings: 0", id="its length before it"),
        pytest.param(b"\x0aRows matched: 3  Changed: 1  Warnings: 0", id="a length like a newline"),
    ],
)
def test_rows_found_are_read_from_what_the_server_says_of_an_update(said: bytes) -> None:
    assert matched(said) == 3


@pytest.mark.parametrize("said", [None, b"", b"\x26Records: 2  Duplicates: 0  Warnings: 0"])
def test_what_says_nothing_of_rows_found_counts_none(said: bytes | None) -> None:
    assert matched(said) is None


async def test_a_server_that_accepts_and_never_greets_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address(
            host="127.0.0.1",
            port=silent.getsockname()[1],
            user="u",
            password="",
            database="d",
            is_plain=True,
        )
        with pytest.raises(OperationalError, match="no answer"):
            async with asyncio.timeout(30):
                await Link.open(address, None, isolation="READ COMMITTED", connect_s=0.05)


class Transport:
    """Notes whether it was cut."""

    is_cut = False

    def abort(self) -> None:
        self.is_cut = True


class Parting:
    """A connection whose good-bye goes as `goodbye` says."""

    def __init__(self, goodbye: Callable[[], Awaitable[None]]) -> None:
        self._transport = Transport()
        self._goodbye = goodbye

    async def ensure_closed(self) -> None:
        await self._goodbye()

    def close(self) -> None:
        """It is cut already."""


async def broken() -> None:
    raise ConnectionResetError


async def unheard() -> None:
    await asyncio.Event().wait()


async def refused() -> None:
    raise ssl.SSLError


@pytest.mark.parametrize("goodbye", [broken, unheard, refused])
async def test_a_good_bye_that_nobody_hears_holds_up_nobody(
    goodbye: Callable[[], Awaitable[None]],
) -> None:
    parting = Parting(goodbye)
    link = Link(parting, 0.0, 1.0)  # type: ignore[arg-type]  # all that it asks of one

    async with asyncio.timeout(30):
        await link.end(patience_s=0.01)

    assert parting._transport.is_cut


class Way:
    """A link that may lead nowhere after a while."""

    def __init__(self) -> None:
        self.leads_on = True
        self.is_cut = False

    def is_older_than(self, age_s: float, now_s: float) -> bool:
        return False

    async def run(self, sql: bytes) -> None:
        if not self.leads_on:
            await asyncio.Event().wait()

    async def cut(self) -> None:
        self.is_cut = True


async def test_an_idle_link_that_leads_nowhere_any_more_makes_room_for_a_fresh_one() -> None:
    opened: list[Way] = []

    async def opening() -> Link:
        opened.append(Way())
        return cast(Link, opened[-1])

    pool = Pool(opening, limit=1, wait_s=30.0, busy="busy", begin_s=0.01)
    await pool.give_back(await pool.take(b"BEGIN"), is_clean=True)
    opened[0].leads_on = False

    async with asyncio.timeout(30):
        link = await pool.take(b"BEGIN")

    assert link is cast(Link, opened[1])
    assert opened[0].is_cut
