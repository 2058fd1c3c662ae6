"""What goes and what stays when a store is told how long to keep each tier."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from copilot.domain.change import Change, ObjectVersion
from copilot.domain.errors import Clash, Gone, NotFound
from copilot.domain.event import LineAddress, Point, SetAside, Span
from copilot.domain.incident import Status
from copilot.domain.notification import Delivery
from copilot.domain.objects import ObjectRef
from copilot.domain.retention import DAY_US, HOUR_US, Keep, Retired, Tier
from copilot.store import SqlStore
from copilot.store.database import Database, Row, Value
from copilot.store.families import Families
from copilot.store.names import Names
from tests.builders_store import (
    NOW_US,
    SECOND_US,
    SERVER,
    STORES,
    STREAM,
    a_batch,
    a_fact,
    a_new_incident,
    a_notification,
    a_store,
    a_template,
)

LONG_AGO_US = NOW_US - 20 * DAY_US
WEEK = Keep(age_us=7 * DAY_US, size=None)


ONE = Keep(age_us=1 * HOUR_US, size=1)
BY_ROW = (
    (Tier.COUNTS, Tier.METRICS) if SERVER else (Tier.EVENTS, Tier.COUNTS, Tier.METRICS, Tier.SPANS)
)
"""A server drops the others by day: `test_store_days.py`."""


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store(request.param, tmp_path) as store:
        yield store


async def retired(
    store: SqlStore, tier: Tier, keep: Keep = WEEK, *, is_dry: bool = False
) -> Retired:
    [one] = await store.retire({tier: keep}, is_dry=is_dry)
    return one


async def add_lines(store: SqlStore, ts_us: int, n: int = 3) -> LineAddress:
    async with store.transaction() as tx:
        stored = await tx.telemetry.add(a_batch(*[f"line {i}" for i in range(n)], ts_us=ts_us))
    assert stored.first_line
    return stored.first_line


async def line(store: SqlStore, address: LineAddress) -> str:
    async with store.view() as look:
        [found] = await look.telemetry.lines_at(address, 0, 0)
    return found.body


# --------------------------------------------------------------------------- lines


async def test_old_lines_go_and_new_ones_stay_at_their_address(store: SqlStore) -> None:
    await add_lines(store, LONG_AGO_US)
    new = await add_lines(store, NOW_US)

    went = await retired(store, Tier.LINES)

    assert (went.n, went.reason, went.before_us) == (3, "age", NOW_US - 7 * DAY_US)
    assert went.bytes > 0
    assert await line(store, new) == "line 0"
    async with store.view() as look:
        assert (await look.telemetry.counts()).lines == 3


async def test_a_dry_run_tells_the_same_and_changes_nothing(store: SqlStore) -> None:
    old = await add_lines(store, LONG_AGO_US)

    would_go = await retired(store, Tier.LINES, is_dry=True)

    assert await line(store, old) == "line 0"
    assert would_go == await retired(store, Tier.LINES)


async def test_the_address_of_a_retired_line_says_when_it_went_and_what_keeps_it(
    store: SqlStore,
) -> None:
    old = await add_lines(store, LONG_AGO_US)
    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident())
        await tx.incidents.keep_evidence(incident.id, [a_fact("line 0", source=f"log:{old}")])

    await retired(store, Tier.LINES)

    with pytest.raises(Gone, match=f"retired at 2026-11-18 .* evidence: E1 of INC-{incident.id}"):
        await line(store, old)
    with pytest.raises(Gone, match="no incident cites it"):
        await line(store, replace(old, line=old.line + 1))


async def test_an_address_that_never_was_is_not_called_retired(store: SqlStore) -> None:
    old = await add_lines(store, LONG_AGO_US)
    await retired(store, Tier.LINES)

    with pytest.raises(NotFound, match="there is no log line") as raised:
        await line(store, replace(old, line=99))

    assert not isinstance(raised.value, Gone)


async def test_new_lines_of_a_segment_that_lost_its_old_ones_get_new_addresses(
    store: SqlStore,
) -> None:
    old = await add_lines(store, LONG_AGO_US)
    await retired(store, Tier.LINES)

    new = await add_lines(store, NOW_US)

    assert new != old
    assert await line(store, new) == "line 0"


async def test_evidence_stays_whole_after_its_lines_are_gone(store: SqlStore) -> None:
    old = await add_lines(store, LONG_AGO_US)
    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident())
        await tx.incidents.keep_evidence(incident.id, [a_fact("line 0", source=f"log:{old}")])

    await retired(store, Tier.LINES)

    async with store.view() as look:
        [fact] = await look.incidents.evidence(incident.id)
    assert fact.body == "line 0"


# --------------------------------------------------------------------------- rows


async def fill(store: SqlStore, ts_us: int, name: str) -> None:
    """One of each: a row, a count, a point, a span."""
    batch = a_batch(f"{name} failed", ts_us=ts_us, severity=17)
    batch.points = [Point(name="container.memory.usage", stream=STREAM, ts_us=ts_us, value=1.0)]
    batch.spans = [
        Span(
            trace_id=name.encode().ljust(16),
            span_id=b"12345678",
            start_us=ts_us,
            duration_us=5,
            service="shop",
            name="GET /",
            is_error=True,
            stream=STREAM,
        )
    ]
    async with store.transaction() as tx:
        await tx.telemetry.add(batch)


@pytest.mark.parametrize("tier", BY_ROW)
async def test_old_rows_of_a_tier_go_and_new_ones_stay(store: SqlStore, tier: Tier) -> None:
    await fill(store, LONG_AGO_US, "old")
    await fill(store, NOW_US, "new")

    dry = await retired(store, tier, is_dry=True)
    went = await retired(store, tier)
    again = await retired(store, tier)

    assert dry == went
    assert (went.n, went.reason) == (1, "age")
    assert (again.n, again.reason) == (0, "")


@pytest.mark.parametrize("tier", BY_ROW)
async def test_the_oldest_rows_go_where_there_are_more_than_are_kept(
    store: SqlStore, tier: Tier
) -> None:
    for hours in range(10):
        await fill(store, NOW_US - hours * HOUR_US, str(hours))
    keep = Keep(age_us=7 * DAY_US, size=4)

    dry = await retired(store, tier, keep, is_dry=True)
    went = await retired(store, tier, keep)

    assert dry == went
    assert (went.n, went.reason) == (6, "size")
    assert (await retired(store, tier, keep)).n == 0


async def test_more_rows_than_one_step_takes_all_go(store: SqlStore) -> None:
    batch = a_batch(ts_us=LONG_AGO_US)
    batch.points = [
        Point(name="m", stream=STREAM, ts_us=LONG_AGO_US + i * SECOND_US, value=1.0)
        for i in range(2_500)
    ]
    async with store.transaction() as tx:
        await tx.telemetry.add(batch)

    assert (await retired(store, Tier.METRICS)).n == 2_500


async def test_of_a_table_that_is_parted_by_day_no_day_goes_that_is_not_over(
    store: SqlStore,
) -> None:
    await fill(store, NOW_US, "new")

    went = await store.retire({Tier.EVENTS: ONE, Tier.SPANS: ONE})

    assert [one.n for one in went] == [0, 0]


async def test_old_records_that_were_set_aside_go(store: SqlStore) -> None:
    for ts_us in (LONG_AGO_US, NOW_US):
        batch = a_batch(ts_us=ts_us)
        batch.set_aside = [SetAside(source="test", reason="no JSON", body=b"{")]
        async with store.transaction() as tx:
            await tx.telemetry.add(batch)

    went = await retired(store, Tier.SET_ASIDE)

    assert went.n == 1
    async with store.view() as look:
        assert len(await look.telemetry.set_aside(limit=9)) == 1


async def test_what_is_kept_for_ever_stays(store: SqlStore) -> None:
    await fill(store, LONG_AGO_US, "old")
    forever = Keep(age_us=None, size=None)

    went = await store.retire(dict.fromkeys(Tier, forever))

    assert [one.n for one in went] == [0] * len(Tier)


# --------------------------------------------------------------------------- objects


async def save(store: SqlStore, uid: str, ts_us: int, *, is_deleted: bool = False) -> None:
    about = ObjectRef(kind="Deployment", namespace="demo", name=uid, uid=uid)
    version = ObjectVersion(
        cluster="lab",
        object=about,
        resource_version=str(ts_us),
        generation=1,
        owner_uid="",
        actor="kubectl",
        seen_us=ts_us,
        is_deleted=is_deleted,
        json=b"{}",
    )
    change = Change(
        object=about, ts_us=ts_us, actor="kubectl", generation=1, fields=(), title=f"at {ts_us}"
    )
    async with store.transaction() as tx:
        await tx.objects.save(version, change)


async def changes(store: SqlStore) -> list[str]:
    async with store.view() as look:
        found = await look.objects.changes("lab", since_us=0, until_us=NOW_US, limit=99)
    return [change.title for change in found]


async def test_the_newest_version_of_an_object_that_exists_stays_at_any_age(
    store: SqlStore,
) -> None:
    await save(store, "d-1", LONG_AGO_US)
    await save(store, "d-1", LONG_AGO_US + 1)
    await save(store, "d-2", NOW_US)

    dry = await retired(store, Tier.CHANGES, is_dry=True)
    went = await retired(store, Tier.CHANGES)

    assert dry == went
    assert went.n == 1
    assert await changes(store) == [f"at {LONG_AGO_US + 1}", f"at {NOW_US}"]
    assert (await retired(store, Tier.CHANGES)).n == 0


async def test_an_object_that_was_deleted_long_ago_goes_with_its_versions(
    store: SqlStore,
) -> None:
    await save(store, "gone", LONG_AGO_US)
    await save(store, "gone", LONG_AGO_US + 1, is_deleted=True)
    await save(store, "late", NOW_US, is_deleted=True)

    await retired(store, Tier.CHANGES)

    assert await changes(store) == [f"at {NOW_US}"]
    async with store.view() as look:
        assert await look.objects.get("lab", "gone") is None
        assert await look.objects.get("lab", "late") is not None


# --------------------------------------------------------------------------- feed, messages, jobs


async def tell(store: SqlStore, ts_us: int) -> None:
    async with store.transaction() as tx:
        await tx.feed.append(cluster="lab", ts_us=ts_us, kind="test", incident_id=None)


async def test_the_feed_loses_its_beginning_and_counts_on(store: SqlStore) -> None:
    for ts_us in (LONG_AGO_US, LONG_AGO_US, NOW_US):
        await tell(store, ts_us)

    went = await retired(store, Tier.FEED)
    await tell(store, NOW_US)

    assert went.n == 2
    async with store.view() as look:
        assert await look.feed.oldest("lab") == 3
        assert [entry.seq for entry in await look.feed.since("lab", 0, 9)] == [3, 4]


async def test_the_last_entry_of_a_feed_stays_at_any_age(store: SqlStore) -> None:
    await tell(store, LONG_AGO_US)

    assert (await retired(store, Tier.FEED)).n == 0


async def test_a_feed_keeps_so_many_entries(store: SqlStore) -> None:
    for _ in range(5):
        await tell(store, NOW_US)

    went = await retired(store, Tier.FEED, Keep(age_us=None, size=2))

    assert went.n == 3


@pytest.mark.parametrize("delivery", list(Delivery))
async def test_a_message_goes_long_after_it_was_settled(
    store: SqlStore, delivery: Delivery
) -> None:
    async with store.transaction() as tx:
        for key, due_us in (("old", LONG_AGO_US), ("new", NOW_US)):
            await tx.outbox.put(a_notification(key), due_us=due_us)
        for _ in range(2):
            sent = await tx.outbox.take(owner="a", now_us=NOW_US, lease_us=9)
            assert sent
            await tx.outbox.settle(sent.id, delivery=delivery, error="", retry_us=0)

    assert (await retired(store, Tier.MESSAGES)).n == 1


async def test_a_message_that_waits_stays_at_any_age(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.outbox.put(a_notification(), due_us=LONG_AGO_US)

    assert (await retired(store, Tier.MESSAGES)).n == 0


async def test_work_for_a_resolved_incident_goes_and_for_an_open_one_stays(
    store: SqlStore,
) -> None:
    async with store.transaction() as tx:
        over = await tx.incidents.open(a_new_incident())
        open_ = await tx.incidents.open(a_new_incident("Deployment/demo/other"))
        await tx.incidents.save(replace(over, status=Status.RESOLVED, resolved_us=LONG_AGO_US))
        for incident in (over, open_):
            await tx.jobs.put("consult", str(incident.id), run_us=LONG_AGO_US)
        await tx.jobs.put("remediate", str(over.id), run_us=LONG_AGO_US)

    went = await retired(store, Tier.JOBS)

    assert went.n == 1
    async with store.transaction() as tx:
        left = await tx.jobs.take("consult", owner="a", now_us=NOW_US, lease_us=9)
        approved = await tx.jobs.take("remediate", owner="a", now_us=NOW_US, lease_us=9)
    assert left
    assert left.payload == str(open_.id)
    assert approved


# --------------------------------------------------------------------------- names


async def names(store: SqlStore) -> tuple[int, int, int]:
    """Streams, templates and the families of those."""
    found = []
    async with store._engine.view() as look:
        for table in ("streams", "templates", "template_families"):
            row = await look.fetch_one(f"SELECT COUNT(*) AS n FROM {table}")
            found.append(int(row["n"]) if row else 0)
    return found[0], found[1], found[2]


async def add_another(store: SqlStore) -> None:
    """A stream and a template that are newer: the newest of all stays."""
    stream = msgspec.structs.replace(STREAM, pod="another")
    async with store.transaction() as tx:
        await tx.telemetry.add(a_batch("new", pattern="quite another", stream=stream))


async def test_streams_and_templates_go_once_nothing_cites_them(store: SqlStore) -> None:
    await add_lines(store, LONG_AGO_US)
    await add_another(store)
    assert await names(store) == (2, 2, 2)

    kept = await retired(store, Tier.NAMES)
    await store.retire(dict.fromkeys((Tier.LINES, Tier.COUNTS), WEEK))
    async with store._engine.transaction() as database:  # on a server a row goes with its day
        await database.execute("DELETE FROM raw_events")
    would_go = await retired(store, Tier.NAMES, is_dry=True)
    went = await retired(store, Tier.NAMES)

    assert (kept.n, would_go.n, went.n) == (0, 2, 2)
    assert await names(store) == (1, 1, 1)


async def test_what_was_seen_lately_stays_and_one_that_comes_back_is_new(store: SqlStore) -> None:
    await add_lines(store, LONG_AGO_US)
    await add_another(store)
    await store.retire(dict.fromkeys((Tier.LINES, Tier.EVENTS, Tier.COUNTS, Tier.NAMES), WEEK))
    store._process.known.streams.clear()
    store._process.known.templates.clear()

    address = await add_lines(store, NOW_US)
    went = await retired(store, Tier.NAMES)

    assert went.n == 0
    assert await line(store, address) == "line 0"
    assert await names(store) == (2, 2, 2)


async def retire_lines_and_names(store: SqlStore) -> None:
    """As a run does, and on a server the day of their rows is over."""
    await store.retire(dict.fromkeys((Tier.LINES, Tier.COUNTS), WEEK))
    async with store._engine.transaction() as database:
        await database.execute("DELETE FROM raw_events")
    await retired(store, Tier.NAMES)


async def replay(store: SqlStore, pattern: str = "request <*> done") -> None:
    """Lines of long ago that come in now, as from a clock that is off."""
    batch = a_batch("old line", ts_us=LONG_AGO_US, pattern=pattern)
    async with store.transaction() as tx:
        await tx.telemetry.add(replace(batch, received_us=NOW_US))


async def nameless(store: SqlStore) -> int:
    """Counts whose stream or template, or its family, has no row."""
    async with store._engine.view() as look:
        row = await look.fetch_one(
            "SELECT COUNT(*) AS n FROM template_counts c "
            "LEFT JOIN streams s ON s.id = c.stream_id "
            "LEFT JOIN template_families f ON f.template_id = c.template_id "
            "LEFT JOIN templates t ON t.id = f.family_id "
            "WHERE s.id IS NULL OR t.id IS NULL"
        )
    return int(row["n"]) if row else 0


async def test_a_stream_that_sends_old_lines_now_is_still_written_and_stays(
    store: SqlStore,
) -> None:
    await replay(store)

    await retire_lines_and_names(store)

    assert (await names(store))[0] == 1


async def test_lines_of_a_template_that_was_retired_while_it_was_remembered_have_a_name(
    store: SqlStore,
) -> None:
    await replay(store)
    await add_another(store)
    await retire_lines_and_names(store)

    await replay(store)
    await add_lines(store, NOW_US)

    assert await nameless(store) == 0


async def test_the_id_of_a_retired_name_is_never_given_to_another(store: SqlStore) -> None:
    await add_lines(store, LONG_AGO_US)
    async with store._engine.view() as look:
        before = await look.fetch_all("SELECT id FROM templates")
    await retire_lines_and_names(store)

    async with store.transaction() as tx:
        await tx.telemetry.add(a_batch("another", pattern="quite another"))

    async with store._engine.view() as look:
        [new] = await look.fetch_all("SELECT id FROM templates WHERE pattern = 'quite another'")
    assert new["id"] != before[0]["id"]


async def test_a_family_that_is_joined_while_it_is_retired_stays(store: SqlStore) -> None:
    for user in ("ann", "bob", "eve", "kim"):
        await replay(store, f"session was opened for {user}")
    await add_another(store)
    await store.retire({Tier.COUNTS: WEEK})

    async def write(work: Callable[[Database], Awaitable[int]]) -> int:
        async with store.transaction() as tx:
            await tx.telemetry.add(a_batch("a fifth", pattern="session was opened for zoe"))
        async with store._engine.transaction() as database:
            return await work(database)

    went = await Names(store._engine, write, is_dry=False).retire(NOW_US - 7 * DAY_US)

    assert went == 0
    assert await nameless(store) == 0


class Meanwhile:
    """A transaction that another one gets ahead of: a family is gone between two looks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def fetch_all(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        if sql.startswith("SELECT id FROM templates"):
            await self._database.execute("DELETE FROM templates WHERE first_us < ?", (NOW_US,))
        return await self._database.fetch_all(sql, params)


async def test_who_joins_a_family_that_another_process_retired_meanwhile_begins_again(
    store: SqlStore,
) -> None:
    for user in ("ann", "bob", "eve", "kim"):
        await replay(store, f"session was opened for {user}")
    new = {10**9: (a_template("session was opened for zoe"), NOW_US)}

    with pytest.raises(Clash):
        async with store._engine.transaction() as database:
            await Families(cast("Database", Meanwhile(database))).place(new)
