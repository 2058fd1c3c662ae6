"""A setting with which a program cannot work: back to what it was. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.templates import template_of, undone
from copilot.causes.bad_setting import settings_changed
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import Rollout, variable_of
from copilot.causes.wording import one_line, plain
from copilot.domain.action import SetConfigValue, SetEnv
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Draft

HIDDEN = "***"
"""What stands for a secret in everything that is stored."""
LONGEST = 1_900
"""Longer values are stored cut."""
_FOR_PEOPLE = "what the value should be is for people to say: nobody changed it just before"


def bad_setting(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """The value from before the change. What was masked, or cut, cannot be put back by us."""
    rollout = settings_changed(case)
    if rollout is None:
        yield _FOR_PEOPLE
    elif rollout.config_map:
        yield from _values(case, hypothesis, rollout)
    else:
        found = tuple(undone(case, hypothesis))
        yield from found
        if not found:
            yield from _variables(case, hypothesis, rollout)


def _values(case: Case, hypothesis: Hypothesis, rollout: Rollout) -> Iterator[Draft | str]:
    maps = {m.metadata.name: m for m in case.surroundings.config_maps}
    there = maps.get(rollout.config_map)
    for field in rollout.fields:
        key, before = field.path.removeprefix("data.").strip("[]"), plain(field.before)
        value = (there.data or {}).get(key, "") if there else ""
        if field.before is None or not _is_whole(before) or plain(field.after) != value:
            yield f"the value that {one_line(key, 60)} had before is not known whole"
            continue
        meta = there.metadata if there else None
        yield drafted(
            case,
            SetConfigValue(
                target=ObjectRef(
                    kind="ConfigMap",
                    namespace=case.incident.namespace,
                    name=rollout.config_map,
                    uid=meta.uid if meta else "",
                ),
                key=key,
                value=before,
            ),
            title=f"Set {one_line(key, 60)} of ConfigMap {rollout.config_map} back",
            why=(
                f"It was changed{rollout.by} just before. Pods that read it as a variable must be "
                "started anew to see it."
            ),
            hypothesis=hypothesis,
            keys=rollout.keys,
        )


def _variables(case: Case, hypothesis: Hypothesis, rollout: Rollout) -> Iterator[Draft | str]:
    """Where there is no revision to go back to: one variable at a time."""
    if template_of(case) is None:
        yield f"the variables of {workload_ref(case)} cannot be changed in place"
        return
    for field in rollout.fields:
        name, before = variable_of(field.path), plain(field.before)
        container = field.path.partition("containers[")[2].partition("]")[0]
        if not name or not container or not field.path.endswith(".value"):
            continue
        if field.before is None or not _is_whole(before):
            yield f"the value that {one_line(name, 60)} had before is not known whole"
            continue
        yield drafted(
            case,
            SetEnv(target=workload_ref(case), container=container, name=name, value=before),
            title=f"Set {one_line(name, 60)} of {container} back",
            why=f"It was changed{rollout.by} just before.",
            hypothesis=hypothesis,
            keys=rollout.keys,
        )


def _is_whole(value: str) -> bool:
    """Neither masked nor cut."""
    return bool(value) and HIDDEN not in value and len(value) < LONGEST
