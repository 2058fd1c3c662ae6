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
from copilot.ports import Agents, Session, Store
from copilot.roles.workers import Workers
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
