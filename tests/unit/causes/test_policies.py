"""Flows through network policies: let through, not let through, and not known."""

import pytest

from copilot.causes.policies import OUTSIDE, End, Way, dns_ruling, ruling
from copilot.domain.objects import (
    Container,
    ContainerPort,
    LabelSelector,
    PodSpec,
    SelectorRequirement,
)
from copilot.domain.surroundings import (
    EgressRule,
    IngressRule,
    IpBlock,
    NetworkPeer,
    NetworkPolicy,
)
from tests.builders_net import a_pod_peer, a_policy, a_port

CALLER = End(namespace="demo", labels={"app": "shop"}, ip="10.0.0.1")
SERVED = PodSpec(
    containers=[Container(name="app", ports=[ContainerPort(container_port=8080, name="http")])]
)
API = End(namespace="demo", labels={"app": "api"}, spec=SERVED, ip="10.0.0.2")
REMOTE = End(namespace="other", labels=None)
FROM_SHOP = IngressRule(from_=[a_pod_peer({"app": "shop"})])


def by_namespace(**labels: str) -> NetworkPeer:
    return NetworkPeer(namespace_selector=LabelSelector(match_labels=labels))


@pytest.mark.parametrize(
    ("policies", "is_allowed"),
    [
        pytest.param([], True, id="no policy"),
        pytest.param([a_policy()], False, id="deny all ingress"),
        pytest.param([a_policy(pods={"app": "db"})], True, id="a policy of others"),
        pytest.param([a_policy(ingress=[IngressRule()])], True, id="an empty rule lets all in"),
        pytest.param([a_policy(ingress=[FROM_SHOP])], True, id="from these pods"),
        pytest.param([a_policy(), a_policy("a", ingress=[FROM_SHOP])], True, id="policies add up"),
        pytest.param(
            [a_policy(ingress=[IngressRule(from_=[a_pod_peer({"app": "web"})])])],
            False,
            id="from other pods",
        ),
        pytest.param(
            [a_policy(ingress=[IngressRule(ports=[a_port(8080)])])], True, id="at this port"
        ),
        pytest.param(
            [a_policy(ingress=[IngressRule(ports=[a_port("http")])])], True, id="port by name"
        ),
        pytest.param(
            [a_policy(ingress=[IngressRule(ports=[a_port("metrics")])])], False, id="other name"
        ),
        pytest.param(
            [a_policy(ingress=[IngressRule(ports=[a_port(9090)])])], False, id="at another port"
        ),
        pytest.param(
            [a_policy(ingress=[IngressRule(ports=[a_port(8080, "UDP")])])],
            False,
            id="by another protocol",
        ),
        pytest.param(
            [a_policy(ingress=[IngressRule(from_=[a_pod_peer({"app": "shop"}, place="demo")])])],
            True,
            id="of this namespace by name",
        ),
        pytest.param(
            [a_policy(ingress=[IngressRule(from_=[a_pod_peer({"app": "shop"}, place="web")])])],
            False,
            id="of another namespace",
        ),
        pytest.param(
            [a_policy(ingress=[IngressRule(from_=[by_namespace(team="shop")])])],
            None,
            id="a namespace's labels are not known",
        ),
        pytest.param(
            [
                a_policy(
                    ingress=[
                        IngressRule(from_=[NetworkPeer(ip_block=IpBlock(cidr="192.168.0.0/16"))])
                    ]
                )
            ],
            False,
            id="an address block elsewhere",
        ),
        pytest.param(
            [
                a_policy(
                    ingress=[IngressRule(from_=[NetworkPeer(ip_block=IpBlock(cidr="10.0.0.0/8"))])]
                )
            ],
            None,
            id="an address block may have exceptions",
        ),
        pytest.param(
            [a_policy(types=["Egress"], pods={"app": "shop"})], False, id="deny all egress"
        ),
        pytest.param(
            [a_policy(types=["Egress"], egress=[EgressRule(to=[a_pod_peer({"app": "api"})])])],
            True,
            id="out to these pods",
        ),
        pytest.param(
            [a_policy(egress=[EgressRule(ports=[a_port(53, "UDP")])], ingress=[FROM_SHOP])],
            False,
            id="egress rules isolate without policyTypes",
        ),
        pytest.param(
            [a_policy(types=["Ingress"], pods={"app": "shop"})], True, id="the caller's ingress"
        ),
    ],
)
def test_a_flow_is_judged_by_both_ends(
    policies: list[NetworkPolicy], is_allowed: bool | None
) -> None:
    assert ruling(policies, CALLER, API, 8080).is_allowed is is_allowed


def test_a_ruling_names_the_policy_and_the_way() -> None:
    answer = ruling([a_policy("keep-out")], CALLER, API, 8080)

    assert answer.way is Way.INGRESS
    assert [p.metadata.name for p in answer.by] == ["keep-out"]


def test_pods_elsewhere_whose_labels_are_unknown_are_judged_by_namespace_only() -> None:
    anywhere = a_policy(types=["Egress"], egress=[EgressRule(to=[a_pod_peer(place="other")])])
    some = a_policy(
        types=["Egress"], egress=[EgressRule(to=[a_pod_peer({"a": "b"}, place="other")])]
    )

    assert ruling([anywhere], CALLER, REMOTE, None).is_allowed is True
    assert ruling([some], CALLER, REMOTE, None).is_allowed is None


def test_only_address_blocks_let_out_of_the_cluster() -> None:
    pods_only = a_policy(types=["Egress"], egress=[EgressRule(to=[a_pod_peer({}, place="*")])])
    outside = End(namespace=OUTSIDE, labels={}, ip="93.184.216.34")

    assert ruling([pods_only], CALLER, outside, 443).is_allowed is False


def test_a_selector_with_expressions_is_read() -> None:
    not_shop = LabelSelector(
        match_expressions=[SelectorRequirement(key="app", operator="NotIn", values=["shop"])]
    )
    rule = IngressRule(from_=[NetworkPeer(pod_selector=not_shop)])

    assert ruling([a_policy(ingress=[rule])], CALLER, API, 8080).is_allowed is False


@pytest.mark.parametrize(
    ("egress", "is_allowed"),
    [
        pytest.param([], False, id="none at all"),
        pytest.param(
            [EgressRule(to=[a_pod_peer({"app": "api"})])], False, id="to one's peers only"
        ),
        pytest.param([EgressRule(ports=[a_port(53, "UDP")])], True, id="port 53 anywhere"),
        pytest.param([EgressRule(ports=[a_port(53, "TCP")])], False, id="by TCP only"),
        pytest.param(
            [EgressRule(to=[a_pod_peer({"k8s-app": "kube-dns"}, place="kube-system")])],
            True,
            id="to the name server",
        ),
        pytest.param([EgressRule(to=[by_namespace(name="kube-system")])], None, id="by own label"),
    ],
)
def test_names_are_asked_for_at_port_53(egress: list[EgressRule], is_allowed: bool | None) -> None:
    policy = a_policy(types=["Egress"], egress=egress)

    assert dns_ruling([policy], CALLER).is_allowed is is_allowed


def test_pods_on_their_nodes_network_are_under_no_policy() -> None:
    on_node = End(namespace="demo", labels={"app": "api"}, spec=PodSpec(host_network=True))

    assert ruling([a_policy()], CALLER, on_node, 8080).is_allowed is True
