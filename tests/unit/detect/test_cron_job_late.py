"""CronJobs that missed their times. It is eight o'clock: `*/5` was due right now, at 07:55, ..."""

import msgspec
import pytest

from copilot.detect.rules.cron_job_late import check
from copilot.domain.alert import Seen
from copilot.domain.objects import KubeEvent
from tests.builders_detect import seen
from tests.builders_objects import NOW_US, a_cron_job, ago, ago_us, an_event, ref_of

LATE = a_cron_job(last_s=600)


def told(reason: str = "TooManyMissedTimes", *, last_s: float = 10) -> KubeEvent:
    about = ref_of("CronJob", a_cron_job().metadata)
    return an_event(about, reason, "too many missed start times", last_s=last_s)


def test_a_cron_job_without_a_job_at_its_time_is_late() -> None:
    (alert,) = check(seen(cron_jobs=[LATE]))

    assert alert.title == "CronJob nightly has missed its time: no Job was made"
    assert alert.starts_us == ago_us(300)


def test_what_its_controller_says_is_believed() -> None:
    (alert,) = check(seen(cron_jobs=[a_cron_job()], events=[told()]))

    assert alert.title.endswith("too many missed start times")


def test_a_run_that_hangs_and_holds_up_two_others_is_told() -> None:
    held = a_cron_job(last_s=900, policy="Forbid", active=["nightly-1"])

    (alert,) = check(seen(cron_jobs=[held]))

    assert "Job nightly-1 still runs" in alert.title


def test_one_that_was_suspended_while_it_ran_regularly_is_told_softly() -> None:
    stopped = a_cron_job(last_s=600, suspend=True)

    (alert,) = check(seen(cron_jobs=[stopped], suspended_us={"uid-nightly": ago_us(400)}))

    assert alert.severity == 4
    assert "it was suspended at" in alert.title


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(seen(cron_jobs=[a_cron_job()]), id="due this very moment"),
        pytest.param(
            seen(cron_jobs=[a_cron_job(last_s=None, created_s=200)]), id="before its first time"
        ),
        pytest.param(seen(cron_jobs=[a_cron_job(last_s=600, suspend=True)]), id="suspended"),
        pytest.param(
            seen(
                cron_jobs=[a_cron_job(last_s=600, suspend=True)],
                suspended_us={"uid-nightly": ago_us(20)},
            ),
            id="suspended, and no time missed by it",
        ),
        pytest.param(
            seen(
                cron_jobs=[a_cron_job(last_s=7200, suspend=True)],
                suspended_us={"uid-nightly": ago_us(3900)},
            ),
            id="suspended long ago",
        ),
        pytest.param(
            seen(cron_jobs=[a_cron_job(last_s=600, policy="Forbid", active=["nightly-1"])]),
            id="one run that takes longer",
        ),
        pytest.param(
            seen(cron_jobs=[LATE], changed_us={"uid-nightly": ago_us(29)}),
            id="changed a moment ago",
        ),
        pytest.param(
            seen(cron_jobs=[a_cron_job(last_s=9000)], changed_us={"uid-nightly": ago_us(200)}),
            id="resumed lately, with nothing to make up for",
        ),
        pytest.param(
            seen(cron_jobs=[a_cron_job(schedule="0 7 * * *", last_s=3600 * 26)]),
            id="a control plane that lives in another time zone",
        ),
        pytest.param(
            seen(cron_jobs=[a_cron_job(schedule="@every 5m", last_s=9000)]), id="unreadable"
        ),
        pytest.param(
            seen(cron_jobs=[a_cron_job(last_s=0)], events=[told(last_s=20)]),
            id="it has run since the event",
        ),
        pytest.param(
            seen(cron_jobs=[a_cron_job()], events=[told(last_s=601)]), id="an event of long ago"
        ),
    ],
)
def test_a_cron_job_in_time_or_meant_to_be_quiet_is_quiet(look: Seen) -> None:
    assert list(check(look)) == []


@pytest.mark.parametrize(("after_s", "fires"), [(29, False), (30, True)])
def test_half_a_minute_late_is_missed(after_s: int, fires: bool) -> None:
    look = seen(cron_jobs=[a_cron_job()], now_us=NOW_US + after_s * 1_000_000)

    assert bool(list(check(look))) is fires


def test_one_that_is_being_deleted_is_quiet() -> None:
    going = msgspec.structs.replace(LATE.metadata, deletion_timestamp=ago(1))

    assert list(check(seen(cron_jobs=[msgspec.structs.replace(LATE, metadata=going)]))) == []
