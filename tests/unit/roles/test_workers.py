"""The loops that do queued work go on, whatever the store says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, cast

import pytest

from copilot.domain.errors import Clash, CopilotError, Unavailable
from copilot.domain.incident import IncidentId
from copilot.flow import INVESTIGATE, Flow
from copilot.ports import Agents, Job, Session, Store
from copilot.roles.workers import POLL_S, WATCH_POLL_S, Workers
from copilot.store import SqlStore
from tests.builders_store import NOW_US, a_store
from tests.fakes import FixedClock
from tests.fakes_embedder import FakeEmbedder

T = TypeVar("T")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store("sqlite-memory", tmp_path) as store:
        yield store


class Troubled:
    """A store that fails once before it does what it is asked."""

    def __init__(self, store: SqlStore, trouble: CopilotError) -> None:
        self._store = store
        self._trouble: CopilotError | None = trouble

    async def run(self, work: Callable[[Session], Awaitable[T]]) -> T:
        if self._trouble:
            trouble, self._trouble = self._trouble, None
            raise trouble
        return await self._store.run(work)


class Listening:
    """Takes an investigation, and notes it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def investigate(self, incident_id: IncidentId) -> None:
        self.asked.set()


@pytest.mark.parametrize("trouble", [Clash("too much at once"), Unavailable("it is away")])
async def test_a_store_in_trouble_ends_no_loop(store: SqlStore, trouble: CopilotError) -> None:
    await store.run(lambda tx: tx.jobs.put(INVESTIGATE, "1", run_us=NOW_US, dedupe="1"))
    flow = Listening()
    workers = Workers(
        store=cast(Store, Troubled(store, trouble)),
        flow=cast(Flow, flow),
        agents=cast(Agents, None),
        clock=FixedClock(NOW_US),
        owner="w",
        embedder=FakeEmbedder(),
    )

    working = asyncio.create_task(workers.investigate())
    heard = asyncio.create_task(flow.asked.wait())
    done, _ = await asyncio.wait({working, heard}, return_when=asyncio.FIRST_COMPLETED)

    assert done == {heard}
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working


# --------------------------------------------------------------------------- going, and two of each


class Held:
    """Begins an investigation and never ends it."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def investigate(self, incident_id: IncidentId) -> None:
        self.begun.set()
        await asyncio.Event().wait()


def some_workers(store: SqlStore, flow: object = None, *, owner: str = "w") -> Workers:
    return Workers(
        store=store,
        flow=cast(Flow, flow),
        agents=cast(Agents, None),
        clock=FixedClock(NOW_US),
        owner=owner,
        embedder=FakeEmbedder(),
    )


async def ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def taken(store: SqlStore, queue: str = INVESTIGATE) -> Job | None:
    """By another process, at the same moment."""
    return await store.run(
        lambda tx: tx.jobs.take(queue, owner="other", now_us=NOW_US, lease_us=1_000_000)
    )


async def test_what_is_cut_off_may_be_taken_by_another_at_once(store: SqlStore) -> None:
    await store.run(lambda tx: tx.jobs.put(INVESTIGATE, "7", run_us=NOW_US))
    flow = Held()
    working = asyncio.create_task(some_workers(store, flow).investigate())
    await flow.begun.wait()
    assert await taken(store) is None

    await ended(working)

    job = await taken(store)
    assert job is not None
    assert job.payload == "7"


async def test_who_is_going_takes_nothing_any_more(store: SqlStore) -> None:
    workers = some_workers(store, Listening())
    workers.drain.begin()
    working = asyncio.create_task(workers.investigate())
    await store.run(lambda tx: tx.jobs.put(INVESTIGATE, "7", run_us=NOW_US))
    await asyncio.sleep(3 * POLL_S)

    assert await taken(store) is not None
    assert not working.done()
    await ended(working)


class Watching:
    """Notes how many watch at the same time."""

    def __init__(self) -> None:
        self.now = 0
        self.begun = 0
        self.most = 0
        self.changed = asyncio.Condition()

    async def watch(self) -> None:
        await self._move(+1)
        try:
            await asyncio.Event().wait()
        finally:
            self.now -= 1

    async def _move(self, by: int) -> None:
        async with self.changed:
            self.now += by
            self.begun += 1
            self.most = max(self.most, self.now)
            self.changed.notify_all()

    async def until_begun(self, n: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.begun >= n)


async def test_of_two_watchers_of_a_cluster_one_watches_and_the_other_takes_over(
    store: SqlStore,
) -> None:
    first, second, seen = some_workers(store, owner="a"), some_workers(store, owner="b"), Watching()
    leading = asyncio.create_task(first.watch("home", seen.watch))
    await seen.until_begun(1)
    waiting = asyncio.create_task(second.watch("home", seen.watch))
    await asyncio.sleep(1.5 * WATCH_POLL_S)
    assert seen.begun == 1

    first.drain.begin()
    await seen.until_begun(2)

    assert seen.most == 1
    await ended(leading, waiting)


async def test_watchers_of_two_clusters_do_not_wait_for_one_another(store: SqlStore) -> None:
    seen = Watching()
    both = [
        asyncio.create_task(some_workers(store).watch(cluster, seen.watch))
        for cluster in ("home", "away")
    ]

    await seen.until_begun(2)

    assert seen.now == 2
    await ended(*both)


async def test_a_watch_that_broke_begins_again(store: SqlStore) -> None:
    seen = Watching()
    broken = [RuntimeError("a bug")]

    async def watch() -> None:
        if broken:
            raise broken.pop()
        await seen.watch()

    workers = some_workers(store)
    working = asyncio.create_task(workers.watch("home", watch))
    clock = cast(FixedClock, workers.clock)
    while not seen.begun:
        clock.move(1)
        await asyncio.sleep(0.01)

    assert broken == []
    await ended(working)
