"""How long we wait for a request to come in, so that nobody keeps us waiting for ever.

The server by itself waits without end for a head that never ends, and keeps all of it.
"""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S = 10.0
"""For the request line and all headers."""
MAX_HEAD_BYTES = 65_536
PIECE_S = 15.0
"""Between two pieces of a body."""
BODY_S = 120.0
"""For all of it: 64 MiB over a slow line."""


def patient(receive: Receive, *, piece_s: float = PIECE_S, body_s: float = BODY_S) -> Receive:
    """The same, but 408 for a body that does not come; what comes after it may take its time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + body_s
    is_complete = False

    async def bounded() -> Message:
        nonlocal is_complete
        if is_complete:
            return await receive()
        try:
            async with asyncio.timeout_at(min(until, loop.time() + piece_s)):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "the body did not come in time") from None
        is_complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return bounded


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP with an end to its patience. Requests that come whole pay nothing."""

    head_s = HEAD_S
    _waiting: asyncio.TimerHandle | None = None
    _is_in_head = True
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._waiting = self.loop.call_later(self.head_s, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_in_head:
            self._stop_waiting()
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._give_up()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(self.head_s, self._give_up)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._stop_waiting()
        if self.transport.is_closing():
            return
        if not self._head_bytes:
            # A line that was opened ahead of need: an answer would be taken for that to its first
            # question, while one that is closed is opened anew.
            self.transport.close()
        else:
            self.send_400_response("The request did not come in time, or its head is too large.")
