"""What is approved is what was seen, once, and it goes back by itself where it does not hold."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.contract.cluster_targets import KubeHttp, Target, a_deployment
from tests.e2e.copilot_process import (
    Copilot,
    approve,
    audited,
    open_incident_of,
    proposed,
    resolved,
    room,
    wait_for,
)

pytestmark = pytest.mark.timeout(150)


@dataclass(frozen=True)
class Broken:
    """A Deployment that is killed for memory, and the fix that waits for a person."""

    name: str
    incident_id: int
    proposal: dict[str, Any]


@pytest.fixture(scope="module")
def kube(copilot: Copilot) -> Iterator[KubeHttp]:
    """The demo namespace, as whoever else works on the cluster sees it."""
    kubeconfig = copilot.data / "demo" / "kubeconfig"
    kube = KubeHttp(Target(is_demo=True, kubeconfig=kubeconfig, context=None), "demo")
    yield kube
    kube.http.close()


@pytest.fixture(scope="module")
def client(copilot: Copilot) -> Iterator[httpx.Client]:
    with copilot.client() as client:
        yield client


@pytest.fixture(scope="module")
def waiting(kube: KubeHttp, client: httpx.Client) -> Broken:
    """One that the tests leave as it is."""
    return a_broken(kube, client, "left-alone")


def a_broken(
    kube: KubeHttp, client: httpx.Client, name: str, *, needs_mib: int = 48, limit: str = "32Mi"
) -> Broken:
    command = ["/bin/memhog", "2", "50", str(needs_mib)]
    resources = {"requests": {"memory": "16Mi"}, "limits": {"memory": limit}}
    hog = a_deployment(name, image="docker.io/lab/oom-demo:1", command=command, resources=resources)
    assert kube.create("apps/deployments", hog).status_code == 201
    incident = wait_for(lambda: open_incident_of(client, name), f"an incident of {name}")
    proposal = wait_for(lambda: proposed(client, incident["id"]), f"a fix for {name}")
    return Broken(name=name, incident_id=incident["id"], proposal=proposal)


def spec_of(kube: KubeHttp, name: str) -> dict[str, Any]:
    deployment = kube.read("apps/deployments", name)
    return {"generation": deployment["metadata"]["generation"], "spec": deployment["spec"]}


def limit_of(kube: KubeHttp, name: str) -> str:
    container = kube.read("apps/deployments", name)["spec"]["template"]["spec"]["containers"][0]
    return str(container["resources"]["limits"]["memory"])


def assert_untouched(
    kube: KubeHttp, client: httpx.Client, broken: Broken, before: dict[str, Any]
) -> None:
    time.sleep(0.5)  # a worker would have taken the job by now
    assert spec_of(kube, broken.name) == before
    assert proposed(client, broken.incident_id) is not None
    done = audited(client, broken.incident_id)
    assert not {"proposal.approved", "action.applied"} & set(done)


def test_a_wrong_digest_does_nothing(kube: KubeHttp, client: httpx.Client, waiting: Broken) -> None:
    before = spec_of(kube, waiting.name)

    answer = approve(client, {**waiting.proposal, "digest": "0" * 64})

    assert answer.status_code == 409
    assert "digest" in answer.json()["detail"]
    assert_untouched(kube, client, waiting, before)


@pytest.mark.parametrize("kind", ["none", "sender", "agent", "mistyped"])
def test_only_a_person_approves(
    kube: KubeHttp, client: httpx.Client, copilot: Copilot, waiting: Broken, kind: str
) -> None:
    before = spec_of(kube, waiting.name)
    tokens = {**copilot.tokens, "mistyped": copilot.tokens["access"][:-1]}
    headers = {} if kind == "none" else {"Authorization": f"Bearer {tokens[kind]}"}

    with httpx.Client(base_url=copilot.url, headers=headers, trust_env=False) as stranger:
        answer = approve(stranger, waiting.proposal)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert_untouched(kube, client, waiting, before)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/incidents"),
        ("GET", "/search?q=x"),
        ("POST", "/api/incidents/1/remediate"),
        ("POST", "/incidents/1/resolve"),
        ("POST", "/api/chaos"),
    ],
)
def test_a_senders_token_opens_no_door_of_people(copilot: Copilot, method: str, path: str) -> None:
    with copilot.sender() as sender:
        answer = sender.request(method, path, json={} if method == "POST" else None)

    assert answer.status_code == 401


def test_of_many_approvals_one_counts_and_pods_that_crash_on_void_none(
    kube: KubeHttp, client: httpx.Client
) -> None:
    broken = a_broken(kube, client, "crashing-on")
    before = kube.read("apps/deployments", broken.name)["metadata"]

    def has_moved() -> bool:
        now = kube.read("apps/deployments", broken.name)["metadata"]["resourceVersion"]
        return bool(now != before["resourceVersion"])

    wait_for(has_moved, "a status change of the Deployment")
    with ThreadPoolExecutor(3) as people:
        answers = list(people.map(lambda _: approve(client, broken.proposal), range(3)))

    assert sorted(answer.status_code for answer in answers) == [202, 409, 409]
    ended = wait_for(lambda: resolved(client, broken.incident_id), "a verified fix", 60)
    after = kube.read("apps/deployments", broken.name)["metadata"]
    assert after["generation"] == before["generation"] + 1
    assert audited(client, broken.incident_id).count("action.applied") == 1
    assert approve(client, broken.proposal).status_code == 409
    assert ended["incident"]["mttr_seconds"] > 0
    assert len(ended["proposals"][0]["approvals"]) == 1


def test_a_spec_that_changed_since_is_refused_with_the_new_diff(
    kube: KubeHttp, client: httpx.Client
) -> None:
    broken = a_broken(kube, client, "changed-since")
    environment = [{"name": "CACHE", "value": "small"}]
    container = {"name": "app", "env": environment, "resources": {"limits": {"memory": "24Mi"}}}
    changed = {"spec": {"template": {"spec": {"containers": [container]}}}}
    assert kube.patch("apps/deployments", broken.name, changed).status_code == 200

    late = approve(client, broken.proposal)

    assert late.status_code == 409
    renewed = late.json()["proposal"]
    assert renewed["digest"] != broken.proposal["digest"]
    assert "-            memory: 24Mi" in renewed["diff"]
    assert limit_of(kube, broken.name) == "24Mi"
    assert approve(client, broken.proposal).status_code == 409
    wait_for(lambda: approves_what_is_proposed(client, broken.incident_id), "an approval")
    wait_for(lambda: limit_of(kube, broken.name) != "24Mi", "the fix that was approved")
    wait_for(lambda: "action.applied" in audited(client, broken.incident_id), "its record")
    assert audited(client, broken.incident_id).count("action.applied") == 1


def approves_what_is_proposed(client: httpx.Client, incident_id: int) -> bool:
    """A look of the co-pilot's own at the change may have put a better one in its place."""
    current = proposed(client, incident_id)
    return current is not None and approve(client, current).status_code == 202


def test_a_fix_that_is_too_small_is_taken_back_by_itself_and_the_next_goes_further(
    kube: KubeHttp, client: httpx.Client
) -> None:
    broken = a_broken(kube, client, "needs-far-more", needs_mib=400, limit="64Mi")
    before = kube.read("apps/deployments", broken.name)["spec"]
    assert "+            memory: 128Mi" in broken.proposal["diff"]

    approve(client, broken.proposal).raise_for_status()
    wait_for(lambda: limit_of(kube, broken.name) == "128Mi", "the fix")
    wait_for(lambda: limit_of(kube, broken.name) == "64Mi", "its revert", 60)
    following = wait_for(lambda: proposed(client, broken.incident_id), "the next fix", 60)

    assert kube.read("apps/deployments", broken.name)["spec"] == before
    assert "+            memory: 256Mi" in following["diff"]
    seen = room(client, broken.incident_id)
    failed = next(p for p in seen["proposals"] if p["id"] == broken.proposal["id"])
    assert failed["status"] == "reverted"
    assert failed["verification"]["reverted"]
    assert "128Mi" in following["why"]
    assert seen["incident"]["status"] == "awaiting_approval"
    done = audited(client, broken.incident_id)
    assert [a for a in done if a.startswith("action.")] == [
        "action.applied",
        "action.failed_verification",
        "action.reverted",
    ]
