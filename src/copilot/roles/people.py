"""Who is asking: a person by token or cookie, a sender by token. Every check is one look-up by hash.

What was found is kept for some seconds: a token that is revoked, or a sign-in that is ended on
another gateway, opens nothing any more after `KEPT_S`.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import structlog
from starlette.requests import HTTPConnection

from copilot.domain.errors import Busy, CopilotError, Refused, Unauthenticated, Unavailable
from copilot.domain.people import Role, SignIn, Token, TokenKind, digest_of, person_name
from copilot.ports import Clock, Store
from copilot.roles.browsers import Cookies, address_of, check_page
from copilot.roles.limits import Allowance, Guesses
from copilot.roles.muffled import Muffled
from copilot.roles.recent import Recent
from copilot.roles.security import Tokens

log = structlog.get_logger(__name__)

SESSION = "copilot_session"
CHAIN = "people"
"""The audit chain of who came in, and who let them."""
LAPTOP = "laptop"
"""How somebody signed in with the token that was made at first start, or is in the settings."""

KEPT_S = 10.0
MOST_KEPT = 4096
USED_EVERY_US = 3_600_000_000
SEEN_EVERY_US = 300_000_000
MOST_TOLD_CHARS = 200
"""Of a path that a stranger made up."""
GUESSED_TOKENS = Allowance(burst=20, every_s=3), Allowance(burst=200, every_s=0.1)
GUESSED_COOKIES = Allowance(burst=100, every_s=1), Allowance(burst=1000, every_s=0.02)

_SIGN_IN_FIRST = (
    "sign in first: open the link that `incident-copilot up` or `incident-copilot token create` "
    "printed, or send the access token as `Authorization: Bearer`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who is signed in, and by what."""

    name: str
    role: Role
    via: str
    sign_in: bytes | None
    """The digest of the browser's cookie; None for a bearer token."""
    token: bytes | None = None
    """The digest of a bearer token that somebody made; None for the laptop's and for cookies."""


class People:
    """Lets people and senders in, and out again."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        tokens: Tokens,
        user: str,
        cookies: Cookies,
        idle_s: int,
        lifetime_s: int,
    ) -> None:
        self.cookies = cookies
        self.lifetime_s = lifetime_s
        self._store = store
        self._clock = clock
        self._laptop = Person(name=person_name(user), role=Role.ADMIN, via=LAPTOP, sign_in=None)
        self._access, self._sender = tokens.access, tokens.sender
        self._idle_us = idle_s * 1_000_000
        self._known_tokens: Recent[Token] = Recent(clock, keep_s=KEPT_S, most=MOST_KEPT)
        self._known_sign_ins: Recent[SignIn] = Recent(clock, keep_s=KEPT_S, most=MOST_KEPT)
        self._wrong_tokens = _guesses(clock, *GUESSED_TOKENS)
        self._wrong_cookies = _guesses(clock, *GUESSED_COOKIES)
        self._muffled = Muffled(clock)

    # ----------------------------------------------------------------- who is asking

    async def person(self, request: HTTPConnection) -> Person:
        """The signed-in person.

        Raises:
            Unauthenticated: no token of a person, and no cookie of one.
            Refused: a cookie that came with another site's request.
            Busy: too many wrong tokens from there.
        """
        try:
            return await self._person(request)
        except CopilotError as refusal:
            self.turned_away(request, refusal)
            raise

    async def _person(self, request: HTTPConnection) -> Person:
        if bearer := _bearer(request.headers):
            return await self.of_token(bearer, address_of(request))
        if cookie := self.cookies.get(request, SESSION):
            person = await self._of_cookie(cookie, address_of(request))
            check_page(request)
            return person
        raise Unauthenticated(_SIGN_IN_FIRST)

    async def of_token(self, secret: str, address: str) -> Person:
        """The person whose token this is.

        Raises:
            Unauthenticated: nobody's, or not any more.
            Busy: too many wrong ones from there.
        """
        if _same(secret, self._access):
            return self._laptop
        token = await self._token(secret, address, TokenKind.PERSON)
        if token is None or token.role is None:
            raise Unauthenticated("that access token is not, or no longer, one of ours")
        return Person(
            name=token.name, role=token.role, via="token", sign_in=None, token=token.digest
        )

    async def sender(self, request: HTTPConnection) -> str:
        """The sender's name.

        Raises:
            Unauthenticated: no sender token.
            Busy: too many wrong ones from there.
        """
        given = _given(request.headers)
        if given and _same(given, self._sender):
            return "sender"
        token = await self._token(given, address_of(request), TokenKind.SENDER) if given else None
        if token is None:
            raise Unauthenticated(
                "send the sender token as `Authorization: Bearer`, `X-Api-Key` or basic password"
            )
        return token.name

    async def anybody(self, request: HTTPConnection) -> None:
        """Lets in a person or a sender, whichever it is.

        Raises:
            Unauthenticated: no token of ours, and no cookie.
            Refused: a cookie that came with another site's request.
            Busy: too many wrong tokens from there.
        """
        given = _given(request.headers)
        if not given:
            await self.person(request)
            return
        if _same(given, self._access) or _same(given, self._sender):
            return
        if await self._token(given, address_of(request), *TokenKind) is None:
            raise Unauthenticated("that token is not, or no longer, one of ours")

    async def is_still_in(self, person: Person) -> bool:
        """Whether whoever has been let in would be let in again: for what lasts longer than a
        request."""
        if person.sign_in is not None:
            return await self._sign_in(person.sign_in) is not None
        return person.token is None or await self._is_open(person.token)

    async def _token(self, secret: str, address: str, *kinds: TokenKind) -> Token | None:
        digest = digest_of(secret)
        if not self._known_tokens.has_met(digest):
            self._wrong_tokens.check(address)
        token = await self._token_of(digest)
        is_right = token is not None and token.kind in kinds
        if token is None or not is_right or not token.opens_at(self._clock.now_us()):
            self._wrong_tokens.failed(address)
            await self._tell_wrong(address)
            return None
        return token

    async def _token_of(self, digest: bytes) -> Token | None:
        """Revoked and expired ones too."""
        token = self._known_tokens.get(digest)
        if token is None:
            async with _for_strangers(), self._store.view() as view:
                token = await view.accounts.token(digest)
            if token is not None:
                self._known_tokens.put(digest, token)
                await self._note_use(token)
        return token

    async def _is_open(self, digest: bytes) -> bool:
        token = await self._token_of(digest)
        return token is not None and token.opens_at(self._clock.now_us())

    async def _note_use(self, token: Token) -> None:
        now_us = self._clock.now_us()
        if token.opens_at(now_us) and now_us - (token.used_us or 0) >= USED_EVERY_US:
            with contextlib.suppress(CopilotError):  # only told to people; whoever asks goes on
                async with self._store.transaction() as tx:
                    await tx.accounts.used(token.digest, at_us=now_us)

    async def _of_cookie(self, cookie: str, address: str) -> Person:
        digest = digest_of(cookie)
        if not self._known_sign_ins.has_met(digest):
            try:
                self._wrong_cookies.check(address)
            except Busy as error:
                raise Unauthenticated(_SIGN_IN_FIRST) from error
        sign_in = await self._sign_in(digest)
        if sign_in is None:
            self._wrong_cookies.failed(address)
            raise Unauthenticated("you were signed out; sign in again")
        return Person(name=sign_in.name, role=sign_in.role, via=sign_in.via, sign_in=digest)

    async def _sign_in(self, digest: bytes) -> SignIn | None:
        """The sign-in with this cookie, where it still holds."""
        now_us = self._clock.now_us()
        sign_in = self._known_sign_ins.get(digest)
        if sign_in is None:
            async with _for_strangers(), self._store.view() as view:
                sign_in = await view.accounts.sign_in_of(digest)
            if sign_in is None:
                self._known_sign_ins.drop(digest)
                return None
            self._known_sign_ins.put(digest, sign_in)
            if sign_in.holds_at(now_us, self._idle_us) and now_us - sign_in.seen_us > SEEN_EVERY_US:
                with contextlib.suppress(CopilotError):  # the next request tries again
                    async with self._store.transaction() as tx:
                        await tx.accounts.seen(digest, at_us=now_us)
        is_in = sign_in.holds_at(now_us, self._idle_us) and await self._opens_still(sign_in)
        return sign_in if is_in else None

    async def _opens_still(self, sign_in: SignIn) -> bool:
        """Whether what it was opened with would open one now. A token may have been revoked on
        another gateway while this one still took it for good."""
        if sign_in.via == LAPTOP:
            return sign_in.token == digest_of(self._access)
        return sign_in.token is None or await self._is_open(sign_in.token)

    # ----------------------------------------------------------------- in and out

    async def sign_in_with(self, secret: str, request: HTTPConnection) -> str:
        """Signs in whose token this is; the new cookie's value.

        Raises:
            Unauthenticated: nobody's.
            Busy: too many wrong ones from there.
        """
        address = address_of(request)
        if not self._known_tokens.has_met(digest_of(secret)):
            self._wrong_tokens.check(address)
        try:
            person = await self.of_token(secret, address)
        except Unauthenticated:
            raise Unauthenticated("That is not the access token of a person.") from None
        token = self._known_tokens.get(digest_of(secret))
        until_us = token.expires_us if token else None
        return await self.sign_in(
            person.name, person.role, person.via, request, token=secret, until_us=until_us
        )

    async def sign_in(
        self,
        name: str,
        role: Role,
        via: str,
        request: HTTPConnection,
        *,
        token: str = "",
        until_us: int | None = None,
    ) -> str:
        """A new sign-in, whatever cookie the browser had before; its cookie's value."""
        cookie, now_us = secrets.token_urlsafe(32), self._clock.now_us()
        address = address_of(request)[:64]
        expires_us = now_us + self.lifetime_s * 1_000_000
        sign_in = SignIn(
            digest=digest_of(cookie),
            name=name,
            role=role,
            via=via,
            token=digest_of(token) if token else None,
            created_us=now_us,
            seen_us=now_us,
            expires_us=min(expires_us, until_us or expires_us),
        )
        before = self.cookies.get(request, SESSION)
        async with self._store.transaction() as tx:
            if before:
                await tx.accounts.sign_out(digest_of(before))
            await tx.accounts.forget(before_us=now_us)
            await tx.accounts.sign_in(sign_in)
            await tx.audit.append(
                chain=CHAIN,
                ts_us=now_us,
                actor=name,
                action="person.signed_in",
                object=name,
                detail=f"as {role} by {via} from {address}",
            )
        if before:
            self._known_sign_ins.drop(digest_of(before))
        log.info("person.signed_in", person=name, role=role.value, via=via, address=address)
        return cookie

    async def sign_out(self, person: Person, *, everywhere: bool) -> None:
        """Ends this browser's sign-in, or all of the person."""
        async with self._store.transaction() as tx:
            if everywhere:
                await tx.accounts.sign_out_all(person.name)
            elif person.sign_in is not None:
                await tx.accounts.sign_out(person.sign_in)
            await tx.audit.append(
                chain=CHAIN,
                ts_us=self._clock.now_us(),
                actor=person.name,
                action="person.signed_out",
                object=person.name,
                detail="everywhere" if everywhere else "at one browser",
            )
        self._known_sign_ins.clear()

    async def refused(self, why: str, address: str) -> None:
        """Somebody else's word for a person did not hold; counted as a wrong token is."""
        log.warning("sign_in.refused", reason=why)
        self._wrong_tokens.failed(address)
        await self._tell_wrong(address)

    def may_try(self, address: str) -> None:
        """Raises: Busy where there were too many wrong attempts from there."""
        self._wrong_tokens.check(address)

    def turned_away(self, request: HTTPConnection, refusal: CopilotError) -> None:
        """In the log, once a minute for each kind: what another site, or under another name of ours,
        or by guessing, somebody tried. Who only has not signed in yet tried nothing."""
        if not isinstance(refusal, Refused | Busy):
            return
        before = self._muffled.left_out(refusal.status, request.scope["type"])
        if before is not None:
            log.warning(
                "request.refused",
                status=refusal.status,
                reason=refusal.message,
                path=request.scope["path"][:MOST_TOLD_CHARS],
                address=address_of(request),
                left_out=before,
            )

    async def _tell_wrong(self, address: str) -> None:
        """Wrong attempts in the audit log, once a minute with how many: nobody fills it."""
        before = self._muffled.left_out("sign_in.wrong")
        if before is None:
            return
        attempts = before + 1
        log.warning("sign_in.wrong", attempts=attempts, address=address)
        with contextlib.suppress(CopilotError):  # the answer is no, written down or not
            async with self._store.transaction() as tx:
                await tx.audit.append(
                    chain=CHAIN,
                    ts_us=self._clock.now_us(),
                    actor="nobody",
                    action="sign_in.wrong",
                    object=address[:64],
                    detail=f"{attempts} wrong since the last such entry, the last from there",
                )


@contextlib.asynccontextmanager
async def _for_strangers() -> AsyncIterator[None]:
    """Raises: Unavailable without what the store says of itself: nobody has been let in yet."""
    try:
        yield
    except Unavailable as error:
        raise Unavailable(
            "the store does not answer, so nobody can be let in; try again"
        ) from error


def _guesses(clock: Clock, each: Allowance, all_together: Allowance) -> Guesses:
    return Guesses(clock, each=each, all_together=all_together)


def _same(given: str, ours: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), ours.encode())


def _given(headers: Mapping[str, str]) -> str:
    """The token, as senders give it."""
    return _bearer(headers) or headers.get("x-api-key", "") or _basic_password(headers)


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _basic_password(headers: Mapping[str, str]) -> str:
    scheme, _, coded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(coded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
