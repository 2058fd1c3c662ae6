"""Time."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time. Only `wiring.py` makes one."""

    def now_us(self) -> int:
        """Epoch microseconds UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...
