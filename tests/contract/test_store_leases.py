"""Work that takes longer than a lease stays with who does it, and is not lost with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.domain.errors import Conflict
from copilot.store import SqlStore
from tests.builders_store import NOW_US, STORES, a_store

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
