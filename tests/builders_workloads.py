"""Objects of the kinds that actions change, in the full shapes an API server gives, as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from copilot.domain.objects import ObjectRef

Json = dict[str, Any]


def ref(kind: str, name: str = "web", namespace: str = "shop") -> ObjectRef:
    return ObjectRef(kind=kind, namespace="" if kind == "Node" else namespace, name=name)


def encoded(tree: Json) -> bytes:
    return msgspec.json.encode(tree)


def an_object(kind: str, name: str = "web", **given: Any) -> Json:
    """With `metadata` as a real one has it; `labels` and `annotations` go there."""
    metadata: Json = {
        "name": name,
        "uid": f"uid-{kind}-{name}".lower(),
        "resourceVersion": "7",
        "creationTimestamp": "2026-11-23T07:00:00Z",
    }
    if kind != "Node":
        metadata["namespace"] = "shop"
    for field in ("labels", "annotations", "ownerReferences", "deletionTimestamp", "generation"):
        if field in given:
            metadata[field] = given.pop(field)
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **given}


def a_container_with_everything() -> Json:
    return {
        "name": "app",
        "image": "shop/web:1",
        "resources": {
            "limits": {"memory": "64Mi", "cpu": "500m"},
            "requests": {"memory": "32Mi", "cpu": "100m"},
        },
        "env": [
            {"name": "PLAIN", "value": "1"},
            {"name": "REF", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "k"}}},
        ],
        "envFrom": [
            {"configMapRef": {"name": "cfg"}},
            {"prefix": "X_", "secretRef": {"name": "sec", "optional": True}},
        ],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "livenessProbe": {"httpGet": {"path": "/live", "port": 8080, "scheme": "HTTP"}},
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 10},
    }


def a_workload(kind: str = "Deployment", name: str = "web", **spec: Any) -> Json:
    """A workload whose template has something for every action to change."""
    labels = {"app": name}
    pod: Json = {
        "containers": [a_container_with_everything(), {"name": "side", "image": "shop/side:1"}],
        "initContainers": [{"name": "init", "image": "shop/init:1"}],
        "volumes": [
            {"name": "conf", "configMap": {"name": "cfg", "defaultMode": 420}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "spool", "emptyDir": {"sizeLimit": "8Mi"}},
        ],
        "imagePullSecrets": [{"name": "one"}, {"name": "two"}],
        "serviceAccountName": "web",
        "serviceAccount": "web",
        "nodeSelector": {"disk": "ssd", "zone": "a"},
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}
                    ]
                }
            },
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "zone", "labelSelector": {"matchLabels": labels}}
                ]
            },
        },
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "dnsPolicy": "ClusterFirst",
        "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    }
    template = {"metadata": {"creationTimestamp": None, "labels": labels}, "spec": pod}
    if kind == "CronJob":
        spec = {"schedule": "0 * * * *", "jobTemplate": {"spec": {"template": template}}, **spec}
    else:
        spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template, **spec}
    return an_object(kind, name, labels=labels, generation=3, spec=spec)


def a_failed_job(name: str = "load", **metadata: Any) -> Json:
    """As the controller leaves it: with the labels it knows its pods by."""
    own = {
        "batch.kubernetes.io/controller-uid": "u1",
        "batch.kubernetes.io/job-name": name,
        "controller-uid": "u1",
        "job-name": name,
    }
    spec = {
        "backoffLimit": 0,
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u1"}},
        "template": {
            "metadata": {"creationTimestamp": None, "labels": {"app": name, **own}},
            "spec": {"containers": [{"name": "app", "image": "shop/load:1"}]},
        },
    }
    status = {
        "failed": 1,
        "conditions": [{"type": "Failed", "status": "True", "reason": "Backoff"}],
    }
    job = an_object("Job", name, labels={"app": name, **own}, spec=spec, status=status, **metadata)
    return {**job, "apiVersion": "batch/v1"}


def with_claims(*, ready: int = 0, asks: str = "9Gi", **spec: Any) -> Json:
    """A StatefulSet whose claim template `data` asks for so much."""
    live = a_workload("StatefulSet")
    wish = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": asks}}}
    template = {"metadata": {"name": "data"}, "spec": wish}
    return {
        **live,
        "spec": {**live["spec"], "volumeClaimTemplates": [template], **spec},
        "status": {"readyReplicas": ready},
    }


def a_claim_object(phase: str = "Pending", name: str = "data") -> Json:
    annotations = {
        "volume.kubernetes.io/storage-provisioner": "nobody",
        "team": "shop",
    }
    spec = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "gone",
        "volumeMode": "Filesystem",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return an_object(
        "PersistentVolumeClaim", name, annotations=annotations, spec=spec, status={"phase": phase}
    )


def a_service(**spec: Any) -> Json:
    ports = [
        {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8081, "nodePort": 30080},
        {"name": "admin", "port": 81, "protocol": "TCP", "targetPort": "admin"},
    ]
    return an_object(
        "Service", spec={"selector": {"app": "web", "tier": "x"}, "ports": ports, **spec}
    )


def a_config_map(**given: Any) -> Json:
    return an_object("ConfigMap", "cfg", data={"k": "1", "other": "2"}, **given)


def a_quota(**hard: str) -> Json:
    return an_object("ResourceQuota", "quota", spec={"hard": hard or {"pods": "4"}})


def a_limit_range() -> Json:
    limits = [
        {"type": "Container", "max": {"memory": "1Gi", "cpu": "2"}, "min": {"memory": "4Mi"}},
        {"type": "Pod", "max": {"memory": "2Gi"}},
    ]
    return an_object("LimitRange", "bounds", spec={"limits": limits})
