"""A StatefulSet made anew for its claims: what may be deleted for it, and when."""

from dataclasses import replace

import pytest

from copilot.domain.action import Action, ReplaceClaim, SetClaimTemplate
from copilot.domain.errors import Conflict, Refused
from copilot.remediate.apply import apply
from tests.builders_remediate import a_claim, a_cluster_with, again, proposed
from tests.builders_workloads import Json, a_claim_object, ref, with_claims
from tests.fakes_cluster import Trouble

LESS = SetClaimTemplate(
    target=ref("StatefulSet"),
    template="data",
    claims=(replace(ref("PersistentVolumeClaim", "data"), uid="uid-persistentvolumeclaim-data"),),
    storage="1Gi",
)


async def test_a_stateful_set_and_its_waiting_claim_make_room_for_another() -> None:
    cluster = a_cluster_with(with_claims(), a_claim_object())
    proposal = await proposed(cluster, LESS)

    await apply(a_claim(proposal), cluster, cluster.clock)

    assert cluster.deleted == [LESS.target.key, LESS.claims[0].key]
    assert cluster.created == [LESS.target.key]


async def test_a_claim_that_is_bound_by_then_stays_and_the_stateful_set_gets_it() -> None:
    cluster = a_cluster_with(with_claims(), a_claim_object())
    proposal = await proposed(cluster, LESS)
    cluster.the(LESS.claims[0])["status"]["phase"] = "Bound"

    await apply(a_claim(proposal), cluster, cluster.clock)

    assert cluster.deleted == [LESS.target.key]
    assert cluster.created == [LESS.target.key]


@pytest.mark.parametrize(
    ("action", "things", "becomes"),
    [
        pytest.param(
            ReplaceClaim(target=ref("PersistentVolumeClaim", "data"), storage_class="fast"),
            (a_claim_object(),),
            {"phase": "Bound"},
            id="bound-claim",
        ),
        pytest.param(
            LESS, (with_claims(), a_claim_object()), {"readyReplicas": 1}, id="stateful-set-serves"
        ),
    ],
)
async def test_what_changes_right_before_it_is_deleted_is_kept(
    action: Action, things: tuple[Json, ...], becomes: Json
) -> None:
    cluster = a_cluster_with(*things)
    proposal = await proposed(cluster, action)
    cluster.before_delete.append(lambda: cluster.edit(action.target, {"status": becomes}))

    with pytest.raises(Conflict, match="changed since"):
        await apply(a_claim(proposal), cluster, cluster.clock)

    assert (cluster.deleted, cluster.created) == ([], [])


async def test_claims_of_what_somebody_else_has_made_meanwhile_are_left_alone() -> None:
    cluster = a_cluster_with(with_claims(), a_claim_object())
    proposal = await proposed(cluster, LESS)
    cluster.the(LESS.target)["metadata"]["uid"] = "uid-of-its-successor"

    with pytest.raises(Conflict, match="made anew since"):
        await apply(again(proposal), cluster, cluster.clock)

    assert (cluster.deleted, cluster.created) == ([], [])


async def test_a_lost_right_to_delete_claims_is_found_out_before_anything_is_deleted() -> None:
    cluster = a_cluster_with(with_claims(), a_claim_object())
    proposal = await proposed(cluster, LESS)
    cluster.kept_kinds.add("PersistentVolumeClaim")

    with pytest.raises(Refused, match="not allowed to delete"):
        await apply(a_claim(proposal), cluster, cluster.clock)

    assert (cluster.deleted, cluster.created) == ([], [])


async def test_a_claim_that_cannot_be_deleted_does_not_keep_a_stateful_set_away() -> None:
    cluster = a_cluster_with(with_claims(), a_claim_object())
    proposal = await proposed(cluster, LESS)
    # Its dry run and the StatefulSet itself go well.
    cluster.troubles.append(Trouble(method="delete", error=Refused("may not"), skip=2))

    applied = await apply(a_claim(proposal), cluster, cluster.clock)

    assert cluster.deleted == cluster.created == [LESS.target.key]
    assert applied.trouble == "beside it: may not"


async def test_a_claim_that_somebody_else_holds_does_not_keep_a_stateful_set_away() -> None:
    cluster = a_cluster_with(with_claims(), a_claim_object())
    proposal = await proposed(cluster, LESS)
    cluster.the(LESS.claims[0])["metadata"]["finalizers"] = ["backup.example.com/copying"]

    applied = await apply(a_claim(proposal), cluster, cluster.clock)

    assert cluster.created == [LESS.target.key]
    assert applied.trouble.endswith("is deleted, but backup.example.com/copying holds it")


async def test_a_crash_before_the_stateful_set_is_made_anew_is_gone_on_from() -> None:
    cluster = a_cluster_with(with_claims(), a_claim_object())
    proposal = await proposed(cluster, LESS)
    del cluster.objects[LESS.target.key]  # deleted by us, and then the process died

    await apply(again(proposal), cluster, cluster.clock)

    assert cluster.deleted == [LESS.claims[0].key]
    assert cluster.created == [LESS.target.key]
