"""Where an object is made in a repository, and that a change is made where its value comes from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from copilot.domain.errors import Invalid, NotFound
from copilot.domain.objects import ObjectRef
from copilot.remediate.gitops.manifest import Changed, Tracked, changed, find, wanted

SHOP = ObjectRef(kind="Deployment", namespace="prod", name="shop")
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop # the shop
spec:
  replicas: 2
  template:
    spec:
      containers:
        - name: app
          image: registry/shop:1.0
          resources:
            limits:
              memory: 64Mi # by hand
        - name: proxy
          image: registry/proxy:7
"""
BASE = {
    "base/kustomization.yaml": "resources: [shop.yaml]\n",
    "base/shop.yaml": DEPLOYMENT,
}
OVERLAY = "resources: [../../base]\nnamespace: prod\n"


def tracked(files: dict[str, str], root: str = "overlays/prod") -> Tracked:
    """The repository, read as far as is asked for."""
    repository = Tracked(paths=frozenset(files), files={}, root=root)
    while missing := wanted(repository):
        read = {path: files[path] for path in missing}
        repository = Tracked(paths=repository.paths, files={**repository.files, **read}, root=root)
    return repository


def memory(limit: str) -> dict[str, Any]:
    container = {"name": "app", "resources": {"limits": {"memory": limit}}}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


def to_image(image: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}}


def change(
    files: dict[str, str],
    patch: dict[str, Any],
    *,
    back: dict[str, Any] | None = None,
    target: ObjectRef = SHOP,
    root: str = "overlays/prod",
) -> Changed:
    rollback = json.dumps(back) if back else None
    return changed(tracked(files, root), target, patch=json.dumps(patch), rollback=rollback)


def test_a_plain_manifest_is_found_by_kind_namespace_and_name_in_any_document() -> None:
    files = {
        "apps/all.yaml": "kind: Service\nmetadata: {name: shop}\n---\n" + DEPLOYMENT,
        "apps/other.yaml": DEPLOYMENT.replace("name: shop", "name: shop\n  namespace: staging"),
    }

    found = change(files, memory("128Mi"), root="apps")

    assert found.files == {"apps/all.yaml": files["apps/all.yaml"].replace("64Mi", "128Mi")}


@pytest.mark.parametrize(
    ("overlay", "more", "patch", "path", "before", "after"),
    [
        pytest.param(
            "",
            {},
            memory("128Mi"),
            "base/shop.yaml",
            "memory: 64Mi # by hand",
            "memory: 128Mi # by hand",
            id="the base",
        ),
        pytest.param(
            "patches:\n- path: memory.yaml\n",
            {
                "overlays/prod/memory.yaml": (
                    "kind: Deployment\nmetadata: {name: shop}\nspec: {template: {spec: "
                    "{containers: [{name: app, resources: {limits: {memory: 96Mi}}}]}}}\n"
                )
            },
            memory("128Mi"),
            "overlays/prod/memory.yaml",
            "96Mi",
            "128Mi",
            id="a strategic merge patch in a file",
        ),
        pytest.param(
            "patches:\n"
            "- target: {kind: Deployment, name: shop}\n"
            "  patch: |-\n"
            "    # more in production\n"
            "    - op: replace\n"
            "      path: /spec/template/spec/containers/0/resources/limits/memory\n"
            "      value: 96Mi # peak\n",
            {},
            memory("128Mi"),
            "overlays/prod/kustomization.yaml",
            "value: 96Mi # peak",
            "value: 128Mi # peak",
            id="a JSON patch inline",
        ),
        pytest.param(
            "patchesStrategicMerge:\n- |\n"
            "  kind: Deployment\n  metadata: {name: shop}\n  spec:\n    replicas: 5 # peak\n",
            {},
            {"spec": {"replicas": 7}},
            "overlays/prod/kustomization.yaml",
            "replicas: 5 # peak",
            "replicas: 7 # peak",
            id="a strategic merge patch inline",
        ),
        pytest.param(
            "replicas:\n- name: shop\n  count: 4 # four zones\n",
            {},
            {"spec": {"replicas": 7}},
            "overlays/prod/kustomization.yaml",
            "count: 4 # four zones",
            "count: 7 # four zones",
            id="the replicas transformer",
        ),
        pytest.param(
            'images:\n- name: registry/shop\n  newTag: "2.0" # by the release job\n',
            {},
            to_image("registry/shop:2.1"),
            "overlays/prod/kustomization.yaml",
            'newTag: "2.0" # by',
            'newTag: "2.1" # by',
            id="the images transformer",
        ),
    ],
)
def test_a_value_is_changed_where_it_comes_from(
    overlay: str, more: dict[str, str], patch: dict[str, Any], path: str, before: str, after: str
) -> None:
    files = {**BASE, **more, "overlays/prod/kustomization.yaml": OVERLAY + overlay}

    found = change(files, patch)

    assert found.files == {path: files[path].replace(before, after)}
    assert before in files[path]


MORE_CPU = """\
kind: Deployment
metadata: {name: shop}
spec:
  template:
    spec:
      containers:
      - name: app
        resources:
          limits:
            cpu: 2 # peak
"""


@pytest.mark.parametrize(
    ("patch", "path", "line"),
    [
        pytest.param(
            {"spec": {"replicas": 3}}, "base/shop.yaml", "  replicas: 3", id="the base sets it"
        ),
        pytest.param(
            {
                "spec": {
                    "template": {
                        "spec": {
                            "containers": [
                                {"name": "app", "resources": {"limits": {"storage": "1Gi"}}}
                            ]
                        }
                    }
                }
            },
            "overlays/prod/cpu.yaml",
            "            storage: 1Gi",
            id="nothing sets it, and the overlay sets its neighbours",
        ),
    ],
)
def test_a_patch_that_says_nothing_of_a_value_is_left_alone(
    patch: dict[str, Any], path: str, line: str
) -> None:
    files = {
        **BASE,
        "overlays/prod/kustomization.yaml": f"{OVERLAY}patches: [{{path: cpu.yaml}}]\n",
        "overlays/prod/cpu.yaml": MORE_CPU,
    }

    found = change(files, patch)

    assert list(found.files) == [path]
    assert line in found.files[path].splitlines()


def test_what_is_taken_away_is_taken_from_every_place_that_sets_it() -> None:
    files = {
        **BASE,
        "overlays/prod/kustomization.yaml": f"{OVERLAY}patches: [{{path: cpu.yaml}}]\n",
        "overlays/prod/cpu.yaml": MORE_CPU.replace("cpu: 2", "memory: 96Mi\n            cpu: 2"),
    }
    without = {"name": "app", "resources": {"limits": {"memory": None, "cpu": None}}}

    found = change(files, {"spec": {"template": {"spec": {"containers": [without]}}}})

    assert sorted(found.files) == ["base/shop.yaml", "overlays/prod/cpu.yaml"]
    assert "64Mi" not in found.files["base/shop.yaml"]
    assert "cpu" not in found.files["overlays/prod/cpu.yaml"]


def test_the_same_change_gives_the_same_file_in_every_process() -> None:
    names = [f"key-{i:02}" for i in range(20)]
    labels = {"spec": {"template": {"metadata": {"labels": dict.fromkeys(names, "x")}}}}
    there = DEPLOYMENT.replace(
        "    spec:\n      containers", "    metadata: {labels: {}}\n    spec:\n      containers"
    )

    text = change({"apps/shop.yaml": there}, labels, root="apps").files["apps/shop.yaml"]

    places = [text.index(f"{name}:") for name in names]
    assert places == sorted(places)


def test_prefix_and_namespace_of_the_overlay_lead_to_the_object() -> None:
    files = {
        **BASE,
        "overlays/prod/kustomization.yaml": f"{OVERLAY}namePrefix: eu-\nnameSuffix: -blue\n",
    }
    target = ObjectRef(kind="Deployment", namespace="prod", name="eu-shop-blue")

    made = find(tracked(files), target).made

    assert (made.spot.file, made.namespace) == ("base/shop.yaml", "prod")


def test_the_overlay_of_this_cluster_is_chosen_and_who_shares_the_file_is_told() -> None:
    files = {
        **BASE,
        "overlays/prod/kustomization.yaml": OVERLAY,
        "overlays/staging/kustomization.yaml": "resources: [../../base]\nnamespace: staging\n",
    }

    found = change(files, memory("128Mi"))

    assert list(found.files) == ["base/shop.yaml"]
    assert found.notes == ("base/shop.yaml is also used by overlays/staging",)


def test_an_object_that_is_made_in_two_places_is_refused_with_both() -> None:
    files = {
        **BASE,
        "overlays/a/kustomization.yaml": OVERLAY,
        "overlays/b/kustomization.yaml": OVERLAY,
    }

    with pytest.raises(Invalid, match=r"overlays/a/.* and overlays/b/"):
        change(files, memory("128Mi"), root="overlays")


def test_what_was_changed_past_git_is_not_written_over() -> None:
    files = {**BASE, "overlays/prod/kustomization.yaml": OVERLAY}

    with pytest.raises(Invalid, match="is 64Mi in Git and 24Mi in the cluster"):
        change(files, memory("128Mi"), back=memory("24Mi"))


@pytest.mark.parametrize(
    ("in_git", "in_cluster"),
    [("64Mi", "65536Ki"), ("2", '"2"'), ("0.5", "500m"), ("1Gi", "1024Mi")],
)
def test_the_same_quantity_in_other_words_is_no_drift(in_git: str, in_cluster: str) -> None:
    shop = DEPLOYMENT.replace("64Mi", in_git)
    files = {**BASE, "base/shop.yaml": shop, "overlays/prod/kustomization.yaml": OVERLAY}

    assert change(files, memory("128Mi"), back=memory(in_cluster.strip('"'))).files


def test_a_template_that_is_replaced_whole_changes_only_what_differs_from_the_present_one() -> None:
    def template(image: str) -> dict[str, Any]:
        container = {"name": "app", "image": image, "terminationMessagePath": "/dev/log"}
        spec = {"containers": [container], "dnsPolicy": "ClusterFirst"}
        return {"spec": {"template": {"$patch": "replace", "spec": spec}}}

    files = {**BASE, "overlays/prod/kustomization.yaml": OVERLAY}

    found = change(files, template("registry/shop:0.9"), back=template("registry/shop:1.0"))

    assert found.files == {"base/shop.yaml": DEPLOYMENT.replace("shop:1.0", "shop:0.9")}


def test_an_images_entry_that_others_share_is_refused() -> None:
    other = DEPLOYMENT.replace("name: shop #", "name: worker #")
    files = {
        "base/kustomization.yaml": "resources: [shop.yaml, worker.yaml]\n",
        "base/shop.yaml": DEPLOYMENT,
        "base/worker.yaml": other,
        "overlays/prod/kustomization.yaml": f"{OVERLAY}images: [{{name: registry/shop, newTag: v2}}]\n",
    }

    with pytest.raises(Invalid, match="Deployment worker would change with it"):
        change(files, to_image("registry/shop:v3"))


@pytest.mark.parametrize(
    ("kustomization", "reason"),
    [
        pytest.param("replacements: [{path: r.yaml}]\n", "uses replacements", id="replacements"),
        pytest.param(
            "patches:\n- target: {name: shop}\n  patch: |-\n    - {op: move, from: /a, path: /b}\n",
            "moves or copies",
            id="a JSON patch that moves",
        ),
        pytest.param(
            "patches:\n- target: {name: '(a+)+$'}\n  patch: |-\n    - {op: test, path: /a}\n",
            "chooses its targets",
            id="a pattern that is a program",
        ),
    ],
)
def test_a_kustomization_that_is_not_understood_is_refused_with_why(
    kustomization: str, reason: str
) -> None:
    files = {**BASE, "overlays/prod/kustomization.yaml": OVERLAY + kustomization}

    with pytest.raises(Invalid, match=reason):
        change(files, memory("128Mi"))


def test_a_helm_chart_is_named_as_the_reason_why_nothing_was_found() -> None:
    files = {
        "charts/shop/Chart.yaml": "name: shop\n",
        "charts/shop/templates/shop.yaml": "kind: Deployment\nmetadata: {name: {{ .Name }}}\n",
    }

    with pytest.raises(NotFound, match="Helm chart"):
        change(files, memory("128Mi"), root="")


def test_paths_that_lead_out_of_the_repository_are_not_followed() -> None:
    files = {**BASE, "overlays/prod/kustomization.yaml": "resources: [../../../../etc/passwd]\n"}

    assert "etc/passwd" not in {*wanted(Tracked(paths=frozenset(files), files={}, root=""))}
    with pytest.raises(NotFound):
        change(files, memory("128Mi"))


@pytest.mark.parametrize(("before", "after"), [("1", "1.0"), ("1", "1000m"), ("1Gi", "1024Mi")])
def test_texts_that_would_be_the_same_quantity_are_other_texts_in_settings(
    before: str, after: str
) -> None:
    text = (
        f"kind: ConfigMap\nmetadata: {{name: settings, namespace: prod}}\ndata: {{A: '{before}'}}\n"
    )
    target = ObjectRef(kind="ConfigMap", namespace="prod", name="settings")

    found = change({"a.yaml": text}, {"data": {"A": after}}, target=target, root="")

    assert found.files == {"a.yaml": text.replace(f"'{before}'", f"'{after}'")}


class TestAGeneratedConfigMap:
    TARGET = ObjectRef(kind="ConfigMap", namespace="prod", name="settings")
    GENERATOR = "configMapGenerator:\n- name: settings\n  literals:\n  - URL=http://old # why\n"

    def test_its_literal_is_changed_where_its_name_stays(self) -> None:
        fixed = f"{self.GENERATOR}generatorOptions: {{disableNameSuffixHash: true}}\n"
        files = {**BASE, "overlays/prod/kustomization.yaml": OVERLAY + fixed}

        found = change(files, {"data": {"URL": "http://new"}}, target=self.TARGET)

        path = "overlays/prod/kustomization.yaml"
        assert found.files == {path: files[path].replace("http://old", "http://new")}

    def test_it_is_refused_where_its_name_holds_a_hash(self) -> None:
        files = {**BASE, "overlays/prod/kustomization.yaml": OVERLAY + self.GENERATOR}

        with pytest.raises(Invalid, match="hash"):
            change(files, {"data": {"URL": "http://new"}}, target=self.TARGET)


def test_our_own_annotation_is_not_written_into_git() -> None:
    patch = {**memory("128Mi"), "metadata": {"annotations": {"incident-copilot.io/proposal": "x"}}}
    files = {**BASE, "overlays/prod/kustomization.yaml": OVERLAY}

    assert "annotations" not in change(files, patch).files["base/shop.yaml"]


def test_a_key_that_yaml_takes_for_something_else_than_text_stops_nothing() -> None:
    files = {
        **BASE,
        "overlays/prod/kustomization.yaml": OVERLAY + "patches:\n- path: flags.yaml\n",
        "overlays/prod/flags.yaml": (
            "kind: ConfigMap\nmetadata: {name: flags}\ndata:\n  on: x\n  8080: y\n"
        ),
        "base/flags.yaml": "kind: ConfigMap\nmetadata: {name: flags}\ndata: {}\n",
        "base/kustomization.yaml": "resources: [shop.yaml, flags.yaml]\n",
    }

    found = change(files, memory("128Mi"))

    assert found.files == {"base/shop.yaml": DEPLOYMENT.replace("64Mi", "128Mi")}


SECRET = "kind: Secret\nmetadata: {name: shop}\nstringData: {password: hunter2}\n"


@pytest.mark.parametrize(
    ("files", "path"),
    [
        pytest.param(
            {"apps/shop.yaml": f"{DEPLOYMENT}---\n{SECRET}"}, "apps/shop.yaml", id="beside-it"
        ),
        pytest.param(
            {"apps/shop.yaml": f"kind: List\nitems:\n- {{kind: Secret}}\n---\n{DEPLOYMENT}"},
            "apps/shop.yaml",
            id="in-a-list",
        ),
        pytest.param(
            {
                "apps/shop.yaml": DEPLOYMENT,
                "apps/kustomization.yaml": (
                    "resources: [shop.yaml]\n"
                    "replicas: [{name: shop, count: 2}]\n"
                    "secretGenerator: [{name: shop, literals: [password=hunter2]}]\n"
                ),
            },
            "apps/kustomization.yaml",
            id="in-a-generator",
        ),
    ],
)
def test_a_file_with_a_secret_in_it_is_not_taken_into_a_proposal(
    files: dict[str, str], path: str
) -> None:
    patch = {"spec": {"replicas": 3}}

    with pytest.raises(Invalid, match=f"{path} holds a Secret, too"):
        change(files, patch, root="apps")
