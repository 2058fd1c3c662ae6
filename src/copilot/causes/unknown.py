"""No cause is supported: what is known, and what would tell more."""

from __future__ import annotations

from copilot.causes.citing import alert_key, backed, concluded, line_key, object_key, said
from copilot.causes.failures import endings, failing_pods
from copilot.causes.wording import clock, times
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict

_CHECKS = {
    Rule.OOM_KILLED: "Watch the container's working set against its limit.",
    Rule.CRASH_LOOP: "Read what the container logged last before it ended.",
    Rule.IMAGE_PULL: "Pull the image by hand with the same credentials.",
    Rule.UNSCHEDULABLE: "Compare the pod's requests and selectors with the nodes.",
    Rule.NOT_READY: "Ask the readiness endpoint from inside the pod.",
    Rule.ERROR_BURST: "Follow one of the errors to the service it names.",
    Rule.EXTERNAL: "Follow the alert's own runbook.",
}


def unknown(case: Case) -> Hypothesis | None:
    """ "I do not know", with the facts there are and the next thing to check."""
    rule = case.alerts[0].rule if case.alerts else None
    return concluded(
        Cause.UNKNOWN,
        title="The cause is not known",
        verdict=Verdict.INCONCLUSIVE,
        confidence=0.1,
        supporting=(*_ended(case), *_logged(case), *_alerts(case)),
        next_check=_CHECKS[rule] if rule else "Look at the pods' states and their last lines.",
    )


def _ended(case: Case) -> tuple[Statement, ...]:
    found = endings(case)
    if not found:
        return ()
    last = found[-1]
    lines = [
        line
        for line in case.lines
        if line.pod == last.pod.metadata.name and line.ts_us <= last.finished_us + 1_000_000
    ]
    return said(
        case,
        f"{last.container} in {last.pod.metadata.name} ended with exit code {last.exit_code} "
        f"({last.reason}) at {clock(last.finished_us)}; its last lines are kept.",
        object_key(last.pod.metadata),
        *(line_key(line) for line in lines[-5:]),
    )


def _logged(case: Case) -> tuple[Statement, ...]:
    errors = [line for line in case.lines if line.level in ("error", "fatal")]
    if not errors:
        return ()
    last = backed(case, errors, line_key)[-1]
    return said(case, f"At {clock(last.ts_us)} it logged an error.", line_key(last))


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
