"""What is only ever added to: the audit chains and the feed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from copilot.domain.incident import FeedEntry, IncidentId


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    chain: str
    seq: int
    ts_us: int
    actor: str
    action: str
    object: str
    detail: str
    prev_hash: str
    hash: str


class CheckedChain(msgspec.Struct, frozen=True, kw_only=True):
    """One chain of the audit log, its hashes computed anew. `n` of its entries hold; where `fault`
    says what is wrong, `broken_at` is the number of the first that does not."""

    chain: str
    n: int
    broken_at: int
    fault: str
    hash: str
    """Of its last entry; empty where it does not hold."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where a chain was found to hold, and the hash of that entry."""

    seq: int
    hash: str


class Audit(Protocol):
    """Append-only, hash-chained."""

    async def append(
        self, *, chain: str, ts_us: int, actor: str, action: str, object: str, detail: str
    ) -> AuditRow: ...

    async def rows(self, *, chain: str = "", after: int = 0, limit: int) -> tuple[AuditRow, ...]:
        """Newest first; `after` is an offset."""
        ...

    async def broken(self) -> tuple[str, ...]:
        """Chains whose hashes do not add up."""
        ...

    async def check(
        self,
        *,
        after: str = "",
        limit: int,
        held: Mapping[str, Held] | None = None,
        is_whole: bool = False,
    ) -> tuple[CheckedChain, ...]:
        """The next chains in the order of their names, each hashed anew from its beginning.

        Where some `held` before, only what follows that is read, and held against its hash; unless
        `is_whole`: then all is read, and must lead through what held.
        """
        ...

    async def entries(
        self, *, after: tuple[str, int] = ("", 0), limit: int
    ) -> tuple[AuditRow, ...]:
        """All there are, chain by chain and oldest first, from after a chain and number."""
        ...


class Feed(Protocol):
    async def append(
        self,
        *,
        cluster: str,
        ts_us: int,
        kind: str,
        incident_id: IncidentId | None,
        detail: str = "",
    ) -> FeedEntry: ...

    async def since(self, cluster: str, seq: int, limit: int) -> tuple[FeedEntry, ...]: ...

    async def head(self, cluster: str) -> int: ...

    async def oldest(self, cluster: str) -> int:
        """The smallest number that is still kept, 0 for none."""
        ...
