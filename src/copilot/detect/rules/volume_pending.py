"""A claim gets no volume, has lost it, or a pod cannot be given the volume that it has.

A pending claim is trouble where what it waits for will not come by itself: its storage class does
not exist, the provisioner refuses, no volume fits and nothing makes one. A provisioner that only
lets wait has a minute.

Quiet: a claim that waits for its first consumer, ten seconds of one whose volume may be on its way
with the same manifests, mounts that fail a few times (a volume that is still attached elsewhere).
ConfigMaps and Secrets that are not there are told by `not_ready`.
https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding
"""

from __future__ import annotations

from collections.abc import Iterator

from copilot.detect.placing import (
    SECOND_US,
    alert_about,
    clip,
    clock_time,
    duration,
    first_us,
    last_events,
    live_pods,
    place_of,
    pod_alert,
)
from copilot.detect.rules.not_ready import is_about_config
from copilot.detect.wellness import has
from copilot.domain.alert import Alert, Rule, Seen
from copilot.domain.objects import KubeEvent, ObjectRef, Pod, epoch_us
from copilot.domain.surroundings import PersistentVolumeClaim

SEVERITY = 2
SEVERITY_UNUSED = 3
"""Of a claim that no pod waits for."""
REFUSED_US = 3 * SECOND_US
UNMATCHED_US = 10 * SECOND_US
SLOW_US = 60 * SECOND_US
MOUNT_US = 20 * SECOND_US
STALE_US = 180 * SECOND_US
"""The kubelet tries a mount again at least every two minutes."""
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"

_REFUSALS = ("ProvisioningFailed", "ClaimMisbound", "ClaimLost")


def check(seen: Seen) -> Iterator[Alert]:
    """One alert for each claim that stays without a volume, and each pod that cannot mount."""
    refused = last_events(seen, *_REFUSALS)
    unmatched = last_events(seen, "FailedBinding", "WaitForFirstConsumer", "ExternalProvisioning")
    for claim in seen.claims:
        if claim.metadata.deletion_timestamp is not None:
            continue
        place = place_of("PersistentVolumeClaim", claim.metadata)
        why = _why(seen, claim, refused.get(place), unmatched.get(place))
        if why:
            yield _claim_alert(seen, claim, why)
    yield from _mounts(seen)


def _why(
    seen: Seen,
    claim: PersistentVolumeClaim,
    refusal: KubeEvent | None,
    waits: KubeEvent | None,
) -> str:
    """What keeps it, empty where it may yet come by itself."""
    if claim.status.phase == "Lost":
        return "its volume is gone"
    waited_us = seen.now_us - epoch_us(claim.metadata.creation_timestamp)
    if refusal and refusal.involved_object.uid == claim.metadata.uid and waited_us >= REFUSED_US:
        return clip(refusal.message, 300)
    missing = _missing_class(seen, claim)
    if waits is None or waits.involved_object.uid != claim.metadata.uid:
        return missing if waited_us >= UNMATCHED_US else ""
    if waits.reason == "FailedBinding" and waited_us >= UNMATCHED_US:
        return missing or clip(waits.message, 300)
    asked_us = seen.now_us - first_us(waits)  # its first consumer may have come just now
    is_slow = waits.reason == "ExternalProvisioning" and asked_us >= SLOW_US
    return clip(waits.message, 300) if is_slow else ""


def _missing_class(seen: Seen, claim: PersistentVolumeClaim) -> str:
    """A class that is named and not there; a volume of that name may still be bound by hand, and
    then there is an event to say that it is waited for."""
    name = claim.spec.storage_class_name
    if not name or "StorageClass" not in seen.listed:
        return ""
    known = {c.metadata.name for c in seen.storage_classes}
    return "" if name in known else f"there is no storage class {clip(name, 80)}"


def _claim_alert(seen: Seen, claim: PersistentVolumeClaim, why: str) -> Alert:
    meta = claim.metadata
    itself = ObjectRef(
        kind="PersistentVolumeClaim", namespace=meta.namespace, name=meta.name, uid=meta.uid
    )
    pod = next((p for p in live_pods(seen) if _mounts_claim(p, claim)), None)
    since_us = epoch_us(meta.creation_timestamp)
    waiting = f" Pod {pod.metadata.name} waits for it." if pod else ""
    return alert_about(
        seen,
        seen.workload_of(pod) if pod else itself,
        rule=Rule.VOLUME_PENDING,
        pod=pod.metadata.name if pod else "",
        severity=SEVERITY if pod else SEVERITY_UNUSED,
        title=f"Claim {meta.name} has no volume: {clip(why, 140)}",
        message=(
            f"PersistentVolumeClaim {meta.name} is {clip(claim.status.phase, 20) or 'Pending'} "
            f"since {clock_time(since_us)} ({duration(seen.now_us - since_us)}): {why}.{waiting}"
        ),
        starts_us=since_us,
        source="claim status",
        detail=meta.name,
    )


def _mounts_claim(pod: Pod, claim: PersistentVolumeClaim) -> bool:
    return pod.metadata.namespace == claim.metadata.namespace and any(
        v.persistent_volume_claim and v.persistent_volume_claim.claim_name == claim.metadata.name
        for v in pod.spec.volumes or ()
    )


def _mounts(seen: Seen) -> Iterator[Alert]:
    """Pods that wait for a volume which cannot be attached or mounted."""
    failed = last_events(seen, "FailedAttachVolume", "FailedMount", "FailedMapVolume")
    for pod in live_pods(seen):
        event = failed.get(place_of("Pod", pod.metadata))
        if event is None or event.involved_object.uid != pod.metadata.uid:
            continue
        since_us = first_us(event)
        has_run = any(s.container_id for s in pod.status.container_statuses or ())
        has_volumes = has(pod.status.conditions, "PodReadyToStartContainers")
        is_late = seen.now_us - epoch_us(event.occurred) <= STALE_US
        is_lasting = seen.now_us - since_us >= MOUNT_US
        if (
            has_run
            or has_volumes
            or not is_late
            or not is_lasting
            or is_about_config(event.message)
        ):
            continue
        name = seen.workload_of(pod).name
        yield pod_alert(
            seen,
            pod,
            rule=Rule.VOLUME_PENDING,
            container="",
            severity=SEVERITY,
            title=f"{name} cannot mount a volume: {clip(event.message, 140)}",
            message=(
                f"Pod {pod.metadata.name} has waited for its volumes since {clock_time(since_us)} "
                f"({duration(seen.now_us - since_us)}): {clip(event.message, 800)}"
            ),
            starts_us=since_us,
            source="event",
            detail="mount",
        )
