"""A door into the lab's network: a port on the host's loopback that leads to the API server.

The listening socket is made first and so belongs to the host's network; what is connected after
`setns` belongs to the lab's. Nothing on the host is routed, bridged or filtered for it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import os
import socket

CLONE_NEWNET = 0x40000000
CHUNK = 2**16


def enter_network(path: str) -> None:
    """This process's new sockets are in that network from now on; os.setns came with 3.12."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path) as namespace:  # noqa: PTH123  the descriptor is what is wanted
        if libc.setns(namespace.fileno(), CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)


async def relay(listening: socket.socket, host: str, port: int) -> None:
    """Copy bytes both ways until killed; a server that is down shows as a refused connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection(host, port)
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        writer.close()

    async with await asyncio.start_server(serve, sock=listening) as server:
        await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """When one side is through, the other is closed too."""
    try:
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def free_port() -> int:
    """One that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on the host's loopback")
    parser.add_argument("--namespace", required=True, help="path of the network namespace")
    parser.add_argument("--to", required=True, help="HOST:PORT in there")
    arguments = parser.parse_args()
    listening = socket.create_server(("127.0.0.1", arguments.port))
    enter_network(arguments.namespace)
    host, _, port = arguments.to.partition(":")
    asyncio.run(relay(listening, host, int(port)))


if __name__ == "__main__":
    main()
