"""Probes that contradict their container, and probes that are right to fail."""

import msgspec
import pytest

from copilot.agents.evidence import with_evidence
from copilot.causes.bad_probe import bad_probe
from copilot.causes.listening import port_announced
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.change import Change
from copilot.domain.event import LogLine
from copilot.domain.hypothesis import Hypothesis, Verdict
from copilot.domain.objects import ExecAction, Pod, Probe
from tests.builders_case import (
    NEW,
    a_case,
    a_change,
    a_line,
    a_server,
    an_event,
    an_http_probe,
)
from tests.builders_objects import a_pod, a_status, ago, running, terminated

REFUSED = 'Get "http://10.88.0.5:{}/healthz": dial tcp 10.88.0.5:{}: connect: connection refused'
HTTP = "HTTP probe failed with statuscode: {}"
LATE = 'Get "http://10.88.0.5:8080/healthz": context deadline exceeded (Client.Timeout exceeded)'


def a_pod_that_is_up(probe: Probe, *, liveness: bool = False) -> Pod:
    server = a_server(liveness=probe) if liveness else a_server(readiness=probe)
    return a_pod("api", template_hash=NEW, containers=[server], statuses=[a_status(ready=False)])


def case_with(
    pod: Pod,
    message: str,
    *,
    kind: str = "Readiness",
    lines: list[LogLine] | None = None,
    changes: list[Change] | None = None,
) -> Case:
    text = f"{kind} probe failed: {message}"
    event = an_event("Unhealthy", text, pod, at=ago(5), container="app")
    return a_case(
        app="api",
        pods=[pod],
        events=[event],
        lines=lines or [],
        changes=changes or [],
        rule=Rule.NOT_READY,
    )


def looked_at(case: Case) -> Hypothesis:
    found = bad_probe(case)
    assert found is not None
    return found


def test_a_port_that_the_container_does_not_expose_is_supported() -> None:
    pod = a_pod_that_is_up(an_http_probe(port=9999))

    found = looked_at(case_with(pod, REFUSED.format(9999, 9999)))

    assert found.verdict is Verdict.SUPPORTED
    assert (
        found.title == "The readiness probe of app asks port 9999, but the container exposes 8080"
    )
    assert any("exposes 8080 only" in s.text for s in found.supporting)


def test_the_log_line_that_names_the_port_is_cited() -> None:
    pod = a_pod_that_is_up(an_http_probe(port=8081))
    line = a_line("server listening on 0.0.0.0:8080", pod, at=ago(500), address="9:41")

    case = case_with(pod, REFUSED.format(8081, 8081), lines=[line])
    found = looked_at(case)

    assert found.confidence >= 0.85
    assert case.cited_as["log:9:41"] in found.cited


def test_a_port_name_that_does_not_exist_is_supported() -> None:
    found = looked_at(case_with(a_pod_that_is_up(an_http_probe(port="metrics")), "no such port"))

    assert found.verdict is Verdict.SUPPORTED
    assert any("names no such port" in s.text for s in found.supporting)


def test_a_path_that_the_program_does_not_know_is_supported() -> None:
    found = looked_at(case_with(a_pod_that_is_up(an_http_probe("/helthz")), HTTP.format(404)))

    assert found.verdict is Verdict.SUPPORTED
    assert found.title.endswith("asks for /helthz, a path that the program does not know")
    assert any("/helthz gives 404" in s.text for s in found.supporting)


@pytest.mark.parametrize("status", [500, 503])
def test_a_program_that_says_it_is_unwell_refutes_it(status: int) -> None:
    found = looked_at(case_with(a_pod_that_is_up(an_http_probe()), HTTP.format(status)))

    assert found.verdict is Verdict.REFUTED
    assert "it says that it is not well" in found.against[0].text


def test_a_container_that_dies_by_itself_refutes_it() -> None:
    crash = terminated(started=ago(60), finished=ago(40), reason="Error", exit_code=1)
    pod = a_pod(
        "api",
        containers=[a_server(readiness=an_http_probe(port=9999))],
        statuses=[a_status(state=running(ago(10)), last_state=crash, ready=False, restart_count=4)],
    )

    found = looked_at(case_with(pod, REFUSED.format(9999, 9999)))

    assert found.verdict is Verdict.REFUTED
    assert "ends by itself" in found.against[0].text


def test_a_container_that_the_liveness_probe_stopped_is_not_dying_by_itself() -> None:
    stopped = terminated(started=ago(90), finished=ago(40), reason="Error", exit_code=137)
    pod = a_pod(
        "api",
        containers=[a_server(liveness=an_http_probe("/wrong"))],
        statuses=[
            a_status(state=running(ago(39)), last_state=stopped, ready=False, restart_count=1)
        ],
    )
    case = case_with(pod, HTTP.format(404), kind="Liveness")
    killing = an_event(
        "Killing",
        "Container app failed liveness probe, will be restarted",
        pod,
        at=ago(41),
        container="app",
        kind="Normal",
    )

    found = looked_at(msgspec.structs.replace(case, events=(*case.events, killing)))

    assert found.verdict is Verdict.SUPPORTED


def stopped_after(life_s: float) -> Case:
    """By a liveness probe that asks every 3 s, twice, and a grace of 30 s."""
    probe = msgspec.structs.replace(an_http_probe(), period_seconds=3, failure_threshold=2)
    stopped = terminated(started=ago(40 + life_s), finished=ago(40), reason="Error", exit_code=137)
    pod = a_pod(
        "api",
        containers=[a_server(liveness=probe)],
        statuses=[
            a_status(state=running(ago(39)), last_state=stopped, ready=False, restart_count=1)
        ],
    )
    case = case_with(pod, REFUSED.format(8080, 8080), kind="Liveness")
    killing = an_event(
        "Killing", "Container app failed liveness probe, will be restarted", pod, at=ago(41)
    )
    return with_evidence(msgspec.structs.replace(case, events=(*case.events, killing)))


def test_a_program_that_had_answered_for_longer_than_the_probe_is_patient_refutes_it() -> None:
    found = looked_at(stopped_after(95))

    assert found.verdict is Verdict.REFUTED
    assert "lived for 95 s" in found.against[0].text
    assert "would have given up after 6 s" in found.against[0].text


def test_a_program_that_is_stopped_as_soon_as_the_probe_gives_up_may_be_slow() -> None:
    found = looked_at(stopped_after(36))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.title == "The liveness probe of app has the program stopped before it is up"


def test_a_late_answer_is_undecided_and_a_shortened_timeout_decides_it() -> None:
    pod = a_pod_that_is_up(an_http_probe(timeout_s=1))
    change = a_change("readinessProbe.timeoutSeconds", "10", "1", at=ago(60), app="api")

    alone = looked_at(case_with(pod, LATE))
    changed = looked_at(case_with(pod, LATE, changes=[change]))

    assert alone.verdict is Verdict.INCONCLUSIVE
    assert changed.verdict is Verdict.SUPPORTED
    assert changed.confidence > alone.confidence


def test_refused_at_the_very_port_it_exposes_is_undecided() -> None:
    found = looked_at(case_with(a_pod_that_is_up(an_http_probe()), REFUSED.format(8080, 8080)))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.next_check


def test_a_command_that_is_not_in_the_container_is_supported() -> None:
    probe = Probe(exec=ExecAction(command=["cat", "/tmp/healthy"]))

    found = looked_at(
        case_with(
            a_pod_that_is_up(probe), "cat: can't open '/tmp/healthy': No such file or directory"
        )
    )

    assert found.verdict is Verdict.SUPPORTED


def test_a_pod_that_is_ready_again_says_nothing() -> None:
    pod = a_pod("api", containers=[a_server(readiness=an_http_probe())])

    assert bad_probe(case_with(pod, HTTP.format(404))) is None


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("listening on 0.0.0.0:8080", 8080),
        ('{"msg":"Listening","addr":":3000","ts":"2026-11-23T07:32:21Z"}', 3000),
        ("Tomcat started on port(s): 8443 (https)", None),
        ("Tomcat started on port 8443 (https)", 8443),
        ("Listening at: http://0.0.0.0:8000 (12)", 8000),
        ("started in 8080 ms", None),
        ("listening since 12:30:59 today", None),
        ("connected to db:5432", None),
    ],
)
def test_a_line_announces_the_port_it_listens_on(line: str, port: int | None) -> None:
    assert port_announced(line) == port
