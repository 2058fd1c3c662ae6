"""What every store promises about lines, events, metrics, objects and search."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from copilot.domain.change import Change, FieldChange, ObjectVersion
from copilot.domain.errors import Invalid, NotFound
from copilot.domain.event import (
    Batch,
    LineAddress,
    LogLine,
    Point,
    ReceivedAlert,
    SetAside,
    Severity,
    Signal,
    Span,
    Stream,
    TemplateActivity,
)
from copilot.domain.evidence import Gap
from copilot.domain.objects import KubeEvent, ObjectRef
from copilot.domain.search import Found, HitKind
from copilot.ports import StoredBatch
from copilot.store import SqlStore
from tests.builders_store import (
    DEPLOYMENT,
    NOW_US,
    SECOND_US,
    STORES,
    STREAM,
    a_batch,
    a_kube_event,
    a_new_incident,
    a_query,
    a_runbook,
    a_store,
)

OTHER = Stream(cluster="lab", namespace="demo", app="web", pod="web-1", container="web")


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store(request.param, tmp_path) as store:
        yield store


async def add(store: SqlStore, *batches: Batch) -> list[StoredBatch]:
    stored = []
    for batch in batches:
        async with store.transaction() as tx:
            stored.append(await tx.telemetry.add(batch))
    return stored


async def lines_of(store: SqlStore, **given: int) -> tuple[LogLine, ...]:
    scope = {"since_us": 0, "until_us": NOW_US * 2, "limit": 100} | given
    async with store.view() as look:
        return await look.telemetry.lines_of(namespace="demo", pods=["oom-demo-abc"], **scope)


async def search(store: SqlStore, *words: str, **given: Any) -> Found:
    async with store.view() as look:
        return await look.telemetry.search(a_query(*words, **given))


# --------------------------------------------------------------------------- lines


async def test_lines_read_back_as_they_were_sent(store: SqlStore) -> None:
    await add(store, a_batch("one", "two", severity=Severity.ERROR))

    first, second = await lines_of(store)

    assert (first.body, second.body) == ("one", "two")
    assert (first.ts_us, second.ts_us) == (NOW_US, NOW_US + 1000)
    assert (first.level, first.namespace, first.pod) == ("error", "demo", "oom-demo-abc")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="empty"),
        pytest.param("a\0b", id="NUL"),
        pytest.param("🔥 größe ✓", id="beyond ASCII"),
        pytest.param("x" * 1_048_576, id="1 MiB"),
        pytest.param("'; DROP TABLE log_blocks; --", id="SQL"),
    ],
)
async def test_any_text_reads_back_whole_as_line_and_as_event(store: SqlStore, body: str) -> None:
    await add(store, a_batch("before", body, "after", severity=Severity.ERROR))

    lines = await lines_of(store)

    assert [line.body for line in lines] == ["before", body, "after"]
    async with store.view() as look:
        events = await look.telemetry.events(
            namespace="demo", names=["oom-demo-abc"], since_us=0, limit=9
        )
    assert events[1].body[:100] == body[:100]


async def test_a_lone_surrogate_is_replaced(store: SqlStore) -> None:
    await add(store, a_batch("bad \ud800 text", "good ✓", severity=Severity.ERROR))

    assert [line.body for line in await lines_of(store)] == ["bad ? text", "good ✓"]


async def test_the_same_batch_again_stores_nothing(store: SqlStore) -> None:
    first, again = await add(store, a_batch("one", key=b"k" * 16), a_batch("one", key=b"k" * 16))

    assert not first.is_repeat
    assert again == StoredBatch(is_repeat=True, n_stored=0, first_line=None)
    assert len(await lines_of(store)) == 1


async def test_a_batch_key_is_forgotten_after_two_days(store: SqlStore) -> None:
    later_us = NOW_US + 49 * 3600 * SECOND_US
    key = b"k" * 16

    _, again = await add(store, a_batch("one", key=key), a_batch("x", key=key, ts_us=later_us))

    assert not again.is_repeat


async def test_an_address_is_given_at_commit_and_never_changes(store: SqlStore) -> None:
    first, second = await add(store, a_batch("a", "b"), a_batch("c", ts_us=NOW_US + SECOND_US))
    assert first.first_line
    assert second.first_line

    async with store.view() as look:
        [line] = await look.telemetry.lines_at(second.first_line, 0, 0)

    assert line.body == "c"
    assert line.address == str(second.first_line)
    assert second.first_line.line == first.first_line.line + 2


async def test_neighbours_are_those_of_the_same_container_across_batches(store: SqlStore) -> None:
    bare = Stream(cluster="lab", namespace="demo", pod="oom-demo-abc", container="app")
    stored = await add(
        store,
        a_batch("a0", "a1", ts_us=NOW_US),
        a_batch("other", ts_us=NOW_US + SECOND_US, stream=OTHER),
        a_batch("a2", ts_us=NOW_US + 2 * SECOND_US, stream=bare),
        a_batch("a3", "a4", ts_us=NOW_US + 3 * SECOND_US),
        a_batch("a5", ts_us=NOW_US + 4 * SECOND_US),
    )
    address = stored[3].first_line
    assert address

    async with store.view() as look:
        near = await look.telemetry.lines_at(address, 2, 1)
        far = await look.telemetry.lines_at(address, 50, 50)

    assert [line.body for line in near] == ["a1", "a2", "a3", "a4"]
    assert [line.body for line in far] == ["a0", "a1", "a2", "a3", "a4", "a5"]


@pytest.mark.parametrize("address", [(1, 1), (99, 0), (1, -1)])
async def test_an_address_where_nothing_lies_is_not_found(
    store: SqlStore, address: tuple[int, int]
) -> None:
    await add(store, a_batch("only"))

    async with store.view() as look:
        with pytest.raises(NotFound):
            await look.telemetry.lines_at(LineAddress(segment=address[0], line=address[1]), 1, 1)


async def test_the_newest_lines_of_a_range_come_oldest_first(store: SqlStore) -> None:
    late = a_batch("late", ts_us=NOW_US - 10 * SECOND_US)
    await add(store, *(a_batch(f"n{n}", ts_us=NOW_US + n * SECOND_US) for n in range(6)), late)

    newest = await lines_of(store, limit=2)
    within = await lines_of(store, since_us=NOW_US + SECOND_US, until_us=NOW_US + 3 * SECOND_US)
    everything = await lines_of(store)

    assert [line.body for line in newest] == ["n4", "n5"]
    assert [line.body for line in within] == ["n1", "n2", "n3"]
    assert [line.body for line in everything] == ["late", "n0", "n1", "n2", "n3", "n4", "n5"]


async def test_a_batch_of_many_lines_and_much_text_keeps_every_address(store: SqlStore) -> None:
    bodies = [f"{n} {'x' * 900}" for n in range(12_000)]

    [stored] = await add(store, a_batch(*bodies))

    assert stored.first_line
    async with store.view() as look:
        for n in (0, 4_999, 5_000, 11_999):
            address = LineAddress(segment=stored.first_line.segment, line=n)
            [line] = await look.telemetry.lines_at(address, 0, 0)
            assert line.body == bodies[n]


async def test_the_newest_line_of_a_container_is_known(store: SqlStore) -> None:
    await add(store, a_batch("a", "b", ts_us=NOW_US), a_batch("old", ts_us=NOW_US - SECOND_US))
    place = {"namespace": "demo", "pod": "oom-demo-abc", "container": "app"}

    async with store.view() as look:
        assert await look.telemetry.latest_line_us(**place) == NOW_US + 1000
        assert await look.telemetry.latest_line_us(**place | {"pod": "none"}) == 0


# --------------------------------------------------------------------------- the row tier


async def test_warnings_and_the_first_line_of_a_new_template_become_events(
    store: SqlStore,
) -> None:
    await add(
        store,
        a_batch("new", "seen", pattern="a <*>"),
        a_batch("seen again", pattern="a <*>"),
        a_batch("warning", "warning too", pattern="b <*>", severity=Severity.WARN),
    )

    async with store.view() as look:
        events = await look.telemetry.events(
            namespace="demo", names=["oom-demo-abc"], since_us=0, limit=9
        )
        again = await look.telemetry.event(events[0].id)

    assert sorted(e.body for e in events) == ["new", "warning", "warning too"]
    assert again == events[0]
    assert again.address


async def test_a_kubernetes_event_is_one_row_that_a_repeat_refreshes(store: SqlStore) -> None:
    await add(store, *(a_batch(kube_events=[a_kube_event(count=n)]) for n in (1, 3, 2)))

    async with store.view() as look:
        [event] = await look.telemetry.events(
            namespace="demo", names=["oom-demo-abc"], since_us=0, limit=9
        )
        [body] = await look.telemetry.kube_events(
            namespace="demo", uids=["pod-1"], names=[], since_us=0
        )
        by_name = await look.telemetry.kube_events(
            namespace="demo", uids=[], names=["oom-demo-abc"], since_us=0
        )

    assert (event.signal, event.count, event.uid) == (Signal.KUBE_EVENTS, 3, "e-1")
    assert event.object == ObjectRef(kind="Pod", namespace="demo", name="oom-demo-abc", uid="pod-1")
    assert msgspec.json.decode(body, type=KubeEvent) == a_kube_event(count=3)
    assert by_name == (body,)


async def test_a_received_alert_is_one_row_for_each_start(store: SqlStore) -> None:
    def alert(starts_us: int, *, is_firing: bool) -> ReceivedAlert:
        return ReceivedAlert(
            source="alertmanager",
            fingerprint="f",
            name="KubePodCrashLooping",
            is_firing=is_firing,
            starts_us=starts_us,
            ends_us=0,
            labels={"namespace": "demo", "pod": "oom-demo-abc"},
            annotations={"summary": "it loops"},
        )

    for at_us, is_firing in ((NOW_US, True), (NOW_US, False), (NOW_US + 9, True)):
        batch = a_batch()
        batch.alerts.append(alert(at_us, is_firing=is_firing))
        await add(store, batch)

    async with store.view() as look:
        events = await look.telemetry.events(
            namespace="demo", names=["oom-demo-abc"], since_us=0, limit=9
        )
    assert [(e.ts_us, e.level, e.body, e.uid) for e in events] == [
        (NOW_US, "info", "it loops", ""),
        (NOW_US + 9, "error", "it loops", ""),
    ]


async def test_an_event_that_is_not_there_is_not_found(store: SqlStore) -> None:
    async with store.view() as look:
        with pytest.raises(NotFound):
            await look.telemetry.event(7)


# --------------------------------------------------------------------------- counts, metrics, spans


USERS = ("root", "alice", "bob", "carol", "dave", "erin")


async def login(store: SqlStore, user: str, **given: Any) -> None:
    pattern = f"login of user {user} failed"
    await add(store, a_batch(pattern, pattern=pattern, **given))


async def the_activity(store: SqlStore) -> tuple[TemplateActivity, ...]:
    async with store.view() as look:
        return await look.telemetry.activity(
            min_severity=0, window_us=600 * SECOND_US, now_us=NOW_US + 60 * SECOND_US
        )


@pytest.mark.parametrize("users", [USERS, tuple(reversed(USERS))], ids=["forth", "back"])
async def test_templates_that_differ_by_a_value_count_as_one_in_any_order(
    store: SqlStore, users: tuple[str, ...]
) -> None:
    for i, user in enumerate(users):
        await login(store, user, ts_us=NOW_US + i * SECOND_US)

    [one] = await the_activity(store)

    assert (one.pattern, one.recent_count) == ("login of user * failed", len(users))
    assert one.first_us == NOW_US


async def test_templates_stay_apart_until_enough_of_a_kind_were_seen(store: SqlStore) -> None:
    for user in USERS[:3]:
        await login(store, user)

    assert {one.pattern for one in await the_activity(store)} == {
        f"login of user {user} failed" for user in USERS[:3]
    }


async def test_one_more_of_a_family_is_not_the_first_of_its_kind(store: SqlStore) -> None:
    for user in USERS:
        await login(store, user)

    async with store.view() as look:
        events = await look.telemetry.events(
            namespace="demo", names=["oom-demo-abc"], since_us=0, limit=9
        )

    assert {e.body for e in events} == {f"login of user {user} failed" for user in USERS[:3]}


async def test_two_families_that_meet_become_one(store: SqlStore) -> None:
    for user in USERS[:4]:
        await login(store, user)
    for verb in ("refused", "denied", "forgotten", "taken"):
        pattern = f"login of user eve {verb}"
        await add(store, a_batch(pattern, pattern=pattern))
    assert len(await the_activity(store)) == 2

    await login(store, "eve")

    assert [one.pattern for one in await the_activity(store)] == ["login of user * *"]


async def test_activity_compares_the_window_with_the_one_before(store: SqlStore) -> None:
    minute = 60 * SECOND_US
    boom: dict[str, Any] = {"pattern": "boom <*>", "severity": Severity.ERROR}
    [_, _, last] = await add(
        store,
        a_batch("x", "y", ts_us=NOW_US - 90 * SECOND_US, **boom),
        a_batch("chatter", pattern="info", ts_us=NOW_US),
        a_batch("1", "2", "3", ts_us=NOW_US - 5 * SECOND_US, **boom),
    )
    assert last.first_line

    async with store.view() as look:
        [one] = await look.telemetry.activity(
            min_severity=Severity.ERROR, window_us=minute, now_us=NOW_US
        )
        gone = await look.telemetry.activity(
            min_severity=Severity.ERROR, window_us=minute, now_us=NOW_US + 3 * minute
        )
        elsewhere = await look.telemetry.activity(
            min_severity=0, window_us=minute, now_us=NOW_US, app="web"
        )

    assert (one.pattern, one.recent_count, one.earlier_count) == ("boom <*>", 3, 2)
    assert one.first_us == NOW_US - 90 * SECOND_US
    assert one.stream == STREAM
    assert one.last_address == f"{last.first_line.segment}:{last.first_line.line + 2}"
    assert gone == elsewhere == ()


async def test_how_often_an_application_logs_a_template_is_known_by_stretches(
    store: SqlStore,
) -> None:
    boom: dict[str, Any] = {"pattern": "boom <*>", "severity": Severity.ERROR}
    beside = msgspec.structs.replace(STREAM, pod="oom-demo-def")
    base_us = NOW_US - NOW_US % (120 * SECOND_US)
    await add(
        store,
        a_batch("a", "b", ts_us=base_us - 240 * SECOND_US, **boom),
        a_batch("c", ts_us=base_us - 170 * SECOND_US, stream=beside, **boom),
        a_batch("d", ts_us=base_us - 10 * SECOND_US, **boom),
        a_batch("e", ts_us=base_us + 10 * SECOND_US, **boom),
        a_batch("chatter", pattern="info", ts_us=base_us - 10 * SECOND_US),
    )
    async with store.view() as look:
        [known, *_] = await look.telemetry.activity(
            min_severity=Severity.ERROR, window_us=600 * SECOND_US, now_us=base_us
        )

        async def history(app: str) -> tuple[int, ...]:
            return await look.telemetry.template_history(
                template_id=known.template_id,
                namespace=STREAM.namespace,
                app=app,
                window_us=120 * SECOND_US,
                since_us=base_us - 3600 * SECOND_US,
                until_us=base_us,
            )

        assert await history(STREAM.app) == (3, 1)
        assert await history("another") == ()


async def test_a_metric_reads_back_as_one_series_a_container(store: SqlStore) -> None:
    def point(value: float, at_s: float, stream: Stream = STREAM) -> Point:
        ts_us = NOW_US + round(at_s * SECOND_US)
        return Point(name="container.memory.working_set", stream=stream, ts_us=ts_us, value=value)

    await add(
        store,
        a_batch(points=[point(5, 0.1), point(9, 0.2), point(7, 0.3), point(float("nan"), 1)]),
        a_batch(points=[point(8, 0.4), point(20, 2), point(1, 0, OTHER)]),
    )

    async with store.view() as look:
        [one] = await look.telemetry.series(
            name="container.memory.working_set",
            namespace="demo",
            pods=["oom-demo-abc"],
            since_us=NOW_US,
            until_us=NOW_US + 9 * SECOND_US,
        )
    assert (one.pod, one.container, one.unit) == ("oom-demo-abc", "app", "By")
    assert [(p.ts_us - NOW_US, p.value, p.low, p.high) for p in one.points] == [
        (0, 8, 5, 9),
        (2 * SECOND_US, 20, 20, 20),
    ]


async def test_what_was_set_aside_is_readable_newest_first(store: SqlStore) -> None:
    for n in range(3):
        batch = a_batch(ts_us=NOW_US + n // 2)
        batch.set_aside.append(SetAside(source="fluentbit", reason=f"r{n}", body=b"\x00\xff"))
        await add(store, batch)

    async with store.view() as look:
        first = await look.telemetry.set_aside(limit=2)
        rest = await look.telemetry.set_aside(limit=2, before_id=first[-1].id)

    newest, *others = [row.reason for row in first + rest]
    assert newest == "r2"
    assert sorted(others) == ["r0", "r1"]  # of one moment: in any order, each once
    assert first[0].body == b"\x00\xff"


async def test_totals_count_everything_once(store: SqlStore) -> None:
    batch = a_batch("a", "b", kube_events=[a_kube_event()])
    span = Span(
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        start_us=NOW_US,
        duration_us=5,
        stream=STREAM,
        service="web",
        name="GET /",
    )
    batch.spans += [span, span]
    [stored] = await add(store, batch)

    async with store.view() as look:
        counts = await look.telemetry.counts()
    assert (counts.lines, counts.events, counts.spans, counts.templates) == (2, 2, 1, 1)
    assert stored.n_stored == 5


# --------------------------------------------------------------------------- search


async def test_search_finds_events_incidents_runbooks_changes_and_lines(store: SqlStore) -> None:
    await add(store, a_batch("first", "memory grows"), a_batch(kube_events=[an_oom_event()]))
    async with store.transaction() as tx:
        await tx.incidents.open(a_new_incident(title="memory is short"))
        await tx.runbooks.sync([a_runbook()])
        await tx.objects.save(a_version(), a_change())

    found = await search(store, "MEMORY")

    known, happened = found.hits[:2], found.hits[2:]
    assert [hit.kind for hit in known] == [HitKind.INCIDENT, HitKind.RUNBOOK]
    assert known[1].ref == "oom-killed"
    assert {hit.kind for hit in happened} == {HitKind.LOG, HitKind.EVENT, HitKind.CHANGE}
    assert [hit.ts_us for hit in happened] == sorted((h.ts_us for h in happened), reverse=True)
    assert next(hit for hit in happened if hit.kind is HitKind.LOG).snippet == "memory grows"


def an_oom_event() -> KubeEvent:
    return a_kube_event(message="Memory cgroup out of memory")


async def test_search_finds_a_request_id_that_no_row_holds_and_says_it_saw_all(
    store: SqlStore,
) -> None:
    await add(store, a_batch(*(f"request {n:05}" for n in range(300))))

    found = await search(store, "00271")
    nothing = await search(store, "00999")

    assert [hit.snippet for hit in found.hits] == ["request 00271"]
    assert (found.looked_back_to_us, found.scanned_lines) == (0, 300)
    assert nothing == Found(hits=(), next="", looked_back_to_us=0, scanned_lines=300)


async def test_a_search_that_has_enough_says_how_far_it_looked(store: SqlStore) -> None:
    await add(store, *(a_batch("tick", ts_us=NOW_US + n * SECOND_US) for n in range(9)))

    found = await search(store, "tick", limit=3)

    assert len(found.hits) == 3
    assert found.looked_back_to_us > NOW_US


async def pages(store: SqlStore, *words: str, **given: Any) -> list[Found]:
    """Every page of a search."""
    found: list[Found] = []
    async with store.view() as look:
        query = a_query(*words, **given)
        while not found or found[-1].next:
            after = found[-1].next if found else ""
            found.append(await look.telemetry.search(query, after=after))
            assert len(found) < 100
    return found


async def filled(store: SqlStore) -> None:
    """Lines, every third a warning (a row), from two streams, in times out of order; changes."""
    for n in range(12):
        severity = Severity.WARN if n % 3 == 0 else Severity.INFO
        ts_us = NOW_US + (n * 7 % 12) * 100 * SECOND_US
        bodies = [f"tick {n} {i}" for i in range(5)]
        stream = OTHER if n % 2 else STREAM
        pattern = f"tick {severity}"
        batch = a_batch(*bodies, ts_us=ts_us, severity=severity, stream=stream, pattern=pattern)
        await add(store, batch)
    async with store.transaction() as tx:
        for n in range(4):
            change = a_change(NOW_US + n * 250 * SECOND_US)
            change = replace(change, title=f"tick {n}")
            await tx.objects.save(a_version(str(n)), change)
        await tx.incidents.open(a_new_incident(title="tick tock"))


@pytest.mark.parametrize("limit", [1, 4, 7, 50, 200])
async def test_pages_together_give_every_hit_once_newest_first(store: SqlStore, limit: int) -> None:
    await filled(store)

    found = await pages(store, "tick", limit=limit)

    hits = [hit for page in found for hit in page.hits]
    refs = [(hit.kind, hit.ref) for hit in hits]
    assert len(refs) == len(set(refs)) == 12 * 5 + 4 + 1
    assert hits[0].kind is HitKind.INCIDENT
    times = [hit.ts_us for hit in hits[1:]]
    assert times == sorted(times, reverse=True)
    assert all(len(page.hits) == limit for page in found[:-1])


async def test_pages_without_words_give_every_line_once(store: SqlStore) -> None:
    await filled(store)

    found = await pages(store, limit=7, kinds=frozenset({HitKind.LOG}))

    refs = [hit.ref for page in found for hit in page.hits]
    assert len(refs) == len(set(refs)) == 12 * 5


async def test_what_comes_in_meanwhile_does_not_move_the_next_page(store: SqlStore) -> None:
    await filled(store)
    first, second, *_ = await pages(store, "tick", limit=9)

    await add(store, a_batch("tick new", ts_us=NOW_US + 3000 * SECOND_US))
    async with store.view() as look:
        again = await look.telemetry.search(a_query("tick", limit=9), after=first.next)

    assert again.hits == second.hits


async def test_a_page_that_goes_on_from_nowhere_is_refused(store: SqlStore) -> None:
    async with store.view() as look:
        with pytest.raises(Invalid, match="from the start"):
            await look.telemetry.search(a_query("tick"), after="no page")


async def test_hits_are_counted_by_kind_place_level_and_time(store: SqlStore) -> None:
    await filled(store)

    async with store.view() as look:
        counted = await look.telemetry.search_counts(
            a_query("tick", kinds=frozenset({HitKind.LOG})), now_us=NOW_US + 1200 * SECOND_US
        )

    assert {f.value: f.n for f in counted.kinds} == {
        "log": 60,
        "event": 0,
        "incident": 1,
        "runbook": 0,
        "change": 4,
    }
    assert {f.value: f.n for f in counted.apps} == {"oom-demo": 30, "web": 30}
    assert {f.value: f.n for f in counted.levels} == {"info": 40, "warn": 20}
    assert sum(bar.n for bar in counted.bars) == 60
    assert not any(facet.is_least for facet in counted.kinds)
    assert (counted.looked_back_to_us, counted.scanned_lines) == (0, 60)


@pytest.mark.parametrize(
    ("words", "given", "bodies"),
    [
        pytest.param(("oom",), {}, ["oomkilled in oom-demo"], id="a word may be a beginning"),
        pytest.param(("oom-demo",), {}, ["oomkilled in oom-demo"], id="a name is a phrase"),
        pytest.param((), {"phrases": ("exit code",)}, ["exit code 137"], id="a phrase"),
        pytest.param(("code",), {"excluded": ("137",)}, ["code exit"], id="excluded"),
        pytest.param(("code",), {"since_us": NOW_US + 1500}, ["code exit"], id="since"),
        pytest.param(("code",), {"namespace": "prod"}, [], id="another namespace"),
        pytest.param(("code",), {"min_severity": Severity.FATAL}, [], id="too low a level"),
        pytest.param(('"', "AND", "*", "code:"), {}, [], id="operators are no operators"),
    ],
)
async def test_search_keeps_to_what_was_asked(
    store: SqlStore, words: tuple[str, ...], given: dict[str, object], bodies: list[str]
) -> None:
    bodies_sent = ("oomkilled in oom-demo", "exit code 137", "code exit")
    await add(store, a_batch(*bodies_sent, severity=Severity.ERROR, stream=OTHER))

    found = await search(store, *words, kinds=frozenset({HitKind.LOG}), **given)

    assert [hit.snippet for hit in found.hits] == bodies


async def test_search_finds_an_error_by_the_name_of_its_pod(store: SqlStore) -> None:
    await add(store, a_batch("exit code 137", severity=Severity.ERROR))

    found = await search(store, "oom-demo", kinds=frozenset({HitKind.LOG}))

    assert [hit.snippet for hit in found.hits] == ["exit code 137"]


async def test_a_line_found_as_a_row_is_not_found_again_in_its_block(store: SqlStore) -> None:
    await add(store, a_batch("unique", severity=Severity.ERROR))

    found = await search(store, "unique")

    assert len(found.hits) == 1


# --------------------------------------------------------------------------- objects


def a_version(version: str = "7", **given: Any) -> ObjectVersion:
    values: dict[str, Any] = {
        "cluster": "lab",
        "object": DEPLOYMENT,
        "resource_version": version,
        "generation": 3,
        "owner_uid": "",
        "actor": "kubectl",
        "seen_us": NOW_US,
        "is_deleted": False,
        "json": b'{"kind":"Deployment"}',
    }
    return ObjectVersion(**(values | given))


def a_change(ts_us: int = NOW_US) -> Change:
    return Change(
        object=DEPLOYMENT,
        ts_us=ts_us,
        actor="kubectl",
        generation=3,
        fields=(FieldChange(path="spec.limit", before="64Mi", after="32Mi"),),
        title="memory limit 64Mi → 32Mi",
    )


async def test_the_newest_version_of_an_object_is_kept(store: SqlStore) -> None:
    newest = a_version("8", seen_us=NOW_US + 5)

    async with store.transaction() as tx:
        for version in (a_version("7"), newest, a_version("6", seen_us=NOW_US - 5)):
            await tx.objects.save(version, None)

        assert await tx.objects.get("lab", "d-1") == newest
        assert await tx.objects.named("lab", "Deployment", "demo", "oom-demo") == newest
        assert await tx.objects.get("prod", "d-1") is None


async def test_deleted_objects_are_found_only_when_asked_for(store: SqlStore) -> None:
    deleted = a_version("8", is_deleted=True, owner_uid="o-1")

    async with store.transaction() as tx:
        await tx.objects.save(deleted, None)

        assert await tx.objects.find("lab", "Deployment") == ()
        assert await tx.objects.find("lab", "Deployment", deleted_since_us=NOW_US) == (deleted,)
        assert await tx.objects.find("lab", "Deployment", deleted_since_us=NOW_US + 1) == ()
        assert await tx.objects.named("lab", "Deployment", "demo", "oom-demo") == deleted


async def test_objects_are_found_by_owner_and_namespace(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.objects.save(a_version(owner_uid="o-1"), None)

        assert len(await tx.objects.find("lab", "Deployment", "demo", owner_uid="o-1")) == 1
        assert await tx.objects.find("lab", "Deployment", "prod") == ()
        assert await tx.objects.find("lab", "Deployment", owner_uid="o-2") == ()


async def test_changes_are_kept_once_and_come_oldest_first(store: SqlStore) -> None:
    async with store.transaction() as tx:
        for n in (0, 1, 2, 2):
            await tx.objects.save(a_version(str(n), seen_us=NOW_US + n), a_change(NOW_US + n))

        changes = await tx.objects.changes("lab", since_us=0, until_us=NOW_US + 9, limit=2)
        none = await tx.objects.changes(
            "lab", namespace="prod", since_us=0, until_us=NOW_US + 9, limit=2
        )
    assert changes == (a_change(NOW_US + 1), a_change(NOW_US + 2))
    assert none == ()


async def test_a_gap_is_noted_and_cleared(store: SqlStore) -> None:
    gap = Gap(what="Event", reason="forbidden")

    async with store.transaction() as tx:
        await tx.objects.set_gap("lab", Gap(what="Event", reason="no answer"), "Event")
        await tx.objects.set_gap("lab", gap, "Event")
        assert await tx.objects.gaps("lab") == (gap,)
        await tx.objects.set_gap("lab", None, "Event")
        assert await tx.objects.gaps("lab") == ()


async def test_gaps_that_begin_so_are_forgotten_together(store: SqlStore) -> None:
    gap = Gap(what="quotas", reason="forbidden")

    async with store.transaction() as tx:
        for cluster, kind in (("lab", "aside a"), ("lab", "aside "), ("lab", "Quota")):
            await tx.objects.set_gap(cluster, gap, kind)
        await tx.objects.set_gap("prod", gap, "aside a")
        await tx.objects.forget_gaps("lab", "aside ")

        assert [len(await tx.objects.gaps(cluster)) for cluster in ("lab", "prod")] == [1, 1]
