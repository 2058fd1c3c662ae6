"""Claims, volumes and classes held against each other, in the words of a real control plane."""

import msgspec
import pytest

from copilot.causes import explain
from copilot.causes.volume_unavailable import volume_unavailable
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict
from copilot.domain.objects import (
    ClaimVolume,
    HostPath,
    KubeEvent,
    LabelSelector,
    Pod,
    Volume,
)
from copilot.domain.surroundings import PersistentVolumeClaim, Surroundings
from tests.builders_around import (
    a_claim,
    a_class,
    a_volume,
    an_event_about,
    with_spec,
    with_surroundings,
)
from tests.builders_case import a_case, an_event
from tests.builders_objects import a_pod, a_status, ago, condition, waiting

UNBOUND = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
NOT_FOUND = '0/1 nodes are available: persistentvolumeclaim "dat" not found. not found'
NO_PLUGIN = "no volume plugin matched name: kubernetes.io/no-provisioner"


def a_homeless_pod(claim: str = "data") -> Pod:
    pod = a_pod(
        "billing",
        node="",
        statuses=[],
        phase="Pending",
        conditions=[condition("PodScheduled", False, reason="Unschedulable")],
        created=ago(60),
    )
    return with_spec(
        pod, volumes=[Volume(name="d", persistent_volume_claim=ClaimVolume(claim_name=claim))]
    )


def a_case_of(
    around: Surroundings,
    *,
    pod: Pod | None = None,
    message: str = UNBOUND,
    claim_event: tuple[PersistentVolumeClaim, str, str] | None = None,
) -> Case:
    homeless = pod or a_homeless_pod()
    events: list[KubeEvent] = [an_event("FailedScheduling", message, homeless, at=ago(10))]
    if claim_event:
        claim, reason, text = claim_event
        events.append(an_event_about(reason, text, "PersistentVolumeClaim", claim.metadata))
    bare = a_case(pods=[homeless], events=events, rule=Rule.VOLUME_PENDING)
    return with_surroundings(bare, around)


def looked_at(case: Case) -> Hypothesis:
    found = volume_unavailable(case)
    assert found is not None
    return found


def said_of(found: Hypothesis) -> str:
    return " ".join(s.text for s in found.supporting)


def test_a_claim_that_is_not_there_is_named_with_the_one_that_may_be_meant() -> None:
    around = Surroundings(claims=(a_claim("data", phase="Bound"),))
    found = looked_at(a_case_of(around, pod=a_homeless_pod("dat"), message=NOT_FOUND))

    assert found.detail == "claim_missing"
    assert found.subject is not None
    assert found.subject.kind == "Deployment"
    assert "the namespace has data, of which data may be meant" in said_of(found)


def test_a_claim_is_not_called_missing_where_claims_may_not_be_listed() -> None:
    around = Surroundings(listed=frozenset({"Pod"}))
    case = a_case_of(around, pod=a_homeless_pod("dat"), message=UNBOUND)

    assert volume_unavailable(case) is None


def test_a_class_that_does_not_exist_is_named_with_those_there_are() -> None:
    claim = a_claim(storage_class="fasst")
    message = 'storageclass.storage.k8s.io "fasst" not found'
    around = Surroundings(claims=(claim,), storage_classes=(a_class("fast"),))
    found = looked_at(a_case_of(around, claim_event=(claim, "ProvisioningFailed", message)))

    assert found.detail == "class_missing"
    assert found.subject is not None
    assert found.subject.kind == "PersistentVolumeClaim"
    assert "there are fast, of which fast may be meant" in said_of(found)


def test_a_claim_without_a_class_needs_a_default_one() -> None:
    claim = a_claim(storage_class=None)
    message = "no persistent volumes available for this claim and no storage class is set"
    around = Surroundings(claims=(claim,))
    found = looked_at(a_case_of(around, claim_event=(claim, "FailedBinding", message)))

    assert found.detail == "class_missing"
    assert "names no class and there is no default" in found.title


@pytest.mark.parametrize(
    ("claim", "detail", "words"),
    [
        pytest.param(
            a_claim(modes=["ReadWriteMany"]),
            "access_mode",
            "It asks for ReadWriteMany; volume disk offers ReadWriteOnce.",
            id="access mode",
        ),
        pytest.param(
            a_claim(storage="9Gi"),
            "capacity",
            "It asks for 9Gi; volume disk has 1Gi.",
            id="capacity",
        ),
        pytest.param(
            a_claim(selector=LabelSelector(match_labels={"tier": "b"})),
            "selector",
            "It asks for labels that volume disk does not have.",
            id="selector",
        ),
    ],
)
def test_what_keeps_a_claim_from_the_volume_there_is_is_named(
    claim: PersistentVolumeClaim, detail: str, words: str
) -> None:
    around = Surroundings(
        claims=(claim,), volumes=(a_volume(labels={"tier": "a"}),), storage_classes=(a_class(),)
    )
    found = looked_at(a_case_of(around, claim_event=(claim, "ProvisioningFailed", NO_PLUGIN)))

    assert found.verdict is Verdict.SUPPORTED
    assert found.detail == detail
    assert words in said_of(found)


def test_a_volume_that_another_claim_has_is_taken() -> None:
    claim = a_claim()
    around = Surroundings(
        claims=(claim,),
        volumes=(a_volume(claim="someone", phase="Bound"),),
        storage_classes=(a_class(),),
    )
    found = looked_at(a_case_of(around, claim_event=(claim, "ProvisioningFailed", NO_PLUGIN)))

    assert found.detail == "occupied"
    assert "is taken by demo/someone" in said_of(found)


def test_a_class_whose_volumes_are_made_by_hand_makes_none() -> None:
    claim = a_claim()
    around = Surroundings(claims=(claim,), storage_classes=(a_class(),))
    found = looked_at(a_case_of(around, claim_event=(claim, "ProvisioningFailed", NO_PLUGIN)))

    assert found.detail == "not_bound"
    assert "makes no volumes by itself" in said_of(found)


def test_a_provisioner_that_stays_silent_is_named_by_the_event_that_waits_for_it() -> None:
    claim, silent = a_claim(), a_class(provisioner="example.org/disk")
    waits = (
        claim,
        "ExternalProvisioning",
        "Waiting for a volume to be created by example.org/disk",
    )

    found = looked_at(
        a_case_of(Surroundings(claims=(claim,), storage_classes=(silent,)), claim_event=waits)
    )

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "not_bound")
    assert found.title == "Claim data has no volume: provisioner example.org/disk has made none"
    assert "Waiting for a volume to be created" in said_of(found)
    assert found.confidence >= 0.8
    assert found.next_check


def test_a_refusal_says_more_than_that_it_is_waited_for() -> None:
    claim, refusing = a_claim(), a_class(provisioner="example.org/disk")
    waits = (claim, "ExternalProvisioning", "Waiting for a volume to be created")
    case = a_case_of(Surroundings(claims=(claim,), storage_classes=(refusing,)), claim_event=waits)
    refused = an_event_about(
        "ProvisioningFailed", "out of quota", "PersistentVolumeClaim", claim.metadata
    )
    both = msgspec.structs.replace(case, events=(refused, *case.events))

    assert "out of quota" in said_of(looked_at(both))


def test_a_claim_that_waits_for_its_first_pod_waits_on_purpose() -> None:
    around = Surroundings(claims=(a_claim(),), storage_classes=(a_class(waits=True),))
    message = "0/1 nodes are available: 1 Insufficient cpu."
    found = looked_at(a_case_of(around, message=message))

    assert found.verdict is Verdict.REFUTED


def test_a_bound_claim_is_no_reason() -> None:
    around = Surroundings(claims=(a_claim(phase="Bound"),))

    assert volume_unavailable(a_case_of(around)) is None


def a_starting_pod() -> Pod:
    status = msgspec.structs.replace(
        a_status(state=waiting("ContainerCreating"), ready=False), container_id=""
    )
    return a_pod("billing", statuses=[status], phase="Pending", created=ago(60))


def a_mount_case(pod: Pod, message: str) -> Case:
    event = an_event("FailedMount", message, pod, at=ago(10))
    return with_surroundings(
        a_case(pods=[pod], events=[event], rule=Rule.NOT_READY), Surroundings()
    )


def test_a_path_that_is_not_on_the_node_cannot_be_mounted() -> None:
    pod = with_spec(
        a_starting_pod(),
        volumes=[Volume(name="c", host_path=HostPath(path="/nope/none", type="Directory"))],
    )
    message = (
        'MountVolume.SetUp failed for volume "c" : hostPath type check failed: /nope/none is not a '
        "directory"
    )
    found = looked_at(a_mount_case(pod, message))

    assert found.detail == "host_path"
    assert "/nope/none" in found.title


def test_a_missing_config_map_is_no_matter_of_volumes() -> None:
    message = 'MountVolume.SetUp failed for volume "c" : configmap "app-conf" not found'

    assert volume_unavailable(a_mount_case(a_starting_pod(), message)) is None


def test_the_claim_is_named_before_the_scheduler_that_waits_for_it() -> None:
    claim = a_claim(storage="9Gi")
    around = Surroundings(claims=(claim,), volumes=(a_volume(),), storage_classes=(a_class(),))
    ranked = explain(a_case_of(around))

    assert ranked[0].cause is Cause.VOLUME_UNAVAILABLE
    assert [h.verdict for h in ranked if h.cause is Cause.UNSCHEDULABLE] == [Verdict.INCONCLUSIVE]
