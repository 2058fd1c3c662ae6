"""Too little memory allowed: when the detective says so, how surely, and when it does not."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from copilot.agents.evidence import with_evidence
from copilot.causes.memory_limit_too_low import memory_limit_too_low
from copilot.causes.memory_series import peak_seen_whole
from copilot.domain import attributes
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis, Verdict
from copilot.domain.objects import Pod
from tests.builders_case import (
    MI,
    NEW,
    OLD,
    a_case,
    a_change,
    a_limit_change,
    a_line,
    a_series,
    an_alert,
    an_event,
)
from tests.builders_objects import (
    a_container,
    a_node,
    a_pod,
    a_replica_set,
    a_status,
    ago,
    an_oom_killed_pod,
    condition,
    running,
    terminated,
    waiting,
)

LEVEL_48 = [12, 24, 36, 48, 48, 48, 48, 48, 48, 48, 48]


def looked_at(case: Case) -> Hypothesis:
    found = memory_limit_too_low(case)
    assert found is not None
    return found


def words_of(found: Hypothesis) -> str:
    return " ".join(s.text for s in (*found.supporting, *found.against))


def old_pod(limit: str = "64Mi", image: str = "docker.io/dev/oom-demo:1") -> Pod:
    return a_pod(
        "billing",
        template_hash=OLD,
        suffix="old01",
        containers=[a_container(limit=limit, image=image)],
        deleted=ago(40),
    )


def killed_pod(limit: str = "32Mi", **how: Any) -> Pod:
    return an_oom_killed_pod("billing", template_hash=NEW, limit=limit, **how)


def test_a_kill_at_a_limit_is_supported_and_cites_the_pod() -> None:
    case = a_case(pods=[killed_pod("96Mi")])

    found = looked_at(case)

    assert found.verdict is Verdict.SUPPORTED
    assert 0.6 < found.confidence < 0.85
    assert "96Mi" in found.title
    assert found.supporting[0].evidence == (case.cited_as["object:uid-billing-64fdd9cd94-jhblt"],)


def test_a_limit_that_was_just_lowered_is_named_with_who_and_when() -> None:
    case = a_case(pods=[killed_pod("200Mi")], changes=[a_limit_change("1Gi", "200Mi", at=ago(47))])

    found = looked_at(case)

    assert found.confidence > 0.9
    assert "1Gi → 200Mi by kubectl-edit" in words_of(found)
    assert "7 s before the first kill" in words_of(found)


def test_a_limit_lowered_without_a_recorded_change_is_seen_between_two_revisions() -> None:
    sets = [
        a_replica_set(
            "billing",
            template_hash=NEW,
            revision=5,
            containers=[a_container(limit="32Mi")],
            created=ago(50),
        ),
        a_replica_set(
            "billing", template_hash=OLD, revision=4, containers=[a_container(limit="64Mi")]
        ),
    ]

    found = looked_at(a_case(pods=[killed_pod()], replica_sets=sets))

    assert found.confidence > 0.9
    assert "64Mi → 32Mi" in words_of(found)


def test_a_limit_lowered_hours_ago_adds_nothing() -> None:
    plain = looked_at(a_case(pods=[killed_pod()]))

    found = looked_at(
        a_case(pods=[killed_pod()], changes=[a_limit_change("64Mi", "32Mi", at=ago(7000))])
    )

    assert found.confidence == plain.confidence


def test_a_level_seen_under_a_higher_limit_makes_the_need_known() -> None:
    old = old_pod()
    case = a_case(pods=[old, killed_pod()], memory=[a_series(old, LEVEL_48, since=ago(400))])

    found = looked_at(case)

    assert peak_seen_whole(case, "app") == 48 * MI
    assert found.confidence >= 0.95
    assert found.title == "app needs 48Mi, its memory limit is 32Mi"
    assert not found.next_check


def test_a_level_of_another_program_says_nothing_about_this_one() -> None:
    old = old_pod(image="docker.io/dev/other:9")
    case = a_case(pods=[old, killed_pod()], memory=[a_series(old, LEVEL_48, since=ago(400))])

    found = looked_at(case)

    assert peak_seen_whole(case, "app") is None
    assert found.confidence < 0.85


def test_new_code_that_outgrows_an_unchanged_limit_lowers_the_confidence() -> None:
    old = old_pod("32Mi", image="docker.io/dev/oom-demo:0")
    case = a_case(
        pods=[old, killed_pod()],
        memory=[a_series(old, [20] * 12, since=ago(400))],
        changes=[
            a_change("image", "docker.io/dev/oom-demo:0", "docker.io/dev/oom-demo:1", at=ago(60))
        ],
    )

    found = looked_at(case)

    assert found.confidence <= 0.5
    assert "what runs now needs more" in words_of(found)


def test_the_pods_own_peak_counter_shows_where_no_series_does() -> None:
    pod = killed_pod()
    counter = a_series(pod, [32], since=ago(15), container="", name=attributes.MEMORY_PEAK)

    found = looked_at(a_case(pods=[pod], memory=[counter]))

    assert "cut the peak off" in words_of(found)


def test_a_container_killed_without_a_limit_of_its_own_refutes_it() -> None:
    pod = killed_pod(containers=[a_container(limit=None)])
    sick = msgspec.structs.replace(
        a_node(),
        status=msgspec.structs.replace(
            a_node().status, conditions=[condition("MemoryPressure", True)]
        ),
    )

    found = looked_at(a_case(pods=[pod], nodes=[sick]))

    assert found.verdict is Verdict.REFUTED
    assert "the node ran short" in words_of(found)
    assert "memory pressure" in words_of(found)


def test_a_container_whose_init_does_not_fit_is_a_limit_too_low() -> None:
    message = "container init was OOM-killed (memory limit too low?): unknown"
    pod = a_pod(
        "billing",
        containers=[a_container(limit="4Mi")],
        statuses=[a_status(state=waiting("RunContainerError", message), ready=False)],
    )

    found = looked_at(a_case(pods=[pod]))

    assert found.verdict is Verdict.SUPPORTED
    assert "could not even start" in words_of(found)


def test_an_exit_137_that_the_kernel_did_not_cause_is_none_of_it() -> None:
    stopped = terminated(started=ago(60), finished=ago(20), reason="Error", exit_code=137)
    pod = a_pod("billing", statuses=[a_status(last_state=stopped, restart_count=1)])

    assert memory_limit_too_low(a_case(pods=[pod], alerts=[])) is None


def test_a_kill_that_only_others_saw_is_said_with_less_confidence() -> None:
    found = looked_at(a_case(pods=[a_pod("billing")]))

    assert found.verdict is Verdict.SUPPORTED
    assert found.confidence < 0.6


def child_killed(source: str, *said: str) -> Case:
    """The kernel took a process; the container has run for ten minutes and runs on."""
    pod = a_pod("billing")
    alert = replace(an_alert(pod=pod.metadata.name), source=source)
    lines = [a_line(body, pod, at=ago(20 - n), address=f"3:{n + 1}") for n, body in enumerate(said)]
    return a_case(pods=[pod], lines=lines, alerts=[alert])


@pytest.mark.parametrize("source", ["kernel", "kubelet"])
def test_a_process_killed_inside_a_container_that_lives_on_is_laid_on_the_limit(
    source: str,
) -> None:
    found = looked_at(child_killed(source, "starting worker", "worker ended with 137"))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "child_killed")
    assert found.subject is not None
    assert any("its first process lives on" in s.text for s in found.supporting)
    assert any("worker ended with 137" in s.text for s in found.supporting)


@pytest.mark.parametrize(
    ("peak", "verdict"),
    [(32, Verdict.SUPPORTED), (20, Verdict.INCONCLUSIVE), (None, Verdict.INCONCLUSIVE)],
)
def test_a_program_that_lost_a_process_is_believed_where_the_pod_was_at_its_limit(
    peak: int | None, verdict: Verdict
) -> None:
    pod = a_pod("billing", statuses=[a_status(ready=False)])
    counter = a_series(pod, [peak or 0], since=ago(30), container="", name=attributes.MEMORY_PEAK)

    found = looked_at(
        a_case(
            pods=[pod],
            lines=[a_line("worker: signal: killed", pod, at=ago(20))],
            memory=[counter] if peak else [],
            rule=Rule.NOT_READY,
        )
    )

    assert (found.verdict, found.detail) == (verdict, "child_killed")


def test_a_container_that_came_up_after_the_kill_is_not_the_one_that_lives_on() -> None:
    case = child_killed("kernel")
    pod = a_pod("billing", statuses=[a_status(state=running(ago(10)))])

    found = looked_at(with_evidence(msgspec.structs.replace(case, pods=(pod,))))

    assert found.detail == ""


def test_a_kill_in_a_pod_that_was_gone_before_belongs_to_another_incident() -> None:
    gone = killed_pod(killed=ago(900), now_is="waiting")
    meta = msgspec.structs.replace(gone.metadata, deletion_timestamp=ago(850))
    case = a_case(
        pods=[msgspec.structs.replace(gone, metadata=meta)],
        rule=Rule.IMAGE_PULL,
        lines=[a_line("x", gone, at=ago(901))],
        events=[an_event("BackOff", "Back-off", gone, at=ago(890))],
    )

    assert memory_limit_too_low(case) is None


def test_the_last_line_before_the_kill_is_quoted_and_cited() -> None:
    pod = killed_pod()
    early = a_line("batch 1 of 9", pod, at=ago(22), address="3:1")
    last = a_line("batch 7 of 9", pod, at=ago(21), address="3:2")
    case = a_case(pods=[pod], lines=[early, last])

    found = looked_at(case)

    quoting = next(s for s in found.supporting if "batch 7 of 9" in s.text)
    assert quoting.evidence == (case.cited_as["log:3:2"],)


def test_a_limit_that_is_lowered_again_is_dated_by_the_last_change_not_by_its_replica_set() -> None:
    """The ReplicaSet of an earlier try is taken up again, with its old age."""
    newest = a_replica_set("billing", template_hash=NEW, revision=6, created=ago(2000))
    history = {"deployment.kubernetes.io/revision-history": "4"}
    annotations = {**(newest.metadata.annotations or {}), **history}
    reused = msgspec.structs.replace(
        newest, metadata=msgspec.structs.replace(newest.metadata, annotations=annotations)
    )
    older = a_replica_set("billing", template_hash=OLD, revision=5, created=ago(9000))
    toggled = [
        a_limit_change("64Mi", "32Mi", at=ago(2000)),
        a_limit_change("32Mi", "64Mi", at=ago(1500)),
        a_limit_change("64Mi", "32Mi", at=ago(47)),
    ]

    found = looked_at(a_case(pods=[killed_pod()], replica_sets=[reused, older], changes=toggled))

    assert "7 s before the first kill" in words_of(found)
