"""What is suggested for names that do not resolve, and what is left to people."""

import pytest

from copilot.agents.remedies import REMEDIES
from copilot.causes import explain
from copilot.causes.name_not_resolved import name_not_resolved
from copilot.domain.action import SetDnsPolicy, SetEnv
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause
from copilot.domain.objects import DnsConfig, PodSpec
from tests.builders_net import (
    a_caller,
    a_caller_case,
    a_peer,
    a_peer_pod,
    a_policy,
    a_service,
    drafts_and_notes,
    late,
    refused,
    the_action,
    unresolved,
)

NAME = REMEDIES[Cause.NAME_NOT_RESOLVED]


def with_variable(value: str, host: str = "apo", name: str = "API_URL") -> Case:
    return a_caller_case(unresolved(host), caller=a_caller({name: value}), services=[a_service()])


@pytest.mark.parametrize(
    ("value", "after"),
    [("http://apo/v1", "http://api/v1"), ("http://apo:8080/apo-x", "http://api:8080/apo-x")],
)
def test_the_name_that_was_meant_is_put_into_the_variable(value: str, after: str) -> None:
    case = with_variable(value)

    action = the_action(case, name_not_resolved(case), NAME)

    assert isinstance(action, SetEnv)
    assert (action.container, action.name, action.value) == ("app", "API_URL", after)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        pytest.param("http://user:pw@apo/", "API_URL", id="with a password"),
        pytest.param("http://***@apo/", "API_URL", id="masked"),
        pytest.param("http://apo/", "TOKEN_URL", id="named like a secret"),
    ],
)
def test_a_value_that_may_hold_a_secret_is_left_to_people(value: str, name: str) -> None:
    case = with_variable(value, name=name)

    drafts, notes = drafts_and_notes(case, name_not_resolved(case), NAME)

    assert drafts == []
    assert "may hold a secret" in notes[0]


def test_a_service_of_another_namespace_is_named_with_it() -> None:
    case = a_caller_case(
        unresolved("api"),
        caller=a_caller({"API_HOST": "api"}),
        namespaces=("demo", "shop"),
        remote=[("shop", "api")],
    )

    action = the_action(case, name_not_resolved(case), NAME)

    assert isinstance(action, SetEnv)
    assert action.value == "api.shop"


def test_a_name_that_nothing_comes_near_is_left_alone() -> None:
    case = with_variable("http://elsewhere/", "elsewhere")

    drafts, notes = drafts_and_notes(case, name_not_resolved(case), NAME)

    assert drafts == []
    assert "near enough" in notes[0]


@pytest.mark.parametrize(
    ("spec", "policy"),
    [
        (PodSpec(dns_policy="Default"), "ClusterFirst"),
        (PodSpec(dns_policy="None", dns_config=DnsConfig(searches=["x.org"])), "ClusterFirst"),
        (PodSpec(dns_policy="ClusterFirst", host_network=True), "ClusterFirstWithHostNet"),
    ],
)
def test_dns_settings_are_set_to_those_of_the_cluster(spec: PodSpec, policy: str) -> None:
    case = a_caller_case(unresolved("api"), caller=a_caller(spec=spec), services=[a_service()])

    action = the_action(case, name_not_resolved(case), NAME)

    assert isinstance(action, SetDnsPolicy)
    assert (action.target.kind, action.policy) == ("Deployment", policy)


@pytest.mark.parametrize(
    ("case", "cause", "word"),
    [
        pytest.param(
            a_caller_case(
                late("api"),
                services=[a_service()],
                workloads=[a_peer()],
                pods=[a_peer_pod(a_peer())],
                policies=[a_policy()],
            ),
            Cause.NETWORK_POLICY_BLOCKS,
            "security",
            id="policy",
        ),
        pytest.param(
            a_caller_case(
                'User "system:serviceaccount:demo:default" cannot list resource "pods" in API '
                'group "" in the namespace "demo"'
            ),
            Cause.PERMISSION_MISSING,
            "security",
            id="rights",
        ),
        pytest.param(
            a_caller_case("x509: certificate signed by unknown authority"),
            Cause.CERTIFICATE_INVALID,
            "security",
            id="certificate",
        ),
        pytest.param(
            a_caller_case(
                refused("api"),
                services=[a_service()],
                workloads=[a_peer()],
                pods=[a_peer_pod(a_peer(), ready=False)],
            ),
            Cause.DEPENDENCY_DOWN,
            "Deployment demo/api",
            id="another workload",
        ),
    ],
)
def test_what_others_decide_is_said_and_not_done(case: Case, cause: Cause, word: str) -> None:
    hypothesis = explain(case)[0]

    drafts, notes = drafts_and_notes(case, hypothesis, REMEDIES[cause])

    assert hypothesis.cause is cause
    assert drafts == []
    assert word in notes[0]
