"""A browser's session: opaque, the server's to end, and of no use to any other site."""

from __future__ import annotations

import pytest

from copilot.domain.people import Role
from copilot.roles import handing_out
from copilot.roles.people import KEPT_S, SESSION
from tests.security.conftest import OURS, PAGE, TOKENS, House

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTE = {"title": "x", "namespace": "demo", "kind": "Deployment", "name": "by-hand"}


async def test_the_cookie_holds_a_session_and_not_the_token(house: House) -> None:
    browser = await house.browser(TOKENS.access)

    assert TOKENS.access not in browser.cookies[SESSION]
    assert (await browser.get("/api/me")).json()["has_session"] is True


async def test_a_cookie_is_no_bearer_token_and_a_token_is_no_cookie(house: House) -> None:
    cookie = (await house.browser(TOKENS.access)).cookies[SESSION]
    with_token = house.client_of(cookies={SESSION: TOKENS.access})

    assert (await house.client_of(token=cookie).get("/api/me")).status_code == 401
    assert (await with_token.get("/api/me")).status_code == 401


@pytest.mark.parametrize(
    ("base", "name", "is_secure"),
    [
        pytest.param("http://127.0.0.1", "copilot_session", False, id="plain on the laptop"),
        pytest.param("https://127.0.0.1", "__Host-copilot_session", True, id="https"),
    ],
)
async def test_the_cookie_is_as_closed_as_the_browser_can_make_it(
    house: House, base: str, name: str, is_secure: bool
) -> None:
    browser = house.client_of(base=base, headers={**PAGE, "Origin": base})

    answer = await browser.post("/session", data={"token": TOKENS.access})

    parts = [part.strip().lower() for part in answer.headers["set-cookie"].split(";")]
    assert parts[0].startswith(f"{name.lower()}=")
    assert {"httponly", "samesite=lax", "path=/"} <= set(parts)
    assert ("secure" in parts) is is_secure
    assert not any(part.startswith("domain") for part in parts)
    assert answer.headers["cache-control"] == "no-store"


async def test_signing_in_gives_a_new_session_and_ends_the_one_before(house: House) -> None:
    browser = await house.browser(TOKENS.access)
    before = browser.cookies[SESSION]

    await browser.post("/session", data={"token": TOKENS.access})

    old = house.client_of(cookies={SESSION: before})
    assert browser.cookies[SESSION] != before
    assert (await old.get("/api/me")).status_code == 401


async def test_a_session_that_somebody_else_chose_is_not_taken(house: House) -> None:
    browser = house.client_of(headers=PAGE, cookies={SESSION: "chosen-by-somebody-else"})
    answer = await browser.post("/session", data={"token": TOKENS.access})

    chosen = house.client_of(cookies={SESSION: "chosen-by-somebody-else"})
    assert "chosen-by-somebody-else" not in answer.headers["set-cookie"]
    assert (await chosen.get("/api/me")).status_code == 401


@pytest.mark.parametrize(
    "steps_s",
    [
        pytest.param([43_200], id="nobody was there for half a day"),
        pytest.param([40_000] * 16, id="a week is over"),
    ],
)
async def test_a_session_ends_by_itself(house: House, steps_s: list[int]) -> None:
    browser = await house.browser(TOKENS.access)
    for step in steps_s:
        assert (await browser.get("/api/me")).status_code == 200
        house.clock.move(step)

    assert (await browser.get("/api/me")).status_code == 401


async def test_a_session_that_is_used_goes_on(house: House) -> None:
    browser = await house.browser(TOKENS.access)

    for _ in range(5):
        house.clock.move(40_000)
        assert (await browser.get("/api/me")).status_code == 200


async def test_a_session_does_not_outlive_the_token_it_was_opened_with(house: House) -> None:
    expiring = await house.browser(await house.token("ada", Role.VIEWER, expires="1h"))
    revoked = await house.browser(await house.token("bob", Role.VIEWER))
    await house.revoke("bob")
    house.clock.move(KEPT_S)
    assert (await revoked.get("/api/me")).status_code == 401
    assert (await expiring.get("/api/me")).status_code == 200

    house.clock.move(3600)

    assert (await expiring.get("/api/me")).status_code == 401


async def test_signing_out_ends_the_session_at_the_server(house: House) -> None:
    browser, other = await house.browser(TOKENS.access), await house.browser(TOKENS.access)
    cookie = browser.cookies[SESSION]

    answer = await browser.post("/session/end")

    again = house.client_of(cookies={SESSION: cookie})
    assert answer.status_code == 204
    assert SESSION not in browser.cookies
    assert (await again.get("/api/me")).status_code == 401
    assert (await other.get("/api/me")).status_code == 200


async def test_signing_out_everywhere_ends_all_of_the_person_and_of_nobody_else(
    house: House,
) -> None:
    ada = await house.token("ada", Role.VIEWER)
    here, there = await house.browser(ada), await house.browser(ada)
    other = await house.browser(TOKENS.access)

    await here.post("/session/end", params={"everywhere": "1"})

    house.clock.move(KEPT_S)
    assert (await there.get("/api/me")).status_code == 401
    assert (await other.get("/api/me")).status_code == 200


async def test_an_admin_ends_all_sessions_of_a_person_and_of_nobody_else(house: House) -> None:
    ada = await house.token("ada", Role.VIEWER)
    here, there = await house.browser(ada), await house.browser(ada)
    other = await house.browser(TOKENS.access)

    ended = await handing_out.sign_out(house.store, house.clock, name="Ada", actor="root")

    house.clock.move(KEPT_S)
    row = (await house.audit())[0]
    assert ended == 2
    assert [(await one.get("/api/me")).status_code for one in (here, there, other)] == [
        401,
        401,
        200,
    ]
    assert (row.actor, row.action, row.object) == ("root", "person.signed_out", "ada")


async def test_where_somebody_came_in_from_is_in_the_audit_log(house: House) -> None:
    await house.browser(TOKENS.access)

    assert (await house.audit())[0].detail == "as admin by laptop from 10.0.0.1"


async def test_coming_and_going_is_in_the_audit_log(house: House) -> None:
    browser = await house.browser(await house.token("ada", Role.VIEWER))
    await browser.post("/session/end")

    acts = [(row.actor, row.action) for row in await house.audit()][:2]

    assert acts == [("ada", "person.signed_out"), ("ada", "person.signed_in")]


# --------------------------------------------------------------------------- other sites


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({"Origin": "http://evil.example"}, id="another origin"),
        pytest.param({"Origin": "http://127.0.0.1:8000"}, id="another port"),
        pytest.param({"Origin": "null"}, id="a sandboxed frame"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="another site, says the browser"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="a sibling, says the browser"),
        pytest.param({"X-Requested-By": None}, id="a form, which sends no header of ours"),
    ],
)
@pytest.mark.parametrize("path", ["/api/incidents", "/incidents", "/session/end"])
async def test_another_site_changes_nothing_with_the_cookie(
    house: House, path: str, sent: dict[str, str | None]
) -> None:
    browser = await house.browser(TOKENS.access)
    for name, value in sent.items():
        if value is None:
            del browser.headers[name]
        else:
            browser.headers[name] = value

    answer = await browser.post(path, json=NOTE)

    browser.headers.update(PAGE)
    assert answer.status_code == 403
    assert "by-hand" not in (await browser.get("/api/incidents")).text


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//[x"])
async def test_an_origin_that_is_no_address_is_another_site(house: House, origin: str) -> None:
    browser = await house.browser(TOKENS.access)

    change = await browser.post("/api/incidents/1/ack", headers={"Origin": origin})
    form = await house.client_of().post(
        "/session", data={"token": TOKENS.access}, headers={"Origin": origin}
    )

    assert (change.status_code, form.status_code) == (403, 403)


async def test_a_bearer_token_needs_no_page_of_ours(house: House) -> None:
    answer = await house.client_of(token=TOKENS.access).post("/api/incidents", json=NOTE)

    assert answer.status_code == 201


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_signs_nobody_in_as_whom_it_chose(house: House, site: str) -> None:
    browser = house.client_of(headers={"Sec-Fetch-Site": site})

    by_form = await browser.post("/session", data={"token": TOKENS.access})
    by_link = await browser.get("/", params={"token": TOKENS.access})

    assert (by_form.status_code, by_link.status_code) == (403, 403)
    assert "set-cookie" not in by_form.headers
    assert "set-cookie" not in by_link.headers


@pytest.mark.parametrize(
    ("to", "leads_to"),
    [
        ("/incident/?id=3", "/incident/?id=3"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/\t/evil.example/", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
        ("", "/"),
        ("/" + "x" * 2000, "/"),
        ("/é", "/"),
        ("/?token=of+another", "/"),
        ("/incident/?id=3&%74oken=", "/"),
    ],
)
async def test_signing_in_leads_to_a_page_of_ours(house: House, to: str, leads_to: str) -> None:
    browser = house.client_of(headers=PAGE)

    answer = await browser.post("/session", data={"token": TOKENS.access, "to": to})

    assert answer.status_code == 303
    assert answer.headers["location"] == leads_to
    assert len(answer.headers.get_list("set-cookie")) == 1


@pytest.mark.parametrize("path", ["//evil.example/", "/%2f/evil.example/", "/%5cevil.example/"])
async def test_the_link_leads_to_a_page_of_ours_whatever_its_path(house: House, path: str) -> None:
    answer = await house.client_of().get(f"{OURS}{path}?token={TOKENS.access}")

    assert not answer.headers.get("location", "/").startswith(("//", "/\\", "http"))


async def test_the_sign_in_page_quotes_what_it_was_asked_for(house: House) -> None:
    answer = await house.client_of().get('/?to="><script>alert(1)</script>&x=%22%3E%3Cb%3E')

    assert answer.status_code == 401
    assert "<script" not in answer.text
    assert "<b>" not in answer.text


async def test_the_sign_in_page_lets_browsers_name_its_origin(house: House) -> None:
    answer = await house.client_of().get("/")

    assert answer.headers["referrer-policy"] == "same-origin"


async def test_https_is_remembered(house: House) -> None:
    plain = await house.client_of().get("/healthz")
    secure = await house.client_of(base="https://127.0.0.1").get("/healthz")

    assert "strict-transport-security" not in plain.headers
    assert secure.headers["strict-transport-security"] == "max-age=31536000"
