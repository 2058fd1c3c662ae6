"""What holds requests against a published description finds what is wrong with them."""

from __future__ import annotations

import json

import pytest

from tests import published
from tests.fakes_http import Request

AT = "/repos/acme/cluster"
PULL = {"title": "A fix", "head": "fix", "base": "main", "body": "Why"}


def a_request(
    method: str = "POST", path: str = f"{AT}/pulls", body: object = PULL, **query: str
) -> Request:
    content = json.dumps(body).encode() if method == "POST" else b""
    return Request(method=method, path=path, query=query, headers={}, body=content)


@pytest.mark.parametrize(
    "request_",
    [
        a_request(),
        a_request("GET", f"{AT}/git/ref/heads/a/b"),
        a_request("GET", state="all", head="acme:fix"),
        a_request("GET", f"{AT}/pulls/7"),
    ],
)
def test_what_is_published_passes(request_: Request) -> None:
    published.check("github", request_)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (a_request("GET", f"{AT}/pull/7"), "no such call is published"),
        (a_request("PUT"), "no such call is published"),
        (a_request("GET", branch="fix"), "no such parameter is published"),
        (a_request("GET", state="merged"), "'merged' is not one of"),
        (a_request("GET", f"{AT}/pulls/seven"), "'seven' is not of type 'integer'"),
        (a_request(body={"title": "A fix", "head": "fix"}), "'base' is a required property"),
        (a_request(body={**PULL, "draft": "yes"}), "'yes' is not of type 'boolean'"),
        (a_request(body={**PULL, "reviewer": "ada"}), "'reviewer' was unexpected"),
        (
            a_request(path=f"{AT}/git/trees", body={"tree": [{"path": "a", "mode": "777"}]}),
            "'777' is not one of",
        ),
    ],
)
def test_what_is_not_published_fails_and_says_why(request_: Request, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        published.check("github", request_)


def test_the_excerpt_says_where_it_is_from() -> None:
    excerpt = json.loads((published.FOLDER / "github.json").read_text())

    assert excerpt["source"].startswith("@octokit/openapi ")
    assert excerpt["license"].startswith("MIT License")
