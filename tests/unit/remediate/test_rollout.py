"""What the pods of a change tell."""

import msgspec
import pytest

from copilot.domain.objects import Condition, ManagedFields, Pod
from copilot.remediate.rollout import (
    death_of,
    longest_life_us,
    patched_us,
    running_now,
)
from copilot.remediate.tree import decode
from tests.builders_objects import (
    NEVER,
    a_deployment,
    a_pod,
    a_status,
    ago,
    ago_us,
    an_oom_killed_pod,
    running,
    terminated,
    waiting,
)

PATCHED_US = ago_us(60)


@pytest.mark.parametrize(
    ("pod", "says"),
    [
        pytest.param(a_pod(created=ago(30)), "", id="a-new-pod-that-runs-lives"),
        pytest.param(
            an_oom_killed_pod(killed=ago(20), now_is="running"),
            "was OOMKilled with exit code 137 after 3 s",
            id="running-again-does-not-hide-a-kill",
        ),
        pytest.param(
            an_oom_killed_pod(killed=ago(90), now_is="running"),
            "",
            id="a-kill-before-the-patch-is-history-of-an-old-pod",
        ),
        pytest.param(
            an_oom_killed_pod(killed=ago(30), lived_s=60, now_is="running"),
            "",
            id="a-run-that-began-before-had-not-seen-the-change",
        ),
        pytest.param(
            an_oom_killed_pod(killed=ago(30), lived_s=20, now_is="running"),
            "after 20 s",
            id="a-run-that-began-since-had",
        ),
        pytest.param(
            a_pod(
                created=ago(30),
                restart_policy="Never",
                statuses=[
                    a_status(
                        state=terminated(
                            started=ago(20), finished=ago(10), reason="Completed", exit_code=0
                        )
                    )
                ],
            ),
            "",
            id="a-pod-that-runs-to-its-end-may-end-well",
        ),
        pytest.param(
            a_pod(
                created=ago(30),
                init_statuses=[
                    a_status(
                        "init",
                        state=terminated(
                            started=ago(20), finished=ago(10), reason="Error", exit_code=1
                        ),
                    )
                ],
            ),
            "container init",
            id="an-init-container-that-fails",
        ),
        pytest.param(
            a_pod(created=ago(30), statuses=[a_status(restart_count=2)]),
            "was restarted 2 times",
            id="a-restart-without-a-trace",
        ),
        pytest.param(
            a_pod(created=ago(30), statuses=[a_status(state=waiting("ImagePullBackOff"))]),
            "waits: ImagePullBackOff",
            id="an-image-that-does-not-come",
        ),
        pytest.param(
            a_pod(created=ago(30), statuses=[a_status(state=waiting("ContainerCreating"))]),
            "",
            id="being-created-is-no-failure",
        ),
        pytest.param(
            a_pod(created=ago(30), phase="Failed", reason="Evicted"), "Evicted", id="evicted"
        ),
        pytest.param(
            a_pod(
                created=ago(30),
                statuses=[
                    a_status(
                        state=waiting(
                            "CreateContainerConfigError",
                            "couldn't find key dsn in ConfigMap demo/settings",
                        )
                    )
                ],
            ),
            "waits: CreateContainerConfigError",
            id="a-key-that-is-not-there",
        ),
        pytest.param(
            a_pod(
                created=ago(30),
                statuses=[
                    a_status(
                        state=waiting(
                            "CreateContainerConfigError",
                            "failed to sync configmap cache: timed out waiting for the condition",
                        )
                    )
                ],
            ),
            "",
            id="a-kubelet-that-has-not-read-it-yet",
        ),
    ],
)
def test_a_death_since_the_patch_is_told(pod: Pod, says: str) -> None:
    death = death_of(pod, PATCHED_US)

    assert (says in death) if says else death == ""


@pytest.mark.parametrize(
    ("pod", "seconds"),
    [
        pytest.param(an_oom_killed_pod(lived_s=6, now_is="running"), 6, id="in-last-state"),
        pytest.param(an_oom_killed_pod(lived_s=6, now_is="terminated"), 6, id="in-state"),
        pytest.param(a_pod(), 0, id="one-that-lives-has-not-failed"),
        pytest.param(
            a_pod(
                statuses=[
                    a_status(
                        state=terminated(
                            started=NEVER, finished=ago(5), reason="StartError", exit_code=128
                        ),
                        ready=False,
                    )
                ]
            ),
            0,
            id="one-that-never-started-has-not-lived",
        ),
        pytest.param(
            a_pod(
                deleted=ago(5),
                statuses=[
                    a_status(
                        state=terminated(
                            started=ago(900), finished=ago(5), reason="Error", exit_code=143
                        )
                    )
                ],
            ),
            0,
            id="one-that-was-stopped-has-not-failed",
        ),
        pytest.param(
            a_pod(
                deleted=ago(4),
                phase="Failed",
                reason="Evicted",
                statuses=[
                    a_status(
                        state=terminated(
                            started=ago(31), finished=ago(5), reason="Error", exit_code=137
                        )
                    )
                ],
            ),
            26,
            id="one-that-was-evicted-has-failed-though-it-was-deleted-since",
        ),
        pytest.param(
            a_pod(
                created=ago(31),
                deleted=ago(4),
                phase="Failed",
                reason="Evicted",
                statuses=[],
                conditions=[
                    Condition(type="Initialized", status="True", last_transition_time=ago(31)),
                    Condition(type="Ready", status="False", last_transition_time=ago(5)),
                ],
            ),
            26,
            id="one-that-was-evicted-may-tell-no-more-of-its-containers",
        ),
    ],
)
def test_the_longest_life_counts_failures_only(pod: Pod, seconds: int) -> None:
    assert longest_life_us([a_pod(), pod]) == seconds * 1_000_000


def test_the_patch_is_timed_by_the_api_servers_clock() -> None:
    deployment = a_deployment()
    ours = ManagedFields(manager="incident-copilot", time=ago(60))
    other = ManagedFields(manager="kubectl", time=ago(5))
    metadata = msgspec.structs.replace(deployment.metadata, managed_fields=[ours, other])
    stamped = msgspec.structs.replace(deployment, metadata=metadata)

    seen, unseen = (decode(msgspec.json.encode(one)) for one in (stamped, deployment))
    assert patched_us(seen, "incident-copilot", 0) == ago_us(60)
    assert patched_us(unseen, "incident-copilot", ago_us(7) + 5) == ago_us(7)


def test_running_means_every_container_runs_and_is_ready() -> None:
    unready = a_pod(suffix="b", statuses=[a_status(state=running(ago(5)), ready=False)])

    assert running_now((a_pod(),)) == {
        (a_pod().metadata.uid, "app"): f"{a_status().container_id}#0"
    }
    assert running_now((a_pod(), unready)) is None
    assert running_now((a_pod(statuses=[]),)) is None
