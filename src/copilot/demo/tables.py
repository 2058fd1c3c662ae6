"""The tables that `kubectl get` prints: it asks the server for them."""

from __future__ import annotations

from copilot.demo.kinds import Obj, Resource
from copilot.demo.times import SECOND_US, from_text


def table(resource: Resource, objects: list[Obj], metadata: Obj, now_us: int) -> Obj:
    """A `meta.k8s.io/v1` Table."""
    columns = _COLUMNS.get(resource.kind, ("Name", "Age"))
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [
            {
                "name": name,
                "type": "string",
                "format": "name" if name == "Name" else "",
                "description": "",
                "priority": 0,
            }
            for name in columns
        ],
        "rows": [
            {
                "cells": [_cell(resource, obj, name, now_us) for name in columns],
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": obj["metadata"],
                },
            }
            for obj in objects
        ],
    }


_COLUMNS = {
    "Pod": ("Name", "Ready", "Status", "Restarts", "Age"),
    "Deployment": ("Name", "Ready", "Up-to-date", "Available", "Age"),
    "ReplicaSet": ("Name", "Desired", "Current", "Ready", "Age"),
    "Node": ("Name", "Status", "Roles", "Age", "Version"),
    "Namespace": ("Name", "Status", "Age"),
    "Service": ("Name", "Type", "Cluster-IP", "Port(s)", "Age"),
    "ConfigMap": ("Name", "Data", "Age"),
    "PodDisruptionBudget": ("Name", "Allowed Disruptions", "Age"),
    "RoleBinding": ("Name", "Role", "Age"),
    "ClusterRoleBinding": ("Name", "Role", "Age"),
    "Event": ("Last Seen", "Type", "Reason", "Object", "Message"),
}


def _cell(resource: Resource, obj: Obj, column: str, now_us: int) -> str:
    metadata = obj["metadata"]
    match column:
        case "Name":
            return str(metadata["name"])
        case "Age":
            return _ago(metadata["creationTimestamp"], now_us)
        case _:
            return _special_cell(resource, obj, column, now_us)


def _special_cell(resource: Resource, obj: Obj, column: str, now_us: int) -> str:
    match resource.kind:
        case "Pod":
            return _pod_cell(obj, column)
        case "Deployment" | "ReplicaSet":
            return _workload_cell(resource, obj, column)
        case "Event":
            return _event_cell(obj, column, now_us)
        case _:
            return _other_cell(obj, column)


def _pod_cell(pod: Obj, column: str) -> str:
    statuses = pod["status"].get("containerStatuses") or []
    match column:
        case "Ready":
            n_ready = sum(status["ready"] for status in statuses)
            return f"{n_ready}/{len(pod['spec']['containers'])}"
        case "Restarts":
            return str(sum(status["restartCount"] for status in statuses))
        case _:
            return pod_state(pod)


def pod_state(pod: Obj) -> str:
    """The one word for a pod that `kubectl get` shows."""
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    for status in pod["status"].get("containerStatuses") or []:
        for kind in ("waiting", "terminated"):
            reason = (status["state"].get(kind) or {}).get("reason")
            if reason:
                return str(reason)
    return str(pod["status"]["phase"])


def _workload_cell(resource: Resource, obj: Obj, column: str) -> str:
    status, desired = obj.get("status") or {}, obj["spec"]["replicas"]
    n_ready = status.get("readyReplicas", 0)
    match column:
        case "Ready":
            return f"{n_ready}/{desired}" if resource.kind == "Deployment" else str(n_ready)
        case "Up-to-date":
            return str(status.get("updatedReplicas", 0))
        case "Available":
            return str(status.get("availableReplicas", 0))
        case "Current":
            return str(status.get("replicas", 0))
        case _:
            return str(desired)


def _event_cell(event: Obj, column: str, now_us: int) -> str:
    match column:
        case "Last Seen":
            times = (event.get("lastTimestamp"), event.get("eventTime"))
            last = next((at for at in times if at), event["metadata"]["creationTimestamp"])
            return _ago(last, now_us)
        case "Object":
            involved = event["involvedObject"]
            return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"
        case _:
            return str(event.get(column.lower(), ""))


def _other_cell(obj: Obj, column: str) -> str:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    match column:
        case "Status" if "conditions" in status:
            ready: Obj = next((c for c in status["conditions"] if c["type"] == "Ready"), {})
            word = "Ready" if ready.get("status") == "True" else "NotReady"
            return f"{word},SchedulingDisabled" if spec.get("unschedulable") else word
        case "Status":
            return str(status.get("phase", ""))
        case "Roles":
            return "<none>"
        case "Version":
            return str((status.get("nodeInfo") or {}).get("kubeletVersion", ""))
        case "Port(s)":
            return ",".join(f"{p['port']}/{p['protocol']}" for p in spec.get("ports") or [])
        case "Allowed Disruptions":
            return str(status.get("disruptionsAllowed", 0))
        case "Role":
            return f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"
        case "Data":
            return str(len(obj.get("data") or {}))
        case "Type":
            return str(spec.get("type", ""))
        case _:
            return str(spec.get("clusterIP", ""))


def _ago(at: str, now_us: int) -> str:
    seconds = max(0, (now_us - from_text(at)) // SECOND_US)
    if seconds < 120:
        return f"{seconds}s"
    if seconds < 7200:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 172_800 else f"{seconds // 86_400}d"
