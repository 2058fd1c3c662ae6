"""On which ports a pod is known to listen: by its spec, its own words, and probes that pass."""

from __future__ import annotations

import re
from dataclasses import dataclass

from copilot.causes.failures import is_ready
from copilot.domain.case import Case
from copilot.domain.event import LogLine
from copilot.domain.objects import Container, ContainerPort, Pod, PodSpec, Probe

_LISTENS = re.compile(
    r"\b(?:listen\w*|serving|bound)\b[^\n]{0,60}?(?::|\bon )(\d{2,5})\b(?![:.]\d)"
    r"|\b(?:listen|serv|start)\w*\b[^\n]{0,60}?\bport\W{1,3}(\d{2,5})\b",
    re.IGNORECASE,
)
LOWEST_PORT = 80
"""Below it a number near "listening" is likelier a second or a count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Numbers a pod is known by. `declared` is what its spec says, which binds nobody: a program
    may listen elsewhere. `proven` is what probes that pass have reached."""

    declared: tuple[ContainerPort, ...]
    announced: tuple[tuple[int, LogLine], ...]
    proven: frozenset[int]

    @property
    def certain(self) -> frozenset[int]:
        """Said by the program or reached by a probe."""
        return self.proven | {port for port, _ in self.announced}

    @property
    def all(self) -> frozenset[int]:
        return self.certain | {p.container_port for p in self.declared}


def port_announced(line: str) -> int | None:
    """The port on which a log line says that a program listens."""
    heard = [int(m[1] or m[2]) for m in _LISTENS.finditer(line[:2000])]
    return next((p for p in heard if LOWEST_PORT <= p < 65_536), None)


def listening(case: Case, pod: Pod) -> Listening:
    heard = {
        port: line
        for line in case.lines
        if line.pod == pod.metadata.name and (port := port_announced(line.body)) is not None
    }
    return Listening(
        declared=declared(pod.spec),
        announced=tuple(heard.items()),
        proven=_proven(pod) if is_ready(pod) else frozenset(),
    )


def declared(spec: PodSpec) -> tuple[ContainerPort, ...]:
    """Ports the containers name; init containers serve nobody."""
    return tuple(p for c in spec.containers or () for p in c.ports or ())


def named_port(spec: PodSpec, name: str) -> ContainerPort | None:
    return next((p for p in declared(spec) if p.name == name), None)


def probe_port(container: Container, probe: Probe) -> int | None:
    """The number a probe asks, None for a command or a name that the container does not give."""
    port: int | str | None = None
    if probe.http_get is not None:
        port = probe.http_get.port
    elif probe.tcp_socket is not None:
        port = probe.tcp_socket.port
    elif probe.grpc is not None:
        port = probe.grpc.port
    if isinstance(port, str):
        named = [p.container_port for p in container.ports or () if p.name == port]
        return named[0] if named else None
    return port or None


def _proven(pod: Pod) -> frozenset[int]:
    """What the readiness probes of a ready pod ask."""
    asked = {
        probe_port(c, c.readiness_probe) for c in pod.spec.containers or () if c.readiness_probe
    }
    return frozenset(port for port in asked if port is not None)
