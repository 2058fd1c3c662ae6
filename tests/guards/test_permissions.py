"""Every change that the API offers says which role it takes, and nothing else is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from copilot.domain.errors import Refused
from copilot.domain.people import Role
from copilot.roles import permissions
from copilot.roles.gateway import openapi_json

ROOT = Path(__file__).parents[2]


def routes() -> set[tuple[str, str]]:
    """Every method and path of the OpenAPI document, without `/api`."""
    paths = json.loads(openapi_json())["paths"]
    return {(m.upper(), p.removeprefix("/api")) for p, methods in paths.items() for m in methods}


def test_every_change_is_in_the_table() -> None:
    changes = {(method, path) for method, path in routes() if method not in permissions.READING}

    assert changes - set(permissions.NEEDS) == set()


def test_the_table_names_no_route_that_is_not_there() -> None:
    assert set(permissions.NEEDS) - routes() == set()


def test_no_viewer_may_change_anything() -> None:
    assert Role.VIEWER not in permissions.NEEDS.values()


def test_whatever_is_about_tokens_is_an_admins() -> None:
    about = {route for route in routes() if route[1].startswith("/tokens")}

    assert {permissions.needed(method, path) for method, path in about} == {Role.ADMIN}
    assert len(about) == 3


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        pytest.param("GET", "/api/incidents", Role.VIEWER, id="reading is for everybody"),
        pytest.param("POST", "/api/incidents/1/ack", Role.RESPONDER, id="under /api"),
        pytest.param("POST", "/proposals/1/approve", Role.RESPONDER, id="a founding path"),
        pytest.param("POST", "/api/chaos", Role.ADMIN, id="breaking things"),
        pytest.param("GET", "/api/tokens", Role.ADMIN, id="reading who may come in"),
        pytest.param("HEAD", "/api/tokens", Role.ADMIN, id="reading the head of it"),
        pytest.param("POST", "/api/tokens/0a1b/revoke", Role.ADMIN, id="closing a token"),
        pytest.param("DELETE", "/api/incidents/1", Role.ADMIN, id="not in the table"),
        pytest.param("POST", "/api/incidents/1/ack/x", Role.ADMIN, id="longer than one in it"),
        pytest.param("POST", "/api/api/chaos", Role.ADMIN, id="twice the prefix"),
    ],
)
def test_what_is_not_in_the_table_is_an_admins(method: str, path: str, wanted: Role) -> None:
    assert permissions.needed(method, path) is wanted


def test_a_refusal_says_what_it_takes_and_what_one_is() -> None:
    with pytest.raises(Refused, match="takes the role admin; yours is responder"):
        permissions.check(Role.RESPONDER, "POST", "/api/chaos")
