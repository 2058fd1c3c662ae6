"""A Service's port leads nowhere: to the port its pods have; or its caller asks for another one."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.readdressing import readdressed
from copilot.causes.citing import change_key, object_key
from copilot.causes.listening import declared, listening
from copilot.causes.nearness import nearest
from copilot.causes.questioned import Question, called_pods, changes_of, questioned
from copilot.causes.selecting import selected_workloads
from copilot.causes.service_port_mismatch import called_port, target_of
from copilot.causes.wording import plain
from copilot.domain.action import SetServicePort
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import ContainerPort, ServicePort
from copilot.domain.proposal import Draft


def service_port_mismatch(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Back to the target port before somebody changed it, else to the one its pods have."""
    question = next((q for q in questioned(case) if q.ref == hypothesis.subject), None)
    if question is None:
        yield "the Service is not there any more"
    elif hypothesis.detail == "port_not_served":
        yield from _callers_port(case, hypothesis, question)
    elif hypothesis.detail == "protocol":
        yield "the protocol of a port is for people to change: others may depend on it"
    else:
        yield from _target_port(case, hypothesis, question)


def _callers_port(case: Case, hypothesis: Hypothesis, question: Question) -> Iterator[Draft | str]:
    call, ports = question.call, question.service.spec.ports or []
    tcp = [p for p in ports if p.protocol == "TCP"]
    if call is None or call.setting is None or call.port is None or len(tcp) != 1:
        yield f"nothing tells which port of Service {question.name} is meant"
        return
    setting, port = call.setting, tcp[0].port
    if not setting.address.is_port_written or setting.port_variable:
        yield f"port {port} of Service {question.name} is meant; {setting.words} is for people"
        return
    host = setting.address.host
    yield from readdressed(
        case,
        hypothesis,
        setting,
        f"{host}:{call.port}",
        f"{host}:{port}",
        f"Port {port} is the only one that Service {question.name} has.",
    )


def _target_port(case: Case, hypothesis: Hypothesis, question: Question) -> Iterator[Draft | str]:
    port = called_port(question)
    pods = called_pods(case, question.service)
    workloads = selected_workloads(case, question.service)
    spec = pods[0].spec if pods else workloads[0].spec.template.spec if workloads else None
    if port is None or spec is None:
        yield f"Service {question.name} has several ports, and nothing tells which one is meant"
        return
    before, keys = _before(case, question, port)
    certain = sorted(listening(case, pods[0]).certain) if pods else []
    there = [p for p in declared(spec) if p.protocol == port.protocol]
    target = before if before is not None and _is_had(before, there, certain) else None
    why = "So it was before it was changed, and the pods have that port."
    if target is None:
        target, why, keys = _likeliest(port, there, certain), "Its pods have that port.", ()
    if target is None or target == target_of(port):
        yield f"nothing tells to which port of its pods Service {question.name} should send"
        return
    yield drafted(
        case,
        SetServicePort(target=question.ref, port=port.port, target_port=target),
        title=f"Let Service {question.name} send port {port.port} to {target}",
        why=why,
        hypothesis=hypothesis,
        keys=(*keys, question.key, *(object_key(p.metadata) for p in pods[:1])),
    )


def _before(
    case: Case, question: Question, port: ServicePort
) -> tuple[int | str | None, tuple[str, ...]]:
    """What the target port was, and the change that tells."""
    for change in changes_of(case, question.ref):
        for field in change.fields:
            is_ours = str(port.port) in field.path or (
                bool(port.name) and f"[{port.name}]" in field.path
            )
            is_only = len(question.service.spec.ports or ()) == 1
            if field.path.endswith("targetPort") and field.before and (is_ours or is_only):
                text = plain(field.before)
                return int(text) if text.isdecimal() else text, (change_key(change),)
    return None, ()


def _is_had(target: int | str, there: list[ContainerPort], certain: list[int]) -> bool:
    return target in certain or any(target in (p.container_port, p.name) for p in there)


def _likeliest(
    port: ServicePort, there: list[ContainerPort], certain: list[int]
) -> int | str | None:
    """The only one there is; of several the one that is named or numbered alike."""
    if len(certain) == 1:
        return certain[0]
    if len(there) == 1:
        return there[0].container_port
    wanted = target_of(port)
    names = tuple(p.name for p in there if p.name)
    near = nearest(wanted, names) if isinstance(wanted, str) else ""
    alike = [p for p in there if port.name and p.name == port.name] or [
        p for p in there if p.container_port == port.port
    ]
    return near or (alike[0].container_port if len(alike) == 1 else None)
