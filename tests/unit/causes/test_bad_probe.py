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
from copilot.domain.objects import ExecAction, Grpc, HttpGet, Pod, Probe, TcpSocket
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
    ("probe", "message", "detail"),
    [
        pytest.param(
            Probe(http_get=HttpGet(port=8080, scheme="HTTPS")),
            'Get "https://10.88.0.15:8080/": http: server gave HTTP response to HTTPS client',
            "wrong_scheme",
            id="HTTPS of HTTP",
        ),
        pytest.param(
            Probe(http_get=HttpGet(port=8080)),
            'Get "http://10.88.0.15:8080/": net/http: HTTP/1.x transport connection broken: '
            'malformed HTTP response "15 03 01"',
            "wrong_scheme",
            id="HTTP of HTTPS",
        ),
        pytest.param(
            Probe(grpc=Grpc(port=8080)),
            'timeout: failed to connect service "10.88.0.3:8080" within 1s: context deadline '
            "exceeded",
            "wrong_scheme",
            id="gRPC where there is none",
        ),
        pytest.param(
            Probe(grpc=Grpc(port=9999)),
            'timeout: failed to connect service "10.88.0.3:9999" within 1s: context deadline '
            "exceeded",
            "wrong_port",
            id="gRPC at another port",
        ),
        pytest.param(
            Probe(tcp_socket=TcpSocket(port=81)),
            "dial tcp 10.88.0.9:81: connect: connection refused",
            "wrong_port",
            id="TCP",
        ),
        pytest.param(an_http_probe("/x"), HTTP.format(404), "wrong_path", id="path"),
    ],
)
def test_the_way_in_which_it_does_not_fit_is_named(probe: Probe, message: str, detail: str) -> None:
    found = looked_at(case_with(a_pod_that_is_up(probe), message))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, detail)
    assert found.subject is not None


def test_a_program_that_says_it_wants_tls_tells_the_scheme() -> None:
    pod = a_pod_that_is_up(an_http_probe())
    line = a_line(
        "http: TLS handshake error: client sent an HTTP request to an HTTPS server",
        pod,
        at=ago(20),
    )

    found = looked_at(case_with(pod, HTTP.format(400), lines=[line]))

    assert found.detail == "wrong_scheme"


def stopped_again_and_again(message: str, *said: str, restarts: int = 5) -> Case:
    probe = msgspec.structs.replace(an_http_probe(), period_seconds=2, failure_threshold=2)
    stopped = terminated(started=ago(50), finished=ago(41), reason="Error", exit_code=137)
    pod = a_pod(
        "api",
        containers=[a_server(liveness=probe)],
        statuses=[
            a_status(
                state=running(ago(39)), last_state=stopped, ready=False, restart_count=restarts
            )
        ],
    )
    lines = [a_line(body, pod, at=ago(30 - n), address=f"3:{n + 1}") for n, body in enumerate(said)]
    case = case_with(pod, message, kind="Liveness", lines=lines)
    killing = an_event(
        "Killing", "Container app failed liveness probe, will be restarted", pod, at=ago(42)
    )
    return with_evidence(msgspec.structs.replace(case, events=(*case.events, killing)))


def test_lives_that_all_end_with_the_probes_patience_speak_of_a_hasty_probe() -> None:
    again = looked_at(stopped_again_and_again(REFUSED.format(8080, 8080)))
    once = looked_at(stopped_again_and_again(REFUSED.format(8080, 8080), restarts=1))

    assert (again.verdict, again.detail) == (Verdict.SUPPORTED, "too_early")
    assert once.verdict is Verdict.INCONCLUSIVE


def test_a_program_that_was_seen_to_listen_too_late_makes_it_sure() -> None:
    found = looked_at(
        stopped_again_and_again(REFUSED.format(8080, 8080), "listening on 0.0.0.0:8080")
    )

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "too_early")
    assert any("needs 9 s to listen" in s.text for s in found.supporting)


@pytest.mark.parametrize("message", [REFUSED.format(8080, 8080), LATE])
def test_a_program_that_waits_for_others_leaves_it_undecided(message: str) -> None:
    case = stopped_again_and_again(message, "dial tcp 10.96.0.9:5432: connect: connection refused")

    assert looked_at(case).verdict is Verdict.INCONCLUSIVE


def test_a_program_that_is_stopped_for_late_answers_with_cpu_to_spare_is_asked_too_strictly() -> (
    None
):
    found = looked_at(stopped_again_and_again(LATE))

    assert (found.verdict, found.detail) == (Verdict.SUPPORTED, "too_strict")


def test_a_program_that_ends_on_sigterm_with_a_code_of_its_own_was_stopped_all_the_same() -> None:
    case = stopped_again_and_again(REFUSED.format(8080, 8080))
    pod = case.pods[0]
    own = terminated(started=ago(50), finished=ago(41), reason="Error", exit_code=2)
    status = a_status(state=running(ago(39)), last_state=own, ready=False, restart_count=5)
    shown = msgspec.structs.replace(pod.status, container_statuses=[status])
    case = msgspec.structs.replace(case, pods=(msgspec.structs.replace(pod, status=shown),))

    assert looked_at(with_evidence(case)).verdict is Verdict.SUPPORTED


def test_a_runtime_that_is_away_says_nothing_about_a_program() -> None:
    probe = Probe(exec=ExecAction(command=["cat", "/tmp/healthy"]))
    pod = a_pod("api", containers=[a_server(liveness=probe)])
    message = (
        "Liveness probe errored and resulted in unknown state: rpc error: code = Unavailable desc = "
        'connection error: desc = "transport: Error while dialing: dial unix /run/containerd.sock: '
        'connect: no such file or directory"'
    )

    event = an_event("Unhealthy", message, pod, at=ago(5), container="app")

    assert bad_probe(a_case(app="api", pods=[pod], events=[event], rule=Rule.NOT_READY)) is None


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
