"""The runner's own eyes: what is ready, and what shows that something is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from lab.scenarios.health import is_ready, sign

META = {"name": "cart", "namespace": "shop-01", "generation": 2}


def a_deployment(**status: int) -> dict[str, Any]:
    full = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2}
    full |= {"readyReplicas": 2, "availableReplicas": 2}
    return {
        "kind": "Deployment",
        "metadata": META,
        "spec": {"replicas": 2},
        "status": {**full, **status},
    }


def a_pod(*, meta: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {**META, **(meta or {})}, "status": status}


def a_container(**fields: Any) -> list[dict[str, Any]]:
    return [{"name": "app", "state": {}, "lastState": {}, **fields}]


def test_a_deployment_is_ready_when_all_replicas_of_its_present_revision_are() -> None:
    assert is_ready(a_deployment())


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"observedGeneration": 1}, id="its controller has not seen the last change"),
        pytest.param({"updatedReplicas": 1}, id="an old pod is counted"),
        pytest.param({"replicas": 3}, id="an old pod still runs"),
        pytest.param({"availableReplicas": 1}, id="one is not available"),
    ],
)
def test_a_deployment_is_not_ready_before_its_rollout_ended(status: dict[str, int]) -> None:
    assert not is_ready(a_deployment(**status))


def test_a_daemon_set_that_is_wanted_nowhere_is_not_ready() -> None:
    assert not is_ready(
        {"kind": "DaemonSet", "metadata": META, "status": {"observedGeneration": 2}}
    )


def test_a_suspended_cron_job_is_not_ready() -> None:
    ran = {"lastSuccessfulTime": "2026-11-27T15:00:00Z"}

    assert is_ready({"kind": "CronJob", "metadata": META, "spec": {}, "status": ran})
    assert not is_ready(
        {"kind": "CronJob", "metadata": META, "spec": {"suspend": True}, "status": ran}
    )


@pytest.mark.parametrize(
    ("pod", "shown"),
    [
        pytest.param(
            a_pod(containerStatuses=a_container(state={"waiting": {"reason": "ErrImagePull"}})),
            "container ErrImagePull",
            id="a container waits for a bad reason",
        ),
        pytest.param(
            a_pod(
                containerStatuses=a_container(
                    lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}}
                )
            ),
            "container OOMKilled 137",
            id="its last life ended badly",
        ),
        pytest.param(
            a_pod(conditions=[{"type": "PodScheduled", "status": "False"}]),
            "pod Unschedulable",
            id="no node takes it",
        ),
        pytest.param(a_pod(phase="Failed", reason="Evicted"), "pod Evicted", id="it was evicted"),
    ],
)
def test_a_pod_shows_what_is_wrong_with_it(pod: dict[str, Any], shown: str) -> None:
    assert sign(pod) == shown


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(
            a_pod(
                containerStatuses=a_container(state={"waiting": {"reason": "ContainerCreating"}})
            ),
            id="it is being made",
        ),
        pytest.param(
            a_pod(containerStatuses=a_container(state={"terminated": {"exitCode": 0}})),
            id="it ended well",
        ),
        pytest.param(
            a_pod(meta={"deletionTimestamp": "2026-11-27T15:00:00Z"}, phase="Failed"),
            id="it was told to end",
        ),
    ],
)
def test_a_pod_that_is_well_shows_nothing(pod: dict[str, Any]) -> None:
    assert sign(pod) == ""


def test_only_warnings_that_tell_of_a_fault_are_signs() -> None:
    event = {"kind": "Event", "metadata": META, "type": "Warning", "reason": "FailedMount"}

    assert sign(event) == "event FailedMount"
    assert sign({**event, "type": "Normal"}) == ""
    assert sign({**event, "reason": "FailedGetResourceMetric"}) == ""


def test_a_node_under_pressure_shows_it() -> None:
    conditions = [
        {"type": "Ready", "status": "True"},
        {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure"},
    ]

    assert sign({"kind": "Node", "metadata": META, "status": {"conditions": conditions}}) == (
        "node DiskPressure"
    )
