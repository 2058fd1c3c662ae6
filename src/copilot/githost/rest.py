"""One request to a Git host's REST API, and its refusals in our words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeVar

import httpx
import msgspec

from copilot.domain.errors import (
    Busy,
    Conflict,
    CopilotError,
    Invalid,
    NotFound,
    Refused,
    TooLarge,
    Unavailable,
)

T = TypeVar("T")

TIMEOUT_S = 20.0
MAX_BYTES = 16 * 2**20
"""Of an answer: a tree of some ten thousand files."""
MAX_REASON = 300

_BY_STATUS: Mapping[int, type[CopilotError]] = {
    400: Invalid,
    401: Refused,
    403: Refused,
    404: NotFound,
    405: Conflict,
    406: Conflict,
    409: Conflict,
    422: Invalid,
    429: Busy,
}


class _Said(msgspec.Struct):
    """What GitHub (`message`) and GitLab (`message` or `error`) say to a refusal."""

    message: object = ""
    error: object = ""


class Rest:
    """An API below `api`. The token goes into a header, and never into an address or an error."""

    def __init__(self, *, host: str, api: str, headers: Mapping[str, str], token: str) -> None:
        self._host = host
        self.api = api.rstrip("/")
        self._token = token.strip()
        self._http = httpx.AsyncClient(
            base_url=self.api,
            headers={**headers, "User-Agent": "incident-copilot"},
            timeout=httpx.Timeout(TIMEOUT_S, connect=TIMEOUT_S / 3),
            trust_env=False,  # and redirects are not followed: the token stays with this host
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def json(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
    ) -> T:
        """The answer, as the type.

        Raises:
            CopilotError: the host refused, by the table above, or does not answer.
        """
        raw = await self.raw(method, path, body=body, params=params)
        try:
            return msgspec.json.decode(raw, type=answer)
        except (msgspec.MsgspecError, UnicodeError):
            raise Unavailable(f"{self._host} answered something that is not understood") from None

    async def raw(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
    ) -> bytes:
        """The answer's body. Raises as `json`."""
        received = bytearray()
        try:
            async with (
                asyncio.timeout(TIMEOUT_S * 2),
                self._http.stream(method, path, json=body, params=params) as response,
            ):
                async for chunk in response.aiter_bytes():
                    received += chunk
                    if len(received) > MAX_BYTES:
                        raise TooLarge(f"{self._host} answered more than {MAX_BYTES} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, UnicodeError) as failure:
            kind = type(failure).__name__
            raise Unavailable(f"{self._host} does not answer ({kind})") from None
        if not 200 <= response.status_code < 300:
            raise self._error_of(response, bytes(received))
        return bytes(received)

    def _error_of(self, response: httpx.Response, body: bytes) -> CopilotError:
        status = response.status_code
        kind = _BY_STATUS.get(status, Unavailable)
        is_used_up = response.headers.get("x-ratelimit-remaining") == "0"
        if status == 403 and (is_used_up or "retry-after" in response.headers):
            kind = Busy  # GitHub's rate limits, primary and secondary
        said = self._said(body)
        return kind(f"{self._host} answered {status}{f': {said}' if said else ''}")

    def _said(self, body: bytes) -> str:
        try:
            problem = msgspec.json.decode(body, type=_Said)
        except (msgspec.MsgspecError, UnicodeError):
            return ""
        said = problem.message or problem.error
        text = said if isinstance(said, str) else msgspec.json.encode(said).decode()
        if self._token:
            text = text.replace(self._token, "***")
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line[:MAX_REASON]
