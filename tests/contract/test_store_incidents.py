"""What every store promises about incidents and remediation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from copilot.domain.action import (
    Action,
    Bound,
    RollBack,
    SetEnv,
    SetEnvSource,
    SetLimitRange,
    SourceKind,
)
from copilot.domain.errors import Conflict, NotFound
from copilot.domain.evidence import Gap
from copilot.domain.hypothesis import Cause, Findings, Hypothesis, Statement, Verdict
from copilot.domain.incident import IncidentId, Status
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import (
    ActionState,
    Applied,
    Claim,
    Decision,
    Proposal,
    ProposalId,
    ProposalStatus,
    Verification,
)
from copilot.domain.pull_request import Delivery, PullRequest, PullState
from copilot.domain.runbook import RunbookId, RunbookMatch
from copilot.ports import Session
from copilot.store import SqlStore
from tests.builders_store import (
    DEPLOYMENT,
    NOW_US,
    SECOND_US,
    STORES,
    a_fact,
    a_new_incident,
    a_proposal,
    a_store,
    an_alert,
    an_approval,
    an_entry,
)


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with a_store(request.param, tmp_path) as store:
        yield store


# --------------------------------------------------------------------------- incidents


async def test_an_opened_incident_reads_back_as_it_was_given(store: SqlStore) -> None:
    new = a_new_incident()

    async with store.transaction() as tx:
        incident = await tx.incidents.open(new)

    async with store.view() as look:
        assert await look.incidents.get(incident.id) == incident
        assert await look.incidents.opened("lab") == (incident,)
        assert await look.incidents.opened("other") == ()
    assert incident.workload == new.workload
    assert incident.open_key == new.open_key
    assert (incident.status, incident.rev, incident.mttr_seconds) == (Status.OPEN, 1, None)


async def test_one_place_has_one_open_incident(store: SqlStore) -> None:
    async with store.transaction() as tx:
        await tx.incidents.open(a_new_incident())

    with pytest.raises(Conflict):
        async with store.transaction() as tx:
            await tx.incidents.open(a_new_incident())


async def test_a_place_can_break_again_after_it_was_resolved(store: SqlStore) -> None:
    async with store.transaction() as tx:
        first = await tx.incidents.open(a_new_incident())
        ended = await tx.incidents.save(
            first.resolve(resolution="more memory", at_us=NOW_US + 60 * SECOND_US)
        )
        second = await tx.incidents.open(a_new_incident(opened_us=NOW_US + 90 * SECOND_US))

        assert await tx.incidents.last_resolved(first.open_key) == ended
        assert await tx.incidents.opened("lab") == (second,)
        assert await tx.incidents.last_resolved("elsewhere") is None
    assert ended.mttr_seconds == 65


async def test_saving_counts_the_revision_up_and_refuses_a_stale_one(store: SqlStore) -> None:
    async with store.transaction() as tx:
        seen = await tx.incidents.open(a_new_incident())
        saved = await tx.incidents.save(replace(seen, summary="memory", acknowledged_by="ana"))

        with pytest.raises(Conflict):
            await tx.incidents.save(replace(seen, summary="something else"))
        assert await tx.incidents.get(seen.id) == saved
    assert (saved.rev, saved.summary) == (2, "memory")


async def test_an_incident_that_is_not_there_is_not_found(store: SqlStore) -> None:
    async with store.transaction() as tx:
        with pytest.raises(NotFound):
            await tx.incidents.get(IncidentId(9))
        with pytest.raises(NotFound):
            await tx.incidents.add_entry(IncidentId(9), an_entry())


async def test_pages_of_incidents_are_newest_first_and_leave_none_out(store: SqlStore) -> None:
    async with store.transaction() as tx:
        opened = [
            await tx.incidents.open(a_new_incident(f"k{n}", opened_us=NOW_US + n // 2))
            for n in range(5)
        ]
        await tx.incidents.save(opened[0].resolve(resolution="x", at_us=NOW_US))

        first = await tx.incidents.page(limit=2)
        rest = await tx.incidents.page(limit=9, before_id=first[-1].id)

        assert [i.id for i in first + rest] == [i.id for i in reversed(opened)]
        resolved = await tx.incidents.page(status=[Status.RESOLVED], limit=9)
        assert [i.id for i in resolved] == [opened[0].id]
        assert await tx.incidents.page(namespace="prod", limit=9) == ()


async def test_a_repeated_alert_is_not_new_and_refreshes_the_first(store: SqlStore) -> None:
    later = an_alert(starts_us=NOW_US + 5, last_us=NOW_US + 9, count=3, pod="oom-demo-new")

    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident())
        assert await tx.incidents.add_alert(incident.id, an_alert(), "first_alert")
        assert not await tx.incidents.add_alert(incident.id, later, "same_alert")
        assert not await tx.incidents.add_alert(incident.id, an_alert(), "same_alert")

        [alert] = await tx.incidents.alerts(incident.id)
    assert (alert.starts_us, alert.last_us, alert.count) == (NOW_US, NOW_US + 9, 3)


async def test_timeline_entries_count_up_and_leave_the_revision_alone(store: SqlStore) -> None:
    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident())
        added = [await tx.incidents.add_entry(incident.id, an_entry(f"t{n}")) for n in range(3)]
        await tx.incidents.save(incident)

        assert await tx.incidents.timeline(incident.id) == tuple(added)
        assert [e.seq for e in await tx.incidents.timeline(incident.id, after_seq=1)] == [2, 3]


async def test_an_evidence_id_never_changes_its_meaning(store: SqlStore) -> None:
    oom, event = a_fact("OOMKilled"), a_fact("BackOff", source="event:e-1")

    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident())
        first = await tx.incidents.keep_evidence(incident.id, [oom])
        second = await tx.incidents.keep_evidence(incident.id, [event, oom, a_fact("other"), event])

        assert [e.id for e in first] == ["E1"]
        assert [e.id for e in second] == ["E2", "E1", "E3", "E2"]
        stored = await tx.incidents.evidence(incident.id)
    assert [(e.id, e.body) for e in stored] == [
        ("E1", "OOMKilled"),
        ("E2", "BackOff"),
        ("E3", "other"),
    ]


async def test_hostile_text_in_evidence_reads_back_whole(store: SqlStore) -> None:
    body = "nul \0 emoji 🔥 quote ' lone \ud800 end"

    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident(title="bad \udc80 title"))
        [kept] = await tx.incidents.keep_evidence(incident.id, [a_fact(body)])
        [again] = await tx.incidents.keep_evidence(incident.id, [a_fact(body)])

        [stored] = await tx.incidents.evidence(incident.id)
    assert stored.body == body.replace("\ud800", "?")
    assert again.id == kept.id == "E1"
    assert incident.title == "bad ? title"


async def test_the_findings_of_the_latest_look_are_kept(store: SqlStore) -> None:
    gaps = (Gap(what="node logs", reason="forbidden"),)

    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident())
        assert await tx.incidents.findings(incident.id) is None
        await tx.incidents.keep_findings(incident.id, some_findings(2), (), NOW_US)
        await tx.incidents.keep_findings(incident.id, some_findings(1), gaps, NOW_US + 1)

        assert await tx.incidents.findings(incident.id) == (some_findings(1), gaps)


async def test_the_runbooks_of_the_latest_look_are_kept_in_order(store: SqlStore) -> None:
    def match(slug: str) -> RunbookMatch:
        return RunbookMatch(
            runbook_id=RunbookId(1), slug=slug, title=slug, score=0.5, reason="oom", steps=("do",)
        )

    async with store.transaction() as tx:
        await tx.incidents.keep_runbooks(IncidentId(1), [match("x")])
        await tx.incidents.keep_runbooks(IncidentId(1), [match("b"), match("a")])

        assert await tx.incidents.runbooks(IncidentId(1)) == (match("b"), match("a"))


def some_findings(count: int) -> Findings:
    statement = Statement(text="it was killed", evidence=("E1",))
    return Findings(
        summary=(statement,),
        hypotheses=tuple(
            Hypothesis(
                id=f"H{n}",
                cause=Cause.MEMORY_LEAK,
                subject=None,
                detail="",
                title="a leak",
                verdict=Verdict.INCONCLUSIVE,
                confidence=0.25,
                supporting=(statement,),
                against=(),
                next_check="wait",
                agent="detective",
            )
            for n in range(1, count + 1)
        ),
        dropped=1,
        model="",
        tokens_in=0,
        tokens_out=0,
    )


# --------------------------------------------------------------------------- remediation


async def test_a_proposal_reads_back_whole(store: SqlStore) -> None:
    async with store.transaction() as tx:
        added = await tx.remediation.add(a_proposal())

        assert await tx.remediation.get(added.id) == added
        assert await tx.remediation.of_incident(IncidentId(1)) == (added,)
        with pytest.raises(NotFound):
            await tx.remediation.get(ProposalId(99))
    assert msgspec.structs.replace(added, id=ProposalId(0)) == a_proposal()


async def test_the_same_proposal_again_is_the_one_there_is(store: SqlStore) -> None:
    async with store.transaction() as tx:
        first = await tx.remediation.add(a_proposal())

        assert await tx.remediation.add(a_proposal()) == first


async def test_a_new_proposal_supersedes_open_ones_of_its_kind_for_its_target(
    store: SqlStore,
) -> None:
    elsewhere = ObjectRef(kind="Deployment", namespace="demo", name="other")

    async with store.transaction() as tx:
        old = await tx.remediation.add(a_proposal(limit="48Mi"))
        other = await tx.remediation.add(a_proposal(limit="50Mi", target=elsewhere))
        await tx.remediation.add(a_proposal(limit="64Mi"))

        assert (await tx.remediation.get(old.id)).status is ProposalStatus.SUPERSEDED
        assert (await tx.remediation.get(other.id)).status is ProposalStatus.PROPOSED


async def test_alternatives_for_the_same_target_stay_and_adding_all_again_changes_nothing(
    store: SqlStore,
) -> None:
    memory = a_proposal()
    way_back = msgspec.structs.replace(
        memory,
        action=RollBack(target=DEPLOYMENT, to_revision=1, replica_set="rs-1"),
        digest="b" * 64,
    )
    refused = a_proposal(limit="1Gi", status=ProposalStatus.REFUSED)

    async with store.transaction() as tx:
        for _ in range(2):
            added = [await tx.remediation.add(p) for p in (memory, way_back, refused)]

        assert await tx.remediation.of_incident(IncidentId(1)) == tuple(added)
    assert [p.status for p in added] == ["proposed", "proposed", "refused"]


async def test_an_approval_of_the_right_digest_is_kept_and_moves_the_proposal(
    store: SqlStore,
) -> None:
    async with store.transaction() as tx:
        proposal = await tx.remediation.add(a_proposal())
        await tx.remediation.decide(an_approval(proposal))

        assert (await tx.remediation.get(proposal.id)).status is ProposalStatus.APPROVED
        assert await tx.remediation.approvals(proposal.id) == (an_approval(proposal),)


@pytest.mark.parametrize(
    "flaw",
    [
        pytest.param({"digest": "0" * 64}, id="another digest"),
        pytest.param({"digest": "é"}, id="a digest that is no digest"),
        pytest.param({"ts_us": NOW_US + 3600 * SECOND_US}, id="too late"),
    ],
)
async def test_a_flawed_approval_writes_nothing(store: SqlStore, flaw: dict[str, Any]) -> None:
    async with store.transaction() as tx:
        proposal = await tx.remediation.add(a_proposal())

        with pytest.raises(Conflict):
            await tx.remediation.decide(an_approval(proposal, **flaw))

        assert await tx.remediation.approvals(proposal.id) == ()
        assert (await tx.remediation.get(proposal.id)).status is ProposalStatus.PROPOSED


@pytest.mark.parametrize("by", ["ana", "ben"])
async def test_a_second_decision_is_a_conflict(store: SqlStore, by: str) -> None:
    async with store.transaction() as tx:
        proposal = await tx.remediation.add(a_proposal())
        await tx.remediation.decide(an_approval(proposal, by="ana"))

        with pytest.raises(Conflict):
            await tx.remediation.decide(an_approval(proposal, by=by))


async def test_a_rejected_proposal_cannot_be_claimed(store: SqlStore) -> None:
    async with store.transaction() as tx:
        proposal = await tx.remediation.add(a_proposal())
        await tx.remediation.decide(replace(an_approval(proposal), decision=Decision.REJECT))

        with pytest.raises(Conflict):
            await tx.remediation.claim(proposal.id, owner="a", now_us=NOW_US, lease_us=SECOND_US)


async def test_a_proposal_moves_only_from_where_it_is_expected_and_along_the_table(
    store: SqlStore,
) -> None:
    async with store.transaction() as tx:
        proposal = await tx.remediation.add(a_proposal())

        with pytest.raises(Conflict):
            await tx.remediation.move(
                proposal.id, to=ProposalStatus.APPLIED, expected=ProposalStatus.APPROVED
            )
        with pytest.raises(Conflict):
            await tx.remediation.move(
                proposal.id, to=ProposalStatus.APPLIED, expected=ProposalStatus.PROPOSED
            )
        await tx.remediation.move(
            proposal.id, to=ProposalStatus.EXPIRED, expected=ProposalStatus.PROPOSED
        )


async def test_only_one_holds_a_claim_until_its_lease_runs_out(store: SqlStore) -> None:
    proposal = await an_approved_proposal(store)

    async with store.transaction() as tx:
        first = await tx.remediation.claim(proposal.id, owner="a", now_us=NOW_US, lease_us=100)
        for owner in ("a", "b"):
            with pytest.raises(Conflict):
                await tx.remediation.claim(
                    proposal.id, owner=owner, now_us=NOW_US + 100, lease_us=100
                )
        second = await tx.remediation.claim(
            proposal.id, owner="b", now_us=NOW_US + 101, lease_us=100
        )

    assert (first.fence, second.fence, second.owner) == (1, 2, "b")
    assert first.proposal == proposal


async def test_a_stale_claim_may_not_write(store: SqlStore) -> None:
    proposal = await an_approved_proposal(store)

    async with store.transaction() as tx:
        stale = await tx.remediation.claim(proposal.id, owner="a", now_us=NOW_US, lease_us=1)
        fresh = await tx.remediation.claim(proposal.id, owner="b", now_us=NOW_US + 2, lease_us=1)

        with pytest.raises(Conflict):
            await record_applied(tx, stale)
        applied = await record_applied(tx, fresh)
    assert applied.state is ActionState.APPLIED


async def record_applied(tx: Session, claim: Claim) -> Claim:
    applied = Applied(at_us=NOW_US + 5, resource_version="77", generation=4)
    return await tx.remediation.record(
        claim, state=ActionState.APPLIED, at_us=NOW_US + 5, applied=applied, lease_us=1000
    )


async def test_what_was_applied_survives_a_take_over(store: SqlStore) -> None:
    proposal = await an_approved_proposal(store)

    async with store.transaction() as tx:
        claim = await tx.remediation.claim(proposal.id, owner="a", now_us=NOW_US, lease_us=10)
        await record_applied(tx, claim)
        with pytest.raises(Conflict):
            await tx.remediation.claim(proposal.id, owner="b", now_us=NOW_US + 900, lease_us=10)
        taken = await tx.remediation.claim(proposal.id, owner="b", now_us=NOW_US + 1006, lease_us=9)

    assert (taken.state, taken.applied_us, taken.applied_version) == (
        ActionState.APPLIED,
        NOW_US + 5,
        "77",
    )
    assert taken.verify_until_us == NOW_US + 5 + 60 * SECOND_US


async def test_a_pull_request_is_kept_as_last_seen_and_its_claim_is_free_for_the_next_look(
    store: SqlStore,
) -> None:
    proposal = await an_approved_proposal(store)
    request = PullRequest(number=7, url="", branch="b", state=PullState.OPEN)
    opened = Delivery(request=request, opened_us=NOW_US)
    merged = msgspec.structs.replace(opened, merged_us=NOW_US + 9)

    async with store.transaction() as tx:
        assert await tx.remediation.delivery(proposal.id) is None
        claim = await tx.remediation.claim(proposal.id, owner="a", now_us=NOW_US, lease_us=100)
        await tx.remediation.keep_delivery(proposal.id, opened)
        await tx.remediation.record(claim, state=ActionState.OPENED, at_us=NOW_US, lease_us=1)
        await tx.remediation.move(
            proposal.id, to=ProposalStatus.OPENED, expected=ProposalStatus.APPROVED
        )
        await tx.remediation.keep_delivery(proposal.id, merged)
        taken = await tx.remediation.claim(proposal.id, owner="b", now_us=NOW_US + 2, lease_us=9)

        assert await tx.remediation.delivery(proposal.id) == merged
    assert (taken.state, taken.fence) == (ActionState.OPENED, 2)
    assert taken.proposal.status is ProposalStatus.OPENED


async def test_an_ended_action_is_neither_claimed_nor_changed(store: SqlStore) -> None:
    proposal = await an_approved_proposal(store)
    seen = Verification(held=True, reason="quiet for 20 s", observed=("pod ok",), ended_us=NOW_US)

    async with store.transaction() as tx:
        claim = await tx.remediation.claim(proposal.id, owner="a", now_us=NOW_US, lease_us=10)
        assert await tx.remediation.verification(proposal.id) is None
        await tx.remediation.record(
            claim, state=ActionState.VERIFIED, at_us=NOW_US, verification=seen
        )

        assert await tx.remediation.verification(proposal.id) == seen
        with pytest.raises(Conflict):
            await tx.remediation.claim(proposal.id, owner="b", now_us=NOW_US * 2, lease_us=10)
        with pytest.raises(Conflict):
            await tx.remediation.record(claim, state=ActionState.FAILED, at_us=NOW_US)


async def test_the_same_place_anew_supersedes_and_another_place_is_an_alternative(
    store: SqlStore,
) -> None:
    def setting(name: str, value: str) -> Proposal:
        target = a_proposal().action.target
        action = SetEnv(target=target, container="app", name=name, value=value)
        return msgspec.structs.replace(a_proposal(), action=action, digest=f"{name}{value}" * 16)

    async with store.transaction() as tx:
        for proposal in (setting("A", "1"), setting("B", "1"), setting("A", "2")):
            await tx.remediation.add(proposal)
        found = await tx.remediation.of_incident(IncidentId(1))

    assert [p.status for p in found] == [
        ProposalStatus.SUPERSEDED,
        ProposalStatus.PROPOSED,
        ProposalStatus.PROPOSED,
    ]


async def test_two_sources_and_two_types_are_two_places(store: SqlStore) -> None:
    target = a_proposal().action.target

    def source(before: str) -> Action:
        return SetEnvSource(
            target=target,
            container="app",
            source=SourceKind.CONFIG_MAP,
            variable="",
            before=before,
            name="there",
        )

    def limit(of: str) -> Action:
        return SetLimitRange(target=target, type=of, bound=Bound.MAX, entries=(("cpu", "2"),))

    actions = (source("a"), source("b"), limit("Pod"), limit("Container"))
    async with store.transaction() as tx:
        for n, action in enumerate(actions):
            await tx.remediation.add(
                msgspec.structs.replace(a_proposal(), action=action, digest=f"{n}" * 64)
            )
        found = await tx.remediation.of_incident(IncidentId(1))

    assert {p.status for p in found} == {ProposalStatus.PROPOSED}


async def test_where_two_must_agree_one_is_not_enough_however_often(store: SqlStore) -> None:
    wanted = msgspec.structs.replace(a_proposal(), approvals_needed=2)
    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident())
        proposal = await tx.remediation.add(
            msgspec.structs.replace(wanted, incident_id=incident.id)
        )

        settled = [
            await tx.remediation.decide(an_approval(proposal, by=by))
            for by in ("ana", "ana", "ben")
        ]

        assert settled == [False, False, True]
        given = await tx.remediation.approvals(proposal.id)
        assert [approval.approver for approval in given] == ["ana", "ben"]
        assert (await tx.remediation.get(proposal.id)).status is ProposalStatus.APPROVED


async def test_one_no_is_enough_also_of_somebody_who_had_said_yes(store: SqlStore) -> None:
    wanted = msgspec.structs.replace(a_proposal(), approvals_needed=2)
    async with store.transaction() as tx:
        incident = await tx.incidents.open(a_new_incident())
        proposal = await tx.remediation.add(
            msgspec.structs.replace(wanted, incident_id=incident.id)
        )
        await tx.remediation.decide(an_approval(proposal))

        no = replace(an_approval(proposal), decision=Decision.REJECT)

        assert await tx.remediation.decide(no)
        assert (await tx.remediation.get(proposal.id)).status is ProposalStatus.REJECTED


async def an_approved_proposal(store: SqlStore) -> Proposal:
    async with store.transaction() as tx:
        proposal = await tx.remediation.add(a_proposal())
        await tx.remediation.decide(an_approval(proposal))
        return await tx.remediation.get(proposal.id)
