"""Deleted and made anew: exactly the object that was seen, once, whatever is cut in between."""

import json

import pytest

from copilot.domain.action import (
    DeletePod,
    ReplaceClaim,
    RerunJob,
    RestoreConfigMap,
    SetConfigValue,
    SetEnv,
)
from copilot.domain.errors import Conflict, Invalid, Refused, Unavailable
from copilot.domain.objects import ObjectRef
from copilot.remediate.apply import apply
from tests.builders_remediate import a_claim, a_cluster_with, a_proposal, again, proposed
from tests.builders_workloads import (
    Json,
    a_claim_object,
    a_config_map,
    a_failed_job,
    a_workload,
    an_object,
    ref,
)
from tests.fakes_cluster import Trouble

JOB = ref("Job", "load")
POD = ref("Pod")
RESTORE = RestoreConfigMap(
    target=ObjectRef(kind="ConfigMap", namespace="shop", name="routes"),
    data=(("routes.conf", "/"),),
)
OWNER: Json = {
    "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}]
}


async def test_a_dry_run_of_operations_changes_nothing() -> None:
    cluster = a_cluster_with(a_failed_job())

    proposal = await proposed(cluster, RerunJob(target=JOB))

    assert (cluster.deleted, cluster.created) == ([], [])
    assert proposal.dry_run is not None
    assert proposal.dry_run.accepted


async def test_a_job_is_deleted_and_made_anew_under_its_name() -> None:
    cluster = a_cluster_with(a_failed_job())
    proposal = await proposed(cluster, RerunJob(target=JOB))

    applied = await apply(a_claim(proposal), cluster, cluster.clock)

    assert (cluster.deleted, cluster.created) == ([JOB.key], [JOB.key])
    assert applied.resource_version == cluster.the(JOB)["metadata"]["resourceVersion"]
    assert "status" not in cluster.the(JOB)


async def test_a_crash_after_both_does_neither_again() -> None:
    cluster = a_cluster_with(a_failed_job())
    proposal = await proposed(cluster, RerunJob(target=JOB))
    await apply(a_claim(proposal), cluster, cluster.clock)

    applied = await apply(again(proposal), cluster, cluster.clock)

    assert applied.was_there
    assert (cluster.deleted, cluster.created) == ([JOB.key], [JOB.key])


async def test_a_crash_between_the_two_is_gone_on_from() -> None:
    cluster = a_cluster_with(a_failed_job())
    proposal = await proposed(cluster, RerunJob(target=JOB))
    del cluster.objects[JOB.key]  # deleted by us, and then the process died

    await apply(again(proposal), cluster, cluster.clock)

    assert cluster.created == [JOB.key]


async def test_what_somebody_else_has_deleted_is_not_made_again() -> None:
    cluster = a_cluster_with(a_failed_job())
    proposal = await proposed(cluster, RerunJob(target=JOB))
    del cluster.objects[JOB.key]

    with pytest.raises(Conflict, match="review it again"):
        await apply(a_claim(proposal), cluster, cluster.clock)

    assert cluster.created == []


@pytest.mark.parametrize("method", ["delete", "create"])
@pytest.mark.parametrize("after_all", [False, True], ids=["lost-request", "lost-answer"])
async def test_a_lost_connection_is_settled_by_reading_again(method: str, after_all: bool) -> None:
    cluster = a_cluster_with(a_failed_job())
    proposal = await proposed(cluster, RerunJob(target=JOB))
    is_rehearsed = method == "create" and not after_all  # and that is answered
    cluster.troubles.append(
        Trouble(
            method=method, error=Unavailable("reset"), after_all=after_all, skip=int(is_rehearsed)
        )
    )

    await apply(a_claim(proposal), cluster, cluster.clock)

    assert (cluster.deleted, cluster.created) == ([JOB.key], [JOB.key])


async def test_what_would_not_be_accepted_is_not_deleted_before() -> None:
    cluster = a_cluster_with(a_failed_job())
    proposal = await proposed(cluster, RerunJob(target=JOB))
    cluster.troubles.append(Trouble(method="create", error=Refused("exceeded quota")))

    with pytest.raises(Refused, match="exceeded quota"):
        await apply(a_claim(proposal), cluster, cluster.clock)

    assert cluster.deleted == []


async def test_what_is_lost_after_all_is_said() -> None:
    cluster = a_cluster_with(a_failed_job())
    proposal = await proposed(cluster, RerunJob(target=JOB))
    cluster.troubles.append(Trouble(method="create", error=Invalid("no more"), skip=1))

    with pytest.raises(Refused, match="was deleted and could not be made anew: no more"):
        await apply(a_claim(proposal), cluster, cluster.clock)


async def test_a_job_whose_pods_still_end_does_not_run_beside_itself() -> None:
    job = a_failed_job()
    job["status"]["conditions"] = [{"type": "FailureTarget", "status": "True"}]
    cluster = a_cluster_with(job)
    proposal = await proposed(cluster, RerunJob(target=JOB))

    with pytest.raises(Unavailable, match="still end"):
        await apply(a_claim(proposal), cluster, cluster.clock)

    assert (cluster.deleted, cluster.created) == ([], [])
    cluster.the(JOB)["status"]["conditions"].append({"type": "Failed", "status": "True"})
    await apply(again(proposal), cluster, cluster.clock)
    assert (cluster.deleted, cluster.created) == ([JOB.key], [JOB.key])


async def test_a_claim_that_was_bound_meanwhile_is_kept() -> None:
    target = ref("PersistentVolumeClaim", "data")
    cluster = a_cluster_with(a_claim_object())
    proposal = await proposed(cluster, ReplaceClaim(target=target, storage_class="fast"))
    cluster.the(target)["status"] = {"phase": "Bound"}

    with pytest.raises(Conflict, match="changed since"):
        await apply(a_claim(proposal), cluster, cluster.clock)

    assert cluster.deleted == []


async def test_the_difference_of_what_is_made_anew_is_shown() -> None:
    target = ref("PersistentVolumeClaim", "data")

    proposal = await proposed(
        a_cluster_with(a_claim_object()), ReplaceClaim(target=target, storage_class="fast")
    )

    assert proposal.dry_run is not None
    assert "-  storageClassName: gone\n+  storageClassName: fast" in proposal.dry_run.diff


async def test_what_was_deleted_is_shown_whole_and_made_again() -> None:
    cluster = a_cluster_with(a_workload())
    proposal = await proposed(cluster, RESTORE, ref("Deployment"))

    await apply(a_claim(proposal), cluster, cluster.clock)

    assert proposal.dry_run is not None
    assert "+  routes.conf: /" in proposal.dry_run.diff
    assert "\n-" not in proposal.dry_run.diff.removeprefix("--- now\n+++ after\n")
    assert cluster.the(RESTORE.target)["data"] == {"routes.conf": "/"}


async def test_what_cannot_be_made_again_was_not_deleted_by_us() -> None:
    cluster = a_cluster_with(a_workload())
    proposal = await proposed(cluster, RESTORE, ref("Deployment"))
    cluster.troubles.append(Trouble(method="create", error=Refused("exceeded quota")))

    with pytest.raises(Refused, match="^exceeded quota"):
        await apply(a_claim(proposal), cluster, cluster.clock)


async def test_what_is_there_is_not_made_again() -> None:
    cluster = a_cluster_with(a_workload(), an_object("ConfigMap", "routes"))

    proposal = await a_proposal(cluster, RESTORE, workload=ref("Deployment"))

    assert "is there" in proposal.refusal


async def test_what_somebody_else_has_made_meanwhile_is_left_alone() -> None:
    cluster = a_cluster_with(a_workload())
    proposal = await proposed(cluster, RESTORE, ref("Deployment"))
    cluster.put("ConfigMap", an_object("ConfigMap", "routes"))

    with pytest.raises(Conflict, match="review it again"):
        await apply(a_claim(proposal), cluster, cluster.clock)

    assert cluster.created == []


async def test_what_git_keeps_is_not_made_beside_it() -> None:
    tracked = RestoreConfigMap(
        target=RESTORE.target,
        data=RESTORE.data,
        annotations=(("argocd.argoproj.io/tracking-id", "shop:/ConfigMap:shop/routes"),),
    )

    proposal = await a_proposal(a_cluster_with(a_workload()), tracked, workload=ref("Deployment"))

    assert "change it in Git" in proposal.refusal


async def test_a_pod_is_deleted_as_the_one_that_was_seen() -> None:
    cluster = a_cluster_with(an_object("Pod", **OWNER))
    proposal = await proposed(cluster, DeletePod(target=POD))

    await apply(a_claim(proposal), cluster, cluster.clock)
    await apply(again(proposal), cluster, cluster.clock)

    assert cluster.deleted == [POD.key]
    assert str(proposal.proves_on) == "ReplicaSet shop/r"


async def test_a_crash_after_the_deletion_leaves_the_successor_of_that_name_alone() -> None:
    """A StatefulSet gives its next pod the same name."""
    cluster = a_cluster_with(an_object("Pod", **OWNER))
    proposal = await proposed(cluster, DeletePod(target=POD))
    await apply(a_claim(proposal), cluster, cluster.clock)
    cluster.put("Pod", an_object("Pod", **OWNER))
    cluster.the(POD)["metadata"]["uid"] = "uid-of-its-successor"

    await apply(again(proposal), cluster, cluster.clock)

    assert cluster.deleted == [POD.key]
    assert POD.key in cluster.objects


async def test_another_pod_of_that_name_is_not_deleted() -> None:
    cluster = a_cluster_with(an_object("Pod", **OWNER))
    proposal = await proposed(cluster, DeletePod(target=POD))
    cluster.the(POD)["metadata"]["uid"] = "uid-of-its-successor"

    with pytest.raises(Conflict, match="made anew"):
        await apply(a_claim(proposal), cluster, cluster.clock)

    assert cluster.deleted == []


async def test_the_workload_that_reads_a_value_at_its_start_is_rolled_out() -> None:
    cluster = a_cluster_with(
        a_config_map(), a_workload("StatefulSet", podManagementPolicy="Parallel")
    )
    action = SetConfigValue(target=ref("ConfigMap", "cfg"), key="k", value="2")
    proposal = await proposed(cluster, action, ref("StatefulSet"))

    await apply(a_claim(proposal), cluster, cluster.clock)
    await apply(again(proposal), cluster, cluster.clock)

    template = cluster.the(ref("StatefulSet"))["spec"]["template"]
    assert cluster.the(action.target)["data"]["k"] == "2"
    assert template["metadata"]["annotations"].keys() == {"incident-copilot.io/touched"}
    assert len(cluster.patches) == 2
    assert proposal.proves_on == ref("StatefulSet")


async def test_a_rollout_that_is_refused_beside_the_patch_is_said() -> None:
    cluster = a_cluster_with(
        a_config_map(), a_workload("StatefulSet", podManagementPolicy="Parallel")
    )
    action = SetConfigValue(target=ref("ConfigMap", "cfg"), key="k", value="2")
    proposal = await proposed(cluster, action, ref("StatefulSet"))
    cluster.troubles.append(Trouble(method="patch", error=Refused("may not patch"), skip=1))

    applied = await apply(a_claim(proposal), cluster, cluster.clock)

    assert applied.trouble == "beside it: may not patch"


async def test_broken_pods_of_an_ordered_stateful_set_make_room() -> None:
    cluster = a_cluster_with(a_workload("StatefulSet"))
    live = cluster.the(ref("StatefulSet"))
    live["status"] = {"observedGeneration": 99, "updateRevision": "new"}
    for name, revision, ready in (("web-0", "old", False), ("web-1", "old", True)):
        pod = an_object(
            "Pod",
            name,
            labels={"app": "web", "controller-revision-hash": revision},
            ownerReferences=[
                {"kind": "StatefulSet", "name": "web", "uid": "uid-statefulset-web"}
                | {"controller": True}
            ],
        )
        pod["status"] = {"conditions": [{"type": "Ready", "status": str(ready)}]}
        cluster.put("Pod", pod)
    action = SetEnv(target=ref("StatefulSet"), container="app", name="PLAIN", value="2")

    await apply(a_claim(await proposed(cluster, action)), cluster, cluster.clock)

    assert cluster.deleted == [ref("Pod", "web-0").key]


async def test_an_operation_is_part_of_what_is_approved() -> None:
    with_other = a_failed_job()
    with_other["spec"]["template"]["spec"]["containers"][0]["image"] = "shop/load:2"

    one = await proposed(a_cluster_with(a_failed_job()), RerunJob(target=JOB))
    other = await proposed(a_cluster_with(with_other), RerunJob(target=JOB))

    assert one.digest != other.digest
    assert json.loads(one.patch) == {}


@pytest.mark.parametrize("against", ["", "frozen"])
async def test_what_is_deleted_and_held_by_a_finalizer_is_made_anew_however_long_it_takes(
    against: str,
) -> None:
    cluster = a_cluster_with(a_failed_job())
    proposal = await proposed(cluster, RerunJob(target=JOB))
    going = {"deletionTimestamp": "2026-11-23T08:00:00Z", "generation": 9}
    cluster.the(JOB)["metadata"].update(going)
    cluster.clock.move(3 * 3600)

    with pytest.raises(Unavailable, match="not gone"):
        await apply(again(proposal), cluster, cluster.clock, against=against)
    del cluster.objects[JOB.key]
    await apply(again(proposal), cluster, cluster.clock, against=against)

    assert cluster.created == [JOB.key]
