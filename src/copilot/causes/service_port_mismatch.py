"""A Service sends to a port on which its pods do not listen, or is called at one it does not have."""

from __future__ import annotations

from copilot.causes.citing import change_key, concluded, line_key, object_key, said
from copilot.causes.connecting import Call, How, readdressed
from copilot.causes.listening import Listening, declared, listening, named_port
from copilot.causes.questioned import (
    Question,
    called_pods,
    changes_of,
    first_of,
    questioned,
    shown,
)
from copilot.causes.selecting import selected_workloads
from copilot.causes.wording import clock, one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import PodSpec, ServicePort

SURE = 0.95
DECLARED = 0.8
"""What a spec names is not all on which a program may listen."""
CHANGED = 0.05
REFUTED = 0.06
_CONNECTS_NOT = frozenset({How.REFUSED, How.TIMEOUT, How.UNREACHABLE})


def service_port_mismatch(case: Case) -> Hypothesis | None:
    """Supported where a Service's target port is none of its pods', by number, name or protocol,
    or where the caller asks for a port that the Service does not have.

    Refuted where a probe that passes, or the program's own log, shows that it listens there.
    """
    return first_of(_judged(case, q) for q in questioned(case))


def target_of(port: ServicePort) -> int | str:
    """Where a Service's port sends to: by default to the same number."""
    return port.target_port or port.port


def called_port(question: Question) -> ServicePort | None:
    """The Service's port that the trouble is about: the one called, else its only one."""
    ports = question.service.spec.ports or []
    number = question.call.port if question.call else None
    named = [p for p in ports if p.port == number]
    return named[0] if named else ports[0] if len(ports) == 1 else None


def _judged(case: Case, question: Question) -> Hypothesis | None:
    return _not_served(case, question) or _not_listened(case, question)


# ------------------------------------------------------------------ the caller's port


def _not_served(case: Case, question: Question) -> Hypothesis | None:
    """The caller asks for a port that the Service does not have. A headless Service has none of
    its own: its name leads to the pods. A setting that was just changed is a cause of its own."""
    call, ports = question.call, question.service.spec.ports or []
    is_headless = question.service.spec.cluster_ip == "None"
    if call is None or call.port is None or is_headless or not ports:
        return None
    if any(p.port == call.port and p.protocol == "TCP" for p in ports):
        return None
    if call.trouble.how not in _CONNECTS_NOT or readdressed(case, call):
        return None
    other = next((p for p in ports if p.port == call.port), None)
    has = ", ".join(f"{p.port}/{p.protocol}" for p in ports[:5])
    what = (
        f"has port {call.port} for {other.protocol} only" if other else f"has no port {call.port}"
    )
    return concluded(
        Cause.SERVICE_PORT_MISMATCH,
        title=f"Service {question.name} {what}, where it is called",
        verdict=Verdict.SUPPORTED,
        confidence=SURE,
        supporting=(
            *shown(case, question),
            *said(
                case, f"Service {question.name} {what}; it has {one_line(has, 80)}.", question.key
            ),
            *_told(case, call),
        ),
        subject=question.ref,
        detail="protocol" if other else "port_not_served",
    )


def _told(case: Case, call: Call) -> tuple[Statement, ...]:
    """Where the caller has the port from."""
    if call.setting is None or call.setting.address.port != call.port:
        return ()
    return said(
        case,
        f"The caller has this address from {one_line(call.setting.words, 120)}.",
        call.setting.source or call.key,
    )


# ------------------------------------------------------------------ the pods' port


def _not_listened(case: Case, question: Question) -> Hypothesis | None:
    port = called_port(question)
    pods = called_pods(case, question.service)
    workloads = selected_workloads(case, question.service)
    spec = pods[0].spec if pods else workloads[0].spec.template.spec if workloads else None
    if port is None or spec is None:
        return None
    keys = (
        *(object_key(p.metadata) for p in pods[:2]),
        *(object_key(w.metadata) for w in workloads[:1]),
    )
    known = listening(case, pods[0]) if pods else None
    target = target_of(port)
    if isinstance(target, str):
        return _no_such_name(case, question, target, spec, keys)
    if known is not None and target in known.certain:
        return _listens(case, question, target, known, keys)
    return _wrong_protocol(case, question, port, target, spec, keys) or _wrong_number(
        case, question, port, target, spec, known, keys
    )


def _no_such_name(
    case: Case, question: Question, target: str, spec: PodSpec, keys: tuple[str, ...]
) -> Hypothesis | None:
    if named_port(spec, target) is not None or target.isdecimal():
        return None
    names = [p.name for p in declared(spec) if p.name]
    they = f"they name {', '.join(names[:5])}" if names else "they name none"
    return concluded(
        Cause.SERVICE_PORT_MISMATCH,
        title=f"Service {question.name} sends to port {target!r}, which its pods do not name",
        verdict=Verdict.SUPPORTED,
        confidence=SURE,
        supporting=(
            *said(
                case,
                f"Service {question.name} sends to the port named {one_line(target, 40)!r}; no "
                f"container of its pods names such a port: {one_line(they, 120)}.",
                question.key,
                *keys,
            ),
            *_changed(case, question),
            *shown(case, question),
        ),
        subject=question.ref,
        detail="target_port_name",
    )


def _wrong_protocol(
    case: Case,
    question: Question,
    port: ServicePort,
    target: int,
    spec: PodSpec,
    keys: tuple[str, ...],
) -> Hypothesis | None:
    named = [p for p in declared(spec) if p.container_port == target]
    if not named or any(p.protocol == port.protocol for p in named):
        return None
    return concluded(
        Cause.SERVICE_PORT_MISMATCH,
        title=f"Service {question.name} speaks {port.protocol} where its pods listen for "
        f"{named[0].protocol}",
        verdict=Verdict.SUPPORTED,
        confidence=DECLARED,
        supporting=(
            *said(
                case,
                f"Service {question.name} sends {port.protocol} to port {target}, which its pods "
                f"name for {named[0].protocol}.",
                question.key,
                *keys,
            ),
            *_changed(case, question),
            *shown(case, question),
        ),
        subject=question.ref,
        detail="protocol",
    )


def _wrong_number(
    case: Case,
    question: Question,
    port: ServicePort,
    target: int,
    spec: PodSpec,
    known: Listening | None,
    keys: tuple[str, ...],
) -> Hypothesis | None:
    """By the program's own words for sure; by what its spec names, likely. Endpoints do not show
    it, so only a caller can."""
    heard = known.announced if known else ()
    certain = sorted(known.certain) if known else []
    named = sorted({p.container_port for p in declared(spec) if p.protocol == port.protocol})
    is_shut = question.call is not None and question.call.trouble.how in _CONNECTS_NOT
    if not is_shut or target in named or not (certain or named):
        return None
    there = ", ".join(str(p) for p in (certain or named)[:5])
    how = "listen on" if certain else "name"
    changed = _changed(case, question)
    return concluded(
        Cause.SERVICE_PORT_MISMATCH,
        title=f"Service {question.name} sends to port {target}, but its pods {how} {there}",
        verdict=Verdict.SUPPORTED,
        confidence=(SURE if certain else DECLARED) + (CHANGED if changed else 0),
        supporting=(
            *said(
                case,
                f"Service {question.name} sends port {port.port} to {target}; its pods {how} "
                f"{there}.",
                question.key,
                *(line_key(line) for _, line in heard[:2]),
                *keys,
            ),
            *changed,
            *shown(case, question),
        ),
        subject=question.ref,
        detail="target_port_number",
    )


def _listens(
    case: Case, question: Question, target: int, known: Listening, keys: tuple[str, ...]
) -> Hypothesis | None:
    by = "their log says so" if target not in known.proven else "their readiness probe passes there"
    return concluded(
        Cause.SERVICE_PORT_MISMATCH,
        title=f"Service {question.name} sends to a port where nobody listens",
        verdict=Verdict.REFUTED,
        confidence=REFUTED,
        against=said(
            case,
            f"The pods behind Service {question.name} listen on {target}: {by}.",
            *keys,
            *(line_key(line) for port, line in known.announced if port == target),
        ),
        subject=question.ref,
    )


def _changed(case: Case, question: Question) -> tuple[Statement, ...]:
    for change in changes_of(case, question.ref):
        if any("ports" in f.path for f in change.fields):
            by = f" by {one_line(change.actor, 60)}" if change.actor else ""
            return said(
                case,
                f"The ports of Service {question.name} were changed{by} at {clock(change.ts_us)}: "
                f"{one_line(change.title, 120)}.",
                change_key(change),
            )
    return ()
