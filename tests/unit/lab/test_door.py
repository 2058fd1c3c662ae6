"""The door copies bytes both ways."""

from __future__ import annotations

import asyncio
import socket

from lab.door import free_port, relay


async def test_what_goes_in_comes_out_on_the_other_side_and_back() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(100)).upper())
        writer.close()

    listening = socket.create_server(("127.0.0.1", 0))
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        inside = server.sockets[0].getsockname()[1]
        door = asyncio.create_task(relay(listening, "127.0.0.1", inside))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(b"hello")

        answer = await asyncio.wait_for(reader.read(), 5)

        writer.close()
        door.cancel()
        await asyncio.gather(door, return_exceptions=True)
    assert answer == b"HELLO"


async def test_a_server_that_is_down_ends_the_connection() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    door = asyncio.create_task(relay(listening, "127.0.0.1", free_port()))
    reader, writer = await asyncio.open_connection(*listening.getsockname())

    answer = await asyncio.wait_for(reader.read(), 5)

    writer.close()
    door.cancel()
    await asyncio.gather(door, return_exceptions=True)
    assert answer == b""
