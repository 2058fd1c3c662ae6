"""Which objects no rule will have anything to say about, however long one waits.

Wrong on the safe side only: what is called well here is never looked at.
"""

from __future__ import annotations

from copilot.domain.objects import Condition, Deployment, Node, Pod
from copilot.domain.surroundings import Job, PersistentVolumeClaim


def is_well(pod: Pod) -> bool:
    """Ready or done, not on its way out, and no container of it has ever been restarted."""
    if pod.metadata.deletion_timestamp is not None:
        return False
    if pod.status.phase == "Succeeded":
        return True
    statuses = pod.status.container_statuses or ()
    starting = pod.status.init_container_statuses or ()  # sidecars, which run on, are among them
    return bool(statuses) and all(s.ready and not s.restart_count for s in (*statuses, *starting))


def is_controller_well(made: Deployment) -> bool:
    """Every pod it asks for is there and ready."""
    if has(made.status.conditions, "ReplicaFailure") or lacks(
        made.status.conditions, "Progressing"
    ):
        return False
    if made.kind == "DaemonSet":
        return made.status.number_ready >= made.status.desired_number_scheduled
    return made.status.ready_replicas >= wanted(made)


def wanted(made: Deployment) -> int:
    """How many pods it asks for; of a DaemonSet the controller says so."""
    if made.kind == "DaemonSet":
        return made.status.desired_number_scheduled
    return 1 if made.spec.replicas is None else made.spec.replicas


def is_job_well(job: Job) -> bool:
    """Done, held back on purpose, or at work without a failure."""
    if has(job.status.conditions, "Complete"):
        return True
    if job.spec.suspend or (job.status.active and not job.status.failed):
        return not has(job.status.conditions, "Failed")
    return False


def is_claim_well(claim: PersistentVolumeClaim) -> bool:
    return claim.status.phase == "Bound"


def is_node_well(node: Node) -> bool:
    """Ready and under no pressure. A cordon is no illness."""
    conditions = node.status.conditions or ()
    return has(conditions, "Ready") and not any(
        c.status == "True"
        for c in conditions
        if c.type.endswith("Pressure") or c.type == "NetworkUnavailable"
    )


def has(conditions: list[Condition] | tuple[Condition, ...] | None, kind: str) -> bool:
    """Whether this condition is said to be true."""
    return any(c.type == kind and c.status == "True" for c in conditions or ())


def lacks(conditions: list[Condition] | None, kind: str) -> bool:
    """Whether this condition is said to be false."""
    return any(c.type == kind and c.status == "False" for c in conditions or ())
