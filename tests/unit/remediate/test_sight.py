"""What one look at a workload of each kind says."""

import msgspec
import pytest

from copilot.domain.objects import ObjectRef, Pod, ReplicaSet
from copilot.remediate.sight import (
    Sight,
    deployment_sight,
    job_sight,
    look,
    node_sight,
    service_sight,
)
from copilot.remediate.tree import decode
from tests.builders_objects import a_deployment, a_pod, a_replica_set, a_status, ago, running
from tests.builders_workloads import Json, a_claim_object, a_service, a_workload, an_object, ref
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster


def rollout(
    *,
    pods: tuple[Pod, ...] = (),
    old: bool = False,
    old_phase: str = "Running",
    replicas: int = 1,
    **status: int,
) -> Sight:
    """A Deployment with its newest ReplicaSet, and with a pod of an earlier one where `old`."""
    deployment = a_deployment(replicas=replicas)
    changed = msgspec.structs.replace(deployment.status, **status)
    live = decode(msgspec.json.encode(msgspec.structs.replace(deployment, status=changed)))
    sets: list[ReplicaSet] = [a_replica_set()]
    if old:
        sets.append(a_replica_set(revision=1, template_hash="0ld"))
        pods = (*pods, a_pod(template_hash="0ld", phase=old_phase))
    return deployment_sight(live, sets, pods)


@pytest.mark.parametrize(
    ("seen", "missing"),
    [
        pytest.param(rollout(pods=(a_pod(),)), "", id="complete"),
        pytest.param(rollout(observed_generation=0), "has not begun", id="not-observed-yet"),
        pytest.param(rollout(updated_replicas=0), "0 of 1 pods are updated", id="not-updated"),
        pytest.param(
            rollout(replicas=2, updated_replicas=2), "0 of 2 new pods can be seen", id="not-seen"
        ),
        pytest.param(rollout(pods=(a_pod(),), old=True), "1 old pod not gone", id="an-old-pod"),
        pytest.param(
            rollout(pods=(a_pod(),), old=True, old_phase="Failed"), "", id="an-old-pod-long-evicted"
        ),
        pytest.param(
            rollout(pods=(a_pod(),), available_replicas=0), "0 of 1 new pods are", id="unavailable"
        ),
    ],
)
def test_a_rollout_is_complete_or_says_what_it_waits_for(seen: Sight, missing: str) -> None:
    assert (missing in seen.missing) if missing else seen.missing == ""


def test_what_was_broken_before_need_not_become_available() -> None:
    seen = rollout(pods=(a_pod(),), available_replicas=0)

    assert (seen.unfinished, bool(seen.unavailable)) == ("", True)


def test_a_status_that_says_nothing_is_not_complete() -> None:
    assert deployment_sight(a_workload(), [], []).missing == "the rollout has not begun"


def a_job(*conditions: Json, **spec: object) -> Json:
    return an_object("Job", "load", spec=spec, status={"conditions": [*conditions]})


@pytest.mark.parametrize(
    ("job", "done", "failed"),
    [
        pytest.param(
            a_job({"type": "Complete", "status": "True"}), "Job load completed", "", id="complete"
        ),
        pytest.param(
            a_job({"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}),
            "",
            "Job load failed: DeadlineExceeded",
            id="failed",
        ),
        pytest.param(a_job(suspend=True), "Job load is suspended", "", id="suspended"),
        pytest.param(a_job({"type": "Failed", "status": "False"}), "", "", id="neither"),
    ],
)
def test_a_job_is_done_or_has_failed(job: Json, done: str, failed: str) -> None:
    seen = job_sight(job, [])

    assert (seen.done, seen.failed) == (done, failed)


def test_a_job_without_a_pod_is_still_waited_for() -> None:
    assert job_sight(a_job(), []).missing == "Job load has no running pod"


def chosen(suffix: str = "a", *, ready: bool = True) -> Pod:
    pod = a_pod("web", suffix=suffix, statuses=[a_status(state=running(ago(60)), ready=ready)])
    labels = {"app": "web", "tier": "x"}
    return msgspec.structs.replace(
        pod, metadata=msgspec.structs.replace(pod.metadata, labels=labels)
    )


def test_a_service_with_a_ready_pod_behind_each_port_is_whole() -> None:
    service = a_service(ports=[{"port": 80, "targetPort": 8080}])

    seen = service_sight(service, [chosen(), chosen("b", ready=False)])

    assert seen.missing == ""
    assert [p.metadata.name for p in seen.pods] == [chosen().metadata.name]


@pytest.mark.parametrize(
    ("service", "pods", "missing"),
    [
        pytest.param(a_service(), [], "none of the 0 pods that Service web selects", id="no-pods"),
        pytest.param(
            a_service(), [chosen(ready=False)], "none of the 1 pods", id="none-of-them-ready"
        ),
        pytest.param(a_service(), [chosen()], "has a port named admin", id="no-such-named-port"),
        pytest.param(a_service(selector={}), [chosen()], "selects no pods", id="no-selector"),
    ],
)
def test_a_service_says_what_it_lacks(service: Json, pods: list[Pod], missing: str) -> None:
    assert missing in service_sight(service, pods).missing


@pytest.mark.parametrize(
    ("conditions", "missing"),
    [
        pytest.param([{"type": "Ready", "status": "True"}], "", id="ready"),
        pytest.param([{"type": "Ready", "status": "Unknown"}], "node n1: Ready", id="silent"),
        pytest.param(
            [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True"}],
            "node n1: DiskPressure",
            id="under-pressure",
        ),
    ],
)
def test_a_node_is_ready_and_lacks_nothing(conditions: list[Json], missing: str) -> None:
    node = an_object("Node", "n1", status={"conditions": conditions})

    assert node_sight(node).missing == missing


def a_cluster(*objects: Json) -> FakeCluster:
    cluster = FakeCluster(FixedClock())
    for thing in objects:
        cluster.put(thing["kind"], thing)
    return cluster


def a_member(name: str, revision: str, owner: str, **metadata: object) -> Json:
    labels = {"app": "web", "controller-revision-hash": revision}
    owners = [{"kind": owner, "name": "web", "uid": f"uid-{owner}-web".lower(), "controller": True}]
    return an_object("Pod", name, labels=labels, ownerReferences=owners, **metadata)


@pytest.mark.parametrize(
    ("kind", "status", "missing"),
    [
        pytest.param(
            "StatefulSet",
            {"observedGeneration": 3, "updateRevision": "new", "availableReplicas": 2},
            "1 of 2 pods are updated",
            id="stateful-set",
        ),
        pytest.param(
            "DaemonSet",
            {
                "observedGeneration": 3,
                "desiredNumberScheduled": 2,
                "updatedNumberScheduled": 2,
                "numberAvailable": 2,
            },
            "1 old pod not gone yet",
            id="daemon-set",
        ),
    ],
)
async def test_pods_of_an_earlier_revision_are_not_the_new_ones(
    kind: str, status: Json, missing: str
) -> None:
    workload = {**a_workload(kind), "status": status}
    newer = a_member("web-1", "new", kind)
    newer["metadata"]["creationTimestamp"] = "2026-11-23T07:30:00Z"
    cluster = a_cluster(workload, a_member("web-0", "old", kind), newer)

    seen = await look(ref(kind), cluster)

    assert [p.metadata.name for p in seen.pods] == ["web-1"]
    assert seen.missing == missing


async def test_a_cron_job_is_told_by_what_ran_since() -> None:
    owner = {"kind": "CronJob", "name": "web", "uid": "uid-cronjob-web", "controller": True}
    job = an_object(
        "Job",
        "web-1",
        ownerReferences=[owner],
        status={"conditions": [{"type": "Complete", "status": "True"}]},
    )
    cluster = a_cluster(a_workload("CronJob"), job)

    assert (await look(ref("CronJob"), cluster)).done == "Job web-1 completed"
    later_us = 1_900_000_000_000_000
    assert "has not run since" in (await look(ref("CronJob"), cluster, since_us=later_us)).missing


async def test_a_run_that_began_before_and_goes_on_tells_of_a_cron_job() -> None:
    owner = {"kind": "CronJob", "name": "web", "uid": "uid-cronjob-web", "controller": True}
    job = an_object("Job", "web-1", ownerReferences=[owner], status={"active": 1})
    cluster = a_cluster(a_workload("CronJob"), job)

    seen = await look(ref("CronJob"), cluster, since_us=1_900_000_000_000_000)

    assert seen.missing == "Job web-1 has no running pod"


@pytest.mark.parametrize(
    ("thing", "target", "missing"),
    [
        pytest.param(
            a_claim_object(), ref("PersistentVolumeClaim", "data"), "is Pending", id="claim"
        ),
        pytest.param(
            a_claim_object("Bound"), ref("PersistentVolumeClaim", "data"), "", id="bound-claim"
        ),
        pytest.param(an_object("Pod"), ref("Pod"), "pod web is not ready", id="bare-pod"),
        pytest.param(an_object("ConfigMap"), ref("ConfigMap"), "", id="nothing-to-see"),
    ],
)
async def test_other_kinds_say_what_they_lack(thing: Json, target: ObjectRef, missing: str) -> None:
    seen = await look(target, a_cluster(thing))

    assert (missing in seen.missing) if missing else seen.missing == ""
