"""A frozen snapshot: the incident and all that is known about it, for agents to read."""

from __future__ import annotations

import msgspec

from copilot.domain.alert import Alert
from copilot.domain.change import Change
from copilot.domain.event import LogLine, Series, TemplateActivity
from copilot.domain.evidence import Evidence, Gap
from copilot.domain.incident import Incident
from copilot.domain.memory import SimilarIncident
from copilot.domain.objects import Deployment, KubeEvent, Node, ObjectRef, Pod, ReplicaSet, Service
from copilot.domain.surroundings import CronJob, Job, Surroundings


class FailedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """A fix of ours for this incident that did not hold and was taken back."""

    action: str
    """JSON of the `Action`."""
    why: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an agent may know. Built once by the context agent; agents add nothing to it.

    `evidence` holds what may be cited, E1..En. `cited_as` finds the id for a stored source:
    `case.cited_as["object:<uid>"]`, `case.cited_as["log:<segment>:<line>"]`,
    `case.cited_as["change:<uid>@<us>"]`, `case.cited_as["metric:<name>{<pod>/<container>}"]`,
    `case.cited_as["event:<uid>"]`, `case.cited_as["incident:<id>"]`.
    """

    taken_us: int
    incident: Incident
    alerts: tuple[Alert, ...]
    owner_chain: tuple[ObjectRef, ...]
    """From the failing pod up to the workload."""
    workload: Deployment | None
    replica_sets: tuple[ReplicaSet, ...]
    """Of the workload, newest revision first."""
    pods: tuple[Pod, ...]
    """Of the workload, as they are now, and those that failed lately."""
    nodes: tuple[Node, ...]
    services: tuple[Service, ...]
    """Those whose selector picks the workload's pods."""
    events: tuple[KubeEvent, ...]
    lines: tuple[LogLine, ...]
    """Of the failing containers, oldest first, bounded."""
    templates: tuple[TemplateActivity, ...]
    memory: tuple[Series, ...]
    """Working set in bytes of the workload's containers, with pods that are gone."""
    changes: tuple[Change, ...]
    """In the namespace before and during, oldest first."""
    similar: tuple[SimilarIncident, ...]
    attempts: tuple[FailedAttempt, ...]
    evidence: tuple[Evidence, ...]
    cited_as: dict[str, str]
    gaps: tuple[Gap, ...]
    surroundings: Surroundings = Surroundings()
    job: Job | None = None
    """Where the workload is a Job, or one that a CronJob made."""
    cron_job: CronJob | None = None
    cpu: tuple[Series, ...] = ()
    """Cores used and the share of throttled periods, of the workload's containers."""
