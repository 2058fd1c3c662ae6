"""Deployments: a ReplicaSet for each template, and pods moved from the old to the new.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

from __future__ import annotations

import copy
import json
import math
from typing import Any

from copilot.demo.kinds import DEPLOYMENT, POD, REPLICA_SET, Obj
from copilot.demo.reporting import Reporter, Source
from copilot.demo.times import SECOND_US, from_text, to_second
from copilot.demo.world import World
from copilot.demo.writer import Writer, owner_reference
from copilot.demo.writing import NAME_LETTERS

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
HASH = "pod-template-hash"

_OWN_ANNOTATIONS = frozenset({REVISION, REVISION_HISTORY, DESIRED, MAXIMUM, LAST_APPLIED})


class Deployments:
    """The deployment controller. One move a round, as little as a real one makes at a time."""

    def __init__(self, world: World, writer: Writer, reporter: Reporter) -> None:
        self._world = world
        self._writer = writer
        self._reporter = reporter

    def sync(self, deployment: Obj) -> None:
        """Bring the deployment one move nearer to what it should be, and its status up to date."""
        owned = self._writer.owned(REPLICA_SET, deployment)
        newest = next((rs for rs in owned if _is_of_template(rs, deployment)), None)
        if newest is None and not deployment["spec"].get("paused"):
            self._roll_out(deployment, owned)
            return
        if newest is not None:
            newest = self._keep_revision(deployment, newest, owned)
            owned = self._writer.owned(REPLICA_SET, deployment)
            deployment = self._world.get(DEPLOYMENT, *_key(deployment))
        if not self._reconcile(deployment, newest, owned):
            self._clean_up(deployment, newest, owned)
        owned = self._writer.owned(REPLICA_SET, deployment)
        newest = next((rs for rs in owned if _is_of_template(rs, deployment)), None)
        self._report_status(self._world.get(DEPLOYMENT, *_key(deployment)), newest, owned)

    def _roll_out(self, deployment: Obj, owned: list[Obj]) -> None:
        """A template that is new: its ReplicaSet, with as many pods as the surge allows."""
        spec, metadata = deployment["spec"], deployment["metadata"]
        revision = str(max([0, *(_revision(rs) for rs in owned)]) + 1)
        mark = template_hash(spec["template"])
        template = copy.deepcopy(spec["template"])
        labels = {**(template["metadata"].get("labels") or {}), HASH: mark}
        template["metadata"] = {**template["metadata"], "labels": labels}
        kept = _copied_annotations(deployment)
        replica_set = {
            "metadata": {
                "name": f"{metadata['name']}-{mark}",
                "namespace": metadata["namespace"],
                "labels": labels,
                "annotations": kept | _sizes(deployment) | {REVISION: revision},
                "ownerReferences": [owner_reference(DEPLOYMENT, deployment)],
            },
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {**spec["selector"]["matchLabels"], HASH: mark}},
                "template": template,
            },
            "status": {"replicas": 0},
        }
        replica_set["spec"]["replicas"] = _new_size(deployment, replica_set, owned)
        self._writer.add(REPLICA_SET, replica_set)
        if replica_set["spec"]["replicas"]:
            self._tell_scaled(deployment, replica_set, 0)
        told = f'Created new replica set "{replica_set["metadata"]["name"]}"'
        self._note_progress(deployment, revision, "NewReplicaSetCreated", told)

    def _keep_revision(self, deployment: Obj, newest: Obj, owned: list[Obj]) -> Obj:
        """The ReplicaSet in use carries the highest revision: an old one that is used again, too."""
        others = [_revision(rs) for rs in owned if rs is not newest]
        wanted = max([0, *others]) + 1
        annotations = dict(newest["metadata"].get("annotations") or {})
        if _revision(newest) < wanted:
            history = [h for h in annotations.get(REVISION_HISTORY, "").split(",") if h]
            history.append(annotations[REVISION])
            annotations |= {REVISION: str(wanted), REVISION_HISTORY: ",".join(history)}
            told = f'Found new replica set "{newest["metadata"]["name"]}"'
            self._note_progress(deployment, str(wanted), "FoundNewReplicaSet", told)
        annotations |= _copied_annotations(deployment) | _sizes(deployment)
        if annotations == newest["metadata"].get("annotations"):
            return newest
        metadata = {**newest["metadata"], "annotations": annotations}
        return self._writer.put(REPLICA_SET, newest, {**newest, "metadata": metadata})

    def _note_progress(self, deployment: Obj, revision: str, reason: str, message: str) -> None:
        metadata = deployment["metadata"]
        annotations = {**(metadata.get("annotations") or {}), REVISION: revision}
        conditions = _with_condition(
            (deployment.get("status") or {}).get("conditions") or [],
            "Progressing",
            True,
            reason,
            message,
            to_second(self._world.now_us()),
        )
        status = {**(deployment.get("status") or {}), "conditions": conditions}
        after = {**deployment, "metadata": {**metadata, "annotations": annotations}}
        self._writer.put(DEPLOYMENT, deployment, {**after, "status": status}, "status")

    def _reconcile(self, deployment: Obj, newest: Obj | None, owned: list[Obj]) -> bool:
        """One move towards what is wanted; true where one was made."""
        old = [rs for rs in owned if rs is not newest]
        if deployment["spec"].get("paused"):
            return newest is not None and self._scale_alone(deployment, newest, owned)
        assert newest is not None
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            return self._recreate(deployment, newest, old)
        size = _new_size(deployment, newest, owned)
        if size != newest["spec"]["replicas"]:
            self._scale(deployment, newest, size)
            return True
        return self._shrink_old(deployment, newest, old)

    def _scale_alone(self, deployment: Obj, newest: Obj, owned: list[Obj]) -> bool:
        others = sum(rs["spec"]["replicas"] for rs in owned if rs is not newest)
        size = deployment["spec"]["replicas"] - others
        if size == newest["spec"]["replicas"] or size < 0:
            return False
        self._scale(deployment, newest, size)
        return True

    def _recreate(self, deployment: Obj, newest: Obj, old: list[Obj]) -> bool:
        running = [rs for rs in old if rs["spec"]["replicas"]]
        for replica_set in running:
            self._scale(deployment, replica_set, 0)
        if running or any(self._writer.owned(POD, rs) for rs in old):
            return bool(running)
        if newest["spec"]["replicas"] == deployment["spec"]["replicas"]:
            return False
        self._scale(deployment, newest, deployment["spec"]["replicas"])
        return True

    def _shrink_old(self, deployment: Obj, newest: Obj, old: list[Obj]) -> bool:
        """Take from the old what is not needed for availability, unhealthy pods first."""
        owned = [newest, *old]
        desired = deployment["spec"]["replicas"]
        least = desired - max_unavailable(deployment)
        n_pods = sum(rs["spec"]["replicas"] for rs in owned)
        n_new_unavailable = newest["spec"]["replicas"] - _available(newest)
        spare = n_pods - least - n_new_unavailable
        moved = False
        for replica_set in sorted(old, key=_revision):
            unhealthy = replica_set["spec"]["replicas"] - _available(replica_set)
            taken = min(spare, unhealthy)
            if spare > 0 and taken > 0:
                self._scale(deployment, replica_set, replica_set["spec"]["replicas"] - taken)
                spare -= taken
                moved = True
        if moved:
            return True
        surplus = min(spare, sum(_available(rs) for rs in owned) - least)
        for replica_set in sorted(old, key=_revision):
            taken = min(surplus, replica_set["spec"]["replicas"])
            if surplus > 0 and taken > 0:
                self._scale(deployment, replica_set, replica_set["spec"]["replicas"] - taken)
                surplus -= taken
                moved = True
        return moved

    def _scale(self, deployment: Obj, replica_set: Obj, size: int) -> None:
        before = replica_set["spec"]["replicas"]
        metadata = {
            **replica_set["metadata"],
            "generation": replica_set["metadata"]["generation"] + 1,
            "annotations": {**replica_set["metadata"]["annotations"], **_sizes(deployment)},
        }
        spec = {**replica_set["spec"], "replicas": size}
        after = {**replica_set, "metadata": metadata, "spec": spec}
        self._writer.put(REPLICA_SET, replica_set, after)
        self._tell_scaled(deployment, after, before)

    def _clean_up(self, deployment: Obj, newest: Obj | None, owned: list[Obj]) -> None:
        """Forget the oldest ReplicaSets beyond the history limit."""
        idle = [
            rs
            for rs in owned
            if rs is not newest and not rs["spec"]["replicas"] and not rs["status"]["replicas"]
        ]
        surplus = len(idle) - deployment["spec"]["revisionHistoryLimit"]
        for replica_set in sorted(idle, key=_revision)[: max(0, surplus)]:
            self._world.remove(REPLICA_SET, replica_set)

    def _report_status(self, deployment: Obj, newest: Obj | None, owned: list[Obj]) -> None:
        before = deployment.get("status") or {}
        n_available = sum(_available(rs) for rs in owned)
        counts = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": sum(rs["status"]["replicas"] for rs in owned),
            "updatedReplicas": newest["status"]["replicas"] if newest else 0,
            "readyReplicas": sum(rs["status"].get("readyReplicas", 0) for rs in owned),
            "availableReplicas": n_available,
            "unavailableReplicas": max(
                0, sum(rs["spec"]["replicas"] for rs in owned) - n_available
            ),
        }
        status = {name: count for name, count in counts.items() if count}
        conditions = self._conditions(deployment, newest, before, counts)
        after = {**deployment, "status": {**status, "conditions": conditions}}
        if after["status"] != before:
            self._writer.put(DEPLOYMENT, deployment, after, "status")

    def _conditions(
        self, deployment: Obj, newest: Obj | None, before: Obj, counts: dict[str, int]
    ) -> list[Obj]:
        now = to_second(self._world.now_us())
        held = list(before.get("conditions") or [])
        desired = deployment["spec"]["replicas"]
        if counts["availableReplicas"] >= desired - max_unavailable(deployment):
            told = "Deployment has minimum availability."
            held = _with_condition(held, "Available", True, "MinimumReplicasAvailable", told, now)
        else:
            told = "Deployment does not have minimum availability."
            held = _with_condition(
                held, "Available", False, "MinimumReplicasUnavailable", told, now
            )
        if newest is None:
            return held
        return self._progressing(deployment, newest, before, counts, held)

    def _progressing(
        self,
        deployment: Obj,
        newest: Obj,
        before: Obj,
        counts: dict[str, int],
        held: list[Obj],
    ) -> list[Obj]:
        now_us = self._world.now_us()
        current = next((c for c in held if c["type"] == "Progressing"), None)
        is_settled = counts["replicas"] == counts["updatedReplicas"]
        if is_settled and current and current["reason"] == "NewReplicaSetAvailable":
            return held
        name, desired = newest["metadata"]["name"], deployment["spec"]["replicas"]
        is_complete = desired == counts["updatedReplicas"] == counts["replicas"]
        now = to_second(now_us)
        if is_complete and counts["availableReplicas"] == desired:
            told = f'ReplicaSet "{name}" has successfully progressed.'
            return _with_condition(held, "Progressing", True, "NewReplicaSetAvailable", told, now)
        if _has_progressed(before, counts):
            told = f'ReplicaSet "{name}" is progressing.'
            kept = [c for c in held if c["type"] != "Progressing"]
            since = current["lastTransitionTime"] if current else now
            fresh = _condition("Progressing", True, "ReplicaSetUpdated", told, now)
            return [*kept, {**fresh, "lastTransitionTime": since}]
        limit_us = deployment["spec"]["progressDeadlineSeconds"] * SECOND_US
        if current and now_us - from_text(current["lastUpdateTime"]) > limit_us:
            told = f'ReplicaSet "{name}" has timed out progressing.'
            return _with_condition(
                held, "Progressing", False, "ProgressDeadlineExceeded", told, now
            )
        return held

    def _tell_scaled(self, deployment: Obj, replica_set: Obj, before: int) -> None:
        after = replica_set["spec"]["replicas"]
        way = "up" if after > before else "down"
        self._reporter.report(
            Source(component="deployment-controller"),
            DEPLOYMENT,
            deployment,
            "Normal",
            "ScalingReplicaSet",
            f"Scaled {way} replica set {replica_set['metadata']['name']} from {before} to {after}",
        )


def template_hash(template: Obj) -> str:
    """A short name for a pod template: the same for the same template (32 bit FNV-1a)."""
    value = 0x811C9DC5
    for byte in json.dumps(template, sort_keys=True).encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(NAME_LETTERS[ord(digit) % len(NAME_LETTERS)] for digit in str(value))


def max_surge(deployment: Obj) -> int:
    """Pods above the wanted number during a rollout; a percentage is rounded up."""
    return _share(deployment, "maxSurge", math.ceil)


def max_unavailable(deployment: Obj) -> int:
    """Pods that may be missing during a rollout; a percentage is rounded down, 0 and 0 is 1."""
    if deployment["spec"]["strategy"]["type"] == "Recreate":
        return 0
    unavailable = _share(deployment, "maxUnavailable", math.floor)
    if unavailable == 0 and max_surge(deployment) == 0:
        return 1
    return min(unavailable, int(deployment["spec"]["replicas"]))


def _share(deployment: Obj, name: str, rounded: Any) -> int:
    value = (deployment["spec"]["strategy"].get("rollingUpdate") or {}).get(name, 0)
    if isinstance(value, str) and value.endswith("%"):
        return int(rounded(deployment["spec"]["replicas"] * int(value[:-1]) / 100))
    return int(value)


def _new_size(deployment: Obj, newest: Obj, owned: list[Obj]) -> int:
    """How many pods the newest ReplicaSet may have now."""
    desired, size = deployment["spec"]["replicas"], newest["spec"]["replicas"]
    if size >= desired:
        return int(desired)
    if deployment["spec"]["strategy"]["type"] == "Recreate":
        n_old = sum(rs["spec"]["replicas"] for rs in owned)
        return 0 if n_old else int(desired)
    others = sum(rs["spec"]["replicas"] for rs in owned if rs is not newest)
    room = desired + max_surge(deployment) - others - size
    return int(size + max(0, min(room, desired - size)))


def _is_of_template(replica_set: Obj, deployment: Obj) -> bool:
    template = replica_set["spec"]["template"]
    labels = {k: v for k, v in template["metadata"]["labels"].items() if k != HASH}
    plain = {**template, "metadata": {**template["metadata"], "labels": labels}}
    return bool(plain == deployment["spec"]["template"])


def _sizes(deployment: Obj) -> dict[str, str]:
    desired = deployment["spec"]["replicas"]
    return {DESIRED: str(desired), MAXIMUM: str(desired + max_surge(deployment))}


def _copied_annotations(deployment: Obj) -> dict[str, str]:
    annotations = deployment["metadata"].get("annotations") or {}
    return {k: v for k, v in annotations.items() if k not in _OWN_ANNOTATIONS}


def _key(obj: Obj) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _revision(replica_set: Obj) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, "0"))


def _available(replica_set: Obj) -> int:
    return int(replica_set["status"].get("availableReplicas", 0))


def _has_progressed(before: Obj, counts: dict[str, int]) -> bool:
    n_old_before: int = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    return bool(
        counts["updatedReplicas"] > int(before.get("updatedReplicas", 0))
        or counts["replicas"] - counts["updatedReplicas"] < n_old_before
        or counts["readyReplicas"] > before.get("readyReplicas", 0)
        or counts["availableReplicas"] > before.get("availableReplicas", 0)
    )


def _condition(type_: str, is_true: bool, reason: str, message: str, now: str) -> Obj:
    return {
        "type": type_,
        "status": "True" if is_true else "False",
        "lastUpdateTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


def _with_condition(
    held: list[Obj], type_: str, is_true: bool, reason: str, message: str, now: str
) -> list[Obj]:
    """The conditions with this one set; one of the same status and reason stays as it is."""
    wanted = _condition(type_, is_true, reason, message, now)
    current = next((c for c in held if c["type"] == type_), None)
    if current and (current["status"], current["reason"]) == (wanted["status"], reason):
        return held
    if current and current["status"] == wanted["status"]:
        wanted["lastTransitionTime"] = current["lastTransitionTime"]
    return [*(c for c in held if c["type"] != type_), wanted]
