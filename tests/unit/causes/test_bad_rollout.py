"""New code is blamed when it came just before and only its pods fail, and not otherwise."""

import msgspec
import pytest

from copilot.causes.bad_rollout import bad_rollout
from copilot.causes.rollouts import template_changes
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.change import Change
from copilot.domain.event import Severity, Stream, TemplateActivity, TemplateId
from copilot.domain.hypothesis import Hypothesis, Verdict
from copilot.domain.objects import (
    Container,
    EnvFromSource,
    Pod,
    ReplicaSet,
    SourceName,
)
from tests.builders_case import NEW, OLD, a_case, a_change, a_limit_change, a_line
from tests.builders_objects import (
    a_container,
    a_pod,
    a_ref,
    a_replica_set,
    a_status,
    ago,
    ago_us,
    an_oom_killed_pod,
    terminated,
    waiting,
)

REVISION = "deployment.kubernetes.io/revision"
V1, V2 = a_container(image="registry.local/web:1"), a_container(image="registry.local/web:2")


def a_crashing_pod(
    container: Container = V2, *, template_hash: str = NEW, ended_ago: float = 35
) -> Pod:
    end = terminated(
        started=ago(ended_ago + 1), finished=ago(ended_ago), reason="Error", exit_code=1
    )
    state = a_status(
        state=waiting("CrashLoopBackOff"), last_state=end, ready=False, restart_count=2
    )
    return a_pod(
        "web", template_hash=template_hash, suffix="bad", containers=[container], statuses=[state]
    )


def a_fine_pod() -> Pod:
    return a_pod("web", template_hash=OLD, suffix="fine", containers=[V1])


def revisions(*, created_ago: float = 60) -> list[ReplicaSet]:
    return [
        a_replica_set(
            "web", template_hash=NEW, revision=8, containers=[V2], created=ago(created_ago)
        ),
        a_replica_set("web", template_hash=OLD, revision=7, containers=[V1], created=ago(90_000)),
    ]


def an_image_change(seconds_ago: float) -> Change:
    return a_change(
        "image", "registry.local/web:1", "registry.local/web:2", at=ago(seconds_ago), app="web"
    )


def looked_at(case: Case) -> Hypothesis:
    found = bad_rollout(case)
    assert found is not None
    return found


def test_new_pods_fail_after_an_image_change_while_the_old_one_runs() -> None:
    found = looked_at(
        a_case(
            app="web",
            pods=[a_fine_pod(), a_crashing_pod()],
            replica_sets=revisions(),
            changes=[an_image_change(60)],
            rule=Rule.CRASH_LOOP,
        )
    )

    assert found.verdict is Verdict.SUPPORTED
    assert found.confidence >= 0.8
    assert "Pods of revision 8 fail" in found.supporting[1].text


def test_two_revisions_tell_of_a_rollout_that_nobody_recorded() -> None:
    found = looked_at(
        a_case(
            app="web",
            pods=[a_fine_pod(), a_crashing_pod()],
            replica_sets=revisions(),
            rule=Rule.CRASH_LOOP,
        )
    )

    assert found.verdict is Verdict.SUPPORTED
    assert "registry.local/web:2" in found.title


def test_a_change_noticed_late_is_dated_by_the_revision_it_made() -> None:
    found = looked_at(
        a_case(
            app="web",
            pods=[a_fine_pod(), a_crashing_pod()],
            replica_sets=revisions(created_ago=60),
            changes=[an_image_change(5)],
            rule=Rule.CRASH_LOOP,
        )
    )

    assert found.verdict is Verdict.SUPPORTED


def test_a_change_after_the_first_failure_is_not_its_cause() -> None:
    found = looked_at(
        a_case(
            app="web",
            pods=[a_crashing_pod(V1, template_hash=OLD, ended_ago=300)],
            replica_sets=revisions(),
            changes=[an_image_change(60)],
            began=ago(300),
            rule=Rule.CRASH_LOOP,
        )
    )

    assert found.verdict is Verdict.REFUTED
    assert "before the change" in found.against[0].text


def test_without_any_change_the_age_of_the_revision_refutes_it() -> None:
    case = a_case(
        app="web",
        pods=[a_crashing_pod()],
        replica_sets=revisions(created_ago=80_000),
        rule=Rule.CRASH_LOOP,
    )

    found = looked_at(case)

    assert found.verdict is Verdict.REFUTED
    assert case.cited_as["object:uid-web-64fdd9cd94"] in found.against[0].evidence


def test_a_first_rollout_has_nothing_better_to_go_back_to() -> None:
    found = looked_at(
        a_case(
            app="web", pods=[a_crashing_pod()], replica_sets=revisions()[:1], rule=Rule.CRASH_LOOP
        )
    )

    assert found.verdict is Verdict.REFUTED
    assert "the only one" in found.against[0].text


def test_a_rollout_that_touched_only_the_memory_limit_is_explained_by_it() -> None:
    found = looked_at(
        a_case(
            pods=[an_oom_killed_pod("billing")],
            changes=[a_limit_change("64Mi", "32Mi", at=ago(50))],
        )
    )

    assert found.verdict is Verdict.REFUTED
    assert "touched only the memory limit" in found.against[0].text


def test_old_pods_that_fail_too_leave_it_undecided() -> None:
    old = a_crashing_pod(V1, template_hash=OLD, ended_ago=30)
    old = msgspec.structs.replace(
        old, metadata=msgspec.structs.replace(old.metadata, name="web-old", uid="uid-web-old")
    )

    found = looked_at(
        a_case(
            app="web",
            pods=[old, a_crashing_pod()],
            replica_sets=revisions(),
            changes=[an_image_change(60)],
            rule=Rule.CRASH_LOOP,
        )
    )

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.next_check


def test_the_same_end_before_the_rollout_refutes_it() -> None:
    old = a_crashing_pod(V1, template_hash=OLD, ended_ago=400)
    old = msgspec.structs.replace(
        old, metadata=msgspec.structs.replace(old.metadata, name="web-old", uid="uid-web-old")
    )

    found = looked_at(
        a_case(
            app="web",
            pods=[old, a_crashing_pod()],
            replica_sets=revisions(),
            changes=[an_image_change(60)],
            rule=Rule.CRASH_LOOP,
        )
    )

    assert found.verdict is Verdict.REFUTED
    assert "had ended the same way" in found.against[0].text


@pytest.mark.parametrize(
    ("reads", "verdict"),
    [
        pytest.param("web-settings", Verdict.SUPPORTED, id="one that the pods read"),
        pytest.param("other", Verdict.REFUTED, id="one of somebody else"),
    ],
)
def test_a_config_map_counts_where_the_pods_read_it(reads: str, verdict: Verdict) -> None:
    container = msgspec.structs.replace(
        V1, env_from=[EnvFromSource(config_map_ref=SourceName(name=reads))]
    )
    change = a_change(
        "data[DB_HOST]",
        "db",
        "db.wrong",
        at=ago(60),
        object=a_ref("ConfigMap", "web-settings"),
        title="DB_HOST of ConfigMap web-settings",
    )

    found = looked_at(
        a_case(
            app="web",
            pods=[a_crashing_pod(container)],
            replica_sets=revisions(created_ago=80_000)[:1],
            changes=[change],
            rule=Rule.CRASH_LOOP,
        )
    )

    assert found.verdict is verdict


def test_an_error_first_seen_after_the_rollout_is_cited_by_its_line() -> None:
    pod = a_crashing_pod()
    line = a_line("FATAL no such column: total", pod, at=ago(35.5), address="4:9", level="fatal")
    bare = a_case(
        app="web", pods=[pod], changes=[an_image_change(60)], lines=[line], rule=Rule.CRASH_LOOP
    )
    activity = TemplateActivity(
        template_id=TemplateId(1),
        pattern="FATAL no such column: <*>",
        severity=Severity.FATAL,
        stream=Stream(pod=pod.metadata.name),
        first_us=ago_us(36),
        recent_count=4,
        earlier_count=0,
        last_address="4:9",
    )

    found = looked_at(msgspec.structs.replace(bare, templates=(activity,)))

    assert bare.cited_as["log:4:9"] in found.cited


def test_a_case_in_which_nothing_fails_says_nothing() -> None:
    assert bad_rollout(a_case(app="web", pods=[a_fine_pod()], alerts=[])) is None


def test_an_error_that_names_a_variable_the_rollout_took_away_is_quoted() -> None:
    pod = a_crashing_pod()
    error = "DATABASE_URL is not set, cannot start"
    taken_away = a_change("env[DATABASE_URL]", "postgres://db", None, at=ago(60), app="web")
    case = a_case(
        app="web",
        pods=[a_fine_pod(), pod],
        replica_sets=revisions(),
        changes=[taken_away],
        lines=[a_line(error, pod, at=ago(35), level="error")],
        rule=Rule.CRASH_LOOP,
    )

    found = looked_at(case)

    assert found.confidence > 0.9
    assert error in found.supporting[-1].text
    assert case.cited_as["log:3:1"] in found.supporting[-1].evidence


def test_a_change_within_the_second_of_the_failure_gets_no_figure() -> None:
    found = looked_at(
        a_case(
            app="web",
            pods=[a_crashing_pod()],
            replica_sets=revisions(created_ago=41),
            changes=[an_image_change(41)],
            rule=Rule.CRASH_LOOP,
        )
    )

    assert found.supporting[0].text.startswith("Right before the first failure")


def test_a_container_that_came_with_the_rollout_is_part_of_it() -> None:
    sets = revisions()
    spec = sets[0].spec.template.spec
    migrate = msgspec.structs.replace(V1, name="migrate")
    more = msgspec.structs.replace(spec, containers=[V1], init_containers=[migrate])
    template = msgspec.structs.replace(sets[0].spec.template, spec=more)
    newest = msgspec.structs.replace(
        sets[0], spec=msgspec.structs.replace(sets[0].spec, template=template)
    )

    (change,) = template_changes(sets[1], newest)

    assert change.path == "spec.template.spec.containers[migrate]"
    assert (change.before, change.after) == (None, '"registry.local/web:1"')


def test_after_somebody_went_back_the_failing_revision_is_still_the_one_that_came_later() -> None:
    bad, good = revisions(created_ago=60)
    again = msgspec.structs.replace(good.metadata, annotations={REVISION: "9"})
    restored = msgspec.structs.replace(good, metadata=again)
    gone = msgspec.structs.replace(a_crashing_pod().metadata, deletion_timestamp=ago(5))
    crashed = msgspec.structs.replace(a_crashing_pod(), metadata=gone)

    found = looked_at(
        a_case(
            app="web",
            pods=[a_fine_pod(), crashed],
            replica_sets=[restored, bad],
            changes=[an_image_change(60)],
            rule=Rule.CRASH_LOOP,
        )
    )

    assert found.verdict is Verdict.SUPPORTED
    assert "Pods of revision 8 fail" in found.supporting[1].text
    assert found.against == ()
