"""A CronJob starts no more Jobs: it is suspended, or a Job that does not end stands in its way."""

from __future__ import annotations

from copilot.causes.changed import changed
from copilot.causes.citing import concluded, event_key, object_key, said
from copilot.causes.failures import alerts_of, events_about, failing_pods
from copilot.causes.wording import lasting, one_line
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import ObjectRef, epoch_us
from copilot.domain.surroundings import CronJob, Job

SUSPENDED = 0.95
BLOCKED = 0.93
MISSED = 0.8
_MISSES = ("TooManyMissedTimes", "UnknownTimeZone", "MissSchedule", "FailedNeedsStart")


def cron_job_stopped(case: Case) -> Hypothesis | None:
    """Supported where the CronJob's own spec and status show why nothing is started."""
    cron_job = case.cron_job
    if cron_job is None:
        return None
    found = _suspended(case, cron_job) or _blocked(case, cron_job) or _missed(case, cron_job)
    if found is None:
        return None
    detail, title, confidence, statements = found
    return concluded(
        Cause.CRON_JOB_STOPPED,
        title=title,
        verdict=Verdict.SUPPORTED,
        confidence=confidence,
        supporting=(*statements, *changed(case, "CronJob", cron_job.metadata.name)),
        subject=ref_of(cron_job),
        detail=detail,
    )


_Found = tuple[str, str, float, tuple[Statement, ...]]


def ref_of(cron_job: CronJob) -> ObjectRef:
    meta = cron_job.metadata
    return ObjectRef(kind="CronJob", namespace=meta.namespace, name=meta.name, uid=meta.uid)


def _suspended(case: Case, cron_job: CronJob) -> _Found | None:
    if not cron_job.spec.suspend:
        return None
    name = cron_job.metadata.name
    told = said(
        case,
        f"CronJob {name} is suspended: {_last_run(case, cron_job)}.",
        object_key(cron_job.metadata),
    )
    return "suspended", f"CronJob {name} is suspended", SUSPENDED, told


def _blocked(case: Case, cron_job: CronJob) -> _Found | None:
    """It may not start another while one runs, and a start has failed for that: a run that merely
    takes its time is none in the way."""
    active = [a.name for a in cron_job.status.active or ()]
    if cron_job.spec.concurrency_policy != "Forbid" or not active:
        return None
    if not alerts_of(case, Rule.CRON_JOB_LATE) and not events_about(case, "JobAlreadyActive"):
        return None
    job = active_job(case, cron_job)
    since = epoch_us(job.status.start_time) if job else 0
    running = f" has run for {lasting(case.taken_us - since)} and" if since else ""
    waits = [p for p in failing_pods(case) if object_key(p.metadata) in case.cited_as][:1]
    told = said(
        case,
        f"Job {active[0]}{running} is still active, and the concurrency policy Forbid lets no other "
        f"start: {_last_run(case, cron_job)}.",
        object_key(cron_job.metadata),
        *((object_key(job.metadata),) if job else ()),
        *(object_key(p.metadata) for p in waits),
    )
    title = f"CronJob {cron_job.metadata.name} waits for Job {active[0]}, which does not end"
    return "blocked", title, BLOCKED, told


def active_job(case: Case, cron_job: CronJob) -> Job | None:
    """The Job that stands in the way, as far as it was seen."""
    active = {a.name for a in cron_job.status.active or ()}
    known = (*([case.job] if case.job else []), *case.surroundings.jobs)
    running = [j for j in known if j.metadata.name in active]
    return min(running, key=lambda j: epoch_us(j.status.start_time), default=None)


def _missed(case: Case, cron_job: CronJob) -> _Found | None:
    told = [e for e in events_about(case, *_MISSES) if e.involved_object.kind == "CronJob"]
    if not told:
        return None
    deadline = cron_job.spec.starting_deadline_seconds
    allowed = f" It may start {deadline} s late at most." if deadline is not None else ""
    name = cron_job.metadata.name
    words = said(
        case,
        f"CronJob {name} missed its time: {one_line(told[0].message, 200)}.{allowed}",
        event_key(told[0]),
        object_key(cron_job.metadata),
    )
    return "deadline", f"CronJob {name} missed its time to start", MISSED, words


def _last_run(case: Case, cron_job: CronJob) -> str:
    last = epoch_us(cron_job.status.last_schedule_time)
    if not last:
        return "it has not started anything yet"
    return f"it started a Job last {lasting(case.taken_us - last)} ago"
