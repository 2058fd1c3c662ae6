"""Loops that do queued work: legs 2 and 3, the index, the outbox, and what the store puts off."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field

import structlog

from copilot.deadline import within
from copilot.domain.errors import Clash, CopilotError, Unavailable
from copilot.domain.incident import IncidentId
from copilot.domain.notification import Delivery
from copilot.domain.proposal import ProposalId
from copilot.domain.retention import Policy
from copilot.flow import CONSULT, INVESTIGATE, REMEDIATE, Flow
from copilot.ports import Agents, Clock, Embedder, Job, Store
from copilot.roles.drain import Drain
from copilot.roles.figures import Figures
from copilot.roles.health import Health
from copilot.search.indexing import catch_up
from copilot.telemetry import NOT_TRACED, Traced, doing

log = structlog.get_logger(__name__)

INDEX = "index"
"""One job that always waits or runs: its lease makes one process the one that keeps the index."""

POLL_S = 0.1
INDEX_PAUSES_S = (2, 60)
"""Between two looks at what the index lacks: fifty times as long as a look takes, within these."""
WATCH = "watch"
"""One job for each cluster, never done, held by the watcher that watches."""
WATCH_LEASE_US = 6_000_000
"""How long nobody may look after a watcher was killed."""
WATCH_POLL_S = 1.0
RETENTION = "retention"
RETENTION_POLL_S = 10.0
LEASE_US = 15_000_000
INVESTIGATE_S = 180.0
CONSULT_S = 240.0
"""For the whole leg; whom it asks is told what is left of it."""
GIVE_BACK_S = 2.0
RETRIES = 8
TIDY_S = 1.0
PACKED_PAUSE_S = 0.2
"""After a segment was packed: what comes in goes before."""
OUTBOX_LEASE_US = 60_000_000
OUTBOX_PAUSE_S = 300
OUTBOX_TRIES = 50
"""Some three and a half hours; what nobody took by then is no news any more."""

Loop = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """The loops of one process. Cancelling one leaves its job for whoever comes next."""

    store: Store
    flow: Flow
    agents: Agents
    clock: Clock
    owner: str
    embedder: Embedder
    keep: Policy = field(default_factory=dict)
    """How long each tier of the store is kept."""
    retention_s: int = 3600
    """Between two looks at what is to go."""
    figures: Figures = field(default_factory=Figures)
    health: Health | None = None
    """Is told how legs end."""
    drain: Drain = field(default_factory=Drain)
    """Once it is on, no job is taken any more; what is in hand goes on until it is cut off, and is
    given back then."""

    async def investigate(self) -> None:
        """Leg 2, for ever."""
        await self._work(
            INVESTIGATE,
            lambda job: self.flow.investigate(IncidentId(int(job.payload))),
            within_s=INVESTIGATE_S,
        )

    async def consult(self) -> None:
        """What a language model may add, for ever."""
        await self._work(
            CONSULT,
            lambda job: self.flow.consult(IncidentId(int(job.payload))),
            within_s=CONSULT_S,
        )

    async def remediate(self) -> None:
        """Leg 3, for ever."""
        await self._work(REMEDIATE, self._remediate)

    async def _remediate(self, job: Job) -> None:
        proposal_id = ProposalId(int(job.payload))
        async with self.store.view() as view:
            proposal = await view.remediation.get(proposal_id)
        with doing("remediate", incident_id=proposal.incident_id):
            await self.flow.remediate(proposal_id)

    async def watch(self, cluster: str, watch: Loop) -> None:
        """Follow the cluster, for ever: of all watchers of it the one that holds the job does, and
        another takes over where it goes or falls silent. Two would read every log twice."""
        queue = f"{WATCH}:{hashlib.blake2b(cluster.encode(), digest_size=8).hexdigest()}"

        async def ask() -> None:
            now_us = self.clock.now_us()
            await self.store.run(lambda tx: tx.jobs.put(queue, "", run_us=now_us, dedupe=WATCH))

        async def hold(job: Job) -> None:
            watching = asyncio.ensure_future(watch())
            going = asyncio.ensure_future(self.drain.begun())
            try:
                await asyncio.wait((watching, going), return_when=asyncio.FIRST_COMPLETED)
                if watching.done():
                    await watching
            finally:
                for task in (watching, going):
                    task.cancel()
                await asyncio.gather(watching, going, return_exceptions=True)

        await self._work(
            queue,
            hold,
            first=ask,
            poll_s=WATCH_POLL_S,
            lease_us=WATCH_LEASE_US,
            is_standing=True,
        )

    async def index(self) -> None:
        """Keep the index up to date, for ever."""
        await self._work(INDEX, self._index, first=self._look_at_index_in)

    async def _index(self, job: Job) -> None:
        started_us = self.clock.now_us()
        n = await catch_up(self.store, self.embedder, self.clock)
        took_s = (self.clock.now_us() - started_us) / 1_000_000
        shortest, longest = INDEX_PAUSES_S
        await self._look_at_index_in(shortest if n else min(max(shortest, 50 * took_s), longest))

    async def _look_at_index_in(self, seconds: float = 0) -> None:
        run_us = self.clock.now_us() + round(seconds * 1_000_000)
        await self.store.run(lambda tx: tx.jobs.put(INDEX, "", run_us=run_us, dedupe=INDEX))

    async def retain(self) -> None:
        """Retention, for ever. All processes wait for the same job, so one does it at a time."""
        await self._work(RETENTION, self._retire, poll_s=RETENTION_POLL_S, first=self._plan)

    async def _plan(self, in_s: float = 0) -> None:
        at_us = self.clock.now_us() + int(in_s * 1_000_000)
        await self.store.run(lambda tx: tx.jobs.put(RETENTION, "", run_us=at_us, dedupe="next"))

    async def _retire(self, job: Job) -> None:
        await self._plan(self.retention_s)  # first: a failure must not be the last try
        await self.store.make_days()
        for went in await self.store.retire(self.keep):
            if went.n:
                self.figures.retired.add(went.tier, n=went.n)
                log.info(
                    "store.retired",
                    tier=went.tier,
                    n=went.n,
                    bytes=went.bytes,
                    before_us=went.before_us,
                    reason=went.reason,
                )

    async def _work(
        self,
        queue: str,
        handle: Callable[[Job], Awaitable[None]],
        *,
        poll_s: float = POLL_S,
        first: Loop | None = None,
        within_s: float = math.inf,
        lease_us: int = LEASE_US,
        is_standing: bool = False,
    ) -> None:
        """Until the process is cancelled; from a drain on it takes nothing and waits for that. A job
        that stands is never done and never a second time there: it is handed on."""
        while not self.drain.is_on:
            try:
                if first is not None:
                    await first()
                    first = None
                if not await self._work_once(
                    queue, handle, within_s=within_s, lease_us=lease_us, is_standing=is_standing
                ):
                    await asyncio.sleep(poll_s)
            except (Unavailable, Clash) as error:
                # the store's: a job in hand is taken again by its lease
                log.warning("store.unavailable", queue=queue, error=error.message)
                await asyncio.sleep(1)
        await asyncio.Event().wait()

    async def _work_once(
        self,
        queue: str,
        handle: Callable[[Job], Awaitable[None]],
        *,
        within_s: float,
        lease_us: int,
        is_standing: bool,
    ) -> bool:
        """Whether there was a job."""
        job = await self.store.run(
            lambda tx: tx.jobs.take(
                queue,
                owner=self.owner,
                now_us=self.clock.now_us(),
                lease_us=lease_us,
                keeps_key=is_standing,
            )
        )
        if job is None:
            return False
        leg = queue.partition(":")[0]
        try:
            with self.figures.leg(leg), self._told(job):
                async with self._kept(job, lease_us), within(within_s, queue):
                    await handle(job)
        except asyncio.CancelledError:
            await self._give_back(job)
            raise
        except Exception as error:  # noqa: BLE001  # the worker loop: a bug must not end it
            self._ended(leg, well=False)
            await self._put_back(job, error)
        else:
            self._ended(leg, well=True)
            if is_standing:
                await self._give_back(job)
            else:
                await self.store.run(lambda tx: tx.jobs.done(job))
        return True

    def _told(self, job: Job) -> AbstractContextManager[Traced]:
        """One trace for the leg, with its incident."""
        if job.queue in (INDEX, RETENTION) or job.queue.startswith(WATCH):
            return nullcontext(NOT_TRACED)
        if job.queue == REMEDIATE:
            return doing(f"leg {job.queue}", {"copilot.proposal.id": job.payload})
        return doing(f"leg {job.queue}", incident_id=int(job.payload))

    def _ended(self, leg: str, *, well: bool) -> None:
        if self.health is not None:
            self.health.ended(leg, well=well)

    @asynccontextmanager
    async def _kept(self, job: Job, lease_us: int) -> AsyncIterator[None]:
        """Keeps the lease alive meanwhile; a lost lease cancels the work."""
        async with asyncio.TaskGroup() as group:
            renewal = group.create_task(self._renew(job, lease_us))
            try:
                yield
            finally:
                renewal.cancel()

    async def _renew(self, job: Job, lease_us: int) -> None:
        while True:
            await asyncio.sleep(lease_us / 3 / 1_000_000)
            await self.store.run(
                lambda tx: tx.jobs.renew(job, now_us=self.clock.now_us(), lease_us=lease_us)
            )

    async def _give_back(self, job: Job) -> None:
        """This process stops: another one may take it at once."""
        with suppress(CopilotError, TimeoutError):
            async with asyncio.timeout(GIVE_BACK_S):
                now_us = self.clock.now_us()
                await self.store.run(lambda tx: tx.jobs.again(job, run_us=now_us, error=""))

    async def _put_back(self, job: Job, error: Exception) -> None:
        """Try again later, longer each time; a bug is given up after `RETRIES`.

        Except a bug in leg 3: what was approved must come to an end that people can see. And the
        index and the watch: nobody would begin with them again.
        """
        is_expected = isinstance(_innermost(error), CopilotError)
        log.warning(
            "job.failed",
            queue=job.queue,
            payload=job.payload,
            attempts=job.attempts,
            error=str(_innermost(error)),
            exc_info=None if is_expected else error,
        )
        is_given_up = job.attempts >= RETRIES and job.queue in (INVESTIGATE, CONSULT, RETENTION)
        if is_given_up and not is_expected:
            await self.store.run(lambda tx: tx.jobs.done(job))
            return
        run_us = self.clock.now_us() + min(2 ** min(job.attempts, 5), 30) * 500_000
        why = str(_innermost(error))[:500]
        await self.store.run(lambda tx: tx.jobs.again(job, run_us=run_us, error=why))

    async def tidy(self) -> None:
        """What is put off when lines come in, for ever: counts that lag, segments to pack."""
        while True:
            pause_s = TIDY_S
            try:
                await self.store.settle()
                if await self.store.pack():
                    pause_s = PACKED_PAUSE_S
            except (Unavailable, Clash) as error:
                log.warning("store.unavailable", error=error.message)
            except Exception as error:  # the worker loop: a bug must not end it
                log.error("tidying.broke", exc_info=error)
            await asyncio.sleep(pause_s)

    async def report(self) -> None:
        """Send what waits in the outbox, for ever; from a drain on nothing more."""
        while True:
            if self.drain.is_on:
                await asyncio.Event().wait()
            try:
                was_due = await self.send_one()
            except (Unavailable, Clash) as error:
                log.warning("store.unavailable", error=error.message)
                was_due = False
            if not was_due:
                await asyncio.sleep(0.5)

    async def send_one(self) -> bool:
        """Send the next message that is due; whether there was one."""
        message = await self.store.run(
            lambda tx: tx.outbox.take(
                owner=self.owner, now_us=self.clock.now_us(), lease_us=OUTBOX_LEASE_US
            )
        )
        if message is None:
            return False
        try:
            delivery, error = await self.agents.notify(message)
        except CopilotError as failure:
            delivery, error = Delivery.UNKNOWN, failure.message
        except Exception as failure:  # the worker loop: a bug must not end it
            delivery, error = Delivery.UNKNOWN, f"a bug of ours: {type(failure).__name__}"
            log.error("notification.broke", channel=message.channel, exc_info=failure)
        if delivery not in (Delivery.DELIVERED, Delivery.NOT_SET_UP):
            log.warning(
                "notification.failed",
                channel=message.channel,
                incident_id=message.incident_id,
                delivery=delivery,
                attempts=message.attempts,
                error=error,
            )
        sent, outcome, why = message, delivery, error
        self.figures.deliveries.add(sent.channel, outcome)
        await self.store.run(
            lambda tx: tx.outbox.settle(
                sent.id, delivery=outcome, error=why, retry_us=self._retry_us(sent.attempts)
            )
        )
        return True

    def _retry_us(self, attempts: int) -> int:
        """When a message that surely did not arrive is sent again, 0 for never."""
        if attempts >= OUTBOX_TRIES:
            return 0
        return self.clock.now_us() + min(1 << attempts, OUTBOX_PAUSE_S) * 1_000_000


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
