"""Out-of-memory kills: seen wherever the cluster shows them, quiet once they are over."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from copilot.detect.rules.oom_killed import check
from copilot.domain.alert import Rule, Seen, Strain
from copilot.domain.event import KernelKill, TemplateActivity
from copilot.domain.objects import Pod, epoch_us
from tests.builders_detect import a_recorded_pod, an_activity, seen, watched_pods
from tests.builders_objects import (
    NEVER,
    NOW,
    NOW_US,
    a_container,
    a_job,
    a_pod,
    a_status,
    ago,
    ago_us,
    an_oom_killed_pod,
    running,
    terminated,
)

SECOND_US = 1_000_000


def a_kill(pod: Pod, *, container_id: str = "", seconds_ago: float = 2) -> KernelKill:
    return KernelKill(
        ts_us=ago_us(seconds_ago),
        node="dev",
        pod_uid=pod.metadata.uid,
        container_id=container_id,
        process="memhog",
        line="Memory cgroup out of memory: Killed process 29516 (memhog) anon-rss:32256kB",
    )


def one_second_after_the_last_move(pod: Pod) -> Seen:
    """Seen as the watch delivered it."""
    moves = [c.last_transition_time for c in pod.status.conditions or ()]
    newest = max(move for move in moves if move)
    return seen(pod, now_us=epoch_us(newest) + SECOND_US)


@pytest.mark.parametrize(
    ("line", "killed_at", "says"),
    [
        pytest.param(0, "07:55:32Z", "running again, ready", id="ready between two kills"),
        pytest.param(1, "07:56:01Z", "down now", id="just killed"),
        pytest.param(2, "07:56:01Z", "CrashLoopBackOff", id="backing off"),
        pytest.param(3, "07:56:01Z", "running again, ready", id="ready again"),
        pytest.param(4, "07:56:27Z", "down now", id="killed again"),
    ],
)
def test_each_line_of_the_recorded_watch_shows_the_kill(
    line: int, killed_at: str, says: str
) -> None:
    pod = watched_pods()[line]

    (alert,) = check(one_second_after_the_last_move(pod))

    assert alert.title == "oom-demo/app was OOM-killed (exit 137, limit 32Mi)"
    assert f"at {killed_at} after running for 3 s" in alert.message
    assert says in alert.message


def test_all_lines_of_the_recorded_watch_are_the_same_trouble() -> None:
    looks = [one_second_after_the_last_move(pod) for pod in watched_pods()]

    fingerprints = {alert.fingerprint for look in looks for alert in check(look)}

    assert len(fingerprints) == 1


def test_the_count_of_kills_never_falls_along_the_recorded_watch() -> None:
    looks = [one_second_after_the_last_move(pod) for pod in watched_pods()]

    counts = [alert.count for look in looks for alert in check(look)]

    assert counts == [27, 28, 28, 28, 29]


def test_the_recorded_pod_is_placed_on_its_deployment_at_the_time_of_the_kill() -> None:
    pod = a_recorded_pod("kubernetes/pod_oomkilled_crashloop.json")

    (alert,) = check(one_second_after_the_last_move(pod))

    assert (alert.rule, alert.workload.key) == (Rule.OOM_KILLED, "Deployment/demo/oom-demo")
    assert (alert.pod, alert.container, alert.node) == (pod.metadata.name, "app", "dev")
    assert alert.starts_us == 1_795_419_003 * SECOND_US
    assert alert.count == 4


def test_another_pod_of_the_workload_has_the_same_fingerprint_and_another_container_has_not() -> (
    None
):
    kill = terminated(started=ago(5), finished=ago(2))
    first = an_oom_killed_pod(suffix="aaaaa")
    second = an_oom_killed_pod(suffix="bbbbb")
    sidecar = a_pod(statuses=[a_status("sidecar", state=kill, ready=False)])

    prints = [alert.fingerprint for alert in check(seen(first, second, sidecar))]

    assert prints[0] == prints[1] != prints[2]


def test_a_killed_init_container_is_seen() -> None:
    kill = terminated(started=ago(5), finished=ago(2))
    pod = a_pod(statuses=[], init_statuses=[a_status("migrate", state=kill, ready=False)])

    (alert,) = check(seen(pod))

    assert alert.container == "migrate"


def test_a_container_without_a_limit_says_so() -> None:
    pod = an_oom_killed_pod(containers=[a_container(limit=None)])

    (alert,) = check(seen(pod))

    assert "no memory limit" in alert.title


def test_a_back_off_that_merely_sleeps_is_not_quiet() -> None:
    pod = an_oom_killed_pod(killed=ago(1200), now_is="waiting")

    assert len(list(check(seen(pod)))) == 1


@pytest.mark.parametrize(
    ("lived_s", "up_s", "is_over"),
    [
        pytest.param(3, 59, False, id="not yet a minute"),
        pytest.param(3, 61, True, id="a minute after a short life"),
        pytest.param(120, 239, False, id="not yet twice its earlier life"),
        pytest.param(120, 241, True, id="twice its earlier life"),
        pytest.param(3600, 590, False, id="a long life, killed within ten minutes"),
        pytest.param(3600, 610, True, id="a long life, killed more than ten minutes ago"),
    ],
)
def test_a_kill_is_over_when_the_container_has_proved_it(
    lived_s: float, up_s: float, is_over: bool
) -> None:
    pod = an_oom_killed_pod(
        killed=ago(up_s), lived_s=lived_s, now_is="running", running_since=ago(up_s)
    )

    assert (list(check(seen(pod))) == []) is is_over


def test_a_container_that_runs_again_but_is_not_ready_has_not_recovered() -> None:
    kill = terminated(started=ago(303), finished=ago(300))
    status = a_status(state=running(ago(299)), last_state=kill, ready=False, restart_count=1)

    assert len(list(check(seen(a_pod(statuses=[status]))))) == 1


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod(), id="healthy"),
        pytest.param(
            a_pod(
                statuses=[a_status(state=terminated(started=ago(9), finished=ago(5)), ready=False)],
                deleted=NOW,
            ),
            id="being deleted",
        ),
        pytest.param(
            a_pod(
                statuses=[
                    a_status(
                        state=terminated(
                            started=ago(9), finished=ago(5), reason="Error", exit_code=137
                        ),
                        ready=False,
                    )
                ]
            ),
            id="killed with 137 from outside",
        ),
        pytest.param(
            a_pod(
                owner_kind="Job",
                phase="Failed",
                restart_policy="Never",
                statuses=[
                    a_status(state=terminated(started=ago(999), finished=ago(900)), ready=False)
                ],
            ),
            id="a failed job's kill of a quarter of an hour ago",
        ),
        pytest.param(
            a_pod(
                phase="Succeeded",
                owner_kind="Job",
                statuses=[
                    a_status(
                        state=terminated(
                            started=ago(20), finished=ago(5), reason="Completed", exit_code=0
                        ),
                        last_state=terminated(started=ago(60), finished=ago(30)),
                        ready=False,
                    )
                ],
            ),
            id="a job that was killed once and then finished",
        ),
    ],
)
def test_what_is_no_kill_or_is_over_is_quiet(pod: Pod) -> None:
    assert list(check(seen(pod))) == []


def test_a_job_that_was_just_killed_is_seen_though_nothing_restarts_it() -> None:
    kill = terminated(started=ago(40), finished=ago(5))
    pod = a_pod(
        owner_kind="Job",
        phase="Failed",
        restart_policy="Never",
        statuses=[a_status(state=kill, ready=False)],
    )

    (alert,) = check(seen(pod))

    assert (alert.workload.kind, alert.count) == ("Job", 1)


def test_a_kernel_line_names_the_container_whose_child_was_killed() -> None:
    sidecar = a_status("sidecar")
    app = msgspec.structs.replace(a_status("app"), container_id="containerd://9c7a0e4a91940a18")
    pod = a_pod(statuses=[sidecar, app])

    (alert,) = check(seen(pod, kernel_kills=[a_kill(pod, container_id="9c7a0e4a91940a18")]))

    assert alert.container == "app"
    assert (alert.source, alert.starts_us) == ("kernel", ago_us(2))
    assert alert.title == "oom-demo/app was OOM-killed (process memhog, limit 32Mi)"


def test_a_kernel_line_of_an_unknown_container_names_the_pod_alone() -> None:
    pod = a_pod(statuses=[a_status("sidecar"), a_status("app")])

    (alert,) = check(seen(pod, kernel_kills=[a_kill(pod, container_id="unheard-of")]))

    assert alert.container == ""
    assert alert.title == "oom-demo was OOM-killed (process memhog)"


def test_a_kernel_line_is_the_same_trouble_as_the_status() -> None:
    by_status = an_oom_killed_pod()
    by_kernel = a_pod()

    (told,) = check(seen(by_status))
    (logged,) = check(seen(by_kernel, kernel_kills=[a_kill(by_kernel)]))

    assert told.fingerprint == logged.fingerprint


def test_a_kernel_line_written_by_systemd_still_finds_its_pod() -> None:
    pod = a_pod(uid="4168082e-632a-4faf-837a-c508b6ba9f22")
    kill = a_kill(a_pod(uid="4168082e_632a_4faf_837a_c508b6ba9f22"))

    assert len(list(check(seen(pod, kernel_kills=[kill])))) == 1


def test_kernel_lines_of_unknown_pods_and_of_long_ago_are_quiet() -> None:
    pod = a_pod()
    gone = a_kill(a_pod(uid="gone"))
    old = a_kill(pod, seconds_ago=700)

    assert list(check(seen(pod, kernel_kills=[gone, old]))) == []


def test_a_kernel_line_is_quiet_once_the_container_has_been_well_for_a_minute() -> None:
    pod = a_pod()
    kill = a_kill(pod, seconds_ago=61)

    assert list(check(seen(pod, kernel_kills=[kill]))) == []


def test_a_time_ahead_of_our_clock_is_taken_as_now() -> None:
    pod = an_oom_killed_pod(killed=NOW + timedelta(seconds=30))

    (alert,) = check(seen(pod))

    assert alert.starts_us == NOW_US


# ------------------------------------------------------------------ children that the node counts


PARENT = a_pod("web", statuses=[a_status(state=running(ago(300)))])


def a_strain(
    *,
    kills: float = 0,
    killed_s: float = 20,
    refusals: float = 0,
    peak: float = 0,
    whole: bool = False,
) -> Strain:
    return Strain(
        namespace="demo",
        pod=PARENT.metadata.name,
        container="" if whole else "app",
        kills=kills,
        killed_us=ago_us(killed_s),
        refusals=refusals,
        peak_bytes=peak,
    )


def a_line(pattern: str) -> TemplateActivity:
    activity = an_activity(pattern, severity=9, pod=PARENT.metadata.name)
    return replace(activity, stream=msgspec.structs.replace(activity.stream, namespace="demo"))


FULL = a_strain(refusals=222, peak=32 * 2**20, whole=True)


def test_a_child_that_the_node_counts_as_killed_is_told() -> None:
    (alert,) = check(seen(PARENT, strains=[a_strain(kills=2)]))

    assert alert.title == "web/app had a process OOM-killed and lives on (limit 32Mi)"
    assert (alert.count, alert.starts_us, alert.source) == (2, ago_us(20), "kubelet")


def test_a_full_pod_whose_log_says_killed_is_told() -> None:
    assert len(list(check(seen(PARENT, strains=[FULL], activity=[a_line("Killed")])))) == 1


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(seen(PARENT, strains=[FULL]), id="full, and nothing was killed"),
        pytest.param(
            seen(PARENT, strains=[FULL], activity=[a_line("done")]), id="says other things"
        ),
        pytest.param(
            seen(
                PARENT,
                strains=[a_strain(refusals=222, peak=16 * 2**20, whole=True)],
                activity=[a_line("Killed")],
            ),
            id="was never full",
        ),
        pytest.param(
            seen(
                a_pod("web", statuses=[a_status(state=running(ago(10)))]),
                strains=[a_strain(kills=1)],
            ),
            id="the run before",
        ),
    ],
)
def test_a_full_container_without_a_kill_is_quiet(look: Seen) -> None:
    assert list(check(look)) == []


def test_a_limit_too_small_to_start_with_is_a_kill() -> None:
    never = terminated(started=NEVER, finished=ago(1), reason="StartError", exit_code=128)
    why = "container init was OOM-killed (memory limit too low?)"
    assert never.terminated is not None
    failed = msgspec.structs.replace(never.terminated, message=why)
    state = msgspec.structs.replace(never, terminated=failed)

    assert len(list(check(seen(a_pod(statuses=[a_status(state=state, ready=False)]))))) == 1


def test_a_kill_that_a_job_has_made_up_for_is_over() -> None:
    killed = terminated(started=ago(60), finished=ago(50))
    pod = a_pod(
        "export",
        phase="Failed",
        owner_kind="Job",
        restart_policy="Never",
        statuses=[a_status(state=killed, ready=False)],
    )
    trying = msgspec.structs.replace(
        a_job(failed=1, active=1),
        metadata=msgspec.structs.replace(
            a_job().metadata, uid=(pod.metadata.owner_references or [])[0].uid
        ),
    )

    assert len(list(check(seen(pod, jobs=[trying], listed=["Job"])))) == 1
    assert len(list(check(seen(pod)))) == 1
    assert list(check(seen(pod, listed=["Job"]))) == []
