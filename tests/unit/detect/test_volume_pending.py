"""Claims without a volume, and volumes that cannot be mounted."""

import msgspec
import pytest

from copilot.detect.rules.volume_pending import check
from copilot.domain.alert import Seen
from copilot.domain.objects import ClaimVolume, KubeEvent, Metadata, Pod, Volume
from copilot.domain.surroundings import StorageClass
from tests.builders_detect import seen
from tests.builders_objects import (
    a_claim,
    a_pod,
    a_status,
    ago,
    ago_us,
    an_event,
    condition,
    ref_of,
    waiting,
)

FAST = StorageClass(metadata=Metadata(name="fast", uid="uid-fast"), provisioner="example.org/disk")


def told(reason: str, message: str = "", type: str = "Normal") -> KubeEvent:
    return an_event(ref_of("PersistentVolumeClaim", a_claim().metadata), reason, message, type=type)


NO_CLASS = told("ProvisioningFailed", 'storageclass.storage.k8s.io "x" not found', "Warning")
NO_VOLUME = told("FailedBinding", "no persistent volumes available for this claim")
WAITS = told("WaitForFirstConsumer", "waiting for first consumer to be created before binding")
EXTERNAL = told("ExternalProvisioning", "Waiting for a volume to be created by example.org/disk")


SILENT = msgspec.structs.replace(EXTERNAL, first_timestamp=ago(60))


def a_pod_with(claim: str = "data", *, id: str = "") -> Pod:
    status = a_status(state=waiting("ContainerCreating"), ready=False)
    pod = a_pod("db", phase="Pending", statuses=[msgspec.structs.replace(status, container_id=id)])
    volume = Volume(name="v", persistent_volume_claim=ClaimVolume(claim_name=claim))
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, volumes=[volume]))


def not_mounted(message: str, *, first_s: float = 30, last_s: float = 5) -> KubeEvent:
    about = ref_of("Pod", a_pod_with().metadata)
    return an_event(about, "FailedMount", message, first_s=first_s, last_s=last_s)


DISK = 'MountVolume.MountDevice failed for volume "pvc-1" : rpc error: mount failed: exit 32'


def test_a_claim_hangs_under_the_workload_that_waits_for_it() -> None:
    (alert,) = check(seen(a_pod_with(), claims=[a_claim()], events=[NO_CLASS]))

    assert (alert.workload.kind, alert.workload.name) == ("Deployment", "db")
    assert alert.title == 'Claim data has no volume: storageclass.storage.k8s.io "x" not found'
    assert alert.starts_us == ago_us(30)


def test_a_claim_that_nothing_waits_for_stands_for_itself() -> None:
    (alert,) = check(seen(a_pod_with("other"), claims=[a_claim()], events=[NO_CLASS]))

    assert alert.workload.kind == "PersistentVolumeClaim"
    assert alert.severity == 3


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(seen(claims=[a_claim(phase="Lost")]), id="its volume is gone"),
        pytest.param(seen(claims=[a_claim(age_s=3)], events=[NO_CLASS]), id="refused"),
        pytest.param(seen(claims=[a_claim(age_s=10)], events=[NO_VOLUME]), id="nothing fits"),
        pytest.param(
            seen(
                claims=[a_claim(storage_class="x")], storage_classes=[FAST], listed=["StorageClass"]
            ),
            id="there is no such class",
        ),
        pytest.param(
            seen(claims=[a_claim(age_s=60)], events=[SILENT]), id="a provisioner that is silent"
        ),
    ],
)
def test_what_will_not_come_by_itself_is_told(look: Seen) -> None:
    assert len(list(check(look))) == 1


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(seen(claims=[a_claim(age_s=900)], events=[WAITS]), id="no consumer yet"),
        pytest.param(seen(claims=[a_claim(age_s=2)], events=[NO_CLASS]), id="just made"),
        pytest.param(
            seen(claims=[a_claim(age_s=9)], events=[NO_VOLUME]), id="a volume may be on its way"
        ),
        pytest.param(seen(claims=[a_claim(age_s=59)], events=[EXTERNAL]), id="being made"),
        pytest.param(
            seen(claims=[a_claim(age_s=9000)], events=[EXTERNAL]),
            id="its first consumer has just come",
        ),
        pytest.param(
            seen(claims=[a_claim(storage_class="x")], storage_classes=[FAST]),
            id="classes that we may not list",
        ),
        pytest.param(
            seen(
                claims=[a_claim(storage_class="fast")],
                storage_classes=[FAST],
                listed=["StorageClass"],
            ),
            id="a class that is there",
        ),
    ],
)
def test_a_claim_that_may_be_bound_yet_is_quiet(look: Seen) -> None:
    assert list(check(look)) == []


def test_a_mount_that_fails_on_and_on_is_told() -> None:
    (alert,) = check(seen(a_pod_with(), events=[not_mounted(DISK)]))

    assert alert.title.startswith("db cannot mount a volume: MountVolume.MountDevice failed")


def with_its_volumes(pod: Pod) -> Pod:
    ready = condition("PodReadyToStartContainers", True)
    status = msgspec.structs.replace(pod.status, conditions=[ready])
    return msgspec.structs.replace(pod, status=status)


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(
            seen(with_its_volumes(a_pod_with()), events=[not_mounted(DISK)]),
            id="mounted by now, and its image is being pulled",
        ),
        pytest.param(
            seen(a_pod_with(), events=[not_mounted(DISK, first_s=19)]),
            id="still attached elsewhere",
        ),
        pytest.param(
            seen(a_pod_with(id="containerd://1"), events=[not_mounted(DISK)]), id="it runs by now"
        ),
        pytest.param(
            seen(a_pod_with(), events=[not_mounted(DISK, first_s=900, last_s=181)]),
            id="an old event",
        ),
        pytest.param(
            seen(a_pod_with(), events=[not_mounted('configmap "c" not found')]),
            id="a missing config map has a rule of its own",
        ),
    ],
)
def test_mounts_that_succeed_in_the_end_are_quiet(look: Seen) -> None:
    assert list(check(look)) == []


def test_a_claim_that_is_being_deleted_is_quiet() -> None:
    claim = a_claim(phase="Lost")
    going = msgspec.structs.replace(claim.metadata, deletion_timestamp=ago(1))

    assert list(check(seen(claims=[msgspec.structs.replace(claim, metadata=going)]))) == []
