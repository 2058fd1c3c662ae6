"""Jobs: work between legs, claimed by a lease with compare-and-set."""

from __future__ import annotations

from copilot.domain.errors import Conflict
from copilot.ports import Due, Job
from copilot.store.coding import digest16
from copilot.store.database import Database

_DUE = "(state = 'ready' AND run_us <= ?) OR (state = 'leased' AND lease_us < ?)"
_LOOK_AT = 8
"""Candidates a take looks at: others may win some of them."""


class SqlJobs:
    """Meets `copilot.ports.Jobs`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def put(self, queue: str, payload: str, *, run_us: int, dedupe: str = "") -> None:
        """See the port. The dedupe key is free again once the job is taken, unless it is kept."""
        sql = self._db.dialect.insert_new(
            "jobs", ("queue", "payload", "state", "run_us", "dedupe_key")
        )
        key = digest16(queue, dedupe) if dedupe else None
        await self._db.insert(sql, (queue, payload, "ready", run_us, key))

    async def take(
        self, queue: str, *, owner: str, now_us: int, lease_us: int, keeps_key: bool = False
    ) -> Job | None:
        """See the port; `lease_us` is how long the lease lasts."""
        key = "dedupe_key" if keeps_key else "NULL"
        candidates = await self._db.fetch_all(
            f"SELECT id, payload, attempts FROM jobs WHERE queue = ? AND ({_DUE}) "
            "ORDER BY run_us, id LIMIT ?",
            (queue, now_us, now_us, _LOOK_AT),
        )
        for row in candidates:
            won = await self._db.execute(
                "UPDATE jobs SET state = 'leased', lease_owner = ?, lease_us = ?, "
                f"attempts = attempts + 1, dedupe_key = {key} WHERE id = ? AND ({_DUE})",
                (owner, now_us + lease_us, row["id"], now_us, now_us),
            )
            if won == 1:
                return Job(
                    id=row["id"],
                    queue=queue,
                    payload=row["payload"],
                    attempts=row["attempts"] + 1,
                )
        return None

    async def renew(self, job: Job, *, now_us: int, lease_us: int) -> None:
        """See the port. A lease that ran out is renewed too, unless somebody else took the job."""
        renewed = await self._db.execute(
            "UPDATE jobs SET lease_us = ? WHERE id = ? AND state = 'leased' AND attempts = ?",
            (now_us + lease_us, job.id, job.attempts),
        )
        if renewed != 1:
            raise Conflict(f"job {job.id} ({job.queue}) is no longer ours")

    async def done(self, job: Job) -> None:
        """Nothing happens where the lease ran out and somebody else took it."""
        await self._db.execute(
            "DELETE FROM jobs WHERE id = ? AND state = 'leased' AND attempts = ?",
            (job.id, job.attempts),
        )

    async def again(self, job: Job, *, run_us: int, error: str) -> None:
        """Back to waiting until `run_us`; nothing happens where somebody else took it."""
        await self._db.execute(
            "UPDATE jobs SET state = 'ready', run_us = ?, lease_us = 0, last_error = ? "
            "WHERE id = ? AND state = 'leased' AND attempts = ?",
            (run_us, error, job.id, job.attempts),
        )

    async def due(self, now_us: int) -> tuple[Due, ...]:
        """See the port. The table holds only what is to be done: it is short."""
        rows = await self._db.fetch_all(
            "SELECT queue, state, COUNT(*) AS n, MIN(run_us) AS oldest_us FROM jobs "
            "WHERE run_us <= ? GROUP BY queue, state ORDER BY queue, state",
            (now_us,),
        )
        return tuple(
            Due(queue=row["queue"], state=row["state"], n=row["n"], oldest_us=row["oldest_us"])
            for row in rows
        )
