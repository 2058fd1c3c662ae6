"""A real cluster, and nothing instead of it: without one these tests fail, they do not skip."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, Page

from tests.browser import browser, signed_in
from tests.contract.cluster_targets import KubeHttp, Target, container_status
from tests.e2e.copilot_process import Copilot, up_on

__all__ = ["browser"]

DEMO = Path(__file__).parents[2] / "demo"
TOGGLE = DEMO / "chaos" / "oom-toggle-job.yaml"
PLURALS = {
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "Deployment": "apps/deployments",
    "Job": "batch/jobs",
    "Role": "rbac.authorization.k8s.io/roles",
    "RoleBinding": "rbac.authorization.k8s.io/rolebindings",
    "ClusterRole": "rbac.authorization.k8s.io/clusterroles",
    "ClusterRoleBinding": "rbac.authorization.k8s.io/clusterrolebindings",
}


@pytest.fixture(scope="session")
def cluster() -> Target:
    given = os.environ.get("COPILOT_TEST_KUBECONFIG")
    assert given, "there is no cluster: run `make test-cluster`, with CONTEXT=NAME for one of yours"
    return Target(is_demo=False, kubeconfig=Path(given), context=None)


@pytest.fixture(scope="module")
def demo(cluster: Target) -> Iterator[KubeHttp]:
    """The demo's namespace with its healthy service; gone in the end."""
    with a_demo(cluster, "demo") as kube:
        yield kube


@contextmanager
def a_demo(cluster: Target, namespace: str) -> Iterator[KubeHttp]:
    """The demo in a namespace of this name; gone in the end."""
    kube = KubeHttp(cluster, namespace)
    manifest = (DEMO / "oom-demo.yaml").read_text()
    manifest = manifest.replace("name: demo\n", f"name: {namespace}\n")
    try:
        apply(kube, manifest.replace("namespace: demo\n", f"namespace: {namespace}\n"))
        kube.rolled_out("oom-demo")
        yield kube
    finally:
        kube.http.delete(f"/api/v1/namespaces/{namespace}")
        kube.until(
            lambda: kube.http.get(f"/api/v1/namespaces/{namespace}").status_code == 404,
            f"an end of {namespace}",
        )
        kube.http.close()


@pytest.fixture(scope="module")
def copilot(
    cluster: Target, demo: KubeHttp, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copilot]:
    running = up_on(tmp_path_factory.mktemp("copilot"), cluster.kubeconfig)
    yield running
    running.stop()


@pytest.fixture
def page(browser: Browser, copilot: Copilot) -> Iterator[Page]:
    with signed_in(browser, copilot) as page:
        yield page


def apply(kube: KubeHttp, manifest: Path | str) -> None:
    """As `kubectl apply --server-side -f` does, of a file or of text that was printed."""
    text = manifest.read_text() if isinstance(manifest, Path) else manifest
    for document in yaml.safe_load_all(text):
        metadata: dict[str, Any] = document["metadata"]
        path = kube.path(PLURALS[document["kind"]], metadata["name"], metadata.get("namespace", ""))
        answer = kube.http.patch(
            path,
            content=json.dumps(document),
            headers={"Content-Type": "application/apply-patch+yaml"},
            params={"fieldManager": "kubectl", "force": "true"},
        )
        assert answer.status_code in (200, 201), answer.text


def toggle(kube: KubeHttp) -> str:
    """Run the chaos Job once; what it says."""
    apply(kube, TOGGLE)
    kube.until(
        lambda: kube.read("batch/jobs", "oom-toggle").get("status", {}).get("succeeded"),
        "a job that is through",
        60,
    )
    (pod,) = kube.items("pods", labelSelector="job-name=oom-toggle")
    said = kube.log(pod["metadata"]["name"]).text
    kube.http.delete(
        kube.path("batch/jobs", "oom-toggle"), params={"propagationPolicy": "Foreground"}
    )
    kube.until(lambda: kube.get("batch/jobs", "oom-toggle").status_code == 404, "an end of the job")
    return said


def limit(kube: KubeHttp) -> str:
    (container,) = kube.read("apps/deployments", "oom-demo")["spec"]["template"]["spec"][
        "containers"
    ]
    return str(container["resources"]["limits"]["memory"])


def killed_pod(kube: KubeHttp) -> dict[str, Any] | None:
    """The first pod of which the kubelet says that the kernel killed it."""
    for pod in kube.pods_of("oom-demo"):
        status = container_status(pod)
        for state in (status.get("state", {}), status.get("lastState", {})):
            if state.get("terminated", {}).get("reason") == "OOMKilled":
                return pod
    return None
