"""A cluster in memory: strategic merge patches, dry runs, conflicts, rollouts, pods that die.

Small on purpose, and true where the steps of remediation look. Rollouts are instant. A container
lives as long as `lives` says, sleeps ten seconds in back-off, and lives again; what its status
shows follows from the clock.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from copilot.demo.patch import strategic_merge
from copilot.domain.errors import Conflict, CopilotError, Invalid, NotFound, Refused
from copilot.domain.event import Point
from copilot.domain.objects import KubeStruct, ObjectRef
from copilot.domain.quantity import parse_bytes
from copilot.ports import ClusterInfo, Delta, Kind
from tests.fakes import FixedClock

BACK_OFF_S = 10
REVISION = "deployment.kubernetes.io/revision"

Json = dict[str, Any]
Lives = Callable[[Json], float | None]
"""Seconds a container of this pod template lives until it is OOM-killed, None for ever."""


def needs(memory: str, *, lives_s: float = 4) -> Lives:
    """Containers die after `lives_s` under any limit below `memory`."""

    def lives(template: Json) -> float | None:
        limit = template["spec"]["containers"][0]["resources"]["limits"]["memory"]
        return lives_s if parse_bytes(limit) < parse_bytes(memory) else None

    return lives


@dataclass(slots=True, kw_only=True)
class Trouble:
    """The next call of this method fails; with `after_all` what it asked for is done first."""

    method: str
    error: CopilotError
    after_all: bool = False
    skip: int = 0
    """So many calls of it go well before."""


@dataclass(slots=True)
class FakeCluster:
    """Meets `ports.Cluster` for get, list, patch, create and delete."""

    clock: FixedClock
    lives: Lives = lambda template: None
    is_demo: bool = False
    resizes_pods: bool = True
    """Whether its discovery lists `pods/resize`."""
    rolls_out: bool = True
    objects: dict[str, Json] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    before_patch: list[Callable[[], None]] = field(default_factory=list)
    """Each runs once, before the next real patch: what somebody else does meanwhile."""
    before_delete: list[Callable[[], None]] = field(default_factory=list)
    """The same before the next real deletion."""
    after_write: list[Callable[[Json], None]] = field(default_factory=list)
    """Each runs after every patch that went in and every object that was made: what a controller
    does about it."""
    patches: list[Json] = field(default_factory=list)
    """Real patches that went in, with their manager."""
    resized_runs: list[Json] = field(default_factory=list)
    """The state of the first container at each resize that went in."""
    created: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    """Keys of objects that were really created and deleted."""
    kept_kinds: set[str] = field(default_factory=set)
    """Kinds that may not be deleted, nor in a dry run."""
    version: int = 1000

    def put(self, kind: str, thing: KubeStruct | Json) -> Json:
        """Keep an object as it is; a Deployment gets its ReplicaSet and pods."""
        tree: Json = json.loads(msgspec.json.encode(thing)) | {"kind": kind}
        tree["metadata"]["resourceVersion"] = self._next_version()
        self.objects[_key(kind, tree["metadata"])] = tree
        if kind == "Deployment":
            tree["spec"]["template"].setdefault("metadata", {})
            self._roll_out(tree)
        return tree

    def the(self, ref: ObjectRef) -> Json:
        return self.objects[ref.key]

    def touch(self, ref: ObjectRef) -> None:
        """A status moved: a new resourceVersion and nothing else."""
        self.the(ref)["metadata"]["resourceVersion"] = self._next_version()

    def edit(self, ref: ObjectRef, patch: Json) -> None:
        """Somebody else changes the object."""
        self._write(ref, patch, "somebody")

    async def info(self) -> ClusterInfo:
        return ClusterInfo(name="fake", version="v1.34", is_demo=self.is_demo)

    async def get(self, ref: ObjectRef) -> bytes:
        self._fail("get")
        if ref.key not in self.objects:
            raise NotFound(f"{ref} does not exist")
        return json.dumps(self._shown(self.objects[ref.key])).encode()

    async def list_objects(
        self, kind: Kind, namespace: str = "", selector: str = ""
    ) -> list[bytes]:
        self._fail("list_objects")
        wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
        return [
            json.dumps(self._shown(o)).encode()
            for o in self.objects.values()
            if o["kind"] == kind
            and namespace in ("", o["metadata"].get("namespace"))
            and wanted.items() <= (o["metadata"].get("labels") or {}).items()
        ]

    async def patch(
        self, ref: ObjectRef, patch: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        if not dry_run:
            for happening in self.before_patch[:1]:
                self.before_patch.remove(happening)
                happening()
        self._fail("patch")
        body = json.loads(patch)
        live = self.objects.get(ref.key)
        if live is None:
            raise NotFound(f"{ref} does not exist")
        asked = body.get("metadata", {}).get("resourceVersion")
        if asked not in (None, live["metadata"]["resourceVersion"]):
            raise Conflict(f"{ref} has changed since it was read")
        after = merged(live, body)
        _validate(after)
        if dry_run:
            return json.dumps(self._shown(after)).encode()
        self.patches.append(body | {"manager": field_manager})
        self._write(ref, body, field_manager)
        self._fail("patch", after_all=True)
        return await self.get(ref)

    async def serves(self, resource: str) -> bool:
        return resource == "pods/resize" and self.resizes_pods

    async def resize(
        self, pod: ObjectRef, patch: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        """Its kubelet does it at once: containers that run then live by their new limit."""
        self._fail("resize")
        body = json.loads(patch)
        live = self.objects.get(pod.key)
        if live is None or not self.resizes_pods:
            raise NotFound(f"{pod} does not exist, or is not resized here")
        asked = body.get("metadata", {}).get("resourceVersion")
        if asked not in (None, live["metadata"]["resourceVersion"]):
            raise Conflict(f"{pod} has changed since it was read")
        spec = {"spec": body["spec"]}
        if dry_run:
            return json.dumps(self._shown(merged(live, spec))).encode()
        self.resized_runs.append(self._shown(live)["status"]["containerStatuses"][0]["state"])
        self._write(pod, spec, field_manager, subresource="resize")
        self._fail("resize", after_all=True)
        return await self.get(pod)

    async def create(
        self, ref: ObjectRef, manifest: str, *, dry_run: bool, field_manager: str
    ) -> bytes:
        self._fail("create")
        tree: Json = json.loads(manifest) | {"kind": ref.kind}
        metadata = tree["metadata"]
        metadata.setdefault("namespace", ref.namespace)
        metadata.setdefault("name", f"{metadata.pop('generateName', '')}x1")
        key = _key(ref.kind, metadata)
        if key in self.objects:
            raise Conflict(f"{ref} exists already")
        version = self._next_version()
        metadata |= {
            "uid": f"uid-{metadata['name']}-{version}",
            "resourceVersion": version,
            "creationTimestamp": _stamp(self._now()),
            "managedFields": [_entry(field_manager, self._now())],
        }
        if not dry_run:
            self.objects[key] = tree
            self.created.append(key)
            for happening in self.after_write:
                happening(tree)
            self._fail("create", after_all=True)
        return json.dumps(self._shown(tree)).encode()

    async def delete(self, ref: ObjectRef, *, resource_version: str = "", dry_run: bool) -> None:
        if not ref.uid:
            raise Invalid(f"{ref} is not deleted by its name alone")
        if not dry_run:
            for happening in self.before_delete[:1]:
                self.before_delete.remove(happening)
                happening()
        if ref.kind in self.kept_kinds:
            raise Refused(f"not allowed to delete {ref}")
        self._fail("delete")
        live = self.objects.get(ref.key)
        if live is None:
            raise NotFound(f"{ref} does not exist")
        if live["metadata"]["uid"] != ref.uid:
            raise Conflict(f"{ref} has changed since it was read")
        if resource_version not in ("", live["metadata"]["resourceVersion"]):
            raise Conflict(f"{ref} has changed since it was read")
        if dry_run:
            return
        if live["metadata"].get("finalizers"):
            live["metadata"]["deletionTimestamp"] = "2026-11-23T08:00:00Z"
        else:
            del self.objects[ref.key]
        self.deleted.append(ref.key)
        self._fail("delete", after_all=True)

    def watch(self, kind: Kind) -> AsyncIterator[Delta]:
        raise NotImplementedError

    def watch_named(self, ref: ObjectRef) -> AsyncIterator[Delta]:
        raise NotImplementedError

    async def logs(
        self, pod: ObjectRef, container: str, *, previous: bool, max_bytes: int
    ) -> tuple[str, ...]:
        raise NotImplementedError

    async def usage(self, node: str) -> list[Point]:
        raise NotImplementedError

    # ------------------------------------------------------------------ inside

    def _fail(self, method: str, *, after_all: bool = False) -> None:
        for trouble in self.troubles:
            if trouble.method != method or trouble.after_all is not after_all:
                continue
            if trouble.skip:
                trouble.skip -= 1
                continue
            self.troubles.remove(trouble)
            raise trouble.error

    def _write(self, ref: ObjectRef, patch: Json, manager: str, subresource: str = "") -> None:
        before = self.objects[ref.key]
        after = merged(before, patch)
        after["metadata"]["resourceVersion"] = self._next_version()
        entry = _entry(manager, self._now())
        if subresource:
            entry["subresource"] = subresource
        entries = before["metadata"].get("managedFields") or []
        who = (manager, subresource)
        after["metadata"]["managedFields"] = [
            *(e for e in entries if (e["manager"], e.get("subresource", "")) != who),
            entry,
        ]
        is_other = after.get("spec") != before.get("spec")
        if is_other and "generation" in before["metadata"]:
            after["metadata"]["generation"] = before["metadata"]["generation"] + 1
        self.objects[ref.key] = after
        if is_other and ref.kind == "Deployment" and self.rolls_out:
            self._roll_out(after)
        for happening in self.after_write:
            happening(after)

    def _roll_out(self, deployment: Json) -> None:
        """What the Deployment controller does, at once."""
        meta, template = deployment["metadata"], deployment["spec"]["template"]
        sets = self._owned("ReplicaSet", meta["uid"])
        newest = next((s for s in sets if _template(s) == template), None)
        highest = max((_revision(s) for s in sets), default=0)
        if newest is None:
            newest = _a_replica_set(deployment, self._now())
            self.objects[_key("ReplicaSet", newest["metadata"])] = newest
        if _revision(newest) < highest or not sets:
            newest["metadata"]["annotations"][REVISION] = str(highest + 1)
        meta.setdefault("annotations", {})[REVISION] = str(_revision(newest))
        for other in sets:
            if other is not newest:
                for pod in self._owned("Pod", other["metadata"]["uid"]):
                    del self.objects[_key("Pod", pod["metadata"])]
        wanted = deployment["spec"].get("replicas", 1)
        for number in range(len(self._owned("Pod", newest["metadata"]["uid"])), wanted):
            pod = _a_pod(newest, number, self._now())
            self.objects[_key("Pod", pod["metadata"])] = pod
        deployment["status"] = {"observedGeneration": meta["generation"]}

    def _owned(self, kind: str, uid: str) -> list[Json]:
        return [
            o
            for o in self.objects.values()
            if o["kind"] == kind
            and any(r["uid"] == uid for r in o["metadata"].get("ownerReferences") or ())
        ]

    def _shown(self, thing: Json) -> Json:
        tree: Json = copy.deepcopy(thing)
        if tree["kind"] == "Pod" and "born" in tree:
            tree["status"] = self._pod_status(tree)
        if tree["kind"] == "Deployment":
            count = tree["spec"].get("replicas", 1) if self.rolls_out else 0
            names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
            tree["status"] = {**tree.get("status", {}), **dict.fromkeys(names, count)}
        return tree

    def _pod_status(self, pod: Json) -> Json:
        born = datetime.fromisoformat(pod["born"])
        age = (self._now() - born).total_seconds()
        life = self.lives(pod)
        deaths = 0 if life is None or age < life else int((age - life) // (life + BACK_OFF_S)) + 1
        status: Json = {"name": "app", "restartCount": deaths, "containerID": f"c{deaths}"}
        begun = born
        if life is not None and deaths:
            ended = born + timedelta(seconds=life + (deaths - 1) * (life + BACK_OFF_S))
            begun = ended + timedelta(seconds=BACK_OFF_S)
            status["lastState"] = {"terminated": _killed(ended, life)}
            status["restartCount"] = deaths if self._now() >= begun else deaths - 1
        is_running = self._now() >= begun
        status["ready"] = is_running
        status["state"] = (
            {"running": {"startedAt": _stamp(begun)}}
            if is_running
            else {"waiting": {"reason": "CrashLoopBackOff"}}
        )
        return {"phase": "Running", "containerStatuses": [status]}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now_us() / 1_000_000, UTC)

    def _next_version(self) -> str:
        self.version += 1
        return str(self.version)


def merged(base: Json, patch: Json) -> Json:
    """A strategic merge patch, as the demo cluster does it, which a contract suite holds to a real
    API server; that one leaves no empty maps behind."""
    after: Json = _without_empty(strategic_merge(base, patch))
    return after


def _without_empty(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return [_without_empty(i) for i in tree] if isinstance(tree, list) else tree
    kept = {key: _without_empty(value) for key, value in tree.items()}
    return {
        key: value
        for key, value in kept.items()
        if value != {} or key not in ("limits", "requests", "annotations", "nodeSelector", "data")
    }


def _validate(after: Json) -> None:
    if after["kind"] != "Deployment":
        return
    for container in after["spec"]["template"]["spec"]["containers"]:
        resources = container.get("resources") or {}
        limit = (resources.get("limits") or {}).get("memory")
        request = (resources.get("requests") or {}).get("memory")
        if limit and request and parse_bytes(request) > parse_bytes(limit):
            raise Invalid(f"requests: must be less than or equal to memory limit of {limit}")


def _a_replica_set(deployment: Json, now: datetime) -> Json:
    meta, template = deployment["metadata"], copy.deepcopy(deployment["spec"]["template"])
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
    labels = {**(template["metadata"].get("labels") or {}), "pod-template-hash": digest}
    template["metadata"]["labels"] = labels
    name = f"{meta['name']}-{digest}"
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "uid": f"uid-{name}",
            "labels": labels,
            "annotations": {},
            "creationTimestamp": _stamp(now),
            "ownerReferences": [_owner("Deployment", meta)],
        },
        "spec": {"replicas": 1, "template": template},
    }


def _a_pod(replica_set: Json, number: int, now: datetime) -> Json:
    meta, name = replica_set["metadata"], f"{replica_set['metadata']['name']}-{number}"
    return {
        "kind": "Pod",
        "born": now.isoformat(),
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "uid": f"uid-{name}-{now.isoformat()}",
            "labels": meta["labels"],
            "creationTimestamp": _stamp(now),
            "ownerReferences": [_owner("ReplicaSet", meta)],
        },
        "spec": copy.deepcopy(replica_set["spec"]["template"]["spec"]),
    }


def _template(replica_set: Json) -> Json:
    """Without the hash label: as the Deployment has it."""
    template: Json = copy.deepcopy(replica_set["spec"]["template"])
    template["metadata"]["labels"].pop("pod-template-hash", None)
    return template


def _revision(replica_set: Json) -> int:
    return int(replica_set["metadata"]["annotations"].get(REVISION, "0"))


def _owner(kind: str, meta: Json) -> Json:
    return {"kind": kind, "name": meta["name"], "uid": meta["uid"], "controller": True}


def _killed(ended: datetime, life_s: float) -> Json:
    started = ended - timedelta(seconds=life_s)
    return {
        "reason": "OOMKilled",
        "exitCode": 137,
        "startedAt": _stamp(started),
        "finishedAt": _stamp(ended),
    }


def _entry(manager: str, now: datetime) -> Json:
    return {"manager": manager, "operation": "Update", "time": _stamp(now)}


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _key(kind: str, meta: Json) -> str:
    return ObjectRef(kind=kind, namespace=meta.get("namespace", ""), name=meta["name"]).key
