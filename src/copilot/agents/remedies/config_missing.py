"""A missing ConfigMap or Secret: back to before it was asked for, or over to the one that is
there. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.templates import not_changeable, spec_of, template_of, undone
from copilot.causes.citing import change_key, object_key
from copilot.causes.config_missing import Absence, absence
from copilot.causes.nearness import nearest
from copilot.causes.references import Reference, references_of, workload_ref
from copilot.causes.wording import clock, one_line
from copilot.domain.action import (
    LARGEST_CONFIG_MAP,
    RestoreConfigMap,
    SetEnvSource,
    SetVolumeSource,
    SourceKind,
    Texts,
)
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import ObjectRef, controller_of
from copilot.domain.proposal import Draft
from copilot.domain.secrets import MASK
from copilot.domain.surroundings import ConfigMap, DeletedConfigMap


def config_missing(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """The ConfigMap itself where it was deleted; going back where a rollout brought the reference in,
    else the ConfigMap or key of nearly that name."""
    found = absence(case, "ConfigMap")
    if found is None:
        return
    deleted = _deleted(case, found)
    if deleted is not None:
        yield _restored(case, hypothesis, deleted)
    yield from without(case, hypothesis, found)
    if deleted is not None:
        return
    if template_of(case) is None:
        yield not_changeable(case)
        return
    maps = {m.metadata.name: m for m in case.surroundings.config_maps}
    reference = found.reference
    if found.is_key:
        yield from _other_key(case, hypothesis, reference, maps.get(reference.name))
        return
    near = nearest(reference.name, maps)
    if not near or (reference.key and reference.key not in maps[near].keys):
        yield (
            f"no ConfigMap is there that {one_line(reference.name, 60)} may be meant for; "
            "what it should hold is for people to say"
        )
        return
    yield _moved(case, hypothesis, reference, near, object_key(maps[near].metadata))


def _deleted(case: Case, found: Absence) -> DeletedConfigMap | None:
    """The ConfigMap that is asked for, where it was there and had what is asked for."""
    reference = found.reference
    return next(
        (
            one
            for one in case.surroundings.deleted_config_maps
            if one.config_map.metadata.name == reference.name
            and (not reference.key or reference.key in one.config_map.keys)
        ),
        None,
    )


def _restored(case: Case, hypothesis: Hypothesis, deleted: DeletedConfigMap) -> Draft | str:
    """Made again as it was last seen; not what we have only a part of, and not what others make."""
    there = deleted.config_map
    name = there.metadata.name
    owner = controller_of(there.metadata)
    if owner is not None:
        return f"ConfigMap {name} was made by {owner.kind} {owner.name}, which has to make it again"
    action = RestoreConfigMap(
        target=ObjectRef(kind="ConfigMap", namespace=there.metadata.namespace, name=name),
        data=_texts(there.data),
        binary_data=_texts(there.binary_data),
        labels=_texts(there.metadata.labels),
        annotations=_texts(there.metadata.annotations),
        is_immutable=bool(there.immutable),
    )
    hidden = sorted(key for key, value in action.texts if MASK in value)
    if hidden:
        return (
            f"ConfigMap {name} was deleted, and {one_line(', '.join(hidden), 120)} of it looked like "
            "a secret, which is not kept here: people who have its manifest can make it again"
        )
    if sum(len(key) + len(value) for key, value in action.texts) > LARGEST_CONFIG_MAP:
        return f"ConfigMap {name} was deleted, and is too large to be reviewed here"
    deletions = [c for c in case.changes if c.object.name == name and c.object.kind == "ConfigMap"]
    return drafted(
        case,
        action,
        title=f"Make ConfigMap {name} again, as it was before it was deleted",
        why=(
            f"It was deleted at {clock(deleted.seen_us)}, and pods still ask for it. It is made as "
            "it was seen last; that whoever deleted it did not mean to is for you to judge."
        ),
        hypothesis=hypothesis,
        keys=tuple(change_key(c) for c in deletions[-1:]),
    )


def _texts(given: dict[str, str] | None) -> Texts:
    return tuple(sorted((given or {}).items()))


def without(case: Case, hypothesis: Hypothesis, found: Absence) -> Iterator[Draft]:
    """Back to the newest revision that does not ask for it."""
    missing = found.reference
    yield from undone(
        case,
        hypothesis,
        lambda revision: (
            not any(
                r.kind == missing.kind and r.name == missing.name and r.key in ("", missing.key)
                for r in references_of(spec_of(revision))
            )
        ),
    )


def _other_key(
    case: Case, hypothesis: Hypothesis, reference: Reference, there: ConfigMap | None
) -> Iterator[Draft | str]:
    near = nearest(reference.key, there.keys) if there else ""
    if there is None or not near or not reference.variable:
        yield (
            f"no key is there that {one_line(reference.key, 60)} may be meant for; "
            "its value is for people to say"
        )
        return
    yield drafted(
        case,
        SetEnvSource(
            target=workload_ref(case),
            container=reference.container,
            source=SourceKind.CONFIG_MAP,
            variable=reference.variable,
            before=reference.name,
            name=reference.name,
            key=near,
        ),
        title=f"Take {reference.variable} from the key {near} of {reference.name}",
        why=(
            f"ConfigMap {reference.name} has no key {one_line(reference.key, 60)}; of those it has, "
            f"{near} is the only one that is nearly called so."
        ),
        hypothesis=hypothesis,
        keys=(object_key(there.metadata),),
    )


def _moved(case: Case, hypothesis: Hypothesis, reference: Reference, near: str, key: str) -> Draft:
    """The reference over to the ConfigMap that is nearly called so."""
    target = workload_ref(case)
    action = (
        SetVolumeSource(
            target=target, volume=reference.volume, source=SourceKind.CONFIG_MAP, name=near
        )
        if reference.volume
        else SetEnvSource(
            target=target,
            container=reference.container,
            source=SourceKind.CONFIG_MAP,
            variable=reference.variable,
            before=reference.name,
            name=near,
            key=reference.key,
        )
    )
    with_key = f" and has the key {reference.key}" if reference.key else ""
    return drafted(
        case,
        action,
        title=f"Take {reference.where} from ConfigMap {near}",
        why=(
            f"There is no ConfigMap {one_line(reference.name, 60)}; {near} is the only one that is "
            f"nearly called so{with_key}."
        ),
        hypothesis=hypothesis,
        keys=(key,),
    )
