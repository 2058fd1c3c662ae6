"""A container that must end well before the others start does not."""

from __future__ import annotations

from copilot.causes.changed import rolled_out
from copilot.causes.citing import concluded, line_key, object_key, said
from copilot.causes.failures import Ending, container_of, endings
from copilot.causes.last_words import last_words
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import Part
from copilot.causes.wording import clock, lasting, one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict

ENDED_BADLY = 0.75
WITH_ITS_WORDS = 0.85


def init_container_fails(case: Case) -> Hypothesis | None:
    """Supported where an init container ended badly and the pod still waits for it; one that ran
    out of memory has a cause of its own. Why it ends so may be another cause's to say."""
    for ending in reversed(endings(case)):
        if ending.is_oom or not _is_waited_for(ending):
            continue
        line = last_words(case, ending)
        lived = f" after {lasting(ending.lived_us)}" if ending.started_us else ""
        name = ending.container
        told = said(
            case,
            f"Init container {name} of {ending.pod.metadata.name} ended with exit code "
            f"{ending.exit_code} at {clock(ending.finished_us)}{lived}; the others wait for it.",
            object_key(ending.pod.metadata),
        )
        words = (
            said(case, f"The last it logged: {one_line(line.body)}", line_key(line)) if line else ()
        )
        return concluded(
            Cause.INIT_CONTAINER_FAILS,
            title=f"Init container {name} ends with exit code {ending.exit_code}"
            + (f": {one_line(line.body, 80)}" if line else ""),
            verdict=Verdict.SUPPORTED,
            confidence=WITH_ITS_WORDS if words else ENDED_BADLY,
            supporting=(*told, *words, *rolled_out(case, lambda r: Part.CODE in r.parts)),
            next_check="Follow what it said last." if words else f"Read the log of {name}.",
            subject=workload_ref(case),
            detail="exit",
        )
    return None


def _is_waited_for(ending: Ending) -> bool:
    """An init container that has not ended well since; not a sidecar, which runs on, once the
    others are up."""
    pod = ending.pod
    spec = container_of(pod.spec, ending.container)
    are_up = any(s.container_id for s in pod.status.container_statuses or ())
    if spec is not None and spec.restart_policy == "Always" and are_up:
        return False
    for status in pod.status.init_container_statuses or ():
        if status.name == ending.container:
            ended = status.state.terminated if status.state else None
            return not status.ready and (ended is None or ended.exit_code != 0)
    return False
