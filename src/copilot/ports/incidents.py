"""Incidents in the store, with their timeline, alerts and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from copilot.domain.alert import Alert
from copilot.domain.evidence import Evidence, Gap
from copilot.domain.hypothesis import Findings
from copilot.domain.incident import EntryKind, Incident, IncidentId, Status, TimelineEntry
from copilot.domain.objects import ObjectRef
from copilot.domain.runbook import RunbookMatch


class NewEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A timeline entry before it has its number."""

    ts_us: int
    kind: EntryKind
    actor: str
    title: str
    detail: str = ""
    evidence: tuple[str, ...] = ()


class NewIncident(msgspec.Struct, frozen=True, kw_only=True):
    severity: int
    title: str
    cluster: str
    namespace: str
    app: str
    workload: ObjectRef
    open_key: str
    first_signal_us: int
    opened_us: int


class Incidents(Protocol):
    async def open(self, new: NewIncident) -> Incident:
        """Raises: Conflict where one with this `open_key` is open already."""
        ...

    async def get(self, incident_id: IncidentId) -> Incident:
        """Raises: NotFound."""
        ...

    async def opened(self, cluster: str) -> tuple[Incident, ...]:
        """All that are open, newest first."""
        ...

    async def page(
        self, *, status: Sequence[Status] = (), namespace: str = "", before_id: int = 0, limit: int
    ) -> tuple[Incident, ...]:
        """Newest first; `before_id` pages on."""
        ...

    async def last_resolved(self, open_key: str) -> Incident | None:
        """The newest resolved one of the same place."""
        ...

    async def save(self, incident: Incident) -> Incident:
        """Write it as given, with `rev` one up.

        Raises:
            Conflict: its `rev` is not the stored one.
        """
        ...

    async def add_alert(self, incident_id: IncidentId, alert: Alert, reason: str) -> bool:
        """True where the alert is new to the incident; a repeat refreshes it and is False."""
        ...

    async def alerts(self, incident_id: IncidentId) -> tuple[Alert, ...]: ...

    async def add_entry(self, incident_id: IncidentId, entry: NewEntry) -> TimelineEntry: ...

    async def timeline(
        self, incident_id: IncidentId, after_seq: int = 0
    ) -> tuple[TimelineEntry, ...]:
        """By `seq`."""
        ...

    async def keep_evidence(
        self, incident_id: IncidentId, evidence: Iterable[Evidence]
    ) -> tuple[Evidence, ...]:
        """Stores what is new (by source and body) and gives all back with their lasting ids: an
        id once given never changes its meaning. The ids that come in are ignored."""
        ...

    async def evidence(self, incident_id: IncidentId) -> tuple[Evidence, ...]: ...

    async def keep_findings(
        self, incident_id: IncidentId, findings: Findings, gaps: Sequence[Gap], at_us: int
    ) -> None:
        """Replaces those of an earlier look."""
        ...

    async def findings(self, incident_id: IncidentId) -> tuple[Findings, tuple[Gap, ...]] | None:
        """None before the first look."""
        ...

    async def keep_runbooks(
        self, incident_id: IncidentId, matches: Sequence[RunbookMatch]
    ) -> None: ...

    async def runbooks(self, incident_id: IncidentId) -> tuple[RunbookMatch, ...]: ...
