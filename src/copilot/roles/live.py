"""The live feed: `WebSocket /ws?since=<seq>` replays what was missed, then goes on as it comes.

Every process polls the feed of the store, once for all its sockets, so it does not matter who
wrote an entry or which gateway a screen is connected to.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict

import msgspec
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from copilot.domain.errors import CopilotError
from copilot.domain.incident import FeedEntry
from copilot.ports import Clock, Store
from copilot.roles.people import People
from copilot.roles.security import Doorkeeper
from copilot.roles.views import FeedMessage

POLL_S = 0.1
PING_S = 5.0
PAGE = 500
KEPT = 1000
"""Entries that are kept in memory for sockets that follow closely."""
LOOK_AGAIN_S = 10.0
"""Between two looks at whether who listens is still signed in."""
UNAUTHENTICATED = 4401


def feed_message(entry: FeedEntry) -> FeedMessage:
    """A feed entry as screens get it."""
    return FeedMessage(
        seq=entry.seq,
        kind=entry.kind,
        incident_id=entry.incident_id,
        ts_us=entry.ts_us,
        detail=entry.detail,
    )


class Tail:
    """The end of a cluster's feed, read once for all who follow it."""

    def __init__(self, store: Store, clock: Clock, *, cluster: str) -> None:
        self._store = store
        self._clock = clock
        self._cluster = cluster
        self._reading = asyncio.Lock()
        self._read_us = 0
        self._from = -1
        """What comes after this seq is kept, up to what was there at the last look; -1 for not
        looked yet."""
        self._kept: deque[FeedEntry] = deque()

    async def head(self) -> int:
        """The newest seq."""
        async with self._store.view() as view:
            return await view.feed.head(self._cluster)

    async def forgets(self, seq: int) -> bool:
        """Whether something that came after `seq` is no longer kept."""
        async with self._store.view() as view:
            oldest = await view.feed.oldest(self._cluster)
        return seq + 1 < oldest

    async def after(self, seq: int) -> tuple[FeedEntry, ...]:
        """What came after `seq`, by seq, a page at most; at most `POLL_S` old."""
        async with self._reading:
            if self._clock.now_us() - self._read_us >= POLL_S * 1_000_000:
                await self._look()
            if 0 <= self._from <= seq:
                return tuple(entry for entry in self._kept if entry.seq > seq)[:PAGE]
        async with self._store.view() as view:
            return await view.feed.since(self._cluster, seq, PAGE)

    async def _look(self) -> None:
        if self._from < 0:
            self._from = await self.head()
        newest = self._kept[-1].seq if self._kept else self._from
        async with self._store.view() as view:
            self._kept.extend(await view.feed.since(self._cluster, newest, PAGE))
        while len(self._kept) > KEPT:
            self._from = self._kept.popleft().seq
        self._read_us = self._clock.now_us()


def live_route(
    store: Store, clock: Clock, *, cluster: str, doorkeeper: Doorkeeper, people: People
) -> WebSocketRoute:
    """The route of the socket."""
    tail = Tail(store, clock, cluster=cluster)

    async def serve(socket: WebSocket) -> None:
        try:
            doorkeeper.check_host(socket.headers.get("host", ""))
            person = await people.person(socket)
        except CopilotError as refusal:
            people.turned_away(socket, refusal)
            await socket.accept()
            await socket.close(UNAUTHENTICATED, refusal.message[:120])
            return
        await socket.accept()
        await _talk(socket, tail, clock, lambda: people.is_still_in(person))

    return WebSocketRoute("/ws", serve)


async def _talk(
    socket: WebSocket, tail: Tail, clock: Clock, is_still_in: Callable[[], Awaitable[bool]]
) -> None:
    given = socket.query_params.get("since", "")
    since = int(given) if given.isdecimal() and len(given) < 20 else None
    listening = asyncio.create_task(_until_closed(socket, is_still_in))
    try:
        async for message in _messages(tail, clock, since, listening):
            await socket.send_text(msgspec.json.encode(asdict(message)).decode())
        if not listening.result():
            await socket.close(UNAUTHENTICATED, "you were signed out; sign in again")
    except WebSocketDisconnect:
        return
    finally:
        listening.cancel()


async def _until_closed(socket: WebSocket, is_still_in: Callable[[], Awaitable[bool]]) -> bool:
    """True where the other side closed it, False where who opened it is not let in any more."""
    while True:
        try:
            async with asyncio.timeout(LOOK_AGAIN_S):
                while (await socket.receive())["type"] != "websocket.disconnect":
                    pass
            return True
        except TimeoutError:
            if not await is_still_in():
                return False


async def _messages(
    tail: Tail, clock: Clock, since: int | None, closed: asyncio.Task[bool]
) -> AsyncIterator[FeedMessage]:
    """A hello with the head, what came after `since`, then what comes, with pings between; ends
    when the socket is closed.

    Who was away for longer than the feed is kept is greeted with 0, as after a feed that began
    anew: a screen then reads everything again.
    """
    head = await tail.head()
    is_late = since is not None and since < head and await tail.forgets(since)
    seq = head if since is None or since > head or is_late else since
    told = 0 if is_late else head
    yield FeedMessage(seq=told, kind="hello", incident_id=None, ts_us=clock.now_us(), detail="")
    quiet_s = 0.0
    while not closed.done():
        entries = await tail.after(seq)
        for entry in entries:
            seq = entry.seq
            yield feed_message(entry)
        quiet_s = 0.0 if entries else quiet_s + POLL_S
        if quiet_s >= PING_S:
            quiet_s = 0.0
            yield FeedMessage(
                seq=seq, kind="ping", incident_id=None, ts_us=clock.now_us(), detail=""
            )
        await asyncio.wait((closed,), timeout=POLL_S)
