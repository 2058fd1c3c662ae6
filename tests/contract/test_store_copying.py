"""A store that becomes a copy of another: from SQLite, and back where the suite runs on a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from copilot.domain.errors import Conflict
from copilot.domain.event import LineAddress
from copilot.domain.search import HitKind
from copilot.store import SqlStore, open_store
from copilot.store.copying import Copied
from tests.builders_history import a_history
from tests.builders_store import NOW_US, a_batch, a_query, a_store
from tests.fakes import FixedClock

PODS, EACH = 4, 12


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[SqlStore]:
    store = await open_store(tmp_path / "source.db", clock=FixedClock(NOW_US))
    await store.migrate()
    await a_history(store, pods=PODS, each=EACH)
    yield store
    await store.close()


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store("sqlite-file", tmp_path) as store:
        yield store


class Interrupted(Exception):  # it is no error of the product
    """Ctrl-C, a lost connection, a kill."""


async def copied(source: SqlStore, target: SqlStore, *, cut_after: int = 0) -> dict[str, Copied]:
    """By table; it is cut off after so many steps, 0 for never."""
    steps = 0

    def step(table: str, n: int, total: int) -> None:
        nonlocal steps
        steps += 1
        if steps == cut_after:
            raise Interrupted

    found = await target.take_all(source, name="sqlite:source.db", on_step=step)
    return {one.table: one for one in found}


async def line_of(store: SqlStore, address: LineAddress) -> list[tuple[str, str]]:
    async with store.view() as look:
        lines = await look.telemetry.lines_at(address, 2, 2)
    return [(line.address, line.body) for line in lines]


async def test_every_table_is_copied_and_found_equal(source: SqlStore, target: SqlStore) -> None:
    found = await copied(source, target)

    assert found["raw_events"].n == PODS * (EACH + 1)
    assert found["evidence"].n == PODS * EACH
    assert {table for table, one in found.items() if not one.n} <= {
        *("actions", "approvals", "deliveries", "findings", "hypotheses", "incident_runbooks"),
        *("watch_gaps", "watch_listed", "log_tokens", "access_tokens", "sign_ins", "logins"),
        *("search_corpora", "search_docs", "search_terms"),
    }


async def test_ids_and_addresses_are_those_of_the_source(
    source: SqlStore, target: SqlStore
) -> None:
    address = LineAddress(segment=1, line=3)
    before = await line_of(source, address)

    await copied(source, target)

    assert await line_of(target, address) == before
    async with source.view() as one, target.view() as other:
        assert await other.incidents.opened("lab") == await one.incidents.opened("lab")


async def test_the_copy_finds_what_the_source_found(source: SqlStore, target: SqlStore) -> None:
    query = a_query("failed", kinds=frozenset({HitKind.LOG, HitKind.EVENT}), until_us=NOW_US)
    async with source.view() as look:
        before = (await look.telemetry.search(query)).hits

    await copied(source, target)

    async with target.view() as look:
        assert (await look.telemetry.search(query)).hits == before
    assert before


async def test_the_copy_goes_on_where_the_source_stood(source: SqlStore, target: SqlStore) -> None:
    await copied(source, target)

    async with target.transaction() as tx:
        entry = await tx.feed.append(cluster="lab", ts_us=NOW_US, kind="test", incident_id=None)
        stored = await tx.telemetry.add(a_batch("new"))
        assert await tx.audit.broken() == ()

    assert entry.seq == PODS * EACH + 1
    assert stored.first_line
    assert [body for _, body in await line_of(target, stored.first_line)][-1] == "new"


@pytest.mark.parametrize("cut_after", [1, 9, 30, 50])
async def test_a_copy_that_was_cut_off_goes_on_and_is_whole(
    source: SqlStore, target: SqlStore, cut_after: int, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        await copied(source, target, cut_after=cut_after)

    found = await copied(source, target)

    again = await open_store(tmp_path / "again.db", clock=FixedClock(NOW_US))
    assert found == await copied(source, again)
    await again.close()


async def test_a_copy_that_is_whole_is_found_whole_again(
    source: SqlStore, target: SqlStore
) -> None:
    assert await copied(source, target) == await copied(source, target)


async def test_a_target_that_somebody_used_is_refused_and_left_alone(
    source: SqlStore, target: SqlStore
) -> None:
    async with target.transaction() as tx:
        await tx.telemetry.add(a_batch("mine"))

    with pytest.raises(Conflict, match="the target is not empty, ingest_batches has rows"):
        await copied(source, target)

    async with target.view() as look:
        assert (await look.telemetry.counts()).lines == 1


async def test_a_target_with_a_copy_of_another_store_is_refused(
    source: SqlStore, target: SqlStore
) -> None:
    await copied(source, target)

    with pytest.raises(Conflict, match="a copy of another store: sqlite:source.db"):
        await target.take_all(source, name="sqlite:other.db", on_step=lambda *_: None)


async def test_a_copy_of_a_store_that_is_written_to_is_not_called_whole(
    source: SqlStore, target: SqlStore
) -> None:
    with pytest.raises(Interrupted):
        await copied(source, target, cut_after=30)
    async with source.transaction() as tx:
        await tx.telemetry.add(a_batch("late", ts_us=NOW_US + 1))

    with pytest.raises(Conflict, match="was written to while it was copied"):
        await copied(source, target)


async def test_a_row_that_was_changed_in_the_target_is_found_out(
    source: SqlStore, target: SqlStore
) -> None:
    await copied(source, target)
    async with target.transaction() as tx:
        [first, *_] = await tx.incidents.opened("lab")
        await tx.incidents.save(first)

    with pytest.raises(Conflict, match="incidents is not the same in both"):
        await copied(source, target)


async def test_a_copy_can_be_copied_back(
    source: SqlStore, target: SqlStore, tmp_path: Path
) -> None:
    there = await copied(source, target)

    home = await open_store(tmp_path / "home.db", clock=FixedClock(NOW_US))
    back = await copied(target, home)
    await home.close()

    assert back == there
