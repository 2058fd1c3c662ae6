"""Risk classes, computed from the object and the plan."""

import msgspec
import pytest

from copilot.domain.action import Action, ChaosMemory, Scale, SetImage
from copilot.domain.objects import Deployment
from copilot.domain.proposal import Risk
from copilot.remediate.plan import plan
from copilot.remediate.risk import risk_of
from copilot.remediate.tree import decode
from tests.builders_objects import a_container, a_deployment
from tests.builders_remediate import TARGET, to_memory


def risk(action: Action, live: Deployment | None = None, body: bytes = b"") -> Risk:
    body = body or msgspec.json.encode(live or a_deployment())
    return risk_of(action, decode(body), plan(action, body, proposal_key="k1"))[0]


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        pytest.param(to_memory("64Mi"), Risk.LOW, id="more-memory-is-low"),
        pytest.param(to_memory("24Mi"), Risk.MEDIUM, id="less-memory-is-medium"),
        pytest.param(
            SetImage(target=TARGET, container="app", image="b"), Risk.MEDIUM, id="other-code"
        ),
        pytest.param(Scale(target=TARGET, replicas=3), Risk.LOW, id="more-replicas"),
        pytest.param(
            ChaosMemory(target=TARGET, container="app", limit="24Mi"), Risk.HIGH, id="chaos"
        ),
    ],
)
def test_each_action_has_its_class(action: Action, expected: Risk) -> None:
    assert risk(action) is expected


def test_fewer_replicas_are_a_medium_risk() -> None:
    assert risk(Scale(target=TARGET, replicas=1), a_deployment(replicas=3)) is Risk.MEDIUM


def test_a_limit_where_none_was_is_a_medium_risk() -> None:
    live = a_deployment(containers=[a_container(limit=None)])

    assert risk(to_memory("64Mi"), live) is Risk.MEDIUM


def test_pods_that_all_stop_at_once_are_a_medium_risk() -> None:
    tree = msgspec.json.decode(msgspec.json.encode(a_deployment(replicas=2)))
    tree["spec"]["strategy"] = {"type": "Recreate"}
    body = msgspec.json.encode(tree)

    assert "all 2 pods stop" in plan(to_memory(), body, proposal_key="k1").disruption
    assert risk(to_memory(), a_deployment(replicas=2), body) is Risk.MEDIUM


@pytest.mark.parametrize(
    ("labels", "annotations", "keeper"),
    [
        pytest.param({"app.kubernetes.io/managed-by": "Helm"}, {}, "Helm", id="helm"),
        pytest.param(
            {},
            {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            "kubectl apply",
            id="kubectl-apply",
        ),
    ],
)
def test_who_keeps_the_manifest_is_said(
    labels: dict[str, str], annotations: dict[str, str], keeper: str
) -> None:
    live = a_deployment(annotations=annotations)
    metadata = msgspec.structs.replace(live.metadata, labels=labels)
    kept = msgspec.structs.replace(live, metadata=metadata)
    body = msgspec.json.encode(kept)
    planned = plan(to_memory(), body, proposal_key="k1")

    assert f"kept elsewhere ({keeper})" in risk_of(to_memory(), decode(body), planned)[1][-1]


def test_many_pods_are_a_medium_risk() -> None:
    assert risk(to_memory(), a_deployment(replicas=20)) is Risk.MEDIUM
