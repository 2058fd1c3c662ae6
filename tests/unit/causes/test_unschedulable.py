"""Pods that no node takes, and pods that only had to wait."""

import msgspec
import pytest

from copilot.causes.unschedulable import unschedulable, way_of
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis, Verdict
from copilot.domain.objects import (
    Affinity,
    Container,
    ContainerPort,
    LabelSelector,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorTerm,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    SelectorRequirement,
    Taint,
    Toleration,
    TopologySpread,
)
from copilot.domain.scheduling import Obstacle, obstacles_in
from tests.builders_case import a_case, a_change, an_event
from tests.builders_objects import a_container, a_node, a_pod, ago, condition

MEMORY = "0/2 nodes are available: 2 Insufficient memory. preemption: 0/2 nodes are available."
SELECTOR = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
TAINT = "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}."


def a_homeless_pod(*, request: str = "16Mi", selector: dict[str, str] | None = None) -> Pod:
    pod = a_pod(
        "etl",
        node="",
        containers=[a_container(request=request, limit=None)],
        statuses=[],
        phase="Pending",
        conditions=[condition("PodScheduled", False, reason="Unschedulable")],
    )
    spec = msgspec.structs.replace(pod.spec, node_selector=selector)
    return msgspec.structs.replace(pod, spec=spec)


def case_with(pod: Pod, message: str, nodes: list[Node], *, changed: bool = False) -> Case:
    changes = [a_change("resources.requests.memory", "1Gi", "64Gi", at=ago(50), app="etl")]
    return a_case(
        app="etl",
        pods=[pod],
        nodes=nodes,
        events=[an_event("FailedScheduling", message, pod, at=ago(10))],
        changes=changes if changed else [],
        rule=Rule.UNSCHEDULABLE,
    )


def looked_at(case: Case) -> Hypothesis:
    found = unschedulable(case)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(
            "0/2 nodes are available: 1 Insufficient memory, 1 Too many pods, 1 node(s) didn't "
            "match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/2 "
            "nodes are available: 2 Preemption is not helpful for scheduling.",
            [
                "Insufficient memory",
                "Too many pods",
                "node(s) didn't match Pod's node affinity/selector",
            ],
            id="several reasons",
        ),
        pytest.param(
            "0/3 nodes are available: 1 node(s) had untolerated taint "
            "{node-role.kubernetes.io/control-plane: }, 2 Insufficient cpu.",
            [
                "node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }",
                "Insufficient cpu",
            ],
            id="a taint with dots",
        ),
        pytest.param(
            'persistentvolumeclaim "data" not found',
            ['persistentvolumeclaim "data" not found'],
            id="other words",
        ),
        pytest.param(
            "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
            ["pod has unbound immediate PersistentVolumeClaims"],
            id="no number of nodes",
        ),
        pytest.param("", [], id="nothing said"),
    ],
)
def test_the_schedulers_message_is_read(message: str, expected: list[str]) -> None:
    assert [o.reason for o in obstacles_in(message)] == expected


def test_each_obstacle_says_how_many_nodes_it_rules_out() -> None:
    assert obstacles_in(MEMORY) == (Obstacle(nodes=2, reason="Insufficient memory"),)


def test_a_request_larger_than_any_node_is_shown_with_what_would_fit() -> None:
    nodes = [a_node("small", memory="4Gi"), a_node("large", memory="16Gi")]

    found = looked_at(case_with(a_homeless_pod(request="64Gi"), MEMORY, nodes))

    assert found.confidence > 0.95
    assert "the largest node, large, has 16Gi" in found.supporting[1].text


def test_a_node_that_is_full_but_large_enough_is_the_schedulers_word_alone() -> None:
    found = looked_at(case_with(a_homeless_pod(request="8Gi"), MEMORY, [a_node(memory="16Gi")]))

    assert found.verdict is Verdict.SUPPORTED
    assert len(found.supporting) == 1
    assert found.next_check


def test_a_label_that_no_node_has_is_named() -> None:
    pod = a_homeless_pod(selector={"disk": "ssd"})

    found = looked_at(case_with(pod, SELECTOR, [a_node()]))

    assert "disk=ssd; no node is" in found.supporting[1].text


def test_taints_count_where_every_node_repels_the_pod() -> None:
    tainted = a_node(taints=[Taint(key="gpu", value="true", effect="NoSchedule")])
    tolerant = a_homeless_pod()
    spec = msgspec.structs.replace(
        tolerant.spec, tolerations=[Toleration(key="gpu", operator="Exists")]
    )

    repelled = looked_at(case_with(a_homeless_pod(), TAINT, [tainted]))
    welcome = looked_at(case_with(msgspec.structs.replace(tolerant, spec=spec), MEMORY, [tainted]))

    assert "does not tolerate: gpu=true" in repelled.supporting[1].text
    assert not any("tolerate" in s.text for s in welcome.supporting)


def test_a_change_of_the_request_just_before_is_cited() -> None:
    case = case_with(a_homeless_pod(request="64Gi"), MEMORY, [a_node()], changed=True)

    found = looked_at(case)

    assert "1Gi → 64Gi" in found.supporting[-1].text


def test_a_pod_that_found_its_node_since_refutes_it() -> None:
    pod = a_pod("etl", node="dev")

    found = looked_at(case_with(pod, MEMORY, [a_node()]))

    assert found.verdict is Verdict.REFUTED
    assert "runs on node dev" in found.against[0].text


def test_a_pod_that_never_waited_says_nothing() -> None:
    assert unschedulable(a_case(pods=[a_pod("etl")])) is None


# ------------------------------------------------------------------ ways of it

AFFINITY = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
ANTI = "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules."
PORTS = "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports."
SPREAD = (
    "0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints (missing "
    "required label)."
)
CPU = "0/2 nodes are available: 2 Insufficient cpu."
CORDON = "0/2 nodes are available: 2 node(s) were unschedulable."
BY_APP = LabelSelector(match_labels={"app": "etl"})
NOWHERE = Affinity(
    node_affinity=NodeAffinity(
        required=NodeSelector(
            node_selector_terms=[
                NodeSelectorTerm(
                    match_expressions=[
                        SelectorRequirement(key="zone", operator="In", values=["eu-9"])
                    ]
                )
            ]
        )
    )
)
APART = Affinity(
    pod_anti_affinity=PodAffinity(
        required=[PodAffinityTerm(label_selector=BY_APP, topology_key="kubernetes.io/hostname")]
    )
)
OVER_ZONES = TopologySpread(topology_key="zone", label_selector=BY_APP)
TAKES_PORT = Container(name="app", ports=[ContainerPort(container_port=80, host_port=18080)])


def with_fields(pod: Pod, **fields: object) -> Pod:
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, **fields))


def two_nodes(**fields: object) -> list[Node]:
    return [
        msgspec.structs.replace(n, spec=msgspec.structs.replace(n.spec, **fields))
        for n in (a_node("dev"), a_node("other"))
    ]


@pytest.mark.parametrize(
    ("pod", "nodes", "message", "detail", "words"),
    [
        pytest.param(
            a_homeless_pod(request="64Gi"),
            two_nodes(),
            MEMORY,
            "memory_capacity",
            "the largest node",
            id="memory",
        ),
        pytest.param(a_homeless_pod(), two_nodes(), CPU, "cpu_capacity", "", id="cpu, only said"),
        pytest.param(
            a_homeless_pod(selector={"disk": "ssd"}),
            two_nodes(),
            SELECTOR,
            "node_selector",
            "labelled disk=ssd",
            id="selector",
        ),
        pytest.param(
            with_fields(a_homeless_pod(), affinity=NOWHERE),
            two_nodes(),
            AFFINITY,
            "node_affinity",
            "requires a node with zone In eu-9; no node is one",
            id="affinity",
        ),
        pytest.param(
            a_homeless_pod(),
            two_nodes(unschedulable=True),
            CORDON,
            "cordon",
            "Every node is cordoned",
            id="cordon",
        ),
        pytest.param(
            a_homeless_pod(),
            two_nodes(taints=[Taint(key="gpu", effect="NoSchedule", value="true")]),
            TAINT,
            "taint",
            "gpu=true",
            id="taint",
        ),
        pytest.param(
            with_fields(a_homeless_pod(), topology_spread_constraints=[OVER_ZONES]),
            two_nodes(),
            SPREAD,
            "topology_spread",
            "by the label zone, which no node has",
            id="spread",
        ),
    ],
)
def test_the_way_of_it_is_told_apart(
    pod: Pod, nodes: list[Node], message: str, detail: str, words: str
) -> None:
    found = looked_at(case_with(pod, message, nodes))

    assert found.detail == detail
    assert words in " ".join(s.text for s in found.supporting)
    assert found.subject is not None
    assert found.subject.name == "etl" if detail != "cordon" else True


@pytest.mark.parametrize(
    ("fields", "message", "detail"),
    [
        pytest.param({"affinity": APART}, ANTI, "pod_anti_affinity", id="anti-affinity"),
        pytest.param({"containers": [TAKES_PORT]}, PORTS, "host_port", id="host port"),
    ],
)
def test_the_pod_that_is_in_the_way_is_named(
    fields: dict[str, object], message: str, detail: str
) -> None:
    homeless = with_fields(a_homeless_pod(), **fields)
    placed = with_fields(a_pod("etl", suffix="placed"), **fields)
    case = a_case(
        app="etl",
        pods=[homeless, placed],
        nodes=[a_node("dev")],
        events=[an_event("FailedScheduling", message, homeless, at=ago(10))],
        rule=Rule.UNSCHEDULABLE,
    )
    found = looked_at(case)

    assert found.detail == detail
    assert placed.metadata.name in found.supporting[1].text


def test_the_title_names_what_the_specs_show_not_what_most_nodes_say() -> None:
    message = "0/3 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint {gpu: true}."
    found = looked_at(case_with(a_homeless_pod(request="64Gi"), message, two_nodes()))

    assert found.detail == "memory_capacity"
    assert found.title.endswith(": not enough memory")


def test_a_free_node_that_is_cordoned_is_no_way_out() -> None:
    homeless = with_fields(a_homeless_pod(), affinity=APART)
    placed = a_pod("etl", suffix="placed", node="dev")
    nodes = [a_node("dev"), two_nodes(unschedulable=True)[1]]
    case = a_case(
        app="etl",
        pods=[homeless, placed],
        nodes=nodes,
        events=[an_event("FailedScheduling", ANTI, homeless, at=ago(10))],
        rule=Rule.UNSCHEDULABLE,
    )

    assert looked_at(case).detail == "pod_anti_affinity"


def test_a_pod_on_another_node_is_in_nobody_s_way() -> None:
    homeless = with_fields(a_homeless_pod(), affinity=APART)
    placed = a_pod("etl", suffix="placed", node="dev")
    case = a_case(
        app="etl",
        pods=[homeless, placed],
        nodes=two_nodes(),
        events=[an_event("FailedScheduling", CPU, homeless, at=ago(10))],
        rule=Rule.UNSCHEDULABLE,
    )

    assert looked_at(case).detail == "cpu_capacity"


def test_one_cordoned_node_of_those_wanted_is_named_itself() -> None:
    nodes = two_nodes()
    ssd = msgspec.structs.replace(
        nodes[0],
        metadata=msgspec.structs.replace(nodes[0].metadata, labels={"disk": "ssd"}),
        spec=msgspec.structs.replace(nodes[0].spec, unschedulable=True),
    )
    found = looked_at(case_with(a_homeless_pod(selector={"disk": "ssd"}), CORDON, [ssd, nodes[1]]))

    assert found.detail == "cordon"
    assert str(found.subject) == "Node dev"


def test_a_pod_that_is_held_back_on_purpose_is_no_matter_of_nodes() -> None:
    gated = a_pod(
        "etl",
        node="",
        statuses=[],
        phase="Pending",
        conditions=[condition("PodScheduled", False, reason="SchedulingGated")],
    )

    assert unschedulable(a_case(app="etl", pods=[gated], rule=Rule.UNSCHEDULABLE)) is None


@pytest.mark.parametrize(
    ("reason", "way"),
    [
        ("node(s) had taints that the pod didn't tolerate", "taint"),
        ("node(s) had taint {gpu: true}, that the pod didn't tolerate", "taint"),
        ("node(s) had untolerated taint(s)", "taint"),
        ("node(s) didn't match node selector", "node_affinity"),
        ("node(s) didn't match Pod's node affinity", "node_affinity"),
        ("node(s) didn't satisfy existing pods anti-affinity rules", "pod_anti_affinity"),
        ("node(s) didn't satisfy inter-pod affinity rules", "pod_affinity"),
    ],
)
def test_older_schedulers_say_the_same_in_other_words(reason: str, way: str) -> None:
    assert way_of(reason) == way
