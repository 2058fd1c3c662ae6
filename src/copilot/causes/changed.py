"""What was changed shortly before, as a sentence for causes that a change explains."""

from __future__ import annotations

from collections.abc import Callable

from copilot.causes.citing import change_key, said
from copilot.causes.failures import began_us
from copilot.causes.rollouts import JUST_BEFORE_US, SLACK_US, Rollout, just_before
from copilot.causes.wording import clock, time_before
from copilot.domain.case import Case
from copilot.domain.change import Change
from copilot.domain.hypothesis import Statement


def rolled_out(
    case: Case, touches: Callable[[Rollout], bool] = lambda _: True
) -> tuple[Statement, ...]:
    """The rollout just before the first sign, where it is one that could have brought it about."""
    rollout = just_before(case, began_us(case))
    if rollout is None or not touches(rollout):
        return ()
    return said(
        case,
        f"{time_before(began_us(case) - rollout.at_us)} the first sign, at "
        f"{clock(rollout.at_us)}, this was changed{rollout.by}: {rollout.title}.",
        *rollout.keys,
    )


def change_before(case: Case, kind: str, name: str) -> Change | None:
    """The last recorded change of an object in the half hour before the first sign."""
    began = began_us(case)
    near = [
        c
        for c in case.changes
        if c.object.kind == kind
        and c.object.name == name
        and began - JUST_BEFORE_US <= c.ts_us <= began + SLACK_US
    ]
    return near[-1] if near else None


def changed(case: Case, kind: str, name: str) -> tuple[Statement, ...]:
    """The same as a sentence."""
    change = change_before(case, kind, name)
    if change is None:
        return ()
    by = f" by {change.actor}" if change.actor else ""
    return said(case, f"At {clock(change.ts_us)}{by}: {change.title}.", change_key(change))
