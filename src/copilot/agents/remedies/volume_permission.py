"""A program that may not write: back to before, the volume given to its group, else for people.
Pure."""

from __future__ import annotations

from collections.abc import Iterator

from copilot.agents.drafting import drafted
from copilot.agents.remedies.templates import template_of, undone
from copilot.causes.citing import object_key
from copilot.causes.references import workload_ref
from copilot.causes.volume_permission import Unwritable, unwritable
from copilot.domain.action import SetFsGroup
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis
from copilot.domain.proposal import Draft
from copilot.domain.surroundings import PersistentVolume

_FOR_PEOPLE = {
    "read_only_mount": "whether the volume may be mounted writable is for people to say",
    "read_only_root": "a writable volume at that path is for people to add: an emptyDir will do",
}


def volume_permission(case: Case, hypothesis: Hypothesis) -> Iterator[Draft | str]:
    """What a program may do is not ours to loosen; whom its own volume belongs to can be set."""
    found = tuple(undone(case, hypothesis))
    yield from found
    given = _given_to_its_group(case, hypothesis) if hypothesis.detail == "not_owner" else None
    if given is not None:
        yield given
    elif not found:
        yield _FOR_PEOPLE.get(
            hypothesis.detail, "whom the files should belong to (fsGroup, runAsUser) is for people"
        )


def _given_to_its_group(case: Case, hypothesis: Hypothesis) -> Draft | None:
    found, spec = unwritable(case), template_of(case)
    if found is None or spec is None:
        return None
    context, volume = spec.security_context, _volume_of(case, found)
    group = found.group or found.user
    if volume is None or not _honours_fs_group(volume, workload_ref(case).kind) or not group:
        return None
    if context is not None and context.fs_group is not None:
        return None
    return drafted(
        case,
        SetFsGroup(target=workload_ref(case), group=group),
        title=f"Let the volumes of {workload_ref(case).name} belong to group {group}",
        why=(
            f"{found.container.name} runs as user {found.user} and may not write to its volume. With "
            f"this fsGroup the kubelet gives what is on it to group {group}, as which it runs, too."
        ),
        hypothesis=hypothesis,
        keys=(object_key(volume.metadata), object_key(found.pod.metadata)),
    )


def _volume_of(case: Case, found: Unwritable) -> PersistentVolume | None:
    """That the path lies on, where it is a claim's."""
    mounted = found.mount.name if found.mount else ""
    names = {
        v.persistent_volume_claim.claim_name
        for v in found.pod.spec.volumes or ()
        if v.name == mounted and v.persistent_volume_claim
    }
    bound = {c.spec.volume_name for c in case.surroundings.claims if c.metadata.name in names} - {
        ""
    }
    return next((v for v in case.surroundings.volumes if v.metadata.name in bound), None)


def _honours_fs_group(volume: PersistentVolume, kind: str) -> bool:
    """What a CSI driver mounts does by the default policy: one writer, and a file system that is
    named. A local one does at its first mount only: where the old pod goes before the new one comes.
    A path on the node, NFS and others keep their owners.
    https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
    https://kubernetes-csi.github.io/docs/support-fsgroup.html"""
    spec = volume.spec
    is_alone = spec.access_modes in (["ReadWriteOnce"], ["ReadWriteOncePod"])
    if spec.local is not None:
        return kind == "StatefulSet"
    return spec.csi is not None and is_alone and bool(spec.csi.fs_type)
