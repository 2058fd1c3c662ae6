"""The program runs, but the probe asks the wrong port, path, scheme or command, too early, or too
strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass

from copilot.causes.citing import backed, concluded, event_key, line_key, object_key, said
from copilot.causes.connecting import how_of
from copilot.causes.cpu_limit_too_low import has_cpu_to_spare
from copilot.causes.failures import (
    Ending,
    began_us,
    container_named_by,
    container_of,
    endings_of,
    events_about,
    is_gone,
    is_ready,
    statuses_of,
)
from copilot.causes.listening import port_announced, probe_port
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import SLACK_US, Part, just_before
from copilot.causes.wording import clock, lasting, one_line, time_before
from copilot.domain.case import Case
from copilot.domain.event import LogLine
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import Container, KubeEvent, ObjectRef, Pod, Probe, epoch_us

_KIND = re.compile(r"^(Readiness|Liveness|Startup) probe (?:failed|errored)", re.IGNORECASE)
_STATUS = re.compile(r"statuscode: (\d{3})", re.IGNORECASE)
_REFUSED = re.compile(r"connection refused|connection reset", re.IGNORECASE)
_TIMEOUT = re.compile(r"deadline exceeded|Client\.Timeout|timed? ?out|i/o timeout", re.IGNORECASE)
_WRONG_SCHEME = re.compile(
    r"server gave HTTP response to HTTPS client|malformed HTTP (?:response|status)|"
    r"first record does not look like a TLS handshake",
    re.IGNORECASE,
)
_WANTS_TLS = re.compile(
    r"HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port", re.IGNORECASE
)
_NO_GRPC = re.compile(r"failed to connect service|service unimplemented|Unimplemented")
_RUNTIME_IS_AWAY = re.compile(r"rpc error: code = Unavailable|unknown service runtime")
"""The kubelet did not reach the container runtime: that says nothing about the program."""
_NO_COMMAND = re.compile(r"executable file not found|no such file or directory", re.IGNORECASE)
KILLED_BY_US = frozenset({137, 143})
"""What the kubelet's own stop leaves behind: SIGKILL and SIGTERM."""
MISMATCH = 0.85
LIKELY = 0.6
UNDECIDED = 0.4
TIME_AND_AGAIN = 2
"""Restarts from which on a life that ends with the probe's patience is no accident."""
CHANGED = 0.1
REFUTED = 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    """One probe of one container that failed."""

    pod: Pod
    container: Container
    kind: str
    """`readiness`, `liveness` or `startup`."""
    probe: Probe
    message: str
    event: KubeEvent | None

    @property
    def keys(self) -> tuple[str, ...]:
        own = (event_key(self.event),) if self.event else ()
        return (*own, object_key(self.pod.metadata))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mismatch:
    """What is wrong with the probe, how sure, and in whose words."""

    brief: str
    """Goes on from "The liveness probe of app" in the title."""
    text: str
    confidence: float
    keys: tuple[str, ...]
    detail: str


def bad_probe(case: Case) -> Hypothesis | None:
    """Supported where a probe contradicts the container it asks, which runs fine otherwise.

    Refuted where the container dies by itself, answers that it is not well, or had answered for a
    while before it did not any more: the probe is right.
    """
    failed = _failed(case)
    if failed is None:
        return None
    refuting = (
        *_dies_by_itself(case, failed),
        *_answers_unwell(case, failed),
        *_answered_before(case, failed),
    )
    probe = f"The {failed.kind} probe of {failed.container.name}"
    if refuting:
        return concluded(
            Cause.BAD_PROBE,
            title=f"{probe} does not fit the program",
            verdict=Verdict.REFUTED,
            confidence=REFUTED,
            against=refuting,
            subject=_subject(case, failed),
        )
    changed = _changed_just_before(case, failed)
    found = _mismatch(case, failed)
    confidence = (found.confidence if found else UNDECIDED) + (CHANGED if changed else 0)
    is_sure = found is not None and (found.confidence >= LIKELY or bool(changed))
    return concluded(
        Cause.BAD_PROBE,
        title=f"{probe} {found.brief if found else 'does not fit the program'}",
        verdict=Verdict.SUPPORTED if is_sure or changed else Verdict.INCONCLUSIVE,
        confidence=max(confidence, LIKELY + CHANGED) if changed else confidence,
        supporting=(
            *_failing(case, failed),
            *(said(case, found.text, *found.keys) if found else ()),
            *changed,
            *_runs_fine(case, failed),
        ),
        next_check="" if is_sure else f"Ask {_asked(failed.probe)} from inside the pod by hand.",
        subject=_subject(case, failed),
        detail=found.detail if found else "",
    )


def failed_probe(case: Case) -> tuple[Pod, Container, str, Probe] | None:
    """The pod, the container, the kind (`readiness`, ...) and the probe that a hypothesis of this
    cause is about."""
    failed = _failed(case)
    return (failed.pod, failed.container, failed.kind, failed.probe) if failed else None


def listens_after_us(case: Case) -> int:
    """How long after its start the program was seen to listen, where that is longer than the probe
    is patient; 0 where it was not seen."""
    failed = _failed(case)
    late = _listens_late(case, failed) if failed else None
    return late[1] if late else 0


def _subject(case: Case, failed: _Failed) -> ObjectRef:
    """The workload, or the pod itself where nothing made it."""
    owned = workload_ref(case)
    if owned.kind != "Service" and (case.workload is not None or owned.kind != "Pod"):
        return owned
    meta = failed.pod.metadata
    return ObjectRef(kind="Pod", namespace=meta.namespace, name=meta.name, uid=meta.uid)


def _failed(case: Case) -> _Failed | None:
    """The last failed probe the kubelet told of, else a readiness probe that never passed."""
    pods = {p.metadata.uid: p for p in case.pods if not is_gone(p)}
    for event in backed(case, events_about(case, "Unhealthy", "ProbeError"), event_key):
        pod = pods.get(event.involved_object.uid)
        kind = _KIND.match(event.message)
        if _RUNTIME_IS_AWAY.search(event.message):
            continue
        if pod is None or kind is None or (is_ready(pod) and kind[1].lower() == "readiness"):
            continue
        name = container_named_by(event)
        container = container_of(pod.spec, name) or next(iter(pod.spec.containers or ()), None)
        probe = _probe(container, kind[1].lower()) if container is not None else None
        if container is not None and probe is not None:
            return _Failed(
                pod=pod,
                container=container,
                kind=kind[1].lower(),
                probe=probe,
                message=event.message,
                event=event,
            )
    return _never_ready(case)


def _never_ready(case: Case) -> _Failed | None:
    for pod in case.pods:
        for status in statuses_of(pod):
            container = container_of(pod.spec, status.name)
            runs = status.state is not None and status.state.running is not None
            if container is None or container.readiness_probe is None or is_gone(pod):
                continue
            if runs and not status.ready and status.restart_count == 0:
                return _Failed(
                    pod=pod,
                    container=container,
                    kind="readiness",
                    probe=container.readiness_probe,
                    message="",
                    event=None,
                )
    return None


def _probe(container: Container, kind: str) -> Probe | None:
    probes = {
        "readiness": container.readiness_probe,
        "liveness": container.liveness_probe,
        "startup": container.startup_probe,
    }
    return probes[kind]


def _failing(case: Case, failed: _Failed) -> tuple[Statement, ...]:
    since = f" since {clock(began_us(case))}"
    return said(
        case,
        f"The {failed.kind} probe of {failed.container.name} ({_asked(failed.probe)}) fails{since}"
        f"{_outcome(failed.message)}.",
        *failed.keys,
    )


def _outcome(message: str) -> str:
    status = _STATUS.search(message)
    if status:
        return f" with status {status[1]}"
    if _REFUSED.search(message):
        return ": the connection is refused"
    return ": no answer in time" if _TIMEOUT.search(message) else ""


def _dies_by_itself(case: Case, failed: _Failed) -> tuple[Statement, ...]:
    """A container that ends without the kubelet's doing cannot answer; the probe only says so."""
    stops = [
        epoch_us(e.occurred)
        for e in events_about(case, "Killing")
        if "probe" in e.message and e.involved_object.uid == failed.pod.metadata.uid
    ]
    own = [
        e
        for e in endings_of(failed.pod)
        if e.container == failed.container.name and not _was_stopped(failed, e, stops)
    ]
    if not own:
        return ()
    last = own[-1]
    return said(
        case,
        f"{last.container} ends by itself ({last.reason}, exit {last.exit_code} at "
        f"{clock(last.finished_us)}); a probe cannot pass while it is down.",
        object_key(failed.pod.metadata),
    )


def _was_stopped(failed: _Failed, ended: Ending, stops: list[int]) -> bool:
    """The kubelet stopped it for its probe. A program may answer SIGTERM with an exit code of its
    own, so what counts is when: within the grace period after the kubelet said so."""
    if ended.is_oom or not stops:
        return False
    if ended.exit_code in KILLED_BY_US:
        return True
    grace_us = (failed.pod.spec.termination_grace_period_seconds or 30) * 1_000_000
    return any(-SLACK_US <= ended.finished_us - at <= grace_us + SLACK_US for at in stops)


def _answers_unwell(case: Case, failed: _Failed) -> tuple[Statement, ...]:
    status = _STATUS.search(failed.message)
    if status is None or status[1] not in ("500", "502", "503", "504"):
        return ()
    return said(
        case,
        f"The program itself answers the probe with status {status[1]}: the probe reaches it, and "
        "it says that it is not well.",
        *failed.keys,
    )


def _answered_before(case: Case, failed: _Failed) -> tuple[Statement, ...]:
    """A probe that never fitted stops a program after its patience; one that lived for longer had
    answered."""
    if failed.kind != "liveness" or _STATUS.search(failed.message):
        return ()
    grace_s = failed.pod.spec.termination_grace_period_seconds or 0
    period_s = failed.probe.period_seconds or 10
    patience_us = _patience_us(failed.probe)
    lived_us = max(_lives_us(failed), default=0)
    if lived_us <= patience_us + (grace_s + period_s) * 1_000_000 + SLACK_US:
        return ()
    return said(
        case,
        f"{failed.container.name} lived for {lasting(lived_us)} before it was stopped; a probe that "
        f"never fitted would have given up after {lasting(patience_us)}: it had answered, and then "
        "did not any more.",
        object_key(failed.pod.metadata),
    )


def _lives_us(failed: _Failed) -> list[int]:
    return [e.lived_us for e in endings_of(failed.pod) if e.container == failed.container.name]


def _mismatch(case: Case, failed: _Failed) -> _Mismatch | None:
    """The first contradiction between the probe and what it asks, the surest first."""
    looks = (
        _unknown_name,
        _wrong_scheme,
        _wrong_path,
        _other_port,
        _missing_command,
        _too_early,
        _too_strict,
    )
    for look in looks:
        found = look(case, failed)
        if found:
            return found
    return None


def _unknown_name(case: Case, failed: _Failed) -> _Mismatch | None:
    port = _port(failed.probe)
    names = {p.name for p in failed.container.ports or ()}
    if not isinstance(port, str) or port in names or port.isdecimal():
        return None
    return _Mismatch(
        brief=f"asks port {port!r}, which the container does not name",
        text=f"The probe asks port {port!r}, but the container names no such port.",
        confidence=MISMATCH + 0.05,
        keys=(object_key(failed.pod.metadata),),
        detail="wrong_port",
    )


def _wrong_scheme(case: Case, failed: _Failed) -> _Mismatch | None:
    """HTTPS asked of a program that speaks HTTP, or the other way round; gRPC of one that has none
    at a port where it does listen."""
    get = failed.probe.http_get
    told = next((x for x in reversed(_own_lines(case, failed)) if _WANTS_TLS.search(x.body)), None)
    if get is not None and (_WRONG_SCHEME.search(failed.message) or told):
        asks, speaks = ("HTTPS", "HTTP") if get.scheme == "HTTPS" else ("HTTP", "HTTPS")
        return _Mismatch(
            brief=f"asks by {asks}, but the program speaks {speaks}",
            text=f"The probe asks port {get.port} by {asks}; what answers there speaks {speaks}.",
            confidence=MISMATCH + 0.05,
            keys=(*failed.keys, *((line_key(told),) if told else ())),
            detail="wrong_scheme",
        )
    if failed.probe.grpc is None or not _NO_GRPC.search(failed.message):
        return None
    port, (_, heard) = failed.probe.grpc.port, _announced(case, failed)
    if port not in (heard, *(p.container_port for p in failed.container.ports or ())):
        return None
    return _Mismatch(
        brief=f"asks by gRPC at port {port}, and nothing there answers that",
        text=f"The probe asks port {port} by gRPC; the program is there, but answers no gRPC health "
        "check.",
        confidence=LIKELY + 0.05,
        keys=failed.keys,
        detail="wrong_scheme",
    )


def _wrong_path(case: Case, failed: _Failed) -> _Mismatch | None:
    status = _STATUS.search(failed.message)
    if status is None or failed.probe.http_get is None or status[1][0] not in "34":
        return None
    is_unknown = status[1] == "404"
    path = one_line(failed.probe.http_get.path, 80)
    meaning = "knows no such path" if is_unknown else "does not let the probe in"
    return _Mismatch(
        brief=f"asks for {path}, "
        + ("a path that the program does not know" if is_unknown else f"which gives {status[1]}"),
        text=f"The program answers, so it runs; {path} gives {status[1]}: it {meaning}.",
        confidence=MISMATCH if is_unknown else LIKELY,
        keys=failed.keys,
        detail="wrong_path",
    )


def _other_port(case: Case, failed: _Failed) -> _Mismatch | None:
    """Refused at one port while the container names or announces another."""
    port = _number(failed)
    sign = _NO_GRPC if failed.probe.grpc is not None else _REFUSED
    if port is None or (failed.message and not sign.search(failed.message)):
        return None
    line, heard = _announced(case, failed)
    if line is not None and heard != port:
        return _Mismatch(
            brief=f"asks port {port}, but the program listens on {heard}",
            text=f"The probe asks port {port}, while the program's log says it listens on {heard}.",
            confidence=MISMATCH + 0.05,
            keys=(line_key(line), *failed.keys),
            detail="wrong_port",
        )
    beside = _port_that_passes(failed)
    if beside is not None and beside != port:
        return _Mismatch(
            brief=f"asks port {port}, but the readiness probe passes at {beside}",
            text=f"The probe asks port {port}, while the readiness probe of the same container "
            f"passes at port {beside}.",
            confidence=MISMATCH + 0.05,
            keys=failed.keys,
            detail="wrong_port",
        )
    declared = [p.container_port for p in failed.container.ports or ()]
    if port in declared:
        return None
    exposed = ", ".join(str(p) for p in declared)
    return _Mismatch(
        brief=f"asks port {port}, "
        + (
            f"but the container exposes {exposed}"
            if exposed
            else "which the container does not name"
        ),
        text=f"The probe asks port {port}, while the container "
        f"{f'exposes {exposed} only' if exposed else 'names no port at all'}.",
        confidence=MISMATCH if exposed else LIKELY,
        keys=failed.keys,
        detail="wrong_port",
    )


def _port_that_passes(failed: _Failed) -> int | None:
    """What the readiness probe asks, where it is another one and it passes."""
    probe = failed.container.readiness_probe
    is_other = failed.kind != "readiness" and probe is not None and is_ready(failed.pod)
    return probe_port(failed.container, probe) if probe is not None and is_other else None


def _missing_command(case: Case, failed: _Failed) -> _Mismatch | None:
    if failed.probe.exec is None or not _NO_COMMAND.search(failed.message):
        return None
    return _Mismatch(
        brief="runs a command, or reads a file, that is not in the container",
        text="The probe's command, or the file it looks for, is not in the container.",
        confidence=LIKELY + 0.1,
        keys=failed.keys,
        detail="wrong_command",
    )


def _too_early(case: Case, failed: _Failed) -> _Mismatch | None:
    """Stopped before it was up. By the log for sure; by several lives that all ended when the
    probe's patience did, likely, unless the program waits for somebody else."""
    lives, patience_us = _lives_us(failed), _patience_us(failed.probe)
    if failed.kind == "readiness" or not lives or not _REFUSED.search(failed.message):
        return None
    brief = "has the program stopped before it is up"
    gives_up = f"The probe gives up after {lasting(patience_us)}"
    late = _listens_late(case, failed)
    if late is not None:
        line, took_us = late
        return _Mismatch(
            brief=brief,
            text=f"{gives_up}, and the program needs {lasting(took_us)} to listen: "
            f"“{one_line(line.body, 120)}”.",
            confidence=MISMATCH,
            keys=(line_key(line), *failed.keys),
            detail="too_early",
        )
    is_again_and_again = _restarts(failed) >= TIME_AND_AGAIN and _number(failed) in {
        p.container_port for p in failed.container.ports or ()
    }
    return _Mismatch(
        brief=brief,
        text=f"{gives_up} and had the program stopped after {lasting(max(lives))}; it never got to "
        "listen.",
        confidence=LIKELY
        if is_again_and_again and not _waits_for_others(case, failed)
        else UNDECIDED + 0.1,
        keys=failed.keys,
        detail="too_early",
    )


def _listens_late(case: Case, failed: _Failed) -> tuple[LogLine, int] | None:
    """The line that says where it listens, and how long after its start, where that is longer than
    the probe is patient."""
    starts = [e.started_us for e in endings_of(failed.pod) if e.container == failed.container.name]
    for status in statuses_of(failed.pod):
        if status.name == failed.container.name and status.state and status.state.running:
            starts.append(epoch_us(status.state.running.started_at))
    for line in reversed(_own_lines(case, failed)):
        before = [at for at in starts if 0 < at <= line.ts_us]
        if port_announced(line.body) is None or not before:
            continue
        took_us = line.ts_us - max(before)
        if took_us > _patience_us(failed.probe):
            return line, took_us
    return None


def _too_strict(case: Case, failed: _Failed) -> _Mismatch | None:
    """Not answered in time: a slow program or a hasty probe. Hasty where another, more patient
    probe of it passes, and most likely where it has the program stopped again and again though
    that has CPU to spare and complains of nothing."""
    if not _TIMEOUT.search(failed.message):
        return None
    waits = failed.probe.timeout_seconds or 1
    patient = failed.container.readiness_probe
    is_liveness = failed.kind != "readiness"
    passes = (
        is_liveness
        and patient is not None
        and (patient.timeout_seconds or 1) > waits
        and is_ready(failed.pod)
    )
    stops = (
        is_liveness
        and _restarts(failed) >= TIME_AND_AGAIN
        and has_cpu_to_spare(case, failed.container.name)
        and not _waits_for_others(case, failed)
    )
    more = " The readiness probe, which waits longer, passes." if passes else ""
    if stops and not passes:
        more = " It never ended by itself, has CPU to spare and complains of nothing."
    return _Mismatch(
        brief=f"is not answered within its {waits} s",
        text=f"The program does not answer within the {waits} s that the probe waits; it may "
        f"be slow, or the probe hasty.{more}",
        confidence=LIKELY + 0.1 if passes else LIKELY if stops else UNDECIDED + 0.1,
        keys=failed.keys,
        detail="too_strict",
    )


def _restarts(failed: _Failed) -> int:
    name = failed.container.name
    return max((s.restart_count for s in statuses_of(failed.pod) if s.name == name), default=0)


def _waits_for_others(case: Case, failed: _Failed) -> bool:
    return any(how_of(line.body) for line in _own_lines(case, failed))


def _patience_us(probe: Probe) -> int:
    """How long a probe lets a program fail from its start; Kubernetes' defaults where unset."""
    first = probe.initial_delay_seconds or 0
    return (first + (probe.period_seconds or 10) * (probe.failure_threshold or 3)) * 1_000_000


def _changed_just_before(case: Case, failed: _Failed) -> tuple[Statement, ...]:
    rollout = just_before(case, began_us(case))
    if rollout is None or Part.PROBE not in rollout.parts:
        return ()
    mine = [f for f in rollout.fields if f"[{failed.container.name}]" in f.path]
    if not any("Probe" in f.path for f in mine):
        return ()
    return said(
        case,
        f"The probe was changed{rollout.by} {time_before(began_us(case) - rollout.at_us).lower()} it "
        f"first failed: {rollout.title}.",
        *rollout.keys,
    )


def _runs_fine(case: Case, failed: _Failed) -> tuple[Statement, ...]:
    for status in statuses_of(failed.pod):
        running = status.state.running if status.state else None
        if status.name == failed.container.name and running and status.restart_count == 0:
            since = clock(epoch_us(running.started_at))
            return said(
                case,
                f"{status.name} itself has run since {since} without a restart.",
                object_key(failed.pod.metadata),
            )
    return ()


def _announced(case: Case, failed: _Failed) -> tuple[LogLine | None, int]:
    """The last line in which the program says where it listens."""
    for line in reversed(_own_lines(case, failed)):
        heard = port_announced(line.body)
        if heard is not None:
            return line, heard
    return None, 0


def _own_lines(case: Case, failed: _Failed) -> list[LogLine]:
    place = (failed.pod.metadata.name, failed.container.name)
    return [line for line in case.lines if (line.pod, line.container) == place]


def _port(probe: Probe) -> int | str | None:
    if probe.http_get is not None:
        return probe.http_get.port
    if probe.grpc is not None:
        return probe.grpc.port
    return probe.tcp_socket.port if probe.tcp_socket is not None else None


def _number(failed: _Failed) -> int | None:
    return probe_port(failed.container, failed.probe)


def _asked(probe: Probe) -> str:
    if probe.http_get is not None:
        return f"GET {probe.http_get.path} on port {probe.http_get.port}"
    if probe.tcp_socket is not None:
        return f"TCP port {probe.tcp_socket.port}"
    if probe.grpc is not None:
        return f"gRPC health on port {probe.grpc.port}"
    command = probe.exec.command if probe.exec else None
    return f"command {' '.join(command)[:80]}" if command else "its check"
