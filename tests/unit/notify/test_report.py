"""The outbox end to end: take, deliver, settle, over a real store and a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from copilot.domain.notification import Channel
from copilot.flow import Flow
from copilot.journal import Journal
from copilot.local import LocalAgents
from copilot.ports import Notifier
from copilot.remediate.guard import Policy
from copilot.roles.workers import Workers
from copilot.store import SqlStore
from tests.builders_notify import FakeJira, a_message, jira_at, slack_at
from tests.builders_store import NOW_US, a_store
from tests.fakes import FixedClock
from tests.fakes_http import Answer, HttpServer, served

DAY_S = 86_400


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store("sqlite-memory", tmp_path) as store:
        yield store


def reporter(store: SqlStore, clock: FixedClock, **notifiers: Notifier) -> Workers:
    """The loops of a reporter that has these channels."""
    agents = LocalAgents(
        store=store,
        clock=clock,
        cluster=None,
        policy=Policy(),
        model=None,
        notifiers={Channel(name): notifier for name, notifier in notifiers.items()},
    )
    flow = Flow(store=store, agents=agents, clock=clock, journal=Journal(cluster="lab"), rules={})
    return Workers(store=store, flow=flow, agents=agents, clock=clock, owner="reporter-1")


@asynccontextmanager
async def reporting(workers: Workers) -> AsyncIterator[None]:
    """The loop runs for as long as the block; leaving it is a kill."""
    task = asyncio.create_task(workers.report())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def queue(store: SqlStore, channel: Channel = Channel.SLACK, title: str = "opened") -> None:
    async with store.transaction() as tx:
        await tx.outbox.put(a_message(title, channel=channel), due_us=NOW_US)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(8):
        while not is_so():
            await asyncio.sleep(0.02)


async def rest() -> None:
    """Long enough for the loop to look again."""
    await asyncio.sleep(0.7)


async def is_waiting(store: SqlStore, clock: FixedClock) -> bool:
    """Whether the outbox would ever give a message again."""
    async with store.transaction() as tx:
        later = clock.now_us() + 365 * DAY_S * 1_000_000
        return await tx.outbox.take(owner="test", now_us=later, lease_us=1) is not None


def posts(server: HttpServer) -> int:
    return [r.method for r in server.requests].count("POST")


async def test_a_delivered_message_is_sent_once_for_ever(store: SqlStore) -> None:
    clock = FixedClock(NOW_US)
    async with served(lambda _: Answer(body=b"ok")) as server:
        await queue(store)
        async with reporting(reporter(store, clock, slack=slack_at(server.url))):
            await until(lambda: posts(server) == 1)
            clock.move(DAY_S)
            await rest()

        assert posts(server) == 1
    assert not await is_waiting(store, clock)


async def test_a_message_that_surely_did_not_arrive_is_sent_again_ever_later(
    store: SqlStore,
) -> None:
    clock = FixedClock(NOW_US)
    answers = [Answer(status=503), Answer(status=429), Answer(body=b"ok")]
    async with served(lambda _: answers[min(posts_so_far(), 3) - 1]) as server:
        posts_so_far = lambda: len(server.requests)  # noqa: E731
        await queue(store)
        async with reporting(reporter(store, clock, slack=slack_at(server.url))):
            await until(lambda: posts(server) == 1)
            await rest()
            clock.move(1.9)
            await rest()
            assert posts(server) == 1, "the first pause is two seconds"
            clock.move(0.2)
            await until(lambda: posts(server) == 2)
            await rest()
            clock.move(3.8)
            await rest()
            assert posts(server) == 2, "the second pause is four"
            clock.move(0.3)
            await until(lambda: posts(server) == 3)
            await rest()

    assert not await is_waiting(store, clock)


@pytest.mark.parametrize("answer", [Answer(status=500), None], ids=["failed", "cut"])
async def test_a_message_that_may_have_arrived_is_never_sent_again(
    store: SqlStore, answer: Answer | None
) -> None:
    clock = FixedClock(NOW_US)
    async with served(lambda _: answer) as server:
        await queue(store)
        async with reporting(reporter(store, clock, slack=slack_at(server.url))):
            await until(lambda: posts(server) == 1)
            await rest()
            clock.move(DAY_S)
            await rest()

        assert posts(server) == 1
    assert not await is_waiting(store, clock)


async def test_a_message_whose_sender_died_while_sending_is_never_sent_again(
    store: SqlStore,
) -> None:
    clock = FixedClock(NOW_US)
    answers = [Answer(delay_s=15), Answer(body=b"ok")]
    async with served(lambda _: answers.pop(0)) as server:
        await queue(store)
        async with reporting(reporter(store, clock, slack=slack_at(server.url))):
            await until(lambda: posts(server) == 1)
        async with reporting(reporter(store, clock, slack=slack_at(server.url))):
            clock.move(DAY_S)
            await rest()

        assert posts(server) == 1
    assert not await is_waiting(store, clock)


async def test_a_message_does_not_wait_behind_one_that_fails(store: SqlStore) -> None:
    clock = FixedClock(NOW_US)
    jira = FakeJira()
    async with served(lambda _: Answer(status=503)) as slack, served(jira) as server:
        await queue(store, Channel.SLACK)
        await queue(store, Channel.JIRA)
        channels = {"slack": slack_at(slack.url), "jira": jira_at(server.url)}
        async with reporting(reporter(store, clock, **channels)):
            await until(lambda: len(jira.issues) == 1)


async def test_a_retried_incident_has_one_issue(store: SqlStore) -> None:
    clock = FixedClock(NOW_US)
    jira = FakeJira(answers=[Answer(status=503)])
    async with served(jira) as server:
        await queue(store, Channel.JIRA, "INC-7 opened")
        await queue(store, Channel.JIRA, "INC-7 resolved")
        async with reporting(reporter(store, clock, jira=jira_at(server.url))):
            await until(lambda: len(jira.comments) == 1)
            await rest()
            clock.move(2.1)
            await until(lambda: len(jira.comments) == 2)

    assert list(jira.issues) == ["OPS-1"]


async def test_a_channel_that_is_not_set_up_keeps_its_message(store: SqlStore) -> None:
    clock = FixedClock(NOW_US)
    await queue(store)

    async with reporting(reporter(store, clock)):
        await rest()

    assert await is_waiting(store, clock)
