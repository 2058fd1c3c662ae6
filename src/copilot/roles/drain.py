"""That this process is going: said first, so that nobody new comes, and then done in order."""

from __future__ import annotations

import asyncio


class Drain:
    """On from the moment somebody asks the process to stop."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    @property
    def is_on(self) -> bool:
        return self._begun.is_set()

    def begin(self) -> None:
        self._begun.set()

    async def begun(self) -> None:
        """Returns once it is on."""
        await self._begun.wait()
