"""Small real things that stand in for the outside: a clock that moves only when told, a fast one."""

import asyncio
import time


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


class ScaledClock:
    """Starts at the real time and runs `speed` times as fast."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began_us = time.time_ns() // 1000
        self._began = time.monotonic()

    def now_us(self) -> int:
        return self._began_us + round((time.monotonic() - self._began) * self._speed * 1e6)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)
