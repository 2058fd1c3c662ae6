"""Services that cannot be reached, and Services that nobody wants to reach."""

import pytest

from copilot.detect.rules.no_endpoints import NEEDED, check
from copilot.domain.alert import Alert, Backing
from copilot.domain.objects import ObjectRef, Pod, Probe
from tests.builders_detect import seen
from tests.builders_objects import (
    NOW_US,
    a_container,
    a_pod,
    a_ref,
    a_service,
    a_status,
    ago,
    ago_us,
    running,
    waiting,
)

WEB = a_ref("Deployment", "web")
SHOP = a_ref("Deployment", "shop")


def a_backing(
    *,
    for_s: float | None = 120,
    n_pods: int = 0,
    workloads: tuple[ObjectRef, ...] = (),
    near: tuple[ObjectRef, ...] = (),
    callers: tuple[ObjectRef, ...] = (),
    is_scaled_down: bool = False,
    is_autoscaled: bool = False,
    missing_ports: tuple[str, ...] = (),
    missing_s: float = 5,
    was_ready: bool = False,
    run_time_labels: tuple[str, ...] = (),
    type: str = "ClusterIP",
) -> Backing:
    """Service `web`, empty for two minutes unless told otherwise."""
    return Backing(
        service=a_service(type=type),
        was_ready=was_ready,
        run_time_labels=run_time_labels,
        n_pods=n_pods,
        n_ready=0,
        empty_since_us=0 if for_s is None else ago_us(for_s),
        workloads=workloads,
        near=near,
        callers=callers,
        is_scaled_down=is_scaled_down,
        is_autoscaled=is_autoscaled,
        missing_ports=missing_ports,
        missing_since_us=ago_us(missing_s),
    )


def alerts_of(backing: Backing, *pods: Pod) -> list[Alert]:
    return list(check(seen(*pods, backings=[backing], listed=NEEDED)))


def test_a_selector_that_misses_the_workload_it_nearly_names_is_told_at_the_service() -> None:
    (alert,) = alerts_of(a_backing(for_s=5, near=(WEB,)))

    assert alert.workload.kind == "Service"
    assert alert.title == "Service web has no endpoints: its selector app=web means no pod"
    assert "Near are the labels of Deployment web." in alert.message


WEB_V2 = a_ref("Deployment", "web-v2")


@pytest.mark.parametrize(
    "backing",
    [
        pytest.param(a_backing(for_s=5, near=(WEB_V2,), callers=(SHOP,)), id="it is called"),
        pytest.param(a_backing(for_s=5, near=(WEB_V2,), was_ready=True), id="it worked"),
        pytest.param(a_backing(for_s=5, near=(WEB_V2,), type="NodePort"), id="from the outside"),
    ],
)
def test_a_service_that_somebody_wants_is_told(backing: Backing) -> None:
    assert [alert.severity for alert in alerts_of(backing)] == [2]


def test_a_port_that_no_pod_names_is_told_while_the_pods_are_ready() -> None:
    (alert,) = alerts_of(a_backing(for_s=None, n_pods=2, missing_ports=("metrics",)))

    assert alert.title == "Service web leads to port metrics, which none of its pods names"


def test_pods_that_never_get_ready_are_told_at_their_workload() -> None:
    pod = a_pod("web", statuses=[a_status(state=waiting("CrashLoopBackOff"), ready=False)])

    (alert,) = alerts_of(a_backing(for_s=41, n_pods=1, workloads=(WEB,)), pod)

    assert alert.workload == WEB
    assert alert.title == "Service web has no endpoints: none of its 1 pods is ready"


def test_what_was_scaled_to_zero_and_is_called_is_told() -> None:
    backing = a_backing(for_s=10, workloads=(WEB,), is_scaled_down=True, callers=(SHOP,))

    (alert,) = alerts_of(backing)

    assert alert.title == "Service web has no endpoints: Deployment web is scaled to 0"
    assert "It is called by Deployment shop." in alert.message


def test_a_service_left_behind_that_is_called_is_told() -> None:
    assert len(alerts_of(a_backing(for_s=60, callers=(SHOP,)))) == 1


@pytest.mark.parametrize(
    "backing",
    [
        pytest.param(a_backing(for_s=4, near=(WEB,)), id="its workload may be on its way"),
        pytest.param(
            a_backing(for_s=None, n_pods=2, missing_ports=("http",), missing_s=4),
            id="its pods are just being replaced",
        ),
        pytest.param(a_backing(for_s=900, near=(WEB_V2,)), id="the idle half of a pair"),
        pytest.param(
            a_backing(for_s=59, near=(WEB,), run_time_labels=("role",)),
            id="a leader may still be elected",
        ),
        pytest.param(a_backing(for_s=900), id="left behind, and nobody calls it"),
        pytest.param(a_backing(for_s=59, callers=(SHOP,)), id="ahead of its workload"),
        pytest.param(
            a_backing(workloads=(WEB,), is_scaled_down=True), id="scaled to zero on purpose"
        ),
        pytest.param(
            a_backing(for_s=9, workloads=(WEB,), is_scaled_down=True, callers=(SHOP,)),
            id="down and up again by hand",
        ),
        pytest.param(
            a_backing(workloads=(WEB,), is_scaled_down=True, is_autoscaled=True, callers=(SHOP,)),
            id="something scales it from zero",
        ),
        pytest.param(
            a_backing(for_s=39, n_pods=1, workloads=(WEB,)), id="its only pod is starting"
        ),
        pytest.param(a_backing(for_s=59, workloads=(WEB,)), id="its pods are being made"),
    ],
)
def test_a_service_that_is_not_needed_or_not_ready_yet_is_quiet(backing: Backing) -> None:
    pod = a_pod("web", statuses=[a_status(ready=False)])

    assert alerts_of(backing, pod) == []


def test_pods_with_a_long_budget_are_waited_for() -> None:
    slow = Probe(period_seconds=10, failure_threshold=30)
    pod = a_pod(
        "web",
        containers=[a_container(startup=slow)],
        statuses=[a_status(state=waiting("CrashLoopBackOff"), ready=False)],
    )

    assert alerts_of(a_backing(for_s=330, n_pods=1, workloads=(WEB,)), pod) == []
    assert len(alerts_of(a_backing(for_s=345, n_pods=1, workloads=(WEB,)), pod)) == 1


@pytest.mark.parametrize(
    ("pod", "due_s"),
    [
        pytest.param(
            a_pod(
                "web",
                phase="Pending",
                created=ago(100),
                statuses=[a_status(state=waiting("ContainerCreating"), ready=False)],
            ),
            500,
            id="its large image is being pulled",
        ),
        pytest.param(
            a_pod("web", phase="Pending", created=ago(100), node="", statuses=[]),
            500,
            id="it is new to its node, or waits for one",
        ),
        pytest.param(
            a_pod("web", statuses=[a_status(state=running(ago(10)), ready=False)]),
            30,
            id="its predecessor took long to leave",
        ),
    ],
)
def test_a_pod_has_its_time_from_when_it_could_start(pod: Pod, due_s: int) -> None:
    backing = a_backing(for_s=300, n_pods=1, workloads=(WEB,))

    alerts = [
        list(check(seen(pod, backings=[backing], listed=NEEDED, now_us=NOW_US + s * 1_000_000)))
        for s in (0, due_s - 1, due_s)
    ]

    assert [len(each) for each in alerts] == [0, 0, 1]


@pytest.mark.parametrize("missing", sorted(NEEDED))
def test_nothing_is_absent_before_all_is_listed(missing: str) -> None:
    backing = a_backing(near=(WEB,), missing_ports=("http",))

    assert list(check(seen(backings=[backing], listed=NEEDED - {missing}))) == []


# ------------------------------------------------------------------ a label that is set at run time


def test_a_leader_that_nobody_becomes_is_trouble_after_a_minute() -> None:
    (alert,) = alerts_of(a_backing(for_s=60, near=(WEB,), run_time_labels=("role",)))

    assert alert.workload.kind == "Service"
    assert "No template carries role: what sets it at run time has not." in alert.message


def test_pods_that_start_slowly_have_their_time_before_one_of_them_leads() -> None:
    probe = Probe(initial_delay_seconds=200)
    container = a_container(readiness=probe)
    pod = a_pod(
        "web",
        containers=[container],
        statuses=[a_status(state=running(ago(100)), ready=False)],
        created=ago(100),
    )
    waiting = a_backing(for_s=100, near=(WEB,), run_time_labels=("role",))

    assert alerts_of(waiting, pod) == []
    assert alerts_of(waiting) != []
