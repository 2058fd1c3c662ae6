"""What people handle: alerts grouped because they share a cause or a place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NewType

from copilot.domain.errors import Conflict
from copilot.domain.objects import ObjectRef

IncidentId = NewType("IncidentId", int)


class Status(StrEnum):
    OPEN = "open"
    INVESTIGATING = "investigating"
    AWAITING_APPROVAL = "awaiting_approval"
    REMEDIATING = "remediating"
    RESOLVED = "resolved"


MOVES: dict[Status, frozenset[Status]] = {
    Status.OPEN: frozenset({Status.INVESTIGATING, Status.AWAITING_APPROVAL, Status.RESOLVED}),
    Status.INVESTIGATING: frozenset({Status.OPEN, Status.AWAITING_APPROVAL, Status.RESOLVED}),
    Status.AWAITING_APPROVAL: frozenset(
        {Status.INVESTIGATING, Status.OPEN, Status.REMEDIATING, Status.RESOLVED}
    ),
    Status.REMEDIATING: frozenset({Status.INVESTIGATING, Status.RESOLVED}),
    Status.RESOLVED: frozenset({Status.OPEN}),
}
"""All the ways an incident can go; only a relapse leads back from `resolved`."""


class Grouping(StrEnum):
    """Why an alert belongs to an incident."""

    FIRST_ALERT = "first_alert"
    SAME_ALERT = "same_alert"
    SAME_WORKLOAD = "same_workload"
    SAME_POD = "same_pod"
    SAME_NODE = "same_node"
    SAME_CHANGE = "same_change"
    RELAPSE = "relapse"
    SAME_OBJECT = "same_object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """`open_key` is unique among open incidents: one trouble at one place is one incident."""

    id: IncidentId
    status: Status
    severity: int
    """1 (worst) to 4."""
    title: str
    summary: str
    cluster: str
    namespace: str
    app: str
    workload: ObjectRef
    open_key: str
    first_signal_us: int
    """When the trouble began; times to resolve count from here."""
    opened_us: int
    updated_us: int
    acknowledged_us: int | None
    acknowledged_by: str | None
    resolved_us: int | None
    resolution: str | None
    mttr_seconds: int | None
    rev: int

    @property
    def is_open(self) -> bool:
        return self.status is not Status.RESOLVED

    def move(self, *, to: Status, at_us: int) -> Incident:
        """This incident in its new status.

        Raises:
            Conflict: `MOVES` has no such move.
        """
        if to not in MOVES[self.status]:
            raise Conflict(f"incident INC-{self.id} is {self.status}; it cannot become {to}")
        return replace(self, status=to, updated_us=at_us)

    def resolve(self, *, resolution: str, at_us: int) -> Incident:
        """The end of it; time to resolve counts from the first signal.

        Raises:
            Conflict: it is resolved already.
        """
        ended = self.move(to=Status.RESOLVED, at_us=at_us)
        seconds = max(0, (at_us - self.first_signal_us) // 1_000_000)
        return replace(ended, resolved_us=at_us, resolution=resolution, mttr_seconds=seconds)

    def reopen(self, *, at_us: int) -> Incident:
        """The same incident, open again: what resolved it did not last.

        Raises:
            Conflict: it is not resolved.
        """
        if self.is_open:
            raise Conflict(f"incident INC-{self.id} is {self.status}; it cannot be reopened")
        again = self.move(to=Status.OPEN, at_us=at_us)
        return replace(again, resolved_us=None, resolution=None, mttr_seconds=None)


class EntryKind(StrEnum):
    """What a line of the timeline tells."""

    SIGNAL = "signal"
    CHANGE = "change"
    OPENED = "opened"
    ALERT = "alert"
    FINDING = "finding"
    RUNBOOK = "runbook"
    PROPOSAL = "proposal"
    APPROVAL = "approval"
    ACTION = "action"
    VERIFICATION = "verification"
    NOTIFICATION = "notification"
    STATUS = "status"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """`seq` counts up within the incident; `ts_us` is when it happened, so order by that."""

    incident_id: IncidentId
    seq: int
    ts_us: int
    kind: EntryKind
    actor: str
    title: str
    detail: str
    evidence: tuple[str, ...]
    """Ids of evidence, `E1` .. of the same incident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One change that every screen replays; `seq` counts up without gaps within the cluster."""

    cluster: str
    seq: int
    ts_us: int
    kind: str
    """`incident.updated`, `timeline.added`, `proposal.updated`, `objects.changed`, ..."""
    incident_id: IncidentId | None
    detail: str
