"""The outbox: messages to people, written with what they tell of, sent afterwards."""

from __future__ import annotations

from dataclasses import replace

from copilot.domain.notification import Delivery, Notification, NotificationId
from copilot.ports import Unsent
from copilot.store.coding import clip, digest16, from_json, to_json
from copilot.store.database import Database

_LOOK_AT = 8
"""Candidates a take looks at: others may win some of them."""


class SqlOutbox:
    """Meets `copilot.ports.Outbox`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def put(self, notification: Notification, *, due_us: int) -> None:
        """Once for each `dedupe_key`, ever. The id that comes in is ignored."""
        columns = ("incident_id", "channel", "dedupe_key", "payload", "status", "next_us")
        await self._db.insert(
            self._db.dialect.insert_new("notifications", columns),
            (
                notification.incident_id,
                notification.channel,
                digest16(notification.dedupe_key),
                to_json(notification),
                "waiting",
                due_us,
            ),
        )

    async def take(self, *, owner: str, now_us: int, lease_us: int) -> Notification | None:
        """See the port; `lease_us` is how long the sender may take."""
        await self._db.execute(
            "UPDATE notifications SET status = 'unknown', "
            "last_error = 'the sender was interrupted; it may have arrived' "
            "WHERE status = 'sending' AND lease_us < ?",
            (now_us,),
        )
        rows = await self._db.fetch_all(
            "SELECT id, payload, attempts FROM notifications "
            "WHERE status = 'waiting' AND next_us <= ? ORDER BY next_us, id LIMIT ?",
            (now_us, _LOOK_AT),
        )
        for row in rows:
            won = await self._db.execute(
                "UPDATE notifications SET status = 'sending', lease_owner = ?, lease_us = ?, "
                "attempts = attempts + 1 WHERE id = ? AND status = 'waiting'",
                (owner, now_us + lease_us, row["id"]),
            )
            if won == 1:
                return replace(
                    from_json(row["payload"], Notification),
                    id=NotificationId(row["id"]),
                    attempts=row["attempts"] + 1,
                )
        return None

    async def settle(
        self, notification_id: NotificationId, *, delivery: Delivery, error: str, retry_us: int
    ) -> None:
        """What became of it. `retry_us` is when to try again where it was surely not delivered,
        0 to give up."""
        status = str(delivery)
        if delivery is Delivery.NOT_DELIVERED:
            status = "waiting" if retry_us else "failed"
        await self._db.execute(
            "UPDATE notifications SET status = ?, last_error = ?, "
            "next_us = CASE WHEN ? > 0 THEN ? ELSE next_us END "
            "WHERE id = ? AND status IN ('sending', 'unknown')",
            (status, clip(error, 2_000), retry_us, retry_us, notification_id),
        )

    async def unsent(self) -> Unsent:
        """See the port."""
        row = await self._db.fetch_one(
            "SELECT COUNT(*) AS n, COALESCE(MAX(attempts), 0) AS tries, "
            "COALESCE(MIN(next_us), 0) AS oldest_us FROM notifications WHERE status = 'waiting'"
        )
        if row is None:
            return Unsent(n=0, tries=0, oldest_us=0)
        return Unsent(n=row["n"], tries=row["tries"], oldest_us=row["oldest_us"])
