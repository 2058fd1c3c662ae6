"""What every store promises: transactions, snapshots, migrations, and the parts that are few rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from copilot.domain.errors import NotFound, Unavailable
from copilot.domain.hypothesis import Cause
from copilot.domain.incident import IncidentId
from copilot.domain.notification import Delivery
from copilot.store import SqlStore
from tests.builders_store import (
    NOW_US,
    SECOND_US,
    STORES,
    a_memory,
    a_notification,
    a_runbook,
    a_store,
)


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store(request.param, tmp_path) as store:
        yield store


async def head(store: SqlStore) -> int:
    async with store.view() as look:
        return await look.feed.head("lab")


async def write(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.feed.append(cluster="lab", ts_us=NOW_US, kind="test", incident_id=None)


async def write_and_fail(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.feed.append(cluster="lab", ts_us=NOW_US, kind="test", incident_id=None)
        raise ZeroDivisionError


async def test_what_the_database_is_and_can_do_is_the_same_whenever_it_is_asked(
    store: SqlStore,
) -> None:
    able = await store.capabilities()

    assert able.kind in ("SQLite", "TiDB", "MariaDB", "MySQL")
    assert any(sign.isdigit() for sign in able.version)
    assert await store.capabilities() == able


# --------------------------------------------------------------------------- transactions


async def test_a_clean_exit_commits(store: SqlStore) -> None:
    await write(store)

    assert await head(store) == 1


async def test_an_error_in_the_block_rolls_everything_back(store: SqlStore) -> None:
    with pytest.raises(ZeroDivisionError):
        await write_and_fail(store)

    assert await head(store) == 0
    await write(store)
    assert await head(store) == 1


@pytest.mark.parametrize("after_s", [0.0, 0.0005, 0.002, 0.01])
async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(
    store: SqlStore, after_s: float
) -> None:
    async def write_for_ever() -> None:
        async with store.transaction() as tx:
            while True:
                await tx.feed.append(cluster="lab", ts_us=NOW_US, kind="test", incident_id=None)

    task = asyncio.create_task(write_for_ever())
    await asyncio.sleep(after_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await write(store)
    assert await head(store) == 1


async def test_a_transaction_that_is_cancelled_while_it_waits_lets_the_others_go_on(
    store: SqlStore,
) -> None:
    async with store.transaction():
        waiting = asyncio.create_task(write(store))
        await asyncio.sleep(0.01)
        waiting.cancel()

    await write(store)

    assert await head(store) == 1


async def test_a_view_is_one_snapshot_and_does_not_wait_for_a_writer(store: SqlStore) -> None:
    async with store.view() as look:
        before = await look.feed.head("lab")
        async with store.transaction() as tx:
            await tx.feed.append(cluster="lab", ts_us=NOW_US, kind="test", incident_id=None)
            during = await head(store)
        after = await look.feed.head("lab")

    assert (before, during, after) == (0, 0, 0)
    assert await head(store) == 1


async def test_a_transaction_sees_what_it_wrote(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.feed.append(cluster="lab", ts_us=NOW_US, kind="test", incident_id=None)

        assert await tx.feed.head("lab") == 1


async def test_transactions_take_turns(store: SqlStore) -> None:
    await asyncio.gather(*(write(store) for _ in range(20)))

    async with store.view() as look:
        assert [e.seq for e in await look.feed.since("lab", 0, 100)] == list(range(1, 21))


async def test_a_session_that_outlives_its_transaction_is_refused(store: SqlStore) -> None:
    async with store.transaction() as tx:
        pass

    with pytest.raises(RuntimeError, match="ended"):
        await tx.feed.head("lab")


async def test_a_closed_store_is_unavailable(store: SqlStore) -> None:
    await store.close()

    with pytest.raises(Unavailable):
        await head(store)
    with pytest.raises(Unavailable):
        await write(store)


async def test_migrating_again_changes_nothing(store: SqlStore) -> None:
    await write(store)

    assert await store.migrate() == ()
    assert await head(store) == 1


# --------------------------------------------------------------------------- feed


async def test_the_feed_counts_up_for_each_cluster_by_itself(store: SqlStore) -> None:
    async with store.transaction() as tx:
        for cluster in ("lab", "prod", "lab"):
            await tx.feed.append(cluster=cluster, ts_us=NOW_US, kind="k", incident_id=None)

    async with store.view() as look:
        assert [e.seq for e in await look.feed.since("lab", 0, 10)] == [1, 2]
        assert [e.seq for e in await look.feed.since("lab", 1, 10)] == [2]
        assert await look.feed.head("prod") == 1


# --------------------------------------------------------------------------- jobs


async def test_a_job_is_taken_once_and_gone_when_done(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.jobs.put("leg2", '{"incident":1}', run_us=NOW_US)
        job = await tx.jobs.take("leg2", owner="a", now_us=NOW_US, lease_us=SECOND_US)
        again = await tx.jobs.take("leg2", owner="b", now_us=NOW_US, lease_us=SECOND_US)
        assert job is not None
        await tx.jobs.done(job)
        later = await tx.jobs.take("leg2", owner="b", now_us=NOW_US * 2, lease_us=SECOND_US)

    assert job.payload == '{"incident":1}'
    assert (again, later) == (None, None)


async def test_a_job_is_not_taken_before_its_time_nor_from_another_queue(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.jobs.put("leg2", "later", run_us=NOW_US + 1)
        await tx.jobs.put("leg3", "other", run_us=NOW_US)

        assert await tx.jobs.take("leg2", owner="a", now_us=NOW_US, lease_us=1) is None


async def test_a_job_whose_lease_ran_out_is_taken_over_and_its_old_worker_is_ignored(
    store: SqlStore,
) -> None:
    async with store.transaction() as tx:
        await tx.jobs.put("leg2", "x", run_us=NOW_US)
        slow = await tx.jobs.take("leg2", owner="a", now_us=NOW_US, lease_us=10)
        quick = await tx.jobs.take("leg2", owner="b", now_us=NOW_US + 11, lease_us=10)
        assert slow
        await tx.jobs.done(slow)
        after = await tx.jobs.take("leg2", owner="c", now_us=NOW_US + 22, lease_us=10)

    assert quick
    assert (slow.attempts, quick.attempts) == (1, 2)
    assert after is not None


async def test_a_waiting_job_is_not_doubled_a_running_one_may_be(store: SqlStore) -> None:
    async with store.transaction() as tx:
        for _ in range(2):
            await tx.jobs.put("leg2", "x", run_us=NOW_US, dedupe="incident-1")
        first = await tx.jobs.take("leg2", owner="a", now_us=NOW_US, lease_us=SECOND_US)
        none = await tx.jobs.take("leg2", owner="a", now_us=NOW_US, lease_us=SECOND_US)
        await tx.jobs.put("leg2", "x", run_us=NOW_US, dedupe="incident-1")
        second = await tx.jobs.take("leg2", owner="a", now_us=NOW_US, lease_us=SECOND_US)

    assert first
    assert none is None
    assert second


async def test_a_job_to_be_tried_again_waits_for_its_time(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.jobs.put("leg2", "x", run_us=NOW_US)
        job = await tx.jobs.take("leg2", owner="a", now_us=NOW_US, lease_us=SECOND_US)
        assert job
        await tx.jobs.again(job, run_us=NOW_US + 100, error="no answer")
        early = await tx.jobs.take("leg2", owner="a", now_us=NOW_US + 99, lease_us=SECOND_US)
        due = await tx.jobs.take("leg2", owner="a", now_us=NOW_US + 100, lease_us=SECOND_US)

    assert early is None
    assert due
    assert due.attempts == 2


async def test_a_job_that_is_done_twice_takes_no_later_job_with_it(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.jobs.put("leg2", "x", run_us=NOW_US)
        job = await tx.jobs.take("leg2", owner="a", now_us=NOW_US, lease_us=SECOND_US)
        assert job
        await tx.jobs.done(job)
        await tx.jobs.put("leg2", "y", run_us=NOW_US)
        later = await tx.jobs.take("leg2", owner="b", now_us=NOW_US, lease_us=10)
        await tx.jobs.done(job)

        assert later
        assert await tx.jobs.take("leg2", owner="c", now_us=NOW_US + 11, lease_us=10)


# --------------------------------------------------------------------------- outbox


async def test_a_notification_is_sent_once_for_its_key(store: SqlStore) -> None:
    async with store.transaction() as tx:
        for _ in range(2):
            await tx.outbox.put(a_notification(), due_us=NOW_US)
        first = await tx.outbox.take(owner="a", now_us=NOW_US, lease_us=SECOND_US)
        second = await tx.outbox.take(owner="a", now_us=NOW_US, lease_us=SECOND_US)
        assert first
        await tx.outbox.settle(first.id, delivery=Delivery.DELIVERED, error="", retry_us=0)
        await tx.outbox.put(a_notification(), due_us=NOW_US)

        assert second is None
        assert await tx.outbox.take(owner="a", now_us=NOW_US * 2, lease_us=1) is None


async def test_a_notification_that_surely_did_not_arrive_is_tried_again(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.outbox.put(a_notification(), due_us=NOW_US)
        first = await tx.outbox.take(owner="a", now_us=NOW_US, lease_us=SECOND_US)
        assert first
        await tx.outbox.settle(
            first.id, delivery=Delivery.NOT_DELIVERED, error="503", retry_us=NOW_US + 5
        )
        early = await tx.outbox.take(owner="a", now_us=NOW_US + 4, lease_us=SECOND_US)
        due = await tx.outbox.take(owner="a", now_us=NOW_US + 5, lease_us=SECOND_US)

    assert early is None
    assert due == replace(first, attempts=2)


async def test_a_sender_that_died_while_sending_leaves_an_unknown_outcome_that_is_not_resent(
    store: SqlStore,
) -> None:
    async with store.transaction() as tx:
        await tx.outbox.put(a_notification(), due_us=NOW_US)
        assert await tx.outbox.take(owner="a", now_us=NOW_US, lease_us=10)

    async with store.transaction() as tx:
        assert await tx.outbox.take(owner="b", now_us=NOW_US + 11, lease_us=10) is None
        assert await tx.outbox.take(owner="b", now_us=NOW_US * 2, lease_us=10) is None


# --------------------------------------------------------------------------- audit


async def test_an_untouched_audit_chain_holds(store: SqlStore) -> None:
    async with store.transaction() as tx:
        for n in range(3):
            await tx.audit.append(
                chain="incident-1",
                ts_us=NOW_US + n,
                actor="ana",
                action="proposal.approved",
                object="p-1",
                detail='{"n":1}',
            )

    async with store.view() as look:
        rows = await look.audit.rows(limit=10)
        assert [row.seq for row in rows] == [3, 2, 1]
        assert rows[0].prev_hash == rows[1].hash
        assert [row.seq for row in await look.audit.rows(after=1, limit=1)] == [2]
        assert await look.audit.rows(chain="other", limit=10) == ()
        assert await look.audit.broken() == ()


# --------------------------------------------------------------------------- memories, runbooks


async def test_memories_of_the_same_app_come_before_those_of_the_same_cause(
    store: SqlStore,
) -> None:
    async with store.transaction() as tx:
        elsewhere = await tx.memories.add(a_memory(1, app="other", created_us=NOW_US + 9))
        old = await tx.memories.add(a_memory(2, created_us=NOW_US, cause=Cause.BAD_ROLLOUT))
        new = await tx.memories.add(a_memory(3, created_us=NOW_US + 1))
        await tx.memories.add(a_memory(4, expires_us=NOW_US))
        await tx.memories.add(a_memory(5, app="other", cause=Cause.BAD_PROBE))

        found = await tx.memories.find(
            cluster="lab",
            namespace="demo",
            app="oom-demo",
            cause=Cause.MEMORY_LIMIT_TOO_LOW,
            now_us=NOW_US + 10,
        )

    assert found == (new, old, elsewhere)


async def test_memories_are_found_by_their_incidents(store: SqlStore) -> None:
    async with store.transaction() as tx:
        first, second = [await tx.memories.add(a_memory(n)) for n in (1, 2)]
        await tx.memories.add(a_memory(3))
        await tx.memories.add(a_memory(4, expires_us=NOW_US))

        found = await tx.memories.of_incidents(
            [IncidentId(n) for n in (2, 4, 1, 99)], now_us=NOW_US + 1
        )

        assert found == (first, second)
        assert await tx.memories.of_incidents([], now_us=NOW_US) == ()


async def test_an_incident_is_remembered_once_and_can_be_forgotten(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.memories.add(a_memory(1, has_held=False))
        memory = await tx.memories.add(a_memory(1, has_held=True))
        scope = {"cluster": "lab", "namespace": "demo", "app": "oom-demo"}
        assert await tx.memories.find(**scope, cause=None, now_us=NOW_US) == (memory,)

        await tx.memories.forget(memory.id)

        assert await tx.memories.find(**scope, cause=None, now_us=NOW_US) == ()


async def test_runbooks_of_a_source_become_exactly_those_given(store: SqlStore) -> None:
    async with store.transaction() as tx:
        assert await tx.runbooks.sync([a_runbook("a"), a_runbook("b"), a_runbook("c")]) == 3
        await tx.runbooks.sync([a_runbook("mine", source="git")])

        changed = await tx.runbooks.sync([a_runbook("a"), a_runbook("b", title="New")])

        assert changed == 2
        assert [r.slug for r in await tx.runbooks.all()] == ["a", "b", "mine"]
        assert (await tx.runbooks.get("b")).title == "New"
        with pytest.raises(NotFound):
            await tx.runbooks.get("c")


async def test_syncing_the_same_runbooks_keeps_their_ids(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.runbooks.sync([a_runbook("a")])
        before = await tx.runbooks.get("a")

        assert await tx.runbooks.sync([a_runbook("a", updated_us=NOW_US + 5)]) == 0
        assert await tx.runbooks.get("a") == before
