"""Policies that stand in the way, by their specs, and those that do not."""

import pytest

from copilot.causes import explain
from copilot.causes.network_policy_blocks import network_policy_blocks
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict
from copilot.domain.objects import LabelSelector
from copilot.domain.surroundings import EgressRule, IngressRule, NetworkPeer, NetworkPolicy
from tests.builders_net import (
    a_caller_case,
    a_change_of,
    a_peer,
    a_peer_pod,
    a_pod_peer,
    a_policy,
    a_port,
    a_service,
    late,
    refused,
    unresolved,
)


def called(*policies: NetworkPolicy, line: str = late("api")) -> Case:
    api = a_peer()
    return a_caller_case(
        line, services=[a_service()], workloads=[api], pods=[a_peer_pod(api)], policies=policies
    )


def looked_at(case: Case) -> Hypothesis:
    found = network_policy_blocks(case)
    assert found is not None
    return found


def test_a_policy_of_the_target_that_lets_nobody_in_is_supported() -> None:
    found = looked_at(called(a_policy("api-only", pods={"app": "api"})))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "ingress")
    assert found.title == ("NetworkPolicy api-only does not let the connection to api:80 through")
    assert found.subject is not None
    assert (found.subject.kind, found.subject.name) == ("NetworkPolicy", "api-only")
    assert any("judged from the specs" in s.text for s in found.supporting)


def test_a_policy_of_the_caller_that_lets_nothing_out_is_supported() -> None:
    dns_only = EgressRule(ports=[a_port(53, "UDP")])
    found = looked_at(called(a_policy("out", types=["Egress"], egress=[dns_only])))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "egress")


def test_the_port_of_the_pods_counts_and_not_that_of_the_service() -> None:
    by_service_port = a_policy(ingress=[IngressRule(ports=[a_port(80)])])
    by_pod_port = a_policy(ingress=[IngressRule(ports=[a_port(8080)])])

    assert looked_at(called(by_service_port)).verdict is Verdict.SUPPORTED
    assert looked_at(called(by_pod_port)).verdict is Verdict.REFUTED


def test_policies_that_let_it_through_refute_it() -> None:
    rule = IngressRule(from_=[a_pod_peer({"app": "shop"})])

    found = looked_at(called(a_policy(pods={"app": "api"}, ingress=[rule])))

    assert found.verdict is Verdict.REFUTED


def test_labels_of_namespaces_that_are_not_known_leave_it_undecided() -> None:
    peer = NetworkPeer(namespace_selector=LabelSelector(match_labels={"team": "shop"}))

    found = looked_at(called(a_policy(ingress=[IngressRule(from_=[peer])])))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.next_check


def test_names_that_may_not_be_asked_for_are_supported() -> None:
    line = "dial tcp: lookup api on 10.96.0.10:53: read udp 10.0.0.1:3->10.96.0.10:53: i/o timeout"
    to_api = EgressRule(to=[a_pod_peer({"app": "api"})])

    found = looked_at(called(a_policy(types=["Egress"], egress=[to_api]), line=line))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "dns")


def test_a_name_server_that_answers_is_not_out_of_reach() -> None:
    to_api = EgressRule(to=[a_pod_peer({"app": "api"})])

    found = looked_at(called(a_policy(types=["Egress"], egress=[to_api]), line=unresolved("apo")))

    assert found.verdict is Verdict.INCONCLUSIVE


def test_an_address_outside_is_judged_by_the_callers_egress() -> None:
    line = "dial tcp 93.184.216.34:443: i/o timeout"
    to_pods = EgressRule(to=[a_pod_peer({})])

    found = looked_at(called(a_policy(types=["Egress"], egress=[to_pods]), line=line))

    assert found.verdict is Verdict.SUPPORTED


def test_a_refusal_is_a_weaker_sign_than_silence() -> None:
    deny = a_policy(pods={"app": "api"})

    assert (
        looked_at(called(deny, line=refused("api"))).confidence < looked_at(called(deny)).confidence
    )


@pytest.mark.parametrize(
    "policies",
    [
        pytest.param([], id="no policy"),
        pytest.param([a_policy(pods={"app": "db"})], id="a policy of others"),
        pytest.param([a_policy(pods={"app": "shop"})], id="who may call the caller"),
    ],
)
def test_policies_that_do_not_apply_say_nothing(policies: list[NetworkPolicy]) -> None:
    assert network_policy_blocks(called(*policies)) is None


def test_a_policy_without_a_failing_connection_says_nothing() -> None:
    assert network_policy_blocks(called(a_policy(), line="all is well")) is None


def test_who_changed_the_policy_makes_it_surer_and_it_explains_the_rest() -> None:
    api = a_peer()
    case = a_caller_case(
        late("api"),
        services=[a_service()],
        workloads=[api],
        pods=[a_peer_pod(api)],
        policies=[a_policy("deny")],
        changes=[a_change_of("NetworkPolicy", "deny", "spec", None, "{}")],
    )

    found = looked_at(case)

    assert found.confidence > looked_at(called(a_policy("deny"))).confidence
    assert explain(case)[0].cause is Cause.NETWORK_POLICY_BLOCKS


def test_a_refusal_by_a_service_without_a_ready_pod_tells_nothing_of_policies() -> None:
    api = a_peer()
    case = a_caller_case(
        refused("api"),
        services=[a_service()],
        workloads=[api],
        pods=[a_peer_pod(api, ready=False)],
        policies=[a_policy(pods={"app": "api"})],
    )

    assert looked_at(case).verdict is Verdict.INCONCLUSIVE
    assert explain(case)[0].cause is Cause.DEPENDENCY_DOWN
