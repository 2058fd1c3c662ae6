"""What the API server fills in where a manifest says nothing."""

from __future__ import annotations

from typing import Any

from copilot.demo.kinds import ROLE, Obj, Resource


def with_defaults(resource: Resource, obj: Obj) -> Obj:
    """The object with the defaults of its kind; repeated, it changes nothing."""
    match resource.kind:
        case "Deployment":
            return {**obj, "spec": _deployment(obj.get("spec") or {})}
        case "ReplicaSet":
            return {**obj, "spec": _replica_set(obj.get("spec") or {})}
        case "Pod":
            return {**obj, "spec": _pod(obj.get("spec") or {})}
        case "Service":
            return {**obj, "spec": _service(obj.get("spec") or {})}
        case "NetworkPolicy":
            return {**obj, "spec": _network_policy(obj.get("spec") or {})}
        case "PodDisruptionBudget" | "Ingress":
            return {**obj, "spec": obj.get("spec") or {}}
        case "Role" | "ClusterRole":
            return {**obj, "rules": obj.get("rules")}
        case "RoleBinding" | "ClusterRoleBinding":
            return _binding(obj)
        case "Namespace":
            return _namespace(obj)
        case "Event":
            return _event(obj)
        case _:
            return obj


def pod_template(spec: Obj) -> Obj:
    """Defaults of a pod's spec that a template gets, too."""
    result = {
        **spec,
        "containers": [_container(container) for container in spec.get("containers") or []],
    }
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        # The old name of the field is still told.
        result |= {"serviceAccountName": account, "serviceAccount": account}
    if spec.get("initContainers"):
        result["initContainers"] = [_container(c) for c in spec["initContainers"]]
    return _filled(
        result,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )


def _filled(values: Obj, **defaults: Any) -> Obj:
    missing = {key: value for key, value in defaults.items() if values.get(key) is None}
    return {**values, **missing}


def _deployment(spec: Obj) -> Obj:
    strategy = _filled(spec.get("strategy") or {}, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.get("rollingUpdate") or {}
        strategy["rollingUpdate"] = _filled(rolling, maxUnavailable="25%", maxSurge="25%")
    filled = _filled(_replica_set(spec), revisionHistoryLimit=10, progressDeadlineSeconds=600)
    return {**filled, "strategy": strategy}


def _replica_set(spec: Obj) -> Obj:
    template = spec.get("template") or {}
    return {
        **_filled(spec, replicas=1),
        "template": {
            "metadata": template.get("metadata") or {},
            **template,
            "spec": pod_template(template.get("spec") or {}),
        },
    }


def _pod(spec: Obj) -> Obj:
    tolerations = spec.get("tolerations") or [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
    ]
    return _filled(
        pod_template(spec),
        serviceAccountName="default",
        serviceAccount="default",
        tolerations=tolerations,
        priority=0,
        enableServiceLinks=True,
        preemptionPolicy="PreemptLowerPriority",
    )


def _container(container: Obj) -> Obj:
    filled = _filled(
        container,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy=_pull_policy(str(container.get("image", ""))),
    )
    filled["resources"] = _resources(filled["resources"])
    if container.get("ports"):
        filled["ports"] = [_filled(port, protocol="TCP") for port in container["ports"]]
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe):
            filled[probe] = _probe(container[probe])
    return filled


def _resources(resources: Obj) -> Obj:
    """A limit without a request is a request, too; quantities are text."""
    limits = {k: str(v) for k, v in (resources.get("limits") or {}).items()}
    requests = {k: str(v) for k, v in (resources.get("requests") or {}).items()}
    for name, value in limits.items():
        requests.setdefault(name, value)
    named = {"limits": limits, "requests": requests}
    return {**resources, **{key: value for key, value in named.items() if value}}


def _probe(probe: Obj) -> Obj:
    filled = _filled(
        probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3
    )
    if probe.get("httpGet"):
        filled["httpGet"] = _filled(probe["httpGet"], path="/", scheme="HTTP")
    return filled


def _pull_policy(image: str) -> str:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _service(spec: Obj) -> Obj:
    ports = [
        {"protocol": "TCP", "targetPort": port.get("port"), **port}
        for port in spec.get("ports") or []
    ]
    filled = _filled(
        {**spec, "ports": ports} if ports else spec,
        type="ClusterIP",
        sessionAffinity="None",
        ipFamilies=["IPv4"],
        ipFamilyPolicy="SingleStack",
        internalTrafficPolicy="Cluster",
    )
    if filled.get("clusterIP"):
        filled["clusterIPs"] = [filled["clusterIP"]]
    return filled


def _network_policy(spec: Obj) -> Obj:
    """Without types a policy is for what comes in, and for what goes out if it has rules for that."""
    sides = {
        side: [_policy_rule(rule) for rule in spec[side]]
        for side in ("ingress", "egress")
        if spec.get(side)
    }
    types = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    return _filled({**spec, **sides}, podSelector={}, policyTypes=types)


def _policy_rule(rule: Obj) -> Obj:
    if not rule.get("ports"):
        return rule
    return {**rule, "ports": [_filled(port, protocol="TCP") for port in rule["ports"]]}


def _binding(obj: Obj) -> Obj:
    """Users and groups are of the group of roles, service accounts of none."""
    result = {**obj, "roleRef": _filled(obj.get("roleRef") or {}, apiGroup=ROLE.group)}
    if obj.get("subjects"):
        result["subjects"] = [
            one if one.get("kind") == "ServiceAccount" else _filled(one, apiGroup=ROLE.group)
            for one in obj["subjects"]
        ]
    return result


def _namespace(obj: Obj) -> Obj:
    name = obj["metadata"].get("name", "")
    labels = {**(obj["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": name}
    return {
        **obj,
        "metadata": {**obj["metadata"], "labels": labels},
        "spec": _filled(obj.get("spec") or {}, finalizers=["kubernetes"]),
        "status": _filled(obj.get("status") or {}, phase="Active"),
    }


def _event(obj: Obj) -> Obj:
    return {
        **obj,
        "source": obj.get("source") or {},
        "firstTimestamp": obj.get("firstTimestamp"),
        "lastTimestamp": obj.get("lastTimestamp"),
        "eventTime": obj.get("eventTime"),
        "reportingComponent": obj.get("reportingComponent") or "",
        "reportingInstance": obj.get("reportingInstance") or "",
    }
