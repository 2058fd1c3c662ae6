"""A pod that nobody makes anew, killed by a real kernel at its limit, and healed where it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.cluster_targets import KubeHttp, container_status
from tests.e2e.copilot_process import (
    Copilot,
    approve,
    audited,
    open_incident_of,
    proposed,
    resolved,
    wait_for,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

NAME = "importer"
SPEC: dict[str, Any] = {
    "automountServiceAccountToken": False,
    "terminationGracePeriodSeconds": 1,
    "containers": [
        {
            "name": "app",
            "image": "docker.io/lab/oom-demo:1",
            "imagePullPolicy": "IfNotPresent",
            # Lives for nine seconds under its limit, and needs half as much again.
            "command": ["/bin/memhog", "2", "600", "48"],
            "resources": {
                "requests": {"cpu": "10m", "memory": "16Mi"},
                "limits": {"memory": "32Mi"},
            },
        }
    ],
}


@pytest.fixture(scope="module")
def pod(demo: KubeHttp) -> Iterator[dict[str, Any]]:
    listed = demo.http.get("/api/v1").json()["resources"]
    assert "pods/resize" in {one["name"] for one in listed}, "this cluster resizes no pod in place"
    answer = demo.create(
        "pods", {"metadata": {"name": NAME, "labels": {"app": NAME}}, "spec": SPEC}
    )
    assert answer.status_code == 201, answer.text
    yield answer.json()
    demo.http.delete(demo.path("pods", NAME))


def test_a_pod_that_stands_alone_is_healed_where_it_runs(
    copilot: Copilot, demo: KubeHttp, pod: dict[str, Any]
) -> None:
    with copilot.client() as client:
        incident = wait_for(lambda: open_incident_of(client, NAME), "an incident", 90)
        fix = wait_for(lambda: proposed(client, incident["id"]), "a fix", 30)

        assert fix["command"].startswith("kubectl -n demo patch pod importer --subresource resize")
        assert "memory: 64Mi" in fix["diff"]
        assert demo.read("pods", NAME)["spec"]["containers"][0]["resources"]["limits"] == {
            "memory": "32Mi"
        }

        approve(client, fix).raise_for_status()
        wait_for(lambda: resolved(client, incident["id"]), "a fix that holds", 180)

        assert audited(client, incident["id"])[-3:-1] == ["action.applied", "action.verified"]
    live = demo.read("pods", NAME)
    assert live["metadata"]["uid"] == pod["metadata"]["uid"]
    assert container_status(live)["resources"]["limits"] == {"memory": "64Mi"}
    assert "running" in container_status(live)["state"]
