"""What the pods of a change tell: do they live, how did they die, how long did they last? Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from copilot.domain.objects import (
    ContainerStatus,
    Pod,
    StateTerminated,
    StateWaiting,
    ended_runs,
    epoch_us,
    lived_us,
)
from copilot.remediate.tree import Fields, fields_at, items_at, text_at

_HOPELESS = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
    }
)
"""Waiting for one of these, a new pod has failed; waiting itself is what a new pod does."""
_MISSING = re.compile(
    r"not found|couldn't find|does not exist|references non-existent|runAsNonRoot"
)
"""A container that cannot be configured has failed where one of these is why. A kubelet that has
not read the ConfigMaps of a new pod yet says `CreateContainerConfigError`, too."""


def patched_us(live: Fields, field_manager: str, fallback_us: int) -> int:
    """When this manager's patch went in, or anybody's latest where it is empty, by the API server's
    clock (whole seconds), so that it compares with the pods' own times whatever our clock says."""
    times = [
        epoch_us(datetime.fromisoformat(time))
        for entry in items_at(fields_at(live, "metadata"), "managedFields")
        if field_manager in ("", entry.get("manager")) and not entry.get("subresource")
        if (time := text_at(entry, "time"))
    ]
    return max(times, default=fallback_us // 1_000_000 * 1_000_000)


def is_new(pod: Pod, since_us: int) -> bool:
    """Whether the pod was made by our change; going back may keep pods that are older."""
    created = epoch_us(pod.metadata.creation_timestamp)
    return not created or created >= since_us


def death_of(pod: Pod, since_us: int) -> str:
    """How a container of this pod failed since then, for people; empty for not at all."""
    if is_new(pod, since_us) and pod.status.phase == "Failed":
        return f"pod {pod.metadata.name} failed: {pod.status.reason or 'no reason given'}"
    statuses = [
        *((s, False) for s in pod.status.container_statuses or ()),
        *((s, True) for s in pod.status.init_container_statuses or ()),
    ]
    for status, is_init in statuses:
        death = _death(
            pod, status, since_us, may_end=is_init or pod.spec.restart_policy != "Always"
        )
        if death:
            return death
    return ""


def _death(pod: Pod, status: ContainerStatus, since_us: int, *, may_end: bool) -> str:
    """Of a pod that was there before, only a run that began since then counts: one that began
    earlier had not seen the change."""
    who = f"container {status.name} of pod {pod.metadata.name}"
    for state in (status.state, status.last_state):
        ended = state.terminated if state else None
        if ended is None or (may_end and ended.exit_code == 0):
            continue
        if is_new(pod, since_us) or epoch_us(ended.started_at) >= since_us:
            return f"{who} {_ending(ended)}"
    if not is_new(pod, since_us):
        return ""
    if status.restart_count:
        return f"{who} was restarted {status.restart_count} times"
    waiting = status.state.waiting if status.state else None
    if waiting is None or not _is_hopeless(waiting):
        return ""
    return f"{who} waits: {waiting.reason}"


def _is_hopeless(waiting: StateWaiting) -> bool:
    if waiting.reason == "CreateContainerConfigError":
        return _MISSING.search(waiting.message) is not None
    return waiting.reason in _HOPELESS


def _ending(ended: StateTerminated) -> str:
    lived = f" after {lived_us(ended) / 1_000_000:.0f} s" if epoch_us(ended.started_at) else ""
    how = "was OOMKilled" if ended.reason == "OOMKilled" else f"ended ({ended.reason or 'unknown'})"
    return f"{how} with exit code {ended.exit_code}{lived}"


def longest_life_us(pods: Iterable[Pod]) -> int:
    """The longest that a container lived before it failed, in microseconds; 0 for none failed.

    A container that was stopped with its pod did not fail, however long it had lived. The pod that
    was evicted did, and often its status no longer tells of its containers.
    """
    lives = [0]
    for pod in pods:
        if pod.status.reason == "Evicted":
            turns = [epoch_us(c.last_transition_time) for c in pod.status.conditions or ()]
            began_us = epoch_us(pod.status.start_time or pod.metadata.creation_timestamp)
            lives.append(max(turns, default=0) - began_us)
        for status in pod.status.container_statuses or ():
            for ended in ended_runs(pod, status):
                if ended.exit_code or ended.reason == "OOMKilled":
                    lives.append(lived_us(ended))
    return max(lives)


def running_now(pods: tuple[Pod, ...]) -> dict[tuple[str, str], str] | None:
    """(pod uid, container) to the identity of its present life; None where any does not run or is
    not ready."""
    lives: dict[tuple[str, str], str] = {}
    for pod in pods:
        statuses = pod.status.container_statuses or []
        if not statuses:
            return None
        for status in statuses:
            if not (status.state and status.state.running and status.ready):
                return None
            life = f"{status.container_id}#{status.restart_count}"
            lives[pod.metadata.uid, status.name] = life
    return lives
