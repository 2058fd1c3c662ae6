"""How an object around a case looks as evidence: one line for people, and its body without what may
be secret. Pure."""

from __future__ import annotations

from functools import singledispatch

import msgspec

from copilot.causes.wording import one_line
from copilot.domain.objects import (
    Container,
    Deployment,
    EnvVar,
    KubeStruct,
    Metadata,
    Pod,
    PodSpec,
    PodTemplate,
    Service,
)
from copilot.domain.surroundings import (
    ConfigMap,
    CronJob,
    HorizontalPodAutoscaler,
    Job,
    LimitRange,
    NetworkPolicy,
    PersistentVolume,
    PersistentVolumeClaim,
    ResourceQuota,
    Role,
    RoleBinding,
    StorageClass,
    WebhookConfiguration,
)

MOST_NAMES = 8


def bare(thing: KubeStruct) -> KubeStruct:
    """Without bookkeeping; of pod specs the references stay, values and arguments do not."""
    match thing:
        case Pod():
            return _without_notes(thing, spec=bare_spec(thing.spec))
        case Deployment() | Job():
            template = _bare_template(thing.spec.template)
            spec = msgspec.structs.replace(thing.spec, template=template)
            return _without_notes(thing, spec=spec)
        case CronJob():
            job = thing.spec.job_template
            template = _bare_template(job.spec.template)
            inner = msgspec.structs.replace(
                job, spec=msgspec.structs.replace(job.spec, template=template)
            )
            return _without_notes(
                thing, spec=msgspec.structs.replace(thing.spec, job_template=inner)
            )
        case _:
            return _without_notes(thing)


def _without_notes(thing: KubeStruct, **fields: object) -> KubeStruct:
    metadata: Metadata = thing.metadata  # type: ignore[attr-defined]  # every one of ours has it
    plain = msgspec.structs.replace(metadata, managed_fields=None, annotations=None)
    return msgspec.structs.replace(thing, metadata=plain, **fields)


def _bare_template(template: PodTemplate) -> PodTemplate:
    return msgspec.structs.replace(template, spec=bare_spec(template.spec))


def bare_spec(spec: PodSpec) -> PodSpec:
    """A pod spec without the values of its variables and without arguments: they may be secret."""
    return msgspec.structs.replace(
        spec,
        containers=bare_containers(spec.containers),
        init_containers=bare_containers(spec.init_containers),
    )


def bare_containers(containers: list[Container] | None) -> list[Container] | None:
    """What is run stays, with what; the rest of the command line does not."""
    if containers is None:
        return None
    return [
        msgspec.structs.replace(
            c, command=(c.command or [])[:1] or None, args=None, env=_bare_env(c.env)
        )
        for c in containers
    ]


def _bare_env(env: list[EnvVar] | None) -> list[EnvVar] | None:
    return [msgspec.structs.replace(v, value=None) for v in env] if env else None


def title_of(kind: str, thing: KubeStruct) -> str:
    """`ResourceQuota team: pods 3 of 3`."""
    metadata: Metadata = thing.metadata  # type: ignore[attr-defined]  # every one of ours has it
    said = _said(thing)
    return one_line(f"{kind} {metadata.name}" + (f": {said}" if said else ""))


@singledispatch
def _said(thing: KubeStruct) -> str:
    """The one thing about it that people look at first; nothing of a kind that has none."""
    return ""


@_said.register
def _(thing: ConfigMap) -> str:
    keys = sorted(thing.keys)
    more = f" and {len(keys) - MOST_NAMES} more" if len(keys) > MOST_NAMES else ""
    return f"keys {', '.join(keys[:MOST_NAMES])}{more}" if keys else "no keys"


@_said.register
def _(thing: ResourceQuota) -> str:
    used = thing.status.used or {}
    hard = thing.status.hard or thing.spec.hard or {}
    return ", ".join(f"{name} {used.get(name, '0')} of {hard[name]}" for name in hard)


@_said.register
def _(thing: LimitRange) -> str:
    return "; ".join(
        f"{item.type} {word} {amounts}"
        for item in thing.spec.limits or ()
        for word, amounts in (("min", _amounts(item.min)), ("max", _amounts(item.max)))
        if amounts
    )


@_said.register
def _(thing: PersistentVolumeClaim) -> str:
    size = (thing.spec.resources.requests or {}).get("storage", "")
    modes, klass = thing.spec.access_modes or (), thing.spec.storage_class_name or ""
    return _joined(thing.status.phase, size, *modes, klass)


@_said.register
def _(thing: PersistentVolume) -> str:
    size = (thing.spec.capacity or {}).get("storage", "")
    modes, klass = thing.spec.access_modes or (), thing.spec.storage_class_name
    return _joined(thing.status.phase, size, *modes, klass)


@_said.register
def _(thing: StorageClass) -> str:
    return _joined(thing.provisioner, thing.volume_binding_mode)


@_said.register
def _(thing: Service) -> str:
    selector = thing.spec.selector or {}
    ports = [f"{p.port} → {p.target_port or p.port}" for p in thing.spec.ports or ()]
    picks = ", ".join(f"{k}={v}" for k, v in sorted(selector.items()))
    return _joined(f"selects {picks}" if picks else "selects nothing", *ports)


@_said.register
def _(thing: Deployment) -> str:
    status = thing.status
    if thing.kind == "DaemonSet":
        return f"{status.number_ready} of {status.desired_number_scheduled} ready"
    wanted = 1 if thing.spec.replicas is None else thing.spec.replicas
    return f"{status.ready_replicas} of {wanted} ready"


@_said.register
def _(thing: Job) -> str:
    status = thing.status
    return f"{status.active} active, {status.succeeded} succeeded, {status.failed} failed"


@_said.register
def _(thing: CronJob) -> str:
    state = "suspended" if thing.spec.suspend else f"{len(thing.status.active or ())} active"
    return _joined(thing.spec.schedule, thing.spec.concurrency_policy, state)


@_said.register
def _(thing: HorizontalPodAutoscaler) -> str:
    bounds = f"{thing.spec.min_replicas or 1} to {thing.spec.max_replicas}"
    return f"{thing.status.current_replicas} now, {bounds}"


@_said.register
def _(thing: NetworkPolicy) -> str:
    return _joined(*(thing.spec.policy_types or ()))


@_said.register
def _(thing: RoleBinding) -> str:
    return f"to {thing.role_ref.kind} {thing.role_ref.name}"


@_said.register
def _(thing: Role) -> str:
    return f"{len(thing.rules or ())} rules"


@_said.register
def _(thing: WebhookConfiguration) -> str:
    return _joined(*(f"{w.name} ({w.failure_policy})" for w in thing.webhooks or ()))


@_said.register
def _(thing: Pod) -> str:
    node = thing.spec.node_name
    return _joined(thing.status.phase, f"on {node}" if node else "")


def _amounts(amounts: dict[str, str] | None) -> str:
    return " ".join(f"{name} {value}" for name, value in (amounts or {}).items())


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
