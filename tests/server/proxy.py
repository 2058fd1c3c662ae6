"""A line to a server that can be cut, at one moment or another."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import asdict
from enum import StrEnum

from copilot.store.mysql import Address


class Cut(StrEnum):
    """What still gets through once the next thing is said."""

    BEFORE = "what is said is lost"
    AFTER = "what is said arrives, its answer is lost"


class Line:
    """Forwards bytes (TLS goes through unread) until it is told to cut."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._next: Cut | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self.port = 0

    def cut_at_next(self, cut: Cut) -> None:
        """Do it when the client says the next thing."""
        self._next = cut

    async def serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        server, ask = await asyncio.open_connection(*self._to)
        self._ends |= {answer, ask}
        cut: list[Cut] = []

        async def questions() -> None:
            while data := await client.read(65_536):
                if self._next is not None:
                    cut.append(self._next)
                    self._next = None
                if cut != [Cut.BEFORE]:
                    ask.write(data)
                    await ask.drain()
                if cut:
                    return

        async def answers() -> None:
            while data := await server.read(65_536):
                if cut:
                    return  # it has been done; nobody hears of it
                answer.write(data)
                await answer.drain()

        both = {asyncio.create_task(questions()), asyncio.create_task(answers())}
        _, waiting = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if cut == [Cut.AFTER]:  # the answer says that it was done
            await asyncio.wait(both)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        for end in (answer, ask):
            end.transport.abort()
            self._ends.discard(end)

    def hang_up(self) -> None:
        for end in self._ends:
            end.transport.abort()


class Through(Address):
    """An address that a line leads to: the certificate is verified, but names the other end."""

    __slots__ = ()

    def tls(self) -> ssl.SSLContext | None:
        context = Address.tls(self)
        if context is not None:
            context.check_hostname = False
        return context


def through(line: Line, address: Address) -> Address:
    """The address, by way of this line."""
    return Through(**{**asdict(address), "host": "127.0.0.1", "port": line.port})


@contextlib.asynccontextmanager
async def a_line(host: str, port: int) -> AsyncIterator[Line]:
    """A line from a port of ours to there."""
    line = Line(host, port)
    listening = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    line.port = listening.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        listening.close()
        line.hang_up()
        await asyncio.sleep(0)
