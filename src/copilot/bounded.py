"""An HTTP transport that reads no more of an answer than it was told to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """One connection a request, no redirects of its own, an answer of at most `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(limits=httpx2.Limits(max_keepalive_connections=0), trust_env=False)
        self._max_bytes = max_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"  # a bound on what unpacks to more is none
        response = await super().handle_async_request(request)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.ReadError("a packed answer that was not asked for", request=request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream, request, self._max_bytes)
        return response


class _Bounded(httpx2.AsyncByteStream):
    def __init__(
        self, stream: httpx2.AsyncByteStream, request: httpx2.Request, max_bytes: int
    ) -> None:
        self._stream = stream
        self._request = request
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        n_read = 0
        async for chunk in self._stream:
            n_read += len(chunk)
            if n_read > self._max_bytes:
                raise httpx2.ReadError(f"more than {self._max_bytes} bytes", request=self._request)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
