"""What ails the co-pilot itself: looked for all the time, told on `/readyz?verbose`, on `/metrics`
and on the settings page. Never as an incident: incidents are the cluster's.

Each process knows its own troubles, and those that the store shows to all.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import structlog

from copilot.domain.errors import Clash, Unavailable
from copilot.domain.incident import Status
from copilot.ports import Clock, Embedder, Session, Store
from copilot.roles.figures import Figures
from copilot.roles.index_view import index_view
from copilot.roles.views import Trouble

log = structlog.get_logger(__name__)

LOOK_S = 10.0
COUNT_S = 60.0
"""Counting what lies in the store takes time where there is much: not with every look."""
SLOW_S = 1.0
"""For a question that takes a millisecond."""
SLOW_LOOKS = 3
FAILED_TIMES = 3
LATE_S = 120.0
"""Due work that nobody took, messages that nobody sent."""
MANY_TRIES = 8
"""Of a message: some four minutes."""
BEHIND_S = 60.0
MINUTE_S = 60.0
MANY_REFUSALS = 3
SCARCE_SHARE = 0.05
SCARCE_BYTES = 512 * 2**20


class Ailment(StrEnum):
    """Every trouble that is looked for."""

    STORE = "store"
    LEG = "leg"
    WORK = "work"
    OUTBOX = "outbox"
    WATCHER = "watcher"
    INGEST = "ingest"
    DISK = "disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """How the watcher is doing."""

    lag_s: float
    troubles: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Health:
    """Notes what happens in this process, and says what of it is a trouble."""

    clock: Clock
    figures: Figures
    folder: Path | None = None
    """On whose disk the store lies; None where it lies elsewhere."""
    watching: Callable[[], Watching] | None = None
    store_s: deque[float] = field(default_factory=lambda: deque(maxlen=SLOW_LOOKS))
    """What the last looks at the store took; endless where it did not answer."""
    failures: Counter[str] = field(default_factory=Counter)
    """Of a leg, since it last ended well."""
    refusals_us: deque[int] = field(default_factory=lambda: deque(maxlen=1000))
    late_s: dict[str, float] = field(default_factory=dict)
    """By queue: for how long the oldest due work has been due."""
    outbox_late_s: float = 0.0
    outbox_tries: int = 0
    _known: dict[str, Trouble] = field(default_factory=dict)

    def ended(self, leg: str, *, well: bool) -> None:
        """A run of a leg is over."""
        if well:
            self.failures.pop(leg, None)
        else:
            self.failures[leg] += 1

    def refused(self) -> None:
        """A sender was told to come again later."""
        self.refusals_us.append(self.clock.now_us())

    def look(self) -> tuple[Trouble, ...]:
        """Every trouble there is now, each with when it began; said once when it comes and goes."""
        now_us = self.clock.now_us()
        found = {what: text for what, text in self._messages(now_us).items() if text}
        for what in self._known.keys() - found.keys():
            log.info("trouble.ended", what=str(what))
            del self._known[what]
        for what, text in found.items():
            if what not in self._known:
                log.warning("trouble.began", what=str(what), message=text)
            since_us = self._known[what].since_us if what in self._known else now_us
            self._known[what] = Trouble(what=str(what), since_us=since_us, message=text)
        for one in Ailment:
            self.figures.troubles.set(one, value=1 if one in found else 0)
        return tuple(self._known.values())

    def _messages(self, now_us: int) -> Mapping[Ailment, str]:
        return {
            Ailment.STORE: self._of_store(),
            Ailment.LEG: self._of_legs(),
            Ailment.WORK: self._of_work(),
            Ailment.OUTBOX: self._of_outbox(),
            Ailment.WATCHER: self._of_watcher(),
            Ailment.INGEST: self._of_ingest(now_us),
            Ailment.DISK: self._of_disk(),
        }

    def _of_store(self) -> str:
        if len(self.store_s) < SLOW_LOOKS or min(self.store_s) < SLOW_S:
            return ""
        last = self.store_s[-1]
        if last == float("inf"):
            return "the store does not answer"
        return f"the store is slow: a small question took {last:.1f} s, {SLOW_LOOKS} times running"

    def _of_legs(self) -> str:
        often = {leg: n for leg, n in self.failures.items() if n >= FAILED_TIMES}
        told = ", ".join(f"{leg} {n} times" for leg, n in sorted(often.items()))
        return (
            f"fails again and again: {told} running; the log says why (job.failed)" if told else ""
        )

    def _of_work(self) -> str:
        late = {queue: s for queue, s in self.late_s.items() if s > LATE_S}
        told = ", ".join(f"{queue} for {s:.0f} s" for queue, s in sorted(late.items()))
        return f"work is due and nobody takes it: {told}; is its role running?" if told else ""

    def _of_outbox(self) -> str:
        if self.outbox_tries >= MANY_TRIES:
            return f"a message to people was not delivered in {self.outbox_tries} tries"
        if self.outbox_late_s > LATE_S:
            return (
                f"a message to people has waited for {self.outbox_late_s:.0f} s; "
                "is agent-reporter running?"
            )
        return ""

    def _of_watcher(self) -> str:
        if self.watching is None:
            return ""
        now = self.watching()
        self.figures.watch_lag.set(value=now.lag_s)
        self.figures.watch_troubles.set(value=len(now.troubles))
        if now.lag_s > BEHIND_S:
            return f"the watcher is {now.lag_s:.0f} s behind the cluster"
        return ""

    def _of_ingest(self, now_us: int) -> str:
        since_us = now_us - MINUTE_S * 1_000_000
        n = sum(1 for at_us in self.refusals_us if at_us >= since_us)
        if n < MANY_REFUSALS:
            return ""
        return f"senders were told {n} times in a minute to come again later"

    def _of_disk(self) -> str:
        if self.folder is None:
            return ""
        try:
            disk = shutil.disk_usage(self.folder)
        except OSError as error:
            return f"the data folder cannot be read: {error.strerror}"
        self.figures.disk_free.set(value=disk.free)
        self.figures.disk_size.set(value=disk.total)
        if disk.free >= SCARCE_BYTES and disk.free >= disk.total * SCARCE_SHARE:
            return ""
        return (
            f"the disk of the data folder is nearly full: {disk.free / 2**30:.1f} GiB of "
            f"{disk.total / 2**30:.0f} are free; see COPILOT_RETENTION_* and `retention --compact`"
        )


@dataclass(slots=True, kw_only=True)
class Standing:
    """Looks at the store now and then, so that a scrape asks nobody."""

    store: Store
    clock: Clock
    cluster: str
    embedder: Embedder
    figures: Figures
    health: Health
    counts_all: bool
    """Whether this process counts what lies in the store; one role does it for all."""
    _count_due_us: int = 0

    async def watch(self) -> None:
        """For ever."""
        while True:
            try:
                await self.look()
            except Exception as error:  # the worker loop: a bug must not end it
                log.error("standing.broke", exc_info=error)
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Once. What the store does not tell stays as it was."""
        began_us = self.clock.now_us()
        try:
            async with self.store.view() as view:
                await self._work(view)
                took_s = (self.clock.now_us() - began_us) / 1_000_000
                if self.counts_all and began_us >= self._count_due_us:
                    await self._count(view)
                    self._count_due_us = began_us + round(COUNT_S * 1_000_000)
        except (Unavailable, Clash):
            took_s = float("inf")
        self.health.store_s.append(took_s)
        if took_s != float("inf"):
            self.figures.probe.set(value=took_s)
        self.health.look()

    async def _work(self, view: Session) -> None:
        """What waits: short tables, with every look."""
        now_us = self.clock.now_us()
        due = await view.jobs.due(now_us)
        self.figures.jobs.replace({(one.queue, one.state): float(one.n) for one in due})
        late = {one.queue: (now_us - one.oldest_us) / 1e6 for one in due if one.state == "ready"}
        self.figures.jobs_oldest.replace({(queue,): s for queue, s in late.items()})
        self.health.late_s = late
        unsent = await view.outbox.unsent()
        overdue_s = max(0.0, (now_us - unsent.oldest_us) / 1e6) if unsent.oldest_us else 0.0
        self.figures.outbox.set(value=unsent.n)
        self.figures.outbox_tries.set(value=unsent.tries)
        self.figures.outbox_oldest.set(value=overdue_s)
        self.health.outbox_late_s, self.health.outbox_tries = overdue_s, unsent.tries
        opened = await view.incidents.opened(self.cluster)
        self.figures.incidents.set(value=len(opened))
        self.figures.proposals.set(
            value=sum(1 for one in opened if one.status is Status.AWAITING_APPROVAL)
        )

    async def _count(self, view: Session) -> None:
        """What lies in the store."""
        counts = await view.telemetry.counts()
        index = await index_view(view, self.embedder)
        for gauge, value in (
            (self.figures.lines, counts.lines),
            (self.figures.events, counts.events),
            (self.figures.points, counts.points),
            (self.figures.spans, counts.spans),
            (self.figures.templates, counts.templates),
            (self.figures.set_aside, counts.set_aside),
            (self.figures.index_documents, index.documents),
            (self.figures.index_words, index.words_waiting),
            (self.figures.index_vectors, index.vectors_waiting),
            (self.figures.looked_at, self.clock.now_us() / 1e6),
        ):
            gauge.set(value=value)
