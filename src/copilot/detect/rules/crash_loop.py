"""A container dies and is restarted over and over.

It fires at once where its program cannot even be started (`StartError`: there is no such command;
it will not be there next time); in a `CrashLoopBackOff`; before the kubelet says so (it may take it 15 s), where a
container is down after two short lives in a row that both failed; and between two deaths, while
the container is up for a moment: at least three restarts, the last life shorter than ten minutes
and its end not yet over (`placing.is_trouble_over`).

Quiet: finished containers, a Job's container that ended with 0, restarts that ended with 0 (a
program that is done and started again is no crash, until Kubernetes backs off), restarts of long
ago, a pod being deleted.
"""

from __future__ import annotations

from collections.abc import Iterator

from copilot.detect.placing import (
    RECENT_US,
    SECOND_US,
    ContainerView,
    all_containers,
    clip,
    clock_time,
    duration,
    is_trouble_over,
    last_end,
    live_pods,
    pod_alert,
    short_name,
)
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import (
    ContainerStatus,
    StateTerminated,
    controller_of,
    epoch_us,
    lived_us,
)

SEVERITY = 2
MANY_RESTARTS = 3
CANNOT_RUN = frozenset({"StartError", "ContainerCannotRun"})
SHORT_US = 60 * SECOND_US
"""Shorter than this, a life was not much more than a start."""


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each container that keeps dying."""
    for pod in live_pods(seen):
        if pod.status.phase == "Failed":  # nothing restarts it any more
            continue
        for view in all_containers(pod):
            end = last_end(view.status)
            is_looping = (
                _has_no_program(view.status, end)
                or _failed_twice(view.status)
                or _is_backing_off(view, end)
            )
            if is_looping or _keeps_restarting(view.status, end, seen.now_us):
                yield _alert(seen, view, end)


def _has_no_program(status: ContainerStatus, end: StateTerminated | None) -> bool:
    is_down = not (status.state and status.state.running)
    waits = status.state.waiting if status.state else None
    failed = end is not None and end.reason in CANNOT_RUN
    return is_down and (failed or (waits is not None and waits.reason == "RunContainerError"))


def _failed_twice(status: ContainerStatus) -> bool:
    """It is down, and so it was before: both lives failed and were short, or did not even begin."""
    ends = [s.terminated for s in (status.state, status.last_state) if s and s.terminated]
    waits = status.state.waiting if status.state else None
    cannot_run = waits is not None and waits.reason == "RunContainerError" and status.restart_count
    return len(ends) + bool(cannot_run) == 2 and all(
        e.exit_code != 0 and lived_us(e) < SHORT_US for e in ends
    )


def _is_backing_off(view: ContainerView, end: StateTerminated | None) -> bool:
    state = view.status.state
    if not (state and state.waiting and state.waiting.reason == "CrashLoopBackOff"):
        return False
    owner = controller_of(view.pod.metadata)
    is_done_job = (
        owner is not None and owner.kind == "Job" and end is not None and not end.exit_code
    )
    return not is_done_job


def _keeps_restarting(status: ContainerStatus, end: StateTerminated | None, now_us: int) -> bool:
    if end is None or end.exit_code == 0 or status.restart_count < MANY_RESTARTS:
        return False
    ended_us, life_us = epoch_us(end.finished_at), lived_us(end)
    return life_us < RECENT_US and not is_trouble_over(
        status, ended_us=ended_us, life_us=life_us, now_us=now_us
    )


def _alert(seen: Seen, view: ContainerView, end: StateTerminated | None) -> Alert:
    status = view.status
    name = short_name(seen.workload_of(view.pod), status.name)
    exit_text = f"exit {end.exit_code}" if end else "exit code unknown"
    return pod_alert(
        seen,
        view.pod,
        rule=Rule.CRASH_LOOP,
        container=status.name,
        severity=SEVERITY,
        title=f"{name} cannot be started: {_why(end)}"
        if end and end.reason in CANNOT_RUN
        else f"{name} is in a crash loop ({exit_text}, {_restarts(status)})",
        message=(
            f"Container {status.name} of pod {view.pod.metadata.name} has restarted "
            f"{'once' if status.restart_count == 1 else f'{status.restart_count} times'}. "
            f"{_how_it_ended(end)}"
        ),
        starts_us=epoch_us(end.finished_at) if end else seen.now_us,
        count=status.restart_count,
    )


def _why(end: StateTerminated) -> str:
    """The runtime's last words without its long way there."""
    said = end.message.removesuffix(": unknown")
    return clip(said.partition("unable to start container process: ")[2] or said, 140)


def _restarts(status: ContainerStatus) -> str:
    return "1 restart" if status.restart_count == 1 else f"{status.restart_count} restarts"


def _how_it_ended(end: StateTerminated | None) -> str:
    if end is None:
        return "How it ended is not (any more) known."
    reason = clip(end.reason, 60) or "no reason given"
    said = f" It said: {clip(end.message)}" if end.message else ""
    lived = f"after {duration(lived_us(end))}" if epoch_us(end.started_at) else "before it started"
    return (
        f"It ended last at {clock_time(epoch_us(end.finished_at))} {lived}: "
        f"{reason}, exit code {end.exit_code}.{said}"
    )
