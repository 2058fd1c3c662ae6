"""Containers of one pod that want the same port."""

from dataclasses import replace

import msgspec

from copilot.causes.port_conflict import port_conflict
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Verdict
from copilot.domain.objects import Container, ContainerPort, Pod
from tests.builders_case import a_case, a_line
from tests.builders_objects import a_pod, a_status, ago, terminated, waiting


def two_servers(*, failing: bool = True, other_port: int = 8080) -> Pod:
    ended = terminated(exit_code=1, reason="Error", started=ago(30), finished=ago(20))
    side = a_status(
        "side",
        state=waiting("CrashLoopBackOff") if failing else None,
        last_state=ended if failing else None,
        ready=not failing,
        restart_count=3 if failing else 0,
    )
    pod = a_pod("billing", statuses=[a_status(), side], created=ago(60))
    containers = [
        Container(name="app", ports=[ContainerPort(container_port=8080)]),
        Container(name="side", ports=[ContainerPort(container_port=other_port)]),
    ]
    return msgspec.structs.replace(
        pod, spec=msgspec.structs.replace(pod.spec, containers=containers)
    )


def a_port_case(pod: Pod, body: str = "") -> Case:
    line = replace(a_line(body, pod, at=ago(21)), container="side")
    return a_case(pods=[pod], lines=[line] if body else [], rule=Rule.CRASH_LOOP)


def test_two_containers_with_one_port_are_in_conflict_where_one_says_so() -> None:
    found = port_conflict(a_port_case(two_servers(), "httpd: bind: Address already in use"))

    assert found is not None
    assert found.verdict is Verdict.SUPPORTED
    assert found.detail == "containers"
    assert "app and side both name port 8080/TCP" in found.supporting[1].text


def test_a_shared_port_alone_decides_nothing() -> None:
    found = port_conflict(a_port_case(two_servers()))

    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE


def test_two_ports_are_no_conflict() -> None:
    assert port_conflict(a_port_case(two_servers(other_port=8081), "exit 1")) is None


def test_a_pod_that_is_well_has_no_conflict() -> None:
    assert port_conflict(a_port_case(two_servers(failing=False))) is None
