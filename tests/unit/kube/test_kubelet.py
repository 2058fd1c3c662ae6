"""Use of memory and CPU, from recorded kubelet pages."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from copilot.domain.attributes import (
    CPU_THROTTLED,
    CPU_USAGE,
    MEMORY_KILLS,
    MEMORY_PEAK,
    MEMORY_REFUSALS,
    MEMORY_WORKING_SET,
)
from copilot.domain.errors import NotFound, Refused, Unavailable
from copilot.domain.event import Stream
from copilot.kube.kubelet import (
    Kubelet,
    counters_in,
    points_of_counters,
    points_of_metrics,
    points_of_summary,
)
from tests.builders_kube import FIXTURES, Answer, ScriptedApi, connected
from tests.fakes import FixedClock

WHERE = Stream(cluster="c1", node="dev")
SUMMARY = "/api/v1/nodes/dev/proxy/stats/summary"
RESOURCE = "/api/v1/nodes/dev/proxy/metrics/resource"
CADVISOR = "/api/v1/nodes/dev/proxy/metrics/cadvisor"


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def at_us(second: int) -> int:
    return round(datetime(2026, 11, 23, 8, 2, second, tzinfo=UTC).timestamp()) * 1_000_000


def test_a_summary_gives_memory_and_cpu_of_each_container_at_the_kubelets_time() -> None:
    points = points_of_summary(fixture("kubelet_stats_summary.json"), WHERE, 1)

    web = Stream(
        cluster="c1",
        namespace="demo",
        pod="healthy-756d9c6856-5l9l7",
        container="web",
        node="dev",
    )
    assert [(p.name, p.stream, p.ts_us, p.value) for p in points] == [
        (MEMORY_WORKING_SET, web, at_us(40), 233472.0),
        (CPU_USAGE, web, at_us(40), 0.0),
    ]


def test_a_summary_that_makes_no_sense_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="node dev"):
        points_of_summary(b"<html>", WHERE, 1)


def test_peaks_are_those_of_whole_pods() -> None:
    lines = [
        line
        for line in fixture("kubelet_metrics_cadvisor.txt").splitlines()
        if line.startswith(b"container_memory_max_usage_bytes")
    ]

    points = list(points_of_metrics(lines, MEMORY_PEAK, WHERE, 1))

    assert [(p.stream.pod, p.stream.container, p.ts_us, p.value) for p in points] == [
        ("oom-demo-5f44895955-cd2ks", "", 1795419220070000, 33554432.0),
        ("healthy-756d9c6856-f9gmr", "", 1795419217480000, 4714496.0),
    ]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'container_memory_max_usage_bytes{pod="p"} NaN', id="nan"),
        pytest.param(b'container_memory_max_usage_bytes{pod="p"} +Inf', id="infinite"),
        pytest.param(b'container_memory_max_usage_bytes{pod="p"} soon', id="no-number"),
        pytest.param(b"container_memory_max_usage_bytes 3", id="no-labels"),
        pytest.param(b'container_memory_max_usage_bytes{pod=""} 3', id="no-pod"),
        pytest.param(b"\xff\xfe{", id="no-text"),
    ],
)
def test_a_sample_that_says_nothing_is_left_out(line: bytes) -> None:
    assert list(points_of_metrics([line], MEMORY_PEAK, WHERE, 1)) == []


def test_a_sample_without_a_time_is_of_now() -> None:
    line = b'container_memory_max_usage_bytes{pod="p",namespace="a \\"b\\""} 3'

    (point,) = points_of_metrics([line], MEMORY_PEAK, WHERE, 77)

    assert (point.ts_us, point.value) == (77, 3.0)


async def test_usage_is_the_summary_and_the_peaks(tmp_path: Path) -> None:
    api = ScriptedApi()
    api.pages[SUMMARY] = Answer(body=fixture("kubelet_stats_summary.json"))
    api.pages[CADVISOR] = Answer(body=fixture("kubelet_metrics_cadvisor.txt"))

    async with connected(api, tmp_path) as cluster:
        first, second = await cluster.usage("dev"), await cluster.usage("dev")

    assert [p.name for p in first] == [MEMORY_WORKING_SET, CPU_USAGE, MEMORY_PEAK, MEMORY_PEAK]
    # The long cAdvisor page is not asked for each time.
    assert [p.name for p in second] == [MEMORY_WORKING_SET, CPU_USAGE]


async def test_without_a_summary_the_resource_page_gives_memory(tmp_path: Path) -> None:
    api = ScriptedApi()
    api.pages[RESOURCE] = Answer(body=fixture("kubelet_metrics_resource.txt"))

    async with connected(api, tmp_path) as cluster:
        points = await cluster.usage("dev")

    assert [(p.name, p.stream.container, p.ts_us, p.value) for p in points] == [
        (MEMORY_WORKING_SET, "web", 1795420960921000, 233472.0)
    ]


async def test_a_missing_right_to_the_kubelet_is_named(tmp_path: Path) -> None:
    api = ScriptedApi()
    api.pages[SUMMARY] = Answer(status=403)

    async with connected(api, tmp_path) as cluster:
        with pytest.raises(Refused, match='grant the verb "get" on "nodes/proxy"'):
            await cluster.usage("dev")


async def test_an_unknown_node_is_not_found(tmp_path: Path) -> None:
    async with connected(ScriptedApi(), tmp_path) as cluster:
        with pytest.raises(NotFound):
            await cluster.usage("nowhere")


def a_page(
    *, periods: int, stopped: int, kills: int = 0, refusals: int = 0, run: str = "r1"
) -> list[bytes]:
    """The counters of container `app` in pod `web`, as cAdvisor prints them."""
    own = f'{{container="app",id="/kubepods/pod1/{run}",image="i",name="{run}",namespace="demo",pod="web"}}'
    whole = '{container="",id="/kubepods/pod1",image="",name="",namespace="demo",pod="web"}'
    return [
        f"container_cpu_cfs_periods_total{own} {periods} 1795790490052".encode(),
        f"container_cpu_cfs_throttled_periods_total{own} {stopped} 1795790490052".encode(),
        f"container_cpu_cfs_periods_total{whole} {periods} 1795790490052".encode(),
        f"container_cpu_cfs_throttled_periods_total{whole} {stopped} 1795790490052".encode(),
        f"container_oom_events_total{own} {kills} 1795790490052".encode(),
        f"container_oom_events_total{whole} 77 1795790490052".encode(),
        f"container_memory_failcnt{own} 5 1795790490052".encode(),
        f"container_memory_failcnt{whole} {refusals} 1795790490052".encode(),
    ]


def added(before: list[bytes], after: list[bytes]) -> list[tuple[str, str, float]]:
    points = points_of_counters(counters_in(before, 1), counters_in(after, 2), WHERE)
    return [(p.name, p.stream.container, p.value) for p in points]


def test_counters_tell_what_came_since_the_look_before() -> None:
    before = a_page(periods=100, stopped=10, kills=17, refusals=1000)
    after = a_page(periods=200, stopped=90, kills=19, refusals=1222)

    assert added(before, after) == [
        (CPU_THROTTLED, "app", 0.8),
        (CPU_THROTTLED, "", 0.8),
        (MEMORY_KILLS, "app", 2.0),
        (MEMORY_REFUSALS, "", 222.0),
    ]


def test_a_first_look_tells_nothing_of_what_was_before_it() -> None:
    assert added([], a_page(periods=200, stopped=90, kills=19, refusals=1222)) == []


def test_a_container_that_was_started_anew_counts_from_its_start() -> None:
    before = a_page(periods=100, stopped=10)

    after = a_page(periods=40, stopped=30, run="r2")

    assert (CPU_THROTTLED, "app", 0.75) in added(before, after)


def test_a_container_that_was_never_stopped_says_so() -> None:
    before, after = a_page(periods=100, stopped=10), a_page(periods=200, stopped=10)

    assert added(before, after)[0] == (CPU_THROTTLED, "app", 0.0)


def test_counters_that_stand_still_say_nothing() -> None:
    page = a_page(periods=100, stopped=10, kills=3, refusals=9)

    assert added(page, page) == []


def a_body(*, periods: int, stopped: int, kills: int) -> bytes:
    page = a_page(periods=periods, stopped=stopped, kills=kills)
    return b"".join(line + b"\n" for line in page)


async def test_two_looks_tell_what_ran_into_a_limit_between_them(tmp_path: Path) -> None:
    api, clock = ScriptedApi(), FixedClock()
    api.pages[SUMMARY] = Answer(body=b"{}")
    api.pages[CADVISOR] = Answer(body=a_body(periods=100, stopped=10, kills=1))

    async with connected(api, tmp_path) as cluster:
        kubelet = Kubelet(cluster._server, cluster="c1", clock=clock)
        first = await kubelet.usage("dev")
        clock.move(11)
        api.pages[CADVISOR] = Answer(body=a_body(periods=200, stopped=60, kills=2))
        second = await kubelet.usage("dev")

    assert first == []
    assert [(p.name, p.stream.container, p.value) for p in second] == [
        (CPU_THROTTLED, "app", 0.5),
        (CPU_THROTTLED, "", 0.5),
        (MEMORY_KILLS, "app", 1.0),
    ]
