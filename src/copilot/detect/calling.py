"""Whether an object's spec names a Service as an address that it calls.

Only what reads as an address counts: a host in a URL, `name:port`, `name.namespace`, or the bare
name in a variable whose own name says that it holds a host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from copilot.domain.change import ObjectVersion
from copilot.domain.objects import Container, Deployment, PodSpec, Service
from copilot.domain.surroundings import ConfigMap, CronJob, Ingress, IngressBackend
from copilot.ports import Kind

CALLERS = (
    Kind.DEPLOYMENT,
    Kind.STATEFUL_SET,
    Kind.DAEMON_SET,
    Kind.CRON_JOB,
    Kind.CONFIG_MAP,
    Kind.INGRESS,
)
"""The kinds in whose specs callers are looked for."""

_HOLDS_A_HOST = re.compile(
    r"HOST|ADDR|URL|URI|SERVER|ENDPOINT|SERVICE|BACKEND|UPSTREAM|PROXY|TARGET", re.IGNORECASE
)


def calls(version: ObjectVersion, service: Service) -> bool:
    """True where the object, as it is now, would call the Service. What asks for no pods calls
    nobody."""
    body, name = version.json, service.metadata.name
    if name.encode() not in body:
        return False
    match version.object.kind:
        case "Ingress":
            return name in _backends(msgspec.json.decode(body, type=Ingress))
        case "ConfigMap":
            data = msgspec.json.decode(body, type=ConfigMap).data or {}
            return any(is_address(key, value, service) for key, value in data.items())
        case "CronJob":
            cron_job = msgspec.json.decode(body, type=CronJob)
            pods = cron_job.spec.job_template.spec.template.spec
            return not cron_job.spec.suspend and _names(pods, service)
        case _:
            made = msgspec.json.decode(body, type=Deployment)
            return made.spec.replicas != 0 and _names(made.spec.template.spec, service)


def is_address(variable: str, value: str, service: Service) -> bool:
    """Whether the value of this variable leads to the Service."""
    name, namespace = re.escape(service.metadata.name), re.escape(service.metadata.namespace)
    if value.strip() == service.metadata.name:
        return bool(_HOLDS_A_HOST.search(variable))
    host = rf"(?<![\w.-]){name}(?:\.{namespace}(?:\.svc[\w.]*)?(?![\w-])|(?=:\d)|(?<=//{name})(?![\w.-]))"
    return re.search(host, value) is not None


def _names(pods: PodSpec, service: Service) -> bool:
    return any(
        is_address(variable, value, service)
        for container in (*(pods.containers or ()), *(pods.init_containers or ()))
        for variable, value in _texts(container)
    )


def _texts(container: Container) -> Iterator[tuple[str, str]]:
    for variable in container.env or ():
        if variable.value:
            yield variable.name, variable.value
    for text in (*(container.command or ()), *(container.args or ())):
        yield "", text


def _backends(ingress: Ingress) -> set[str]:
    spec = ingress.spec
    backends: list[IngressBackend | None] = [spec.default_backend]
    for rule in spec.rules or ():
        backends += [path.backend for path in (rule.http.paths if rule.http else None) or ()]
    return {b.service.name for b in backends if b is not None and b.service is not None}
