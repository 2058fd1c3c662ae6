"""Refusals of the API server say which verb on what, and what to do."""

import json

import pytest

from copilot.domain.errors import (
    BadInput,
    Busy,
    Conflict,
    CopilotError,
    Invalid,
    NotFound,
    Refused,
    Unavailable,
)
from copilot.domain.objects import ObjectRef
from copilot.kube.failures import Expired, failure, failure_in_stream, retry_after_s
from copilot.kube.resources import Call, Scope, listing, patching, reading, resource_of
from tests.builders_kube import FIXTURES

DEPLOYMENT = ObjectRef(kind="Deployment", namespace="demo", name="oom-demo")
REQUESTS = "spec.template.spec.containers[0].resources.requests"
NOT_ACCEPTED = "the cluster does not accept this patch of Deployment demo/oom-demo:"
PATCH = patching(DEPLOYMENT, {}, ())


def refused_with(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message, "code": 403}).encode()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, BadInput),
        (401, Refused),
        (403, Refused),
        (404, NotFound),
        (409, Conflict),
        (410, Expired),
        (422, Invalid),
        (429, Busy),
        (302, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
    ],
)
def test_each_status_is_one_of_our_errors(code: int, kind: type[CopilotError]) -> None:
    assert type(failure(PATCH, code, {}, b"")) is kind


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("status_404.json", 404, "Deployment demo/oom-demo does not exist (any more)"),
        (
            "status_409_conflict.json",
            409,
            "Deployment demo/oom-demo has changed since it was read; read it again",
        ),
        (
            "status_422_invalid.json",
            422,
            f"{NOT_ACCEPTED} {REQUESTS}: must be less than or equal to memory limit of 1Mi",
        ),
        (
            "status_422_strict_unknown_field.json",
            422,
            f'{NOT_ACCEPTED} patch: unknown field "spec.replica"',
        ),
    ],
)
def test_recorded_refusals_are_told_in_one_line(name: str, code: int, expected: str) -> None:
    assert failure(PATCH, code, {}, (FIXTURES / name).read_bytes()).message == expected


def test_an_invalid_field_is_named_apart() -> None:
    error = failure(PATCH, 422, {}, (FIXTURES / "status_422_invalid.json").read_bytes())

    assert error.detail == {"field": REQUESTS}


def test_a_clause_that_is_only_a_value_keeps_the_one_before_it() -> None:
    message = 'Unsupported value: "Sometimes": supported values: "Always", "Never"'
    causes = {"causes": [{"field": "spec.restartPolicy", "message": message}, {"field": "x"}]}
    body = json.dumps({"message": "long", "details": causes}).encode()

    error = failure(PATCH, 422, {}, body)

    assert error.message.endswith(
        'spec.restartPolicy: supported values: "Always", "Never" (and 1 more)'
    )


def test_a_missing_right_names_verb_and_resource_and_never_says_that_it_does_not_exist() -> None:
    said = (
        'deployments.apps "oom-demo" is forbidden: User "system:serviceaccount:a:b" cannot'
        ' patch resource "deployments" in API group "apps" in the namespace "demo"'
    )

    error = failure(PATCH, 403, {}, refused_with(said))

    assert error.message == (
        "system:serviceaccount:a:b is not allowed to patch deployments in namespace demo;"
        ' grant the verb "patch" on "deployments" to this account'
    )
    assert error.detail == {"verb": "patch", "resource": "deployments"}
    assert "exist" not in error.message


def test_a_refusal_by_admission_speaks_for_itself() -> None:
    error = failure(PATCH, 403, {}, refused_with('pods "x" is forbidden: exceeded quota: mem'))

    assert "exceeded quota: mem" in error.message
    assert "grant" not in error.message


def test_a_right_that_is_missing_for_the_whole_cluster_names_no_namespace() -> None:
    call = listing(Scope(resource=resource_of("Node")))

    assert failure(call, 403, {}, b"").message.startswith("not allowed to list nodes; grant")


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        pytest.param({"Retry-After": "7"}, b"", 7, id="header"),
        pytest.param({}, b'{"details": {"retryAfterSeconds": 3}}', 3, id="status"),
        pytest.param({"Retry-After": "Wed, 21 Oct 2026"}, b"", 0, id="a-date-is-not-read"),
        pytest.param({}, b"", 0, id="not-said"),
    ],
)
def test_how_long_to_stay_away_is_kept(headers: dict[str, str], body: bytes, expected: int) -> None:
    assert retry_after_s(failure(PATCH, 429, headers, body)) == expected


def test_what_a_proxy_says_is_quoted_in_one_short_line() -> None:
    error = failure(PATCH, 502, {}, b"<html>\n<h1>Bad Gateway</h1>" + b"x" * 5000)

    assert "(502): <html> <h1>Bad Gateway</h1>xxx" in error.message
    assert len(error.message) < 420


def test_the_error_event_of_an_expired_watch_asks_for_a_new_list() -> None:
    event = json.loads((FIXTURES / "watch_410.jsonl").read_bytes())

    error = failure_in_stream(PATCH, json.dumps(event["object"]).encode())

    assert isinstance(error, Expired)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../../secrets", "a/b", "a?b", "A", "a%2fb", "x" * 300]
)
def test_a_name_that_could_lead_elsewhere_is_never_part_of_a_path(name: str) -> None:
    with pytest.raises(Invalid):
        reading(ObjectRef(kind="Pod", namespace="demo", name=name))
    with pytest.raises(Invalid):
        reading(ObjectRef(kind="Pod", namespace=name, name="p"))


@pytest.mark.parametrize("name", ["", ".", "..", "../../secrets", "a/b", "a%2fb", "a b", "x" * 300])
def test_a_name_of_a_role_could_lead_no_further(name: str) -> None:
    with pytest.raises(Invalid):
        reading(ObjectRef(kind="ClusterRole", namespace="", name=name))


def test_secrets_are_not_even_read() -> None:
    with pytest.raises(Invalid):
        reading(ObjectRef(kind="Secret", namespace="demo", name="s"))


@pytest.mark.parametrize(
    ("ref", "path"),
    [
        (DEPLOYMENT, "/apis/apps/v1/namespaces/demo/deployments/oom-demo"),
        (ObjectRef(kind="Node", namespace="", name="n-1"), "/api/v1/nodes/n-1"),
        (ObjectRef(kind="Pod", namespace="a", name="p"), "/api/v1/namespaces/a/pods/p"),
        (
            ObjectRef(kind="ClusterRole", namespace="", name="system:node"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
        ),
    ],
)
def test_an_object_has_its_place_in_the_api(ref: ObjectRef, path: str) -> None:
    call: Call = reading(ref)

    assert call.path == path
