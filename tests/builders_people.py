"""Shortest ways to make tokens and sign-ins."""

from __future__ import annotations

from copilot.domain.people import Role, SignIn, Token, TokenKind, digest_of
from tests.builders_store import NOW_US

HOUR_US = 3_600_000_000


def a_token(
    secret: str,
    *,
    name: str = "ada",
    kind: TokenKind = TokenKind.PERSON,
    role: Role | None = Role.RESPONDER,
    created_us: int = NOW_US,
    expires_us: int | None = None,
    used_us: int | None = None,
    revoked_us: int | None = None,
) -> Token:
    return Token(
        digest=digest_of(secret),
        kind=kind,
        name=name,
        role=role,
        created_us=created_us,
        created_by="root",
        expires_us=expires_us,
        used_us=used_us,
        revoked_us=revoked_us,
    )


def a_sign_in(
    cookie: str,
    *,
    name: str = "ada",
    role: Role = Role.RESPONDER,
    token: bytes | None = None,
    seen_us: int = NOW_US,
    expires_us: int = NOW_US + HOUR_US,
) -> SignIn:
    return SignIn(
        digest=digest_of(cookie),
        name=name,
        role=role,
        via="token",
        token=token,
        created_us=NOW_US,
        seen_us=seen_us,
        expires_us=expires_us,
    )
