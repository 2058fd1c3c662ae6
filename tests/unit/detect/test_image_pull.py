"""Images that cannot be had."""

import pytest

from copilot.causes.image_missing import PULL_REASONS
from copilot.detect.rules.image_pull import check
from copilot.domain.objects import Pod
from tests.builders_detect import FAULTS_US, recorded_faults, seen
from tests.builders_objects import a_container, a_pod, a_status, ago, condition, waiting


def test_a_real_pod_with_a_missing_image_names_image_and_answer() -> None:
    (alert,) = check(seen(*recorded_faults(), now_us=FAULTS_US))

    assert alert.title == "noimage/app cannot pull its image registry.invalid/shop/web:1.4.7"
    assert "ImagePullBackOff" in alert.message
    assert "dial tcp: lookup registry.invalid" in alert.message
    assert FAULTS_US - alert.starts_us == 113_000_000


@pytest.mark.parametrize("reason", sorted(PULL_REASONS))
def test_every_reason_for_having_no_image_fires(reason: str) -> None:
    pod = a_pod(phase="Pending", statuses=[a_status(state=waiting(reason), ready=False)])

    assert [alert.container for alert in check(seen(pod))] == ["app"]


def test_an_init_container_without_image_fires() -> None:
    pod = a_pod(
        statuses=[], init_statuses=[a_status("init", state=waiting("ErrImagePull"), ready=False)]
    )

    assert [alert.container for alert in check(seen(pod))] == ["init"]


def test_trouble_began_when_the_containers_ceased_to_be_ready() -> None:
    pod = a_pod(
        containers=[a_container(image="shop/web:2")],
        statuses=[a_status(state=waiting("ImagePullBackOff"), ready=False)],
        conditions=[condition("ContainersReady", False, since=ago(42))],
    )

    (alert,) = check(seen(pod))

    assert alert.last_us - alert.starts_us == 42_000_000


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_pod(), id="healthy"),
        pytest.param(
            a_pod(statuses=[a_status(state=waiting("ContainerCreating"), ready=False)]),
            id="still pulling",
        ),
        pytest.param(
            a_pod(
                deleted=ago(1),
                statuses=[a_status(state=waiting("ImagePullBackOff"), ready=False)],
            ),
            id="being deleted",
        ),
    ],
)
def test_pods_whose_images_are_no_trouble_are_quiet(pod: Pod) -> None:
    assert list(check(seen(pod))) == []
