"""How far each action may go. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from copilot.domain.action import (
    LARGEST_CONFIG_MAP,
    LEAST_DEADLINE_S,
    MOST_DEADLINE_S,
    Action,
    AddToleration,
    Entries,
    RerunJob,
    RestoreConfigMap,
    Scale,
    SetClaimTemplate,
    SetConfigValue,
    SetFsGroup,
    SetLimitRange,
    SetMemory,
    SetProbe,
    SetQuota,
    SetResources,
    SetSelector,
    SetVolumeSize,
)
from copilot.domain.errors import Invalid
from copilot.domain.quantity import humanise_bytes, parse_bytes, parse_millicores
from copilot.domain.secrets import MASK
from copilot.remediate.disruption import wanted_pods
from copilot.remediate.edits.template import containers_in
from copilot.remediate.place import Place
from copilot.remediate.policy import Policy
from copilot.remediate.tree import Fields, fields_at, items_at, number_at, template_path, text_at

MAX_VALUE = 64 * 2**10
_PROBE_BOUNDS = {
    "initial_delay_s": (0, 600),
    "period_s": (1, 300),
    "timeout_s": (1, 60),
    "failure_threshold": (1, 60),
}
_OWN_TAINTS = ("node.kubernetes.io/", "node-role.kubernetes.io/")
"""Kubernetes' own: a node in trouble, or one that is kept for the control plane."""


def out_of_bounds(action: Action, live: Fields, place: Place, policy: Policy) -> Iterator[str]:  # noqa: C901  one line an action
    """Every reason why it goes too far, for people."""
    match action:
        case SetMemory():
            yield from _memory(action, live, place, policy)
        case SetResources():
            yield from _resources(action, live, place, policy)
        case Scale():
            yield from _scale(action, wanted_pods(live), policy)
        case SetProbe():
            yield from _probe(action)
        case SetVolumeSize():
            yield from _volume_size(action, live, policy)
        case SetFsGroup():
            yield from _fs_group(action, live)
        case AddToleration():
            yield from _toleration(action)
        case SetSelector():
            selector = {**fields_at(live, "spec", "selector"), **dict(action.entries)}
            if not any(value is not None for value in selector.values()):
                yield f"{action.target} would select nothing at all"
        case SetConfigValue():
            if len(action.value.encode()) > MAX_VALUE:
                yield f"a value of more than {MAX_VALUE // 1024} KiB is for people"
        case RerunJob():
            yield from _rerun(action, live, policy)
        case SetClaimTemplate():
            yield from _claim_template(action, live)
        case RestoreConfigMap():
            yield from _config_map(action)
        case SetQuota():
            now = fields_at(live, "spec", "hard")
            yield from _grown(action.entries, now, policy, "the quota")
        case SetLimitRange():
            now = _bound_now(action, live)
            yield from _grown(action.entries, now, policy, f"the {action.bound}")
        case _:
            return


def memory_limit(live: Fields, container: str, kind: str = "Deployment") -> int | None:
    """Bytes of the container's limit, None where there is none."""
    limit = text_at(_container(live, container, kind), "resources", "limits", "memory")
    return None if limit is None else parse_bytes(limit)


def _memory(action: SetMemory, live: Fields, place: Place, policy: Policy) -> Iterator[str]:
    limit = parse_bytes(action.limit)
    if limit <= 0:
        yield f"a memory limit of {action.limit} makes no sense"
    if action.request is not None and parse_bytes(action.request) > limit:
        yield f"the request {action.request} would be over the limit {action.limit}"
    now = memory_limit(live, action.container, action.target.kind)
    if now is not None and limit > now * policy.max_limit_factor:
        yield (
            f"{action.limit} is more than {policy.max_limit_factor:g} times the present limit "
            f"of {humanise_bytes(now)}"
        )
    yield from _room(action.limit, place, policy)


def _room(memory: str, place: Place, policy: Policy) -> Iterator[str]:
    room = place.smallest_allocatable
    if room is not None and parse_bytes(memory) > room * policy.max_node_share:
        yield (
            f"{memory} is more than {policy.max_node_share:.0%} of the smallest node's "
            f"{humanise_bytes(room)}"
        )


def _resources(action: SetResources, live: Fields, place: Place, policy: Policy) -> Iterator[str]:
    container = _container(live, action.container, action.target.kind)
    for field, asked in (("requests", action.requests), ("limits", action.limits)):
        now = fields_at(container, "resources", field)
        yield from _grown(asked, now, policy, f"the {field[:-1]} of")
        for resource, value in asked:
            if resource == "memory" and value is not None:
                yield from _room(value, place, policy)


def _rerun(action: RerunJob, live: Fields, policy: Policy) -> Iterator[str]:
    now = number_at(live, "spec", "activeDeadlineSeconds")
    if action.deadline_s is not None and now is not None:
        most = min(MOST_DEADLINE_S, max(LEAST_DEADLINE_S, round(now * policy.max_limit_factor)))
        if not now <= action.deadline_s <= most:
            yield f"a deadline of {action.deadline_s} s is not between {now} and {most} s"
    if action.image:
        image = text_at(_container(live, action.container, "Job"), "image") or ""
        if action.image == image or action.image.lower() != image.lower():
            yield f"{action.image} is another image, not another spelling of {image}"


def _claim_template(action: SetClaimTemplate, live: Fields) -> Iterator[str]:
    for template in items_at(fields_at(live, "spec"), "volumeClaimTemplates"):
        if text_at(template, "metadata", "name") != action.template or action.storage is None:
            continue
        now = text_at(template, "spec", "resources", "requests", "storage") or "0"
        if not 0 < parse_bytes(action.storage) <= parse_bytes(now):
            yield f"{action.storage} is more than the {now} it asks for, which is for people"


def _config_map(action: RestoreConfigMap) -> Iterator[str]:
    if sum(len(key) + len(value) for key, value in action.texts) > LARGEST_CONFIG_MAP:
        yield f"a ConfigMap of more than {LARGEST_CONFIG_MAP // 1024} KiB is for people"
    if any(MASK in value for _, value in action.texts):
        yield f"a part of {action.target} looked like a secret and was not kept"


def _grown(asked: Entries, now: Fields, policy: Policy, what: str) -> Iterator[str]:
    """What grows by more than the factor. To take a bound away is not growth; risk speaks of it."""
    for resource, value in asked:
        if value is None:
            continue
        wanted, before = amount(value), now.get(resource)
        if wanted < 0:
            yield f"{what} {resource} {value} makes no sense"
        if not isinstance(before, str):
            continue
        present = amount(before)
        if present > 0 and wanted > present * Fraction(policy.max_limit_factor):
            yield (
                f"{what} {resource} {value} is more than {policy.max_limit_factor:g} times the "
                f"present {before}"
            )


def amount(quantity: str) -> Fraction:
    """A quantity of whatever resource.

    Raises:
        Invalid: it is not one.
    """
    try:
        return Fraction(parse_millicores(quantity), 1000)
    except Invalid:
        return Fraction(parse_bytes(quantity))


def _scale(action: Scale, replicas: int, policy: Policy) -> Iterator[str]:
    if action.replicas < 1:
        yield "scaling to nothing stops the workload"
    most = max(policy.max_replicas, round(replicas * policy.max_replica_factor))
    if action.replicas > most:
        yield f"{action.replicas} replicas are more than the {most} allowed from {replicas}"


def _probe(action: SetProbe) -> Iterator[str]:
    for name, (least, most) in _PROBE_BOUNDS.items():
        value = getattr(action, name)
        if value is not None and not least <= value <= most:
            yield f"{name} {value} of a probe is not between {least} and {most}"


def _toleration(action: AddToleration) -> Iterator[str]:
    if not action.key:
        yield "a toleration without a key tolerates every taint"
    if action.key.startswith(_OWN_TAINTS):
        yield f"{action.key} is Kubernetes' own taint: pods are better off elsewhere"


def _volume_size(action: SetVolumeSize, live: Fields, policy: Policy) -> Iterator[str]:
    volumes = items_at(fields_at(live, *template_path(action.target.kind), "spec"), "volumes")
    now: Fields = {str(v.get("name")): text_at(v, "emptyDir", "sizeLimit") for v in volumes}
    if parse_bytes(action.limit) == 0:
        yield "to a kubelet a size of nothing is no bound at all"
    yield from _grown(((action.volume, action.limit),), now, policy, "the size of")


def _fs_group(action: SetFsGroup, live: Fields) -> Iterator[str]:
    spec = fields_at(live, *template_path(action.target.kind), "spec")
    if action.group < 1:
        yield "volumes that belong to root's group are what it is about"
    if number_at(spec, "securityContext", "fsGroup") is not None:
        yield f"people have said whom the volumes of {action.target} belong to"


def _bound_now(action: SetLimitRange, live: Fields) -> Fields:
    for item in items_at(fields_at(live, "spec"), "limits"):
        if item.get("type") == action.type:
            return fields_at(item, action.bound)
    return {}


def _container(live: Fields, name: str, kind: str) -> Fields:
    template = fields_at(live, *template_path(kind))
    return next((c for c in containers_in(template) if c.get("name") == name), {})
