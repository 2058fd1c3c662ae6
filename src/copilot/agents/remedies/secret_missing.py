"""A missing Secret: back to before it was asked for, or over to one that others run with. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.config_missing import without
from copilot.agents.remedies.templates import not_changeable, spec_of, template_of
from copilot.causes.citing import object_key
from copilot.causes.config_missing import absence
from copilot.causes.nearness import nearest
from copilot.causes.references import references_of, workload_ref
from copilot.causes.wording import one_line
from copilot.domain.action import SetEnvSource, SetVolumeSource, SourceKind
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import Deployment
from copilot.domain.proposal import Draft


def secret_missing(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """Secrets are never read: one is known to be there only by a workload that runs with it."""
    found = absence(case, "Secret")
    if found is None:
        return
    yield from without(case, hypothesis, found)
    if template_of(case) is None:
        yield not_changeable(case)
        return
    reference = found.reference
    in_use = _in_use(case, "" if found.is_key else reference.key)
    near = "" if found.is_key else nearest(reference.name, in_use)
    if not near:
        key = f"the key {one_line(reference.key, 60)} of " if found.is_key else ""
        yield (
            f"{key}Secret {one_line(reference.name, 60)} is for people to make: Secrets are never "
            "read nor written"
        )
        return
    target, by = workload_ref(case), in_use[near]
    action = (
        SetVolumeSource(target=target, volume=reference.volume, source=SourceKind.SECRET, name=near)
        if reference.volume
        else SetEnvSource(
            target=target,
            container=reference.container,
            source=SourceKind.SECRET,
            variable=reference.variable,
            before=reference.name,
            name=near,
            key=reference.key,
        )
    )
    yield drafted(
        case,
        action,
        title=f"Take {reference.where} from Secret {near}",
        why=(
            f"There is no Secret {one_line(reference.name, 60)}; {by.metadata.name} runs with "
            f"{near}, the only one known that is nearly called so."
        ),
        hypothesis=hypothesis,
        keys=(object_key(by.metadata),),
    )


def _in_use(case: Case, key: str) -> dict[str, Deployment]:
    """Secrets that ready workloads of the namespace take, with this key where one is asked for."""
    return {
        r.name: workload
        for workload in case.surroundings.workloads
        if workload.status.ready_replicas or workload.status.number_ready
        for r in references_of(spec_of(workload))
        if r.kind == "Secret" and not r.optional and key in ("", r.key)
    }
