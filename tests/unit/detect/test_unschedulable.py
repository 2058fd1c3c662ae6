"""Pods that find no node."""

from datetime import datetime

import pytest

from copilot.detect.rules.unschedulable import check
from copilot.domain.objects import Pod
from tests.builders_detect import FAULTS_US, recorded_faults, seen
from tests.builders_objects import a_pod, ago, condition


def a_pending_pod(
    *, reason: str = "Unschedulable", for_s: float = 30, deleted: datetime | None = None
) -> Pod:
    refusal = condition(
        "PodScheduled",
        False,
        reason=reason,
        message="0/3 nodes are available: 3 Insufficient cpu. preemption: none helps.",
        since=ago(for_s),
    )
    return a_pod(phase="Pending", node="", statuses=[], conditions=[refusal], deleted=deleted)


def test_the_pod_that_is_too_large_for_a_real_cluster_says_why() -> None:
    (alert,) = check(seen(*recorded_faults(), now_us=FAULTS_US))

    assert alert.title == "toolarge finds no node: not enough memory"
    assert "has waited 1 min 53 s for a node" in alert.message
    assert alert.node == ""


def test_it_begins_when_the_scheduler_first_refused() -> None:
    (alert,) = check(seen(a_pending_pod(for_s=30)))

    assert alert.last_us - alert.starts_us == 30_000_000
    assert alert.title == "oom-demo finds no node: not enough cpu"


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod(), id="healthy"),
        pytest.param(a_pending_pod(for_s=3), id="for three seconds only"),
        pytest.param(a_pending_pod(reason="SchedulingGated"), id="held back on purpose"),
        pytest.param(a_pending_pod(deleted=ago(1)), id="being deleted"),
        pytest.param(a_pod(phase="Pending", statuses=[], conditions=[]), id="not looked at yet"),
    ],
)
def test_pods_that_wait_for_good_reason_are_quiet(pod: Pod) -> None:
    assert list(check(seen(pod))) == []
