"""Is an object allowed: the rules of the API server that people run into, with its own words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from copilot.demo import policies
from copilot.demo.failures import FieldProblem
from copilot.demo.fields import invalid, required, unsupported
from copilot.demo.kinds import ROLE, Obj, Resource
from copilot.domain.errors import Invalid
from copilot.domain.quantity import parse_bytes, parse_millicores

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_BAD_NAME = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_BAD_LABEL = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_BAD_LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    "or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_NOT_NEGATIVE = "must be greater than or equal to 0"
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_POD_SPEC_MAY_CHANGE = frozenset({"containers", "initContainers", "tolerations"})


def problems(resource: Resource, obj: Obj, before: Obj | None) -> list[FieldProblem]:
    """Everything wrong with the new value; `before` is the value that it replaces."""
    found = list(_metadata(resource, obj, before))
    match resource.kind:
        case "Deployment" | "ReplicaSet":
            found += _workload(resource, obj, before)
        case "Pod":
            found += _pod_spec(obj.get("spec") or {}, "spec", is_template=False)
            found += _pod_changes(obj, before)
        case "Service":
            found += _service(obj)
        case "Event":
            found += _event(obj)
        case _:
            found += policies.problems(resource, obj, before)
    return found


# ------------------------------------------------------------------ metadata


def _metadata(resource: Resource, obj: Obj, before: Obj | None) -> Iterator[FieldProblem]:
    metadata = obj["metadata"]
    name = metadata.get("name", "")
    if resource.group == ROLE.group:
        yield from policies.segment(name)
    elif not _NAME.fullmatch(name):
        yield invalid("metadata.name", name, _BAD_NAME)
    yield from _labels(metadata.get("labels") or {}, "metadata.labels")
    if before is None:
        return
    if metadata.get("uid") not in (None, before["metadata"]["uid"]):
        yield invalid("metadata.uid", metadata["uid"], "field is immutable")


def _labels(labels: Obj, field: str) -> Iterator[FieldProblem]:
    for key, value in labels.items():
        if not _LABEL.fullmatch(key.rpartition("/")[2]):
            yield invalid(field, key, _BAD_LABEL)
        if value and (not _LABEL.fullmatch(value) or len(value) > 63):
            yield invalid(field, value, _BAD_LABEL_VALUE)


# ------------------------------------------------------------------ workloads


def _workload(resource: Resource, obj: Obj, before: Obj | None) -> Iterator[FieldProblem]:
    spec = obj["spec"]
    selector = spec.get("selector")
    template = spec["template"]
    if spec.get("replicas", 0) < 0:
        yield invalid("spec.replicas", spec["replicas"], _NOT_NEGATIVE)
    if not selector:
        yield required("spec.selector")
    wanted = (selector or {}).get("matchLabels") or {}
    labels = template["metadata"].get("labels")
    if not labels or wanted.items() - labels.items() or not selector:
        problem = "`selector` does not match template `labels`"
        yield invalid("spec.template.metadata.labels", labels, problem)
    yield from _pod_spec(template["spec"], "spec.template.spec", is_template=True)
    if resource.kind == "Deployment":
        yield from _strategy(spec["strategy"])
    if before is not None and before["spec"].get("selector") != selector:
        yield invalid("spec.selector", selector, "field is immutable")


def _strategy(strategy: Obj) -> Iterator[FieldProblem]:
    if strategy["type"] not in ("Recreate", "RollingUpdate"):
        yield unsupported("spec.strategy.type", strategy["type"], ("Recreate", "RollingUpdate"))
        return
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] == "Recreate":
        if rolling:
            yield FieldProblem(
                field="spec.strategy.rollingUpdate",
                message="Forbidden: may not be specified when strategy `type` is 'Recreate'",
                reason="FieldValueForbidden",
            )
        return
    if rolling and str(rolling.get("maxSurge")) in ("0", "0%"):
        unavailable = rolling.get("maxUnavailable")
        if str(unavailable) in ("0", "0%"):
            field = "spec.strategy.rollingUpdate.maxUnavailable"
            yield invalid(field, unavailable, "may not be 0 when `maxSurge` is 0")


def _pod_spec(spec: Obj, at: str, *, is_template: bool) -> Iterator[FieldProblem]:
    containers = spec.get("containers") or []
    if not containers:
        yield required(f"{at}.containers")
    seen: set[str] = set()
    for place, container in enumerate(containers):
        where = f"{at}.containers[{place}]"
        yield from _container(container, where)
        if container.get("name") in seen:
            yield FieldProblem(
                field=f"{where}.name",
                message=f'Duplicate value: "{container["name"]}"',
                reason="FieldValueDuplicate",
            )
        seen.add(str(container.get("name")))
    if is_template and spec.get("restartPolicy") != "Always":
        yield unsupported(f"{at}.restartPolicy", spec.get("restartPolicy"), ("Always",))
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        field = f"{at}.terminationGracePeriodSeconds"
        yield invalid(field, spec["terminationGracePeriodSeconds"], _NOT_NEGATIVE)


def _container(container: Obj, at: str) -> Iterator[FieldProblem]:
    if not container.get("name"):
        yield required(f"{at}.name")
    if not container.get("image"):
        yield required(f"{at}.image")
    if container.get("imagePullPolicy") not in _PULL_POLICIES:
        yield unsupported(f"{at}.imagePullPolicy", container.get("imagePullPolicy"), _PULL_POLICIES)
    for place, port in enumerate(container.get("ports") or []):
        yield from _port(port.get("containerPort"), f"{at}.ports[{place}].containerPort")
    for place, env in enumerate(container.get("env") or []):
        if not env.get("name"):
            yield required(f"{at}.env[{place}].name")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        yield from _probe(container.get(name) or {}, f"{at}.{name}")
    yield from _resources(container.get("resources") or {}, f"{at}.resources")


def _port(port: Any, at: str) -> Iterator[FieldProblem]:
    if port is None:
        yield required(at)
    elif isinstance(port, int) and not 1 <= port <= 65535:
        yield invalid(at, port, "must be between 1 and 65535, inclusive")


def _probe(probe: Obj, at: str) -> Iterator[FieldProblem]:
    for name in ("httpGet", "tcpSocket"):
        if probe.get(name):
            yield from _port(probe[name].get("port"), f"{at}.{name}.port")
    for name in ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold"):
        if (probe.get(name) or 0) < 0:
            yield invalid(f"{at}.{name}", probe[name], _NOT_NEGATIVE)


def _resources(resources: Obj, at: str) -> Iterator[FieldProblem]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if _amount(name, amount) < 0:
                yield invalid(f"{at}.{kind}[{name}]", amount, _NOT_NEGATIVE)
    for name, amount in requests.items():
        if name in limits and _amount(name, amount) > _amount(name, limits[name]):
            message = f"must be less than or equal to {name} limit of {limits[name]}"
            yield invalid(f"{at}.requests", amount, message)


def _amount(name: str, text: str) -> int:
    try:
        return parse_millicores(text) if name == "cpu" else parse_bytes(text)
    except Invalid:
        return 0  # `schema` has refused what is no quantity


def _pod_changes(obj: Obj, before: Obj | None) -> Iterator[FieldProblem]:
    """Of a pod that exists, only images and tolerations may change."""
    if before is None:
        return
    held, wanted = _frozen_part(before["spec"]), _frozen_part(obj["spec"])
    if held != wanted:
        yield FieldProblem(
            field="spec",
            message="Forbidden: pod updates may not change fields other than "
            "`spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
            "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it "
            "was previously negative)",
            reason="FieldValueForbidden",
        )


def _frozen_part(spec: Obj) -> Obj:
    rest = {k: v for k, v in spec.items() if k not in _POD_SPEC_MAY_CHANGE}
    rest["containers"] = [{**c, "image": ""} for c in spec.get("containers") or []]
    return rest


# ------------------------------------------------------------------ the others


def _service(obj: Obj) -> Iterator[FieldProblem]:
    ports = obj["spec"].get("ports") or []
    if not ports:
        yield required("spec.ports")
    for place, port in enumerate(ports):
        for name in ("port", "targetPort"):
            yield from _port(port.get(name), f"spec.ports[{place}].{name}")
        if len(ports) > 1 and not port.get("name"):
            yield required(f"spec.ports[{place}].name")


def _event(obj: Obj) -> Iterator[FieldProblem]:
    involved = (obj.get("involvedObject") or {}).get("namespace", "")
    if involved != obj["metadata"].get("namespace", "") and involved:
        message = "does not match event.namespace"
        yield invalid("involvedObject.namespace", involved, message)
