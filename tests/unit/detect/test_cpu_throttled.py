"""CPU limits that hold back, with and without a consequence."""

import pytest

from copilot.detect.rules.cpu_throttled import check
from copilot.domain.alert import Seen, Strain
from copilot.domain.objects import KubeEvent, Pod
from tests.builders_detect import seen
from tests.builders_objects import a_pod, a_status, ago, an_event, ref_of, running

SLOW = 'Liveness probe failed: command timed out: "check" timed out after 1s'


def a_throttled(pod: Pod, share: float = 0.9, container: str = "app") -> Strain:
    meta = pod.metadata
    return Strain(namespace=meta.namespace, pod=meta.name, container=container, throttled=share)


def a_probe_of(
    pod: Pod, message: str = SLOW, *, last_s: float = 5, container: str = "app"
) -> KubeEvent:
    about = ref_of("Pod", pod.metadata)
    return an_event(about, "Unhealthy", message, last_s=last_s, container=container)


WELL = a_pod("web")
UNREADY = a_pod("web", statuses=[a_status(state=running(ago(300)), ready=False)])


def test_a_probe_that_runs_out_of_time_shows_it() -> None:
    (alert,) = check(seen(WELL, strains=[a_throttled(WELL)], events=[a_probe_of(WELL)]))

    assert alert.title.startswith("web/app is held back by its CPU limit (90% of the time")
    assert "timed out after 1s" in alert.message


def test_a_container_that_is_not_ready_meanwhile_shows_it() -> None:
    assert len(list(check(seen(UNREADY, strains=[a_throttled(UNREADY)])))) == 1


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(
            seen(WELL, strains=[a_throttled(WELL)]), id="throttled, and nothing comes of it"
        ),
        pytest.param(seen(WELL, events=[a_probe_of(WELL)]), id="slow, and not throttled"),
        pytest.param(
            seen(UNREADY, strains=[a_throttled(UNREADY, 0.49)]), id="throttled half of the time"
        ),
        pytest.param(
            seen(WELL, strains=[a_throttled(WELL)], events=[a_probe_of(WELL, last_s=121)]),
            id="its probes are well again",
        ),
        pytest.param(
            seen(
                WELL,
                strains=[a_throttled(WELL)],
                events=[a_probe_of(WELL, "Readiness probe failed: statuscode: 404")],
            ),
            id="another failure",
        ),
        pytest.param(
            seen(WELL, strains=[a_throttled(WELL)], events=[a_probe_of(WELL, container="other")]),
            id="another container's probe",
        ),
        pytest.param(
            seen(a_pod("web", deleted=ago(1)), strains=[a_throttled(UNREADY)]), id="being deleted"
        ),
    ],
)
def test_throttling_or_slowness_alone_is_quiet(look: Seen) -> None:
    assert list(check(look)) == []
