"""How much more CPU is suggested, and when none."""

from dataclasses import replace

import msgspec
import pytest

from copilot.agents.evidence import with_evidence
from copilot.agents.remedies import REMEDIES
from copilot.causes.cpu_limit_too_low import cpu_limit_too_low
from copilot.domain import attributes
from copilot.domain.action import SetResources, encode_action
from copilot.domain.alert import Rule
from copilot.domain.case import Case, FailedAttempt
from copilot.domain.change import Change
from copilot.domain.hypothesis import Cause
from tests.builders_case import a_case, a_change, a_server, an_event, an_http_probe
from tests.builders_net import a_cpu_series, cpu_limited, drafts_and_notes, the_action
from tests.builders_objects import a_deployment, a_node, a_pod, a_ref, a_status, ago, running

CPU = REMEDIES[Cause.CPU_LIMIT_TOO_LOW]


def slow(
    limit: str = "100m", *, share: float = 0.4, cores: str = "4", changes: tuple[Change, ...] = ()
) -> Case:
    container = cpu_limited(a_server(readiness=an_http_probe()), limit)
    pod = a_pod(
        "api",
        containers=[container],
        statuses=[a_status(state=running(ago(300)), ready=False)],
    )
    event = an_event(
        "Unhealthy", "Readiness probe failed: context deadline exceeded", pod, at=ago(20)
    )
    case = a_case(
        app="api",
        pods=[pod],
        workload=a_deployment("api", containers=[container]),
        events=[event],
        nodes=[a_node(cpu=cores)],
        changes=changes,
        rule=Rule.NOT_READY,
    )
    series = a_cpu_series(pod, attributes.CPU_THROTTLED, [share] * 10)
    return with_evidence(msgspec.structs.replace(case, cpu=(series,)))


def limit_of(case: Case) -> str | None:
    action = the_action(case, cpu_limit_too_low(case), CPU)
    assert isinstance(action, SetResources)
    return dict(action.limits)["cpu"]


def test_the_limit_goes_one_step_up() -> None:
    assert limit_of(slow()) == "200m"


@pytest.mark.parametrize("share", [0.6, 0.95])
def test_one_that_is_stopped_most_of_the_time_needs_a_wider_step(share: float) -> None:
    assert limit_of(slow(share=share)) == "400m"


def test_one_whose_use_stands_at_the_limit_needs_a_wider_step_where_no_share_is_known() -> None:
    case = slow()
    pod = case.pods[0]
    usage = a_cpu_series(pod, attributes.CPU_USAGE, [0.099] * 10)

    assert limit_of(with_evidence(msgspec.structs.replace(case, cpu=(usage,)))) == "400m"


def test_what_did_not_help_is_not_offered_again() -> None:
    action = SetResources(target=a_ref(name="api"), container="app", limits=(("cpu", "400m"),))
    failed = FailedAttempt(action=encode_action(action), why="it did not hold")
    case = msgspec.structs.replace(slow(share=0.95), attempts=(failed,))

    drafts, notes = drafts_and_notes(case, cpu_limit_too_low(case), CPU)

    assert drafts == []
    assert "400m did not help" in notes[0]


def test_a_limit_that_was_just_lowered_goes_back() -> None:
    change = a_change("resources.limits.cpu", "300m", "100m", at=ago(60), app="api")

    assert limit_of(slow(changes=(change,))) == "300m"


def test_the_smallest_node_bounds_it() -> None:
    assert limit_of(slow("1", cores="2")) == "1600m"


def test_no_room_is_said() -> None:
    case = slow("2", cores="2")

    drafts, notes = drafts_and_notes(case, cpu_limit_too_low(case), CPU)

    assert drafts == []
    assert "the smallest node has 2" in notes[0]


def test_steps_that_did_not_help_are_counted() -> None:
    def attempt(limit: str) -> FailedAttempt:
        action = SetResources(target=a_ref(name="api"), container="app", limits=(("cpu", limit),))
        return FailedAttempt(action=encode_action(action), why="it did not hold")

    once = msgspec.structs.replace(slow(), attempts=(attempt("200m"),))
    thrice = msgspec.structs.replace(slow(), attempts=tuple(map(attempt, ("200m", "300m", "400m"))))

    assert limit_of(once) == "400m"
    assert "did not help" in drafts_and_notes(thrice, cpu_limit_too_low(thrice), CPU)[1][0]


def test_quiet_moments_between_restarts_do_not_make_the_step_smaller() -> None:
    case = slow()
    shares = a_cpu_series(case.pods[0], attributes.CPU_THROTTLED, [0.0, 0.0, 0.86, 0.0, 0.8])

    assert limit_of(with_evidence(msgspec.structs.replace(case, cpu=(shares,)))) == "400m"


def test_a_pod_that_stands_alone_is_given_more_itself() -> None:
    container = cpu_limited(a_server(readiness=an_http_probe()), "100m")
    pod = a_pod(
        "api",
        containers=[container],
        statuses=[a_status(state=running(ago(300)), ready=False)],
        owner_kind=None,
    )
    event = an_event(
        "Unhealthy", "Readiness probe failed: context deadline exceeded", pod, at=ago(20)
    )
    case = a_case(app="api", pods=[pod], events=[event], rule=Rule.NOT_READY)
    incident = replace(case.incident, workload=a_ref("Pod", "api"))
    series = a_cpu_series(pod, attributes.CPU_THROTTLED, [0.4] * 10)
    alone = with_evidence(msgspec.structs.replace(case, incident=incident, cpu=(series,)))

    action = the_action(alone, cpu_limit_too_low(alone), CPU)

    assert isinstance(action, SetResources)
    assert (action.target, action.limits) == (a_ref("Pod", "api"), (("cpu", "200m"),))
