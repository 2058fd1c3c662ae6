"""An agent knows which role asks it, and lets nobody in where it cannot be told."""

from __future__ import annotations

from typing import Any

import pytest

from copilot.domain.errors import CopilotError, Refused, Unauthenticated, Unavailable
from copilot.roles.agent import MAY_ASK, Agent
from copilot.roles.callers import (
    FRESH_US,
    KEPT_US,
    MOST_KEPT,
    REFUSED_US,
    Nobody,
    ServiceAccounts,
    SharedKey,
)
from tests.builders_callers import HOME, FakeAccounts, a_token, account, shown
from tests.fakes import FixedClock

GATEWAY = frozenset({"gateway"})
SECOND_US = 1_000_000


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def token(clock: FixedClock) -> str:
    return a_token(ends_us=clock.now_us() + 3600 * SECOND_US)


@pytest.fixture
def accounts(token: str) -> FakeAccounts:
    return FakeAccounts({token: account("gateway")})


@pytest.fixture
def callers(accounts: FakeAccounts, clock: FixedClock) -> ServiceAccounts:
    return ServiceAccounts(accounts, clock, namespace=HOME)


async def test_a_role_that_may_ask_is_let_in(callers: ServiceAccounts, token: str) -> None:
    await callers.check(shown(token), GATEWAY)


async def test_a_role_that_may_not_ask_is_told_who_may(
    callers: ServiceAccounts, token: str
) -> None:
    with pytest.raises(Refused, match="gateway may not ask this agent; watcher may"):
        await callers.check(shown(token), {"watcher"})


@pytest.mark.parametrize(
    ("given", "username"),
    [
        ({}, ""),
        ({"namespace": "other"}, account("gateway", "other")),
        ({"ends_us": 0}, account("gateway")),
    ],
    ids=["that the cluster does not know", "of another namespace", "that has ended"],
)
async def test_a_token_is_no_role_of_ours(
    given: dict[str, Any], username: str, clock: FixedClock
) -> None:
    claims = {"ends_us": clock.now_us() + SECOND_US, **given}
    token = a_token("gateway", **claims)
    callers = ServiceAccounts(FakeAccounts({token: username}), clock, namespace=HOME)

    with pytest.raises(Unauthenticated):
        await callers.check(shown(token), GATEWAY)


@pytest.mark.parametrize(
    "token",
    ["", "key-of-all", "a.b.c", "..", "e30.e30.e30", "x" * 9000, f"e30.{'W1' * 3000}.e30"],
    ids=lambda token: token[:12] or "none",
)
async def test_what_is_no_token_is_not_worth_a_question(
    callers: ServiceAccounts, accounts: FakeAccounts, token: str
) -> None:
    with pytest.raises(Unauthenticated):
        await callers.check(shown(token), GATEWAY)

    assert accounts.asked == []


async def test_what_a_token_says_of_itself_is_not_believed(clock: FixedClock) -> None:
    token = a_token("gateway", ends_us=clock.now_us() + 60 * SECOND_US)
    accounts = FakeAccounts({token: account("agent-reporter")})

    with pytest.raises(Refused, match="agent-reporter may not ask"):
        await ServiceAccounts(accounts, clock, namespace=HOME).check(shown(token), GATEWAY)


async def test_an_answer_is_taken_for_true_for_a_while(
    callers: ServiceAccounts, accounts: FakeAccounts, token: str, clock: FixedClock
) -> None:
    for _ in range(5):
        await callers.check(shown(token), GATEWAY)
    assert len(accounts.asked) == 1

    clock.move(FRESH_US / 1e6)
    await callers.check(shown(token), GATEWAY)

    assert len(accounts.asked) == 2


async def test_a_pod_that_was_deleted_is_out_after_that_while(
    callers: ServiceAccounts, accounts: FakeAccounts, token: str, clock: FixedClock
) -> None:
    await callers.check(shown(token), GATEWAY)
    accounts.known.clear()
    clock.move(FRESH_US / 1e6)

    with pytest.raises(Unauthenticated):
        await callers.check(shown(token), GATEWAY)


async def test_no_answer_outlives_the_token(clock: FixedClock) -> None:
    token = a_token(ends_us=clock.now_us() + 10 * SECOND_US)
    callers = ServiceAccounts(FakeAccounts({token: account("gateway")}), clock, namespace=HOME)
    await callers.check(shown(token), GATEWAY)

    clock.move(10)

    with pytest.raises(Unauthenticated):
        await callers.check(shown(token), GATEWAY)


async def test_a_no_is_remembered_for_seconds_only(
    callers: ServiceAccounts, accounts: FakeAccounts, clock: FixedClock, token: str
) -> None:
    accounts.known.clear()
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await callers.check(shown(token), GATEWAY)
    assert len(accounts.asked) == 1

    accounts.known[token] = account("gateway")
    clock.move(REFUSED_US / 1e6)

    await callers.check(shown(token), GATEWAY)


@pytest.mark.parametrize("trouble", [Unavailable("it is away"), Refused("no right to ask")])
async def test_while_the_api_server_is_away_who_was_known_is_let_in_and_nobody_else(
    callers: ServiceAccounts,
    accounts: FakeAccounts,
    token: str,
    clock: FixedClock,
    trouble: CopilotError,
) -> None:
    await callers.check(shown(token), GATEWAY)
    accounts.trouble = trouble
    unknown = a_token("gateway", ends_us=clock.now_us() + 7200 * SECOND_US)

    clock.move(FRESH_US / 1e6)
    await callers.check(shown(token), GATEWAY)
    with pytest.raises(Unavailable, match=trouble.message):
        await callers.check(shown(unknown), GATEWAY)

    clock.move(KEPT_US / 1e6)
    with pytest.raises(Unavailable):
        await callers.check(shown(token), GATEWAY)


async def test_no_more_is_kept_than_there_is_room_for(clock: FixedClock) -> None:
    ends = [clock.now_us() + (60 + n) * SECOND_US for n in range(MOST_KEPT + 10)]
    tokens = [a_token(ends_us=end) for end in ends]
    accounts = FakeAccounts(dict.fromkeys(tokens, account("gateway")))
    callers = ServiceAccounts(accounts, clock, namespace=HOME)

    for token in tokens:
        await callers.check(shown(token), GATEWAY)

    assert len(callers._known) == MOST_KEPT


async def test_the_shared_key_is_no_token_and_a_token_is_no_shared_key(
    callers: ServiceAccounts, token: str
) -> None:
    await SharedKey("key-of-all").check(shown("key-of-all"), GATEWAY)

    with pytest.raises(Unauthenticated):
        await callers.check(shown("key-of-all"), GATEWAY)
    with pytest.raises(Unauthenticated):
        await SharedKey("key-of-all").check(shown(token), GATEWAY)


@pytest.mark.parametrize("given", ["", "another", "key-of-all "])
async def test_an_empty_key_lets_nobody_in(given: str) -> None:
    with pytest.raises(Unauthenticated):
        await SharedKey("").check(shown(given), GATEWAY)


async def test_who_is_asked_by_nobody_lets_nobody_in(token: str) -> None:
    with pytest.raises(Unauthenticated):
        await Nobody().check(shown(token), GATEWAY)


@pytest.mark.parametrize("agent", Agent)
def test_every_agent_says_who_may_ask_it(agent: Agent) -> None:
    assert MAY_ASK[agent]
    assert agent.value not in MAY_ASK[agent]
