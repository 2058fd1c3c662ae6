"""What the workload calls is itself down: the cause lies there."""

from __future__ import annotations

from copilot.causes.citing import concluded, event_key, object_key, said
from copilot.causes.connecting import Call, How, Trouble, calls, meant_by, troubles
from copilot.causes.failures import (
    began_us,
    endings_of,
    events_about,
    is_ready,
    state_words,
)
from copilot.causes.questioned import first_of, stands_behind
from copilot.causes.references import reference_to
from copilot.causes.selecting import (
    selected_pods,
    selected_workloads,
    service_ref,
)
from copilot.causes.wording import clock, one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import Deployment, ObjectRef, Pod, Service

DOWN = 0.9
PARTLY = 0.65
WAS_DOWN = 0.65
UNDECIDED = 0.4
REFUTED = 0.06
_DOWN = frozenset({How.REFUSED, How.RESET, How.TIMEOUT, How.UNREACHABLE, How.ANSWERED})


def dependency_down(case: Case) -> Hypothesis | None:
    """Supported where the log complains about a Service whose own pods are not ready or crash.

    Refuted where all of them are well and have been; inconclusive for what lies outside the
    namespace: its state is not seen from here.
    """
    near = [_judged(case, call) for call in calls(case) if call.trouble.how in _DOWN]
    far = [_outside(case, t) for t in troubles(case) if t.how in _DOWN]
    return first_of((*near, *far))


def _judged(case: Case, call: Call) -> Hypothesis | None:
    if call.service is None:
        return _elsewhere(case, call)
    if stands_behind(case, call.service):
        return None  # it calls itself
    pods = selected_pods(case, call.service)
    workloads = selected_workloads(case, call.service)
    if not pods and not any(w.spec.replicas != 0 for w in workloads):
        return None  # nobody is meant to be there: that has causes of its own
    if not pods and "Pod" not in case.surroundings.listed:
        return None  # they may be there, and we do not see them
    unready = tuple(p for p in pods if not is_ready(p))
    if not pods or unready:
        return _is_down(case, call, call.service, pods, workloads)
    return _was_down(case, call, pods, workloads) or _is_well(case, call, pods)


def _is_down(
    case: Case,
    call: Call,
    service: Service,
    pods: tuple[Pod, ...],
    workloads: tuple[Deployment, ...],
) -> Hypothesis | None:
    unready = tuple(p for p in pods if not is_ready(p))
    subject = _subject(service, workloads)
    name = one_line(subject.name, 80)
    how_many = f"{len(pods) - len(unready)} of {len(pods)} pods ready" if pods else "no pods at all"
    return concluded(
        Cause.DEPENDENCY_DOWN,
        title=f"{subject.kind} {name}, which it calls, has {how_many}",
        verdict=Verdict.SUPPORTED,
        confidence=PARTLY if len(unready) < len(pods) else DOWN,
        supporting=(
            *said(case, call.text, call.key),
            *said(
                case,
                f"{subject.kind} {name}, behind Service {one_line(service.metadata.name, 80)}, has "
                f"{how_many}{_states(unready)}.",
                *(object_key(p.metadata) for p in unready[:2]),
                *(object_key(w.metadata) for w in workloads[:1]),
                object_key(service.metadata),
            ),
            *_told(case, unready),
        ),
        subject=subject,
        detail="not_ready",
    )


def _was_down(
    case: Case, call: Call, pods: tuple[Pod, ...], workloads: tuple[Deployment, ...]
) -> Hypothesis | None:
    """Well now, but it ended while the calls failed."""
    began = began_us(case)
    ends = [e for p in pods for e in endings_of(p) if began - 60_000_000 <= e.finished_us]
    if len({e.pod.metadata.uid for e in ends}) < len(pods) or not ends or call.service is None:
        return None
    last = max(ends, key=lambda e: e.finished_us)
    subject = _subject(call.service, workloads)
    return concluded(
        Cause.DEPENDENCY_DOWN,
        title=f"{subject.kind} {one_line(subject.name, 80)}, which it calls, went down",
        verdict=Verdict.SUPPORTED,
        confidence=WAS_DOWN,
        supporting=(
            *said(case, call.text, call.key),
            *said(
                case,
                f"{last.container} in {last.pod.metadata.name}, which it calls, ended with "
                f"{one_line(last.reason or 'an error', 40)} (exit {last.exit_code}) at "
                f"{clock(last.finished_us)}.",
                object_key(last.pod.metadata),
            ),
        ),
        subject=subject,
        detail="restarted",
    )


def _is_well(case: Case, call: Call, pods: tuple[Pod, ...]) -> Hypothesis | None:
    name = one_line(call.meant.name, 80)
    return concluded(
        Cause.DEPENDENCY_DOWN,
        title=f"{name}, which it calls, is down",
        verdict=Verdict.REFUTED,
        confidence=REFUTED,
        against=said(
            case,
            f"All {len(pods)} pods behind Service {name} are ready, and none of them failed in "
            "this time.",
            *(object_key(p.metadata) for p in pods[:3]),
            *((object_key(call.service.metadata),) if call.service else ()),
        ),
    )


def _elsewhere(case: Case, call: Call) -> Hypothesis | None:
    """A Service of another namespace: that it is there is known, how it is, is not."""
    remote = {(r.namespace, r.name): r for r in case.surroundings.remote_services}
    found = remote.get((call.meant.namespace, call.meant.name))
    if found is None:
        return None
    return concluded(
        Cause.DEPENDENCY_DOWN,
        title=f"{one_line(f'{found.name}.{found.namespace}', 120)}, which it calls, does not serve",
        verdict=Verdict.INCONCLUSIVE,
        confidence=UNDECIDED,
        supporting=said(case, call.text, call.key),
        next_check=f"Look at Service {found.name} in namespace {found.namespace}: "
        f"kubectl -n {found.namespace} get endpointslices -l kubernetes.io/service-name={found.name}",
        subject=found,
        detail="other_namespace",
    )


def _outside(case: Case, trouble: Trouble) -> Hypothesis | None:
    """An address that is no Service of the cluster."""
    address = trouble.address
    if address is None or meant_by(case, address.host) is not None:
        return None
    if address.host in {p.status.pod_ip for p in case.pods if p.status.pod_ip}:
        return None  # its own
    where = one_line(str(address), 120)
    call_text = f"A call to {where} fails ({clock(trouble.line.ts_us)})"
    return concluded(
        Cause.DEPENDENCY_DOWN,
        title=f"{where}, which it calls, does not serve",
        verdict=Verdict.INCONCLUSIVE,
        confidence=UNDECIDED,
        supporting=said(
            case,
            f"{call_text}: “{one_line(trouble.line.body, 160)}”.",
            f"log:{trouble.line.address}",
        ),
        next_check=f"Ask {where} from a pod of the same namespace.",
        detail="outside",
    )


def _subject(service: Service, workloads: tuple[Deployment, ...]) -> ObjectRef:
    return reference_to(workloads[0]) if workloads else service_ref(service)


def _states(unready: tuple[Pod, ...]) -> str:
    words = dict.fromkeys(one_line(state_words(p), 80) for p in unready)
    return f" ({', '.join(list(words)[:2])})" if words else ""


def _told(case: Case, unready: tuple[Pod, ...]) -> tuple[Statement, ...]:
    """What the kubelet last said about one of them."""
    uids = {p.metadata.uid for p in unready}
    for event in events_about(case, "BackOff", "Unhealthy", "Failed", "FailedScheduling"):
        if event.involved_object.uid in uids and event_key(event) in case.cited_as:
            return said(
                case,
                f"About {one_line(event.involved_object.name, 80)}: "
                f"{one_line(event.message, 160)}.",
                event_key(event),
            )
    return ()
