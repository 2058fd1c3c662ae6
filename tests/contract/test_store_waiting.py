"""How much waits, in the queues and in the outbox, is told without doing any of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.domain.notification import Delivery
from copilot.ports import Due
from copilot.store import SqlStore
from tests.builders_store import NOW_US, STORES, a_notification, a_store


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store(request.param, tmp_path) as store:
        yield store


async def test_what_is_due_is_counted_by_queue_and_state_and_what_is_for_later_is_not(
    store: SqlStore,
) -> None:
    async with store.transaction() as tx:
        for run_us in (NOW_US - 30, NOW_US - 20, NOW_US - 10, NOW_US + 1):
            await tx.jobs.put("investigate", "1", run_us=run_us)
        await tx.jobs.put("consult", "1", run_us=NOW_US - 5)
        await tx.jobs.take("investigate", owner="a", now_us=NOW_US, lease_us=100)
        due = await tx.jobs.due(NOW_US)

    assert due == (
        Due(queue="consult", state="ready", n=1, oldest_us=NOW_US - 5),
        Due(queue="investigate", state="leased", n=1, oldest_us=NOW_US - 30),
        Due(queue="investigate", state="ready", n=2, oldest_us=NOW_US - 20),
    )


async def test_what_waits_in_the_outbox_is_counted_with_the_most_tries(store: SqlStore) -> None:
    async with store.transaction() as tx:
        nothing = await tx.outbox.unsent()
        await tx.outbox.put(a_notification(dedupe_key="a"), due_us=NOW_US)
        await tx.outbox.put(a_notification(dedupe_key="b"), due_us=NOW_US + 50)
        taken = await tx.outbox.take(owner="a", now_us=NOW_US, lease_us=100)
        assert taken
        await tx.outbox.settle(
            taken.id, delivery=Delivery.NOT_DELIVERED, error="away", retry_us=NOW_US + 90
        )
        waiting = await tx.outbox.unsent()

    assert (nothing.n, nothing.tries, nothing.oldest_us) == (0, 0, 0)
    assert (waiting.n, waiting.tries, waiting.oldest_us) == (2, 1, NOW_US + 50)
