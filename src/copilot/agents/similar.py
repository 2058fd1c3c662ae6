"""Which earlier incidents resemble this one, how much, and why. Pure.

An old conclusion comes back as something to check again, never as evidence of the cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from copilot.domain.alert import Rule
from copilot.domain.hypothesis import Cause
from copilot.domain.incident import Incident, IncidentId
from copilot.domain.memory import Memory, SimilarIncident

MOST = 5
SAME_APP = 0.5
SAME_NAMESPACE = 0.1
SAME_RULES = 0.35
ITS_FIX_HELD = 0.05
TOLD_ALIKE = 0.15
"""For the one that is told most alike, by its words or what they mean. Too little to make one alike
that has neither the place nor the signs: something is always told most alike."""
LOOK_AT = 10
"""Incidents that are told alike, at most."""
USUAL: dict[Rule, Cause] = {
    Rule.OOM_KILLED: Cause.MEMORY_LIMIT_TOO_LOW,
    Rule.IMAGE_PULL: Cause.IMAGE_MISSING,
    Rule.UNSCHEDULABLE: Cause.UNSCHEDULABLE,
    Rule.NOT_CREATED: Cause.QUOTA_EXCEEDED,
    Rule.VOLUME_PENDING: Cause.VOLUME_UNAVAILABLE,
    Rule.EVICTED: Cause.EVICTED,
    Rule.NODE_UNHEALTHY: Cause.NODE_UNHEALTHY,
    Rule.CPU_THROTTLED: Cause.CPU_LIMIT_TOO_LOW,
    Rule.NO_ENDPOINTS: Cause.SERVICE_SELECTOR_MISMATCH,
    Rule.CRON_JOB_LATE: Cause.CRON_JOB_STOPPED,
    Rule.JOB_FAILED: Cause.JOB_FAILS,
    Rule.NOT_READY: Cause.BAD_PROBE,
    Rule.CRASH_LOOP: Cause.BAD_ROLLOUT,
}
"""What a rule most often turns out to be, in the order of how much it says."""


def usual_cause(rules: Iterable[Rule]) -> Cause | None:
    """Where to look beyond the same app before the cause is known."""
    given = frozenset(rules)
    return next((cause for rule, cause in USUAL.items() if rule in given), None)


def told(incident: Incident) -> str:
    """What an incident says of itself, to find others that say the same."""
    return f"{incident.title}\n{incident.summary}"


def ranked(
    incident: Incident,
    rules: Iterable[Rule],
    memories: Iterable[Memory],
    titles: Mapping[IncidentId, str],
    told_alike: Sequence[IncidentId] = (),
) -> tuple[SimilarIncident, ...]:
    """The five that resemble it most; the same app with the same rules comes first. `told_alike`
    begins with the one that is most."""
    others = [one for one in told_alike if one != incident.id][:LOOK_AT]
    alike = {one: 1 - place / LOOK_AT for place, one in enumerate(others)}
    given = frozenset(str(rule) for rule in rules)
    found = [
        _compared(
            incident,
            given,
            memory,
            titles.get(memory.incident_id, ""),
            alike.get(memory.incident_id, 0.0),
        )
        for memory in memories
        if memory.incident_id != incident.id
    ]
    return tuple(sorted(found, key=lambda s: (-s.score, -s.memory.created_us))[:MOST])


def _compared(
    incident: Incident, rules: frozenset[str], memory: Memory, title: str, alike: float
) -> SimilarIncident:
    is_same_place = memory.namespace == incident.namespace
    is_same_app = memory.app == incident.app and is_same_place
    theirs = frozenset(memory.rules)
    either = rules | theirs
    overlap = len(rules & theirs) / len(either) if either else 0.0
    score = (
        (SAME_APP if is_same_app else 0.0)
        + (SAME_NAMESPACE if is_same_place else 0.0)
        + SAME_RULES * overlap
        + (ITS_FIX_HELD if memory.has_held else 0.0)
        + TOLD_ALIKE * alike
    )
    where = f"same app {memory.app}" if is_same_app else f"{memory.namespace}/{memory.app}"
    shared = sorted(rules & theirs)
    signs = f"same signs ({', '.join(shared)})" if shared else "other signs"
    return SimilarIncident(
        memory=memory,
        title=title or f"{memory.app}: {memory.cause}",
        score=round(min(score, 1.0), 2),
        reason=f"{where}, {signs}" + (", told alike" if alike else ""),
    )
