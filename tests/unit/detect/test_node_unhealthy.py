"""Nodes that are sick, and nodes that only look so."""

from datetime import datetime
from typing import Literal

import msgspec
import pytest

from copilot.detect.rules.node_unhealthy import check
from copilot.domain.objects import Condition, Node, Taint
from tests.builders_detect import seen
from tests.builders_objects import a_node, ago, ago_us

Status = Literal["True", "False", "Unknown"]


def a_node_with(
    kind: str = "Ready",
    status: Status = "False",
    *,
    for_s: float = 30,
    cordoned: bool = False,
    born: datetime | None = None,
) -> Node:
    node = a_node("n1", unschedulable=cordoned)
    sick = Condition(
        type=kind, status=status, reason="KubeletSays", last_transition_time=ago(for_s)
    )
    others = [c for c in node.status.conditions or () if c.type != kind]
    return msgspec.structs.replace(
        node,
        metadata=msgspec.structs.replace(
            node.metadata, creation_timestamp=born or node.metadata.creation_timestamp
        ),
        status=msgspec.structs.replace(node.status, conditions=[*others, sick]),
    )


def tainted(node: Node, key: str) -> Node:
    spec = msgspec.structs.replace(node.spec, taints=[Taint(key=key, effect="NoSchedule")])
    return msgspec.structs.replace(node, spec=spec)


def leaving(node: Node) -> Node:
    metadata = msgspec.structs.replace(node.metadata, deletion_timestamp=ago(5))
    return msgspec.structs.replace(node, metadata=metadata)


@pytest.mark.parametrize(
    ("node", "title"),
    [
        (a_node_with(for_s=10), "Node n1 is not ready"),
        (a_node_with(status="Unknown", for_s=0), "Node n1 does not answer"),
        (a_node_with("MemoryPressure", "True", for_s=0), "Node n1 is short of memory"),
        (a_node_with("DiskPressure", "True", for_s=0), "Node n1 is short of disk space"),
        (a_node_with("PIDPressure", "True", for_s=0), "Node n1 is short of process ids"),
        (a_node_with("NetworkUnavailable", "True", for_s=0), "Node n1 has no network"),
        (a_node_with("DiskPressure", "True", cordoned=True), "Node n1 is short of disk space"),
        (a_node_with(for_s=600, cordoned=True), "Node n1 is not ready"),
    ],
)
def test_a_sick_node_is_told(node: Node, title: str) -> None:
    (alert,) = check(seen(nodes=[node]))

    assert (alert.title, alert.workload.kind, alert.node) == (title, "Node", "n1")


def test_it_begins_when_the_condition_turned() -> None:
    (alert,) = check(seen(nodes=[a_node_with(for_s=44)]))

    assert alert.starts_us == ago_us(44)


def test_two_illnesses_of_one_node_are_two_alerts() -> None:
    both = a_node_with("DiskPressure", "True")
    sick = Condition(type="Ready", status="Unknown", last_transition_time=ago(5))
    healthy = [c for c in both.status.conditions or () if c.type != "Ready"]
    node = msgspec.structs.replace(
        both, status=msgspec.structs.replace(both.status, conditions=[*healthy, sick])
    )

    assert len({alert.fingerprint for alert in check(seen(nodes=[node]))}) == 2


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(a_node("n1"), id="healthy"),
        pytest.param(a_node("n1", unschedulable=True), id="cordoned"),
        pytest.param(a_node_with(for_s=9), id="a kubelet that starts anew"),
        pytest.param(a_node_with(born=ago(59)), id="just joined"),
        pytest.param(
            a_node_with(status="Unknown", for_s=120, cordoned=True), id="a reboot that was planned"
        ),
        pytest.param(
            tainted(a_node_with(status="Unknown"), "ToBeDeletedByClusterAutoscaler"),
            id="one that an autoscaler takes away",
        ),
        pytest.param(
            tainted(a_node_with(), "karpenter.sh/disrupted"), id="one that Karpenter takes away"
        ),
        pytest.param(leaving(a_node_with(status="Unknown")), id="one that is being deleted"),
        pytest.param(a_node_with("EtcdIsVoter", "False"), id="a condition we do not know"),
    ],
)
def test_a_node_that_is_well_or_new_or_in_maintenance_is_quiet(node: Node) -> None:
    assert list(check(seen(nodes=[node]))) == []


@pytest.mark.parametrize(
    ("status", "regained_s", "found"),
    [
        pytest.param("Unknown", 119, 0, id="it could report to nobody"),
        pytest.param("Unknown", 120, 1, id="it had two minutes to report again"),
        pytest.param("False", 119, 1, id="what it reports itself stands"),
    ],
)
def test_after_an_outage_of_the_api_server_a_node_has_two_minutes_to_report_again(
    status: Status, regained_s: float, found: int
) -> None:
    look = msgspec.structs.replace(
        seen(nodes=[a_node_with(status=status, for_s=80)]), nodes_regained_us=ago_us(regained_s)
    )

    assert len(list(check(look))) == found


def test_a_node_that_did_not_answer_long_before_the_outage_is_not_well_for_two_minutes() -> None:
    look = msgspec.structs.replace(
        seen(nodes=[a_node_with(status="Unknown", for_s=900)]), nodes_regained_us=ago_us(30)
    )

    assert list(check(look))
