"""What of all that came in is looked at."""

from pathlib import Path

import pytest

from copilot.detect.rules import error_burst
from copilot.domain.alert import Seen
from copilot.domain.attributes import CPU_THROTTLED
from copilot.domain.event import Point, Severity, Stream
from copilot.intake import Intake, activity_of
from copilot.journal import Journal
from tests.builders_detect import an_activity
from tests.builders_objects import NOW_US, a_pod, an_event, ref_of
from tests.builders_store import a_batch, a_store
from tests.fakes import FixedClock

MINUTE_US = 60_000_000


def test_the_log_of_a_pod_of_the_same_name_elsewhere_is_another_pods() -> None:
    here = a_pod("db-0", namespace="shop", owner_kind=None)
    there = a_pod("db-0", namespace="staging", owner_kind=None)
    logged = an_activity(pod="db-0")

    assert activity_of([here], [logged]) == (logged,)
    assert activity_of([there], [logged]) == ()


async def test_what_the_kubelets_told_another_process_is_seen_from_the_store(
    tmp_path: Path,
) -> None:
    """The process that verifies need not be the one that watches."""
    pod = a_pod("api", namespace="shop")
    stream = Stream(namespace="shop", pod=pod.metadata.name, container="app")
    shares = [
        Point(name=CPU_THROTTLED, stream=stream, ts_us=NOW_US - s * 1_000_000, value=0.9)
        for s in (55, 40, 25, 10)
    ]
    about = ref_of("Pod", pod.metadata)
    failed = an_event(about, "Unhealthy", message="Readiness probe failed: timeout")
    verifying = Intake(clock=FixedClock(NOW_US), journal=Journal(cluster="lab"))

    async with a_store("sqlite-memory", tmp_path) as store:
        async with store.transaction() as tx:
            await tx.telemetry.add(a_batch(points=shares, kube_events=[failed]))
        async with store.view() as view:
            seen = await verifying.with_activity(
                view, Seen(now_us=NOW_US, cluster="lab", pods=(pod,), owners={})
            )

    (strain,) = seen.strains
    assert (strain.pod, strain.container, strain.throttled) == (pod.metadata.name, "app", 0.9)
    assert [event.reason for event in seen.events] == ["Unhealthy"]


@pytest.mark.parametrize(
    ("minutes", "fires"),
    [
        pytest.param(120, False, id="one that logs it whenever it runs"),
        pytest.param(30, True, id="one that was in trouble for half an hour"),
    ],
)
async def test_an_application_that_comes_back_may_log_what_it_always_logs(
    tmp_path: Path, minutes: int, fires: bool
) -> None:
    """It was away for ten minutes; nothing of it was logged just before."""
    clock = FixedClock(NOW_US)
    intake = Intake(clock=clock, journal=Journal(cluster="lab"))
    away_us = NOW_US - 10 * MINUTE_US
    times = [away_us - n * MINUTE_US for n in range(1, minutes + 1)]
    lines = [f"cache miss {n}" for n in range(15)]

    async with a_store("sqlite-memory", tmp_path) as store, store.transaction() as tx:
        for ts_us in [*times, NOW_US - MINUTE_US // 2]:
            batch = a_batch(*lines, ts_us=ts_us, severity=Severity.ERROR, pattern="cache miss <*>")
            await tx.telemetry.add(batch)
        seen = await intake.seen_in(tx, [batch])

    assert bool(list(error_burst.check(seen))) is fires


async def test_what_could_not_be_asked_for_in_one_look_is_told_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application that comes back logs more templates than one look asks the store about."""
    monkeypatch.setattr("copilot.intake.MOST_ASKED", 1)
    intake = Intake(clock=FixedClock(NOW_US), journal=Journal(cluster="lab"))
    times = [NOW_US - n * 2 * MINUTE_US for n in range(5, 45)]
    patterns = ("cache miss <*>", "retry <*>")

    async with a_store("sqlite-memory", tmp_path) as store, store.transaction() as tx:
        for ts_us in [*times, NOW_US - MINUTE_US // 2]:
            for pattern in patterns:
                lines = [pattern.replace("<*>", str(n)) for n in range(15)]
                batch = a_batch(*lines, ts_us=ts_us, severity=Severity.ERROR, pattern=pattern)
                await tx.telemetry.add(batch)
        first, second = [await intake.seen_in(tx, [batch]) for _ in range(2)]

    assert list(error_burst.check(first)) == list(error_burst.check(second)) == []
    assert [len(seen.activity) for seen in (first, second)] == [1, 2]
