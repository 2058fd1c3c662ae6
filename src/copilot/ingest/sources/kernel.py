"""The kernel's lines about out-of-memory kills.

One kill is two lines: `oom-kill:` names the cgroups, `Killed process` says how much memory it had.
The cgroup path names the pod and the container, with either cgroup driver:

    /kubepods/burstable/pod<uid>/<container id>
    /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid with _>.slice/
        cri-containerd-<container id>.scope
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from copilot.domain.event import KernelKill

_KILL = re.compile(
    r"oom-kill:constraint=(?P<constraint>\w+),.{0,4000}?task_memcg=(?P<cgroup>[^,\s]{0,1000}),"
    r"task=(?P<process>.{0,64}?),pid=(?P<pid>[0-9]{1,10}),"
)
_VICTIM = re.compile(r"[Oo]ut of memory[^:]{0,40}: Killed process (?P<pid>[0-9]{1,10}) \(")
_POD = re.compile(
    r"pod(?P<uid>[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?![0-9a-f])"
)
_CONTAINER = re.compile(r"(?P<id>[0-9a-f]{64})(?:\.scope)?\Z")
_MAX_CHARS = 8000
_RING = re.compile(r"(?:<[0-9]+>)?\[ *[0-9]+\.[0-9]+\] ?")


def is_about_a_kill(line: str) -> bool:
    """Cheap: whether the line may be one of the two."""
    return "oom-kill:" in line or "Killed process" in line


def kills_in(lines: Iterable[tuple[int, str]], *, node: str) -> Iterator[KernelKill]:
    """Each kill of a pod's process once, from (epoch us, line) in order.

    Kills outside of pods are left out. The second line may be missing.
    """
    kept = [
        (ts_us, _RING.sub("", line[:_MAX_CHARS], count=1))
        for ts_us, line in lines
        if is_about_a_kill(line)
    ]
    for index, (ts_us, line) in enumerate(kept):
        kill = _KILL.search(line)
        pod = kill and (_POD.search(kill["cgroup"]) or _POD.search(line))
        if not kill or not pod:
            continue
        container = _CONTAINER.search(kill["cgroup"])
        victim = _victim(kept[index + 1 :], kill["pid"])
        yield KernelKill(
            ts_us=ts_us,
            node=node,
            pod_uid=pod["uid"].replace("_", "-"),
            container_id=container["id"] if container else "",
            process=kill["process"],
            line="\n".join(filter(None, (victim, line))),
        )


def _victim(later: list[tuple[int, str]], pid: str) -> str:
    """The line that follows up on the same process, empty where it did not come."""
    for _, line in later[:20]:
        if _KILL.search(line):
            return ""
        found = _VICTIM.search(line)
        if found and found["pid"] == pid:
            return line
    return ""
