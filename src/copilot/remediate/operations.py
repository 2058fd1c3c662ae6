"""What is done beside or instead of a patch, and why some of it cannot be undone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from copilot.domain.action import (
    Action,
    DeletePod,
    ReplaceClaim,
    RerunJob,
    RestoreConfigMap,
    SetClaimTemplate,
    SetConfigValue,
    SetLimitRange,
    SetQuota,
    TemplateAction,
)
from copilot.domain.errors import Invalid
from copilot.domain.objects import ObjectRef
from copilot.domain.proposal import Create, Delete, DeleteUnbound, Operation, Patch, ReplaceUnready
from copilot.remediate.disruption import ROLLED_OUT
from copilot.remediate.marks import PREFIX, PROPOSAL, TOUCHED, mark_of
from copilot.remediate.merging import inverse, patched
from copilot.remediate.readers import reads_at_start
from copilot.remediate.tree import (
    Fields,
    encode,
    fields_at,
    items_at,
    nested,
    number_at,
    text_at,
)

Remake = ReplaceClaim | SetClaimTemplate | RestoreConfigMap | RerunJob
AnewAction = Remake | DeletePod
"""What is done by operations alone."""

_NAME_CHARS = 50
_WOKEN = (*ROLLED_OUT, "ReplicaSet", "Job")
"""What makes pods, and backs off where they are refused."""
_JOB_LABELS = (
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
)
"""What the Job controller writes on a Job's template to know its pods by."""
_BINDING_NOTES = (
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
    PREFIX,
)
"""What controllers note on a claim while they look for a volume, and our own marks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anew:
    """Operations that stand in for a patch."""

    operations: tuple[Operation, ...]
    no_rollback_reason: str
    """Empty where undoing the operations is all there is to the way back."""


def anew(action: AnewAction, live: Fields, key: str) -> Anew:
    """How the object is deleted where it is there, and made anew where we do that ourselves.

    Raises:
        Invalid: the object is not as the action needs it.
    """
    target = _exactly(action.target, live)
    delete = Delete(target=target)
    if isinstance(action, DeletePod):
        _refuse_pod(live, target)
        return Anew(operations=(delete,), no_rollback_reason="a deleted pod does not come back")
    marked = _marked(manifest_of(action, live), mark_of(action), key)
    named = ObjectRef(kind=target.kind, namespace=target.namespace, name=target.name)
    create = Create(target=named, manifest=encode(marked))
    match action:
        case RestoreConfigMap():
            return Anew(operations=(create,), no_rollback_reason="")
        case ReplaceClaim():
            reason = "the claim that was replaced never held anything"
            return Anew(operations=(delete, create), no_rollback_reason=reason)
        case SetClaimTemplate():
            unbound = tuple(DeleteUnbound(target=claim) for claim in action.claims)
            reason = "a claim that is bound by then cannot ask for what it asked before"
            return Anew(operations=(delete, *unbound, create), no_rollback_reason=reason)
        case RerunJob():
            return Anew(
                operations=(delete, create), no_rollback_reason="what a run has done is done"
            )
        case _:
            assert_never(action)


def manifest_of(action: Remake, live: Fields) -> Fields:
    """What is made.

    Raises:
        Invalid: the object is not as the action needs it.
    """
    match action:
        case RestoreConfigMap():
            if text_at(live, "metadata", "uid"):
                raise Invalid(f"{action.target} is there")
            return config_map_manifest(action)
        case ReplaceClaim():
            return claim_manifest(action, live)
        case SetClaimTemplate():
            return stateful_set_manifest(action, live)
        case RerunJob():
            return job_manifest(action, live)
        case _:
            assert_never(action)


def beside(
    action: Action, live: Fields, forward: Fields, watched: Fields | None, key: str
) -> tuple[Operation, ...]:
    """What a patch needs beside it to take effect on the workload whose recovery proves it.

    Raises:
        Invalid: it cannot take effect now.
    """
    if isinstance(action, TemplateAction):
        if action.target.kind == "CronJob":
            return (_run_now(patched(live, forward), key),)
        return _unstuck(live)
    if watched is None:
        return ()
    kind = text_at(watched, "kind")
    if kind == "CronJob" and isinstance(action, SetConfigValue | SetQuota | SetLimitRange):
        return (_run_now(watched, key),)
    if kind in _WOKEN and isinstance(action, SetQuota | SetLimitRange):
        # Its controller was refused and waits ever longer; a change of the object wakes it up.
        return (_patch(watched, {"metadata": {"annotations": {TOUCHED: key}}}),)
    if kind in ROLLED_OUT and isinstance(action, SetConfigValue):
        if not reads_at_start(watched, action.target.name, action.key):
            return ()
        if fields_at(watched, "spec").get("paused") is True:
            raise Invalid(f"rollouts of {ref_of(watched)} are paused; it would not read the value")
        notes: Fields = {"metadata": {"annotations": {TOUCHED: key}}}
        return (_patch(watched, nested(("spec", "template"), notes)), *_unstuck(watched))
    return ()


def _run_now(cron_job: Fields, key: str) -> Create:
    """One run at once, as `kubectl create job --from` makes it: the schedule may be hours away.

    Raises:
        Invalid: no run is wanted now.
    """
    cron = ref_of(cron_job)
    spec = fields_at(cron_job, "spec")
    if spec.get("suspend") is True:
        raise Invalid(f"{cron} is suspended; nothing would show whether this helps")
    is_active = bool(items_at(fields_at(cron_job, "status"), "active"))
    if is_active and spec.get("concurrencyPolicy") in ("Forbid", "Replace"):
        raise Invalid(f"{cron} runs now, and it wants one run at a time")
    template = fields_at(spec, "jobTemplate")
    target = ObjectRef(
        kind="Job", namespace=cron.namespace, name=f"{cron.name[:_NAME_CHARS]}-{key[:8]}"
    )
    owner: Fields = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": cron.name,
        "uid": cron.uid,
        "controller": True,
    }
    metadata: Fields = {
        "name": target.name,
        "namespace": target.namespace,
        "ownerReferences": [owner],
        "annotations": {
            **fields_at(template, "metadata", "annotations"),
            "cronjob.kubernetes.io/instantiate": "manual",
        },
    }
    if labels := fields_at(template, "metadata", "labels"):
        metadata["labels"] = labels
    job: Fields = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": fields_at(template, "spec"),
    }
    return Create(target=target, manifest=encode(_marked(job, PROPOSAL, key)))


def config_map_manifest(action: RestoreConfigMap) -> Fields:
    """The ConfigMap as the action describes it."""
    metadata: Fields = {"name": action.target.name, "namespace": action.target.namespace}
    for field, given in (("labels", action.labels), ("annotations", action.annotations)):
        if kept := {k: v for k, v in given if not k.startswith(PREFIX)}:
            metadata[field] = {**kept}
    manifest: Fields = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    for field, given in (("data", action.data), ("binaryData", action.binary_data)):
        if given:
            manifest[field] = {**dict(given)}
    return {**manifest, "immutable": True} if action.is_immutable else manifest


def claim_manifest(action: ReplaceClaim, live: Fields) -> Fields:
    """The claim as it would have been written with other terms.

    Raises:
        Invalid: it is bound, or was: what it holds would be lost.
    """
    phase = text_at(live, "status", "phase") or "unknown"
    if phase != "Pending":
        raise Invalid(f"{action.target} is {phase}, not waiting: what it holds would be lost")
    spec = _with_terms(action, fields_at(live, "spec"))
    return _manifest(live, spec, without=_BINDING_NOTES)


def stateful_set_manifest(action: SetClaimTemplate, live: Fields) -> Fields:
    """The StatefulSet as it would have been written with other terms for its claims.

    Raises:
        Invalid: a pod of it serves, its claims would go with it, or it has no such template.
    """
    status, spec = fields_at(live, "status"), dict(fields_at(live, "spec"))
    if number_at(status, "readyReplicas"):
        raise Invalid(f"pods of {action.target} are ready; it is not made anew under them")
    if text_at(spec, "persistentVolumeClaimRetentionPolicy", "whenDeleted") == "Delete":
        raise Invalid(f"{action.target} would take all its claims with it, bound ones, too")
    templates = items_at(spec, "volumeClaimTemplates")
    if not any(text_at(t, "metadata", "name") == action.template for t in templates):
        raise Invalid(f"{action.target} has no claim template {action.template!r}")
    spec["volumeClaimTemplates"] = [
        {**t, "spec": _with_terms(action, fields_at(t, "spec"))}
        if text_at(t, "metadata", "name") == action.template
        else t
        for t in templates
    ]
    return _manifest(live, spec, without=(PREFIX,))


def _with_terms(action: ReplaceClaim | SetClaimTemplate, spec: Fields) -> Fields:
    terms = dict(spec)
    if action.storage_class is not None:
        terms["storageClassName"] = action.storage_class
    if action.access_modes:
        terms["accessModes"] = list(action.access_modes)
    if action.storage is not None:
        requests = {**fields_at(terms, "resources", "requests"), "storage": action.storage}
        terms["resources"] = {**fields_at(terms, "resources"), "requests": requests}
    return terms


def job_manifest(action: RerunJob, live: Fields) -> Fields:
    """The Job as it was written, without what its controller added, and with what the action
    changes.

    Raises:
        Invalid: it has not failed and may have run, or has no such container.
    """
    name = text_at(live, "metadata", "name")
    if not _has_failed(live) and not (action.image and _never_ran(live, action.container)):
        raise Invalid(f"Job {name} has not failed; only a failed one is run again")
    spec = dict(fields_at(live, "spec"))
    if action.deadline_s is not None:
        spec["activeDeadlineSeconds"] = action.deadline_s
    if action.image:
        spec["template"] = _with_image(action, fields_at(spec, "template"))
    if spec.get("manualSelector") is not True:
        spec.pop("selector", None)
        template = fields_at(spec, "template")
        metadata = dict(fields_at(template, "metadata"))
        metadata["labels"] = _but(fields_at(metadata, "labels"), _JOB_LABELS)
        metadata.pop("creationTimestamp", None)
        spec["template"] = {**template, "metadata": metadata}
    return _manifest(live, spec, without=("batch.kubernetes.io/", *_JOB_LABELS, PREFIX))


def is_ending(job: Fields) -> bool:
    """It is sure to fail, and its pods may still be ending.
    https://kubernetes.io/docs/concepts/workloads/controllers/job/#termination-of-job-pods"""
    return _conditions(job) & {"Failed", "FailureTarget"} == {"FailureTarget"}


def _has_failed(job: Fields) -> bool:
    return bool(_conditions(job) & {"Failed", "FailureTarget"})


def _conditions(job: Fields) -> set[str]:
    """Those that are so."""
    conditions = items_at(fields_at(job, "status"), "conditions")
    return {str(c.get("type")) for c in conditions if c.get("status") == "True"}


def _never_ran(job: Fields, container: str) -> bool:
    """Whether nothing of it can have run without this container's image. Counts do not tell of
    others beside it: a pod whose one container waits is not ready, whatever the rest of it does."""
    spec, status = fields_at(job, "spec", "template", "spec"), fields_at(job, "status")
    names = [one.get("name") for f in ("initContainers", "containers") for one in items_at(spec, f)]
    counts = ("ready", "succeeded", "failed")
    return names == [container] and not any(number_at(status, count) for count in counts)


def _with_image(action: RerunJob, template: Fields) -> Fields:
    spec = dict(fields_at(template, "spec"))
    for field in ("containers", "initContainers"):
        there = items_at(spec, field)
        if any(one.get("name") == action.container for one in there):
            spec[field] = [
                {**one, "image": action.image} if one.get("name") == action.container else one
                for one in there
            ]
            return {**template, "spec": spec}
    raise Invalid(f"{action.target} has no container {action.container!r}")


def _manifest(live: Fields, spec: Fields, *, without: tuple[str, ...]) -> Fields:
    before = fields_at(live, "metadata")
    metadata: Fields = {
        k: before[k] for k in ("name", "namespace", "ownerReferences") if k in before
    }
    for field in ("labels", "annotations"):
        if kept := _but(fields_at(before, field), without):
            metadata[field] = kept
    return {
        **{k: live[k] for k in ("apiVersion", "kind") if k in live},
        "metadata": metadata,
        "spec": spec,
    }


def _marked(manifest: Fields, mark: str, key: str) -> Fields:
    metadata = fields_at(manifest, "metadata")
    annotations = {**fields_at(metadata, "annotations"), mark: key}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def _but(entries: Fields, beginnings: tuple[str, ...]) -> Fields:
    return {key: value for key, value in entries.items() if not key.startswith(beginnings)}


def _unstuck(workload: Fields) -> tuple[Operation, ...]:
    """An ordered StatefulSet waits for its broken pods before it replaces them."""
    is_ordered = text_at(workload, "spec", "podManagementPolicy") != "Parallel"
    if text_at(workload, "kind") != "StatefulSet" or not is_ordered:
        return ()
    return (ReplaceUnready(target=ref_of(workload)),)


def _patch(workload: Fields, patch: Fields) -> Patch:
    return Patch(
        target=ref_of(workload), patch=encode(patch), rollback=encode(inverse(workload, patch))
    )


def ref_of(live: Fields) -> ObjectRef:
    """Names the object."""
    return ObjectRef(
        kind=text_at(live, "kind") or "",
        namespace=text_at(live, "metadata", "namespace") or "",
        name=text_at(live, "metadata", "name") or "",
        uid=text_at(live, "metadata", "uid") or "",
    )


def _exactly(target: ObjectRef, live: Fields) -> ObjectRef:
    uid = text_at(live, "metadata", "uid") or ""
    return ObjectRef(kind=target.kind, namespace=target.namespace, name=target.name, uid=uid)


def _refuse_pod(live: Fields, target: ObjectRef) -> None:
    owners = items_at(fields_at(live, "metadata"), "ownerReferences")
    if not any(owner.get("controller") is True for owner in owners):
        raise Invalid(f"{target} has no controller that would make another one")
    if text_at(live, "metadata", "deletionTimestamp") is not None:
        raise Invalid(
            f"{target} is being deleted already; to force that is for people, who know whether its "
            "node still runs it"
        )
