"""Init containers, Jobs and CronJobs: back, once more, or on again. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.templates import undone
from copilot.causes.citing import object_key
from copilot.causes.connecting import troubles
from copilot.causes.cron_job_stopped import active_job
from copilot.causes.failures import (
    began_us,
    endings,
    endings_of,
    failing_pods,
    is_gone,
    restarts_of,
)
from copilot.causes.job_fails import failed, ref_of
from copilot.causes.references import references_of
from copilot.causes.wording import lasting
from copilot.domain.action import (
    LEAST_DEADLINE_S,
    MOST_DEADLINE_S,
    DeletePod,
    RerunJob,
    SetSuspended,
)
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import ObjectRef, Pod, controller_of, epoch_us
from copilot.domain.proposal import Draft
from copilot.domain.surroundings import Job

MORE_TIME = 4
SECOND_US = 1_000_000


def init_container_fails(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Back, where a rollout brought it in; why it fails otherwise is in its own log."""
    found = tuple(undone(case, hypothesis))
    yield from found
    if not found:
        yield "why its init container fails is in its log, and no rollout brought it in"


def job_fails(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Once more, where what it stumbled over may have passed or was mended since, or with more time
    where it was stopped at work. Not where every try ended the same way: the next would too."""
    job = case.job
    if job is None:
        return
    if controller_of(job.metadata) is not None:
        yield "its CronJob starts the next one by itself"
        return
    if hypothesis.detail == "deadline":
        yield from _with_more_time(case, hypothesis, job)
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


def _with_more_time(case: Case, hypothesis: Hypothesis, job: Job) -> Iterator[Draft | str]:
    """Where nothing but the deadline ended it: more time helps nobody who fails or hangs at once."""
    now, name = job.spec.active_deadline_seconds or 0, job.metadata.name
    at_work = _at_work(case, job)
    if not at_work:
        yield "run again it would be stopped at the same deadline, and nothing shows that it was at work"
        return
    wanted = max(LEAST_DEADLINE_S, MORE_TIME * now)
    if wanted > MOST_DEADLINE_S:
        yield f"how much more than {lasting(now * SECOND_US)} it may take is for people to say"
        return
    yield drafted(
        case,
        RerunJob(target=ref_of(job), deadline_s=wanted),
        title=f"Run Job {name} once more, with {wanted} s instead of {now} s",
        why=(
            "It was stopped by its deadline while it ran without a failure. How long it needs is not "
            f"known: {MORE_TIME} times as long, and ten minutes at least, as a deadline is there to "
            "end what hangs. What it did before it was stopped it may do a second time."
        ),
        hypothesis=hypothesis,
        keys=(object_key(job.metadata), *(object_key(p.metadata) for p in at_work)),
        is_stopgap=True,
    )


def _at_work(case: Case, job: Job) -> tuple[Pod, ...]:
    """Its pods, where they ran from their start until the deadline; none where one had failed."""
    condition = failed(job)
    stopped_us = epoch_us(condition.last_transition_time) if condition else 0
    own = tuple(p for p in case.pods if _is_of(p, job.metadata.uid))
    has_failed = any(
        restarts_of(p) or any(e.finished_us < stopped_us - SECOND_US for e in endings_of(p))
        for p in own
    )
    return () if has_failed else tuple(p for p in own if _has_run(p))


def _has_run(pod: Pod) -> bool:
    states = [s.state for s in pod.status.container_statuses or () if s.state]
    return any(state.running or state.terminated for state in states)


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
