"""What was answered to a question that acts, so that the same one put again acts no second time.

It is of this process. Another replica that gets the repeat finds in the cluster what the first has
done (`docs/adr/0020-several-of-every-role.md`).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from copilot.domain.errors import Unavailable
from copilot.ports import Clock

KEPT_US = 600_000_000
MOST_KEPT = 256
MAX_KEY = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    answer: asyncio.Future[bytes]
    at_us: int


class Answered:
    """By the key that whoever asks gives a question and its repeats."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def once(self, key: str, answer: Callable[[], Awaitable[bytes]]) -> bytes:
        """The first one's answer, or its error; a repeat that comes meanwhile waits for it. What
        was cut off is not remembered."""
        key = key[:MAX_KEY]
        self._forget()
        if key in self._kept:
            return await asyncio.shield(self._kept[key].answer)
        mine = _Kept(answer=asyncio.get_running_loop().create_future(), at_us=self._clock.now_us())
        self._kept[key] = mine
        try:
            mine.answer.set_result(await answer())
        except Exception as error:
            mine.answer.set_exception(error)
            mine.answer.exception()  # it is told below; a repeat is told, too
            raise
        except BaseException:
            self._kept.pop(key, None)
            mine.answer.set_exception(Unavailable("the first of these questions was cut off"))
            mine.answer.exception()
            raise
        return mine.answer.result()

    def _forget(self) -> None:
        oldest_us = self._clock.now_us() - KEPT_US
        while self._kept:
            key, first = next(iter(self._kept.items()))
            if first.at_us >= oldest_us and len(self._kept) < MOST_KEPT:
                return
            del self._kept[key]
