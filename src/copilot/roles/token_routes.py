"""Access tokens at a screen: an admin sees whose there are, makes one and closes one.

The same as the command, which makes and closes them by the same code (`handing_out.py`).
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from copilot.domain.errors import Refused
from copilot.domain.people import Role, Token
from copilot.ports import Clock, Store
from copilot.roles import handing_out
from copilot.roles.people import Person
from copilot.roles.views import NewTokenBody, RevokeBody, TokenMade, TokenView


def token_router(store: Store, clock: Clock, whoami: Callable[[Request], Person]) -> APIRouter:
    """Only for admins, which the door sees to (`permissions.py`)."""
    router = APIRouter(tags=["tokens"])
    who = Annotated[Person, Depends(whoami)]

    @router.get("/tokens")
    async def tokens() -> list[TokenView]:
        """Every access token that was made, newest first, closed ones too; not those of the first
        start."""
        async with store.view() as view:
            made = await view.accounts.tokens()
        return [_view(token, clock.now_us()) for token in made]

    @router.post("/tokens", status_code=201)
    async def create(body: NewTokenBody, person: who) -> TokenMade:
        """Make one, and tell it this once. Where that answer is lost, the second time is a 409 and
        makes none: close the first, and make another."""
        _check_gives(person, body.role)
        token, secret = await handing_out.create(
            store,
            clock,
            name=body.name,
            role=body.role,
            expires=body.expires,
            actor=person.name,
            reason=body.reason,
        )
        return TokenMade(token=_view(token, clock.now_us()), secret=secret)

    @router.post("/tokens/{token_id}/revoke")
    async def revoke(token_id: str, body: RevokeBody, person: who) -> TokenView:
        """Close it for good, and sign out everybody who came in with it; again, it stays as it is."""
        token = await handing_out.revoke_by_id(
            store, clock, token_id=token_id, actor=person.name, reason=body.reason
        )
        return _view(token, clock.now_us())

    return router


def _check_gives(person: Person, role: Role | None) -> None:
    """Raises: Refused where somebody would give more than they have."""
    if role is not None and not person.role.may(role):
        raise Refused(f"nobody gives more than they have: you are {person.role}, not {role}")


def _view(token: Token, now_us: int) -> TokenView:
    return TokenView(
        id=token.id,
        kind=token.kind,
        name=token.name,
        role=token.role,
        created_us=token.created_us,
        created_by=token.created_by,
        expires_us=token.expires_us,
        used_us=token.used_us,
        revoked_us=token.revoked_us,
        state=token.state_at(now_us),
    )
