"""Calls to the API server as bytes: bounded, timed, and failing in the domain's words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from copilot.domain.errors import TooLarge, Unavailable
from copilot.kube.failures import failure
from copilot.kube.resources import Call
from copilot.kube.session import Session

CONNECT_TIMEOUT_S = 5.0
CALL_TIMEOUT_S = 15.0
MAX_ANSWER = 64 * 2**20
MAX_ERROR = 64 * 2**10
MAX_LINE = 16 * 2**20


class ApiServer:
    """One API server. Nothing here retries."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def read(
        self, call: Call, *, max_bytes: int = MAX_ANSWER, timeout_s: float = CALL_TIMEOUT_S
    ) -> bytes:
        """The whole answer.

        Raises:
            TooLarge: more than `max_bytes`.
        """
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        async with self._answer(call, timeout) as response:
            body = await _head(response.content, max_bytes + 1)
        if len(body) > max_bytes:
            raise TooLarge(f"{call.subject}: the answer exceeds {max_bytes} bytes")
        return body

    async def read_tail(self, call: Call, *, keep: int, max_bytes: int) -> tuple[bytes, int]:
        """The last `keep` bytes of the answer, and how many bytes there were.

        What lies past `max_bytes` is not read.
        """
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S)
        tail, n_read = bytearray(), 0
        async with self._answer(call, timeout) as response:
            while n_read < max_bytes and (chunk := await response.content.readany()):
                n_read += len(chunk)
                tail += chunk
                if len(tail) > 2 * keep:
                    del tail[:-keep]
        return bytes(tail[-keep:]), n_read

    async def lines(
        self, call: Call, *, idle_s: float, total_s: float | None = None
    ) -> AsyncGenerator[list[bytes], None]:
        """Whole lines as they come, all that are ready at once; ends when the server ends.

        Raises:
            Unavailable: cut in the middle, or silent for longer than `idle_s`.
        """
        timeout = aiohttp.ClientTimeout(
            total=total_s, sock_connect=CONNECT_TIMEOUT_S, sock_read=idle_s
        )
        async with self._answer(call, timeout) as response:
            pending = bytearray()
            while chunk := await response.content.readany():
                pending += chunk
                if b"\n" in chunk:
                    *whole, rest = pending.split(b"\n")
                    pending = rest
                    yield [bytes(line) for line in whole if line]
                if len(pending) > MAX_LINE:
                    raise TooLarge(f"{call.subject}: one line exceeds {MAX_LINE} bytes")
            if pending:
                raise Unavailable(f"the answer to {call.verb} {call.subject} was cut short")

    @asynccontextmanager
    async def _answer(
        self, call: Call, timeout: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            response = await self._session.send(call, timeout)
            try:
                if response.status >= 300:
                    body = await _head(response.content, MAX_ERROR)
                    raise failure(call, response.status, response.headers, body)
                yield response
            finally:
                # Only cuts what was not read to its end; else the connection is already back.
                response.close()
        except TimeoutError as error:
            raise Unavailable(
                f"the API server of {self._session.name} did not answer in time"
                f" to {call.verb} {call.subject}"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(
                f"no answer from the API server of {self._session.name}"
                f" to {call.verb} {call.subject}: {_reason(error)}"
            ) from error


def _reason(error: Exception) -> str:
    """aiohttp's own words for a lost connection say everything twice."""
    is_tls = isinstance(error, aiohttp.ClientSSLError)
    if isinstance(error, aiohttp.ClientConnectorError) and not is_tls:
        return f"cannot connect to {error.host}:{error.port}"
    return f"{type(error).__name__} {error}".strip()[:200]


async def _head(content: aiohttp.StreamReader, max_bytes: int) -> bytes:
    body = bytearray()
    while len(body) < max_bytes and (chunk := await content.readany()):
        body += chunk
    return bytes(body[:max_bytes])
