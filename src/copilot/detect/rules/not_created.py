"""A controller's pods are refused before they exist: by a quota, an admission webhook, a missing
service account, a policy.

A ReplicaSet says so in a condition. A StatefulSet, a DaemonSet, a Job and a CronJob say it in
events only, and go on saying it ever more seldom (up to every 16 minutes), so an event counts while
pods are lacking, none was made since, and the object is what it was.

Quiet: for the first three seconds (a service account that comes with its namespace), for a minute
where a quota is full and a pod of the namespace is leaving it (one of the earlier revision), an
object that has all its pods, a finished or suspended Job, a refusal after which pods were made, a
namespace that is being deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from copilot.detect.placing import (
    SECOND_US,
    alert_about,
    clip,
    clock_time,
    duration,
    first_us,
    last_events,
    place_of,
)
from copilot.detect.wellness import has, wanted
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import Deployment, Metadata, epoch_us
from copilot.domain.surroundings import Job

SEVERITY = 2
PATIENCE_US = 3 * SECOND_US
LEAVING_US = 60 * SECOND_US
FRESH_US = 60 * SECOND_US
"""A CronJob makes a Job at its times only: nothing tells whether the next one will be refused."""

_PREAMBLE = re.compile(
    r"(?:\(combined from similar events\): )?(?:Error creating: |create Pod \S+ in StatefulSet \S+ failed error: )?"
    r'(?:(?:pods|jobs\.batch|replicasets\.apps) "[^"]*" is forbidden: )?'
)
_ENDING = re.compile(r"namespace \S{1,70} because it is being terminated")
_QUOTA = re.compile(r"exceeded (quota: [\w.-]+), requested: ((?:[\w./-]+=\w+,?)+)")
_WEBHOOK = re.compile(r'failed calling (webhook "[\w.-]+")')


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each workload whose pods are refused."""
    refused = last_events(seen, "FailedCreate")
    made = last_events(seen, "SuccessfulCreate")
    for controller in seen.controllers:
        told = _condition(controller)
        if told is not None:
            yield from _alert(seen, controller.kind, controller.metadata, *told)
    lacking = [
        *((c.kind, c.metadata) for c in seen.controllers if c.kind in _BY_EVENT and _lacks(c)),
        *(("Job", job.metadata) for job in seen.jobs if _lacks_pods(job)),
    ]
    for kind, metadata in lacking:
        place = place_of(kind, metadata)
        event, later = refused.get(place), made.get(place)
        if event is None or event.involved_object.uid != metadata.uid:
            continue
        if later is None or epoch_us(later.occurred) < epoch_us(event.occurred):
            yield from _alert(seen, kind, metadata, first_us(event), event.message)
    for cron_job in seen.cron_jobs:
        event = refused.get(place_of("CronJob", cron_job.metadata))
        if event is not None and seen.now_us - epoch_us(event.occurred) < FRESH_US:
            yield from _alert(seen, "CronJob", cron_job.metadata, first_us(event), event.message)


_BY_EVENT = frozenset({"StatefulSet", "DaemonSet"})


def blocker_of(message: str) -> str:
    """What refuses, where it refuses everybody alike: a quota that is used up (of this resource), a
    webhook that does not answer. Empty where it is about this workload alone, or not named."""
    if quota := _QUOTA.search(message):
        resources = sorted(part.partition("=")[0] for part in quota[2].split(",") if part)
        return f"{quota[1]} ({', '.join(resources)})"
    webhook = _WEBHOOK.search(message)
    return webhook[1] if webhook else ""


def _condition(controller: Deployment) -> tuple[int, str] | None:
    """Since when, and why, by a condition: of the ReplicaSet, or of a Deployment that may not even
    make one."""
    for condition in controller.status.conditions or ():
        is_refused = condition.type == "ReplicaFailure" and condition.status == "True"
        has_no_set = (condition.type, condition.reason) == ("Progressing", "ReplicaSetCreateError")
        if (is_refused and condition.reason == "FailedCreate") or has_no_set:
            return epoch_us(condition.last_transition_time), condition.message or ""
    return None


def _lacks(controller: Deployment) -> bool:
    """Whether pods are lacking, ready or not."""
    if controller.kind == "DaemonSet":
        return controller.status.current_number_scheduled < wanted(controller)
    return controller.status.replicas < wanted(controller)


def _lacks_pods(job: Job) -> bool:
    if job.spec.suspend or has(job.status.conditions, "Failed"):
        return False
    return not job.status.active and not has(job.status.conditions, "Complete")


def _alert(
    seen: Seen, kind: str, metadata: Metadata, since_us: int, message: str
) -> Iterator[Alert]:
    is_making_room = _QUOTA.search(message) is not None and any(
        pod.metadata.deletion_timestamp and pod.metadata.namespace == metadata.namespace
        for pod in seen.pods
    )
    patience_us = LEAVING_US if is_making_room else PATIENCE_US
    if seen.now_us - since_us < patience_us or _ENDING.search(message):
        return
    why = clip(_PREAMBLE.sub("", message, count=1) or "no reason given", 200)
    workload = seen.top_of(kind, metadata)
    what = "Jobs" if kind == "CronJob" else "pods"
    yield alert_about(
        seen,
        workload,
        rule=Rule.NOT_CREATED,
        severity=SEVERITY,
        title=f"{workload.name} gets no {what}: {clip(why, 140)}",
        message=(
            f"{kind} {metadata.name} has been refused its {what} since {clock_time(since_us)} "
            f"({duration(seen.now_us - since_us)}): {clip(message, 800)}"
        ),
        starts_us=since_us,
        source=f"{kind} status",
    )
