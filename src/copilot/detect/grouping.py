"""Which incident an alert belongs to, and why.

Alerts of one workload are symptoms of one trouble and hang under one incident; a node's alert
belongs to what broke on that node at that time, and what a sick node breaks belongs to it. What one
object refuses to many (a full quota, a webhook that does not answer) is one trouble. What the last
resolution has already dealt with opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from copilot.detect.rules.not_created import blocker_of
from copilot.domain.alert import Alert, Rule
from copilot.domain.incident import Grouping, Incident, IncidentId

MINUTE_US = 60_000_000

NEAR_US = 10 * MINUTE_US
"""How far apart a node's alert and an incident on that node may lie."""

SETTLING_US = 15 * MINUTE_US
"""How long after a resolution older trouble of the same place may still show itself. What goes on
for longer was not resolved, whoever said so, and opens a new incident."""

_CAUSE_FIRST = (
    Rule.NODE_UNHEALTHY,
    Rule.OOM_KILLED,
    Rule.IMAGE_PULL,
    Rule.NOT_CREATED,
    Rule.VOLUME_PENDING,
    Rule.EVICTED,
    Rule.UNSCHEDULABLE,
    Rule.CPU_THROTTLED,
    Rule.CRASH_LOOP,
    Rule.JOB_FAILED,
    Rule.CRON_JOB_LATE,
    Rule.ERROR_BURST,
    Rule.NOT_READY,
    Rule.NO_ENDPOINTS,
    Rule.EXTERNAL,
)
"""Rules, those first that come nearest to naming a cause."""

_BROKEN_BY_NODES = frozenset({Rule.EVICTED, Rule.NOT_READY})
"""What a node does to pods that are well themselves."""

OpenIncident = tuple[Incident, tuple[Alert, ...]]
"""An open incident with its alerts."""


class Skipped(StrEnum):
    """Why an alert belongs to no incident."""

    NOT_FIRING = "not_firing"
    """It has ended, and nothing is open that it could end."""
    RESOLVED_BEFORE = "resolved_before"
    """The trouble began before the last resolution at the same place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The incident to hang the alert under; `incident_id` None opens one."""

    incident_id: IncidentId | None
    reason: Grouping


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """The alert is to be left alone, with why."""

    reason: Skipped


def open_key(alert: Alert) -> str:
    """The place, the same for all troubles of one workload: `dev/Deployment/demo/oom-demo`."""
    return f"{alert.cluster}/{alert.workload.key}"


def place(
    alert: Alert, open_incidents: Sequence[OpenIncident], last_resolved: Incident | None
) -> Placement | Skip:
    """Where the alert belongs.

    `open_incidents` are those of the alert's cluster, `last_resolved` is the newest resolved one
    with the alert's `open_key`. An alert that has ended is only ever placed where it once fired.
    """
    here = [(i, alerts) for i, alerts in open_incidents if i.cluster == alert.cluster]
    for incident, alerts in here:
        if any(a.fingerprint == alert.fingerprint for a in alerts):
            return Placement(incident_id=incident.id, reason=Grouping.SAME_ALERT)
    if not alert.is_firing:
        return Skip(reason=Skipped.NOT_FIRING)
    joined = (
        _by_workload(alert, here)
        or _by_pod(alert, here)
        or _by_node(alert, here)
        or _by_sick_node(alert, here)
        or _by_blocker(alert, here)
    )
    if joined:
        return joined
    if last_resolved and _was_dealt_with(alert, last_resolved):
        return Skip(reason=Skipped.RESOLVED_BEFORE)
    return Placement(incident_id=None, reason=Grouping.FIRST_ALERT)


def severity_of(alert: Alert) -> int:
    """1 (worst) to 4: how bad an incident with this alert is at least."""
    return min(4, max(1, alert.severity))


def title_of(alerts: Iterable[Alert]) -> str:
    """The title of the alert that says most about the cause; those that fire go first.

    Raises:
        ValueError: there are none.
    """
    return min(
        alerts, key=lambda a: (not a.is_firing, _CAUSE_FIRST.index(a.rule), a.starts_us)
    ).title


def _by_workload(alert: Alert, here: Sequence[OpenIncident]) -> Placement | None:
    for incident, _ in here:
        if incident.open_key == open_key(alert) or _is_same_app(alert, incident):
            return Placement(incident_id=incident.id, reason=Grouping.SAME_WORKLOAD)
    return None


def _is_same_app(alert: Alert, incident: Incident) -> bool:
    """Logs may know an application's name only."""
    workload = alert.workload
    is_by_name = workload.kind == "App" or incident.workload.kind == "App"
    return is_by_name and workload.namespace == incident.namespace and workload.name == incident.app


def _by_pod(alert: Alert, here: Sequence[OpenIncident]) -> Placement | None:
    if not alert.pod:
        return None
    for incident, alerts in here:
        # What a node does to a pod does not explain what goes wrong inside it.
        if incident.workload.kind == "Node" and alert.rule not in _BROKEN_BY_NODES:
            continue
        if any(
            a.pod == alert.pod and a.workload.namespace == alert.workload.namespace for a in alerts
        ):
            return Placement(incident_id=incident.id, reason=Grouping.SAME_POD)
    return None


def _by_node(alert: Alert, here: Sequence[OpenIncident]) -> Placement | None:
    """The incident with the nearest trouble on the node that the alert is about."""
    if alert.workload.kind != "Node":
        return None
    near = [
        (_distance_us(alert, other), -incident.id, incident)
        for incident, alerts in here
        for other in alerts
        if other.node == alert.workload.name
        and _distance_us(alert, other) <= NEAR_US
        # A node that is sick itself is a cause; what fails for its own reasons does not explain it.
        and (alert.rule is not Rule.NODE_UNHEALTHY or other.rule in _BROKEN_BY_NODES)
    ]
    if not near:
        return None
    return Placement(incident_id=min(near, key=lambda n: n[:2])[2].id, reason=Grouping.SAME_NODE)


def _by_sick_node(alert: Alert, here: Sequence[OpenIncident]) -> Placement | None:
    """The incident of the node that the alert's pod is on, where such nodes do such things."""
    if alert.rule not in _BROKEN_BY_NODES or not alert.node:
        return None
    for incident, alerts in here:
        if any(
            other.rule is Rule.NODE_UNHEALTHY
            and other.is_firing
            and other.node == alert.node
            and _distance_us(alert, other) <= NEAR_US
            for other in alerts
        ):
            return Placement(incident_id=incident.id, reason=Grouping.SAME_NODE)
    return None


def _by_blocker(alert: Alert, here: Sequence[OpenIncident]) -> Placement | None:
    """The incident about what the same quota or webhook refuses."""
    blocker = blocker_of(alert.message) if alert.rule is Rule.NOT_CREATED else ""
    if not blocker:
        return None
    for incident, alerts in here:
        if any(
            other.rule is Rule.NOT_CREATED
            and other.is_firing
            and blocker_of(other.message) == blocker
            and (other.workload.namespace == alert.workload.namespace or "webhook" in blocker)
            for other in alerts
        ):
            return Placement(incident_id=incident.id, reason=Grouping.SAME_OBJECT)
    return None


def _distance_us(alert: Alert, other: Alert) -> int:
    """0 while the other trouble went on."""
    return max(0, other.starts_us - alert.starts_us, alert.starts_us - other.last_us)


def _was_dealt_with(alert: Alert, resolved: Incident) -> bool:
    ended_us = resolved.resolved_us
    return (
        ended_us is not None
        and alert.starts_us <= ended_us
        and alert.last_us <= ended_us + SETTLING_US
    )
