"""Commands that are not there, in the words of a real runtime and a real shell."""

import msgspec
import pytest

from copilot.causes.command_invalid import command_invalid
from copilot.domain.alert import Rule
from copilot.domain.hypothesis import Hypothesis, Verdict
from copilot.domain.objects import ContainerState, Pod
from tests.builders_around import with_spec
from tests.builders_case import a_case, a_line
from tests.builders_objects import NEVER, a_container, a_pod, a_status, ago, terminated, waiting

RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc "
    "create failed: unable to start container process: "
)


def an_ended_pod(
    exit_code: int, reason: str = "Error", message: str = "", *, command: str = "sh"
) -> Pod:
    started = NEVER if reason == "StartError" else ago(30)
    ended = terminated(exit_code=exit_code, reason=reason, started=started, finished=ago(20))
    assert ended.terminated is not None
    ended = ContainerState(terminated=msgspec.structs.replace(ended.terminated, message=message))
    status = a_status(
        state=waiting("CrashLoopBackOff", "back-off 20s restarting failed container=app"),
        last_state=ended,
        ready=False,
        restart_count=3,
    )
    pod = a_pod("billing", statuses=[status], created=ago(60))
    container = msgspec.structs.replace(a_container(), command=[command])
    return with_spec(pod, container=container)


def looked_at(pod: Pod, *bodies: str) -> Hypothesis | None:
    lines = [a_line(body, pod, at=ago(21), address=f"3:{n}") for n, body in enumerate(bodies, 1)]
    return command_invalid(a_case(pods=[pod], lines=lines, rule=Rule.CRASH_LOOP))


@pytest.mark.parametrize(
    ("message", "detail", "title"),
    [
        pytest.param(
            RUNC + 'exec: "serverr": executable file not found in $PATH: unknown',
            "not_found",
            "The command serverr of app is not in the image",
            id="not in the path",
        ),
        pytest.param(
            RUNC + 'exec: "/app/serverr": stat /app/serverr: no such file or directory: unknown',
            "not_found",
            "The command /app/serverr of app is not in the image",
            id="no such file",
        ),
        pytest.param(
            RUNC + 'exec: "/etc": permission denied: unknown',
            "not_executable",
            "The command /etc of app may not be run",
            id="not executable",
        ),
        pytest.param(
            RUNC + "error during container init: mkdir /etc/hostname: not a directory: unknown",
            "working_directory",
            "The command sh of app has a working directory that is not there",
            id="working directory",
        ),
    ],
)
def test_what_the_runtime_cannot_start_is_an_invalid_command(
    message: str, detail: str, title: str
) -> None:
    found = looked_at(an_ended_pod(128, "StartError", message))

    assert found is not None
    assert found.verdict is Verdict.SUPPORTED
    assert found.detail == detail
    assert found.title == title
    assert "OCI runtime" not in found.supporting[0].text


@pytest.mark.parametrize(
    ("code", "line", "detail"),
    [
        (127, "sh: nosuchprogram: not found", "not_found"),
        (126, "sh: /etc/passwd: Permission denied", "not_executable"),
    ],
)
def test_what_a_shell_does_not_find_is_an_invalid_command(
    code: int, line: str, detail: str
) -> None:
    found = looked_at(an_ended_pod(code), "starting", line)

    assert found is not None
    assert found.detail == detail
    assert line in found.supporting[1].text


def test_an_exit_code_alone_says_less() -> None:
    alone, told = looked_at(an_ended_pod(127)), looked_at(an_ended_pod(127), "sh: x: not found")

    assert alone is not None
    assert told is not None
    assert alone.confidence < told.confidence
    assert alone.next_check


def test_a_program_that_misses_a_file_is_no_invalid_command() -> None:
    assert looked_at(an_ended_pod(1), "open /data/x: no such file or directory") is None


def test_a_start_that_did_not_fit_into_memory_is_no_invalid_command() -> None:
    message = RUNC + "container init was OOM-killed (memory limit too low?): unknown"

    assert looked_at(an_ended_pod(128, "StartError", message)) is None


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(
            "container create failed: executable file `serverr` not found in $PATH: No such file or "
            "directory",
            id="crun",
        ),
        pytest.param(
            'container create failed: time="2026-01-01" level=error msg="runc create failed: unable '
            'to start container process: exec: \\"serverr\\": executable file not found in $PATH"',
            id="runc under CRI-O",
        ),
    ],
)
def test_a_runtime_that_makes_no_container_of_it_is_believed_too(message: str) -> None:
    status = a_status(state=waiting("CreateContainerError", message), ready=False)
    status = msgspec.structs.replace(status, container_id="")
    pod = a_pod("billing", statuses=[status], phase="Pending", created=ago(60))

    found = looked_at(with_spec(pod, container=a_container()))

    assert found is not None
    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "not_found")
    assert found.title == "The command serverr of app is not in the image"


def test_a_mount_that_crun_cannot_make_is_no_command() -> None:
    message = "container create failed: mount `/x` to `/y`: No such file or directory"
    status = a_status(state=waiting("CreateContainerError", message), ready=False)
    pod = a_pod("billing", statuses=[status], phase="Pending", created=ago(60))

    assert looked_at(with_spec(pod, container=a_container())) is None
