"""New code or configuration was rolled out, and what runs it fails."""

from __future__ import annotations

import re

from copilot.causes.citing import (
    alert_key,
    concluded,
    line_key,
    object_key,
    said,
)
from copilot.causes.failures import (
    alerts_of,
    began_us,
    endings_of,
    failing_pods,
    failing_revision,
    is_of_older_revision,
    oom_kills,
    restarts_of,
    revision_of,
    was_fine,
)
from copilot.causes.kubelet_words import kubelet_words
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import (
    JUST_BEFORE_US,
    SLACK_US,
    Part,
    Rollout,
    just_before,
    rollouts,
    variable_of,
)
from copilot.causes.wording import clock, lasting, one_line, time_before
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.event import Severity
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import Pod, epoch_us

CHANGED_JUST_BEFORE = 0.55
CLOSE_US = 5 * 60 * 1_000_000
CLOSE = 0.05
ONLY_NEW_PODS_FAIL = 0.25
NEW_ERRORS = 0.08
NAMED_IN_THE_LOG = 0.12
SHORTEST_NAME = 4
"""A shorter name of a variable stands in a log for anything."""
OLD_PODS_FAIL_TOO = 0.25
UNTOUCHED = 0.03
TITLE = "New code or configuration broke it"


def bad_rollout(case: Case) -> Hypothesis | None:
    """Supported where code or configuration changed in the half hour before the first failure.

    Refuted where nothing changed, where it failed before, and where the change touched nothing
    but memory limits, probes or placement: those have causes of their own.
    """
    if not case.alerts and not failing_pods(case):
        return None
    began = began_us(case)
    rollout = just_before(case, began)
    if rollout is None:
        return _nothing_before(case, began)
    if not rollout.parts & {Part.CODE, Part.OTHER}:
        return _explained(case, rollout)
    earlier = _failed_before(case, rollout)
    if earlier:
        return _refuted(earlier)
    contrast, spread = _only_the_new_fail(case), _old_fail_too(case)
    named = _named_in_the_log(case, rollout)
    errors = named or _new_errors(case, rollout)
    confidence = (
        CHANGED_JUST_BEFORE
        + (CLOSE if began - rollout.at_us <= CLOSE_US else 0)
        + (ONLY_NEW_PODS_FAIL if contrast else 0)
        + (NAMED_IN_THE_LOG if named else NEW_ERRORS if errors else 0)
        - (OLD_PODS_FAIL_TOO if spread else 0)
    )
    return concluded(
        Cause.BAD_ROLLOUT,
        title=f"The rollout broke it: {one_line(rollout.title)}",
        verdict=Verdict.INCONCLUSIVE if spread else Verdict.SUPPORTED,
        confidence=confidence,
        supporting=(
            *_changed(case, rollout, began),
            *contrast,
            *kubelet_words(case),
            *errors,
        ),
        against=spread,
        next_check="Compare pods of both revisions under the same load." if spread else "",
        subject=workload_ref(case),
        detail=_detail(rollout),
    )


def _detail(rollout: Rollout) -> str:
    """What was rolled out: `config_map`, `image`, `command` (with its arguments),
    `environment`, `template` for anything else."""
    paths = [f.path for f in rollout.fields]
    if rollout.config_map:
        return "config_map"
    if any(p.endswith("].image") for p in paths):
        return "image"
    if any(p.endswith(("].command", "].args")) for p in paths):
        return "command"
    return "environment" if any(".env" in p for p in paths) else "template"


def _refuted(against: tuple[Statement, ...]) -> Hypothesis | None:
    return concluded(
        Cause.BAD_ROLLOUT,
        title=TITLE,
        verdict=Verdict.REFUTED,
        confidence=UNTOUCHED,
        against=against,
    )


def _changed(case: Case, rollout: Rollout, began: int) -> tuple[Statement, ...]:
    return said(
        case,
        f"{time_before(began - rollout.at_us)} the first failure, at {clock(rollout.at_us)}, "
        f"this was rolled out{rollout.by}: {rollout.title}.",
        *rollout.keys,
    )


def _nothing_before(case: Case, began: int) -> Hypothesis | None:
    later = [r for r in rollouts(case) if r.at_us > began + SLACK_US]
    if later:
        first = later[0]
        return _refuted(
            said(
                case,
                f"The failures began at {clock(began)}, before the change of {clock(first.at_us)} "
                f"({first.title}).",
                *first.keys,
                *(alert_key(a) for a in case.alerts),
            )
        )
    earlier = [r for r in rollouts(case) if r.at_us < began - JUST_BEFORE_US]
    if earlier:
        last = earlier[-1]
        return _refuted(
            said(
                case,
                f"The last rollout was {lasting(began - last.at_us)} before the first failure.",
                *last.keys,
            )
        )
    return _refuted(_unchanged(case, began))


def _unchanged(case: Case, began: int) -> tuple[Statement, ...]:
    if not case.replica_sets:
        return ()
    newest = case.replica_sets[0]
    made = epoch_us(newest.metadata.creation_timestamp)
    if len(case.replica_sets) == 1:
        text = (
            f"There was no earlier revision that could have been better: revision "
            f"{revision_of(newest)}, created at {clock(made)}, is the only one."
        )
    else:
        text = (
            f"Neither code nor configuration changed: revision {revision_of(newest)} has run for "
            f"{lasting(began - made)} before the first failure."
        )
    return said(case, text, object_key(newest.metadata))


def _explained(case: Case, rollout: Rollout) -> Hypothesis | None:
    """The rollout changed only what another cause is about."""
    if rollout.parts == {Part.MEMORY} and not (oom_kills(case) or alerts_of(case, Rule.OOM_KILLED)):
        return None
    about = {Part.MEMORY: "memory limit", Part.PROBE: "probes", Part.PLACE: "requests or placement"}
    what = " and ".join(sorted(about[p] for p in rollout.parts))
    return _refuted(
        said(
            case,
            f"The change of {clock(rollout.at_us)} touched only the {what}; image, command and "
            "environment are as before.",
            *rollout.keys,
        )
    )


def _failed_before(case: Case, rollout: Rollout) -> tuple[Statement, ...]:
    """The same trouble, in pods of an earlier revision, before the rollout."""
    kinds = {e.reason for p in failing_pods(case) for e in endings_of(p)[-1:]}
    for pod in case.pods:
        for ending in endings_of(pod):
            is_before = 0 < ending.finished_us < rollout.at_us - SLACK_US
            if is_before and ending.reason in kinds and is_of_older_revision(case, pod):
                return said(
                    case,
                    f"{pod.metadata.name} of the revision before had ended the same way "
                    f"({ending.reason}) at {clock(ending.finished_us)}, before the rollout.",
                    object_key(pod.metadata),
                )
    return ()


def _only_the_new_fail(case: Case) -> tuple[Statement, ...]:
    new = [p for p in failing_pods(case) if not is_of_older_revision(case, p)]
    fine = [p for p in case.pods if is_of_older_revision(case, p) and was_fine(case, p)]
    if not new or not fine or _old_failing(case):
        return ()
    best = min(fine, key=restarts_of)
    failing = failing_revision(case)
    return said(
        case,
        f"Pods of revision {revision_of(failing) if failing else 0} fail; "
        f"{best.metadata.name} of the revision before ran "
        f"{'without a restart' if restarts_of(best) == 0 else 'without failing'}.",
        object_key(best.metadata),
        *(object_key(p.metadata) for p in new),
    )


def _old_failing(case: Case) -> list[Pod]:
    return [p for p in failing_pods(case) if is_of_older_revision(case, p)]


def _old_fail_too(case: Case) -> tuple[Statement, ...]:
    old = _old_failing(case)
    if not old:
        return ()
    return said(
        case,
        f"{old[0].metadata.name} of the revision before fails too.",
        *(object_key(p.metadata) for p in old),
    )


def _new_errors(case: Case, rollout: Rollout) -> tuple[Statement, ...]:
    """An error that nobody had logged before the rollout."""
    by_address = {line.address: line for line in case.lines}
    fresh = [
        t
        for t in case.templates
        if t.severity >= Severity.ERROR
        and t.first_us >= rollout.at_us - SLACK_US
        and t.last_address in by_address
    ]
    if not fresh:
        return ()
    most = max(fresh, key=lambda t: t.recent_count)
    return said(
        case,
        f"Since then the log holds an error that was never seen before ({most.recent_count} in "
        f"the last minutes): {one_line(by_address[most.last_address].body)}",
        line_key(by_address[most.last_address]),
    )


def _named_in_the_log(case: Case, rollout: Rollout) -> tuple[Statement, ...]:
    """What the pods of the new revision say about a variable that the rollout changed."""
    names = [n for f in rollout.fields if len(n := variable_of(f.path)) >= SHORTEST_NAME]
    new = {p.metadata.name for p in failing_pods(case) if not is_of_older_revision(case, p)}
    for line in reversed(case.lines):
        if line.pod not in new or line_key(line) not in case.cited_as:
            continue
        name = next((n for n in names if re.search(rf"\b{re.escape(n)}\b", line.body)), "")
        if name:
            return said(
                case,
                f"Its log speaks of {name}, which the rollout changed: {one_line(line.body)}",
                line_key(line),
                *rollout.keys,
            )
    return ()
