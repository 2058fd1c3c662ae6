"""Group commit: what several senders brought is made durable by one transaction.

While one group is written the next one gathers by itself, so nobody waits for a timer: a sender who
is alone is written at once, and under load a commit serves up to `MAX_BATCHES`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from copilot.domain.errors import Busy, Unavailable
from copilot.domain.event import Batch
from copilot.ports import StoredBatch

MAX_BATCHES = 8
MAX_LINES = 40_000
"""In one group: a transaction stays short. A larger batch is a group of its own."""

ReceiveAll = Callable[[Sequence[Batch]], Awaitable[Sequence[StoredBatch]]]


@dataclass(slots=True, eq=False)
class _Waiting:
    batch: Batch
    outcome: StoredBatch | Exception | None = None


class Together:
    """Hands on batches in groups, in the order in which they came."""

    def __init__(self, receive_all: ReceiveAll) -> None:
        self._receive_all = receive_all
        self._queue: deque[_Waiting] = deque()
        self._turn = asyncio.Lock()

    async def receive(self, batch: Batch) -> StoredBatch:
        """Durable when this returns. What fails fails for its own batch only."""
        mine = _Waiting(batch)
        self._queue.append(mine)
        try:
            async with self._turn:
                # Turns come in the order of the queue: whoever is not done yet is the first in it.
                if mine.outcome is None:
                    await self._write(self._next_group())
        except asyncio.CancelledError:
            if mine in self._queue:
                self._queue.remove(mine)
            raise
        if isinstance(mine.outcome, StoredBatch):
            return mine.outcome
        raise mine.outcome or Unavailable("it was not written; send it again")

    def _next_group(self) -> list[_Waiting]:
        group = [self._queue.popleft()]
        n_lines = len(group[0].batch.lines)
        while self._queue and len(group) < MAX_BATCHES:
            n_lines += len(self._queue[0].batch.lines)
            if n_lines > MAX_LINES:
                break
            group.append(self._queue.popleft())
        return group

    async def _write(self, group: list[_Waiting]) -> None:
        try:
            await self._write_group(group)
        finally:
            # Cut off: the others of the group are written in their own turns.
            self._queue.extendleft(one for one in reversed(group) if one.outcome is None)

    async def _write_group(self, group: list[_Waiting]) -> None:
        try:
            outcomes = await self._receive_all([one.batch for one in group])
        except Exception as error:  # noqa: BLE001  # each sender is told at the HTTP edge
            if len(group) == 1 or isinstance(error, Busy | Unavailable):
                for one in group:
                    one.outcome = error
                return
            for one in group:
                await self._write_group([one])
            return
        for one, outcome in zip(group, outcomes, strict=True):
            one.outcome = outcome
