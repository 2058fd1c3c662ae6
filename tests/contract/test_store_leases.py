"""Work that takes longer than a lease stays with who does it, and is not lost with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.domain.errors import Conflict
from copilot.ports import Job
from copilot.store import SqlStore
from tests.builders_store import NOW_US, SECOND_US, STORES, a_store

LEASE_US = 10


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store(request.param, tmp_path) as store:
        yield store


async def test_a_renewed_lease_keeps_others_away_until_it_runs_out(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.jobs.put("leg3", "x", run_us=NOW_US)
        job = await tx.jobs.take("leg3", owner="a", now_us=NOW_US, lease_us=LEASE_US)
        assert job
        await tx.jobs.renew(job, now_us=NOW_US + 8, lease_us=LEASE_US)
        early = await tx.jobs.take("leg3", owner="b", now_us=NOW_US + 17, lease_us=LEASE_US)
        late = await tx.jobs.take("leg3", owner="b", now_us=NOW_US + 19, lease_us=LEASE_US)

    assert early is None
    assert late
    assert late.attempts == 2


async def test_who_lost_a_job_cannot_renew_it(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.jobs.put("leg3", "x", run_us=NOW_US)
        slow = await tx.jobs.take("leg3", owner="a", now_us=NOW_US, lease_us=LEASE_US)
        await tx.jobs.take("leg3", owner="b", now_us=NOW_US + 11, lease_us=LEASE_US)
        assert slow

        with pytest.raises(Conflict):
            await tx.jobs.renew(slow, now_us=NOW_US + 12, lease_us=LEASE_US)


async def test_a_job_that_keeps_its_key_is_the_only_one_for_as_long_as_it_is_not_done(
    store: SqlStore,
) -> None:
    async def put() -> None:
        await store.run(lambda tx: tx.jobs.put("watch", "", run_us=NOW_US, dedupe="one"))

    async def take(now_us: int) -> Job | None:
        return await store.run(
            lambda tx: tx.jobs.take(
                "watch", owner="w", now_us=now_us, lease_us=SECOND_US, keeps_key=True
            )
        )

    await put()
    first = await take(NOW_US)
    assert first
    await put()
    assert await take(NOW_US) is None

    second = await take(NOW_US + 2 * SECOND_US)  # its lease ran out
    assert second
    assert second.id == first.id
    await store.run(lambda tx: tx.jobs.again(second, run_us=NOW_US, error=""))
    await put()
    third = await take(NOW_US)
    assert third
    assert await take(NOW_US) is None
    await store.run(lambda tx: tx.jobs.done(third))
    await put()
    assert await take(NOW_US)
