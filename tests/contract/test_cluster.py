"""What any API server does, the demo cluster as well as a real one: both pass the same tests.

By default on the demo cluster. On a real one, whose nodes have the images `docker.io/lab/*`:
`COPILOT_TEST_KUBECONFIG=... pytest tests/contract/test_cluster*.py`. `test_cluster_kinds.py` has what
holds of every kind..
"""

from __future__ import annotations

import json
import re
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from kubernetes.aio import client as kube
from kubernetes.aio import config as kube_config

from tests.contract.cluster_targets import (
    JSON,
    MANAGER,
    MERGE,
    KubeHttp,
    Obj,
    Target,
    a_deployment,
    a_memory_hog,
    container_status,
    limit_patch,
)

SAMPLES = Path(__file__).parents[1] / "fixtures" / "kubernetes"

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def still(api: KubeHttp) -> str:
    """A Deployment without pods, to patch in dry runs: nothing but its owner moves it."""
    body = a_deployment(
        "still",
        ports=[{"containerPort": 8080}],
        env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        resources={"requests": {"memory": "16Mi", "cpu": "10m"}, "limits": {"memory": "64Mi"}},
    )
    body["spec"]["replicas"] = 0
    assert api.create("apps/deployments", body).status_code == 201
    api.until(
        lambda: api.read("apps/deployments", "still").get("status", {}).get("observedGeneration"),
        "the controller's first look",
    )
    return "still"


@pytest.fixture(scope="module")
def killed(api: KubeHttp) -> Obj:
    """A pod that was killed for memory at least twice and waits to run again."""
    api.create("apps/deployments", a_memory_hog("hog", "32Mi"))

    def look() -> Obj | None:
        for pod in api.pods_of("hog"):
            status = container_status(pod)
            reason = status.get("state", {}).get("waiting", {}).get("reason")
            if status.get("restartCount", 0) >= 1 and reason == "CrashLoopBackOff":
                return pod
        return None

    return dict(api.until(look, "a crash loop", 120))


# ------------------------------------------------------------------ discovery and access


def test_the_version_can_be_asked(api: KubeHttp) -> None:
    version = api.http.get("/version").json()

    assert re.match(r"v1\.\d+\.\d+", version["gitVersion"])
    assert version["gitVersion"].endswith("+demo") is api.target.is_demo


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/api/v1", {"namespaces", "nodes", "pods", "events", "configmaps", "services"}),
        ("/apis/apps/v1", {"deployments", "replicasets", "deployments/scale"}),
    ],
)
def test_discovery_lists_the_kinds_that_we_read(api: KubeHttp, path: str, names: set[str]) -> None:
    listed = api.http.get(path).json()

    assert listed["kind"] == "APIResourceList"
    assert names <= {resource["name"] for resource in listed["resources"]}


def test_a_wrong_token_is_answered_401(api: KubeHttp) -> None:
    answer = api.http.get("/api/v1/pods", headers={"Authorization": "Bearer wrong"})

    assert answer.status_code == 401
    assert answer.json()["reason"] == "Unauthorized"


def test_without_a_token_nothing_is_shown(api: KubeHttp) -> None:
    answer = api.http.get("/api/v1/pods", headers={"Authorization": ""})

    assert answer.status_code in (401, 403)
    assert "items" not in answer.json()


# ------------------------------------------------------------------ get and list


def test_a_list_has_a_version_and_items_without_a_kind(api: KubeHttp, still: str) -> None:
    listed = api.get("apps/deployments").json()

    assert (listed["kind"], listed["apiVersion"]) == ("DeploymentList", "apps/v1")
    assert listed["metadata"]["resourceVersion"].isdecimal()
    assert "kind" not in listed["items"][0]
    assert "apiVersion" not in listed["items"][0]


def test_a_single_object_has_its_kind(api: KubeHttp, still: str) -> None:
    body = api.read("apps/deployments", still)

    assert (body["kind"], body["apiVersion"]) == ("Deployment", "apps/v1")
    assert body["metadata"]["uid"]
    assert body["metadata"]["generation"] >= 1


def test_a_missing_object_is_a_404_as_recorded(api: KubeHttp) -> None:
    answer = api.get("pods", "nope")

    assert answer.status_code == 404
    assert answer.json() == _sample("status_404.json")


def test_a_missing_kind_is_a_404_without_a_name(api: KubeHttp) -> None:
    answer = api.get("apps/nothings")

    assert answer.status_code == 404
    assert answer.json()["details"] == {}


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("n=1", {"c1"}),
        ("n==1", {"c1"}),
        ("n!=1,set", {"c2", "c3"}),
        ("n in (1,3)", {"c1", "c3"}),
        ("set,n notin (1)", {"c2", "c3"}),
        ("set,!odd", {"c2"}),
    ],
)
def test_label_selectors_select(api: KubeHttp, selector: str, found: set[str]) -> None:
    _three_maps(api)

    names = {item["metadata"]["name"] for item in api.items("configmaps", labelSelector=selector)}

    assert names == found


def test_a_field_selector_finds_by_name(api: KubeHttp) -> None:
    _three_maps(api)

    found = api.items("configmaps", fieldSelector="metadata.name=c2")

    assert [item["metadata"]["name"] for item in found] == ["c2"]


def test_an_unknown_field_selector_is_a_400(api: KubeHttp) -> None:
    answer = api.get("configmaps", fieldSelector="metadata.bogus=c2")

    assert answer.status_code == 400
    assert "metadata.bogus" in answer.json()["message"]


def test_a_limit_makes_pages_that_add_up(api: KubeHttp) -> None:
    _three_maps(api)
    first = api.get("configmaps", labelSelector="set", limit=2).json()

    token = first["metadata"]["continue"]
    second = api.get("configmaps", labelSelector="set", limit=2, **{"continue": token}).json()

    names = [item["metadata"]["name"] for item in first["items"] + second["items"]]
    assert names == ["c1", "c2", "c3"]
    assert "continue" not in second["metadata"]


# ------------------------------------------------------------------ create, replace, delete


def test_what_exists_cannot_be_created_again(api: KubeHttp, still: str) -> None:
    answer = api.create("apps/deployments", a_deployment(still))

    assert answer.status_code == 409
    assert answer.json()["reason"] == "AlreadyExists"


def test_a_namespace_that_is_missing_is_a_404(api: KubeHttp) -> None:
    path = api.path("configmaps", namespace="no-such-namespace")

    answer = api.http.post(path, json={"metadata": {"name": "x"}})

    assert answer.status_code == 404
    assert answer.json()["details"] == {"name": "no-such-namespace", "kind": "namespaces"}


def test_a_strict_create_refuses_an_unknown_field(api: KubeHttp) -> None:
    body = a_deployment("typo")
    body["spec"]["replica"] = 2

    answer = api.create("apps/deployments", body, fieldValidation="Strict")

    assert answer.status_code == 400
    assert answer.json()["message"].endswith('unknown field "spec.replica"')


def test_a_deployment_without_containers_is_a_422(api: KubeHttp) -> None:
    body = a_deployment("empty")
    body["spec"]["template"]["spec"]["containers"] = []

    answer = api.create("apps/deployments", body)

    assert answer.status_code == 422
    assert _fields(answer) == ["spec.template.spec.containers"]


def test_a_replace_with_an_old_version_is_a_409(api: KubeHttp) -> None:
    _three_maps(api)
    body = api.read("configmaps", "c1")
    body["metadata"]["resourceVersion"] = "1"

    answer = api.http.put(api.path("configmaps", "c1"), json=body)

    assert answer.status_code == 409
    assert answer.json()["reason"] == "Conflict"


def test_a_replace_changes_the_object_and_its_version(api: KubeHttp) -> None:
    _three_maps(api)
    body = api.read("configmaps", "c3")
    body["data"] = {"k": "replaced"}

    answer = api.http.put(api.path("configmaps", "c3"), json=body).json()

    assert answer["data"] == {"k": "replaced"}
    assert answer["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]


def test_a_deleted_object_is_gone(api: KubeHttp) -> None:
    api.create("configmaps", {"metadata": {"name": "short-lived"}})

    answer = api.delete("configmaps", "short-lived")

    assert answer.json()["status"] == "Success"
    assert answer.json()["details"]["name"] == "short-lived"
    assert api.get("configmaps", "short-lived").status_code == 404


def test_with_a_deployment_go_its_replica_sets_and_pods(api: KubeHttp) -> None:
    api.create("apps/deployments", a_deployment("leaving"))
    api.rolled_out("leaving")

    api.delete("apps/deployments", "leaving")

    api.until(lambda: not api.pods_of("leaving"), "its pods gone")
    left = api.items("apps/replicasets", labelSelector="app=leaving")
    assert left == []


# ------------------------------------------------------------------ patches


def test_a_strategic_patch_merges_containers_by_name(api: KubeHttp, still: str) -> None:
    before = _container(api.read("apps/deployments", still))

    answer = api.patch("apps/deployments", still, limit_patch("128Mi"), dryRun="All")

    after = _container(answer.json())
    assert after["resources"]["limits"] == {"memory": "128Mi"}
    assert after["resources"]["requests"] == before["resources"]["requests"]
    assert (after["image"], after["env"], after["ports"]) == (
        before["image"],
        before["env"],
        before["ports"],
    )


@pytest.mark.parametrize(
    ("change", "env"),
    [
        ([{"name": "B", "value": "9"}], {"A": "1", "B": "9"}),
        ([{"name": "C", "value": "3"}], {"C": "3", "A": "1", "B": "2"}),
        ([{"name": "A", "$patch": "delete"}], {"B": "2"}),
        ([{"$patch": "replace"}, {"name": "Z", "value": "0"}], {"Z": "0"}),
    ],
    ids=["changes one", "adds one in front", "deletes one", "replaces all"],
)
def test_a_strategic_patch_merges_env_by_name(
    api: KubeHttp, still: str, change: list[Obj], env: dict[str, str]
) -> None:
    patch = _container_patch(env=change)

    answer = api.patch("apps/deployments", still, patch, dryRun="All")

    assert answer.status_code == 200, answer.text
    held = [(entry["name"], entry["value"]) for entry in _container(answer.json())["env"]]
    assert held == list(env.items())


def test_a_strategic_patch_merges_ports_by_number(api: KubeHttp, still: str) -> None:
    patch = _container_patch(ports=[{"containerPort": 9090, "name": "metrics"}])

    answer = api.patch("apps/deployments", still, patch, dryRun="All")

    ports = {port["containerPort"] for port in _container(answer.json())["ports"]}
    assert ports == {8080, 9090}


def test_a_new_container_comes_first(api: KubeHttp, still: str) -> None:
    extra = {"name": "extra", "image": "docker.io/lab/busybox:1.35"}
    patch = {"spec": {"template": {"spec": {"containers": [extra]}}}}

    answer = api.patch("apps/deployments", still, patch, dryRun="All").json()

    names = [c["name"] for c in answer["spec"]["template"]["spec"]["containers"]]
    assert names == ["extra", "app"]


def test_null_removes_a_field(api: KubeHttp, still: str) -> None:
    patch = _container_patch(resources={"limits": None})

    answer = api.patch("apps/deployments", still, patch, dryRun="All")

    assert "limits" not in _container(answer.json())["resources"]


def test_a_json_patch_replaces_by_path(api: KubeHttp, still: str) -> None:
    path = "/spec/template/spec/containers/0/image"
    patch = [
        {"op": "test", "path": path, "value": "docker.io/lab/busybox:1.35"},
        {"op": "replace", "path": path, "value": "docker.io/lab/busybox:1.36"},
    ]

    answer = api.patch("apps/deployments", still, patch, JSON, dryRun="All")

    assert _container(answer.json())["image"] == "docker.io/lab/busybox:1.36"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/spec/replicas", "value": 99},
        {"op": "remove", "path": "/spec/nothing"},
        {"op": "bogus", "path": "/spec/replicas"},
    ],
    ids=["failed test", "missing path", "unknown operation"],
)
def test_a_json_patch_that_does_not_apply_is_a_422(
    api: KubeHttp, still: str, operation: Obj
) -> None:
    answer = api.patch("apps/deployments", still, [operation], JSON, dryRun="All")

    assert answer.status_code == 422
    assert answer.json()["reason"] == "Invalid"


def test_a_merge_patch_replaces_lists(api: KubeHttp, still: str) -> None:
    only = {"name": "only", "image": "docker.io/lab/busybox:1.35"}
    patch = {"spec": {"template": {"spec": {"containers": [only]}}}}

    answer = api.patch("apps/deployments", still, patch, MERGE, dryRun="All").json()

    names = [c["name"] for c in answer["spec"]["template"]["spec"]["containers"]]
    assert names == ["only"]


def test_a_dry_run_keeps_nothing(api: KubeHttp, still: str) -> None:
    before = api.read("apps/deployments", still)

    answer = api.patch("apps/deployments", still, limit_patch("128Mi"), dryRun="All")

    told = answer.json()["metadata"]
    assert told["generation"] == before["metadata"]["generation"] + 1
    assert told["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert api.read("apps/deployments", still) == before


def test_a_dry_run_creates_nothing(api: KubeHttp) -> None:
    answer = api.create("configmaps", {"metadata": {"name": "dry"}}, dryRun="All")

    assert answer.status_code == 201
    assert answer.json()["metadata"]["uid"]
    assert api.get("configmaps", "dry").status_code == 404


def test_an_old_version_in_a_patch_is_a_409_as_recorded(api: KubeHttp, still: str) -> None:
    patch = {"metadata": {"resourceVersion": "1"}, **limit_patch("128Mi")}

    answer = api.patch("apps/deployments", still, patch, dryRun="All")

    assert answer.status_code == 409
    assert answer.json() == _sample("status_409_conflict.json", still)


def test_the_newest_version_in_a_patch_is_accepted(api: KubeHttp, still: str) -> None:
    version = api.read("apps/deployments", still)["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version}, **limit_patch("128Mi")}

    assert api.patch("apps/deployments", still, patch, dryRun="All").status_code == 200


def test_an_unknown_content_type_is_a_415_as_recorded(api: KubeHttp, still: str) -> None:
    answer = api.patch("apps/deployments", still, {}, "application/merge+json")

    assert answer.status_code == 415
    assert answer.json() == _sample("status_415.json")


def test_a_limit_below_the_request_is_a_422_as_recorded(api: KubeHttp, still: str) -> None:
    answer = api.patch("apps/deployments", still, limit_patch("1Mi"), dryRun="All")

    assert answer.status_code == 422
    assert answer.json() == _sample("status_422_invalid.json", still)


@pytest.mark.parametrize(
    ("patch", "fields"),
    [
        ({"spec": {"replicas": -1}}, ["spec.replicas"]),
        (limit_patch("-5Mi"), ["limits[memory]", "requests"]),
        (limit_patch("32XX"), ["patch"]),
        ({"spec": {"replicas": "two"}}, ["patch"]),
        ({"spec": {"replica": 2}}, ["patch"]),
        (
            {"spec": {"selector": {"matchLabels": {"app": "other"}}}},
            ["spec.template.metadata.labels", "spec.selector"],
        ),
        (
            {"spec": {"template": {"metadata": {"labels": {"app": "other"}}}}},
            ["spec.template.metadata.labels"],
        ),
        (
            {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}},
            ["spec.strategy.rollingUpdate.maxUnavailable"],
        ),
        (
            {"spec": {"template": {"spec": {"restartPolicy": "Never"}}}},
            ["spec.template.spec.restartPolicy"],
        ),
        (
            {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": ""}]}}}},
            ["spec.template.spec.containers[0].image"],
        ),
        (
            {"spec": {"template": {"spec": {"containers": [{"name": "unknown"}]}}}},
            ["spec.template.spec.containers[0].image"],
        ),
    ],
    ids=[
        "negative replicas",
        "negative limit",
        "no quantity",
        "wrong type",
        "unknown field",
        "immutable selector",
        "labels that the selector misses",
        "no room to roll",
        "restart policy",
        "no image",
        "new container without an image",
    ],
)
def test_what_is_not_allowed_is_a_422_that_names_the_field(
    api: KubeHttp, still: str, patch: Obj, fields: list[str]
) -> None:
    answer = api.patch("apps/deployments", still, patch, dryRun="All")

    assert answer.status_code == 422, answer.text
    assert answer.json()["reason"] == "Invalid"
    told = _fields(answer)
    assert len(told) == len(fields)
    assert all(field.endswith(end) for field, end in zip(told, fields, strict=True))


def test_a_strict_patch_says_the_unknown_field_last(api: KubeHttp, still: str) -> None:
    answer = api.patch("apps/deployments", still, {"spec": {"replica": 2}}, dryRun="All")

    assert answer.json()["message"].endswith('strict decoding error: unknown field "spec.replica"')


def test_a_patch_that_is_no_json_is_a_400(api: KubeHttp, still: str) -> None:
    assert api.patch("apps/deployments", still, "{bad").status_code == 400


def test_an_unknown_dry_run_is_refused(api: KubeHttp, still: str) -> None:
    answer = api.patch("apps/deployments", still, limit_patch("128Mi"), dryRun="Some")

    assert answer.status_code == 422
    assert _fields(answer) == ["dryRun"]


def test_managed_fields_say_who_changed_what_and_when(api: KubeHttp, still: str) -> None:
    annotation = {"metadata": {"annotations": {"incident-copilot.io/proposal": "7"}}}

    answer = api.patch("apps/deployments", still, annotation).json()

    entries = answer["metadata"]["managedFields"]
    mine = next(entry for entry in entries if entry["manager"] == MANAGER)
    assert mine["operation"] == "Update"
    assert datetime.fromisoformat(mine["time"]).tzinfo is not None
    owned = mine["fieldsV1"]["f:metadata"]["f:annotations"]
    assert "f:incident-copilot.io/proposal" in owned


def test_a_field_moves_to_the_manager_that_changes_it(api: KubeHttp) -> None:
    api.create("apps/deployments", _still("moving"), fieldManager="somebody")

    answer = api.patch("apps/deployments", "moving", limit_patch("96Mi")).json()

    path = 'f:spec f:template f:spec f:containers k:{"name":"app"} f:resources f:limits f:memory'
    owners = _owners(answer, path.split())
    assert owners == {MANAGER}


def test_the_generation_moves_with_the_spec_only(api: KubeHttp) -> None:
    api.create("apps/deployments", _still("steps"))
    label = {"metadata": {"labels": {"team": "payments"}}}

    labelled = api.patch("apps/deployments", "steps", label).json()
    limited = api.patch("apps/deployments", "steps", limit_patch("96Mi")).json()

    assert labelled["metadata"]["generation"] == 1
    assert limited["metadata"]["generation"] == 2


def test_a_patch_that_changes_nothing_keeps_the_version(api: KubeHttp) -> None:
    _three_maps(api)
    before = api.read("configmaps", "c2")["metadata"]["resourceVersion"]

    after = api.patch("configmaps", "c2", {"data": {"k": "2"}}).json()

    assert after["metadata"]["resourceVersion"] == before


def test_a_custom_label_must_be_a_label(api: KubeHttp, still: str) -> None:
    answer = api.patch("apps/deployments", still, {"metadata": {"labels": {"a b": "x"}}})

    assert answer.status_code == 422
    assert set(_fields(answer)) == {"metadata.labels"}


# ------------------------------------------------------------------ watch


def test_a_watch_tells_what_happened_since_in_order(api: KubeHttp) -> None:
    version = api.get("configmaps").json()["metadata"]["resourceVersion"]
    api.create("configmaps", {"metadata": {"name": "seen"}})
    api.patch("configmaps", "seen", {"data": {"k": "1"}})
    api.delete("configmaps", "seen")

    lines = api.watch("configmaps", resourceVersion=version)

    told = [(line["type"], line["object"]["kind"]) for line in lines]
    assert told == [(type_, "ConfigMap") for type_ in ("ADDED", "MODIFIED", "DELETED")]
    versions = [int(line["object"]["metadata"]["resourceVersion"]) for line in lines]
    assert versions == sorted(versions)
    assert versions[0] > int(version)


def test_a_watch_tells_what_happens_while_it_is_open(api: KubeHttp) -> None:
    version = api.get("configmaps").json()["metadata"]["resourceVersion"]
    body = {"metadata": {"name": "later"}}
    threading.Timer(0.5, lambda: api.create("configmaps", body)).start()

    lines = api.watch("configmaps", resourceVersion=version)

    assert [line["object"]["metadata"]["name"] for line in lines] == ["later"]


def test_a_watch_without_a_version_starts_with_what_is_there(api: KubeHttp) -> None:
    _three_maps(api)

    lines = api.watch("configmaps", seconds=1, labelSelector="set")

    assert {(line["type"], line["object"]["metadata"]["name"]) for line in lines} == {
        ("ADDED", "c1"),
        ("ADDED", "c2"),
        ("ADDED", "c3"),
    }


def test_an_object_that_leaves_the_selection_is_told_as_deleted(api: KubeHttp) -> None:
    api.create("configmaps", {"metadata": {"name": "chosen", "labels": {"pick": "yes"}}})
    version = api.get("configmaps").json()["metadata"]["resourceVersion"]
    api.patch("configmaps", "chosen", {"metadata": {"labels": {"pick": "no"}}})

    lines = api.watch("configmaps", labelSelector="pick=yes", resourceVersion=version)

    assert [line["type"] for line in lines] == ["DELETED"]


def test_a_bookmark_carries_a_version_and_nothing_else(api: KubeHttp) -> None:
    # A real server sends one shortly before the end, where something happened while it watched.
    version = api.get("pods").json()["metadata"]["resourceVersion"]
    body = a_deployment("marked")
    threading.Timer(1, lambda: api.create("apps/deployments", body)).start()

    lines = api.watch("pods", 8, resourceVersion=version, allowWatchBookmarks="true")

    bookmark = next(line["object"] for line in lines if line["type"] == "BOOKMARK")
    assert bookmark["metadata"]["resourceVersion"].isdecimal()
    assert bookmark["spec"]["containers"] is None
    assert "name" not in bookmark["metadata"]


def test_a_version_that_is_forgotten_is_a_410_inside_the_stream(api: KubeHttp) -> None:
    lines = _watch_from_the_beginning(api)

    assert [line["type"] for line in lines] == ["ERROR"]
    assert (lines[0]["object"]["code"], lines[0]["object"]["reason"]) == (410, "Expired")


# ------------------------------------------------------------------ rollouts


def test_a_changed_template_rolls_out_as_a_new_replica_set(api: KubeHttp) -> None:
    api.create("apps/deployments", a_deployment("rolling"))
    first = api.rolled_out("rolling")

    api.patch("apps/deployments", "rolling", limit_patch("64Mi"))
    second = api.rolled_out("rolling")

    assert (_revision(first), _revision(second)) == ("1", "2")
    by_revision = {_revision(rs): rs for rs in _replica_sets(api, "rolling")}
    assert by_revision["1"]["spec"]["replicas"] == 0
    assert by_revision["2"]["spec"]["replicas"] == 1
    names = {rs["metadata"]["labels"]["pod-template-hash"] for rs in by_revision.values()}
    assert {rs["metadata"]["name"] for rs in by_revision.values()} == {
        f"rolling-{name}" for name in names
    }


def test_a_complete_rollout_is_told_by_the_conditions(api: KubeHttp) -> None:
    api.create("apps/deployments", a_deployment("telling"))

    deployment = api.rolled_out("telling")

    conditions = {c["type"]: c for c in deployment["status"]["conditions"]}
    assert conditions["Available"]["status"] == "True"
    assert conditions["Progressing"]["reason"] == "NewReplicaSetAvailable"
    events = _events(api, "telling")
    assert [e["reason"] for e in events] == ["ScalingReplicaSet"]
    assert re.fullmatch(r"Scaled up replica set telling-\w+ from 0 to 1", events[0]["message"])


def test_an_old_template_again_is_a_rollback_to_its_replica_set(api: KubeHttp) -> None:
    api.create("apps/deployments", a_deployment("back"))
    api.rolled_out("back")
    api.patch("apps/deployments", "back", limit_patch("64Mi"))
    api.rolled_out("back")
    old = next(rs for rs in _replica_sets(api, "back") if _revision(rs) == "1")
    template = json.loads(json.dumps(old["spec"]["template"]))
    del template["metadata"]["labels"]["pod-template-hash"]

    operation = {"op": "replace", "path": "/spec/template", "value": template}
    api.patch("apps/deployments", "back", [operation], JSON)
    api.rolled_out("back")

    used = next(rs for rs in _replica_sets(api, "back") if rs["spec"]["replicas"])
    assert used["metadata"]["name"] == old["metadata"]["name"]
    assert _revision(used) == "3"
    assert used["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"
    assert len(_replica_sets(api, "back")) == 2


def test_pods_know_their_owner(api: KubeHttp) -> None:
    api.create("apps/deployments", a_deployment("owned"))
    api.rolled_out("owned")

    (pod,) = api.pods_of("owned")

    owner = pod["metadata"]["ownerReferences"][0]
    replica_set = api.read("apps/replicasets", owner["name"])
    assert (owner["kind"], owner["uid"]) == ("ReplicaSet", replica_set["metadata"]["uid"])
    above = replica_set["metadata"]["ownerReferences"][0]
    assert (above["kind"], above["name"]) == ("Deployment", "owned")


def test_the_scale_can_be_read_and_set(api: KubeHttp) -> None:
    api.create("apps/deployments", a_deployment("scaled"))
    path = f"{api.path('apps/deployments', 'scaled')}/scale"

    patched = api.http.patch(
        path, content='{"spec":{"replicas":2}}', headers={"Content-Type": MERGE}
    )

    assert patched.json()["kind"] == "Scale"
    assert api.rolled_out("scaled")["spec"]["replicas"] == 2
    assert len(api.pods_of("scaled")) == 2


# ------------------------------------------------------------------ containers that fail


def test_a_kill_for_memory_shows_in_the_state_first(api: KubeHttp) -> None:
    api.create("apps/deployments", a_memory_hog("first-kill", "32Mi"))

    def look() -> Obj | None:
        for pod in api.pods_of("first-kill"):
            ended = container_status(pod).get("state", {}).get("terminated")
            if ended:
                return dict(ended)
        return None

    ended = api.until(look, "a kill")

    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    assert ended["startedAt"] < ended["finishedAt"]
    assert ended["containerID"].startswith("containerd://")
    api.delete("apps/deployments", "first-kill")


def test_a_crash_loop_keeps_the_kill_in_its_last_state(killed: Obj) -> None:
    status = container_status(killed)

    ended = status["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    assert status["restartCount"] >= 1
    assert status["ready"] is False
    waiting = status["state"]["waiting"]
    assert re.match(r"back-off \d+s restarting failed container=app pod=hog-", waiting["message"])
    assert killed["status"]["phase"] == "Running"
    ready = next(c for c in killed["status"]["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")


def test_no_event_says_that_memory_ran_out(api: KubeHttp, killed: Obj) -> None:
    events = _events(api, killed["metadata"]["name"])

    told = {(event["type"], event["reason"]) for event in events}
    assert {
        ("Normal", "Scheduled"),
        ("Normal", "Pulled"),
        ("Normal", "Created"),
        ("Normal", "Started"),
        ("Warning", "BackOff"),
    } <= told
    assert not [event for event in events if "oom" in f"{event['reason']}".lower()]
    assert not [event for event in events if "memory" in event["message"].lower()]


def test_kubelet_and_scheduler_write_their_times_differently(api: KubeHttp, killed: Obj) -> None:
    events = {event["reason"]: event for event in _events(api, killed["metadata"]["name"])}

    scheduled, started = events["Scheduled"], events["Started"]
    assert scheduled["eventTime"]
    assert scheduled["lastTimestamp"] is None
    assert "count" not in scheduled
    assert started["eventTime"] is None
    assert started["count"] >= 2
    assert started["firstTimestamp"] < started["lastTimestamp"]
    assert started["source"]["component"] == "kubelet"
    assert started["involvedObject"]["fieldPath"] == "spec.containers{app}"


def test_the_previous_log_ends_without_a_word_of_the_kill(api: KubeHttp, killed: Obj) -> None:
    answer = api.log(killed["metadata"]["name"], previous="true")

    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.headers["content-type"].startswith("text/plain")
    assert [line["allocated_mib"] for line in lines] == list(
        range(2, lines[-1]["allocated_mib"] + 1, 2)
    )
    assert 26 <= lines[-1]["allocated_mib"] <= 30
    assert {line["msg"] for line in lines} == {"cache grew"}


def test_the_log_can_be_cut(api: KubeHttp, killed: Obj) -> None:
    name = killed["metadata"]["name"]

    tail = api.log(name, previous="true", tailLines=2).text
    stamped = api.log(name, previous="true", tailLines=1, timestamps="true").text
    short = api.log(name, previous="true", limitBytes=10).text

    assert len(tail.splitlines()) == 2
    assert re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \{"ts"', stamped)
    assert short == '{"ts":"202'


def test_the_log_since_a_time_leaves_out_what_was_before(api: KubeHttp, killed: Obj) -> None:
    name = killed["metadata"]["name"]

    none = api.log(name, previous="true", sinceTime="2099-01-01T00:00:00Z").text
    all_ = api.log(name, previous="true", sinceTime="2020-01-01T00:00:00Z").text

    assert none == ""
    assert all_ == api.log(name, previous="true").text


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"container": "nope"}, 400),
        ({"tailLines": "abc"}, 400),
        ({"tailLines": "-1"}, 422),
        ({"limitBytes": "0"}, 422),
    ],
)
def test_a_log_request_that_makes_no_sense_is_refused(
    api: KubeHttp, killed: Obj, query: dict[str, Any], code: int
) -> None:
    assert api.log(killed["metadata"]["name"], **query).status_code == code


def test_without_an_earlier_run_there_is_no_previous_log(api: KubeHttp) -> None:
    api.create("apps/deployments", a_deployment("young"))
    api.rolled_out("young")
    (pod,) = api.pods_of("young")

    answer = api.log(pod["metadata"]["name"], previous="true")

    assert answer.status_code == 400
    assert answer.json()["message"].startswith('previous terminated container "app" in pod')
    assert api.log(pod["metadata"]["name"]).text == "ready\n"


def test_the_log_of_a_pod_that_is_gone_is_a_404(api: KubeHttp) -> None:
    assert api.log("nope").json() == _sample("status_404.json")


def test_the_cgroup_of_the_pod_remembers_the_peak(api: KubeHttp, killed: Obj) -> None:
    name = killed["metadata"]["name"]
    path = f"/api/v1/nodes/{killed['spec']['nodeName']}/proxy/metrics/cadvisor"

    def look() -> dict[str, float] | None:
        rows = _rows(api.http.get(path).text, name, 'container=""')
        peak = rows.get("container_memory_max_usage_bytes", 0)
        return rows if peak > 0.99 * 32 * 2**20 else None

    rows = api.until(look, "the peak in cAdvisor's metrics")

    # A kernel may count a few pages beyond the limit.
    assert rows["container_memory_max_usage_bytes"] < 32 * 2**20 + 2**16
    assert rows["container_memory_failcnt"] > 0
    assert rows["container_oom_events_total"] == 0


def test_the_kubelet_tells_the_memory_of_what_runs(api: KubeHttp) -> None:
    api.create("apps/deployments", a_deployment("measured"))
    api.rolled_out("measured")
    (pod,) = api.pods_of("measured")
    path = f"/api/v1/nodes/{pod['spec']['nodeName']}/proxy/stats/summary"

    def look() -> Obj | None:
        pods = api.http.get(path).json()["pods"]
        name = pod["metadata"]["name"]
        return next((p for p in pods if p["podRef"]["name"] == name and p.get("containers")), None)

    told = api.until(look, "the pod in the summary")

    assert told["podRef"]["uid"] == pod["metadata"]["uid"]
    assert told["containers"][0]["name"] == "app"
    assert told["containers"][0]["memory"]["workingSetBytes"] > 0


def test_a_higher_limit_really_heals(api: KubeHttp) -> None:
    api.create("apps/deployments", a_memory_hog("healed", "32Mi"))
    api.until(
        lambda: any(container_status(p).get("restartCount") for p in api.pods_of("healed")),
        "a restart",
    )

    patch = limit_patch("64Mi")
    api.patch("apps/deployments", "healed", patch)
    api.rolled_out("healed")

    def whole() -> Obj | None:
        pods = api.pods_of("healed")
        logged = api.log(pods[0]["metadata"]["name"]).text if len(pods) == 1 else ""
        return pods[0] if '"allocated_mib":48}' in logged else None

    pod = api.until(whole, "all 48 MiB")
    status = container_status(pod)
    assert (status["restartCount"], status["ready"]) == (0, True)
    assert status["lastState"] == {}


def test_a_program_that_fails_crash_loops_with_its_exit_code(api: KubeHttp) -> None:
    script = "echo starting; echo 'error: no configuration' >&2; exit 3"
    api.create("apps/deployments", a_deployment("failing", command=["/bin/sh", "-c", script]))

    def look() -> Obj | None:
        for pod in api.pods_of("failing"):
            status = container_status(pod)
            if status.get("lastState", {}).get("terminated") and status["restartCount"] >= 2:
                return pod
        return None

    pod = api.until(look, "two restarts")

    ended = container_status(pod)["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("Error", 3)
    lines = api.log(pod["metadata"]["name"], previous="true").text.splitlines()
    # Two streams: their order is anybody's.
    assert sorted(lines) == ["error: no configuration", "starting"]


def test_an_image_that_does_not_exist_is_never_pulled(api: KubeHttp) -> None:
    image = "docker.io/lab/busybox:9.99"
    body = a_deployment("no-image", image=image, imagePullPolicy="IfNotPresent")
    api.create("apps/deployments", body)

    def look() -> Obj | None:
        for pod in api.pods_of("no-image"):
            waiting = container_status(pod).get("state", {}).get("waiting", {})
            if waiting.get("reason") == "ImagePullBackOff":
                return dict(pod)
        return None

    pod = api.until(look, "a failed pull", 120)

    waiting = container_status(pod)["state"]["waiting"]
    assert waiting["message"].startswith(f'Back-off pulling image "{image}": ErrImagePull: ')
    assert pod["status"]["phase"] == "Pending"
    assert container_status(pod)["imageID"] == ""
    told = {(e["type"], e["reason"]) for e in _events(api, pod["metadata"]["name"])}
    assert {("Normal", "Pulling"), ("Warning", "Failed"), ("Normal", "BackOff")} <= told
    answer = api.log(pod["metadata"]["name"])
    assert answer.status_code == 400
    assert "is waiting to start: trying and failing to pull image" in answer.json()["message"]


def test_an_image_that_may_not_be_pulled_is_told(api: KubeHttp) -> None:
    api.create("apps/deployments", a_deployment("never", image="docker.io/lab/busybox:9.99"))

    def look() -> Obj | None:
        for pod in api.pods_of("never"):
            waiting = container_status(pod).get("state", {}).get("waiting", {})
            if waiting.get("reason") == "ErrImageNeverPull":
                return dict(waiting)
        return None

    waiting = api.until(look, "a refusal to pull")

    assert waiting["message"].endswith("is not present with pull policy of Never")


@pytest.mark.parametrize(
    ("name", "spec", "reason"),
    [
        (
            "too-big",
            {"resources": {"requests": {"memory": "900Gi"}}},
            "Insufficient memory",
        ),
        ("choosy", {}, "node(s) didn't match Pod's node affinity/selector"),
    ],
)
def test_a_pod_that_fits_nowhere_stays_pending_and_says_why(
    api: KubeHttp, name: str, spec: Obj, reason: str
) -> None:
    body = a_deployment(name, **spec)
    if not spec:
        body["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    api.create("apps/deployments", body)

    def look() -> Obj | None:
        for pod in api.pods_of(name):
            conditions = pod["status"].get("conditions") or []
            found: Obj = next((c for c in conditions if c["type"] == "PodScheduled"), {})
            if found.get("status") == "False" and _events(api, pod["metadata"]["name"]):
                return {"pod": pod, "condition": found}
        return None

    found = api.until(look, "a refusal")

    assert found["condition"]["reason"] == "Unschedulable"
    assert reason in found["condition"]["message"]
    assert found["pod"]["status"]["phase"] == "Pending"
    (event,) = _events(api, found["pod"]["metadata"]["name"])
    assert (event["reason"], event["type"]) == ("FailedScheduling", "Warning")
    assert (event["lastTimestamp"], bool(event["eventTime"])) == (None, True)
    api.delete("apps/deployments", name)


@pytest.mark.parametrize(
    ("name", "probe", "told"),
    [
        ("wrong-port", {"path": "/", "port": 9999}, "connect: connection refused"),
        ("wrong-path", {"path": "/nope", "port": 8080}, "HTTP probe failed with statuscode: 404"),
    ],
)
def test_a_failing_readiness_probe_keeps_the_pod_unready(
    api: KubeHttp, name: str, probe: Obj, told: str
) -> None:
    script = "mkdir -p /tmp/www; echo ok > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"
    body = a_deployment(
        name,
        command=["/bin/sh", "-c", script],
        readinessProbe={"httpGet": probe, "periodSeconds": 1},
    )
    api.create("apps/deployments", body)

    def look() -> Obj | None:
        for pod in api.pods_of(name):
            for event in _events(api, pod["metadata"]["name"]):
                if event["reason"] == "Unhealthy" and event["count"] >= 3:
                    return {"pod": api.read("pods", pod["metadata"]["name"]), "event": event}
        return None

    found = api.until(look, "failed probes")

    assert found["event"]["message"].startswith("Readiness probe failed: ")
    assert found["event"]["message"].endswith(told)
    status = container_status(found["pod"])
    assert (status["ready"], status["started"], status["restartCount"]) == (False, True, 0)
    assert "running" in status["state"]


def test_a_failing_liveness_probe_restarts_the_container(api: KubeHttp) -> None:
    script = "mkdir -p /tmp/www; exec httpd -f -p 8080 -h /tmp/www"
    probe = {"httpGet": {"path": "/live", "port": 8080}, "periodSeconds": 1, "failureThreshold": 2}
    body = a_deployment("not-alive", command=["/bin/sh", "-c", script], livenessProbe=probe)
    api.create("apps/deployments", body)

    def look() -> Obj | None:
        pods = api.pods_of("not-alive")
        return next((p for p in pods if container_status(p).get("restartCount", 0) >= 1), None)

    pod = api.until(look, "a restart")

    assert container_status(pod)["lastState"]["terminated"]["reason"] == "Error"
    killing = [e for e in _events(api, pod["metadata"]["name"]) if e["reason"] == "Killing"]
    assert killing[0]["message"] == "Container app failed liveness probe, will be restarted"


# ------------------------------------------------------------------ the official client


async def test_the_official_client_reads_patches_and_is_refused(
    target: Target, api: KubeHttp, still: str
) -> None:
    async with await _official(target) as connection:
        apps = kube.AppsV1Api(connection)

        listed = await apps.list_namespaced_deployment(api.namespace)
        dry = await apps.patch_namespaced_deployment(
            still,
            api.namespace,
            limit_patch("128Mi"),
            dry_run="All",
            field_manager=MANAGER,
            field_validation="Strict",
            _content_type="application/strategic-merge-patch+json",
        )
        with pytest.raises(kube.ApiException) as refused:
            await apps.patch_namespaced_deployment(
                still,
                api.namespace,
                limit_patch("1Mi"),
                dry_run="All",
                _content_type="application/strategic-merge-patch+json",
            )

    assert still in {item.metadata.name for item in listed.items}
    assert dry.spec.template.spec.containers[0].resources.limits == {"memory": "128Mi"}
    assert refused.value.status == 422


async def test_the_official_client_reads_every_kind_that_we_watch(target: Target) -> None:
    async with await _official(target) as connection:
        core, apps = kube.CoreV1Api(connection), kube.AppsV1Api(connection)

        lists = [
            await core.list_namespace(),
            await core.list_node(),
            await core.list_pod_for_all_namespaces(),
            await core.list_event_for_all_namespaces(),
            await core.list_config_map_for_all_namespaces(),
            await core.list_service_for_all_namespaces(),
            await apps.list_deployment_for_all_namespaces(),
            await apps.list_replica_set_for_all_namespaces(),
        ]

    assert all(listed.metadata.resource_version for listed in lists)
    assert lists[1].items[0].status.allocatable["memory"]


async def _official(target: Target) -> Any:
    return await kube_config.new_client_from_config(
        config_file=str(target.kubeconfig), context=target.context
    )


# ------------------------------------------------------------------ helpers


def _sample(name: str, subject: str = "") -> Obj:
    """A recorded answer, about `subject` instead of `oom-demo`."""
    text = (SAMPLES / name).read_text()
    return dict(json.loads(text.replace("oom-demo", subject) if subject else text))


def _fields(answer: httpx.Response) -> list[str]:
    return [cause["field"] for cause in answer.json()["details"]["causes"]]


def _three_maps(api: KubeHttp) -> None:
    """ConfigMaps c1 to c3; harmless the second time."""
    for number in ("1", "2", "3"):
        labels = {"set": "yes", "n": number} | ({"odd": "yes"} if number in "13" else {})
        body = {"metadata": {"name": f"c{number}", "labels": labels}, "data": {"k": number}}
        assert api.create("configmaps", body).status_code in (201, 409)


def _still(name: str) -> Obj:
    body = a_memory_hog(name, "64Mi")
    body["spec"]["replicas"] = 0
    return body


def _container(deployment: Obj) -> Obj:
    return dict(deployment["spec"]["template"]["spec"]["containers"][0])


def _container_patch(**fields: Any) -> Obj:
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", **fields}]}}}}


def _revision(obj: Obj) -> str:
    return str(obj["metadata"]["annotations"]["deployment.kubernetes.io/revision"])


def _replica_sets(api: KubeHttp, app: str) -> list[Obj]:
    return api.items("apps/replicasets", labelSelector=f"app={app}")


def _owners(obj: Obj, path: list[str]) -> set[str]:
    """The managers whose entry has the field at the path."""
    found = set()
    for entry in obj["metadata"]["managedFields"]:
        fields = entry["fieldsV1"]
        for step in path:
            fields = fields.get(step) if fields else None
        if fields is not None:
            found.add(entry["manager"])
    return found


def _events(api: KubeHttp, name: str) -> list[Obj]:
    """Events about the object, without those that only the real kubelet's set-up writes."""
    found = api.items("events", fieldSelector=f"involvedObject.name={name}")
    return [e for e in found if e["reason"] not in ("MissingClusterDNS", "FailedMount")]


def _rows(text: str, pod: str, label: str) -> dict[str, float]:
    """The pod's rows with the label, by metric; the highest of several."""
    rows: dict[str, float] = {}
    for line in text.splitlines():
        if f'pod="{pod}"' in line and label in line and 'image=""' in line:
            value = float(line.rpartition("}")[2].split()[0])
            metric = line.partition("{")[0]
            rows[metric] = max(value, rows.get(metric, 0))
    return rows


def _watch_from_the_beginning(api: KubeHttp) -> list[Obj]:
    """A real server forgets after a while: the lab's within a minute, most after five to ten."""
    ends = time.monotonic() + 90
    while True:
        lines = api.watch("events", resourceVersion="1")
        if lines and lines[0]["type"] == "ERROR":
            return lines
        if time.monotonic() > ends:
            pytest.skip("this server is too young and has forgotten nothing yet")
        time.sleep(2)
