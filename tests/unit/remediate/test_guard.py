"""What may be offered, and every reason why not."""

from dataclasses import replace

import msgspec
import pytest

from copilot.domain.action import Action, ChaosMemory, Scale, SetMemory
from copilot.domain.objects import Deployment
from copilot.domain.proposal import Patch
from copilot.remediate.freezes import Freeze
from copilot.remediate.guard import guard
from copilot.remediate.place import Place
from copilot.remediate.plan import plan
from copilot.remediate.policy import Mode, Policy
from copilot.remediate.tree import decode
from tests.builders_objects import a_container, a_deployment
from tests.builders_remediate import TARGET, to_memory

DEMO = Place(
    is_demo_cluster=False,
    namespace_labels={"incident-copilot.io/demo": "true"},
    smallest_allocatable=4 * 2**30,
)
CHAOS = ChaosMemory(target=TARGET, container="app", limit="24Mi")


def reasons(
    action: Action,
    *,
    live: Deployment | None = None,
    place: Place = DEMO,
    policy: Policy | None = None,
) -> str:
    body = msgspec.json.encode(live or a_deployment())
    planned = plan(action, body, proposal_key="k1")
    found = guard(action, decode(body), place, policy or Policy(), planned, now_us=1000)
    return "; ".join(found)


def test_one_step_up_in_an_ordinary_namespace_is_allowed() -> None:
    assert reasons(to_memory("64Mi")) == ""


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        pytest.param(Policy(mode=Mode.READ_ONLY), "read-only", id="nothing-in-read-only-mode"),
        pytest.param(
            Policy(allowed=frozenset({"scale"})), "set_memory is not", id="only-what-is-allowed"
        ),
        pytest.param(
            Policy(protected_namespaces=frozenset({"demo"})),
            "namespace demo is protected",
            id="not-in-a-protected-namespace",
        ),
        pytest.param(
            Policy(freezes=(Freeze(since_us=500, until_us=1500, reason="big sale"),)),
            "frozen: big sale",
            id="not-in-a-freeze",
        ),
    ],
)
def test_the_policy_is_kept(policy: Policy, says: str) -> None:
    assert says in reasons(to_memory(), policy=policy)


def test_what_is_touched_beside_in_a_protected_namespace_counts() -> None:
    planned = plan(to_memory(), msgspec.json.encode(a_deployment()), proposal_key="k1")
    beside = Patch(target=replace(TARGET, namespace="kube-system"), patch="{}", rollback="{}")

    found = guard(
        to_memory(),
        decode(msgspec.json.encode(a_deployment())),
        DEMO,
        Policy(),
        replace(planned, operations=(beside,)),
        now_us=1000,
    )

    assert found == ("namespace kube-system is protected",)


def test_a_freeze_that_is_over_stops_nothing() -> None:
    over = Freeze(since_us=0, until_us=1000, reason="big sale")

    assert reasons(to_memory(), policy=Policy(freezes=(over,))) == ""


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        pytest.param("128Mi", "", id="four-times-is-the-most"),
        pytest.param("144Mi", "more than 4 times the present limit of 32Mi", id="more-is-too-much"),
        pytest.param("0", "makes no sense", id="nothing-is-no-limit"),
    ],
)
def test_a_limit_is_bound_by_the_present_one(limit: str, says: str) -> None:
    found = reasons(to_memory(limit))

    assert (says in found) if says else found == ""


def test_a_limit_is_bound_by_the_smallest_node() -> None:
    place = Place(is_demo_cluster=False, namespace_labels={}, smallest_allocatable=64 * 2**20)

    assert "80% of the smallest node's 64Mi" in reasons(to_memory("64Mi"), place=place)


def test_a_request_over_its_limit_is_refused() -> None:
    action = SetMemory(target=TARGET, container="app", limit="64Mi", request="96Mi")

    assert "the request 96Mi would be over the limit 64Mi" in reasons(action)


@pytest.mark.parametrize(
    ("now", "wanted", "is_allowed"),
    [
        pytest.param(1, 10, True, id="ten-from-any-number"),
        pytest.param(1, 11, False, id="eleven-from-one-is-too-many"),
        pytest.param(8, 16, True, id="twice-as-many"),
        pytest.param(3, 0, False, id="none-stops-the-workload"),
    ],
)
def test_replicas_are_bound(now: int, wanted: int, is_allowed: bool) -> None:
    found = reasons(Scale(target=TARGET, replicas=wanted), live=a_deployment(replicas=now))

    assert (found == "") is is_allowed


def test_chaos_is_for_demo_namespaces() -> None:
    elsewhere = Place(is_demo_cluster=False, namespace_labels={}, smallest_allocatable=None)
    on_demo_cluster = Place(is_demo_cluster=True, namespace_labels={}, smallest_allocatable=None)

    assert reasons(CHAOS) == ""
    assert reasons(CHAOS, place=on_demo_cluster) == ""
    assert "chaos runs only" in reasons(CHAOS, place=elsewhere)


def test_a_paused_rollout_is_left_alone() -> None:
    live = a_deployment(containers=[a_container()])
    paused = msgspec.structs.replace(live, spec=msgspec.structs.replace(live.spec, paused=True))

    assert "paused" in reasons(to_memory(), live=paused)


def test_too_many_pods_are_for_people() -> None:
    assert "60 pods would be touched" in reasons(to_memory(), live=a_deployment(replicas=60))


def test_every_reason_is_given_at_once() -> None:
    policy = Policy(mode=Mode.READ_ONLY, protected_namespaces=frozenset({"demo"}))

    assert len(reasons(to_memory("1Gi"), policy=policy).split("; ")) == 3
