"""New errors and bursts of known ones."""

import msgspec
import pytest

from copilot.detect.rules.error_burst import USUAL_WINDOWS, check, usual_of
from copilot.domain.event import TemplateActivity
from copilot.domain.objects import ContainerState, Pod, Probe
from tests.builders_detect import an_activity, seen
from tests.builders_objects import (
    a_container,
    a_pod,
    a_status,
    ago,
    ago_us,
    condition,
    running,
    terminated,
    waiting,
)

LONG_AGO_US = ago_us(86_400)


def test_an_error_never_seen_before_fires_from_its_first_line_on() -> None:
    activity = an_activity(first_us=ago_us(30), recent=12)

    (alert,) = check(seen(activity=[activity]))

    assert alert.title == "web logs a new error: connection to <*> refused"
    assert (alert.starts_us, alert.count, alert.source) == (ago_us(30), 12, "logs")
    assert "12 lines in 2 min (never seen before)" in alert.message


@pytest.mark.parametrize(
    ("activity", "fires"),
    [
        pytest.param(an_activity(recent=5), True, id="new: five lines"),
        pytest.param(an_activity(recent=4), False, id="new: four lines"),
        pytest.param(an_activity(severity=13), False, id="a warning"),
        pytest.param(an_activity(severity=21), True, id="fatal"),
        pytest.param(
            an_activity(first_us=LONG_AGO_US, recent=50, earlier=5), True, id="ten times as many"
        ),
        pytest.param(
            an_activity(first_us=LONG_AGO_US, recent=49, earlier=5), False, id="not ten times"
        ),
        pytest.param(
            an_activity(first_us=LONG_AGO_US, recent=9, earlier=0), False, id="known, a few again"
        ),
        pytest.param(
            an_activity(first_us=LONG_AGO_US, recent=10, earlier=0), True, id="known, many again"
        ),
        pytest.param(
            an_activity(first_us=LONG_AGO_US, recent=300, earlier=310), False, id="as ever"
        ),
        pytest.param(
            an_activity(first_us=LONG_AGO_US, recent=240, usual=200), False, id="as after any start"
        ),
        pytest.param(
            an_activity(first_us=LONG_AGO_US, recent=2000, usual=200),
            True,
            id="far more than usual",
        ),
    ],
)
def test_what_counts_as_a_burst(activity: TemplateActivity, fires: bool) -> None:
    assert bool(list(check(seen(activity=[activity])))) is fires


def test_the_same_errors_in_new_pods_are_no_burst() -> None:
    old = an_activity(pod="web-old", first_us=LONG_AGO_US, recent=0, earlier=60)
    new = an_activity(pod="web-new", first_us=LONG_AGO_US, recent=60, earlier=0)
    pods = [
        a_pod("web", namespace="shop", template_hash="aaa"),
        a_pod("web", namespace="shop", template_hash="bbb"),
    ]

    assert list(check(seen(*pods, activity=[old, new]))) == []


def test_a_few_lines_in_each_of_many_pods_are_a_burst_together() -> None:
    each = [an_activity(pod=f"web-{i}", recent=2) for i in range(3)]

    (alert,) = check(seen(a_pod("web", namespace="shop"), activity=each))

    assert alert.count == 6
    assert "in 3 pods" in alert.message


def test_a_known_pod_puts_the_burst_on_its_workload() -> None:
    pod = a_pod("web", namespace="shop")

    (alert,) = check(seen(pod, activity=[an_activity(pod=pod.metadata.name)]))

    assert alert.workload.key == "Deployment/shop/web"


def test_an_error_that_another_application_logged_first_began_here_with_its_pod() -> None:
    pod = a_pod("web", namespace="shop", created=ago(20))

    (alert,) = check(seen(pod, activity=[an_activity(pod=pod.metadata.name, first_us=ago_us(90))]))

    assert alert.starts_us == ago_us(20)


def test_a_name_puts_the_burst_on_the_workload_whose_pods_are_labelled_so() -> None:
    pod = a_pod("web", namespace="shop")

    (alert,) = check(seen(pod, activity=[an_activity(pod="web-gone")]))

    assert alert.workload.key == "Deployment/shop/web"


def test_an_application_that_the_cluster_does_not_know_stands_for_itself() -> None:
    (alert,) = check(seen(activity=[an_activity(app="checkout", pod="")]))

    assert alert.workload.key == "App/shop/checkout"


def test_two_errors_of_one_application_are_two_alerts() -> None:
    first, second = an_activity("disk <*> full"), an_activity("no route to <*>")

    alerts = list(check(seen(activity=[first, second])))

    assert len({alert.fingerprint for alert in alerts}) == 2


# ------------------------------------------------------------------ errors of a start


def a_starting_pod(
    *, up_s: float, readiness: Probe | None = None, startup: Probe | None = None
) -> Pod:
    status = a_status(state=running(ago(up_s)), ready=False)
    return a_pod(
        "web",
        namespace="shop",
        containers=[a_container(readiness=readiness, startup=startup)],
        statuses=[msgspec.structs.replace(status, started=startup is None)],
        conditions=[condition("Ready", False, since=ago(up_s))],
    )


TEN_TIMES = Probe(period_seconds=3, failure_threshold=10)


@pytest.mark.parametrize("up_s", [29, 31])
@pytest.mark.parametrize("which", ["readiness", "startup"])
def test_a_container_may_log_errors_for_as_long_as_its_probes_let_it_start(
    which: str, up_s: float
) -> None:
    pod = a_starting_pod(
        up_s=up_s,
        readiness=TEN_TIMES if which == "readiness" else None,
        startup=TEN_TIMES if which == "startup" else None,
    )

    alerts = list(check(seen(pod, activity=[an_activity(pod=pod.metadata.name)])))

    assert bool(alerts) is (up_s > 30)


def test_a_container_that_was_ready_before_is_not_starting() -> None:
    pod = a_starting_pod(up_s=900, readiness=TEN_TIMES)
    lost = condition("Ready", False, since=ago(10))
    pod = msgspec.structs.replace(
        pod, status=msgspec.structs.replace(pod.status, conditions=[lost])
    )

    assert len(list(check(seen(pod, activity=[an_activity(pod=pod.metadata.name)])))) == 1


def test_the_errors_of_one_pod_are_told_beside_another_that_starts() -> None:
    starting = a_starting_pod(up_s=5, readiness=TEN_TIMES)
    old = a_pod("web", namespace="shop", suffix="old")
    logged = [an_activity(pod=p.metadata.name, recent=6) for p in (starting, old)]

    (alert,) = check(seen(starting, old, activity=logged))

    assert alert.count == 6


@pytest.mark.parametrize(
    ("state", "restart_policy", "fires"),
    [
        pytest.param(running(ago(20)), "", False, id="it waits"),
        pytest.param(
            terminated(started=ago(30), finished=ago(5), reason="Completed", exit_code=0),
            "",
            False,
            id="it is done",
        ),
        pytest.param(waiting("CrashLoopBackOff"), "", False, id="it fails: rules of its own"),
        pytest.param(running(ago(20)), "Always", True, id="a sidecar"),
    ],
)
def test_the_errors_of_an_init_container_are_no_burst(
    state: ContainerState, restart_policy: str, fires: bool
) -> None:
    pod = a_pod("web", namespace="shop", init_statuses=[a_status("app", state=state)], statuses=[])
    init = msgspec.structs.replace(a_container("app"), restart_policy=restart_policy)
    spec = msgspec.structs.replace(pod.spec, init_containers=[init])
    pod = msgspec.structs.replace(pod, spec=spec)

    alerts = list(check(seen(pod, activity=[an_activity(pod=pod.metadata.name)])))

    assert bool(alerts) is fires


def test_what_is_logged_for_an_hour_is_usual_and_an_outage_is_not() -> None:
    assert usual_of([20] * USUAL_WINDOWS) == 20
    assert usual_of([500] * (USUAL_WINDOWS - 1)) == 0
    assert usual_of([20] * USUAL_WINDOWS + [900] * 10) == 20
    assert usual_of([]) == 0


def test_what_is_usual_stands_beside_what_is_now() -> None:
    activity = an_activity(first_us=LONG_AGO_US, recent=2000, usual=200)

    (alert,) = check(seen(activity=[activity]))

    assert "2000 lines in 2 min (usually 200)" in alert.message
