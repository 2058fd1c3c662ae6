"""The way to the provider and back: what is sent along comes back once, and with the same browser."""

from __future__ import annotations

import hmac
import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from copilot.domain.errors import Busy, CopilotError, Refused, Unauthenticated
from copilot.domain.people import Login, digest_of
from copilot.ports import Clock, Store
from copilot.roles.browsers import address_of, own_path
from copilot.roles.limits import Allowance, Guesses
from copilot.roles.oidc import Provider
from copilot.roles.people import People
from copilot.roles.signing_in import SignInPage, check_own_form

COOKIE = "copilot_login"
LASTS_S = 600
BACK = "/login/callback"
STARTS = Allowance(burst=20, every_s=3), Allowance(burst=200, every_s=0.2)
"""Each writes a row: nobody starts them without end."""


def login_routes(
    provider: Provider,
    people: People,
    page: SignInPage,
    store: Store,
    clock: Clock,
    *,
    public_url: str,
) -> list[Route]:
    """`/login`, and where the provider sends people back to."""
    each, all_together = STARTS
    starts = Guesses(clock, each=each, all_together=all_together)

    def back_to(request: Request) -> str:
        base = public_url or str(request.base_url)
        return base.rstrip("/") + BACK

    async def start(request: Request) -> Response:
        to = own_path(request.query_params.get("to", "/"))
        try:
            check_own_form(request)
        except Refused as refusal:  # nobody is signed in but by an act of their own
            people.turned_away(request, refusal)
            return page.ask(request, refusal.message, status=refusal.status, to=to)
        try:
            starts.check(address_of(request))
            starts.failed(address_of(request))
            state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
            address = await provider.address(
                state=state, nonce=nonce, verifier=verifier, back=back_to(request)
            )
            now_us = clock.now_us()
            login = Login(
                state=digest_of(state),
                nonce=nonce,
                verifier=verifier,
                goes_to=to,
                expires_us=now_us + LASTS_S * 1_000_000,
            )
            async with store.transaction() as tx:
                await tx.accounts.forget(before_us=now_us)  # who begins may never come back
                await tx.accounts.send_away(login)
        except CopilotError as error:
            await _note(people, error, request)
            return page.ask(request, _said(error), status=error.status, to=to)
        answer = RedirectResponse(address, 303, {"Referrer-Policy": "no-referrer"})
        people.cookies.set(request, answer, COOKIE, state, LASTS_S)
        return answer

    async def come_back(request: Request) -> Response:
        to = "/"
        try:
            people.may_try(address_of(request))
            login = await _taken(
                request, people, store, issuer=provider.agreement.issuer, now_us=clock.now_us()
            )
            to = login.goes_to
            found = await provider.vouched(
                code=request.query_params.get("code", ""),
                nonce=login.nonce,
                verifier=login.verifier,
                back=back_to(request),
            )
            cookie = await people.sign_in(found.name, found.role, found.via, request)
        except CopilotError as error:
            await _note(people, error, request)
            answer = page.ask(request, _said(error), status=error.status, to=to)
        else:
            answer = page.welcome(request, cookie, to)
        people.cookies.drop(request, answer, COOKIE)
        return answer

    return [Route("/login", start, methods=["GET"]), Route(BACK, come_back, methods=["GET"])]


async def _taken(
    request: Request, people: People, store: Store, *, issuer: str, now_us: int
) -> Login:
    """The login that this browser was sent away with.

    Raises:
        Unauthenticated: none, or one that is over, or another browser's.
    """
    query = request.query_params
    state, ours = query.get("state", ""), people.cookies.get(request, COOKIE)
    if not ours or not hmac.compare_digest(state.encode(), ours.encode()):
        raise Unauthenticated("this login was not begun in this browser")
    async with store.transaction() as tx:
        login = await tx.accounts.take_back(digest_of(state))
    if login is None or now_us >= login.expires_us:
        raise Unauthenticated("this login is over already")
    if query.get("iss", issuer) != issuer:
        raise Unauthenticated("another provider answered")
    if "error" in query:
        raise Unauthenticated(f"the provider says no: {query['error'][:100]!r}")
    return login


async def _note(people: People, error: CopilotError, request: Request) -> None:
    if isinstance(error, Busy):
        people.turned_away(request, error)
    else:
        await people.refused(error.message, address_of(request))


def _said(error: CopilotError) -> str:
    """What a stranger is told: what to do, and nothing of how we know."""
    if isinstance(error, Unauthenticated):
        return "Signing in did not work; start again."
    if error.status == 503:
        return "The sign-in service does not answer; try again, or use an access token."
    return error.message
