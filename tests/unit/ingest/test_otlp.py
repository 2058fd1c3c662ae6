"""OpenTelemetry's recorded bodies, and what other senders' JSON looks like."""

import json

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from copilot.domain.errors import BadInput
from copilot.domain.event import Batch, Severity, Stream
from copilot.ingest.doors import Door
from tests.builders_ingest import FIXTURES, JSON, PROTOBUF, RECEIVED_US, decoded, recorded, take

CHECKOUT = Stream(
    cluster="dev",
    namespace="demo",
    app="oom-demo",
    pod="oom-demo-5f44895955-jhblt",
    container="app",
    node="dev",
)
TRACE_ID = "cee1cca4e981d838780c79289829c0f2"


def as_hex(value: object) -> object:
    """Protobuf's JSON with ids in hex, as OTLP/JSON has them."""
    import base64

    if isinstance(value, dict):
        return {
            k: base64.b64decode(v).hex()
            if k in ("traceId", "spanId", "parentSpanId")
            else as_hex(v)
            for k, v in value.items()
        }
    return [as_hex(v) for v in value] if isinstance(value, list) else value


def test_a_log_record_is_placed_by_its_resource() -> None:
    batch = decoded("otlp/logs")

    assert batch.lines.body == ["cache grew to 28 MiB"]
    assert batch.lines.severity == [Severity.WARN]
    assert batch.lines.ts_us == [1_795_420_420_325_439]  # not when it was observed
    assert batch.streams == [CHECKOUT]
    assert [t.pattern for t in batch.templates] == ["cache grew to *"]


def test_spans_come_with_their_parent_still_missing() -> None:
    child, parent = decoded("otlp/traces_gzip").spans

    assert (child.name, parent.name) == ("redis.get", "POST /checkout")
    assert child.parent_id == parent.span_id
    assert parent.parent_id == b""
    assert child.trace_id.hex() == parent.trace_id.hex()
    assert child.is_error
    assert not parent.is_error
    assert (child.service, child.stream) == ("checkout", CHECKOUT)
    assert (child.start_us, child.duration_us) == (1_795_420_420_326_004, 139)
    assert child.attributes["exception.type"] == "ConnectionResetError"
    assert child.attributes["status.message"] == "connection reset"


def test_a_histogram_becomes_a_count_and_a_sum() -> None:
    points = {p.name: p for p in decoded("otlp/metrics_with_exemplars").points}

    assert set(points) == {
        "container.memory.working_set",
        "http.server.requests",
        "http.server.duration.count",
        "http.server.duration.sum",
    }
    assert points["container.memory.working_set"].value == 29360128
    assert not points["container.memory.working_set"].is_monotonic
    assert points["http.server.duration.sum"].value == 812
    assert points["http.server.requests"].attributes == {"http.status_code": "500"}
    assert all(p.stream == CHECKOUT for p in points.values())


def test_the_next_export_of_a_counter_has_the_same_start() -> None:
    first, second = (
        next(p for p in decoded(f"otlp/{name}").points if p.is_monotonic)
        for name in ("metrics_with_exemplars", "metrics")
    )

    assert first.start_us == second.start_us == 1_795_420_420_325_887
    assert first.ts_us < second.ts_us


def test_fluent_bits_own_metrics_come_without_a_resource() -> None:
    batch = decoded("fluentbit/otlp_metrics_self")

    named = {p.name for p in batch.points}
    assert {"fluentbit_output_retries_total", "fluentbit_output_dropped_records_total"} <= named
    assert {p.stream for p in batch.points} == {Stream(cluster="home")}
    uptime = next(p for p in batch.points if p.name == "fluentbit_uptime")
    assert (uptime.value, uptime.attributes) == (4.0, {"hostname": "n1"})


def test_a_point_without_a_time_has_the_time_of_receipt_and_is_not_odd() -> None:
    batch = decoded("fluentbit/otlp_metrics_self")

    dropped = next(p for p in batch.points if p.name == "fluentbit_logger_queue_dropped_total")

    assert dropped.ts_us == RECEIVED_US
    assert batch.notes == []


@pytest.mark.parametrize("name", ["logs", "traces_gzip", "metrics", "metrics_with_exemplars"])
@pytest.mark.parametrize("ids", ["hex", "base64"])
def test_otlp_json_gives_the_same_as_protobuf(name: str, ids: str) -> None:
    document = json.loads((FIXTURES / "otlp" / f"{name}.decoded.json").read_text())
    body = json.dumps(as_hex(document) if ids == "hex" else document).encode()

    batch = take(body, JSON, recorded(f"otlp/{name}").door)

    assert contents(batch) == contents(decoded(f"otlp/{name}"))


def contents(batch: Batch) -> tuple[object, ...]:
    return batch.lines, batch.points, batch.spans, batch.streams, batch.set_aside


def test_otlp_json_of_fluent_bits_records_takes_the_way_of_records() -> None:
    text = (FIXTURES / "fluentbit" / "otlp_logs_whole_record.decoded.json").read_bytes()

    batch = take(text, JSON, Door.OTLP_LOGS)

    assert batch.lines == decoded("fluentbit/otlp_logs_whole_record").lines


def test_a_bad_record_of_otlp_json_is_set_aside() -> None:
    document = json.loads((FIXTURES / "otlp" / "logs.decoded.json").read_text())
    records = document["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    records += [{"timeUnixNano": "yesterday"}, "text", {"body": {}}]

    batch = take(json.dumps(document).encode(), JSON, Door.OTLP_LOGS)

    assert batch.lines.body == ["cache grew to 28 MiB"]
    assert len(batch.set_aside) == 3


def test_otlp_json_that_is_cut_off_keeps_the_whole_records() -> None:
    text = (FIXTURES / "fluentbit" / "otlp_logs_whole_record.decoded.json").read_bytes()

    batch = take(text[: len(text) // 2], JSON, Door.OTLP_LOGS)

    whole = decoded("fluentbit/otlp_logs_whole_record").lines.body
    assert 6 <= len(batch.lines) <= 8
    assert batch.lines.body == whole[: len(batch.lines)]
    assert "ends early" in batch.set_aside[0].reason


def a_logs_request(**record: object) -> bytes:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(**record)
    return request.SerializeToString()


def test_an_exception_in_the_attributes_follows_the_message() -> None:
    body = a_logs_request(
        body={"string_value": "payment failed"},
        severity_number=17,
        attributes=[
            {"key": "exception.type", "value": {"string_value": "TimeoutError"}},
            {"key": "exception.message", "value": {"string_value": "no answer"}},
        ],
    )

    batch = take(body, PROTOBUF, Door.OTLP_LOGS)

    assert batch.lines.body == ["payment failed\nTimeoutError: no answer"]
    assert [t.pattern for t in batch.templates] == ["payment failed"]


def test_a_body_nested_too_deep_is_set_aside_alone() -> None:
    deep: dict[str, object] = {"string_value": "x"}
    for _ in range(40):
        deep = {"array_value": {"values": [deep]}}
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add(body=deep)
    records.add(body={"string_value": "fine"})

    batch = take(request.SerializeToString(), PROTOBUF, Door.OTLP_LOGS)

    assert batch.lines.body == ["fine"]
    assert "nested deeper" in batch.set_aside[0].reason


@pytest.mark.parametrize(
    ("trace_id", "start", "end"),
    [
        pytest.param(b"\1" * 8, 1, 2, id="short-trace-id"),
        pytest.param(b"\1" * 16, 5, 2, id="ends-before-it-starts"),
    ],
)
def test_a_span_that_makes_no_sense_is_set_aside(trace_id: bytes, start: int, end: int) -> None:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    spans.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, name="fine")
    spans.add(
        trace_id=trace_id, span_id=b"\2" * 8, start_time_unix_nano=start, end_time_unix_nano=end
    )

    batch = take(request.SerializeToString(), PROTOBUF, Door.OTLP_TRACES)

    assert [s.name for s in batch.spans] == ["fine"]
    assert len(batch.set_aside) == 1


def a_gauge(*values: float, **labels: str) -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    for value in values:
        metric.gauge.data_points.add(
            as_double=value,
            attributes=[{"key": k, "value": {"string_value": v}} for k, v in labels.items()],
        )
    return request.SerializeToString()


def test_values_that_are_no_numbers_are_set_aside() -> None:
    body = a_gauge(1.5, float("nan"), float("inf"))

    batch = take(body, PROTOBUF, Door.OTLP_METRICS)

    assert [p.value for p in batch.points] == [1.5]
    assert len(batch.set_aside) == 2


def test_a_point_may_name_its_pod_by_its_own_labels() -> None:
    body = a_gauge(1.0, namespace="demo", pod="web-5f44895955-cd2ks", container="web")

    (point,) = take(body, PROTOBUF, Door.OTLP_METRICS).points

    assert (point.stream.namespace, point.stream.app, point.stream.container) == (
        "demo",
        "web",
        "web",
    )


def test_a_request_of_which_all_is_set_aside_is_refused() -> None:
    with pytest.raises(BadInput, match="nan"):
        take(a_gauge(float("nan")), PROTOBUF, Door.OTLP_METRICS)


def test_secrets_in_attributes_are_masked() -> None:
    body = a_gauge(1.0, api_key="abc123", url="postgres://u:hunter2@db/x")

    (point,) = take(body, PROTOBUF, Door.OTLP_METRICS).points

    assert point.attributes == {"api_key": "***", "url": "postgres://u:***@db/x"}


def test_the_recorded_trace_id_is_what_protobuf_says() -> None:
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(trace_id=decoded("otlp/traces_gzip").spans[0].trace_id)
    )

    assert MessageToDict(span)["traceId"] == "zuHMpOmB2Dh4DHkomCnA8g=="
    assert span.trace_id.hex() == TRACE_ID
