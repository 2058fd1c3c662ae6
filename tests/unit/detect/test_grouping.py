"""Which incident an alert belongs to, and why."""

from dataclasses import replace

import pytest

from copilot.detect.grouping import (
    SETTLING_US,
    Placement,
    Skip,
    Skipped,
    open_key,
    place,
    severity_of,
    title_of,
)
from copilot.domain.alert import Alert, Rule
from copilot.domain.incident import Grouping, Incident, IncidentId
from tests.builders_detect import an_alert, an_incident_about
from tests.builders_objects import a_ref, ago_us

OOM = an_alert(Rule.OOM_KILLED)
OPEN = (an_incident_about(OOM), (OOM,))
NODE = a_ref("Node", "dev", "")


def test_the_first_alert_of_a_place_opens_an_incident() -> None:
    assert place(OOM, [], None) == Placement(incident_id=None, reason=Grouping.FIRST_ALERT)


def test_a_repeat_joins_its_incident() -> None:
    assert place(OOM, [OPEN], None) == Placement(
        incident_id=IncidentId(1), reason=Grouping.SAME_ALERT
    )


def test_an_alert_that_ended_is_placed_where_it_fired_and_nowhere_else() -> None:
    ended = an_alert(Rule.OOM_KILLED, is_firing=False)
    other = an_alert(Rule.EXTERNAL, is_firing=False)

    assert place(ended, [OPEN], None) == Placement(
        incident_id=IncidentId(1), reason=Grouping.SAME_ALERT
    )
    assert place(other, [OPEN], None) == Skip(reason=Skipped.NOT_FIRING)


@pytest.mark.parametrize("rule", [Rule.CRASH_LOOP, Rule.NOT_READY, Rule.EXTERNAL])
def test_symptoms_of_one_workload_hang_under_one_incident(rule: Rule) -> None:
    symptom = an_alert(rule, pod="oom-demo-5f44895955-other")

    assert place(symptom, [OPEN], None) == Placement(
        incident_id=IncidentId(1), reason=Grouping.SAME_WORKLOAD
    )


def test_an_alert_that_knows_only_the_pod_joins_by_the_pod() -> None:
    bare = an_alert(Rule.EXTERNAL, workload=a_ref("Pod", "oom-demo-5f44895955-jhblt"))

    assert place(bare, [OPEN], None) == Placement(
        incident_id=IncidentId(1), reason=Grouping.SAME_POD
    )


def test_a_pod_of_the_same_name_in_another_namespace_is_another_pod() -> None:
    bare = an_alert(Rule.EXTERNAL, workload=a_ref("Pod", "oom-demo-5f44895955-jhblt", "other"))

    assert place(bare, [OPEN], None) == Placement(incident_id=None, reason=Grouping.FIRST_ALERT)


def test_logs_that_know_only_the_application_join_its_incident() -> None:
    burst = an_alert(Rule.ERROR_BURST, workload=a_ref("App", "oom-demo"), pod="")

    assert place(burst, [OPEN], None) == Placement(
        incident_id=IncidentId(1), reason=Grouping.SAME_WORKLOAD
    )


def test_another_workload_is_another_incident() -> None:
    other = an_alert(workload=a_ref("Deployment", "web"), pod="web-1")

    assert place(other, [OPEN], None) == Placement(incident_id=None, reason=Grouping.FIRST_ALERT)


def test_the_same_workload_of_another_cluster_is_another_incident() -> None:
    assert place(an_alert(cluster="prod"), [OPEN], None) == Placement(
        incident_id=None, reason=Grouping.FIRST_ALERT
    )


@pytest.mark.parametrize(
    ("seconds_ago", "joins"),
    [
        pytest.param(10, True, id="during the trouble"),
        pytest.param(600, True, id="ten minutes before it"),
        pytest.param(630, False, id="long before it"),
    ],
)
def test_a_nodes_alert_joins_what_broke_there_at_that_time(seconds_ago: int, joins: bool) -> None:
    node_alert = an_alert(
        Rule.EXTERNAL, workload=NODE, pod="", container="", starts_us=ago_us(seconds_ago)
    )

    placement = place(node_alert, [OPEN], None)

    assert placement == (
        Placement(incident_id=IncidentId(1), reason=Grouping.SAME_NODE)
        if joins
        else Placement(incident_id=None, reason=Grouping.FIRST_ALERT)
    )


def test_a_nodes_alert_joins_the_nearest_of_several_incidents_there() -> None:
    early = an_alert(
        workload=a_ref("Deployment", "a"), starts_us=ago_us(500), last_us=ago_us(400), pod="a-1"
    )
    late = an_alert(
        workload=a_ref("Deployment", "b"), starts_us=ago_us(90), last_us=ago_us(80), pod="b-1"
    )
    opened = [(an_incident_about(early), (early,)), (an_incident_about(late, number=2), (late,))]
    node_alert = an_alert(Rule.EXTERNAL, workload=NODE, pod="", container="", starts_us=ago_us(100))

    assert place(node_alert, opened, None) == Placement(
        incident_id=IncidentId(2), reason=Grouping.SAME_NODE
    )


def test_another_nodes_alert_does_not_join() -> None:
    node_alert = an_alert(Rule.EXTERNAL, workload=a_ref("Node", "dev-2", ""), pod="")

    assert place(node_alert, [OPEN], None) == Placement(
        incident_id=None, reason=Grouping.FIRST_ALERT
    )


def resolved(at_us: int) -> Incident:
    return an_incident_about(OOM, resolved_us=at_us)


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        pytest.param(
            an_alert(starts_us=ago_us(40), last_us=ago_us(5)),
            Skip(reason=Skipped.RESOLVED_BEFORE),
            id="old trouble that still shows itself",
        ),
        pytest.param(
            an_alert(starts_us=ago_us(29), last_us=ago_us(5)),
            Placement(incident_id=None, reason=Grouping.FIRST_ALERT),
            id="a relapse after it",
        ),
        pytest.param(
            an_alert(starts_us=ago_us(40), last_us=ago_us(30) + SETTLING_US + 1),
            Placement(incident_id=None, reason=Grouping.FIRST_ALERT),
            id="trouble that never went away",
        ),
    ],
)
def test_what_the_last_resolution_dealt_with_opens_nothing(
    alert: Alert, expected: Placement | Skip
) -> None:
    assert place(alert, [], resolved(ago_us(30))) == expected


def test_the_open_key_is_the_place_and_not_the_rule_or_the_pod() -> None:
    other = an_alert(Rule.NOT_READY, pod="another", container="")

    assert open_key(OOM) == open_key(other) == "dev/Deployment/demo/oom-demo"


def test_the_title_is_that_of_the_alert_nearest_to_the_cause() -> None:
    not_ready = an_alert(Rule.NOT_READY, title="not ready", starts_us=ago_us(90))
    loop = an_alert(Rule.CRASH_LOOP, title="loop", starts_us=ago_us(80))
    kill = an_alert(Rule.OOM_KILLED, title="killed", starts_us=ago_us(70))

    assert title_of([not_ready, loop, kill]) == "killed"
    assert title_of([not_ready, loop]) == "loop"


def test_an_alert_that_ended_gives_the_title_only_where_none_fires() -> None:
    kill = an_alert(Rule.OOM_KILLED, title="killed", is_firing=False)
    external = an_alert(Rule.EXTERNAL, title="theirs")

    assert title_of([kill, external]) == "theirs"
    assert title_of([kill]) == "killed"


@pytest.mark.parametrize(("given", "expected"), [(0, 1), (1, 1), (3, 3), (9, 4)])
def test_severity_stays_within_one_to_four(given: int, expected: int) -> None:
    assert severity_of(an_alert(severity=given)) == expected


# ------------------------------------------------------------------ nodes, and what refuses


EVICTED = an_alert(Rule.EVICTED, starts_us=ago_us(10))
SICK = an_alert(Rule.NODE_UNHEALTHY, workload=NODE, pod="", container="", node="dev")
SICK_OPEN = (an_incident_about(SICK, number=7), (SICK,))


@pytest.mark.parametrize("rule", [Rule.EVICTED, Rule.NOT_READY])
def test_what_a_sick_node_breaks_belongs_to_the_node(rule: Rule) -> None:
    broken = an_alert(rule, workload=a_ref("Deployment", "web"), pod="web-1")

    assert place(broken, [SICK_OPEN], None) == Placement(
        incident_id=IncidentId(7), reason=Grouping.SAME_NODE
    )


def test_a_node_that_turns_out_sick_joins_what_it_broke() -> None:
    opened = (an_incident_about(EVICTED), (EVICTED,))

    assert place(SICK, [opened], None) == Placement(
        incident_id=IncidentId(1), reason=Grouping.SAME_NODE
    )


def test_a_sick_node_does_not_hide_under_a_crash_of_its_own_making() -> None:
    crash = an_alert(Rule.CRASH_LOOP)

    found = place(SICK, [(an_incident_about(crash), (crash,))], None)

    assert found == Placement(incident_id=None, reason=Grouping.FIRST_ALERT)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(an_alert(Rule.CRASH_LOOP, workload=a_ref(name="web"), pod="w"), id="a crash"),
        pytest.param(
            an_alert(Rule.EVICTED, workload=a_ref(name="web"), pod="w", node="n2"),
            id="on another node",
        ),
    ],
)
def test_what_the_node_did_not_do_is_not_its_incident(other: Alert) -> None:
    assert place(other, [SICK_OPEN], None) == Placement(
        incident_id=None, reason=Grouping.FIRST_ALERT
    )


def test_what_goes_wrong_inside_a_pod_is_not_explained_by_its_node() -> None:
    late = an_alert(Rule.NOT_READY)
    node = (SICK_OPEN[0], (SICK, late))

    assert place(OOM, [node], None) == Placement(incident_id=None, reason=Grouping.FIRST_ALERT)


def a_refusal(name: str, message: str, namespace: str = "demo") -> Alert:
    alert = an_alert(
        Rule.NOT_CREATED,
        workload=a_ref("Deployment", name, namespace),
        pod="",
        container="",
        node="",
    )
    return replace(alert, message=message)


QUOTA = "exceeded quota: team, requested: pods=1, used: pods=2"
HOOK = 'failed calling webhook "policy.example.org": no route to host'


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        (a_refusal("a", QUOTA), a_refusal("b", QUOTA), True),
        (a_refusal("a", QUOTA), a_refusal("b", QUOTA, "other"), False),
        (a_refusal("a", QUOTA), a_refusal("b", QUOTA.replace("team", "mine")), False),
        (a_refusal("a", HOOK), a_refusal("b", HOOK, "other"), True),
        (a_refusal("a", "no service account"), a_refusal("b", "no service account"), False),
    ],
    ids=["one quota", "quotas named alike", "two quotas", "one webhook", "nothing is named"],
)
def test_what_one_object_refuses_to_many_is_one_incident(
    first: Alert, second: Alert, is_one: bool
) -> None:
    found = place(second, [(an_incident_about(first), (first,))], None)

    assert isinstance(found, Placement)
    assert (found.reason is Grouping.SAME_OBJECT) is is_one
    assert (found.incident_id is not None) is is_one


def test_every_rule_has_its_place_among_the_titles() -> None:
    assert [title_of([an_alert(rule)]) for rule in Rule] == [f"oom-demo {rule}" for rule in Rule]
