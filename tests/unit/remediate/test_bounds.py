"""How far each action may go, and how risky it is."""

import pytest

from copilot.domain.action import (
    Action,
    AddToleration,
    Bound,
    DeletePod,
    ProbeKind,
    RerunJob,
    Restart,
    RestoreConfigMap,
    Scale,
    SetClaimTemplate,
    SetConfigValue,
    SetCordon,
    SetEnv,
    SetFsGroup,
    SetLimitRange,
    SetProbe,
    SetPullSecrets,
    SetQuota,
    SetResources,
    SetSelector,
    SetServiceAccount,
    SetVolumeSize,
    SetVolumeSource,
    SourceKind,
)
from copilot.domain.objects import LabelSelector, Metadata, ObjectRef
from copilot.domain.proposal import Risk
from copilot.domain.surroundings import (
    AutoscalerSpec,
    BudgetSpec,
    BudgetStatus,
    HorizontalPodAutoscaler,
    PodDisruptionBudget,
    ScaleTarget,
)
from copilot.remediate.guard import guard, in_git_instead
from copilot.remediate.place import Place
from copilot.remediate.plan import plan
from copilot.remediate.policy import Policy
from copilot.remediate.risk import risk_of
from tests.builders_workloads import (
    Json,
    a_config_map,
    a_failed_job,
    a_limit_range,
    a_quota,
    a_service,
    a_workload,
    an_object,
    encoded,
    ref,
    with_claims,
)

WEB = ref("Deployment")
QUOTA = ref("ResourceQuota", "quota")
JOB = ref("Job", "load")
GONE = ObjectRef(kind="ConfigMap", namespace="shop", name="gone")
POD: Json = {
    "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}]
}


def a_job_of(deadline_s: int, image: str = "shop/load:1") -> Json:
    job = a_failed_job()
    template = {"spec": {"containers": [{"name": "app", "image": image}]}}
    return {
        **job,
        "spec": {**job["spec"], "activeDeadlineSeconds": deadline_s, "template": template},
    }


def claims_of(storage: str) -> SetClaimTemplate:
    return SetClaimTemplate(target=ref("StatefulSet"), template="data", claims=(), storage=storage)


def of_group(group: int) -> Json:
    live = a_workload()
    live["spec"]["template"]["spec"]["securityContext"] = {"fsGroup": group}
    return live


def reasons(action: Action, live: Json, place: Place | None = None) -> str:
    planned = plan(action, encoded(live), proposal_key="k1")
    return "; ".join(guard(action, live, place or Place(), Policy(), planned, now_us=0))


def risk(action: Action, live: Json, place: Place | None = None) -> tuple[Risk, str]:
    planned = plan(action, encoded(live), proposal_key="k1")
    found, told = risk_of(action, live, planned, place)
    return found, "; ".join(told)


@pytest.mark.parametrize(
    ("action", "live", "says"),
    [
        pytest.param(
            SetResources(target=WEB, container="app", limits=(("cpu", "2"),)),
            a_workload(),
            "",
            id="four-times-the-cpu",
        ),
        pytest.param(
            SetResources(target=WEB, container="app", limits=(("cpu", "2100m"),)),
            a_workload(),
            "more than 4 times the present 500m",
            id="more-cpu",
        ),
        pytest.param(
            SetQuota(target=QUOTA, entries=(("pods", "16"),)), a_quota(pods="4"), "", id="quota"
        ),
        pytest.param(
            SetQuota(target=QUOTA, entries=(("pods", "17"),)),
            a_quota(pods="4"),
            "the quota pods 17 is more than 4 times",
            id="too-much-quota",
        ),
        pytest.param(
            SetLimitRange(
                target=ref("LimitRange", "bounds"),
                type="Container",
                bound=Bound.MAX,
                entries=(("memory", "5Gi"),),
            ),
            a_limit_range(),
            "the max memory 5Gi",
            id="too-wide-a-range",
        ),
        pytest.param(
            SetProbe(target=WEB, container="app", probe=ProbeKind.LIVENESS, timeout_s=90),
            a_workload(),
            "timeout_s 90 of a probe",
            id="a-probe-that-never-answers",
        ),
        pytest.param(
            AddToleration(target=WEB, key="", value="", effect=""),
            a_workload(),
            "every taint",
            id="tolerates-everything",
        ),
        pytest.param(
            AddToleration(
                target=WEB, key="node.kubernetes.io/unreachable", value="", effect="NoExecute"
            ),
            a_workload(),
            "Kubernetes' own taint",
            id="tolerates-a-dead-node",
        ),
        pytest.param(
            SetSelector(target=ref("Service"), entries=(("app", None), ("tier", None))),
            a_service(),
            "select nothing",
            id="a-service-without-pods",
        ),
        pytest.param(
            SetConfigValue(target=ref("ConfigMap", "cfg"), key="k", value="x" * 70_000),
            a_config_map(),
            "64 KiB",
            id="a-value-that-is-a-file",
        ),
        pytest.param(
            RestoreConfigMap(target=GONE, data=(("k", "x" * 17_000),)),
            {"kind": "ConfigMap", "metadata": {"name": "gone"}},
            "16 KiB",
            id="a-config-map-that-nobody-reads",
        ),
        pytest.param(
            RestoreConfigMap(target=GONE, data=(("k", "url: x:***@db"),)),
            {"kind": "ConfigMap", "metadata": {"name": "gone"}},
            "looked like a secret",
            id="a-config-map-we-know-a-part-of",
        ),
        pytest.param(
            SetVolumeSize(target=WEB, volume="spool", limit="32Mi"), a_workload(), "", id="a-volume"
        ),
        pytest.param(
            SetVolumeSize(target=WEB, volume="spool", limit="33Mi"),
            a_workload(),
            "size of spool 33Mi is more than 4 times the present 8Mi",
            id="a-volume-much-larger",
        ),
        pytest.param(
            SetVolumeSize(target=WEB, volume="spool", limit="0"),
            a_workload(),
            "no bound at all",
            id="a-volume-without-end",
        ),
        pytest.param(SetFsGroup(target=WEB, group=2000), a_workload(), "", id="a-group"),
        pytest.param(SetFsGroup(target=WEB, group=0), a_workload(), "root", id="the-group-of-root"),
        pytest.param(
            SetFsGroup(target=WEB, group=2000), of_group(5), "have said", id="it-has-one-already"
        ),
        pytest.param(claims_of("1Gi"), with_claims(asks="9Gi"), "", id="less-of-a-claim"),
        pytest.param(claims_of("9Gi"), with_claims(asks="1Gi"), "9Gi is more", id="more-of-one"),
        pytest.param(
            RerunJob(target=JOB, deadline_s=600), a_job_of(8), "", id="seconds-to-ten-minutes"
        ),
        pytest.param(
            RerunJob(target=JOB, deadline_s=601), a_job_of(8), "601 s", id="seconds-to-more"
        ),
        pytest.param(RerunJob(target=JOB, deadline_s=4), a_job_of(8), "4 s", id="less-time"),
        pytest.param(
            RerunJob(target=JOB, deadline_s=20_000), a_job_of(9_000), "20000 s", id="too-many-hours"
        ),
        pytest.param(
            RerunJob(target=JOB, container="app", image="shop/load:1"),
            a_job_of(8, "shop/Load:1"),
            "",
            id="another-spelling",
        ),
        pytest.param(
            RerunJob(target=JOB, container="app", image="shop/load:2"),
            a_job_of(8, "shop/Load:1"),
            "another image",
            id="another-image",
        ),
        pytest.param(
            RestoreConfigMap(target=GONE, data=(("k", "v"),)),
            {"kind": "ConfigMap", "metadata": {"name": "gone"}},
            "",
            id="a-config-map-as-it-was",
        ),
    ],
)
def test_each_action_is_bound(action: Action, live: Json, says: str) -> None:
    found = reasons(action, live)

    assert (says in found) if says else found == ""


@pytest.mark.parametrize(
    ("action", "live", "expected", "says"),
    [
        pytest.param(
            SetPullSecrets(target=WEB, names=("a",)), a_workload(), Risk.LOW, "", id="pull-secrets"
        ),
        pytest.param(
            SetEnv(target=WEB, container="app", name="PLAIN", value="2"),
            a_workload(),
            Risk.MEDIUM,
            "PLAIN",
            id="variable",
        ),
        pytest.param(
            SetServiceAccount(target=WEB, name="root"),
            a_workload(),
            Risk.HIGH,
            "the rights of service account root",
            id="rights",
        ),
        pytest.param(
            SetVolumeSource(target=WEB, volume="data", source=SourceKind.CLAIM, name="d2"),
            a_workload(),
            Risk.HIGH,
            "other data",
            id="data",
        ),
        pytest.param(
            Restart(target=WEB, at_us=1), a_workload(), Risk.MEDIUM, "no way back", id="restart"
        ),
        pytest.param(
            SetQuota(target=QUOTA, entries=(("pods", None),)),
            a_quota(),
            Risk.HIGH,
            "taken away",
            id="a-bound-removed",
        ),
        pytest.param(
            SetFsGroup(target=WEB, group=9), a_workload(), Risk.HIGH, "and keeps it", id="fs-group"
        ),
        pytest.param(
            claims_of("1Gi"), with_claims(), Risk.HIGH, "made anew", id="a-stateful-set-anew"
        ),
        pytest.param(
            RerunJob(target=ref("Job", "load")),
            a_failed_job(),
            Risk.HIGH,
            "a second time",
            id="a-job-twice",
        ),
        pytest.param(
            DeletePod(target=ref("Pod")),
            an_object("Pod", **POD),
            Risk.MEDIUM,
            "no way back: a deleted pod",
            id="a-pod",
        ),
        pytest.param(
            SetCordon(target=ref("Node", "n1"), is_cordoned=True),
            an_object("Node", "n1", spec={}),
            Risk.MEDIUM,
            "one node less",
            id="cordon",
        ),
    ],
)
def test_each_action_has_its_risk(action: Action, live: Json, expected: Risk, says: str) -> None:
    found, told = risk(action, live)

    assert found is expected
    assert says in told


def test_replicas_that_an_autoscaler_sets_are_left_to_it() -> None:
    scaler = HorizontalPodAutoscaler(
        metadata=Metadata(name="web-hpa"),
        spec=AutoscalerSpec(
            scale_target_ref=ScaleTarget(kind="Deployment", name="web"), max_replicas=9
        ),
    )

    found = reasons(Scale(target=WEB, replicas=3), a_workload(), Place(autoscaler=scaler))

    assert found == (
        "HorizontalPodAutoscaler web-hpa sets its replicas (1 to 9): change its bounds"
    )


def a_tight_place() -> Place:
    budget = PodDisruptionBudget(
        metadata=Metadata(name="pdb"),
        spec=BudgetSpec(selector=LabelSelector(match_labels={"app": "web"})),
        status=BudgetStatus(current_healthy=2, desired_healthy=2),
    )
    return Place(budgets=(budget,), pod_labels={"app": "web"})


def test_we_take_no_pod_away_that_a_budget_needs() -> None:
    pod = DeletePod(target=ref("Pod"))

    assert "2 are, and 1 would go" in reasons(pod, an_object("Pod", **POD), a_tight_place())
    assert "1 would go" in reasons(Scale(target=WEB, replicas=1), a_workload(), a_tight_place())


def test_a_rollout_that_overdraws_a_budget_is_a_risk_that_is_told() -> None:
    live = a_workload(strategy={"rollingUpdate": {"maxUnavailable": 1}})
    action = SetEnv(target=WEB, container="app", name="PLAIN", value="2")

    found, told = risk(action, live, a_tight_place())

    assert reasons(action, live, a_tight_place()) == ""
    assert found is Risk.MEDIUM
    assert "PodDisruptionBudget pdb wants 2 healthy pods" in told


def test_who_else_reads_a_value_is_told() -> None:
    place = Place(also=tuple(f"Deployment shop/w{i}" for i in range(5)))

    found, told = risk(
        SetConfigValue(target=ref("ConfigMap", "cfg"), key="k", value="2"), a_config_map(), place
    )

    assert found is Risk.MEDIUM
    assert "Deployment shop/w2 and 2 more" in told


def test_what_git_keeps_is_to_be_changed_there() -> None:
    live = a_workload()
    live["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "apps"

    why = in_git_instead(SetEnv(target=WEB, container="app", name="PLAIN", value="2"), live)

    assert why == (
        "Flux Kustomization apps keeps Deployment shop/web as Git says and would take this back: "
        "change it in Git"
    )
