"""Containers that their CPU limit holds back, and slow ones that have CPU to spare."""

from collections.abc import Sequence

import msgspec
import pytest

from copilot.agents.evidence import with_evidence
from copilot.causes import explain
from copilot.causes.cpu_limit_too_low import cores, cpu_limit_too_low
from copilot.domain import attributes
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict
from copilot.domain.objects import Pod
from tests.builders_case import a_case, a_change, a_server, an_event, an_http_probe
from tests.builders_net import a_cpu_series, cpu_limited
from tests.builders_objects import a_pod, a_status, ago, running

LATE = (
    'Readiness probe failed: Get "http://10.88.0.18:8080/": context deadline exceeded '
    "(Client.Timeout exceeded while awaiting headers)"
)


def a_slow_pod(limit: str | None = "100m") -> Pod:
    server = a_server(readiness=an_http_probe())
    return a_pod(
        "api",
        containers=[cpu_limited(server, limit) if limit else server],
        statuses=[a_status(state=running(ago(300)), ready=False)],
    )


def a_slow_case(
    pod: Pod | None = None,
    *,
    throttled: Sequence[float] = (),
    used: Sequence[float] = (),
    message: str = LATE,
    rule: Rule = Rule.NOT_READY,
    **more: object,
) -> Case:
    slow = pod or a_slow_pod()
    event = an_event("Unhealthy", message, slow, at=ago(20), container="app")
    case = a_case(app="api", pods=[slow], events=[event], rule=rule, **more)  # type: ignore[arg-type]  # the builder's own keywords
    series = [
        a_cpu_series(slow, name, values)
        for name, values in ((attributes.CPU_THROTTLED, throttled), (attributes.CPU_USAGE, used))
        if values
    ]
    return with_evidence(msgspec.structs.replace(case, cpu=tuple(series)))


def looked_at(case: Case) -> Hypothesis:
    found = cpu_limit_too_low(case)
    assert found is not None
    return found


def test_a_throttled_container_that_answers_late_is_supported() -> None:
    found = looked_at(a_slow_case(throttled=[0.9] * 20))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "throttled")
    assert found.title == "The CPU limit of app, 100m, holds it back"
    assert any("stopped in 90% of its CPU periods" in s.text for s in found.supporting)
    assert any("does not answer its probe in time" in s.text for s in found.supporting)


def test_one_that_uses_all_it_may_is_supported_with_less_confidence() -> None:
    by_usage = looked_at(a_slow_case(used=[0.099] * 20))
    by_throttling = looked_at(a_slow_case(throttled=[0.9] * 20))

    assert by_usage.verdict is Verdict.SUPPORTED
    assert by_usage.confidence < by_throttling.confidence


def test_an_alert_of_throttling_is_enough() -> None:
    case = a_slow_case(rule=Rule.CPU_THROTTLED, message="something else")

    assert looked_at(case).verdict is Verdict.SUPPORTED


def test_a_limit_that_was_just_lowered_makes_it_surer() -> None:
    change = a_change("resources.limits.cpu", "500m", "100m", at=ago(60), app="api")

    plain = looked_at(a_slow_case(throttled=[0.9] * 20))
    changed = looked_at(a_slow_case(throttled=[0.9] * 20, changes=[change]))

    assert changed.confidence > plain.confidence
    assert any("500m → 100m" in s.text for s in changed.supporting)


def test_cpu_to_spare_refutes_it() -> None:
    found = looked_at(a_slow_case(throttled=[0.01] * 20, used=[0.01] * 20))

    assert found.verdict is Verdict.REFUTED


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(a_slow_case(a_slow_pod(limit=None)), id="no limit"),
        pytest.param(a_slow_case(), id="nothing measured"),
        pytest.param(
            a_slow_case(throttled=[0.9] * 20, message="Readiness probe failed: statuscode: 404"),
            id="throttled, and nobody minds",
        ),
    ],
)
def test_a_limit_alone_says_nothing(case: Case) -> None:
    assert cpu_limit_too_low(case) is None


def test_it_explains_the_probe() -> None:
    ranked = explain(a_slow_case(throttled=[0.9] * 20))

    assert ranked[0].cause is Cause.CPU_LIMIT_TOO_LOW


@pytest.mark.parametrize(("millis", "text"), [(100, "100m"), (1000, "1"), (2500, "2500m")])
def test_cores_read_as_in_a_manifest(millis: int, text: str) -> None:
    assert cores(millis) == text


def test_what_its_pod_counts_stands_in_for_a_container_that_lives_for_seconds() -> None:
    case = a_slow_case(throttled=[0.0] * 2)
    (pod,) = case.pods
    whole = a_cpu_series(pod, attributes.CPU_THROTTLED, [0.96] * 20, container="")
    found = looked_at(with_evidence(msgspec.structs.replace(case, cpu=(*case.cpu, whole))))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "throttled")
    assert any("app is stopped in 96% of its CPU periods" in s.text for s in found.supporting)


def test_what_its_pod_counts_says_nothing_of_one_container_of_two() -> None:
    case = a_slow_case(throttled=[0.0] * 20)
    (pod,) = case.pods
    sidecar = msgspec.structs.replace(a_server(), name="sidecar")
    spec = msgspec.structs.replace(pod.spec, containers=[*(pod.spec.containers or ()), sidecar])
    both = msgspec.structs.replace(pod, spec=spec)
    whole = a_cpu_series(both, attributes.CPU_THROTTLED, [0.96] * 20, container="")
    seen = msgspec.structs.replace(case, pods=(both,), cpu=(*case.cpu, whole))

    assert looked_at(with_evidence(seen)).verdict is Verdict.REFUTED
