"""ConfigMaps, Secrets and keys that are not there, in the words of a real kubelet."""

import msgspec
import pytest

from copilot.causes import explain
from copilot.causes.config_missing import config_missing
from copilot.causes.secret_missing import secret_missing
from copilot.domain.alert import Rule
from copilot.domain.case import Case
from copilot.domain.hypothesis import Cause, Hypothesis, Verdict
from copilot.domain.objects import (
    ConfigMapVolume,
    Container,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    KeyToPath,
    ObjectRef,
    Pod,
    ProjectedSecret,
    ProjectedSource,
    ProjectedVolume,
    SecretVolume,
    SourceKey,
    SourceName,
    Volume,
)
from copilot.domain.surroundings import ConfigMap, Surroundings
from tests.builders_around import a_config_map, with_spec, with_surroundings
from tests.builders_case import NEW, OLD, a_case, a_change, an_event
from tests.builders_objects import (
    a_deployment,
    a_pod,
    a_replica_set,
    a_status,
    ago,
    waiting,
)


def reads(name: str, key: str = "mode", *, kind: str = "ConfigMap") -> Container:
    source = SourceKey(name=name, key=key)
    taken = (
        EnvVarSource(config_map_key_ref=source)
        if kind == "ConfigMap"
        else EnvVarSource(secret_key_ref=source)
    )
    return Container(name="app", image="shop:1", env=[EnvVar(name="MODE", value_from=taken)])


def a_waiting_pod(container: Container, message: str) -> Pod:
    """As a kubelet shows a container whose configuration it cannot make."""
    state = waiting("CreateContainerConfigError", message)
    status = msgspec.structs.replace(a_status(state=state, ready=False), container_id="")
    pod = a_pod("billing", statuses=[status], phase="Pending", created=ago(60))
    return with_spec(pod, container=container)


def a_case_of(
    pod: Pod, *maps: ConfigMap, listed: bool = True, messages: tuple[str, ...] = ()
) -> Case:
    events = [an_event("FailedMount", m, pod, at=ago(10)) for m in messages]
    bare = a_case(pods=[pod], rule=Rule.NOT_READY, events=events)
    around = Surroundings(config_maps=maps, listed=frozenset({"ConfigMap"} if listed else {"Pod"}))
    return with_surroundings(bare, around)


def looked_at(case: Case) -> Hypothesis:
    found = config_missing(case)
    assert found is not None
    return found


def test_a_config_map_that_the_namespace_does_not_have_is_missing() -> None:
    pod = a_waiting_pod(reads("app-confg"), 'configmap "app-confg" not found')
    found = looked_at(a_case_of(pod, a_config_map("app-config", mode="fast")))

    assert found.verdict is Verdict.SUPPORTED
    assert found.title == "ConfigMap app-confg does not exist"
    assert found.detail == "object_missing"
    assert found.subject is not None
    assert found.subject.name == "billing"
    text = " ".join(s.text for s in found.supporting)
    assert "variable MODE of app from key mode of ConfigMap app-confg" in text
    assert "it has app-config; app-config may be meant" in text


def test_where_config_maps_may_not_be_listed_nothing_is_said_of_what_there_is() -> None:
    pod = a_waiting_pod(reads("app-confg"), 'configmap "app-confg" not found')
    found = looked_at(a_case_of(pod, listed=False))

    assert found.verdict is Verdict.SUPPORTED
    assert "The namespace has" not in " ".join(s.text for s in found.supporting)


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_a_projected_volume_names_what_is_missing(kind: str) -> None:
    source = (
        ProjectedSource(config_map=ConfigMapVolume(name="gone"))
        if kind == "ConfigMap"
        else ProjectedSource(secret=ProjectedSecret(name="gone"))
    )
    volume = Volume(name="all", projected=ProjectedVolume(sources=[source]))
    pod = with_spec(
        a_waiting_pod(Container(name="app"), ""), container=Container(name="app"), volumes=[volume]
    )
    message = f'MountVolume.SetUp failed for volume "all" : {kind.lower()} "gone" not found'

    case = a_case_of(pod, messages=(message,))
    found = config_missing(case) if kind == "ConfigMap" else secret_missing(case)

    assert found is not None
    assert found.title == f"{kind} gone does not exist"
    assert "from" in found.supporting[1].text
    assert "volume all" in found.supporting[1].text


def test_an_older_kubelets_words_for_a_missing_key_are_known() -> None:
    message = "Couldn't find key modee in ConfigMap demo/settings"
    pod = a_waiting_pod(reads("settings", "modee"), message)

    assert looked_at(a_case_of(pod, a_config_map(mode="fast"))).detail == "key_missing"


def test_a_key_that_a_config_map_does_not_have_is_missing() -> None:
    message = "couldn't find key modee in ConfigMap demo/settings"
    pod = a_waiting_pod(reads("settings", "modee"), message)
    found = looked_at(a_case_of(pod, a_config_map(mode="fast", level="info")))

    assert found.detail == "key_missing"
    assert found.title == "ConfigMap settings has no key modee"
    assert "it has level, mode; mode may be meant" in " ".join(s.text for s in found.supporting)


@pytest.mark.parametrize(
    ("volume", "message", "detail"),
    [
        pytest.param(
            ConfigMapVolume(name="gone"),
            'MountVolume.SetUp failed for volume "conf" : configmap "gone" not found',
            "object_missing",
            id="the object",
        ),
        pytest.param(
            ConfigMapVolume(name="settings", items=[KeyToPath(key="gone", path="g")]),
            'MountVolume.SetUp failed for volume "conf" : configmap references non-existent config '
            "key: gone",
            "key_missing",
            id="a key of it",
        ),
    ],
)
def test_a_volume_of_a_config_map_that_is_not_there_is_known_from_its_event(
    volume: ConfigMapVolume, message: str, detail: str
) -> None:
    status = msgspec.structs.replace(
        a_status(state=waiting("ContainerCreating"), ready=False), container_id=""
    )
    pod = with_spec(
        a_pod("billing", statuses=[status], phase="Pending", created=ago(60)),
        volumes=[Volume(name="conf", config_map=volume)],
    )
    found = looked_at(a_case_of(pod, a_config_map(mode="fast"), messages=(message,)))

    assert found.verdict is Verdict.SUPPORTED
    assert found.detail == detail
    assert "volume conf" in " ".join(s.text for s in found.supporting)


def test_a_config_map_that_is_there_by_now_is_not_the_cause_any_more() -> None:
    pod = a_waiting_pod(reads("settings"), 'configmap "settings" not found')
    found = looked_at(a_case_of(pod, a_config_map(mode="fast")))

    assert found.verdict is Verdict.REFUTED
    assert "is there now" in found.against[0].text


def test_a_pod_that_runs_is_not_asked_what_it_once_lacked() -> None:
    pod = with_spec(a_pod("billing"), container=reads("gone"))
    message = 'MountVolume.SetUp failed for volume "conf" : configmap "gone" not found'

    assert config_missing(a_case_of(pod, messages=(message,))) is None


def test_an_optional_source_is_no_reason() -> None:
    optional = Container(
        name="app",
        env_from=[EnvFromSource(config_map_ref=SourceName(name="gone", optional=True))],
    )
    pod = with_spec(a_pod("billing", statuses=[a_status(ready=False)]), container=optional)

    assert config_missing(a_case_of(pod)) is None


def test_a_missing_secret_is_known_without_reading_any() -> None:
    pod = a_waiting_pod(reads("db", "pw", kind="Secret"), 'secret "db" not found')
    found = secret_missing(a_case_of(pod))

    assert found is not None
    assert found.verdict is Verdict.SUPPORTED
    assert found.title == "Secret db does not exist"
    assert config_missing(a_case_of(pod)) is None


def test_a_missing_key_of_a_secret_and_a_volume_of_one_are_told_apart() -> None:
    by_key = a_waiting_pod(
        reads("exists", "pw", kind="Secret"), "couldn't find key pw in Secret demo/exists"
    )
    status = msgspec.structs.replace(
        a_status(state=waiting("ContainerCreating"), ready=False), container_id=""
    )
    mounted = with_spec(
        a_pod("billing", statuses=[status], phase="Pending", created=ago(60)),
        volumes=[Volume(name="c", secret=SecretVolume(secret_name="tls"))],
    )
    message = 'MountVolume.SetUp failed for volume "c" : secret "tls" not found'

    key, volume = (
        secret_missing(a_case_of(by_key)),
        secret_missing(a_case_of(mounted, messages=(message,))),
    )

    assert key is not None
    assert key.detail == "key_missing"
    assert volume is not None
    assert volume.title == "Secret tls does not exist"


def test_what_a_rollout_brought_in_is_named_before_the_rollout() -> None:
    pod = a_waiting_pod(reads("app-confg"), 'configmap "app-confg" not found')
    pod = msgspec.structs.replace(
        pod,
        metadata=msgspec.structs.replace(
            pod.metadata,
            owner_references=a_pod("billing", template_hash=NEW).metadata.owner_references,
        ),
    )
    bare = a_case(
        pods=[pod],
        workload=a_deployment("billing"),
        replica_sets=[
            a_replica_set("billing", template_hash=NEW, revision=2, created=ago(50)),
            a_replica_set("billing", template_hash=OLD, revision=1, created=ago(900)),
        ],
        changes=[a_change("env[MODE].valueFrom", None, "app-confg", at=ago(50))],
        rule=Rule.NOT_READY,
    )
    ranked = explain(with_surroundings(bare, Surroundings(config_maps=(a_config_map("x", a="b"),))))

    assert ranked[0].cause is Cause.CONFIG_MISSING
    assert "this was changed by kubectl-edit" in " ".join(s.text for s in ranked[0].supporting)
    assert all(h.verdict is not Verdict.SUPPORTED for h in ranked if h.cause is Cause.BAD_ROLLOUT)


def test_the_change_that_took_a_key_from_a_secret_is_cited() -> None:
    pod = a_waiting_pod(reads("db", "pw", kind="Secret"), "couldn't find key pw in Secret demo/db")
    removed = a_change(
        "data.pw",
        "***",
        None,
        at=ago(70),
        title="Secret db changed: key pw removed",
        object=ObjectRef(kind="Secret", namespace="demo", name="db", uid="u-db"),
    )
    found = secret_missing(a_case(pods=[pod], rule=Rule.NOT_READY, changes=[removed]))

    assert found is not None
    (told,) = [s for s in found.supporting if "key pw removed" in s.text]
    assert told.evidence
