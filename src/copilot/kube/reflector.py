"""One kind, listed and watched for ever; each version handed over once.

The client libraries end their watch when the API server dies. This loop does not: on 410, an ERROR
event, a cut stream or a lost server it lists again and hands over only what differs by uid and
resourceVersion, with deletions for what vanished meanwhile.
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import random
import zlib
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing

import msgspec
import structlog

from copilot.domain.change import ObjectVersion
from copilot.domain.errors import Busy, CopilotError, NotFound, Unavailable
from copilot.domain.evidence import Gap
from copilot.kube.failures import Expired, failure_in_stream, retry_after_s
from copilot.kube.named import keys_version
from copilot.kube.objects import pages, version_of
from copilot.kube.resources import Call, Scope, watching
from copilot.kube.server import ApiServer
from copilot.ports import Clock, Delta

WATCH_S = 60
"""A watch is renewed this often: a half-open connection is noticed soon after."""
SILENCE_S = WATCH_S + 10.0
BATCH = 200
FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 5.0
MAX_REFUSED_PAUSE_S = 30.0
OUTAGE_AFTER_US = 3_000_000
STEADY_US = 5_000_000
"""A watch that lasted this long is well, also where nothing happened."""

_log = structlog.get_logger(__name__)


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    object: msgspec.Raw


class _Bookmark(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    resource_version: str = ""


class _Bookmarked(msgspec.Struct, frozen=True, kw_only=True):
    """All that a bookmark's object says; the rest of it is empty or null."""

    metadata: _Bookmark = _Bookmark()


class Reflector:
    """Follows one kind, or one object, on one API server."""

    def __init__(
        self,
        server: ApiServer,
        scope: Scope,
        *,
        cluster: str,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._server = server
        self._scope = scope
        self._resource = scope.resource
        self._cluster = cluster
        self._clock = clock
        self._jitter = jitter
        self._known: dict[str, ObjectVersion] = {}
        """By uid, as last handed over; `json` is compressed here."""
        self._resource_version = ""
        """Where to watch from, empty for "list first"."""
        self._n_failures = 0
        self._failing_since_us = 0
        self._gap: Gap | None = None
        self._was_served = False
        self._is_unserved = False

    async def deltas(self) -> AsyncGenerator[Delta, None]:
        """Never ends and never raises for what the server does."""
        while True:
            failed: CopilotError | None = None
            started_us = self._clock.now_us()
            try:
                async with aclosing(self._round()) as deltas:
                    async for delta in deltas:
                        yield delta
            except CopilotError as error:
                failed = error
            is_steady = failed is None and self._clock.now_us() - started_us >= STEADY_US
            self._n_failures = 0 if is_steady else self._n_failures + 1
            if failed is not None:
                self._resource_version = ""
                if self._tells_unserved(failed):
                    if self._note_unserved():
                        yield self._delta()
                elif gap := self._note(failed):
                    yield self._delta(gap=gap)
            await self._clock.sleep(self._pause_s(failed))

    async def _round(self) -> AsyncGenerator[Delta, None]:
        if not self._resource_version:
            async with aclosing(self._list()) as listed:
                async for delta in listed:
                    yield delta
        async with aclosing(self._watch()) as watched:
            async for delta in watched:
                yield delta

    async def _list(self) -> AsyncGenerator[Delta, None]:
        seen: set[str] = set()
        held: list[ObjectVersion] = []
        resource_version = ""
        async with aclosing(pages(self._server, self._scope)) as listed:
            async for page in listed:
                # The next page may fail: what counts as handed over must be so.
                if fresh := self._fresh(held):
                    yield self._delta(fresh)
                held = [v for v in map(self._version, page.items or ()) if v is not None]
                seen.update(_identity(v) for v in held)
                resource_version = page.metadata.resource_version
        gone = [self._tombstone(uid) for uid in sorted(self._known.keys() - seen)]
        self._restored()
        self._resource_version = resource_version
        rest = (*self._fresh(held), *gone)
        yield self._delta(rest, is_synced=True)

    async def _watch(self) -> AsyncGenerator[Delta, None]:
        call = watching(
            self._scope,
            (
                ("watch", "true"),
                ("resourceVersion", self._resource_version),
                ("allowWatchBookmarks", "true"),
                ("timeoutSeconds", str(WATCH_S)),
            ),
        )
        async with aclosing(self._server.lines(call, idle_s=SILENCE_S)) as batches:
            async for lines in batches:
                for start in range(0, len(lines), BATCH):
                    versions, failed = self._absorb(lines[start : start + BATCH], call)
                    if versions:
                        yield self._delta(versions)
                    if failed is not None:
                        raise failed
                    self._n_failures = 0

    def _absorb(
        self, lines: Sequence[bytes], call: Call
    ) -> tuple[list[ObjectVersion], CopilotError | None]:
        """What is new in these lines, up to the first that ends the watch."""
        versions: list[ObjectVersion] = []
        for line in lines:
            try:
                event = msgspec.json.decode(line, type=_Event)
                match event.type:
                    case "ERROR":
                        return versions, failure_in_stream(call, bytes(event.object))
                    case "BOOKMARK":
                        self._bookmark(event.object)
                    case "DELETED":
                        versions += self._deleted(event.object)
                    case _:
                        versions += self._changed(event.object)
            except msgspec.DecodeError as error:
                cut = Unavailable(f"the watch of {call.subject} makes no sense: {error}")
                return versions, cut
        return versions, None

    def _bookmark(self, item: msgspec.Raw) -> None:
        bookmarked = msgspec.json.decode(item, type=_Bookmarked)
        self._resource_version = bookmarked.metadata.resource_version or self._resource_version

    def _changed(self, item: msgspec.Raw) -> list[ObjectVersion]:
        version = self._version(item)
        if version is None:
            return []
        self._resource_version = version.resource_version
        return self._fresh([version])

    def _deleted(self, item: msgspec.Raw) -> list[ObjectVersion]:
        """A repeated deletion is nothing new."""
        version = self._version(item, is_deleted=True)
        if version is None:
            return []
        self._resource_version = version.resource_version
        return [version] if self._known.pop(_identity(version), None) else []

    def _fresh(self, versions: Iterable[ObjectVersion]) -> list[ObjectVersion]:
        """Those not handed over yet; they count as handed over from now on."""
        fresh: list[ObjectVersion] = []
        for version in versions:
            known = self._known.get(_identity(version))
            if known is None or known.resource_version != version.resource_version:
                packed = zlib.compress(version.json, 1)
                self._known[_identity(version)] = msgspec.structs.replace(version, json=packed)
                fresh.append(version)
        return fresh

    def _tombstone(self, uid: str) -> ObjectVersion:
        """What vanished while nobody looked, as it last was."""
        last = self._known.pop(uid)
        return msgspec.structs.replace(
            last, is_deleted=True, seen_us=self._clock.now_us(), json=zlib.decompress(last.json)
        )

    def _version(self, item: bytes | msgspec.Raw, is_deleted: bool = False) -> ObjectVersion | None:
        """None for an object that cannot be read: it must not stop all others."""
        try:
            read = keys_version if self._scope.is_metadata_only else version_of
            return read(
                item,
                self._resource,
                cluster=self._cluster,
                seen_us=self._clock.now_us(),
                is_deleted=is_deleted,
            )
        except msgspec.DecodeError as error:
            _log.warning("kube.object_unreadable", kind=self._resource.kind, error=str(error))
            return None

    def _delta(
        self,
        versions: Sequence[ObjectVersion] = (),
        *,
        is_synced: bool = False,
        gap: Gap | None = None,
    ) -> Delta:
        scope = self._scope
        return Delta(
            kind=scope.resource.kind,
            only=f"{scope.namespace}/{scope.name}" if scope.name else "",
            versions=tuple(versions),
            is_synced=is_synced,
            gap=gap,
        )

    def _tells_unserved(self, failed: CopilotError) -> bool:
        """Whether the server has no such kind, so that there is nothing we fail to see.

        Every API server has the core group: a 404 there comes from something else. And a kind that
        was served and is not any more leaves us with what we knew of it: that is a gap.
        """
        is_core = self._resource.api_version == "v1"
        return isinstance(failed, NotFound) and not is_core and not self._was_served

    def _note_unserved(self) -> bool:
        """Whether it is news; an earlier gap is over then, but the kind counts as never listed."""
        is_news, self._is_unserved = not self._is_unserved, True
        if is_news:
            _log.info("kube.kind_not_served", kind=self._resource.kind)
        self._gap = None
        self._failing_since_us = 0
        return is_news

    def _note(self, failed: CopilotError) -> Gap | None:
        """The gap to tell of now, if it is time to and it was not told yet."""
        now_us = self._clock.now_us()
        self._is_unserved = False
        if not self._failing_since_us:
            self._failing_since_us = now_us
            # An expired version is what a quiet kind comes to; nothing is wrong then.
            say = _log.debug if isinstance(failed, Expired) else _log.warning
            say("kube.watch_broken", kind=self._resource.kind, error=failed.message)
        is_outage = isinstance(failed, Unavailable | Busy)
        if is_outage and now_us - self._failing_since_us < OUTAGE_AFTER_US:
            return None
        gap = Gap(what=self._scope.subject, reason=failed.message)
        if self._gap is not None and (is_outage or gap == self._gap):
            return None
        self._gap = gap
        return gap

    def _restored(self) -> None:
        if self._failing_since_us:
            _log.info("kube.watch_restored", kind=self._resource.kind)
        self._gap = None
        self._failing_since_us = 0
        self._was_served = True
        self._is_unserved = False

    def _pause_s(self, failed: CopilotError | None) -> float:
        """0 after a watch that ended as planned, else doubling with jitter.

        Refusals double further: they last until somebody grants the right, but a server that has
        just started refuses for a few seconds too.
        """
        if failed is None and self._n_failures <= 1:
            return 0.0
        is_outage = failed is None or isinstance(failed, Unavailable | Busy)
        longest_s = MAX_PAUSE_S if is_outage else MAX_REFUSED_PAUSE_S
        doubled_s = FIRST_PAUSE_S * (1 << min(self._n_failures - 1, 10))
        pause_s = min(doubled_s, longest_s) * (0.5 + self._jitter() / 2)
        asked_s = retry_after_s(failed) if failed is not None else 0.0
        return max(pause_s, min(asked_s, MAX_REFUSED_PAUSE_S))


def _identity(version: ObjectVersion) -> str:
    return version.object.uid or version.object.key
