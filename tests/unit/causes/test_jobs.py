"""Init containers, Jobs and CronJobs that do not get on."""

from dataclasses import replace

import msgspec
import pytest

from copilot.causes import explain
from copilot.causes.cron_job_stopped import cron_job_stopped
from copilot.causes.init_container_fails import init_container_fails
from copilot.causes.job_fails import job_fails
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Verdict
from copilot.domain.objects import Condition, Container, Pod
from copilot.domain.surroundings import CronJob, Job, JobSpec, Surroundings
from tests.builders_around import a_cron_job, a_job, an_event_about, owned_by, with_surroundings
from tests.builders_case import a_case, a_line
from tests.builders_objects import a_pod, a_status, ago, terminated, waiting

BACKOFF = Condition(
    type="Failed",
    status="True",
    reason="BackoffLimitExceeded",
    message="Job has reached the specified backoff limit",
    last_transition_time=ago(20),
)
DEADLINE = Condition(
    type="Failed",
    status="True",
    reason="DeadlineExceeded",
    message="Job was active longer than specified deadline",
    last_transition_time=ago(20),
)


def a_pod_in_its_start(*, exit_code: int = 3, reason: str = "Error", ready: bool = False) -> Pod:
    ended = terminated(exit_code=exit_code, reason=reason, started=ago(25), finished=ago(20))
    init = a_status("init", state=ended, last_state=ended, ready=ready, restart_count=3)
    main = msgspec.structs.replace(
        a_status(state=waiting("PodInitializing"), ready=False), container_id=""
    )
    pod = a_pod("billing", statuses=[main], init_statuses=[init], phase="Pending", created=ago(60))
    spec = msgspec.structs.replace(pod.spec, init_containers=[Container(name="init")])
    return msgspec.structs.replace(pod, spec=spec)


def an_init_case(pod: Pod) -> Case:
    line = a_line("relation users does not exist", pod, at=ago(21), level="error")
    return a_case(
        pods=[pod],
        lines=[replace(line, container="init")],
        rule=Rule.NOT_READY,
    )


def test_an_init_container_that_ends_badly_is_named_with_its_last_words() -> None:
    found = init_container_fails(an_init_case(a_pod_in_its_start()))

    assert found is not None
    assert found.verdict is Verdict.SUPPORTED
    assert "Init container init ends with exit code 3: relation users" in found.title


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod_in_its_start(exit_code=0, reason="Completed", ready=True), id="done"),
        pytest.param(a_pod_in_its_start(exit_code=137, reason="OOMKilled"), id="memory"),
        pytest.param(a_pod("billing"), id="none at all"),
    ],
)
def test_an_init_container_that_ended_well_or_ran_out_of_memory_is_not_blamed(pod: Pod) -> None:
    assert init_container_fails(an_init_case(pod)) is None


def test_nobody_waits_for_a_sidecar_that_was_up_before() -> None:
    pod = a_pod_in_its_start()
    sidecar = Container(name="init", restart_policy="Always")
    spec = msgspec.structs.replace(pod.spec, init_containers=[sidecar])
    up = msgspec.structs.replace(pod.status, container_statuses=[a_status()])
    started = msgspec.structs.replace(pod, spec=spec, status=up)

    assert init_container_fails(an_init_case(msgspec.structs.replace(pod, spec=spec))) is not None
    assert init_container_fails(an_init_case(started)) is None


# ------------------------------------------------------------------ jobs


def of_job(job: Job, pod: Pod | None = None, *, words: str = "") -> Case:
    bare = a_case(
        pods=[pod] if pod else [],
        lines=[a_line(words, pod, at=ago(21))] if pod and words else [],
        rule=Rule.JOB_FAILED,
    )
    return with_surroundings(msgspec.structs.replace(bare, job=job), Surroundings())


def a_failed_pod(job: Job, exit_code: int = 2) -> Pod:
    ended = terminated(exit_code=exit_code, reason="Error", started=ago(30), finished=ago(20))
    pod = a_pod("billing", statuses=[a_status(state=ended, ready=False)], phase="Failed")
    return owned_by(pod, "Job", job.metadata)


def test_a_job_that_gave_up_says_how_often_it_tried_and_what_its_pod_said() -> None:
    job = a_job(failed=2, conditions=[BACKOFF], spec=JobSpec(backoff_limit=1))
    found = job_fails(of_job(job, a_failed_pod(job), words="boom"))

    assert found is not None
    assert found.verdict is Verdict.SUPPORTED
    assert found.detail == "backoff_limit"
    assert str(found.subject) == "Job demo/nightly"
    assert "boom" in " ".join(s.text for s in found.supporting)


@pytest.mark.parametrize("type", ["Failed", "FailureTarget"], ids=["ended", "pods-still-end"])
def test_a_job_that_took_too_long_names_its_deadline(type: str) -> None:
    overdue = msgspec.structs.replace(DEADLINE, type=type)
    job = a_job(failed=1, conditions=[overdue], spec=JobSpec(active_deadline_seconds=15))
    found = job_fails(of_job(job))

    assert found is not None
    assert found.detail == "deadline"
    assert "15 s" in found.title


def test_a_job_that_still_tries_is_undecided_and_one_that_succeeded_is_well() -> None:
    trying, done = (
        job_fails(of_job(a_job(active=1, failed=1))),
        job_fails(of_job(a_job(succeeded=1, failed=1))),
    )

    assert trying is not None
    assert trying.verdict is Verdict.INCONCLUSIVE
    assert done is not None
    assert done.verdict is Verdict.REFUTED


def test_a_job_of_which_a_part_is_done_has_not_succeeded() -> None:
    partly = a_job(active=1, succeeded=1, failed=2, spec=JobSpec(completions=5))

    found = job_fails(of_job(partly))

    assert found is not None
    assert found.verdict is Verdict.INCONCLUSIVE
    assert job_fails(of_job(a_job(active=1, succeeded=1, spec=JobSpec(completions=5)))) is None


def test_a_job_without_a_failure_has_none() -> None:
    assert job_fails(of_job(a_job(active=1))) is None


def test_why_its_pod_fails_comes_before_the_job_that_gave_up() -> None:
    job = a_job(failed=2, conditions=[BACKOFF])
    case = of_job(job, a_failed_pod(job, 127), words="sh: nosuchprogram: not found")

    ranked = explain(case)

    assert ranked[0].cause is Cause.COMMAND_INVALID
    assert next(h for h in ranked if h.cause is Cause.JOB_FAILS).verdict is Verdict.INCONCLUSIVE


# ------------------------------------------------------------------ cron jobs


def of_cron_job(cron_job: CronJob, *jobs: Job, missed: str = "") -> Case:
    events = (
        [an_event_about("TooManyMissedTimes", missed, "CronJob", cron_job.metadata)]
        if missed
        else []
    )
    bare = a_case(rule=Rule.CRON_JOB_LATE, events=events)
    return with_surroundings(
        msgspec.structs.replace(bare, cron_job=cron_job), Surroundings(jobs=jobs)
    )


def test_a_suspended_cron_job_starts_nothing() -> None:
    found = cron_job_stopped(of_cron_job(a_cron_job(suspend=True)))

    assert found is not None
    assert found.detail == "suspended"
    assert str(found.subject) == "CronJob demo/nightly"


def test_a_job_that_does_not_end_stands_in_the_way_where_two_are_forbidden() -> None:
    cron_job = a_cron_job(policy="Forbid", active=["nightly-1"])
    job = a_job("nightly-1", active=1, cron_job=cron_job)
    found = cron_job_stopped(of_cron_job(cron_job, job))

    assert found is not None
    assert found.detail == "blocked"
    assert "Job nightly-1 has run for 2 min and is still active" in found.supporting[0].text


def test_a_job_that_runs_stands_in_nobody_s_way_where_two_are_allowed() -> None:
    cron_job = a_cron_job(policy="Allow", active=["nightly-1"])

    assert cron_job_stopped(of_cron_job(cron_job)) is None


def test_a_run_that_takes_its_time_is_not_in_the_way_of_a_job_that_failed() -> None:
    cron_job = a_cron_job(policy="Forbid", active=["nightly-2"])
    failed = a_job("nightly-1", failed=1, conditions=[BACKOFF], cron_job=cron_job)
    case = msgspec.structs.replace(of_job(failed), cron_job=cron_job)

    found = job_fails(case)

    assert cron_job_stopped(case) is None
    assert found is not None
    assert str(found.subject) == "CronJob demo/nightly"


def test_a_cron_job_that_missed_its_time_says_so() -> None:
    found = cron_job_stopped(of_cron_job(a_cron_job(deadline_s=10), missed="too many missed"))

    assert found is not None
    assert found.detail == "deadline"
    assert "10 s late at most" in found.supporting[0].text


@pytest.mark.parametrize("reason", ["TooManyMissedTimes", "UnknownTimeZone"])
def test_a_missed_time_rests_on_the_event_that_says_so(reason: str) -> None:
    cron_job = a_cron_job()
    told = an_event_about(reason, "it was not started", "CronJob", cron_job.metadata)
    bare = a_case(pods=[], events=[told], rule=Rule.CRON_JOB_LATE)
    case = with_surroundings(msgspec.structs.replace(bare, cron_job=cron_job), Surroundings())

    found = cron_job_stopped(case)

    assert found is not None
    assert case.cited_as[f"event:{told.metadata.uid}"] in found.supporting[0].evidence
