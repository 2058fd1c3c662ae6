"""Programs that may not write where they want to."""

import msgspec
import pytest

from copilot.causes.volume_permission import volume_permission
from copilot.domain.alert import Rule
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import Container, SecurityContext, VolumeMount
from tests.builders_around import with_spec
from tests.builders_case import a_case, a_line
from tests.builders_objects import a_container, a_pod, a_status, ago, terminated, waiting


def looked_at(body: str, container: Container) -> Hypothesis | None:
    ended = terminated(exit_code=1, reason="Error", started=ago(30), finished=ago(20))
    status = a_status(
        state=waiting("CrashLoopBackOff"), last_state=ended, ready=False, restart_count=3
    )
    pod = with_spec(a_pod("billing", statuses=[status], created=ago(60)), container=container)
    return volume_permission(
        a_case(pods=[pod], lines=[a_line(body, pod, at=ago(21))], rule=Rule.CRASH_LOOP)
    )


def a_writer(
    *, read_only_mount: bool = False, read_only_root: bool = False, user: int | None = None
) -> Container:
    return msgspec.structs.replace(
        a_container(),
        volume_mounts=[VolumeMount(name="c", mount_path="/c", read_only=read_only_mount)],
        security_context=SecurityContext(
            read_only_root_filesystem=read_only_root, run_as_user=user
        ),
    )


@pytest.mark.parametrize(
    ("body", "container", "detail", "words"),
    [
        pytest.param(
            "sh: can't create /c/x: Read-only file system",
            a_writer(read_only_mount=True),
            "read_only_mount",
            "Volume c is mounted read-only at /c.",
            id="mount",
        ),
        pytest.param(
            "open /var/cache/app: read-only file system",
            a_writer(read_only_root=True),
            "read_only_root",
            "root file system is read-only",
            id="root",
        ),
        pytest.param(
            "sh: can't create /c/x: Permission denied",
            a_writer(user=1000),
            "not_owner",
            "runs as user 1000 without an fsGroup",
            id="user",
        ),
    ],
)
def test_what_keeps_a_program_from_writing_is_read_from_its_spec(
    body: str, container: Container, detail: str, words: str
) -> None:
    found = looked_at(body, container)

    assert found is not None
    assert found.detail == detail
    assert words in found.supporting[1].text


@pytest.mark.parametrize(
    "body",
    [
        "ERROR: permission denied for table users",
        "sh: can't create /data/x: nonexistent directory",
        "connection refused",
    ],
)
def test_what_is_refused_elsewhere_is_no_matter_of_volumes(body: str) -> None:
    assert looked_at(body, a_writer(user=1000)) is None


def test_a_command_that_may_not_be_run_is_no_matter_of_volumes() -> None:
    container = msgspec.structs.replace(a_writer(), command=["sh", "-c", "/c/run.sh --now"])

    assert looked_at("sh: /c/run.sh: Permission denied", container) is None


def test_a_shell_that_may_not_write_where_it_is_told_to_has_no_invalid_command() -> None:
    container = msgspec.structs.replace(
        a_writer(user=1000), command=["sh", "-c", "date; echo hi > /c/x"]
    )

    found = looked_at("sh: can't create /c/x: Permission denied", container)

    assert found is not None
    assert found.detail == "not_owner"


def test_without_a_reason_in_the_spec_it_is_less_sure() -> None:
    found = looked_at("mkdir: can't create directory '/srv/x': Permission denied", a_writer())

    assert found is not None
    assert found.confidence < 0.8
    assert found.next_check
