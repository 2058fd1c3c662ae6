"""Everything in one pod on a volume: no database, no Secret, and the same promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from tests.browser import approves, breaks, signed_in
from tests.cluster.conftest import limit
from tests.contract.cluster_targets import KubeHttp
from tests.deploy.installation import (
    HOME,
    Deployed,
    Shell,
    forwarded,
    inventory,
    pods,
    restarts,
    wait_until_ready,
)
from tests.deploy.usage import Usage, far_off, requests, table
from tests.e2e.copilot_process import chaos_target, open_incident_of, resolved, wait_for

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.lab,
    pytest.mark.browser,
    pytest.mark.timeout(300),
]

OVERLAY = "deploy/overlays/embedded"
TOKEN = (
    "kubectl -n incident-copilot exec deploy/incident-copilot -- "
    "incident-copilot token create --name you --role admin"
)
FORWARD = "kubectl -n incident-copilot port-forward svc/ui 3000:3000"
AGAIN = FORWARD.replace("3000:", "3001:")


@pytest.fixture(scope="module")
def volume(
    shell: Shell, before: set[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """What a class of storage would make: a folder of the node's."""
    folder = tmp_path_factory.mktemp("volume")
    for parent in (folder, *folder.parents[:-2]):
        parent.chmod(0o755)
    (node,) = shell.read("nodes")["items"]
    hostname = node["metadata"]["labels"]["kubernetes.io/hostname"]
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [hostname]}
    body = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "incident-copilot"},
        "spec": {
            "capacity": {"storage": "50Gi"},
            "accessModes": ["ReadWriteOnce"],
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
    manifest = folder.with_suffix(".yaml")
    manifest.write_text(yaml.safe_dump(body))
    shell.run(f"kubectl apply -f {manifest}")
    yield folder
    shell.run("kubectl delete --ignore-not-found persistentvolume incident-copilot")


@pytest.fixture(scope="module")
def installed(shell: Shell, volume: Path) -> Iterator[Usage]:
    try:
        shell.run(f"kubectl apply -k {OVERLAY}")
        wait_until_ready(shell, count=1)
        with Usage(shell, [HOME]) as usage:
            shell.run("kubectl apply -f demo/oom-demo.yaml")
            yield usage
    finally:
        shell.run(f"kubectl delete --ignore-not-found -k {OVERLAY}", timeout_s=180)


@pytest.fixture(scope="module")
def copilot(installed: Usage, shell: Shell) -> Iterator[Deployed]:
    with forwarded(shell, FORWARD, access=shell.run(TOKEN).split()[-1]) as deployed:
        yield deployed


@pytest.fixture
def page(browser: Browser, copilot: Deployed) -> Iterator[Page]:
    with signed_in(browser, copilot) as page:
        yield page


def test_one_pod_detects_explains_and_heals(page: Page, copilot: Deployed, demo: KubeHttp) -> None:
    demo.rolled_out("oom-demo")
    with copilot.client() as client:
        chaos_target(client)
        breaks(page)
        incident = wait_for(lambda: open_incident_of(client, "oom-demo"), "an incident", 60)
        approves(page, copilot, incident["id"])
        expect(page.get_by_test_id("stage")).to_contain_text("Resolved", timeout=150_000)

        assert limit(demo) == "64Mi"
        assert resolved(client, incident["id"])


def test_what_is_asked_for_is_what_the_demo_uses(
    installed: Usage, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = requests(shell)
    with capsys.disabled():
        print(f"\n{table(installed, asked)}")  # noqa: T201  for whoever sets the requests

    assert far_off(installed, asked) == {}


def test_what_it_knows_outlives_its_pod(copilot: Deployed, shell: Shell) -> None:
    with copilot.client() as client:
        known = client.get("/api/incidents").raise_for_status().json()["rows"]
    (old,) = pods(shell)
    assert restarts(old) == 0

    shell.run(f"kubectl -n {HOME} delete pod {old['metadata']['name']}")
    wait_until_ready(shell, count=1)

    with forwarded(shell, AGAIN, access=copilot.access) as again, again.client() as client:
        rows = client.get("/api/incidents").raise_for_status().json()["rows"]
    assert [row["incident"]["id"] for row in rows] == [row["incident"]["id"] for row in known]
    assert known


def test_uninstalling_leaves_nothing(installed: Usage, shell: Shell, before: set[str]) -> None:
    shell.run(f"kubectl delete -k {OVERLAY}", timeout_s=180)

    left = {one for one in inventory(shell) - before if not one.startswith("PersistentVolume ")}
    assert left == set(), "the volume itself is whoever's made it"
