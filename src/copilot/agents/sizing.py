"""How much memory a container should be given, and why that much. Pure.

A peak that was seen to its end gets headroom. A peak that a kill cut off is no peak: the need is
unknown then, so it is one step up, and one more after a step that did not hold, twice at most.
"""

from __future__ import annotations

from dataclasses import dataclass

from copilot.causes.citing import incident_key, object_key
from copilot.causes.failures import failing_pods, limit_of, oom_kills, quantity_of
from copilot.causes.memory_series import peak_seen_whole, whole_runs
from copilot.causes.rollouts import memory_limits_changed
from copilot.causes.wording import clock
from copilot.domain.action import Action, SetMemory, decode_action
from copilot.domain.case import Case
from copilot.domain.errors import Invalid
from copilot.domain.objects import controller_of
from copilot.domain.quantity import humanise_bytes, parse_bytes

MI = 2**20
HEADROOM = 1.25
STEP = 2
LEAST_STEP = 32 * MI
MOST_FACTOR = 4
"""A new limit is at most this many times the present one; the guard holds to the same."""
NODE_SHARE = 0.8
"""... and at most this share of the smallest node's allocatable memory."""
ESCALATIONS = 2
"""Steps further after the first one that did not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A memory limit in bytes with its reason; `keys` name what it rests on in `cited_as`."""

    limit: int
    because: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSize:
    """No limit can be suggested, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    limit: int
    text: str
    keys: tuple[str, ...]


def memory_size(case: Case, container: str, now: int) -> Size | NoSize:
    """The limit for a container that is killed, at present with a limit of `now` bytes. One under
    which it was killed before, whoever set it, is too low as well."""
    tried = tried_limits(case, container)
    kills = (k for k in oom_kills(case) if k.container == container)
    floor = max([now, *(limit_of(k.pod.spec, container) or 0 for k in kills)])
    top = max((floor, *tried))
    wanted = _wanted(case, container, floor, tried)
    if isinstance(wanted, NoSize):
        return wanted
    most, bound = _ceiling(case, now)
    if wanted.limit <= most:
        return wanted
    if tried or _is_known(case, container, now):
        return NoSize(
            reason=f"{humanise_bytes(wanted.limit)} would be needed for {container}, but {bound}"
        )
    if most <= top:
        return NoSize(reason=f"no room for a higher limit of {container}: {bound}")
    return Size(limit=most, because=f"{wanted.because}; held down because {bound}")


def round_up(count: float) -> int:
    """Bytes, up to a quantity that reads well: a multiple of 16Mi below 256Mi, of 64Mi below 1Gi,
    of 256Mi above."""
    grain = _grain(count)
    return -(-round(count) // grain) * grain


def tried_limits(case: Case, container: str) -> tuple[int, ...]:
    """Limits in bytes that we set for this container in this incident and that did not hold."""
    actions = [attempted(attempt.action) for attempt in case.attempts]
    return tuple(
        parse_bytes(a.limit)
        for a in actions
        if isinstance(a, SetMemory) and a.container == container
    )


def attempted(text: str) -> Action | None:
    """The action of an earlier attempt, None where it cannot be read (any more)."""
    try:
        return decode_action(text)
    except ValueError:  # msgspec's errors are ValueErrors
        return None


def _wanted(case: Case, container: str, now: int, tried: tuple[int, ...]) -> Size | NoSize:
    peak = peak_seen_whole(case, container)
    held = _held(case, container, now, tried)
    if tried:
        return _escalated(container, tried, peak)
    if peak is not None and peak * HEADROOM > now:
        return _for_peak(case, container, peak, held)
    if held is not None:
        return Size(limit=held.limit, because=held.text, keys=held.keys)
    return Size(
        limit=_one_step(now),
        because=(
            f"the kill cut the peak off at the limit, so the true need of {container} is unknown: "
            f"one step up from {humanise_bytes(now)}"
        ),
    )


def _escalated(container: str, tried: tuple[int, ...], peak: int | None) -> Size | NoSize:
    names = ", ".join(humanise_bytes(t) for t in sorted(tried))
    if len(tried) > ESCALATIONS:
        return NoSize(reason=f"{names} for {container} did not hold; guessing on would not help")
    wanted = max(_one_step(max(tried)), round_up((peak or 0) * HEADROOM))
    return Size(limit=wanted, because=f"{names} did not hold in this incident: one step further")


def _for_peak(case: Case, container: str, peak: int, held: _Held | None) -> Size:
    with_room = round_up(peak * HEADROOM)
    because = (
        f"its peak was seen whole, {humanise_bytes(peak)}; with 25 % headroom, rounded up: "
        f"{humanise_bytes(with_room)}"
    )
    keys = tuple(
        f"metric:{r.series.name}{{{r.series.pod}/{r.series.container}}}"
        for r in whole_runs(case, container)
    )
    if held is not None and held.limit > with_room:
        return Size(limit=held.limit, because=f"{because}; {held.text}", keys=(*keys, *held.keys))
    return Size(limit=with_room, because=because, keys=keys)


def _is_known(case: Case, container: str, now: int) -> bool:
    """Whether the need is more than a guess: then less than it is no help."""
    return (
        peak_seen_whole(case, container) is not None or _held(case, container, now, ()) is not None
    )


def _held(case: Case, container: str, now: int, tried: tuple[int, ...]) -> _Held | None:
    """The last higher limit under which nothing is known to have failed."""
    known = (
        _held_before_change(case, container),
        _held_by_revision(case, container, now),
        _held_in_memory(case, container),
    )
    return next((h for h in known if h and h.limit > now and h.limit not in tried), None)


def _held_before_change(case: Case, container: str) -> _Held | None:
    cuts = [
        (rollout, before)
        for rollout, before, after in memory_limits_changed(case, container)
        if before is not None and after is not None and before > after
    ]
    if not cuts:
        return None
    rollout, before = cuts[-1]
    text = f"it was {humanise_bytes(before)} until it was lowered{rollout.by} at {clock(rollout.at_us)}"
    return _Held(limit=before, text=text, keys=rollout.keys)


def _held_by_revision(case: Case, container: str, now: int) -> _Held | None:
    failed = {o.uid for p in failing_pods(case) if (o := controller_of(p.metadata))}
    for revision in case.replica_sets:
        limit = limit_of(revision.spec.template.spec, container)
        if limit is not None and limit > now and revision.metadata.uid not in failed:
            text = f"{humanise_bytes(limit)} was its limit in an earlier revision"
            return _Held(limit=limit, text=text, keys=(object_key(revision.metadata),))
    return None


def _held_in_memory(case: Case, container: str) -> _Held | None:
    for similar in case.similar:
        action = attempted(similar.memory.action) if similar.memory.has_held else None
        if (
            isinstance(action, SetMemory)
            and action.container == container
            and action.target.key == case.incident.workload.key
        ):
            number = similar.memory.incident_id
            text = f"{action.limit} held after INC-{number}"
            limit = _bytes(action.limit)
            return _Held(limit=limit, text=text, keys=(incident_key(number),))
    return None


def _ceiling(case: Case, now: int) -> tuple[int, str]:
    """The most that may be offered, and the sentence that says why."""
    rooms = [
        room
        for node in case.nodes
        if not node.spec.unschedulable
        and (room := quantity_of(node.status.allocatable, "memory")) is not None
    ]
    by_factor = now * MOST_FACTOR
    by_node = min((round(r * NODE_SHARE) for r in rooms), default=by_factor)
    if by_node < by_factor:
        smallest = humanise_bytes(min(rooms))
        return by_node // _grain(by_node) * _grain(by_node), (
            f"{NODE_SHARE:.0%} of the smallest node ({smallest}) is the most"
        )
    return by_factor, f"{MOST_FACTOR} times the present {humanise_bytes(now)} is the most"


def _one_step(count: int) -> int:
    return round_up(max(count * STEP, count + LEAST_STEP))


def _grain(count: float) -> int:
    if count < 256 * MI:
        return 16 * MI
    return 64 * MI if count < 1024 * MI else 256 * MI


def _bytes(quantity: str) -> int:
    try:
        return parse_bytes(quantity)
    except Invalid:
        return 0
