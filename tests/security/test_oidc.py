"""Signing in with a provider: a real one on loopback, and one that lies."""

from __future__ import annotations

import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import oidc_provider_mock
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.utils import base64url_encode
from oidc_provider_mock import User

from copilot.domain.errors import CopilotError, Invalid, Refused, Unauthenticated, Unavailable
from copilot.domain.people import Role, digest_of
from copilot.roles.oidc import KEYS_AGAIN_S, Agreement, Provider, check_issuer
from copilot.roles.people import SESSION
from tests.fakes import FixedClock
from tests.security.conftest import OURS, House

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the provider's own, in its thread
]

USERS = [
    User(sub="1", claims={"email": "Ada@example.org", "email_verified": True, "groups": ["sre"]}),
    User(sub="2", claims={"email": "root", "email_verified": False, "groups": ["staff"]}),
    User(sub="3", claims={"preferred_username": "root", "groups": ["guests"]}),
]
ROLES = {
    Role.ADMIN: frozenset({"sre"}),
    Role.RESPONDER: frozenset({"on-call"}),
    Role.VIEWER: frozenset({"staff"}),
}

# --------------------------------------------------------------------------- a real provider


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with oidc_provider_mock.run_server_in_thread(user_claims=USERS) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
def more_settings(issuer: str) -> dict[str, object]:
    return {
        "oidc_issuer": issuer,
        "oidc_client_id": "co-pilot",
        "oidc_client_secret": "not guessed",
        "oidc_admin_groups": ("sre",),
        "oidc_viewer_groups": ("staff",),
    }


@pytest_asyncio.fixture(loop_scope="module")
async def house(module_house: House) -> House:
    """At the real time: the provider on loopback has a clock of its own."""
    clock = module_house.clock
    clock.move(time.time() - clock.now_us() / 1_000_000)
    return replace(module_house, began_us=clock.now_us())


async def sent_away(browser: httpx.AsyncClient, to: str = "/incident/?id=3") -> str:
    answer = await browser.get("/login", params={"to": to})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def way_back(address: str, sub: str) -> str:
    """What the provider has the browser ask for, once this person said yes there."""
    async with httpx.AsyncClient(trust_env=False) as there:
        answer = await there.post(address, data={"sub": sub})
    assert answer.status_code == 302, answer.text
    parts = urlsplit(answer.headers["location"])
    return f"{parts.path}?{parts.query}"


async def test_who_is_vouched_for_comes_in_with_the_role_of_their_group(house: House) -> None:
    browser = house.client_of()
    address = await sent_away(browser)

    answer = await browser.get(await way_back(address, "1"))

    asked = parse_qs(urlsplit(address).query)
    me = (await browser.get("/api/me")).json()
    assert (answer.status_code, answer.headers["location"]) == (303, "/incident/?id=3")
    assert (me["name"], me["role"], me["has_session"]) == ("ada@example.org", "admin", True)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{OURS}/login/callback"]
    assert not {"nonce", "state", "code_challenge"} - set(asked)


async def test_a_name_that_anybody_may_choose_is_nobodys(house: House, issuer: str) -> None:
    browser = house.client_of()
    await browser.get(await way_back(await sent_away(browser), "2"))

    me = (await browser.get("/api/me")).json()

    assert me["name"] == f"2@{urlsplit(issuer).netloc}"
    assert me["role"] == "viewer"


async def test_who_is_in_no_group_of_ours_does_not_come_in(house: House) -> None:
    browser = house.client_of()

    answer = await browser.get(await way_back(await sent_away(browser), "3"))

    assert answer.status_code == 403
    assert "none of your groups" in answer.text
    assert SESSION not in browser.cookies


async def test_the_way_back_is_taken_once(house: House) -> None:
    browser = house.client_of()
    address = await sent_away(browser)
    login = dict(browser.cookies)
    back = await way_back(address, "1")
    first = await browser.get(back)

    again = await house.client_of(cookies=login).get(back)

    assert (first.status_code, again.status_code) == (303, 401)


async def test_another_browser_does_not_come_back(house: House) -> None:
    back = await way_back(await sent_away(house.client_of()), "1")
    victim = house.client_of()
    await sent_away(victim)

    answer = await victim.get(back)

    assert answer.status_code == 401
    assert SESSION not in victim.cookies


async def test_a_code_of_another_login_does_not_count(house: House) -> None:
    one, other = house.client_of(), house.client_of()
    stolen = re.sub(r"state=[^&]*", "", await way_back(await sent_away(one), "1"))
    state = parse_qs(urlsplit(await sent_away(other)).query)["state"][0]

    answer = await other.get(f"{stolen}&state={state}")

    assert answer.status_code == 401
    assert "start again" in answer.text


async def test_coming_back_too_late_counts_for_nothing(house: House) -> None:
    browser = house.client_of()
    back = await way_back(await sent_away(browser), "1")

    house.clock.move(601)

    assert (await browser.get(back)).status_code == 401


async def test_what_went_wrong_is_in_the_audit_log_and_not_on_the_page(house: House) -> None:
    answer = await house.client_of().get("/login/callback?code=x&state=y&error=<b>no</b>")

    assert answer.status_code == 401
    assert "<b>" not in answer.text
    assert "sign_in.wrong" in [row.action for row in await house.audit()]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_link_of_another_site_asks_before_it_begins_a_login(
    house: House, site: str
) -> None:
    browser = house.client_of(headers={"Sec-Fetch-Site": site})
    before = await house.audit()

    answer = await browser.get("/login?to=/incident/%3Fid=3")

    assert answer.status_code == 403
    assert "/login?to=%2Fincident%2F%3Fid%3D3" in answer.text
    assert "set-cookie" not in answer.headers
    assert await house.audit() == before


async def test_logins_are_not_begun_without_end(house: House) -> None:
    browser = house.client_of(address="10.7.7.7")

    statuses = [(await browser.get("/login")).status_code for _ in range(22)]

    assert statuses == [303] * 20 + [429] * 2


async def test_logins_that_nobody_came_back_from_are_forgotten(house: House) -> None:
    given_up = parse_qs(urlsplit(await sent_away(house.client_of(address="10.7.7.8"))).query)
    house.clock.move(601)
    await sent_away(house.client_of(address="10.7.7.8"))

    async with house.store.transaction() as tx:
        assert await tx.accounts.take_back(digest_of(given_up["state"][0])) is None


async def test_the_sign_in_page_offers_the_provider(house: House, issuer: str) -> None:
    page = (await house.client_of().get("/incident/?id=3")).text

    assert f"Sign in with {urlsplit(issuer).netloc}" in page
    assert "/login?to=%2Fincident%2F%3Fid%3D3" in page


# --------------------------------------------------------------------------- one that lies

ISSUER = "https://id.example.org"
NONCE = "the nonce of this login"
AGREEMENT = Agreement(
    issuer=ISSUER,
    client_id="co-pilot",
    client_secret="not guessed",
    groups_claim="groups",
    groups=ROLES,
    scopes="openid",
)


class Liar:
    """A provider whose id token is what the test says."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = "first"
        self.published = {"first": self.key}
        self.more_keys: list[Any] = []
        self.discovery: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
        }
        self.token = self.signed()
        self.asked: list[str] = []

    def claims(self, **other: object) -> dict[str, object]:
        now_s = self.clock.now_us() // 1_000_000
        good = {"iss": ISSUER, "aud": "co-pilot", "sub": "7", "nonce": NONCE, "groups": ["sre"]}
        all_of_them = {**good, "iat": now_s, "exp": now_s + 300, **other}
        return {name: value for name, value in all_of_them.items() if value is not None}

    def signed(self, **other: object) -> str:
        headers = {"kid": self.kid}
        return jwt.encode(self.claims(**other), self.key, algorithm="RS256", headers=headers)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if request.url.path == "/keys":
            keys = [
                {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": kid}
                for kid, key in self.published.items()
            ]
            told = [{**key, "alg": "RS256"} for key in keys]
            return httpx.Response(200, json={"keys": [*told, *self.more_keys]})
        if request.url.path == "/token":
            return httpx.Response(200, json={"id_token": self.token, "access_token": "a"})
        return httpx.Response(200, json=self.discovery)

    def provider(self) -> Provider:
        transport = httpx.MockTransport(self.answer)
        return Provider(AGREEMENT, self.clock, lambda: httpx.AsyncClient(transport=transport))


@pytest.fixture(scope="module")
def shared_liar() -> Liar:
    return Liar()


@pytest_asyncio.fixture(loop_scope="module")
async def liar(shared_liar: Liar) -> AsyncIterator[Liar]:
    """Honest again, with its first key: making one takes a while."""
    published = {"first": shared_liar.key}
    shared_liar.__dict__.update(kid="first", published=published, more_keys=[], asked=[])
    shared_liar.discovery |= {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token"}
    shared_liar.token = shared_liar.signed()
    yield shared_liar


async def outcome(provider: Provider) -> Role | CopilotError:
    try:
        found = await provider.vouched(code="c", nonce=NONCE, verifier="v", back="b")
    except CopilotError as error:
        return error
    return found.role


async def test_an_honest_token_is_taken(liar: Liar) -> None:
    assert await outcome(liar.provider()) is Role.ADMIN


async def test_a_token_need_not_name_its_key_where_there_is_one(liar: Liar) -> None:
    liar.token = jwt.encode(liar.claims(), liar.key, algorithm="RS256")
    one = await outcome(liar.provider())
    liar.published = {"first": liar.key, "second": liar.key}
    of_two = await outcome(liar.provider())

    assert one is Role.ADMIN
    assert isinstance(of_two, Unauthenticated)


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": 1_700_000_000}, id="expired"),
        pytest.param({"exp": None}, id="never expires"),
        pytest.param({"exp": "9999999999"}, id="expires at a text"),
        pytest.param({"iat": 9_000_000_000}, id="made in the future"),
        pytest.param({"nbf": 9_000_000_000}, id="not yet good"),
        pytest.param({"aud": "another client"}, id="for another client"),
        pytest.param({"aud": ["co-pilot", "another"]}, id="for several, made for nobody"),
        pytest.param({"azp": "another client"}, id="made for another client"),
        pytest.param({"aud": None}, id="for nobody"),
        pytest.param({"iss": "https://evil.example"}, id="of another issuer"),
        pytest.param({"iss": ISSUER + "/"}, id="of nearly the same issuer"),
        pytest.param({"nonce": "of another login"}, id="replayed from another login"),
        pytest.param({"nonce": None}, id="without a nonce"),
        pytest.param({"sub": None}, id="of nobody"),
        pytest.param({"sub": "x\u0000y"}, id="of somebody whose name does not show"),
    ],
)
async def test_a_token_that_is_not_for_this_login_is_not_taken(
    liar: Liar, claims: dict[str, object]
) -> None:
    liar.token = liar.signed(**claims)

    assert isinstance(await outcome(liar.provider()), Unauthenticated)


async def test_a_token_without_a_signature_is_not_taken(liar: Liar) -> None:
    liar.token = jwt.encode(liar.claims(), None, algorithm="none", headers={"kid": "first"})  # type: ignore[arg-type]  # there is none

    assert isinstance(await outcome(liar.provider()), Unauthenticated)


async def test_a_token_signed_with_the_public_key_as_a_secret_is_not_taken(liar: Liar) -> None:
    secret = "not guessed, but long enough for HS256 to be content"
    liar.token = jwt.encode(liar.claims(), secret, algorithm="HS256", headers={"kid": "first"})

    assert isinstance(await outcome(liar.provider()), Unauthenticated)


@pytest.mark.parametrize("change", ["signature", "claims", "nothing but dots", "no token"])
async def test_a_token_that_was_changed_is_not_taken(liar: Liar, change: str) -> None:
    head, body, signature = liar.signed().split(".")
    other = liar.signed(sub="8").split(".")[1]
    liar.token = {
        "signature": f"{head}.{body}.{signature[:-8]}AAAAAAAA",
        "claims": f"{head}.{other}.{signature}",
        "nothing but dots": "..",
        "no token": "",
    }[change]

    assert isinstance(await outcome(liar.provider()), Unauthenticated)


async def test_a_secret_among_the_public_keys_signs_nothing(liar: Liar) -> None:
    secret = b"everybody can read this one at the provider"
    said = [{"alg": "RS256", "kid": "open"}, liar.claims()]
    head = b".".join(base64url_encode(json.dumps(part).encode()) for part in said)
    signature = hmac.digest(secret, head, "sha256")
    liar.token = b".".join([head, base64url_encode(signature)]).decode()
    open_secret = {"kty": "oct", "alg": "HS256", "k": base64url_encode(secret).decode()}
    liar.more_keys = [{**open_secret, "kid": "open"}]

    assert isinstance(await outcome(liar.provider()), Unauthenticated)


@pytest.mark.parametrize("keys", [[None], ["x"], [{"kty": 7}], [{"kty": "RSA", "n": 1}]])
async def test_keys_that_are_none_are_the_providers_fault(
    liar: Liar, keys: list[dict[str, object]]
) -> None:
    liar.published = {}
    liar.more_keys = keys

    assert isinstance(await outcome(liar.provider()), Unauthenticated | Unavailable)


async def test_another_key_under_a_known_name_is_not_taken(liar: Liar) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    liar.token = jwt.encode(liar.claims(), other, algorithm="RS256", headers={"kid": "first"})

    assert isinstance(await outcome(liar.provider()), Unauthenticated)


async def test_a_provider_may_change_its_keys(liar: Liar) -> None:
    provider = liar.provider()
    assert await outcome(provider) is Role.ADMIN
    liar.kid = "second"
    liar.published = {"second": liar.key}
    liar.token = liar.signed()
    liar.clock.move(KEYS_AGAIN_S)

    assert await outcome(provider) is Role.ADMIN


async def test_keys_that_somebody_made_up_are_not_looked_for_each_time(liar: Liar) -> None:
    provider = liar.provider()
    await outcome(provider)
    liar.kid = "made up"
    liar.token = liar.signed()

    outcomes = [await outcome(provider) for _ in range(3)]

    assert all(isinstance(one, Unauthenticated) for one in outcomes)
    assert liar.asked.count("/keys") == 1


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        pytest.param(["staff", "sre"], Role.ADMIN, id="the highest counts"),
        pytest.param("on-call staff", Role.RESPONDER, id="as one text"),
        pytest.param({"on-call": {"1": "example.org"}}, Role.RESPONDER, id="as keys"),
        pytest.param(["Sre"], None, id="another name"),
        pytest.param([], None, id="none"),
        pytest.param([["sre"], {"sre": 1}, 7], None, id="what are no names"),
        pytest.param(7, None, id="a number"),
        pytest.param(True, None, id="yes"),
    ],
)
async def test_a_role_comes_from_a_group_that_is_named(
    liar: Liar, groups: object, role: Role | None
) -> None:
    liar.token = liar.signed(groups=groups)

    found = await outcome(liar.provider())

    assert isinstance(found, Refused) if role is None else found is role


async def test_a_provider_that_says_it_is_another_is_not_asked(liar: Liar) -> None:
    liar.discovery["issuer"] = "https://evil.example"

    assert isinstance(await outcome(liar.provider()), Unavailable)


async def test_a_provider_that_sends_us_elsewhere_is_not_followed(liar: Liar) -> None:
    evil = httpx.Response(302, headers={"Location": "https://evil.example/token"})
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return evil if request.url.path == "/token" else liar.answer(request)

    def client() -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(answer))

    assert isinstance(await outcome(Provider(AGREEMENT, liar.clock, client)), Unavailable)
    assert set(asked) == {"id.example.org"}


async def test_an_address_that_is_none_is_the_providers_fault(liar: Liar) -> None:
    liar.discovery["token_endpoint"] = "https://[id.example.org/token"

    assert isinstance(await outcome(liar.provider()), Unavailable)


@pytest.mark.parametrize(
    "issuer", ["http://id.example.org", "ftp://x", "id.example.org", "https:", "https://[x"]
)
async def test_an_issuer_that_could_be_read_on_the_way_is_no_issuer(issuer: str) -> None:
    with pytest.raises(Invalid, match="COPILOT_OIDC_ISSUER"):
        check_issuer(issuer)
