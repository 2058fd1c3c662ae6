"""Until when somebody waits for what is being done: handed on to whatever is asked meanwhile.

It belongs to the task and to those it starts, so no signature has to carry it. Where nobody waits
there is none. Between processes it travels as the time that is left (`remote/wire.py`): clocks of
two machines differ.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from copilot.domain.errors import Unavailable


class TooLate(Unavailable):
    """Nobody waits any more for what was being done."""


_UNTIL: ContextVar[float] = ContextVar("until", default=math.inf)
"""By the event loop's clock."""


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """What is done inside is cut off after this long, or when an outer deadline is over.

    Raises:
        TooLate: it was cut off; `what` says of what.
    """
    until = min(_UNTIL.get(), asyncio.get_running_loop().time() + seconds)
    outer = _UNTIL.set(until)
    try:
        async with asyncio.timeout_at(until if math.isfinite(until) else None) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TooLate(f"{what} took too long and was cut off") from error
    finally:
        _UNTIL.reset(outer)


def remaining_s() -> float:
    """How long somebody still waits, infinite where nobody does; never negative."""
    return max(_UNTIL.get() - asyncio.get_running_loop().time(), 0.0)
