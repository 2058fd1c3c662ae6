"""A program keeps what it allocates: memory grows until any limit is reached."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from copilot.causes.citing import backed, concluded, object_key, said, series_key
from copilot.causes.failures import Ending, limit_of, oom_kills
from copilot.causes.memory_series import LONG_US, Run, growth, is_growing, runs, whole_runs
from copilot.causes.wording import lasting
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.quantity import humanise_bytes

WIDER = 1.5
"""Two limits tell a leak from a large appetite only if one is this much larger."""
ALIKE = 2.0
"""Rates within this factor are the same growth."""
ALIKE_LIVES = 1.5
"""Whole lives average more out than the points of a series: they must be more alike."""
LEAST_LIFE_US = 10 * 1_000_000
"""A start alone may take a program this long, and statuses carry whole seconds."""
UNDECIDED = 0.3
ACROSS_LIMITS_QUICK = 0.66
ACROSS_LIMITS = 0.8
LONG_CLIMB = 0.75
LONG_CLIMB_AGAIN = 0.85
LEVELLED_OFF = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class _Climb:
    """A life that grew to its end."""

    run: Run
    bytes_per_s: float


def memory_leak(case: Case) -> Hypothesis | None:
    """Refuted by a level under a higher limit; supported by growth across limits or for long.

    Growth that a kill cut off within seconds under one limit decides nothing, and is said so.
    """
    container = _container(case)
    if not container:
        return None
    title = f"{container} leaks memory"
    level = _levelled(case, container)
    if level:
        return concluded(
            Cause.MEMORY_LEAK,
            title=title,
            verdict=Verdict.REFUTED,
            confidence=LEVELLED_OFF,
            against=level,
        )
    climbs = _climbs(case, container)
    across, confidence = _across_limits(case, climbs)
    if not across:
        across, confidence = _longer_lives(case, container)
    if not across:
        across, confidence = _long_climb(case, climbs)
    if across:
        return concluded(
            Cause.MEMORY_LEAK,
            title=title,
            verdict=Verdict.SUPPORTED,
            confidence=confidence,
            supporting=across,
        )
    return concluded(
        Cause.MEMORY_LEAK,
        title=title,
        verdict=Verdict.INCONCLUSIVE,
        confidence=UNDECIDED,
        supporting=_cut_off(case, container, climbs),
        next_check="Raise the limit one step: if the working set levels off, it is no leak.",
    )


def _container(case: Case) -> str:
    """The one that was killed last, else one that climbs for long without a kill."""
    kills = oom_kills(case)
    if kills:
        return kills[-1].container
    names = dict.fromkeys(s.container for s in case.memory if s.container)
    return next((n for n in names if _long_climb(case, _climbs(case, n))[0]), "")


def _climbs(case: Case, container: str) -> list[_Climb]:
    found = []
    for run in backed(case, runs(case, container), lambda r: series_key(r.series)):
        line = growth(run.points)
        if line is not None and is_growing(run.points):
            found.append(_Climb(run=run, bytes_per_s=line.bytes_per_s))
    return found


def _levelled(case: Case, container: str) -> tuple[Statement, ...]:
    """A leak does not stop by itself below the limit."""
    whole = [r for r in whole_runs(case, container) if r.limit is None or r.peak < 0.95 * r.limit]
    if not whole:
        return ()
    best = max(backed(case, whole, lambda r: series_key(r.series)), key=lambda r: r.span_us)
    under = f" under a limit of {humanise_bytes(best.limit)}" if best.limit else ""
    return said(
        case,
        f"The same program came to rest at {humanise_bytes(best.peak)}{under} and stayed there: "
        "a leak would have gone on.",
        series_key(best.series),
    )


def _across_limits(case: Case, climbs: list[_Climb]) -> tuple[tuple[Statement, ...], float]:
    killed = [c for c in climbs if c.run.was_killed and c.run.limit]
    for low in killed:
        for high in killed:
            a, b = low.run.limit or 0, high.run.limit or 0
            rates = sorted((low.bytes_per_s, high.bytes_per_s))
            if b >= WIDER * a and rates[1] <= ALIKE * rates[0]:
                is_quick = max(low.run.span_us, high.run.span_us) < LONG_US
                statement = said(
                    case,
                    f"It grew at {_rate(low)} to the kill under {humanise_bytes(a)} and went on at "
                    f"{_rate(high)} to the kill under {humanise_bytes(b)}: no limit stops it.",
                    series_key(low.run.series),
                    series_key(high.run.series),
                )
                return statement, ACROSS_LIMITS_QUICK if is_quick else ACROSS_LIMITS
    return (), 0.0


def _longer_lives(case: Case, container: str) -> tuple[tuple[Statement, ...], float]:
    """The lives alone, where no series shows them: more memory bought as much more time."""
    kills = backed(
        case,
        [k for k in oom_kills(case) if k.container == container and k.lived_us >= LEAST_LIFE_US],
        lambda k: object_key(k.pod.metadata),
    )
    last = {limit: k for k in kills if (limit := limit_of(k.pod.spec, container))}
    for (a, low), (b, high) in combinations(sorted(last.items(), key=lambda pair: pair[0]), 2):
        rates = sorted((a / low.lived_us, b / high.lived_us))
        if b >= WIDER * a and rates[1] <= ALIKE_LIVES * rates[0]:
            statement = said(
                case,
                f"It lived {lasting(low.lived_us)} to the kill under {humanise_bytes(a)} and "
                f"{lasting(high.lived_us)} to the kill under {humanise_bytes(b)}: more memory only "
                "bought as much more time.",
                *_pods([low, high]),
            )
            return statement, ACROSS_LIMITS_QUICK
    return (), 0.0


def _long_climb(case: Case, climbs: list[_Climb]) -> tuple[tuple[Statement, ...], float]:
    long = [c for c in climbs if c.run.span_us >= LONG_US]
    if not long:
        return (), 0.0
    last = long[-1]
    again = f", as in {len(long) - 1} earlier lives" if len(long) > 1 else ""
    statement = said(
        case,
        f"Its working set climbed without a level for {lasting(last.run.span_us)}, at "
        f"{_rate(last)}{again}.",
        *(series_key(c.run.series) for c in reversed(long)),
    )
    return statement, LONG_CLIMB_AGAIN if len(long) > 1 else LONG_CLIMB


def _cut_off(case: Case, container: str, climbs: list[_Climb]) -> tuple[Statement, ...]:
    kills = [k for k in oom_kills(case) if k.container == container]
    limits = sorted({limit_of(k.pod.spec, container) or 0 for k in kills} - {0})
    if not limits:
        return ()  # without a limit the kill says nothing about this program
    under = " and ".join(humanise_bytes(limit) for limit in limits)
    if climbs:
        last = climbs[-1]
        return said(
            case,
            f"It grew at {_rate(last)} until the kill under {under} cut it off: whether it would "
            "have stopped is not known.",
            series_key(last.run.series),
            *_pods(kills),
        )
    return said(
        case,
        f"It was seen only up to the kill under {under}: whether it would have stopped growing "
        "is not known.",
        *_pods(kills),
    )


def _pods(kills: list[Ending]) -> list[str]:
    return [object_key(k.pod.metadata) for k in reversed(kills)]


def _rate(climb: _Climb) -> str:
    if climb.bytes_per_s * 60 < 2**20:
        return f"{humanise_bytes(climb.bytes_per_s * 3600)}/h"
    if climb.bytes_per_s < 2**20:
        return f"{humanise_bytes(climb.bytes_per_s * 60)}/min"
    return f"{humanise_bytes(climb.bytes_per_s)}/s"
