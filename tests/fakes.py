"""Small real things that stand in for the outside: a clock that moves only when told."""

import asyncio


class FixedClock:
    """A clock that stands still until it is moved; sleeping moves it at once."""

    def __init__(self, now_us: int = 1_795_000_000_000_000) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        return self._now_us

    def move(self, seconds: float) -> None:
        self._now_us += round(seconds * 1_000_000)

    async def sleep(self, seconds: float) -> None:
        self.move(seconds)
        await asyncio.sleep(0)
