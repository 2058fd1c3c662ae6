"""Least rights on a real API server: the shipped accounts may what the docs say, and it is enough.

Every role is a process of its own with the token of its own service account, as in a cluster.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from playwright.sync_api import Page, expect

from copilot.domain.errors import Refused
from copilot.kube import connect
from copilot.kube.rights import HAS_TOKEN, Account
from copilot.roles.callers import AUDIENCE
from copilot.wiring import SystemClock
from tests.cluster.conftest import DEMO, apply, killed_pod, limit, toggle
from tests.contract.cluster_targets import STRATEGIC, KubeHttp, Target, limit_patch
from tests.e2e.copilot_process import (
    Copilot,
    approve,
    audited,
    open_incident_of,
    resolved,
    roles_on,
    room,
    wait_for,
    with_verdict,
)
from tests.kubeconfig import access

# Cluster roles are made and deleted here: not on a cluster of anybody's that may have them.
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.lab,
    pytest.mark.browser,
    pytest.mark.timeout(300),
]

ROOT = Path(__file__).parents[2]
HOME = "incident-copilot"
CLOSED = "orders"
"""A namespace that did not opt in."""
RBAC = "rbac.authorization.k8s.io"
OLD_VALUE, NEW_VALUE = "hunter2-before", "hunter2-after"
Rule = tuple[str, str, tuple[str, ...]]
"""Verb, resource as kubectl says it, names."""


def printed(*options: str) -> str:
    """What `incident-copilot rbac` says."""
    command = [sys.executable, "-m", "copilot", "rbac", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# --------------------------------------------------------------------------- the accounts


@dataclass(frozen=True)
class Accounts:
    """Service accounts with tokens of their own, and the administrator who made them."""

    admin: KubeHttp
    folder: Path
    server: str
    verify: Any

    def token(self, account: str, *audiences: str) -> str:
        """As kubelet projects it; without an audience, for the API server."""
        spec = {"audiences": audiences} if audiences else {}
        answer = self.admin.http.post(
            f"/api/v1/namespaces/{HOME}/serviceaccounts/{account}/token", json={"spec": spec}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["status"]["token"])

    def kubeconfig(self, account: str) -> Path:
        """The administrator's, with this account's token instead; nowhere for who needs none."""
        path = self.folder / f"{account}.kubeconfig"
        if account not in HAS_TOKEN:
            return path
        config = yaml.safe_load(self.admin.target.kubeconfig.read_text())
        config["users"] = [{**u, "user": {"token": self.token(account)}} for u in config["users"]]
        path.write_text(yaml.safe_dump(config))
        return path

    def http(self, account: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.server,
            headers={"Authorization": f"Bearer {self.token(account)}"},
            verify=self.verify,
            timeout=30,
        )


@pytest.fixture(scope="module")
def accounts(
    cluster: Target, demo: KubeHttp, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Accounts]:
    """The base as it is shipped; the demo's namespace has opted in, another has not."""
    given = access(cluster.kubeconfig)
    for name in ("namespace.yaml", "rbac.yaml"):
        apply(demo, ROOT / "deploy/base" / name)
    apply(demo, printed("--namespace", "demo"))
    apply(demo, printed("--secret", "demo/db"))
    closed = (DEMO / "oom-demo.yaml").read_text().replace(": demo\n", f": {CLOSED}\n")
    apply(demo, closed.replace("    incident-copilot.io/remediation: enabled\n", ""))
    for name in ("db", "other"):
        demo.create("secrets", {"metadata": {"name": name}, "stringData": {"password": OLD_VALUE}})
    yield Accounts(
        admin=demo,
        folder=tmp_path_factory.mktemp("accounts"),
        server=given.server,
        verify=given.tls,
    )
    for namespace in (HOME, CLOSED):
        demo.http.delete(f"/api/v1/namespaces/{namespace}")
    for plural in ("clusterroles", "clusterrolebindings"):
        for item in demo.http.get(f"/apis/{RBAC}/v1/{plural}").json()["items"]:
            if item["metadata"]["name"].startswith("incident-copilot-"):
                demo.http.delete(f"/apis/{RBAC}/v1/{plural}/{item['metadata']['name']}")


def rules_of(http: httpx.Client, namespace: str) -> tuple[set[Rule], set[tuple[str, str]]]:
    """What the server itself says that the account may do there."""
    review = {"spec": {"namespace": namespace}}
    answer = http.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", json=review)
    status = answer.json()["status"]
    assert not status["incomplete"]
    rules = {
        (verb, f"{resource}.{group}" if group else resource, tuple(rule.get("resourceNames", ())))
        for rule in status["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    paths = {
        (verb, path)
        for rule in status["nonResourceRules"]
        for verb in rule["verbs"]
        for path in rule["nonResourceURLs"]
    }
    return rules, paths


def documented(account: str, *where: str) -> set[Rule]:
    """Of docs/rights.md the rows of an account that are given in these ways."""
    text = (ROOT / "docs/rights.md").read_text()
    section = re.search(rf"^## {account}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section
    rows = [line.strip("| ").split(" | ") for line in section[1].splitlines() if "|" in line][2:]
    return {
        (verb, resource, ("db",) if given == "`--secret`" else ())
        for verbs, resource, given, _ in rows
        if given in where
        for verb in verbs.split()
    }


GIVEN_IN = {"demo": ("cluster", "`--namespace`", "`--secret`"), CLOSED: ("cluster",)}


@pytest.mark.parametrize("namespace", GIVEN_IN)
@pytest.mark.parametrize("account", Account)
def test_an_account_may_exactly_what_the_docs_say(
    account: str, namespace: str, accounts: Accounts
) -> None:
    with accounts.http("default") as nobody, accounts.http(account) as somebody:
        common, paths = rules_of(nobody, namespace)
        found, own_paths = rules_of(somebody, namespace)

    assert found - common == documented(account, *GIVEN_IN[namespace])
    assert own_paths == paths


def test_nodes_and_kubelets_are_given_where_they_are_asked_for(accounts: Accounts) -> None:
    more = printed("--nodes", "--kubelet-usage")
    apply(accounts.admin, more)
    try:
        with accounts.http(Account.REMEDIATOR) as remediator, accounts.http("watcher") as watcher:
            assert ("patch", "nodes", ()) in rules_of(remediator, CLOSED)[0]
            assert ("get", "nodes/proxy", ()) in rules_of(watcher, CLOSED)[0]
    finally:
        for document in yaml.safe_load_all(more):
            plural = f"{document['kind'].lower()}s"
            accounts.admin.http.delete(f"/apis/{RBAC}/v1/{plural}/{document['metadata']['name']}")


def test_a_namespace_with_the_label_gets_its_role_printed(accounts: Accounts) -> None:
    kube = accounts.admin
    labels = {"metadata": {"labels": {"incident-copilot.io/remediation": "enabled"}}}
    path = f"/api/v1/namespaces/{CLOSED}"
    wish = {"Content-Type": STRATEGIC}
    before = printed("--opted-in", "--kubeconfig", str(kube.target.kubeconfig))

    kube.http.patch(path, content=json.dumps(labels), headers=wish)
    after = printed("--opted-in", "--kubeconfig", str(kube.target.kubeconfig))

    assert places(before) == {"demo"}, "which opts in by its manifest"
    assert places(after) == {"demo", CLOSED}
    assert set(parts(printed("--namespace", CLOSED))) == set(parts(after)) - set(parts(before))


def parts(manifest: str) -> list[str]:
    return [json.dumps(one, sort_keys=True) for one in yaml.safe_load_all(manifest)]


def places(manifest: str) -> set[str]:
    return {one["metadata"]["namespace"] for one in yaml.safe_load_all(manifest)}


# --------------------------------------------------------------------------- what is refused

DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
IN_DEMO = f"{DEPLOYMENTS.format('demo')}/oom-demo"
CORE = "/api/v1/namespaces/{}"
LIMIT = limit_patch("128Mi")
R, W = Account.REMEDIATOR, Account.WATCHER
A_ROLE = {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
A_BINDING = {
    "metadata": {"name": "mine"},
    "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": "agent-remediator", "namespace": HOME}],
}
A_POD = {
    "metadata": {"name": "mine"},
    "spec": {"containers": [{"name": "a", "image": "docker.io/lab/busybox:1.35"}]},
}
FORBIDDEN: list[tuple[str, str, str, Any]] = [
    *((a, "PATCH", IN_DEMO, LIMIT) for a in Account if a is not R),
    *((a, "GET", f"{CORE.format(HOME)}/secrets", None) for a in Account),
    *((a, "GET", "/api/v1/secrets", None) for a in (R, W, "agent-context")),
    *((a, "GET", f"{CORE.format('demo')}/secrets/db", None) for a in Account),
    (W, "GET", f"{CORE.format('demo')}/secrets", None),
    (W, "GET", f"{CORE.format('demo')}/secrets?fieldSelector=metadata.name%3Dother", None),
    (W, "GET", f"{CORE.format(CLOSED)}/secrets?fieldSelector=metadata.name%3Ddb", None),
    # agent-remediator, where nobody opted in
    (R, "PATCH", f"{DEPLOYMENTS.format(CLOSED)}/oom-demo", LIMIT),
    (R, "PATCH", f"{DEPLOYMENTS.format(CLOSED)}/oom-demo?dryRun=All", LIMIT),
    (R, "PATCH", f"{DEPLOYMENTS.format(HOME)}/agent-remediator", LIMIT),
    (R, "PATCH", f"{CORE.format('kube-system')}/configmaps/coredns", {"data": {}}),
    (R, "DELETE", f"{CORE.format(CLOSED)}/pods/any", None),
    (R, "POST", f"/apis/batch/v1/namespaces/{CLOSED}/jobs", {"metadata": {"name": "mine"}}),
    (R, "DELETE", f"{CORE.format(CLOSED)}/persistentvolumeclaims/any", None),
    (R, "PATCH", "/api/v1/nodes/lab", {"spec": {"unschedulable": True}}),
    (R, "PATCH", f"/api/v1/namespaces/{CLOSED}", {"metadata": {"labels": {"x": "y"}}}),
    # agent-remediator, where somebody did: no more than its actions
    (R, "DELETE", IN_DEMO, None),
    (R, "PUT", IN_DEMO, {"metadata": {"name": "oom-demo"}}),
    (R, "POST", DEPLOYMENTS.format("demo"), {"metadata": {"name": "mine"}}),
    (R, "DELETE", DEPLOYMENTS.format("demo"), None),
    (R, "DELETE", f"{CORE.format('demo')}/pods", None),
    (R, "POST", f"{CORE.format('demo')}/pods", A_POD),
    (R, "PATCH", f"{IN_DEMO}/scale", {"spec": {"replicas": 0}}),
    (R, "POST", f"{CORE.format('demo')}/pods/any/exec?command=id", None),
    (R, "POST", f"{CORE.format('demo')}/pods/any/attach", None),
    (R, "POST", f"{CORE.format('demo')}/pods/any/portforward", None),
    (R, "PATCH", f"{CORE.format('demo')}/pods/any/ephemeralcontainers", {"spec": {}}),
    (R, "POST", f"{CORE.format('demo')}/pods/any/eviction", {"metadata": {"name": "any"}}),
    (R, "GET", f"{CORE.format('demo')}/pods/any/log", None),
    (R, "DELETE", f"{CORE.format('demo')}/services/any", None),
    (R, "POST", f"{CORE.format('demo')}/serviceaccounts/default/token", {"spec": {}}),
    (
        R,
        "PATCH",
        f"/apis/{RBAC}/v1/namespaces/demo/roles/incident-copilot-agent-remediator",
        A_ROLE,
    ),
    (R, "POST", f"/apis/{RBAC}/v1/namespaces/demo/rolebindings", A_BINDING),
    (R, "POST", f"/apis/{RBAC}/v1/clusterrolebindings", A_BINDING),
    (R, "PATCH", f"/apis/{RBAC}/v1/clusterroles/incident-copilot-agent-remediator", A_ROLE),
    (R, "GET", "/api/v1/nodes/lab/proxy/stats/summary", None),
    # the watcher only looks
    (W, "DELETE", f"{CORE.format('demo')}/pods/any", None),
    (W, "PATCH", f"{CORE.format('demo')}/configmaps/any", {"data": {}}),
    (W, "POST", f"{CORE.format('demo')}/events", {"metadata": {"name": "mine"}}),
    (W, "POST", f"{CORE.format('demo')}/pods/any/exec?command=id", None),
    (W, "GET", f"{CORE.format('demo')}/pods/any/exec?command=id", None),
    (W, "GET", "/api/v1/nodes/lab/proxy/stats/summary", None),
    (W, "GET", "/api/v1/nodes/lab/proxy/exec/demo/any/app?command=id", None),
    (W, "PATCH", f"/apis/{RBAC}/v1/clusterroles/incident-copilot-watcher", A_ROLE),
    (W, "POST", f"{CORE.format(HOME)}/serviceaccounts/agent-remediator/token", {"spec": {}}),
    # the others do not even read
    *(
        (a, "GET", path, None)
        for a in ("agent-detective", "agent-reporter", "ingestion", "gateway")
        for path in ("/api/v1/pods", "/api/v1/configmaps", "/api/v1/nodes", "/api/v1/events")
    ),
]


@pytest.fixture(scope="module")
def doors(accounts: Accounts) -> Iterator[dict[str, httpx.Client]]:
    clients: dict[str, httpx.Client] = {a: accounts.http(a) for a in Account}
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize(("account", "method", "path", "body"), FORBIDDEN)
def test_the_server_refuses(
    account: str, method: str, path: str, body: Any, doors: dict[str, httpx.Client]
) -> None:
    patching = {"Content-Type": STRATEGIC} if method == "PATCH" else {}
    content = json.dumps(body) if body is not None else None
    headers = patching or {"Content-Type": "application/json"}

    answer = doors[account].request(method, path, content=content, headers=headers)

    assert answer.status_code == 403, answer.text
    assert answer.json()["reason"] == "Forbidden"
    assert f'User "system:serviceaccount:{HOME}:{account}" cannot' in answer.json()["message"]


def test_nobody_may_act_as_somebody_else(doors: dict[str, httpx.Client]) -> None:
    for client in doors.values():
        answer = client.get("/api/v1/pods", headers={"Impersonate-User": "admin"})
        assert answer.status_code == 403


# --------------------------------------------------------------------------- and it is enough


def without_limit_ranges(kube: KubeHttp) -> None:
    """Somebody took a rule out of the watcher's role."""
    path = kube.path(f"{RBAC}/clusterroles", "incident-copilot-watcher", "")
    role = kube.http.get(path).json()
    role["rules"] = [r for r in role["rules"] if r["resources"] != ["limitranges"]]
    assert kube.http.put(path, json=role).status_code == 200


@pytest.fixture(scope="module")
def copilot(accounts: Accounts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copilot]:
    """Every role in a process of its own under its own account."""
    without_limit_ranges(accounts.admin)
    folder = tmp_path_factory.mktemp("roles")
    shown = folder / "gateway.token"
    shown.write_text(accounts.token("gateway", AUDIENCE))
    more = {
        "COPILOT_WATCH_SECRETS": '["demo/db"]',
        "COPILOT_CALLERS": "service_account",
        "COPILOT_NAMESPACE": HOME,
        "COPILOT_CALLER_TOKEN_FILE": str(shown),  # of those here only the gateway asks
    }
    with roles_on(folder, accounts.kubeconfig, in_turn=True, env=more) as running:
        yield running


def told(accounts: Accounts, account: str, *tokens: str) -> list[str]:
    """Whose tokens these are, as the API server tells this account. In a thread with a loop of its
    own: the browser's stands in this one."""

    async def asked() -> list[str]:
        kubeconfig = str(accounts.kubeconfig(account))
        cluster = await connect(
            kubeconfig=kubeconfig, context=None, name="home", clock=SystemClock()
        )
        try:
            return [await cluster.whose(token, audience=AUDIENCE) for token in tokens]
        finally:
            await cluster.close()

    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, asked()).result()


def test_an_agent_is_told_by_the_real_server_whose_token_it_is_shown(accounts: Accounts) -> None:
    ours, servers = accounts.token("gateway", AUDIENCE), accounts.token("gateway")

    who = told(accounts, "agent-detective", ours, servers, f"{ours[:-4]}AAAA")

    assert who == [f"system:serviceaccount:{HOME}:gateway", "", ""]


@pytest.mark.parametrize("account", ["gateway", "watcher"])
def test_who_answers_nobody_may_not_ask_whose_token_it_is(account: str, accounts: Accounts) -> None:
    with pytest.raises(Refused, match="not allowed to create tokenreviews"):
        told(accounts, account, accounts.token("gateway", AUDIENCE))


def gaps(client: httpx.Client) -> dict[str, str]:
    status = client.get("/api/status").raise_for_status().json()
    return {gap["what"]: gap["reason"] for gap in status["gaps"]}


def wanting(verb: str, resource: str, account: str, asked: str) -> str:
    who = f"system:serviceaccount:{HOME}:{account}"
    return (
        f"{who} is not allowed to {verb} {resource}; to allow it, run:"
        f" incident-copilot rbac{asked} | kubectl apply -f -"
    )


def test_what_the_watcher_may_not_see_is_a_gap_with_the_command_that_ends_it(
    copilot: Copilot, accounts: Accounts
) -> None:
    with copilot.client() as client:
        found = wait_for(lambda: gaps(client) if len(gaps(client)) > 1 else None, "gaps", 60)

        assert found == {
            "limitranges": wanting("list", "limitranges", "watcher", ""),
            "use of memory and CPU": wanting("get", "nodes/proxy", "watcher", " --kubelet-usage"),
        }

        apply(accounts.admin, printed())
        wait_for(lambda: "limitranges" not in gaps(client), "an end of the gap", 60)


def test_a_named_secret_that_changed_is_told_by_its_key_and_never_by_its_value(
    copilot: Copilot, accounts: Accounts
) -> None:
    def told() -> list[str]:
        changes = client.get("/api/changes", params={"namespace": "demo"}).json()
        return [c["title"] for c in changes if c["object"]["kind"] == "Secret"]

    kube = accounts.admin
    with copilot.client() as client:
        for name in ("other", "db"):
            patch = {"stringData": {"password": NEW_VALUE, "user": "shop"}}
            assert kube.patch("secrets", name, patch).status_code == 200
        wait_for(lambda: told() or None, "a change", 30)

        assert told() == ["Secret db changed: key password, key user added"]
        for path in [p for p in copilot.data.parent.rglob("*") if p.is_file()]:
            kept = path.read_bytes()
            for value in (OLD_VALUE, NEW_VALUE):
                assert value.encode() not in kept, path
                assert kube_encoded(value) not in kept, path


def kube_encoded(value: str) -> bytes:
    return base64.b64encode(value.encode())


def test_from_a_kill_to_a_proven_fix_where_the_namespace_opted_in(
    copilot: Copilot, accounts: Accounts, capsys: pytest.CaptureFixture[str]
) -> None:
    kube = accounts.admin
    with copilot.client() as client:
        toggle(kube)
        kube.until(lambda: killed_pod(kube), "a kill")
        killed = time.monotonic()
        incident = wait_for(lambda: open_incident_of(client, "oom-demo"), "an incident", 30)
        seen = wait_for(lambda: with_verdict(client, incident["id"]), "a verdict", 30)
        verdict_s = time.monotonic() - killed
        assert limit(kube) == "32Mi"

        (proposal, *_) = [p for p in seen["proposals"] if p["status"] == "proposed"]
        approve(client, proposal).raise_for_status()
        wait_for(lambda: resolved(client, incident["id"]), "an end", 150)
        verified_s = time.monotonic() - killed

        assert seen["hypotheses"][0]["cause"] == "memory_limit_too_low"
        assert limit(kube) == "64Mi"
        done = audited(client, incident["id"])
        assert [done.count(f"action.{step}") for step in ("applied", "verified")] == [1, 1]
    with capsys.disabled():
        print(  # noqa: T201  the figures are for whoever reads the run
            f"\nleast rights: kill -> verdict {verdict_s:.1f} s, -> verified {verified_s:.1f} s"
        )


def test_where_nobody_opted_in_the_room_shows_what_is_refused_and_how_to_allow_it(
    page: Page, copilot: Copilot, accounts: Accounts
) -> None:
    closed = KubeHttp(accounts.admin.target, CLOSED)
    closed.patch("apps/deployments", "oom-demo", limit_patch("32Mi"))
    closed.until(lambda: killed_pod(closed), "a kill")
    wanted = (
        f"system:serviceaccount:{HOME}:agent-remediator is not allowed to patch deployments in"
        f" namespace {CLOSED}; to allow it, run:"
        f" incident-copilot rbac --namespace {CLOSED} | kubectl apply -f -"
    )
    with copilot.client() as client:
        incident = wait_for(lambda: open_incident_of(client, "oom-demo"), "an incident", 30)
        seen = wait_for(lambda: refused(client, incident["id"]), "a refusal", 60)

        assert incident["namespace"] == CLOSED
        assert seen["hypotheses"][0]["cause"] == "memory_limit_too_low"
        assert {p["status"] for p in seen["proposals"]} == {"refused"}
        assert not any(p["dry_run_accepted"] for p in seen["proposals"])
        assert seen["proposals"][0]["refusal"] == f"the cluster refuses it: {wanted}"
        page.goto(f"{copilot.url}/incident/?id={incident['id']}")
        expect(page.get_by_text(f"incident-copilot rbac --namespace {CLOSED}").first).to_be_visible(
            timeout=15_000
        )
        assert all(process.poll() is None for process in copilot.processes)
        assert limit(closed) == "32Mi"

        apply(accounts.admin, printed("--namespace", CLOSED))
        client.post(f"/api/incidents/{incident['id']}/remediate").raise_for_status()
        again = wait_for(lambda: with_verdict(client, incident["id"]), "an accepted fix", 30)

        (proposal, *_) = [p for p in again["proposals"] if p["status"] == "proposed"]
        approve(client, proposal).raise_for_status()
        wait_for(lambda: resolved(client, incident["id"]), "an end", 150)
        assert limit(closed) == "64Mi"
    closed.http.close()


def refused(client: httpx.Client, incident_id: int) -> dict[str, Any] | None:
    seen = room(client, incident_id)
    is_over = seen["hypotheses"] and seen["proposals"]
    return seen if is_over else None
