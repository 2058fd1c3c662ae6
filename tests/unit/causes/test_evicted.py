"""Pods that were taken off their node, and nodes that do not work."""

from dataclasses import replace
from datetime import datetime

import msgspec
import pytest

from copilot.causes import explain
from copilot.causes.evicted import evicted
from copilot.causes.node_unhealthy import node_unhealthy
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Verdict
from copilot.domain.objects import (
    Container,
    Node,
    NodeStatus,
    ObjectRef,
    Pod,
    ResourceRequirements,
    Taint,
    VolumeMount,
)
from tests.builders_around import with_spec
from tests.builders_case import a_case, an_alert
from tests.builders_objects import (
    a_node,
    a_pod,
    a_status,
    ago,
    an_event,
    condition,
    ref_of,
    terminated,
)
from tests.unit.causes.test_unschedulable import a_homeless_pod, case_with

EMPTY_DIR = 'Usage of EmptyDir volume "c" exceeds the limit "10Mi". '
DISK = "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. "
NODE_MEMORY = (
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 88Mi. Container "
    "app was using 300Mi, request is 10Mi, has larger consumption of memory. "
)
FILLS = Container(
    name="app",
    volume_mounts=[VolumeMount(name="c", mount_path="/c")],
    resources=ResourceRequirements(limits={"ephemeral-storage": "10Mi"}),
)


def an_evicted_pod(message: str, reason: str = "Evicted") -> Pod:
    ended = terminated(exit_code=137, reason="Error", started=ago(60), finished=ago(30))
    pod = a_pod(
        "billing", statuses=[a_status(state=ended, ready=False)], phase="Failed", reason=reason
    )
    status = msgspec.structs.replace(pod.status, message=message)
    return with_spec(msgspec.structs.replace(pod, status=status), container=FILLS)


@pytest.mark.parametrize(
    ("message", "detail", "title", "shown"),
    [
        pytest.param(
            EMPTY_DIR, "empty_dir", "filled its volume c beyond 10Mi", "mounted by app", id="volume"
        ),
        pytest.param(
            DISK,
            "ephemeral_storage",
            "used more disk than its limit of 10Mi",
            "app may use 10Mi",
            id="disk",
        ),
        pytest.param(
            NODE_MEMORY, "node_memory", "ran short of memory", "was using 300Mi", id="node"
        ),
    ],
)
def test_what_ran_short_is_read_from_the_kubelets_words(
    message: str, detail: str, title: str, shown: str
) -> None:
    found = evicted(a_case(pods=[an_evicted_pod(message)], rule=Rule.EVICTED))

    assert found is not None
    assert found.detail == detail
    assert title in found.title
    assert shown in " ".join(s.text for s in found.supporting)
    assert found.subject is not None
    assert found.subject.name == "billing"


def test_an_eviction_that_names_no_container_is_the_nodes_matter() -> None:
    pod = an_evicted_pod("The node was low on resource: ephemeral-storage. ")
    found = evicted(a_case(pods=[pod], rule=Rule.EVICTED))

    assert found is not None
    assert found.detail == "node_disk"
    assert found.subject is not None
    assert found.subject.kind == "Node"


def test_a_pod_that_failed_otherwise_was_not_evicted() -> None:
    pod = an_evicted_pod("", reason="")

    assert evicted(a_case(pods=[pod], rule=Rule.CRASH_LOOP)) is None


@pytest.mark.parametrize("rule", [Rule.EVICTED, Rule.CRASH_LOOP])
def test_where_only_the_event_is_left_it_speaks_for_the_pod_that_was_replaced(rule: Rule) -> None:
    successor = with_spec(a_pod("spooler", owner_kind="StatefulSet"), container=FILLS)
    evicted_one = replace(ref_of("Pod", successor.metadata), uid="uid-before")
    told = an_event(evicted_one, "Evicted", EMPTY_DIR)

    found = evicted(a_case(pods=[successor], events=[told], rule=rule))

    assert (found is not None) is (rule is Rule.EVICTED)
    assert found is None or found.detail == "empty_dir"


# ------------------------------------------------------------------ nodes


def a_bad_node(
    kind: str = "Ready",
    *,
    status: bool = False,
    reason: str = "NodeStatusUnknown",
    since: datetime | None = None,
) -> Node:
    node = a_node("dev")
    bad = condition(kind, status, reason=reason, message="kubelet stopped", since=since or ago(120))
    others = [c for c in node.status.conditions or () if c.type != kind]
    return msgspec.structs.replace(
        node,
        status=NodeStatus(
            allocatable=node.status.allocatable,
            capacity=node.status.capacity,
            conditions=[*others, bad],
        ),
    )


def an_unready_pod(node: str = "dev", suffix: str = "a") -> Pod:
    return a_pod("billing", node=node, statuses=[a_status(ready=False)], suffix=suffix)


def of_node(case: Case) -> Case:
    own = ObjectRef(kind="Node", namespace="", name="dev", uid="uid-dev")
    return msgspec.structs.replace(case, incident=replace(case.incident, workload=own))


@pytest.mark.parametrize(
    ("node", "detail"),
    [
        (a_bad_node(), "not_ready"),
        (a_bad_node("MemoryPressure", status=True), "memory_pressure"),
        (a_bad_node("DiskPressure", status=True), "disk_pressure"),
    ],
)
def test_a_node_that_does_not_work_is_named_with_its_pods(node: Node, detail: str) -> None:
    bare = a_case(pods=[an_unready_pod()], nodes=[node], rule=Rule.NODE_UNHEALTHY)
    found = node_unhealthy(of_node(bare))

    assert found is not None
    assert found.verdict is Verdict.SUPPORTED
    assert found.detail == detail
    assert found.subject is not None
    assert str(found.subject) == "Node dev"
    assert "Of 1 pods on it 1 are not ready." in " ".join(s.text for s in found.supporting)


def test_pods_that_fail_on_other_nodes_as_well_leave_it_undecided() -> None:
    pods = [an_unready_pod(), an_unready_pod("other", "b")]
    case = a_case(pods=pods, nodes=[a_bad_node(), a_node("other")], rule=Rule.NOT_READY)
    found = node_unhealthy(case)

    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("later_s", "is_blamed"), [(50, True), (600, False)])
def test_a_node_that_went_bad_long_after_its_pods_did_not_break_them(
    later_s: int, is_blamed: bool
) -> None:
    late = a_bad_node(since=ago(1000 - later_s))
    case = a_case(pods=[an_unready_pod()], nodes=[late], rule=Rule.NOT_READY, began=ago(1000))

    assert (node_unhealthy(case) is not None) is is_blamed


def test_a_node_that_is_well_again_is_refuted_and_a_well_one_is_not_mentioned() -> None:
    with_evidence = of_node(a_case(pods=[], nodes=[a_bad_node()], rule=Rule.NODE_UNHEALTHY))
    well = msgspec.structs.replace(with_evidence, nodes=(a_node("dev"),))
    case = a_case(pods=[an_unready_pod()], nodes=[a_node("dev")], rule=Rule.NOT_READY)

    found = node_unhealthy(
        msgspec.structs.replace(
            well, cited_as={**well.cited_as, f"object:{a_node('dev').metadata.uid}": "E1"}
        )
    )

    assert found is not None
    assert found.verdict is Verdict.REFUTED
    assert node_unhealthy(case) is None


def test_the_node_comes_before_the_pods_that_went_down_with_it() -> None:
    case = a_case(
        pods=[an_unready_pod()],
        nodes=[a_bad_node()],
        alerts=[an_alert(Rule.NODE_UNHEALTHY), an_alert(Rule.NOT_READY)],
    )

    assert explain(case)[0].cause is Cause.NODE_UNHEALTHY


def test_a_pod_that_may_go_to_a_node_in_trouble_only_waits_for_that_node() -> None:
    bad = a_bad_node("DiskPressure", status=True)
    taint = Taint(key="node.kubernetes.io/disk-pressure", effect="NoSchedule")
    bad = msgspec.structs.replace(
        bad,
        metadata=msgspec.structs.replace(bad.metadata, labels={"pool": "batch"}),
        spec=msgspec.structs.replace(bad.spec, taints=[taint]),
    )
    homeless = a_homeless_pod(selector={"pool": "batch"})
    message = "0/2 nodes are available: 1 node(s) had untolerated taint {disk-pressure: }."
    ranked = explain(case_with(homeless, message, [bad, a_node("other")]))

    assert ranked[0].cause is Cause.NODE_UNHEALTHY
    assert "keeps it off" in " ".join(s.text for s in ranked[0].supporting)
