"""The way back to an earlier revision, and which one that is. Pure.

Of Deployments only: the revisions of StatefulSets and DaemonSets are not watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from copilot.agents.drafting import drafted
from copilot.agents.sizing import attempted, tried_limits
from copilot.causes.citing import object_key
from copilot.causes.failures import failing_pods, limit_of, revision_of
from copilot.causes.references import workload_ref
from copilot.causes.rollouts import template_changes, variable_of
from copilot.causes.wording import one_line, plain
from copilot.domain.action import RollBack, SetMemory
from copilot.domain.case import Case
from copilot.domain.change import FieldChange
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import ReplicaSet, controller_of
from copilot.domain.proposal import Draft

_ABOUT = {
    ".resources.limits": "a higher memory limit",
    "].image": "another image",
    "Probe": "other probes",
}


def roll_back(
    case: Case,
    hypothesis: Hypothesis,
    *,
    about: str | None = "",
    beside: str = "",
    wanted: Callable[[ReplicaSet], bool] = lambda _: True,
) -> Iterator[Draft | str]:
    """To the newest earlier revision without a known failure that is `wanted` and differs in what
    it is about; None for anything at all: a template has more fields than we read.

    `beside` is what another draft puts back already: a revision that differs in nothing else is no
    alternative to that.
    """
    target = workload_ref(case)
    if case.workload is None or target.kind != "Deployment":
        yield f"only a Deployment can be rolled back, and this is {target}"
        return
    if not _is_present(case):
        yield "the present revision is not the one that failed"
        return
    for earlier in earlier_revisions(case):
        changes = template_changes(earlier, case.workload)
        if about is not None and not any(about in c.path for c in changes):
            continue
        if beside and all(beside in c.path for c in changes):
            return
        if not wanted(earlier):
            continue
        revision = revision_of(earlier)
        yield drafted(
            case,
            RollBack(target=target, to_revision=revision, replica_set=earlier.metadata.name),
            title=f"Roll {target.name} back to revision {revision}",
            why=(
                f"Since revision {revision} changed: {_in_words(changes) or 'its template'}. "
                "No pod of that revision is known to have failed."
            ),
            hypothesis=hypothesis,
            keys=(object_key(earlier.metadata),),
        )
        return
    if not beside:
        yield no_way_back(case, about)


def no_way_back(case: Case, about: str | None) -> str:
    """Why there is nothing to go back to."""
    if len(case.replica_sets) < 2:
        return "there is no earlier revision to go back to"
    if not any(earlier_revisions(case)):
        return "no earlier revision without a failure is left to go back to"
    return (
        f"no earlier revision without a failure had {_ABOUT.get(about or '', 'another template')}"
    )


def earlier_revisions(case: Case) -> Iterator[ReplicaSet]:
    """Newest first, those of which nothing is known to have failed."""
    failed = {o.uid for p in failing_pods(case) if (o := controller_of(p.metadata))}
    tries = [attempted(a.action) for a in case.attempts]
    undone = {t.replica_set for t in tries if isinstance(t, RollBack)}
    for revision in case.replica_sets[1:]:
        is_ours = any(
            limit_of(revision.spec.template.spec, t.container) in tried_limits(case, t.container)
            for t in tries
            if isinstance(t, SetMemory)
        )
        name, uid = revision.metadata.name, revision.metadata.uid
        if uid not in failed and name not in undone and not is_ours and revision_of(revision):
            yield revision


def _is_present(case: Case) -> bool:
    """Whether what failed is what should run now; if not, somebody has changed it already."""
    failed = {o.uid for p in failing_pods(case) if (o := controller_of(p.metadata))}
    present = next(iter(case.replica_sets), None)
    return not failed or present is None or present.metadata.uid in failed


def _in_words(changes: tuple[FieldChange, ...]) -> str:
    return ", ".join(_field(c) for c in changes[:3]) + (
        f" and {len(changes) - 3} more" if len(changes) > 3 else ""
    )


def _field(change: FieldChange) -> str:
    name = change.path.rpartition("].")[2].removeprefix("spec.template.spec.")
    if name.startswith("env") or name in ("command", "args"):
        return f"variable {variable_of(change.path)}" if variable_of(change.path) else name
    before, after = plain(change.before) or "none", plain(change.after) or "none"
    return one_line(f"{name} {before} → {after}", 120)
