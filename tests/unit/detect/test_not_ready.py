"""Containers that run and do not become, or stay, ready."""

from datetime import datetime

import msgspec
import pytest

from copilot.detect.rules.not_ready import check
from copilot.domain.objects import HttpGet, Pod, Probe
from tests.builders_detect import FAULTS_US, recorded_faults, seen
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

PROBE = Probe(http_get=HttpGet(path="/healthz", port=9999), period_seconds=2, failure_threshold=3)
NO_CONFIG = "CreateContainerConfigError"
SLOW = Probe(initial_delay_seconds=60, period_seconds=10, failure_threshold=6)


def an_unready_pod(
    *,
    up_s: float,
    unready_s: float | None = None,
    probe: Probe | None = PROBE,
    deleted: datetime | None = None,
) -> Pod:
    """Up since `up_s`; never ready since, or unready since `unready_s`."""
    since = ago(up_s + 1 if unready_s is None else unready_s)
    return a_pod(
        "web",
        containers=[a_container(readiness=probe)],
        statuses=[a_status(state=running(ago(up_s)), ready=False)],
        conditions=[condition("Ready", False, reason="ContainersNotReady", since=since)],
        deleted=deleted,
    )


def test_the_real_pod_with_a_wrong_probe_is_the_only_one() -> None:
    (alert,) = check(seen(*recorded_faults(), now_us=FAULTS_US))

    assert alert.title == "badprobe/app is running but not ready"
    assert "(1 min 52 s)" in alert.message
    assert "GET /healthz on port 9999" in alert.message


def test_a_pod_that_was_ready_and_is_no_more_counts_from_its_condition() -> None:
    (alert,) = check(seen(an_unready_pod(up_s=5000, unready_s=41)))

    assert alert.starts_us == ago_us(41)


@pytest.mark.parametrize(
    ("probe", "up_s", "fires"),
    [
        pytest.param(PROBE, 40, False, id="half a minute and ten seconds are always allowed"),
        pytest.param(PROBE, 41, True, id="a short probe, too long"),
        pytest.param(SLOW, 130, False, id="within a slow probe's budget"),
        pytest.param(SLOW, 131, True, id="over a slow probe's budget"),
        pytest.param(Probe(), 41, True, id="the API's defaults: 10 s three times"),
        pytest.param(None, 41, True, id="no probe at all"),
    ],
)
def test_a_start_has_the_budget_of_its_own_probe(
    probe: Probe | None, up_s: float, fires: bool
) -> None:
    alerts = list(check(seen(an_unready_pod(up_s=up_s, probe=probe))))

    assert bool(alerts) is fires


@pytest.mark.parametrize(("up_s", "fires"), [(339, False), (341, True)])
def test_a_startup_probe_that_has_not_passed_adds_its_budget(up_s: float, fires: bool) -> None:
    startup = Probe(period_seconds=10, failure_threshold=30)
    status = a_status(state=running(ago(up_s)), ready=False)
    starting = a_pod(
        containers=[a_container(readiness=PROBE, startup=startup)],
        statuses=[msgspec.structs.replace(status, started=False)],
        conditions=[condition("Ready", False, since=ago(up_s))],
    )

    assert bool(list(check(seen(starting)))) is fires


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod(), id="healthy"),
        pytest.param(an_unready_pod(up_s=500, deleted=ago(30)), id="being deleted"),
        pytest.param(
            a_pod(statuses=[a_status(state=waiting("ContainerCreating"), ready=False)]),
            id="not started yet",
        ),
        pytest.param(
            a_pod(
                statuses=[
                    a_status(state=terminated(started=ago(900), finished=ago(800)), ready=False)
                ]
            ),
            id="not running",
        ),
        pytest.param(an_unready_pod(up_s=3, unready_s=4000), id="just restarted"),
    ],
)
def test_what_is_not_up_for_long_is_quiet(pod: Pod) -> None:
    assert list(check(seen(pod))) == []


def a_pod_without_its_config_map(*, for_s: float = 4, reason: str = NO_CONFIG) -> Pod:
    return a_pod(
        "web",
        phase="Pending",
        statuses=[a_status(state=waiting(reason, 'configmap "settings" not found'), ready=False)],
        conditions=[condition("Ready", False, reason="ContainersNotReady", since=ago(for_s))],
    )


def test_a_container_that_cannot_be_made_says_what_is_missing() -> None:
    (alert,) = check(seen(a_pod_without_its_config_map()))

    assert alert.title == 'web/app cannot start: configmap "settings" not found'
    assert alert.starts_us == ago_us(4)


def test_where_it_is_is_not_said_twice() -> None:
    why = 'image will run as root (pod: "web-1_demo(afd5fb34)", container: app)'
    status = a_status(state=waiting(NO_CONFIG, why), ready=False)

    (alert,) = check(seen(a_pod("web", statuses=[status])))

    assert alert.title == "web/app cannot start: image will run as root"


def a_pod_without_its_volume(*, for_s: float, id: str = "") -> Pod:
    unprepared = condition("PodReadyToStartContainers", False, since=ago(for_s))
    status = a_status(state=waiting("ContainerCreating"), ready=False)
    return a_pod(
        "web",
        phase="Pending",
        statuses=[msgspec.structs.replace(status, container_id=id)],
        conditions=[unprepared, condition("Ready", False, since=ago(for_s))],
    )


def test_a_pod_whose_volumes_are_not_there_after_a_minute_cannot_start() -> None:
    (alert,) = check(seen(a_pod_without_its_volume(for_s=61)))

    assert alert.title == "web cannot start: its volumes or its network are not ready"


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod_without_its_config_map(for_s=3), id="it may come yet"),
        pytest.param(a_pod_without_its_config_map(reason="ContainerCreating"), id="being made"),
        pytest.param(a_pod_without_its_volume(for_s=60), id="a volume that is being attached"),
        pytest.param(a_pod_without_its_volume(for_s=900, id="c://1"), id="it has run before"),
    ],
)
def test_a_start_that_takes_its_time_is_quiet(pod: Pod) -> None:
    assert list(check(seen(pod))) == []


def test_only_the_container_that_is_not_ready_is_named() -> None:
    pod = a_pod(
        statuses=[a_status("good"), a_status("bad", state=running(ago(90)), ready=False)],
        conditions=[condition("Ready", False, since=ago(90))],
    )

    assert [alert.container for alert in check(seen(pod))] == ["bad"]
