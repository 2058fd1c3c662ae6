"""A channel to people."""

from __future__ import annotations

from typing import Protocol

from copilot.domain.notification import Delivery, Notification


class Notifier(Protocol):
    """One channel to people."""

    async def deliver(self, notification: Notification) -> tuple[Delivery, str]: ...
