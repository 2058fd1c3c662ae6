"""What people would call a change, from real objects and their next versions."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from copilot.domain.change import Change, ObjectVersion
from copilot.domain.objects import ObjectRef
from copilot.ingest.changes import change_between
from tests.builders_ingest import RECEIVED_US, kubernetes_text

Json = dict[str, Any]


def a_deployment() -> Json:
    items = json.loads(kubernetes_text("deployments_replicasets.json"))["items"]
    return next(i for i in items if i["metadata"]["name"] == "oom-demo")


def a_config_map(**data: str) -> Json:
    return {
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "demo"},
        "data": data,
    }


def a_node() -> Json:
    node: Json = json.loads(kubernetes_text("node.json"))
    return node | {"kind": "Node"}


def a_pod() -> Json:
    pod: Json = json.loads(kubernetes_text("pod_oomkilled_crashloop.json"))
    return pod | {"kind": "Pod"}


def a_service() -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "demo"},
        "spec": {"selector": {"app": "web"}, "ports": ports},
    }


def a_namespace() -> Json:
    return {"kind": "Namespace", "metadata": {"name": "demo", "labels": {}}, "spec": {}}


def an_object(kind: str, **parts: Any) -> Json:
    return {"kind": kind, "metadata": {"name": "team", "namespace": "demo"}} | parts


def version(
    document: Json, *, actor: str = "", is_deleted: bool = False, owner: str = ""
) -> ObjectVersion:
    metadata = document["metadata"]
    return ObjectVersion(
        cluster="dev",
        object=ObjectRef(
            kind=document["kind"], namespace=metadata.get("namespace", ""), name=metadata["name"]
        ),
        resource_version="2",
        generation=metadata.get("generation", 0),
        owner_uid=owner,
        actor=actor,
        seen_us=RECEIVED_US,
        is_deleted=is_deleted,
        json=json.dumps(document).encode(),
    )


def change_by(before: Json, edit: Callable[[Json], object]) -> Change | None:
    after = json.loads(json.dumps(before))
    edit(after)
    return change_between(version(before), version(after, actor="kubectl-edit"))


def container(document: Json) -> Json:
    found: Json = document["spec"]["template"]["spec"]["containers"][0]
    return found


def told(change: Change | None) -> tuple[str, list[tuple[str, str | None, str | None]]]:
    assert change is not None
    return change.title, [(f.path, f.before, f.after) for f in change.fields]


def set_memory(value: str) -> Callable[[Json], object]:
    return lambda d: container(d)["resources"]["limits"].update(memory=value)


def test_a_changed_memory_limit_is_told_in_words_and_by_its_path() -> None:
    change = change_by(a_deployment(), set_memory("64Mi"))

    path = "spec.template.spec.containers[app].resources.limits.memory"
    assert told(change) == (
        "memory limit of app 32Mi → 64Mi",
        [(path, '"32Mi"', '"64Mi"')],
    )
    assert change is not None
    assert (change.actor, change.ts_us, change.generation) == ("kubectl-edit", RECEIVED_US, 1)
    assert str(change.object) == "Deployment demo/oom-demo"


@pytest.mark.parametrize(
    ("edit", "title"),
    [
        pytest.param(
            lambda d: container(d).update(image="docker.io/dev/oom-demo:2"),
            "image of app docker.io/dev/oom-demo:1 → docker.io/dev/oom-demo:2",
            id="image",
        ),
        pytest.param(lambda d: d["spec"].update(replicas=5), "replicas 1 → 5", id="replicas"),
        pytest.param(
            lambda d: container(d).update(env=[{"name": "LEVEL", "value": "debug"}]),
            "env LEVEL of app set to debug",
            id="new-env",
        ),
        pytest.param(
            lambda d: d["spec"]["template"]["metadata"]["annotations"].update(
                {"kubectl.kubernetes.io/restartedAt": "2026-11-23T08:00:00Z"}
            ),
            "restart of oom-demo",
            id="restart",
        ),
        pytest.param(
            lambda d: container(d).update(readinessProbe={"httpGet": {"port": 1, "path": "/"}}),
            'readinessProbe of app set to {"httpGet":{"port":1,"path":"/"}}',
            id="new-probe",
        ),
        pytest.param(
            lambda d: (set_memory("16Mi")(d), d["spec"].update(replicas=2)),
            "memory limit of app 32Mi → 16Mi, replicas 1 → 2",
            id="two",
        ),
        pytest.param(
            lambda d: (
                d["metadata"]["labels"].update(team="x"),
                set_memory("16Mi")(d),
                container(d).update(image="a:2"),
                d["spec"].update(replicas=2),
            ),
            "memory limit of app 32Mi → 16Mi, image of app docker.io/dev/oom-demo:1 → a:2"
            " and 2 more",
            id="four-the-weightiest-first",
        ),
        pytest.param(
            lambda d: container(d)["resources"]["requests"].pop("cpu"),
            "cpu request of app removed (was 10m)",
            id="removed",
        ),
        pytest.param(
            lambda d: d["metadata"]["annotations"].update(owner="bob"),
            "annotation owner of oom-demo set to bob",
            id="annotation",
        ),
    ],
)
def test_a_title_says_what_changed(edit: Callable[[Json], object], title: str) -> None:
    assert told(change_by(a_deployment(), edit))[0] == title


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda d: d["status"].update(readyReplicas=7), id="status"),
        pytest.param(lambda d: d["metadata"].update(resourceVersion="9"), id="version"),
        pytest.param(
            lambda d: d["metadata"]["annotations"].update(
                {"deployment.kubernetes.io/revision": "2"}
            ),
            id="revision",
        ),
        pytest.param(
            lambda d: d["metadata"]["annotations"].update(
                {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
            ),
            id="last-applied",
        ),
        pytest.param(
            lambda d: d["metadata"]["annotations"].update({"incident-copilot.io/proposal": "7"}),
            id="our-own-mark",
        ),
        pytest.param(
            lambda d: d["spec"]["template"]["spec"].update(nodeSelector={}, volumes=None),
            id="empty-is-absent",
        ),
        pytest.param(
            lambda d: d["spec"]["template"]["metadata"].update(creationTimestamp="x"),
            id="template-bookkeeping",
        ),
    ],
)
def test_what_controllers_write_is_no_change(edit: Callable[[Json], object]) -> None:
    assert change_by(a_deployment(), edit) is None


def test_list_items_are_matched_by_name_not_by_place() -> None:
    before = a_deployment()
    container(before)["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]

    change = change_by(
        before,
        lambda d: container(d).update(
            env=[{"name": "B", "value": "3"}, {"name": "A", "value": "1"}]
        ),
    )

    assert told(change) == (
        "env B of app 2 → 3",
        [("spec.template.spec.containers[app].env[B].value", '"2"', '"3"')],
    )


def test_a_rotated_secret_is_a_change_that_shows_no_value() -> None:
    before = a_deployment()
    container(before)["env"] = [{"name": "DB_PASSWORD", "value": "hunter2"}]

    change = change_by(before, lambda d: container(d)["env"][0].update(value="hunter3"))

    title, ((_, old, new),) = told(change)
    assert (old, new) == ('"***"', '"***"')
    assert title == "env DB_PASSWORD of app changed"


def test_a_secret_in_a_new_list_item_shows_no_value() -> None:
    env = [{"name": "API_KEY", "value": "hunter2"}]

    change = change_by(a_deployment(), lambda d: container(d).update(env=env))

    assert "hunter2" not in str(change)


def test_a_secret_among_arguments_shows_no_value() -> None:
    args = ["serve", "--token", "hunter2", "--password=hunter2", "--level", "debug"]

    change = change_by(a_deployment(), lambda d: container(d).update(args=args))

    _, ((_, _, new),) = told(change)
    assert new == '["serve","--token","***","--password=***","--level","debug"]'


def test_mounts_of_one_volume_are_told_apart_by_their_paths() -> None:
    before = a_deployment()
    container(before)["volumeMounts"] = [{"name": "v", "mountPath": "/a"}]
    mounts = [{"name": "v", "mountPath": "/a", "readOnly": True}, {"name": "v", "mountPath": "/b"}]

    change = change_by(before, lambda d: container(d).update(volumeMounts=mounts))

    assert [path for path, _, _ in told(change)[1]] == [
        "spec.template.spec.containers[app].volumeMounts[/a].readOnly",
        "spec.template.spec.containers[app].volumeMounts[/b]",
    ]


def test_a_config_map_counts_its_fields() -> None:
    before = a_config_map(level="info", timeout="5s", keep="x", url="postgres://u:hunter2@db/x")
    after = a_config_map(level="debug", size="9", keep="x", url="postgres://u:hunter3@db/x")

    change = change_between(version(before), version(after))

    title, fields = told(change)
    assert title == "4 fields of ConfigMap settings"
    assert fields == [
        ("data.level", '"info"', '"debug"'),
        ("data.size", None, '"9"'),
        ("data.url", '"postgres://u:***@db/x"', '"postgres://u:***@db/x"'),
        ("data.timeout", '"5s"', None),
    ]


def test_of_a_long_text_the_lines_that_differ_are_shown() -> None:
    lines = [f"line {n}: value" for n in range(500)]
    before = a_config_map(**{"app.yaml": "\n".join(lines)})
    lines[250] = "line 250: broken"
    after = a_config_map(**{"app.yaml": "\n".join(lines)})

    change = change_between(version(before), version(after))

    assert told(change) == (
        "app.yaml of ConfigMap settings",
        [("data.app.yaml", '"line 250: value"', '"line 250: broken"')],
    )


def test_a_service_port_is_named() -> None:
    change = change_by(a_service(), lambda d: d["spec"]["ports"][0].update(targetPort=9090))

    assert told(change) == (
        "ports[http].targetPort of web 8080 → 9090",
        [("spec.ports[http].targetPort", "8080", "9090")],
    )


def test_a_cordoned_node_is_a_change_and_its_heartbeats_are_not() -> None:
    node = a_node()

    cordoned = change_by(node, lambda d: d["spec"].update(unschedulable=True))
    heartbeat = change_by(node, lambda d: d["status"].update(conditions=[]))
    annotated = change_by(node, lambda d: d["metadata"].update(annotations={"ttl": "9"}))
    tainted = change_by(
        node,
        lambda d: d["spec"].update(
            taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
        ),
    )

    assert told(cordoned)[0] == "dev cordoned"
    assert (heartbeat, annotated, tainted) == (None, None, None)


def test_a_pod_changes_only_with_its_spec() -> None:
    resized = change_by(
        a_pod(),
        lambda d: d["spec"]["containers"][0]["resources"]["limits"].update(memory="64Mi"),
    )
    scheduled = change_by(a_pod(), lambda d: d["spec"].update(nodeName="other"))
    labelled = change_by(a_pod(), lambda d: d["metadata"]["labels"].update(x="y"))
    restarted = change_by(a_pod(), lambda d: d.update(status={}))

    assert told(resized)[0] == "memory limit of app 32Mi → 64Mi"
    assert (scheduled, labelled, restarted) == (None, None, None)


def test_a_namespaces_labels_are_its_changes() -> None:
    change = change_by(a_namespace(), lambda d: d["metadata"]["labels"].update(team="x"))

    assert told(change)[0] == "label team of demo set to x"


def test_a_replica_set_has_no_changes_of_its_own() -> None:
    items = json.loads(kubernetes_text("deployments_replicasets.json"))["items"]
    replica_set = next(i for i in items if i["kind"] == "ReplicaSet")

    assert change_by(replica_set, lambda d: d["spec"].update(replicas=9)) is None


def test_creation_is_a_change_only_when_it_is_said_to_be_new() -> None:
    made = version(a_deployment())

    assert change_between(None, made) is None
    assert told(change_between(None, made, is_new=True)) == ("Deployment oom-demo created", [])
    assert change_between(None, version(a_pod()), is_new=True) is None


def test_deletion_is_told_once() -> None:
    before, after = version(a_config_map(a="b")), version(a_config_map(a="b"), is_deleted=True)

    assert told(change_between(before, after)) == ("ConfigMap settings deleted", [])


def test_a_deletion_is_not_laid_on_who_wrote_last() -> None:
    before = version(a_config_map(a="b"), actor="kubectl-edit")
    after = version(a_config_map(a="b"), actor="kubectl-edit", is_deleted=True)

    change = change_between(before, after)

    assert change is not None
    assert change.actor == ""


def test_a_deletion_that_is_known_and_that_of_a_pod_are_no_change() -> None:
    gone = version(a_config_map(a="b"), is_deleted=True)

    assert change_between(gone, gone) is None
    assert change_between(version(a_pod()), version(a_pod(), is_deleted=True)) is None


# ------------------------------------------------------------------ the kinds around workloads

CRON = {"schedule": "0 3 * * *", "suspend": False, "jobTemplate": {"spec": {"template": {"spec": {
    "containers": [{"name": "app", "image": "web:1"}]}}}}}  # fmt: skip
WEBHOOK = {"name": "pods.example.org", "failurePolicy": "Ignore"}


@pytest.mark.parametrize(
    ("document", "edit", "title"),
    [
        (
            an_object("HorizontalPodAutoscaler", spec={"minReplicas": 2, "maxReplicas": 9}),
            lambda d: d["spec"].update(maxReplicas=2),
            "maxReplicas of team 9 → 2",
        ),
        (
            an_object("ResourceQuota", spec={"hard": {"pods": "10"}}),
            lambda d: d["spec"]["hard"].update(pods="2"),
            "hard.pods of team 10 → 2",
        ),
        (
            an_object(
                "LimitRange", spec={"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}
            ),
            lambda d: d["spec"]["limits"][0]["max"].update(memory="64Mi"),
            "limits[Container].max.memory of team 1Gi → 64Mi",
        ),
        (
            an_object("NetworkPolicy", spec={"podSelector": {}, "policyTypes": ["Ingress"]}),
            lambda d: d["spec"].update(policyTypes=["Ingress", "Egress"]),
            'policyTypes of team ["Ingress"] → ["Ingress","Egress"]',
        ),
        (
            an_object("RoleBinding", subjects=[{"kind": "ServiceAccount", "name": "bot"}]),
            lambda d: d.update(subjects=[]),
            'subjects bot of team removed (was {"kind":"ServiceAccount","name":"bot"})',
        ),
        (
            an_object("Role", rules=[{"verbs": ["get", "list"], "resources": ["pods"]}]),
            lambda d: d["rules"][0].update(verbs=["get"]),
            (
                'rules of team [{"verbs":["get","list"],"resources":["pods"]}] → '
                '[{"verbs":["get"],"resources":["pods"]}]'
            ),
        ),
        (
            an_object("CronJob", spec=CRON),
            lambda d: d["spec"].update(suspend=True),
            "team suspended",
        ),
        (
            an_object("CronJob", spec=CRON | {"suspend": True}),
            lambda d: d["spec"].update(suspend=False),
            "team resumed",
        ),
        (
            an_object("CronJob", spec=CRON),
            lambda d: d["spec"].update(schedule="0 4 * * *"),
            "schedule of team 0 3 * * * → 0 4 * * *",
        ),
        (
            an_object("CronJob", spec=CRON),
            lambda d: d["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0].update(
                image="web:2"
            ),
            "image of app web:1 → web:2",
        ),
        (
            an_object("ValidatingWebhookConfiguration", webhooks=[WEBHOOK]),
            lambda d: d["webhooks"][0].update(failurePolicy="Fail"),
            "webhooks[pods.example.org].failurePolicy of team Ignore → Fail",
        ),
        (
            an_object("StorageClass", provisioner="example.org/disk"),
            lambda d: d.update(provisioner="example.org/none"),
            "provisioner of team example.org/disk → example.org/none",
        ),
        (
            an_object("ServiceAccount", imagePullSecrets=[{"name": "regcred"}]),
            lambda d: d.update(imagePullSecrets=[]),
            'imagePullSecrets regcred of team removed (was {"name":"regcred"})',
        ),
        (
            an_object("Ingress", spec={"rules": [{"host": "a.example.org"}]}),
            lambda d: d["spec"].update(rules=[{"host": "b.example.org"}]),
            'rules of team [{"host":"a.example.org"}] → [{"host":"b.example.org"}]',
        ),
    ],
)
def test_what_is_set_around_workloads_is_a_change_in_words(
    document: Json, edit: Callable[[Json], object], title: str
) -> None:
    change = change_by(document, edit)

    assert change is not None
    assert change.title == title
    assert change.actor == "kubectl-edit"


@pytest.mark.parametrize(
    ("document", "edit"),
    [
        (an_object("PersistentVolumeClaim", spec={}), lambda d: d["spec"].update(volumeName="pv1")),
        (
            an_object("PersistentVolumeClaim", spec={}),
            lambda d: d["metadata"].update(
                annotations={
                    "pv.kubernetes.io/bind-completed": "yes",
                    "volume.kubernetes.io/selected-node": "n1",
                }
            ),
        ),
        (
            an_object("PersistentVolume", spec={}),
            lambda d: d["spec"].update(claimRef={"name": "c"}),
        ),
        (an_object("ResourceQuota", spec={}), lambda d: d.update(status={"used": {"pods": "1"}})),
        (an_object("HorizontalPodAutoscaler", spec={}), lambda d: d.update(status={"x": 1})),
        (
            an_object("Job", spec={}),
            lambda d: d["metadata"].update(annotations={"batch.kubernetes.io/job-tracking": ""}),
        ),
    ],
)
def test_what_controllers_write_around_workloads_is_no_change(
    document: Json, edit: Callable[[Json], object]
) -> None:
    assert change_by(document, edit) is None


@pytest.mark.parametrize("kind", ["Job", "ResourceQuota", "NetworkPolicy", "RoleBinding"])
def test_they_are_made_and_deleted(kind: str) -> None:
    made = version(an_object(kind))
    gone = version(an_object(kind), is_deleted=True)

    assert told(change_between(None, made, is_new=True))[0] == f"{kind} team created"
    assert told(change_between(made, gone))[0] == f"{kind} team deleted"


def test_a_job_that_a_cron_job_makes_and_clears_away_is_no_change() -> None:
    made = version(an_object("Job", spec={}), owner="uid-nightly")
    gone = version(an_object("Job", spec={}), owner="uid-nightly", is_deleted=True)

    assert change_between(None, made, is_new=True) is None
    assert change_between(made, gone) is None
