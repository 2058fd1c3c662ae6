"""The chaos Job of the quickstart, with its own account, on a real cluster."""

from __future__ import annotations

import pytest

from tests.cluster.conftest import limit, toggle
from tests.contract.cluster_targets import KubeHttp

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]


def test_the_job_toggles_the_limit_down_and_up(demo: KubeHttp) -> None:
    limits = [limit(demo)]

    for _ in range(2):
        said = toggle(demo)
        limits.append(limit(demo))
        assert limits[-1] in said

    assert limits == ["64Mi", "32Mi", "64Mi"]


def test_its_writes_bear_its_own_name(demo: KubeHttp) -> None:
    fields = demo.read("apps/deployments", "oom-demo")["metadata"]["managedFields"]

    assert [f["operation"] for f in fields if f["manager"] == "oom-toggle"] == ["Update"]


def test_its_account_may_touch_the_one_deployment_and_nothing_else(demo: KubeHttp) -> None:
    rules = demo.read("rbac.authorization.k8s.io/roles", "oom-toggle")["rules"]

    def is_allowed(verb: str, resource: str, name: str) -> bool:
        review = {
            "spec": {
                "user": "system:serviceaccount:demo:oom-toggle",
                "resourceAttributes": {
                    "namespace": "demo",
                    "verb": verb,
                    "group": "apps" if resource == "deployments" else "",
                    "resource": resource,
                    "name": name,
                },
            }
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return bool(demo.http.post(path, json=review).json()["status"]["allowed"])

    assert len(rules) == 1
    assert is_allowed("patch", "deployments", "oom-demo")
    assert not is_allowed("patch", "deployments", "another")
    assert not is_allowed("delete", "deployments", "oom-demo")
    assert not is_allowed("get", "secrets", "any")
