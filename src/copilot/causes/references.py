"""What pod specs refer to by name, and whether it is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from copilot.causes.failures import containers_of, failing_pods
from copilot.domain.case import Case
from copilot.domain.objects import (
    Container,
    Deployment,
    DeploymentSpec,
    KeyToPath,
    ObjectRef,
    PodSpec,
    PodTemplate,
    Volume,
    controller_of,
)

DEFAULT_ACCOUNT = "default"
_HOST = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One place of a pod spec that names a ConfigMap or Secret, whole or by key."""

    kind: str
    """`ConfigMap` or `Secret`."""
    name: str
    key: str = ""
    """Empty where it is taken whole."""
    container: str = ""
    """Empty for a volume."""
    variable: str = ""
    """Empty for an `envFrom` and for a volume."""
    volume: str = ""
    optional: bool = False

    @property
    def where(self) -> str:
        """For people: `variable MODE of app`, `volume conf`."""
        if self.volume:
            return f"volume {self.volume}"
        return (
            f"variable {self.variable} of {self.container}"
            if self.variable
            else (f"envFrom of {self.container}")
        )


def references_of(spec: PodSpec) -> Iterator[Reference]:
    """Every ConfigMap and Secret that a pod cannot start without, and the optional ones."""
    for container in containers_of(spec):
        yield from _of_container(container)
    for volume in spec.volumes or ():
        for one in volume.config_maps:
            yield from _of_volume("ConfigMap", one.name, volume, one.items, one.optional)
        if volume.secret:
            secret = volume.secret
            yield from _of_volume(
                "Secret", secret.secret_name, volume, secret.items, secret.optional
            )
        for part in (volume.projected.sources if volume.projected else None) or ():
            if part.secret:
                secret_part = part.secret
                yield from _of_volume(
                    "Secret", secret_part.name, volume, secret_part.items, secret_part.optional
                )


def _of_volume(
    kind: str, name: str, volume: Volume, items: list[KeyToPath] | None, optional: bool
) -> Iterator[Reference]:
    for key in [i.key for i in items or ()] or [""]:
        yield Reference(kind=kind, name=name, key=key, volume=volume.name, optional=optional)


def _of_container(container: Container) -> Iterator[Reference]:
    for source in container.env_from or ():
        for kind, whole in (("ConfigMap", source.config_map_ref), ("Secret", source.secret_ref)):
            if whole:
                yield Reference(
                    kind=kind, name=whole.name, container=container.name, optional=whole.optional
                )
    for variable in container.env or ():
        taken = variable.value_from
        for kind, one in (
            ("ConfigMap", taken.config_map_key_ref if taken else None),
            ("Secret", taken.secret_key_ref if taken else None),
        ):
            if one:
                yield Reference(
                    kind=kind,
                    name=one.name,
                    key=one.key,
                    container=container.name,
                    variable=variable.name,
                    optional=one.optional,
                )


def specs_of(case: Case) -> tuple[PodSpec, ...]:
    """What should run now, then what the failing pods run, newest first; each once."""
    templates = [case.workload.spec.template.spec] if case.workload else []
    templates += [case.job.spec.template.spec] if case.job else []
    templates += [case.cron_job.spec.job_template.spec.template.spec] if case.cron_job else []
    found: list[PodSpec] = []
    for spec in (*templates, *(p.spec for p in failing_pods(case))):
        if spec not in found:
            found.append(spec)
    return tuple(found)


def claims_of(spec: PodSpec) -> tuple[str, ...]:
    """Names of the claims a pod mounts."""
    taken = (v.persistent_volume_claim for v in spec.volumes or ())
    return tuple(dict.fromkeys(c.claim_name for c in taken if c is not None))


def account_of(spec: PodSpec) -> str:
    return spec.service_account_name or DEFAULT_ACCOUNT


def workload_ref(case: Case) -> ObjectRef:
    """The workload whose spec is at work: the incident's own object unless that is a Service, a
    claim or a node, which pods of a workload stand behind."""
    own = case.incident.workload
    if case.workload is None:
        return own
    found = reference_to(case.workload, own.kind)
    return own if own.key == found.key else found


def resizable(case: Case) -> Deployment | None:
    """What can be given other CPU and memory: the workload, or a pod that stands alone, in a
    workload's shape. That one is its own template, and is resized where it runs."""
    own = case.incident.workload
    if case.workload is not None or own.kind != "Pod":
        return case.workload
    for pod in case.pods:
        is_it = pod.metadata.name == own.name and controller_of(pod.metadata) is None
        if is_it and pod.metadata.deletion_timestamp is None and pod.status.phase == "Running":
            template = PodTemplate(metadata=pod.metadata, spec=pod.spec)
            return Deployment(
                metadata=pod.metadata, kind="Pod", spec=DeploymentSpec(template=template)
            )
    return None


def reference_to(workload: Deployment, kind: str = "Deployment") -> ObjectRef:
    """Names a workload; `kind` where it does not say its own."""
    meta = workload.metadata
    return ObjectRef(
        kind=workload.kind or kind, namespace=meta.namespace, name=meta.name, uid=meta.uid
    )


def hosts_in(text: str) -> frozenset[str]:
    """Everything in a text that could be the name or address of a host."""
    return frozenset(_HOST.findall(text.lower()))
