"""Pods that a kubelet put off its node."""

from dataclasses import replace

import msgspec
import pytest

from copilot.detect.rules.evicted import MANY, check, evicted_places
from copilot.domain.alert import Seen
from copilot.domain.objects import Deployment, KubeEvent, Pod
from tests.builders_detect import seen
from tests.builders_objects import (
    a_deployment,
    a_pod,
    a_ref,
    a_status,
    ago,
    an_event,
    condition,
    ref_of,
    running,
)

PRESSURE = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. "
OWN = (
    'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". ',
    "Pod ephemeral local storage usage exceeds the total limit of containers 16Mi. ",
    'Container app exceeded its local ephemeral storage limit "16Mi". ',
)


def an_evicted_pod(
    *, message: str = PRESSURE, ago_s: float = 5, suffix: str = "a", owned: bool = True
) -> Pod:
    pod = a_pod(
        "web",
        suffix=suffix,
        phase="Failed",
        reason="Evicted",
        owner_kind="ReplicaSet" if owned else None,
        statuses=[],
        conditions=[condition("Ready", False, reason="PodFailed", since=ago(ago_s))],
    )
    return msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, message=message))


def lacking() -> Deployment:
    return msgspec.structs.replace(a_deployment("web", ready=0), kind="Deployment")


@pytest.mark.parametrize("message", OWN)
def test_a_pod_that_used_more_than_it_may_is_told_at_once(message: str) -> None:
    (alert,) = check(seen(an_evicted_pod(message=message, ago_s=0), controllers=[lacking()]))

    assert alert.workload.kind == "Deployment"
    assert alert.title.startswith("web was evicted: ")


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(
            seen(an_evicted_pod(ago_s=30), controllers=[lacking()]), id="no successor after a while"
        ),
        pytest.param(
            seen(an_evicted_pod(suffix="a", ago_s=200), an_evicted_pod(suffix="b", ago_s=2)),
            id="for the second time",
        ),
        pytest.param(seen(an_evicted_pod(owned=False)), id="nothing makes it again"),
    ],
)
def test_an_eviction_that_leaves_a_gap_or_happens_again_is_told(look: Seen) -> None:
    assert len(list(check(look))) == 1


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(seen(a_pod("web")), id="healthy"),
        pytest.param(
            seen(an_evicted_pod(ago_s=29), controllers=[lacking()]), id="a successor is starting"
        ),
        pytest.param(seen(an_evicted_pod(ago_s=60)), id="its successor is ready"),
        pytest.param(seen(an_evicted_pod(message=OWN[0], ago_s=60)), id="its own fault, and over"),
        pytest.param(
            seen(an_evicted_pod(suffix="a", ago_s=90), an_evicted_pod(suffix="b", ago_s=60)),
            id="twice, and over",
        ),
        pytest.param(seen(an_evicted_pod(owned=False, ago_s=601)), id="long ago"),
        pytest.param(seen(a_pod("web", phase="Failed", reason="NodeShutdown")), id="other ends"),
    ],
)
def test_an_eviction_that_did_no_harm_is_quiet(look: Seen) -> None:
    assert list(check(look)) == []


# ------------------------------------------------------------------ replaced under the same name


def a_successor(*, ready: bool = True, up_s: float = 5, uid: str = "uid-now") -> Pod:
    return a_pod(
        "spooler",
        uid=uid,
        owner_kind="StatefulSet",
        created=ago(up_s),
        statuses=[a_status(state=running(ago(up_s)), ready=ready)],
    )


def an_eviction(of: str, *, ago_s: float, message: str = PRESSURE) -> KubeEvent:
    about = ref_of("Pod", a_successor().metadata)
    return an_event(replace(about, uid=of), "Evicted", message, first_s=ago_s, last_s=ago_s)


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(
            seen(
                a_successor(),
                events=[an_eviction("a", ago_s=80), an_eviction("b", ago_s=20)],
            ),
            id="again and again",
        ),
        pytest.param(
            seen(a_successor(ready=False), events=[an_eviction("a", ago_s=31)]),
            id="its successor does not come up",
        ),
        pytest.param(
            seen(a_successor(ready=False), events=[an_eviction("a", ago_s=1, message=OWN[0])]),
            id="its own fault, and not up again",
        ),
    ],
)
def test_an_eviction_of_which_only_the_event_is_left_is_told(look: Seen) -> None:
    (alert,) = check(look)

    assert alert.workload.kind == "StatefulSet"
    assert alert.pod == look.pods[0].metadata.name


def test_a_pod_and_the_event_of_its_eviction_are_one_eviction() -> None:
    pod = an_evicted_pod(ago_s=5)
    told = an_event(ref_of("Pod", pod.metadata), "Evicted", PRESSURE, first_s=5, last_s=5)

    assert list(check(seen(pod, events=[told], controllers=[lacking()]))) == []


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(
            seen(a_successor(), events=[an_eviction("a", ago_s=5, message=OWN[0])]),
            id="its successor runs well",
        ),
        pytest.param(seen(events=[an_eviction("a", ago_s=5)]), id="nothing has its name"),
        pytest.param(
            seen(a_successor(ready=False), events=[an_eviction("a", ago_s=10)]),
            id="its successor is starting",
        ),
        pytest.param(
            seen(a_successor(), events=[an_eviction("a", ago_s=80), an_eviction("b", ago_s=40)]),
            id="twice, and over",
        ),
        pytest.param(
            seen(a_successor(ready=False), events=[an_eviction("a", ago_s=601)]), id="long ago"
        ),
    ],
)
def test_a_replaced_pod_whose_successor_is_no_trouble_is_quiet(look: Seen) -> None:
    assert list(check(look)) == []


def test_of_many_evictions_the_latest_are_looked_at() -> None:
    told = [
        an_event(a_ref("Pod", f"web-{n}"), "Evicted", first_s=n + 1, last_s=n + 1)
        for n in range(MANY + 1)
    ]

    places = evicted_places([*told, an_event(a_ref("Pod", "other"), "Unhealthy")])

    assert places == {("demo", f"web-{n}") for n in range(MANY)}
