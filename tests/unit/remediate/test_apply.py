"""Applied to the letter, and once."""

import msgspec
import pytest

from copilot.domain.action import ChaosMemory
from copilot.domain.errors import Conflict, Invalid, Unavailable
from copilot.domain.proposal import ActionState, Proposal
from copilot.remediate.apply import applied_of, apply
from copilot.remediate.operate import TRIES
from tests.builders_remediate import TARGET, a_claim, a_cluster, a_proposal, to_memory
from tests.fakes import FixedClock
from tests.fakes_cluster import FakeCluster, Trouble

LOWER = {
    "spec": {
        "template": {
            "spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": "40Mi"}}}]}
        }
    }
}


async def proposed() -> tuple[FakeCluster, FixedClock, Proposal]:
    clock = FixedClock()
    cluster = a_cluster(clock)
    return cluster, clock, await a_proposal(cluster)


def limit_now(cluster: FakeCluster) -> str:
    containers = cluster.the(TARGET)["spec"]["template"]["spec"]["containers"]
    return str(containers[0]["resources"]["limits"]["memory"])


async def test_the_approved_patch_goes_in_under_our_name_and_at_the_fresh_version() -> None:
    cluster, clock, proposal = await proposed()
    cluster.touch(TARGET)
    fresh = cluster.the(TARGET)["metadata"]["resourceVersion"]

    applied = await apply(a_claim(proposal), cluster, clock)

    assert limit_now(cluster) == "64Mi"
    assert cluster.patches[0]["manager"] == "incident-copilot"
    assert cluster.patches[0]["metadata"]["resourceVersion"] == fresh
    assert (applied.was_there, applied.generation) == (False, 2)


async def test_chaos_goes_in_under_a_name_of_its_own() -> None:
    clock = FixedClock()
    cluster = a_cluster(clock)
    chaos = ChaosMemory(target=TARGET, container="app", limit="24Mi")

    await apply(a_claim(await a_proposal(cluster, chaos, incident_id=0)), cluster, clock)

    assert cluster.patches[0]["manager"] == "incident-copilot-chaos"
    assert limit_now(cluster) == "24Mi"


async def test_a_crash_between_patch_and_record_patches_nothing_twice() -> None:
    cluster, clock, proposal = await proposed()
    await apply(a_claim(proposal), cluster, clock)

    again = await apply(a_claim(proposal), cluster, clock)

    assert again.was_there
    assert again.resource_version == cluster.the(TARGET)["metadata"]["resourceVersion"]
    assert len(cluster.patches) == 1


async def test_a_spec_that_changed_since_is_a_conflict() -> None:
    cluster, clock, proposal = await proposed()
    cluster.edit(TARGET, LOWER)

    with pytest.raises(Conflict, match="review it again"):
        await apply(a_claim(proposal), cluster, clock)

    assert cluster.patches == []


async def test_a_spec_that_changes_between_read_and_patch_is_a_conflict_too() -> None:
    cluster, clock, proposal = await proposed()
    cluster.before_patch.append(lambda: cluster.edit(TARGET, LOWER))

    with pytest.raises(Conflict, match="review it again"):
        await apply(a_claim(proposal), cluster, clock)

    assert limit_now(cluster) == "40Mi"


async def test_status_writes_in_between_are_read_again() -> None:
    cluster, clock, proposal = await proposed()
    cluster.before_patch += [lambda: cluster.touch(TARGET)] * 3

    await apply(a_claim(proposal), cluster, clock)

    assert limit_now(cluster) == "64Mi"


async def test_an_object_that_never_stands_still_is_left_for_later() -> None:
    cluster, clock, proposal = await proposed()
    cluster.before_patch += [lambda: cluster.touch(TARGET)] * TRIES

    with pytest.raises(Unavailable):
        await apply(a_claim(proposal), cluster, clock)

    assert cluster.patches == []


async def test_a_lost_answer_is_settled_by_reading_again() -> None:
    cluster, clock, proposal = await proposed()
    cluster.troubles.append(
        Trouble(method="patch", error=Unavailable("connection reset"), after_all=True)
    )

    applied = await apply(a_claim(proposal), cluster, clock)

    assert applied.was_there
    assert len(cluster.patches) == 1


async def test_a_request_that_never_arrived_is_sent_again() -> None:
    cluster, clock, proposal = await proposed()
    cluster.troubles.append(Trouble(method="patch", error=Unavailable("connection reset")))

    applied = await apply(a_claim(proposal), cluster, clock)

    assert not applied.was_there
    assert len(cluster.patches) == 1


async def test_what_was_taken_back_is_not_applied_again() -> None:
    cluster, clock, proposal = await proposed()
    assert proposal.rollback is not None
    await apply(a_claim(proposal), cluster, clock)
    cluster.edit(TARGET, msgspec.json.decode(proposal.rollback))

    with pytest.raises(Conflict, match="taken back already"):
        await apply(a_claim(proposal), cluster, clock)


async def test_what_the_cluster_refuses_at_last_is_passed_on() -> None:
    cluster, clock, proposal = await proposed()
    cluster.troubles.append(Trouble(method="patch", error=Invalid("quota exceeded")))

    with pytest.raises(Invalid, match="quota exceeded"):
        await apply(a_claim(proposal), cluster, clock)


async def test_the_same_action_on_a_later_version_has_another_key() -> None:
    cluster, clock, proposal = await proposed()
    cluster.edit(TARGET, LOWER)

    later = await a_proposal(cluster, to_memory("64Mi"))

    assert later.patch != proposal.patch
    assert not (await apply(a_claim(later), cluster, clock)).was_there


async def test_a_recorded_claim_gives_back_what_was_applied() -> None:
    cluster, clock, proposal = await proposed()
    applied = await apply(a_claim(proposal), cluster, clock)

    claim = a_claim(proposal, state=ActionState.APPLIED, applied=applied)

    assert applied_of(claim).resource_version == applied.resource_version
    assert applied_of(claim).at_us == applied.at_us
