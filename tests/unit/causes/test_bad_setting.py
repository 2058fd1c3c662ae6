"""Variables and values of ConfigMaps with which a program cannot work."""

import msgspec
import pytest

from copilot.causes import explain
from copilot.causes.bad_setting import bad_setting
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.change import Change
from copilot.domain.hypothesis import Cause, Verdict
from copilot.domain.objects import ConfigMapVolume, EnvVar, ObjectRef, Pod, Volume
from copilot.domain.surroundings import Surroundings
from tests.builders_around import (
    a_config_map,
    a_service,
    a_workload,
    with_spec,
    with_surroundings,
)
from tests.builders_case import NEW, a_case, a_change, a_line
from tests.builders_objects import a_container, a_pod, a_status, ago, terminated, waiting

URL = EnvVar(name="DATABASE_URL", value="postgres://shop@db-main:5432/shop")
SAYS_INVALID = "FATAL: invalid value for DATABASE_URL"
SAYS_REFUSED = "error: dial tcp: connect to db-main:5432: connection refused"


def a_crashing_pod(*env: EnvVar, reason: str = "Error", exit_code: int = 1) -> Pod:
    ended = terminated(exit_code=exit_code, reason=reason, started=ago(30), finished=ago(20))
    status = a_status(
        state=waiting("CrashLoopBackOff"), last_state=ended, ready=False, restart_count=3
    )
    container = msgspec.structs.replace(a_container(), env=list(env) or None)
    pod = a_pod("billing", template_hash=NEW, statuses=[status], created=ago(50))
    return with_spec(pod, container=container)


def a_case_of(pod: Pod, *bodies: str, changes: tuple[Change, ...] = ()) -> Case:
    lines = [
        a_line(body, pod, at=ago(21), address=f"3:{n}", level="error")
        for n, body in enumerate(bodies, 1)
    ]
    bare = a_case(pods=[pod], lines=lines, changes=changes, rule=Rule.CRASH_LOOP)
    return with_surroundings(bare, Surroundings(config_maps=(a_config_map(mode="turbo"),)))


def env_change(before: str = "db", after: str = "db-main") -> Change:
    return a_change("env[DATABASE_URL].value", before, after, at=ago(50))


def test_a_variable_that_was_changed_and_that_the_program_names_is_the_cause() -> None:
    case = a_case_of(a_crashing_pod(URL), SAYS_INVALID, changes=(env_change(),))
    found = bad_setting(case)

    assert found is not None
    assert found.verdict is Verdict.SUPPORTED
    assert found.confidence > 0.9
    assert found.detail == "variable"
    assert explain(case)[0].cause is Cause.BAD_SETTING


def test_a_change_of_settings_alone_is_less_sure() -> None:
    found = bad_setting(a_case_of(a_crashing_pod(URL), "it broke", changes=(env_change(),)))

    assert found is not None
    assert found.verdict is Verdict.SUPPORTED
    assert found.confidence < 0.8
    assert found.next_check


def test_a_value_of_a_config_map_that_was_changed_names_the_config_map() -> None:
    pod = with_spec(
        a_crashing_pod(),
        volumes=[Volume(name="c", config_map=ConfigMapVolume(name="settings"))],
    )
    config = ObjectRef(kind="ConfigMap", namespace="demo", name="settings")
    change = a_change("data.mode", "fast", "turbo", at=ago(50), object=config)
    found = bad_setting(a_case_of(pod, "panic: unknown mode turbo", changes=(change,)))

    assert found is not None
    assert found.detail == "config_value"
    assert str(found.subject) == "ConfigMap demo/settings"
    assert found.confidence > 0.9


def test_an_address_that_was_changed_is_known_by_its_host_in_the_log() -> None:
    config = ObjectRef(kind="ConfigMap", namespace="demo", name="settings")
    change = a_change(
        "data.NEEDS", "http://index:9200/", "http://index:9201/", at=ago(50), object=config
    )
    pod = with_spec(
        a_crashing_pod(),
        volumes=[Volume(name="c", config_map=ConfigMapVolume(name="settings"))],
    )
    said = "cannot reach index:9201: dial tcp 10.96.0.7:9201: connect: connection refused"
    case = a_settings_case_with_a_service(pod, said, change)

    ranked = explain(case)

    assert ranked[0].cause is Cause.BAD_SETTING
    assert [h.cause for h in ranked if h.verdict is Verdict.SUPPORTED] == [Cause.BAD_SETTING]


def a_settings_case_with_a_service(pod: Pod, said: str, change: Change) -> Case:
    case = a_case_of(pod, said, changes=(change,))
    config = a_config_map(NEEDS="http://index:9201/")
    around = Surroundings(
        config_maps=(config,),
        services=(a_service("index", port=9200),),
        workloads=(a_workload("index"),),
    )
    return with_surroundings(case, around)


def test_an_image_that_changed_as_well_may_be_the_reason_instead() -> None:
    change = a_change("image", "shop:1", "shop:2", at=ago(50))

    assert bad_setting(a_case_of(a_crashing_pod(), "it broke", changes=(change,))) is None


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        pytest.param(SAYS_INVALID, Verdict.SUPPORTED, id="called wrong"),
        pytest.param(SAYS_REFUSED, Verdict.INCONCLUSIVE, id="an address that refuses"),
    ],
)
def test_a_setting_that_nobody_changed_must_be_called_wrong(body: str, verdict: Verdict) -> None:
    found = bad_setting(a_case_of(a_crashing_pod(URL), body))

    assert found is not None
    assert found.verdict is verdict


def test_words_that_name_no_setting_say_nothing_of_one() -> None:
    assert bad_setting(a_case_of(a_crashing_pod(URL), "panic: nil pointer")) is None


def test_a_container_killed_for_memory_has_no_bad_setting() -> None:
    pod = a_crashing_pod(URL, reason="OOMKilled", exit_code=137)

    assert bad_setting(a_case_of(pod, SAYS_INVALID, changes=(env_change(),))) is None


def test_arguments_that_were_changed_are_a_rollout_and_no_setting() -> None:
    change = a_change("args", '["-listen=:80"]', '["-lisen=:80"]', at=ago(50))
    case = a_case_of(a_crashing_pod(), "flag not defined: -lisen", changes=(change,))

    ranked = explain(case)

    assert bad_setting(case) is None
    assert (ranked[0].cause, ranked[0].detail) == (Cause.BAD_ROLLOUT, "command")
