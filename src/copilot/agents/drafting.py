"""A typed action as a draft: what it rests on, and what became of its like before. Pure."""

from __future__ import annotations

from copilot.agents.sizing import attempted
from copilot.causes.citing import cited, incident_key
from copilot.causes.wording import one_line
from copilot.domain.action import Action
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.proposal import Draft

ALIKE = 0.6
"""From this score on, what became of a fix for an earlier incident is a lesson for this one."""


def drafted(
    case: Case,
    action: Action,
    *,
    title: str,
    why: str,
    hypothesis: Hypothesis,
    keys: tuple[str, ...] = (),
    is_stopgap: bool = False,
) -> Draft:
    """The draft with the evidence behind `keys` (as `Case.cited_as` names them) first, then what
    its hypothesis rests on."""
    lesson, lesson_keys = _lesson(case, action)
    known = {e.id for e in case.evidence}
    named = (
        *cited(case, (*lesson_keys, *keys)),
        *(i for s in hypothesis.supporting for i in s.evidence),
    )
    return Draft(
        action=action,
        title=title,
        why=f"{lesson}{why}",
        evidence=tuple(dict.fromkeys(i for i in named if i in known)),
        hypothesis=hypothesis.id,
        is_stopgap=is_stopgap,
    )


def _lesson(case: Case, action: Action) -> tuple[str, tuple[str, ...]]:
    """What became of the same kind of action in incidents like this one."""
    for similar in case.similar:
        if similar.score < ALIKE:
            continue
        memory = similar.memory
        then = attempted(memory.action)
        key = incident_key(memory.incident_id)
        if then is None or type(then) is not type(action) or key not in case.cited_as:
            continue
        fix = one_line(memory.fix) or type(then).__name__
        came = "held" if memory.has_held else "did not hold"
        return f"In INC-{memory.incident_id}, which was like this, {fix} {came}. ", (key,)
    return "", ()
