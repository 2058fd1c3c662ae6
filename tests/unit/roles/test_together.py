"""Group commit: batches that come while one is written are written together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from copilot.domain.errors import CopilotError, Invalid, Unavailable
from copilot.domain.event import Batch
from copilot.ports import StoredBatch
from copilot.roles.together import MAX_BATCHES, Together
from tests.builders_store import a_batch


class Writer:
    """Keeps what it was given, slowly; a batch with the word `bad` breaks its group."""

    def __init__(self, failure: CopilotError | None = None) -> None:
        self.groups: list[list[str]] = []
        self._failure = failure or Invalid("bad")

    async def __call__(self, batches: Sequence[Batch]) -> Sequence[StoredBatch]:
        await asyncio.sleep(0.001)
        bodies = [batch.lines.body[0] for batch in batches]
        if "bad" in bodies:
            raise self._failure
        self.groups.append(bodies)
        return [
            StoredBatch(is_repeat=False, n_stored=int(body), first_line=None) for body in bodies
        ]


async def received(writer: Writer, *bodies: str) -> list[int | CopilotError]:
    """What each of these, sent at once, was answered."""
    together = Together(writer)

    async def one(body: str) -> int | CopilotError:
        try:
            return (await together.receive(a_batch(body))).n_stored
        except CopilotError as error:
            return error

    return list(await asyncio.gather(*(one(body) for body in bodies)))


async def test_who_is_alone_is_written_at_once() -> None:
    writer = Writer()

    assert await received(writer, "1") == [1]
    assert writer.groups == [["1"]]


async def test_what_comes_meanwhile_is_written_together_in_order() -> None:
    writer = Writer()
    bodies = [str(number) for number in range(MAX_BATCHES + 3)]

    answers = await received(writer, *bodies)

    assert answers == [int(body) for body in bodies]
    assert writer.groups == [["0"], bodies[1 : MAX_BATCHES + 1], bodies[MAX_BATCHES + 1 :]]


async def test_a_batch_that_cannot_be_stored_fails_alone() -> None:
    writer = Writer()

    first, bad, last = await received(writer, "1", "bad", "3")

    assert (first, last) == (1, 3)
    assert isinstance(bad, Invalid)


async def test_a_store_that_is_away_is_asked_once_for_the_group() -> None:
    writer = Writer(Unavailable("away"))

    first, *others = await received(writer, "1", "bad", "3")

    assert first == 1
    assert all(isinstance(answer, Unavailable) for answer in others)
    assert writer.groups == [["1"]]


async def test_a_sender_that_goes_away_takes_nobody_along() -> None:
    writer = Writer()
    together = Together(writer)
    tasks = [asyncio.create_task(together.receive(a_batch(body))) for body in "123"]
    await asyncio.sleep(0)

    tasks[0].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert [answer.n_stored for answer in answers[1:] if isinstance(answer, StoredBatch)] == [2, 3]


@pytest.mark.parametrize("cancelled", [1, 2])
async def test_a_sender_that_goes_away_while_it_waits_is_left_out(cancelled: int) -> None:
    together = Together(Writer())
    tasks = [asyncio.create_task(together.receive(a_batch(body))) for body in "123"]
    await asyncio.sleep(0)

    tasks[cancelled].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(answers[cancelled], asyncio.CancelledError)
    assert sum(isinstance(answer, StoredBatch) for answer in answers) == 2
