"""A probe that does not fit its program: asks as it did before, or what the program answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from copilot.agents.drafting import drafted
from copilot.agents.rollback import roll_back
from copilot.causes.bad_probe import failed_probe, listens_after_us
from copilot.causes.citing import object_key
from copilot.causes.failures import began_us, container_of, is_ready
from copilot.causes.listening import listening, probe_port
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import just_before
from copilot.causes.wording import lasting, one_line, plain
from copilot.domain.action import ProbeCheck, ProbeKind, SetProbe
from copilot.domain.case import Case
from copilot.domain.change import FieldChange
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import Container, Deployment, Pod, Probe
from copilot.domain.proposal import Draft

WITH_TEMPLATE = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
HEADROOM = 1.5
MORE_PATIENT = 3
LEAST_PATIENCE_S = 60
LONGEST_TIMEOUT_S = 10
MOST_FAILURES = 60
MOST_DELAY_S = 600
KINDS = ("liveness", "readiness", "startup")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the probe should ask instead, and why."""

    why: str
    words: str
    check: ProbeCheck | None = None
    port: int | str | None = None
    path: str | None = None
    scheme: str | None = None
    initial_delay_s: int | None = None
    timeout_s: int | None = None
    failure_threshold: int | None = None
    keys: tuple[str, ...] = ()
    is_stopgap: bool = False
    is_before: bool = False
    """It is what was asked before a change."""


def bad_probe(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """The probe corrected, then the revision before where it came with a rollout."""
    target = workload_ref(case)
    if case.workload is None or target.kind not in WITH_TEMPLATE:
        yield f"only a workload with a pod template can be changed, and this is {target}"
        return
    corrected = _corrected(case, hypothesis, case.workload)
    if corrected is not None:
        yield corrected
    if target.kind == "Deployment" and (corrected is None or len(case.replica_sets) > 1):
        yield from roll_back(case, hypothesis, about="Probe")
    elif corrected is None:
        yield "nothing tells what the probe should ask instead"


def _corrected(case: Case, hypothesis: Hypothesis, workload: Deployment) -> Draft | None:
    """None where nothing tells what to ask, or the probe is another one by now."""
    failed = failed_probe(case)
    if failed is None:
        return None
    pod, container, kind, probe = failed
    now = container_of(workload.spec.template.spec, container.name)
    if now is None or _of(now, kind) != probe:
        return None
    wanted = _before(case, container, kind) or _better(
        case, hypothesis, pod, container, kind, probe
    )
    if wanted is None:
        return None
    alike = _alike(case, hypothesis, container, kind, wanted)
    kinds = " and ".join((kind, *alike))
    return drafted(
        case,
        SetProbe(
            target=workload_ref(case),
            container=container.name,
            probe=ProbeKind(f"{kind}Probe"),
            also=tuple(ProbeKind(f"{k}Probe") for k in alike),
            check=wanted.check,
            port=wanted.port,
            path=wanted.path,
            scheme=wanted.scheme,
            initial_delay_s=wanted.initial_delay_s,
            timeout_s=wanted.timeout_s,
            failure_threshold=wanted.failure_threshold,
        ),
        title=f"Let the {kinds} probe{'s' if alike else ''} of {container.name} {wanted.words}",
        why=wanted.why,
        hypothesis=hypothesis,
        keys=(*wanted.keys, object_key(pod.metadata)),
        is_stopgap=wanted.is_stopgap,
    )


def _alike(
    case: Case, hypothesis: Hypothesis, container: Container, kind: str, wanted: _Wanted
) -> tuple[str, ...]:
    """The other probes of the container that the same change mends: those that were changed in the
    same way, and those that ask at the same wrong place."""
    others = [k for k in KINDS if k != kind and _of(container, k) is not None]
    if wanted.is_before:
        mine = _answer(wanted)
        return tuple(k for k in others if (b := _before(case, container, k)) and _answer(b) == mine)
    place = _place(container, _of(container, kind))
    if hypothesis.detail == "wrong_scheme":
        return tuple(
            k
            for k in others
            if (other := _of(container, k)) and other.http_get and _place(container, other) == place
        )
    if hypothesis.detail == "wrong_port":
        return tuple(k for k in others if _place(container, _of(container, k))[:1] == place[:1])
    return ()


def _answer(wanted: _Wanted) -> tuple[object, ...]:
    return (
        wanted.check,
        wanted.port,
        wanted.path,
        wanted.scheme,
        wanted.initial_delay_s,
        wanted.timeout_s,
        wanted.failure_threshold,
    )


def _place(container: Container, probe: Probe | None) -> tuple[int | None, str]:
    if probe is None:
        return None, ""
    scheme = (probe.http_get.scheme or "HTTP") if probe.http_get else ""
    return probe_port(container, probe), scheme


def _better(
    case: Case, hypothesis: Hypothesis, pod: Pod, container: Container, kind: str, probe: Probe
) -> _Wanted | None:
    match hypothesis.detail:
        case "wrong_port":
            return _port(case, pod, container, kind, probe)
        case "wrong_path":
            return _path(pod, container, kind, probe)
        case "wrong_scheme":
            return _scheme(probe)
        case "too_early":
            return _patience(case, probe)
        case "too_strict":
            return _timeout(pod, container, kind, probe)
        case _:
            return None


def _before(case: Case, container: Container, kind: str) -> _Wanted | None:
    """As it was before the change that just came, field by field; None where a field of it is none
    that can be set."""
    rollout = just_before(case, began_us(case))
    stem = f"[{container.name}].{kind}Probe."
    mine = (
        {f.path.partition(stem)[2]: f for f in rollout.fields if stem in f.path} if rollout else {}
    )
    check = _check_before(mine)
    found: dict[str, str] = {}
    for name, field in mine.items():
        if check is not None and field.before is None and _is_of_a_check(name):
            continue  # of the check that came in its place, and goes with it
        if name not in _FIELDS or field.before is None:
            return None
        found[_FIELDS[name]] = plain(field.before)
    port = found.get("port", "")
    if rollout is None or not found or (check is not None and not port):
        return None

    def seconds(name: str) -> int | None:
        text = found.get(name, "")
        return int(text) if text.isdecimal() else None

    return _Wanted(
        words=f"ask as before ({', '.join(_told(check, found))})",
        why="So it was before it was changed, and it passed.",
        check=check,
        port=(int(port) if port.isdecimal() else port) if port else None,
        path=found.get("path"),
        scheme=found.get("scheme"),
        initial_delay_s=seconds("initial_delay_s"),
        timeout_s=seconds("timeout_s"),
        failure_threshold=seconds("failure_threshold"),
        keys=rollout.keys,
        is_before=True,
    )


def _check_before(changed: Mapping[str, FieldChange]) -> ProbeCheck | None:
    """The way it asked where that was exchanged for another as a whole, None where it was not."""
    gone = {
        n.partition(".")[0] for n, f in changed.items() if f.after is None and _is_of_a_check(n)
    }
    came = {
        n.partition(".")[0] for n, f in changed.items() if f.before is None and _is_of_a_check(n)
    }
    before = next(iter(gone), "")
    is_exchanged = len(gone) == len(came) == 1 and gone != came
    return ProbeCheck(before) if is_exchanged and before in set(ProbeCheck) else None


def _is_of_a_check(name: str) -> bool:
    return name.partition(".")[0] in {*ProbeCheck, "exec"}


def _told(check: ProbeCheck | None, found: Mapping[str, str]) -> Iterator[str]:
    if check is not None:
        yield check
    yield from (f"{name} {one_line(value, 60)}" for name, value in found.items())


_FIELDS = {
    "httpGet.port": "port",
    "tcpSocket.port": "port",
    "grpc.port": "port",
    "httpGet.path": "path",
    "httpGet.scheme": "scheme",
    "initialDelaySeconds": "initial_delay_s",
    "timeoutSeconds": "timeout_s",
    "failureThreshold": "failure_threshold",
}


def _port(case: Case, pod: Pod, container: Container, kind: str, probe: Probe) -> _Wanted | None:
    asked = probe_port(container, probe)
    announced = [port for port, _ in listening(case, pod).announced if port != asked]
    beside = container.readiness_probe
    if announced:
        return _Wanted(
            port=announced[-1],
            words=f"ask port {announced[-1]}",
            why=f"The program says that it listens on {announced[-1]}.",
        )
    if kind != "readiness" and beside is not None and is_ready(pod):
        port = probe_port(container, beside)
        if port is not None and port != asked:
            return _Wanted(
                port=port,
                words=f"ask port {port}",
                why=f"The readiness probe of the same container passes at {port}.",
            )
    named = [p for p in container.ports or () if p.protocol == "TCP"]
    if len(named) == 1 and named[0].container_port != asked:
        port = named[0].container_port
        return _Wanted(
            port=port, words=f"ask port {port}", why=f"The container exposes {port} only."
        )
    return None


def _path(pod: Pod, container: Container, kind: str, probe: Probe) -> _Wanted | None:
    """The path of another probe of the same container; surely where that one passes."""
    now = probe.http_get.path if probe.http_get else None
    others = [
        (name, other.http_get.path)
        for name in ("readiness", "liveness", "startup")
        if name != kind and (other := _of(container, name)) is not None and other.http_get
    ]
    for name, path in others:
        passes = name == "readiness" and is_ready(pod)
        runs_long = name == "liveness" and not any(
            s.restart_count for s in pod.status.container_statuses or ()
        )
        if path != now and (passes or runs_long):
            return _Wanted(
                path=path,
                words=f"ask for {one_line(path, 80)}",
                why=f"The {name} probe of the same container asks for it and passes.",
            )
    return None


def _scheme(probe: Probe) -> _Wanted | None:
    if probe.http_get is None:
        return None
    scheme = "HTTP" if probe.http_get.scheme == "HTTPS" else "HTTPS"
    return _Wanted(scheme=scheme, words=f"ask by {scheme}", why=f"What answers speaks {scheme}.")


def _patience(case: Case, probe: Probe) -> _Wanted | None:
    """Longer than the program was seen to need; else several times as long."""
    took_us = listens_after_us(case)
    if took_us:
        delay = min(MOST_DELAY_S, -(-round(took_us * HEADROOM) // 1_000_000))
        return _Wanted(
            initial_delay_s=delay,
            words=f"wait {delay} s before it first asks",
            why=f"The program needs {lasting(took_us)} to listen.",
        )
    period = probe.period_seconds or 10
    count = max((probe.failure_threshold or 3) * MORE_PATIENT, -(-LEAST_PATIENCE_S // period))
    count = min(MOST_FAILURES, count)
    return _Wanted(
        failure_threshold=count,
        words=f"give up after {count} failures ({count * period} s)",
        why="How long the program needs to start is not known, as it was always stopped before: "
        f"{MORE_PATIENT} times as long and a minute at least, and the verification decides.",
        is_stopgap=True,
    )


def _timeout(pod: Pod, container: Container, kind: str, probe: Probe) -> _Wanted | None:
    now, other = probe.timeout_seconds or 1, container.readiness_probe
    if kind != "readiness" and other and is_ready(pod) and (other.timeout_seconds or 1) > now:
        longer = other.timeout_seconds or 1
        return _Wanted(
            timeout_s=longer,
            words=f"wait {longer} s for an answer",
            why=f"The readiness probe waits {longer} s, and passes.",
        )
    longer = min(LONGEST_TIMEOUT_S, now * 5)
    if longer <= now:
        return None
    return _Wanted(
        timeout_s=longer,
        words=f"wait {longer} s for an answer",
        why=f"The program does not answer within {now} s. If it is too slow for {longer} s as well, "
        "the probe was right.",
        is_stopgap=True,
    )


def _of(container: Container, kind: str) -> Probe | None:
    return {
        "readiness": container.readiness_probe,
        "liveness": container.liveness_probe,
        "startup": container.startup_probe,
    }[kind]
