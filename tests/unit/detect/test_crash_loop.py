"""Crash loops: what keeps dying, and what only ended."""

import msgspec
import pytest

from copilot.detect.rules.crash_loop import check
from copilot.domain.objects import Pod
from tests.builders_detect import FAULTS_US, recorded_faults, seen, watched_pods
from tests.builders_objects import NEVER, a_pod, a_status, ago, ago_us, running, terminated, waiting

CRASHED = terminated(started=ago(25), finished=ago(20), reason="Error", exit_code=1)
ENDED = terminated(started=ago(25), finished=ago(20), reason="Completed", exit_code=0)
BACK_OFF = waiting("CrashLoopBackOff", "back-off 20s restarting failed container")


def test_a_back_off_is_a_crash_loop_and_says_how_it_ended() -> None:
    status = a_status(state=BACK_OFF, last_state=CRASHED, ready=False, restart_count=2)

    (alert,) = check(seen(a_pod("web", statuses=[status])))

    assert alert.title == "web/app is in a crash loop (exit 1, 2 restarts)"
    assert "after 5 s: Error, exit code 1" in alert.message
    assert alert.count == 2


def test_a_command_that_cannot_be_run_again_is_a_loop_before_the_kubelet_says_so() -> None:
    cannot = waiting("RunContainerError", 'exec: "/app/server": no such file or directory')
    never = terminated(started=NEVER, finished=ago(20), reason="StartError", exit_code=128)
    status = a_status(state=cannot, last_state=never, ready=False, restart_count=1)

    assert len(list(check(seen(a_pod(statuses=[status]))))) == 1


def test_a_command_that_is_not_there_is_told_at_its_first_try() -> None:
    why = 'runc create failed: unable to start container process: exec: "srv": not found: unknown'
    never = terminated(started=NEVER, finished=ago(1), reason="StartError", exit_code=128)
    assert never.terminated is not None
    failed = msgspec.structs.replace(never.terminated, message=why)
    state = msgspec.structs.replace(never, terminated=failed)

    (alert,) = check(seen(a_pod("web", statuses=[a_status(state=state, ready=False)])))

    assert alert.title == 'web/app cannot be started: exec: "srv": not found'


def test_one_restart_reads_as_one() -> None:
    status = a_status(state=BACK_OFF, last_state=CRASHED, ready=False, restart_count=1)

    (alert,) = check(seen(a_pod("web", statuses=[status])))

    assert alert.title == "web/app is in a crash loop (exit 1, 1 restart)"
    assert "has restarted once." in alert.message


def test_two_failed_lives_in_a_row_are_a_loop_before_the_kubelet_says_so() -> None:
    before = terminated(started=ago(28), finished=ago(27), reason="Error", exit_code=1)
    status = a_status(state=CRASHED, last_state=before, ready=False, restart_count=1)

    (alert,) = check(seen(a_pod("web", statuses=[status])))

    assert alert.starts_us == ago_us(20)


def test_a_command_that_cannot_be_run_has_not_lived_since_1970() -> None:
    never = terminated(started=NEVER, finished=ago(20), reason="StartError", exit_code=128)
    status = a_status(state=never, last_state=never, ready=False, restart_count=1)

    (alert,) = check(seen(a_pod("web", statuses=[status])))

    assert "before it started: StartError, exit code 128" in alert.message


def test_the_crashing_pod_of_a_real_cluster_is_the_only_one_beside_the_killed_one() -> None:
    alerts = check(seen(*recorded_faults(), now_us=FAULTS_US))

    assert {alert.workload.name for alert in alerts} == {"crasher", "childoom"}


@pytest.mark.parametrize("line", range(5))
def test_each_line_of_the_recorded_watch_shows_the_loop_also_while_ready(line: int) -> None:
    pod = watched_pods()[line]
    moves = [c.last_transition_time for c in pod.status.conditions or ()]
    newest = max(move for move in moves if move)

    (alert,) = check(seen(pod, now_us=round(newest.timestamp() * 1e6) + 1_000_000))

    assert alert.count in (27, 28)


def test_a_long_back_off_is_still_a_loop() -> None:
    died = terminated(started=ago(1300), finished=ago(1200), reason="Error", exit_code=1)
    status = a_status(state=BACK_OFF, last_state=died, ready=False, restart_count=9)

    assert len(list(check(seen(a_pod(statuses=[status]))))) == 1


def test_a_program_of_a_deployment_that_ends_well_and_is_backed_off_is_a_loop() -> None:
    status = a_status(state=BACK_OFF, last_state=ENDED, ready=False, restart_count=4)

    (alert,) = check(seen(a_pod(statuses=[status])))

    assert "exit 0" in alert.title


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod(), id="healthy"),
        pytest.param(
            a_pod(statuses=[a_status(state=running(ago(19)), last_state=CRASHED, restart_count=1)]),
            id="restarted once",
        ),
        pytest.param(
            a_pod(statuses=[a_status(state=CRASHED, ready=False)]), id="died for the first time"
        ),
        pytest.param(
            a_pod(
                statuses=[
                    a_status(
                        state=CRASHED,
                        last_state=terminated(
                            started=ago(9000), finished=ago(26), reason="Error", exit_code=1
                        ),
                        ready=False,
                        restart_count=1,
                    )
                ]
            ),
            id="died twice, the first time after long",
        ),
        pytest.param(
            a_pod(statuses=[a_status(state=running(ago(19)), last_state=ENDED, restart_count=40)]),
            id="a program that ends well and is started again",
        ),
        pytest.param(
            a_pod(
                statuses=[
                    a_status(
                        state=running(ago(399)),
                        last_state=terminated(
                            started=ago(405), finished=ago(400), reason="Error", exit_code=1
                        ),
                        restart_count=5,
                    )
                ]
            ),
            id="recovered",
        ),
        pytest.param(
            a_pod(
                statuses=[
                    a_status(
                        state=running(ago(19)),
                        last_state=terminated(
                            started=ago(90_000), finished=ago(20), reason="Error", exit_code=255
                        ),
                        restart_count=7,
                    )
                ]
            ),
            id="a node that was rebooted after a day",
        ),
        pytest.param(
            a_pod(
                owner_kind="Job",
                statuses=[a_status(state=BACK_OFF, last_state=ENDED, ready=False)],
            ),
            id="a job's container that ended with 0",
        ),
        pytest.param(
            a_pod(
                phase="Succeeded",
                owner_kind="Job",
                statuses=[a_status(state=ENDED, last_state=CRASHED, restart_count=3)],
            ),
            id="a job that is done",
        ),
        pytest.param(
            a_pod(
                phase="Failed",
                owner_kind="Job",
                statuses=[a_status(state=CRASHED, ready=False, restart_count=3)],
            ),
            id="failed for good",
        ),
        pytest.param(
            a_pod(
                deleted=ago(1),
                statuses=[a_status(state=BACK_OFF, last_state=CRASHED, ready=False)],
            ),
            id="being deleted",
        ),
    ],
)
def test_what_does_not_keep_dying_is_quiet(pod: Pod) -> None:
    assert list(check(seen(pod))) == []


def test_what_a_dying_program_says_cannot_break_a_line() -> None:
    ugly = "first\nsecond\x1b[31m " + "x" * 5000
    status = a_status(state=BACK_OFF, ready=False, restart_count=2)
    spoken = terminated(started=ago(9), finished=ago(5), reason=ugly, exit_code=1)
    pod = a_pod(statuses=[status, a_status("b", state=spoken, ready=False, restart_count=3)])

    alerts = list(check(seen(pod)))

    assert len(alerts) == 2
    assert all(a.message.isprintable() and len(a.message) < 500 for a in alerts)
