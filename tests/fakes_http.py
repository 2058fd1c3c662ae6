"""A small HTTP server on loopback that answers what the test tells it to, or breaks off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What came in."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes out, `delay_s` later; `cut_after` breaks off after so many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut_after: int | None = None


def says(value: object, status: int = 200) -> Answer:
    """An answer in JSON."""
    headers = {"Content-Type": "application/json"}
    return Answer(status=status, body=json.dumps(value).encode(), headers=headers)


Handler = Callable[[Request], Answer | None]
"""None: the request is read to its end, then the connection is cut without a word."""


@dataclass(slots=True)
class HttpServer:
    """Where it listens, and what it was asked."""

    url: str
    requests: list[Request] = field(default_factory=list)


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[HttpServer]:
    """The server, for as long as the test needs it."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            request = await _read(reader)
            it.requests.append(request)
            await _write(writer, handler(request))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client had enough, or the test has ended
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    it = HttpServer(url=f"http://{host}:{port}")
    try:
        yield it
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Request:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    method, target, _ = first.split(" ")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines if line)
    }
    url = urlsplit(target)
    return Request(
        method=method,
        path=url.path,
        query=dict(parse_qsl(url.query)),
        headers=headers,
        body=await reader.readexactly(int(headers.get("content-length", "0"))),
    )


async def _write(writer: asyncio.StreamWriter, answer: Answer | None) -> None:
    if answer is None:
        return
    await asyncio.sleep(answer.delay_s)
    lines = [
        f"HTTP/1.1 {answer.status} Scripted",
        f"Content-Length: {len(answer.body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body[: answer.cut_after])
    await writer.drain()
