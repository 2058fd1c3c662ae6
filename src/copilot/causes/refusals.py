"""What was refused: pods that a controller could not create, and containers that cannot start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from copilot.causes.citing import alert_key, event_key, object_key
from copilot.causes.failures import (
    alerts_of,
    container_named_by,
    events_about,
    failing_pods,
    is_gone,
    statuses_of,
)
from copilot.causes.references import workload_ref
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.objects import Condition, ContainerStatus, Deployment, KubeEvent, Pod, epoch_us

CREATE_FAILS = ("FailedCreate", "FailedDaemonPod")
MOUNT_FAILS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
COMBINED = "(combined from similar events): "
"""What an event says first that stands for several."""
_START_FAILS = ("Failed", *MOUNT_FAILS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One refusal in the words of whoever refused, and where `Case.cited_as` finds it."""

    text: str
    keys: tuple[str, ...]
    pod: Pod | None = None
    """The pod that cannot start; None where none was created."""
    container: str = ""
    """Empty where the whole pod waits, for a volume."""

    @property
    def who(self) -> str:
        """For people: `app in web-5f-x`, or the pod alone."""
        name = self.pod.metadata.name if self.pod else ""
        return f"{self.container} in {name}" if self.container else name


def refused_creations(case: Case) -> tuple[Refusal, ...]:
    """Why pods were not created, newest first; none where all that are wanted are there."""
    if not _lacks_pods(case):
        return ()
    found = [
        Refusal(text=e.message.removeprefix(COMBINED), keys=(event_key(e), *_owner_keys(case)))
        for e in events_about(case, *CREATE_FAILS)
    ]
    found += [
        Refusal(text=condition.message, keys=(object_key(owned.metadata),))
        for owned, condition in _failed_replicas(case)
        if condition.message
    ]
    found += [
        Refusal(text=a.message, keys=(alert_key(a),))
        for a in alerts_of(case, Rule.NOT_CREATED)
        if a.message
    ]
    return tuple(found)


def _lacks_pods(case: Case) -> bool:
    """Whether fewer pods are there than should be, as far as the workload says."""
    if case.job is not None:
        return not case.job.status.active and not case.job.status.succeeded
    workload = case.workload
    if workload is None:
        return True
    if any(_failed_replicas(case)):
        return True
    status = workload.status
    if workload.kind == "DaemonSet":
        return status.number_ready < status.desired_number_scheduled
    wanted = 1 if workload.spec.replicas is None else workload.spec.replicas
    return min(status.replicas, status.updated_replicas, status.ready_replicas) < wanted


def _failed_replicas(case: Case) -> Iterator[tuple[Deployment, Condition]]:
    for owned in (*case.replica_sets[:1], *([case.workload] if case.workload else [])):
        for condition in owned.status.conditions or ():
            if condition.type == "ReplicaFailure" and condition.status == "True":
                yield owned, condition


def _owner_keys(case: Case) -> tuple[str, ...]:
    owners = [object_key(r.metadata) for r in case.replica_sets[:1]]
    return (*owners, f"object:{workload_ref(case).uid}")


def refused_starts(case: Case) -> tuple[Refusal, ...]:
    """Why containers of pods that are there do not start, the newest pod first."""
    found: list[Refusal] = []
    for pod in failing_pods(case):
        if is_gone(pod) or object_key(pod.metadata) not in case.cited_as:
            continue
        for status in statuses_of(pod):
            waits = status.state.waiting if status.state else None
            if waits and waits.message and waits.reason != "CrashLoopBackOff":
                found.append(
                    Refusal(
                        text=waits.message,
                        keys=(object_key(pod.metadata), *_event_keys(case, pod, waits.message)),
                        pod=pod,
                        container=status.name,
                    )
                )
        if any(_has_started(s) for s in statuses_of(pod)):
            continue
        found += [
            Refusal(
                text=e.message,
                keys=(event_key(e), object_key(pod.metadata)),
                pod=pod,
                container=container_named_by(e),
            )
            for e in _events_of(case, pod, *_START_FAILS)
        ]
    return tuple(found)


def _has_started(status: ContainerStatus) -> bool:
    state = status.state
    return bool(status.container_id) and state is not None and state.waiting is None


def _event_keys(case: Case, pod: Pod, message: str) -> tuple[str, ...]:
    return tuple(event_key(e) for e in _events_of(case, pod, "Failed") if message in e.message)


def _events_of(case: Case, pod: Pod, *reasons: str) -> list[KubeEvent]:
    """The newest first, none from before the pod was made: a name may be used again."""
    made = epoch_us(pod.metadata.creation_timestamp)
    return [
        e
        for e in events_about(case, *reasons)
        if e.involved_object.uid == pod.metadata.uid and epoch_us(e.occurred) >= made
    ]
