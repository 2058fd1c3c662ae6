"""Whether an object is well, and whether it shows that something is wrong. Pure.

The runner's own eyes: nothing of the product is asked, so that its findings can be held against
them.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

WAITING_WELL = frozenset({"ContainerCreating", "PodInitializing", ""})
WARNINGS = frozenset(
    {
        "FailedCreate",
        "FailedMount",
        "FailedScheduling",
        "Unhealthy",
        "ProvisioningFailed",
        "Failed",
        "BackOff",
        "InspectFailed",
        "Evicted",
        "BackoffLimitExceeded",
        "DeadlineExceeded",
        "FailedAttachVolume",
        "JobAlreadyActive",
        "NodeNotReady",
    }
)
"""Reasons of Warning events that tell of a fault."""


def is_ready(thing: Object) -> bool:
    """It does what its spec asks for, all of it, in its present revision."""
    spec, status = thing.get("spec", {}), thing.get("status", {})
    seen = status.get("observedGeneration", 0) >= thing["metadata"].get("generation", 0)
    wanted = spec.get("replicas", 1)
    match thing.get("kind"):
        case "Deployment":
            counts = [
                status.get(f"{word}Replicas", 0) for word in ("updated", "ready", "available")
            ]
            return bool(seen and status.get("replicas", 0) == wanted and counts == [wanted] * 3)
        case "StatefulSet":
            is_current = status.get("updateRevision") == status.get("currentRevision")
            return bool(seen and is_current and status.get("readyReplicas", 0) == wanted)
        case "DaemonSet":
            wanted = status.get("desiredNumberScheduled", 0)
            numbers = (status.get("updatedNumberScheduled", 0), status.get("numberReady", 0))
            return bool(seen and wanted > 0 and numbers == (wanted, wanted))
        case "Job":
            return has_condition(thing, "Complete")
        case "CronJob":
            return not spec.get("suspend") and bool(status.get("lastSuccessfulTime"))
        case "Pod":
            return has_condition(thing, "Ready") or status.get("phase") == "Succeeded"
        case "PersistentVolumeClaim":
            return bool(status.get("phase") == "Bound")
        case "Node":
            return has_condition(thing, "Ready") and not spec.get("unschedulable")
        case _:
            return True


def has_condition(thing: Object, kind: str, status: str = "True") -> bool:
    conditions = thing.get("status", {}).get("conditions") or []
    return any(one["type"] == kind and one["status"] == status for one in conditions)


def sign(thing: Object) -> str:
    """What shows that something is wrong, in a few words; empty where nothing does."""
    match thing.get("kind"):
        case "Pod":
            return _pod_sign(thing)
        case "Event":
            is_telling = thing.get("type") == "Warning" and thing.get("reason") in WARNINGS
            return f"event {thing['reason']}" if is_telling else ""
        case "Job":
            failed = [
                one.get("reason", "")
                for one in thing.get("status", {}).get("conditions") or []
                if one["type"] == "Failed" and one["status"] == "True"
            ]
            return f"job {failed[0]}" if failed else ""
        case "Node":
            if has_condition(thing, "Ready", "False") or has_condition(thing, "Ready", "Unknown"):
                return "node not ready"
            pressed = [
                one["type"]
                for one in thing.get("status", {}).get("conditions") or []
                if one["type"].endswith("Pressure") and one["status"] == "True"
            ]
            return f"node {pressed[0]}" if pressed else ""
        case _:
            return ""


def _pod_sign(pod: Object) -> str:
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp"):
        return ""  # what ends may end as it likes
    if status.get("phase") == "Failed":
        return f"pod {status.get('reason') or 'Failed'}"
    if has_condition(pod, "PodScheduled", "False"):
        return "pod Unschedulable"
    for container in (status.get("initContainerStatuses") or []) + (
        status.get("containerStatuses") or []
    ):
        waiting = container.get("state", {}).get("waiting", {}).get("reason", "")
        if waiting not in WAITING_WELL:
            return f"container {waiting}"
        for state in (container.get("state", {}), container.get("lastState", {})):
            ended = state.get("terminated", {})
            if ended.get("exitCode"):
                return f"container {ended.get('reason', 'Error')} {ended['exitCode']}"
    return ""
