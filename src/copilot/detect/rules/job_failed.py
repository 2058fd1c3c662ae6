"""Work that should have been done once has failed: a Job, or a pod that nothing makes again.

A Job that has failed says so in a condition. One whose pods have failed twice without a success is
on its way there; with its growing back-off it may take ten minutes more.

Quiet: a Job that was done in the end, a first failure with tries left, a failure of more than an
hour ago, one of a CronJob whose later run was done, pods that were evicted or turned away by their
node (they have not failed by themselves), a pod being deleted.
https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy
"""

from __future__ import annotations

from collections.abc import Iterator

from copilot.detect.placing import (
    RECENT_US,
    SECOND_US,
    alert_about,
    all_containers,
    clip,
    clock_time,
    live_pods,
    pod_alert,
)
from copilot.detect.wellness import has
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import Condition, Pod, controller_of, epoch_us
from copilot.domain.surroundings import Job

SEVERITY = 3
FAILURES = 2
STALE_US = 3600 * SECOND_US


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each Job (its CronJob, where it has one) and lone pod that failed."""
    for job in seen.jobs:
        failure = _failure(job)
        if failure is not None:
            since_us = epoch_us(failure.last_transition_time)
            if not _is_history(seen, job, since_us):
                why = clip(failure.message or failure.reason or "no reason given", 200)
                yield _alert(seen, job, since_us, "has failed", f"{failure.reason}: {why}")
        elif job.status.failed >= FAILURES and not job.status.succeeded and not _is_done(job):
            since_us = epoch_us(job.status.start_time or job.metadata.creation_timestamp)
            yield _alert(
                seen, job, since_us, "keeps failing", f"{job.status.failed} of its pods have failed"
            )
    for pod in live_pods(seen):
        yield from _lone(seen, pod)


def _failure(job: Job) -> Condition | None:
    """The condition that ended it, or that will as soon as its last pods are gone."""
    return next(
        (
            c
            for kind in ("Failed", "FailureTarget")
            for c in job.status.conditions or ()
            if c.type == kind and c.status == "True"
        ),
        None,
    )


def _is_done(job: Job) -> bool:
    conditions = job.status.conditions
    return job.spec.suspend or has(conditions, "Complete") or has(conditions, "SuccessCriteriaMet")


def _is_history(seen: Seen, job: Job, failed_us: int) -> bool:
    if seen.now_us - failed_us > STALE_US:
        return True
    owner = controller_of(job.metadata)
    return owner is not None and any(
        epoch_us(c.status.last_successful_time) > failed_us
        for c in seen.cron_jobs
        if c.metadata.uid == owner.uid
    )


def _alert(seen: Seen, job: Job, since_us: int, what: str, why: str) -> Alert:
    workload = seen.top_of("Job", job.metadata)
    own = f"Job {job.metadata.name}"
    return alert_about(
        seen,
        workload,
        rule=Rule.JOB_FAILED,
        severity=SEVERITY,
        title=f"{own} {what} ({why})"
        if workload.kind == "Job"
        else f"{own} of {workload.name} {what} ({why})",
        message=(
            f"{own} {what} at {clock_time(since_us)}: {why}. Pods failed so far: "
            f"{job.status.failed}, succeeded: {job.status.succeeded}."
        ),
        starts_us=since_us,
        count=job.status.failed,
        source="Job status",
    )


def _lone(seen: Seen, pod: Pod) -> Iterator[Alert]:
    """A pod that was to run once, by itself. `status.reason` is set where a node ended it."""
    if pod.status.phase != "Failed" or pod.status.reason or controller_of(pod.metadata):
        return
    for view in all_containers(pod):
        end = view.status.state.terminated if view.status.state else None
        if end is None or not end.exit_code:
            continue
        ended_us = epoch_us(end.finished_at)
        if seen.now_us - ended_us <= RECENT_US:
            yield pod_alert(
                seen,
                pod,
                rule=Rule.JOB_FAILED,
                container=view.status.name,
                severity=SEVERITY,
                title=f"Pod {pod.metadata.name} has failed (exit {end.exit_code})",
                message=(
                    f"Container {view.status.name} ended at {clock_time(ended_us)} with "
                    f"{clip(end.reason, 60) or 'no reason'}, exit code {end.exit_code}, and its "
                    f"pod is not started again (restartPolicy {clip(pod.spec.restart_policy, 20)})."
                ),
                starts_us=ended_us,
            )
