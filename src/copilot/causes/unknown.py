"""No cause is supported: what is known, and what would tell more."""

from __future__ import annotations

from copilot.causes.citing import alert_key, concluded, line_key, object_key, said
from copilot.causes.failures import endings, failing_pods, statuses_of
from copilot.causes.kubelet_words import kubelet_words
from copilot.causes.wording import clock, lasting, one_line, times
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.event import LogLine
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import epoch_us

_CHECKS = {
    Rule.OOM_KILLED: "Watch the container's working set against its limit.",
    Rule.CRASH_LOOP: "Read what the container logged last before it ended.",
    Rule.IMAGE_PULL: "Pull the image by hand with the same credentials.",
    Rule.UNSCHEDULABLE: "Compare the pod's requests and selectors with the nodes.",
    Rule.NOT_READY: "Ask the readiness endpoint from inside the pod.",
    Rule.ERROR_BURST: "Follow one of the errors to the service it names.",
    Rule.EXTERNAL: "Follow the alert's own runbook.",
    Rule.NOT_CREATED: "Read why its controller may not create pods: kubectl describe.",
    Rule.VOLUME_PENDING: "Compare the claim with the classes and volumes there are.",
    Rule.NO_ENDPOINTS: "Compare the Service's selector with the labels of the pods.",
    Rule.JOB_FAILED: "Read what the Job's last pod logged.",
    Rule.CRON_JOB_LATE: "Look at its schedule, and whether an earlier Job still runs.",
    Rule.NODE_UNHEALTHY: "Look at the kubelet's own log on the node.",
    Rule.EVICTED: "Read in the pod's status which resource ran short.",
    Rule.CPU_THROTTLED: "Compare its use of CPU with its limit.",
}


_ERRORS = ("error", "fatal")
_FOLLOW = "Follow what is said there: it is the nearest there is to a cause."
_IS_IT_A_JOB = "Is it meant to end? Then it is a Job; else look at its command and arguments."


def unknown(case: Case) -> Hypothesis | None:
    """ "I do not know", with the facts there are and the next thing to check."""
    rule = case.alerts[0].rule if case.alerts else None
    line = _telling_line(case)
    check = _CHECKS[rule] if rule else "Look at the pods' states and their last lines."
    is_error = line is not None and line.level in _ERRORS
    words, done = kubelet_words(case), _ends_well(case)
    title = "The cause is not known"
    if line and is_error:
        title += f"; the program says: {one_line(line.body, 100)}"
    elif words:
        title += f"; {one_line(words[0].text.rstrip('.'), 200)}"
    if words or is_error:
        check = _FOLLOW
    elif done:
        check = _IS_IT_A_JOB
    return concluded(
        Cause.UNKNOWN,
        title=title,
        verdict=Verdict.INCONCLUSIVE,
        confidence=0.1,
        supporting=(*words, *_ended(case), *done, *_logged(case, line), *_alerts(case)),
        next_check=check,
    )


def _ends_well(case: Case) -> tuple[Statement, ...]:
    """It is no failure that a program is done; that it is started again makes a loop of it."""
    for pod in case.pods:
        for status in statuses_of(pod):
            ended = status.last_state.terminated if status.last_state else None
            if status.restart_count and ended and not ended.exit_code and not endings(case):
                return said(
                    case,
                    f"{status.name} in {pod.metadata.name} ended well (exit 0) at "
                    f"{clock(epoch_us(ended.finished_at))} and was started again: its restart "
                    f"policy is {pod.spec.restart_policy}.",
                    object_key(pod.metadata),
                )
    return ()


def _ended(case: Case) -> tuple[Statement, ...]:
    found = endings(case)
    if not found:
        return ()
    last = found[-1]
    lived = f", {lasting(last.lived_us)} after its start" if last.started_us else ""
    return said(
        case,
        f"{last.container} in {last.pod.metadata.name} ended with exit code {last.exit_code} "
        f"({last.reason}) at {clock(last.finished_us)}{lived}.",
        object_key(last.pod.metadata),
    )


def _telling_line(case: Case) -> LogLine | None:
    """The last error that was logged, else what a container said last before it ended."""
    stored = [line for line in case.lines if line_key(line) in case.cited_as]
    errors = [line for line in stored if line.level in _ERRORS]
    ends = {(e.pod.metadata.name, e.container): e for e in endings(case)}
    last_words = [
        line
        for line in stored
        if (end := ends.get((line.pod, line.container)))
        and line.ts_us <= end.finished_us + 1_000_000
    ]
    return next(reversed(errors or last_words), None)


def _logged(case: Case, line: LogLine | None) -> tuple[Statement, ...]:
    if line is None:
        return ()
    return said(case, f"At {clock(line.ts_us)} it logged: {one_line(line.body)}", line_key(line))


def _alerts(case: Case) -> tuple[Statement, ...]:
    if not case.alerts:
        return said(
            case,
            "The workload's pods are not well.",
            *(object_key(p.metadata) for p in failing_pods(case)),
        )
    first = min(case.alerts, key=lambda a: a.starts_us)
    return said(
        case,
        f"All that is sure: {first.title}, seen {times(first.count)} since "
        f"{clock(first.starts_us)}.",
        *(alert_key(a) for a in case.alerts),
    )
