"""A command that is not there, or two programs on one port: back to what ran before. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.remedies.templates import spec_of, undone
from copilot.causes.failures import container_of, failing_containers, failing_pods
from copilot.causes.port_conflict import shared_ports
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import Container, ReplicaSet
from copilot.domain.proposal import Draft


def command_invalid(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Back to a revision that ran something else."""
    pod = next(iter(failing_pods(case)), None)
    if pod is None:
        return
    now = {name: _run(container_of(pod.spec, name)) for name in failing_containers(pod)}

    def differs(revision: ReplicaSet) -> bool:
        before = spec_of(revision)
        return any(_run(container_of(before, name)) != run for name, run in now.items())

    found = tuple(undone(case, hypothesis, differs))
    yield from found
    if not found:
        yield "what it should run instead is for people to say: no earlier revision ran anything else"


def _run(container: Container | None) -> tuple[object, ...]:
    return (container.image, container.command, container.args) if container else ()


def port_conflict(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Back to a revision whose containers share no port."""
    found = tuple(undone(case, hypothesis, lambda r: not shared_ports(spec_of(r))))
    yield from found
    if not found:
        yield "which of the two should listen elsewhere is for people to say"
