"""Who waits no longer than somebody waits for it."""

from __future__ import annotations

import asyncio
import math

import pytest

from copilot.deadline import TooLate, remaining_s, within


async def test_where_nobody_waits_there_is_all_the_time() -> None:
    assert remaining_s() == math.inf
    async with within(math.inf, "it"):
        assert remaining_s() == math.inf


async def test_what_takes_longer_is_cut_off_and_says_what_it_was() -> None:
    with pytest.raises(TooLate, match="asking agent-context took too long"):
        async with within(0, "asking agent-context"):
            await asyncio.sleep(60)

    assert remaining_s() == math.inf


async def test_an_inner_deadline_never_outlasts_the_outer_one() -> None:
    async with within(5, "outer"), within(60, "inner"):
        assert remaining_s() <= 5
    async with within(60, "outer"):
        async with within(5, "inner"):
            assert remaining_s() <= 5
        assert remaining_s() > 5


async def test_what_a_task_starts_has_its_deadline() -> None:
    async def left() -> float:
        return remaining_s()

    async with within(5, "it"):
        assert await asyncio.create_task(left()) <= 5


async def test_a_timeout_of_something_else_stays_what_it_is() -> None:
    with pytest.raises(TimeoutError):
        async with within(60, "it"):
            raise TimeoutError
