"""Tokens for people and senders, made and closed by whoever may run commands on the store."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from copilot.domain.errors import Conflict, Invalid, NotFound
from copilot.domain.people import Role, Token, TokenKind, digest_of, person_name
from copilot.ports import Clock, Store
from copilot.roles.people import CHAIN, KEPT_S

_UNITS_S = {"h": 3_600, "d": 86_400}


async def create(
    store: Store, clock: Clock, *, name: str, role: Role | None, expires: str, actor: str
) -> str:
    """A new token, which is kept nowhere; without a role it is a sender's.

    Raises:
        Invalid: the name or the time makes no sense.
        Conflict: there is an open one of that kind and name.
    """
    kind = TokenKind.SENDER if role is None else TokenKind.PERSON
    now_us, secret = clock.now_us(), secrets.token_urlsafe(32)
    token = Token(
        digest=digest_of(secret),
        kind=kind,
        name=person_name(name),
        role=role,
        created_us=now_us,
        created_by=actor,
        expires_us=now_us + _seconds(expires) * 1_000_000 if expires else None,
        used_us=None,
        revoked_us=None,
    )
    async with store.transaction() as tx:
        for other in await tx.accounts.tokens():
            if (other.kind, other.name) == (kind, token.name) and other.opens_at(now_us):
                raise Conflict(f"{token.name} has a token already; revoke {other.id} first")
        await tx.accounts.add(token)
        await tx.audit.append(
            chain=CHAIN,
            ts_us=now_us,
            actor=actor,
            action="token.created",
            object=f"{kind} {token.name}",
            detail=f"{token.id} as {role or 'sender'}, {_until(token)}",
        )
    return secret


async def revoke(store: Store, clock: Clock, *, which: str, actor: str) -> Token:
    """Close the token with this id, or the open one of this name; and its sign-ins with it.

    Raises:
        NotFound: there is no open one.
        Invalid: it can be neither.
        Conflict: the name is of several.
    """
    now_us = clock.now_us()
    async with store.transaction() as tx:
        opened = [token for token in await tx.accounts.tokens() if token.opens_at(now_us)]
        found = [t for t in opened if t.id == which]
        found = found or [t for t in opened if t.name == person_name(which)]
        if not found:
            raise NotFound(f"no open token has the id or name {which!r}")
        if len(found) > 1:
            ids = ", ".join(token.id for token in found)
            raise Conflict(f"{which!r} names several; give an id: {ids}")
        await tx.accounts.revoke(found[0].digest, at_us=now_us)
        await tx.audit.append(
            chain=CHAIN,
            ts_us=now_us,
            actor=actor,
            action="token.revoked",
            object=f"{found[0].kind} {found[0].name}",
            detail=found[0].id,
        )
    return found[0]


async def sign_out(store: Store, clock: Clock, *, name: str, actor: str) -> int:
    """End all sign-ins of a person, whoever vouched for them; how many there were.

    Raises: Invalid for what is no name.
    """
    person = person_name(name)
    async with store.transaction() as tx:
        n_ended = await tx.accounts.sign_out_all(person)
        await tx.audit.append(
            chain=CHAIN,
            ts_us=clock.now_us(),
            actor=actor,
            action="person.signed_out",
            object=person,
            detail=f"everywhere: {n_ended}",
        )
    return n_ended


def tokens_table(tokens: tuple[Token, ...], now_us: int) -> Table:
    """All of them, as a terminal shows them."""
    table = Table("id", "name", "role", "made", "by", "last used", "state", box=None)
    for token in tokens:
        cells = (
            token.id,
            token.name,
            token.role or token.kind,
            _day(token.created_us),
            token.created_by,
            _day(token.used_us) if token.used_us else "never",
            _state(token, now_us),
        )
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def effective_after_s() -> int:
    """Seconds after which a revoked token, or a sign-in that was ended, opens nothing anywhere."""
    return int(KEPT_S)


def _state(token: Token, now_us: int) -> str:
    if token.revoked_us is not None:
        return f"revoked {_day(token.revoked_us)}"
    return _until(token) if token.opens_at(now_us) else "expired"


def _until(token: Token) -> str:
    return f"until {_day(token.expires_us)}" if token.expires_us else "open"


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def _seconds(text: str) -> int:
    found = re.fullmatch(r"([1-9]\d{0,4})([hd])", text)
    if not found:
        raise Invalid(f"{text!r} is no time: write hours as 8h, days as 30d")
    return int(found[1]) * _UNITS_S[found[2]]
