"""The detective: from a case to ranked hypotheses and a summary, each sentence with its evidence.

The causes in `causes/` say it without a model. A model, when there is one, may read further and
add, refine or refute (`investigator.py`); what it says passes the same check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from copilot.agents.citations import checked
from copilot.agents.investigator import investigate
from copilot.causes import explain
from copilot.causes.citing import alert_key, change_key, incident_key, object_key, said
from copilot.causes.failures import began_us, endings, failing_pods, is_gone, state_words
from copilot.causes.rollouts import (
    JUST_BEFORE_US,
    SLACK_US,
    Rollout,
    is_of_workload,
    just_before,
    rollouts,
)
from copilot.causes.wording import clock, lasting, time_before
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Findings, Hypothesis, Statement, Verdict
from copilot.domain.objects import Pod, epoch_us
from copilot.ports import LanguageModel

SURE = 0.85
LIKELY = 0.6
ALIKE = 0.6
"""From this score on, an earlier incident is worth a sentence."""

CAUSE_NAMES: dict[Cause, str] = {
    Cause.MEMORY_LIMIT_TOO_LOW: "a memory limit that is too low",
    Cause.MEMORY_LEAK: "a memory leak",
    Cause.BAD_ROLLOUT: "new code or configuration",
    Cause.IMAGE_MISSING: "a missing image",
    Cause.BAD_PROBE: "a wrong probe",
    Cause.UNSCHEDULABLE: "a lack of nodes",
    Cause.MEMORY_VOLUME: "a volume in memory that fills up",
    Cause.CPU_LIMIT_TOO_LOW: "a CPU limit that is too low",
    Cause.CONFIG_MISSING: "a missing ConfigMap",
    Cause.SECRET_MISSING: "a missing Secret",
    Cause.BAD_SETTING: "a wrong setting",
    Cause.COMMAND_INVALID: "a command that cannot be run",
    Cause.PORT_CONFLICT: "two programs on one port",
    Cause.VOLUME_UNAVAILABLE: "a volume that is not to be had",
    Cause.VOLUME_PERMISSION: "a volume that may not be written",
    Cause.QUOTA_EXCEEDED: "a full quota",
    Cause.LIMIT_RANGE_VIOLATED: "a limit range",
    Cause.ADMISSION_DENIED: "a policy",
    Cause.ADMISSION_WEBHOOK_DOWN: "a webhook that does not answer",
    Cause.SERVICE_ACCOUNT_MISSING: "a missing service account",
    Cause.PERMISSION_MISSING: "missing rights",
    Cause.SERVICE_SELECTOR_MISMATCH: "a Service that selects the wrong pods",
    Cause.SERVICE_PORT_MISMATCH: "a Service with the wrong port",
    Cause.SCALED_TO_ZERO: "a workload scaled to nothing",
    Cause.NAME_NOT_RESOLVED: "a name that is not resolved",
    Cause.NETWORK_POLICY_BLOCKS: "a network policy",
    Cause.DEPENDENCY_DOWN: "a dependency that is down",
    Cause.CERTIFICATE_INVALID: "an invalid certificate",
    Cause.INIT_CONTAINER_FAILS: "a failing init container",
    Cause.JOB_FAILS: "a failed Job",
    Cause.CRON_JOB_STOPPED: "a CronJob that starts nothing",
    Cause.EVICTED: "an eviction",
    Cause.NODE_UNHEALTHY: "an unhealthy node",
    Cause.UNKNOWN: "other causes",
}


async def hypothesis(case: Case, model: LanguageModel | None = None) -> Findings:
    """What is known about the cause; the model's part is missing where it gave no valid answer."""
    found = deduced(case)
    return found if model is None else await investigate(case, found, model)


def deduced(case: Case) -> Findings:
    """What code alone concludes. The same case gives the same findings."""
    known = frozenset(item.id for item in case.evidence)
    dropped = 0
    hypotheses = []
    for found in explain(case):
        supporting = checked(found.supporting, known)
        against = checked(found.against, known)
        dropped += supporting.dropped + against.dropped
        if supporting.kept or against.kept:
            hypotheses.append(replace(found, supporting=supporting.kept, against=against.kept))
    summary = checked(summarised(case, tuple(hypotheses)), known)
    return Findings(
        summary=summary.kept,
        hypotheses=tuple(hypotheses),
        dropped=dropped + summary.dropped,
        model="",
        tokens_in=0,
        tokens_out=0,
    )


def summarised(case: Case, hypotheses: tuple[Hypothesis, ...]) -> tuple[Statement, ...]:
    """Two to four sentences: what is broken, what changed, the likely cause, what was ruled out;
    and one more where this was seen before."""
    return (
        *_broken(case),
        *_changed(case),
        *_likely(hypotheses),
        *ruled_out(hypotheses),
        *_seen_before(case),
    )


def _broken(case: Case) -> tuple[Statement, ...]:
    failing = failing_pods(case)
    alerts = [alert_key(a) for a in case.alerts]
    place = case.incident.workload
    since = clock(began_us(case))
    if not failing:
        what = case.alerts[0].title if case.alerts else case.incident.title
        return said(case, f"{place}: {what}, since {since}.", *alerts)
    return said(
        case,
        f"{_count(case, failing)} failing since {since}: {_how(case, failing)}.",
        *(object_key(p.metadata) for p in failing),
        *alerts,
    )


def _count(case: Case, failing: Sequence[Pod]) -> str:
    there = [p for p in case.pods if not is_gone(p)]
    still = [p for p in failing if not is_gone(p)]
    place = case.incident.workload
    if not still:
        return f"{place}: pods that are gone by now were"
    if len(there) == 1:
        return f"{place}: its only pod is"
    return f"{place}: {len(still)} of its {len(there)} pods {'is' if len(still) == 1 else 'are'}"


def _how(case: Case, failing: Sequence[Pod]) -> str:
    """What the pod that failed last shows."""
    ends = endings(case)
    return state_words(ends[-1].pod if ends else failing[0])


def _changed(case: Case) -> tuple[Statement, ...]:
    began = began_us(case)
    change = just_before(case, began)
    if change is not None:
        gap = began - change.at_us
        return said(case, f"{time_before(gap)}, {_words(change)}.", *change.keys)
    known = [r for r in rollouts(case) if r.at_us < began]
    if known:
        last = known[-1]
        return said(
            case,
            f"Nothing was changed in the half hour before; the last change, {lasting(began - last.at_us)} "
            f"before, was: {last.title}{last.by}.",
            *last.keys,
        )
    return _first_rollout(case, began) or said(
        case,
        "No change of it was seen in the hour before.",
        *(object_key(r.metadata) for r in case.replica_sets[:1]),
    )


def _first_rollout(case: Case, began: int) -> tuple[Statement, ...]:
    older = [
        r for r in case.replica_sets if epoch_us(r.metadata.creation_timestamp) <= began + SLACK_US
    ]
    if len(older) != 1:
        return ()
    only = older[0]
    gap = began - epoch_us(only.metadata.creation_timestamp)
    if gap > JUST_BEFORE_US:
        return ()
    made = [c for c in case.changes if is_of_workload(case, c) and not c.fields]
    by = f" by {made[0].actor}" if made and made[0].actor else ""
    return said(
        case,
        f"{time_before(gap)}, it was rolled out for the first time{by}.",
        object_key(only.metadata),
        *(change_key(c) for c in made[:1]),
    )


def _words(change: Rollout) -> str:
    return f"{change.actor or 'somebody'} changed it: {change.title}"


def _likely(hypotheses: tuple[Hypothesis, ...]) -> tuple[Statement, ...]:
    if not hypotheses or hypotheses[0].verdict is Verdict.REFUTED:
        return ()
    top = hypotheses[0]
    cites = tuple(dict.fromkeys(e for s in top.supporting for e in s.evidence))
    if top.verdict is Verdict.INCONCLUSIVE:
        is_open = top.cause is Cause.UNKNOWN
        state = top.title if is_open else f"The cause is not decided; perhaps: {top.title}"
        return (Statement(text=f"{state}. Next: {top.next_check}", evidence=cites),)
    sure = "The cause" if top.confidence >= SURE else "The likely cause"
    word = sure if top.confidence >= LIKELY else "A possible cause"
    return (Statement(text=f"{word} ({top.confidence:.0%}): {top.title}.", evidence=cites),)


def ruled_out(hypotheses: tuple[Hypothesis, ...]) -> tuple[Statement, ...]:
    """One sentence on all that is refuted; none where nothing is."""
    out = [h for h in hypotheses if h.verdict is Verdict.REFUTED and h.against]
    if not out:
        return ()
    names = ", ".join(CAUSE_NAMES[h.cause] for h in out)
    cites = tuple(dict.fromkeys(e for h in out for s in h.against for e in s.evidence))
    return (Statement(text=f"Ruled out: {names}.", evidence=cites),)


def _seen_before(case: Case) -> tuple[Statement, ...]:
    alike = [s for s in case.similar if s.score >= ALIKE]
    if not alike:
        return ()
    memory = alike[0].memory
    held = "and it held" if memory.has_held else "but it did not hold"
    fix = f" What was done then: {memory.fix}, {held}." if memory.fix else ""
    return said(
        case,
        f"It resembles INC-{memory.incident_id} ({alike[0].reason}).{fix}",
        incident_key(memory.incident_id),
    )
