"""A volume that is not to be had: over to the claim that is there, or the claim made anew so that
something can serve it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from copilot.agents.drafting import drafted
from copilot.agents.remedies.templates import not_changeable, spec_of, template_of, undone
from copilot.causes.citing import object_key
from copilot.causes.nearness import likeness, nearest
from copilot.causes.references import claims_of, workload_ref
from copilot.causes.volume_unavailable import NO_PROVISIONER, obstacles_between
from copilot.domain.action import ReplaceClaim, SetClaimTemplate, SetVolumeSource, SourceKind
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.objects import ObjectRef, PodSpec
from copilot.domain.proposal import Draft
from copilot.domain.surroundings import PersistentVolume, PersistentVolumeClaim, StorageClass

IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def volume_unavailable(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """By the way of it; what people must make (a volume, a path on a node) is said."""
    match hypothesis.detail:
        case "claim_missing":
            yield from _other_claim(case, hypothesis)
        case "host_path":
            yield from undone(case, hypothesis)
            yield "a path on a node is for people to make, or a volume of another kind to choose"
        case "class_missing" | "access_mode" | "capacity":
            yield from _claim_anew(case, hypothesis)
        case "selector" | "occupied":
            yield "a volume for this claim is for people to make or to set free"
        case _:
            yield "why no volume comes is in the provisioner's own log"


# ------------------------------------------------------------------ another claim


def _other_claim(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    claims = {c.metadata.name: c for c in case.surroundings.claims}
    spec = template_of(case)
    missing = [n for n in claims_of(spec) if n not in claims] if spec else []
    yield from undone(case, hypothesis, lambda r: not set(missing) & set(claims_of(spec_of(r))))
    if spec is None or not missing:
        yield not_changeable(case)
        return
    near = nearest(missing[0], claims)
    if not near or claims[near].status.phase == "Lost":
        yield f"claim {missing[0]} is for people to make: its size and class are not known"
        return
    yield drafted(
        case,
        SetVolumeSource(
            target=workload_ref(case),
            volume=_volume(spec, missing[0]),
            source=SourceKind.CLAIM,
            name=near,
        ),
        title=f"Mount claim {near} in place of {missing[0]}",
        why=f"There is no claim {missing[0]}; {near} is the only one that is nearly called so.",
        hypothesis=hypothesis,
        keys=(object_key(claims[near].metadata),),
    )


def _volume(spec: PodSpec, claim: str) -> str:
    return next(
        v.name
        for v in spec.volumes or ()
        if v.persistent_volume_claim and v.persistent_volume_claim.claim_name == claim
    )


# ------------------------------------------------------------------ the claim made anew


def _claim_anew(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """With what something that is there can serve; only while nothing is bound to it."""
    subject = hypothesis.subject
    claim = next(
        (
            c
            for c in case.surroundings.claims
            if subject and c.metadata.name == subject.name and c.status.phase != "Bound"
        ),
        None,
    )
    if claim is None or subject is None:
        return
    terms = _terms(case, claim, hypothesis.detail)
    if isinstance(terms, str):
        yield terms
        return
    template = _claim_template(case, claim.metadata.name)
    if template:
        yield _template_anew(case, hypothesis, template, terms)
        return
    yield drafted(
        case,
        ReplaceClaim(
            target=subject,
            storage_class=terms.storage_class,
            access_modes=terms.access_modes,
            storage=terms.storage,
        ),
        title=f"Make claim {subject.name} anew {terms.words}",
        why=f"{terms.why} Nothing is bound to the claim, so nothing is lost.",
        hypothesis=hypothesis,
        keys=(terms.key, object_key(claim.metadata)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What to ask for instead, and why."""

    words: str
    why: str
    key: str
    """Of what can serve it, as `Case.cited_as` names that."""
    storage_class: str | None = None
    access_modes: tuple[str, ...] = ()
    storage: str | None = None


def _terms(case: Case, claim: PersistentVolumeClaim, detail: str) -> _Terms | str:
    """Those that something that is there can serve; for people, why there are none."""
    if detail == "class_missing":
        return _other_class(case, claim) or "no class is there that is sure to serve this claim"
    volume = _nearly_fits(case, claim, detail)
    if volume is None:
        return "no volume is there that would serve the claim if it asked for less"
    modes = tuple(volume.spec.access_modes or ())
    size = (volume.spec.capacity or {}).get("storage", "")
    is_mode = detail == "access_mode"
    wish = ", ".join(modes) if is_mode else size
    return _Terms(
        words=f"that asks for {wish}",
        why=(
            f"Volume {volume.metadata.name} is free and offers {wish}; whether that is enough for "
            "the program is for you to judge."
        ),
        key=object_key(volume.metadata),
        access_modes=modes if is_mode else (),
        storage=None if is_mode else size,
    )


# ------------------------------------------------------------------ the StatefulSet that makes it


def _claim_template(case: Case, claim: str) -> str:
    """Which of the StatefulSet's claim templates makes it, empty for none: its name is the
    template's, the StatefulSet's and a number; the pod template does not name it.
    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage"""
    owner, spec = workload_ref(case), template_of(case)
    head, _, ordinal = claim.rpartition("-")
    is_named_so = head.endswith(f"-{owner.name}") and ordinal.isdecimal()
    is_mounted = spec is not None and claim in claims_of(spec)
    if owner.kind != "StatefulSet" or not is_named_so or is_mounted:
        return ""
    return head.removesuffix(f"-{owner.name}")


def _template_anew(case: Case, hypothesis: Hypothesis, template: str, terms: _Terms) -> Draft | str:
    """A claim template cannot be changed; the StatefulSet is made anew while it holds nothing."""
    owner = workload_ref(case)
    claims = [
        c for c in case.surroundings.claims if _claim_template(case, c.metadata.name) == template
    ]
    is_used = case.workload is not None and case.workload.status.ready_replicas > 0
    if is_used or any(c.status.phase != "Pending" for c in claims):
        return (
            f"{owner} makes its claims from a template, which cannot be changed, and some of them hold "
            "data: to make it anew is for people"
        )
    if "PersistentVolumeClaim" not in case.surroundings.listed:
        return f"whether {owner} has other claims, which hold data, cannot be seen here"
    return drafted(
        case,
        SetClaimTemplate(
            target=owner,
            template=template,
            claims=tuple(_ref_of(c) for c in claims),
            storage_class=terms.storage_class,
            access_modes=terms.access_modes,
            storage=terms.storage,
        ),
        title=f"Make {owner.name} anew, with claims {terms.words}",
        why=(
            f"{terms.why} Its claim template cannot be changed, so it is deleted and made anew. None "
            "of its pods has started and none of its claims is bound, so nothing is lost."
        ),
        hypothesis=hypothesis,
        keys=(terms.key, *(object_key(c.metadata) for c in claims)),
    )


def _ref_of(claim: PersistentVolumeClaim) -> ObjectRef:
    meta = claim.metadata
    return ObjectRef(
        kind="PersistentVolumeClaim", namespace=meta.namespace, name=meta.name, uid=meta.uid
    )


def _nearly_fits(case: Case, claim: PersistentVolumeClaim, detail: str) -> PersistentVolume | None:
    """The volume of its class that only this one wish keeps away."""
    return next(
        (
            v
            for v in case.surroundings.volumes
            if v.spec.storage_class_name == (claim.spec.storage_class_name or "")
            and obstacles_between(claim, v) == (detail,)
        ),
        None,
    )


def _other_class(case: Case, claim: PersistentVolumeClaim) -> _Terms | None:
    """Of the classes that can deliver the one of nearly that name, else the default, else the one
    that stands out."""
    found, which = _chosen(case, claim)
    if found is None:
        return None
    name = found.metadata.name
    return _Terms(
        words=f"of class {name}",
        why=f"The class does not exist; {name} does, and {which}.",
        key=object_key(found.metadata),
        storage_class=name,
    )


def _chosen(case: Case, claim: PersistentVolumeClaim) -> tuple[StorageClass | None, str]:
    """The class to take, and why that one."""
    wanted = claim.spec.storage_class_name or ""
    able = {
        c.metadata.name: c for c in case.surroundings.storage_classes if _can_serve(case, claim, c)
    }
    near = nearest(wanted, able)
    if near:
        return able[near], "is nearly called so"
    default = [
        n for n, c in able.items() if (c.metadata.annotations or {}).get(IS_DEFAULT) == "true"
    ]
    if len(default) == 1:
        return able[default[0]], "is the default"
    ranked = sorted(able, key=lambda name: likeness(wanted, name), reverse=True)
    scores = [likeness(wanted, name) for name in ranked[:2]]
    if len(ranked) == 1:
        return able[ranked[0]], "is the only one that can serve it"
    if wanted and scores and scores[0] > scores[1]:
        return able[ranked[0]], "of those that can serve it is called most like it"
    return None, ""


def _can_serve(case: Case, claim: PersistentVolumeClaim, found: StorageClass) -> bool:
    """One that makes volumes, or has a free one that fits."""
    if found.provisioner != NO_PROVISIONER:
        return True
    name = found.metadata.name
    moved = msgspec.structs.replace(
        claim, spec=msgspec.structs.replace(claim.spec, storage_class_name=name)
    )
    return any(
        v.spec.storage_class_name == name and not obstacles_between(moved, v)
        for v in case.surroundings.volumes
    )
