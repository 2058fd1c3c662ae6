"""Tokens for people and senders, made and closed by command or by an admin at a screen."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from copilot.domain.errors import Conflict, Invalid, NotFound
from copilot.domain.people import Role, Token, TokenKind, digest_of, person_name
from copilot.ports import Clock, Session, Store
from copilot.roles.people import CHAIN, KEPT_S

MAX_REASON_CHARS = 2_000
_UNITS_S = {"h": 3_600, "d": 86_400}


async def create(
    store: Store,
    clock: Clock,
    *,
    name: str,
    role: Role | None,
    expires: str,
    actor: str,
    reason: str = "",
) -> tuple[Token, str]:
    """A new token as it is kept, and itself, which is kept nowhere; without a role it is a sender's.

    The second time it makes none: whoever did not get to see the first revokes it.

    Raises:
        Invalid: the name, the time or the reason makes no sense.
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
    detail = _detail(f"{token.id} as {role or 'sender'}, {until(token)}", reason)

    async def add(tx: Session) -> None:
        # First: it locks the chain, so that of two who make the same one waits and sees the other.
        await tx.audit.append(
            chain=CHAIN,
            ts_us=now_us,
            actor=actor,
            action="token.created",
            object=f"{kind} {token.name}",
            detail=detail,
        )
        for other in await tx.accounts.tokens():
            if (other.kind, other.name) == (kind, token.name) and other.opens_at(now_us):
                raise Conflict(f"{token.name} has a token already; revoke {other.id} first")
        await tx.accounts.add(token)

    await store.run(add)
    return token, secret


async def revoke(store: Store, clock: Clock, *, which: str, actor: str, reason: str = "") -> Token:
    """Close the token with this id, or the open one of this name; and its sign-ins with it.

    Raises:
        NotFound: there is no open one.
        Invalid: it can be neither, or the reason makes no sense.
        Conflict: the name is of several.
    """
    now_us = clock.now_us()

    def chosen(tokens: tuple[Token, ...]) -> Token:
        opened = [token for token in tokens if token.opens_at(now_us)]
        found = [t for t in opened if t.id == which]
        found = found or [t for t in opened if t.name == person_name(which)]
        if not found:
            raise NotFound(f"no open token has the id or name {which!r}")
        if len(found) > 1:
            ids = ", ".join(token.id for token in found)
            raise Conflict(f"{which!r} names several; give an id: {ids}")
        return found[0]

    return await _close(store, chosen, now_us, actor=actor, reason=reason)


async def revoke_by_id(
    store: Store, clock: Clock, *, token_id: str, actor: str, reason: str = ""
) -> Token:
    """The same for exactly this one; where it opens nothing any more it stays as it is.

    Raises:
        NotFound: there is none.
        Invalid: the reason makes no sense.
    """

    def chosen(tokens: tuple[Token, ...]) -> Token:
        for token in tokens:
            if token.id == token_id:
                return token
        raise NotFound("there is no such token")

    return await _close(store, chosen, clock.now_us(), actor=actor, reason=reason)


async def _close(
    store: Store,
    chosen: Callable[[tuple[Token, ...]], Token],
    now_us: int,
    *,
    actor: str,
    reason: str,
) -> Token:
    _check_reason(reason)

    async def close(tx: Session) -> Token:
        token = chosen(await tx.accounts.tokens())
        if not token.opens_at(now_us) or not await tx.accounts.revoke(token.digest, at_us=now_us):
            return token
        await tx.audit.append(
            chain=CHAIN,
            ts_us=now_us,
            actor=actor,
            action="token.revoked",
            object=f"{token.kind} {token.name}",
            detail=_detail(token.id, reason),
        )
        return replace(token, revoked_us=now_us)

    return await store.run(close)


async def sign_out(store: Store, clock: Clock, *, name: str, actor: str) -> int:
    """End all sign-ins of a person, whoever vouched for them; how many there were.

    Raises: Invalid for what is no name.
    """
    person = person_name(name)

    async def end(tx: Session) -> int:
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

    return await store.run(end)


def effective_after_s() -> int:
    """Seconds after which a revoked token, or a sign-in that was ended, opens nothing anywhere."""
    return int(KEPT_S)


def until(token: Token) -> str:
    """For people: how long it opens."""
    return f"until {day(token.expires_us)}" if token.expires_us else "open"


def day(at_us: int) -> str:
    """To the minute, UTC."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def _detail(what: str, reason: str) -> str:
    _check_reason(reason)
    return f"{what}: {reason}" if reason else what


def _check_reason(reason: str) -> None:
    if len(reason) > MAX_REASON_CHARS:
        raise Invalid(f"a reason has {MAX_REASON_CHARS} characters at most")


def _seconds(text: str) -> int:
    found = re.fullmatch(r"([1-9]\d{0,4})([hd])", text)
    if not found:
        raise Invalid(f"{text!r} is no time: write hours as 8h, days as 30d")
    return int(found[1]) * _UNITS_S[found[2]]
