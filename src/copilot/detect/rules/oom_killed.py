"""A container was killed because it ran out of memory.

No Kubernetes event says so; the pod's status does, in `state` for some seconds and then, also
while the container runs again and calls itself ready, in `lastState` only.

A killed child of a container that lives on shows in no status. It shows in the kernel's lines, in
the kubelet's count of kills (where its cAdvisor reads those lines), and else where both the pod was
at its limit when it asked for memory and its log says that something was killed.

Quiet: a kill that is over (`placing.is_trouble_over`: it runs again and has outlived twice its
earlier life, or the kill is older than ten minutes), a finished pod's old kill, a try of a Job that
was done in the end, a pod being deleted, and kernel lines of pods that are not (any more) there.
"""

from __future__ import annotations

import re
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
    main_containers,
    pod_alert,
    short_name,
)
from copilot.domain.alert import Alert, Rule, Seen, Strain
from copilot.domain.event import KernelKill
from copilot.domain.objects import (
    ContainerStatus,
    Pod,
    StateTerminated,
    controller_of,
    epoch_us,
    lived_us,
)
from copilot.domain.quantity import parse_bytes

SEVERITY = 2
_AT_START = "OOM-killed"
_KILLED = re.compile(r"\b(?:Killed|killed|SIGKILL|signal 9|exit(?: code|ed with)? 137|rc 137)\b")


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each container whose last out-of-memory kill is not over."""
    for pod in live_pods(seen):
        if _is_made_up_for(seen, pod):
            continue
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
    yield from _from_kubelet(seen)


def _is_made_up_for(seen: Seen, pod: Pod) -> bool:
    """Whether the Job that it was a try of was done in the end: those that are not are seen."""
    owner = controller_of(pod.metadata)
    if pod.status.phase != "Failed" or owner is None or owner.kind != "Job":
        return False
    return "Job" in seen.listed and all(job.metadata.uid != owner.uid for job in seen.jobs)


def _last_kill(status: ContainerStatus) -> StateTerminated | None:
    """The newest kill that the status shows. Some other end after it makes that another story."""
    for state in (status.state, status.last_state):
        if state and state.terminated:
            return state.terminated if _is_kill(state.terminated) else None
    return None


def _is_kill(end: StateTerminated) -> bool:
    """A limit so small that the container does not even get to start is a kill by another name."""
    return end.reason == "OOMKilled" or (end.reason == "StartError" and _AT_START in end.message)


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


def _from_kubelet(seen: Seen) -> Iterator[Alert]:
    """Kills that only the node's counters know."""
    strains = {(s.namespace, s.pod, s.container): s for s in seen.strains}
    for pod in live_pods(seen) if strains else ():
        place = (pod.metadata.namespace, pod.metadata.name)
        whole = strains.get((*place, ""))
        for view in main_containers(pod):
            own = strains.get((*place, view.status.name))
            kills, at_us = (own.kills, own.killed_us) if own else (0, 0)
            if whole and not kills and _says_killed(seen, view) and _was_full(view, whole):
                kills, at_us = 1, seen.now_us
            if kills and _lives_on(view, at_us):
                yield _counted_alert(seen, view, round(kills), at_us)


def _lives_on(view: ContainerView, killed_us: int) -> bool:
    """Whether the same run goes on that the kill was in. A run that ended has a status to say so."""
    running = view.status.state.running if view.status.state else None
    return running is not None and epoch_us(running.started_at) < killed_us


def _was_full(view: ContainerView, whole: Strain) -> bool:
    """Whether the pod was at the limit of this, its only limited container."""
    limit = parse_bytes(view.memory_limit) if view.memory_limit else 0
    is_alone = len(list(main_containers(view.pod))) == 1
    return is_alone and 0 < limit <= whole.peak_bytes and whole.refusals > 0


def _says_killed(seen: Seen, view: ContainerView) -> bool:
    meta = view.pod.metadata
    return any(
        _KILLED.search(a.pattern)
        for a in seen.activity
        if (a.stream.namespace, a.stream.pod, a.stream.container)
        == (meta.namespace, meta.name, view.status.name)
    )


def _counted_alert(seen: Seen, view: ContainerView, n_kills: int, at_us: int) -> Alert:
    container = view.status.name
    name = short_name(seen.workload_of(view.pod), container)
    return pod_alert(
        seen,
        view.pod,
        rule=Rule.OOM_KILLED,
        container=container,
        severity=SEVERITY,
        title=f"{name} had a process OOM-killed and lives on ({_limit(view)})",
        message=(
            f"In container {container} of pod {view.pod.metadata.name} the kernel killed "
            f"{n_kills} {'process' if n_kills == 1 else 'processes'} for memory lately, the last "
            f"about {clock_time(at_us)} ({_limit(view)}); the container itself goes on, so its "
            f"status does not show it."
        ),
        starts_us=at_us,
        count=n_kills,
        source="kubelet",
    )
