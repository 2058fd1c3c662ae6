"""ReplicaSets: as many pods of a template as are wanted."""

from __future__ import annotations

import copy

from copilot.demo.defaults import with_defaults
from copilot.demo.kinds import POD, REPLICA_SET, Obj
from copilot.demo.reporting import Reporter, Source
from copilot.demo.world import World
from copilot.demo.writer import Writer, owner_reference
from copilot.demo.writing import delete_pod, suffix


class ReplicaSets:
    """The replica set controller."""

    def __init__(self, world: World, writer: Writer, reporter: Reporter) -> None:
        self._world = world
        self._writer = writer
        self._reporter = reporter

    def sync(self, replica_set: Obj) -> None:
        """Create what is missing, delete what is too much, and count."""
        pods = [pod for pod in self._writer.owned(POD, replica_set) if _is_active(pod)]
        wanted = replica_set["spec"]["replicas"]
        for _ in range(len(pods), wanted):
            self._create_pod(replica_set)
        if len(pods) > wanted:
            for pod in sorted(pods, key=_worth)[: len(pods) - wanted]:
                self._delete_pod(replica_set, pod)
        pods = [pod for pod in self._writer.owned(POD, replica_set) if _is_active(pod)]
        n_ready = sum(_is_ready(pod) for pod in pods)
        counts = {
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": n_ready,
            "availableReplicas": n_ready,
        }
        status = {
            "replicas": len(pods),
            **{name: count for name, count in counts.items() if count},
            "observedGeneration": replica_set["metadata"]["generation"],
        }
        if status != replica_set["status"]:
            self._writer.put(REPLICA_SET, replica_set, {**replica_set, "status": status}, "status")

    def _create_pod(self, replica_set: Obj) -> None:
        metadata, template = replica_set["metadata"], replica_set["spec"]["template"]
        pod = {
            "metadata": {
                **copy.deepcopy(template["metadata"]),
                "name": f"{metadata['name']}-{suffix(self._world)}",
                "generateName": f"{metadata['name']}-",
                "namespace": metadata["namespace"],
                "ownerReferences": [owner_reference(REPLICA_SET, replica_set)],
            },
            "spec": copy.deepcopy(template["spec"]),
            "status": {"phase": "Pending"},
        }
        made = self._writer.add(POD, with_defaults(POD, pod))
        self._tell_pod(replica_set, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")

    def _delete_pod(self, replica_set: Obj, pod: Obj) -> None:
        delete_pod(self._world, pod)
        self._tell_pod(replica_set, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _tell_pod(self, replica_set: Obj, reason: str, message: str) -> None:
        source = Source(component="replicaset-controller")
        self._reporter.report(source, REPLICA_SET, replica_set, "Normal", reason, message)


def _is_active(pod: Obj) -> bool:
    is_over = str(pod["status"]["phase"]) in ("Failed", "Succeeded")
    return not (is_over or "deletionTimestamp" in pod["metadata"])


def _is_ready(pod: Obj) -> bool:
    conditions: list[Obj] = pod["status"].get("conditions") or []
    return ("Ready", "True") in [(c["type"], c["status"]) for c in conditions]


def _worth(pod: Obj) -> tuple[bool, bool, str]:
    """The least worth goes first: not placed, not ready, youngest."""
    born = pod["metadata"]["creationTimestamp"]
    young_first = "".join(chr(255 - ord(letter)) for letter in born)
    return bool(pod["spec"].get("nodeName")), _is_ready(pod), young_first
