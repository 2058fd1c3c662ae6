"""Access tokens at a screen: an admin makes and closes them, and what opens is told once."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from copilot.domain.people import Role, TokenKind, digest_of
from copilot.roles import problems
from copilot.roles.handing_out import MAX_REASON_CHARS
from copilot.roles.people import KEPT_S, Person
from copilot.roles.token_routes import token_router
from tests.security.conftest import OURS, PAGE, TOKENS, House

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = {"name": "Grace", "role": "responder", "expires": "30d", "reason": "on call from Monday"}
SENDER = {"name": "fluent-bit", "role": None, "expires": "", "reason": ""}
RECORD = {"date": 1795000000, "log": "hello", "kubernetes": {"namespace_name": "demo"}}


async def admin(house: House) -> httpx.AsyncClient:
    """The browser of an admin called ada."""
    return await house.browser(await house.token("ada", Role.ADMIN))


async def made(client: httpx.AsyncClient, body: object = BODY) -> dict[str, Any]:
    answer = await client.post("/api/tokens", json=body)
    assert answer.status_code == 201, answer.text
    answered: dict[str, Any] = answer.json()
    return answered


async def opened(house: House, name: str) -> int:
    """How many tokens of that name are open."""
    async with house.store.view() as view:
        tokens = await view.accounts.tokens()
    return sum(one.name == name and one.opens_at(house.clock.now_us()) for one in tokens)


async def status_of(house: House, token: str) -> int:
    return (await house.client_of(token=token).get("/api/me")).status_code


# --------------------------------------------------------------------------- who may not


@pytest.mark.parametrize("role", [Role.VIEWER, Role.RESPONDER])
@pytest.mark.parametrize("way", ["bearer", "browser"])
async def test_who_is_no_admin_sees_makes_and_closes_none(
    house: House, role: Role, way: str
) -> None:
    open_one = (await made(await admin(house)))["token"]["id"]
    token = await house.token("bob", role)
    client = await house.browser(token) if way == "browser" else house.client_of(token=token)

    answers = [
        await client.get("/api/tokens"),
        await client.head("/api/tokens"),
        await client.post("/api/tokens", json={**BODY, "name": "mallory", "role": "viewer"}),
        await client.post(f"/api/tokens/{open_one}/revoke", json={}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert "takes the role admin" in answers[0].text
    assert (await opened(house, "grace"), await opened(house, "mallory")) == (1, 0)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": OURS}, id="without the header that a form cannot send"),
        pytest.param({**PAGE, "Origin": "http://evil.example"}, id="a foreign origin"),
        pytest.param({**PAGE, "Origin": "null"}, id="an origin that is hidden"),
        pytest.param({**PAGE, "Sec-Fetch-Site": "cross-site"}, id="another site"),
        pytest.param({**PAGE, "Sec-Fetch-Site": "same-site"}, id="another host of the domain"),
    ],
)
async def test_no_other_site_makes_or_closes_one_through_an_admins_browser(
    house: House, headers: dict[str, str]
) -> None:
    browser = await admin(house)
    open_one = (await made(browser))["token"]["id"]
    elsewhere = house.client_of(headers=headers, cookies=browser.cookies)

    answers = [
        await elsewhere.post("/api/tokens", json={**BODY, "name": "mallory"}),
        await elsewhere.post(f"/api/tokens/{open_one}/revoke", json={}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert (await opened(house, "grace"), await opened(house, "mallory")) == (1, 0)


@pytest.mark.parametrize("token", ["", "guess", TOKENS.sender, TOKENS.agent])
async def test_who_is_nobody_gets_nothing(house: House, token: str) -> None:
    client = house.client_of(token=token)

    answers = [await client.get("/api/tokens"), await client.post("/api/tokens", json=BODY)]

    assert [answer.status_code for answer in answers] == [401, 401]


async def test_there_are_none_at_the_root(house: House) -> None:
    browser = await admin(house)

    answers = [await browser.post("/tokens", json=BODY), await browser.get("/tokens")]

    assert {answer.status_code for answer in answers} <= {404, 405, 503}  # 503: no screens built
    assert await opened(house, "grace") == 0


async def test_nobody_gives_more_than_they_have_even_behind_the_door(house: House) -> None:
    bob = Person(name="bob", role=Role.RESPONDER, via="token", sign_in=None)
    app = FastAPI()
    problems.install(app)
    app.include_router(token_router(house.store, house.clock, lambda: bob))  # type: ignore[arg-type, misc]  # whoever asks, it is bob
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=OURS)

    async with client:
        answers = [
            (await client.post("/tokens", json={**BODY, "name": role, "role": role})).status_code
            for role in Role
        ]

    assert answers == [201, 201, 403]


# --------------------------------------------------------------------------- making one


async def test_what_was_made_opens_with_its_role_and_is_recorded_with_who_and_why(
    house: House,
) -> None:
    answered = await made(await admin(house))

    me = (await house.client_of(token=answered["secret"]).get("/api/me")).json()
    row = next(row for row in await house.audit() if row.action == "token.created")

    assert (me["name"], me["role"], me["via"]) == ("grace", "responder", "token")
    assert (row.actor, row.object) == ("ada", "person grace")
    assert row.detail.startswith(f"{answered['token']['id']} as responder, until 20")
    assert row.detail.endswith(": on call from Monday")
    assert answered["token"]["created_by"] == "ada"


async def test_a_senders_token_sends_is_seen_to_be_used_and_is_closed(house: House) -> None:
    browser = await admin(house)
    answered = await made(browser, SENDER)
    sender = house.client_of(token=answered["secret"])
    assert (await sender.post("/ingest", json=[RECORD])).status_code == 200

    listed = next(
        one for one in (await browser.get("/api/tokens")).json() if one["kind"] == "sender"
    )
    await browser.post(f"/api/tokens/{listed['id']}/revoke", json={"reason": "moved"})
    house.clock.move(KEPT_S)

    assert (listed["kind"], listed["role"], listed["name"]) == ("sender", None, "fluent-bit")
    assert listed["used_us"] == listed["created_us"]
    assert (await sender.post("/ingest", json=[RECORD])).status_code == 401


async def test_what_opens_is_told_once_and_kept_by_no_browser(house: House) -> None:
    browser = await admin(house)
    answer = await browser.post("/api/tokens", json=BODY)
    secret = answer.json()["secret"]
    digest = digest_of(secret).hex()

    later = [await browser.get(path) for path in ("/api/tokens", "/api/audit", "/api/me")]
    closed = await browser.post(f"/api/tokens/{answer.json()['token']['id']}/revoke", json={})

    assert answer.headers["cache-control"] == "no-store"
    assert digest not in answer.text
    for told in (*later, closed):
        assert told.status_code == 200
        assert secret not in told.text
        assert digest not in told.text


async def test_making_it_again_makes_none(house: House) -> None:
    browser = await admin(house)
    first = await made(browser)

    again = await browser.post("/api/tokens", json=BODY)

    assert again.status_code == 409
    assert f"revoke {first['token']['id']} first" in again.text
    assert "secret" not in again.json()
    assert await opened(house, "grace") == 1
    assert [row.action for row in await house.audit()].count("token.created") == 2  # ada's, grace's


async def test_of_two_who_make_the_same_at_once_one_does(house: House) -> None:
    browser = await admin(house)

    answers = await asyncio.gather(*(browser.post("/api/tokens", json=BODY) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert await opened(house, "grace") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"name": ""}, id="no name"),
        pytest.param({"name": "ada\u202ebob"}, id="a name that reads as another"),
        pytest.param({"role": "root"}, id="no such role"),
        pytest.param({"expires": "30"}, id="no time"),
        pytest.param({"reason": "x" * (MAX_REASON_CHARS + 1)}, id="a reason without end"),
    ],
)
async def test_what_makes_no_sense_makes_no_token(house: House, wrong: dict[str, str]) -> None:
    browser = await admin(house)

    answer = await browser.post("/api/tokens", json={**BODY, **wrong})

    assert answer.status_code == 422
    assert len([row for row in await house.audit() if row.action == "token.created"]) == 1


# --------------------------------------------------------------------------- closing one


async def test_a_closed_one_opens_nothing_and_is_recorded_with_who_and_why(house: House) -> None:
    browser = await admin(house)
    answered = await made(browser)
    session = await house.browser(answered["secret"])

    closed = await browser.post(
        f"/api/tokens/{answered['token']['id']}/revoke", json={"reason": "left the team"}
    )
    house.clock.move(KEPT_S)

    assert closed.json()["state"] == "revoked"
    assert await status_of(house, answered["secret"]) == 401
    assert (await session.get("/api/me")).status_code == 401
    row = next(row for row in await house.audit() if row.action == "token.revoked")
    assert (row.actor, row.object) == ("ada", "person grace")
    assert row.detail == f"{answered['token']['id']}: left the team"


async def test_closing_it_again_changes_nothing(house: House) -> None:
    browser = await admin(house)
    where = f"/api/tokens/{(await made(browser))['token']['id']}/revoke"
    first = await browser.post(where, json={"reason": "left"})
    house.clock.move(60)

    again = await browser.post(where, json={"reason": "left"})

    assert (again.status_code, again.json()) == (200, first.json())
    assert [row.action for row in await house.audit()].count("token.revoked") == 1


async def test_an_expired_one_stays_expired(house: House) -> None:
    browser = await house.browser(TOKENS.access)
    where = f"/api/tokens/{(await made(browser, {**BODY, 'expires': '1h'}))['token']['id']}/revoke"
    house.clock.move(3_600)

    assert (await browser.post(where, json={})).json()["state"] == "expired"


@pytest.mark.parametrize("which", ["0123456789ab", "grace", "%2e%2e", "GRACE", "*"])
async def test_only_an_id_names_one(house: House, which: str) -> None:
    browser = await admin(house)
    await made(browser)

    assert (await browser.post(f"/api/tokens/{which}/revoke", json={})).status_code == 404
    assert await opened(house, "grace") == 1


async def test_an_admin_who_closes_their_own_is_out(house: House) -> None:
    browser = await admin(house)
    own = next(t for t in (await browser.get("/api/tokens")).json() if t["name"] == "ada")

    await browser.post(f"/api/tokens/{own['id']}/revoke", json={})
    house.clock.move(KEPT_S)

    assert (await browser.get("/api/tokens")).status_code == 401


async def test_the_list_has_everyones_newest_first_and_those_of_the_command(house: House) -> None:
    browser = await admin(house)
    house.clock.move(1)
    await made(browser)
    house.clock.move(1)
    await house.token("by-command")

    listed = (await browser.get("/api/tokens")).json()[:3]

    assert [(one["name"], one["created_by"]) for one in listed] == [
        ("by-command", "root"),
        ("grace", "ada"),
        ("ada", "root"),
    ]
    assert {one["state"] for one in listed} == {"open"}
    assert [one["kind"] for one in listed] == [
        TokenKind.SENDER,
        TokenKind.PERSON,
        TokenKind.PERSON,
    ]
