"""All rules at one look."""

import msgspec

from copilot.detect.engine import detect
from copilot.detect.rules import RULES
from copilot.domain.alert import Rule
from copilot.domain.event import ReceivedAlert
from copilot.domain.objects import epoch_us
from tests.builders_detect import (
    FAULTS_US,
    a_recorded_pod,
    recorded_faults,
    seen,
)
from tests.builders_objects import a_pod, ago, ago_us, an_oom_killed_pod


def test_there_is_a_check_for_every_rule() -> None:
    assert set(RULES) == set(Rule)


def test_each_fault_of_a_real_cluster_is_found_and_nothing_else() -> None:
    alerts = detect(seen(*recorded_faults(), now_us=FAULTS_US))

    assert {(alert.workload.name, alert.rule.value) for alert in alerts} == {
        ("badprobe", "not_ready"),
        ("childoom", "oom_killed"),
        ("childoom", "crash_loop"),
        ("crasher", "crash_loop"),
        ("noimage", "image_pull"),
        ("toolarge", "unschedulable"),
    }


def test_healthy_and_finished_pods_of_a_real_cluster_stay_quiet_for_ten_minutes() -> None:
    well = [
        pod
        for pod in recorded_faults()
        if (pod.metadata.labels or {})["app"] in ("fine", "donejob")
    ]

    looks = [detect(seen(*well, now_us=FAULTS_US + s * 1_000_000)) for s in range(0, 600, 10)]

    assert len(well) == 2
    assert looks == [()] * 60


def test_a_pod_that_is_being_created_or_deleted_gives_nothing() -> None:
    fresh = a_pod(created=ago(1), phase="Pending", statuses=[], conditions=[])
    leaving = an_oom_killed_pod()
    leaving = msgspec.structs.replace(
        leaving, metadata=msgspec.structs.replace(leaving.metadata, deletion_timestamp=ago(1))
    )

    assert detect(seen(fresh, leaving)) == ()


def test_pods_of_one_workload_make_one_alert_with_the_earliest_start_and_the_most_repeats() -> None:
    first = an_oom_killed_pod(suffix="aaaaa", killed=ago(50), restart_count=1)
    second = an_oom_killed_pod(suffix="bbbbb", killed=ago(20), restart_count=6)

    (alert,) = [a for a in detect(seen(first, second)) if a.rule is Rule.OOM_KILLED]

    assert alert.pod == first.metadata.name
    assert (alert.starts_us, alert.count) == (ago_us(50), 7)


def test_what_still_fires_outweighs_a_sender_that_says_it_ended() -> None:
    pod = an_oom_killed_pod()
    ended = ReceivedAlert(
        source="alertmanager",
        fingerprint="x",
        name="ContainerOOMKilled",
        is_firing=False,
        starts_us=ago_us(300),
        ends_us=ago_us(1),
        labels={"namespace": "demo", "pod": pod.metadata.name},
        annotations={},
    )

    (alert,) = [a for a in detect(seen(pod, received=[ended])) if a.rule is Rule.OOM_KILLED]

    assert (alert.is_firing, alert.source) == (True, "pod status")


def test_the_same_look_gives_the_same_alerts() -> None:
    look = seen(a_recorded_pod("kubernetes/pod_oomkilled_crashloop.json"), now_us=FAULTS_US)

    assert detect(look) == detect(look)


def test_fingerprints_are_the_same_in_every_process() -> None:
    pod = a_recorded_pod("kubernetes/pod_oomkilled_crashloop.json")

    alerts = detect(seen(pod, now_us=epoch_us(ago(0))))

    assert [alert.fingerprint for alert in alerts if alert.rule is Rule.CRASH_LOOP] == [
        "305524ff48ff5228db9c88fc348b8ab0"
    ]


def test_a_look_survives_the_wire() -> None:
    look = seen(a_recorded_pod("kubernetes/pod_oomkilled_crashloop.json"))

    again = msgspec.json.decode(msgspec.json.encode(look), type=type(look))

    assert detect(again) == detect(look)
