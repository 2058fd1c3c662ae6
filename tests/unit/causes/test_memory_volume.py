"""Volumes in memory that fill a limit, and those that cannot."""

import msgspec

from copilot.causes import explain
from copilot.causes.memory_volume import memory_volume
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict
from copilot.domain.objects import EmptyDir, Pod, Volume, VolumeMount
from tests.builders_case import a_case, a_line, an_alert
from tests.builders_objects import a_container, a_pod, ago, an_oom_killed_pod


def with_volume(pod: Pod, size: str | None, *, medium: str = "Memory") -> Pod:
    container = msgspec.structs.replace(
        a_container(limit="32Mi"), volume_mounts=[VolumeMount(name="cache", mount_path="/cache")]
    )
    volume = Volume(name="cache", empty_dir=EmptyDir(medium=medium, size_limit=size))
    spec = msgspec.structs.replace(pod.spec, containers=[container], volumes=[volume])
    return msgspec.structs.replace(pod, spec=spec)


def killed(size: str | None, *, medium: str = "Memory", said: str = "") -> Case:
    pod = with_volume(an_oom_killed_pod("billing"), size, medium=medium)
    lines = [a_line(said, pod, at=ago(21))] if said else []
    return a_case(pods=[pod], lines=lines)


def looked_at(case: Case) -> Hypothesis:
    found = memory_volume(case)
    assert found is not None
    return found


def test_a_volume_that_may_hold_more_than_the_limit_is_supported() -> None:
    found = looked_at(killed("64Mi"))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "size_above_limit")
    assert any("may hold 64Mi" in s.text for s in found.supporting)


def test_a_log_that_speaks_of_the_place_supports_one_without_a_size() -> None:
    found = looked_at(killed(None, said="filling cache in /cache"))

    assert found.verdict is Verdict.SUPPORTED
    assert any("filling cache in /cache" in s.text for s in found.supporting)


def test_such_a_volume_alone_is_undecided() -> None:
    found = looked_at(killed(None))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert "du -sh /cache" in found.next_check


def test_one_that_is_far_too_small_is_refuted() -> None:
    assert looked_at(killed("4Mi")).verdict is Verdict.REFUTED


def test_a_volume_on_disk_says_nothing() -> None:
    assert memory_volume(killed("64Mi", medium="")) is None


def test_a_process_killed_inside_a_container_that_lives_on_counts_too() -> None:
    pod = with_volume(a_pod("billing"), "64Mi")

    assert looked_at(a_case(pods=[pod], alerts=[an_alert()])).verdict is Verdict.SUPPORTED


def test_it_explains_the_limit_that_is_too_low() -> None:
    assert explain(killed("64Mi", said="writing /cache/a"))[0].cause is Cause.MEMORY_VOLUME
