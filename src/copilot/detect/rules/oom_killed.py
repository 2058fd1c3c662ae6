"""A container was killed because it ran out of memory.

No Kubernetes event says so; the pod's status does, in `state` for some seconds and then, also
while the container runs again and calls itself ready, in `lastState` only. A killed child of a
container that lives on shows in the kernel's lines alone.

Quiet: a kill that is over (`placing.is_trouble_over`: it runs again and has outlived twice its
earlier life, or the kill is older than ten minutes), a finished pod's old kill, a pod being
deleted, and kernel lines of pods that are not (any more) there.
"""

from __future__ import annotations

from collections.abc import Iterator

from copilot.detect.placing import (
    RECENT_US,
    ContainerView,
    all_containers,
    clip,
    clock_time,
    duration,
    is_trouble_over,
    live_pods,
    pod_alert,
    short_name,
)
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.event import KernelKill
from copilot.domain.objects import ContainerStatus, Pod, StateTerminated, epoch_us, lived_us

SEVERITY = 2


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each container whose last out-of-memory kill is not over."""
    for pod in live_pods(seen):
        for view in all_containers(pod):
            kill = _last_kill(view.status)
            if kill and not is_trouble_over(
                view.status,
                ended_us=epoch_us(kill.finished_at),
                life_us=lived_us(kill),
                now_us=seen.now_us,
            ):
                yield _from_status(seen, view, kill)
    yield from _from_kernel(seen)


def _last_kill(status: ContainerStatus) -> StateTerminated | None:
    """The newest kill that the status shows. Some other end after it makes that another story."""
    for state in (status.state, status.last_state):
        if state and state.terminated:
            return state.terminated if state.terminated.reason == "OOMKilled" else None
    return None


def _from_status(seen: Seen, view: ContainerView, kill: StateTerminated) -> Alert:
    status = view.status
    is_down = not (status.state and status.state.running)
    ended_us = epoch_us(kill.finished_at)
    name = short_name(seen.workload_of(view.pod), status.name)
    lived = f" after running for {duration(lived_us(kill))}" if lived_us(kill) else ""
    return pod_alert(
        seen,
        view.pod,
        rule=Rule.OOM_KILLED,
        container=status.name,
        severity=SEVERITY,
        title=f"{name} was OOM-killed (exit {kill.exit_code}, {_limit(view)})",
        message=(
            f"Container {status.name} of pod {view.pod.metadata.name} was OOM-killed at "
            f"{clock_time(ended_us)}{lived} (exit code {kill.exit_code}, {_limit(view)}). "
            f"Restarts so far: {status.restart_count}. {_now(status)}"
        ),
        starts_us=ended_us,
        # Deaths of the container: each was followed by a restart but the last while it is down.
        # As far as can be seen they were all of this kind.
        count=status.restart_count + is_down,
    )


def _limit(view: ContainerView) -> str:
    return f"limit {clip(view.memory_limit, 20)}" if view.memory_limit else "no memory limit"


def _now(status: ContainerStatus) -> str:
    if status.state and status.state.waiting:
        return f"It is waiting now: {clip(status.state.waiting.reason, 60) or 'no reason given'}."
    if status.state and status.state.running:
        return "It is running again, " + ("ready." if status.ready else "not ready.")
    return "It is down now."


def _from_kernel(seen: Seen) -> Iterator[Alert]:
    pods = {pod.metadata.uid: pod for pod in live_pods(seen)}
    for kill in seen.kernel_kills:
        pod = pods.get(kill.pod_uid.replace("_", "-"))  # systemd's slices write `_` for `-`
        if pod is None or seen.now_us - kill.ts_us > RECENT_US:
            continue
        view = _killed_container(pod, kill)
        if view is None or not is_trouble_over(
            view.status, ended_us=kill.ts_us, life_us=0, now_us=seen.now_us
        ):
            yield _kernel_alert(seen, pod, view, kill)


def _killed_container(pod: Pod, kill: KernelKill) -> ContainerView | None:
    """By the container's id; the only container where the id is of one long replaced."""
    views = list(all_containers(pod))
    for view in views:
        ends = (view.status.state, view.status.last_state)
        ids = {
            view.status.container_id,
            *(s.terminated.container_id for s in ends if s and s.terminated),
        }
        if kill.container_id and any(i.endswith(kill.container_id) for i in ids if i):
            return view
    return views[0] if len(views) == 1 else None


def _kernel_alert(seen: Seen, pod: Pod, view: ContainerView | None, kill: KernelKill) -> Alert:
    container = view.status.name if view else ""
    name = short_name(seen.workload_of(pod), container)
    process = clip(kill.process, 40) or "a process"
    limit = f", {_limit(view)}" if view else ""
    return pod_alert(
        seen,
        pod,
        rule=Rule.OOM_KILLED,
        container=container,
        severity=SEVERITY,
        title=f"{name} was OOM-killed (process {process}{limit})",
        message=(
            f"The kernel on {clip(kill.node, 80) or 'its node'} killed process {process} of pod "
            f"{pod.metadata.name} at {clock_time(kill.ts_us)}{limit}: {clip(kill.line, 200)}"
        ),
        starts_us=kill.ts_us,
        source="kernel",
    )
