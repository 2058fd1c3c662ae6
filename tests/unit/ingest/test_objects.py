"""What is kept of an object holds no secret, and is otherwise what it was."""

import msgspec

from copilot.domain.change import ObjectVersion
from copilot.domain.objects import ObjectRef
from copilot.ingest.objects import without_secrets


def a_version(body: object) -> ObjectVersion:
    return ObjectVersion(
        cluster="c",
        object=ObjectRef(kind="Deployment", namespace="n", name="web", uid="u"),
        resource_version="1",
        generation=1,
        owner_uid="",
        actor="",
        seen_us=1,
        is_deleted=False,
        json=msgspec.json.encode(body),
    )


def test_an_environment_variable_is_judged_by_its_own_name() -> None:
    env = [{"name": "DB_PASSWORD", "value": "hunter2hunter2"}, {"name": "MODE", "value": "fast"}]

    kept = without_secrets(a_version({"spec": {"containers": [{"name": "app", "env": env}]}}))

    shown = msgspec.json.decode(kept.json)["spec"]["containers"][0]["env"]
    assert shown[0]["name"] == "DB_PASSWORD"
    assert "hunter2" not in shown[0]["value"]
    assert shown[1] == {"name": "MODE", "value": "fast"}


def test_a_secret_in_a_config_map_is_masked_and_the_rest_stays() -> None:
    data = {"url": "postgres://app:hunter2hunter2@db/x", "retries": "3"}

    kept = msgspec.json.decode(without_secrets(a_version({"data": data})).json)

    assert "hunter2" not in kept["data"]["url"]
    assert kept["data"]["retries"] == "3"


def test_an_object_without_secrets_is_kept_to_the_byte() -> None:
    version = a_version({"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {}})

    assert without_secrets(version) is version
