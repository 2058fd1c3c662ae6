"""What was learned from a resolved incident."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from copilot.domain.hypothesis import Cause
from copilot.domain.incident import IncidentId

MemoryId = NewType("MemoryId", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One resolved incident: its signature, its cause, what fixed it and whether that held.

    An old conclusion comes back as a hypothesis to check again, never as evidence of the cause.
    """

    id: MemoryId
    incident_id: IncidentId
    cluster: str
    namespace: str
    app: str
    rules: tuple[str, ...]
    cause: Cause
    fix: str
    """For people: `memory limit of app 32Mi → 64Mi`; empty where none was applied."""
    action: str
    """JSON of the applied `Action`, empty for none."""
    has_held: bool
    mttr_seconds: int
    created_us: int
    expires_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarIncident:
    """A memory that resembles the case at hand, with why."""

    memory: Memory
    title: str
    score: float
    """0 to 1."""
    reason: str
