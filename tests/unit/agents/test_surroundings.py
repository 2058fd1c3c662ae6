"""The context agent on everything that is no Deployment, and on what stands around it."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from copilot.agents.around import MOST
from copilot.agents.context import context
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.evidence import Gap
from copilot.domain.objects import (
    ClaimVolume,
    Container,
    EnvVar,
    EnvVarSource,
    KubeEvent,
    ObjectRef,
    Pod,
    SourceKey,
    Volume,
)
from copilot.ports import NewIncident, Session
from tests.builders_around import (
    a_claim,
    a_class,
    a_config_map,
    a_cron_job,
    a_job,
    a_limit_range,
    a_quota,
    a_service,
    a_volume,
    a_webhook,
    a_workload,
    an_event_about,
    owned_by,
    ref,
    with_spec,
)
from tests.builders_case import an_alert
from tests.builders_objects import (
    NOW_US,
    a_node,
    a_pod,
    a_replica_set,
    a_status,
    ago,
    ago_us,
    waiting,
)
from tests.unit.agents.test_context import HasMetadata, a_batch, a_store, a_version

Kept = Sequence[tuple[str, HasMetadata]]
READS_MODE = Container(
    name="app",
    env=[
        EnvVar(
            name="MODE",
            value_from=EnvVarSource(config_map_key_ref=SourceKey(name="settings", key="mode")),
        )
    ],
)


async def the_case(
    workload: ObjectRef,
    objects: Kept,
    *,
    events: Sequence[KubeEvent] = (),
    rule: Rule = Rule.NOT_READY,
    listed: Sequence[str] = (),
    forbidden: str = "",
    deleted: Kept = (),
) -> Case:
    """These objects stored, one alert about the workload, then looked at once."""
    store = await a_store()
    try:
        async with store.transaction() as tx:
            incident = await tx.incidents.open(_new(workload))
            alert = replace(an_alert(rule), workload=workload)
            await tx.incidents.add_alert(incident.id, alert, "first_alert")
            for kind, thing in objects:
                await tx.objects.save(a_version(thing, kind), None)
            for kind, thing in deleted:
                gone = msgspec.structs.replace(a_version(thing, kind), is_deleted=True)
                await tx.objects.save(gone, None)
            await _note_listed(tx, listed, forbidden)
            await tx.telemetry.add(a_batch(events=tuple(events)))
        async with store.view() as view:
            return await context(incident.id, view, now_us=NOW_US)
    finally:
        await store.close()


async def _note_listed(tx: Session, listed: Sequence[str], forbidden: str) -> None:
    for kind in listed:
        await tx.objects.set_listed("dev", kind)
    if forbidden:
        gap = Gap(what=f"{forbidden} objects", reason="forbidden")
        await tx.objects.set_gap("dev", gap, forbidden)


def _new(workload: ObjectRef) -> NewIncident:
    return NewIncident(
        severity=2,
        title="not well",
        cluster="dev",
        namespace=workload.namespace,
        app=workload.name,
        workload=workload,
        open_key=workload.key,
        first_signal_us=ago_us(40),
        opened_us=ago_us(39),
    )


def names(pods: Sequence[Pod]) -> set[str]:
    return {p.metadata.name for p in pods}


def titles(case: Case) -> str:
    return "\n".join(e.title for e in case.evidence)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
async def test_a_workload_that_owns_its_pods_itself_is_found_with_them(kind: str) -> None:
    workload = a_workload("db", kind=kind)
    pod = owned_by(a_pod("db"), kind, workload.metadata)

    case = await the_case(ref(kind, workload.metadata), [(kind, workload), ("Pod", pod)])

    assert case.workload is not None
    assert case.workload.kind == kind
    assert case.replica_sets == ()
    assert names(case.pods) == {pod.metadata.name}


async def test_a_lone_replica_set_is_the_workload_of_its_pods() -> None:
    owned = a_replica_set("billing")
    pod = owned_by(a_pod("billing"), "ReplicaSet", owned.metadata)

    case = await the_case(ref("ReplicaSet", owned.metadata), [("ReplicaSet", owned), ("Pod", pod)])

    assert case.workload is not None
    assert case.workload.metadata.name == owned.metadata.name
    assert names(case.pods) == {pod.metadata.name}


async def test_pods_of_a_job_and_the_cron_job_above_it_are_found() -> None:
    cron_job = a_cron_job()
    job = a_job("nightly-1", failed=2, cron_job=cron_job)
    pod = owned_by(a_pod("nightly"), "Job", job.metadata)
    kept: Kept = [("CronJob", cron_job), ("Job", job), ("Pod", pod)]

    of_job = await the_case(ref("Job", job.metadata), kept, rule=Rule.JOB_FAILED)
    of_cron_job = await the_case(ref("CronJob", cron_job.metadata), kept, rule=Rule.CRON_JOB_LATE)

    for case in (of_job, of_cron_job):
        assert case.job is not None
        assert case.job.metadata.name == "nightly-1"
        assert case.cron_job is not None
        assert names(case.pods) == {pod.metadata.name}
        assert f"object:{cron_job.metadata.uid}" in case.cited_as


async def test_a_service_brings_the_pods_it_picks_and_their_workload() -> None:
    workload = a_workload("api")
    owned = owned_by(a_replica_set("api"), "Deployment", workload.metadata)
    pod = owned_by(a_pod("api"), "ReplicaSet", owned.metadata)
    service = a_service("front", selector={"app": "api"})

    case = await the_case(
        ref("Service", service.metadata),
        [("Service", service), ("Deployment", workload), ("ReplicaSet", owned), ("Pod", pod)],
        rule=Rule.NO_ENDPOINTS,
    )

    assert case.workload is not None
    assert case.workload.metadata.name == "api"
    assert [r.metadata.name for r in case.replica_sets] == [owned.metadata.name]
    assert names(case.pods) == {pod.metadata.name}
    assert f"object:{service.metadata.uid}" in case.cited_as


async def test_a_service_that_picks_nothing_brings_the_workload_of_its_name() -> None:
    workload, other = a_workload("api", kind="StatefulSet"), a_workload("web", kind="StatefulSet")
    pod = owned_by(a_pod("api"), "StatefulSet", workload.metadata)
    service = a_service("api", selector={"app": "apii"})

    case = await the_case(
        ref("Service", service.metadata),
        [
            ("Service", service),
            ("StatefulSet", workload),
            ("StatefulSet", other),
            ("Pod", pod),
        ],
        rule=Rule.NO_ENDPOINTS,
    )

    assert names(case.pods) == {pod.metadata.name}
    assert f"object:{workload.metadata.uid}" in case.cited_as


async def test_a_service_that_could_be_meant_for_two_brings_neither() -> None:
    service = a_service("front", selector={"tier": "back"})

    case = await the_case(
        ref("Service", service.metadata),
        [("Service", service), ("Deployment", a_workload("a")), ("Deployment", a_workload("b"))],
        rule=Rule.NO_ENDPOINTS,
    )

    assert case.workload is None
    assert case.pods == ()


async def test_a_claim_brings_who_mounts_it_its_class_and_what_it_could_be_bound_to() -> None:
    claim = a_claim()
    pod = with_spec(
        a_pod("db", owner_kind=None),
        volumes=[Volume(name="d", persistent_volume_claim=ClaimVolume(claim_name="data"))],
    )
    event = an_event_about(
        "ProvisioningFailed",
        "no volume plugin matched name: kubernetes.io/no-provisioner",
        "PersistentVolumeClaim",
        claim.metadata,
    )

    case = await the_case(
        ref("PersistentVolumeClaim", claim.metadata),
        [
            ("PersistentVolumeClaim", claim),
            ("Pod", pod),
            ("Pod", a_pod("other")),
            ("StorageClass", a_class()),
            ("PersistentVolume", a_volume()),
            ("PersistentVolume", a_volume("slow", storage_class="slow")),
        ],
        events=[event],
        rule=Rule.VOLUME_PENDING,
    )

    assert names(case.pods) == {pod.metadata.name}
    assert "PersistentVolumeClaim data: Pending, 1Gi, ReadWriteOnce, fast" in titles(case)
    assert "StorageClass fast" in titles(case)
    assert "PersistentVolume disk" in titles(case)
    assert "PersistentVolume slow" not in titles(case)
    assert "ProvisioningFailed" in titles(case)


async def test_a_node_brings_the_pods_on_it_and_its_events() -> None:
    node = a_node("n1")
    here, there = a_pod("here", node="n1"), a_pod("there", node="n2")
    event = an_event_about(
        "NodeNotReady", "Node n1 status is now: NodeNotReady", "Node", node.metadata
    )

    case = await the_case(
        ref("Node", node.metadata),
        [("Node", node), ("Pod", here), ("Pod", there)],
        events=[event],
        rule=Rule.NODE_UNHEALTHY,
    )

    assert names(case.pods) == {here.metadata.name}
    assert f"object:{node.metadata.uid}" in case.cited_as
    assert [e.reason for e in case.events] == ["NodeNotReady"]


async def test_a_config_map_that_is_read_is_evidence_and_others_are_known_by_their_keys() -> None:
    pod = with_spec(
        a_pod("api", statuses=[a_status(state=waiting("CreateContainerConfigError"), ready=False)]),
        container=READS_MODE,
    )
    workload = ref("Pod", pod.metadata)

    case = await the_case(
        workload,
        [
            ("Pod", pod),
            ("ConfigMap", a_config_map("settings", mode="fast")),
            ("ConfigMap", a_config_map("unrelated", colour="red")),
        ],
    )

    assert "ConfigMap settings: keys mode" in titles(case)
    assert "unrelated" not in titles(case)
    values = {m.metadata.name: m.data for m in case.surroundings.config_maps}
    assert values == {"settings": {"mode": "fast"}, "unrelated": {"colour": ""}}


async def test_a_config_map_that_is_asked_for_and_was_deleted_is_known_as_it_was() -> None:
    pod = with_spec(
        a_pod("api", statuses=[a_status(state=waiting("CreateContainerConfigError"), ready=False)]),
        container=READS_MODE,
    )
    deleted = [a_config_map("settings", mode="fast"), a_config_map("unrelated", colour="red")]

    case = await the_case(
        ref("Pod", pod.metadata), [("Pod", pod)], deleted=[("ConfigMap", one) for one in deleted]
    )

    (found,) = case.surroundings.deleted_config_maps
    assert found.config_map.metadata.name == "settings"
    assert found.config_map.data == {"mode": "fast"}


async def test_a_config_map_that_was_made_again_is_not_called_deleted() -> None:
    pod = with_spec(
        a_pod("api", statuses=[a_status(state=waiting("CreateContainerConfigError"), ready=False)]),
        container=READS_MODE,
    )
    gone, there = a_config_map("settings", mode="fast"), a_config_map("settings", mode="slow")
    again = msgspec.structs.replace(
        there, metadata=msgspec.structs.replace(there.metadata, uid="another")
    )

    case = await the_case(
        ref("Pod", pod.metadata),
        [("Pod", pod), ("ConfigMap", again)],
        deleted=[("ConfigMap", gone)],
    )

    assert case.surroundings.deleted_config_maps == ()


async def test_a_config_map_named_nearly_like_the_missing_one_can_be_cited() -> None:
    pod = with_spec(
        a_pod("api", statuses=[a_status(state=waiting("CreateContainerConfigError"), ready=False)]),
        container=READS_MODE,
    )

    case = await the_case(
        ref("Pod", pod.metadata),
        [("Pod", pod), ("ConfigMap", a_config_map("setting", mode="fast"))],
    )

    assert "ConfigMap setting: keys mode" in titles(case)


async def test_bounds_and_webhooks_that_a_refusal_names_can_be_cited() -> None:
    owned = a_replica_set("billing")
    message = (
        'Internal error occurred: failed calling webhook "pods.policy.example": no endpoints; '
        "exceeded quota: team"
    )
    event = an_event_about("FailedCreate", message, "ReplicaSet", owned.metadata)

    case = await the_case(
        ref("ReplicaSet", owned.metadata),
        [
            ("ReplicaSet", owned),
            ("ResourceQuota", a_quota("team", hard={"pods": "3"}, used={"pods": "3"})),
            ("LimitRange", a_limit_range(max={"memory": "64Mi"})),
            ("ValidatingWebhookConfiguration", a_webhook()),
            ("ValidatingWebhookConfiguration", a_webhook("other", webhook="x.example")),
        ],
        events=[event],
        rule=Rule.NOT_CREATED,
    )

    assert "ResourceQuota team: pods 3 of 3" in titles(case)
    assert "LimitRange bounds: Container max memory 64Mi" in titles(case)
    assert "ValidatingWebhookConfiguration policy: pods.policy.example (Fail)" in titles(case)
    assert "ValidatingWebhookConfiguration other" not in titles(case)


async def test_only_kinds_that_were_listed_whole_count_as_listed() -> None:
    pod = a_pod("api")

    case = await the_case(
        ref("Pod", pod.metadata),
        [("Pod", pod)],
        listed=["ConfigMap", "ResourceQuota"],
        forbidden="ResourceQuota",
    )

    assert case.surroundings.listed == {"ConfigMap"}


async def test_a_kind_of_which_there_are_too_many_is_not_called_whole() -> None:
    pod = a_pod("api")
    many: Kept = [("ConfigMap", a_config_map(f"c{n}")) for n in range(MOST + 1)]

    case = await the_case(
        ref("Pod", pod.metadata), [("Pod", pod), *many], listed=["ConfigMap", "Service"]
    )

    assert len(case.surroundings.config_maps) == MOST
    assert case.surroundings.listed == {"Service"}


async def test_the_evidence_of_a_pod_shows_what_it_refers_to_and_no_value() -> None:
    container = msgspec.structs.replace(
        READS_MODE,
        env=[*(READS_MODE.env or ()), EnvVar(name="PASSWORD", value="hunter2")],
        command=["run", "--token=hunter2"],
    )
    pod = with_spec(
        a_pod("api", statuses=[a_status(state=waiting("CreateContainerConfigError"), ready=False)]),
        container=container,
    )

    case = await the_case(ref("Pod", pod.metadata), [("Pod", pod)])

    body = next(e.body for e in case.evidence if f"object:{pod.metadata.uid}" in e.source)
    assert "settings" in body
    assert "PASSWORD" in body
    assert "hunter2" not in body


async def test_events_of_the_time_before_are_left_out() -> None:
    pod = a_pod("api")
    old = msgspec.structs.replace(
        an_event_about("FailedMount", "old", "Pod", pod.metadata),
        first_timestamp=ago(8000),
        last_timestamp=ago(8000),
    )

    case = await the_case(ref("Pod", pod.metadata), [("Pod", pod)], events=[old])

    assert case.events == ()
