"""The store as the steps see it: sessions made of repositories that share one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import cached_property

from copilot.domain.errors import CopilotError
from copilot.ports import Clock
from copilot.store.audit import SqlAudit
from copilot.store.database import Database, Engine
from copilot.store.feed import SqlFeed
from copilot.store.incidents import SqlIncidents
from copilot.store.jobs import SqlJobs
from copilot.store.memories import SqlMemories
from copilot.store.objects import SqlObjects
from copilot.store.outbox import SqlOutbox
from copilot.store.packing import Packing
from copilot.store.remediation import SqlRemediation
from copilot.store.runbooks import SqlRunbooks
from copilot.store.telemetry import Process, SqlTelemetry


class SqlSession:
    """Meets `copilot.ports.Session` over one open transaction."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self._process = process

    @cached_property
    def telemetry(self) -> SqlTelemetry:
        return SqlTelemetry(self._database, self._process)

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


class SqlStore:
    """Meets `copilot.ports.Store` over any engine."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._process = Process()

    def transaction(self) -> AbstractAsyncContextManager[SqlSession]:
        return self._session(self._engine.transaction())

    def view(self) -> AbstractAsyncContextManager[SqlSession]:
        return self._session(self._engine.view())

    async def migrate(self) -> tuple[str, ...]:
        """Raises: Conflict where the store was made by a newer program."""
        return await self._engine.migrate(self._clock.now_us())

    async def settle(self) -> None:
        """See the port."""
        if self._process.waiting.counts:
            async with self.transaction() as session:
                await session.telemetry.settle(self._clock.now_us())

    async def pack(self) -> bool:
        """See the port."""
        now_us = self._clock.now_us()
        packing = Packing(self._engine)
        await packing.seal(now_us)
        return await packing.pack_one(now_us) or await packing.forget() > 0

    async def close(self) -> None:
        with suppress(CopilotError):
            await self.settle()
        await self._engine.close()

    @asynccontextmanager
    async def _session(
        self, opening: AbstractAsyncContextManager[Database]
    ) -> AsyncIterator[SqlSession]:
        async with opening as database:
            session = SqlSession(database, self._process)
            try:
                yield session
            except BaseException:
                session.rolled_back()
                raise
        session.committed()
