"""How to wait for what must not be let go half-way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def to_the_end(work: Awaitable[T]) -> T:
    """Waits for the work whatever happens; a cancellation that came meanwhile is passed on after.

    Letting go early would leave a transaction open for the next one to stumble over, or the outcome
    of a commit unknown for no reason.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # looked at, so that nobody complains that nobody did
        raise cancelled
    return task.result()
