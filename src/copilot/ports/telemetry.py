"""Lines, events, metrics and spans in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from copilot.domain.event import (
    Batch,
    Event,
    LineAddress,
    LogLine,
    Series,
    TemplateActivity,
    TemplateId,
)
from copilot.domain.retrieval import Near
from copilot.domain.search import Counted, Found, Query


class StoredBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch. A repeat stored nothing."""

    is_repeat: bool
    n_stored: int
    first_line: LineAddress | None


class Telemetry(Protocol):
    """Lines, events, metrics and spans."""

    async def add(self, batch: Batch) -> StoredBatch:
        """Keep all of it: blocks for every line, rows for what matters, counts a minute, points,
        spans, what was set aside. Kubernetes events are keyed by uid: a repeat refreshes."""
        ...

    async def add_all(self, batches: Sequence[Batch]) -> tuple[StoredBatch, ...]:
        """The same for several at once, in this order; much cheaper than one by one."""
        ...

    async def lines_at(self, address: LineAddress, before: int, after: int) -> tuple[LogLine, ...]:
        """The line and its neighbours of the same container, oldest first.

        Raises:
            NotFound: no such line.
            Gone: it was retired; the message says when, and where it is kept as evidence.
        """
        ...

    async def lines_of(
        self, *, namespace: str, pods: Sequence[str], since_us: int, until_us: int, limit: int
    ) -> tuple[LogLine, ...]:
        """The newest `limit` lines of these pods in the range, oldest first."""
        ...

    async def latest_line_us(self, *, namespace: str, pod: str, container: str) -> int:
        """Time of the newest stored line, 0 for none."""
        ...

    async def activity(
        self, *, min_severity: int, window_us: int, now_us: int, namespace: str = "", app: str = ""
    ) -> tuple[TemplateActivity, ...]:
        """Templates seen within the window ending now, a family as one; busiest first, 200 at
        most."""
        ...

    async def template_history(
        self,
        *,
        template_id: TemplateId,
        namespace: str,
        app: str,
        window_us: int,
        since_us: int,
        until_us: int,
    ) -> tuple[int, ...]:
        """How often an application logged it in each stretch of `window_us` in which it did at
        all, oldest first; counted over all its pods."""
        ...

    async def series(
        self, *, name: str, namespace: str, pods: Sequence[str], since_us: int, until_us: int
    ) -> tuple[Series, ...]:
        """One series for each pod and container that has any point in the range."""
        ...

    async def events(
        self, *, namespace: str, names: Sequence[str], since_us: int, limit: int
    ) -> tuple[Event, ...]:
        """Row-tier events about these pods or objects, oldest first."""
        ...

    async def kube_events(
        self, *, namespace: str, uids: Sequence[str], names: Sequence[str], since_us: int
    ) -> tuple[bytes, ...]:
        """Stored core/v1 Events about these objects, as JSON."""
        ...

    async def event(self, event_id: int) -> Event:
        """Raises: NotFound."""
        ...

    async def search(self, query: Query, *, after: str = "", near: Near | None = None) -> Found:
        """A page of what matches, see `Found`; `after` is the `next` of the page before. `near`
        says what the words mean: then what says the same in other words is found, too.

        Raises:
            Invalid: `after` is none.
        """
        ...

    async def search_counts(
        self, query: Query, *, now_us: int, near: Near | None = None
    ) -> Counted:
        """How many match, by kind, place, level and time, as far as was looked."""
        ...

    async def set_aside(self, *, limit: int, before_id: int = 0) -> tuple[SetAsideRow, ...]:
        """Newest first."""
        ...

    async def counts(self) -> Counts: ...


class SetAsideRow(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    received_us: int
    source: str
    reason: str
    body: bytes


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Totals for the status page."""

    lines: int
    events: int
    points: int
    spans: int
    templates: int
    set_aside: int
