"""Two programs want the same port: a pod's containers share one network."""

from __future__ import annotations

import re

from copilot.causes.changed import rolled_out
from copilot.causes.citing import concluded, line_key, object_key, said
from copilot.causes.failures import endings, failing_pods
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import Part
from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.event import LogLine
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict
from copilot.domain.objects import Pod, PodSpec

LOGGED_AND_SHOWN = 0.95
LOGGED = 0.75
SHOWN = 0.4
_IN_USE = re.compile(
    r"address (?:is )?already in use|EADDRINUSE|port \d+ is already|already bound", re.IGNORECASE
)


def port_conflict(case: Case) -> Hypothesis | None:
    """Supported where a container that failed logged that its address is in use; surer where two
    containers name the same port. Undecided where only the spec shows it."""
    for pod in failing_pods(case):
        if object_key(pod.metadata) not in case.cited_as:
            continue
        line, shared = _logged(case, pod), shared_ports(pod.spec)
        failed = {e.container for e in endings(case) if e.pod is pod}
        in_question = [s for s in shared if failed & set(s[2])]
        if line is None and not in_question:
            continue
        told = said(case, f"It logged: {one_line(line.body)}", line_key(line)) if line else ()
        shown = [
            s
            for port, protocol, names in in_question or (shared if line else [])
            for s in said(
                case,
                f"{' and '.join(names)} both name port {port}/{protocol}, and containers of a pod "
                "share one network.",
                object_key(pod.metadata),
            )
        ]
        confidence = LOGGED_AND_SHOWN if told and shown else LOGGED if told else SHOWN
        where = f"port {shared[0][0]}" if shared else "a port"
        return concluded(
            Cause.PORT_CONFLICT,
            title=f"Two programs in {pod.metadata.name} want {where}",
            verdict=Verdict.SUPPORTED if told else Verdict.INCONCLUSIVE,
            confidence=confidence,
            supporting=(*told, *shown, *rolled_out(case, lambda r: Part.CODE in r.parts)),
            next_check="" if told else "Read what the container logs when it starts.",
            subject=workload_ref(case),
            detail="host_port" if pod.spec.host_network else "containers" if shared else "",
        )
    return None


def shared_ports(spec: PodSpec) -> list[tuple[int, str, tuple[str, ...]]]:
    """Ports that more than one container of a pod names, with those containers."""
    owners: dict[tuple[int, str], list[str]] = {}
    for container in spec.containers or ():
        for port in container.ports or ():
            owners.setdefault((port.container_port, port.protocol), []).append(container.name)
    return [
        (port, protocol, tuple(dict.fromkeys(names)))
        for (port, protocol), names in owners.items()
        if len(set(names)) > 1
    ]


def _logged(case: Case, pod: Pod) -> LogLine | None:
    told = [
        line
        for line in case.lines
        if line.pod == pod.metadata.name
        and line_key(line) in case.cited_as
        and _IN_USE.search(line.body)
    ]
    return told[-1] if told else None
