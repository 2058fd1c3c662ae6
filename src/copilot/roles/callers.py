"""Which role is calling: whoever asks an agent shows who it is, and each agent knows who may ask it.

In a cluster it is the calling pod's service account: a projected token with an audience of ours,
which the API server reviews. Where there is no cluster it is one key that all roles share. A setting
says which of the two holds; neither stands in for the other.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog

from copilot.domain.errors import CopilotError, Refused, Unauthenticated, Unavailable
from copilot.ports import Clock, TokenReviews

AUDIENCE = "incident-copilot"
"""Of the token; one for the API server itself, which is mounted everywhere, does not do."""

FRESH_US = 60_000_000
"""For how long an answer is taken for true without asking again: a pod that was deleted is let in
for that long at most."""
KEPT_US = 600_000_000
"""For how long it serves while the API server does not answer; never beyond the token's own end."""
REFUSED_US = 5_000_000
"""For how long a no is remembered."""
MOST_KEPT = 256
MOST_ASKED_AT_ONCE = 4
MOST_WAITING = 32
MAX_TOKEN = 8192
"""Bytes; projected ones have about 1 000."""

log = structlog.get_logger(__name__)


class Callers(Protocol):
    """Lets other roles in."""

    async def check(self, headers: Mapping[str, str], may_ask: Collection[str]) -> None:
        """Lets one of these in.

        Raises:
            Unauthenticated: it is no role of this co-pilot.
            Refused: it is another role.
            Unavailable: nobody can tell at the moment.
        """
        ...


class SharedKey:
    """One key for all roles, which says that it is a role, not which one."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def check(self, headers: Mapping[str, str], may_ask: Collection[str]) -> None:
        given = bearer(headers)
        if not given or not hmac.compare_digest(given.encode(), self._key.encode()):
            raise Unauthenticated("only roles of this co-pilot may ask agents")


class Nobody:
    """For roles that nobody asks."""

    async def check(self, headers: Mapping[str, str], may_ask: Collection[str]) -> None:
        raise Unauthenticated("no role asks this one")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    username: str
    """Empty: the cluster knows no such token."""
    at_us: int


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says of itself: nothing is believed because of it."""

    sub: str = ""
    exp: int = 0

    @property
    def ends_us(self) -> int:
        return self.exp * 1_000_000


class ServiceAccounts:
    """By the service account of the calling pod, as the API server tells it."""

    def __init__(self, reviews: TokenReviews, clock: Clock, *, namespace: str) -> None:
        # `namespace` is where the co-pilot is installed: an account of that name elsewhere is
        # somebody else's.
        self._reviews = reviews
        self._clock = clock
        self._prefix = f"system:serviceaccount:{namespace}:"
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._at_once = asyncio.Semaphore(MOST_ASKED_AT_ONCE)
        self._n_waiting = 0

    async def check(self, headers: Mapping[str, str], may_ask: Collection[str]) -> None:
        token = bearer(headers)
        claims = _claims(token)
        now_us = self._clock.now_us()
        if claims is None or not claims.sub.startswith(self._prefix) or claims.ends_us <= now_us:
            # What does not even say so itself is not worth a question to the API server.
            raise Unauthenticated(
                f"only roles of this co-pilot may ask agents, each with a token of its service "
                f"account for the audience {AUDIENCE}"
            )
        username = await self._whose(token)
        if not username.startswith(self._prefix):
            raise Unauthenticated("the cluster does not take this for a token of a role")
        role = username.removeprefix(self._prefix)
        if role not in may_ask:
            raise Refused(f"{role[:63]} may not ask this agent; {', '.join(sorted(may_ask))} may")

    async def _whose(self, token: str) -> str:
        key = hashlib.sha256(token.encode()).digest()
        known = self._known.get(key)
        now_us = self._clock.now_us()
        if known is not None:
            fresh_us = FRESH_US if known.username else REFUSED_US
            if now_us - known.at_us < fresh_us:
                return known.username
        try:
            username = await self._review(token)
        except CopilotError as error:
            return self._as_before(known, error)
        self._known[key] = _Known(username=username, at_us=now_us)
        self._known.move_to_end(key)
        while len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)
        return username

    def _as_before(self, known: _Known | None, error: CopilotError) -> str:
        """The API server does not say: what it said lately holds, of others nobody knows."""
        log.warning("callers.not_reviewed", error=error.message)
        now_us = self._clock.now_us()
        if known is not None and known.username and now_us - known.at_us < KEPT_US:
            return known.username
        raise Unavailable(f"who is calling cannot be told: {error.message}") from error

    async def _review(self, token: str) -> str:
        if self._n_waiting >= MOST_WAITING:
            raise Unavailable("too many callers show tokens that are not known yet")
        self._n_waiting += 1
        try:
            async with self._at_once:
                return await self._reviews.whose(token, audience=AUDIENCE)
        finally:
            self._n_waiting -= 1


def _claims(token: str) -> _Claims | None:
    parts = token.split(".")
    if len(token) > MAX_TOKEN or len(parts) != 3:
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(payload, type=_Claims)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None


def bearer(headers: Mapping[str, str]) -> str:
    """The token of `Authorization: Bearer`, empty where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
