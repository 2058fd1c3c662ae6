"""What is deleted and made anew, and what is done beside a patch."""

import json

import pytest

from copilot.domain.action import (
    Action,
    DeletePod,
    ReplaceClaim,
    RerunJob,
    RestoreConfigMap,
    SetClaimTemplate,
    SetConfigValue,
    SetEnv,
    SetQuota,
)
from copilot.domain.errors import Invalid
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Create, Delete, DeleteUnbound, Patch, ReplaceUnready
from copilot.remediate.plan import NOTHING, Near, Plan, base_of, missing, plan
from tests.builders_workloads import (
    Json,
    a_claim_object,
    a_config_map,
    a_failed_job,
    a_quota,
    a_workload,
    an_object,
    encoded,
    ref,
    with_claims,
)

CLAIM = ref("PersistentVolumeClaim", "data")
OWNED: Json = {
    "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}]
}


def planned(action: Action, live: Json, watched: Json | None = None) -> Plan:
    near = Near(watched=encoded(watched) if watched else None)
    return plan(action, encoded(live), proposal_key="0123456789abcdef", near=near)


def made(found: Plan) -> Json:
    (create,) = [o for o in found.operations if isinstance(o, Create)]
    manifest: Json = json.loads(create.manifest)
    return manifest


def test_a_claim_is_deleted_by_its_uid_and_made_anew_with_other_terms() -> None:
    action = ReplaceClaim(
        target=CLAIM, storage_class="fast", access_modes=("ReadWriteOnce",), storage="2Gi"
    )

    found = planned(action, a_claim_object())

    delete = found.operations[0]
    assert isinstance(delete, Delete)
    assert delete.target.uid == "uid-persistentvolumeclaim-data"
    assert made(found)["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "volumeMode": "Filesystem",
        "resources": {"requests": {"storage": "2Gi"}},
    }
    assert made(found)["metadata"]["annotations"] == {
        "team": "shop",
        "incident-copilot.io/proposal": "0123456789abcdef",
    }
    assert (found.patch, found.rollback) == (NOTHING, None)


@pytest.mark.parametrize("phase", ["Bound", "Lost"])
def test_a_claim_that_may_hold_data_is_not_touched(phase: str) -> None:
    with pytest.raises(Invalid, match=f"is {phase}, not waiting"):
        planned(ReplaceClaim(target=CLAIM, storage_class="fast"), a_claim_object(phase))


def test_a_claim_that_was_bound_meanwhile_has_another_base() -> None:
    action = ReplaceClaim(target=CLAIM, storage_class="fast")

    bases = [base_of(action, encoded(a_claim_object(phase))) for phase in ("Pending", "Bound")]

    assert bases[0] != bases[1]


def less(template: str = "data") -> SetClaimTemplate:
    return SetClaimTemplate(
        target=ref("StatefulSet"), template=template, claims=(CLAIM,), storage="1Gi"
    )


def test_a_stateful_set_is_made_anew_after_its_waiting_claims_are_gone() -> None:
    found = planned(less(), with_claims())

    assert [type(o) for o in found.operations] == [Delete, DeleteUnbound, Create]
    assert [o.target.kind for o in found.operations][:2] == ["StatefulSet", CLAIM.kind]
    assert found.command.endswith(f" # and leave claim {CLAIM.name} where it is bound by then")
    (template,) = made(found)["spec"]["volumeClaimTemplates"]
    assert template["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    assert "status" not in made(found)


@pytest.mark.parametrize(
    ("action", "live", "says"),
    [
        pytest.param(less(), with_claims(ready=1), "are ready", id="a-pod-serves"),
        pytest.param(less("logs"), with_claims(), "no claim template 'logs'", id="no-template"),
        pytest.param(
            less(),
            with_claims(persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"}),
            "bound ones, too",
            id="its-claims-go-with-it",
        ),
    ],
)
def test_a_stateful_set_that_may_hold_data_is_left_alone(
    action: SetClaimTemplate, live: Json, says: str
) -> None:
    with pytest.raises(Invalid, match=says):
        planned(action, live)


def test_a_stateful_set_that_serves_by_then_has_another_base() -> None:
    before, after = (base_of(less(), encoded(with_claims(ready=n))) for n in (0, 1))

    assert before != after


def test_a_config_map_is_made_as_it_was_but_for_our_marks() -> None:
    action = RestoreConfigMap(
        target=ObjectRef(kind="ConfigMap", namespace="shop", name="routes"),
        data=(("a", "1"),),
        binary_data=(("b", "AAE="),),
        labels=(("app", "edge"),),
        annotations=(("incident-copilot.io/proposal", "older"), ("team", "edge")),
        is_immutable=True,
    )

    found = plan(action, missing(action) or b"", proposal_key="0123456789abcdef")

    assert made(found) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "routes",
            "namespace": "shop",
            "labels": {"app": "edge"},
            "annotations": {"team": "edge", "incident-copilot.io/proposal": "0123456789abcdef"},
        },
        "data": {"a": "1"},
        "binaryData": {"b": "AAE="},
        "immutable": True,
    }
    assert (found.patch, found.rollback, found.base.uid) == (NOTHING, NOTHING, "")


def test_a_job_is_made_anew_without_what_its_controller_added() -> None:
    found = planned(RerunJob(target=ref("Job", "load")), a_failed_job())

    manifest = made(found)
    assert manifest["metadata"]["labels"] == {"app": "load"}
    assert manifest["spec"]["template"]["metadata"] == {"labels": {"app": "load"}}
    assert "selector" not in manifest["spec"]
    assert "status" not in manifest
    assert found.no_rollback_reason == "what a run has done is done"


def a_waiting_job(**status: int) -> Json:
    return {**a_failed_job(), "status": {"active": 1, **status}}


def test_a_job_is_made_anew_with_more_time() -> None:
    found = planned(RerunJob(target=ref("Job", "load"), deadline_s=600), a_failed_job())

    assert made(found)["spec"]["activeDeadlineSeconds"] == 600


def test_a_job_whose_pods_are_still_ending_has_failed() -> None:
    ending = {"conditions": [{"type": "FailureTarget", "status": "True"}]}

    found = planned(RerunJob(target=ref("Job", "load")), {**a_failed_job(), "status": ending})

    assert made(found)["metadata"]["name"] == "load"


def test_a_job_that_never_ran_is_made_anew_with_its_image_spelled_right() -> None:
    action = RerunJob(target=ref("Job", "load"), container="app", image="shop/load:2")

    found = planned(action, a_waiting_job())

    (container,) = made(found)["spec"]["template"]["spec"]["containers"]
    assert container == {"name": "app", "image": "shop/load:2"}


@pytest.mark.parametrize("count", ["ready", "succeeded", "failed"])
def test_a_job_that_may_have_run_is_not_made_anew_for_its_image(count: str) -> None:
    action = RerunJob(target=ref("Job", "load"), container="app", image="shop/load:2")

    with pytest.raises(Invalid, match="has not failed"):
        planned(action, a_waiting_job(**{count: 1}))


@pytest.mark.parametrize("field", ["containers", "initContainers"])
def test_a_job_of_which_another_container_may_have_run_is_not_made_anew(field: str) -> None:
    action = RerunJob(target=ref("Job", "load"), container="app", image="shop/load:2")
    job = a_waiting_job()
    spec = job["spec"]["template"]["spec"]
    spec[field] = [*spec.get(field, []), {"name": "other", "image": "shop/other:1"}]

    with pytest.raises(Invalid, match="has not failed"):
        planned(action, job)


def test_a_job_of_a_cron_job_stays_its_own() -> None:
    owner = [{"kind": "CronJob", "name": "c", "uid": "u9", "controller": True}]

    found = planned(RerunJob(target=ref("Job", "load")), a_failed_job(ownerReferences=owner))

    assert made(found)["metadata"]["ownerReferences"] == owner


def test_a_job_that_has_not_failed_is_not_run_again() -> None:
    with pytest.raises(Invalid, match="has not failed"):
        planned(RerunJob(target=ref("Job", "load")), {**a_failed_job(), "status": {"active": 1}})


def test_a_pod_is_deleted_as_the_one_that_was_seen() -> None:
    found = planned(DeletePod(target=ref("Pod")), an_object("Pod", **OWNED))

    assert [o.target.uid for o in found.operations] == ["uid-pod-web"]
    assert found.command == "kubectl -n shop delete pod web"


@pytest.mark.parametrize(
    ("pod", "says"),
    [
        pytest.param(an_object("Pod"), "no controller", id="nobody-makes-another"),
        pytest.param(
            an_object("Pod", deletionTimestamp="2026-11-23T07:00:00Z", **OWNED),
            "being deleted already",
            id="only-force-would-help",
        ),
    ],
)
def test_a_pod_that_would_be_lost_is_left_alone(pod: Json, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        planned(DeletePod(target=ref("Pod")), pod)


def value_of_k() -> SetConfigValue:
    return SetConfigValue(target=ref("ConfigMap", "cfg"), key="k", value="2")


def test_a_value_that_is_read_at_the_start_takes_a_rollout_with_it() -> None:
    found = planned(value_of_k(), a_config_map(), a_workload())

    (patch,) = found.operations
    assert isinstance(patch, Patch)
    assert json.loads(patch.patch) == {
        "spec": {
            "template": {
                "metadata": {"annotations": {"incident-copilot.io/touched": "0123456789abcdef"}}
            }
        }
    }
    assert json.loads(patch.rollback)["spec"]["template"]["metadata"] == {
        "annotations": {"incident-copilot.io/touched": None}
    }
    assert "2 pods replaced" in found.disruption
    assert "read only at the start" in found.disruption


def test_a_value_that_is_mounted_follows_by_itself() -> None:
    workload = a_workload()
    app = workload["spec"]["template"]["spec"]["containers"][0]
    del app["env"], app["envFrom"]

    found = planned(value_of_k(), a_config_map(), workload)

    assert found.operations == ()
    assert found.disruption.startswith("no pod is replaced")


def test_a_single_file_that_is_mounted_does_not_follow() -> None:
    workload = a_workload()
    app = workload["spec"]["template"]["spec"]["containers"][0]
    del app["env"], app["envFrom"]
    app["volumeMounts"] = [{"name": "conf", "mountPath": "/etc/k", "subPath": "k"}]

    assert len(planned(value_of_k(), a_config_map(), workload).operations) == 1


@pytest.mark.parametrize("refused", [a_workload(), a_failed_job()], ids=["deployment", "job"])
def test_another_quota_wakes_up_who_was_refused(refused: Json) -> None:
    action = SetQuota(target=ref("ResourceQuota", "quota"), entries=(("pods", "8"),))

    found = planned(action, a_quota(), refused)

    (patch,) = found.operations
    assert isinstance(patch, Patch)
    assert json.loads(patch.patch).keys() == {"metadata"}


def test_an_ordered_stateful_set_is_freed_of_its_broken_pods() -> None:
    action = SetEnv(target=ref("StatefulSet"), container="app", name="PLAIN", value="2")

    found = planned(action, a_workload("StatefulSet"))

    assert [type(o) for o in found.operations] == [ReplaceUnready]
    assert found.disruption.endswith("those that are not ready are deleted first")
    assert found.command.endswith("' # and delete the pods of web that are not ready")
    assert (
        planned(action, a_workload("StatefulSet", podManagementPolicy="Parallel")).operations == ()
    )


def test_a_changed_cron_job_runs_once_at_once() -> None:
    action = SetEnv(target=ref("CronJob"), container="app", name="PLAIN", value="2")

    job = made(planned(action, a_workload("CronJob")))

    assert job["metadata"]["name"] == "web-01234567"
    assert job["metadata"]["ownerReferences"][0]["name"] == "web"
    variables = job["spec"]["template"]["spec"]["containers"][0]["env"]
    assert variables[0] == {"name": "PLAIN", "value": "2"}


@pytest.mark.parametrize(
    ("cron_job", "says"),
    [
        pytest.param(a_workload("CronJob", suspend=True), "is suspended", id="suspended"),
        pytest.param(
            {**a_workload("CronJob", concurrencyPolicy="Forbid"), "status": {"active": [{}]}},
            "one run at a time",
            id="it-runs-now",
        ),
    ],
)
def test_a_cron_job_that_may_not_run_now_cannot_prove_it(cron_job: Json, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        planned(SetEnv(target=ref("CronJob"), container="app", name="PLAIN", value="2"), cron_job)
