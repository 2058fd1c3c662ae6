"""One request of a channel, and what its answer, or the lack of one, says about delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import httpx
import msgspec

from copilot.domain.notification import Delivery

TIMEOUT_S = 12.0
"""For one request; a delivery of three ends well within the outbox's lease."""
MAX_BYTES = 2**18
"""Of an answer; more is not read."""
MAX_REASON = 200

_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Its status, and as much of its body as came and was wanted."""

    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


def client(
    timeout_s: float,
    *,
    auth: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.AsyncClient:
    """A client for one delivery: no redirects, no proxies, nothing packed.

    Connecting gets a third of the time (as does TLS), so what runs out after that was under way.
    """
    return httpx.AsyncClient(
        timeout=httpx.Timeout(timeout_s, connect=timeout_s / 3),
        auth=auth,
        headers={"Accept-Encoding": "identity", **(headers or {})},
        trust_env=False,
    )


async def exchange(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    json: object = None,
    params: Mapping[str, str | int] | None = None,
) -> Answer:
    """Send one request; a body that breaks off or drags on does not take back the status.

    Raises:
        httpx.HTTPError: no status came; `of_failure` says what that means.
        httpx.InvalidURL: the address is none; nothing was sent.
    """
    limit_s = http.timeout.read
    status, body = 0, b""
    try:
        async with (
            asyncio.timeout(limit_s),
            http.stream(method, url, json=json, params=params) as response,
        ):
            status = response.status_code
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    break
    except httpx.HTTPError:
        if not status:
            raise
    except TimeoutError:
        if not status:
            raise httpx.ReadTimeout(f"no answer within {limit_s} s") from None
    return Answer(status=status, body=body[:MAX_BYTES])


def of_answer(answer: Answer, secrets: Iterable[str] = ()) -> tuple[Delivery, str]:
    """2xx arrived; 3xx and 4xx were refused, 503 was not taken on; who answers another 5xx may
    have acted before it failed, or the gateway in front of it cannot know (502, 504).

    https://www.rfc-editor.org/rfc/rfc9110#section-15.6
    """
    if answer.is_success:
        return Delivery.DELIVERED, ""
    is_sure = answer.status < 500 or answer.status == httpx.codes.SERVICE_UNAVAILABLE
    text = plain(answer.body.decode(errors="replace"), secrets)
    reason = f"answered {answer.status}: {text}" if text else f"answered {answer.status}"
    return (Delivery.NOT_DELIVERED if is_sure else Delivery.UNKNOWN), reason


def of_failure(
    failure: httpx.HTTPError | httpx.InvalidURL, secrets: Iterable[str] = ()
) -> tuple[Delivery, str]:
    """No connection: surely not. A connection lost later: nobody knows."""
    if isinstance(failure, httpx.InvalidURL | httpx.LocalProtocolError):
        return Delivery.NOT_DELIVERED, "the address or the token of this channel is malformed"
    is_sure = isinstance(failure, _NEVER_SENT)
    said = plain(str(failure), secrets)
    reason = f"{type(failure).__name__}: {said}" if said else type(failure).__name__
    return (Delivery.NOT_DELIVERED if is_sure else Delivery.UNKNOWN), reason


def plain(text: str, secrets: Iterable[str] = ()) -> str:
    """One short line without the channel's secrets, whoever repeats them."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return one_line(text, MAX_REASON)


def one_line(text: str, room: int) -> str:
    """Printable, in one line, at most `room` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= room else f"{line[: room - 1]}…"
