"""Retention as a process does it: one at a time, again and again, and never in anybody's way."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.domain.errors import Unavailable
from copilot.domain.retention import DAY_US, Keep, Policy, Retired, Tier
from copilot.flow import Flow
from copilot.journal import Journal
from copilot.local import LocalAgents
from copilot.remediate.policy import Policy as RemediationPolicy
from copilot.roles.workers import LEASE_US, RETENTION, Workers
from copilot.store import SqlStore
from tests.builders_store import NOW_US, a_batch, a_store
from tests.fakes import FixedClock
from tests.fakes_embedder import FakeEmbedder

WEEK = {Tier.EVENTS: Keep(age_us=7 * DAY_US, size=None)}


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW_US)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store("sqlite-memory", tmp_path) as store:
        yield store


def workers(store: SqlStore, clock: FixedClock, name: str = "a") -> Workers:
    agents = LocalAgents(
        store=store,
        clock=clock,
        cluster=None,
        policy=RemediationPolicy(),
        model=None,
        notifiers={},
    )
    flow = Flow(store=store, agents=agents, clock=clock, journal=Journal(cluster="lab"), rules={})
    return Workers(
        store=store,
        flow=flow,
        agents=agents,
        clock=clock,
        owner=name,
        embedder=FakeEmbedder(),
        keep=WEEK,
    )


async def add_old(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.telemetry.add(a_batch("failed", ts_us=NOW_US - 20 * DAY_US, severity=17))


async def until_retired(one: Workers, n: int) -> None:
    while one.figures.retired.value(Tier.EVENTS) < n:
        await asyncio.sleep(0.01)


async def waiting(store: SqlStore, clock: FixedClock, in_s: float) -> list[int]:
    """The attempts of every job that would be due by then; they are taken."""
    found = []
    async with store.transaction() as tx:
        at_us = clock.now_us() + round(in_s * 1_000_000)
        while job := await tx.jobs.take(RETENTION, owner="test", now_us=at_us, lease_us=DAY_US):
            found.append(job.attempts)
    return found


async def test_a_process_retires_what_is_old_when_it_starts_and_counts_it(
    store: SqlStore, clock: FixedClock
) -> None:
    await add_old(store)
    one = workers(store, clock)

    loop = asyncio.create_task(one.retain())
    await until_retired(one, 1)
    loop.cancel()

    assert one.figures.retired.total() == 1


async def looked(one: Workers) -> bool:
    """Whether there was a job."""
    return await one._work_once(
        RETENTION, one._retire, within_s=math.inf, lease_us=LEASE_US, is_standing=False
    )


async def test_however_many_processes_there_are_one_look_waits_for_the_next_hour(
    store: SqlStore, clock: FixedClock
) -> None:
    await add_old(store)
    several = [workers(store, clock, name) for name in "abc"]

    async def look(one: Workers) -> None:
        await one._plan()
        while await looked(one):
            pass

    await asyncio.gather(*map(look, several))

    assert await waiting(store, clock, in_s=3_599) == []
    assert await waiting(store, clock, in_s=3_600) == [1]


class Failing(SqlStore):
    """A store whose retention fails the first time."""

    tries = 0

    async def retire(self, policy: Policy, *, is_dry: bool = False) -> tuple[Retired, ...]:
        self.tries += 1
        if self.tries == 1:
            raise Unavailable("the disk is full")
        return await super().retire(policy, is_dry=is_dry)


async def test_a_look_that_failed_is_tried_again_soon(store: SqlStore, clock: FixedClock) -> None:
    await add_old(store)
    failing = Failing(store._engine, clock)
    one = workers(failing, clock)
    await one._plan()

    await looked(one)
    clock.move(2)
    await looked(one)

    assert one.figures.retired.total() == 1
