"""From a draft to a proposal, and whether it still is what was seen."""

import msgspec
import pytest

from copilot.domain.action import Action, ChaosMemory, RollBack, SetConfigValue, SetMemory
from copilot.domain.errors import Invalid, Refused, Unavailable
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Proposal, ProposalStatus
from copilot.remediate.digest import digest
from copilot.remediate.dry_run import diff_of
from copilot.remediate.policy import Mode, Policy, parse_guardrail
from copilot.remediate.propose import recheck
from tests.builders_remediate import TARGET, a_cluster, a_proposal, to_memory
from tests.builders_workloads import a_config_map, ref
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster, Trouble


async def test_a_proposal_is_planned_guarded_and_dry_run() -> None:
    cluster = a_cluster(FixedClock())

    proposal = await a_proposal(cluster)

    assert proposal.status is ProposalStatus.PROPOSED
    assert proposal.dry_run is not None
    assert proposal.dry_run.accepted
    assert "-            memory: 32Mi\n+            memory: 64Mi" in proposal.dry_run.diff
    assert cluster.patches == []


async def test_the_diff_shows_neither_status_nor_our_own_marks() -> None:
    diff = (await a_proposal(a_cluster(FixedClock()))).dry_run

    assert diff is not None
    for noise in ("status", "managedFields", "resourceVersion", "incident-copilot.io"):
        assert noise not in diff.diff


def test_the_diff_shows_no_secret_but_that_one_is_another() -> None:
    def with_password(password: str, mode: str) -> bytes:
        env = [{"name": "DB_PASSWORD", "value": password}, {"name": "MODE", "value": mode}]
        template = {"spec": {"containers": [{"name": "app", "env": env}]}}
        return msgspec.json.encode({"kind": "Deployment", "spec": {"template": template}})

    same = diff_of(with_password("hunter2hunter2", "slow"), with_password("hunter2hunter2", "fast"))
    other = diff_of(with_password("hunter2hunter2", "slow"), with_password("swordfish9", "slow"))

    assert "hunter2" not in same + other
    assert "swordfish" not in other
    assert "+          value: fast" in same
    assert "another" not in same
    assert "+          value: '*** (another)'" in other


async def test_it_expires_in_half_an_hour() -> None:
    proposal = await a_proposal(a_cluster(FixedClock()))

    assert proposal.expires_us - proposal.created_us == 30 * 60 * 1_000_000


async def test_a_guard_refuses_without_asking_the_cluster() -> None:
    cluster = a_cluster(FixedClock())

    proposal = await a_proposal(cluster, policy=Policy(mode=Mode.READ_ONLY))

    assert proposal.status is ProposalStatus.REFUSED
    assert "read-only" in proposal.refusal
    assert proposal.dry_run is None


async def test_what_the_cluster_refuses_is_refused_with_its_words() -> None:
    cluster = a_cluster(FixedClock())
    cluster.troubles.append(
        Trouble(method="patch", error=Invalid("must be less than " + "x" * 9000))
    )

    proposal = await a_proposal(cluster)

    assert proposal.status is ProposalStatus.REFUSED
    assert "must be less than" in proposal.refusal
    assert len(proposal.refusal) < 600


@pytest.mark.parametrize(
    ("action", "says"),
    [
        pytest.param(
            SetMemory(
                target=ObjectRef(kind="Deployment", namespace="demo", name="gone"),
                container="app",
                limit="64Mi",
            ),
            "does not exist",
            id="no-such-deployment",
        ),
        pytest.param(
            SetMemory(target=TARGET, container="nope", limit="64Mi"),
            "no container 'nope'",
            id="no-such-container",
        ),
        pytest.param(to_memory("32Mi"), "nothing would change", id="it-is-so-already"),
        pytest.param(to_memory("a lot"), "not a Kubernetes quantity", id="no-quantity"),
        pytest.param(
            RollBack(target=TARGET, to_revision=1, replica_set="gone"),
            "is not there any more",
            id="no-such-revision",
        ),
        pytest.param(
            SetMemory(
                target=ObjectRef(
                    kind="Deployment", namespace="demo", name="oom-demo", uid="uid-before"
                ),
                container="app",
                limit="64Mi",
            ),
            "made anew",
            id="another-object-of-that-name",
        ),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_reason(action: Action, says: str) -> None:
    proposal = await a_proposal(a_cluster(FixedClock()), action)

    assert proposal.status is ProposalStatus.REFUSED
    assert says in proposal.refusal


async def test_a_replica_set_of_another_owner_is_not_gone_back_to() -> None:
    cluster = a_cluster(FixedClock())
    name = next(
        o["metadata"]["name"] for o in cluster.objects.values() if o["kind"] == "ReplicaSet"
    )
    foreign = cluster.objects[f"ReplicaSet/demo/{name}"]
    foreign["metadata"]["ownerReferences"][0]["uid"] = "uid-of-another"

    proposal = await a_proposal(cluster, RollBack(target=TARGET, to_revision=1, replica_set=name))

    assert proposal.status is ProposalStatus.REFUSED


@pytest.mark.parametrize("is_refused", [False, True])
async def test_what_could_not_be_held_against_all_guards_is_for_people(is_refused: bool) -> None:
    cluster = a_cluster(FixedClock())
    rail = parse_guardrail("set_memory:Deployment/demo/*")
    if is_refused:
        cluster.troubles.append(Trouble(method="list_objects", error=Refused("no nodes for you")))

    proposal = await a_proposal(cluster, policy=Policy(mode=Mode.AUTONOMOUS, guardrails=(rail,)))

    assert proposal.status is ProposalStatus.PROPOSED
    assert bool(proposal.guardrail) is not is_refused


async def test_nodes_that_may_not_be_read_do_not_stop_a_proposal() -> None:
    cluster = a_cluster(FixedClock())
    cluster.troubles.append(
        Trouble(method="list_objects", error=Refused("not allowed to list nodes"))
    )

    assert (await a_proposal(cluster)).status is ProposalStatus.PROPOSED


@pytest.mark.parametrize(
    "workload",
    [
        pytest.param(None, id="nobody"),
        pytest.param(ref("Rollout"), id="of-a-kind-that-is-not-read"),
        pytest.param(ref("ConfigMap", "cfg"), id="the-map-itself"),
    ],
)
async def test_what_nothing_would_prove_is_refused(workload: ObjectRef | None) -> None:
    cluster = FakeCluster(FixedClock())
    cluster.put("ConfigMap", a_config_map())
    action = SetConfigValue(target=ref("ConfigMap", "cfg"), key="k", value="2")

    proposal = await a_proposal(cluster, action, workload=workload)

    assert proposal.status is ProposalStatus.REFUSED
    assert "nothing that can be looked at" in proposal.refusal


async def test_chaos_needs_no_incident_but_a_demo_namespace() -> None:
    cluster = a_cluster(FixedClock())
    chaos = ChaosMemory(target=TARGET, container="app", limit="24Mi")

    allowed = await a_proposal(cluster, chaos, incident_id=0)
    cluster.objects["Namespace//demo"]["metadata"]["labels"] = {}
    refused = await a_proposal(cluster, chaos, incident_id=0)

    assert allowed.status is ProposalStatus.PROPOSED
    assert refused.status is ProposalStatus.REFUSED


async def test_an_outage_is_no_refusal() -> None:
    cluster = a_cluster(FixedClock())
    cluster.troubles.append(Trouble(method="get", error=Unavailable("down")))

    with pytest.raises(Unavailable):
        await a_proposal(cluster)


async def rechecked(proposal: Proposal, cluster: FakeCluster) -> Proposal:
    return await recheck(proposal, cluster, Policy(), now_us=1)


async def test_pods_that_merely_crash_on_change_nothing() -> None:
    cluster = a_cluster(FixedClock())
    proposal = msgspec.structs.replace(await a_proposal(cluster), id=7)
    cluster.touch(TARGET)

    again = await rechecked(proposal, cluster)

    assert again.digest == proposal.digest
    assert (again.id, again.expires_us) == (7, proposal.expires_us)


async def test_a_changed_spec_makes_another_proposal_with_a_new_diff() -> None:
    cluster = a_cluster(FixedClock())
    proposal = msgspec.structs.replace(await a_proposal(cluster), id=7)
    cluster.edit(
        TARGET,
        {
            "spec": {
                "template": {
                    "spec": {
                        "containers": [{"name": "app", "resources": {"limits": {"memory": "40Mi"}}}]
                    }
                }
            }
        },
    )

    again = await rechecked(proposal, cluster)

    assert again.digest != proposal.digest
    assert again.id == 0
    assert again.dry_run is not None
    assert "-            memory: 40Mi" in again.dry_run.diff


async def test_a_stopgap_stays_one_when_it_is_looked_at_again() -> None:
    cluster = a_cluster(FixedClock())
    stopgap = "a stopgap: it buys time and does not remove the cause"
    proposal = await a_proposal(cluster)
    marked = msgspec.structs.replace(proposal, risk_reasons=(*proposal.risk_reasons, stopgap))

    assert stopgap in (await rechecked(marked, cluster)).risk_reasons


async def test_the_digest_changes_with_anything_that_is_approved() -> None:
    proposal = await a_proposal(a_cluster(FixedClock()))
    base = proposal.base
    given = {"target": TARGET, "base": base, "patch": "p", "rollback": "r"}
    others = [
        {**given, "target": ObjectRef(kind="Deployment", namespace="demo", name="other")},
        {**given, "base": msgspec.structs.replace(base, uid="u")},
        {**given, "base": msgspec.structs.replace(base, generation=99)},
        {**given, "base": msgspec.structs.replace(base, fields_hash="h")},
        {**given, "patch": "q"},
        {**given, "rollback": "s"},
        {**given, "rollback": None},
    ]

    digests = {digest(**each) for each in (given, *others)}  # type: ignore[arg-type]  # a row of arguments

    assert len(digests) == len(others) + 1
    assert all(len(d) == 64 for d in digests)
