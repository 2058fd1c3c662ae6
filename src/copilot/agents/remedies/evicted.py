"""Pods that were evicted, and nodes that do not work. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.templates import not_changeable, template_of, undone
from copilot.agents.sizing import MOST_FACTOR, NODE_SHARE, NoSize, attempted
from copilot.causes.citing import object_key
from copilot.causes.evicted import eviction_of, volume_named_by
from copilot.causes.failures import containers_of, quantity_of
from copilot.causes.references import workload_ref
from copilot.domain.action import SetResources, SetVolumeSize
from copilot.domain.case import Case
from copilot.domain.errors import Invalid
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.proposal import Draft
from copilot.domain.quantity import format_bytes, humanise_bytes, parse_bytes

STEP = 4
"""It writes on after it was stopped, so how much it needs is open: a wide step, once."""
HEADROOM = 1.1
MI = 2**20
_USED = re.compile(r"Container (\S+) was using (\S+?), request is (\S+?)(?:,|\.\s|$)")


def evicted(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """More disk where its own limit was too small; a request that says what it really takes where
    the node ran short."""
    found = eviction_of(case)
    if found is None:
        return
    yield from undone(case, hypothesis)
    if template_of(case) is None:
        yield not_changeable(case)
    elif hypothesis.detail == "ephemeral_storage":
        yield from _more_disk(case, hypothesis)
    elif hypothesis.detail == "node_memory":
        yield from _true_request(case, hypothesis, found.message)
    elif hypothesis.detail == "empty_dir":
        yield from _larger_volume(case, hypothesis)
    else:
        yield "what fills the node is for people to find and to clear"


def _more_disk(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    spec, found = template_of(case), eviction_of(case)
    for container in containers_of(spec) if spec else ():
        limits = container.resources.limits if container.resources else None
        now = quantity_of(limits, "ephemeral-storage")
        if not now or found is None:
            continue
        after = _larger(case, now, _tried(case, container.name), container.name)
        if isinstance(after, NoSize):
            yield after.reason
            continue
        yield drafted(
            case,
            SetResources(
                target=workload_ref(case),
                container=container.name,
                limits=(("ephemeral-storage", after),),
            ),
            title=f"Let {container.name} use {after} of disk instead of {humanise_bytes(now)}",
            why=(
                "How much it needs is not known: it was stopped at its limit. If it writes without "
                "end, this only buys time."
            ),
            hypothesis=hypothesis,
            keys=(object_key(found.pod.metadata),),
            is_stopgap=True,
        )


def _larger_volume(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    spec, found = template_of(case), eviction_of(case)
    name = volume_named_by(found.message) if found else ""
    for volume in (spec.volumes or ()) if spec else ():
        where = volume.empty_dir
        if volume.name != name or where is None or where.medium == "Memory" or found is None:
            continue
        now = quantity_of({"size": where.size_limit or ""}, "size")
        if not now:
            continue
        tried = [
            size
            for a in (attempted(a.action) for a in case.attempts)
            if isinstance(a, SetVolumeSize) and a.volume == name
            if (size := quantity_of({"size": a.limit}, "size"))
        ]
        after = _larger(case, now, tried, f"volume {name}")
        if isinstance(after, NoSize):
            yield after.reason
            return
        yield drafted(
            case,
            SetVolumeSize(target=workload_ref(case), volume=name, limit=after),
            title=f"Let volume {name} hold {after} instead of {humanise_bytes(now)}",
            why=(
                "How much it needs is not known: it was stopped at its limit. If it writes without "
                "end, it is stopped there, too, and the change is taken back."
            ),
            hypothesis=hypothesis,
            keys=(object_key(found.pod.metadata),),
            is_stopgap=True,
        )
        return
    yield "how much a volume in the pod may hold, or what writes it full, is for people"


def _larger(case: Case, now: int, tried: list[int], what: str) -> str | NoSize:
    """One step up in bytes, as a quantity."""
    wanted = STEP * max((now, *tried))
    most, bound = _most_disk(case, now)
    if wanted > most and tried:
        sizes = ", ".join(map(humanise_bytes, tried))
        return NoSize(
            reason=f"{sizes} of disk for {what} did not hold; more would be needed, but {bound}"
        )
    if most <= now:
        return NoSize(reason=f"no room for more disk for {what}: {bound}")
    return format_bytes(min(wanted, most))


def _tried(case: Case, container: str) -> list[int]:
    """Limits of disk in bytes that we set in this incident and that did not hold."""
    found = [attempted(a.action) for a in case.attempts]
    limits = (
        quantity_of({k: v for k, v in a.limits if v is not None}, "ephemeral-storage")
        for a in found
        if isinstance(a, SetResources) and a.container == container
    )
    return [limit for limit in limits if limit]


def _most_disk(case: Case, now: int) -> tuple[int, str]:
    """The most bytes that may be offered, and the sentence that says why."""
    rooms = [quantity_of(n.status.allocatable, "ephemeral-storage") for n in case.nodes]
    known = [round(r * NODE_SHARE) // MI * MI for r in rooms if r]
    by_factor = (MOST_FACTOR * now, f"{MOST_FACTOR} times {humanise_bytes(now)} is the most")
    by_node = (
        min(known, default=by_factor[0]),
        f"{NODE_SHARE:.0%} of the smallest node is the most",
    )
    return min(by_factor, by_node)


def _true_request(case: Case, hypothesis: Hypothesis, message: str) -> Iterator[Draft | str]:
    used = _USED.search(message)
    try:
        bytes_used = parse_bytes(used[2]) if used else 0
    except Invalid:
        bytes_used = 0
    if used is None or not bytes_used:
        yield "what uses the node's memory is not told by the eviction"
        return
    spec = template_of(case)
    limit = next(
        (
            quantity_of(c.resources.limits, "memory")
            for c in (containers_of(spec) if spec else ())
            if c.name == used[1] and c.resources
        ),
        None,
    )
    wanted = -(-round(bytes_used * HEADROOM) // MI) * MI
    after = format_bytes(min(wanted, limit) if limit else wanted)
    yield drafted(
        case,
        SetResources(target=workload_ref(case), container=used[1], requests=(("memory", after),)),
        title=f"Ask for {after} of memory for {used[1]}, which used {used[2]}",
        why=(
            f"It asked for {used[3]} and used {used[2]}: what uses more than it asks for is put "
            "where there is no room, and goes first. Asking for what it uses finds it a node that "
            "has it."
        ),
        hypothesis=hypothesis,
    )


def node_unhealthy(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Kubernetes itself keeps new pods off such a node and moves the others after five minutes."""
    yield (
        "a node is mended outside the cluster; its pods are moved by themselves once it has been "
        "away for five minutes"
    )
