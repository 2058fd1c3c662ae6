"""What is suggested for Services that lead nowhere."""

import msgspec

from copilot.agents import remedies
from copilot.causes.scaled_to_zero import scaled_to_zero
from copilot.causes.service_port_mismatch import service_port_mismatch
from copilot.causes.service_selector_mismatch import service_selector_mismatch
from copilot.domain.action import Scale, SetConfigValue, SetEnv, SetSelector, SetServicePort
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause
from copilot.domain.objects import ContainerPort, Deployment, EnvFromSource, Pod, SourceName
from copilot.domain.surroundings import AutoscalerSpec, HorizontalPodAutoscaler, ScaleTarget
from tests.builders_around import a_config_map, meta
from tests.builders_net import (
    a_caller,
    a_caller_case,
    a_change_of,
    a_peer,
    a_peer_pod,
    a_service,
    drafts_and_notes,
    late,
    refused,
    the_action,
)

SELECTOR = remedies.REMEDIES[Cause.SERVICE_SELECTOR_MISMATCH]
PORT = remedies.REMEDIES[Cause.SERVICE_PORT_MISMATCH]
ZERO = remedies.REMEDIES[Cause.SCALED_TO_ZERO]


# ------------------------------------------------------------------ selectors


def test_a_selector_is_set_back_to_what_it_was() -> None:
    case = a_caller_case(
        refused("api"),
        services=[a_service(selector={"app": "apo"})],
        workloads=[a_peer()],
        changes=[a_change_of("Service", "api", "spec.selector.app", "api", "apo")],
    )

    drafts, _ = drafts_and_notes(case, service_selector_mismatch(case), SELECTOR)

    assert isinstance(drafts[0].action, SetSelector)
    assert drafts[0].action.target.name == "api"
    assert drafts[0].action.entries == (("app", "api"),)
    assert "again" in drafts[0].title


def test_without_a_known_change_it_is_set_to_what_the_pods_carry() -> None:
    case = a_caller_case(
        refused("api"),
        services=[a_service(selector={"app": "apo", "old": "yes"})],
        workloads=[a_peer()],
    )

    action = the_action(case, service_selector_mismatch(case), SELECTOR)

    assert isinstance(action, SetSelector)
    assert dict(action.entries) == {"app": "api", "old": None}


def test_a_label_that_a_program_may_set_on_its_leader_is_not_taken_away() -> None:
    case = a_caller_case(
        refused("api"),
        services=[a_service(selector={"app": "api", "role": "leader"})],
        workloads=[a_peer()],
    )

    drafts, notes = drafts_and_notes(case, service_selector_mismatch(case), SELECTOR)

    assert drafts == []
    assert "a program may set the label role on one of the pods of api" in notes[0]


def test_a_label_that_somebody_has_just_added_is_taken_away() -> None:
    case = a_caller_case(
        refused("api"),
        services=[a_service(selector={"app": "api", "role": "leader"})],
        workloads=[a_peer()],
        changes=[a_change_of("Service", "api", "spec.selector.role", None, "leader")],
    )

    action = the_action(case, service_selector_mismatch(case), SELECTOR)

    assert isinstance(action, SetSelector)
    assert action.entries == (("role", None),)


def test_a_selector_that_is_too_wide_is_made_narrower() -> None:
    api = a_peer(labels={"app": "api", "team": "shop"})
    db = a_peer("db", port=5432, labels={"app": "db", "team": "shop"})
    case = a_caller_case(
        refused("api"),
        services=[a_service(selector={"team": "shop"})],
        workloads=[api, db],
        pods=[a_peer_pod(api), a_peer_pod(db)],
    )

    action = the_action(case, service_selector_mismatch(case), SELECTOR)

    assert isinstance(action, SetSelector)
    assert ("app", "api") in action.entries


def test_a_selector_that_would_pick_others_too_is_not_suggested() -> None:
    labels = {"app": "api"}
    case = a_caller_case(
        refused("api"),
        services=[a_service(selector={"app": "apo"})],
        workloads=[a_peer(labels=labels), a_peer("twin", labels=labels)],
    )

    drafts, notes = drafts_and_notes(case, service_selector_mismatch(case), SELECTOR)

    assert drafts == []
    assert "select api alone" in notes[0]


# ------------------------------------------------------------------ ports


def called(service_target: int | str, api: Deployment, pod: Pod | None = None) -> Case:
    return a_caller_case(
        refused("api"),
        services=[a_service(target=service_target)],
        workloads=[api],
        pods=[pod or a_peer_pod(api)],
    )


def test_a_target_port_is_set_to_the_only_one_there_is() -> None:
    case = called(8081, a_peer())

    action = the_action(case, service_port_mismatch(case), PORT)

    assert isinstance(action, SetServicePort)
    assert (action.port, action.target_port) == (80, 8080)


def test_a_target_port_goes_back_to_what_it_was() -> None:
    api = a_peer(port_name="web")
    case = a_caller_case(
        refused("api"),
        services=[a_service(target="metrics")],
        workloads=[api],
        pods=[a_peer_pod(api)],
        changes=[a_change_of("Service", "api", "spec.ports[http].targetPort", "web", "metrics")],
    )

    action = the_action(case, service_port_mismatch(case), PORT)

    assert isinstance(action, SetServicePort)
    assert action.target_port == "web"


def test_of_several_ports_the_near_name_is_taken_and_else_none() -> None:
    def with_two(api: Deployment) -> Pod:
        pod = a_peer_pod(api)
        container = msgspec.structs.replace(
            (pod.spec.containers or [])[0],
            ports=[
                ContainerPort(container_port=8080, name="web"),
                ContainerPort(container_port=9090, name="metrics"),
            ],
        )
        spec = msgspec.structs.replace(pod.spec, containers=[container])
        return msgspec.structs.replace(pod, spec=spec)

    api = a_peer()
    near, far = called("metric", api, with_two(api)), called("other", api, with_two(api))

    action = the_action(near, service_port_mismatch(near), PORT)
    drafts, notes = drafts_and_notes(far, service_port_mismatch(far), PORT)

    assert isinstance(action, SetServicePort)
    assert action.target_port == "metrics"
    assert drafts == []
    assert "nothing tells" in notes[0]


def test_a_callers_port_is_corrected_where_it_stands() -> None:
    case = a_caller_case(
        late("api:8080"),
        caller=a_caller({"API_URL": "http://api:8080/v1"}),
        services=[a_service()],
        workloads=[a_peer()],
    )

    action = the_action(case, service_port_mismatch(case), PORT)

    assert isinstance(action, SetEnv)
    assert (action.name, action.value) == ("API_URL", "http://api:80/v1")


def test_a_protocol_is_for_people() -> None:
    case = called(8080, a_peer(protocol="UDP"))

    drafts, notes = drafts_and_notes(case, service_port_mismatch(case), PORT)

    assert drafts == []
    assert notes


# ------------------------------------------------------------------ replicas


def test_a_workload_goes_up_to_what_it_was() -> None:
    case = a_caller_case(
        refused("api"),
        services=[a_service()],
        workloads=[a_peer(replicas=0)],
        changes=[a_change_of("Deployment", "api", "spec.replicas", 3, 0)],
    )

    action = the_action(case, scaled_to_zero(case), ZERO)

    assert isinstance(action, Scale)
    assert (action.target.name, action.replicas) == ("api", 3)


def test_without_a_known_number_an_autoscaler_or_one_is_taken() -> None:
    bare = a_caller_case(refused("api"), services=[a_service()], workloads=[a_peer(replicas=0)])
    scaler = HorizontalPodAutoscaler(
        metadata=meta("api", kind="hpa"),
        spec=AutoscalerSpec(
            scale_target_ref=ScaleTarget(kind="Deployment", name="api"),
            min_replicas=2,
            max_replicas=5,
        ),
    )
    around = msgspec.structs.replace(bare.surroundings, autoscalers=(scaler,))
    scaled = msgspec.structs.replace(bare, surroundings=around)

    one = the_action(bare, scaled_to_zero(bare), ZERO)
    two = the_action(scaled, scaled_to_zero(scaled), ZERO)

    assert isinstance(one, Scale)
    assert isinstance(two, Scale)
    assert (one.replicas, two.replicas) == (1, 2)


def test_a_config_maps_value_is_changed_in_the_config_map() -> None:
    caller = a_caller()
    container = msgspec.structs.replace(
        (caller.spec.containers or [])[0],
        env_from=[EnvFromSource(config_map_ref=SourceName(name="settings"))],
    )
    own = msgspec.structs.replace(
        caller, spec=msgspec.structs.replace(caller.spec, containers=[container])
    )
    case = a_caller_case(
        late("api:8080"),
        caller=own,
        services=[a_service()],
        workloads=[a_peer()],
        config_maps=[a_config_map("settings", api_url="http://api:8080/")],
    )

    action = the_action(case, service_port_mismatch(case), PORT)

    assert isinstance(action, SetConfigValue)
    assert (action.target.name, action.key, action.value) == (
        "settings",
        "api_url",
        "http://api:80/",
    )
