"""Requests that are made to be trouble: their heads, hosts, sizes, paces, and the text in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from structlog.testing import capture_logs

from copilot.domain.errors import Invalid
from copilot.domain.people import Role
from copilot.roles import problems
from copilot.roles.app import compose
from copilot.roles.patience import MAX_HEAD_BYTES, PatientProtocol, patient
from copilot.roles.security import Doorkeeper
from copilot.roles.serving import listen, run
from copilot.settings import EmbedderKind, Settings
from copilot.wiring import wired
from tests.security.conftest import OURS, PAGE, TOKENS, House

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil@127.0.0.1", ""])
@pytest.mark.parametrize("path", ["/", "/healthz", "/api/me", "/ingest", "/session", "/login"])
async def test_a_host_that_is_not_ours_gets_nothing(house: House, host: str, path: str) -> None:
    client = house.client_of(token=TOKENS.access)

    answer = await client.get(path, headers={"Host": host})

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("host", ["10.1.2.3:8080", "10.1.2.3", "[fd00::1]:8080", "[fd00::1]"])
async def test_a_pod_is_looked_at_by_its_number_and_nothing_more(house: House, host: str) -> None:
    client = house.client_of(token=TOKENS.access, headers={"Host": host})

    paths = ("/healthz", "/readyz", "/metrics", "/", "/api/me", "/metrics/../api/me")
    answers = [(await client.get(path)).status_code for path in paths]

    assert answers == [200, 200, 200, 403, 403, 403]


@pytest.mark.parametrize(
    "name", ["X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip"]
)
async def test_what_a_client_says_of_itself_changes_nothing(house: House, name: str) -> None:
    client = house.client_of(headers={name: "https, for=127.0.0.1;host=evil.example;proto=https"})

    answer = await client.get("/")

    assert answer.status_code == 401
    assert "evil.example" not in answer.text
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize("proxy", ["*", "ingress", "10.42.1.0/16", ""])
async def test_no_proxy_is_believed_but_by_its_address(tmp_path: Path, proxy: str) -> None:
    settings = Settings(
        data=tmp_path,
        store="sqlite::memory:",  # type: ignore[arg-type]  # pydantic takes it
        cluster="demo",
        embedder=EmbedderKind.OFF,
        trusted_proxies=(proxy,),
    )
    doorkeeper = Doorkeeper(tokens=TOKENS, user="root", allowed_hosts=frozenset())

    async with wired(settings, roles=("ingestion",), agent_token="", needs_cluster=False) as parts:
        with pytest.raises(Invalid, match="COPILOT_TRUSTED_PROXIES"):
            compose(("ingestion",), parts, doorkeeper, settings)


async def test_every_answer_says_how_little_a_browser_may_do_with_it(house: House) -> None:
    client = house.client_of(token=TOKENS.access)

    for path in ("/healthz", "/api/me", "/api/nothing", "/"):
        headers = (await client.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "script-src 'unsafe-inline'" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] in ("same-origin", "no-referrer")
        assert "server" not in headers


@pytest.mark.parametrize("path", ["/metrics", "/readyz?verbose", "/healthz", "/api/me", "/api/x"])
async def test_nobody_keeps_what_is_told_of_a_cluster(house: House, path: str) -> None:
    answer = await house.client_of(token=TOKENS.access).get(path)

    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/", "/api/incidents", "/session", "/login", "/ingest", "/healthz"]
)
async def test_nobody_is_told_their_own_request_again(house: House, path: str) -> None:
    answer = await house.client_of(token=TOKENS.access).request(
        "TRACE", path, headers={"X-Secret": "told again"}
    )

    assert answer.status_code == 405
    assert "told again" not in answer.text


@pytest.mark.parametrize("origin", ["https://evil.example", "null", OURS])
async def test_no_other_site_may_read_what_we_answer(house: House, origin: str) -> None:
    client = house.client_of(token=TOKENS.access, headers={"Origin": origin})

    answers = [
        await client.request(method, path, headers={"Access-Control-Request-Method": "POST"})
        for method in ("OPTIONS", "GET", "POST")
        for path in ("/api/incidents", "/session", "/healthz")
    ]

    assert [name for one in answers for name in one.headers if "access-control" in name] == []


@pytest.mark.parametrize("path", ["/api/incidents/{}", "/api/proposals/{}", "/api/audit?after={}"])
async def test_a_number_that_is_too_large_is_told_without_the_stores_own_words(
    house: House, path: str
) -> None:
    answer = await house.client_of(token=TOKENS.access).get(path.format("9" * 25))

    assert answer.status_code == 422
    assert "SQLite" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "headers", "why"),
    [
        pytest.param("GET", "/api/me", {"Host": "evil.example"}, "evil.example", id="a host"),
        pytest.param(
            "POST",
            "/api/incidents",
            {"Origin": "http://evil.example"},
            "evil.example",
            id="another site's change",
        ),
        pytest.param(
            "POST",
            "/session",
            {"Origin": "http://evil.example"},
            "evil.example",
            id="another site's form",
        ),
    ],
)
async def test_who_is_turned_away_is_in_the_log_once_a_minute(
    house: House, method: str, path: str, headers: dict[str, str], why: str
) -> None:
    browser = await house.browser(TOKENS.access)
    house.clock.move(60)

    with capture_logs() as said:
        for _ in range(3):
            assert (await browser.request(method, path, headers=headers)).status_code == 403
        house.clock.move(60)
        await browser.request(method, path, headers=headers)

    told = [line for line in said if line["event"] == "request.refused"]
    assert [(line["status"], line["left_out"]) for line in told] == [(403, 0), (403, 2)]
    assert all(why in line["reason"] and line["address"] == "10.0.0.1" for line in told)


async def test_who_guesses_without_end_is_in_the_log_as_turned_away(house: House) -> None:
    with capture_logs() as said:
        for n in range(25):
            await house.client_of(token=f"guess-{n}").get("/api/me")

    assert 429 in [line["status"] for line in said if line["event"] == "request.refused"]


async def test_a_body_over_the_limit_is_refused(house: House) -> None:
    client = house.client_of(token=await house.token("ada", Role.RESPONDER))
    stranger = house.client_of(headers=PAGE)

    of_a_person = await client.post("/api/incidents", content=b"x" * (1024 * 1024 + 1))
    of_a_stranger = await stranger.post("/session", content=b"token=" + b"x" * 5000)

    assert (of_a_person.status_code, of_a_stranger.status_code) == (413, 413)


async def test_a_bug_is_told_by_a_reference_under_which_the_log_has_it() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("no row in incidents at copilot-db.internal")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=OURS) as client:
        with capture_logs() as said:
            answer = await client.get("/broken")

    told = answer.json()
    assert answer.status_code == 500
    assert told["detail"] == f"internal error; the log has it under {told['reference']}"
    assert [(line["event"], line["reference"], str(line["exc_info"])) for line in said] == [
        ("request.failed", told["reference"], "no row in incidents at copilot-db.internal")
    ]


# --------------------------------------------------------------------------- pace


async def never() -> Any:
    await asyncio.Event().wait()


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    receive = patient(never, piece_s=0.01)

    with pytest.raises(HTTPException) as refused:
        await receive()

    assert refused.value.status_code == 408


async def test_a_body_that_comes_bit_by_bit_has_an_end_too() -> None:
    async def drip() -> Any:
        await asyncio.sleep(0.002)
        return {"type": "http.request", "body": b"x", "more_body": True}

    receive = patient(drip, piece_s=1, body_s=0.05)

    async def whole_body() -> None:
        while True:
            await receive()

    with pytest.raises(HTTPException):
        await asyncio.wait_for(whole_body(), 10)


async def test_what_comes_after_the_body_may_take_its_time() -> None:
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await asyncio.sleep(0.03)
        return {"type": "http.disconnect"}

    bounded = patient(receive, piece_s=0.01)
    await bounded()

    assert (await bounded())["type"] == "http.disconnect"


@pytest_asyncio.fixture(loop_scope="module")
async def port(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """The house on a port of its own, with a tenth of the patience."""
    monkeypatch.setattr(PatientProtocol, "head_s", 0.3)
    bound = listen("127.0.0.1", 0)
    ready = asyncio.Event()
    serving = asyncio.create_task(run(replace(house.running, loops=()), bound, ready.set))
    await ready.wait()
    yield bound.getsockname()[1]
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def said(port: int, *pieces: bytes) -> bytes:
    """What comes back to these, until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(10):
            answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b",), id="half a head"),
        pytest.param(
            (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET /hea"),
            id="half a head after a whole one",
        ),
    ],
)
async def test_who_never_ends_a_head_is_hung_up_on(port: int, pieces: tuple[bytes, ...]) -> None:
    answer = await said(port, *pieces)

    assert answer.endswith(b"its head is too large.")


async def test_who_says_nothing_is_told_nothing(port: int) -> None:
    """A browser opens lines ahead of need, and takes what comes for the answer to its first question."""
    assert await said(port) == b""


async def test_a_head_without_end_is_hung_up_on(port: int) -> None:
    line = b"X-A: " + b"b" * 1000 + b"\r\n"
    many = [line] * (MAX_HEAD_BYTES // 1000 + 200)

    answer = await said(port, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n", *many)

    assert answer == b"" or b"400 Bad Request" in answer


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(
            b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n",
            id="two lengths",
        ),
        pytest.param(b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", id="two numbers"),
        pytest.param(b"X-A: b\x00c\r\n\r\n", id="a null"),
        pytest.param(b" Host: evil.example\r\n\r\n", id="a folded line"),
    ],
)
async def test_a_head_that_reads_in_two_ways_is_not_read(port: int, head: bytes) -> None:
    answer = await said(port, b"POST /session HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head)

    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
