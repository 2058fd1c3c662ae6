"""A CPU limit that holds a container back: what it was, or one step up within node and quota."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.rollback import roll_back
from copilot.agents.sizing import attempted
from copilot.causes.citing import object_key
from copilot.causes.cpu_limit_too_low import Held, cores, cpu_limit_of, held_back, millicores
from copilot.causes.failures import began_us
from copilot.causes.references import resizable, workload_ref
from copilot.causes.rollouts import just_before
from copilot.causes.wording import plain
from copilot.domain.action import SetResources
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.proposal import Draft

STEP = 2
WIDE_STEP = 4
"""Where it is stopped most of the time, twice as much would still be far too little."""
MOST_OF_THE_TIME = 0.5
AT_ITS_WORST = 0.75
AT_THE_LIMIT = 0.8
NODE_SHARE = 0.8
MOST_TRIES = 3


def cpu_limit_too_low(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """The limit before it was lowered, else a step up: how much it needs is cut off by the limit."""
    held = held_back(case)
    workload = resizable(case)
    if workload is None or held is None:
        yield "only a workload with a pod template can be given more CPU"
        return
    container = held.container
    now = cpu_limit_of(workload.spec.template.spec, container)
    if now is None:
        yield f"{container} has no CPU limit any more"
        return
    tried = _tried(case, container)
    if len(tried) >= MOST_TRIES:
        yield f"{', '.join(cores(t) for t in tried)} did not help: more CPU is not what it lacks"
        return
    before, keys = _before(case, container)
    if before is not None and before > now and before not in tried:
        wanted, why = before, "So it was before it was lowered."
    else:
        step = WIDE_STEP if _is_stopped_most_of_the_time(held) else STEP
        wanted = max([now, *tried]) * step
        why = (
            f"The limit cuts off what {container} would use, so how much it needs is not known: "
            f"{step} times as much, and the verification decides."
        )
    most, bound = _ceiling(case, now)
    if wanted > most and max(tried, default=0) >= most:
        yield f"{', '.join(cores(t) for t in tried)} did not help, and no more is tried: {bound}"
        return
    if wanted > most:
        wanted, why = most, f"{why} Held down because {bound}."
    if wanted <= now:
        yield f"no room for a higher CPU limit of {container}: {bound}"
        return
    yield drafted(
        case,
        SetResources(
            target=workload_ref(case), container=container, limits=(("cpu", cores(wanted)),)
        ),
        title=f"Set the CPU limit of {container} from {cores(now)} to {cores(wanted)}",
        why=why,
        hypothesis=hypothesis,
        keys=(*keys, object_key(held.pod.metadata)),
    )
    if keys and len(case.replica_sets) > 1:
        yield from roll_back(case, hypothesis, about=".resources.limits.cpu")


def _is_stopped_most_of_the_time(held: Held) -> bool:
    """By the share of its periods, on the whole or at its worst: a restart has quiet moments. Where
    that is not known, by a use that stands at the limit."""
    if held.throttled is None:
        return held.used_m >= AT_THE_LIMIT * held.limit_m
    worst = max(p.high for p in held.throttled.points)
    return held.share >= MOST_OF_THE_TIME or worst >= AT_ITS_WORST


def _before(case: Case, container: str) -> tuple[int | None, tuple[str, ...]]:
    """Millicores before the change that just came."""
    rollout = just_before(case, began_us(case))
    for field in rollout.fields if rollout else ():
        if rollout and field.path.endswith(f"[{container}].resources.limits.cpu"):
            return millicores(plain(field.before)), rollout.keys
    return None, ()


def _tried(case: Case, container: str) -> list[int]:
    actions = [attempted(a.action) for a in case.attempts]
    limits = [
        millicores(dict(a.limits).get("cpu"))
        for a in actions
        if isinstance(a, SetResources) and a.container == container
    ]
    return [limit for limit in limits if limit]


def _ceiling(case: Case, now: int) -> tuple[int, str]:
    """The most millicores, and what bounds them: the smallest node, or what a quota has left."""
    rooms = [m for n in case.nodes if (m := millicores((n.status.allocatable or {}).get("cpu")))]
    bounds = [(WIDE_STEP * now, f"more than {WIDE_STEP} times the present limit is not tried")]
    if rooms:
        bounds.append(
            (round(min(rooms) * NODE_SHARE), f"the smallest node has {cores(min(rooms))}")
        )
    for quota in case.surroundings.quotas:
        hard = millicores((quota.status.hard or quota.spec.hard or {}).get("limits.cpu"))
        used = millicores((quota.status.used or {}).get("limits.cpu")) or 0
        if hard is not None:
            replicas = max(1, (case.workload.spec.replicas or 1) if case.workload else 1)
            left = max(0, hard - used) // (replicas + 1)
            bounds.append((now + left, f"ResourceQuota {quota.metadata.name} has no more left"))
    return min(bounds)
