"""The keys of a Secret from its metadata: no value is read, also where one is sent."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from copilot.domain.change import NamedKeys, ObjectVersion
from copilot.domain.objects import ObjectRef
from copilot.kube.named import keys_version
from copilot.kube.resources import SECRETS, listing, one_secret, watching

DB = ObjectRef(kind="Secret", namespace="payments", name="db")


def an_entry(manager: str, at: str, *keys: str, part: str = "f:data", **more: Any) -> Any:
    fields: dict[str, Any] = (
        {part: {".": {}, **{f"f:{key}": {} for key in keys}}, "f:type": {}} if keys else {}
    )
    return {"manager": manager, "operation": "Update", "time": at, "fieldsV1": fields, **more}


def seen(*entries: Any, **fields: Any) -> ObjectVersion:
    metadata = {
        "name": "db",
        "namespace": "payments",
        "uid": "u1",
        "resourceVersion": "7",
        "managedFields": list(entries),
        **fields.pop("metadata", {}),
    }
    body = json.dumps({"metadata": metadata, **fields}).encode()
    return keys_version(body, SECRETS, cluster="dev", seen_us=1)


def keys_of(version: ObjectVersion) -> dict[str, tuple[str, str]]:
    kept = msgspec.json.decode(version.json, type=NamedKeys)
    return {key.name: (key.by, key.at) for key in kept.keys}


def test_each_key_has_the_last_who_wrote_it() -> None:
    version = seen(
        an_entry("helm", "2026-11-27T10:00:00Z", "password", "user"),
        an_entry("kubectl-edit", "2026-11-27T11:00:00Z", "password"),
    )

    assert keys_of(version) == {
        "password": ("kubectl-edit", "2026-11-27T11:00:00Z"),
        "user": ("helm", "2026-11-27T10:00:00Z"),
    }
    assert version.actor == "kubectl-edit"


def test_keys_that_were_applied_as_text_count_too() -> None:
    version = seen(an_entry("flux", "2026-11-27T10:00:00Z", "password", part="f:stringData"))

    assert [*keys_of(version)] == ["password"]


def test_a_write_of_metadata_touches_no_key() -> None:
    version = seen(
        an_entry("helm", "2026-11-27T10:00:00Z", "password"),
        an_entry("labeller", "2026-11-27T11:00:00Z"),
    )

    assert msgspec.json.decode(version.json, type=NamedKeys).last_keys == ()


def test_nothing_but_names_is_kept_whatever_is_sent() -> None:
    applied = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"p":"aHVudGVyMg=="}}'}
    version = seen(
        an_entry("kubectl", "2026-11-27T10:00:00Z", "p"),
        metadata={"annotations": applied, "labels": {"x": "hunter2"}},
        data={"p": "aHVudGVyMg=="},
        stringData={"p": "hunter2"},
    )

    assert b"hunter2" not in version.json
    assert b"aHVudGVyMg" not in version.json


def test_managed_fields_may_be_missing() -> None:
    assert keys_of(seen(metadata={"managedFields": None})) == {}


def test_only_the_metadata_of_that_one_name_is_asked_for() -> None:
    scope = one_secret(DB)

    for call, accepted in (
        (listing(scope), "PartialObjectMetadataList"),
        (watching(scope, ()), "PartialObjectMetadata"),
    ):
        assert call.path == "/api/v1/namespaces/payments/secrets"
        assert call.query == (("fieldSelector", "metadata.name=db"),)
        assert call.accept == f"application/json;as={accepted};g=meta.k8s.io;v=v1"
