"""People and senders: what they may do, and what says that it is they. Pure; nothing here does I/O."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from copilot.domain.errors import Invalid

MAX_NAME_CHARS = 128
_SPACES = re.compile(r"\s+")


class Role(StrEnum):
    """What a person may do; each may all that those before it may."""

    VIEWER = "viewer"
    """Reads."""
    RESPONDER = "responder"
    """Handles incidents: acknowledges, comments, approves, rejects, resolves."""
    ADMIN = "admin"
    """Breaks things on purpose, and says who may come in."""

    def may(self, needed: Role) -> bool:
        """Whether this one may what `needed` may."""
        return _ORDER.index(self) >= _ORDER.index(needed)


_ORDER = tuple(Role)


class TokenKind(StrEnum):
    PERSON = "person"
    SENDER = "sender"


class TokenState(StrEnum):
    OPEN = "open"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token as it is kept: its hash, never itself."""

    digest: bytes
    kind: TokenKind
    name: str
    role: Role | None
    """None of senders: they only send."""
    created_us: int
    created_by: str
    expires_us: int | None
    used_us: int | None
    """Coarse: within an hour."""
    revoked_us: int | None

    @property
    def id(self) -> str:
        """Short, for people; says nothing about the token."""
        return self.digest.hex()[:12]

    def state_at(self, now_us: int) -> TokenState:
        if self.revoked_us is not None:
            return TokenState.REVOKED
        is_over = self.expires_us is not None and now_us >= self.expires_us
        return TokenState.EXPIRED if is_over else TokenState.OPEN

    def opens_at(self, now_us: int) -> bool:
        """Whether it lets anybody in."""
        return self.state_at(now_us) is TokenState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A person at one browser, from signing in until it ends; kept by the hash of its cookie."""

    digest: bytes
    name: str
    role: Role
    via: str
    """`token`, or the address of who vouched for them."""
    token: bytes | None
    """The digest of the token it was opened with: it ends with that."""
    created_us: int
    seen_us: int
    """Coarse: within some minutes."""
    expires_us: int

    def holds_at(self, now_us: int, idle_us: int) -> bool:
        """Whether it still lets them in, when nobody may be away for longer than `idle_us`."""
        return now_us < self.expires_us and now_us < self.seen_us + idle_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A browser that was sent away to sign in elsewhere, and may come back once."""

    state: bytes
    """The hash of what it brings back."""
    nonce: str
    verifier: str
    goes_to: str
    expires_us: int


def digest_of(secret: str) -> bytes:
    """By what a token or cookie is found. It is random and long, so that a plain hash will do."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def person_name(text: str) -> str:
    """A name as it is recorded: one person has one, however it was typed.

    Raises:
        Invalid: empty, too long, or with characters that do not show.
    """
    name = _SPACES.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()
    if not name or len(name) > MAX_NAME_CHARS:
        raise Invalid(f"a name has 1 to {MAX_NAME_CHARS} characters")
    if any(unicodedata.category(char)[0] == "C" for char in name):
        raise Invalid("a name has no characters that do not show")
    return name
