"""Images that cannot be had, and why; and those that only could not be had for a while."""

from dataclasses import replace

import msgspec
import pytest

from copilot.agents.evidence import with_evidence
from copilot.causes.image_missing import Why, image_missing, why_of
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Hypothesis, Verdict
from copilot.domain.objects import Pod
from tests.builders_case import NEW, OLD, a_case, a_change, an_event
from tests.builders_objects import (
    a_container,
    a_pod,
    a_replica_set,
    a_status,
    ago,
    ago_us,
    running,
    waiting,
)

IMAGE = "registry.shop.internal/front/web:2.404"
PULL = (
    f'Failed to pull image "{IMAGE}": rpc error: code = Unknown desc = failed to resolve reference'
)


def a_waiting_pod(reason: str = "ImagePullBackOff", message: str = "") -> Pod:
    return a_pod(
        "web",
        template_hash=NEW,
        containers=[a_container(image=IMAGE)],
        statuses=[a_status(state=waiting(reason, message), ready=False)],
    )


def looked_at(case: Case) -> Hypothesis:
    found = image_missing(case)
    assert found is not None
    return found


def case_with(message: str, reason: str = "ImagePullBackOff") -> Case:
    pod = a_waiting_pod(reason)
    events = [
        an_event("Failed", message, pod, at=ago(20), container="app"),
        an_event("BackOff", f'Back-off pulling image "{IMAGE}"', pod, at=ago(5), container="app"),
    ]
    return a_case(app="web", pods=[pod], events=events, rule=Rule.IMAGE_PULL)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        pytest.param("x: not found", Why.NOT_FOUND, id="not found"),
        pytest.param("manifest unknown", Why.NOT_FOUND, id="no such tag"),
        pytest.param("unexpected status 401 Unauthorized", Why.DENIED, id="no account"),
        pytest.param(
            "pull access denied, repository does not exist or may require authorization",
            Why.DENIED,
            id="the registry does not say which",
        ),
        pytest.param("ErrImageNeverPull", Why.NEVER, id="never pull"),
        pytest.param(
            'Container image "x" is not present with pull policy of Never', Why.NEVER, id="policy"
        ),
        pytest.param("couldn't parse image name: invalid reference", Why.INVALID, id="bad name"),
        pytest.param("dial tcp: lookup r: no such host", Why.NAME_RESOLUTION, id="no such name"),
        pytest.param(
            "dial tcp: lookup r on 10.255.255.53:53: read udp: i/o timeout",
            Why.NAME_RESOLUTION,
            id="silent name server",
        ),
        pytest.param("dial tcp 10.99.0.1:5999: connect: refused", Why.UNREACHABLE, id="refused"),
        pytest.param("429 Too Many Requests", Why.THROTTLED, id="throttled"),
        pytest.param("something else", Why.UNKNOWN, id="unknown"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", Why.PLATFORM),
        ("failed to unpack: no match for platform in manifest: not found", Why.PLATFORM),
        ('no image found in image index for architecture "arm64", OS "linux"', Why.PLATFORM),
    ],
)
def test_a_message_tells_why_a_pull_failed(message: str, why: Why) -> None:
    assert why_of(message) is why


def test_an_image_that_is_not_there_is_supported_by_the_runtimes_own_words() -> None:
    case = case_with(f"{PULL}: not found")

    found = looked_at(case)

    event = next(e for e in case.events if e.reason == "Failed")
    assert found.verdict is Verdict.SUPPORTED
    assert found.confidence >= 0.9
    assert case.cited_as[f"event:{event.metadata.uid}"] in found.supporting[0].evidence


def test_a_tag_that_looks_like_a_status_is_not_one() -> None:
    found = looked_at(case_with(f'Failed to pull image "{IMAGE}": unexpected end of stream'))

    assert found.title.endswith("cannot be pulled")


def test_a_silent_registry_leaves_it_undecided() -> None:
    found = looked_at(case_with(f"{PULL}: dial tcp 10.0.0.9:443: i/o timeout"))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert "registry" in found.next_check


def test_a_silent_registry_after_a_change_of_the_image_is_supported_and_still_to_be_asked() -> None:
    change = a_change("image", "web:fine", IMAGE, at=ago(41), app="web")
    silent = case_with(f"{PULL}: dial tcp: lookup r on 10.0.0.9:53: i/o timeout")

    found = looked_at(with_evidence(msgspec.structs.replace(silent, changes=(change,))))

    assert found.verdict is Verdict.SUPPORTED
    assert found.confidence < 0.9
    assert "web:fine until it was changed by kubectl-edit" in found.supporting[1].text
    assert found.next_check


def test_the_image_before_is_known_from_the_change() -> None:
    pod = a_waiting_pod()
    change = a_change(
        "image", "registry.shop.internal/front/web:2.403", IMAGE, at=ago(60), app="web"
    )

    found = looked_at(a_case(app="web", pods=[pod], changes=[change], rule=Rule.IMAGE_PULL))

    assert "web:2.403" in found.supporting[1].text


def test_the_image_before_is_known_from_the_older_revision() -> None:
    sets = [
        a_replica_set(
            "web",
            template_hash=h,
            revision=n,
            containers=[a_container(image=i)],
            created=ago(age),
        )
        for h, n, i, age in ((NEW, 2, IMAGE, 7200), (OLD, 1, "web:fine", 9000))
    ]

    found = looked_at(
        a_case(app="web", pods=[a_waiting_pod()], replica_sets=sets, rule=Rule.IMAGE_PULL)
    )

    assert "web:fine" in found.supporting[1].text


def test_an_image_that_was_pulled_since_is_refuted() -> None:
    pod = a_pod("web", statuses=[a_status(state=running(ago(10)), ready=False)])
    events = [an_event("Failed", f"{PULL}: i/o timeout", pod, at=ago(30), container="app")]

    found = looked_at(a_case(app="web", pods=[pod], events=events, rule=Rule.IMAGE_PULL))

    assert found.verdict is Verdict.REFUTED
    assert "has its image now" in found.against[0].text


def test_a_container_that_waits_for_something_else_is_no_missing_image() -> None:
    pod = a_waiting_pod("CrashLoopBackOff")

    assert image_missing(a_case(app="web", pods=[pod], rule=Rule.CRASH_LOOP)) is None


def test_a_registry_that_is_away_for_long_does_not_come_back_by_itself() -> None:
    brief = case_with(f"{PULL}: dial tcp 10.99.0.1:5999: connect: connection refused")
    first = ago_us(120)
    alerts = tuple(replace(a, starts_us=first) for a in brief.alerts)
    lasting = msgspec.structs.replace(
        brief, alerts=alerts, incident=replace(brief.incident, first_signal_us=first)
    )

    assert (looked_at(brief).verdict, looked_at(brief).detail) == (
        Verdict.INCONCLUSIVE,
        "unreachable",
    )
    assert looked_at(lasting).verdict is Verdict.SUPPORTED


@pytest.mark.parametrize(
    ("message", "is_missing", "detail"),
    [
        pytest.param("not found", False, "not_found", id="gone"),
        pytest.param("pull access denied", False, "denied", id="refused"),
        pytest.param("pull access denied", True, "pull_secret_missing", id="no such secret"),
        pytest.param("not found", True, "not_found", id="gone, whatever the secret"),
    ],
)
def test_the_way_in_which_it_cannot_be_had_is_named(
    message: str, is_missing: bool, detail: str
) -> None:
    case = case_with(f"{PULL}: {message}")
    secret = an_event(
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (no-such-secret); attempting to pull the image "
        "may not succeed.",
        case.pods[0],
        at=ago(21),
    )
    events = (*case.events, secret) if is_missing else case.events

    found = looked_at(with_evidence(msgspec.structs.replace(case, events=events)))

    assert found.detail == detail
    assert found.subject is not None
    is_told = any("cannot read the pull secret no-such-secret" in s.text for s in found.supporting)
    assert is_told is (detail == "pull_secret_missing")
