"""A Job has given up: its pods failed too often, or it took too long."""

from __future__ import annotations

from copilot.causes.changed import rolled_out
from copilot.causes.citing import concluded, line_key, object_key, said
from copilot.causes.failures import endings
from copilot.causes.last_words import last_words
from copilot.causes.wording import lasting, one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import Condition, ObjectRef, epoch_us
from copilot.domain.surroundings import Job

GAVE_UP = 0.8
OVERDUE = 0.9
STILL_TRYING = 0.5
_WAYS = {
    "BackoffLimitExceeded": "backoff_limit",
    "DeadlineExceeded": "deadline",
    "PodFailurePolicy": "pod_failure_policy",
    "MaxFailedIndexesExceeded": "failed_indexes",
    "FailedIndexes": "failed_indexes",
}


def job_fails(case: Case) -> Hypothesis | None:
    """Supported where the Job says that it has failed; undecided while it tries again. Why its
    pods fail is the better cause where one is known.

    Refuted where it has succeeded since.
    """
    job = case.job
    if job is None:
        return None
    if _is_done(job):
        return _succeeded(case, job) if job.status.failed else None
    condition = failed(job)
    if condition is None and not job.status.failed:
        return None
    way = _WAYS.get(condition.reason or "", "") if condition else ""
    confidence = STILL_TRYING if condition is None else OVERDUE if way == "deadline" else GAVE_UP
    return concluded(
        Cause.JOB_FAILS,
        title=_title(job, way, condition),
        verdict=Verdict.SUPPORTED if condition else Verdict.INCONCLUSIVE,
        confidence=confidence,
        supporting=(
            *_told(case, job, condition),
            *_spec(case, job, way),
            *_pods(case),
            *rolled_out(case),
        ),
        next_check="" if condition else "See whether the next try ends well.",
        subject=subject_of(case, job),
        detail=way,
    )


def subject_of(case: Case, job: Job) -> ObjectRef:
    """The CronJob whose template it is, where one made it."""
    if case.cron_job is None:
        return ref_of(job)
    meta = case.cron_job.metadata
    return ObjectRef(kind="CronJob", namespace=meta.namespace, name=meta.name, uid=meta.uid)


def ref_of(job: Job) -> ObjectRef:
    meta = job.metadata
    return ObjectRef(kind="Job", namespace=meta.namespace, name=meta.name, uid=meta.uid)


def _is_done(job: Job) -> bool:
    """Of a Job with several completions the first success is not the last."""
    is_complete = job.status.completion_time or job.status.succeeded >= (job.spec.completions or 1)
    return bool(is_complete) and failed(job) is None


def failed(job: Job) -> Condition | None:
    """Why it has failed, or is sure to once its pods have ended; None while it goes on.
    https://kubernetes.io/docs/concepts/workloads/controllers/job/#termination-of-job-pods"""
    found = [
        c
        for c in job.status.conditions or ()
        if c.type in ("Failed", "FailureTarget") and c.status == "True"
    ]
    return max(found, key=lambda c: c.type == "Failed", default=None)


def _title(job: Job, way: str, condition: Condition | None) -> str:
    name = job.metadata.name
    if way == "deadline":
        return f"Job {name} did not end within {job.spec.active_deadline_seconds or 0} s"
    if condition is not None:
        return f"Job {name} has given up after {job.status.failed} failed pods"
    return f"Pods of Job {name} fail"


def _told(case: Case, job: Job, condition: Condition | None) -> tuple[Statement, ...]:
    words = (
        f"has failed ({condition.reason}): {one_line(condition.message or '', 200)}"
        if condition
        else "goes on trying"
    )
    return said(
        case,
        f"Job {job.metadata.name} {words.rstrip('.')}; {job.status.failed} of its pods failed.",
        object_key(job.metadata),
    )


def _spec(case: Case, job: Job, way: str) -> tuple[Statement, ...]:
    if way == "deadline" and job.status.start_time:
        began = epoch_us(job.status.start_time)
        ended = epoch_us((failed(job) or Condition(type="", status="")).last_transition_time)
        return said(
            case,
            f"Its spec gives it {job.spec.active_deadline_seconds} s; it was stopped after "
            f"{lasting(ended - began)}.",
            object_key(job.metadata),
        )
    if way == "backoff_limit" and job.spec.backoff_limit is not None:
        return said(
            case,
            f"Its spec allows {job.spec.backoff_limit} retries.",
            object_key(job.metadata),
        )
    return ()


def _pods(case: Case) -> tuple[Statement, ...]:
    found = [e for e in endings(case) if object_key(e.pod.metadata) in case.cited_as]
    if not found:
        return ()
    last = found[-1]
    line = last_words(case, last)
    return (
        *said(
            case,
            f"{last.container} in {last.pod.metadata.name} ended with exit code {last.exit_code}.",
            object_key(last.pod.metadata),
        ),
        *(said(case, f"The last it logged: {one_line(line.body)}", line_key(line)) if line else ()),
    )


def _succeeded(case: Case, job: Job) -> Hypothesis | None:
    return concluded(
        Cause.JOB_FAILS,
        title=f"Pods of Job {job.metadata.name} fail",
        verdict=Verdict.REFUTED,
        confidence=0.05,
        against=said(
            case,
            f"Job {job.metadata.name} has succeeded since; {job.status.failed} tries failed before.",
            object_key(job.metadata),
        ),
        subject=subject_of(case, job),
    )
