"""Work that waits in the store: jobs, and messages to people."""

from __future__ import annotations

from typing import Protocol

import msgspec

from copilot.domain.notification import Delivery, Notification, NotificationId


class Job(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    queue: str
    payload: str
    attempts: int


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """How much waits in a queue."""

    queue: str
    state: str
    """`ready` or `leased`."""
    n: int
    oldest_us: int
    """Since when the oldest has been due; 0 for none."""


class Jobs(Protocol):
    """Work between legs: committed with what caused it, claimed by a lease."""

    async def put(self, queue: str, payload: str, *, run_us: int, dedupe: str = "") -> None:
        """With a `dedupe` key, a job that is still waiting is not doubled."""
        ...

    async def take(
        self, queue: str, *, owner: str, now_us: int, lease_us: int, keeps_key: bool = False
    ) -> Job | None:
        """The next due job, or one whose lease ran out. Where it keeps its key there is no second
        of that key as long as it is not done."""
        ...

    async def renew(self, job: Job, *, now_us: int, lease_us: int) -> None:
        """Keep it for longer.

        Raises:
            Conflict: it is no longer ours.
        """
        ...

    async def done(self, job: Job) -> None: ...

    async def again(self, job: Job, *, run_us: int, error: str) -> None: ...

    async def due(self, now_us: int) -> tuple[Due, ...]:
        """What is due or under way, by queue and state."""
        ...


class Unsent(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in the outbox."""

    n: int
    tries: int
    """The most that one of them has had."""
    oldest_us: int
    """When the first of them is, or was, to be sent; 0 for none."""


class Outbox(Protocol):
    async def put(self, notification: Notification, *, due_us: int) -> None:
        """Once for each `dedupe_key`."""
        ...

    async def take(self, *, owner: str, now_us: int, lease_us: int) -> Notification | None:
        """The next due one. One whose lease ran out while sending has an unknown outcome: it is
        marked so, and not given again."""
        ...

    async def settle(
        self, notification_id: NotificationId, *, delivery: Delivery, error: str, retry_us: int
    ) -> None: ...

    async def unsent(self) -> Unsent: ...
