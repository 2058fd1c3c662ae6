"""Who is asking: tokens of people, of senders and of roles, and the cookie of a browser.

Nothing but `/healthz` answers without a token. A browser follows a link with `?token=` once and
gets a cookie that scripts cannot read and other sites cannot send.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from copilot.domain.errors import Refused, Unauthenticated

COOKIE = "copilot_session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """One token a kind; each opens only its own doors."""

    access: str
    sender: str
    agent: str


def load_tokens(path: Path, given: Mapping[str, str | None]) -> tuple[Tokens, bool]:
    """The tokens, and whether they were made just now.

    Given ones win; others come from the file, or are made and written there, readable by the owner
    only.
    """
    is_new = _write_once(
        path, {kind: secrets.token_urlsafe(24) for kind in ("access", "sender", "agent")}
    )
    kept: dict[str, str] = json.loads(path.read_text())
    return Tokens(**{kind: given.get(kind) or token for kind, token in kept.items()}), is_new


def _write_once(path: Path, tokens: Mapping[str, str]) -> bool:
    """Whether this process made the file; of several that start at once exactly one does."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as draft:
        json.dump(tokens, draft)
        draft.flush()
        try:
            path.hardlink_to(draft.name)
        except FileExistsError:
            return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorkeeper:
    """Checks tokens, in constant time."""

    tokens: Tokens
    user: str
    allowed_hosts: frozenset[str]

    def person(self, request: HTTPConnection) -> str:
        """The signed-in person's name.

        Raises:
            Unauthenticated: no token of a person.
            Refused: a cookie that came with another site's request.
        """
        bearer = _bearer(request.headers)
        if bearer and _same(bearer, self.tokens.access):
            return self.user
        cookie = request.cookies.get(COOKIE, "")
        if cookie and _same(cookie, self.tokens.access):
            self._check_origin(request)
            return self.user
        raise Unauthenticated(
            "sign in first: open the link that `incident-copilot up` printed, "
            "or send the access token as `Authorization: Bearer`"
        )

    def sender(self, headers: Mapping[str, str]) -> str:
        """The sender's name.

        Raises:
            Unauthenticated: no sender token.
        """
        given = _bearer(headers) or headers.get("x-api-key", "") or _basic_password(headers)
        if given and _same(given, self.tokens.sender):
            return "sender"
        raise Unauthenticated(
            "send the sender token as `Authorization: Bearer`, `X-Api-Key` or basic password"
        )

    def is_access_token(self, token: str) -> bool:
        """Whether this is a person's token."""
        return _same(token, self.tokens.access)

    def check_host(self, host: str) -> None:
        """Raises: Refused where the request is addressed to a name that is not ours."""
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name not in self.allowed_hosts and "*" not in self.allowed_hosts:
            raise Refused(f"host {name!r} is not in COPILOT_ALLOWED_HOSTS")

    def _check_origin(self, request: HTTPConnection) -> None:
        origin = request.headers.get("origin")
        if origin and urlsplit(origin).netloc != request.headers.get("host"):
            raise Refused(f"a request from {origin} may not use this session")


def _same(given: str, ours: str) -> bool:
    return hmac.compare_digest(given.encode(), ours.encode())


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
