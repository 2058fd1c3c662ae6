"""A container does not come up: it cannot be started, or runs and does not become, or stay, ready;
or a pod does not go.

It cannot be started where the kubelet says so (`CreateContainerConfigError`: a ConfigMap, a Secret
or a key of one is missing), where what its pod mounts is not there, or where volumes and network of
its pod are not ready for a minute (`PodReadyToStartContainers`, Kubernetes 1.29 and later).

The budget of one that runs is what its own probe allows (`initialDelaySeconds + periodSeconds *
failureThreshold`), at least half a minute, plus ten seconds; it counts from the end of its start,
which may last as long as a startup probe allows. Where the probe was answered, and the answer will
not become another by waiting (404: there is no such path; HTTP where HTTPS was spoken; no such
program; refused at a port that nothing declares), the probe's own budget is all it has.

An init container may take its time. It hangs where it has said the same thing over and over for
a minute, or has run for a quarter of an hour; but not while a Service that it names has pods that
are still starting.

A pod that was to be gone a minute ago, grace period and all, is stuck: its node does not
answer, or a finalizer holds it.

Quiet: within the budget after a start, containers whose image is pulled or that ended (they have
rules of their own), finished pods, a pod being deleted in time.
https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from copilot.detect.placing import (
    SECOND_US,
    ContainerView,
    all_containers,
    clip,
    clock_time,
    duration,
    first_us,
    init_containers,
    last_events,
    live_pods,
    main_containers,
    place_of,
    pod_alert,
    short_name,
)
from copilot.detect.probing import (
    answer_to,
    answers,
    due_us,
    is_final,
    is_sidecar,
    running_since_us,
    unready_condition_us,
)
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import KubeEvent, Pod, Probe, epoch_us

SEVERITY = 3
SEVERITY_DOWN = 2
CANNOT_START = frozenset({"CreateContainerConfigError", "CreateContainerError"})
PATIENCE_US = 3 * SECOND_US
"""What is missing may be on its way: manifests are applied one after the other."""
_BEHIND = re.compile(r"failed to sync \w+ cache|timed out waiting for the condition")
"""A kubelet that has not read the ConfigMaps and Secrets of a new pod yet says so."""
NOT_PREPARED_US = 60 * SECOND_US
HANGING_US = 60 * SECOND_US
HANGING_SILENT_US = 900 * SECOND_US
SAME_WORDS = 5
"""That often in two minutes the same line is no progress."""
STUCK_US = 60 * SECOND_US

_WHERE = re.compile(r" \(pod: [^()]{0,400}\([^()]{0,100}\)[^()]{0,300}\)\Z")
"""What the kubelet adds to some messages; the alert says itself where it is."""
_MISSING_CONFIG = re.compile(
    r'(?:configmap|secret) "[^"]*" not found|references non-existent (?:config|secret) key'
    r"|(?:configmap|secret) references non-existent",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z0-9][a-z0-9-]*")


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each container that cannot start, or has been up and unready for longer than
    its budget."""
    told = answers(seen)
    mounts = last_events(seen, "FailedMount")
    for pod in live_pods(seen):
        if pod.status.phase == "Failed":  # nothing in it will ever run again
            continue
        yield from _cannot_start(seen, pod, mounts.get(place_of("Pod", pod.metadata)))
        yield from _hanging(seen, pod)
        sidecars = (view for view in init_containers(pod) if is_sidecar(view))
        for view in (*main_containers(pod), *sidecars):
            since_us, answer = _unready_since_us(view), answer_to(view, told)
            if since_us is not None and seen.now_us > due_us(view, since_us, answer):
                yield _alert(seen, view, since_us, answer)
    yield from _stuck(seen)


def is_about_config(message: str) -> bool:
    """Whether a mount fails for a ConfigMap, a Secret or a key of one that is not there."""
    return _MISSING_CONFIG.search(message) is not None


def hanging_inits(pods: Iterable[Pod], now_us: int) -> list[Pod]:
    """Pods with an init container that takes long enough to ask what it says."""
    return [
        pod
        for pod in pods
        if any(
            (since_us := running_since_us(view)) and now_us - since_us > HANGING_US
            for view in init_containers(pod)
            if not is_sidecar(view)
        )
    ]


def _hanging(seen: Seen, pod: Pod) -> Iterator[Alert]:
    for view in init_containers(pod):
        since_us = running_since_us(view)
        waited_us = seen.now_us - since_us
        if not since_us or waited_us <= HANGING_US or is_sidecar(view):
            continue
        if _waits_for_a_start(seen, view):
            continue
        said = max(
            (
                a
                for a in seen.activity
                if (a.stream.namespace, a.stream.pod, a.stream.container)
                == (pod.metadata.namespace, pod.metadata.name, view.status.name)
            ),
            key=lambda a: a.recent_count,
            default=None,
        )
        is_repeating = said is not None and said.recent_count >= SAME_WORDS
        if not is_repeating and waited_us <= HANGING_SILENT_US:
            continue
        words = f"it says over and over: {clip(said.pattern, 120)}" if said else "it says nothing"
        name = short_name(seen.workload_of(pod), view.status.name)
        yield pod_alert(
            seen,
            pod,
            rule=Rule.NOT_READY,
            container=view.status.name,
            severity=SEVERITY_DOWN,
            title=f"{name} does not finish, so its pod does not start",
            message=(
                f"Init container {view.status.name} of pod {pod.metadata.name} has run since "
                f"{clock_time(since_us)} ({duration(waited_us)}); {words}."
            ),
            starts_us=since_us,
        )


def _waits_for_a_start(seen: Seen, view: ContainerView) -> bool:
    """Whether a Service that its command or variables name has pods that may be ready any moment."""
    spec, namespace = view.spec, view.pod.metadata.namespace
    if spec is None:
        return False
    texts = [*(spec.command or ()), *(spec.args or ()), *(e.value or "" for e in spec.env or ())]
    words = set(_WORD.findall(" ".join(texts)))
    return any(
        backing.n_pods
        and backing.service.metadata.namespace == namespace
        and backing.service.metadata.name in words
        and seen.now_us - backing.empty_since_us <= HANGING_US
        for backing in seen.backings
    )


def _stuck(seen: Seen) -> Iterator[Alert]:
    """`deletionTimestamp` is when the pod is to be gone, its grace period over."""
    for pod in seen.pods:
        due_us = epoch_us(pod.metadata.deletion_timestamp)
        if not due_us or seen.now_us - due_us <= STUCK_US:
            continue
        held = ", ".join(clip(f, 80) for f in (pod.metadata.finalizers or ())[:3])
        why = f"held by {held}" if held else "its node has not said that it is gone"
        yield pod_alert(
            seen,
            pod,
            rule=Rule.NOT_READY,
            container="",
            severity=SEVERITY,
            title=f"Pod {pod.metadata.name} does not go: {why}",
            message=(
                f"Pod {pod.metadata.name} on {clip(pod.spec.node_name, 80) or 'no node'} was to be "
                f"gone at {clock_time(due_us)} ({duration(seen.now_us - due_us)} ago): {why}."
            ),
            starts_us=due_us,
            detail="stuck",
        )


def _cannot_start(seen: Seen, pod: Pod, mount: KubeEvent | None) -> Iterator[Alert]:
    since_us = unready_condition_us(pod) or epoch_us(pod.metadata.creation_timestamp)
    for view in all_containers(pod):
        waits = view.status.state.waiting if view.status.state else None
        if not waits or waits.reason not in CANNOT_START:
            continue
        patience_us = NOT_PREPARED_US if _BEHIND.search(waits.message) else PATIENCE_US
        if seen.now_us - since_us > patience_us:
            why = clip(_WHERE.sub("", waits.message) or waits.reason, 160)
            yield _down(seen, pod, view.status.name, since_us, why)
    unprepared_us = _unprepared_since_us(pod)
    if not unprepared_us:
        return
    is_own = mount is not None and mount.involved_object.uid == pod.metadata.uid
    missing = mount.message if mount and is_own and is_about_config(mount.message) else ""
    # A mount that failed long ago is tried again, and says so, every two minutes.
    if missing and mount and seen.now_us - first_us(mount) > PATIENCE_US:
        yield _down(seen, pod, "", unprepared_us, clip(missing, 160))
    elif seen.now_us - unprepared_us > NOT_PREPARED_US:
        yield _down(seen, pod, "", unprepared_us, "its volumes or its network are not ready")


def _unprepared_since_us(pod: Pod) -> int:
    """Since when a pod on a node has been without what its containers need, 0 for not at all."""
    for condition in pod.status.conditions or ():
        if condition.type == "PodReadyToStartContainers" and condition.status == "False":
            statuses = (
                *(pod.status.container_statuses or ()),
                *(pod.status.init_container_statuses or ()),
            )
            has_run = any(s.container_id for s in statuses)
            return 0 if has_run else epoch_us(condition.last_transition_time)
    return 0


def _down(seen: Seen, pod: Pod, container: str, since_us: int, why: str) -> Alert:
    name = short_name(seen.workload_of(pod), container)
    what = f"Container {container} of pod" if container else "Pod"
    return pod_alert(
        seen,
        pod,
        rule=Rule.NOT_READY,
        container=container,
        severity=SEVERITY_DOWN,
        title=f"{name} cannot start: {why}",
        message=(
            f"{what} {pod.metadata.name} has not started since {clock_time(since_us)} "
            f"({duration(seen.now_us - since_us)}): {why}."
        ),
        starts_us=since_us,
    )


def _unready_since_us(view: ContainerView) -> int | None:
    """None where it is ready or not running. The pod's condition has the time; a container that
    started later has been unready since its start."""
    running = view.status.state.running if view.status.state else None
    if running is None or view.status.ready:
        return None
    return max(epoch_us(running.started_at), unready_condition_us(view.pod))


def _alert(seen: Seen, view: ContainerView, since_us: int, answer: KubeEvent | None) -> Alert:
    container = view.status.name
    probe = view.spec.readiness_probe if view.spec else None
    said = f" {clip(answer.message, 200)}." if answer and is_final(view, answer) else ""
    return pod_alert(
        seen,
        view.pod,
        rule=Rule.NOT_READY,
        container=container,
        severity=SEVERITY,
        title=f"{short_name(seen.workload_of(view.pod), container)} is running but not ready",
        message=(
            f"Container {container} of pod {view.pod.metadata.name} has not been ready since "
            f"{clock_time(since_us)} ({duration(seen.now_us - since_us)}); it was to be by "
            f"{clock_time(due_us(view, since_us, answer))}. {_probe_text(probe)}{said}"
        ),
        starts_us=since_us,
    )


def _probe_text(probe: Probe | None) -> str:
    if probe is None:
        return "It has no readiness probe."
    if probe.http_get:
        path, port = clip(probe.http_get.path, 120), clip(str(probe.http_get.port), 20)
        return f"Readiness probe: GET {path} on port {port}."
    if probe.tcp_socket:
        return f"Readiness probe: TCP port {clip(str(probe.tcp_socket.port), 20)}."
    if probe.grpc:
        return f"Readiness probe: gRPC on port {probe.grpc.port}."
    command = " ".join(probe.exec.command or ()) if probe.exec else ""
    return f"Readiness probe: exec {clip(command, 120)}."
