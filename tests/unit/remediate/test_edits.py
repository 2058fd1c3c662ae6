"""Every action as a patch: what it sets, and that its way back restores the object exactly."""

import json
from typing import Any

import pytest

from copilot.domain.action import (
    Action,
    AddToleration,
    AffinityKind,
    Bound,
    PreferAffinity,
    ProbeCheck,
    ProbeKind,
    Restart,
    RollBack,
    Scale,
    SetConfigValue,
    SetCordon,
    SetDnsPolicy,
    SetEnv,
    SetEnvSource,
    SetFsGroup,
    SetImage,
    SetLimitRange,
    SetMemory,
    SetNodeSelector,
    SetProbe,
    SetPullSecrets,
    SetQuota,
    SetResources,
    SetSelector,
    SetServiceAccount,
    SetServicePort,
    SetSuspended,
    SetVolumeSize,
    SetVolumeSource,
    SourceKind,
)
from copilot.domain.errors import Invalid
from copilot.remediate.merging import is_same
from copilot.remediate.plan import Plan, holds, plan
from tests.builders_workloads import (
    Json,
    a_config_map,
    a_limit_range,
    a_quota,
    a_service,
    a_workload,
    an_object,
    encoded,
    ref,
)
from tests.fakes_cluster import merged

WEB = ref("Deployment")
SERVICE = ref("Service")
CONFIG = ref("ConfigMap", "cfg")


def planned(action: Action, live: Json) -> Plan:
    return plan(action, encoded(live), proposal_key="k1")


def after(action: Action, live: Json) -> Json:
    """The object after the patch, by a strategic merge that is not the product's own."""
    return merged(live, json.loads(planned(action, live).patch))


def pod_of(workload: Json) -> Json:
    spec: Json = workload["spec"]["template"]["spec"]
    return spec


def app_of(workload: Json) -> Json:
    container: Json = pod_of(workload)["containers"][0]
    return container


TEMPLATE_ACTIONS: list[Action] = [
    SetMemory(target=WEB, container="app", limit="128Mi"),
    SetMemory(target=WEB, container="side", limit="128Mi", request="64Mi"),
    SetResources(target=WEB, container="app", requests=(("cpu", "50m"),), limits=(("cpu", None),)),
    SetResources(target=WEB, container="init", requests=(("cpu", "50m"),)),
    SetImage(target=WEB, container="init", image="shop/init:2"),
    SetProbe(target=WEB, container="app", probe=ProbeKind.LIVENESS, path="/ok", timeout_s=5),
    SetProbe(target=WEB, container="app", probe=ProbeKind.READINESS, port=8080),
    SetProbe(
        target=WEB,
        container="app",
        probe=ProbeKind.READINESS,
        check=ProbeCheck.HTTP,
        port=8080,
        path="/ok",
    ),
    SetProbe(
        target=WEB,
        container="app",
        probe=ProbeKind.READINESS,
        also=(ProbeKind.LIVENESS,),
        port=8080,
        timeout_s=7,
    ),
    SetFsGroup(target=WEB, group=2000),
    SetVolumeSize(target=WEB, volume="spool", limit="32Mi"),
    SetEnv(target=WEB, container="app", name="PLAIN", value="2"),
    SetEnv(target=WEB, container="app", name="REF", value="2"),
    SetEnv(target=WEB, container="side", name="NEW", value="2"),
    SetEnvSource(
        target=WEB,
        container="app",
        source=SourceKind.CONFIG_MAP,
        variable="REF",
        before="cfg",
        name="other",
    ),
    SetEnvSource(
        target=WEB,
        container="app",
        source=SourceKind.SECRET,
        variable="REF",
        before="cfg",
        name="sec",
        key="p",
    ),
    SetEnvSource(
        target=WEB,
        container="app",
        source=SourceKind.CONFIG_MAP,
        variable="",
        before="sec",
        name="cfg2",
    ),
    SetVolumeSource(target=WEB, volume="conf", source=SourceKind.CONFIG_MAP, name="cfg2"),
    SetVolumeSource(target=WEB, volume="conf", source=SourceKind.SECRET, name="sec"),
    SetVolumeSource(target=WEB, volume="data", source=SourceKind.CLAIM, name="data2"),
    SetPullSecrets(target=WEB, names=("two", "three")),
    SetPullSecrets(target=WEB, names=()),
    SetServiceAccount(target=WEB, name="other"),
    SetNodeSelector(target=WEB, entries=(("disk", None), ("arch", "arm64"))),
    PreferAffinity(target=WEB, affinity=AffinityKind.NODE),
    PreferAffinity(target=WEB, affinity=AffinityKind.ANTI),
    AddToleration(target=WEB, key="gpu", value="yes", effect="NoSchedule"),
    SetDnsPolicy(target=WEB, policy="Default"),
]
OTHERS: list[tuple[Action, Json]] = [
    (Scale(target=WEB, replicas=3), a_workload()),
    (SetServicePort(target=SERVICE, port=80, target_port="http"), a_service()),
    (SetSelector(target=SERVICE, entries=(("app", "shop"), ("tier", None))), a_service()),
    (SetConfigValue(target=CONFIG, key="k", value="2"), a_config_map()),
    (SetConfigValue(target=CONFIG, key="new", value="2"), a_config_map()),
    (SetQuota(target=ref("ResourceQuota", "quota"), entries=(("pods", "8"),)), a_quota()),
    (
        SetLimitRange(
            target=ref("LimitRange", "bounds"),
            type="Container",
            bound=Bound.MAX,
            entries=(("memory", "2Gi"), ("cpu", None)),
        ),
        a_limit_range(),
    ),
    (SetCordon(target=ref("Node", "n1"), is_cordoned=True), an_object("Node", "n1", spec={})),
    (
        SetCordon(target=ref("Node", "n1"), is_cordoned=False),
        an_object("Node", "n1", spec={"unschedulable": True}),
    ),
    (SetSuspended(target=ref("CronJob"), is_suspended=True), a_workload("CronJob", suspend=False)),
]


def named(value: Any) -> str:
    return type(value).__name__ if not isinstance(value, dict) else ""


@pytest.mark.parametrize(
    ("action", "live"), [*((a, a_workload()) for a in TEMPLATE_ACTIONS), *OTHERS], ids=named
)
def test_patch_and_way_back_restore_the_object(action: Action, live: Json) -> None:
    found = planned(action, live)
    patched = merged(live, json.loads(found.patch))
    assert found.rollback is not None
    restored = merged(patched, json.loads(found.rollback))

    assert holds(patched, found.patch)
    assert not holds(live, found.patch)
    assert restored["metadata"].pop("annotations") == {"incident-copilot.io/reverted": "k1"}
    assert is_same(restored, live)


@pytest.mark.parametrize("action", TEMPLATE_ACTIONS, ids=named)
def test_what_is_so_already_is_not_done_again(action: Action) -> None:
    live = after(action, a_workload())

    with pytest.raises(Invalid, match="nothing"):
        planned(action, live)


def test_a_plain_value_takes_the_place_of_a_reference() -> None:
    live = after(SetEnv(target=WEB, container="app", name="REF", value="2"), a_workload())

    assert app_of(live)["env"][1] == {"name": "REF", "value": "2"}


def test_a_reference_keeps_its_key_where_none_is_named() -> None:
    action = SetEnvSource(
        target=WEB,
        container="app",
        source=SourceKind.CONFIG_MAP,
        variable="REF",
        before="cfg",
        name="other",
    )

    ref_now = app_of(after(action, a_workload()))["env"][1]["valueFrom"]

    assert ref_now == {"configMapKeyRef": {"name": "other", "key": "k"}}


def test_a_whole_source_is_replaced_and_its_neighbours_stay() -> None:
    action = SetEnvSource(
        target=WEB,
        container="app",
        source=SourceKind.CONFIG_MAP,
        variable="",
        before="sec",
        name="cfg2",
    )

    assert app_of(after(action, a_workload()))["envFrom"] == [
        {"configMapRef": {"name": "cfg"}},
        {"prefix": "X_", "configMapRef": {"name": "cfg2"}},
    ]


def test_a_volume_has_one_source() -> None:
    action = SetVolumeSource(target=WEB, volume="conf", source=SourceKind.SECRET, name="sec")

    assert pod_of(after(action, a_workload()))["volumes"][0] == {
        "name": "conf",
        "secret": {"secretName": "sec", "defaultMode": 420},
    }


def test_a_file_keeps_its_name_when_its_source_becomes_another_kind() -> None:
    live = a_workload()
    pod_of(live)["volumes"][0]["configMap"]["items"] = [{"key": "k", "path": "k.yaml"}]

    changed = after(
        SetVolumeSource(target=WEB, volume="conf", source=SourceKind.SECRET, name="sec"), live
    )

    assert pod_of(changed)["volumes"][0]["secret"] == {
        "secretName": "sec",
        "items": [{"key": "k", "path": "k.yaml"}],
        "defaultMode": 420,
    }


def test_of_a_projected_volume_only_the_one_source_changes() -> None:
    sources = [{"configMap": {"name": "cfg", "items": []}}, {"downwardAPI": {"items": []}}]
    live = a_workload()
    pod_of(live)["volumes"][0] = {"name": "conf", "projected": {"sources": sources}}
    action = SetVolumeSource(target=WEB, volume="conf", source=SourceKind.CONFIG_MAP, name="cfg2")

    changed = pod_of(after(action, live))["volumes"][0]["projected"]["sources"]

    assert [s.get("configMap", {}).get("name") for s in changed] == ["cfg2", None]
    with pytest.raises(Invalid, match="cannot be said"):
        planned(
            SetVolumeSource(target=WEB, volume="conf", source=SourceKind.SECRET, name="s"), live
        )


def test_a_volume_that_comes_from_no_object_is_left_alone() -> None:
    live = a_workload()
    pod_of(live)["volumes"][0] = {"name": "conf", "emptyDir": {}}

    with pytest.raises(Invalid, match="of another kind"):
        planned(
            SetVolumeSource(target=WEB, volume="conf", source=SourceKind.SECRET, name="s"), live
        )


def test_pull_secrets_are_those_that_are_named() -> None:
    live = after(SetPullSecrets(target=WEB, names=("two", "three")), a_workload())

    assert {s["name"] for s in pod_of(live)["imagePullSecrets"]} == {"two", "three"}


def test_a_service_account_is_set_under_its_older_name_too() -> None:
    pod = pod_of(after(SetServiceAccount(target=WEB, name="other"), a_workload()))

    assert (pod["serviceAccountName"], pod["serviceAccount"]) == ("other", "other")


def test_a_requirement_becomes_the_strongest_wish() -> None:
    live = after(PreferAffinity(target=WEB, affinity=AffinityKind.ANTI), a_workload())

    assert pod_of(live)["affinity"]["podAntiAffinity"] == {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 100,
                "podAffinityTerm": {
                    "topologyKey": "zone",
                    "labelSelector": {"matchLabels": {"app": "web"}},
                },
            }
        ]
    }


def test_a_toleration_is_added_to_those_there_are() -> None:
    action = AddToleration(target=WEB, key="gpu", value="", effect="NoSchedule")

    assert pod_of(after(action, a_workload()))["tolerations"] == [
        {"key": "spot", "operator": "Exists"},
        {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
    ]


def test_a_dns_configuration_goes_with_its_policy() -> None:
    pod = pod_of(after(SetDnsPolicy(target=WEB, policy="Default"), a_workload()))

    assert pod["dnsPolicy"] == "Default"
    assert "dnsConfig" not in pod


def test_a_restart_is_that_of_kubectl_and_has_no_way_back() -> None:
    found = planned(Restart(target=WEB, at_us=1_764_000_000_000_000), a_workload())

    template = json.loads(found.patch)["spec"]["template"]
    assert template["metadata"]["annotations"] == {
        "kubectl.kubernetes.io/restartedAt": "2025-11-24T16:00:00Z"
    }
    assert found.rollback is None
    assert found.command == "kubectl -n shop rollout restart deployment/web"


def test_the_same_port_number_twice_replaces_the_list() -> None:
    ports = [
        {"name": "udp", "port": 53, "protocol": "UDP", "targetPort": 5353},
        {"name": "tcp", "port": 53, "protocol": "TCP", "targetPort": 5353},
    ]
    action = SetServicePort(target=SERVICE, port=53, target_port=54)

    live = after(action, a_service(ports=ports))

    assert live["spec"]["ports"] == [{**port, "targetPort": 54} for port in ports]


def test_a_port_keeps_what_the_cluster_gave_it() -> None:
    live = after(SetServicePort(target=SERVICE, port=80, target_port="http"), a_service())

    assert live["spec"]["ports"][0] == {
        "name": "http",
        "port": 80,
        "protocol": "TCP",
        "targetPort": "http",
        "nodePort": 30080,
    }


@pytest.mark.parametrize(
    ("action", "live", "says"),
    [
        pytest.param(
            SetEnv(target=ref("Pod"), container="app", name="A", value="1"),
            an_object("Pod"),
            "made anew",
            id="a-bare-pod",
        ),
        pytest.param(
            SetEnv(target=ref("Job"), container="app", name="A", value="1"),
            an_object("Job"),
            "immutable",
            id="a-job",
        ),
        pytest.param(
            SetImage(target=ref("StatefulSet"), container="app", image="b"),
            a_workload("StatefulSet", updateStrategy={"type": "OnDelete"}),
            "OnDelete",
            id="replaced-by-people",
        ),
        pytest.param(
            SetImage(target=ref("StatefulSet"), container="app", image="b"),
            a_workload("StatefulSet", updateStrategy={"rollingUpdate": {"partition": 1}}),
            "by parts",
            id="a-partition",
        ),
        pytest.param(
            SetImage(target=ref("Service"), container="app", image="b"),
            a_service(),
            "no pod template",
            id="no-workload",
        ),
        pytest.param(
            RollBack(target=ref("StatefulSet"), to_revision=1, replica_set="x"),
            a_workload("StatefulSet"),
            "only a Deployment",
            id="no-replica-sets",
        ),
        pytest.param(
            SetProbe(target=WEB, container="app", probe=ProbeKind.STARTUP, period_s=5),
            a_workload(),
            "has no startupProbe",
            id="no-such-probe",
        ),
        pytest.param(
            SetProbe(target=WEB, container="app", probe=ProbeKind.READINESS, path="/x"),
            a_workload(),
            "asks nothing of that kind",
            id="a-path-of-a-socket",
        ),
        pytest.param(
            SetProbe(target=WEB, container="app", probe=ProbeKind.READINESS, check=ProbeCheck.HTTP),
            a_workload(),
            "which port",
            id="another-check-without-a-port",
        ),
        pytest.param(
            SetVolumeSize(target=WEB, volume="conf", limit="32Mi"),
            a_workload(),
            "no volume 'conf' of a limited size",
            id="a-volume-without-a-size",
        ),
        pytest.param(
            SetVolumeSource(target=WEB, volume="nope", source=SourceKind.SECRET, name="s"),
            a_workload(),
            "no volume 'nope'",
            id="no-such-volume",
        ),
        pytest.param(
            PreferAffinity(target=WEB, affinity=AffinityKind.POD),
            a_workload(),
            "requires nothing",
            id="nothing-required",
        ),
        pytest.param(
            SetServicePort(target=SERVICE, port=8443, target_port=1),
            a_service(),
            "no port 8443; it has: 80, 81",
            id="no-such-port",
        ),
        pytest.param(
            SetConfigValue(target=CONFIG, key="k", value="2"),
            a_config_map(immutable=True),
            "is immutable",
            id="an-immutable-config-map",
        ),
        pytest.param(
            SetConfigValue(target=CONFIG, key="b", value="2"),
            a_config_map(binaryData={"b": "AA=="}),
            "is binary",
            id="binary",
        ),
        pytest.param(
            SetLimitRange(
                target=ref("LimitRange", "bounds"),
                type="PersistentVolumeClaim",
                bound=Bound.MAX,
                entries=(("storage", "1Gi"),),
            ),
            a_limit_range(),
            "nothing of type",
            id="no-such-type",
        ),
        pytest.param(
            Scale(target=ref("DaemonSet"), replicas=2),
            a_workload("DaemonSet"),
            "Deployment or StatefulSet only",
            id="a-daemon-set-has-no-replicas",
        ),
    ],
)
def test_what_does_not_fit_is_said(action: Action, live: Json, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        planned(action, live)


def test_a_variable_that_is_there_twice_is_not_merged_blindly() -> None:
    live = a_workload()
    app_of(live)["env"].append({"name": "PLAIN", "value": "3"})

    with pytest.raises(Invalid, match="names PLAIN twice"):
        planned(SetEnv(target=WEB, container="app", name="PLAIN", value="2"), live)
