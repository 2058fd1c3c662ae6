"""What was observed, in our one shape, batch in and batch out.

The hot path works on columns: a `Lines` holds one list per field and no object per line. What can
be evidence by itself (a Kubernetes event, a warning, the first line of a new template) becomes an
`Event`, the row tier.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NewType

import msgspec

from copilot.domain.objects import KubeEvent, ObjectRef

EventId = NewType("EventId", int)
TemplateId = NewType("TemplateId", int)


class Signal(StrEnum):
    """How an event came (OpenTelemetry's sense)."""

    LOGS = "logs"
    METRICS = "metrics"
    TRACES = "traces"
    KUBE_EVENTS = "kube_events"
    ALERTS = "alerts"


class Severity(IntEnum):
    """OpenTelemetry severity numbers, one for each range; 0 is "not said"."""

    UNSET = 0
    TRACE = 1
    DEBUG = 5
    INFO = 9
    WARN = 13
    ERROR = 17
    FATAL = 21


def level_of(severity: int) -> str:
    """The level's name for a severity number of 0 to 24; empty for "not said"."""
    names = ("trace", "debug", "info", "warn", "error", "fatal")
    return names[min(severity - 1, 23) // 4] if severity > 0 else ""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """Where lines come from. Equal label sets are one stream."""

    cluster: str = ""
    namespace: str = ""
    app: str = ""
    pod: str = ""
    container: str = ""
    node: str = ""


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A line with its values masked; the same fingerprint in every process and after restarts."""

    fingerprint: bytes
    """16 bytes."""
    pattern: str
    severity: int


@dataclass(slots=True, kw_only=True)
class Lines:
    """Log lines of one batch as columns of equal length, in the sender's order.

    `stream` and `template` hold indexes into the batch's `streams` and `templates`.
    """

    ts_us: list[int] = field(default_factory=list)
    stream: list[int] = field(default_factory=list)
    template: list[int] = field(default_factory=list)
    severity: list[int] = field(default_factory=list)
    body: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.body)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One metric point. `value` of a monotonic sum is cumulative since `start_us`."""

    name: str
    stream: Stream
    ts_us: int
    value: float
    is_monotonic: bool = False
    start_us: int = 0
    attributes: dict[str, str] = {}


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One span as received; its parent may come later or never."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes = b""
    start_us: int
    duration_us: int
    stream: Stream
    service: str
    name: str
    is_error: bool = False
    attributes: dict[str, str] = {}


class KernelKill(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel's two lines about one out-of-memory kill, joined."""

    ts_us: int
    node: str
    pod_uid: str
    container_id: str
    process: str
    line: str


class ReceivedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """What another system's alert says, before we place it."""

    source: str
    fingerprint: str
    name: str
    is_firing: bool
    starts_us: int
    ends_us: int
    labels: dict[str, str]
    annotations: dict[str, str]


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be decoded, with the reason."""

    source: str
    reason: str
    body: bytes


@dataclass(slots=True, kw_only=True)
class Batch:
    """All that one request or one look at the cluster brought, decoded and normalised.

    `key` is the idempotency key (16 bytes): the same body by the same sender stores nothing new.
    """

    key: bytes
    source: str
    cluster: str
    received_us: int
    streams: list[Stream] = field(default_factory=list)
    templates: list[Template] = field(default_factory=list)
    lines: Lines = field(default_factory=Lines)
    points: list[Point] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    kube_events: list[KubeEvent] = field(default_factory=list)
    kernel_kills: list[KernelKill] = field(default_factory=list)
    alerts: list[ReceivedAlert] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was odd though understood, such as a sender's clock that runs wrong; for the log."""

    @property
    def n_records(self) -> int:
        """How many records were understood."""
        return (
            len(self.lines)
            + len(self.points)
            + len(self.spans)
            + len(self.kube_events)
            + len(self.alerts)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LineAddress:
    """Where a log line lies: given at commit, stable for ever. Written `12:340`."""

    segment: int
    line: int

    def __str__(self) -> str:
        return f"{self.segment}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One stored line, read back."""

    address: str
    ts_us: int
    level: str
    namespace: str
    app: str
    pod: str
    container: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One occurrence in the row tier, read back. `uid` names a Kubernetes event, else empty."""

    id: EventId
    ts_us: int
    signal: Signal
    level: str
    reason: str
    cluster: str
    namespace: str
    app: str
    pod: str
    object: ObjectRef | None
    uid: str
    count: int
    body: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPoint:
    """One bucket of a series: its last, least and greatest value."""

    ts_us: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A metric over time, oldest point first."""

    name: str
    unit: str
    namespace: str
    pod: str
    container: str
    points: tuple[SeriesPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateActivity:
    """How often a template was seen in a stream lately, and since when it is known at all."""

    template_id: TemplateId
    pattern: str
    severity: int
    stream: Stream
    first_us: int
    """The first time ever, in any stream."""
    recent_count: int
    """Within the window asked for."""
    earlier_count: int
    """In the window of the same length before it."""
    last_address: str
    usual_count: int = 0
    """In a window of this length on other days, where its application logs it all the time; 0 for
    one that it does not, or that nobody asked about."""
