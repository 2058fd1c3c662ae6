"""A container is held back by its CPU limit, and is too slow for what asks it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from copilot.causes.citing import (
    alert_key,
    backed,
    concluded,
    event_key,
    object_key,
    said,
    series_key,
)
from copilot.causes.failures import (
    alerts_of,
    began_us,
    container_named_by,
    container_of,
    events_about,
    is_gone,
)
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import just_before
from copilot.causes.wording import clock, one_line, plain
from copilot.domain import attributes
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.errors import Invalid
from copilot.domain.event import Series
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import KubeEvent, Pod, PodSpec
from copilot.domain.quantity import parse_millicores

BEFORE_US = 5 * 60 * 1_000_000
THROTTLED = 0.25
"""From this share of its periods on a container is noticeably slower."""
EASY = 0.05
AT_THE_LIMIT = 0.9
FAR_FROM_IT = 0.5
SEEN = 0.88
BY_USAGE = 0.7
CHANGED = 0.07
REFUTED = 0.06
_TIMEOUT = re.compile(r"deadline exceeded|Client\.Timeout|timed? ?out", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A container with a CPU limit, and how it fared under it."""

    pod: Pod
    container: str
    limit_m: int
    throttled: Series | None
    usage: Series | None
    share: float
    """Mean share of throttled periods, 0 where unknown."""
    used_m: float
    """The most it used, 0 where unknown."""


def cpu_limit_too_low(case: Case) -> Hypothesis | None:
    """Supported where a container that is stopped for a good part of its CPU periods, or uses all
    of its limit, does not answer its probes in time or has an alert for it.

    Refuted where it does not answer in time, but has CPU to spare.
    """
    slow, alerts = _slow(case), alerts_of(case, Rule.CPU_THROTTLED)
    worst = held_back(case)
    if worst is None:
        return None
    is_throttled = worst.share >= THROTTLED or any(a.container == worst.container for a in alerts)
    is_full = worst.used_m >= AT_THE_LIMIT * worst.limit_m
    if not is_throttled and not is_full:
        return _has_room(case, worst)
    changed = _lowered(case, worst)
    limit = cores(worst.limit_m)
    return concluded(
        Cause.CPU_LIMIT_TOO_LOW,
        title=f"The CPU limit of {worst.container}, {limit}, holds it back",
        verdict=Verdict.SUPPORTED,
        confidence=(SEEN if is_throttled else BY_USAGE) + (CHANGED if changed else 0),
        supporting=(
            *_throttling(case, worst),
            *_using(case, worst),
            *_alerted(case, worst),
            *changed,
            *_too_late(case, worst, slow),
        ),
        subject=workload_ref(case),
        detail="throttled" if is_throttled else "at_the_limit",
    )


def held_back(case: Case) -> Held | None:
    """The container that suffers most under its CPU limit, of those that answer late or that an
    alert names."""
    named = {c for _, c, _ in _slow(case)}
    named |= {a.container for a in alerts_of(case, Rule.CPU_THROTTLED) if a.container}
    suffering = [h for h in _held(case) if h.container in named]
    return max(suffering, key=lambda h: (h.share, h.used_m / h.limit_m), default=None)


def cpu_limit_of(spec: PodSpec, name: str) -> int | None:
    """Millicores, None for none or what cannot be read."""
    container = container_of(spec, name)
    limits = container.resources.limits if container and container.resources else None
    return millicores((limits or {}).get("cpu"))


def millicores(text: str | None) -> int | None:
    try:
        return parse_millicores(text) if text else None
    except Invalid:
        return None


def cores(millis: float) -> str:
    """`100m`, or `2` for whole cores, as people write it in a manifest."""
    whole = round(millis)
    return str(whole // 1000) if whole % 1000 == 0 else f"{whole}m"


def has_cpu_to_spare(case: Case, container: str) -> bool:
    """Its CPU is known, and it is neither throttled nor near its limit; or it has no limit."""
    mine = [h for h in _held(case) if h.container == container]
    if not mine:
        pods = [p for p in case.pods if not is_gone(p) and container_of(p.spec, container)]
        return bool(pods) and all(cpu_limit_of(p.spec, container) is None for p in pods)
    return any(h.throttled or h.usage for h in mine) and all(_is_easy(h) for h in mine)


def _is_easy(held: Held) -> bool:
    if held.throttled is not None and held.share > EASY:
        return False
    return held.used_m < FAR_FROM_IT * held.limit_m


def _held(case: Case) -> list[Held]:
    found = []
    for pod in case.pods:
        for container in pod.spec.containers or ():
            limit = cpu_limit_of(pod.spec, container.name)
            if not limit:
                continue
            throttled = _series(case, attributes.CPU_THROTTLED, pod, container.name)
            usage = _series(case, attributes.CPU_USAGE, pod, container.name)
            used = _recent(case, usage)
            found.append(
                Held(
                    pod=pod,
                    container=container.name,
                    limit_m=limit,
                    throttled=throttled,
                    usage=usage,
                    share=_share(case, throttled) if throttled else 0.0,
                    used_m=1000 * max(used, default=0.0),
                )
            )
    return found


def _series(case: Case, name: str, pod: Pod, container: str) -> Series | None:
    """The container's own. Looks at the node miss one that lives for seconds, so where it is alone
    in its pod what the pod counts is its own too, if that says more."""
    mine = [
        s
        for s in case.cpu
        if s.points
        and (s.name, s.pod) == (name, pod.metadata.name)
        and s.container in own_series(pod, container)
    ]
    return max(mine, key=lambda s: _share(case, s), default=None)


def own_series(pod: Pod, container: str) -> tuple[str, ...]:
    """Which series of the pod tell of this container; the pod's own has an empty name."""
    return (container, "") if len(pod.spec.containers or ()) == 1 else (container,)


def _share(case: Case, series: Series) -> float:
    values = _recent(case, series)
    return sum(values) / len(values) if values else 0.0


def _recent(case: Case, series: Series | None) -> list[float]:
    since = began_us(case) - BEFORE_US
    return [p.value for p in series.points if p.ts_us >= since] if series else []


def _slow(case: Case) -> list[tuple[str, str, KubeEvent]]:
    """Pod uid, container and event of each probe that is not answered in time."""
    pods = {p.metadata.uid: p for p in case.pods}
    found = []
    for event in backed(case, events_about(case, "Unhealthy"), event_key):
        pod = pods.get(event.involved_object.uid)
        if pod is None or not _TIMEOUT.search(event.message):
            continue
        own = pod.spec.containers or []
        name = container_named_by(event) or (own[0].name if own else "")
        found.append((pod.metadata.uid, name, event))
    return found


def _throttling(case: Case, held: Held) -> tuple[Statement, ...]:
    if held.throttled is None or held.share < THROTTLED:
        return ()
    return said(
        case,
        f"{held.container} is stopped in {held.share:.0%} of its CPU periods: its limit is "
        f"{cores(held.limit_m)}.",
        series_key(held.throttled),
        object_key(held.pod.metadata),
    )


def _using(case: Case, held: Held) -> tuple[Statement, ...]:
    if held.usage is None or held.used_m < AT_THE_LIMIT * held.limit_m:
        return ()
    return said(
        case,
        f"It uses {cores(held.used_m)} of the {cores(held.limit_m)} it may.",
        series_key(held.usage),
        object_key(held.pod.metadata),
    )


def _alerted(case: Case, held: Held) -> tuple[Statement, ...]:
    for alert in alerts_of(case, Rule.CPU_THROTTLED):
        if alert.container in ("", held.container):
            return said(
                case,
                f"{one_line(alert.title, 120)} (since {clock(alert.starts_us)}); the CPU limit of "
                f"{held.container} is {cores(held.limit_m)}.",
                alert_key(alert),
            )
    return ()


def _lowered(case: Case, held: Held) -> tuple[Statement, ...]:
    """The limit was lowered, or set, just before."""
    rollout = just_before(case, began_us(case))
    for field in rollout.fields if rollout else ():
        is_limit = field.path.endswith(f"[{held.container}].resources.limits.cpu")
        before, after = millicores(plain(field.before)), millicores(plain(field.after))
        if rollout and is_limit and after and (before is None or after < before):
            was = cores(before) if before else "none"
            return said(
                case,
                f"The CPU limit of {held.container} was changed {was} → {cores(after)}{rollout.by} "
                f"at {clock(rollout.at_us)}, just before.",
                *rollout.keys,
            )
    return ()


def _too_late(
    case: Case, held: Held, slow: list[tuple[str, str, KubeEvent]]
) -> tuple[Statement, ...]:
    for _, container, event in slow:
        if container == held.container:
            return said(
                case,
                f"It does not answer its probe in time: {one_line(event.message, 160)}.",
                event_key(event),
            )
    return ()


def _has_room(case: Case, held: Held) -> Hypothesis | None:
    series = held.throttled or held.usage
    if series is None or not _is_easy(held):
        return None
    return concluded(
        Cause.CPU_LIMIT_TOO_LOW,
        title=f"The CPU limit of {held.container} holds it back",
        verdict=Verdict.REFUTED,
        confidence=REFUTED,
        against=said(
            case,
            f"{held.container} is stopped in {held.share:.0%} of its CPU periods only."
            if held.throttled
            else f"{held.container} uses {cores(held.used_m)} of the {cores(held.limit_m)} it may.",
            series_key(series),
        ),
    )
