"""A volume that a pod needs is not to be had: its claim is missing or unbound, or it cannot be
mounted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from copilot.causes.changed import changed, rolled_out
from copilot.causes.citing import concluded, event_key, object_key, said
from copilot.causes.failures import events_about, failing_pods, is_gone, quantity_of
from copilot.causes.nearness import nearest
from copilot.causes.references import claims_of, specs_of, workload_ref
from copilot.causes.refusals import Refusal, refused_starts
from copilot.causes.rollouts import Part
from copilot.causes.wording import one_line
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Statement, Verdict
from copilot.domain.objects import KubeEvent, ObjectRef, Pod
from copilot.domain.selectors import matches
from copilot.domain.surroundings import PersistentVolume, PersistentVolumeClaim, StorageClass

SAID = 0.92
SHOWN = 0.97
ASKED = 0.8
UNSURE = 0.5
BOUND_SINCE = 0.05
NO_PROVISIONER = "kubernetes.io/no-provisioner"
"""Of a class whose volumes are made by hand."""
MOST = 3
_IS_ASKED = "ExternalProvisioning"
_CLAIM_EVENTS = ("ProvisioningFailed", "FailedBinding", _IS_ASKED)
_NOT_OURS = re.compile(r"(configmap|secret)\b", re.IGNORECASE)
_MOUNT_WAYS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("host_path", re.compile(r"hostPath type check failed")),
    ("occupied", re.compile(r"Multi-Attach error|already (?:exclusively )?attached")),
    ("not_mounted", re.compile(r"MountVolume|AttachVolume|MapVolume|attach or mount volumes")),
)
_WORDS = {
    "access_mode": "no volume offers its access modes",
    "capacity": "no volume is large enough",
    "selector": "no volume has the labels it asks for",
    "occupied": "the volume is taken by another claim",
}


def volume_unavailable(case: Case) -> Hypothesis | None:
    """Supported where a claim is not there or not bound while a pod waits for it, with the volumes
    and classes held against it; or where a mount fails.

    Refuted where the claim is bound by now, or waits for its first pod as its class says.
    """
    return _claim_missing(case) or _unbound(case) or _not_mounted(case) or _bound_since(case)


def _waiting_pods(case: Case) -> list[Pod]:
    return [
        p
        for p in failing_pods(case)
        if not is_gone(p)
        and object_key(p.metadata) in case.cited_as
        and not any(s.container_id for s in p.status.container_statuses or ())
    ]


# ------------------------------------------------------------------ no such claim


def _claim_missing(case: Case) -> Hypothesis | None:
    around = case.surroundings
    there = {c.metadata.name for c in around.claims}
    for pod in _waiting_pods(case):
        for name in claims_of(pod.spec):
            told = _scheduler_says(case, pod, f'persistentvolumeclaim "{name}" not found')
            is_listed = "PersistentVolumeClaim" in around.listed
            if name in there or not (told or is_listed):
                continue
            near = nearest(name, there)
            listed = f"; the namespace has {', '.join(sorted(there)[:5]) or 'none'}"
            meant = f", of which {near} may be meant" if near else ""
            return concluded(
                Cause.VOLUME_UNAVAILABLE,
                title=f"Claim {name} does not exist",
                verdict=Verdict.SUPPORTED,
                confidence=SHOWN if is_listed else SAID,
                supporting=(
                    *said(
                        case,
                        f"{pod.metadata.name} mounts claim {name}, which is not there"
                        f"{listed + meant if is_listed else ''}.",
                        object_key(pod.metadata),
                        *(event_key(e) for e in told),
                        *(object_key(c.metadata) for c in around.claims if c.metadata.name == near),
                    ),
                    *changed(case, "PersistentVolumeClaim", name),
                    *rolled_out(case, lambda r: Part.CODE in r.parts),
                ),
                subject=workload_ref(case),
                detail="claim_missing",
            )
    return None


def _scheduler_says(case: Case, pod: Pod, words: str) -> list[KubeEvent]:
    return [
        e
        for e in events_about(case, "FailedScheduling")
        if e.involved_object.uid == pod.metadata.uid and words in e.message
    ][:1]


# ------------------------------------------------------------------ a claim without a volume


@dataclass(frozen=True, slots=True, kw_only=True)
class _Why:
    detail: str
    title: str
    statements: tuple[Statement, ...]
    confidence: float = SHOWN


def _unbound(case: Case) -> Hypothesis | None:
    for claim in _claims_in_question(case):
        if claim.status.phase == "Bound" or object_key(claim.metadata) not in case.cited_as:
            continue
        waits = _waits_for_a_pod(case, claim)
        if waits:
            return _waiting_on_purpose(case, claim, waits)
        why = _why_unbound(case, claim)
        told = _claim_events(case, claim)
        return concluded(
            Cause.VOLUME_UNAVAILABLE,
            title=f"Claim {claim.metadata.name} has no volume: {why.title}",
            verdict=Verdict.SUPPORTED,
            confidence=why.confidence,
            supporting=(
                *said(
                    case,
                    f"Claim {claim.metadata.name} is {claim.status.phase or 'Pending'}"
                    + (f": {one_line(told[0].message, 200)}." if told else "."),
                    object_key(claim.metadata),
                    *(event_key(e) for e in told),
                ),
                *why.statements,
                *changed(case, "PersistentVolumeClaim", claim.metadata.name),
            ),
            next_check="" if why.confidence >= SAID else "Ask the provisioner's own log.",
            subject=_ref(claim),
            detail=why.detail,
        )
    return None


def _claims_in_question(case: Case) -> Iterator[PersistentVolumeClaim]:
    own = case.incident.workload
    names = [own.name] if own.kind == "PersistentVolumeClaim" else []
    waiting = _waiting_pods(case)
    names += [n for p in waiting for n in claims_of(p.spec)]
    if not case.pods:
        names += [n for spec in specs_of(case) for n in claims_of(spec)]
    for name in dict.fromkeys(names):
        yield from (c for c in case.surroundings.claims if c.metadata.name == name)


def _waits_for_a_pod(case: Case, claim: PersistentVolumeClaim) -> StorageClass | None:
    """The class that makes it wait, where no pod has been held up by its volume yet."""
    klass = _class_of(case, claim)
    if klass is None or klass.volume_binding_mode != "WaitForFirstConsumer":
        return None
    held_up = any(
        "persistent volumes to bind" in e.message or "unbound" in e.message
        for e in events_about(case, "FailedScheduling")
    )
    return None if held_up or _claim_events(case, claim) else klass


def _waiting_on_purpose(
    case: Case, claim: PersistentVolumeClaim, klass: StorageClass
) -> Hypothesis | None:
    return concluded(
        Cause.VOLUME_UNAVAILABLE,
        title=f"Claim {claim.metadata.name} has no volume",
        verdict=Verdict.REFUTED,
        confidence=BOUND_SINCE,
        against=said(
            case,
            f"Class {klass.metadata.name} binds a volume only once a pod that uses it has a node: "
            f"that {claim.metadata.name} waits is meant so.",
            object_key(klass.metadata),
            object_key(claim.metadata),
        ),
        subject=_ref(claim),
    )


def _class_of(case: Case, claim: PersistentVolumeClaim) -> StorageClass | None:
    name = claim.spec.storage_class_name
    return next((c for c in case.surroundings.storage_classes if c.metadata.name == name), None)


def _claim_events(case: Case, claim: PersistentVolumeClaim) -> list[KubeEvent]:
    """The newest; a refusal before the mere word that it is waited for, which is repeated."""
    uid = claim.metadata.uid
    told = [e for e in events_about(case, *_CLAIM_EVENTS) if e.involved_object.uid == uid]
    return sorted(told, key=lambda e: e.reason == _IS_ASKED)[:1]


def _why_unbound(case: Case, claim: PersistentVolumeClaim) -> _Why:
    if claim.status.phase == "Lost":
        return _Why(detail="lost", title="the volume it was bound to is gone", statements=())
    candidates = _candidates(case, claim)
    obstacle = _nearest_obstacle(claim, candidates)
    if obstacle is not None:
        return _held_against(case, claim, *obstacle)
    klass = _class_of(case, claim)
    named = claim.spec.storage_class_name
    is_listed = "StorageClass" in case.surroundings.listed
    if klass is None and (named is None or named) and (is_listed or _claim_events(case, claim)):
        return _no_class(case, claim)
    if klass is not None and klass.provisioner == NO_PROVISIONER:
        return _Why(
            detail="not_bound",
            title="its class makes none and none is there",
            statements=said(
                case,
                f"Class {klass.metadata.name} makes no volumes by itself, and there is none of it.",
                object_key(klass.metadata),
                object_key(claim.metadata),
            ),
        )
    told = _claim_events(case, claim)
    if klass is not None and told and told[0].reason == _IS_ASKED:
        return _Why(
            detail="not_bound",
            title=f"provisioner {one_line(klass.provisioner, 80)} has made none",
            statements=(),
            confidence=ASKED,
        )
    return _Why(
        detail="not_bound",
        title=f"class {named} has made none" if named else "none fits",
        statements=(),
        confidence=SAID if told else UNSURE,
    )


def _candidates(case: Case, claim: PersistentVolumeClaim) -> list[PersistentVolume]:
    """Volumes of its class, or the one it names."""
    spec = claim.spec
    return [
        v
        for v in case.surroundings.volumes
        if (v.metadata.name == spec.volume_name if spec.volume_name else True)
        and v.spec.storage_class_name == (spec.storage_class_name or "")
    ]


def obstacles_between(claim: PersistentVolumeClaim, volume: PersistentVolume) -> tuple[str, ...]:
    """Why a volume cannot serve a claim, in the order in which people look."""
    found = []
    if not set(claim.spec.access_modes or ()) <= set(volume.spec.access_modes or ()):
        found.append("access_mode")
    wanted = quantity_of(claim.spec.resources.requests, "storage") or 0
    if wanted > (quantity_of(volume.spec.capacity, "storage") or 0):
        found.append("capacity")
    if claim.spec.selector and not matches(claim.spec.selector, volume.metadata.labels):
        found.append("selector")
    owner = volume.spec.claim_ref
    is_mine = (
        owner is not None
        and owner.name == claim.metadata.name
        and owner.namespace == claim.metadata.namespace
        and owner.uid in ("", claim.metadata.uid)
    )
    is_free = owner is None and volume.status.phase in ("", "Available")
    if not is_mine and not is_free:
        found.append("occupied")
    return tuple(found)


def _nearest_obstacle(
    claim: PersistentVolumeClaim, candidates: list[PersistentVolume]
) -> tuple[str, PersistentVolume] | None:
    """What stands between the claim and the volume that nearly fits."""
    scored = [(obstacles_between(claim, v), v) for v in candidates]
    blocked = [(found, v) for found, v in scored if found]
    if not blocked or len(blocked) < len(scored):
        return None  # none at all, or one that fits: the binder is not done
    found, volume = min(blocked, key=lambda pair: (len(pair[0]), pair[0] == ("occupied",)))
    return found[0], volume


def _held_against(
    case: Case, claim: PersistentVolumeClaim, detail: str, volume: PersistentVolume
) -> _Why:
    asks, has = claim.spec, volume.spec
    modes = ", ".join(asks.access_modes or ()), ", ".join(has.access_modes or ())
    size = (asks.resources.requests or {}).get("storage"), (has.capacity or {}).get("storage")
    owner = has.claim_ref
    taken = f"by {owner.namespace}/{owner.name}" if owner else f"({volume.status.phase})"
    name = volume.metadata.name
    sentence = {
        "access_mode": f"It asks for {modes[0]}; volume {name} offers {modes[1]}.",
        "capacity": f"It asks for {size[0]}; volume {name} has {size[1]}.",
        "selector": f"It asks for labels that volume {name} does not have.",
        "occupied": f"Volume {name} would fit, and is taken {taken}.",
    }[detail]
    return _Why(
        detail=detail,
        title=_WORDS[detail],
        statements=said(case, sentence, object_key(claim.metadata), object_key(volume.metadata)),
    )


def _no_class(case: Case, claim: PersistentVolumeClaim) -> _Why:
    around, named = case.surroundings, claim.spec.storage_class_name
    classes = sorted(c.metadata.name for c in around.storage_classes)
    is_listed = "StorageClass" in around.listed
    there = f"; there are {', '.join(classes[:5])}" if classes else "; there is no class at all"
    near = nearest(named or "", classes)
    meant = f", of which {near} may be meant" if near else ""
    what = f"class {named} does not exist" if named else "it names no class and there is no default"
    return _Why(
        detail="class_missing",
        title=what,
        statements=said(
            case,
            f"{what[0].upper()}{what[1:]}{there + meant if is_listed else ''}.",
            object_key(claim.metadata),
            *(event_key(e) for e in _claim_events(case, claim)),
        ),
    )


# ------------------------------------------------------------------ a volume that is not mounted


def _not_mounted(case: Case) -> Hypothesis | None:
    for refusal in refused_starts(case):
        way = _mount_way(refusal)
        if not way or refusal.pod is None:
            continue
        path = _host_path(refusal) if way == "host_path" else ""
        what = f"path {path} is not on the node" if path else "a volume cannot be mounted"
        return concluded(
            Cause.VOLUME_UNAVAILABLE,
            title=f"{refusal.pod.metadata.name} cannot start: {one_line(what, 100)}",
            verdict=Verdict.SUPPORTED,
            confidence=SAID,
            supporting=(
                *said(
                    case,
                    f"{refusal.pod.metadata.name} waits for a volume: "
                    f"{one_line(refusal.text, 240)}.",
                    *refusal.keys,
                ),
                *rolled_out(case, lambda r: Part.CODE in r.parts),
            ),
            subject=workload_ref(case),
            detail=way,
        )
    return None


def _mount_way(refusal: Refusal) -> str:
    if refusal.container or _NOT_OURS.search(refusal.text):
        return ""
    return next((way for way, sign in _MOUNT_WAYS if sign.search(refusal.text)), "")


def _host_path(refusal: Refusal) -> str:
    volumes = refusal.pod.spec.volumes or () if refusal.pod else ()
    paths = [v.host_path.path for v in volumes if v.host_path]
    return next((p for p in paths if p and p in refusal.text), "")


# ------------------------------------------------------------------ over by now


def _bound_since(case: Case) -> Hypothesis | None:
    own = case.incident.workload
    if own.kind != "PersistentVolumeClaim":
        return None
    for claim in case.surroundings.claims:
        if claim.metadata.name == own.name and claim.status.phase == "Bound":
            return concluded(
                Cause.VOLUME_UNAVAILABLE,
                title=f"Claim {own.name} has no volume",
                verdict=Verdict.REFUTED,
                confidence=BOUND_SINCE,
                against=said(
                    case,
                    f"Claim {own.name} is bound to {claim.spec.volume_name or 'a volume'} by now.",
                    object_key(claim.metadata),
                ),
                subject=_ref(claim),
            )
    return None


def _ref(claim: PersistentVolumeClaim) -> ObjectRef:
    meta = claim.metadata
    return ObjectRef(
        kind="PersistentVolumeClaim", namespace=meta.namespace, name=meta.name, uid=meta.uid
    )
