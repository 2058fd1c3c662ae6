"""Ports of Services, of their pods and of those who call."""

import msgspec
import pytest

from copilot.causes import explain
from copilot.causes.service_port_mismatch import service_port_mismatch
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict
from copilot.domain.objects import EnvFromSource, ObjectRef, Service, SourceName
from tests.builders_around import a_config_map, with_spec
from tests.builders_case import a_change, an_alert, an_http_probe
from tests.builders_net import (
    a_caller,
    a_caller_case,
    a_change_of,
    a_peer,
    a_peer_pod,
    a_service,
    late,
    no_endpoints,
    refused,
)
from tests.builders_objects import ago, ago_us


def looked_at(case: Case) -> Hypothesis:
    found = service_port_mismatch(case)
    assert found is not None
    return found


def called(service: Service, line: str = refused("api"), **peer: object) -> Case:
    api = a_peer(**peer)  # type: ignore[arg-type]  # the builder's own keywords
    return a_caller_case(line, services=[service], workloads=[api], pods=[a_peer_pod(api)])


def test_a_number_that_no_pod_names_is_supported() -> None:
    found = looked_at(called(a_service(target=8081)))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "target_port_number")
    assert found.title == "Service api sends to port 8081, but its pods name 8080"
    assert found.subject is not None
    assert found.subject.name == "api"


def test_a_probe_that_passes_elsewhere_makes_it_sure() -> None:
    declared = looked_at(called(a_service(target=8081)))
    proven = looked_at(called(a_service(target=8081), readiness=an_http_probe(port=8080)))

    assert "listen on 8080" in proven.title
    assert proven.confidence > declared.confidence


def test_a_name_that_no_container_gives_is_supported_also_by_an_alert_alone() -> None:
    api = a_peer()
    case = a_caller_case(
        services=[a_service(target="metrics")],
        workloads=[api],
        pods=[a_peer_pod(api)],
        alerts=[no_endpoints()],
    )

    found = looked_at(case)

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "target_port_name")
    assert any("they name http" in s.text for s in found.supporting)


def test_another_protocol_is_supported() -> None:
    found = looked_at(called(a_service(), protocol="UDP"))

    assert found.detail == "protocol"


def test_a_port_that_the_service_does_not_have_is_the_callers_mistake() -> None:
    api = a_peer()
    case = a_caller_case(
        late("api:8080"),
        caller=a_caller({"API_URL": "http://api:8080/"}),
        services=[a_service()],
        workloads=[api],
        pods=[a_peer_pod(api)],
    )

    found = looked_at(case)

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "port_not_served")
    assert any("variable API_URL" in s.text for s in found.supporting)


def test_a_port_for_udp_only_does_not_serve_tcp() -> None:
    found = looked_at(called(a_service(protocol="UDP"), late("api")))

    assert found.detail == "protocol"


def test_a_probe_that_passes_at_the_target_port_refutes_it() -> None:
    found = looked_at(called(a_service(target=9000), readiness=an_http_probe(port=9000), port=8080))

    assert found.verdict is Verdict.REFUTED
    assert "readiness probe passes there" in found.against[0].text


@pytest.mark.parametrize(
    ("service", "line"),
    [
        pytest.param(a_service(), refused("api"), id="all fits"),
        pytest.param(a_service(target="http"), refused("api"), id="by name"),
        pytest.param(a_service(target=8081), "HTTP/1.1 503 from http://api/", id="it answers"),
        pytest.param(a_service(ip="None"), late("api:8080"), id="headless: the pods' own port"),
    ],
)
def test_ports_that_fit_say_nothing(service: Service, line: str) -> None:
    assert service_port_mismatch(called(service, line)) is None


def test_pods_that_are_not_ready_do_not_blame_the_port() -> None:
    """Endpoints of a wrong number look like any: only a caller can tell."""
    api = a_peer()
    case = a_caller_case(
        services=[a_service(target=8081)],
        workloads=[api],
        pods=[a_peer_pod(api, ready=False)],
        alerts=[no_endpoints()],
    )

    assert service_port_mismatch(case) is None


def test_who_changed_the_port_is_said() -> None:
    api = a_peer()
    change = a_change_of("Service", "api", "spec.ports[80].targetPort", 8080, 8081)
    found = looked_at(
        a_caller_case(
            refused("api"),
            services=[a_service(target=8081)],
            workloads=[api],
            pods=[a_peer_pod(api)],
            changes=[change],
        )
    )

    assert any("were changed by kubectl-edit" in s.text for s in found.supporting)


def test_a_callers_port_that_was_just_changed_is_a_cause_of_its_own() -> None:
    change = a_change(
        "env[API_URL].value", "http://api/", "http://api:8080/", at=ago(60), app="shop"
    )
    case = a_caller_case(
        late("api:8080"),
        caller=a_caller({"API_URL": "http://api:8080/"}),
        services=[a_service()],
        workloads=[a_peer()],
        changes=[change],
    )

    assert service_port_mismatch(case) is None


def test_a_callers_port_that_was_changed_while_the_incident_was_open_is_no_fault_of_the_service() -> (
    None
):
    config = ObjectRef(kind="ConfigMap", namespace="demo", name="shop")
    change = a_change("data.URL", "http://api/", "http://api:8080/", at=ago(45), object=config)
    caller = a_caller()
    reads = msgspec.structs.replace(
        (caller.spec.containers or [])[0],
        env_from=[EnvFromSource(config_map_ref=SourceName(name="shop"))],
    )
    case = a_caller_case(
        refused("api:8080", 8080),
        caller=with_spec(caller, container=reads),
        services=[a_service()],
        workloads=[a_peer()],
        pods=[a_peer_pod(a_peer())],
        config_maps=[a_config_map("shop", URL="http://api:8080/")],
        changes=[change],
        alerts=[an_alert(Rule.ERROR_BURST, "shop", starts_us=ago_us(600))],
    )

    ranked = explain(case)

    assert service_port_mismatch(case) is None
    assert ranked[0].cause is Cause.BAD_SETTING
    assert str(ranked[0].subject) == "ConfigMap demo/shop"
