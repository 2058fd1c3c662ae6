"""Fluent Bit's recorded bodies, every format, and the traps in them."""

import json

import msgspec
import pytest

from copilot.domain.event import Severity, Stream
from copilot.ingest.doors import key_of
from tests.builders_ingest import (
    JSON,
    RECEIVED_US,
    a_record,
    as_json,
    decoded,
    recorded,
    take,
)

FIRST_POD = "oom-demo-5f44895955-cd2ks"
LATER_POD = "oom-demo-64fdd9cd94-wsdxp"
LINE = '{"ts":"2026-11-23T07:34:43Z","level":"warn","msg":"cache grew","allocated_mib":2}'
LATER_LINE = '{"ts":"2026-11-23T07:37:05Z","level":"warn","msg":"cache grew","allocated_mib":2}'

WITH_LOG = [
    "http_json_array_iso8601",
    "http_json_array_double",
    "http_json_array_gzip",
    "http_json_lines_epoch",
    "http_json_stream",
    "http_msgpack",
]
WITHOUT_LOG = [
    "http_json_array_namespace_labels",
    "http_json_lines_epoch_ms",
    "http_json_lines_gzip_no_date",
    "otlp_logs_whole_record",
    "otlp_logs_whole_record_gzip",
]


def the_stream(pod: str, cluster: str = "home") -> Stream:
    return Stream(
        cluster=cluster, namespace="demo", app="oom-demo", pod=pod, container="app", node="dev"
    )


@pytest.mark.parametrize("name", WITH_LOG)
def test_every_format_gives_the_same_fifteen_lines_dated_by_the_container_runtime(
    name: str,
) -> None:
    batch = decoded(f"fluentbit/{name}")

    assert len(batch.lines) == 15
    assert batch.lines.body[0] == LINE
    assert batch.lines.ts_us[:2] == [1_795_419_283_173_795, 1_795_419_283_377_609]
    assert batch.lines.ts_us == sorted(batch.lines.ts_us)
    assert set(batch.lines.severity) == {Severity.WARN}
    assert [s.pod for s in batch.streams] == [FIRST_POD]
    assert batch.set_aside == []
    assert batch.notes == []


@pytest.mark.parametrize("name", WITHOUT_LOG)
def test_a_line_of_which_only_the_merged_keys_are_left_is_put_together_again(name: str) -> None:
    batch = decoded(f"fluentbit/{name}")

    assert len(batch.lines) == 15
    assert batch.lines.body[0] == LATER_LINE
    assert json.loads(batch.lines.body[14])["allocated_mib"] == 30
    assert batch.lines.ts_us[0] == 1_795_419_425_198_358
    assert batch.streams == [the_stream(LATER_POD)]
    assert set(batch.lines.severity) == {Severity.WARN}


def test_the_header_names_the_cluster() -> None:
    batch = decoded("fluentbit/http_json_array_iso8601")

    assert batch.cluster == "dev"
    assert batch.streams == [the_stream(FIRST_POD, cluster="dev")]


def test_all_lines_of_the_scene_share_one_template_through_every_door() -> None:
    names = [f"fluentbit/{name}" for name in WITH_LOG + WITHOUT_LOG]
    names.append("fluentbit/otlp_logs_body_key_only")

    templates = {t for name in names for t in decoded(name).templates}

    assert [t.pattern for t in templates] == ["warn cache grew"]


def test_a_retry_has_the_key_of_the_first_try_and_nothing_else_has() -> None:
    double = recorded("fluentbit/http_json_array_double")

    again = decoded(double.name).key

    assert again == decoded(double.name).key
    assert len(again) == 16
    assert again == key_of(double.door, double.body, "tests")
    assert again != key_of(double.door, double.body, "somebody else")
    assert again != decoded("fluentbit/http_json_array_gzip").key


def test_events_of_a_list_lack_their_kind_and_are_recognised() -> None:
    batch = decoded("fluentbit/http_kubernetes_events_list")

    assert len(batch.kube_events) == 54
    assert len(batch.lines) == 0
    assert len({e.metadata.uid for e in batch.kube_events}) == 54
    assert {"BackOff", "ScalingReplicaSet", "Killing", "ResizeCompleted"} <= {
        e.reason for e in batch.kube_events
    }
    assert not any("OOM" in e.reason for e in batch.kube_events)
    assert all(e.metadata.managed_fields is None for e in batch.kube_events)


def test_events_of_the_scheduler_are_dated_by_event_time() -> None:
    batch = decoded("fluentbit/http_kubernetes_events_list")

    scheduled = [e for e in batch.kube_events if e.reason == "Scheduled"]

    assert scheduled
    assert all(e.first_timestamp is None and e.count is None for e in scheduled)
    assert all(e.occurred == e.event_time for e in scheduled)


def test_one_story_is_told_by_several_backoff_events() -> None:
    batch = decoded("fluentbit/http_kubernetes_events_list")

    backoffs = [e for e in batch.kube_events if e.reason == "BackOff"]

    assert len({e.metadata.uid for e in backoffs}) == 4


def test_an_event_that_comes_again_keeps_its_uid_and_counts_on() -> None:
    watched = decoded("fluentbit/http_kubernetes_events_watch").kube_events
    listed = {
        e.metadata.uid: e for e in decoded("fluentbit/http_kubernetes_events_list").kube_events
    }

    repeated = [(listed[e.metadata.uid], e) for e in watched if e.metadata.uid in listed]

    assert len(watched) == 5
    assert all((new.count or 0) >= (old.count or 0) for old, new in repeated)


@pytest.mark.parametrize("name", ["http_kubernetes_events_watch", "otlp_logs_kubernetes_events"])
def test_events_come_the_same_by_http_and_by_otlp(name: str) -> None:
    events = decoded(f"fluentbit/{name}").kube_events

    assert [e.metadata.uid for e in events][:2] == [
        "997bf4fa-fec5-42e4-a06e-704c9afeb090",
        "3d534d9a-c670-4b3b-8acc-3c22f6619b55",
    ]
    assert (events[0].reason, events[0].count) == ("MissingClusterDNS", 16)
    assert events[0].involved_object.uid == "dev"  # a node's name, not a uid
    assert events[1].involved_object.uid == "1a48abbe-0e8a-4cdc-9d5e-2f293c2b6261"


@pytest.mark.parametrize("name", ["http_json_lines_kmsg_oom", "otlp_logs_kmsg_oom"])
def test_a_kernel_block_stays_together_and_holds_one_kill(name: str) -> None:
    batch = decoded(f"fluentbit/{name}")

    (kill,) = batch.kernel_kills
    assert len(batch.lines) == 81
    assert [(s.app, s.pod) for s in batch.streams] == [("kernel", "")]
    assert batch.lines.ts_us == sorted(batch.lines.ts_us)
    assert kill.pod_uid == "1a48abbe-0e8a-4cdc-9d5e-2f293c2b6261"
    assert kill.container_id.startswith("ca668e359c1f")
    assert kill.process == "memhog"
    assert kill.ts_us // 1_000_000 == 1_795_419_313
    assert kill.line.startswith("Memory cgroup out of memory: Killed process 27030 (memhog)")


def test_of_a_kernel_block_only_the_kill_is_an_error() -> None:
    lines = decoded("fluentbit/http_json_lines_kmsg_oom").lines

    worst = [body for body, s in zip(lines.body, lines.severity, strict=True) if s >= Severity.WARN]

    assert len(worst) == 1
    assert "Killed process" in worst[0]


def test_a_container_that_prints_a_kernel_line_is_not_believed() -> None:
    kill = decoded("fluentbit/http_json_lines_kmsg_oom").kernel_kills[0].line.split("\n")[1]
    forged = a_record(kill, priority=3, sequence=1, sec=1, usec=1, msg=kill)

    batch = take(as_json(forged), JSON)

    assert batch.kernel_kills == []
    assert len(batch.lines) == 1


def test_a_container_that_prints_an_event_is_not_believed() -> None:
    event = {
        "kind": "Event",
        "metadata": {"uid": "u", "name": "n"},
        "involvedObject": {"kind": "Pod"},
        "reason": "OOMKilling",
    }

    batch = take(as_json(a_record(json.dumps(event), **event)), JSON)

    assert batch.kube_events == []
    assert len(batch.lines) == 1


def test_otlp_with_the_log_key_only_gives_lines_that_nobody_can_place() -> None:
    batch = decoded("fluentbit/otlp_logs_body_key_only")

    assert len(batch.lines) == 15
    assert batch.streams == [Stream(cluster="home")]
    assert batch.lines.ts_us[0] == 1_795_419_301_511_232
    assert set(batch.lines.severity) == {Severity.WARN}


def test_a_date_key_of_any_name_dates_a_record_without_time() -> None:
    record = a_record("x") | {"time": None}
    named = {"read_at": 1795419425198, **{k: v for k, v in record.items() if k != "date"}}

    batch = take(as_json(named), JSON)

    assert batch.lines.ts_us == [1_795_419_425_198_000]


def test_the_journal_of_the_kernel_names_its_node() -> None:
    kill = decoded("fluentbit/http_json_lines_kmsg_oom").kernel_kills[0]
    lines = [
        {"_TRANSPORT": "kernel", "_HOSTNAME": "n1", "PRIORITY": "3", "MESSAGE": line}
        for line in reversed(kill.line.split("\n"))
    ]

    batch = take(as_json(*lines), JSON)

    assert [(k.node, k.pod_uid) for k in batch.kernel_kills] == [("n1", kill.pod_uid)]
    assert batch.lines.ts_us == [RECEIVED_US, RECEIVED_US]


def test_the_older_chunks_of_msgpack_and_plain_seconds_are_read_too() -> None:
    body = msgspec.msgpack.encode([1795419425, a_record("old")])

    batch = take(body, {"Content-Type": "application/msgpack"})

    assert batch.lines.body == ["old"]


@pytest.mark.parametrize(
    ("place", "app"),
    [
        pytest.param({"labels": {"app": "a", "app.kubernetes.io/name": "b"}}, "b", id="name-label"),
        pytest.param({"labels": {"k8s-app": "dns", "x": "y"}}, "dns", id="k8s-app-label"),
        pytest.param(
            {"ownerReferences": [{"kind": "ReplicaSet", "name": "api-5f44895955"}]}, "api",
            id="replica-set-without-hash",
        ),
        pytest.param(
            {"ownerReferences": [{"kind": "StatefulSet", "name": "db-main"}]}, "db-main",
            id="stateful-set",
        ),
        pytest.param(
            {"ownerReferences": [{"kind": "Job", "name": "backup-28392093"}]}, "backup",
            id="cron-job",
        ),
        pytest.param({"pod_name": "web-5f44895955-cd2ks"}, "web", id="pod-name-without-hash"),
        pytest.param({"container_name": "sidecar"}, "sidecar", id="container"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_merged", [False, True], ids=["typed", "merged"])
def test_an_app_is_named_by_labels_then_owner_then_pod(
    place: dict[str, object], app: str, *, is_merged: bool
) -> None:
    record = a_record("x", kubernetes=place)
    if is_merged:
        record = {k: v for k, v in record.items() if k != "log"} | {"msg": "x"}

    batch = take(as_json(record), JSON)

    assert [s.app for s in batch.streams] == [app]
