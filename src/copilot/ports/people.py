"""Tokens, sign-ins and sessions of people and senders."""

from __future__ import annotations

from typing import Protocol

from copilot.domain.people import Login, SignIn, Token


class Accounts(Protocol):
    """Who may come in. What opens is never kept, only its hash, and found by that."""

    async def add(self, token: Token) -> None:
        """Raises: Clash where there is one with this hash."""
        ...

    async def token(self, digest: bytes) -> Token | None:
        """Revoked and expired ones too."""
        ...

    async def tokens(self) -> tuple[Token, ...]:
        """Newest first, 1000 at most."""
        ...

    async def revoke(self, digest: bytes, *, at_us: int) -> bool:
        """Closes it for good, and ends what was signed in with it; whether it was open. Also for
        one that is not kept here: only its sign-ins end then."""
        ...

    async def used(self, digest: bytes, *, at_us: int) -> None: ...

    async def sign_in(self, sign_in: SignIn) -> None: ...

    async def sign_in_of(self, digest: bytes) -> SignIn | None:
        """Expired ones too, until they are forgotten."""
        ...

    async def seen(self, digest: bytes, *, at_us: int) -> None: ...

    async def sign_out(self, digest: bytes) -> None:
        """Harmless where it ended already."""
        ...

    async def sign_out_all(self, name: str) -> int:
        """How many sign-ins of the person ended."""
        ...

    async def send_away(self, login: Login) -> None: ...

    async def take_back(self, state: bytes) -> Login | None:
        """It, once: whoever brings the same again gets None."""
        ...

    async def forget(self, *, before_us: int) -> None:
        """Sign-ins and logins that expired before then."""
        ...
