"""Probes that are corrected, by what the program says, another probe passes at, or it was before."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import msgspec
import pytest

from copilot.agents.remedies import REMEDIES
from copilot.causes.bad_probe import bad_probe
from copilot.domain.action import ProbeCheck, ProbeKind, RollBack, SetProbe
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.change import Change, FieldChange
from copilot.domain.event import LogLine
from copilot.domain.hypothesis import Cause
from copilot.domain.objects import Container, ContainerStatus, ExecAction, HttpGet, Pod, Probe
from tests.builders_case import (
    NEW,
    OLD,
    a_case,
    a_change,
    a_line,
    a_server,
    an_event,
    an_http_probe,
)
from tests.builders_net import drafts_and_notes, the_action
from tests.builders_objects import (
    a_deployment,
    a_pod,
    a_replica_set,
    a_status,
    ago,
    running,
    terminated,
)

PROBE = REMEDIES[Cause.BAD_PROBE]
REFUSED = 'Get "http://10.88.0.8:{0}/": dial tcp 10.88.0.8:{0}: connect: connection refused'


def failing(
    container: Container,
    message: str,
    *,
    kind: str = "Readiness",
    ready: bool = False,
    status: ContainerStatus | None = None,
    workload_kind: str = "Deployment",
    changes: Sequence[Change] = (),
    logged: Sequence[str] = (),
    earlier: Container | None = None,
) -> Case:
    shown = status or a_status(state=running(ago(90)), ready=ready)
    owner: Literal["ReplicaSet", "StatefulSet"] = (
        "ReplicaSet" if workload_kind == "Deployment" else "StatefulSet"
    )
    pod = a_pod(
        "api", template_hash=NEW, containers=[container], statuses=[shown], owner_kind=owner
    )
    workload = msgspec.structs.replace(
        a_deployment("api", containers=[container]), kind=workload_kind
    )
    revisions = [
        a_replica_set("api", template_hash=NEW, revision=2, containers=[container], created=ago(95))
    ]
    if earlier is not None:
        revisions.append(a_replica_set("api", template_hash=OLD, containers=[earlier]))
    events = [
        an_event("Unhealthy", f"{kind} probe failed: {message}", pod, at=ago(20), container="app"),
        an_event(
            "Killing",
            f"Container app failed {kind.lower()} probe, will be restarted",
            pod,
            at=ago(21),
            container="app",
        ),
    ]
    return a_case(
        app="api",
        pods=[pod],
        workload=workload,
        replica_sets=revisions if workload_kind == "Deployment" else (),
        events=events if kind != "Readiness" else events[:1],
        lines=_lines(pod, logged),
        changes=changes,
        rule=Rule.NOT_READY,
    )


def _lines(pod: Pod, logged: Sequence[str]) -> list[LogLine]:
    return [
        a_line(body, pod, at=ago(60 - n), address=f"3:{n + 1}") for n, body in enumerate(logged)
    ]


def corrected(case: Case) -> SetProbe:
    action = the_action(case, bad_probe(case), PROBE)
    assert isinstance(action, SetProbe)
    return action


def test_a_port_is_taken_from_what_the_program_says() -> None:
    case = failing(
        a_server(readiness=an_http_probe(port=9999)),
        REFUSED.format(9999),
        logged=["listening on 0.0.0.0:8080"],
    )

    action = corrected(case)

    assert (action.probe, action.port) == (ProbeKind.READINESS, 8080)


def test_a_port_is_taken_from_the_probe_that_passes() -> None:
    case = failing(
        a_server(readiness=an_http_probe(port=8080), liveness=an_http_probe(port=8081)),
        REFUSED.format(8081),
        kind="Liveness",
        ready=True,
    )

    action = corrected(case)

    assert (action.probe, action.port) == (ProbeKind.LIVENESS, 8080)


def test_probes_that_ask_at_the_same_wrong_port_are_mended_together() -> None:
    wrong, right = an_http_probe(port=8081), an_http_probe(port=8080)
    both = failing(a_server(readiness=wrong, liveness=wrong), REFUSED.format(8081))
    one = failing(a_server(readiness=wrong, liveness=right), REFUSED.format(8081))

    assert (corrected(both).port, corrected(both).also) == (8080, (ProbeKind.LIVENESS,))
    assert corrected(one).also == ()


def test_probes_that_were_changed_in_the_same_way_go_back_together() -> None:
    changed = [
        a_change(f"{kind}Probe.httpGet.port", "8080", "8081", at=ago(60), app="api")
        for kind in ("readiness", "liveness")
    ]
    whole = replace(changed[0], fields=(*changed[0].fields, *changed[1].fields))
    wrong = an_http_probe(port=8081)
    case = failing(a_server(readiness=wrong, liveness=wrong), REFUSED.format(8081), changes=[whole])

    assert (corrected(case).port, corrected(case).also) == (8080, (ProbeKind.LIVENESS,))


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_port_is_taken_from_the_spec_whatever_the_workload_is(kind: str) -> None:
    case = failing(
        a_server(readiness=an_http_probe(port=9999)), REFUSED.format(9999), workload_kind=kind
    )

    action = corrected(case)

    assert (action.target.kind, action.port) == (kind, 8080)


def test_a_path_is_taken_from_the_probe_that_passes() -> None:
    case = failing(
        a_server(readiness=an_http_probe("/ready"), liveness=an_http_probe("/wrong")),
        "HTTP probe failed with statuscode: 404",
        kind="Liveness",
        ready=True,
    )

    assert corrected(case).path == "/ready"


def test_a_scheme_is_turned_round() -> None:
    probe = Probe(http_get=HttpGet(port=8080, scheme="HTTPS"))
    case = failing(
        a_server(readiness=probe),
        'Get "https://10.88.0.15:8080/": http: server gave HTTP response to HTTPS client',
    )

    assert corrected(case).scheme == "HTTP"


def test_a_program_that_is_late_gets_the_time_it_was_seen_to_need() -> None:
    probe = msgspec.structs.replace(an_http_probe(), period_seconds=2, failure_threshold=3)
    stopped = terminated(started=ago(80), finished=ago(40), reason="Error", exit_code=137)
    case = failing(
        a_server(liveness=probe),
        REFUSED.format(8080),
        kind="Liveness",
        status=a_status(state=running(ago(39)), last_state=stopped, ready=False, restart_count=5),
        logged=["listening on 0.0.0.0:8080"],
    )

    assert corrected(case).initial_delay_s == 30


def test_one_that_was_always_stopped_before_gets_a_minute_as_a_stopgap() -> None:
    probe = msgspec.structs.replace(an_http_probe(), period_seconds=2, failure_threshold=2)
    stopped = terminated(started=ago(46), finished=ago(41), reason="Error", exit_code=137)
    case = failing(
        a_server(liveness=probe),
        REFUSED.format(8080),
        kind="Liveness",
        status=a_status(state=running(ago(39)), last_state=stopped, ready=False, restart_count=5),
    )

    (draft,), _ = drafts_and_notes(case, bad_probe(case), PROBE)

    assert isinstance(draft.action, SetProbe)
    assert draft.action.failure_threshold == 30
    assert draft.is_stopgap


def test_a_probe_that_was_just_changed_asks_as_before_and_the_way_back_is_offered() -> None:
    case = failing(
        a_server(readiness=an_http_probe(port=9999)),
        REFUSED.format(9999),
        earlier=a_server(readiness=an_http_probe(port=8080)),
    )

    drafts, _ = drafts_and_notes(case, bad_probe(case), PROBE)

    assert isinstance(drafts[0].action, SetProbe)
    assert drafts[0].action.port == 8080
    assert "as before" in drafts[0].title
    assert isinstance(drafts[1].action, RollBack)


def test_a_timeout_that_was_shortened_is_set_back() -> None:
    change = a_change("readinessProbe.timeoutSeconds", "10", "1", at=ago(60), app="api")
    case = failing(
        a_server(readiness=an_http_probe(timeout_s=1)),
        'Get "http://10.88.0.18:8080/": context deadline exceeded',
        changes=[change],
    )

    assert corrected(case).timeout_s == 10


def an_exchange(*gone: tuple[str, str]) -> Change:
    """A check of a readiness probe that gave way to a program."""
    stem = "spec.template.spec.containers[app].readinessProbe"
    change = a_change("readinessProbe.exec.command", None, '["curl"]', at=ago(60), app="api")
    fields = [FieldChange(path=f"{stem}.{path}", before=value, after=None) for path, value in gone]
    return replace(change, fields=(*change.fields, *fields))


NO_PROGRAM = 'exec failed: unable to start: exec: "curl": executable file not found in $PATH'


def asks_by_a_program(*, changes: Sequence[Change]) -> Case:
    probe = Probe(exec=ExecAction(command=["curl"]), period_seconds=2)
    return failing(
        a_server(readiness=probe), NO_PROGRAM, workload_kind="StatefulSet", changes=changes
    )


@pytest.mark.parametrize(
    ("gone", "check", "port", "path"),
    [
        pytest.param([("tcpSocket.port", '"http"')], ProbeCheck.TCP, "http", None, id="a-socket"),
        pytest.param(
            [("httpGet.path", '"/ok"'), ("httpGet.port", "8080"), ("httpGet.scheme", '"HTTP"')],
            ProbeCheck.HTTP,
            8080,
            "/ok",
            id="a-page",
        ),
    ],
)
def test_a_program_that_came_for_another_check_goes_again(
    gone: list[tuple[str, str]], check: ProbeCheck, port: int | str, path: str | None
) -> None:
    action = corrected(asks_by_a_program(changes=[an_exchange(*gone)]))

    assert (action.check, action.port, action.path) == (check, port, path)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            [an_exchange(("httpGet.port", "80"), ("httpGet.httpHeaders", "[]"))],
            id="more-than-we-set",
        ),
        pytest.param([an_exchange()], id="a-first-probe"),
        pytest.param(
            [a_change("readinessProbe.exec.command", '["cat"]', '["curl"]', at=ago(60), app="api")],
            id="another-program",
        ),
    ],
)
def test_a_check_that_cannot_be_set_as_it_was_is_left_to_people(changes: list[Change]) -> None:
    case = asks_by_a_program(changes=changes)

    assert drafts_and_notes(case, bad_probe(case), PROBE)[0] == []


def test_a_path_that_nothing_tells_is_not_guessed() -> None:
    case = failing(
        a_server(readiness=an_http_probe("/wrong")), "HTTP probe failed with statuscode: 404"
    )

    drafts, notes = drafts_and_notes(case, bad_probe(case), PROBE)

    assert drafts == []
    assert notes == ["there is no earlier revision to go back to"]


def test_a_pod_that_nothing_made_has_to_be_made_anew() -> None:
    case = failing(a_server(readiness=an_http_probe(port=9999)), REFUSED.format(9999))
    bare = msgspec.structs.replace(case, workload=None)

    assert drafts_and_notes(bare, bad_probe(bare), PROBE)[0] == []
