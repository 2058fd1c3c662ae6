"""The outbox end to end: take, deliver, settle, over a real store and a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.domain.notification import Channel, Delivery, Notification
from copilot.flow import Flow
from copilot.journal import Journal
from copilot.local import LocalAgents
from copilot.ports import Notifier
from copilot.remediate.policy import Policy
from copilot.roles.workers import OUTBOX_TRIES, Workers
from copilot.store import SqlStore
from tests.builders_notify import FakeJira, a_message, jira_at, slack_at
from tests.builders_store import NOW_US, a_new_incident, a_store
from tests.fakes import FixedClock
from tests.fakes_embedder import FakeEmbedder
from tests.fakes_http import Answer, HttpServer, served

DAY_S = 86_400


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store("sqlite-memory", tmp_path) as store:
        yield store


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW_US)


def a_reporter(store: SqlStore, clock: FixedClock, **notifiers: Notifier) -> Workers:
    """The loops of a process that has these channels."""
    agents = LocalAgents(
        store=store,
        clock=clock,
        cluster=None,
        policy=Policy(),
        model=None,
        notifiers={Channel(name): notifier for name, notifier in notifiers.items()},
    )
    flow = Flow(store=store, agents=agents, clock=clock, journal=Journal(cluster="lab"), rules={})
    return Workers(
        store=store,
        flow=flow,
        agents=agents,
        clock=clock,
        owner="reporter-1",
        embedder=FakeEmbedder(),
    )


async def sends(reporter: Workers) -> bool:
    """One round of its loop: whether a message was due."""
    return await reporter.send_one()


async def queue(store: SqlStore, channel: Channel = Channel.SLACK, title: str = "opened") -> None:
    async with store.transaction() as tx:
        await tx.outbox.put(a_message(title, channel=channel), due_us=NOW_US)


def posts(server: HttpServer) -> int:
    return [r.method for r in server.requests].count("POST")


async def test_the_loop_sends_what_is_queued(store: SqlStore, clock: FixedClock) -> None:
    async with served(lambda _: Answer(body=b"ok")) as server:
        loop = asyncio.create_task(a_reporter(store, clock, slack=slack_at(server.url)).report())
        await queue(store)
        async with asyncio.timeout(10):
            while not posts(server):
                await asyncio.sleep(0.02)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    assert server.requests[0].json["text"].startswith("*opened*")


async def test_a_delivered_message_is_sent_once_for_ever(
    store: SqlStore, clock: FixedClock
) -> None:
    async with served(lambda _: Answer(body=b"ok")) as server:
        reporter = a_reporter(store, clock, slack=slack_at(server.url))
        await queue(store)

        assert await sends(reporter)
        clock.move(DAY_S)
        assert not await sends(reporter)
        assert posts(server) == 1


async def test_a_message_that_surely_did_not_arrive_is_sent_again_ever_later(
    store: SqlStore, clock: FixedClock
) -> None:
    answers = [Answer(status=503), Answer(status=429), Answer(status=404), Answer(body=b"ok")]
    async with served(lambda _: answers.pop(0)) as server:
        reporter = a_reporter(store, clock, slack=slack_at(server.url))
        await queue(store)

        assert await sends(reporter)
        for pause_s in (2, 4, 8):
            clock.move(pause_s - 0.1)
            assert not await sends(reporter)
            clock.move(0.2)
            assert await sends(reporter)
        clock.move(DAY_S)
        assert not await sends(reporter)
        assert posts(server) == 4


@pytest.mark.parametrize("answer", [Answer(status=500), None], ids=["failed", "cut"])
async def test_a_message_that_may_have_arrived_is_never_sent_again(
    store: SqlStore, clock: FixedClock, answer: Answer | None
) -> None:
    async with served(lambda _: answer) as server:
        reporter = a_reporter(store, clock, slack=slack_at(server.url))
        await queue(store)

        assert await sends(reporter)
        clock.move(DAY_S)
        assert not await sends(reporter)
        assert posts(server) == 1


async def test_a_message_whose_sender_died_while_sending_is_never_sent_again(
    store: SqlStore, clock: FixedClock
) -> None:
    answers = [Answer(delay_s=15), Answer(body=b"ok")]
    async with served(lambda _: answers.pop(0)) as server:
        reporter = a_reporter(store, clock, slack=slack_at(server.url))
        await queue(store)

        sending = asyncio.create_task(sends(reporter))
        async with asyncio.timeout(10):
            while not posts(server):
                await asyncio.sleep(0.02)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

        clock.move(DAY_S)
        assert not await sends(reporter)
        assert posts(server) == 1


async def test_a_message_does_not_wait_behind_one_that_fails(
    store: SqlStore, clock: FixedClock
) -> None:
    jira = FakeJira()
    async with served(lambda _: Answer(status=503)) as slack, served(jira) as server:
        reporter = a_reporter(store, clock, slack=slack_at(slack.url), jira=jira_at(server.url))
        await queue(store, Channel.SLACK)
        await queue(store, Channel.JIRA)

        assert await sends(reporter)
        assert await sends(reporter)
        assert list(jira.issues) == ["OPS-1"]


async def test_an_incident_has_one_issue_also_where_making_it_was_tried_twice(
    store: SqlStore, clock: FixedClock
) -> None:
    jira = FakeJira(answers=[Answer(status=503)])
    async with served(jira) as server:
        reporter = a_reporter(store, clock, jira=jira_at(server.url))
        await queue(store, Channel.JIRA, "INC-7 opened")
        await queue(store, Channel.JIRA, "INC-7 resolved")

        assert await sends(reporter)
        assert await sends(reporter)
        clock.move(2.1)
        assert await sends(reporter)

    assert list(jira.issues) == ["OPS-1"]
    assert len(jira.comments) == 2


async def test_a_message_waits_for_a_channel_that_is_not_set_up_yet(
    store: SqlStore, clock: FixedClock
) -> None:
    await queue(store)
    assert await sends(a_reporter(store, clock))

    clock.move(3)
    async with served(lambda _: Answer(body=b"ok")) as server:
        assert await sends(a_reporter(store, clock, slack=slack_at(server.url)))
        assert posts(server) == 1


async def test_a_role_that_knows_no_channels_leaves_messages_for_all_and_the_reporter_sorts_them(
    store: SqlStore, clock: FixedClock
) -> None:
    journal = Journal(cluster="lab", channels=tuple(Channel), knows_channels=False)
    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident("a"))
        await journal.notify(tx, incident, "opened", "a pod crashes", at_us=NOW_US)

    async with served(lambda _: Answer(body=b"ok")) as server:
        reporter = a_reporter(store, clock, slack=slack_at(server.url))
        while await sends(reporter):
            pass

    assert posts(server) == 1
    async with store.view() as view:
        assert (await view.outbox.unsent()).n == 0  # Jira's is not kept for later


class Broken:
    """A channel with a bug."""

    async def deliver(self, notification: Notification) -> tuple[Delivery, str]:
        raise ZeroDivisionError


async def test_a_bug_in_a_channel_ends_neither_the_loop_nor_repeats_the_message(
    store: SqlStore, clock: FixedClock
) -> None:
    jira = FakeJira()
    async with served(jira) as server:
        reporter = a_reporter(store, clock, slack=Broken(), jira=jira_at(server.url))
        await queue(store, Channel.SLACK)
        await queue(store, Channel.JIRA)

        assert await sends(reporter)
        assert await sends(reporter)
        clock.move(DAY_S)
        assert not await sends(reporter)
        assert len(jira.issues) == 1


async def test_a_message_that_nobody_takes_for_hours_is_given_up(
    store: SqlStore, clock: FixedClock
) -> None:
    async with served(lambda _: Answer(status=404)) as server:
        reporter = a_reporter(store, clock, slack=slack_at(server.url))
        await queue(store)

        while await sends(reporter):
            clock.move(301)

        assert posts(server) == OUTBOX_TRIES
