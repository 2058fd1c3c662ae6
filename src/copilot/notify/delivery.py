"""What an HTTP answer, or its absence, says about delivery."""

from __future__ import annotations

import httpx

from copilot.domain.notification import Delivery

TIMEOUT_S = 10.0
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)


def of_response(response: httpx.Response) -> tuple[Delivery, str]:
    """2xx arrived; 4xx was refused; on 5xx the far side may have acted before it failed."""
    if response.is_success:
        return Delivery.DELIVERED, ""
    reason = f"answered {response.status_code}: {response.text[:200]}"
    if response.status_code < 500 or response.status_code in (502, 503):
        return Delivery.NOT_DELIVERED, reason
    return Delivery.UNKNOWN, reason


def of_failure(failure: httpx.HTTPError) -> tuple[Delivery, str]:
    """No connection: surely not. A connection lost later: nobody knows."""
    is_sure = isinstance(failure, _NEVER_SENT)
    reason = f"{type(failure).__name__}: {failure}"[:300]
    return (Delivery.NOT_DELIVERED if is_sure else Delivery.UNKNOWN), reason
