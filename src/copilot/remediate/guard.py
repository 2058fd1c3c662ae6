"""Whether an action may be offered at all, with every reason why not. Pure; no model has a say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from copilot.domain.action import Action, ChaosMemory, RollBack, Scale, SetImage, SetMemory
from copilot.domain.objects import Container, Deployment
from copilot.domain.quantity import humanise_bytes, parse_bytes

DEMO_LABEL = "incident-copilot.io/demo"


class Mode(StrEnum):
    READ_ONLY = "read_only"
    """Nothing may be changed."""
    REVIEW = "review"
    """A person approves each change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A time in which nothing may be changed, `since_us` included, `until_us` not."""

    since_us: int
    until_us: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be offered. The defaults are what a careful team would start with."""

    mode: Mode = Mode.REVIEW
    allowed: frozenset[str] = frozenset(
        {"set_memory", "set_image", "roll_back", "scale", "chaos_memory"}
    )
    """Kinds of actions, as in `Action`'s `kind`."""
    max_limit_factor: float = 4.0
    """A new memory limit is at most this many times the present one."""
    max_node_share: float = 0.8
    """... and at most this share of the smallest node's allocatable memory."""
    max_replicas: int = 10
    """`Scale` may go to this many, or to `max_replica_factor` times the present number."""
    max_replica_factor: float = 2.0
    max_pods_touched: int = 50
    """The blast radius: a workload with more replicas is for people."""
    protected_namespaces: frozenset[str] = frozenset(
        {"kube-system", "kube-public", "kube-node-lease"}
    )
    freezes: tuple[Freeze, ...] = ()
    lifetime_s: int = 1800
    """How long a proposal may be approved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the action would happen, as far as it could be seen."""

    is_demo_cluster: bool
    namespace_labels: dict[str, str]
    smallest_allocatable: int | None
    """Bytes of memory of the smallest schedulable node, None where nodes cannot be read."""


def guard(
    action: Action, live: Deployment, place: Place, policy: Policy, *, now_us: int
) -> tuple[str, ...]:
    """Every reason against it, for people; empty means it may be offered."""
    return (
        *_of_policy(action, policy, now_us),
        *_of_workload(action, live, policy),
        *_of_bounds(action, live, place, policy),
    )


def kind_of(action: Action) -> str:
    """The action's `kind`: `set_memory`, ..."""
    return str(type(action).__struct_config__.tag)


def _of_policy(action: Action, policy: Policy, now_us: int) -> Iterator[str]:
    if policy.mode is Mode.READ_ONLY:
        yield "the co-pilot is in read-only mode"
    if kind_of(action) not in policy.allowed:
        yield f"the action {kind_of(action)} is not on the list of allowed actions"
    if action.target.namespace in policy.protected_namespaces:
        yield f"namespace {action.target.namespace} is protected"
    for freeze in policy.freezes:
        if freeze.since_us <= now_us < freeze.until_us:
            yield f"changes are frozen: {freeze.reason}"


def _of_workload(action: Action, live: Deployment, policy: Policy) -> Iterator[str]:
    if action.target.kind != "Deployment":
        yield f"only Deployments can be changed so far, not a {action.target.kind}"
    if live.metadata.deletion_timestamp is not None:
        yield f"{action.target} is being deleted"
    if live.spec.paused and not isinstance(action, Scale):
        yield f"rollouts of {action.target} are paused; nothing would be rolled out"
    replicas = replicas_of(live)
    if replicas > policy.max_pods_touched:
        yield f"{replicas} pods would be touched, {policy.max_pods_touched} are allowed at once"


def _of_bounds(action: Action, live: Deployment, place: Place, policy: Policy) -> Iterator[str]:
    match action:
        case SetMemory():
            yield from _of_limit(action, live, place, policy)
        case Scale():
            yield from _of_scale(action, replicas_of(live), policy)
        case ChaosMemory():
            if not place.is_demo_cluster and place.namespace_labels.get(DEMO_LABEL) != "true":
                yield (
                    f"chaos runs only on the demo cluster or in a namespace labelled "
                    f"{DEMO_LABEL}=true; {action.target.namespace} is not"
                )
        case SetImage() | RollBack():
            return
        case _:
            assert_never(action)


def _of_limit(action: SetMemory, live: Deployment, place: Place, policy: Policy) -> Iterator[str]:
    limit = parse_bytes(action.limit)
    if limit <= 0:
        yield f"a memory limit of {action.limit} makes no sense"
    if action.request is not None and parse_bytes(action.request) > limit:
        yield f"the request {action.request} would be over the limit {action.limit}"
    now = memory_limit(live, action.container)
    if now is not None and limit > now * policy.max_limit_factor:
        yield (
            f"{action.limit} is more than {policy.max_limit_factor:g} times the present limit "
            f"of {humanise_bytes(now)}"
        )
    room = place.smallest_allocatable
    if room is not None and limit > room * policy.max_node_share:
        yield (
            f"{action.limit} is more than {policy.max_node_share:.0%} of the smallest node's "
            f"{humanise_bytes(room)}"
        )


def _of_scale(action: Scale, replicas: int, policy: Policy) -> Iterator[str]:
    if action.replicas < 1:
        yield "scaling to nothing stops the workload"
    most = max(policy.max_replicas, round(replicas * policy.max_replica_factor))
    if action.replicas > most:
        yield f"{action.replicas} replicas are more than the {most} allowed from {replicas}"


def replicas_of(live: Deployment) -> int:
    """How many pods are wanted; not given means one."""
    return 1 if live.spec.replicas is None else live.spec.replicas


def memory_limit(live: Deployment, container: str) -> int | None:
    """Bytes of the container's limit, None where there is none."""
    for candidate in live.spec.template.spec.containers or ():
        if candidate.name == container:
            return _limit(candidate)
    return None


def _limit(container: Container) -> int | None:
    limits = container.resources.limits if container.resources else None
    return parse_bytes(limits["memory"]) if limits and "memory" in limits else None
