"""Room for a program and its volume in memory."""

import msgspec

from copilot.agents.remedies import REMEDIES
from copilot.causes.memory_volume import memory_volume
from copilot.domain.action import SetMemory
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause
from copilot.domain.objects import EmptyDir, Volume, VolumeMount
from tests.builders_case import a_case, a_line
from tests.builders_net import drafts_and_notes, the_action
from tests.builders_objects import a_container, a_deployment, ago, an_oom_killed_pod

VOLUME = REMEDIES[Cause.MEMORY_VOLUME]


def killed(size: str | None) -> Case:
    container = msgspec.structs.replace(
        a_container(limit="32Mi"), volume_mounts=[VolumeMount(name="cache", mount_path="/cache")]
    )
    pod = an_oom_killed_pod("billing")
    volume = Volume(name="cache", empty_dir=EmptyDir(medium="Memory", size_limit=size))
    spec = msgspec.structs.replace(pod.spec, containers=[container], volumes=[volume])
    pod = msgspec.structs.replace(pod, spec=spec)
    return a_case(
        pods=[pod],
        workload=a_deployment("billing", containers=[container]),
        lines=[a_line("filling /cache", pod, at=ago(21))],
    )


def test_the_limit_gets_room_for_both() -> None:
    case = killed("64Mi")

    action = the_action(case, memory_volume(case), VOLUME)

    assert isinstance(action, SetMemory)
    assert action.limit == "96Mi"


def test_a_volume_without_a_size_has_no_limit_that_would_do() -> None:
    case = killed(None)

    drafts, notes = drafts_and_notes(case, memory_volume(case), VOLUME)

    assert drafts == []
    assert "give it one" in notes[0]


def test_a_volume_that_is_far_too_large_is_for_people() -> None:
    case = killed("1Gi")

    assert drafts_and_notes(case, memory_volume(case), VOLUME)[0] == []
