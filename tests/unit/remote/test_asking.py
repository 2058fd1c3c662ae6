"""How a question is put to an agent elsewhere, over real HTTP on loopback."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from copilot.deadline import within
from copilot.domain.errors import Away, Busy, Conflict, Invalid, Refused, Unavailable
from copilot.remote.asking import Asker, Budget, NotBegun, Question, token_in
from copilot.remote.wire import KEY, MAX_BYTES, NOT_BEGUN, REMAINING_MS
from tests.fakes import FixedClock
from tests.fakes_http import Answer, HttpServer, Request, says, served

DONE = says("done")
TURNED_AWAY = Answer(status=503, headers={NOT_BEGUN: "1", "Retry-After": "2"})


class Agent:
    """Answers in turn; the last answer from then on. None: it reads, and cuts the line."""

    def __init__(self, *answers: Answer | None) -> None:
        self._answers = list(answers)

    def __call__(self, request: Request) -> Answer | None:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@asynccontextmanager
async def asking(
    *answers: Answer | None, token: Callable[[], str] = lambda: "key"
) -> AsyncIterator[tuple[Asker, HttpServer, FixedClock]]:
    clock = FixedClock()
    asker = Asker(token=token, clock=clock, chance=random.Random(1))
    async with served(Agent(*answers)) as server:
        yield asker, server, clock
    await asker.close()


def a_question(url: str, *, acts: bool = False, limit_s: float = 30.0) -> Question:
    return Question(agent="agent-context", url=url, body=b"{}", limit_s=limit_s, acts=acts)


async def test_it_says_who_asks_and_how_long_it_waits() -> None:
    async with asking(DONE) as (asker, server, _), within(20, "the leg"):
        assert await asker.ask(a_question(server.url)) == b'"done"'

    (request,) = server.requests
    assert request.headers["authorization"] == "Bearer key"
    assert 15_000 < int(request.headers[REMAINING_MS.lower()]) <= 20_000
    assert KEY.lower() not in request.headers


async def test_a_token_that_was_exchanged_is_the_one_that_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    async with asking(DONE, token=token_in(file)) as (asker, server, _):
        await asker.ask(a_question(server.url))
        file.write_text("second\n")
        await asker.ask(a_question(server.url))

    shown = [request.headers["authorization"] for request in server.requests]
    assert shown == ["Bearer first", "Bearer second"]


async def test_a_token_that_cannot_be_read_is_said_and_nothing_is_sent(tmp_path: Path) -> None:
    async with asking(DONE, token=token_in(tmp_path / "none")) as (asker, server, _):
        with pytest.raises(Unavailable, match="COPILOT_CALLER_TOKEN_FILE"):
            await asker.ask(a_question(server.url))

    assert server.requests == []


async def test_a_question_whose_line_was_cut_is_put_again() -> None:
    async with asking(None, DONE) as (asker, server, _):
        assert await asker.ask(a_question(server.url)) == b'"done"'

    assert len(server.requests) == 2


async def test_a_question_that_acts_is_not_put_again_once_it_may_have_begun() -> None:
    async with asking(None, DONE) as (asker, server, _):
        with pytest.raises(Away):
            await asker.ask(a_question(server.url, acts=True))

    assert len(server.requests) == 1


async def test_a_question_that_acts_and_was_turned_away_is_put_again_under_the_same_key() -> None:
    async with asking(TURNED_AWAY, DONE) as (asker, server, _):
        await asker.ask(a_question(server.url, acts=True))

    first, second = (request.headers[KEY.lower()] for request in server.requests)
    assert first == second


async def test_an_agent_at_its_limit_is_left_alone_for_as_long_as_it_asks() -> None:
    async with asking(TURNED_AWAY, DONE) as (asker, server, clock):
        before_us = clock.now_us()
        await asker.ask(a_question(server.url))

        assert 2.0 <= (clock.now_us() - before_us) / 1e6 < 3.0


async def test_an_agent_that_asks_for_long_is_left_to_who_asked_us() -> None:
    asks_for_long = Answer(status=503, headers={NOT_BEGUN: "1", "Retry-After": "600"})
    async with asking(asks_for_long) as (asker, server, _):
        with pytest.raises(NotBegun):
            await asker.ask(a_question(server.url))

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, Refused), (409, Conflict), (422, Invalid), (429, Busy), (503, Unavailable)],
)
async def test_what_the_agent_says_itself_is_said_and_not_asked_again(
    status: int, error: type[Exception]
) -> None:
    async with asking(says({"detail": "so it is"}, status)) as (asker, server, _):
        with pytest.raises(error, match="so it is") as raised:
            await asker.ask(a_question(server.url))

    assert not isinstance(raised.value, Away)
    assert len(server.requests) == 1


async def test_an_agent_that_does_not_know_us_counts_as_away() -> None:
    async with asking(says({"detail": "no"}, 401)) as (asker, server, _):
        with pytest.raises(Away, match="does not take us for a role") as raised:
            await asker.ask(a_question(server.url))

    assert raised.value.detail["agent"] == "agent-context"


async def test_where_nobody_listens_nothing_was_begun() -> None:
    asker = Asker(token=lambda: "", clock=FixedClock(), chance=random.Random(1))

    with pytest.raises(NotBegun, match="agent-context does not answer"):
        await asker.ask(a_question("http://127.0.0.1:1/context", acts=True))

    await asker.close()


async def test_an_agent_that_answers_too_late_is_away() -> None:
    async with asking(Answer(delay_s=60)) as (asker, server, _):
        with pytest.raises(Away):
            await asker.ask(a_question(server.url, limit_s=0.2))


async def test_an_answer_has_a_bound() -> None:
    async with asking(Answer(body=b"x" * (MAX_BYTES + 1))) as (asker, server, _):
        with pytest.raises(Unavailable, match="more than"):
            await asker.ask(a_question(server.url))


async def test_repeats_stay_below_a_fifth_of_what_is_asked_however_long_it_is_away() -> None:
    asked = 200
    async with asking(None) as (asker, server, _):
        for _ in range(asked):
            with suppress(Away):
                await asker.ask(a_question(server.url))

    assert len(server.requests) <= asked * (1 + Budget.SHARE) + Budget.MOST
