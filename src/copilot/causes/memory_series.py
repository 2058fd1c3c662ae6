"""What memory series tell: growth, level, peak, and whether a kill cut the peak off.

Units throughout: bytes, bytes per second, epoch microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from copilot.causes.failures import (
    Ending,
    container_of,
    endings,
    endings_of,
    failing_pods,
    is_gone,
    limit_of,
    statuses_of,
)
from copilot.domain import attributes
from copilot.domain.case import Case
from copilot.domain.event import Series, SeriesPoint
from copilot.domain.objects import Pod, PodSpec, epoch_us

SECOND_US = 1_000_000
FLAT = 0.05
"""A level may move by this share and still be a level."""
CREEP = 0.01
"""A steady gain above this share of the level is growth, however slow."""
LEVEL_LASTS_US = 15 * SECOND_US
"""A shorter halt says nothing: collectors look every 5 to 15 seconds."""
AT_THE_LIMIT = 0.9
"""From this share of the limit on, a peak is taken as cut off where a restart follows."""
RESTARTED = 0.5
"""A fall below this share of the last value is a new process, not a clean-up."""
LONG_US = 10 * 60 * SECOND_US
"""As long as this without a kill, the highest value seen is a peak even without a level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A straight line through points. `fit` is R², 1 for points on the line."""

    bytes_per_s: float
    fit: float
    span_us: int
    gained: float
    """Bytes from the line's start to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One life of one container, from start to restart, as far as points tell."""

    series: Series
    points: tuple[SeriesPoint, ...]
    pod: Pod | None
    """None where only its name is known."""
    limit: int | None
    was_killed: bool
    """It ended by an out-of-memory kill: what it would have reached is not known."""

    @property
    def peak(self) -> float:
        return max(p.high for p in self.points)

    @property
    def span_us(self) -> int:
        return self.points[-1].ts_us - self.points[0].ts_us


def growth(points: tuple[SeriesPoint, ...]) -> Growth | None:
    """The line through three points or more by least squares; None for fewer or no span."""
    if len(points) < 3 or points[0].ts_us == points[-1].ts_us:
        return None
    xs = [(p.ts_us - points[0].ts_us) / SECOND_US for p in points]
    ys = [p.value for p in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    across = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / across
    total = sum((y - mean_y) ** 2 for y in ys)
    missed = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    return Growth(
        bytes_per_s=slope,
        fit=1 - missed / total if total else 0.0,
        span_us=points[-1].ts_us - points[0].ts_us,
        gained=slope * xs[-1],
    )


def level(points: tuple[SeriesPoint, ...]) -> int | None:
    """Bytes at which memory came to rest; None where it had not.

    At rest: the last values, for at least 15 seconds and a third of the time, stay within 5 % and
    do not creep along a line (a slow leak does).
    """
    if len(points) < 4:
        return None
    end = points[-1]
    tail = [end]
    for point in reversed(points[:-1]):
        values = [p.value for p in (*tail, point)]
        if max(values) - min(values) > FLAT * max(values):
            break
        tail.append(point)
    lasted = end.ts_us - tail[-1].ts_us
    span = end.ts_us - points[0].ts_us
    line = growth(tuple(reversed(tail)))
    creeps = line is not None and line.fit >= 0.9 and line.gained > CREEP * end.value
    is_rest = len(tail) >= 3 and lasted >= max(LEVEL_LASTS_US, span // 3) and not creeps
    return round(max(p.value for p in tail)) if is_rest else None


def is_growing(points: tuple[SeriesPoint, ...]) -> bool:
    """It climbs along a line, still at its end, by at least a fifth of where it stands."""
    whole, late = growth(points), growth(points[len(points) // 2 :])
    if whole is None or level(points) is not None:
        return False
    goes_on = late is None or late.bytes_per_s >= whole.bytes_per_s / 3
    return whole.fit >= 0.8 and whole.gained >= 0.2 * points[-1].value and goes_on


def runs(case: Case, container: str) -> tuple[Run, ...]:
    """Every life of the container that left points, oldest first."""
    pods: dict[str, list[Pod]] = {}
    for pod in sorted(case.pods, key=_created_us):
        pods.setdefault(pod.metadata.name, []).append(pod)
    found = [
        run
        for series in case.memory
        if series.name == attributes.MEMORY_WORKING_SET and series.container == container
        for run in _runs_of(case, series, pods.get(series.pod, []))
    ]
    return tuple(sorted(found, key=lambda r: r.points[0].ts_us))


def peak_seen_whole(case: Case, container: str) -> int | None:
    """The most bytes the container needed, None where no peak was seen to its end.

    Counts only lives of the same program (image, command, environment) as the one that fails,
    that no kill cut off and that came to rest or lasted ten minutes. A peak that is no higher than
    a limit under which it was killed is not whole either.
    """
    peaks = [round(r.peak) for r in whole_runs(case, container)]
    return max(peaks) if peaks else None


def whole_runs(case: Case, container: str) -> tuple[Run, ...]:
    """The lives that `peak_seen_whole` rests on."""
    program = _program_that_fails(case, container)
    killed = [p for p in case.pods if any(_is_kill_of(container, e) for e in endings_of(p))]
    highest = max((limit_of(p.spec, container) or 0 for p in killed), default=0)
    return tuple(
        run
        for run in runs(case, container)
        if is_whole(run)
        and run.peak > highest
        and run.pod is not None
        and _program(run.pod.spec, container) == program
    )


def is_whole(run: Run) -> bool:
    """Nothing cut it off, and it had come to its height."""
    if run.was_killed:
        return False
    lasted_long = run.span_us >= LONG_US and not is_growing(run.points)
    return level(run.points) is not None or lasted_long


def time_to_failure_us(case: Case) -> int:
    """The longest that a container lived before it failed, in microseconds; 0 where unknown."""
    return max((e.lived_us for e in endings(case)), default=0)


def same_program(pod: Pod, other: Pod, container: str) -> bool:
    """Both run the same image with the same command, arguments and environment."""
    return _program(pod.spec, container) == _program(other.spec, container)


def highest_peak(case: Case, pod: Pod) -> Series | None:
    """The pod's own peak counter, kept across its containers' restarts."""
    named = [
        s
        for s in case.memory
        if s.name == attributes.MEMORY_PEAK and s.pod == pod.metadata.name and s.points
    ]
    return named[0] if named else None


def _runs_of(case: Case, series: Series, pods: list[Pod]) -> list[Run]:
    """Of the pods of one name, oldest first: those of a StatefulSet come again under theirs."""
    if not series.points:
        return []
    starts = [s for p in pods for s in _starts(p, series.container)]
    lives = _split(series.points, starts + [_created_us(p) for p in pods[1:]])
    owners = [_pod_at(pods, life[0].ts_us) for life in lives]
    found = []
    for n, (life, pod) in enumerate(zip(lives, owners, strict=True)):
        limit = limit_of(pod.spec, series.container) if pod else _limit_by_name(case, series)
        is_last = pod not in owners[n + 1 :]
        killed = _was_killed(pod, series.container, life, limit, is_last=is_last)
        found.append(Run(series=series, points=life, pod=pod, limit=limit, was_killed=killed))
    return found


def _pod_at(pods: list[Pod], at_us: int) -> Pod | None:
    there = [p for p in pods if _created_us(p) <= at_us]
    return there[-1] if there else next(iter(pods), None)


def _created_us(pod: Pod) -> int:
    return epoch_us(pod.metadata.creation_timestamp)


def _split(points: tuple[SeriesPoint, ...], starts: list[int]) -> list[tuple[SeriesPoint, ...]]:
    """Cut where a start is known, or where memory falls as only a new process makes it fall."""
    cuts = [
        i
        for i, (a, b) in enumerate(pairwise(points), 1)
        if any(a.ts_us < s <= b.ts_us for s in starts) or b.value < RESTARTED * a.value
    ]
    edges = [0, *cuts, len(points)]
    return [points[a:b] for a, b in pairwise(edges)]


def _starts(pod: Pod | None, container: str) -> list[int]:
    if pod is None:
        return []
    known = [e.started_us for e in endings_of(pod) if e.container == container]
    for status in statuses_of(pod):
        if status.name == container and status.state and status.state.running:
            known.append(epoch_us(status.state.running.started_at))
    return [s for s in known if s]


def _was_killed(
    pod: Pod | None,
    container: str,
    life: tuple[SeriesPoint, ...],
    limit: int | None,
    *,
    is_last: bool,
) -> bool:
    kills = [e for e in endings_of(pod) if _is_kill_of(container, e)] if pod else []
    began, ended = life[0].ts_us, life[-1].ts_us
    if any(k.started_us - SECOND_US <= began and ended <= k.finished_us for k in kills):
        return True
    if not is_last:  # a status remembers two endings only; the ones before were like them
        peak = max(p.high for p in life)
        return bool(kills) or (limit is not None and peak >= AT_THE_LIMIT * limit)
    stopped = pod is not None and not is_gone(pod) and not _runs_now(pod, container)
    return bool(kills) and (stopped or ended <= kills[-1].finished_us)


def _is_kill_of(container: str, ending: Ending) -> bool:
    return ending.container == container and ending.is_oom


def _runs_now(pod: Pod, container: str) -> bool:
    return any(
        s.name == container and s.state is not None and s.state.running is not None
        for s in statuses_of(pod)
    )


def _limit_by_name(case: Case, series: Series) -> int | None:
    """A pod's name begins with its ReplicaSet's."""
    for owner in case.replica_sets:
        if series.pod.startswith(owner.metadata.name + "-"):
            return limit_of(owner.spec.template.spec, series.container)
    return None


def _program_that_fails(case: Case, container: str) -> tuple[object, ...]:
    newest = next(
        (p for p in failing_pods(case) if container_of(p.spec, container)),
        next((p for p in case.pods if not is_gone(p)), None),
    )
    return _program(newest.spec, container) if newest else ()


def _program(spec: PodSpec, name: str) -> tuple[object, ...]:
    found = container_of(spec, name)
    if found is None:
        return ()
    return (found.image, found.command, found.args, found.env, found.env_from)
