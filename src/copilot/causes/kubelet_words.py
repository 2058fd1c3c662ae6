"""What the kubelet itself says about why a container does not come up."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.causes.citing import event_key, object_key, said
from copilot.causes.failures import endings_of, events_about, failing_pods, is_gone, statuses_of
from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Statement
from copilot.domain.objects import Pod

MOST_CHARS = 300
_HELD_UP = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
_SAYS_NOTHING = frozenset(
    {"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ContainerCreating", "PodInitializing"}
)


def kubelet_words(case: Case) -> tuple[Statement, ...]:
    """One sentence with its own words about the newest failing pod that it has words for; none
    where it has none. Images that cannot be pulled have a cause of their own."""
    for pod in failing_pods(case):
        if object_key(pod.metadata) in case.cited_as and not is_gone(pod):
            for found in (_waiting(case, pod), _held_up(case, pod), _ended(case, pod)):
                if found:
                    return found
    return ()


def _waiting(case: Case, pod: Pod) -> tuple[Statement, ...]:
    for status in statuses_of(pod):
        waits = status.state.waiting if status.state else None
        if waits and waits.message and waits.reason not in _SAYS_NOTHING:
            return said(
                case,
                f"{status.name} in {pod.metadata.name} cannot start ({one_line(waits.reason, 60)}): "
                f"{one_line(waits.message, MOST_CHARS)}.",
                object_key(pod.metadata),
                *_events(case, pod, "Failed"),
            )
    return ()


def _held_up(case: Case, pod: Pod) -> tuple[Statement, ...]:
    for event in events_about(case, *_HELD_UP):
        is_up = any(s.container_id for s in statuses_of(pod))
        if event.involved_object.uid == pod.metadata.uid and not is_up:
            return said(
                case,
                f"{pod.metadata.name} cannot start ({event.reason}): "
                f"{one_line(event.message, MOST_CHARS)}.",
                event_key(event),
            )
    return ()


def _ended(case: Case, pod: Pod) -> tuple[Statement, ...]:
    told = [e for e in endings_of(pod) if e.message]
    if not told:
        return ()
    last = told[-1]
    return said(
        case,
        f"The status of {last.container} says how it ended: {one_line(last.message, MOST_CHARS)}.",
        object_key(pod.metadata),
    )


def _events(case: Case, pod: Pod, *reasons: str) -> Iterator[str]:
    uid = pod.metadata.uid
    return (event_key(e) for e in events_about(case, *reasons) if e.involved_object.uid == uid)
