"""Init containers, Jobs and CronJobs: back, once more, or on again. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.templates import undone
from copilot.causes.citing import object_key
from copilot.causes.connecting import troubles
from copilot.causes.cron_job_stopped import active_job
from copilot.causes.failures import began_us, endings, failing_pods, is_gone
from copilot.causes.job_fails import ref_of
from copilot.causes.references import references_of
from copilot.domain.action import DeletePod, RerunJob, SetSuspended
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import ObjectRef, Pod, controller_of
from copilot.domain.proposal import Draft
from copilot.domain.surroundings import Job


def init_container_fails(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Back, where a rollout brought it in; why it fails otherwise is in its own log."""
    found = tuple(undone(case, hypothesis))
    yield from found
    if not found:
        yield "why its init container fails is in its log, and no rollout brought it in"


def job_fails(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Once more, where what it stumbled over may have passed or was mended since. Not where time ran
    out or every try ended the same way: the next would too."""
    job = case.job
    if job is None:
        return
    if hypothesis.detail == "deadline":
        yield "run again it would be stopped at the same deadline"
        return
    if controller_of(job.metadata) is not None:
        yield "its CronJob starts the next one by itself"
        return
    hope = _hope(case, job)
    if not hope:
        yield (
            f"each of its {job.status.failed} tries failed the same way, and nothing that it reads was "
            "changed since: run again it would fail as before"
        )
        return
    yield drafted(
        case,
        RerunJob(target=ref_of(job)),
        title=f"Run Job {job.metadata.name} once more",
        why=(
            f"It has given up and will not try again by itself. {hope}: it may end well now, or fail "
            "the same way."
        ),
        hypothesis=hypothesis,
        keys=(object_key(job.metadata),),
        is_stopgap=True,
    )


def _hope(case: Case, job: Job) -> str:
    """Why the next try may end otherwise, empty where nothing speaks for it."""
    tries = endings(case)
    last_us = max((e.finished_us for e in tries), default=began_us(case))
    reads = {(r.kind, r.name) for r in references_of(job.spec.template.spec)}
    for change in case.changes:
        if change.ts_us > last_us and (change.object.kind, change.object.name) in reads:
            return f"{change.object.kind} {change.object.name}, which it reads, was changed since"
    if troubles(case):
        return "It could not reach another, which may be back"
    if len({(e.container, e.reason, e.exit_code) for e in tries}) > 1:
        return "Its tries did not all end the same way"
    return "It was tried only once" if max(len(tries), job.status.failed) < 2 else ""


def cron_job_stopped(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """On again where it is suspended; the pod that does not end away where one stands in the way."""
    cron_job = case.cron_job
    if cron_job is None or hypothesis.subject is None:
        return
    name = cron_job.metadata.name
    if hypothesis.detail == "suspended":
        yield drafted(
            case,
            SetSuspended(target=hypothesis.subject, is_suspended=False),
            title=f"Let CronJob {name} go on",
            why="It is suspended. Somebody may have done that on purpose: ask before approving.",
            hypothesis=hypothesis,
            keys=(object_key(cron_job.metadata),),
        )
    elif hypothesis.detail == "blocked":
        yield from _stuck(case, hypothesis)
    else:
        yield "its deadline for a late start, or its schedule, is for people to change"


def _stuck(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    job = active_job(case, case.cron_job) if case.cron_job else None
    pods = [p for p in case.pods if job and _is_of(p, job.metadata.uid) and not is_gone(p)]
    unwell = [p for p in pods if p in failing_pods(case)]
    for pod in (unwell or pods)[:1]:
        meta = pod.metadata
        yield drafted(
            case,
            DeletePod(
                target=ObjectRef(kind="Pod", namespace=meta.namespace, name=meta.name, uid=meta.uid)
            ),
            title=f"Delete pod {meta.name}, which does not end",
            why=(
                "Its Job makes another. If that ends, the CronJob goes on; what this one was doing "
                "is lost."
            ),
            hypothesis=hypothesis,
            keys=(object_key(meta),),
            is_stopgap=True,
        )
        return
    yield "the Job that stands in the way has no pod that was seen"


def _is_of(pod: Pod, uid: str) -> bool:
    owner = controller_of(pod.metadata)
    return owner is not None and owner.uid == uid
