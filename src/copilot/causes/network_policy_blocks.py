"""A network policy does not let a connection through that the workload needs.

What the kubelet's probes ask is not judged: a node may always reach its own pods.
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from copilot.causes.addresses import is_ip
from copilot.causes.citing import change_key, concluded, line_key, object_key, said
from copilot.causes.connecting import MOST_CHARS, Call, How, Trouble, calls, meant_by, troubles
from copilot.causes.failures import failing_pods, is_gone, is_ready
from copilot.causes.listening import named_port
from copilot.causes.policies import OUTSIDE, End, Ruling, Way, dns_ruling, end_of, ruling
from copilot.causes.questioned import changes_of, first_of
from copilot.causes.selecting import labels_of, selected_pods, selected_workloads
from copilot.causes.wording import clock, one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import ObjectRef, Pod, Service
from copilot.domain.surroundings import NetworkPolicy

SURE = 0.87
REFUSED = 0.6
"""Most networks drop what a policy does not allow; some refuse it. But so does a Service without a
ready pod: then it tells nothing."""
CHANGED = 0.06
UNDECIDED = 0.4
REFUTED = 0.05
_ANSWERED = re.compile(
    r"no such host|NXDOMAIN|ENOTFOUND|EAI_NONAME|name or service not known", re.IGNORECASE
)
"""What only a name server that was reached can have said."""
_BLOCKED = {
    How.TIMEOUT: SURE,
    How.UNREACHABLE: SURE,
    How.REFUSED: REFUSED,
    How.RESET: REFUSED,
    How.UNRESOLVED: SURE,
}
JUDGED = "judged from the specs: whether the network enforces policies is not visible in them"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flow:
    """A connection that fails, and what the policies say about it."""

    trouble: Trouble
    words: str
    ruling: Ruling
    is_telling: bool = True
    """False where it would fail like this without any policy, too."""


def network_policy_blocks(case: Case) -> Hypothesis | None:
    """Supported where a connection that the log says fails is one that, by the specs, a policy of
    either end does not let through.

    Refuted where policies apply and let that very flow through; inconclusive where they speak of
    labels that are not known.
    """
    if not case.surroundings.network_policies:
        return None
    asking = next((p for p in (*failing_pods(case), *case.pods) if not is_gone(p)), None)
    if asking is None:
        return None
    return first_of(_judged(case, flow) for flow in _flows(case, asking))


def _flows(case: Case, asking: Pod) -> tuple[_Flow, ...]:
    policies, source = case.surroundings.network_policies, end_of(asking)
    found = [
        _Flow(
            trouble=c.trouble,
            words=f"to {one_line(c.meant.name, 80)}{f':{c.port}' if c.port else ''}",
            ruling=ruling(policies, source, *_target(case, c)),
            is_telling=c.trouble.how not in (How.REFUSED, How.RESET) or _is_served(case, c),
        )
        for c in calls(case)
        if c.trouble.how in _BLOCKED and c.trouble.how is not How.UNRESOLVED
    ]
    for trouble in troubles(case):
        if trouble.how is How.UNRESOLVED:
            answer = dns_ruling(policies, source)
            words = "to the cluster's name server (port 53)"
            is_silent = not _ANSWERED.search(trouble.line.body[:MOST_CHARS])
            found.append(_Flow(trouble=trouble, words=words, ruling=answer, is_telling=is_silent))
        elif trouble.how in _BLOCKED and trouble.address is not None:
            host, port = trouble.address.host, trouble.address.port
            if meant_by(case, host) is None:
                outside = End(namespace=OUTSIDE, labels={}, ip=host if is_ip(host) else "")
                answer = ruling(policies, source, outside, port)
                words = f"to {one_line(str(trouble.address), 80)}"
                found.append(_Flow(trouble=trouble, words=words, ruling=answer))
    return tuple(f for f in found if f.ruling.by or f.ruling.is_allowed is not True)


def _is_served(case: Case, call: Call) -> bool:
    return call.service is None or any(is_ready(p) for p in selected_pods(case, call.service))


def _target(case: Case, call: Call) -> tuple[End, int | None]:
    """The pods behind the Service and the port there: policies see pods, not Services."""
    if call.service is None:
        return End(namespace=call.meant.namespace, labels=None), None
    port = _pod_port(case, call.service, call.port)
    pods = selected_pods(case, call.service)
    if pods:
        return end_of(pods[0]), port
    workloads = selected_workloads(case, call.service)
    if workloads:
        spec = workloads[0].spec.template.spec
        labels = labels_of(workloads[0])
        return End(namespace=call.meant.namespace, labels=labels, spec=spec), port
    return End(namespace=call.meant.namespace, labels=None), port


def _pod_port(case: Case, service: Service, called: int | None) -> int | None:
    ports = service.spec.ports or []
    named = [p for p in ports if p.port == called] or (ports if len(ports) == 1 else [])
    if not named:
        return None
    target = named[0].target_port or named[0].port
    if isinstance(target, int):
        return target
    specs = [p.spec for p in selected_pods(case, service)]
    specs += [w.spec.template.spec for w in selected_workloads(case, service)]
    found = next((f for spec in specs if (f := named_port(spec, target))), None)
    return found.container_port if found else None


def _judged(case: Case, flow: _Flow) -> Hypothesis | None:
    answer = flow.ruling
    if answer.is_allowed is True:
        return _lets_through(case, flow)
    policy, way = answer.by[0], answer.way
    name = one_line(policy.metadata.name, 80)
    isolates = "what these pods may call" if way is Way.EGRESS else "who may call its pods"
    changed = _changed(case, answer.by)
    is_denied = answer.is_allowed is False
    is_sure = is_denied and flow.is_telling
    verb = "does not let" if is_denied else "may not let"
    return concluded(
        Cause.NETWORK_POLICY_BLOCKS,
        title=f"NetworkPolicy {name} {verb} the connection {flow.words} through",
        verdict=Verdict.SUPPORTED if is_sure else Verdict.INCONCLUSIVE,
        confidence=(
            _BLOCKED[flow.trouble.how] + (CHANGED if changed else 0) if is_sure else UNDECIDED
        ),
        supporting=(
            *_failed(case, flow),
            *said(
                case,
                f"NetworkPolicy {name} restricts {isolates}, and "
                + (
                    f"none of its rules lets the connection {flow.words} through ({JUDGED})."
                    if is_denied
                    else f"whether its rules let the connection {flow.words} through depends on "
                    "labels or addresses that are not known here."
                ),
                *(object_key(p.metadata) for p in answer.by[:3]),
            ),
            *changed,
        ),
        next_check="" if is_sure else _next_check(flow, is_denied),
        subject=ObjectRef(
            kind="NetworkPolicy",
            namespace=policy.metadata.namespace,
            name=policy.metadata.name,
            uid=policy.metadata.uid,
        ),
        detail="dns" if flow.trouble.how is How.UNRESOLVED else str(way or ""),
    )


def _next_check(flow: _Flow, is_denied: bool) -> str:
    if is_denied and flow.trouble.how is How.UNRESOLVED:
        return "Ask for another name from the pod: whether the name server is reached at all."
    if is_denied:
        return "See whether it still fails once a pod behind the Service is ready."
    return "Compare the policy's selectors with the labels it speaks of."


def _lets_through(case: Case, flow: _Flow) -> Hypothesis | None:
    return concluded(
        Cause.NETWORK_POLICY_BLOCKS,
        title=f"A network policy blocks the connection {flow.words}",
        verdict=Verdict.REFUTED,
        confidence=REFUTED,
        against=said(
            case,
            f"The policies that apply let the connection {flow.words} through ({JUDGED}).",
            *(object_key(p.metadata) for p in flow.ruling.by[:3]),
        ),
    )


def _failed(case: Case, flow: _Flow) -> tuple[Statement, ...]:
    line = flow.trouble.line
    return said(
        case,
        f"A connection {flow.words} fails ({clock(line.ts_us)}): “{one_line(line.body, 160)}”.",
        line_key(line),
    )


def _changed(case: Case, policies: tuple[NetworkPolicy, ...]) -> tuple[Statement, ...]:
    refs = (
        ObjectRef(kind="NetworkPolicy", namespace=p.metadata.namespace, name=p.metadata.name)
        for p in policies
    )
    for change in changes_of(case, *refs):
        by = f" by {one_line(change.actor, 60)}" if change.actor else ""
        return said(
            case,
            f"NetworkPolicy {one_line(change.object.name, 80)} was changed{by} at "
            f"{clock(change.ts_us)}, just before.",
            change_key(change),
        )
    return ()
