"""A container needs more memory than its limit allows, and the kernel kills it there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from copilot.causes.citing import (
    alert_key,
    backed,
    concluded,
    event_key,
    line_key,
    object_key,
    said,
    series_key,
)
from copilot.causes.failures import (
    STARVED_AT_START,
    Ending,
    alerts_of,
    began_us,
    containers_of,
    limit_of,
    oom_kills,
    restarts_of,
    statuses_of,
)
from copilot.causes.memory_series import (
    AT_THE_LIMIT,
    Run,
    highest_peak,
    runs,
    same_program,
    whole_runs,
)
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import (
    JUST_BEFORE_US,
    SLACK_US,
    Part,
    Rollout,
    just_before,
    limit_words,
    memory_limits_changed,
)
from copilot.causes.wording import CLOSE_US, clock, lasting, one_line, time_before
from copilot.domain.alert import Alert, Rule
from copilot.domain.case import Case
from copilot.domain.event import LogLine, Series
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import Node, Pod, epoch_us
from copilot.domain.quantity import humanise_bytes

KILLED_AT_ITS_LIMIT = 0.72
"""Where it would have stopped is unknown, so a leak is not excluded."""
SEEN_BY_OTHERS_ONLY = 0.55
UNDECIDED = 0.4
LOWERED_JUST_BEFORE = 0.93
NEED_IS_KNOWN = 0.95
BOTH = 0.98
ENOUGH_FOR_OLD_CODE = 0.5
NODE_UNDER_PRESSURE = 0.5


_SEES_PROCESSES = frozenset({"kernel", "kubelet"})
"""Sources that tell of processes; all others tell of containers."""
_LOST_A_CHILD = re.compile(
    r"^Killed$|signal: killed|signal 9|SIGKILL|(?:code|status|ended with|exit(?:ed)?) \D{0,8}137\b"
    r"|exit code -9|WorkerLost|Worker .{0,40}was sent SIGKILL",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """The limit was lowered, or set where there was none."""

    rollout: Rollout
    before: int | None
    after: int


def memory_limit_too_low(case: Case) -> Hypothesis | None:
    """Supported by a kill at a limit; sure where the limit was just lowered or the need is known.

    Refuted where the killed container has no limit: then the node ran out of memory.
    """
    kills = oom_kills(case)
    if not kills:
        return _starved_at_start(case) or _from_alerts(case) or _child_by_its_log(case)
    kill = backed(case, kills, lambda k: object_key(k.pod.metadata))[-1]
    limit = limit_of(kill.pod.spec, kill.container)
    if limit is None:
        return _without_limit(case, kill)
    mine = tuple(
        k
        for k in kills
        if k.container == kill.container and limit_of(k.pod.spec, k.container) == limit
    )
    cut = _cut_before(case, kill.container, limit)
    whole = backed(case, whole_runs(case, kill.container), _series_of)
    pressed, fitted = _pressed(case, kill), _fitted_before(case, kill, limit)
    supporting = (
        *_killed(case, mine, limit),
        *_lowered(case, cut, kill.container),
        *_known_need(case, whole, limit),
        *_reached(case, kill, limit),
        *_last_words(case, kill),
    )
    return concluded(
        Cause.MEMORY_LIMIT_TOO_LOW,
        title=_title(kill.container, limit, whole),
        verdict=Verdict.SUPPORTED,
        confidence=_confidence(
            cut is not None, bool(whole), is_pressed=bool(pressed), fitted=bool(fitted)
        ),
        supporting=supporting,
        against=(*pressed, *fitted),
        next_check="" if cut or whole else "Raise the limit one step and see where memory stops.",
        subject=workload_ref(case),
        detail="lowered" if cut else "",
    )


def _title(container: str, limit: int, whole: tuple[Run, ...]) -> str:
    if whole:
        need = humanise_bytes(max(r.peak for r in whole))
        return f"{container} needs {need}, its memory limit is {humanise_bytes(limit)}"
    return f"The memory limit of {container}, {humanise_bytes(limit)}, is below what it needs"


def _confidence(was_cut: bool, is_known: bool, *, is_pressed: bool, fitted: bool) -> float:
    if was_cut and is_known:
        return BOTH
    if is_known:
        return NEED_IS_KNOWN
    if is_pressed:
        return NODE_UNDER_PRESSURE
    if was_cut:
        return LOWERED_JUST_BEFORE
    return ENOUGH_FOR_OLD_CODE if fitted else KILLED_AT_ITS_LIMIT


def _killed(case: Case, kills: tuple[Ending, ...], limit: int) -> tuple[Statement, ...]:
    last = backed(case, kills, lambda k: object_key(k.pod.metadata))[-1]
    after = f" {lasting(last.lived_us)} after its start" if last.lived_us else ""
    restarts = restarts_of(last.pod)
    again = f"; {restarts} restarts so far" if restarts > 1 else ""
    at_start = " before it could even start" if last.exit_code != 137 and not last.lived_us else ""
    return said(
        case,
        f"{last.container} was {last.reason} (exit {last.exit_code}) at "
        f"{clock(last.finished_us)}{after}{at_start} under a limit of "
        f"{humanise_bytes(limit)}{again}.",
        object_key(last.pod.metadata),
        *(object_key(k.pod.metadata) for k in reversed(kills)),
    )


def _cut_before(case: Case, container: str, limit: int) -> _Cut | None:
    """The last change that brought the limit down to what it is, before the trouble began."""
    began = began_us(case)
    cuts = [
        _Cut(rollout=rollout, before=before, after=after)
        for rollout, before, after in memory_limits_changed(case, container)
        if after == limit
        and (before is None or before > after)
        and began - JUST_BEFORE_US <= rollout.at_us <= began + SLACK_US
    ]
    return cuts[-1] if cuts else None


def _lowered(case: Case, cut: _Cut | None, container: str) -> tuple[Statement, ...]:
    if cut is None:
        return ()
    rollout = cut.rollout
    gap = time_before(began_us(case) - rollout.at_us).lower()
    return said(
        case,
        f"The memory limit of {container} was changed {limit_words(cut.before, cut.after)}"
        f"{rollout.by} at {clock(rollout.at_us)}, {gap} the first kill.",
        *rollout.keys,
    )


def _known_need(case: Case, whole: tuple[Run, ...], limit: int) -> tuple[Statement, ...]:
    if not whole:
        return ()
    highest = max(whole, key=lambda r: r.peak)
    under = f" under a limit of {humanise_bytes(highest.limit)}" if highest.limit else ""
    return said(
        case,
        f"The same program levelled off at {humanise_bytes(highest.peak)}{under}, which does not "
        f"fit into {humanise_bytes(limit)}.",
        series_key(highest.series),
    )


def _reached(case: Case, kill: Ending, limit: int) -> tuple[Statement, ...]:
    """The series right before a kill, or the pod's own peak counter."""
    killed = [r for r in runs(case, kill.container) if r.was_killed and r.limit == limit]
    highest = max(backed(case, killed, _series_of), key=lambda r: r.peak, default=None)
    if highest is not None and highest.peak >= AT_THE_LIMIT * limit:
        share = min(100, round(100 * highest.peak / limit))
        return said(
            case,
            f"Its working set had reached {humanise_bytes(highest.peak)}, {share} % of the limit, "
            "when it was killed.",
            series_key(highest.series),
        )
    counter = highest_peak(case, kill.pod)
    if counter is None or counter.points[-1].high < 0.99 * limit:
        return ()
    return said(
        case,
        f"The pod's peak counter stands at {humanise_bytes(counter.points[-1].high)}: the kill cut "
        "the peak off, so the true need is not known.",
        series_key(counter),
    )


def _last_words(case: Case, kill: Ending) -> tuple[Statement, ...]:
    """The exact line: what the container logged last before the kernel ended it."""
    own = [
        line
        for line in case.lines
        if (line.pod, line.container) == (kill.pod.metadata.name, kill.container)
        and kill.started_us <= line.ts_us <= kill.finished_us + CLOSE_US
    ]
    if not own:
        return ()
    last = backed(case, own, line_key)[-1]
    return said(case, f"The last it logged: {one_line(last.body, 120)}", line_key(last))


def _fitted_before(case: Case, kill: Ending, limit: int) -> tuple[Statement, ...]:
    """New code came just before, and the old code lived within this very limit."""
    rollout = just_before(case, began_us(case))
    if rollout is None or Part.CODE not in rollout.parts:
        return ()
    old = [
        r
        for r in runs(case, kill.container)
        if not r.was_killed
        and r.peak < limit
        and r.pod is not None
        and not same_program(r.pod, kill.pod, kill.container)
    ]
    if not old:
        return ()
    highest = max(backed(case, old, _series_of), key=lambda r: r.peak)
    return said(
        case,
        f"Before the rollout the program peaked at {humanise_bytes(highest.peak)}, within this "
        "limit: what runs now needs more.",
        series_key(highest.series),
        *rollout.keys,
    )


def _series_of(run: Run) -> str:
    return series_key(run.series)


def _pressed(case: Case, kill: Ending) -> tuple[Statement, ...]:
    node = _node_under_pressure(case, kill.pod.spec.node_name)
    if node is None:
        return ()
    return said(
        case,
        f"Node {node.metadata.name} itself reports memory pressure.",
        object_key(node.metadata),
    )


def _node_under_pressure(case: Case, name: str) -> Node | None:
    return next(
        (
            n
            for n in case.nodes
            if n.metadata.name == name
            and any(
                c.type == "MemoryPressure" and c.status == "True" for c in n.status.conditions or ()
            )
        ),
        None,
    )


def _without_limit(case: Case, kill: Ending) -> Hypothesis | None:
    against = said(
        case,
        f"{kill.container} was killed at {clock(kill.finished_us)} but has no memory limit: the "
        "node ran short, not the container.",
        object_key(kill.pod.metadata),
    )
    return concluded(
        Cause.MEMORY_LIMIT_TOO_LOW,
        title=f"The memory limit of {kill.container} is below what it needs",
        verdict=Verdict.REFUTED,
        confidence=0.05,
        against=(*against, *_pressed(case, kill)),
    )


def _starved_at_start(case: Case) -> Hypothesis | None:
    """The limit does not even hold the container's first process; it never ran, so no kill shows."""
    told = [e for e in case.events if STARVED_AT_START in e.message]
    uids = {e.involved_object.uid for e in told}
    starved = [p for p in case.pods if p.metadata.uid in uids or _waits_starved(p)]
    if not starved:
        return None
    pod = backed(case, starved, lambda p: object_key(p.metadata))[-1]
    container, limit = _tightest(pod)
    if not limit:
        return None
    cut = _cut_before(case, container, limit)
    return concluded(
        Cause.MEMORY_LIMIT_TOO_LOW,
        title=_title(container, limit, ()),
        verdict=Verdict.SUPPORTED,
        confidence=LOWERED_JUST_BEFORE,
        supporting=(
            *said(
                case,
                f"{container} could not even start under its limit of {humanise_bytes(limit)}: "
                "the runtime says that its first process was killed for want of memory.",
                object_key(pod.metadata),
                *(event_key(e) for e in told),
            ),
            *_lowered(case, cut, container),
        ),
    )


def _waits_starved(pod: Pod) -> bool:
    states = [s.state for s in statuses_of(pod) if s.state is not None]
    return any(s.waiting is not None and STARVED_AT_START in s.waiting.message for s in states)


def _tightest(pod: Pod) -> tuple[str, int]:
    """The container with the lowest memory limit, and that limit; empty and 0 for none."""
    limits = [(limit_of(pod.spec, c.name) or 0, c.name) for c in containers_of(pod.spec)]
    limit, name = min((pair for pair in limits if pair[0]), default=(0, ""))
    return name, limit


def _from_alerts(case: Case) -> Hypothesis | None:
    """The kernel or another system tells of a kill that no pod's status shows (any more)."""
    alerts = alerts_of(case, Rule.OOM_KILLED)
    if not alerts:
        return None
    last = max(alerts, key=lambda a: a.last_us)
    child = _child_killed(case, last)
    if child is not None:
        return child
    place = last.container or last.pod or last.workload.name
    return concluded(
        Cause.MEMORY_LIMIT_TOO_LOW,
        title=f"The memory limit of {place} is below what it needs",
        verdict=Verdict.SUPPORTED,
        confidence=SEEN_BY_OTHERS_ONLY,
        supporting=said(
            case,
            f"An out-of-memory kill in {place} was reported at {clock(last.last_us)} "
            f"({last.source}); no pod's status shows it.",
            alert_key(last),
        ),
        next_check="Compare the container's working set with its limit, process by process.",
    )


def _child_killed(case: Case, alert: Alert) -> Hypothesis | None:
    """The kernel took a process of the container, and its first process lives on: the container
    does not end, and no status says OOMKilled."""
    if alert.source not in _SEES_PROCESSES:
        return None
    for pod in case.pods:
        own = pod.spec.containers or []
        name = alert.container or (own[0].name if len(own) == 1 else "")
        status = next((s for s in statuses_of(pod) if s.name == name), None)
        limit = limit_of(pod.spec, name)
        running = status.state.running if status and status.state else None
        if running is None or not limit or alert.pod not in ("", pod.metadata.name):
            continue
        if epoch_us(running.started_at) > alert.starts_us:
            continue
        return concluded(
            Cause.MEMORY_LIMIT_TOO_LOW,
            title=f"The memory limit of {name}, {humanise_bytes(limit)}, is below what "
            "its processes need",
            verdict=Verdict.SUPPORTED,
            confidence=KILLED_AT_ITS_LIMIT,
            supporting=(
                *said(
                    case,
                    f"The kernel killed a process in {name} for want of memory at "
                    f"{clock(alert.last_us)} ({alert.source}).",
                    alert_key(alert),
                ),
                *said(
                    case,
                    f"{name} itself has run since "
                    f"{clock(epoch_us(running.started_at))} under a limit of "
                    f"{humanise_bytes(limit)}: its first process lives on, so its status shows no "
                    "kill.",
                    object_key(pod.metadata),
                ),
                *_missed(case, pod, name),
            ),
            next_check="See which process grows, and whether it restarts: the program may go on "
            "without it.",
            subject=workload_ref(case),
            detail="child_killed",
        )
    return None


def _missed(case: Case, pod: Pod, container: str) -> tuple[Statement, ...]:
    """What the program itself said about the process it lost."""
    told = _lost_children(case, pod, container)
    if not told:
        return ()
    last = backed(case, told, line_key)[-1]
    return said(case, f"It noticed: “{one_line(last.body, 120)}”.", line_key(last))


def _lost_children(case: Case, pod: Pod, container: str) -> list[LogLine]:
    place = (pod.metadata.name, container)
    return [
        line
        for line in case.lines
        if (line.pod, line.container) == place and _LOST_A_CHILD.search(line.body[:2000])
    ]


def _child_by_its_log(case: Case) -> Hypothesis | None:
    """Nobody who sees processes tells of it, but the program says that it lost one to a SIGKILL; it
    is memory for sure where the pod's peak stands at the limit."""
    for pod in case.pods:
        counter = highest_peak(case, pod)
        for status in statuses_of(pod):
            limit = limit_of(pod.spec, status.name)
            is_up = status.state is not None and status.state.running is not None
            told = _lost_children(case, pod, status.name)
            if not limit or not told or not is_up:
                continue
            is_full = counter is not None and counter.points[-1].high >= 0.98 * limit
            last = backed(case, told, line_key)[-1]
            return concluded(
                Cause.MEMORY_LIMIT_TOO_LOW,
                title=f"The memory limit of {status.name}, {humanise_bytes(limit)}, is below what "
                "its processes need",
                verdict=Verdict.SUPPORTED if is_full else Verdict.INCONCLUSIVE,
                confidence=SEEN_BY_OTHERS_ONLY + 0.1 if is_full else UNDECIDED,
                supporting=(
                    *said(
                        case,
                        f"{status.name} lost a process to a SIGKILL and runs on: "
                        f"“{one_line(last.body, 120)}”.",
                        line_key(last),
                    ),
                    *(_at_the_limit(case, counter, limit) if is_full and counter else ()),
                ),
                next_check="Look for its pod in the kernel's lines about memory: "
                "dmesg -T | grep -i oom",
                subject=workload_ref(case),
                detail="child_killed",
            )
    return None


def _at_the_limit(case: Case, counter: Series, limit: int) -> tuple[Statement, ...]:
    return said(
        case,
        f"The pod's peak counter stands at {humanise_bytes(counter.points[-1].high)}, its limit at "
        f"{humanise_bytes(limit)}.",
        series_key(counter),
    )
