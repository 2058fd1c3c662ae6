"""What holds of every kind that is followed, and of those that stand beside workloads.

Runs on the demo cluster and, unchanged, on a real one: see `test_cluster.py`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from copilot.kube.resources import Resource, resource_of
from copilot.ports import Kind
from tests.contract.cluster_targets import (
    JSON,
    MANAGER,
    MERGE,
    STRATEGIC,
    KubeHttp,
    Obj,
    a_deployment,
)

pytestmark = pytest.mark.timeout(120)

_ROLE = {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
_RULE = {"host": "a.example", "http": {"paths": []}}
_PATH = {
    "path": "/",
    "pathType": "Prefix",
    "backend": {"service": {"name": "web", "port": {"number": 80}}},
}

BODIES: dict[Kind, Obj] = {
    Kind.CONFIG_MAP: {"data": {"a": "1"}},
    Kind.SERVICE: {"spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]}},
    Kind.SERVICE_ACCOUNT: {"imagePullSecrets": [{"name": "one"}]},
    Kind.NETWORK_POLICY: {
        "spec": {
            "podSelector": {"matchLabels": {"app": "web"}},
            "ingress": [{"ports": [{"port": 80}]}],
        }
    },
    Kind.INGRESS: {"spec": {"rules": [{**_RULE, "http": {"paths": [_PATH]}}]}},
    Kind.BUDGET: {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}},
    Kind.ROLE: _ROLE,
    Kind.CLUSTER_ROLE: _ROLE,
    Kind.ROLE_BINDING: {"roleRef": {"kind": "Role", "name": "reader"}},
    Kind.CLUSTER_ROLE_BINDING: {"roleRef": {"kind": "ClusterRole", "name": "view"}},
}
"""An object of each kind that both servers let us create; its metadata is added."""

HAVE_A_GENERATION = {Kind.NETWORK_POLICY, Kind.INGRESS, Kind.BUDGET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An object that is there, and how to get at it."""

    api: KubeHttp
    kind: Kind
    name: str

    @property
    def collection(self) -> str:
        return _collection(self.kind, self.api.namespace)

    @property
    def path(self) -> str:
        return f"{self.collection}/{self.name}"

    def read(self) -> Obj:
        answer = self.api.http.get(self.path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def patch(self, patch: Any, content_type: str = STRATEGIC, **query: str) -> httpx.Response:
        return self.api.http.patch(
            self.path,
            content=json.dumps(patch),
            headers={"Content-Type": content_type},
            params={"fieldManager": MANAGER, "fieldValidation": "Strict", **query},
        )

    def delete(self, **preconditions: str) -> httpx.Response:
        body = {"preconditions": preconditions}
        return self.api.http.request("DELETE", self.path, json=body)


@pytest.fixture(params=list(BODIES), ids=str)
def made(api: KubeHttp, request: pytest.FixtureRequest) -> Iterator[Made]:
    yield from _making(api, request.param)


@pytest.fixture
def service(api: KubeHttp) -> Iterator[Made]:
    yield from _making(api, Kind.SERVICE)


# ------------------------------------------------------------------ every kind that is followed


@pytest.mark.parametrize("kind", list(Kind))
def test_discovery_says_that_the_kind_can_be_listed_and_watched(api: KubeHttp, kind: Kind) -> None:
    resource = resource_of(kind)

    listed = api.http.get(resource.root).json()

    (entry,) = [one for one in listed["resources"] if one["name"] == resource.plural]
    assert listed["groupVersion"] == resource.api_version
    assert (entry["kind"], entry["namespaced"]) == (kind, resource.is_namespaced)
    assert {"get", "list", "watch"} <= set(entry["verbs"])


@pytest.mark.parametrize("kind", list(Kind))
def test_the_kind_is_listed_with_a_version_and_whole_metadata(api: KubeHttp, kind: Kind) -> None:
    resource = resource_of(kind)

    listed = api.http.get(_collection(kind)).json()

    assert (listed["kind"], listed["apiVersion"]) == (f"{kind}List", resource.api_version)
    assert listed["metadata"]["resourceVersion"].isdecimal()
    for item in listed["items"]:
        assert "kind" not in item
        _assert_whole(item["metadata"], resource)


@pytest.mark.parametrize("kind", list(Kind))
def test_the_kind_is_watched_from_a_list_on(api: KubeHttp, kind: Kind) -> None:
    version = api.http.get(_collection(kind)).json()["metadata"]["resourceVersion"]

    lines = _watch(api, _collection(kind), version)

    assert {line["object"]["kind"] for line in lines} <= {kind.value}
    assert "ERROR" not in {line["type"] for line in lines}


@pytest.mark.parametrize("kind", [kind for kind in Kind if resource_of(kind).is_namespaced])
def test_a_namespace_lists_its_own_only(api: KubeHttp, kind: Kind) -> None:
    listed = api.http.get(_collection(kind, api.namespace)).json()

    places = {item["metadata"]["namespace"] for item in listed["items"]}
    assert places <= {api.namespace}


@pytest.mark.parametrize(
    ("path", "is_in_words"),
    [
        ("/apis/apps/v1/nothings", False),
        ("/apis/apps/v9/deployments", False),
        ("/apis/autoscaling/v9/horizontalpodautoscalers", False),
        ("/api/v1/nothings", False),
        ("/apis/nothing.example/v1/nothings", True),
    ],
)
def test_a_kind_that_is_not_served_is_a_404_on_its_collection(
    api: KubeHttp, path: str, is_in_words: bool
) -> None:
    answer = api.http.get(path)

    assert answer.status_code == 404
    if is_in_words:
        assert answer.text == "404 page not found\n"
    else:
        assert (answer.json()["reason"], answer.json()["details"]) == ("NotFound", {})


# ------------------------------------------------------------------ create, patch, delete


def test_what_is_made_says_what_it_is(made: Made) -> None:
    resource = resource_of(made.kind)

    obj = made.read()

    assert (obj["kind"], obj["apiVersion"]) == (made.kind, resource.api_version)
    _assert_whole(obj["metadata"], resource)
    assert obj["metadata"].get("generation") == (1 if made.kind in HAVE_A_GENERATION else None)


def test_a_dry_run_of_a_create_keeps_nothing(made: Made) -> None:
    name = f"{made.name}-dry"
    body = {"metadata": {"name": name}, **BODIES[made.kind]}

    answer = made.api.http.post(made.collection, json=body, params={"dryRun": "All"})

    assert answer.status_code == 201, answer.text
    assert answer.json()["metadata"]["uid"]
    assert made.api.http.get(f"{made.collection}/{name}").status_code == 404


def test_what_exists_is_not_made_again(made: Made) -> None:
    body = {"metadata": {"name": made.name}, **BODIES[made.kind]}

    answer = made.api.http.post(made.collection, json=body)

    assert (answer.status_code, answer.json()["reason"]) == (409, "AlreadyExists")


def test_a_watch_tells_of_a_change_and_the_end(made: Made) -> None:
    version = made.read()["metadata"]["resourceVersion"]
    made.patch({"metadata": {"labels": {"seen": "yes"}}})
    made.delete()

    lines = _watch(made.api, made.collection, version)

    told = [line["type"] for line in lines if _name(line["object"]) == made.name]
    assert told == ["MODIFIED", "DELETED"]


def test_a_patch_is_kept_under_our_name(made: Made) -> None:
    answer = made.patch({"metadata": {"annotations": {"incident-copilot.io/proposal": "7"}}})

    assert answer.status_code == 200, answer.text
    entries = made.read()["metadata"]["managedFields"]
    mine = next(entry for entry in entries if entry["manager"] == MANAGER)
    assert mine["operation"] == "Update"
    owned = mine["fieldsV1"]["f:metadata"]["f:annotations"]
    assert "f:incident-copilot.io/proposal" in owned


@pytest.mark.parametrize("content_type", [STRATEGIC, MERGE, JSON])
def test_a_dry_run_of_a_patch_shows_and_keeps_nothing(made: Made, content_type: str) -> None:
    before = made.read()
    label = {"metadata": {"labels": {"shown": "yes"}}}
    operation = {"op": "add", "path": "/metadata/labels", "value": {"shown": "yes"}}

    answer = made.patch([operation] if content_type == JSON else label, content_type, dryRun="All")

    assert answer.status_code == 200, answer.text
    assert answer.json()["metadata"]["labels"]["shown"] == "yes"
    assert made.read() == before


def test_an_old_version_in_a_patch_is_a_409(made: Made) -> None:
    answer = made.patch({"metadata": {"resourceVersion": "1", "labels": {"a": "b"}}})

    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")


def test_an_unknown_field_is_refused_where_that_was_asked_for(made: Made) -> None:
    body = {"metadata": {"name": f"{made.name}-odd"}, **BODIES[made.kind], "oddity": 1}

    created = made.api.http.post(made.collection, json=body, params={"fieldValidation": "Strict"})
    patched = made.patch({"oddity": 1})

    assert (created.status_code, patched.status_code) == (400, 422)
    for answer in (created, patched):
        assert answer.json()["message"].endswith('unknown field "oddity"')


@pytest.mark.parametrize(
    ("precondition", "told"),
    [
        ({"uid": "another"}, "the UID in the precondition (another) does not match"),
        ({"resourceVersion": "1"}, "the ResourceVersion in the precondition (1) does not match"),
    ],
    ids=["uid", "resourceVersion"],
)
def test_what_is_not_what_was_meant_is_not_deleted(
    made: Made, precondition: dict[str, str], told: str
) -> None:
    answer = made.delete(**precondition)

    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")
    assert told in answer.json()["message"]
    assert answer.json()["details"]["kind"] == made.kind
    made.read()


def test_what_was_meant_is_deleted(made: Made) -> None:
    metadata = made.read()["metadata"]

    answer = made.delete(uid=metadata["uid"], resourceVersion=metadata["resourceVersion"])

    assert answer.status_code == 200
    is_told = made.kind in (Kind.SERVICE, Kind.SERVICE_ACCOUNT)
    assert answer.json()["kind"] == (made.kind if is_told else "Status")
    assert made.api.http.get(made.path).status_code == 404


# ------------------------------------------------------------------ what patches do to each


def test_ports_of_a_service_are_merged_by_their_number(service: Made) -> None:
    patch = {"spec": {"ports": [{"name": "metrics", "port": 9090}]}}

    ports = service.patch(patch, dryRun="All").json()["spec"]["ports"]

    assert {(port["name"], port["port"], port["targetPort"]) for port in ports} == {
        ("http", 80, 80),
        ("metrics", 9090, 9090),
    }


def test_a_port_of_a_service_can_be_led_elsewhere(service: Made) -> None:
    answer = service.patch({"spec": {"ports": [{"port": 80, "targetPort": 8080}]}})

    (port,) = answer.json()["spec"]["ports"]
    assert (port["name"], port["targetPort"]) == ("http", 8080)
    assert answer.json()["spec"]["clusterIP"]


def test_a_selector_of_a_service_loses_and_gets_labels(service: Made) -> None:
    patch = {"spec": {"selector": {"app": None, "tier": "front"}}}

    assert service.patch(patch).json()["spec"]["selector"] == {"tier": "front"}


@pytest.mark.parametrize(
    ("kind", "patch", "path", "left"),
    [
        (
            Kind.CONFIG_MAP,
            {"data": {"a": None, "b": "2"}},
            "data",
            {"b": "2"},
        ),
        (
            Kind.SERVICE_ACCOUNT,
            {"imagePullSecrets": [{"name": "two"}]},
            "imagePullSecrets",
            [{"name": "two"}],
        ),
        (
            Kind.NETWORK_POLICY,
            {"spec": {"ingress": [{}]}},
            "spec.ingress",
            [{}],
        ),
        (
            Kind.NETWORK_POLICY,
            {"spec": {"podSelector": {"matchLabels": {"tier": "front"}}}},
            "spec.podSelector.matchLabels",
            {"app": "web", "tier": "front"},
        ),
        (
            Kind.BUDGET,
            {"spec": {"selector": {"matchLabels": {"tier": "front"}}}},
            "spec.selector.matchLabels",
            {"tier": "front"},
        ),
        (
            Kind.ROLE,
            {"rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]},
            "rules",
            [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}],
        ),
    ],
    ids=[
        "data of a config map is merged",
        "pull secrets of an account are replaced",
        "rules of a network policy are replaced",
        "the labels of a network policy are merged",
        "the selector of a budget is replaced",
        "rules of a role are replaced",
    ],
)
def test_a_strategic_patch_merges_what_a_real_server_merges(
    api: KubeHttp, kind: Kind, patch: Obj, path: str, left: Any
) -> None:
    for made in _making(api, kind):
        answer = made.patch(patch)

        found: Any = answer.json()
        for step in path.split("."):
            found = found[step]
        assert found == left


@pytest.mark.parametrize("kind", sorted(HAVE_A_GENERATION))
def test_the_generation_moves_with_the_spec_only(api: KubeHttp, kind: Kind) -> None:
    changes = {
        Kind.NETWORK_POLICY: {"ingress": [{}]},
        Kind.INGRESS: {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
        Kind.BUDGET: {"minAvailable": 2},
    }
    for made in _making(api, kind):
        labelled = made.patch({"metadata": {"labels": {"team": "payments"}}}).json()
        changed = made.patch({"spec": changes[kind]}).json()

        assert labelled["metadata"]["generation"] == 1
        assert changed["metadata"]["generation"] == 2


# ------------------------------------------------------------------ defaults and rules


def test_a_network_policy_without_types_is_for_the_sides_that_it_has_rules_for(
    api: KubeHttp,
) -> None:
    spec = {"podSelector": {}, "egress": [{"ports": [{"port": 53}]}]}

    inward = _dry(api, Kind.NETWORK_POLICY, {}).json()["spec"]
    both = _dry(api, Kind.NETWORK_POLICY, {"spec": spec}).json()["spec"]

    assert inward == {"podSelector": {}, "policyTypes": ["Ingress"]}
    assert both["policyTypes"] == ["Ingress", "Egress"]
    assert both["egress"] == [{"ports": [{"protocol": "TCP", "port": 53}]}]


def test_a_binding_names_the_group_of_its_role_and_users(api: KubeHttp) -> None:
    group = "rbac.authorization.k8s.io"
    subjects = [{"kind": "ServiceAccount", "name": "default"}, {"kind": "User", "name": "anna"}]
    body = {"roleRef": {"kind": "Role", "name": "reader"}, "subjects": subjects}

    bound = _dry(api, Kind.ROLE_BINDING, body).json()

    assert bound["roleRef"] == {"apiGroup": group, "kind": "Role", "name": "reader"}
    assert [subject.get("apiGroup") for subject in bound["subjects"]] == [None, group]


def test_a_role_may_have_a_colon_in_its_name(api: KubeHttp) -> None:
    assert _dry(api, Kind.ROLE, _ROLE, name="system:reader").status_code == 201


@pytest.mark.parametrize(
    ("kind", "body", "fields"),
    [
        (Kind.NETWORK_POLICY, {"spec": {"policyTypes": ["Sideways"]}}, ["spec.policyTypes[0]"]),
        (
            Kind.NETWORK_POLICY,
            {"spec": {"ingress": [{"ports": [{"port": 99999, "protocol": "X"}]}, {"from": [{}]}]}},
            [
                "spec.ingress[0].ports[0].protocol",
                "spec.ingress[0].ports[0].port",
                "spec.ingress[1].from[0]",
            ],
        ),
        (
            Kind.NETWORK_POLICY,
            {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "somewhere"}}]}]}},
            ["spec.egress[0].to[0].ipBlock.cidr"],
        ),
        (Kind.INGRESS, {"spec": {}}, ["spec"]),
        (
            Kind.INGRESS,
            {"spec": {"rules": [{"http": {"paths": [{**_PATH, "pathType": None}]}}]}},
            ["spec.rules[0].http.paths[0].pathType"],
        ),
        (Kind.BUDGET, {"spec": {"minAvailable": 1, "maxUnavailable": 1}}, ["spec"]),
        (Kind.BUDGET, {"spec": {"minAvailable": -1}}, ["spec.minAvailable"]),
        (Kind.BUDGET, {"spec": {"maxUnavailable": "most"}}, ["spec.maxUnavailable"]),
        (
            Kind.ROLE,
            {"rules": [{"resources": ["pods"]}]},
            ["rules[0].verbs", "rules[0].apiGroups"],
        ),
        (Kind.ROLE_BINDING, {}, ["roleRef.kind", "roleRef.name"]),
        (
            Kind.CLUSTER_ROLE_BINDING,
            {"roleRef": {"kind": "Role", "name": "reader"}},
            ["roleRef.kind"],
        ),
        (
            Kind.SERVICE,
            {"spec": {"ports": [{"port": 0}]}},
            ["spec.ports[0].port", "spec.ports[0].targetPort"],
        ),
    ],
)
def test_what_is_not_allowed_is_a_422_that_names_the_fields(
    api: KubeHttp, kind: Kind, body: Obj, fields: list[str]
) -> None:
    answer = _dry(api, kind, body)

    assert answer.status_code == 422, answer.text
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == fields


def test_a_binding_keeps_its_role(api: KubeHttp) -> None:
    for made in _making(api, Kind.ROLE_BINDING):
        answer = made.patch({"roleRef": {"name": "another"}})

        assert answer.status_code == 422
        assert answer.json()["message"].endswith("cannot change roleRef")


# ------------------------------------------------------------------ what acts by itself


def test_every_namespace_gets_a_default_account_and_gets_it_back(api: KubeHttp) -> None:
    def account() -> Obj | None:
        answer = api.get("serviceaccounts", "default")
        return dict(answer.json()) if answer.status_code == 200 else None

    first = api.until(account, "the default account")
    api.delete("serviceaccounts", "default")

    again = api.until(account, "another default account")
    assert again["metadata"]["uid"] != first["metadata"]["uid"]


def test_a_budget_says_how_many_pods_may_go(api: KubeHttp) -> None:
    body = a_deployment("guarded")
    body["spec"]["replicas"] = 2
    api.create("apps/deployments", body)
    # First the pods: of several budgets for a pod, only one hears that it has become ready.
    api.rolled_out("guarded")
    selector = {"matchLabels": {"app": "guarded"}}
    for name, spec in (
        ("least", {"minAvailable": 1}),
        ("share", {"minAvailable": "100%"}),
        ("lost", {"maxUnavailable": 1}),
    ):
        made = {"metadata": {"name": name}, "spec": {**spec, "selector": selector}}
        assert api.http.post(_collection(Kind.BUDGET, api.namespace), json=made).status_code == 201

    def counted() -> dict[str, Obj] | None:
        budgets = api.http.get(_collection(Kind.BUDGET, api.namespace)).json()["items"]
        found = {_name(budget): dict(budget["status"]) for budget in budgets}
        ours = {name: found[name] for name in ("least", "share", "lost")}
        return ours if all(one.get("conditions") for one in ours.values()) else None

    status = api.until(counted, "a count of every budget")

    assert {name: one["disruptionsAllowed"] for name, one in status.items()} == {
        "least": 1,
        "share": 0,
        "lost": 1,
    }
    assert {name: one["desiredHealthy"] for name, one in status.items()} == {
        "least": 1,
        "share": 2,
        "lost": 1,
    }
    (condition,) = status["share"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "DisruptionAllowed",
        "False",
        "InsufficientPods",
    )
    api.delete("apps/deployments", "guarded")


# ------------------------------------------------------------------ helpers


def _collection(kind: Kind, namespace: str = "") -> str:
    resource = resource_of(kind)
    place = f"/namespaces/{namespace}" if namespace and resource.is_namespaced else ""
    return f"{resource.root}{place}/{resource.plural}"


def _making(api: KubeHttp, kind: Kind) -> Iterator[Made]:
    """An object of the kind under a new name; gone afterwards, wherever it lives."""
    made = Made(api=api, kind=kind, name=f"made-{secrets.token_hex(4)}")
    body = {"metadata": {"name": made.name}, **BODIES[kind]}
    answer = api.http.post(made.collection, json=body)
    assert answer.status_code == 201, answer.text
    if kind is Kind.BUDGET:
        # Its controller counts at once, which moves its version.
        api.until(lambda: "observedGeneration" in made.read()["status"], "a first count")
    try:
        yield made
    finally:
        made.delete()


def _dry(api: KubeHttp, kind: Kind, body: Obj, name: str = "dry") -> httpx.Response:
    whole = {"metadata": {"name": name}, **body}
    return api.http.post(_collection(kind, api.namespace), json=whole, params={"dryRun": "All"})


def _watch(api: KubeHttp, path: str, version: str) -> list[Obj]:
    """Every line of a watch that the server ends after a second."""
    asked: dict[str, str | int] = {
        "watch": 1,
        "allowWatchBookmarks": "true",
        "timeoutSeconds": 1,
        "resourceVersion": version,
    }
    with api.http.stream("GET", path, params=asked) as answer:
        assert answer.status_code == 200
        return [json.loads(line) for line in answer.iter_lines() if line]


def _name(obj: Obj) -> str:
    return str(obj["metadata"].get("name", ""))


def _assert_whole(metadata: Obj, resource: Resource) -> None:
    for field in ("name", "uid", "resourceVersion", "creationTimestamp"):
        assert metadata[field]
    assert bool(metadata.get("namespace")) is resource.is_namespaced
