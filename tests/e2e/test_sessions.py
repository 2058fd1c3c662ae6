"""Who gets in: nobody without a token, a browser by its link, and no other site through it."""

from __future__ import annotations

import asyncio
import json
import re
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.e2e.copilot_process import Copilot, up_with_demo

pytestmark = pytest.mark.timeout(60)

ROOT = Path(__file__).parents[2]
COOKIE = "copilot_session"


@pytest.fixture(scope="module")
def signed_in(copilot: Copilot) -> Iterator[httpx.Client]:
    """A browser after it followed the link: it has the cookie and no other token."""
    page = {"X-Requested-By": "incident-copilot"}
    with httpx.Client(base_url=copilot.url, headers=page, trust_env=False) as browser:
        browser.get("/", params={"token": copilot.tokens["access"]})
        assert COOKIE in browser.cookies
        yield browser


@pytest.fixture(scope="module")
def stranger(copilot: Copilot) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=copilot.url, trust_env=False) as stranger:
        yield stranger


def api_operations() -> list[tuple[str, str]]:
    """Every method and path of the OpenAPI document."""
    paths = json.loads((ROOT / "ui/openapi.json").read_text())["paths"]
    return [
        (method.upper(), re.sub(r"\{\w+\}", "1", path))
        for path, operations in paths.items()
        for method in operations
    ]


OTHER_DOORS = [
    ("GET", "/metrics"),
    ("GET", "/search?q=oom"),
    ("POST", "/incidents"),
    ("POST", "/incidents/1/remediate"),
    ("POST", "/incidents/1/resolve"),
    ("POST", "/proposals/1/approve"),
    ("GET", "/api/nothing-here"),
    ("GET", "/api/openapi.json"),
    ("POST", "/ingest"),
    ("POST", "/v1/logs"),
    ("POST", "/v1/metrics"),
    ("POST", "/v1/traces"),
    ("POST", "/alertmanager"),
    ("POST", "/context"),
    ("POST", "/hypothesis"),
    ("POST", "/suggest"),
    ("POST", "/propose"),
    ("POST", "/notify"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/readyz?verbose"])
def test_a_stranger_is_told_that_it_is_well_and_no_more(stranger: httpx.Client, path: str) -> None:
    assert stranger.get(path).json() == {"status": "ok"}


@pytest.mark.parametrize(("method", "path"), [*api_operations(), *OTHER_DOORS])
@pytest.mark.parametrize("body", ["{}", "not JSON"])
def test_no_door_answers_a_stranger(
    stranger: httpx.Client, method: str, path: str, body: str
) -> None:
    content = body if method == "POST" else None

    answer = stranger.request(
        method, path, content=content, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 401
    assert "incident" not in answer.text.lower().replace("incident co-pilot", "").replace(
        "incident-copilot", ""
    )


@pytest.mark.parametrize("path", ["/", "/incidents/", "/search/", "/audit/", "/_next/static/x.js"])
def test_a_stranger_gets_no_page_but_the_one_that_asks_for_the_token(
    stranger: httpx.Client, path: str
) -> None:
    answer = stranger.get(path, headers={"Accept": "text/html"})

    assert answer.status_code == 401
    assert 'type="password"' in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_link_gives_a_cookie_that_scripts_cannot_read_and_other_sites_cannot_send(
    copilot: Copilot,
) -> None:
    token = copilot.tokens["access"]

    answer = httpx.get(f"{copilot.url}/incident/?id=1&token={token}", trust_env=False)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/incident/?id=1"
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(f"{COOKIE}=")
    assert token.lower() not in cookie
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


@pytest.mark.parametrize("kind", ["sender", "agent", "mistyped"])
def test_a_link_with_another_token_signs_nobody_in(copilot: Copilot, kind: str) -> None:
    token = {**copilot.tokens, "mistyped": "x"}[kind]

    answer = httpx.get(f"{copilot.url}/?token={token}", trust_env=False)

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_the_form_signs_in_who_knows_the_token(copilot: Copilot, stranger: httpx.Client) -> None:
    token = copilot.tokens["access"]

    wrong = stranger.post("/session", data={"token": "guess"})
    right = httpx.post(f"{copilot.url}/session", data={"token": token}, trust_env=False)

    assert wrong.status_code == 401
    assert "not the access token" in wrong.text
    assert right.status_code == 303
    assert COOKIE in right.cookies


def test_the_cookie_opens_the_api(signed_in: httpx.Client, copilot: Copilot) -> None:
    note = {"title": "by hand", "namespace": "demo", "kind": "Deployment", "name": "by-hand"}

    me = {"name": "ada", "role": "admin", "via": "laptop", "has_session": True}
    assert signed_in.get("/api/me").json() == me
    answer = signed_in.post("/api/incidents", json=note, headers={"Origin": copilot.url})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:1", "null", "https://localhost"]
)
def test_another_site_cannot_use_the_cookie(signed_in: httpx.Client, origin: str) -> None:
    body = {"title": "x", "namespace": "demo", "kind": "Deployment", "name": "not-opened"}

    answer = signed_in.post("/api/incidents", json=body, headers={"Origin": origin})

    assert answer.status_code == 403
    assert "not-opened" not in signed_in.get("/api/incidents").text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:3000", "127.0.0.1.nip.io", ""])
@pytest.mark.parametrize("path", ["/healthz", "/api/status", "/", "/ingest"])
def test_a_request_for_another_host_is_refused(
    signed_in: httpx.Client, host: str, path: str
) -> None:
    answer = signed_in.request("POST" if path == "/ingest" else "GET", path, headers={"Host": host})

    assert answer.status_code == 403
    assert "COPILOT_ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/status", "/api/incidents", "/api/nothing", "/healthz"])
def test_answers_are_taken_for_what_they_say_they_are_and_private_ones_kept_nowhere(
    signed_in: httpx.Client, path: str
) -> None:
    headers = signed_in.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


# --------------------------------------------------------------------------- the live stream


@asynccontextmanager
async def live(
    copilot: Copilot, query: str = "", host: str = "127.0.0.1", **headers: str
) -> AsyncIterator[ClientConnection]:
    port = urlsplit(copilot.url).port
    url = f"ws://{host}:{port}/ws{query}"
    async with connect(
        url, host="127.0.0.1", port=port, additional_headers=headers, proxy=None
    ) as socket:
        yield socket


def cookie_of(copilot: Copilot) -> str:
    """Of a browser that has just signed in."""
    params = {"token": copilot.tokens["access"]}
    answer = httpx.get(f"{copilot.url}/", params=params, trust_env=False)
    return f"{COOKIE}={answer.cookies[COOKIE]}"


async def told(socket: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 10))
    return message


async def test_the_live_stream_greets_with_its_head_and_goes_on_from_where_one_was(
    copilot: Copilot, signed_in: httpx.Client
) -> None:
    async with live(copilot, Cookie=cookie_of(copilot)) as socket:
        hello = await told(socket)
    body = {"title": "seen", "namespace": "demo", "kind": "Deployment", "name": "seen-live"}
    incident = (await asyncio.to_thread(signed_in.post, "/api/incidents", json=body)).json()

    async with live(copilot, f"?since={hello['seq']}", Cookie=cookie_of(copilot)) as socket:
        again = await told(socket)
        messages = [await told(socket)]
        while messages[-1]["incident_id"] != incident["id"]:
            messages.append(await told(socket))

    assert (hello["kind"], again["kind"]) == ("hello", "hello")
    assert again["seq"] > hello["seq"]
    assert [m["seq"] for m in messages] == list(
        range(hello["seq"] + 1, hello["seq"] + 1 + len(messages))
    )


@pytest.mark.parametrize("case", ["no token", "sender's token", "another site", "another host"])
async def test_the_live_stream_is_closed_to_others(copilot: Copilot, case: str) -> None:
    headers = {
        "no token": {},
        "sender's token": {"Authorization": f"Bearer {copilot.tokens['sender']}"},
        "another site": {"Cookie": cookie_of(copilot), "Origin": "http://evil.example"},
        "another host": {"Cookie": cookie_of(copilot)},
    }[case]
    host = "evil.example" if case == "another host" else "127.0.0.1"

    async with live(copilot, host=host, **headers) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await told(socket)

    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4401


# --------------------------------------------------------------------------- the tokens


def test_tokens_are_readable_by_their_owner_only_and_all_different(copilot: Copilot) -> None:
    path = copilot.data / "tokens.json"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(copilot.data.stat().st_mode) & 0o077 == 0
    assert len(set(copilot.tokens.values())) == 3
    assert all(len(token) >= 32 for token in copilot.tokens.values())


def test_tokens_are_printed_at_the_first_start_only(tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    with up_with_demo(tmp_path) as first:
        tokens = first.tokens
        printed = log.read_text()
    log.unlink()

    with up_with_demo(tmp_path) as second:
        assert second.tokens == tokens
        again = log.read_text()

    assert printed.count(tokens["access"]) == printed.count(tokens["sender"]) == 1
    assert [kind for kind, token in tokens.items() if token in again] == []
    assert "incident-copilot token" in again
