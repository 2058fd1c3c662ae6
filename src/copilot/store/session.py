"""The store as the steps see it: sessions made of repositories that share one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import cached_property
from typing import TypeVar

from copilot.domain.errors import CopilotError
from copilot.domain.retention import Policy, Retired
from copilot.ports import Capabilities, Clock
from copilot.store.accounts import SqlAccounts
from copilot.store.again import again
from copilot.store.audit import SqlAudit
from copilot.store.coding import clip
from copilot.store.copying import Copied, Progress, copy, prepare
from copilot.store.corpora import HOMES, MODEL_CHARS
from copilot.store.database import Database, Engine
from copilot.store.feed import SqlFeed
from copilot.store.incidents import SqlIncidents
from copilot.store.index import SqlIndex
from copilot.store.jobs import SqlJobs
from copilot.store.matrices import Matrices
from copilot.store.memories import SqlMemories
from copilot.store.objects import SqlObjects
from copilot.store.outbox import SqlOutbox
from copilot.store.packing import Packing
from copilot.store.remediation import SqlRemediation
from copilot.store.retention import Retention
from copilot.store.runbooks import SqlRunbooks
from copilot.store.telemetry import Process, SqlTelemetry

T = TypeVar("T")

Copies = tuple[Copied, ...]


class SqlSession:
    """Meets `copilot.ports.Session` over one open transaction."""

    def __init__(self, database: Database, process: Process, matrices: Matrices) -> None:
        self._database = database
        self._process = process
        self._matrices = matrices

    @cached_property
    def telemetry(self) -> SqlTelemetry:
        return SqlTelemetry(self._database, self._process, self._matrices)

    @property
    def is_kept(self) -> bool:
        return self._database.is_kept

    def committed(self) -> None:
        """What was learned holds from now on for every session."""
        if "telemetry" in self.__dict__:
            self.telemetry.committed()

    def rolled_back(self) -> None:
        """Nothing of it was written."""
        if "telemetry" in self.__dict__:
            self.telemetry.rolled_back()

    @cached_property
    def objects(self) -> SqlObjects:
        return SqlObjects(self._database)

    @cached_property
    def incidents(self) -> SqlIncidents:
        return SqlIncidents(self._database)

    @cached_property
    def remediation(self) -> SqlRemediation:
        return SqlRemediation(self._database)

    @cached_property
    def jobs(self) -> SqlJobs:
        return SqlJobs(self._database)

    @cached_property
    def audit(self) -> SqlAudit:
        return SqlAudit(self._database)

    @cached_property
    def feed(self) -> SqlFeed:
        return SqlFeed(self._database)

    @cached_property
    def memories(self) -> SqlMemories:
        return SqlMemories(self._database)

    @cached_property
    def runbooks(self) -> SqlRunbooks:
        return SqlRunbooks(self._database)

    @cached_property
    def outbox(self) -> SqlOutbox:
        return SqlOutbox(self._database)

    @cached_property
    def index(self) -> SqlIndex:
        return SqlIndex(self._database, self._matrices)

    @cached_property
    def accounts(self) -> SqlAccounts:
        return SqlAccounts(self._database)


class SqlStore:
    """Meets `copilot.ports.Store` over any engine."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._process = Process()
        self._matrices = Matrices()

    def transaction(self) -> AbstractAsyncContextManager[SqlSession]:
        return self._session(self._engine.transaction())

    async def run(self, work: Callable[[SqlSession], Awaitable[T]]) -> T:
        """See the port."""

        async def once() -> T:
            async with self.transaction() as session:
                return await work(session)

        return await again(once, self._clock.sleep)

    def view(self) -> AbstractAsyncContextManager[SqlSession]:
        return self._session(self._engine.view())

    async def migrate(self) -> tuple[str, ...]:
        """Raises: Conflict where the store was made by a newer program."""
        return await self._engine.migrate(self._clock.now_us())

    async def take_all(self, source: SqlStore, *, name: str, on_step: Progress) -> Copies:
        """Become a copy of another store (`copying.py`), and go on with one that was begun.

        Raises:
            Conflict: this store holds anything else, or the source was written to meanwhile.
        """
        await prepare(source._engine, self._engine, self._clock.now_us())
        return await copy(source._engine, self._engine, name=name, on_step=on_step)

    async def retire(self, policy: Policy, *, is_dry: bool = False) -> tuple[Retired, ...]:
        """See the port."""
        now_us = self._clock.now_us()
        return await Retention(self._engine, policy, now_us=now_us, is_dry=is_dry).run()

    async def compact(self) -> int:
        """Give the space of what was retired back to the system; how many bytes."""
        return await self._engine.compact()

    async def settle(self) -> None:
        """See the port."""
        if self._process.waiting.parts:
            await self.run(lambda session: session.telemetry.settle(self._clock.now_us()))

    async def pack(self) -> bool:
        """See the port."""
        packing = Packing(self._engine)
        await packing.seal(self._clock.now_us())
        return await packing.pack_one() or await packing.forget() > 0

    async def make_days(self) -> tuple[str, ...]:
        """See the port."""
        return await self._engine.make_days(self._clock.now_us())

    async def index_vectors(self, model: str) -> None:
        """See the port."""
        for home in HOMES.values():
            await self._engine.follow(home.vectors, home.key, clip(model, MODEL_CHARS))

    async def capabilities(self) -> Capabilities:
        """See the port."""
        return await self._engine.capabilities()

    async def close(self) -> None:
        with suppress(CopilotError):
            await self.settle()
        await self._engine.close()

    @asynccontextmanager
    async def _session(
        self, opening: AbstractAsyncContextManager[Database]
    ) -> AsyncIterator[SqlSession]:
        session: SqlSession | None = None
        try:
            async with opening as database:
                session = SqlSession(database, self._process, self._matrices)
                yield session
        except BaseException:
            if session is not None and session.is_kept:
                session.committed()
            elif session is not None:
                session.rolled_back()
            raise
        session.committed()
