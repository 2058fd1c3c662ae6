"""What other systems' alerts say, placed in the cluster by their labels.

An alert that speaks of an out-of-memory kill and can be placed on a workload is the same trouble
as our own rule sees, and carries that rule. One that has ended comes out as not firing.

Quiet: alerts that are meant never to be handled (severity `none`, such as Watchdog), and those
about the co-pilot's own work (`deploy/monitoring/alerts.yaml`): they are for who runs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from copilot.detect.placing import (
    clip,
    fingerprint_of,
    pod_named,
    short_name,
    workload_named,
)
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.event import ReceivedAlert
from copilot.domain.objects import ObjectRef, Pod

SEVERITIES = {"page": 1, "critical": 2, "error": 2, "high": 2, "warning": 3, "info": 4}
DEFAULT_SEVERITY = 3
OWN = ("part_of", "incident-copilot")
"""The label of alerts about the co-pilot itself."""

_OOM = re.compile(r"OOM|Oom|(?<![A-Za-z])oom(?![A-Za-z])|[Oo]ut[_ -]?[Oo]f[_ -]?[Mm]emory")
_WORKLOAD_LABELS = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "job_name": "Job",
    "cronjob": "CronJob",
    "replicaset": "ReplicaSet",
}
_NODE_EXPORTERS = frozenset({"node", "node-exporter", "node_exporter"})
_ABOUT_EXPORTER = frozenset({"namespace", "pod", "container", "service", "endpoint"})


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each received one that somebody should handle."""
    for received in seen.received:
        is_ours = received.labels.get(OWN[0]) == OWN[1]
        if not is_ours and received.labels.get("severity", "").lower() != "none":
            yield _alert(seen, received)


def _alert(seen: Seen, received: ReceivedAlert) -> Alert:
    labels = _labels_of_subject(received.labels)
    pod = pod_named(seen, labels.get("namespace", ""), labels.get("pod", ""))
    workload = seen.workload_of(pod) if pod else _workload(seen, labels)
    is_oom = _says_oom(received) and workload.kind not in ("Node", "Namespace", "Cluster")
    rule = Rule.OOM_KILLED if is_oom else Rule.EXTERNAL
    container = labels.get("container", "") or (_only_container(pod) if is_oom else "")
    return Alert(
        fingerprint=fingerprint_of(
            cluster=seen.cluster,
            rule=rule,
            workload=workload,
            container=container,
            detail="" if is_oom else received.name,
        ),
        rule=rule,
        cluster=seen.cluster,
        workload=workload,
        pod=labels.get("pod", ""),
        container=container,
        node=(pod.spec.node_name if pod else "") or _node(labels),
        severity=SEVERITIES.get(labels.get("severity", "").lower(), DEFAULT_SEVERITY),
        title=_title(received, workload, container),
        message=_message(received),
        starts_us=min(received.starts_us, seen.now_us) or seen.now_us,
        last_us=seen.now_us,
        count=1,
        source=received.source,
        is_firing=received.is_firing,
    )


def _labels_of_subject(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that say what an alert is about.

    Prometheus renames the subject's own labels to `exported_*` where the scraped program has such
    labels too; and the pod in a node exporter's alert is the exporter, not the patient.
    """
    about = dict(labels)
    if labels.get("job") in _NODE_EXPORTERS:
        about = {k: v for k, v in labels.items() if k not in _ABOUT_EXPORTER}
    for key in ("namespace", "pod", "container", "node"):
        if f"exported_{key}" in labels:
            about[key] = labels[f"exported_{key}"]
    return about


def _workload(seen: Seen, labels: Mapping[str, str]) -> ObjectRef:
    """The nearest thing that the labels name: workload, pod, node, namespace, else the cluster."""
    namespace = labels.get("namespace", "")
    for label, kind in _WORKLOAD_LABELS.items():
        if namespace and labels.get(label):
            return _known(seen, ObjectRef(kind=kind, namespace=namespace, name=labels[label]))
    if namespace and labels.get("pod"):
        gone = ObjectRef(kind="Pod", namespace=namespace, name=labels["pod"])
        return _owner_by_name(seen, gone) or gone
    if namespace and labels.get("app"):
        app = ObjectRef(kind="App", namespace=namespace, name=labels["app"])
        return workload_named(seen, namespace, app.name) or app
    if _node(labels):
        return ObjectRef(kind="Node", namespace="", name=_node(labels))
    if namespace:
        return ObjectRef(kind="Namespace", namespace="", name=namespace)
    return ObjectRef(kind="Cluster", namespace="", name=seen.cluster)


def _known(seen: Seen, ref: ObjectRef) -> ObjectRef:
    """The same with its uid, where one of its pods is known."""
    return next((o for o in seen.owners.values() if o.key == ref.key), ref)


def _owner_by_name(seen: Seen, gone: ObjectRef) -> ObjectRef | None:
    """The known workload whose pods are named like one that is no longer there."""
    deployment = gone.name.rsplit("-", 2)[0]
    stateful_or_daemon = gone.name.rsplit("-", 1)[0]
    for ref in seen.owners.values():
        name = deployment if ref.kind == "Deployment" else stateful_or_daemon
        if ref.namespace == gone.namespace and ref.name == name:
            return ref
    return None


def _node(labels: Mapping[str, str]) -> str:
    """A node exporter's instance stands for its node where no label names it."""
    named = labels.get("node") or labels.get("nodename") or ""
    if not named and labels.get("job") in _NODE_EXPORTERS:
        return labels.get("instance", "").rpartition(":")[0]
    return named


def _says_oom(received: ReceivedAlert) -> bool:
    """By its name and by labels that give a reason; names of pods say nothing (`oom-demo`)."""
    reasons = [value for key, value in received.labels.items() if "reason" in key]
    return any(_OOM.search(text) for text in (received.name, *reasons))


def _only_container(pod: Pod | None) -> str:
    containers = (pod.spec.containers or ()) if pod else ()
    return containers[0].name if len(containers) == 1 else ""


def _title(received: ReceivedAlert, workload: ObjectRef, container: str) -> str:
    said = received.annotations.get("summary") or received.annotations.get("message")
    return clip(said or f"{received.name} on {short_name(workload, container)}", 160)


def _message(received: ReceivedAlert) -> str:
    """Alert name and what it says of itself; where it says nothing, its labels."""
    said = received.annotations.get("description") or received.annotations.get("summary")
    labels = ", ".join(f"{k}={v}" for k, v in sorted(received.labels.items()) if k != "alertname")
    return clip(f"{received.name}: {said or labels}", 500)
