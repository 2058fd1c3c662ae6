"""Others that are down, were down, or are well."""

from functools import partial

import msgspec
import pytest

from copilot.causes import explain
from copilot.causes.dependency_down import dependency_down
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict
from copilot.domain.objects import Pod
from tests.builders_net import (
    LISTED,
    a_caller,
    a_caller_case,
    a_peer,
    a_peer_pod,
    a_service,
    late,
    refused,
)
from tests.builders_objects import a_status, ago, running, terminated, waiting


def called(pod: Pod, line: str = refused("api")) -> Case:
    return a_caller_case(line, services=[a_service()], workloads=[a_peer()], pods=[pod])


def looked_at(case: Case) -> Hypothesis:
    found = dependency_down(case)
    assert found is not None
    return found


def with_status(pod: Pod, status: object) -> Pod:
    shown = msgspec.structs.replace(pod.status, container_statuses=[status])
    return msgspec.structs.replace(pod, status=shown)


@pytest.mark.parametrize(
    "line",
    [refused("api"), late("api"), "GET http://api/: 503 Service Unavailable", "http://api/: EPIPE"],
)
def test_a_service_whose_pods_are_not_ready_is_the_cause(line: str) -> None:
    found = looked_at(called(a_peer_pod(a_peer(), ready=False), line))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "not_ready")
    assert found.title == "Deployment api, which it calls, has 0 of 1 pods ready"
    assert found.subject is not None
    assert (found.subject.kind, found.subject.name) == ("Deployment", "api")


def test_pods_that_were_not_listed_whole_are_not_missing() -> None:
    case = partial(a_caller_case, refused("api"), services=[a_service()], workloads=[a_peer()])

    assert looked_at(case()).verdict is Verdict.SUPPORTED
    assert dependency_down(case(listed=LISTED - {"Pod"})) is None


def test_the_state_of_the_pods_is_told() -> None:
    crash = terminated(started=ago(60), finished=ago(50), reason="Error", exit_code=1)
    pod = with_status(
        a_peer_pod(a_peer(), ready=False),
        a_status(state=waiting("CrashLoopBackOff"), last_state=crash, ready=False, restart_count=4),
    )

    found = looked_at(called(pod))

    assert any("app ended with Error (exit 1)" in s.text for s in found.supporting)


def test_pods_that_are_all_ready_and_never_failed_refute_it() -> None:
    found = looked_at(called(a_peer_pod(a_peer())))

    assert found.verdict is Verdict.REFUTED


def test_pods_that_ended_in_this_time_and_are_up_again_were_down() -> None:
    crash = terminated(started=ago(400), finished=ago(45), reason="Error", exit_code=1)
    pod = with_status(
        a_peer_pod(a_peer()), a_status(state=running(ago(40)), last_state=crash, restart_count=1)
    )

    found = looked_at(called(pod))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "restarted")


def test_a_service_of_another_namespace_is_undecided() -> None:
    case = a_caller_case(refused("api.prod"), namespaces=("demo", "prod"), remote=[("prod", "api")])

    found = looked_at(case)

    assert (found.verdict, found.detail) == (Verdict.INCONCLUSIVE, "other_namespace")
    assert "kubectl -n prod" in found.next_check


def test_an_address_outside_is_undecided() -> None:
    found = looked_at(a_caller_case("dial tcp 203.0.113.7:5432: connect: connection refused"))

    assert (found.verdict, found.detail) == (Verdict.INCONCLUSIVE, "outside")


def test_who_calls_itself_depends_on_nobody() -> None:
    case = a_caller_case(refused("shop"), services=[a_service("shop")])

    assert dependency_down(case) is None


def test_a_workload_at_rest_has_a_cause_of_its_own() -> None:
    case = a_caller_case(refused("api"), services=[a_service()], workloads=[a_peer(replicas=0)])

    assert dependency_down(case) is None
    assert explain(case)[0].cause is Cause.SCALED_TO_ZERO


def test_a_healthy_log_says_nothing() -> None:
    case = a_caller_case("GET /orders 200 OK", caller=a_caller({"API_URL": "http://api/"}))

    assert dependency_down(case) is None
