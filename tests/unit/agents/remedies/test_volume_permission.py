"""A program that may not write to its volume."""

import msgspec
import pytest

from copilot.agents.remedies import REMEDIES
from copilot.causes.volume_permission import volume_permission
from copilot.domain.action import SetFsGroup
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause
from copilot.domain.objects import (
    ClaimVolume,
    HostPath,
    SecurityContext,
    Volume,
    VolumeMount,
)
from copilot.domain.surroundings import CsiVolume, LocalVolume, Surroundings, VolumeSpec
from tests.builders_around import a_claim, a_volume, a_workload, with_spec, with_surroundings
from tests.builders_case import a_case, a_line
from tests.builders_net import drafts_and_notes, the_action
from tests.builders_objects import a_container, a_pod, a_status, ago, terminated, waiting

REMEDY = REMEDIES[Cause.VOLUME_PERMISSION]
CLAIMED = Volume(name="c", persistent_volume_claim=ClaimVolume(claim_name="data"))
LOCAL = VolumeSpec(local=LocalVolume(path="/disk"))
USER = SecurityContext(run_as_user=1000)


def closed(
    disk: VolumeSpec = LOCAL,
    *,
    volume: Volume = CLAIMED,
    user: SecurityContext = USER,
    pod_wide: SecurityContext | None = None,
    kind: str = "StatefulSet",
) -> Case:
    ended = terminated(exit_code=1, reason="Error", started=ago(30), finished=ago(20))
    status = a_status(
        state=waiting("CrashLoopBackOff"), last_state=ended, ready=False, restart_count=3
    )
    container = msgspec.structs.replace(
        a_container(),
        volume_mounts=[VolumeMount(name="c", mount_path="/c")],
        security_context=user,
    )
    pod = with_spec(
        a_pod("billing", statuses=[status], created=ago(60)), container=container, volumes=[volume]
    )
    spec = msgspec.structs.replace(pod.spec, security_context=pod_wide)
    pod = msgspec.structs.replace(pod, spec=spec)
    claim = a_claim("data", phase="Bound")
    bound = msgspec.structs.replace(claim.spec, volume_name="disk")
    return with_surroundings(
        a_case(
            pods=[pod],
            workload=a_workload("billing", kind=kind, spec=spec),
            lines=[a_line("sh: can't create /c/x: Permission denied", pod, at=ago(21))],
            rule=Rule.CRASH_LOOP,
        ),
        Surroundings(
            claims=(msgspec.structs.replace(claim, spec=bound),),
            volumes=(msgspec.structs.replace(a_volume("disk", phase="Bound"), spec=disk),),
        ),
    )


@pytest.mark.parametrize(
    ("case", "group"),
    [
        pytest.param(closed(), 1000, id="of-its-user"),
        pytest.param(
            closed(user=SecurityContext(run_as_user=1000, run_as_group=2000)), 2000, id="its-group"
        ),
        pytest.param(
            closed(
                VolumeSpec(
                    csi=CsiVolume(driver="disks", fs_type="ext4"), access_modes=["ReadWriteOnce"]
                ),
                kind="Deployment",
            ),
            1000,
            id="by-a-driver",
        ),
    ],
)
def test_its_volume_is_given_to_its_group(case: Case, group: int) -> None:
    action = the_action(case, volume_permission(case), REMEDY)

    assert isinstance(action, SetFsGroup)
    assert (action.target.name, action.group) == ("billing", group)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(closed(VolumeSpec()), id="a-kind-that-keeps-its-owners"),
        pytest.param(closed(kind="Deployment"), id="it-is-mounted-still-when-the-new-pod-comes"),
        pytest.param(
            closed(VolumeSpec(csi=CsiVolume(driver="nfs"), access_modes=["ReadWriteMany"])),
            id="of-many-writers",
        ),
        pytest.param(
            closed(VolumeSpec(csi=CsiVolume(driver="x"), access_modes=["ReadWriteOnce"])),
            id="no-file-system-named",
        ),
        pytest.param(
            closed(volume=Volume(name="c", host_path=HostPath(path="/c"))), id="a-path-of-the-node"
        ),
        pytest.param(closed(user=SecurityContext()), id="a-user-that-nobody-names"),
        pytest.param(closed(pod_wide=SecurityContext(fs_group=5)), id="it-has-a-group-already"),
    ],
)
def test_whom_another_volume_belongs_to_is_for_people(case: Case) -> None:
    drafts, notes = drafts_and_notes(case, volume_permission(case), REMEDY)

    assert drafts == []
    assert "for people" in notes[0]
