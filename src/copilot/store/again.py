"""Work that clashed with somebody's, done again from its beginning."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from copilot.domain.errors import Clash

T = TypeVar("T")

TRIES = 8
PAUSE_S = 0.1
"""Of a clash; longer each time, and never the same for two that clashed."""


async def again(work: Callable[[], Awaitable[T]], sleep: Callable[[float], Awaitable[None]]) -> T:
    """What the work brings; it is one transaction, of which a clash has kept nothing.

    Raises:
        Clash: it clashed every time.
    """
    for attempt in range(1, TRIES):
        try:
            return await work()
        except Clash:
            await sleep(PAUSE_S * (1.5**attempt + random.random()))
    return await work()
