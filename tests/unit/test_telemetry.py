"""Our own lines and spans: with their incident, one trace across roles, and nothing where none is
wanted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from copilot.telemetry import (
    INCIDENT,
    doing,
    handed_on,
    parse_headers,
    serving,
    set_up_logging,
    set_up_tracing,
)


@contextmanager
def traced(exporter: InMemorySpanExporter, sample: float = 1.0) -> Iterator[None]:
    end = set_up_tracing(
        endpoint="", headers={}, sample=sample, role="gateway", cluster="home", exporter=exporter
    )
    try:
        yield
    finally:
        end()


def test_a_request_of_another_role_goes_on_with_its_trace() -> None:
    exporter = InMemorySpanExporter()
    with traced(exporter):
        with doing("leg investigate", incident_id=7):
            headers = handed_on()
        with serving("POST", headers, is_traced=True) as span:
            span.answered("/context", 200)

    leg, asked = exporter.get_finished_spans()
    assert asked.name == "POST /context"
    assert asked.parent is not None
    assert asked.parent.span_id == leg.context.span_id
    assert asked.context.trace_id == leg.context.trace_id
    assert leg.attributes is not None
    assert leg.attributes[INCIDENT] == 7
    assert leg.resource.attributes["service.name"] == "incident-copilot"
    assert leg.resource.attributes["k8s.cluster.name"] == "home"


def test_only_what_is_our_fault_is_an_error_of_a_request() -> None:
    exporter = InMemorySpanExporter()
    with traced(exporter):
        for status in (200, 404, 503):
            with serving("GET", {}, is_traced=True) as span:
                span.answered("/api/status", status)

    assert [span.status.is_ok for span in exporter.get_finished_spans()] == [True, True, False]


def test_of_no_share_nothing_is_kept() -> None:
    exporter = InMemorySpanExporter()
    with traced(exporter, sample=0.0), doing("leg consult", incident_id=1):
        pass

    assert exporter.get_finished_spans() == ()


def test_a_door_of_senders_is_nottraced() -> None:
    exporter = InMemorySpanExporter()
    with traced(exporter), serving("POST", {}, is_traced=False):
        pass

    assert exporter.get_finished_spans() == ()


def test_a_line_within_a_leg_carries_its_incident_and_its_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    structlog.reset_defaults()
    set_up_logging("INFO", is_json=True)
    try:
        with traced(InMemorySpanExporter()), doing("leg investigate", incident_id=7):
            structlog.get_logger("here").info("evidence.found")
        structlog.get_logger("here").info("afterwards")
    finally:
        structlog.reset_defaults()

    inside, after = map(json.loads, capsys.readouterr().err.splitlines())
    assert inside["incident_id"] == 7
    assert len(inside["trace_id"]) == 32
    assert len(inside["span_id"]) == 16
    assert after.keys() == {"event", "level", "timestamp"}


def test_headers_are_read_as_opentelemetry_writes_them() -> None:
    text = "Authorization=Bearer%20abc=, x-cluster = home ,"

    assert parse_headers(text) == {"authorization": "Bearer abc=", "x-cluster": "home"}


@pytest.mark.timeout(90)  # another process, with all that it imports
def test_without_a_receiver_no_sdk_is_imported() -> None:
    code = (
        "import sys, copilot.roles.app\n"
        "from copilot.telemetry import doing, handed_on\n"
        "with doing('leg', incident_id=1): assert handed_on() == {}\n"
        "print([m for m in sys.modules if m.startswith(('opentelemetry.sdk', "
        "'opentelemetry.exporter'))])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=80
    )

    assert done.stdout.strip() == "[]"
