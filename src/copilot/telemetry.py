"""Logging and tracing of the co-pilot itself.

Logs are key and value with constant event names, to standard error; within a leg or a request they
carry `incident_id`, `trace_id` and `span_id`. Spans go to an OTLP receiver where one is set: then,
and only then, the SDK is imported (0.23 s of CPU, 7.5 MiB). Without, a span costs a function call.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import structlog
from structlog.contextvars import bound_contextvars

from copilot import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, SpanKind, Tracer

SERVICE = "incident-copilot"
INCIDENT = "copilot.incident.id"
EXPORT_TIMEOUT_S = 5
SHUTDOWN_S = 3
"""For the last spans: whoever stops us does not wait for a receiver that is away."""
QUEUED_SPANS = 2048
"""More are dropped while the receiver is away: tracing never holds anything up."""


def set_up_logging(level: str, *, is_json: bool | None = None) -> None:
    """Structured lines: for people on a terminal, JSON elsewhere, or as `is_json` says."""
    if is_json is None:
        is_json = not sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if is_json else structlog.dev.ConsoleRenderer()
    )
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if is_json:
        processors.append(structlog.processors.dict_tracebacks)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    logging.getLogger("kube_config_loader").setLevel(logging.ERROR)
    logging.getLogger("kubernetes").setLevel(logging.ERROR)  # our own error says what to do


# ------------------------------------------------------------------ tracing

_tracer: Tracer | None = None


@dataclass(frozen=True, slots=True)
class Traced:
    """The span under way, or nothing where nothing is traced."""

    _span: Span | None = None

    def set(self, name: str, value: str | int | bool) -> None:
        if self._span is not None:
            self._span.set_attribute(name, value)

    def answered(self, route: str, status: int) -> None:
        """How a request ended. Only what is our fault is an error of the server."""
        if self._span is None:
            return
        from opentelemetry.trace import StatusCode

        self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        method = getattr(self._span, "attributes", {}).get("http.request.method", "")
        self._span.update_name(f"{method} {route}")
        if status >= 500:
            self._span.set_status(StatusCode.ERROR)


NOT_TRACED = Traced()
NONE: Mapping[str, str] = {}


def set_up_tracing(
    *,
    endpoint: str,
    headers: Mapping[str, str],
    sample: float,
    role: str,
    cluster: str,
    exporter: SpanExporter | None = None,
) -> Callable[[], None]:
    """Send spans to `endpoint` (its `/v1/traces`) from now on; what to call at the end.

    `sample` is the share of traces that are kept, 0 to 1; a role that asks another decides for it.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    for name in ("opentelemetry.sdk", "opentelemetry.exporter", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a receiver that is away is no news
    about = {
        "service.name": SERVICE,
        "service.version": __version__,
        "copilot.role": role,
        "k8s.cluster.name": cluster,
    }
    provider = TracerProvider(
        resource=Resource.create({name: value for name, value in about.items() if value}),
        sampler=ParentBasedTraceIdRatio(sample),
        shutdown_on_exit=False,
    )
    out = exporter or OTLPSpanExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/traces",
        headers=dict(headers),
        timeout=EXPORT_TIMEOUT_S,
    )
    provider.add_span_processor(BatchSpanProcessor(out, max_queue_size=QUEUED_SPANS))
    global _tracer
    _tracer = provider.get_tracer(SERVICE, __version__)

    def end() -> None:
        global _tracer
        _tracer = None
        closing = threading.Thread(target=provider.shutdown, daemon=True)
        closing.start()
        closing.join(SHUTDOWN_S)

    return end


def parse_headers(text: str) -> dict[str, str]:
    """`name=value,name=value`, as OpenTelemetry writes headers: values may be percent-encoded."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}


@contextmanager
def doing(
    name: str, attributes: Mapping[str, str] = NONE, *, incident_id: int | None = None
) -> Iterator[Traced]:
    """A span around a piece of work, and its incident on every line that is logged meanwhile."""
    if incident_id is None:
        with _span(name, attributes) as span:
            yield span
        return
    with (
        bound_contextvars(incident_id=incident_id),
        _span(name, {**attributes, INCIDENT: incident_id}) as span,
    ):
        yield span


@contextmanager
def serving(method: str, headers: Mapping[str, str], *, is_traced: bool) -> Iterator[Traced]:
    """A span around a request that came in, below the span that its `headers` name: give none where
    whoever asks has no say in that."""
    if _tracer is None or not is_traced:
        yield NOT_TRACED
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract(dict(headers))
    attributes = {"http.request.method": method}
    with _span(method, attributes, kind=SpanKind.SERVER, parent=parent) as span:
        yield span


def handed_on() -> dict[str, str]:
    """The headers that let another role go on with our trace; none where nothing is traced."""
    carrier: dict[str, str] = {}
    if _tracer is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(carrier)
    return carrier


@contextmanager
def _span(
    name: str,
    attributes: Mapping[str, str | int],
    *,
    kind: SpanKind | None = None,
    parent: Any = None,
) -> Iterator[Traced]:
    if _tracer is None:
        yield NOT_TRACED
        return
    from opentelemetry.trace import SpanKind

    with _tracer.start_as_current_span(
        name, context=parent, kind=kind or SpanKind.INTERNAL, attributes=dict(attributes)
    ) as span:
        yield Traced(span)


def _with_trace(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The ids of the span under way, so that a line leads to its trace."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        context = get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = f"{context.trace_id:032x}"
            event["span_id"] = f"{context.span_id:016x}"
    return event
