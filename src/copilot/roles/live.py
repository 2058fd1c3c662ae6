"""The live feed: `WebSocket /ws?since=<seq>` replays what was missed, then goes on as it comes.

Every process polls the feed of the store, so it does not matter who wrote an entry or which
gateway a screen is connected to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict

import msgspec
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from copilot.domain.errors import CopilotError
from copilot.domain.incident import FeedEntry
from copilot.ports import Clock, Store
from copilot.roles.security import Doorkeeper
from copilot.roles.views import FeedMessage

POLL_S = 0.1
PING_S = 5.0
PAGE = 500
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


def live_route(
    store: Store, clock: Clock, *, cluster: str, doorkeeper: Doorkeeper
) -> WebSocketRoute:
    """The route of the socket."""

    async def serve(socket: WebSocket) -> None:
        try:
            doorkeeper.check_host(socket.headers.get("host", ""))
            doorkeeper.person(socket)
        except CopilotError as refusal:
            await socket.accept()
            await socket.close(UNAUTHENTICATED, refusal.message[:120])
            return
        await socket.accept()
        await _talk(socket, store, clock, cluster)

    return WebSocketRoute("/ws", serve)


async def _talk(socket: WebSocket, store: Store, clock: Clock, cluster: str) -> None:
    given = socket.query_params.get("since", "")
    since = int(given) if given.isdecimal() and len(given) < 20 else None
    listening = asyncio.create_task(_until_closed(socket))
    try:
        async for message in _messages(store, clock, cluster, since, listening):
            await socket.send_text(msgspec.json.encode(asdict(message)).decode())
    except WebSocketDisconnect:
        return
    finally:
        listening.cancel()


async def _until_closed(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _messages(
    store: Store, clock: Clock, cluster: str, since: int | None, closed: asyncio.Task[None]
) -> AsyncIterator[FeedMessage]:
    """A hello with the head, what came after `since`, then what comes, with pings between; ends
    when the socket is closed."""
    async with store.view() as view:
        head = await view.feed.head(cluster)
    seq = head if since is None or since > head else since
    yield FeedMessage(seq=head, kind="hello", incident_id=None, ts_us=clock.now_us(), detail="")
    quiet_s = 0.0
    while not closed.done():
        async with store.view() as view:
            entries = await view.feed.since(cluster, seq, PAGE)
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
