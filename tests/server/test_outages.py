"""The server is killed, the line is cut: nothing acknowledged is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress

import pytest

from copilot.domain.errors import Clash, Unavailable
from copilot.ports import Job
from copilot.store import SqlStore
from copilot.store.mysql import Address, open_store
from tests.builders_store import NOW_US, SECOND_US, a_batch
from tests.fakes import FixedClock
from tests.mariadb import MariaDb
from tests.server.conftest import LIMIT_S
from tests.server.proxy import Cut, a_line, through
from tests.servers import created

pytestmark = pytest.mark.timeout(LIMIT_S)

PER_BATCH = 5
KILLS = 3


async def test_a_server_that_is_killed_and_comes_back_has_lost_nothing(mariadb: MariaDb) -> None:
    address = mariadb.address("copilot")
    await created(address)
    store = await open_store(address, clock=FixedClock(NOW_US))
    await store.migrate()
    acknowledged: list[int] = []
    looks: Counter[str] = Counter()
    tasks = [
        *(asyncio.create_task(send_for_ever(store, acknowledged, first)) for first in (0, 10_000)),
        asyncio.create_task(look_for_ever(store, looks)),
    ]

    for _ in range(KILLS):
        before = len(acknowledged)
        while len(acknowledged) < before + 10:
            await asyncio.sleep(0.01)
        await asyncio.sleep(random.random() / 10)
        await asyncio.to_thread(mariadb.kill)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(mariadb.start)
    await until_looks(looks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    stored = Counter(await bodies(store))
    await store.close()
    assert {f"{n}/{i}" for n in acknowledged for i in range(PER_BATCH)} <= stored.keys()
    assert set(stored.values()) == {1}
    assert looks["unavailable"]


async def send_for_ever(store: SqlStore, acknowledged: list[int], first: int) -> None:
    """As senders do: the same batch with the same key until it is taken."""
    n = first
    while True:
        batch = a_batch(
            *(f"{n}/{i}" for i in range(PER_BATCH)),
            key=n.to_bytes(16, "big"),
            ts_us=NOW_US + n * SECOND_US,
        )
        try:
            async with store.transaction() as tx:
                await tx.telemetry.add(batch)
        except (Unavailable, Clash):
            await asyncio.sleep(0.05)
            continue
        acknowledged.append(n)
        n += 1


async def look_for_ever(store: SqlStore, looks: Counter[str]) -> None:
    while True:
        try:
            async with store.view() as look:
                await look.telemetry.counts()
            looks["well"] += 1
        except Unavailable:
            looks["unavailable"] += 1
        await asyncio.sleep(0.02)


async def until_looks(looks: Counter[str]) -> None:
    well = looks["well"]
    while looks["well"] < well + 3:
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("cut", Cut)
async def test_a_commit_whose_answer_is_lost_is_repeated_without_harm(
    address: Address, cut: Cut
) -> None:
    async with a_line(address.host, address.port) as line:
        armed = False

        def told(sql: str) -> None:
            if armed and sql == "COMMIT":
                line.cut_at_next(cut)

        store = await open_store(
            through(line, address), clock=FixedClock(NOW_US), on_statement=told
        )
        await store.migrate()
        batch = a_batch("once", severity=17)
        armed = True
        with pytest.raises(Unavailable, match="not known"):
            async with store.transaction() as tx:
                await tx.telemetry.add(batch)
        armed = False

        async with store.transaction() as tx:
            repeat = await tx.telemetry.add(batch)

        async with store.view() as look:
            counts = await look.telemetry.counts()
        await store.close()
    assert repeat.is_repeat == (cut is Cut.AFTER)
    assert (counts.lines, counts.events) == (1, 1)


@pytest.mark.parametrize("cut", Cut)
async def test_a_job_whose_taking_was_not_heard_of_is_done_by_whoever_comes_after_its_lease(
    address: Address, cut: Cut
) -> None:
    async with a_line(address.host, address.port) as line:
        armed = False

        def told(sql: str) -> None:
            if armed and sql == "COMMIT":
                line.cut_at_next(cut)

        store = await open_store(
            through(line, address), clock=FixedClock(NOW_US), on_statement=told
        )
        await store.migrate()
        async with store.transaction() as tx:
            await tx.jobs.put("leg2", "x", run_us=NOW_US)
        armed = True
        with suppress(Unavailable):
            await store.run(lambda tx: tx.jobs.take("leg2", owner="a", now_us=NOW_US, lease_us=10))
        armed = False

        async def take(at_us: int) -> Job | None:
            return await store.run(
                lambda tx: tx.jobs.take("leg2", owner="b", now_us=at_us, lease_us=SECOND_US)
            )

        at_once, later = [await take(at_us) for at_us in (NOW_US, NOW_US + 11)]

        await store.close()
    assert [job is not None for job in (at_once, later)] == (
        [False, True] if cut is Cut.AFTER else [True, False]
    )


async def bodies(store: SqlStore) -> list[str]:
    async with store.view() as look:
        lines = await look.telemetry.lines_of(
            namespace="demo",
            pods=["oom-demo-abc"],
            since_us=0,
            until_us=NOW_US * 2,
            limit=1_000_000,
        )
    return [line.body for line in lines]
