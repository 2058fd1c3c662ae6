"""What is said where no cause is supported."""

import msgspec

from copilot.causes.unknown import unknown
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.event import LogLine
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import Pod
from tests.builders_case import a_case, a_line, an_event
from tests.builders_objects import NEVER, a_pod, a_status, ago, terminated, waiting

CRASHED = terminated(started=ago(31), finished=ago(30), reason="Error", exit_code=1)
POD = a_pod(
    "web",
    statuses=[a_status(state=waiting("CrashLoopBackOff"), last_state=CRASHED, ready=False)],
)


def case_with(*lines: LogLine, pod: Pod = POD) -> Case:
    return a_case(app="web", pods=[pod], lines=lines, rule=Rule.CRASH_LOOP)


def looked_at(case: Case) -> Hypothesis:
    found = unknown(case)
    assert found is not None
    return found


def test_an_error_that_the_program_logged_is_quoted_and_to_be_followed() -> None:
    error = a_line("DATABASE_URL is not set", POD, at=ago(30), level="error")

    case = case_with(error)
    found = looked_at(case)

    assert found.title == "The cause is not known; the program says: DATABASE_URL is not set"
    assert found.next_check.startswith("Follow what is said")
    assert case.cited_as["log:3:1"] in found.cited


def test_last_words_that_are_no_error_are_quoted_but_explain_nothing() -> None:
    found = looked_at(case_with(a_line("config loaded", POD, at=ago(30))))

    assert found.title == "The cause is not known"
    assert any("it logged: config loaded" in s.text for s in found.supporting)
    assert found.next_check == "Read what the container logged last before it ended."


def test_without_a_line_the_end_itself_is_told() -> None:
    found = looked_at(case_with())

    assert "ended with exit code 1 (Error)" in found.supporting[0].text
    assert "1 s after its start" in found.supporting[0].text


def test_a_program_that_is_done_is_asked_whether_it_is_a_job() -> None:
    done = terminated(started=ago(31), finished=ago(30), reason="Completed", exit_code=0)
    status = a_status(
        state=waiting("CrashLoopBackOff"), last_state=done, ready=False, restart_count=3
    )

    found = looked_at(case_with(pod=a_pod("web", statuses=[status])))

    assert "ended well (exit 0)" in found.supporting[0].text
    assert found.next_check.startswith("Is it meant to end?")


def test_what_the_kubelet_says_about_a_container_that_it_cannot_make_comes_first() -> None:
    missing = waiting("CreateContainerConfigError", 'configmap "settings" not found')

    found = looked_at(case_with(pod=a_pod("web", statuses=[a_status(state=missing, ready=False)])))

    assert found.supporting[0].text.endswith(
        'cannot start (CreateContainerConfigError): configmap "settings" not found.'
    )
    assert found.next_check.startswith("Follow what is said")


def test_a_volume_that_cannot_be_mounted_is_told_by_its_event() -> None:
    creating = a_status(state=waiting("ContainerCreating"), ready=False)
    pod = a_pod("web", statuses=[msgspec.structs.replace(creating, container_id="")])
    said = 'MountVolume.SetUp failed for volume "s" : secret "tls-cert" not found'
    case = a_case(
        app="web",
        pods=[pod],
        events=[an_event("FailedMount", said, pod, at=ago(9))],
        rule=Rule.NOT_READY,
    )

    found = looked_at(case)

    assert 'secret "tls-cert" not found' in found.supporting[0].text
    assert found.supporting[0].evidence == (case.cited_as[f"event:{case.events[0].metadata.uid}"],)


def test_how_a_container_that_could_not_be_run_ended_is_quoted_from_its_status() -> None:
    ended = terminated(started=NEVER, finished=ago(20), reason="StartError", exit_code=128)
    assert ended.terminated is not None
    told = msgspec.structs.replace(ended.terminated, message='exec: "/app/server": no such file')
    status = a_status(
        state=waiting("CrashLoopBackOff"),
        last_state=msgspec.structs.replace(ended, terminated=told),
        ready=False,
    )

    found = looked_at(case_with(pod=a_pod("web", statuses=[status])))

    assert 'exec: "/app/server": no such file' in found.supporting[0].text
