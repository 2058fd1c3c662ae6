"""What every store promises about lines once they lie: packed or not, they are found where they
were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.domain.event import LineAddress, LogLine
from copilot.domain.search import Found, HitKind
from copilot.store import SqlStore
from tests.builders_store import NOW_US, SECOND_US, STORES, a_batch, a_query, a_store

HOUR_US = 3600 * SECOND_US
THEN_US = NOW_US - HOUR_US
IDS = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(60)]


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store(request.param, tmp_path) as store:
        yield store


async def add_old(store: SqlStore, *texts: str) -> dict[str, LineAddress]:
    """Three lines a batch, an hour ago, and where each lies."""
    addresses: dict[str, LineAddress] = {}
    for start in range(0, len(texts), 3):
        batch = a_batch(*texts[start : start + 3], ts_us=THEN_US + start * SECOND_US)
        async with store.transaction() as tx:
            first = (await tx.telemetry.add(batch)).first_line
        assert first
        for i, text in enumerate(texts[start : start + 3]):
            addresses[text] = LineAddress(segment=first.segment, line=first.line + i)
    return addresses


async def pack(store: SqlStore) -> int:
    """Everything there is to pack; how many steps it took."""
    steps = 0
    while await store.pack():
        steps += 1
    return steps


async def lines_at(store: SqlStore, addresses: dict[str, LineAddress]) -> dict[str, LogLine]:
    async with store.view() as look:
        return {
            text: (await look.telemetry.lines_at(address, 0, 0))[0]
            for text, address in addresses.items()
        }


async def search(store: SqlStore, *words: str, **given: object) -> Found:
    async with store.view() as look:
        query = a_query(*words, kinds=frozenset({HitKind.LOG}), **given)
        return await look.telemetry.search(query)


async def test_packing_changes_no_address(store: SqlStore) -> None:
    addresses = await add_old(store, *(f"request {one} done" for one in IDS))
    before = await lines_at(store, addresses)

    assert await pack(store) > 0

    assert await lines_at(store, addresses) == before
    assert {line.body for line in before.values()} == set(addresses)


async def test_neighbours_are_the_same_before_and_after_packing(store: SqlStore) -> None:
    addresses = await add_old(store, *(f"request {one} done" for one in IDS))
    middle = addresses[f"request {IDS[30]} done"]
    async with store.view() as look:
        before = await look.telemetry.lines_at(middle, 5, 5)

    await pack(store)

    async with store.view() as look:
        assert await look.telemetry.lines_at(middle, 5, 5) == before


async def test_what_is_packed_is_not_packed_again(store: SqlStore) -> None:
    await add_old(store, "one", "two")
    await pack(store)

    assert not await store.pack()


async def test_a_segment_that_is_young_stays_open(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.telemetry.add(a_batch("just now"))

    assert not await store.pack()


async def test_lines_that_come_later_get_numbers_of_their_own(store: SqlStore) -> None:
    old = await add_old(store, "one", "two")
    await pack(store)

    new = await add_old(store, "three")

    assert not {*old.values()} & {*new.values()}
    assert {t: line.body for t, line in (await lines_at(store, old | new)).items()} == {
        text: text for text in ("one", "two", "three")
    }


@pytest.mark.parametrize("is_packed", [True, False])
async def test_an_id_is_found_among_many_lines(store: SqlStore, is_packed: bool) -> None:
    addresses = await add_old(store, *(f"request {one} done" for one in IDS))
    if is_packed:
        await pack(store)

    found = await search(store, IDS[17])

    assert [hit.ref for hit in found.hits] == [str(addresses[f"request {IDS[17]} done"])]
    assert found.looked_back_to_us == 0


async def test_an_id_that_is_nowhere_is_looked_for_without_reading_what_is_packed(
    store: SqlStore,
) -> None:
    await add_old(store, *(f"request {one} done" for one in IDS))
    await pack(store)
    async with store.transaction() as tx:
        await tx.telemetry.add(a_batch("still open"))

    found = await search(store, "0123456789abcdef")

    assert found.hits == ()
    assert found.looked_back_to_us == 0
    assert found.scanned_lines == 1


async def test_an_id_in_packed_and_in_open_segments_is_found_in_both(store: SqlStore) -> None:
    await add_old(store, f"begins {IDS[0]}")
    await pack(store)
    async with store.transaction() as tx:
        await tx.telemetry.add(a_batch(f"ends {IDS[0]}"))

    found = await search(store, IDS[0])

    assert {hit.snippet for hit in found.hits} == {f"begins {IDS[0]}", f"ends {IDS[0]}"}


async def test_several_who_pack_at_once_do_it_once(store: SqlStore) -> None:
    addresses = await add_old(store, *(f"request {one} done" for one in IDS))

    await asyncio.gather(*(pack(store) for _ in range(4)))

    lines = await lines_at(store, addresses)
    assert [line.body for line in lines.values()] == list(addresses)
    assert len((await search(store, "request", limit=100)).hits) == len(IDS)


async def test_lines_far_apart_in_time_are_packed_and_found_by_time(store: SqlStore) -> None:
    for hours in (0, 5, 1):
        async with store.transaction() as tx:
            batch = a_batch(f"after {hours} h", ts_us=THEN_US - 9 * HOUR_US + hours * HOUR_US)
            await tx.telemetry.add(batch)
    await pack(store)

    async with store.view() as look:
        lines = await look.telemetry.lines_of(
            namespace="demo", pods=["oom-demo-abc"], since_us=0, until_us=NOW_US, limit=9
        )

    assert [line.body for line in lines] == ["after 0 h", "after 1 h", "after 5 h"]
