"""Pods that find no node."""

from datetime import datetime

import msgspec
import pytest

from copilot.detect.rules.unschedulable import check
from copilot.domain.objects import Pod
from tests.builders_detect import FAULTS_US, recorded_faults, seen
from tests.builders_objects import a_pod, ago, an_event, condition, ref_of

TOO_LARGE = "0/3 nodes are available: 3 Insufficient cpu. preemption: none helps."
JOINING = (
    "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint "
    "{node.kubernetes.io/not-ready: }."
)
UNBOUND = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."


def a_pending_pod(
    *,
    reason: str = "Unschedulable",
    for_s: float = 30,
    deleted: datetime | None = None,
    message: str = TOO_LARGE,
    nominated: str = "",
) -> Pod:
    refusal = condition(
        "PodScheduled",
        False,
        reason=reason,
        message=message,
        since=ago(for_s),
    )
    pod = a_pod(phase="Pending", node="", statuses=[], conditions=[refusal], deleted=deleted)
    status = msgspec.structs.replace(pod.status, nominated_node_name=nominated)
    return msgspec.structs.replace(pod, status=status)


def test_the_pod_that_is_too_large_for_a_real_cluster_says_why() -> None:
    (alert,) = check(seen(*recorded_faults(), now_us=FAULTS_US))

    assert alert.title == "toolarge finds no node: not enough memory"
    assert "has waited 1 min 53 s for a node" in alert.message
    assert alert.node == ""


def test_it_begins_when_the_scheduler_first_refused() -> None:
    (alert,) = check(seen(a_pending_pod(for_s=30)))

    assert alert.last_us - alert.starts_us == 30_000_000
    assert alert.title == "oom-demo finds no node: not enough cpu"


def test_a_reason_of_which_we_know_no_words_is_quoted() -> None:
    (alert,) = check(seen(a_pending_pod(message='persistentvolumeclaim "data" not found')))

    assert alert.title == 'oom-demo finds no node: persistentvolumeclaim "data" not found'


@pytest.mark.parametrize(
    "pod",
    [
        a_pending_pod(for_s=61, nominated="n1"),
        a_pending_pod(for_s=61, message=UNBOUND),
        a_pending_pod(for_s=61, message=JOINING),
    ],
)
def test_what_is_under_way_for_too_long_is_told(pod: Pod) -> None:
    assert len(list(check(seen(pod)))) == 1


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod(), id="healthy"),
        pytest.param(a_pending_pod(for_s=3), id="for three seconds only"),
        pytest.param(a_pending_pod(for_s=60, nominated="n1"), id="room is being made for it"),
        pytest.param(a_pending_pod(for_s=60, message=UNBOUND), id="its volume is being made"),
        pytest.param(a_pending_pod(for_s=60, message=JOINING), id="a node is joining"),
        pytest.param(a_pending_pod(reason="SchedulingGated"), id="held back on purpose"),
        pytest.param(a_pending_pod(deleted=ago(1)), id="being deleted"),
        pytest.param(a_pod(phase="Pending", statuses=[], conditions=[]), id="not looked at yet"),
    ],
)
def test_pods_that_wait_for_good_reason_are_quiet(pod: Pod) -> None:
    assert list(check(seen(pod))) == []


def test_a_pod_whose_predecessor_is_just_leaving_is_waited_for() -> None:
    leaving = a_pod(suffix="older", deleted=ago(-20))

    assert list(check(seen(a_pending_pod(for_s=30), leaving))) == []
    assert len(list(check(seen(a_pending_pod(for_s=61), leaving)))) == 1


@pytest.mark.parametrize("reason", ["TriggeredScaleUp", "Nominated"])
def test_a_node_that_an_autoscaler_is_making_for_it_is_waited_for(reason: str) -> None:
    about = ref_of("Pod", a_pending_pod().metadata)
    coming = an_event(about, reason, "pod triggered scale-up", type="Normal")

    assert list(check(seen(a_pending_pod(for_s=200), events=[coming]))) == []
    assert len(list(check(seen(a_pending_pod(for_s=301), events=[coming])))) == 1
