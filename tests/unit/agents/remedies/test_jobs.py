"""A Job that was stopped by its deadline."""

import msgspec
import pytest

from copilot.agents.remedies import REMEDIES
from copilot.causes.job_fails import job_fails
from copilot.domain.action import RerunJob
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause
from copilot.domain.objects import ContainerState, Pod
from copilot.domain.surroundings import Job, JobSpec
from tests.builders_around import a_cron_job, a_job, owned_by
from tests.builders_net import drafts_and_notes, the_action
from tests.builders_objects import a_pod, a_status, ago, running, terminated
from tests.unit.causes.test_jobs import DEADLINE, of_job

REMEDY = REMEDIES[Cause.JOB_FAILS]
AT_THE_DEADLINE = terminated(exit_code=143, reason="Error", started=ago(100), finished=ago(19))
LONG_BEFORE = terminated(exit_code=1, reason="Error", started=ago(100), finished=ago(60))


def overdue(deadline_s: int, *, of_cron_job: bool = False) -> Job:
    return a_job(
        failed=1,
        conditions=[DEADLINE],
        spec=JobSpec(active_deadline_seconds=deadline_s),
        cron_job=a_cron_job() if of_cron_job else None,
    )


def a_run(job: Job, state: ContainerState | None = None, *, restarts: int = 0) -> Pod:
    status = a_status(state=state or running(ago(100)), ready=True, restart_count=restarts)
    return owned_by(a_pod("billing", statuses=[status]), "Job", job.metadata)


@pytest.mark.parametrize(
    ("deadline_s", "more_s"),
    [
        pytest.param(8, 600, id="seconds-become-ten-minutes"),
        pytest.param(300, 1200, id="minutes-become-four-times-as-many"),
    ],
)
@pytest.mark.parametrize(
    "state", [None, AT_THE_DEADLINE], ids=["seen-running", "seen-to-end-at-the-deadline"]
)
def test_one_that_was_at_work_is_run_with_more_time(
    deadline_s: int, more_s: int, state: ContainerState | None
) -> None:
    job = overdue(deadline_s)
    case = of_job(job, a_run(job, state))

    action = the_action(case, job_fails(case), REMEDY)

    assert isinstance(action, RerunJob)
    assert action.deadline_s == more_s


def of_two(job: Job) -> Case:
    """One at work, and one that had failed."""
    failed = a_run(job, LONG_BEFORE)
    case = of_job(job, a_run(job))
    return msgspec.structs.replace(case, pods=(*case.pods, failed))


@pytest.mark.parametrize(
    ("case", "says"),
    [
        pytest.param(of_job(overdue(8)), "nothing shows", id="no-pod-was-seen"),
        pytest.param(
            of_job(overdue(8), a_run(overdue(8), restarts=2)), "nothing shows", id="it-restarted"
        ),
        pytest.param(
            of_job(overdue(8), a_run(overdue(8), LONG_BEFORE)), "nothing shows", id="it-had-failed"
        ),
        pytest.param(of_two(overdue(8)), "nothing shows", id="one-of-two-had-failed"),
        pytest.param(
            of_job(overdue(7200), a_run(overdue(7200))), "for people", id="it-has-hours-already"
        ),
        pytest.param(
            of_job(overdue(8, of_cron_job=True), a_run(overdue(8, of_cron_job=True))),
            "its CronJob starts",
            id="of-a-cron-job",
        ),
    ],
)
def test_one_that_would_only_be_stopped_later_is_left_to_people(case: Case, says: str) -> None:
    drafts, notes = drafts_and_notes(case, job_fails(case), REMEDY)

    assert drafts == []
    assert says in notes[0]
