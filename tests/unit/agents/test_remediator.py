"""What the remediator suggests, for each cause and each way the policy can go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from copilot.agents.evidence import with_evidence
from copilot.agents.remediator import MOST_DRAFTS, advise, drafts, refrained
from copilot.agents.sizing import round_up
from copilot.domain.action import Action, RollBack, Scale, SetImage, SetMemory, encode_action
from copilot.domain.case import Case, FailedAttempt
from copilot.domain.hypothesis import Cause, Findings, Hypothesis, Statement, Verdict
from copilot.domain.incident import IncidentId
from copilot.domain.memory import SimilarIncident
from copilot.domain.objects import (
    Container,
    EnvFromSource,
    EnvVar,
    HttpGet,
    ObjectRef,
    Pod,
    Probe,
    SourceName,
    TcpSocket,
)
from tests.builders_case import (
    MI,
    NEW,
    OLD,
    a_case,
    a_change,
    a_limit_change,
    a_memory,
    a_series,
    a_similar,
)
from tests.builders_objects import (
    a_container,
    a_deployment,
    a_node,
    a_pod,
    a_ref,
    a_replica_set,
    a_status,
    ago,
    an_oom_killed_pod,
    terminated,
    waiting,
)

APP = a_ref("Deployment", "billing")


def found(*causes: Cause, verdict: Verdict = Verdict.SUPPORTED, **more: Verdict) -> Findings:
    """Hypotheses for these causes; `leak=` adds one on a memory leak with its verdict."""
    given = [(cause, verdict) for cause in causes]
    given += [(Cause.MEMORY_LEAK, more["leak"])] if "leak" in more else []
    return Findings(
        summary=(),
        hypotheses=tuple(
            Hypothesis(
                id=f"H{number}",
                cause=cause,
                subject=None,
                detail="",
                title=str(cause),
                verdict=said,
                confidence=0.8,
                supporting=(Statement(text="so it is", evidence=("E1",)),),
                against=(),
                next_check="",
                agent="detective",
            )
            for number, (cause, said) in enumerate(given, 1)
        ),
        dropped=0,
        model="",
        tokens_in=0,
        tokens_out=0,
    )


TOO_LOW = found(Cause.MEMORY_LIMIT_TOO_LOW)


def starved(
    limit: str = "32Mi",
    *,
    request: str | None = "16Mi",
    memory_of_node: str = "24Gi",
    **more: object,
) -> Case:
    """The Deployment `billing`, whose one container is killed at its limit."""
    container = a_container(limit=limit, request=request)
    pod = an_oom_killed_pod("billing", template_hash=NEW, containers=[container])
    given = {
        "workload": a_deployment("billing", containers=[container]),
        "replica_sets": [a_replica_set("billing", template_hash=NEW, containers=[container])],
        "pods": [pod],
        "nodes": [a_node(memory=memory_of_node)],
    }
    return a_case(**(given | more))  # type: ignore[arg-type]  # any field of a case


def alone(**more: object) -> Case:
    """The same container in a pod that nothing makes anew."""
    container = a_container(limit="32Mi", request="16Mi")
    killed = an_oom_killed_pod("billing", containers=[container])
    pod = a_pod(
        "billing",
        containers=[container],
        statuses=killed.status.container_statuses,
        owner_kind=None,
        **more,  # type: ignore[arg-type]  # any field of a pod
    )
    case = a_case(pods=[pod], nodes=[a_node(memory="24Gi")])
    incident = replace(case.incident, workload=a_ref("Pod", "billing"))
    return msgspec.structs.replace(case, incident=incident)


def after(case: Case, *limits: str) -> Case:
    """The same after we tried these limits in vain."""
    attempts = tuple(
        FailedAttempt(
            action=encode_action(SetMemory(target=APP, container="app", limit=limit)),
            why="OOMKilled again",
        )
        for limit in limits
    )
    return msgspec.structs.replace(case, attempts=attempts)


def limit_for(case: Case, findings: Findings = TOO_LOW) -> str | None:
    """The limit that the first memory draft sets, None for no such draft."""
    actions = [d.action for d in drafts(case, findings)]
    return next((a.limit for a in actions if isinstance(a, SetMemory)), None)


# ------------------------------------------------------------------ how much memory


@pytest.mark.parametrize(
    ("mebibytes", "rounded"),
    [(41, 48), (64, 64), (255, 256), (257, 320), (1000, 1024), (1025, 1280)],
)
def test_limits_are_rounded_up_to_what_reads_well(mebibytes: int, rounded: int) -> None:
    assert round_up(mebibytes * MI) == rounded * MI


@pytest.mark.parametrize(
    ("limit", "wanted"),
    [
        pytest.param("32Mi", "64Mi", id="twice-as-much"),
        pytest.param("8Mi", "32Mi", id="four-times-is-the-most"),
        pytest.param("200Mi", "448Mi", id="rounded-up"),
    ],
)
def test_a_peak_that_the_kill_cut_off_gets_one_step(limit: str, wanted: str) -> None:
    assert limit_for(starved(limit, request="4Mi")) == wanted


def test_that_the_need_is_unknown_is_said() -> None:
    why = drafts(starved(), TOO_LOW)[0].why

    assert "cut the peak off at the limit" in why
    assert "unknown: one step up from 32Mi" in why


def with_whole_peak(peak: float) -> Case:
    """The same program came to rest at that many MiB under an earlier, higher limit."""
    roomy = a_container(limit="96Mi")
    before = a_pod("billing", template_hash=OLD, containers=[roomy], deleted=ago(50))
    rest = a_series(before, [peak / 2, *[peak] * 9], since=ago(120))
    case = starved(memory=[rest])
    return with_evidence(msgspec.structs.replace(case, pods=(*case.pods, before)))


def test_a_peak_seen_whole_gets_a_quarter_of_headroom() -> None:
    draft = drafts(with_whole_peak(46), TOO_LOW)[0]

    assert draft.action == SetMemory(target=APP, container="app", limit="64Mi")
    assert "Its peak was seen whole, 46Mi" in draft.why


def test_a_need_beyond_what_is_allowed_is_no_reason_for_less() -> None:
    advice = advise(with_whole_peak(160), TOO_LOW)

    assert advice.drafts == ()
    assert (
        "208Mi would be needed for app, but 4 times the present 32Mi is the most"
        in (advice.notes[0])
    )


def test_a_lowered_limit_is_restored() -> None:
    case = starved(changes=[a_limit_change("80Mi", "32Mi", at=ago(60))])

    draft = drafts(case, TOO_LOW)[0]

    assert limit_for(case) == "80Mi"
    assert "It was 80Mi until it was lowered by kubectl-edit" in draft.why


def test_an_earlier_revision_tells_what_held_too() -> None:
    sets = [
        a_replica_set("billing", template_hash=NEW, revision=2),
        a_replica_set("billing", template_hash=OLD, containers=[a_container(limit="96Mi")]),
    ]

    assert limit_for(starved(replica_sets=sets)) == "96Mi"


def test_a_limit_under_which_it_was_killed_is_not_restored() -> None:
    lowered = starved("32Mi", changes=[a_limit_change("32Mi", "24Mi", at=ago(10))])
    now = a_deployment("billing", containers=[a_container(limit="24Mi")])

    assert limit_for(msgspec.structs.replace(lowered, workload=now)) == "64Mi"


def test_what_held_is_a_floor_for_headroom() -> None:
    case = with_whole_peak(40)
    changed = msgspec.structs.replace(case, changes=(a_limit_change("96Mi", "32Mi", at=ago(60)),))

    assert limit_for(changed) == "96Mi"


@pytest.mark.parametrize(
    ("tried", "wanted"),
    [
        pytest.param(["48Mi"], "96Mi", id="one-step-further"),
        pytest.param(["40Mi", "64Mi"], "128Mi", id="and-another"),
        pytest.param(["64Mi", "128Mi"], None, id="not-beyond-four-times"),
        pytest.param(["40Mi", "48Mi", "56Mi"], None, id="twice-further-at-most"),
    ],
)
def test_steps_that_did_not_hold_are_escalated(tried: list[str], wanted: str | None) -> None:
    assert limit_for(after(starved(), *tried)) == wanted


def test_why_it_goes_no_further_is_said() -> None:
    notes = advise(after(starved(), "40Mi", "48Mi", "56Mi"), TOO_LOW).notes

    assert "40Mi, 48Mi, 56Mi for app did not hold" in notes[0]


def test_a_limit_that_failed_is_not_what_held() -> None:
    sets = [
        a_replica_set("billing", template_hash=NEW, revision=3),
        a_replica_set(
            "billing", template_hash=OLD, revision=2, containers=[a_container(limit="64Mi")]
        ),
    ]

    assert limit_for(after(starved(replica_sets=sets), "64Mi")) == "128Mi"


def test_the_smallest_node_bounds_it() -> None:
    case = starved(memory_of_node="64Mi")

    assert limit_for(case) == "48Mi"
    assert "80% of the smallest node (64Mi) is the most" in drafts(case, TOO_LOW)[0].why


def test_a_full_node_leaves_no_room() -> None:
    advice = advise(starved("64Mi", memory_of_node="64Mi"), TOO_LOW)

    assert advice.drafts == ()
    assert "no room for a higher limit" in advice.notes[0]


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        pytest.param("16Mi", None, id="a-lower-request-stays"),
        pytest.param("32Mi", "64Mi", id="an-equal-one-stays-equal"),
        pytest.param(None, None, id="none-stays-none"),
    ],
)
def test_the_request_keeps_its_place(request_: str | None, wanted: str | None) -> None:
    action = drafts(starved(request=request_), TOO_LOW)[0].action

    assert isinstance(action, SetMemory)
    assert action.request == wanted


def test_a_container_without_a_limit_gets_none() -> None:
    case = starved(workload=a_deployment("billing", containers=[a_container(limit=None)]))

    advice = advise(case, TOO_LOW)

    assert advice.drafts == ()
    assert "has no memory limit to raise" in advice.notes[0]


def test_a_limit_that_was_raised_since_the_last_kill_is_given_its_chance() -> None:
    case = starved(workload=a_deployment("billing", containers=[a_container(limit="64Mi")]))

    advice = advise(case, TOO_LOW)

    assert advice.drafts == ()
    assert "it is 64Mi since the last kill" in advice.notes[0]


# ------------------------------------------------------------------ leaks and doubts


def test_a_leak_gets_a_stopgap_that_says_what_it_buys() -> None:
    draft = drafts(starved(), found(Cause.MEMORY_LEAK))[0]

    assert draft.is_stopgap
    assert "it lasts about 6 s instead of 3 s: that buys time" in draft.why


def test_a_leak_that_no_step_stopped_gets_no_further_one() -> None:
    (note, *_) = advise(after(starved(), "64Mi", "128Mi"), found(Cause.MEMORY_LEAK)).notes[1:]

    assert note == "more memory only buys time, and 64Mi, 128Mi did not hold"


def test_an_undecided_leak_is_said_and_tried() -> None:
    draft = drafts(starved(), found(Cause.MEMORY_LIMIT_TOO_LOW, leak=Verdict.INCONCLUSIVE))[0]

    assert not draft.is_stopgap
    assert "Whether it leaks is not decided" in draft.why


def test_where_nothing_is_supported_one_step_is_a_stopgap() -> None:
    undecided = found(Cause.MEMORY_LIMIT_TOO_LOW, verdict=Verdict.INCONCLUSIVE)

    assert [d.is_stopgap for d in drafts(starved(), undecided)] == [True]


def test_what_is_refuted_is_not_acted_on() -> None:
    refuted = found(Cause.MEMORY_LIMIT_TOO_LOW, Cause.BAD_ROLLOUT, verdict=Verdict.REFUTED)

    assert drafts(starved(), refuted) == ()


# ------------------------------------------------------------------ the other actions


def rolled_out(
    now: Container, before: Container, *, pods: Sequence[Pod] | None = None, replicas: int = 1
) -> Case:
    """Revision 2 runs `now`, revision 1 ran `before`."""
    broken = a_pod(
        "billing",
        template_hash=NEW,
        containers=[now],
        statuses=[a_status(state=waiting("CrashLoopBackOff"), ready=False, restart_count=3)],
    )
    return a_case(
        workload=a_deployment("billing", containers=[now], revision=2, replicas=replicas),
        replica_sets=[
            a_replica_set("billing", template_hash=NEW, revision=2, containers=[now]),
            a_replica_set("billing", template_hash=OLD, revision=1, containers=[before]),
        ],
        pods=[broken] if pods is None else pods,
        memory=(),
    )


def actions(case: Case, *causes: Cause) -> list[Action]:
    return [d.action for d in drafts(case, found(*causes))]


CRASHED = terminated(started=ago(31), finished=ago(30), reason="Error", exit_code=1)
BACK = RollBack(target=APP, to_revision=1, replica_set=f"billing-{OLD}")


def test_a_bad_rollout_is_rolled_back_to_the_revision_before() -> None:
    case = rolled_out(a_container(image="shop:2"), a_container(image="shop:1"))

    draft = drafts(case, found(Cause.BAD_ROLLOUT))[0]

    assert draft.action == BACK
    assert "image shop:1 → shop:2" in draft.why


def test_a_revision_that_failed_as_well_is_not_gone_back_to() -> None:
    now, before = a_container(image="shop:2"), a_container(image="shop:1")
    failed = [
        an_oom_killed_pod("billing", template_hash=h, suffix=h, containers=[c])
        for h, c in ((OLD, before), (NEW, now))
    ]

    advice = advise(rolled_out(now, before, pods=failed), found(Cause.BAD_ROLLOUT))

    assert advice.drafts == ()
    assert "no earlier revision without a failure" in advice.notes[0]


def test_what_somebody_has_gone_back_from_already_is_not_gone_back_from_again() -> None:
    bad, good = a_container(image="shop:2"), a_container(image="shop:1")
    case = rolled_out(good, bad)
    crashed = a_pod(
        "billing",
        template_hash=OLD,
        containers=[bad],
        deleted=ago(5),
        statuses=[a_status(state=waiting("CrashLoopBackOff"), last_state=CRASHED, ready=False)],
    )
    case = with_evidence(msgspec.structs.replace(case, pods=(crashed,)))

    (sentence,) = refrained(case, found(Cause.BAD_ROLLOUT))

    assert "the present revision is not the one that failed" in sentence.text


def test_a_rollback_that_did_not_hold_is_not_tried_again() -> None:
    case = rolled_out(a_container(image="shop:2"), a_container(image="shop:1"))
    tried = FailedAttempt(action=encode_action(BACK), why="crashed as well")

    again = msgspec.structs.replace(case, attempts=(tried,))

    assert actions(again, Cause.BAD_ROLLOUT) == []


def test_a_lowered_limit_can_be_rolled_back_too() -> None:
    case = rolled_out(
        a_container(limit="32Mi"),
        a_container(limit="64Mi"),
        pods=[an_oom_killed_pod("billing", template_hash=NEW)],
    )

    assert actions(case, Cause.MEMORY_LIMIT_TOO_LOW) == [
        SetMemory(target=APP, container="app", limit="64Mi"),
        BACK,
    ]


def without_its_image(now: Container, before: Container) -> Case:
    pod = a_pod(
        "billing",
        template_hash=NEW,
        containers=[now],
        statuses=[a_status(state=waiting("ImagePullBackOff"), ready=False)],
    )
    return rolled_out(now, before, pods=[pod])


BEFORE = SetImage(target=APP, container="app", image="shop:1")


def test_a_missing_image_is_set_back_and_no_rollback_offers_the_same_again() -> None:
    case = without_its_image(a_container(image="shop:nope"), a_container(image="shop:1"))

    assert actions(case, Cause.IMAGE_MISSING) == [BEFORE]


def test_a_rollback_that_takes_more_back_than_the_missing_image_is_an_alternative() -> None:
    now = a_container(image="shop:nope", limit="64Mi")

    case = without_its_image(now, a_container(image="shop:1", limit="32Mi"))

    assert actions(case, Cause.IMAGE_MISSING) == [BEFORE, BACK]


def test_the_words_for_a_rollback_name_the_field_and_never_a_variables_value() -> None:
    probes = [Probe(http_get=HttpGet(port=port), period_seconds=3) for port in (9090, 8080)]
    now, before = (
        msgspec.structs.replace(a_container(readiness=p), env=[EnvVar(name="KEY", value=v)])
        for p, v in zip(probes, ("new", "old"), strict=True)
    )

    why = drafts(rolled_out(now, before), found(Cause.BAD_PROBE))[0].why

    assert "variable KEY, readinessProbe.httpGet.port 8080 → 9090" in why
    assert "old" not in why


def test_of_two_causes_at_once_going_back_comes_first() -> None:
    now = a_container(image="shop:nope", limit="32Mi")
    case = without_its_image(now, a_container(image="shop:1", limit="64Mi"))

    both = actions(case, Cause.MEMORY_LIMIT_TOO_LOW, Cause.IMAGE_MISSING)

    assert both[0] == BACK
    assert BEFORE in both


def test_a_template_that_differs_in_what_we_do_not_read_can_be_gone_back_to() -> None:
    same = a_container()

    (draft,) = drafts(rolled_out(same, same), found(Cause.BAD_ROLLOUT))

    assert draft.action == BACK
    assert "its template" in draft.why


# ------------------------------------------------------------------ nothing that could be done


def test_a_config_map_that_changed_is_not_undone_by_a_rollback() -> None:
    settings = ObjectRef(kind="ConfigMap", namespace="demo", name="settings", uid="uid-settings")
    reads = msgspec.structs.replace(
        a_container(), env_from=[EnvFromSource(config_map_ref=SourceName(name="settings"))]
    )
    case = rolled_out(reads, reads)
    change = a_change("data.mode", "good", "bad", at=ago(45), object=settings)
    case = with_evidence(msgspec.structs.replace(case, changes=(change,)))

    (sentence,) = refrained(case, found(Cause.BAD_ROLLOUT))

    assert drafts(case, found(Cause.BAD_ROLLOUT)) == ()
    assert "what changed is ConfigMap settings" in sentence.text


@pytest.mark.parametrize(
    ("case", "cause", "why"),
    [
        pytest.param(
            starved(),
            Cause.BAD_PROBE,
            "there is no earlier revision to go back to",
            id="the first revision",
        ),
        pytest.param(
            rolled_out(a_container(image="shop:2"), a_container(image="shop:1")),
            Cause.BAD_PROBE,
            "no earlier revision without a failure had other probes",
            id="nothing in it changed",
        ),
        pytest.param(starved(workload=None), Cause.BAD_PROBE, "only a workload", id="no workload"),
        pytest.param(starved(), Cause.UNKNOWN, "no cause is sure enough", id="unknown"),
    ],
)
def test_that_nothing_is_proposed_is_said_with_the_reason(
    case: Case, cause: Cause, why: str
) -> None:
    (sentence,) = refrained(case, found(cause))

    assert sentence.text.startswith(f"No fix is proposed: {why}")
    assert set(sentence.evidence) <= {item.id for item in case.evidence}
    assert sentence.evidence


def test_where_something_is_proposed_nothing_is_excused() -> None:
    assert refrained(starved(), TOO_LOW) == ()


def test_a_bad_probe_is_rolled_back_where_the_probe_changed() -> None:
    changed = a_container(readiness=Probe(tcp_socket=TcpSocket(port=81)))
    same = a_container(image="shop:1")

    assert actions(rolled_out(changed, a_container()), Cause.BAD_PROBE) == [BACK]
    assert actions(rolled_out(a_container(), same), Cause.BAD_PROBE) == []


def test_pods_that_find_no_place_may_be_given_up() -> None:
    same = a_container()
    placed = a_pod("billing", template_hash=NEW, suffix="a")
    pending = a_pod("billing", template_hash=NEW, suffix="b", node="", phase="Pending", statuses=[])

    case = rolled_out(same, same, pods=[placed, pending], replicas=2)
    found_drafts = drafts(case, found(Cause.UNSCHEDULABLE))

    assert [d.action for d in found_drafts] == [Scale(target=APP, replicas=1)]
    assert found_drafts[0].is_stopgap


# ------------------------------------------------------------------ lessons and limits


def remembered(*, held: bool) -> SimilarIncident:
    similar = a_similar(held=held)
    then = encode_action(SetMemory(target=APP, container="app", limit="80Mi"))
    return SimilarIncident(
        memory=replace(a_memory(incident_id=3, held=held), action=then),
        title=similar.title,
        score=similar.score,
        reason=similar.reason,
    )


def test_what_worked_before_is_said_first_and_cited() -> None:
    case = starved(similar=[remembered(held=True)])

    draft = drafts(case, TOO_LOW)[0]

    assert draft.why.startswith("In INC-3, which was like this, memory limit of app 32Mi → 64Mi")
    assert case.cited_as[f"incident:{IncidentId(3)}"] in draft.evidence
    assert limit_for(case) == "80Mi"


def test_what_did_not_work_before_is_said_as_well() -> None:
    case = starved(similar=[remembered(held=False)])

    assert "did not hold" in drafts(case, TOO_LOW)[0].why
    assert limit_for(case) == "64Mi"


def test_what_helped_an_application_that_is_hardly_alike_is_no_lesson() -> None:
    elsewhere = remembered(held=True)
    case = starved(similar=[replace(elsewhere, score=0.5)])

    assert "which was like this" not in drafts(case, TOO_LOW)[0].why


def test_what_has_no_pod_template_gets_no_draft() -> None:
    advice = advise(starved(workload=None), TOO_LOW)

    assert advice.drafts == ()
    assert "only a workload with a pod template" in advice.notes[0]


def test_a_stateful_set_gets_more_memory_and_no_way_back() -> None:
    case = starved()
    assert case.workload is not None
    database = msgspec.structs.replace(case.workload, kind="StatefulSet")
    advice = advise(msgspec.structs.replace(case, workload=database, replica_sets=()), TOO_LOW)

    assert [type(d.action) for d in advice.drafts] == [SetMemory]
    assert advice.drafts[0].action.target.kind == "StatefulSet"
    assert "only a Deployment can be rolled back" in advice.notes[0]


def test_a_draft_cites_only_evidence_that_exists() -> None:
    case = starved()

    for draft in drafts(case, found(Cause.MEMORY_LIMIT_TOO_LOW, Cause.MEMORY_LEAK)):
        assert set(draft.evidence) <= {e.id for e in case.evidence}


def test_without_evidence_there_is_silence() -> None:
    case = msgspec.structs.replace(starved(), evidence=(), cited_as={})

    assert drafts(case, TOO_LOW) == ()


def test_the_same_action_is_suggested_once_and_four_at_most() -> None:
    case = rolled_out(
        a_container(image="shop:2", limit="32Mi"), a_container(image="shop:1", limit="64Mi")
    )
    everything = found(*(c for c in Cause if c is not Cause.UNKNOWN))

    suggested = drafts(case, everything)

    assert len({d.action for d in suggested}) == len(suggested) <= MOST_DRAFTS


# ------------------------------------------------------------------ a pod that stands alone


def test_a_pod_that_stands_alone_is_given_more_itself() -> None:
    (draft,) = drafts(alone(), TOO_LOW)

    assert draft.action == SetMemory(target=a_ref("Pod", "billing"), container="app", limit="64Mi")


def test_a_pod_that_dies_too_soon_to_be_resized_is_said_to() -> None:
    (draft,) = drafts(alone(), TOO_LOW)

    assert "if it does not hold, make the pod anew" in draft.why


def test_a_pod_that_is_over_or_going_is_given_nothing() -> None:
    assert drafts(alone(phase="Failed"), TOO_LOW) == ()
    assert drafts(alone(deleted=ago(1)), TOO_LOW) == ()


def test_another_image_for_a_pod_that_stands_alone_is_for_people() -> None:
    advice = advise(alone(), found(Cause.BAD_ROLLOUT))

    assert advice.drafts == ()
    assert "only a workload with a pod template can be changed" in advice.notes[0]
