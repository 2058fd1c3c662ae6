"""The store: transactions over everything that is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from copilot.domain.retention import Policy, Retired
from copilot.ports.incidents import Incidents
from copilot.ports.knowledge import Index, Memories, Runbooks
from copilot.ports.objects import Objects
from copilot.ports.people import Accounts
from copilot.ports.queues import Jobs, Outbox
from copilot.ports.records import Audit, Feed
from copilot.ports.remediation import Remediation
from copilot.ports.telemetry import Telemetry

T = TypeVar("T")


class Session(Protocol):
    """One transaction, or one consistent look. Parts share it."""

    @property
    def telemetry(self) -> Telemetry: ...
    @property
    def objects(self) -> Objects: ...
    @property
    def incidents(self) -> Incidents: ...
    @property
    def remediation(self) -> Remediation: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def feed(self) -> Feed: ...
    @property
    def memories(self) -> Memories: ...
    @property
    def runbooks(self) -> Runbooks: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def index(self) -> Index: ...
    @property
    def accounts(self) -> Accounts: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the store's database can do. It works without any of these, only slower."""

    kind: str
    """`SQLite`, `TiDB`, `MariaDB`, `MySQL`."""
    version: str
    vector_type: bool
    vector_index: bool
    full_text: bool
    partitions: bool
    auto_random: bool


class Store(Protocol):
    """Nothing outside the process is awaited inside a transaction."""

    async def run(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Do the work in one transaction, and all of it again where it clashed with somebody's.

        So the work changes nothing but the session, or does what may be done twice. Raises:
        Clash where it clashed every time.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """Read and write; commits on a clean exit (durable then), rolls back on any error."""
        ...

    def view(self) -> AbstractAsyncContextManager[Session]:
        """Read only, one snapshot, never waits for a writer."""
        ...

    async def migrate(self) -> tuple[str, ...]:
        """Apply what is missing; the names of what was applied. Harmless the second time."""
        ...

    async def retire(self, policy: Policy, *, is_dry: bool = False) -> tuple[Retired, ...]:
        """Remove what is older or more than is kept, in many short transactions of its own; with
        `is_dry` only say what would go. Cut off, it has less to do the next time."""
        ...

    async def settle(self) -> None:
        """Write the counts of this process that lag behind their lines, by a second at most where
        this is called as often."""
        ...

    async def pack(self) -> bool:
        """Do one step of what is put off when lines come in: merge what came in small pieces, make
        the ids in it findable. Whether there was anything to do; harmless while others do it."""
        ...

    async def make_days(self) -> tuple[str, ...]:
        """Make room for the coming days where tables are parted by day; what was made. Once a day;
        harmless more often."""
        ...

    async def index_vectors(self, model: str) -> None:
        """Let a vector index of the database follow, where it has one; harmless elsewhere."""
        ...

    async def capabilities(self) -> Capabilities: ...

    async def close(self) -> None: ...
