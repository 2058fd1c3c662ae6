"""Texts and objects of the cluster itself: pod logs, the kernel's lines, lists of Events."""

import json

import msgspec
import pytest

from copilot.domain.event import KernelKill, Severity, Stream
from copilot.domain.objects import KubeEvent, epoch_us
from copilot.ingest.sources import kernel, pod_logs
from copilot.ingest.sources.kube_events import batch_of, is_kube_event, kube_event_of
from tests.builders_ingest import RECEIVED_US, kubernetes_text

STREAM = Stream(namespace="demo", app="oom-demo", pod="oom-demo-x", container="app", node="dev")
POD_UID = "4168082e-632a-4faf-837a-c508b6ba9f22"
IDS = (
    "9c7a0e4a91940a185cad53a1da7bfce11c16ed944e8e1cc8b67473e5cff5f3b1",
    "7e67f8d97c0c6198c083b987f5e5aefc7a4c485e07e7bc6a3c2f6f6fe7f04fb8",
)


def kills_of(text: str, node: str = "dev") -> list[KernelKill]:
    numbered = [(1_000_000 * n, line) for n, line in enumerate(text.splitlines(), start=1)]
    return list(kernel.kills_in(numbered, node=node))


# --------------------------------------------------------------------------- the kernel


def test_two_kills_in_two_lines_each_are_two_kills() -> None:
    first, second = kills_of(kubernetes_text("kernel_oom_lines.txt"))

    assert (first.pod_uid, second.pod_uid) == (POD_UID, POD_UID)
    assert (first.container_id, second.container_id) == IDS
    assert (first.ts_us, second.ts_us) == (1_000_000, 3_000_000)
    assert first.node == "dev"
    assert "Killed process 29516 (memhog) total-vm:33972kB" in first.line


def test_a_whole_block_is_one_kill() -> None:
    (kill,) = kills_of(kubernetes_text("kernel_oom_block.txt"))

    assert (kill.pod_uid, kill.container_id, kill.process) == (POD_UID, IDS[1], "memhog")


@pytest.mark.parametrize(
    ("cgroup", "uid", "container"),
    [
        pytest.param(f"/kubepods/burstable/pod{POD_UID}/{IDS[0]}", POD_UID, IDS[0], id="cgroupfs"),
        pytest.param(f"/kubepods/pod{POD_UID}/{IDS[0]}", POD_UID, IDS[0], id="guaranteed"),
        pytest.param(
            "/kubepods.slice/kubepods-burstable.slice/"
            f"kubepods-burstable-pod{POD_UID.replace('-', '_')}.slice/"
            f"cri-containerd-{IDS[0]}.scope",
            POD_UID,
            IDS[0],
            id="systemd",
        ),
        pytest.param(
            f"/kubepods.slice/kubepods-pod{POD_UID.replace('-', '_')}.slice/crio-{IDS[0]}.scope",
            POD_UID,
            IDS[0],
            id="systemd-crio",
        ),
        pytest.param(
            f"/kubepods/besteffort/pod{'ab' * 16}/{IDS[0]}", "ab" * 16, IDS[0], id="static-pod"
        ),
        pytest.param(f"/kubepods/burstable/pod{POD_UID}", POD_UID, "", id="no-container"),
    ],
)
def test_a_cgroup_path_names_pod_and_container(cgroup: str, uid: str, container: str) -> None:
    line = (
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=x,mems_allowed=0,global_oom,"
        f"task_memcg={cgroup},task=java,pid=7,uid=0"
    )

    (kill,) = kills_of(line)

    assert (kill.pod_uid, kill.container_id, kill.process) == (uid, container, "java")
    assert kill.line == line


def test_a_kill_outside_of_pods_is_left_out() -> None:
    line = (
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
        "task_memcg=/user.slice,task=firefox,pid=7,uid=1000"
    )

    assert kills_of(line) == []


def test_a_victim_of_another_kill_is_not_mixed_in() -> None:
    first, _, second, victim = kubernetes_text("kernel_oom_lines.txt").splitlines()

    one, two = kills_of(f"{first}\n{second}\n{victim}")

    assert "29666" not in one.line
    assert "Killed process 29666" in two.line


# --------------------------------------------------------------------------- pod logs


def test_lines_of_the_log_api_are_dated_by_their_timestamp() -> None:
    lines = [
        '2026-11-23T07:34:43.173795611Z {"level":"error","msg":"disk full"}',
        "2026-11-23T07:34:44.000000001+00:00 plain text",
        "2026-11-23T07:34:45Z",
    ]

    batch = pod_logs.decode(lines, stream=STREAM, cluster="dev", received_us=RECEIVED_US)

    assert batch.lines.body == ['{"level":"error","msg":"disk full"}', "plain text", ""]
    assert batch.lines.ts_us == [
        1_795_419_283_173_795,
        1_795_419_284_000_000,
        1_795_419_285_000_000,
    ]
    assert batch.lines.severity == [Severity.ERROR, 0, 0]
    assert batch.streams == [msgspec.structs.replace(STREAM, cluster="dev")]
    assert (batch.source, batch.cluster) == ("pod_logs", "dev")


def test_a_killed_containers_log_ends_without_an_error() -> None:
    lines = kubernetes_text("pod_logs.txt").splitlines()

    batch = pod_logs.decode(lines, stream=STREAM, cluster="dev", received_us=RECEIVED_US)

    assert batch.lines.body == lines
    assert set(batch.lines.severity) == {Severity.WARN}
    assert batch.lines.ts_us[0] == 1_795_419_139_000_000
    assert [t.pattern for t in batch.templates] == ["warn cache grew"]


def test_the_kubelets_excuse_is_not_a_log_line() -> None:
    text = kubernetes_text("pod_logs_previous_gone.txt")

    batch = pod_logs.decode([text], stream=STREAM, cluster="dev", received_us=RECEIVED_US)

    assert len(batch.lines) == 0
    assert batch.set_aside[0].reason == "the kubelet says that the log is gone"


def test_the_same_lines_have_the_same_key_whenever_they_are_read() -> None:
    def key(lines: list[str], stream: Stream = STREAM, at_us: int = RECEIVED_US) -> bytes:
        return pod_logs.decode(lines, stream=stream, cluster="dev", received_us=at_us).key

    assert key(["a", "b"]) == key(["a", "b"], at_us=RECEIVED_US + 1)
    assert key(["a", "b"]) != key(["a"])
    assert key(["a"]) != key(["a"], stream=msgspec.structs.replace(STREAM, container="b"))


# --------------------------------------------------------------------------- Events


def test_both_apis_events_come_out_alike() -> None:
    core = [kube_event_of(e) for e in json.loads(kubernetes_text("events_corev1.json"))["items"]]
    newer = [kube_event_of(e) for e in json.loads(kubernetes_text("events_eventsv1.json"))["items"]]

    def told(events: list[KubeEvent]) -> list[tuple[object, ...]]:
        return [
            (e.metadata.uid, e.reason, e.message, e.involved_object.name, e.count, e.occurred)
            for e in sorted(events, key=lambda e: e.metadata.uid)
        ]

    assert len(core) == len(newer) == 14
    assert told(core) == told(newer)


def test_a_watched_event_is_recognised_and_a_pod_is_not() -> None:
    lines = kubernetes_text("watch_events.jsonl").splitlines()
    objects = [json.loads(line)["object"] for line in lines]

    events = [kube_event_of(o) for o in objects if is_kube_event(o)]

    assert len(events) == len(objects)
    assert all(epoch_us(e.occurred) for e in events)
    assert not is_kube_event(json.loads(kubernetes_text("pod_oomkilled_crashloop.json")))


def test_a_batch_of_events_is_keyed_by_uids_and_versions() -> None:
    items = json.loads(kubernetes_text("events_corev1.json"))["items"]
    events = [kube_event_of(item) for item in items]

    batch = batch_of(events, cluster="dev", received_us=RECEIVED_US)
    again = batch_of(events, cluster="dev", received_us=RECEIVED_US + 5)
    moved = [msgspec.structs.replace(events[0], count=99), *events[1:]]

    assert batch.key == again.key
    assert batch.key != batch_of(moved, cluster="dev", received_us=RECEIVED_US).key
    assert (batch.source, len(batch.kube_events)) == ("kubernetes", 14)


def test_a_secret_in_an_events_message_is_masked() -> None:
    item = json.loads(kubernetes_text("events_corev1.json"))["items"][0]

    event = kube_event_of(item | {"message": "pull https://u:hunter2@registry/x failed"})

    assert event.message == "pull https://u:***@registry/x failed"
