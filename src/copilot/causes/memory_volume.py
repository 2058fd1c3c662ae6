"""A volume that lies in memory fills the container's memory limit.

What is written to an `emptyDir` of medium Memory counts as memory of the container that wrote it.
https://kubernetes.io/docs/concepts/storage/volumes/#emptydir
"""

from __future__ import annotations

from dataclasses import dataclass

from copilot.causes.citing import alert_key, backed, concluded, line_key, object_key, said
from copilot.causes.failures import (
    alerts_of,
    began_us,
    containers_of,
    is_gone,
    limit_of,
    oom_kills,
    quantity_of,
)
from copilot.causes.references import workload_ref
from copilot.causes.wording import clock, one_line
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.event import LogLine
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import Pod
from copilot.domain.quantity import humanise_bytes

SPEC_SAYS = 0.8
"""The volume may hold as much as the container may use, or more."""
LOG_SAYS = 0.85
BOTH = 0.92
UNDECIDED = 0.5
REFUTED = 0.1
SMALL = 0.25
"""A volume that can hold less of the limit than this is not what fills it."""
LONG_BEFORE_US = 10 * 60 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """A volume in memory, where a container that ran out of memory mounts it."""

    pod: Pod
    container: str
    volume: str
    path: str
    size: int | None
    """Its own limit in bytes; None where only the pod's limits bound it."""
    limit: int
    """The container's memory limit in bytes."""
    key: str
    """Of the evidence that it ran out of memory."""
    at_us: int


def memory_volume(case: Case) -> Hypothesis | None:
    """Supported where a container that was killed for memory mounts a volume in memory that may
    outgrow its limit, by the specs or by what it logged about writing there.

    Inconclusive where only such a volume is there; refuted where it is far too small.
    """
    found = volumes_in_memory(case)
    if not found:
        return None
    worst = max(found, key=lambda m: (m.size is None or m.size >= m.limit, m.size or 0, m.at_us))
    where = f"Volume {one_line(worst.volume, 60)} at {one_line(worst.path, 80)}"
    if worst.size is not None and worst.size < SMALL * worst.limit:
        return _too_small(case, worst, where)
    wrote = _wrote(case, worst)
    outgrows = worst.size is not None and worst.size >= worst.limit
    is_sure = bool(wrote) or outgrows
    confidence = BOTH if wrote and outgrows else LOG_SAYS if wrote else SPEC_SAYS
    return concluded(
        Cause.MEMORY_VOLUME,
        title=f"{where} lies in memory and fills the memory limit of {worst.container}",
        verdict=Verdict.SUPPORTED if is_sure else Verdict.INCONCLUSIVE,
        confidence=confidence if is_sure else UNDECIDED,
        supporting=(
            *_bounds(case, worst, where),
            *wrote,
            *said(
                case,
                f"{worst.container} ran out of memory at {clock(worst.at_us)} under a limit of "
                f"{humanise_bytes(worst.limit)}.",
                worst.key,
                object_key(worst.pod.metadata),
            ),
        ),
        next_check=""
        if is_sure
        else f"See what lies there: kubectl -n {case.incident.namespace} exec "
        f"{worst.pod.metadata.name} -c {worst.container} -- du -sh {one_line(worst.path, 80)}",
        subject=workload_ref(case),
        detail="size_above_limit" if outgrows else "no_size" if worst.size is None else "size",
    )


def volumes_in_memory(case: Case) -> tuple[Mounted, ...]:
    """Those that containers mount which ran out of memory, by a status or by an alert."""
    found: list[Mounted] = []
    kills = backed(case, oom_kills(case), lambda k: object_key(k.pod.metadata))
    for kill in kills:
        key = object_key(kill.pod.metadata)
        found += _of(kill.pod, kill.container, key, kill.finished_us)
    if not kills:
        for alert in alerts_of(case, Rule.OOM_KILLED):
            for pod in case.pods:
                if alert.pod in ("", pod.metadata.name) and not is_gone(pod):
                    found += _of(pod, alert.container, alert_key(alert), alert.last_us)
    return tuple(found)


def _of(pod: Pod, container: str, key: str, at_us: int) -> list[Mounted]:
    in_memory = {
        v.name: v.empty_dir
        for v in pod.spec.volumes or ()
        if v.empty_dir is not None and v.empty_dir.medium == "Memory"
    }
    return [
        Mounted(
            pod=pod,
            container=c.name,
            volume=mount.name,
            path=mount.mount_path,
            size=quantity_of({"memory": size} if size else None, "memory"),
            limit=limit,
            key=key,
            at_us=at_us,
        )
        for c in containers_of(pod.spec)
        if container in ("", c.name) and (limit := limit_of(pod.spec, c.name))
        for mount in c.volume_mounts or ()
        if mount.name in in_memory and not mount.read_only
        for size in (in_memory[mount.name].size_limit,)
    ]


def _bounds(case: Case, mounted: Mounted, where: str) -> tuple[Statement, ...]:
    limit = humanise_bytes(mounted.limit)
    if mounted.size is None:
        text = (
            f"{where} lies in memory and has no size limit of its own: what is written there "
            f"counts against the {limit} of {mounted.container}."
        )
    else:
        holds = f"{where} lies in memory and may hold {humanise_bytes(mounted.size)}"
        text = (
            f"{holds}, but {mounted.container} may use {limit} in all."
            if mounted.size >= mounted.limit
            else f"{holds} of the {limit} that {mounted.container} may use."
        )
    return said(case, text, object_key(mounted.pod.metadata))


def _wrote(case: Case, mounted: Mounted) -> tuple[Statement, ...]:
    """The last line before the end that names the place."""
    path = mounted.path.rstrip("/")
    if len(path) < 2:
        return ()
    near: list[LogLine] = [
        line
        for line in case.lines
        if line.container in ("", mounted.container)
        and began_us(case) - LONG_BEFORE_US <= line.ts_us <= mounted.at_us + 2_000_000
        and path in line.body[:4000]
    ]
    if not near:
        return ()
    last = backed(case, near, line_key)[-1]
    return said(case, f"It logged about that place: “{one_line(last.body, 160)}”.", line_key(last))


def _too_small(case: Case, mounted: Mounted, where: str) -> Hypothesis | None:
    return concluded(
        Cause.MEMORY_VOLUME,
        title=f"{where} fills the memory limit of {mounted.container}",
        verdict=Verdict.REFUTED,
        confidence=REFUTED,
        against=said(
            case,
            f"{where} may hold {humanise_bytes(mounted.size or 0)} only, of a limit of "
            f"{humanise_bytes(mounted.limit)}.",
            object_key(mounted.pod.metadata),
        ),
    )
