"""Workloads at rest: those that somebody calls, and those that nobody misses."""

from copilot.causes.scaled_to_zero import scaled_to_zero
from copilot.domain.hypothesis import Verdict
from tests.builders_net import (
    a_caller_case,
    a_change_of,
    a_peer,
    a_peer_pod,
    a_service,
    no_endpoints,
    refused,
)


def test_a_called_workload_at_zero_is_supported_with_who_did_it() -> None:
    change = a_change_of("Deployment", "api", "spec.replicas", 3, 0, actor="kubectl-scale")

    found = scaled_to_zero(
        a_caller_case(
            refused("api"),
            services=[a_service()],
            workloads=[a_peer(replicas=0)],
            changes=[change],
        )
    )

    assert found is not None
    assert found.verdict is Verdict.SUPPORTED
    assert found.subject is not None
    assert (found.subject.kind, found.subject.name) == ("Deployment", "api")
    assert any("scaled from 3 to 0 by kubectl-scale" in s.text for s in found.supporting)


def test_an_alert_about_the_workload_behind_is_enough() -> None:
    case = a_caller_case(
        services=[a_service()],
        workloads=[a_peer(replicas=0)],
        alerts=[no_endpoints("Deployment")],
    )

    found = scaled_to_zero(case)

    assert found is not None
    assert found.verdict is Verdict.SUPPORTED


def test_what_nobody_calls_may_rest() -> None:
    case = a_caller_case(services=[a_service()], workloads=[a_peer(replicas=0)])

    assert scaled_to_zero(case) is None


def test_pods_that_are_on_their_way_out_are_not_zero_yet() -> None:
    api = a_peer(replicas=0)
    case = a_caller_case(
        refused("api"), services=[a_service()], workloads=[api], pods=[a_peer_pod(api)]
    )

    assert scaled_to_zero(case) is None


def test_a_second_workload_behind_the_service_serves_for_it() -> None:
    labels = {"app": "api"}
    case = a_caller_case(
        refused("api"),
        services=[a_service()],
        workloads=[a_peer("blue", labels=labels, replicas=0), a_peer("green", labels=labels)],
    )

    assert scaled_to_zero(case) is None
