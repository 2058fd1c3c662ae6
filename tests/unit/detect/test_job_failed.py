"""Work that should have been done once."""

import msgspec
import pytest

from copilot.detect.rules.job_failed import check
from copilot.domain.alert import Seen
from copilot.domain.objects import Condition, Pod
from tests.builders_detect import seen
from tests.builders_objects import (
    a_cron_job,
    a_job,
    a_pod,
    a_status,
    ago,
    ago_us,
    condition,
    terminated,
)


def failed(*, ago_s: float = 5, kind: str = "Failed") -> list[Condition]:
    return [
        condition(
            kind,
            True,
            reason="BackoffLimitExceeded",
            message="Job has reached the specified backoff limit",
            since=ago(ago_s),
        )
    ]


def a_failed_pod(*, exit_code: int = 3, reason: str = "", ended_s: float = 5) -> Pod:
    end = terminated(started=ago(60), finished=ago(ended_s), reason="Error", exit_code=exit_code)
    return a_pod(
        "check",
        owner_kind=None,
        phase="Failed",
        reason=reason,
        restart_policy="Never",
        statuses=[a_status(state=end, ready=False)],
    )


def test_a_job_that_failed_says_why() -> None:
    (alert,) = check(seen(jobs=[a_job(failed=7, conditions=failed())]))

    assert alert.title == (
        "Job export has failed (BackoffLimitExceeded: Job has reached the specified backoff limit)"
    )
    assert alert.starts_us == ago_us(5)


def test_a_job_that_will_fail_as_soon_as_its_pods_are_gone_has_failed() -> None:
    assert len(list(check(seen(jobs=[a_job(conditions=failed(kind="FailureTarget"))])))) == 1


def test_a_job_of_a_cron_job_is_told_at_the_cron_job() -> None:
    job = a_job("nightly-1", cron_job="nightly", conditions=failed())

    (alert,) = check(seen(jobs=[job], cron_jobs=[a_cron_job()]))

    assert (alert.workload.kind, alert.workload.name) == ("CronJob", "nightly")


def test_a_job_whose_pods_fail_twice_keeps_failing() -> None:
    (alert,) = check(seen(jobs=[a_job(failed=2, active=1)]))

    assert alert.title == "Job export keeps failing (2 of its pods have failed)"


def test_a_lone_pod_that_failed_is_told() -> None:
    (alert,) = check(seen(a_failed_pod()))

    assert alert.title == "Pod check has failed (exit 3)"


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(seen(jobs=[a_job(active=1)]), id="at work"),
        pytest.param(seen(jobs=[a_job(failed=1, active=1)]), id="a second try"),
        pytest.param(
            seen(jobs=[a_job(failed=3, succeeded=1, conditions=[condition("Complete", True)])]),
            id="done in the end",
        ),
        pytest.param(seen(jobs=[a_job(conditions=failed(ago_s=3601))]), id="long ago"),
        pytest.param(
            seen(
                jobs=[a_job(cron_job="nightly", conditions=failed(ago_s=400))],
                cron_jobs=[a_cron_job(successful_s=100)],
            ),
            id="its cron job's next run was done",
        ),
        pytest.param(seen(a_failed_pod(reason="Evicted")), id="evicted"),
        pytest.param(seen(a_failed_pod(exit_code=0)), id="ended in good order"),
        pytest.param(seen(a_failed_pod(ended_s=601)), id="a lone pod of long ago"),
        pytest.param(
            seen(
                msgspec.structs.replace(
                    a_failed_pod(), metadata=a_pod("x", owner_kind="Job").metadata
                )
            ),
            id="a pod of a job: the job is asked",
        ),
    ],
)
def test_what_is_done_or_may_be_done_yet_is_quiet(look: Seen) -> None:
    assert list(check(look)) == []
