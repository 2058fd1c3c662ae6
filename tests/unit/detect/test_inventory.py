"""What is remembered of the cluster, one version at a time."""

from __future__ import annotations

import msgspec
import pytest

from copilot.detect.inventory import MANY_EVENTS, Inventory
from copilot.domain.alert import Backing
from copilot.domain.attributes import CPU_THROTTLED, MEMORY_KILLS, MEMORY_PEAK, MEMORY_REFUSALS
from copilot.domain.change import ObjectVersion
from copilot.domain.event import Point, Stream
from copilot.domain.objects import (
    ContainerPort,
    Deployment,
    KubeStruct,
    Metadata,
    ObjectRef,
    Pod,
    Service,
)
from copilot.domain.surroundings import AutoscalerSpec, HorizontalPodAutoscaler, ScaleTarget
from tests.builders_objects import (
    NOW_US,
    a_claim,
    a_container,
    a_cron_job,
    a_deployment,
    a_job,
    a_node,
    a_pod,
    a_ref,
    a_replica_set,
    a_service,
    a_status,
    ago,
    ago_us,
    an_event,
    running,
)


def version_of(
    kind: str, thing: KubeStruct, *, is_deleted: bool = False, seen_us: int = NOW_US
) -> ObjectVersion:
    meta = msgspec.json.decode(msgspec.json.encode(thing), type=Deployment).metadata
    return ObjectVersion(
        cluster="dev",
        object=ObjectRef(kind=kind, namespace=meta.namespace, name=meta.name, uid=meta.uid),
        resource_version="1",
        generation=meta.generation,
        owner_uid="",
        actor="",
        seen_us=seen_us,
        is_deleted=is_deleted,
        json=msgspec.json.encode(thing),
    )


@pytest.fixture
def inventory() -> Inventory:
    return Inventory()


def put(inventory: Inventory, kind: str, *things: KubeStruct, seen_us: int = NOW_US) -> None:
    for thing in things:
        inventory.put(version_of(kind, thing, seen_us=seen_us))


def backings(inventory: Inventory) -> list[Backing]:
    return list(inventory.look(NOW_US).backings)


def an_unready_pod(app: str = "web", suffix: str = "a") -> Pod:
    return a_pod(app, suffix=suffix, statuses=[a_status(state=running(ago(9)), ready=False)])


# ------------------------------------------------------------------ what is not well


def test_only_what_is_not_well_is_kept_whole(inventory: Inventory) -> None:
    put(inventory, "Pod", a_pod("fine"), an_unready_pod())
    put(inventory, "Node", a_node("n1"), a_node("n2", ready=False))
    put(inventory, "Deployment", a_deployment("fine"), a_deployment("web", ready=0))
    put(inventory, "PersistentVolumeClaim", a_claim("bound", phase="Bound"), a_claim("open"))
    put(inventory, "Job", a_job("at-work", active=1), a_job("broken", failed=2))

    look = inventory.look(NOW_US)

    assert [pod.metadata.labels for pod in look.pods] == [an_unready_pod().metadata.labels]
    assert [node.metadata.name for node in look.nodes] == ["n2"]
    assert [(c.kind, c.metadata.name) for c in look.controllers] == [("Deployment", "web")]
    assert [claim.metadata.name for claim in look.claims] == ["open"]
    assert [job.metadata.name for job in look.jobs] == ["broken"]


def test_a_sidecar_that_keeps_dying_is_not_hidden_by_ready_containers(inventory: Inventory) -> None:
    put(inventory, "Pod", a_pod(init_statuses=[a_status("proxy", restart_count=4)]))

    assert len(inventory.look(NOW_US).pods) == 1


def test_what_is_well_again_or_gone_is_forgotten(inventory: Inventory) -> None:
    put(inventory, "Pod", an_unready_pod(), an_unready_pod("api"))
    put(inventory, "Pod", a_pod("web", suffix="a"))

    inventory.put(version_of("Pod", an_unready_pod("api"), is_deleted=True))

    assert inventory.look(NOW_US).pods == ()


def test_a_cron_job_is_kept_with_when_it_was_suspended(inventory: Inventory) -> None:
    put(inventory, "CronJob", a_cron_job())
    put(inventory, "CronJob", a_cron_job(suspend=True), seen_us=ago_us(7))

    look = inventory.look(NOW_US)

    assert look.suspended_us == {"uid-nightly": ago_us(7)}


def test_a_cron_job_that_was_born_suspended_was_not_suspended(inventory: Inventory) -> None:
    put(inventory, "CronJob", a_cron_job(suspend=True))

    assert inventory.look(NOW_US).suspended_us == {}


# ------------------------------------------------------------------ owners


def test_the_top_owner_is_found_through_the_sets_between(inventory: Inventory) -> None:
    put(inventory, "Deployment", a_deployment("web"))
    put(inventory, "ReplicaSet", a_replica_set("web"))

    top, above = inventory.top_of(a_pod("web").metadata)

    assert top is not None
    assert (top.kind, top.name, above) == ("Deployment", "web", None)


def test_a_job_of_a_cron_job_leads_to_the_cron_job(inventory: Inventory) -> None:
    put(inventory, "CronJob", a_cron_job())
    put(inventory, "Job", a_job("web-5f44895955", cron_job="nightly"))

    top, _ = inventory.top_of(a_pod("web", owner_kind="Job").metadata)

    assert top is not None
    assert top.kind == "CronJob"


def test_where_the_chain_leaves_what_is_known_its_next_link_is_said(inventory: Inventory) -> None:
    put(inventory, "ReplicaSet", a_replica_set("web"))

    top, above = inventory.top_of(a_pod("web").metadata)

    assert top is not None
    assert above is not None
    assert (top.kind, above.kind) == ("ReplicaSet", "Deployment")


# ------------------------------------------------------------------ Services


def test_a_service_with_a_ready_pod_is_no_matter(inventory: Inventory) -> None:
    put(inventory, "Service", a_service())
    put(inventory, "Pod", a_pod("web"))

    assert backings(inventory) == []


def test_a_service_is_empty_from_when_its_last_ready_pod_left(inventory: Inventory) -> None:
    put(inventory, "Service", a_service())
    put(inventory, "Pod", a_pod("web", suffix="a"))
    put(inventory, "Pod", an_unready_pod(), seen_us=ago_us(5))

    (backing,) = backings(inventory)

    assert (backing.n_pods, backing.n_ready, backing.empty_since_us) == (1, 0, ago_us(5))
    assert [ref.kind for ref in backing.workloads] == ["ReplicaSet"]


def test_deleted_leaving_and_finished_pods_stand_behind_nothing(inventory: Inventory) -> None:
    put(inventory, "Service", a_service())
    put(
        inventory,
        "Pod",
        a_pod("web", suffix="a", deleted=ago(1)),
        a_pod("web", suffix="b", phase="Succeeded"),
        a_pod("web", suffix="c"),
    )
    inventory.put(version_of("Pod", a_pod("web", suffix="c"), is_deleted=True))

    (backing,) = backings(inventory)

    assert backing.n_pods == 0


def test_pods_that_were_there_before_the_service_count(inventory: Inventory) -> None:
    put(inventory, "Pod", a_pod("web"), a_pod("web", namespace="other", suffix="b"))
    put(inventory, "Service", a_service())

    assert backings(inventory) == []


def test_a_selector_that_was_changed_picks_anew_and_keeps_its_time(inventory: Inventory) -> None:
    put(inventory, "Pod", a_pod("web"))
    put(inventory, "Service", a_service())
    put(inventory, "Service", a_service(selector={"app": "wbe"}), seen_us=ago_us(8))
    put(inventory, "Service", a_service(selector={"app": "wbe", "x": "y"}))

    (backing,) = backings(inventory)

    assert backing.empty_since_us == ago_us(8)


def test_near_are_workloads_that_share_a_label_or_the_name(inventory: Inventory) -> None:
    put(inventory, "Service", a_service(selector={"app": "web", "tier": "front"}))
    put(inventory, "Deployment", a_deployment("web"), a_deployment("api"))

    (backing,) = backings(inventory)

    assert [ref.name for ref in backing.near] == ["web"]


def test_a_mistyped_label_is_near_too(inventory: Inventory) -> None:
    put(inventory, "Service", a_service("front", selector={"app": "wbe"}))
    put(inventory, "Deployment", a_deployment("web"), a_deployment("billing"))

    (backing,) = backings(inventory)

    assert [ref.name for ref in backing.near] == ["web"]


LEADER = {"app": "web", "role": "leader"}


def test_a_label_that_no_template_carries_is_one_that_is_set_at_run_time(
    inventory: Inventory,
) -> None:
    put(inventory, "Service", a_service(selector=LEADER))
    put(inventory, "Deployment", a_deployment("web"))

    (backing,) = backings(inventory)

    assert backing.run_time_labels == ("role",)


@pytest.mark.parametrize(
    "selector",
    [
        pytest.param({"app": "wbe", "role": "leader"}, id="the others do not fit, either"),
        pytest.param({"role": "leader"}, id="there are no others"),
        pytest.param({"app": "web", "apq": "x"}, id="it is like one that is there"),
    ],
)
def test_labels_that_are_wrong_are_not_taken_for_such(
    inventory: Inventory, selector: dict[str, str]
) -> None:
    put(inventory, "Service", a_service(selector=selector))
    put(inventory, "Deployment", a_deployment("web"))

    (backing,) = backings(inventory)

    assert backing.run_time_labels == ()


def test_a_selector_that_was_just_changed_waits_for_nobody_to_set_its_label(
    inventory: Inventory,
) -> None:
    put(inventory, "Deployment", a_deployment("web"))
    put(inventory, "Pod", a_pod("web"))
    put(inventory, "Service", a_service())
    put(inventory, "Service", a_service(selector=LEADER))

    (backing,) = backings(inventory)

    assert backing.run_time_labels == ()


def test_that_a_service_worked_before_is_remembered(inventory: Inventory) -> None:
    put(inventory, "Pod", a_pod("web"))
    put(inventory, "Service", a_service())
    put(inventory, "Service", a_service(selector={"app": "wbe"}))
    put(inventory, "Service", a_service("new"))

    assert {b.service.metadata.name: b.was_ready for b in backings(inventory)} == {
        "web": True,
        "new": False,
    }


def test_workloads_that_ask_for_no_pods_are_known_as_scaled_down(inventory: Inventory) -> None:
    put(inventory, "Service", a_service())
    put(inventory, "Deployment", a_deployment("web", replicas=0))

    (backing,) = backings(inventory)

    assert backing.is_scaled_down
    assert not backing.is_autoscaled
    assert [ref.name for ref in backing.workloads] == ["web"]


def test_a_workload_that_is_scaled_up_again_is_missed_from_then_on(inventory: Inventory) -> None:
    put(inventory, "Service", a_service("web"), seen_us=ago_us(100))
    put(inventory, "Deployment", a_deployment("web", replicas=0), seen_us=ago_us(100))
    put(inventory, "Deployment", a_deployment("web", replicas=1, ready=0), seen_us=ago_us(5))
    put(inventory, "Deployment", a_deployment("web", replicas=2, ready=0), seen_us=ago_us(2))

    (backing,) = backings(inventory)

    assert backing.empty_since_us == ago_us(5)


def test_an_autoscaler_of_the_workload_is_known(inventory: Inventory) -> None:
    put(inventory, "Service", a_service())
    put(inventory, "Deployment", a_deployment("web", replicas=0))
    scaler = HorizontalPodAutoscaler(
        metadata=Metadata(name="web", namespace="demo", uid="uid-hpa"),
        spec=AutoscalerSpec(scale_target_ref=ScaleTarget(kind="Deployment", name="web")),
    )
    put(inventory, "HorizontalPodAutoscaler", scaler)

    assert backings(inventory)[0].is_autoscaled


@pytest.mark.parametrize(
    "service",
    [
        pytest.param(a_service(selector={}), id="without a selector"),
        pytest.param(a_service(type="ExternalName"), id="only a name"),
        pytest.param(a_service(publish_not_ready=True), id="publishes pods that are not ready"),
    ],
)
def test_services_that_want_no_ready_pods_are_no_matter(
    inventory: Inventory, service: Service
) -> None:
    put(inventory, "Service", service)

    assert backings(inventory) == []


def test_a_service_that_is_deleted_is_forgotten(inventory: Inventory) -> None:
    put(inventory, "Service", a_service())
    inventory.put(version_of("Service", a_service(), is_deleted=True))

    assert backings(inventory) == []


def a_pod_with_port(name: str, suffix: str = "a") -> Pod:
    container = msgspec.structs.replace(
        a_container(), ports=[ContainerPort(container_port=8080, name=name)]
    )
    return a_pod("web", suffix=suffix, containers=[container])


def test_a_named_port_that_none_of_its_pods_has_is_missing(inventory: Inventory) -> None:
    put(inventory, "Service", a_service(target_port="http"))
    put(inventory, "Pod", a_pod_with_port("web"))

    (backing,) = backings(inventory)

    assert (backing.missing_ports, backing.empty_since_us) == (("http",), 0)
    assert backing.missing_since_us == NOW_US


def test_one_pod_with_the_port_is_enough_while_it_is_there(inventory: Inventory) -> None:
    put(inventory, "Service", a_service(target_port="http"))
    put(inventory, "Pod", a_pod_with_port("web"), a_pod_with_port("http", "b"))
    assert backings(inventory) == []

    inventory.put(version_of("Pod", a_pod_with_port("http", "b"), is_deleted=True))

    assert len(backings(inventory)) == 1


# ------------------------------------------------------------------ events and strain


def test_late_warnings_are_kept_and_the_rest_is_not(inventory: Inventory) -> None:
    about = a_ref("ReplicaSet", "web-1")
    inventory.put_event(an_event(about, "FailedCreate"), NOW_US)
    inventory.put_event(an_event(about, "SuccessfulCreate", type="Normal"), NOW_US)
    inventory.put_event(an_event(about, "Pulled", type="Normal"), NOW_US)
    inventory.put_event(an_event(about, "FailedMount", first_s=3000, last_s=1201), NOW_US)

    reasons = [event.reason for event in inventory.look(NOW_US).events]

    assert reasons == ["FailedCreate", "SuccessfulCreate"]


@pytest.mark.parametrize("reason", ["ExternalProvisioning", "TriggeredScaleUp", "Nominated"])
def test_normal_events_that_rules_read_are_kept(inventory: Inventory, reason: str) -> None:
    inventory.put_event(an_event(a_ref("Pod", "web"), reason, type="Normal"), NOW_US)

    assert [event.reason for event in inventory.look(NOW_US).events] == [reason]


def test_events_fade_and_never_grow_without_end(inventory: Inventory) -> None:
    for n in range(MANY_EVENTS + 10):
        inventory.put_event(an_event(a_ref("Pod", f"web-{n}"), "BackOff"), NOW_US)

    assert len(inventory.look(NOW_US).events) == MANY_EVENTS
    assert inventory.look(NOW_US + 1_300_000_000).events == ()


def a_point(name: str, value: float, *, ago_s: float, container: str = "app") -> Point:
    stream = Stream(cluster="dev", namespace="demo", pod="web", container=container)
    return Point(name=name, stream=stream, ts_us=ago_us(ago_s), value=value)


def test_throttling_is_the_mean_of_the_last_minute(inventory: Inventory) -> None:
    readings = {70: 0.0, 50: 0.5, 30: 0.9, 10: 1.0}
    inventory.put_points([a_point(CPU_THROTTLED, v, ago_s=s) for s, v in readings.items()])

    (strain,) = inventory.look(NOW_US).strains

    assert strain.throttled == pytest.approx(0.8)


def test_one_reading_is_no_minute(inventory: Inventory) -> None:
    inventory.put_points([a_point(CPU_THROTTLED, 1.0, ago_s=1)])

    assert inventory.look(NOW_US).strains == ()


def test_kills_are_counted_for_five_minutes_and_refusals_for_one(inventory: Inventory) -> None:
    inventory.put_points(
        [
            a_point(MEMORY_KILLS, 2, ago_s=200),
            a_point(MEMORY_KILLS, 1, ago_s=20),
            a_point(MEMORY_REFUSALS, 40, ago_s=20, container=""),
            a_point(MEMORY_PEAK, 100, ago_s=20, container=""),
        ]
    )

    own, whole = inventory.look(NOW_US).strains

    assert (own.kills, own.killed_us) == (3, ago_us(20))
    assert (whole.refusals, whole.peak_bytes) == (40, 100)
    assert inventory.look(NOW_US + 400_000_000).strains == ()
