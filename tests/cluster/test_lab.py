"""The lab itself: real image faults, an interrupted start, neighbours."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cluster import Lab
from lab.instance import Instance
from lab.registry import PASSWORD, USER
from lab.sandbox import Sandbox
from tests.contract.cluster_targets import KubeHttp, Obj, Target, container_status

pytestmark = [pytest.mark.cluster, pytest.mark.lab, pytest.mark.timeout(180)]

HERE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def kube(cluster: Target) -> Iterator[KubeHttp]:
    """A namespace of its own, with the secret that opens the registry."""
    kube = KubeHttp(cluster, f"lab-{secrets.token_hex(3)}")
    body = {"metadata": {"name": kube.namespace}}
    assert kube.http.post("/api/v1/namespaces", json=body).status_code == 201
    login = {"auths": {"registry.lab:5000": {"username": USER, "password": PASSWORD}}}
    config = base64.b64encode(json.dumps(login).encode()).decode()
    secret = {
        "metadata": {"name": "pull"},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": config},
    }
    assert kube.create("secrets", secret).status_code == 201
    yield kube
    kube.http.delete(f"/api/v1/namespaces/{kube.namespace}")
    kube.http.close()


@pytest.fixture
def neighbour() -> Iterator[Lab]:
    """The name of a lab that is down before and after."""
    lab = Lab(Instance(f"near-{secrets.token_hex(3)}"))
    yield lab
    lab.down()
    for log in lab.instance.logs.glob("*"):
        log.unlink()
    lab.instance.logs.rmdir()
    lab.instance.state.rmdir()


def a_pod(kube: KubeHttp, image: str, **spec: object) -> str:
    """Its name; its account is not waited for by the API server's admission, so we do."""
    kube.until(lambda: kube.get("serviceaccounts", "default").status_code == 200, "an account")
    name = f"pod-{secrets.token_hex(3)}"
    container: Obj = {"name": "app", "image": image, "imagePullPolicy": "Always"}
    container |= {"command": ["/bin/sleep", "600"]}
    body = {
        "metadata": {"name": name},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec},
    }
    assert kube.create("pods", body).status_code == 201
    return name


def pull_failure(kube: KubeHttp, pod: str) -> str:
    """What the kubelet says of it, "" until it does."""
    waiting = container_status(kube.read("pods", pod)).get("state", {}).get("waiting", {})
    return str(waiting.get("message", "")) if waiting.get("reason") == "ErrImagePull" else ""


@pytest.mark.parametrize(
    ("image", "said"),
    [
        pytest.param("registry.lab:5000/public/busybox:9", "not found", id="no such tag"),
        pytest.param("registry.lab:5000/public/nothing:1", "not found", id="no such repository"),
        pytest.param("registry.lab:5000/private/busybox:1.35", "401 Unauthorized", id="no secret"),
        pytest.param("registry.lab:5000/members/busybox:1.35", "pull access denied", id="no token"),
        pytest.param(
            "registry.lab:5000/busy/busybox:1.35", "429 Too Many Requests", id="too many pulls"
        ),
        pytest.param("registry.lab:5001/public/busybox:1.35", "connection refused", id="nobody"),
        pytest.param("silent.lab:5000/public/busybox:1.35", "i/o timeout", id="silence"),
        pytest.param("registry.example/busybox:1.35", "no such host", id="no such name"),
    ],
)
def test_a_pull_fails_as_it_does_elsewhere(kube: KubeHttp, image: str, said: str) -> None:
    pod = a_pod(kube, image)

    assert said in kube.until(lambda: pull_failure(kube, pod), f"a failure of {image}")


@pytest.mark.parametrize("realm", ["public", "private", "members"])
def test_a_pull_with_the_secret_succeeds(kube: KubeHttp, realm: str) -> None:
    pod = a_pod(
        kube, f"registry.lab:5000/{realm}/busybox:1.35", imagePullSecrets=[{"name": "pull"}]
    )

    kube.until(lambda: container_status(kube.read("pods", pod)).get("ready"), "a running pod", 30)


def test_a_start_that_was_killed_is_no_hindrance_to_the_next(neighbour: Lab) -> None:
    command = [sys.executable, "-m", "lab", "--name", neighbour.instance.name]
    starting = subprocess.Popen([*command, "up"], cwd=HERE, stdout=subprocess.DEVNULL)
    log = neighbour.instance.logs / "controller-manager.log"
    ends = time.monotonic() + 60
    while not log.exists() and time.monotonic() < ends:
        time.sleep(0.05)
    starting.kill()
    starting.wait()

    neighbour.up(fake_nodes=2)

    assert neighbour.tier == "fake-kubelet"
    assert all(neighbour.running().values())


def test_a_lab_that_is_taken_down_leaves_nothing_and_its_neighbours_alone(
    neighbour: Lab, kube: KubeHttp
) -> None:
    neighbour.up()
    assert neighbour.kubectl("get", "nodes", "--no-headers").split()[1] == "Ready"
    holder = Sandbox(neighbour.instance).holder
    assert holder is not None

    neighbour.down()

    assert list(Path("/sys/fs/cgroup").glob(f"*/{neighbour.instance.cgroup}")) == []
    assert not holder.is_alive
    assert neighbour.instance.name not in Path("/proc/mounts").read_text()
    assert [p.name for p in neighbour.instance.state.iterdir()] == ["logs"]
    assert is_ready(kube)


def test_a_part_can_be_killed_and_started_again(neighbour: Lab) -> None:
    neighbour.up(fake_nodes=1)

    neighbour.stop("apiserver")
    was_running = neighbour.running()["apiserver"]
    neighbour.start("apiserver")

    assert not was_running
    ends = time.monotonic() + 60
    while not neighbour.answers():
        assert time.monotonic() < ends
        time.sleep(0.2)


def is_ready(kube: KubeHttp) -> bool:
    (node,) = kube.http.get("/api/v1/nodes").json()["items"]
    conditions: list[Obj] = node["status"]["conditions"]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
