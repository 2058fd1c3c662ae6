"""Containers that run and do not become, or stay, ready."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
import pytest

from copilot.detect.rules.not_ready import check, hanging_inits
from copilot.domain.alert import Backing
from copilot.domain.event import TemplateActivity
from copilot.domain.objects import ContainerPort, Grpc, HttpGet, KubeEvent, Pod, Probe
from tests.builders_detect import FAULTS_US, an_activity, recorded_faults, seen
from tests.builders_objects import (
    NOW_US,
    a_container,
    a_pod,
    a_service,
    a_status,
    ago,
    ago_us,
    an_event,
    condition,
    ref_of,
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


STARTUP = Probe(period_seconds=5, failure_threshold=24)


def a_pod_past_its_startup_probe(*, up_s: float, unready_s: float | None = None) -> Pod:
    pod = an_unready_pod(up_s=up_s, unready_s=unready_s)
    spec = msgspec.structs.replace(
        pod.spec, containers=[a_container(readiness=PROBE, startup=STARTUP)]
    )
    return msgspec.structs.replace(pod, spec=spec)


def test_a_startup_probe_that_has_just_passed_leaves_the_readiness_probe_its_time() -> None:
    assert list(check(seen(a_pod_past_its_startup_probe(up_s=159)))) == []
    assert len(list(check(seen(a_pod_past_its_startup_probe(up_s=161))))) == 1


def test_once_the_readiness_probe_is_asked_the_start_is_over() -> None:
    pod = a_pod_past_its_startup_probe(up_s=90)
    message = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    late, lasting = (
        an_event(ref_of("Pod", pod.metadata), "Unhealthy", message, first_s=first_s)
        for first_s in (40, 41)
    )

    assert list(check(seen(pod, events=[late]))) == []
    assert len(list(check(seen(pod, events=[lasting])))) == 1


def test_what_was_ready_before_has_no_start_to_wait_for() -> None:
    pod = a_pod_past_its_startup_probe(up_s=5000, unready_s=41)

    assert len(list(check(seen(pod)))) == 1


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod(), id="healthy"),
        pytest.param(an_unready_pod(up_s=500, deleted=ago(60)), id="being deleted"),
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


def a_pod_without_its_config_map(
    *, for_s: float = 4, reason: str = NO_CONFIG, says: str = 'configmap "settings" not found'
) -> Pod:
    return a_pod(
        "web",
        phase="Pending",
        statuses=[a_status(state=waiting(reason, says), ready=False)],
        conditions=[condition("Ready", False, reason="ContainersNotReady", since=ago(for_s))],
    )


def test_a_container_that_cannot_be_made_says_what_is_missing() -> None:
    (alert,) = check(seen(a_pod_without_its_config_map()))

    assert alert.title == 'web/app cannot start: configmap "settings" not found'
    assert alert.starts_us == ago_us(4)


def test_a_kubelet_that_is_behind_has_a_minute() -> None:
    says = "failed to sync configmap cache: timed out waiting for the condition"

    assert list(check(seen(a_pod_without_its_config_map(for_s=50, says=says)))) == []
    assert list(check(seen(a_pod_without_its_config_map(for_s=61, says=says)))) != []


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


# ------------------------------------------------------------------ a missing mount, an answer


def a_failed_mount(message: str, *, uid: str = "", first_s: float = 5) -> KubeEvent:
    about = ref_of("Pod", a_pod_without_its_volume(for_s=8).metadata)
    return an_event(replace(about, uid=uid or about.uid), "FailedMount", message, first_s=first_s)


NO_MAP = 'MountVolume.SetUp failed for volume "v" : configmap "settings" not found'


def test_a_volume_of_a_config_map_that_is_not_there_is_told_at_once() -> None:
    (alert,) = check(seen(a_pod_without_its_volume(for_s=8), events=[a_failed_mount(NO_MAP)]))

    assert alert.title == f"web cannot start: {NO_MAP}"


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(a_failed_mount(NO_MAP, first_s=3), id="it may come yet"),
        pytest.param(a_failed_mount("mount failed: exit status 32"), id="another trouble"),
        pytest.param(a_failed_mount(NO_MAP, uid="an-earlier-pod"), id="another pod of that name"),
    ],
)
def test_other_mounts_have_their_minute(event: KubeEvent) -> None:
    assert list(check(seen(a_pod_without_its_volume(for_s=8), events=[event]))) == []


def an_answer(pod: Pod, message: str, *, last_s: float = 1, container: str = "app") -> KubeEvent:
    return an_event(
        ref_of("Pod", pod.metadata), "Unhealthy", message, last_s=last_s, container=container
    )


NOT_FOUND = "Readiness probe failed: HTTP probe failed with statuscode: 404"


def test_a_path_that_is_not_there_will_not_be_there_later() -> None:
    pod = an_unready_pod(up_s=11)

    (alert,) = check(seen(pod, events=[an_answer(pod, NOT_FOUND)]))

    assert "statuscode: 404" in alert.message


@pytest.mark.parametrize(
    ("up_s", "message", "last_s"),
    [
        (10, NOT_FOUND, 1),
        (30, "Readiness probe failed: HTTP probe failed with statuscode: 503", 1),
        (30, "Readiness probe failed: HTTP probe failed with statuscode: 429", 1),
        (30, "Readiness probe failed: dial tcp 10.0.0.1:8080: connect: connection refused", 1),
        (30, NOT_FOUND.replace("Readiness", "Liveness"), 1),
        (20, NOT_FOUND, 25),
    ],
    ids=[
        "just up",
        "not yet ready",
        "too busy",
        "not yet there",
        "another probe",
        "the run before",
    ],
)
def test_an_answer_that_may_change_has_the_usual_time(
    up_s: float, message: str, last_s: float
) -> None:
    pod = an_unready_pod(up_s=up_s)

    assert list(check(seen(pod, events=[an_answer(pod, message, last_s=last_s)]))) == []


WRONG_SCHEME = (
    'Readiness probe failed: Get "https://10.0.0.1:8443/healthz": '
    "http: server gave HTTP response to HTTPS client"
)
GARBLED = (
    'Readiness probe failed: Get "http://10.0.0.1:8443/healthz": net/http: HTTP/1.x transport '
    'connection broken: malformed HTTP response "\\x15\\x03\\x01\\x00\\x02\\x02"'
)
NO_PROGRAM = (
    "Readiness probe errored and resulted in unknown state: rpc error: code = Unknown desc = "
    'failed to exec in container: failed to start exec "4e1f": OCI runtime exec failed: exec '
    'failed: unable to start container process: exec: "/usr/bin/curl": stat /usr/bin/curl: no '
    "such file or directory"
)


@pytest.mark.parametrize("message", [WRONG_SCHEME, GARBLED, NO_PROGRAM])
def test_an_answer_that_will_stay_the_same_is_not_waited_for(message: str) -> None:
    pod = an_unready_pod(up_s=11)

    assert len(list(check(seen(pod, events=[an_answer(pod, message)])))) == 1


def test_a_file_that_a_probing_program_misses_may_come() -> None:
    pod = an_unready_pod(up_s=30)
    missing = "Readiness probe failed: cat: can't open '/tmp/ready': No such file or directory"

    assert list(check(seen(pod, events=[an_answer(pod, missing)]))) == []


def test_what_another_probe_says_last_does_not_hide_the_answer() -> None:
    pod = an_unready_pod(up_s=11)
    told = [an_answer(pod, NOT_FOUND, last_s=2), an_answer(pod, "Liveness probe failed: timeout")]

    assert len(list(check(seen(pod, events=told)))) == 1


REFUSED = "dial tcp 10.0.0.1:9999: connect: connection refused"


def a_refused_pod(
    *, ports: Sequence[ContainerPort], first_s: float = 16, up_s: float = 9
) -> tuple[Pod, KubeEvent]:
    """Restarted lately by its liveness probe; its readiness probe asks port 9999."""
    pod = an_unready_pod(up_s=up_s, unready_s=20)
    container = msgspec.structs.replace(a_container(readiness=PROBE), ports=list(ports))
    spec = msgspec.structs.replace(pod.spec, containers=[container])
    message = f'Readiness probe failed: Get "http://10.0.0.1:9999/healthz": {REFUSED}'
    told = an_event(
        ref_of("Pod", pod.metadata), "Unhealthy", message, first_s=first_s, container="app"
    )
    return msgspec.structs.replace(pod, spec=spec), told


OTHER = ContainerPort(container_port=8080)


def test_a_port_that_nothing_declares_beside_one_that_is_declared_is_the_wrong_one() -> None:
    pod, told = a_refused_pod(ports=[OTHER])

    (alert,) = check(seen(pod, events=[told]))

    assert "connection refused" in alert.message


@pytest.mark.parametrize(
    ("ports", "first_s"),
    [
        pytest.param([ContainerPort(container_port=9999)], 16, id="a declared port"),
        pytest.param([OTHER, ContainerPort(container_port=9999)], 16, id="one of two"),
        pytest.param([], 16, id="nothing is declared"),
        pytest.param([OTHER], 15, id="not for long"),
    ],
)
def test_a_port_that_may_open_yet_has_the_usual_time(
    ports: Sequence[ContainerPort], first_s: float
) -> None:
    pod, told = a_refused_pod(ports=ports, first_s=first_s)

    assert list(check(seen(pod, events=[told]))) == []


# ------------------------------------------------------------------ init containers


def a_starting_pod(
    *, for_s: float, restart_policy: str = "", command: Sequence[str] = ("wait-for", "db")
) -> Pod:
    pod = a_pod(
        "web",
        phase="Pending",
        statuses=[a_status(state=waiting("PodInitializing"), ready=False)],
        init_statuses=[a_status("wait", state=running(ago(for_s)), ready=False)],
    )
    init = msgspec.structs.replace(
        a_container("wait"), restart_policy=restart_policy, command=list(command)
    )
    spec = msgspec.structs.replace(pod.spec, init_containers=[init])
    return msgspec.structs.replace(pod, spec=spec)


def said(pod: Pod, times: int) -> TemplateActivity:
    activity = an_activity("waiting for db", severity=9, pod=pod.metadata.name, recent=times)
    stream = msgspec.structs.replace(activity.stream, namespace="demo", container="wait")
    return replace(activity, stream=stream)


def test_an_init_container_that_says_the_same_over_and_over_hangs() -> None:
    pod = a_starting_pod(for_s=61)

    (alert,) = check(seen(pod, activity=[said(pod, 5)]))

    assert alert.title == "web/wait does not finish, so its pod does not start"
    assert "over and over: waiting for db" in alert.message
    assert hanging_inits([pod], NOW_US) == [pod]


def test_a_silent_init_container_has_a_quarter_of_an_hour() -> None:
    assert list(check(seen(a_starting_pod(for_s=900)))) == []
    assert len(list(check(seen(a_starting_pod(for_s=901))))) == 1


def a_starting_service(*, empty_s: float) -> Backing:
    return Backing(service=a_service("db"), n_pods=1, n_ready=0, empty_since_us=ago_us(empty_s))


@pytest.mark.parametrize(
    ("pod", "times", "empty_s"),
    [
        pytest.param(a_starting_pod(for_s=60), 30, None, id="for a minute"),
        pytest.param(a_starting_pod(for_s=300), 4, None, id="it says other things"),
        pytest.param(a_starting_pod(for_s=990, restart_policy="Always"), 99, None, id="a sidecar"),
        pytest.param(a_starting_pod(for_s=80), 30, 50, id="what it waits for is starting"),
    ],
)
def test_an_init_container_that_may_be_done_soon_is_quiet(
    pod: Pod, times: int, empty_s: float | None
) -> None:
    starting = [] if empty_s is None else [a_starting_service(empty_s=empty_s)]

    assert list(check(seen(pod, activity=[said(pod, times)], backings=starting))) == []


def test_a_service_that_does_not_start_is_not_waited_for() -> None:
    pod = a_starting_pod(for_s=80)
    empty = a_starting_service(empty_s=61)

    assert len(list(check(seen(pod, activity=[said(pod, 30)], backings=[empty])))) == 1


# ------------------------------------------------------------------ pods that do not go


def test_a_pod_that_was_to_be_gone_is_stuck() -> None:
    (alert,) = check(seen(a_pod("web", deleted=ago(61))))

    assert alert.title.endswith("does not go: its node has not said that it is gone")


def test_a_finalizer_that_holds_a_pod_is_named() -> None:
    pod = a_pod("web", deleted=ago(61))
    held = msgspec.structs.replace(pod.metadata, finalizers=["example.org/audit"])

    (alert,) = check(seen(msgspec.structs.replace(pod, metadata=held)))

    assert alert.title.endswith("held by example.org/audit")


def test_a_pod_that_failed_for_good_is_not_waited_for() -> None:
    pod = a_pod_without_its_volume(for_s=300)
    status = msgspec.structs.replace(pod.status, phase="Failed", reason="Evicted")

    assert list(check(seen(msgspec.structs.replace(pod, status=status)))) == []


def test_a_sidecar_that_does_not_get_ready_is_told() -> None:
    pod = a_starting_pod(for_s=300, restart_policy="Always")

    (alert,) = check(seen(pod, now_us=NOW_US + 60_000_000))

    assert alert.title == "web/wait is running but not ready"


def test_a_probe_that_speaks_grpc_is_named_so() -> None:
    (alert,) = check(seen(an_unready_pod(up_s=300, probe=Probe(grpc=Grpc(port=9000)))))

    assert "Readiness probe: gRPC on port 9000." in alert.message
