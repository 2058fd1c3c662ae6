"""A question that acts, put again, acts no second time."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from copilot.domain.errors import Refused, Unavailable
from copilot.roles.answered import KEPT_US, MOST_KEPT, Answered
from tests.fakes import FixedClock


class Acting:
    """Counts how often it acts, and may be held up or fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.n = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self._error = error

    async def __call__(self) -> bytes:
        self.n += 1
        await self.go_on.wait()
        if self._error:
            raise self._error
        return b"done"


async def test_a_repeat_gets_the_first_answer() -> None:
    acting, answered = Acting(), Answered(FixedClock())

    assert [await answered.once("k", acting) for _ in range(3)] == [b"done"] * 3
    assert acting.n == 1


async def test_a_repeat_that_comes_meanwhile_waits_for_the_first() -> None:
    acting, answered = Acting(), Answered(FixedClock())
    acting.go_on.clear()
    both = [asyncio.create_task(answered.once("k", acting)) for _ in range(2)]
    await asyncio.sleep(0)

    acting.go_on.set()

    assert await asyncio.gather(*both) == [b"done"] * 2
    assert acting.n == 1


async def test_a_repeat_of_what_was_refused_is_refused() -> None:
    acting, answered = Acting(Refused("no demo")), Answered(FixedClock())

    for _ in range(2):
        with pytest.raises(Refused):
            await answered.once("k", acting)

    assert acting.n == 1


async def test_what_was_cut_off_may_be_asked_again() -> None:
    acting, answered = Acting(), Answered(FixedClock())
    acting.go_on.clear()
    first, meanwhile = (asyncio.create_task(answered.once("k", acting)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    with pytest.raises(Unavailable, match="cut off"):
        await meanwhile

    acting.go_on.set()

    assert await answered.once("k", acting) == b"done"
    assert acting.n == 2


async def test_other_keys_and_old_ones_are_questions_of_their_own() -> None:
    clock = FixedClock()
    acting, answered = Acting(), Answered(clock)
    for key in ("a", "b"):
        await answered.once(key, acting)
    clock.move(KEPT_US / 1e6 + 1)
    await answered.once("a", acting)

    assert acting.n == 3


async def test_no_more_is_kept_than_there_is_room_for() -> None:
    acting, answered = Acting(), Answered(FixedClock())

    for n in range(MOST_KEPT * 2):
        await answered.once(str(n), acting)

    assert len(answered._kept) == MOST_KEPT
