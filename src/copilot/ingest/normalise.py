"""Times, severities, places and columns: from what senders say to our one shape."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import cast

import msgspec
import numpy as np

from copilot.domain import attributes as names
from copilot.domain.errors import TooLarge
from copilot.domain.event import (
    Batch,
    KernelKill,
    Lines,
    Point,
    ReceivedAlert,
    SetAside,
    Severity,
    Span,
    Stream,
    Template,
    level_of,
)
from copilot.domain.objects import KubeEvent
from copilot.domain.secrets import (
    PATTERNS,
    Pattern,
    leaves_key_open,
    mask,
    mask_bytes,
    mask_key_lines,
    mask_with,
    suspects_in,
)
from copilot.ingest.fingerprint import shape_of, template_of
from copilot.ingest.shapes import shapes_of

MAX_LINE_CHARS = 1 << 20
"""A longer line is cut, with a mark that says how long it was."""
MAX_RECORDS = 100_000
"""In one batch. Senders' own limits are around 10,000."""
MAX_SET_ASIDE = 1000
"""Kept one by one; what goes beyond is counted."""
MAX_SET_ASIDE_BYTES = 64 * 1024

YEAR_2000_US = 946_684_800_000_000
FUTURE_US = 3600 * 1_000_000

# --------------------------------------------------------------------------- time


def parse_time(value: object) -> int:
    """Epoch microseconds of a time as senders write it, 0 where it is none.

    Text is ISO 8601 (UTC where it names no zone) or a number; a number is seconds, milli-, micro-
    or nanoseconds, told apart by its size.
    """
    if isinstance(value, str):
        return _parse_text_time(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    if isinstance(value, float) and not math.isfinite(value):
        return 0
    if value <= 0:
        return 0
    if value < 1e11:
        return round(value * 1_000_000)
    if value < 1e14:
        return round(value * 1000)
    if value < 1e17:
        return round(value)
    return round(value // 1000) if value < 1e20 else 0


def parse_times(values: Sequence[object]) -> list[int]:
    """`parse_time` of each, at once where all are `2026-11-27T17:53:11.123456789Z`."""
    try:
        joined = "".join(values).encode()  # type: ignore[arg-type]
    except (TypeError, UnicodeEncodeError):
        return [parse_time(value) for value in values]
    size = len(joined) // len(values) if values else 0
    if size not in _STAMP_SIZES or set(map(len, values)) != {size}:  # type: ignore[arg-type]
        return [parse_time(value) for value in values]
    stamps = np.frombuffer(joined, np.uint8).reshape(-1, size)
    digits = stamps[:, 20:-1] - ord("0")
    is_marked = (stamps[:, [10, 19, -1]] == np.frombuffer(b"T.Z", np.uint8)).all()
    if not is_marked or (digits > 9).any():
        return [parse_time(value) for value in values]
    starts = [value[:19] for value in values]  # type: ignore[index]
    try:
        seconds = {start: _epoch_seconds(start) * 1_000_000 for start in set(starts)}
    except ValueError:
        return [parse_time(value) for value in values]
    micros = (digits[:, :6] @ _MICROS[: digits.shape[1]]).tolist()
    return [seconds[start] + us for start, us in zip(starts, micros, strict=True)]


_STAMP_SIZES = range(22, 31)
_MICROS = np.array([100_000, 10_000, 1000, 100, 10, 1])


def _parse_text_time(text: str) -> int:
    try:
        if len(text) > 19 and text[10] == "T" and text[-1] == "Z":
            fraction = text[20:-1] if text[19] == "." else text[19:-1]
            if fraction.isdecimal() or not fraction:
                return _epoch_seconds(text[:19]) * 1_000_000 + int(f"{fraction:0<6}"[:6])
        if len(text) < 10:
            return 0
        if text[4] == "-":
            return _epoch_us(datetime.fromisoformat(text))
        return parse_time(float(text)) if text[0].isdigit() else 0
    except (ValueError, OverflowError):
        return 0


@lru_cache(maxsize=4096)
def _epoch_seconds(text: str) -> int:
    return calendar.timegm(datetime.fromisoformat(text).timetuple())


def _epoch_us(moment: datetime) -> int:
    return calendar.timegm(moment.utctimetuple()) * 1_000_000 + moment.microsecond


# --------------------------------------------------------------------------- severity

_WORDS_FOR: dict[Severity, str] = {
    Severity.TRACE: "trace finest verbose t",
    Severity.DEBUG: "debug dbg fine d",
    Severity.INFO: "info information informational notice log i",
    Severity.WARN: "warn warning w",
    Severity.ERROR: "error err severe exception e",
    Severity.FATAL: "fatal critical crit alert emerg emergency panic dpanic f",
}
_NAMED = {word: int(severity) for severity, words in _WORDS_FOR.items() for word in words.split()}
_WORD_OF = tuple(level_of(number) for number in range(25))
_SYSLOG = (21, 21, 21, 17, 13, 9, 9, 5)
"""By syslog number 0 (emergency) to 7 (debug)."""

_KLOG = re.compile(r"[IWEF](?=[0-9]{1,4} [0-9]{1,2}:[0-9]{1,2}:)")
_LOGFMT = re.compile(r"(?:^|[\s{,])(?:level|lvl|severity|loglevel)\s?[=:]\s?[\"']?([A-Za-z]+)")
_WORDS = "|".join(sorted((w for w in _NAMED if len(w) > 2), key=len, reverse=True))
_BRACKETED = re.compile(rf"[\[<(](?i:({_WORDS}))\s?[\]>)]")
_CAPITALS = re.compile(
    rf"(?:^|[\s|\[(:\]])({_WORDS.upper()})(?=$|[\s|\])::,-])".replace("LOG|", "", 1)
)
_LEADING = re.compile(
    r"(panic|fatal error|fatal|error|err|warning|warn)(?:\[[^\]]{0,40}\])?:(?=\s|$)",
    re.IGNORECASE,
)
_RAISED = re.compile(
    r"Traceback \(most recent call last\)|(?:(?:Uncaught|Unhandled) )?(?:Exception in thread\b"
    r"|[\w.$]{0,200}(?:Error|Exception)\b(?=:|$| in\b))"
)
_HEAD_CHARS = 200


def severity_named(level: object) -> int:
    """The severity number of a level as senders write it (`warn`, `WARNING`, 40), 0 for none.

    Numbers up to 7 are syslog's, larger ones those of pino and bunyan (10 to 60).
    """
    if isinstance(level, str):
        if severity := _NAMED.get(level):
            return severity
        word = level.strip().lower()
        return _NAMED.get(word, 0) or (severity_named(int(word)) if _is_number(word) else 0)
    if isinstance(level, bool) or not isinstance(level, int | float):
        return 0
    if isinstance(level, float) and not level.is_integer():
        return 0
    if 0 <= level <= 7:
        return _SYSLOG[int(level)]
    return min(int(level) // 10, 6) * 4 - 3 if 10 <= level <= 69 else 0


def severity_in(text: str) -> int:
    """The severity that a line of text says by itself, 0 where it says none."""
    head = text[:_HEAD_CHARS].lstrip()
    if _KLOG.match(head):
        return _NAMED[head[0].lower()]
    for pattern in (_LOGFMT, _BRACKETED, _CAPITALS):
        found = pattern.search(head)
        if found and (severity := _NAMED.get(found[1].lower(), 0)):
            return severity
    leading = _LEADING.match(head)
    if leading:
        return _NAMED[leading[1].lower().split(" ")[0]]
    return int(Severity.ERROR if _RAISED.match(head) else Severity.UNSET)


def _is_number(word: str) -> bool:
    return word.isdecimal() and word.isascii() and len(word) < 3


# --------------------------------------------------------------------------- JSON lines

Scalar = str | int | float | bool | None


class _JsonLine(msgspec.Struct, gc=False):
    """The fields of a structured log line that tell its level and message."""

    level: Scalar = None
    severity: Scalar = None
    lvl: Scalar = None
    log_level: Scalar = msgspec.field(default=None, name="log.level")
    levelname: Scalar = None
    msg: Scalar = None
    message: Scalar = None
    event: Scalar = None


_decode_json_line = msgspec.json.Decoder(_JsonLine).decode
_decode_json_map = msgspec.json.Decoder(dict[str, object]).decode
LEVEL_KEYS = ("level", "severity", "lvl", "log.level", "levelname", "loglevel", "severity_text")
MESSAGE_KEYS = ("msg", "message", "event", "log", "text", "error", "err", "exception", "MESSAGE")


def reduce_json(body: str) -> tuple[str, int] | None:
    """Level and message of a JSON log line, and its severity; None where it is not JSON."""
    try:
        line = _decode_json_line(body)
    except (msgspec.MsgspecError, RecursionError):
        return _reduce_json_slowly(body)
    message = line.msg or line.message or line.event
    if not isinstance(message, str) or not message:
        return _reduce_json_slowly(body)
    level = line.level or line.severity or line.lvl or line.log_level or line.levelname
    return _headed(level, message)


def _reduce_json_slowly(body: str) -> tuple[str, int] | None:
    try:
        fields = _decode_json_map(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    level = next((fields[key] for key in LEVEL_KEYS if fields.get(key) is not None), None)
    if isinstance(level, dict):
        level = None
    said = next((v for k in MESSAGE_KEYS if isinstance(v := fields.get(k), str) and v), "")
    return _headed(level, said or "{" + ", ".join(sorted(fields)) + "}")


def _headed(level: object, message: str) -> tuple[str, int]:
    severity = severity_named(level)
    word = _WORD_OF[severity] or (level.lower() if isinstance(level, str) else "")
    return f"{word} {message}" if word else message, severity


# --------------------------------------------------------------------------- places

_POD_HASH = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5,10}$")
_POD_NAME = re.compile(r"(-[bcdfghjklmnpqrstvwxz2456789]{8,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}$")
_JOB_TIME = re.compile(r"-[0-9]{8,10}$")
APP_LABELS = ("app.kubernetes.io/name", "app", "k8s-app")


def owner_name(kind: str, name: str) -> str:
    """The workload behind a pod's owner: a ReplicaSet and a CronJob's Job without their suffix."""
    if kind == "ReplicaSet":
        return _POD_HASH.sub("", name)
    return _JOB_TIME.sub("", name) if kind == "Job" else name


def pod_prefix(pod: str) -> str:
    """What a pod's name says of its workload, its name whole where it says nothing."""
    return _POD_NAME.sub("", pod)


_ATTRIBUTES_OF_APP = (
    *(f"k8s.pod.label.{label}" for label in APP_LABELS),
    *(f"k8s.pod.labels.{label}" for label in APP_LABELS),
    names.DEPLOYMENT,
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
    "app",
    names.SERVICE_NAME,
)


def stream_of(found: Mapping[str, str], default_cluster: str) -> Stream:
    """The stream that OpenTelemetry resource attributes name."""
    pod = found.get(names.POD, "")
    container = found.get(names.CONTAINER, "")
    app = next((found[key] for key in _ATTRIBUTES_OF_APP if found.get(key)), "")
    if not app and (replica_set := found.get("k8s.replicaset.name")):
        app = owner_name("ReplicaSet", replica_set)
    return Stream(
        cluster=found.get(names.CLUSTER) or default_cluster,
        namespace=found.get(names.NAMESPACE, ""),
        app=app or pod_prefix(pod) or container,
        pod=pod,
        container=container,
        node=found.get(names.NODE, ""),
    )


# --------------------------------------------------------------------------- the batch


@dataclass(slots=True, kw_only=True)
class BatchBuilder:
    """A batch under way: decoders append to its columns, `build` masks, times and fingerprints.

    `severity` is 0 where the sender said none; the text is looked at then.
    """

    source: str
    key: bytes
    cluster: str
    received_us: int
    ts_us: list[int] = field(default_factory=list)
    stream: list[int] = field(default_factory=list)
    severity: list[int] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    kube_events: list[KubeEvent] = field(default_factory=list)
    kernel_kills: list[KernelKill] = field(default_factory=list)
    alerts: list[ReceivedAlert] = field(default_factory=list)
    set_asides: list[SetAside] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_too_many: int = 0
    n_skewed: int = 0
    skewed_us: int = 0
    """The first time that cannot be."""
    first_failure: str = ""
    _streams: dict[Stream, int] = field(default_factory=dict)

    @property
    def n_good(self) -> int:
        """How many records were understood so far."""
        n_telemetry = len(self.body) + len(self.points) + len(self.spans)
        return n_telemetry + len(self.kube_events) + len(self.alerts)

    def stream_index(self, stream: Stream) -> int:
        """The stream's index in this batch."""
        return self._streams.setdefault(stream, len(self._streams))

    def add_line(self, *, ts_us: int, stream: Stream, body: str, severity: int = 0) -> None:
        """One line; `ts_us` 0 is "not said"."""
        self.ts_us.append(ts_us)
        self.stream.append(self.stream_index(stream))
        self.severity.append(severity)
        self.body.append(body)

    def set_aside(self, reason: str, body: bytes) -> None:
        """Keep a record that could not be decoded, with the reason and without its secrets."""
        reason = mask(reason)[:300]
        self.first_failure = self.first_failure or reason
        if len(self.set_asides) >= MAX_SET_ASIDE:
            self.n_too_many += 1
            return
        body = mask_bytes(body[:MAX_SET_ASIDE_BYTES])
        self.set_asides.append(SetAside(source=self.source, reason=reason, body=body))

    def check_size(self, n_more: int = 0) -> None:
        """Raises: TooLarge beyond `MAX_RECORDS`."""
        if self.n_good + self.n_too_many + n_more > MAX_RECORDS:
            raise TooLarge(f"more than {MAX_RECORDS:,} records in one body; send smaller batches")

    def usable_time(self, ts_us: int) -> int:
        """The time, or that of receipt where none was said or it cannot be."""
        if YEAR_2000_US <= ts_us <= self.received_us + FUTURE_US:
            return ts_us
        if ts_us:
            self.n_skewed += 1
            self.skewed_us = self.skewed_us or ts_us
        return self.received_us

    def build(self) -> Batch:
        """The batch, with templates, severities and usable times."""
        if self.n_too_many:
            reason = f"{self.n_too_many} more records of this body; {self.first_failure}"
            self.set_asides.append(SetAside(source=self.source, reason=reason, body=b""))
        templates: list[Template] = []
        lines = self._lines(templates)
        if self.n_skewed:
            self.notes.append(
                f"{self.n_skewed} time(s) out of range, such as epoch second "
                f"{self.skewed_us // 1_000_000}: stored under the time of receipt; "
                "check the sender's clock"
            )
        return Batch(
            key=self.key,
            source=self.source,
            cluster=self.cluster,
            received_us=self.received_us,
            streams=list(self._streams),
            templates=templates,
            lines=lines,
            points=self.points,
            spans=self.spans,
            kube_events=self.kube_events,
            kernel_kills=self.kernel_kills,
            alerts=self.alerts,
            set_aside=self.set_asides,
            notes=self.notes,
        )

    def _lines(self, templates: list[Template]) -> Lines:
        bodies = self.body
        if max(map(len, bodies), default=0) > MAX_LINE_CHARS:
            bodies = [_cut(body) for body in bodies]
        bodies, kinds = told_apart(bodies, self.severity)
        place_of: dict[bytes, int] = {}
        place: dict[LineKind, int] = {}
        for kind in dict.fromkeys(kinds):
            place[kind] = place_of.setdefault(kind.template.fingerprint, len(place_of))
            if place[kind] == len(templates):
                templates.append(kind.template)
        return Lines(
            ts_us=self._usable_times(),
            stream=self.stream,
            template=[place[kind] for kind in kinds],
            severity=[kind.severity for kind in kinds],
            body=bodies,
        )

    def _usable_times(self) -> list[int]:
        latest = self.received_us + FUTURE_US
        if not self.ts_us or (min(self.ts_us) >= YEAR_2000_US and max(self.ts_us) <= latest):
            return self.ts_us
        return [self.usable_time(ts_us) for ts_us in self.ts_us]


# --------------------------------------------------------------------------- kinds of lines


@dataclass(frozen=True, slots=True, eq=False)
class LineKind:
    """What all lines of a shape have in common."""

    severity: int
    template: Template
    suspects: tuple[Pattern, ...]
    """What may have to be masked in them."""


_KINDS: dict[tuple[int, bytes], LineKind] = {}
"""By the sender's severity and the shape."""
MAX_KINDS = 50_000
"""Remembered at most: beyond, all are forgotten, and worked out again."""

_NUMBER_FOR_LEVEL = re.compile(
    rb'"(?:' + b"|".join(re.escape(key.encode()) for key in LEVEL_KEYS) + rb')"\s*:\s*"?[+-]?0'
)


def told_apart(
    bodies: Sequence[str], severities: Sequence[int]
) -> tuple[list[str], list[LineKind]]:
    """The lines without their secrets, and the kind of each; `severities` are the sender's, 0 for
    none.

    A line's severity, template and what must be masked follow from its shape, so that nearly every
    line costs a look into a table. What a number says (a level, an escaped letter) is not in the
    shape: such lines are looked at one by one, as are long ones and those of several lines.
    """
    shapes = shapes_of(bodies)
    known = list(map(_KINDS.get, zip(severities, shapes, strict=True)))
    if not any(kind is None or kind.suspects for kind in set(known)):
        return list(bodies), cast("list[LineKind]", known)
    masked, is_key = list(bodies), False
    kinds: list[LineKind] = []
    for i, kind in enumerate(known):
        if kind is None:
            kind = _kind_of(bodies[i], severities[i], shapes[i])
        if kind.suspects:
            masked[i] = mask_with(bodies[i], kind.suspects)
            is_key = is_key or leaves_key_open(bodies[i])
            if masked[i] != bodies[i]:
                kind = _kind_alone(masked[i], severities[i])
        kinds.append(kind)
    if is_key:
        mask_key_lines(bodies, masked)
        kinds = [_kind_alone(*line) for line in zip(masked, severities, strict=True)]
    return masked, kinds


def _kind_of(body: str, severity: int, shape: bytes) -> LineKind:
    """Of a line whose shape is not known yet, or that has none."""
    if not shape:
        return _kind_alone(body, severity, PATTERNS)
    kind = _kind_alone(body, severity, suspects_in(shape.decode("utf-8", "surrogatepass")))
    is_json = shape.startswith(b"{")
    if not (is_json and (b"\\u" in shape or _NUMBER_FOR_LEVEL.search(shape))):
        if len(_KINDS) >= MAX_KINDS:
            _KINDS.clear()
        _KINDS[severity, shape] = kind
    return kind


def _kind_alone(body: str, severity: int, suspects: tuple[Pattern, ...] = ()) -> LineKind:
    return LineKind(*classify(body, severity), suspects)


def classify(body: str, severity: int) -> tuple[int, Template]:
    """The severity (the sender's where given) and template of a masked line."""
    text = body
    if body[:1] == "{":
        reduced = reduce_json(body)
        if reduced is not None:
            text, own = reduced
            severity = severity or own
    return _classify_shape(shape_of(text), severity)


@lru_cache(maxsize=50_000)
def _classify_shape(shape: str, severity: int) -> tuple[int, Template]:
    severity = severity or severity_in(shape)
    return severity, template_of(shape, severity)


def _cut(body: str) -> str:
    if len(body) <= MAX_LINE_CHARS:
        return body
    return f"{body[:MAX_LINE_CHARS]} … [cut: the line had {len(body):,} characters]"
