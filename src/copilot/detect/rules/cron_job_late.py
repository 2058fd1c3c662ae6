"""A CronJob has missed its times.

The controller starts a Job within a second or two of its time; one that is half a minute late was
missed. Where a run that still goes on may not be joined by another (`Forbid`), a late one is how
it was meant: it counts only once two times were missed.

A suspended CronJob is meant to be quiet. One that was suspended while we watched, and that had been
running at its times until then, is told once its next time is missed, and softly, for an hour: it
may be maintenance, and it may be forgotten.

Quiet: a new CronJob before its first time, one in time, one that was changed (the controller makes
up for what it missed, or need not) before its next time, one whose schedule we cannot read, or that
ran last at a time which it does not have: then its control plane reads it in another time zone.
https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from copilot.detect.placing import (
    SECOND_US,
    alert_about,
    clip,
    clock_time,
    duration,
    last_events,
    place_of,
)
from copilot.detect.schedule import due_after
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import epoch_us
from copilot.domain.surroundings import CronJob

SEVERITY = 3
SEVERITY_SUSPENDED = 4
PATIENCE_US = 30 * SECOND_US
SUSPENDED_US = 3600 * SECOND_US
FRESH_US = 600 * SECOND_US


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each CronJob that should have run and did not."""
    told = last_events(seen, "MissSchedule", "TooManyMissedTimes", "UnknownTimeZone")
    for cron_job in seen.cron_jobs:
        changed_us = seen.changed_us.get(cron_job.metadata.uid, 0)
        is_leaving = cron_job.metadata.deletion_timestamp is not None
        if is_leaving or seen.now_us - changed_us < PATIENCE_US:
            continue
        event = told.get(place_of("CronJob", cron_job.metadata))
        is_told = (
            event is not None
            and seen.now_us - epoch_us(event.occurred) <= FRESH_US
            and epoch_us(event.occurred) > epoch_us(cron_job.status.last_schedule_time)
        )
        if cron_job.spec.suspend:
            yield from _suspended(seen, cron_job)
        elif event is not None and is_told:
            yield _alert(seen, cron_job, epoch_us(event.occurred), SEVERITY, event.message)
        else:
            yield from _late(seen, cron_job)


def _late(seen: Seen, cron_job: CronJob) -> Iterator[Alert]:
    last_us = epoch_us(cron_job.status.last_schedule_time)
    since_us = last_us or epoch_us(cron_job.metadata.creation_timestamp)
    if last_us and not cron_job.spec.time_zone and _due_after(cron_job, last_us - 1) != last_us:
        return
    changed_us = seen.changed_us.get(cron_job.metadata.uid, 0)
    due_us = _due_after(cron_job, max(since_us, changed_us))
    if not due_us or seen.now_us - due_us < PATIENCE_US:
        return
    running = cron_job.status.active or ()
    if cron_job.spec.concurrency_policy == "Forbid" and running:
        second_us = _due_after(cron_job, due_us)
        if second_us and seen.now_us - second_us >= PATIENCE_US:
            why = f"Job {clip(running[0].name, 80)} still runs and may not be joined by another"
            yield _alert(seen, cron_job, due_us, SEVERITY, why)
        return
    yield _alert(seen, cron_job, due_us, SEVERITY, "no Job was made")


def _suspended(seen: Seen, cron_job: CronJob) -> Iterator[Alert]:
    suspended_us = seen.suspended_us.get(cron_job.metadata.uid)
    last_us = epoch_us(cron_job.status.last_schedule_time)
    if suspended_us is None or not last_us:
        return
    was_in_time = (_due_after(cron_job, last_us) or 0) > suspended_us - PATIENCE_US
    due_us = _due_after(cron_job, suspended_us)
    if was_in_time and due_us and PATIENCE_US <= seen.now_us - due_us < SUSPENDED_US:
        why = f"it was suspended at {clock_time(suspended_us)}"
        yield _alert(seen, cron_job, due_us, SEVERITY_SUSPENDED, why)


def _due_after(cron_job: CronJob, moment_us: int) -> int | None:
    """None where it is never due, or we cannot tell."""
    spec = cron_job.spec
    moment = datetime.fromtimestamp(moment_us / SECOND_US, UTC)
    after = due_after(spec.schedule, spec.time_zone, moment)
    return None if after is None else epoch_us(after)


def _alert(seen: Seen, cron_job: CronJob, since_us: int, severity: int, why: str) -> Alert:
    name, last = cron_job.metadata.name, cron_job.status.last_schedule_time
    ran = f"It ran last at {clock_time(epoch_us(last))}" if last else "It has never run"
    return alert_about(
        seen,
        seen.top_of("CronJob", cron_job.metadata),
        rule=Rule.CRON_JOB_LATE,
        severity=severity,
        title=f"CronJob {name} has missed its time: {clip(why, 140)}",
        message=(
            f"By its schedule {clip(cron_job.spec.schedule, 60)} CronJob {name} was due at "
            f"{clock_time(since_us)} ({duration(seen.now_us - since_us)} ago): {clip(why)}. {ran}."
        ),
        starts_us=since_us,
        source="CronJob status",
    )
