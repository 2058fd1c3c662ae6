"""The tail of the feed: whoever follows it misses nothing, however far behind they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.domain.retention import Keep, Tier
from copilot.ports import Store
from copilot.roles.live import KEPT, PAGE, POLL_S, Tail
from tests.builders_store import opened
from tests.fakes import FixedClock


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FixedClock) -> AsyncIterator[Store]:
    store = await opened(tmp_path / "copilot.db", clock=clock)
    await store.migrate()
    yield store
    await store.close()


@pytest.fixture
def tail(store: Store, clock: FixedClock) -> Tail:
    return Tail(store, clock, cluster="home")


async def told(store: Store, count: int) -> None:
    async with store.transaction() as tx:
        for _ in range(count):
            await tx.feed.append(cluster="home", ts_us=1, kind="incident.updated", incident_id=None)


async def followed(tail: Tail, clock: FixedClock, seq: int) -> list[int]:
    """Every seq that a follower gets until nothing more comes."""
    got: list[int] = []
    while True:
        clock.move(POLL_S)
        entries = await tail.after(got[-1] if got else seq)
        if not entries:
            return got
        got += [entry.seq for entry in entries]


async def test_what_comes_is_told_to_all_who_follow(
    tail: Tail, store: Store, clock: FixedClock
) -> None:
    head = await tail.head()
    assert await tail.after(head) == ()

    await told(store, 3)

    assert [await followed(tail, clock, head) for _ in range(3)] == [[1, 2, 3]] * 3


async def test_one_look_serves_all_until_it_is_old(
    tail: Tail, store: Store, clock: FixedClock
) -> None:
    await tail.after(0)
    await told(store, 1)

    assert await tail.after(0) == ()
    clock.move(POLL_S)
    assert [entry.seq for entry in await tail.after(0)] == [1]


@pytest.mark.parametrize("missed", [1, PAGE + 1, KEPT + PAGE + 1])
async def test_who_was_away_goes_on_where_they_were(
    tail: Tail, store: Store, clock: FixedClock, missed: int
) -> None:
    await told(store, 5)
    await tail.after(5)

    await told(store, missed)
    await followed(tail, clock, 5)

    assert await followed(tail, clock, 2) == list(range(3, 6 + missed))


async def test_who_was_away_for_longer_than_the_feed_is_kept_is_known_by_it(
    tail: Tail, store: Store
) -> None:
    await told(store, 5)
    await store.retire({Tier.FEED: Keep(age_us=None, size=2)})

    assert await tail.forgets(2)
    assert not await tail.forgets(3)
