"""People whom another vouches for: OpenID Connect, authorization code with PKCE.

What the provider says over TLS is believed about keys and addresses, and nothing else before its
signature holds. Everything in a token is hostile text until then, and a name or a group after.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import jwt
import msgspec

from copilot.domain.errors import CopilotError, Invalid, Refused, Unauthenticated, Unavailable
from copilot.domain.people import Role, person_name
from copilot.ports import Clock

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""With two keys. Never one that we share with others, and never none."""
TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 1024 * 1024
LEEWAY_S = 60
"""How far our clocks may be apart."""
KNOWN_FOR_S = 3600
KEYS_AGAIN_S = 30
"""Between two looks for a key that we do not know: providers change theirs, and others make some up."""
EVERYBODY = "*"

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """Who somebody is, by the provider's word."""

    name: str
    role: Role
    via: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What we and the provider have agreed on."""

    issuer: str
    client_id: str
    client_secret: str
    groups_claim: str
    groups: Mapping[Role, frozenset[str]]
    scopes: str

    @property
    def host(self) -> str:
        return urlsplit(self.issuer).netloc


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What discovery told."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    takes_basic: bool


class Provider:
    """Sends browsers to the provider, and reads what they bring back."""

    def __init__(
        self,
        agreement: Agreement,
        clock: Clock,
        http: Callable[[], httpx.AsyncClient] = lambda: httpx.AsyncClient(timeout=TIMEOUT_S),
    ) -> None:
        self.agreement = agreement
        self._clock = clock
        self._http = http
        self._known: _Known | None = None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._known_us = self._keys_us = 0

    async def address(self, *, state: str, nonce: str, verifier: str, back: str) -> str:
        """Where to send a browser. Raises: Unavailable."""
        known = await self._discovered()
        query = {
            "response_type": "code",
            "client_id": self.agreement.client_id,
            "redirect_uri": back,
            "scope": self.agreement.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        glue = "&" if urlsplit(known.authorization).query else "?"
        return f"{known.authorization}{glue}{urlencode(query)}"

    async def vouched(self, *, code: str, nonce: str, verifier: str, back: str) -> Vouched:
        """Whom a browser that came back with this code is.

        Raises:
            Unauthenticated: the provider does not take the code, or its token does not hold.
            Refused: it holds, and none of the person's groups has a role here.
            Unavailable: the provider does not answer.
        """
        known = await self._discovered()
        answer = await self._exchange(known, code, verifier, back)
        claims = await self._verified(str(answer.get("id_token", "")), nonce)
        if self.agreement.groups_claim not in claims and known.userinfo:
            claims = {**await self._userinfo(known, answer, claims), **claims}
        return Vouched(
            name=_name(claims, self.agreement.host),
            role=self._role(claims),
            via=self.agreement.host,
        )

    def _role(self, claims: Mapping[str, Any]) -> Role:
        given = claims.get(self.agreement.groups_claim, ())
        named = given.split() if isinstance(given, str) else given
        listed = named if isinstance(named, list | dict) else ()  # some name them as keys
        theirs = {EVERYBODY, *(one for one in listed if isinstance(one, str))}
        for role in reversed(Role):
            if self.agreement.groups.get(role, frozenset()) & theirs:
                return role
        raise Refused("you are known, but none of your groups has a role here; ask an admin")

    # ----------------------------------------------------------------- the token

    async def _verified(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of an id token that is for us, for this login, and still good."""
        try:
            key = await self._key(str(jwt.get_unverified_header(token).get("kid", "")))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self.agreement.client_id,
                issuer=self.agreement.issuer,
                # Times are looked at below, by our own clock.
                options={
                    "require": ["exp", "iat", "aud", "iss", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"the id token does not hold: {error}") from error
        self._check(claims, nonce)
        return claims

    def _check(self, claims: Mapping[str, Any], nonce: str) -> None:
        now_s = self._clock.now_us() // 1_000_000
        until, since = claims["exp"], claims.get("nbf", claims["iat"])
        if not all(isinstance(time, int | float) for time in (until, since)):
            raise Unauthenticated("the id token does not hold: its times are none")
        if now_s >= until + LEEWAY_S or since > now_s + LEEWAY_S:
            raise Unauthenticated("the id token does not hold: it is expired, or not yet good")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise Unauthenticated("the id token does not hold: it is of another login")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self.agreement.client_id) != (
            self.agreement.client_id
        ):
            raise Unauthenticated("the id token does not hold: it was made for another client")

    async def _key(self, kid: str) -> jwt.PyJWK:
        now_us = self._clock.now_us()
        age_us = now_us - self._keys_us
        is_old = age_us >= KNOWN_FOR_S * 1_000_000
        if is_old or (not self._has(kid) and age_us >= KEYS_AGAIN_S * 1_000_000):
            found = await self._ask("GET", (await self._discovered()).keys)
            try:
                keys = jwt.PyJWKSet.from_dict(found).keys
            except jwt.PyJWTError as error:
                raise Unavailable(f"the provider's keys are none: {error}") from error
            self._keys = {key.key_id or "": key for key in keys}
            self._keys_us = now_us
        if not self._has(kid):
            raise Unauthenticated("the id token does not hold: nobody knows its key")
        return self._keys[kid] if kid else next(iter(self._keys.values()))

    def _has(self, kid: str) -> bool:
        """Whether we know the key; a token need not name it where there is but one."""
        return kid in self._keys if kid else len(self._keys) == 1

    # ----------------------------------------------------------------- the provider

    async def _discovered(self) -> _Known:
        now_us = self._clock.now_us()
        if self._known is None or now_us - self._known_us >= KNOWN_FOR_S * 1_000_000:
            issuer = self.agreement.issuer
            found = await self._ask("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                raise Unavailable(f"the provider at {issuer} says that it is another one")
            methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            self._known = _Known(
                authorization=_safe(found.get("authorization_endpoint")),
                token=_safe(found.get("token_endpoint")),
                keys=_safe(found.get("jwks_uri")),
                userinfo=_safe(found["userinfo_endpoint"]) if "userinfo_endpoint" in found else "",
                takes_basic="client_secret_basic" in methods,
            )
            self._known_us = now_us
        return self._known

    async def _exchange(
        self, known: _Known, code: str, verifier: str, back: str
    ) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier,
            "client_id": self.agreement.client_id,
        }
        secret = self.agreement.client_secret
        basic: tuple[str, str] | None = None
        if secret and known.takes_basic:
            basic = (_quoted(self.agreement.client_id), _quoted(secret))
            del form["client_id"]
        elif secret:
            form["client_secret"] = secret
        return await self._ask("POST", known.token, data=form, auth=basic)

    async def _userinfo(
        self, known: _Known, answer: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        headers = {"Authorization": f"Bearer {answer.get('access_token', '')}"}
        found = await self._ask("GET", known.userinfo, headers=headers)
        if found.get("sub") != claims["sub"]:
            raise Unauthenticated("the provider tells of somebody else")
        return found

    async def _ask(self, method: str, url: str, **given: Any) -> dict[str, Any]:
        """The JSON object of an answer. Raises: Unauthenticated for a 4xx, else Unavailable."""
        body = b""
        try:
            async with self._http() as http, http.stream(method, url, **given) as answer:
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER_BYTES:
                        raise Unavailable(f"the provider's answer at {url} is too large")
            if 400 <= answer.status_code < 500:
                raise Unauthenticated(f"the provider says no: {answer.status_code} at {url}")
            if answer.status_code != 200:
                raise Unavailable(f"the provider answers {answer.status_code} at {url}")
            found = msgspec.json.decode(body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"the provider does not answer at {url}: {error}") from error
        except msgspec.DecodeError as error:
            raise Unavailable(f"the provider's answer at {url} is no JSON") from error
        if not isinstance(found, dict):
            raise Unavailable(f"the provider's answer at {url} is no object")
        return found


def challenge_of(verifier: str) -> str:
    """PKCE's S256."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def check_issuer(issuer: str) -> None:
    """Raises: Invalid where what it says could be read or changed on the way."""
    try:
        _safe(issuer)
    except Unavailable as error:
        raise Invalid(f"COPILOT_OIDC_ISSUER: {error.message}") from error


def _safe(url: object) -> str:
    try:
        parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    except ValueError as error:
        raise Unavailable(f"{url!r} is no address") from error
    is_loopback = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or is_loopback):
        raise Unavailable(f"{url!r} is no https address")
    return str(url)


def _quoted(text: str) -> str:
    """As RFC 6749 wants names and secrets in basic authentication."""
    return urlencode({"": text})[1:]


def _name(claims: Mapping[str, Any], host: str) -> str:
    """What nobody else can be called: an address that was verified, else the provider's own number.
    A preferred name is the person's to choose, so that it is nobody's."""
    email, is_verified = claims.get("email"), claims.get("email_verified") is True
    try:
        return person_name(email if is_verified and email else f"{claims['sub']}@{host}")
    except (CopilotError, TypeError) as error:
        raise Unauthenticated("the id token does not hold: its name is none") from error
